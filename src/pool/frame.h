/*
 * pool/frame.h - arguments and results of a task as bytes: one entry after the other, each with a
 * head of 8 bytes (its length in the lower 56 bits, its kind above) and a pickle. So one entry that
 * cannot be read or written costs itself only.
 */
#ifndef BRI_FRAME_H
#define BRI_FRAME_H

#include "base/buffer.h"
#include "proc/call.h"

typedef enum bri_entry_kind {
    BRI_ENTRY_VALUE = 1,  /* an argument, or a result */
    BRI_ENTRY_FAILURE = 2 /* what bri_outcome_reduce gives */
} bri_entry_kind;

/* Appends an entry; on failure the buffer is as before. */
brood_status bri_frame_append(bri_buffer *frame, bri_entry_kind kind, const brood_value *value);

/* Appends what came of a call, whatever it takes: a result that cannot be written becomes a
 * failure. The outcome is emptied. BROOD_ENOMEM only. */
brood_status bri_frame_append_outcome(bri_buffer *frame, bri_outcome *outcome);

typedef struct bri_frame_reader {
    const unsigned char *data;
    size_t size; /* what is left */
} bri_frame_reader;

typedef struct bri_entry {
    bri_entry_kind kind;
    const void *data;
    size_t size;
} bri_entry;

/* The next entry, not yet decoded. BROOD_EFORMAT when there is none. */
brood_status bri_frame_next(bri_frame_reader *reader, bri_entry *entry);

/* Decodes it. */
brood_status bri_entry_value(const bri_entry *entry, brood_value *value);

#endif /* BRI_FRAME_H */
