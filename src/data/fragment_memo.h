/*
 * data/fragment_memo.h - the memo of a fragment that is being written (island.c).
 *
 * While the fragment is written it is only noted where something would be put into the memo and got
 * from it. At the end the instructions are set in, for what was got at all, and numbered from 0. So
 * equal objects give equal fragments, wherever they were found.
 */
#ifndef BRI_FRAGMENT_MEMO_H
#define BRI_FRAGMENT_MEMO_H

#include "base/buffer.h"
#include "data/heap.h"

/* A text and its slot. */
typedef struct bri_noted_text {
    const bri_text *text; /* NULL: free */
    uint64_t hash;
    uint32_t slot;
    uint8_t kind;
    bool mutable_bytes;
} bri_noted_text;

/* Zero-initialised is empty. */
typedef struct bri_fragment_memo {
    bri_buffer marks; /* where what is put and got, in order */
    uint32_t slots;
    bri_noted_text *texts; /* an open hash table */
    size_t n_texts, texts_capacity;
} bri_fragment_memo;

/* Notes that what was made up to `offset` of the fragment may be wanted again. */
brood_status bri_fragment_put(bri_fragment_memo *memo, size_t offset, uint32_t *slot);

/* Notes that it is wanted again at `offset`. */
brood_status bri_fragment_get(bri_fragment_memo *memo, size_t offset, uint32_t slot);

/* The place of a text: one with its slot if an equal one was there, else a free one to be filled by
 * bri_fragment_keep. bytearrays are equal only if they are the same. */
brood_status bri_fragment_text(bri_fragment_memo *memo, const brood_value *value,
                               bri_noted_text **place);
void bri_fragment_keep(bri_fragment_memo *memo, bri_noted_text *place, const brood_value *value,
                       uint32_t slot);

/* Appends the fragment with its memo instructions to `out`. */
brood_status bri_fragment_assemble(const bri_fragment_memo *memo, const bri_buffer *raw,
                                   bri_buffer *out);

void bri_fragment_fini(bri_fragment_memo *memo);

#endif /* BRI_FRAGMENT_MEMO_H */
