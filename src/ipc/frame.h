/*
 * ipc/frame.h - CPython's framing of messages on a channel: the length as 4 bytes, signed, big
 * endian; or -1 and then 8 bytes, unsigned. A channel of messages has no headers.
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
#include "platform/channel.h"

enum { BRI_FRAME_HEADER = 12 /* the longest */ };

/* Handles that came beside a byte. */
enum { BRI_FRAME_HANDLES = 64 };
typedef struct bri_frame_beside {
    size_t n;
    brp_handle handles[BRI_FRAME_HANDLES];
} bri_frame_beside;

typedef struct bri_frame_reader {
    unsigned char *ahead; /* bytes that were read and not yet used */
    size_t begin, end;    /* of them, in `ahead` */
    bool has_header;
    size_t n_empty;           /* empty messages that a wait took; they come before the channel's */
    uint64_t size;            /* of the current message, with a header */
    bri_buffer body;          /* of a message that does not fit into `ahead`: what has arrived */
    brood_status broken;      /* what every further read gives; BROOD_OK: not broken */
    bool takes_handles;       /* those beside the bytes are kept; else the system closes them */
    bri_frame_beside *beside; /* they lie beside the last byte of `ahead`, which is no message's */
} bri_frame_reader;

/* Reads the next message, which stays current until bri_frame_done: its bytes are at *data. A
 * message of more than `limit` bytes breaks the reader: BROOD_ETOOLONG. BROOD_EEOF at the end;
 * BROOD_EBROKEN when it comes inside of a message; BROOD_EFORMAT for what is no length. */
brood_status bri_frame_read(bri_frame_reader *reader, brp_channel channel, uint64_t limit,
                            const void **data, size_t *size, bri_deadline deadline);

/* Reads `n` handles that the other side has sent in place of a message; they are the caller's.
 * BROOD_ESTATE when a message comes first, which stays. */
brood_status bri_frame_read_handles(bri_frame_reader *reader, brp_channel channel,
                                    brp_handle *handles, size_t n, bri_deadline deadline);

/* Waits until bri_frame_read would give something; may read ahead where nothing else can tell. */
brood_status bri_frame_poll(bri_frame_reader *reader, brp_channel channel, bri_deadline deadline);

/* Whether bri_frame_read would give something without reading the channel. */
bool bri_frame_is_ready(const bri_frame_reader *reader);

/* A wait took an empty message from the channel of messages: it comes after the current one. */
void bri_frame_put_empty(bri_frame_reader *reader);

/* Bytes that were read elsewhere come before those of the stream; for a new reader. BROOD_EFORMAT
 * for more than a reader can have read ahead. */
brood_status bri_frame_put_ahead(bri_frame_reader *reader, const void *data, size_t size);

/* The current message is used up. */
void bri_frame_done(bri_frame_reader *reader);

/* The same, but its memory goes to the caller, for bri_free. */
brood_status bri_frame_take(bri_frame_reader *reader, void **data);

/* Frees everything. */
void bri_frame_fini(bri_frame_reader *reader);

/* Writes a message. After a failure *written is not 0 when a part of it may have gone out. */
brood_status bri_frame_write(brp_channel channel, const void *data, size_t size, size_t *written,
                             bri_deadline deadline);

/* The length of the header that these bytes begin with, and of its message; 0 when they are none or
 * not all of one. */
size_t bri_frame_read_header(const void *data, size_t size, uint64_t *length);

/* Writes the header of a message of `size` bytes; its length. */
size_t bri_frame_header(uint64_t size, unsigned char header[BRI_FRAME_HEADER]);

#endif /* BRI_FRAME_H */
