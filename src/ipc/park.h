/*
 * ipc/park.h - sleeping on a word of the arena, so that a death is noticed.
 *
 * The word and the sleeper are published in a table of the arena: a sweep wakes everybody at once
 * (deaths are rare). Besides, nobody sleeps long in one go, at first 25 ms, later half a second:
 * after that the waiter looks whether its peers live, so no waiter depends on a supervisor.
 *
 *     bri_parking parking = bri_parking_until(deadline);
 *     for (;;) {
 *         bri_parking_look(&parking);
 *         uint32_t seen = atomic_load(word);
 *         if (nothing to wait for: it is free, or its owner is dead) break;
 *         announce in the word that somebody waits, or beside it and look again;
 *         if (bri_park(&parking, word, seen) == BRI_PARK_TIMED_OUT) return BROOD_ETIMEDOUT;
 *     }
 */
#ifndef BRI_PARK_H
#define BRI_PARK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ipc/proctable.h"

typedef struct bri_parking {
    bri_deadline deadline;
    int64_t slice;
    uint32_t deaths; /* declared before the waiter looked */
} bri_parking;

typedef enum bri_park_end {
    BRI_PARK_WOKEN,    /* woken, or the word has changed, or for no reason */
    BRI_PARK_SLICE,    /* slept for a slice: time to look whether the peers live */
    BRI_PARK_TIMED_OUT /* the deadline has passed */
} bri_park_end;

/* Begins to wait. */
bri_parking bri_parking_until(bri_deadline deadline);

/* Before each look at the word, so that no death between the look and the sleep is missed. */
static inline void bri_parking_look(bri_parking *parking)
{
    parking->deaths = bri_proctable_deaths();
}

/* Sleeps while *word == expected and no death is declared. */
bri_park_end bri_park(bri_parking *parking, _Atomic uint32_t *word, uint32_t expected);

/* Wakes up to `n` sleepers of the word (INT32_MAX: all). A system call: only when somebody has
 * announced himself. */
void bri_unpark(_Atomic uint32_t *word, int n);

/* Wakes everybody that is parked in the tree. */
void bri_unpark_everybody(bri_arena *arena);

/* This process wants its doorbell (ipc/layout.h) rung whenever the sleepers of the word are woken,
 * until unpublish. NULL when the table is full; unpublish ignores it. As a sleeper, it then
 * announces itself in the word and looks again. */
_Atomic uint64_t *bri_watch_publish(_Atomic uint32_t *word);
void bri_watch_unpublish(_Atomic uint64_t *entry);

/* The process is dead and its sleepers with it. */
void bri_park_sweep(bri_arena *arena, bri_owner dead);

/*
 * Spinning before sleeping pays only while the peer runs on another CPU, so each waiting place of a
 * process learns from its own luck: a place that is unlucky spins less and less, and tries now and
 * then. `place` is zero at first.
 *
 *     bri_spin spin = bri_spin_begin(&place);
 *     while (!ready && bri_spin_next(&spin)) look again;
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
