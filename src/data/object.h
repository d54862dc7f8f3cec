/*
 * data/object.h - values that stand for something living: a lock, a queue, a connection, a proxy.
 *
 * data knows only this table. In a pickle an object is the call  brood.<name>(*arguments)  written
 * as STACK_GLOBAL "brood" "<name>", the tuple that `reduce` gives, REDUCE; reading hands the tuple
 * to the `rebuild` of the class of that name. Python never sees these unless a class says how it is
 * pickled for foreign peers.
 */
#ifndef BRI_OBJECT_H
#define BRI_OBJECT_H

#include <brood/value.h>

typedef struct bri_object_class bri_object_class;
struct bri_buffer;

/* What is known while a message is written or read, handed through to the classes; NULL at places
 * (a file, a foreign peer) where objects cannot travel: they fail with BROOD_ENOTSUP then. core and
 * ipc fill it (handles that go along). */
typedef struct bri_transfer bri_transfer;

struct bri_object_class {
    const char *name; /* "Lock"; unique, also the name in pickles and in error messages */
    brood_status (*retain)(void *object);
    void (*release)(void *object);
    brood_status (*reduce)(void *object, bri_transfer *transfer,
                           brood_value *arguments); /* a tuple */
    /* `arguments` comes from outside: check everything. The reference it gives passes to the
     * caller. */
    brood_status (*rebuild)(const brood_value *arguments, bri_transfer *transfer, void **object);
    /* How the object is written for peers that know Python's classes only: appends instructions
     * that push exactly it and leave the memo alone. `context` is that of the pickle's options.
     * NULL: it cannot go there. */
    brood_status (*write_foreign)(void *object, void *context, struct bri_buffer *out);
};

/* An object value: retains `object` (the caller keeps its own reference). Invalid value on failure,
 * and for NULL. */
brood_value bri_object_value(const bri_object_class *type, void *object);

/* The same, but the caller's reference passes to the value, also on failure. */
brood_value bri_object_adopt(const bri_object_class *type, void *object);

/* Borrows the object of a value if it is of that class, else fails with BROOD_ETYPE saying what it
 * is. */
brood_status bri_object_get(const brood_value *value, const bri_object_class *type, void **object);

/* BROOD_OK for a value and for none at all (zero-initialised); the maker's status for one whose
 * making failed. For arguments that may be left out. */
brood_status bri_value_check(const brood_value *value);

/* Finds a class by its name in pickles; set once by core before the first read, NULL result means
 * unknown. */
typedef const bri_object_class *(*bri_object_finder)(const char *name);

#endif /* BRI_OBJECT_H */
