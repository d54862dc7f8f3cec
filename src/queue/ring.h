/*
 * queue/ring.h - the part of a queue that lives in the arena: messages in a chain of segments, in
 * the order in which they were put.
 *
 * Producers work at the tail and consumers at the head, each end under a latch of its own. Either
 * end has one word, the number of messages that went through it and which of two places stands
 * behind the last of them; the other place is being prepared for the next ones. One store of the
 * word makes messages, or their removal, true: whoever is killed before it has changed nothing,
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
    alignas(BRI_LINE) _Atomic uint64_t word; /* messages since ever << 1 | the place that holds;
                                                written only under the latch */
    /* What its own side works with. */
    alignas(BRI_LINE) bri_latch latch;
    uint32_t unused;
    uint64_t other_count; /* the other end's, when it was last looked at; under the latch */
    uint64_t other_bytes;
    bri_place places[2]; /* under the latch, but for reading `bytes` */
} bri_end;

/* What a process's share in a queue may become, see queue/account.h. */
typedef struct bri_balance {
    _Atomic uint64_t done;      /* messages that are done with; of joinable queues */
    _Atomic uint32_t producers; /* processes that may still put; of queues that end */
    _Atomic uint32_t abandoned; /* messages that died with their takers, not told yet */
    _Atomic uint32_t held;      /* of the holder's record */
} bri_balance;

typedef struct bri_account {
    alignas(BRI_LINE) bri_balance now; /* without `held`; written only under the head's latch */
    _Atomic uint32_t rounds;           /* times that everything was done */
    bri_bell all_done;
    /* The change that is being made: it counts when `holder` is not 0 and the head has come to
     * `count`. */
    _Atomic uint64_t holder;
    _Atomic uint64_t count;
    bri_balance next;
} bri_account;

typedef struct bri_ring {
    uint64_t maxsize;      /* messages; UINT64_MAX: no bound */
    uint64_t memory_limit; /* weight of waiting messages; a single one may weigh more */
    _Atomic uint32_t closed;
    bool is_joinable;
    bool ends;          /* with its last producer */
    bool has_begun;     /* it ends: it has had a producer; under the head's latch */
    bri_bell not_empty; /* rung by producers, heard by consumers */
    bri_bell not_full;  /* the other way */
    bri_end tail;
    bri_end head;
    bri_account account;
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

/* Completes a zeroed ring, with its bounds: its first segment. */
brood_status bri_ring_fill(bri_arena *arena, bri_ring *ring);

/* Frees the messages and segments. Nobody else uses it any more. May be cut off and done again. */
void bri_ring_destroy(bri_arena *arena, bri_ring *ring);

/* Before the bytes of a message, whose length in the segment is a multiple of 8. */
typedef struct bri_header {
    uint32_t size; /* of the bytes behind it */
    uint32_t kind; /* BRI_MESSAGE_... */
} bri_header;

/* What is about to be put. */
typedef struct bri_letter {
    bri_header header;
    const void *data;
    uint64_t weight;
    uint64_t block; /* 0: none */
    bri_label label;
} bri_letter;

/* A letter with these bytes, at most BRI_INLINE_MOST; they are not copied. */
void bri_letter_write(bri_letter *letter, uint32_t kind, const void *data, size_t size);

/* A letter about a block, of this process, with `size` bytes. */
void bri_letter_label(bri_letter *letter, uint32_t kind, uint64_t block, uint64_t size);

/* Puts letters in their order, as many at a time as there is room for; *n_put tells how many were.
 * BROOD_EFULL (time-out 0), BROOD_ETIMEDOUT, BROOD_ECLOSED, BROOD_ENOMEM. */
brood_status bri_ring_put(bri_ring_view *view, const bri_letter *letters, size_t n, size_t *n_put,
                          bri_patience *patience);

/* A message that was taken, or could not be. */
typedef struct bri_message {
    uint32_t kind;  /* BRI_MESSAGE_... */
    uint64_t size;  /* of the bytes */
    uint64_t block; /* BRI_MESSAGE_BLOCK: the bytes are there, see parcel.h */
} bri_message;

/* What the taker wants: a message that is neither of his kind nor fits stays where it is. */
typedef struct bri_wish {
    bool bytes, value; /* kinds that are welcome, else BROOD_ETYPE */
    bool nothing;      /* the message is thrown away, and done with */
    bool is_packed;    /* one in a block takes its part of the room too */
    void *data;        /* messages that are not in a block are copied there, one after the other */
    size_t room;       /* of `data`, else BROOD_ETOOLONG */
    uint64_t block_room; /* the most for a message in a block, which is not copied */
} bri_wish;

/* Takes up to `most` of the first messages, at least one. BROOD_ETYPE and BROOD_ETOOLONG: *messages
 * tells what the first is; no message text is set. BROOD_EEMPTY (time-out 0), BROOD_ETIMEDOUT,
 * BROOD_ECLOSED. */
brood_status bri_ring_take(bri_ring_view *view, const bri_wish *wish, bri_message *messages,
                           size_t most, size_t *n, bri_patience *patience);

uint64_t bri_ring_size(const bri_ring *ring);
bool bri_ring_is_full(const bri_ring *ring);
void bri_ring_close(bri_ring_view *view);

/* Whether a take would not wait; when not, a taker is announced who does. */
bool bri_ring_listen(bri_ring_view *view);

/* Whether nobody may put any more. */
static inline bool bri_ring_is_closed(const bri_ring *ring)
{
    return atomic_load(&ring->closed) != 0 ||
           (ring->ends && atomic_load(&ring->account.now.producers) == 0);
}

/* Takes an end's latch; a process that is stopped in it is waited for a while longer than
 * patience lasts. BROOD_OK or BROOD_ETIMEDOUT. */
brood_status bri_end_lock(bri_arena *arena, bri_ring *ring, bri_end *end, bri_spin_place *place,
                          bri_patience *patience);
/* The head's, for no longer than it says. */
brood_status bri_head_lock_until(bri_arena *arena, bri_ring *ring, bri_deadline deadline);

/* ---- for the files of the ring ---- */

typedef bool (*bri_condition_of_ring)(const bri_ring *ring, uint64_t weight);

/* Waits until the condition may hold. BROOD_OK: *slept tells whether a wake was used up. */
brood_status bri_ring_wait(bri_ring *ring, bri_bell *bell, bri_spin_place *place,
                           bri_condition_of_ring holds, uint64_t weight, bri_patience *patience,
                           bool *slept);

/* The block of a segment. */
typedef struct bri_segment {
    _Atomic uint64_t next; /* offset / 64 of the next one, or 0; set once, by the tail */
    uint32_t size;         /* of the data */
    uint32_t unused[9];
} bri_segment;

enum {
    BRI_SEGMENT_PAYLOAD = 16, /* of a block, behind its header */
    BRI_END_MARK = 4          /* in place of a kind: the next message begins the next segment */
};

static inline bri_segment *bri_segment_at(const bri_arena *arena, uint64_t unit)
{
    return bri_arena_at(arena, unit * BRI_LINE + BRI_SEGMENT_PAYLOAD);
}

static inline bri_header *bri_header_at(bri_segment *in, uint32_t position)
{
    return (bri_header *)(void *)((unsigned char *)(in + 1) + position);
}

static inline uint32_t bri_length_of(uint32_t size)
{
    return (uint32_t)sizeof(bri_header) + (size + 7) / 8 * 8;
}

brood_status bri_segment_make(bri_arena *arena, uint32_t size, uint32_t *unit);

/* The first message's header; the place moves to its segment. There is a message. */
const bri_header *bri_ring_first(bri_arena *arena, uint32_t *unit, uint32_t *position);

void bri_message_describe(const bri_header *first, bri_message *message);

/* Frees the segments from `from` up to, without, `to`. */
void bri_segments_free(bri_arena *arena, uint32_t from, uint32_t to);

static inline uint64_t bri_count_of(const bri_end *end)
{
    return atomic_load_explicit(&end->word, memory_order_acquire) >> 1;
}

/* Under the latch: the place that holds, and the one that is prepared. */
static inline bri_place *bri_place_of(bri_end *end)
{
    return &end->places[atomic_load_explicit(&end->word, memory_order_relaxed) & 1];
}

static inline bri_place *bri_next_place_of(bri_end *end)
{
    return &end->places[~atomic_load_explicit(&end->word, memory_order_relaxed) & 1];
}

/* Under the latch: the prepared place holds, after `n` messages more. */
static inline void bri_end_advance(bri_end *end, uint64_t n)
{
    uint64_t word = atomic_load_explicit(&end->word, memory_order_relaxed);
    atomic_store_explicit(&end->word, ((word >> 1) + n) << 1 | (~word & 1), memory_order_release);
}

/* Without the latch: of some moment just now. */
static inline uint64_t bri_bytes_of(const bri_end *end)
{
    uint64_t word = atomic_load(&end->word);
    return atomic_load_explicit(&end->places[word & 1].bytes, memory_order_relaxed);
}

bool bri_ring_is_empty(const bri_ring *ring);
bool bri_ring_has_room(const bri_ring *ring, uint64_t weight);

#endif /* BRI_RING_H */
