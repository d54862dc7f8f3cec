/*
 * pool/pool.h - what a pool is made of, in the process that made it.
 *
 * Glossary: a *request* is one call of the user that wants results (a map); a *task* is what a
 * worker takes at once, a slot of the table with some of the request's items; a *seat* is a place
 * for a worker process; a *job* is what a thread of the pool's own, the *collector*, sees to.
 *
 * The two ways meet here: whoever is inside a blocking call on the pool does what is to be done,
 * for all. One of them at a time, the *leader*, sleeps on the table's bell; the others wait for the
 * leader to hand out what came. The collector, which runs from the first asynchronous task on, is
 * one of them, but it leads only while no caller does: so a map has no other thread between it and
 * the workers.
 */
#ifndef BRI_POOL_H
#define BRI_POOL_H

#include <brood/pool.h>

#include "core/runtime.h"
#include "core/thread.h"
#include "ipc/shared.h"
#include "pool/future.h"
#include "pool/payload.h"
#include "pool/supervisor.h"
#include "pool/table.h"

#define BRI_POOL_WORKER "brood.pool.worker"

enum { BRI_QUARANTINE = 3 /* workers that may die with a task */ };

typedef struct bri_job bri_job;

typedef struct bri_request {
    brood_status status;  /* BROOD_OK, or why it was ended before its time */
    uint32_t first, last; /* its inbox: tasks that have ended, slot numbers + 1 */
    uint32_t n_slots;     /* slots of the table that it has, in whatever state */
    size_t n_bytes;       /* of arguments in them */
    int64_t slice;        /* how long it slept at last: see ipc/park.h */
    struct bri_request *next;
} bri_request;

/* Why a worker was killed with a task. */
typedef enum bri_fate {
    BRI_FATE_NONE = 0, /* it was not: it died */
    BRI_FATE_DEADLINE,
    BRI_FATE_CANCELLED
} bri_fate;

/* The parent's side of a slot. */
typedef struct bri_task {
    bri_request *request; /* NULL: nobody waits for it any more */
    struct bri_job *job;  /* NULL: of a caller's own request */
    size_t item;          /* the first of its items */
    size_t n_bytes;
    uint64_t loan;     /* of the handles among its arguments: see lend.h */
    uint32_t next;     /* in an inbox, or among the delayed; slot number + 1 */
    bool lost;         /* its worker died with it */
    bool is_read;      /* its result was, to the end */
    bool is_delayed;   /* waits for its next attempt */
    bool has_limit;    /* a hard deadline */
    bri_fate fate;     /* lost: why */
    int exitcode;      /* and how */
    int64_t worker;    /* and which, by pid */
    int deaths;        /* workers that died with it */
    bri_deadline when; /* delayed: until then; running, with a limit: when that was first seen */
} bri_task;

typedef struct bri_seat {
    brood_pool *pool;
    brood_process *process; /* NULL: none, or it is being started */
    int64_t pid;
    bri_worker_number number; /* 0: none; a worker that is being started has one, and may work */
    atomic_bool ended;        /* the process has: set on the supervisor's thread */
    bri_fate fate;            /* why the pool has killed it */
    int64_t started;
} bri_seat;

typedef enum bri_pool_state {
    BRI_POOL_OPEN,
    BRI_POOL_CLOSED, /* no new requests */
    BRI_POOL_BROKEN, /* too many workers died in a row; ended like a terminated one */
    BRI_POOL_TERMINATED
} bri_pool_state;

typedef enum bri_leader { BRI_LEADER_NONE, BRI_LEADER_CALLER, BRI_LEADER_COLLECTOR } bri_leader;

typedef struct bri_job_list {
    bri_job *first, *last;
} bri_job_list;

/* The pool's thread and what it sees to. */
typedef struct bri_collector {
    bri_thread *thread;  /* NULL: not yet */
    brp_condition *wake; /* it sleeps here while a caller leads */
    bool is_asleep;      /* there */
    bool ends;
    bri_request request;                   /* of all its tasks */
    bri_job_list waiting[BRI_TASK_LEVELS]; /* jobs with tasks that are in no slot */
    bri_job *first;                        /* all that have not ended */
    bri_job *to_tell;                      /* ended by others: their callbacks are due */
    uint32_t delayed;                      /* tasks; slot number + 1 */
    uint32_t n_limited;                    /* tasks in slots with a hard deadline */
    bri_deadline limit_check;              /* when to look at those */
    size_t n_jobs;      /* that have not ended, or whose callbacks were not called */
    size_t n_cancelled; /* lists that were, and that it has not yet seen to */
} bri_collector;

typedef struct bri_function_known {
    brood_function function;
    uint64_t record; /* of the arena */
} bri_function_known;

/* Under `mutex` but for what never changes and the atomics. */
struct brood_pool {
    uint64_t id;
    bool inherited; /* by fork: of no use but to be freed */
    bri_shared *shared;
    bri_task_table *table;
    bri_arena *arena;
    brp_mutex *mutex;
    brp_condition *changed;
    bri_leader leader;
    int n_followers;
    int n_callers; /* requests of callers, which lead before the collector does */

    bri_pool_state state;
    bool is_ending; /* the workers were told to end */
    char broken[BRI_MESSAGE_SIZE];

    uint32_t *free_slots;
    uint32_t n_free;
    uint32_t *collected; /* room for all slots */
    bri_task *tasks;
    uint32_t n_slots;
    bri_request *requests;
    bri_collector collector;
    bool forks; /* its workers come by fork, which only threads of the program may do */
    brood_pool_stats stats;
    int64_t n_latencies;

    bri_seat *seats; /* room for all that the table has */
    uint32_t n_seats;
    uint32_t n_seats_ever;
    bri_worker_number last_worker;
    bri_supervisor supervisor;
    atomic_int n_ended; /* seats whose end was not attended to */

    bri_function_known *functions;
    size_t n_functions;

    brood_start_method method;
    brood_value initializer; /* a reference, or none */
    brood_value initargs;

    brood_pool *next; /* in the runtime's list */
};

/* The class of the shared part. */
extern const bri_shared_class bri_pool_class;

/* The layer's start, called by brood_init: the worker's function and the class. */
brood_status bri_pool_start(void);

/* BROOD_EINVALID, or BROOD_ESTATE for a pool that was inherited by fork: "could not <what>: ...".
 */
brood_status bri_pool_check(brood_pool *pool, const char *what);
/* Whether something new may begin; under the mutex. BROOD_ESTATE, BROOD_EBROKEN. */
brood_status bri_pool_check_open(const brood_pool *pool, const char *what);

/* ---- workers.c ---- */

/* Does what is to be done, under the mutex (which it may let go meanwhile): hands out results,
 * sees to workers that died, starts new ones. `*when`: when to come again at the latest. */
void bri_pool_attend(brood_pool *pool, bri_deadline *when);
/* The same by the collector, which may not fork. */
void bri_pool_attend_as_collector(brood_pool *pool, bri_deadline *when);
/* Kills the worker that runs this task, so that the task ends by it. False when none does any more.
 */
bool bri_pool_kill_task(brood_pool *pool, uint32_t index, bri_fate fate);
/* Kills that worker, and everything below it. */
void bri_pool_kill_worker(brood_pool *pool, bri_worker_number number, bri_fate fate);
/* Starts all workers. */
brood_status bri_pool_start_workers(brood_pool *pool);
/* Kills all workers; nothing is started any more. Under the mutex. */
void bri_pool_kill_workers(brood_pool *pool);
/* How many workers exist. Under the mutex. */
static inline uint32_t bri_pool_n_workers(const brood_pool *pool)
{
    return pool->supervisor.n_working;
}

/* ---- request.c; all under the mutex ---- */

/* Enters a request. BROOD_ESTATE for a closed pool, BROOD_ECANCELLED, BROOD_EBROKEN. */
brood_status bri_request_begin(brood_pool *pool, bri_request *request, const char *what);
/* Takes it out: tasks that no worker has are taken back, the others' results will be dropped. */
void bri_request_end(brood_pool *pool, bri_request *request);
/* Whether nothing is left to do: no request, no job. */
static inline bool bri_pool_is_idle(const brood_pool *pool)
{
    return pool->requests == NULL && pool->collector.n_jobs == 0;
}
/* Whether so many bytes are on their way with its `n_tasks` tasks that no more shall follow. */
bool bri_request_is_full(const brood_pool *pool, const bri_request *request, uint32_t n_tasks);
/* A free slot for a task of it; false when it has to wait for some to end. */
bool bri_request_take_slot(brood_pool *pool, bri_request *request, uint32_t *index);
/* Gives a slot back, with the blocks of the arena that hang on it. */
void bri_request_give_slot(brood_pool *pool, uint32_t index);
/* Takes the first of its tasks that have ended; false when there is none. */
bool bri_request_next_ended(brood_pool *pool, bri_request *request, uint32_t *index);
/* Ends all requests with this status. */
void bri_requests_fail(brood_pool *pool, brood_status status);
/* Hands the finished tasks out to the inboxes. */
void bri_pool_hand_out(brood_pool *pool);
/* The same for what a dead worker left. True when it had a task. */
bool bri_pool_hand_out_left(brood_pool *pool, const bri_seat *seat, int exitcode);
/* Sleeps until something may have happened: finished tasks (`wanted`, see table.h), a death, a
 * change by another thread, the deadline (BROOD_ETIMEDOUT). */
brood_status bri_pool_sleep(brood_pool *pool, int64_t *slice, uint32_t wanted,
                            bri_deadline deadline);
/* The same for the collector. */
void bri_pool_sleep_as_collector(brood_pool *pool, int64_t *slice, uint32_t wanted,
                                 bri_deadline deadline);
/* Wakes everybody who is in bri_pool_sleep. */
void bri_pool_wake(brood_pool *pool);
/* The record in the arena that stands for a function. */
brood_status bri_pool_function(brood_pool *pool, brood_function function, uint64_t *record);

/* ---- task.c: into a slot, and out of it ---- */

typedef struct bri_task_shape {
    uint64_t function; /* its record */
    bri_task_style style;
    uint8_t level;
    bool in_block; /* the arguments have to outlive the attempt */
    uint32_t soft_ms;
    bool is_timed; /* the worker says when it begins */
} bri_task_shape;

/* Puts a frame of `n` items, the first of them `item`, into a slot; its loan is the task's then.
 * BROOD_ENOMEM. */
brood_status bri_task_fill(brood_pool *pool, uint32_t index, bri_payload *frame,
                           const bri_task_shape *shape, size_t item, uint32_t n);

/* Who takes what came of the items. Values and outcomes are moved in. */
typedef struct bri_sink {
    void (*value)(const struct bri_sink *sink, size_t item, brood_value value);
    void (*failed)(const struct bri_sink *sink, size_t item, brood_status status,
                   bri_outcome *outcome, int exitcode);
    void *context;
} bri_sink;

/* Gives what a task brought, item by item. Not under the mutex: the slot is the caller's. */
void bri_task_read(brood_pool *pool, uint32_t index, const bri_sink *sink);
/* The item's failure is this thread's last error. */
void bri_item_failed_here(const bri_sink *sink, size_t item, brood_status status);
/* Whether its item has failed; of a task that may be tried again, which has one. */
bool bri_task_has_failed(brood_pool *pool, uint32_t index);

#endif /* BRI_POOL_H */
