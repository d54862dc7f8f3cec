/* ipc/park.c - the table of sleepers, and learning when to spin. */
#include "ipc/park.h"

#include "core/killpoint.h"
#include "platform/clock.h"

enum {
    SHORT_SLICE = 25 * 1000000,
    LONG_SLICE = 500 * 1000000,
    UNSEEN_SLICE = 50 * 1000000, /* of a sleeper that found no entry in the table */
    RETRY = 64,                  /* an unlucky place spins fully once in so many times */
    LEAST_SPINS = 4
};

/* An entry: (offset of the word / 4 + 1) << slot bits | slot of the sleeper; 0 is free. The top bit
 * tells a watch from a sleeper. */
#define WATCH (UINT64_C(1) << 63)

static uint64_t entry_of(const bri_arena *arena, const _Atomic uint32_t *word)
{
    return (bri_arena_offset(arena, (const void *)word) / 4 + 1) << BRI_OWNER_SLOT_BITS |
           bri_owner_slot(arena->me);
}

static _Atomic uint32_t *word_of(const bri_arena *arena, uint64_t entry)
{
    return bri_arena_at(arena, (((entry & ~WATCH) >> BRI_OWNER_SLOT_BITS) - 1) * 4);
}

/* Backs another step of the table; n is what it has now. */
static bool grow(bri_arena *arena, uint32_t n)
{
    if (n == BRI_MAX_PARKS)
        return false;
    uint64_t offset = arena->head->parks + n * sizeof(uint64_t);
    if (brp_section_commit(&arena->section, offset, BRI_PARKS_STEP * sizeof(uint64_t)) != BROOD_OK)
        return false;
    atomic_compare_exchange_strong(&arena->head->n_parks, &n, n + BRI_PARKS_STEP);
    return true;
}

/* NULL when the table is full. Threads begin at different places: where their stacks are. */
static _Atomic uint64_t *publish(bri_arena *arena, uint64_t entry)
{
    uint64_t place = (uint64_t)(uintptr_t)&entry >> 12;
    uint32_t start =
        (uint32_t)((place + arena->me * UINT64_C(8)) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
    for (;;) {
        uint32_t n = atomic_load(&arena->head->n_parks);
        for (uint32_t i = 0; i < n; i++) {
            _Atomic uint64_t *at = bri_park_at(arena, (start + i) % n);
            uint64_t free = 0;
            if (atomic_load_explicit(at, memory_order_relaxed) == 0 &&
                atomic_compare_exchange_strong(at, &free, entry))
                return at;
        }
        if (!grow(arena, n))
            return NULL;
    }
}

bri_parking bri_parking_until(bri_deadline deadline)
{
    return (bri_parking){deadline, SHORT_SLICE, bri_proctable_deaths()};
}

bri_park_end bri_park(bri_parking *parking, _Atomic uint32_t *word, uint32_t expected)
{
    bri_arena *arena = bri_the_runtime.arena;
    int64_t now = brp_clock_now();
    if (parking->deadline <= now)
        return BRI_PARK_TIMED_OUT;
    _Atomic uint64_t *entry = publish(arena, entry_of(arena, word));
    BRI_KILL_POINT("park-published");
    int64_t slice = entry == NULL && parking->slice > UNSEEN_SLICE ? UNSEEN_SLICE : parking->slice;
    bri_deadline until = parking->deadline - now < slice ? parking->deadline : now + slice;
    brood_status status = BROOD_OK;
    /* A sweep counts the death before it reads the table: it finds the entry, or this sees it. */
    if (bri_proctable_deaths() == parking->deaths)
        status = brp_word_wait(arena->words, word, expected, until);
    BRI_KILL_POINT("park-woken");
    if (entry != NULL)
        atomic_store(entry, 0);
    if (status == BROOD_OK)
        return BRI_PARK_WOKEN;
    if (until == parking->deadline)
        return BRI_PARK_TIMED_OUT;
    parking->slice = parking->slice < LONG_SLICE / 2 ? parking->slice * 2 : LONG_SLICE;
    return BRI_PARK_SLICE;
}

/* The bits of the slot are the lowest. */
static void ring_doorbell(bri_arena *arena, uint64_t entry)
{
    _Atomic uint32_t *bell = &bri_slot_at(arena, (uint32_t)(entry & (BRI_MAX_SLOTS - 1)))->doorbell;
    atomic_fetch_add(bell, 1);
    BRI_KILL_POINT("park-doorbell");
    brp_word_wake(arena->words, bell, INT32_MAX);
}

static void tell_watches(bri_arena *arena, _Atomic uint32_t *word)
{
    uint64_t wanted = (entry_of(arena, word) | WATCH) >> BRI_OWNER_SLOT_BITS;
    uint32_t n = atomic_load(&arena->head->n_parks);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t entry = atomic_load(bri_park_at(arena, i));
        if (entry >> BRI_OWNER_SLOT_BITS == wanted)
            ring_doorbell(arena, entry);
    }
}

void bri_unpark(_Atomic uint32_t *word, int n)
{
    bri_arena *arena = bri_the_runtime.arena;
    BRI_KILL_POINT("park-wake");
    brp_word_wake(arena->words, word, n);
    if (atomic_load(&arena->head->n_watches) != 0)
        tell_watches(arena, word);
}

_Atomic uint64_t *bri_watch_publish(_Atomic uint32_t *word)
{
    bri_arena *arena = bri_the_runtime.arena;
    atomic_fetch_add(&arena->head->n_watches, 1);
    BRI_KILL_POINT("park-watch");
    _Atomic uint64_t *entry = publish(arena, entry_of(arena, word) | WATCH);
    if (entry == NULL)
        atomic_fetch_sub(&arena->head->n_watches, 1);
    return entry;
}

void bri_watch_unpublish(_Atomic uint64_t *entry)
{
    if (entry == NULL)
        return;
    atomic_store(entry, 0);
    BRI_KILL_POINT("park-unwatch");
    atomic_fetch_sub(&bri_the_runtime.arena->head->n_watches, 1);
}

void bri_unpark_everybody(bri_arena *arena)
{
    uint32_t n = atomic_load(&arena->head->n_parks);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t entry = atomic_load(bri_park_at(arena, i));
        if (entry != 0 && (entry & WATCH) == 0)
            brp_word_wake(arena->words, word_of(arena, entry), INT32_MAX);
    }
}

void bri_park_sweep(bri_arena *arena, bri_owner dead)
{
    uint32_t n = atomic_load(&arena->head->n_parks);
    for (uint32_t i = 0; i < n; i++) {
        _Atomic uint64_t *at = bri_park_at(arena, i);
        uint64_t entry = atomic_load(at);
        if (entry != 0 && (entry & (BRI_MAX_SLOTS - 1)) == bri_owner_slot(dead) &&
            atomic_compare_exchange_strong(at, &entry, 0) && (entry & WATCH) != 0)
            atomic_fetch_sub(&arena->head->n_watches, 1);
    }
}

/* `place`: rounds to spin next time | times that it was too few << 16. */
bri_spin bri_spin_begin(bri_spin_place *place)
{
    uint32_t most = bri_the_runtime.arena->spins;
    if (most == 0)
        return (bri_spin){0, 0};
    uint32_t word = atomic_load_explicit(place, memory_order_relaxed);
    uint32_t budget = word & 0xffff;
    if (word == 0 || word >> 16 >= RETRY)
        budget = most;
    return (bri_spin){budget, budget};
}

bool bri_spin_next(bri_spin *spin)
{
    if (spin->left == 0)
        return false;
    spin->left--;
    brp_cpu_relax();
    return true;
}

void bri_spin_end(bri_spin_place *place, const bri_spin *spin, bool lucky)
{
    uint32_t most = bri_the_runtime.arena->spins;
    uint32_t word = atomic_load_explicit(place, memory_order_relaxed);
    uint32_t misses = word >> 16 >= RETRY ? 0 : word >> 16;
    uint32_t budget = word == 0 ? most : word & 0xffff;
    if (lucky) {
        budget = most;
        misses = 0;
    } else if (spin->budget != 0 || misses != 0) {
        budget = budget / 2 < LEAST_SPINS ? LEAST_SPINS : budget / 2;
        misses++;
    }
    atomic_store_explicit(place, misses << 16 | budget, memory_order_relaxed);
}
