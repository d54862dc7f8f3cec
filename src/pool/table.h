/*
 * pool/table.h - the task table that a pool's parent shares with its workers: tasks that are ready,
 * who has which, and what came of them. Pure memory and words to sleep on; no process is known
 * here.
 *
 * A task is a slot. Its state word says who may touch it, and one compare-and-swap of that word is
 * both the taking of the task and the record of who has it: there is no instruction at which a
 * killed worker leaves a task that is taken by nobody, or held by somebody unknown. So there is no
 * lock to repair:
 *
 *     FREE        the parent's: unused, being filled, or with a result to be read
 *     READY       arguments are whole; whoever swaps it to RUNNING has the task, the parent may
 *                 swap it back to FREE (withdrawn)
 *     RUNNING|w   worker w alone writes; when w is dead the slot is the parent's
 *     KILLED|w    the parent has swapped RUNNING|w to it: w cannot finish the task any more, and
 * ends DONE|w      the result is whole; the parent's. w has pushed it on the stack of finished
 *                 tasks, or is about to, or died before
 *
 * The ring of ready tasks is only a hint where to look: an entry whose slot is not READY is passed
 * over, and a slot is READY only while an entry for it is between head and tail. A worker number is
 * given to one process only, so a state word never names the wrong one.
 */
#ifndef BRI_TASK_TABLE_H
#define BRI_TASK_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/park.h"

enum {
    BRI_MAX_WORKERS = 512,
    BRI_SLOT_INLINE = 64, /* bytes of arguments or results that need no block of the arena */
    BRI_TASK_LEVELS = 3,  /* of priority: low, normal, high */
    BRI_LEVEL_NORMAL = 1
};

/* What the function of a task gets of an item. */
typedef enum bri_task_style {
    BRI_STYLE_ITEM = 0, /* the item is its only argument: map */
    BRI_STYLE_STAR,     /* the item, a tuple or list, is its arguments: starmap */
    BRI_STYLE_CALL      /* the item is (arguments, keywords): apply */
} bri_task_style;

/* A worker process of the pool: 1, 2, ... in the order of starting. After BRI_LAST_WORKER, which
 * are the 28 bits of a state word, they begin again with those that are gone. */
typedef uint32_t bri_worker_number;

enum { BRI_LAST_WORKER = (1 << 28) - 1 };

enum {
    BRI_TASK_FREE = 0,
    BRI_TASK_READY = 1,
    BRI_TASK_RUNNING = 2,
    BRI_TASK_DONE = 3,
    BRI_TASK_KILLED = 4,
    BRI_TASK_TAG = 15 /* mask; the worker's number stands above it */
};

typedef struct bri_task_slot {
    _Atomic uint32_t state;
    _Atomic uint32_t next;      /* of the finished tasks; number of a slot + 1, 0 is the end */
    uint32_t n;                 /* calls in the task */
    _Atomic uint32_t asked;     /* 1: to stop; the task may look */
    uint64_t function;          /* block with the function's reference */
    _Atomic uint64_t arguments; /* block, or 0: inline. The parent frees it */
    _Atomic uint64_t result;    /* block, or 0: inline. Made by the worker, freed by the parent */
    uint64_t size;              /* bytes of the arguments; once DONE, of the result */
    uint16_t attempt;           /* 1 is the first */
    uint8_t style;              /* a bri_task_style */
    uint8_t level;              /* of priority, up to BRI_TASK_LEVELS - 1; 1 is normal */
    uint32_t soft_ms;           /* the task's soft deadline, from its start; 0: none */
    _Atomic int64_t started;    /* when a worker began it; written by that when it is not -1 */
    unsigned char bytes[BRI_SLOT_INLINE];
} bri_task_slot;

/* A reference to a function, in a block of the arena; its offset stands for the function in slots.
 */
typedef struct bri_function_record {
    uint64_t next; /* block */
    uint64_t size;
    unsigned char bytes[]; /* pickle of the reference */
} bri_function_record;

/* What a worker says of itself, in a line of its own. */
typedef struct bri_worker_record {
    _Atomic uint32_t worker; /* whose record it is */
    _Atomic uint32_t phase;  /* a bri_worker_phase, written by the worker */
    _Atomic uint64_t tasks;  /* finished by it */
    _Atomic uint32_t leave;  /* by the parent: it shall end when it has nothing in hand */
    uint32_t reserved;
    _Atomic int64_t busy;  /* nanoseconds that it was not idle, up to `since` */
    _Atomic int64_t since; /* when it became idle, or ceased to be */
    unsigned char pad[24];
} bri_worker_record;

typedef enum bri_worker_phase {
    BRI_WORKER_STARTING = 0, /* before its initializer has succeeded */
    BRI_WORKER_IDLE,
    BRI_WORKER_BUSY,
    BRI_WORKER_LEAVING, /* ends by itself: it was told to, or has run its number of tasks */
    BRI_WORKER_FAILED,  /* its initializer failed */
    BRI_WORKER_RESTING  /* ends by itself: nothing was to do for long */
} bri_worker_phase;

/* When a worker ends by itself, to be replaced; all zero: never. */
typedef struct bri_worker_limits {
    uint64_t tasks;    /* run */
    uint64_t growth;   /* bytes of its own memory, since it was ready */
    int64_t age;       /* ns */
    int64_t idle;      /* ns without a task */
    uint64_t memory;   /* bytes that it may have at all: the system refuses more */
    uint64_t is_bound; /* each stays on one CPU */
} bri_worker_limits;

typedef struct bri_task_ring {
    _Atomic uint64_t tail; /* the parent's; entries ever put into the ring */
    unsigned char pad0[56];
    _Atomic uint64_t head; /* entries before it are passed; only grows */
    unsigned char pad1[56];
} bri_task_ring;

/* In the arena, at a multiple of 64. Each group of words that one side writes has its own line. */
typedef struct bri_task_table {
    uint32_t n_slots, n_ring, n_workers; /* fixed; n_ring is a power of two */
    uint32_t slots_at, ring_at;          /* distances from the table's start */
    _Atomic uint32_t levels;    /* the parent's: bit n: tasks of level n were put, once or more */
    _Atomic uint64_t functions; /* the parent's: the first of a list of bri_function_record */
    unsigned char pad0[32];
    bri_worker_limits limits; /* fixed */
    unsigned char pad1[16];

    bri_task_ring rings[BRI_TASK_LEVELS];
    /* What idle workers sleep on: grows by 2 with each call; bit 0: somebody may be asleep. */
    _Atomic uint32_t bell;
    _Atomic uint32_t ending;   /* 1: workers shall end */
    _Atomic uint32_t paused;   /* 1: they shall begin no task */
    _Atomic uint32_t returned; /* the parent's: results with handles that it gave up unread */
    unsigned char pad3[48];
    _Atomic uint64_t done; /* finished tasks: their number << 32 | slot number + 1 of the last */
    unsigned char pad4[56];
    /* What the parent sleeps on, as `bell`; it wants to be woken at that many finished tasks. */
    _Atomic uint32_t done_bell;
    _Atomic uint32_t done_wanted;
    unsigned char pad5[56];

    bri_worker_record workers[]; /* then the ring, uint32_t slot numbers; then the slots */
} bri_task_table;

/* `n_workers` is the most that there will ever be at a time. */
size_t bri_tasks_size(uint32_t n_workers);
/* `table` is zeroed memory of that size. */
void bri_tasks_init(bri_task_table *table, uint32_t n_workers);

bri_task_slot *bri_tasks_slot(bri_task_table *table, uint32_t index);

/* The chain by which a task's arguments and results hold the arena's objects that they name
 * (bri_shared_hold). Whose the slot is uses it; the parent lets all go with the slot. */
_Atomic uint64_t *bri_tasks_holds(bri_task_table *table, uint32_t index);
/* Which handles a worker lends with the result in this slot: the loan, and above it the worker's
 * number; 0: none. The worker writes it before it finishes, the parent writes 0 when nobody will
 * read the result any more, or everything was fetched. A worker whose loan stands there no longer
 * ends it: between two tasks, or when a change of `returned` wakes it. */
_Atomic uint64_t *bri_tasks_lent(bri_task_table *table, uint32_t index);

static inline uint32_t bri_task_state(uint32_t tag, bri_worker_number worker)
{
    return worker << 4 | tag;
}

/* ---- workers ---- */

/* Takes a task: it is the worker's from now on. False when none is ready. */
bool bri_tasks_take(bri_task_table *table, bri_worker_number worker, uint32_t *index);

/* Whether a task may be ready. A worker that was woken and has taken one calls for another worker
 * then (bri_tasks_ring): two calls that come close together may wake one worker only. */
bool bri_tasks_has_ready(bri_task_table *table);

/* The result stands in the slot: hands it to the parent and wakes that if it wants to be. False:
 * the task was taken away, and the worker has to end. */
bool bri_tasks_finish(bri_task_table *table, bri_worker_number worker, uint32_t index);

/* Sleeps until there may be a task or the end, for everybody or for this worker, or `returned` is
 * not what the worker saw; may return without reason. `parking` is begun when the worker becomes
 * idle. */
bri_park_end bri_tasks_wait_ready(bri_task_table *table, const bri_worker_record *record,
                                  uint32_t returned, bri_parking *parking);

/* ---- the parent: one thread at a time, except bri_tasks_ring, _nudge and _end ---- */

/* Makes a FREE slot whose arguments stand in it READY, in the ring of its level. False: the ring
 * has no room now. */
bool bri_tasks_put(bri_task_table *table, uint32_t index);
/* Wakes workers for `n` tasks that were put; INT32_MAX: all of them, to look at what they are told.
 */
void bri_tasks_ring(bri_task_table *table, uint32_t n);
/* Takes the loan out of a slot. `is_read`: its handles were fetched; else the worker that has them
 * is woken to let them go. */
void bri_tasks_return_lent(bri_task_table *table, uint32_t index, bool is_read);
/* Takes a READY task back; it is FREE then. False: a worker has it or had it. */
bool bri_tasks_withdraw(bri_task_table *table, uint32_t index);

/* Takes a RUNNING task away from its worker, which is to be killed then: gives which it is. False:
 * no worker runs it. */
bool bri_tasks_take_away(bri_task_table *table, uint32_t index, bri_worker_number *worker);

/* Takes the finished tasks off the stack, in the order of their ends: fills up to n_slots indices,
 * gives their number. They are FREE then, their results still in them. BROOD_EBROKEN when a worker
 * has damaged the table. */
brood_status bri_tasks_collect(bri_task_table *table, uint32_t *indices, uint32_t *n);

/* What a dead worker left in a slot, which is FREE then: to be asked for every slot, after
 * bri_tasks_collect, the process being gone for sure. */
typedef enum bri_left { BRI_LEFT_NOTHING, BRI_LEFT_LOST, BRI_LEFT_RESULT } bri_left;
bri_left bri_tasks_take_left(bri_task_table *table, bri_worker_number worker, uint32_t index);

/* Begins to wait for finished tasks: gives what bri_tasks_wait_done wants to know. Everything that
 * the caller looks at to decide whether to sleep has to be looked at after it. `wanted`: finished
 * tasks that are worth waking for; idle workers wake for fewer. */
uint32_t bri_tasks_announce_wait(bri_task_table *table, uint32_t wanted);
/* Sleeps until so many are finished, a death in the tree, a nudge, or the parking's end; may return
 * without reason. */
bri_park_end bri_tasks_wait_done(bri_task_table *table, bri_parking *parking, uint32_t announced);
/* Ends that sleep; any thread. */
void bri_tasks_nudge(bri_task_table *table);
/* Tells all workers to end as soon as they have nothing to do. */
void bri_tasks_end(bri_task_table *table);

#endif /* BRI_TASK_TABLE_H */
