/*
 * pool/payload.h - arguments and results of a task as bytes: one entry after the other, each with a
 * head of 8 bytes (its length in the lower 56 bits, its kind above). So one entry that cannot be
 * read or written costs itself only.
 *
 * Most entries are pickles. Numbers and plain bytes stand as they are: a pickle of them would take
 * longer than the way between two processes.
 */
#ifndef BRI_PAYLOAD_H
#define BRI_PAYLOAD_H

#include "base/buffer.h"
#include "ipc/shared.h"
#include "proc/call.h"

typedef enum bri_item_kind {
    BRI_ITEM_VALUE = 1,   /* a pickle: an argument, or a result */
    BRI_ITEM_FAILURE = 2, /* a pickle of what bri_outcome_reduce gives */
    BRI_ITEM_BYTES = 3,
    BRI_ITEM_SCALAR = 16 /* + brood_kind: 8 bytes */
} bri_item_kind;

/* A frame that is written. Zero-initialised is empty. */
typedef struct bri_payload {
    bri_buffer bytes;
    /* Behind the bytes: many bytes of the last entry, which are not copied before the frame is. */
    const void *tail;
    size_t tail_size;
    brood_value kept;  /* what the tail belongs to, when the frame has to keep it */
    bool lends;        /* set by who makes the frame of arguments: handles in it are lent to each
                          attempt; else to the first who reads them */
    uint64_t loan;     /* of the handles in it; 0: there are none. Ended when the frame is reset */
    bri_buffer refers; /* bri_shared *: the arena's objects that are named in it, a use of each */
} bri_payload;

static inline size_t bri_payload_size(const bri_payload *frame)
{
    return frame->bytes.length + frame->tail_size;
}

/* Appends a value; on failure the frame is as before. The value stays the caller's, and has to stay
 * as it is until the frame is reset. */
brood_status bri_payload_append(bri_payload *frame, const brood_value *value);

/* Appends what came of a call, whatever it takes: a result that cannot be written becomes a
 * failure. The outcome is emptied. BROOD_ENOMEM only. */
brood_status bri_payload_append_outcome(bri_payload *frame, bri_outcome *outcome);

/* Copies it to `to`, which has room for its size. */
void bri_payload_copy(const bri_payload *frame, void *to);

/* Has the objects that it names held by a slot's chain (ipc/shared.h), which is the slot's also on
 * failure. BROOD_ENOMEM. */
brood_status bri_payload_hold(const bri_payload *frame, bri_arena *arena, _Atomic uint64_t *chain);

/* Gives the uses of objects in such a list back. */
void bri_references_clear(bri_buffer *references);

/* Empties it; memory is kept for the next one, if it is not much. */
void bri_payload_reset(bri_payload *frame);
void bri_payload_fini(bri_payload *frame);

typedef struct bri_payload_reader {
    const unsigned char *data;
    size_t size; /* what is left */
} bri_payload_reader;

typedef struct bri_item {
    int kind; /* a bri_item_kind */
    const void *data;
    size_t size;
} bri_item;

/* The next entry, not yet decoded. BROOD_EFORMAT when there is none. */
brood_status bri_payload_next(bri_payload_reader *reader, bri_item *item);

/* Decodes it. */
brood_status bri_payload_value(const bri_item *item, brood_value *value);

#endif /* BRI_PAYLOAD_H */
