/*
 * ipc/listener_state.h - what a listener is made of, for the files that implement it.
 */
#ifndef BRI_LISTENER_STATE_H
#define BRI_LISTENER_STATE_H

#include <brood/listener.h>

#include <stdatomic.h>

#include "base/error.h"
#include "ipc/connection.h"
#include "ipc/handshake.h"
#include "platform/local.h"
#include "platform/lock.h"

enum { BRI_LAST_TEXT = 64, BRI_SERVER_KEY = 0 };

/* A client: first on the list of those that prove the key, then on that of what is finished. */
typedef struct bri_arrival {
    struct bri_arrival *previous, *next;
    uint64_t key; /* in the poller: its slot, and which user of the slot it is */
    bri_handshake handshake;
    bri_deadline deadline;
    char from[BRI_LAST_TEXT];
    brood_connection *connection; /* finished: with this, or with the failure */
    bri_saved_error *failure;
} bri_arrival;

typedef struct bri_arrival_list {
    bri_arrival *first, *last;
} bri_arrival_list;

struct brood_listener {
    bri_open_thing thing;
    atomic_bool is_shut;
    char *address;
    unsigned char *key_bytes;
    bri_auth_key key;
    brood_ms auth_timeout;
    uint64_t max_message;
    bool same_user;
    size_t max_pending;
    brp_server *server;
    brp_poller *poller;

    brp_mutex *lock;
    brp_condition *changed;
    bool is_driven;            /* by a thread */
    bri_arrival_list finished; /* in the order in which they became so */
    char last[BRI_LAST_TEXT];  /* where the last one came from */

    /* of the thread that drives */
    bri_arrival_list pending; /* in the order of their deadlines */
    bri_arrival **slots;
    uint32_t *uses; /* how often each slot was used */
    size_t n_pending;
    bool has_server; /* it is in the poller */
};

/* ---- listener_clients.c: for the thread that drives ---- */

/* The pending client of this key; NULL when it has gone since. */
bri_arrival *bri_arrival_find(const brood_listener *listener, uint64_t key);

/* Takes a pending client as far as its bytes go. */
void bri_arrival_go_on(brood_listener *listener, bri_arrival *one);

/* Takes the clients that wait. With no slot or no handle left, the one that has taken longest makes
 * room. */
brood_status bri_arrivals_take(brood_listener *listener);

/* Those whose time is up have a last chance with what has arrived. */
void bri_arrivals_drop_late(brood_listener *listener);

/* Takes the first one off a list; NULL when there is none. */
bri_arrival *bri_arrivals_shift(bri_arrival_list *list);

void bri_arrival_free(bri_arrival *one);
void bri_arrival_drop(brood_listener *listener, bri_arrival *one);

#endif /* BRI_LISTENER_STATE_H */
