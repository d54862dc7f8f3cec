/*
 * sync/seats.h - who waits to be told something: a table in the arena of waiters, in the order in
 * which they came.
 *
 * A seat is one word, which its waiter sleeps on: 0 when it is free, the waiter's process while it
 * waits, with a mark when it was told. Every change is one step, so nothing has to be repaired when
 * somebody is killed. Taking a seat and telling are done under a latch; leaving is not.
 */
#ifndef BRI_SEATS_H
#define BRI_SEATS_H

#include "ipc/latch.h"

#define BRI_SEAT_TOLD (UINT32_C(1) << 31)

enum { BRI_FIRST_SEATS = 8 };

typedef struct bri_seat {
    _Atomic uint64_t ticket; /* counts those who came */
    _Atomic uint32_t word;
    uint32_t unused;
} bri_seat;

typedef struct bri_seats {
    bri_latch latch;
    uint32_t unused;
    _Atomic uint64_t last_ticket;
    _Atomic uint64_t more; /* offset of a block of more seats; 0: there is none */
    bri_seat first[BRI_FIRST_SEATS];
} bri_seats;

/* Takes a seat as this process. BROOD_ENOMEM. */
brood_status bri_seat_take(bri_arena *arena, bri_seats *seats, bri_seat **seat);

/* Whether its waiter was told. */
static inline bool bri_seat_is_told(const bri_seat *seat)
{
    return (atomic_load(&seat->word) & BRI_SEAT_TOLD) != 0;
}

/* Leaves if it was not told: true. */
bool bri_seat_give_up(bri_seat *seat);

/* Leaves: what it was told came to use. */
void bri_seat_leave(bri_seat *seat);

/* Tells and wakes up to `n` living waiters, the longest waiting first. */
void bri_seats_tell(bri_arena *arena, bri_seats *seats, uint32_t n);

/* Frees the seats of a dead process; what they were told is told to others. May be done again. */
brood_status bri_seats_sweep(bri_arena *arena, bri_seats *seats, bri_owner dead,
                             bri_deadline deadline);

/* Frees the blocks. */
void bri_seats_destroy(bri_arena *arena, bri_seats *seats);

#endif /* BRI_SEATS_H */
