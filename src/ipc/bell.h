/*
 * ipc/bell.h - a word on which processes wait until somebody has changed something.
 *
 * Bit 0 says that somebody may sleep, the rest counts the rings. Who waits listens first (sets the
 * bit) and then looks again; who changes something rings afterwards, which costs one load while the
 * bit is clear. A ring clears the bit and wakes, so a sleeper is woken once. Nobody knows how many
 * sleep: so whoever comes back from a sleep, for whatever reason, sets the bit again, and if he
 * leaves something for others to do he rings for the next.
 */
#ifndef BRI_BELL_H
#define BRI_BELL_H

#include "ipc/park.h"

#define BRI_BELL_WAITED UINT32_C(1)

typedef _Atomic uint32_t bri_bell;

/* The slow way of bri_bell_ring. */
void bri_bell_wake(bri_bell *bell, int n);

/* Wakes up to `n` of those that wait. After the change, with a full barrier in between: taking or
 * freeing a latch is one. */
static inline void bri_bell_ring(bri_bell *bell, int n)
{
    if ((atomic_load(bell) & BRI_BELL_WAITED) != 0)
        bri_bell_wake(bell, n);
}

/* Announces a waiter. The result is for bri_bell_wait, after looking again. */
uint32_t bri_bell_listen(bri_bell *bell);

/* Sleeps until the next ring. */
bri_park_end bri_bell_wait(bri_bell *bell, bri_parking *parking, uint32_t heard);

#endif /* BRI_BELL_H */
