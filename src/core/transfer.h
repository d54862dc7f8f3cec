/*
 * core/transfer.h - the handles that travel along with a pickle: collected while writing, taken
 * while reading.
 */
#ifndef BRI_TRANSFER_H
#define BRI_TRANSFER_H

#include "data/object.h"
#include "platform/handle.h"

/* Where the pickle goes: classes may refuse (a connection cannot go through a queue). */
typedef enum bri_transfer_way {
    BRI_TRANSFER_START, /* into a child's start block: handles are listed for the spawn */
    BRI_TRANSFER_TREE, /* to a process of the tree through the arena or a connection: no connections
                        */
    BRI_TRANSFER_TASK  /* the same, as arguments or result of a task: connections too */
} bri_transfer_way;

enum { BRI_TRANSFER_MAX = 64 };

struct bri_transfer {
    bri_transfer_way way;
    /* Writing: what is lent can be borrowed again and again, by each attempt of a task; else it is
     * lent to the first who borrows it. Either way the end of its loan ends that. */
    bool keeps;
    uint64_t loan; /* writing: 0, or which loan it is: made with the first thing lent */
    /* Writing: is told of each object of the arena that the message refers to; NULL: nobody. */
    brood_status (*refers)(struct bri_transfer *transfer, void *object);
    void *context; /* of `refers` */
    size_t n;
    brp_handle handles[BRI_TRANSFER_MAX]; /* writing: borrowed from the objects; reading: owned
                                             until taken */
};

/* Writing: adds a handle and gives its number. BROOD_ENOTSUP when handles cannot go this way,
 * BROOD_ELIMIT. */
brood_status bri_transfer_add(struct bri_transfer *transfer, brp_handle handle, int64_t *number);
/* Reading: takes a handle over, once. BROOD_EFORMAT for a number that is none. */
brood_status bri_transfer_take(struct bri_transfer *transfer, int64_t number, brp_handle *handle);
/* Reading: closes what nobody took. */
void bri_transfer_close_rest(struct bri_transfer *transfer);

/* ---- handles in messages that have none beside them ---- */

/* What is lent: `object` keeps the handle open, until `release`. */
typedef struct bri_lent {
    brp_handle handle;
    bool is_socket;
    void *object;
    void (*release)(void *object);
} bri_lent;

/* The layer that has the means to lend makes them known when it starts. */
typedef struct bri_lender {
    brood_status (*lend)(struct bri_transfer *transfer, const bri_lent *what, brood_value *ticket);
    brood_status (*borrow)(const brood_value *ticket, bool is_socket, brp_handle *handle);
} bri_lender;
void bri_lender_set(const bri_lender *lender);

/* Writing: gives a value that stands for the handle in the message. `what->object` is moved in.
 * Reading: gets a duplicate from the process that has written the ticket, which must live. */
brood_status bri_transfer_lend(struct bri_transfer *transfer, const bri_lent *what,
                               brood_value *ticket);
brood_status bri_transfer_borrow(const brood_value *ticket, bool is_socket, brp_handle *handle);

/* ---- classes ---- */

/* Classes of objects that can be in pickles, by name (a constant table; each layer's class adds
 * itself when its runtime part starts). */
brood_status bri_class_add(const bri_object_class *type);
const bri_object_class *bri_class_find(const char *name);

#endif /* BRI_TRANSFER_H */
