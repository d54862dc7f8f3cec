/*
 * win32/wordwait.c - waiting for words of shared memory across processes.
 *
 * WaitOnAddress works inside one process only. Here each sleeper takes a slot of the shared state
 * and sleeps on the slot's own event, which every process opens by a name made from 128 random
 * bits. A waker looks for slots with its word's key.
 *
 * The rules that make it safe to kill any process at any instruction:
 *
 * - slot.state changes by compare-and-swap only. It holds phase, owner and a number that grows with
 * every claim, so a waker can never hit the slot's next use. slot.key changes only while the slot
 * is CLAIMED, by its owner.
 * - A bucket's counter is never less than its sleepers: it is raised before WAITING is written, and
 * lowered after the slot has left WAITING and WOKEN. Who is killed between the two steps leaves it
 * too high, which costs wakers a look at the slots, nothing else.
 * - Sleeper: counter + 1, WAITING, fence, look at the word. Waker: change the word, fence, look at
 * the counter and the slots. So either the sleeper sees the change or the waker sees the sleeper.
 * - WAITING -> WOKEN is the wake; the event only tells of it. A sleeper that finds WOKEN has been
 * woken, also when its time is up, and without the event. An event without WOKEN is one that came
 * late for the slot's last user: the sleeper goes on. A waker that dies between the two leaves a
 * sleeper without its event: brp_words_sweep signals all that are WOKEN, and every sleeper looks by
 * itself once a second.
 * - A dead sleeper's slot is freed by brp_words_sweep; what it was woken for goes to another
 * sleeper of the same word. The sweeper makes the slot its own first (PASSING), so that the sweep
 * of a dead sweeper goes on where that one stopped.
 */
#include "platform/wordwait.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <wchar.h>

#include "base/memory.h"
#include "platform/clock.h"
#include "platform/ident.h"
#include "win32/security.h"
#include "win32/win32.h"

enum {
    SLOTS = 2048, /* sleepers at once; more of them look every few milliseconds instead */
    BUCKETS = 256,
    LOOK_MS = 1000,
    NO_SLOT_MS = 5,
    MAGIC = 0x57524431 /* written last by create */
};

/* Phases of a slot, the low 4 bits of its state. */
enum {
    FREE = 0, /* nobody's */
    CLAIMED =
        1, /* the owner is writing the key; or leaving: the counter may or may not include it */
    WAITING = 2, /* counted; a waker may make it WOKEN */
    WOKEN = 3,   /* counted; exactly one wake is in it */
    PASSING = 4  /* counted; the owner is a sweeper that passes a dead sleeper's wake on */
};

typedef struct slot {
    _Atomic uint64_t state; /* owner << 32 | claim number << 4 | phase */
    _Atomic uint64_t key;   /* the word's distance to base; valid in WAITING, WOKEN and PASSING */
} slot;

typedef struct shared_words {
    _Atomic uint32_t magic;
    _Atomic uint32_t used; /* slots from here on were never claimed; only grows */
    _Atomic uint32_t next; /* where wakers begin to look, so that all slots have their turn; any
                              value is right */
    uint32_t padding;
    uint64_t id[2]; /* random; the events' names */
    _Atomic uint32_t sleepers[BUCKETS];
    slot slots[SLOTS];
} shared_words;

struct brp_words {
    shared_words *shared;
    unsigned char *base;
    uint32_t owner;
    _Atomic(HANDLE) events[SLOTS]; /* opened when first needed */
};

static uint64_t make_state(uint32_t owner, uint64_t claim, uint32_t phase)
{
    return (uint64_t)owner << 32 | (claim & 0x0FFFFFFF) << 4 | phase;
}

static uint32_t phase_of(uint64_t state)
{
    return state & 0xF;
}

static uint32_t owner_of(uint64_t state)
{
    return (uint32_t)(state >> 32);
}

static uint64_t with_phase(uint64_t state, uint32_t phase)
{
    return (state & ~(uint64_t)0xF) | phase;
}

static _Atomic uint32_t *bucket_of(shared_words *shared, uint64_t key)
{
    uint64_t hash = (key >> 2) * 0x9E3779B97F4A7C15u;
    return &shared->sleepers[hash >> 56];
}

/* ---- Views ---- */

size_t brp_words_size(void)
{
    return sizeof(shared_words);
}

static brood_status make_view(brp_words **words, shared_words *shared, void *base, uint32_t owner)
{
    brp_words *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->shared = shared;
    made->base = base;
    made->owner = owner;
    *words = made;
    return BROOD_OK;
}

brood_status brp_words_create(brp_words **words, void *shared, void *base, uint32_t owner)
{
    shared_words *state = shared;
    BROOD_TRY(brp_random(state->id, sizeof state->id));
    BROOD_TRY(make_view(words, state, base, owner));
    atomic_store(&state->magic, MAGIC);
    return BROOD_OK;
}

brood_status brp_words_open(brp_words **words, void *shared, void *base, uint32_t owner)
{
    shared_words *state = shared;
    if (atomic_load(&state->magic) != MAGIC)
        return bri_fail(BROOD_EFORMAT, "could not open the waiting words: there are none");
    return make_view(words, state, base, owner);
}

void brp_words_close(brp_words *words)
{
    if (words == NULL)
        return;
    for (size_t i = 0; i < SLOTS; i++) {
        HANDLE event = atomic_load_explicit(&words->events[i], memory_order_relaxed);
        if (event != NULL) {
            bri_w32_kept(-1);
            CloseHandle(event);
        }
    }
    bri_free(words);
}

brood_status brp_words_after_fork(brp_words *words, uint32_t owner)
{
    (void)words;
    (void)owner;
    return bri_fail(BROOD_ENOTSUP, "could not take over waiting words: Windows has no fork");
}

/* The event of a slot, or NULL when the system has none left. Whoever comes first creates it. */
static HANDLE event_of(brp_words *words, size_t index)
{
    HANDLE event = atomic_load(&words->events[index]);
    if (event != NULL)
        return event;
    wchar_t name[64];
    swprintf(name, sizeof name / sizeof name[0], L"Local\\brood-%016" PRIx64 "%016" PRIx64 "-%u",
             words->shared->id[0], words->shared->id[1], (unsigned)index);
    SECURITY_ATTRIBUTES *own = bri_w32_own_user_only();
    event = own != NULL ? CreateEventW(own, FALSE, FALSE, name) : NULL;
    if (event == NULL)
        return NULL;
    HANDLE other = NULL;
    if (atomic_compare_exchange_strong(&words->events[index], &other, event)) {
        bri_w32_kept(1);
        return event;
    }
    CloseHandle(event); /* another thread was faster */
    return other;
}

/* ---- Waiting ---- */

/* Makes sure that wakers look as far as this slot. */
static void raise_used(shared_words *shared, uint32_t count)
{
    uint32_t used = atomic_load(&shared->used);
    while (used < count && !atomic_compare_exchange_weak(&shared->used, &used, count)) {
    }
}

/* Claims the first free slot: SLOTS when there is none. */
static size_t claim_slot(brp_words *words, uint64_t *state)
{
    shared_words *shared = words->shared;
    for (size_t i = 0; i < SLOTS; i++) {
        uint64_t old = atomic_load_explicit(&shared->slots[i].state, memory_order_relaxed);
        if (phase_of(old) != FREE)
            continue;
        uint64_t claimed = make_state(words->owner, (old >> 4) + 1, CLAIMED);
        if (atomic_compare_exchange_strong(&shared->slots[i].state, &old, claimed)) {
            raise_used(shared, (uint32_t)i + 1);
            *state = claimed;
            return i;
        }
    }
    return SLOTS;
}

/* The slot is counted and its state is `from`, which nobody else changes any more. */
static void release_slot(shared_words *shared, slot *mine, uint64_t from)
{
    uint64_t leaving = with_phase(from, CLAIMED);
    uint64_t key = atomic_load_explicit(&mine->key, memory_order_relaxed);
    atomic_store(&mine->state, leaving);
    atomic_fetch_sub(bucket_of(shared, key), 1);
    atomic_store(&mine->state, with_phase(leaving, FREE));
}

/* Sleeps until the slot is WOKEN (true) or the deadline (false). */
static bool sleep_in_slot(slot *mine, uint64_t waiting, HANDLE event, bri_deadline deadline)
{
    while (atomic_load(&mine->state) == waiting) {
        int64_t now = brp_clock_now();
        if (bri_deadline_left(deadline, now) == 0)
            return false;
        bri_deadline look = bri_deadline_after(now, event != NULL ? LOOK_MS : NO_SLOT_MS);
        if (look > deadline)
            look = deadline;
        if (event == NULL || bri_w32_wait(event, look) == WAIT_FAILED)
            SleepEx(NO_SLOT_MS, FALSE); /* the system is out of handles */
    }
    return true;
}

/* Without a slot nobody can wake this thread: it sleeps for a moment and lets the caller look at
 * the word again. */
static brood_status wait_without_slot(bri_deadline deadline)
{
    brood_ms left = bri_deadline_left_ms(deadline, brp_clock_now());
    if (left == 0)
        return BROOD_ETIMEDOUT;
    SleepEx(left > 0 && left < NO_SLOT_MS ? (DWORD)left : NO_SLOT_MS, FALSE);
    return BROOD_OK;
}

brood_status brp_word_wait(brp_words *words, _Atomic uint32_t *word, uint32_t expected,
                           bri_deadline deadline)
{
    if (atomic_load(word) != expected)
        return BROOD_OK;
    shared_words *shared = words->shared;
    uint64_t key = (uint64_t)((unsigned char *)word - words->base), claimed;
    size_t index = claim_slot(words, &claimed);
    if (index == SLOTS)
        return wait_without_slot(deadline);

    slot *mine = &shared->slots[index];
    uint64_t waiting = with_phase(claimed, WAITING);
    atomic_store_explicit(&mine->key, key, memory_order_relaxed);
    atomic_fetch_add(bucket_of(shared, key), 1);
    atomic_store(&mine->state, waiting);
    atomic_thread_fence(memory_order_seq_cst);

    bool changed = atomic_load(word) != expected;
    if (!changed)
        sleep_in_slot(mine, waiting, event_of(words, index), deadline);
    /* A wake that came until here is this thread's, whatever made it stop waiting. */
    uint64_t state = waiting;
    bool woken =
        !atomic_compare_exchange_strong(&mine->state, &state, with_phase(waiting, CLAIMED));
    release_slot(shared, mine, waiting);
    return woken || changed ? BROOD_OK : BROOD_ETIMEDOUT;
}

/* ---- Waking ---- */

static bool wake_slot(brp_words *words, size_t index, uint64_t key)
{
    slot *other = &words->shared->slots[index];
    uint64_t state = atomic_load(&other->state);
    if (phase_of(state) != WAITING || atomic_load(&other->key) != key)
        return false;
    HANDLE event = event_of(words, index);
    if (!atomic_compare_exchange_strong(&other->state, &state, with_phase(state, WOKEN)))
        return false;
    if (event != NULL) /* else it looks by itself */
        SetEvent(event);
    return true;
}

static void wake_key(brp_words *words, uint64_t key, int n)
{
    shared_words *shared = words->shared;
    atomic_thread_fence(memory_order_seq_cst);
    if (n <= 0 || atomic_load(bucket_of(shared, key)) == 0)
        return;
    uint32_t used = atomic_load(&shared->used);
    if (used == 0 || used > SLOTS)
        return;
    uint32_t begin = atomic_load_explicit(&shared->next, memory_order_relaxed) % used;
    for (uint32_t i = 0; i < used && n > 0; i++) {
        uint32_t index = (begin + i) % used;
        if (wake_slot(words, index, key)) {
            n--;
            atomic_store_explicit(&shared->next, index + 1, memory_order_relaxed);
        }
    }
}

void brp_word_wake(brp_words *words, _Atomic uint32_t *word, int n)
{
    wake_key(words, (uint64_t)((unsigned char *)word - words->base), n);
}

/* ---- After a death ---- */

/* `state` is WOKEN or PASSING of a dead owner: its wake goes on, then the slot is free. */
static void pass_on(brp_words *words, slot *dead, uint64_t state)
{
    uint64_t passing = make_state(words->owner, state >> 4, PASSING);
    if (!atomic_compare_exchange_strong(&dead->state, &state, passing))
        return; /* another process sweeps too */
    wake_key(words, atomic_load(&dead->key), 1);
    release_slot(words->shared, dead, passing);
}

static void sweep_slot(brp_words *words, slot *dead, uint64_t state)
{
    switch (phase_of(state)) {
    case WAITING: {
        uint64_t mine = make_state(words->owner, state >> 4, CLAIMED);
        if (atomic_compare_exchange_strong(&dead->state, &state, mine)) {
            release_slot(words->shared, dead, mine);
            break;
        }
        if (phase_of(state) == WOKEN) /* just now; `state` has been read again */
            pass_on(words, dead, state);
        break;
    }
    case WOKEN:
    case PASSING:
        pass_on(words, dead, state);
        break;
    case CLAIMED: /* perhaps counted, perhaps not: then the counter stays too high */
        atomic_compare_exchange_strong(&dead->state, &state, with_phase(state, FREE));
        break;
    default:
        break;
    }
}

void brp_words_sweep(brp_words *words, uint32_t owner)
{
    shared_words *shared = words->shared;
    uint32_t used = atomic_load(&shared->used);
    for (uint32_t i = 0; i < used && i < SLOTS; i++) {
        slot *one = &shared->slots[i];
        uint64_t state = atomic_load(&one->state);
        if (phase_of(state) == FREE)
            continue;
        if (owner_of(state) == owner) {
            sweep_slot(words, one, state);
        } else if (phase_of(state) == WOKEN) {
            /* The dead one may have been about to signal it. */
            HANDLE event = event_of(words, i);
            if (event != NULL)
                SetEvent(event);
        }
    }
}
