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
    BRI_TRANSFER_TREE,  /* to a process of the tree through the arena or a connection: arena objects
                           only */
} bri_transfer_way;

enum { BRI_TRANSFER_MAX = 64 };

struct bri_transfer {
    bri_transfer_way way;
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

/* Classes of objects that can be in pickles, by name (a constant table; each layer's class adds
 * itself when its runtime part starts). */
brood_status bri_class_add(const bri_object_class *type);
const bri_object_class *bri_class_find(const char *name);

#endif /* BRI_TRANSFER_H */
