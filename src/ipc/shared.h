/*
 * ipc/shared.h - objects that live in the arena: locks, queues, and all that come.
 *
 * An object's reference is its offset and generation: two numbers that can be sent to any process
 * of the tree. A process attaches it once, however many handles it makes: one holder record in the
 * arena, which is swept when the process dies, and one local struct with a local count. The object
 * ends with its last holder.
 *
 * A reference in flight holds nothing: the sender has to keep the object until the receiver has it
 * (a process's arguments are kept by the process object until the child has said hello). Attaching
 * one that has ended is BROOD_ECLOSED.
 */
#ifndef BRI_SHARED_H
#define BRI_SHARED_H

#include "data/object.h"
#include "ipc/arena.h"

typedef struct bri_shared bri_shared;
typedef struct bri_shared_class bri_shared_class;

/* This process's share in an object; swept when it dies. In the arena. */
typedef struct bri_holder bri_holder;

struct bri_shared_class {
    bri_object_class type; /* name as in pickles; the functions are bri_shared_... below, or NULL */
    uint32_t kind;         /* its number in the arena, 1..; unique */
    size_t local_size;     /* of the local struct, which begins with a bri_shared */
    /* Any may be NULL. The local side of a new attachment, and its end. */
    brood_status (*open)(bri_shared *object);
    void (*close)(bri_shared *object);
    /* Frees what the body owns in the arena, not the body. Whoever does it may be killed, then
     * another process begins again: unlink first, then free. */
    void (*destroy)(bri_arena *arena, void *body);
    /* A holder died: gives back what it had (`holder` tells). May be called twice. */
    void (*holder_died)(bri_arena *arena, void *body, bri_owner dead, bri_holder *holder);
};

/* The local struct of an object, the same for all handles in this process. */
struct bri_shared {
    const bri_shared_class *type;
    void *body; /* in the arena, at a multiple of 64; NULL when a fork could not take it over */
    bri_holder *holder;
    uint64_t offset;
    uint64_t generation;
    uint32_t uses; /* handles and values of this process; under the table's lock */
    bri_shared *next;
};

/* Units of a semaphore and the like that this process holds. */
_Atomic uint32_t *bri_holder_held(bri_holder *holder);

/* Makes the class known by name and number; when its layer starts. */
brood_status bri_shared_class_add(const bri_shared_class *type);

/* Makes an object with a zeroed body of `size` bytes; `fill` (may be NULL) completes it before
 * anybody else can see it; when it fails nothing is left. `what` is for "could not <what>". */
brood_status bri_shared_create(const bri_shared_class *type, size_t size, const char *what,
                               brood_status (*fill)(bri_arena *arena, void *body,
                                                    const void *context),
                               const void *context, bri_shared **object);

/* One handle more, one less. NULL is ignored by release. */
brood_status bri_shared_retain(void *object);
void bri_shared_release(void *object);

/* By reference. BROOD_ECLOSED when it has ended, BROOD_EFORMAT when it never was one of `type`. */
brood_status bri_shared_attach(const bri_shared_class *type, uint64_t offset, uint64_t generation,
                               bri_shared **object);

/* The value of an object, and the object in a value (borrowed): for the public pairs
 * brood_lock_value and brood_get_lock. */
brood_value bri_shared_value(bri_shared *object);
brood_status bri_shared_get(const bri_shared_class *type, const brood_value *value,
                            bri_shared **object);

/* For bri_object_class: the reference as a tuple; rebuild is the class's own call of
 * bri_shared_rebuild. */
brood_status bri_shared_reduce(void *object, bri_transfer *transfer, brood_value *arguments);
brood_status bri_shared_rebuild(const bri_shared_class *type, const brood_value *arguments,
                                bri_transfer *transfer, void **object);

/* BROOD_ECLOSED for an object that a fork could not take over: "could not <what>: ...". */
brood_status bri_shared_check(const bri_shared *object, const char *what);

#endif /* BRI_SHARED_H */
