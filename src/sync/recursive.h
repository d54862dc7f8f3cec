/*
 * sync/recursive.h - a latch of the arena, and which thread of its owner has it how often.
 *
 * Both are valid only while the latch is held by a living process: whoever takes it from a dead one
 * writes them anew, so nothing has to be repaired.
 */
#ifndef BRI_RECURSIVE_H
#define BRI_RECURSIVE_H

#include <brood/time.h>

#include "ipc/latch.h"

typedef struct bri_recursive {
    bri_latch latch;
    _Atomic uint32_t times;
    /* Owner << 32 | its thread: so the mark of a process that is gone is never a thread of this
     * one. 0: none. */
    _Atomic uint64_t thread;
} bri_recursive;

/* Whether this thread has it: only this thread can change that. */
bool bri_recursive_is_mine(bri_recursive *lock);

/* BROOD_OK and BROOD_EOWNERDIED: this thread has it once more, or anew; BROOD_ETIMEDOUT;
 * BROOD_ELIMIT. */
brood_status bri_recursive_acquire(bri_recursive *lock, bri_spin_place *place, brood_ms timeout);

/* False when it is not this thread's. */
bool bri_recursive_release(bri_recursive *lock);

/* The latch was just taken: this thread has it so often. And the other way: gives it back however
 * often it was acquired, and tells how often. */
void bri_recursive_taken(bri_recursive *lock, uint32_t times);
uint32_t bri_recursive_release_all(bri_recursive *lock);

#endif /* BRI_RECURSIVE_H */
