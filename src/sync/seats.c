/* sync/seats.c - see the header. */
#include "sync/seats.h"

#include "core/killpoint.h"

enum { MORE_SEATS = 30 };

typedef struct more_seats {
    _Atomic uint64_t more;
    bri_seat seats[MORE_SEATS];
} more_seats;

/* Walks over all seats. */
typedef struct seat_walk {
    const bri_arena *arena;
    bri_seat *seats;
    uint32_t n, i;
    uint64_t more;
} seat_walk;

static seat_walk begin_walk(const bri_arena *arena, bri_seats *seats)
{
    return (seat_walk){arena, seats->first, BRI_FIRST_SEATS, 0, atomic_load(&seats->more)};
}

static bri_seat *next_seat(seat_walk *walk)
{
    if (walk->i == walk->n) {
        if (walk->more == 0)
            return NULL;
        more_seats *block = bri_arena_at(walk->arena, walk->more);
        walk->seats = block->seats;
        walk->n = MORE_SEATS;
        walk->i = 0;
        walk->more = atomic_load(&block->more);
    }
    return &walk->seats[walk->i++];
}

/* Seats are whole at every instant, whoever died. */
static void lock_seats(bri_seats *seats)
{
    bri_spin_place place = 0;
    bri_latch_lock(&seats->latch, bri_owner_me(), &place, BRI_NEVER);
}

static brood_status add_seats(bri_arena *arena, bri_seats *seats)
{
    uint64_t offset;
    BROOD_TRY(bri_arena_alloc(arena, sizeof(more_seats), &offset));
    more_seats *block = bri_arena_at(arena, offset);
    for (int i = 0; i < MORE_SEATS; i++)
        atomic_store(&block->seats[i].word, 0);
    atomic_store(&block->more, atomic_load(&seats->more));
    BRI_KILL_POINT("seats-made");
    atomic_store(&seats->more, offset);
    return BROOD_OK;
}

static bri_seat *find_free(bri_arena *arena, bri_seats *seats)
{
    seat_walk walk = begin_walk(arena, seats);
    bri_seat *seat;
    while ((seat = next_seat(&walk)) != NULL && atomic_load(&seat->word) != 0) {
    }
    return seat;
}

brood_status bri_seat_take(bri_arena *arena, bri_seats *seats, bri_seat **seat)
{
    brood_status status = BROOD_OK;
    lock_seats(seats);
    bri_seat *found = find_free(arena, seats);
    if (found == NULL)
        status = add_seats(arena, seats);
    if (found == NULL && status == BROOD_OK)
        found = find_free(arena, seats);
    if (status == BROOD_OK) {
        atomic_store(&found->ticket, atomic_fetch_add(&seats->last_ticket, 1) + 1);
        BRI_KILL_POINT("seat-ticket");
        atomic_store(&found->word, bri_owner_me());
        BRI_KILL_POINT("seat-taken");
        *seat = found;
    }
    bri_latch_unlock(&seats->latch);
    return status;
}

bool bri_seat_give_up(bri_seat *seat)
{
    uint32_t mine = bri_owner_me();
    return atomic_compare_exchange_strong(&seat->word, &mine, 0);
}

void bri_seat_leave(bri_seat *seat)
{
    atomic_store(&seat->word, 0);
}

/* The living waiter that has waited longest. */
static bri_seat *find_longest(bri_arena *arena, bri_seats *seats, uint32_t *word)
{
    seat_walk walk = begin_walk(arena, seats);
    bri_seat *longest = NULL;
    uint64_t least = UINT64_MAX;
    for (bri_seat *seat; (seat = next_seat(&walk)) != NULL;) {
        uint32_t seen = atomic_load(&seat->word);
        uint64_t ticket = atomic_load(&seat->ticket);
        if (seen == 0 || (seen & BRI_SEAT_TOLD) != 0 || ticket >= least || bri_owner_is_dead(seen))
            continue;
        longest = seat;
        least = ticket;
        *word = seen;
    }
    return longest;
}

static bool tell(bri_seat *seat, uint32_t seen)
{
    if (!atomic_compare_exchange_strong(&seat->word, &seen, seen | BRI_SEAT_TOLD))
        return false; /* its time was up */
    BRI_KILL_POINT("seat-told");
    bri_unpark(&seat->word, 1);
    return true;
}

static void tell_all(bri_arena *arena, bri_seats *seats)
{
    seat_walk walk = begin_walk(arena, seats);
    for (bri_seat *seat; (seat = next_seat(&walk)) != NULL;) {
        uint32_t seen = atomic_load(&seat->word);
        if (seen != 0 && (seen & BRI_SEAT_TOLD) == 0)
            tell(seat, seen);
    }
}

/* Under the latch. */
static void tell_longest(bri_arena *arena, bri_seats *seats, uint32_t n)
{
    uint32_t seen;
    bri_seat *seat;
    while (n > 0 && (seat = find_longest(arena, seats, &seen)) != NULL)
        n -= tell(seat, seen);
}

void bri_seats_tell(bri_arena *arena, bri_seats *seats, uint32_t n)
{
    lock_seats(seats);
    if (n == UINT32_MAX)
        tell_all(arena, seats);
    else
        tell_longest(arena, seats, n);
    bri_latch_unlock(&seats->latch);
    BRI_KILL_POINT("seats-unlocked");
}

/* A notification is passed on before its seat is free: who is killed in between does it twice,
 * which wakes one without need, and never loses it. */
brood_status bri_seats_sweep(bri_arena *arena, bri_seats *seats, bri_owner dead,
                             bri_deadline deadline)
{
    bri_spin_place place = 0;
    if (bri_latch_lock(&seats->latch, bri_owner_me(), &place, deadline) == BROOD_ETIMEDOUT)
        return BROOD_ETIMEDOUT;
    seat_walk walk = begin_walk(arena, seats);
    for (bri_seat *seat; (seat = next_seat(&walk)) != NULL;) {
        uint32_t seen = atomic_load(&seat->word);
        if ((seen & BRI_OWNER_MASK) != dead)
            continue;
        if ((seen & BRI_SEAT_TOLD) != 0)
            tell_longest(arena, seats, 1);
        BRI_KILL_POINT("seats-sweep");
        atomic_store(&seat->word, 0);
    }
    bri_latch_unlock(&seats->latch);
    return BROOD_OK;
}

void bri_seats_destroy(bri_arena *arena, bri_seats *seats)
{
    uint64_t offset;
    while ((offset = atomic_load(&seats->more)) != 0) {
        atomic_store(&seats->more, atomic_load(&((more_seats *)bri_arena_at(arena, offset))->more));
        BRI_KILL_POINT("seats-destroy");
        bri_arena_free(arena, offset);
    }
}
