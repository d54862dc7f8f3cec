/*
 * sync/locks.h - what a condition needs of the lock that goes with it.
 */
#ifndef BRI_LOCKS_H
#define BRI_LOCKS_H

#include <brood/lock.h>
#include <brood/rlock.h>

#include "ipc/latch.h"

/* Its word; NULL for NULL, and when a fork could not take it over. */
bri_latch *bri_lock_latch(brood_lock *lock);
bri_latch *bri_rlock_latch(brood_rlock *rlock);

/* Whether this process has it; this thread. */
bool bri_lock_is_mine(brood_lock *lock);
bool bri_rlock_is_mine(brood_rlock *rlock);

/* Gives it back however often this thread has acquired it, and tells how often; takes it, which it
 * has not, so often. Only the thread that has it may call the first; acquire waits for ever:
 * BROOD_OK, BROOD_EOWNERDIED. */
uint32_t bri_rlock_release_all(brood_rlock *rlock);
brood_status bri_rlock_acquire_all(brood_rlock *rlock, uint32_t times);

/* The latch was taken by other means: now this thread has it once. */
void bri_rlock_taken(brood_rlock *rlock, uint32_t times);

#endif /* BRI_LOCKS_H */
