/*
 * pool/future.h - what a future is made of, and how a pool or an engine ends it.
 *
 * All futures of a process share one lock and one condition (the hub), so that one call can wait
 * for futures of several pools, and a future outlives its pool. Nothing is done under that lock but
 * to set a few members.
 */
#ifndef BRI_FUTURE_H
#define BRI_FUTURE_H

#include <stdatomic.h>

#include <brood/future.h>

#include "base/deadline.h"
#include "proc/call.h"

typedef struct bri_future_engine {
    /* May be called as long as the future has not ended. */
    brood_status (*cancel)(brood_future *future, brood_cancel_how how, brood_cancel_answer *answer);
    bool (*is_running)(brood_future *future);
    /* BROOD_ESTATE when it would be for ever: the calling thread is the one that would end it. */
    brood_status (*may_wait)(brood_future *future);
    /* Does what only a thread of the program may do, every now and then while one waits for the
     * future. NULL: nothing. */
    void (*attend)(brood_future *future);
} bri_future_engine;

/* Called once, under the hub's lock, when the future ends: short, and takes no lock. */
typedef struct bri_future_watch {
    void (*ended)(struct bri_future_watch *watch, brood_future *future);
    struct bri_future_watch *next;
} bri_future_watch;

typedef struct bri_future_told {
    brood_future_callback callback;
    void *context;
    struct bri_future_told *next;
} bri_future_told;

struct brood_future {
    atomic_int references;
    atomic_bool is_done; /* set under the hub's lock, after all that follows */
    bool is_taken;       /* under the hub's lock, as is_shown */
    /* Set before the end when a callback is to be shown the value: until bri_future_shown it stays
     * where it is, and who takes it gets a copy. */
    bool is_shown;
    brood_status status;
    brood_value value;
    bri_outcome outcome; /* of ETASK and EWORKERDIED */
    int exitcode;
    char *message; /* of EBROKEN and the like; may be NULL */

    const bri_future_engine *engine;
    void *work; /* the engine's */
    bri_future_watch *watches;
    bri_future_told *callbacks;
};

brood_status bri_future_make(const bri_future_engine *engine, void *work, brood_future **future);
void bri_future_retain(brood_future *future);

/* Ends a future, whose value or outcome is set: wakes who waits for it. The callbacks are not yet
 * called; see bri_future_tell. */
void bri_future_settle(brood_future *future, brood_status status);
/* The callback has seen the value. */
void bri_future_shown(brood_future *future);
/* Calls the callbacks, once; not under any lock. */
void bri_future_tell(brood_future *future);

/* The hub, for iterators of results. */
void bri_hub_lock(void);
void bri_hub_unlock(void);
/* Sleeps, the lock given back meanwhile. */
brood_status bri_hub_wait(bri_deadline deadline);
/* Wakes all who sleep there; under the lock. */
void bri_hub_wake(void);

/* Makes the hub; called when the layer starts. */
brood_status bri_hub_start(void);
/* Called by whoever makes futures, before the first: from then on a forked child gets a new one. */
brood_status bri_hub_use(void);

#endif /* BRI_FUTURE_H */
