/*
 * posix/wordwait.c - futex, with a note of who waits where, so that a killed sleeper's wake can be
 * passed on.
 *
 * The kernel counts a sleeper as woken even when it is killed before it runs again; the others
 * would sleep on. So each sleep is noted in a slot of the section, and brp_words_sweep wakes one
 * more sleeper of each word that the dead process slept on last. A note stays after the sleep,
 * because a process may also be killed between being woken and acting on it.
 */
#define _GNU_SOURCE
#include "platform/wordwait.h"

#include "base/memory.h"

#if defined(__linux__) && !defined(BROOD_NO_FUTEX)

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "platform/clock.h"

enum {
    SLOTS = 4096,
    SLOTS_OF_OWNER = 64, /* where the threads of one process look first */
    PROBES = 128,
    REACH = SLOTS_OF_OWNER + PROBES, /* its notes are that near to its first slot */
    UNNOTED_MS = 100                 /* a sleep that found no slot is this short */
};

/* A slot is one word, so that it is never half-written: 0 is free; else bit 63 says that the thread
 * sleeps now, 22 bits are the owner, 40 bits the distance of the word to the base in steps of 4.
 * Invariant: only a process with that owner number, or a sweeper after its death, changes a slot
 * that is not 0. */
typedef _Atomic uint64_t slot;

#define SLEEPS_NOW (UINT64_C(1) << 63)

enum { OWNER_BITS = 22, WORD_BITS = 40 };

struct brp_words {
    slot *slots;
    unsigned char *base;
    uint32_t owner;
};

static atomic_uint thread_numbers;
static _Thread_local unsigned thread_number; /* 0: not given yet */

size_t brp_words_size(void)
{
    return SLOTS * sizeof(slot);
}

brood_status brp_words_create(brp_words **words, void *shared, void *base, uint32_t owner)
{
    return brp_words_open(words, shared, base, owner);
}

brood_status brp_words_open(brp_words **words, void *shared, void *base, uint32_t owner)
{
    if (owner >> OWNER_BITS != 0)
        return bri_fail(BROOD_ERANGE, "could not use %u as an owner number", (unsigned)owner);
    brp_words *view = bri_alloc(sizeof *view);
    if (view == NULL)
        return BROOD_ENOMEM;
    view->slots = shared;
    view->base = base;
    view->owner = owner;
    *words = view;
    return BROOD_OK;
}

static uint64_t owner_of(uint64_t note)
{
    return (note & ~SLEEPS_NOW) >> WORD_BITS;
}

static slot *slot_near(const brp_words *words, uint32_t owner, size_t distance)
{
    return &words->slots[((size_t)owner * SLOTS_OF_OWNER + distance) % SLOTS];
}

void brp_words_close(brp_words *words)
{
    if (words == NULL)
        return;
    for (size_t i = 0; i < REACH; i++) {
        slot *at = slot_near(words, words->owner, i);
        uint64_t note = atomic_load(at);
        if (note != 0 && (note & SLEEPS_NOW) == 0 && owner_of(note) == words->owner)
            atomic_compare_exchange_strong(at, &note, 0);
    }
    bri_free(words);
}

brood_status brp_words_after_fork(brp_words *words, uint32_t owner)
{
    if (owner >> OWNER_BITS != 0)
        return bri_fail(BROOD_ERANGE, "could not use %u as an owner number", (unsigned)owner);
    words->owner = owner;
    return BROOD_OK;
}

/* Takes a free slot, or one that an earlier sleep of this process has left. NULL when all near are
 * taken. */
static slot *take_slot(brp_words *words, uint64_t note)
{
    if (thread_number == 0)
        thread_number = atomic_fetch_add(&thread_numbers, 1) + 1;
    /* Threads that start one after the other get slots of different cache lines. */
    size_t mine = thread_number % SLOTS_OF_OWNER;
    size_t first = mine % 8 * 8 + mine / 8;
    for (size_t i = 0; i < PROBES; i++) {
        slot *at = slot_near(words, words->owner, first + i);
        uint64_t old = atomic_load(at);
        if (old != 0 && ((old & SLEEPS_NOW) != 0 || owner_of(old) != words->owner))
            continue;
        if (atomic_compare_exchange_strong(at, &old, note | SLEEPS_NOW))
            return at;
    }
    return NULL;
}

static long futex(_Atomic uint32_t *word, int operation, uint32_t value,
                  const struct timespec *timeout)
{
    return syscall(SYS_futex, word, operation, value, timeout, NULL, FUTEX_BITSET_MATCH_ANY);
}

brood_status brp_word_wait(brp_words *words, _Atomic uint32_t *word, uint32_t expected,
                           bri_deadline deadline)
{
    uint64_t index = (uint64_t)((unsigned char *)word - words->base) / sizeof(uint32_t);
    uint64_t note = (uint64_t)words->owner << WORD_BITS | index;
    slot *noted = take_slot(words, note);
    bri_deadline until = deadline;
    if (noted == NULL) {
        bri_deadline soon = bri_deadline_after(brp_clock_now(), UNNOTED_MS);
        until = soon < deadline ? soon : deadline;
    }
    struct timespec at = {.tv_sec = (time_t)(until / 1000000000), .tv_nsec = until % 1000000000};
    long result = futex(word, FUTEX_WAIT_BITSET, expected, until == BRI_NEVER ? NULL : &at);
    bool late = result != 0 && errno == ETIMEDOUT && until == deadline;
    if (noted != NULL)
        atomic_store(noted, note);
    return late ? BROOD_ETIMEDOUT : BROOD_OK;
}

void brp_word_wake(brp_words *words, _Atomic uint32_t *word, int n)
{
    (void)words;
    futex(word, FUTEX_WAKE, (uint32_t)n, NULL);
}

void brp_words_sweep(brp_words *words, uint32_t owner)
{
    for (size_t i = 0; i < REACH; i++) {
        slot *at = slot_near(words, owner, i);
        uint64_t note = atomic_load(at);
        if (note == 0 || owner_of(note) != owner)
            continue;
        uint64_t index = note & ((UINT64_C(1) << WORD_BITS) - 1);
        /* Woken before the note goes: a sweeper may be killed in between, and a wake too many does
         * no harm. */
        brp_word_wake(words, (_Atomic uint32_t *)(void *)(words->base + index * sizeof(uint32_t)),
                      1);
        atomic_compare_exchange_strong(at, &note, 0);
    }
}

#endif
