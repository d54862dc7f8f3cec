/*
 * ipc/frame.h - CPython's framing of messages on a stream: the length as 4 bytes, signed, big
 * endian; or -1 and then 8 bytes, unsigned.
 *
 * Whatever a time-out interrupts is kept and goes on with the next call. Nothing is allocated
 * because a header says so: memory grows as bytes arrive.
 */
#ifndef BRI_FRAME_H
#define BRI_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/deadline.h"
#include "platform/stream.h"

enum { BRI_FRAME_HEADER = 12 /* the longest */ };

typedef struct bri_frame_reader {
    unsigned char *ahead; /* bytes that were read and not yet used */
    size_t begin, end;    /* of them, in `ahead` */
    bool has_header;
    uint64_t size;       /* of the current message, with a header */
    bri_buffer body;     /* of a message that does not fit into `ahead`: what has arrived */
    brood_status broken; /* what every further read gives; BROOD_OK: not broken */
} bri_frame_reader;

/* Reads the next message, which stays current until bri_frame_done: its bytes are at *data. A
 * message of more than `limit` bytes breaks the reader: BROOD_ETOOLONG. BROOD_EEOF at the end;
 * BROOD_EBROKEN when it comes inside of a message; BROOD_EFORMAT for what is no length. */
brood_status bri_frame_read(bri_frame_reader *reader, brp_handle stream, uint64_t limit,
                            const void **data, size_t *size, bri_deadline deadline);

/* Whether bri_frame_read would give something without reading the stream. */
bool bri_frame_is_ready(const bri_frame_reader *reader);

/* Bytes that were read elsewhere come before those of the stream; for a new reader. BROOD_EFORMAT
 * for more than a reader can have read ahead. */
brood_status bri_frame_put_ahead(bri_frame_reader *reader, const void *data, size_t size);

/* The current message is used up. */
void bri_frame_done(bri_frame_reader *reader);

/* The same, but its memory goes to the caller, for bri_free. */
brood_status bri_frame_take(bri_frame_reader *reader, void **data);

/* Frees everything. */
void bri_frame_fini(bri_frame_reader *reader);

/* Writes the header of a message of `size` bytes; its length. */
size_t bri_frame_header(uint64_t size, unsigned char header[BRI_FRAME_HEADER]);

#endif /* BRI_FRAME_H */
