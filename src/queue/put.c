/* queue/put.c - the producers' end of a ring. */
#include <string.h>

#include "core/killpoint.h"
#include "queue/account.h"
#include "queue/parcel.h"
#include "queue/ring.h"

/* Where the next message goes. */
typedef struct spot {
    uint32_t unit, position;
    uint64_t count, bytes;
} spot;

void bri_letter_write(bri_letter *letter, uint32_t kind, const void *data, size_t size)
{
    letter->header = (bri_header){(uint32_t)size, kind};
    letter->data = data;
    letter->weight = bri_length_of((uint32_t)size);
    letter->block = 0;
}

void bri_letter_label(bri_letter *letter, uint32_t kind, uint64_t block, uint64_t size)
{
    letter->label = (bri_label){block, size};
    bri_letter_write(letter, kind | BRI_MESSAGE_BLOCK, &letter->label, sizeof letter->label);
    letter->weight = bri_parcel_weight(size);
    letter->block = block;
}

/* Under the latch: whether one more message may be put. */
static bool may_put(bri_ring *ring, const spot *at, uint64_t weight)
{
    bri_end *tail = &ring->tail;
    uint64_t bytes = at->bytes + weight;
    for (int look = 0; look < 2; look++) {
        uint64_t waiting = at->count - tail->other_count;
        if (waiting == 0 ||
            (waiting < ring->maxsize && bytes - tail->other_bytes <= ring->memory_limit))
            return true;
        tail->other_bytes = bri_bytes_of(&ring->head);
        tail->other_count = bri_count_of(&ring->head);
    }
    return false;
}

/* Grows while more waits than the last segment holds, so that a queue that is emptied at once
 * stays small. */
static uint32_t next_size(const bri_ring *ring, const bri_segment *last)
{
    uint64_t waiting = bri_bytes_of(&ring->tail) - bri_bytes_of(&ring->head);
    uint64_t size = (last->size + sizeof(bri_segment) + BRI_SEGMENT_PAYLOAD) *
                    (waiting > last->size / 2 ? 4 : 1);
    size = size > BRI_SEGMENT_MOST + 64 ? BRI_SEGMENT_MOST + 64 : size;
    return (uint32_t)size - 64;
}

/* The segment that has room at the tail; the spot moves there. A segment that a killed producer
 * has linked already is used. */
static brood_status find_room(bri_arena *arena, bri_ring *ring, uint32_t length, spot *at)
{
    bri_segment *in = bri_segment_at(arena, at->unit);
    while (at->position + length > in->size) {
        uint32_t next = (uint32_t)atomic_load(&in->next);
        if (next == 0) {
            uint32_t size = next_size(ring, in);
            BROOD_TRY(bri_segment_make(arena, size < length ? BRI_SEGMENT_MOST : size, &next));
            BRI_KILL_POINT("ring-segment");
            atomic_store(&in->next, next);
            BRI_KILL_POINT("ring-linked");
        }
        if (at->position < in->size)
            *bri_header_at(in, at->position) = (bri_header){0, BRI_END_MARK};
        at->unit = next;
        at->position = 0;
        in = bri_segment_at(arena, next);
    }
    return BROOD_OK;
}

/* Under the latch: writes the letter behind the last message, or what is not one yet. */
static brood_status write_letter(bri_ring_view *view, const bri_letter *what, spot *at)
{
    if (!may_put(view->ring, at, what->weight))
        return BROOD_EFULL;
    uint32_t length = bri_length_of(what->header.size);
    BROOD_TRY(find_room(view->arena, view->ring, length, at));
    bri_header *header = bri_header_at(bri_segment_at(view->arena, at->unit), at->position);
    *header = what->header;
    if (what->header.size != 0)
        memcpy(header + 1, what->data, what->header.size);
    at->position += length;
    at->bytes += what->weight;
    at->count++;
    return BROOD_OK;
}

/* Under the latch. Fails only when not one letter could be put. */
static brood_status put_locked(bri_ring_view *view, const bri_letter *letters, size_t n,
                               size_t *n_put)
{
    bri_ring *ring = view->ring;
    bri_end *tail = &ring->tail;
    const bri_place *here = bri_place_of(tail);
    bri_place *next = bri_next_place_of(tail);
    spot at = {here->segment, here->position, bri_count_of(tail),
               atomic_load_explicit(&here->bytes, memory_order_relaxed)};
    if (bri_ring_is_closed(ring))
        return BROOD_ECLOSED;
    size_t k = 0;
    brood_status status = BROOD_OK;
    while (k < n && (status = write_letter(view, &letters[k], &at)) == BROOD_OK)
        k++;
    BRI_KILL_POINT("ring-put-copied");
    if (k == 0)
        return status;
    next->segment = at.unit;
    next->position = at.position;
    atomic_store_explicit(&next->bytes, at.bytes, memory_order_relaxed);
    BRI_KILL_POINT("ring-put-prepared");
    for (size_t i = 0; i < k; i++)
        if (letters[i].block != 0)
            bri_parcel_post(view, letters[i].block);
    bri_end_advance(tail, k);
    BRI_KILL_POINT("ring-put-done");
    *n_put = k;
    return BROOD_OK;
}

/* One try; the bell is rung for consumers. */
static brood_status try_put(bri_ring_view *view, const bri_letter *letters, size_t n, size_t *n_put,
                            bri_patience *patience)
{
    bri_ring *ring = view->ring;
    BROOD_TRY(bri_end_lock(view->arena, ring, &ring->tail, &view->put_latch, patience));
    BRI_KILL_POINT("ring-put-locked");
    brood_status status = put_locked(view, letters, n, n_put);
    bri_latch_unlock(&ring->tail.latch);
    BRI_KILL_POINT("ring-put-unlocked");
    if (status == BROOD_OK)
        bri_bell_ring(&ring->not_empty, *n_put > INT32_MAX ? INT32_MAX : (int)*n_put);
    return status;
}

brood_status bri_ring_put(bri_ring_view *view, const bri_letter *letters, size_t n, size_t *n_put,
                          bri_patience *patience)
{
    bri_ring *ring = view->ring;
    bool slept = false;
    brood_status status = BROOD_OK;
    *n_put = 0;
    if (ring->ends)
        BROOD_TRY(bri_account_produce(view));
    while (*n_put < n && status == BROOD_OK) {
        const bri_letter *rest = letters + *n_put;
        size_t k = 0;
        status = try_put(view, rest, n - *n_put, &k, patience);
        *n_put += k;
        if (status == BROOD_EFULL && patience->timeout != 0)
            status = bri_ring_wait(ring, &ring->not_full, &view->put_room, bri_ring_has_room,
                                   rest->weight, patience, &slept);
    }
    if (slept && bri_ring_has_room(ring, sizeof(bri_header)))
        bri_bell_ring(&ring->not_full, 1);
    return status == BROOD_ETIMEDOUT && patience->timeout == 0 ? BROOD_EFULL : status;
}
