/*
 * manager/content.h - values as the contents of objects, and what they take of the server's memory.
 *
 * Every change of a value that an object has goes through here (what only reorders does not). It is
 * weighed (data/weight.h) before anything happens: what has no room is refused with a MemoryError,
 * and the value stays as it was. A server without limits weighs nothing.
 */
#ifndef BRI_MANAGER_CONTENT_H
#define BRI_MANAGER_CONTENT_H

#include "manager/server.h"

/* A value as an object's state. */
typedef struct bri_content {
    brood_value value;
} bri_content;

brood_status bri_content_create(brood_value value, void **state); /* the value is moved in */
void bri_content_destroy(void *state);
uint64_t bri_content_weigh(const void *state);
brood_value *bri_content_of(bri_managed *object);
brood_status bri_content_copy(bri_managed *object, brood_value *value);

/* ---- changes ---- */

/*
 * As brood_insert, brood_set_item, ... of `in`, which is in call->holder: its content or something
 * inside of it. Values that are put in are moved in, also on failure. Without a holder `in` is a
 * value that is being made, which counts when it is one's content.
 */
brood_status bri_in_insert(bri_invocation *call, brood_value *in, size_t index, brood_value item);
brood_status bri_in_set_item(bri_invocation *call, brood_value *in, size_t index, brood_value item);
brood_status bri_in_pop(bri_invocation *call, brood_value *in, size_t index, brood_value *item);
brood_status bri_in_dict_put(bri_invocation *call, brood_value *in, brood_value key,
                             brood_value item);
brood_status bri_in_set_add(bri_invocation *call, brood_value *in, brood_value item);

/* Puts all of another dict, which is moved in. */
brood_status bri_in_dict_update(bri_invocation *call, brood_value *in, brood_value other);

/* Takes a key out of a dict or set; `item` may be NULL. False: it is not there. */
bool bri_in_take(bri_invocation *call, brood_value *in, const brood_value *key, brood_value *item);

/* Takes the last key out that was put in, with its item if it is a dict's. False: there is none. */
bool bri_in_take_last(bri_invocation *call, brood_value *in, brood_value *key, brood_value *item);

/* Items from start to stop of a list give way to those of a list or tuple; invalid: none. */
brood_status bri_in_splice(bri_invocation *call, brood_value *in, size_t start, size_t stop,
                           brood_value items);

/* The items, a list, take the places start, start + step, ... which are there. */
brood_status bri_in_set_every(bri_invocation *call, brood_value *in, size_t start, int64_t step,
                              brood_value items);

/* `count` items, at start, start + step, ... which are there, leave the list. */
void bri_in_remove_every(bri_invocation *call, brood_value *in, size_t start, size_t step,
                         size_t count);

/* All of it gives way to another value. */
brood_status bri_in_replace(bri_invocation *call, brood_value *in, brood_value value);

/* ---- the account ---- */

/* What the value would take; 0 in a server without limits. */
uint64_t bri_weight_of(const bri_server *server, const brood_value *value);

/* MemoryError if call->holder has no room for `added` bytes when `removed` are gone. */
brood_status bri_check_room(bri_invocation *call, uint64_t added, uint64_t removed);

/* The object now has so much more and less. */
void bri_account(bri_managed *holder, uint64_t added, uint64_t removed);

/* Accounts for a new object, for the session's client. MemoryError, or BROOD_ELIMIT when the
 * clients of a host have too many. */
brood_status bri_account_for(bri_invocation *call, bri_managed *object);

/* From now on the object is nobody's. */
void bri_disown(bri_managed *object);

/* The object goes. */
void bri_unaccount(bri_managed *object);

/*
 * The objects that one client made, as long as it or one of them is there. Whose CPython's are over
 * TCP nothing tells: there all clients of a host have one.
 */
struct bri_purse {
    uint64_t bytes;
    size_t users;       /* objects, and the client */
    bri_server *server; /* whose list of hosts it is in; NULL: it is a client's */
    bri_purse *next;
    char host[48];
};

void bri_purse_leave(bri_purse *purse); /* NULL is ignored */

#endif /* BRI_MANAGER_CONTENT_H */
