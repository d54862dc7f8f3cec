/*
 * memory_layout.h - what the tests of section and wordwait and their helpers have in a section.
 */
#ifndef PT_MEMORY_LAYOUT_H
#define PT_MEMORY_LAYOUT_H

#include <stdatomic.h>

#include "platform/section.h"
#include "platform/wordwait.h"
#include "support.h"

/* The state of the words is at the beginning of the section, this behind it. */
enum { PT_LAYOUT_AT = 1 << 20, PT_LAYOUT_SIZE = 1 << 16, PT_CLOSED = 1 << 30 };

typedef struct pt_layout {
    _Atomic uint32_t words[64];
    _Atomic uint32_t counter; /* what can be taken; with PT_CLOSED nothing more comes */
} pt_layout;

typedef struct pt_shared {
    brp_section section;
    brp_words *words;
    pt_layout *at;
} pt_shared;

typedef struct pt_consumer {
    pt_shared *shared;
    int taken;
} pt_consumer;

static inline pt_layout *pt_layout_of(const brp_section *section)
{
    return (pt_layout *)(void *)(section->base + PT_LAYOUT_AT);
}

/* Waits until the word is `turn`, makes it one more, and wakes. False when that hangs. */
static inline bool pt_take_turn(pt_shared *shared, _Atomic uint32_t *word, uint32_t turn)
{
    bri_deadline limit = pt_hang();
    for (;;) {
        uint32_t now = atomic_load(word);
        if (now == turn)
            break;
        if (brp_word_wait(shared->words, word, now, limit) != BROOD_OK)
            return false;
    }
    atomic_store(word, turn + 1);
    brp_word_wake(shared->words, word, 1);
    return true;
}

/* Takes from the counter until it is closed and empty. */
static inline void pt_consume(void *context)
{
    pt_consumer *consumer = context;
    pt_shared *shared = consumer->shared;
    _Atomic uint32_t *counter = &shared->at->counter;
    for (;;) {
        uint32_t now = atomic_load(counter);
        if (now == PT_CLOSED)
            return;
        if (now == 0)
            brp_word_wait(shared->words, counter, 0, BRI_NEVER);
        else if (atomic_compare_exchange_strong(counter, &now, now - 1))
            consumer->taken++;
    }
}

#endif /* PT_MEMORY_LAYOUT_H */
