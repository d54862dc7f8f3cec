/*
 * manager/types_sync.h - the lock of a session, which RLock and Condition share.
 */
#ifndef BRI_MANAGER_TYPES_SYNC_H
#define BRI_MANAGER_TYPES_SYNC_H

#include "manager/sequence.h"

/* Zero-initialised is free. Those in its line bring the depth to be taken in `number`. */
typedef struct bri_rlock {
    bri_session *owner; /* NULL: free */
    int64_t depth;
    bri_line line;
    bool (*gives)(const bri_waiter *waiter); /* the answer for who gets it; NULL: always true */
} bri_rlock;

/* As methods. */
brood_status bri_rlock_acquire(bri_invocation *call, bri_rlock *lock);
brood_status bri_rlock_release(bri_invocation *call, bri_rlock *lock);

/* The owner gives up all levels, and how many they were. */
int64_t bri_rlock_leave(bri_managed *object, bri_rlock *lock);

/* A parked call now waits for the lock: it may get it at once. */
void bri_rlock_want(bri_waiter *waiter, bri_rlock *lock);

/* The session has ended: the next one gets what it had. */
void bri_rlock_session_gone(bri_managed *object, bri_rlock *lock, const bri_session *session);

#endif /* BRI_MANAGER_TYPES_SYNC_H */
