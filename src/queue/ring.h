/*
 * queue/ring.h - the part of a queue that lives in the arena: messages in a chain of segments, in
 * the order in which they were put.
 *
 * Producers work at the tail and consumers at the head, each end under a latch of its own. Either
 * end has a number of messages that went through it, and for the places behind message n two
 * records: the one at n % 2 holds for n, the other is being prepared for n + 1. One store of the
 * number makes a message, or its removal, true: whoever is killed before it has changed nothing,
 * whoever is killed after it has finished. So nothing has to be repaired, the number of messages is
 * exact, and who takes a latch from a dead process just goes on.
 */
#ifndef BRI_RING_H
#define BRI_RING_H

#include <stdalign.h>

#include "ipc/bell.h"
#include "ipc/latch.h"
#include "ipc/shared.h"

enum {
    BRI_INLINE_MOST = 4096, /* a longer message travels in a block of its own */
    BRI_SEGMENT_LEAST = 4096 - 64,
    BRI_SEGMENT_MOST = 65536 - 64
};

/* What a message is. Two bits. */
enum {
    BRI_MESSAGE_BYTES = 0,
    BRI_MESSAGE_VALUE = 1, /* a pickle */
    BRI_MESSAGE_BLOCK = 2  /* in a block; what stands in the segment is a bri_label */
};

/* Behind the last message of an end. */
typedef struct bri_place {
    uint32_t segment;       /* offset of its block / 64 */
    uint32_t position;      /* in the segment's data */
    _Atomic uint64_t bytes; /* weight of all messages that went through this end */
} bri_place;

/* What the other side reads of an end. Alone in its line, which is written once a message. */
typedef struct bri_end {
    alignas(BRI_LINE) _Atomic uint64_t count; /* of messages, since ever; only under the latch */
    /* What its own side works with. */
    alignas(BRI_LINE) bri_latch latch;
    uint32_t unused;
    uint64_t other_count; /* the other end's, when it was last looked at; under the latch */
    uint64_t other_bytes;
    bri_place places[2]; /* under the latch, but for reading `bytes` */
} bri_end;

typedef struct bri_ring {
    uint64_t maxsize;      /* messages; UINT64_MAX: no bound */
    uint64_t memory_limit; /* weight of waiting messages; a single one may weigh more */
    _Atomic uint32_t closed;
    bri_bell not_empty; /* rung by producers, heard by consumers */
    bri_bell not_full;  /* the other way */
    bri_end tail;
    bri_end head;
} bri_ring;

/* Where a message is that is in a block of its own. */
typedef struct bri_label {
    uint64_t block;
    uint64_t size;
} bri_label;

/* One process's view. */
typedef struct bri_ring_view {
    bri_arena *arena;
    bri_ring *ring;
    bri_holder *holder;
    bri_spin_place put_latch, put_room, get_latch, get_message;
} bri_ring_view;

/* A time-out that becomes a deadline only when somebody has to wait. */
typedef struct bri_patience {
    brood_ms timeout;
    bool begun;
    bri_deadline deadline;
} bri_patience;

/* Completes a zeroed ring: its first segment. */
brood_status bri_ring_fill(bri_arena *arena, bri_ring *ring, uint64_t maxsize,
                           uint64_t memory_limit);

/* Frees the messages and segments. Nobody else uses it any more. May be cut off and done again. */
void bri_ring_destroy(bri_arena *arena, bri_ring *ring);

/* Puts a copy of the bytes. BROOD_EFULL (time-out 0), BROOD_ETIMEDOUT, BROOD_ECLOSED,
 * BROOD_ENOMEM. */
brood_status bri_ring_put(bri_ring_view *view, uint32_t kind, const void *data, size_t size,
                          bri_patience *patience);

/* A message that was taken, or could not be. */
typedef struct bri_message {
    uint32_t kind;  /* BRI_MESSAGE_... */
    uint64_t size;  /* of the bytes */
    uint64_t block; /* BRI_MESSAGE_BLOCK: the bytes are there, see parcel.h */
} bri_message;

/* What the taker wants: a message that is neither of his kind nor fits stays where it is. */
typedef struct bri_wish {
    bool bytes, value;   /* kinds that are welcome, else BROOD_ETYPE */
    void *data;          /* a message that is not in a block is copied there */
    size_t room;         /* of `data`, else BROOD_ETOOLONG */
    uint64_t block_room; /* the most for a message in a block, which is not copied */
} bri_wish;

/* Takes the first message. BROOD_ETYPE and BROOD_ETOOLONG: *message tells what it is; no message
 * text is set. BROOD_EEMPTY (time-out 0), BROOD_ETIMEDOUT, BROOD_ECLOSED. */
brood_status bri_ring_take(bri_ring_view *view, const bri_wish *wish, bri_message *message,
                           bri_patience *patience);

uint64_t bri_ring_size(const bri_ring *ring);
bool bri_ring_is_full(const bri_ring *ring);
void bri_ring_close(bri_ring_view *view);

/* Takes an end's latch; a process that is stopped in it is waited for a while longer than
 * patience lasts. BROOD_OK or BROOD_ETIMEDOUT. */
brood_status bri_end_lock(bri_end *end, bri_spin_place *place, bri_patience *patience);

#endif /* BRI_RING_H */
