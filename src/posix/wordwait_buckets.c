/*
 * posix/wordwait_buckets.c - sleeping on a word without futex: slots with semaphores, in buckets by
 * word.
 *
 * There is no lock that a killed process could hold, and no condition variable: glibc's makes
 * wakers wait for ever for a killed waiter. A sleeper takes a slot; a waker marks slots and posts
 * their semaphores. Whatever a kill breaks (a wake given to a dead sleeper, a mark without its
 * post) costs the others no more than one slice, because every sleep is cut into slices, after each
 * of which the word is read again.
 */
#define _GNU_SOURCE
#include "platform/wordwait.h"

#include "base/memory.h"

#if !defined(__linux__) || defined(BROOD_NO_FUTEX)

#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "platform/clock.h"

enum {
    BUCKETS = 64, /* a power of two */
    SLOTS = 32,   /* of a bucket; sleepers beyond it read the word every CROWDED_SLICE_MS */
    SLICE_MS = 100,
    CROWDED_SLICE_MS = 2
};

/* A note is one word, so that it is never half-written: 0 is free; else TAKEN, perhaps WOKEN (a
 * waker has chosen this sleeper), 22 bits of owner, 40 bits with the distance of the word to the
 * base in steps of 4. Invariants: 0 becomes taken by the sleeper; taken becomes woken by a waker;
 * either becomes 0 by the sleeper, or by a sweeper after its death. */
#define TAKEN (UINT64_C(1) << 63)
#define WOKEN (UINT64_C(1) << 62)

enum { OWNER_BITS = 22, WORD_BITS = 40 };

/* The semaphores are made once and never destroyed; what one counts is only a hint. */
typedef struct bucket {
    _Atomic uint64_t notes[SLOTS];
    sem_t semaphores[SLOTS];
} bucket;

typedef struct shared_state {
    uint32_t no_semaphores; /* written by create only: the system has none that processes share */
    bucket buckets[BUCKETS];
} shared_state;

struct brp_words {
    shared_state *shared;
    unsigned char *base;
    uint32_t owner;
};

size_t brp_words_size(void)
{
    return sizeof(shared_state);
}

brood_status brp_words_create(brp_words **words, void *shared, void *base, uint32_t owner)
{
    shared_state *state = shared;
    for (size_t i = 0; i < BUCKETS; i++)
        for (size_t j = 0; j < SLOTS; j++)
            if (sem_init(&state->buckets[i].semaphores[j], 1, 0) != 0)
                state->no_semaphores = 1;
    return brp_words_open(words, shared, base, owner);
}

static brood_status check_owner(uint32_t owner)
{
    if (owner >> OWNER_BITS == 0)
        return BROOD_OK;
    return bri_fail(BROOD_ERANGE, "could not use %u as an owner number", (unsigned)owner);
}

brood_status brp_words_open(brp_words **words, void *shared, void *base, uint32_t owner)
{
    BROOD_TRY(check_owner(owner));
    brp_words *view = bri_alloc(sizeof *view);
    if (view == NULL)
        return BROOD_ENOMEM;
    view->shared = shared;
    view->base = base;
    view->owner = owner;
    *words = view;
    return BROOD_OK;
}

void brp_words_close(brp_words *words)
{
    bri_free(words);
}

brood_status brp_words_after_fork(brp_words *words, uint32_t owner)
{
    BROOD_TRY(check_owner(owner));
    words->owner = owner;
    return BROOD_OK;
}

static uint64_t index_of(const brp_words *words, const _Atomic uint32_t *word)
{
    return (uint64_t)((const unsigned char *)word - words->base) / sizeof(uint32_t);
}

static bucket *bucket_of(const brp_words *words, uint64_t index)
{
    return &words->shared->buckets[(index ^ index >> 6 ^ index >> 12) % BUCKETS];
}

/* Takes a free slot, with no post left over from an earlier sleeper; SLOTS when there is none. */
static size_t take_slot(const brp_words *words, bucket *in, uint64_t note)
{
    if (words->shared->no_semaphores)
        return SLOTS;
    for (size_t i = 0; i < SLOTS; i++) {
        uint64_t free_note = 0;
        if (!atomic_compare_exchange_strong(&in->notes[i], &free_note, note))
            continue;
        while (sem_trywait(&in->semaphores[i]) == 0 || errno == EINTR)
            ;
        return i;
    }
    return SLOTS;
}

static struct timespec timespec_of(int64_t nanoseconds)
{
    return (struct timespec){.tv_sec = (time_t)(nanoseconds / 1000000000),
                             .tv_nsec = (long)(nanoseconds % 1000000000)};
}

/* One slice: until a post or `until`. */
static void sleep_on(sem_t *semaphore, int64_t until)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 30)
    struct timespec at = timespec_of(until);
    sem_clockwait(semaphore, CLOCK_MONOTONIC, &at);
#else
    /* A wall clock that is set back makes the slice as much longer. */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t left = until - brp_clock_now();
    struct timespec at = timespec_of((int64_t)now.tv_sec * 1000000000 + now.tv_nsec + left);
    sem_timedwait(semaphore, &at);
#endif
}

static void sleep_without_slot(int64_t until)
{
    int64_t left = until - brp_clock_now();
    struct timespec pause = timespec_of(left > 0 ? left : 0);
    nanosleep(&pause, NULL);
}

brood_status brp_word_wait(brp_words *words, _Atomic uint32_t *word, uint32_t expected,
                           bri_deadline deadline)
{
    uint64_t index = index_of(words, word);
    uint64_t note = TAKEN | (uint64_t)words->owner << WORD_BITS | index;
    bucket *in = bucket_of(words, index);
    if (atomic_load(word) != expected)
        return BROOD_OK;
    size_t mine = take_slot(words, in, note);
    bool woken = false, late = false;
    while (!woken && !late && atomic_load(word) == expected) {
        int64_t now = brp_clock_now();
        late = now >= deadline;
        bri_deadline until = bri_deadline_after(now, mine < SLOTS ? SLICE_MS : CROWDED_SLICE_MS);
        until = until < deadline ? until : deadline;
        if (late)
            break;
        if (mine < SLOTS) {
            sleep_on(&in->semaphores[mine], until);
            woken = (atomic_load(&in->notes[mine]) & WOKEN) != 0;
        } else {
            sleep_without_slot(until);
        }
    }
    /* A waker may have chosen this sleeper after it gave up: that wake counts. */
    if (mine < SLOTS && (atomic_exchange(&in->notes[mine], 0) & WOKEN) != 0)
        late = false;
    return late ? BROOD_ETIMEDOUT : BROOD_OK;
}

static int wake_in(bucket *in, size_t slot, uint64_t index)
{
    uint64_t note = atomic_load(&in->notes[slot]);
    if ((note & (TAKEN | WOKEN)) != TAKEN || (note & ((UINT64_C(1) << WORD_BITS) - 1)) != index)
        return 0;
    if (!atomic_compare_exchange_strong(&in->notes[slot], &note, note | WOKEN))
        return 0; /* it left, or another waker was first */
    sem_post(&in->semaphores[slot]);
    return 1;
}

void brp_word_wake(brp_words *words, _Atomic uint32_t *word, int n)
{
    uint64_t index = index_of(words, word);
    bucket *in = bucket_of(words, index);
    /* Orders the caller's change of the word before the reads of the notes, as a sleeper orders its
     * note before its read of the word: one of both sees the other. */
    atomic_fetch_add(word, 0);
    for (size_t i = 0; i < SLOTS && n > 0; i++)
        n -= wake_in(in, i, index);
}

void brp_words_sweep(brp_words *words, uint32_t owner)
{
    const uint64_t owner_mask = ((UINT64_C(1) << OWNER_BITS) - 1) << WORD_BITS;
    for (size_t i = 0; i < (size_t)BUCKETS * SLOTS; i++) {
        _Atomic uint64_t *at = &words->shared->buckets[i / SLOTS].notes[i % SLOTS];
        uint64_t note = atomic_load(at);
        if (note == 0 || (note & owner_mask) != (uint64_t)owner << WORD_BITS)
            continue;
        uint64_t index = note & ((UINT64_C(1) << WORD_BITS) - 1);
        /* No new wake goes to the dead sleeper first; then one that it may have had goes to
         * another. */
        atomic_store(at, 0);
        brp_word_wake(words, (_Atomic uint32_t *)(void *)(words->base + index * sizeof(uint32_t)),
                      1);
    }
}

#endif
