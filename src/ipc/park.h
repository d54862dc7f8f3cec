/*
 * ipc/park.h - sleeping on a word of the arena, so that a death is noticed.
 *
 * The word and the sleeper are published in a table of the arena: a sweep wakes everybody at once
 * (deaths are rare). Besides, nobody sleeps longer than half a second in one go: after that the
 * processes are looked at (bri_proctable_look), so no waiter depends on a supervisor.
 *
 * How to wait, with `deaths` read first so that none is missed:
 *
 *     for (;;) {
 *         uint32_t deaths = bri_proctable_deaths();
 *         uint32_t seen = atomic_load(word);
 *         if (done with it: free, or its owner is dead) break;
 *         announce that somebody waits, in the word or beside it, and look again;
 *         if (bri_park(word, seen, deaths, deadline) != BROOD_OK) the time is up;
 *     }
 */
#ifndef BRI_PARK_H
#define BRI_PARK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/error.h"

/* Sleeps while *word == expected and no death is declared after `deaths`. BROOD_OK for every end
 * but the deadline's: BROOD_ETIMEDOUT (no message). May end without reason. */
brood_status bri_park(_Atomic uint32_t *word, uint32_t expected, uint32_t deaths,
                      bri_deadline deadline);

/* Wakes up to `n` sleepers of the word (INT32_MAX: all). A system call: only when somebody has
 * announced himself. */
void bri_unpark(_Atomic uint32_t *word, int n);

/* Wakes everybody that is parked in the tree. */
void bri_unpark_everybody(void);

/*
 * Spinning before sleeping: it pays only while the peer runs on another CPU, so each waiting place
 * of a process learns from its own luck. `spin` belongs to the place (zero at first):
 *
 *     for (bri_spin spin = bri_spin_begin(&place); bri_spin_next(&spin);) if (ready) break;
 *     bri_spin_end(&place, &spin, ready);
 */
typedef _Atomic uint32_t bri_spin_place;
typedef struct bri_spin {
    uint32_t left;
    uint32_t budget;
} bri_spin;
bri_spin bri_spin_begin(bri_spin_place *place);
bool bri_spin_next(bri_spin *spin);
void bri_spin_end(bri_spin_place *place, const bri_spin *spin, bool lucky);

#endif /* BRI_PARK_H */
