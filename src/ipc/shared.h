/*
 * ipc/shared.h - objects that live in the arena: locks, queues, and all that come.
 *
 * An object's reference is its offset and generation: two numbers that can be sent to any process
 * of the tree. A process attaches it once, however many handles it makes: one holder record in the
 * arena, which is swept when the process dies, and one local struct with a local count. The object
 * ends with its last holder.
 *
 * A reference in flight holds nothing: the sender has to keep the object until the receiver has it
 * (a process's arguments are kept by the process object until the child has said hello; those of a
 * pool's task, and its results, by the task: bri_shared_hold). Attaching one that has ended is
 * BROOD_ECLOSED.
 */
#ifndef BRI_SHARED_H
#define BRI_SHARED_H

#include "data/object.h"
#include "ipc/layout.h"

enum { BRI_LOOSE = 2 };

typedef enum bri_holder_state {
    BRI_HOLDER_FREE,
    BRI_HOLDER_HELD,
    BRI_HOLDER_ENDING /* the last holder of all: the object is being destroyed */
} bri_holder_state;

typedef struct bri_shared bri_shared;
typedef struct bri_shared_class bri_shared_class;

/* This process's share in an object: its holder record, in the arena. */
typedef struct bri_holder {
    _Atomic uint64_t next;   /* offset of the process's next record; fixed once it is linked */
    _Atomic uint64_t object; /* offset of the block; while the record is free: the next free one */
    _Atomic uint64_t generation;
    _Atomic uint32_t state; /* bri_holder_state */
    _Atomic uint32_t held;  /* the class's: units of a semaphore and the like */
    /* The class's: blocks that are not yet, or no more, reachable from the object. */
    _Atomic uint64_t loose[BRI_LOOSE];
} bri_holder;

struct bri_shared_class {
    bri_object_class type; /* its name, and the functions below; rebuild is the class's own */
    uint32_t kind;         /* its number in the arena, 1 to 31 */
    size_t local_size;     /* of the local struct, which begins with a bri_shared */
    /* A process that lets the object go while its record's `held` is not 0 stays a holder, without
     * a handle, until it ends, or has got the object again and has none when it lets it go. */
    bool keeps_debtors;
    /* Any may be NULL. The local side of a new attachment (also after fork, again), and its end. */
    brood_status (*open)(bri_shared *object);
    void (*close)(bri_shared *object);
    /* Frees what the body owns in the arena, not the body. Whoever does it may be killed, then
     * another process begins again: unlink first, then free. */
    void (*destroy)(bri_arena *arena, void *body);
    /* For brood_wait; NULL: it cannot be waited for. The word on which those sleep who wait for
     * it (bri_park), and whether it is ready; when not, a sleeper was announced there before the
     * last look. */
    _Atomic uint32_t *(*watched_word)(bri_shared *object);
    bool (*is_ready)(bri_shared *object);
    /* A holder died: gives back what it had. May be called again when it was done already.
     * BROOD_ETIMEDOUT: a living process, which is stopped or very slow, has a latch of the object
     * until the deadline; it is called again later. */
    brood_status (*holder_died)(bri_arena *arena, void *body, bri_owner dead, bri_holder *holder,
                                bri_deadline deadline);
};

/* The local struct of an object, the same for all handles in this process. */
struct bri_shared {
    const bri_shared_class *class;
    void *body; /* in the arena, at a multiple of 64; NULL when a fork could not take it over */
    bri_holder *holder;
    uint64_t offset; /* of the block: with the generation, the reference */
    uint64_t generation;
    uint32_t uses;  /* handles and values of this process; under the table's lock */
    bool passed;    /* it is among the arguments of the fork that is under way */
    bool inherited; /* from the parent of a fork, without having been passed */
    bri_shared *next;
};

/* What completes the zeroed body of a new object before anybody else can see it. When it fails, or
 * is cut off, `destroy` follows. */
typedef brood_status (*bri_shared_fill)(bri_arena *arena, void *body, const void *context);

/* Makes the class known by name and number; when its layer starts. */
brood_status bri_shared_class_add(const bri_shared_class *class);

/* Makes an object with a body of `size` bytes; when `fill` (may be NULL) fails nothing is left.
 * `what` is for "could not <what>". */
brood_status bri_shared_create(const bri_shared_class *class, size_t size, const char *what,
                               bri_shared_fill fill, const void *context, bri_shared **object);

/* By reference, which may come from outside. BROOD_ECLOSED when it has ended or never was. */
brood_status bri_shared_attach(const bri_shared_class *class, uint64_t offset, uint64_t generation,
                               bri_shared **object);

/* One handle more, one less; the last one ends this process's share. NULL is ignored by release. */
brood_status bri_shared_retain(void *object);
void bri_shared_release(void *object);

/* The value of an object, and the object in a value (borrowed): for the public pairs
 * brood_lock_value and brood_get_lock. */
brood_value bri_shared_value(void *object);
brood_status bri_shared_get(const bri_shared_class *class, const brood_value *value,
                            bri_shared **object);

/* For bri_object_class: the reference as a tuple, and back. */
brood_status bri_shared_reduce(void *object, bri_transfer *transfer, brood_value *arguments);
brood_status bri_shared_rebuild(const bri_shared_class *class, const brood_value *arguments,
                                bri_transfer *transfer, void **object);

/*
 * References that lie in the arena, in a message that may wait for long, hold their objects by a
 * chain: records of holders that belong to no process but to the message. `chain` is the word that
 * the message keeps for it, 0 at first; one process at a time uses it. bri_shared_hold adds an
 * object that the caller has; cut off, it has added it or not. bri_shared_drop_holds lets all go,
 * whoever made them; cut off, it is done again.
 */
brood_status bri_shared_hold(bri_arena *arena, _Atomic uint64_t *chain, const bri_shared *object);
void bri_shared_drop_holds(bri_arena *arena, _Atomic uint64_t *chain);

/* Held across a fork, so that the table is whole in the child. The child gives the lock back before
 * its hooks. Below it are only latches of the arena and the runtime's lock. */
void bri_shared_lock(void);
void bri_shared_unlock(void);

/* In the child of a fork, before its hooks: the value is, or is in, an argument of it. */
void bri_shared_pass(const brood_value *object);

/* BROOD_ECLOSED for an object that a fork could not take over, BROOD_EINVALID for NULL: "could not
 * <what>: ...". */
brood_status bri_shared_check(const void *object, const char *what);

/* A process is dead: gives back its shares. Under the process table's latch; may be cut off and
 * done again. False: not all of them, because of processes that are stopped in the middle of a
 * change; it has to be done again. */
bool bri_shared_sweep(bri_arena *arena, bri_owner dead, bri_deadline deadline);

/* Makes the table and adds the hook for forks. */
brood_status bri_shared_start(void);

#endif /* BRI_SHARED_H */
