/*
 * ipc/latch.h - a lock in one word of the arena that survives its owner.
 *
 * Not recursive. The word is 0 when free, else the owner (a process; which of its threads is its
 * own matter), with BRI_LATCH_WAITED when somebody may sleep. A dead owner is replaced in the same
 * step that takes the latch, so exactly one process is told.
 */
#ifndef BRI_LATCH_H
#define BRI_LATCH_H

#include "ipc/park.h"

#define BRI_LATCH_WAITED (UINT32_C(1) << 31)

typedef _Atomic uint32_t bri_latch;

/* The slow ways of bri_latch_lock and bri_latch_unlock. */
void bri_latch_wake(bri_latch *latch);
brood_status bri_latch_wait(bri_latch *latch, bri_spin_place *place, bri_deadline deadline);

/* Takes the latch if its owner is dead, or it has become free: BROOD_EOWNERDIED, BROOD_OK; else
 * BROOD_ETIMEDOUT at once. */
brood_status bri_latch_try_dead(bri_latch *latch);

/* Takes the latch if it is free. */
static inline bool bri_latch_try(bri_latch *latch, bri_owner me)
{
    uint32_t free = 0;
    return atomic_compare_exchange_strong_explicit(latch, &free, me, memory_order_acquire,
                                                   memory_order_relaxed);
}

/* BROOD_OK and BROOD_EOWNERDIED: taken; the second: the last owner died in it. BROOD_ETIMEDOUT. No
 * message is set. */
static inline brood_status bri_latch_lock(bri_latch *latch, bri_owner me, bri_spin_place *place,
                                          bri_deadline deadline)
{
    return bri_latch_try(latch, me) ? BROOD_OK : bri_latch_wait(latch, place, deadline);
}

/* Frees it, whoever has taken it; false when it was free. */
static inline bool bri_latch_unlock(bri_latch *latch)
{
    uint32_t was = atomic_exchange(latch, 0);
    if ((was & BRI_LATCH_WAITED) != 0)
        bri_latch_wake(latch);
    return was != 0;
}

#endif /* BRI_LATCH_H */
