/* queue/ring.c - what both ends of a ring share: segments, latches, waiting, the end. */
#include "queue/ring.h"

#include <string.h>

#include "core/killpoint.h"
#include "platform/clock.h"
#include "queue/account.h"

enum { GRACE_MS = 1000 /* that a latch is waited for in any case */ };

/* ---- segments ---- */

brood_status bri_segment_make(bri_arena *arena, uint32_t size, uint32_t *unit)
{
    uint64_t offset;
    BROOD_TRY(bri_arena_alloc(arena, sizeof(bri_segment) + size, &offset));
    bri_segment *made = bri_arena_at(arena, offset);
    atomic_store(&made->next, 0);
    made->size = size;
    *unit = (uint32_t)(offset / BRI_LINE);
    return BROOD_OK;
}

void bri_segments_free(bri_arena *arena, uint32_t from, uint32_t to)
{
    while (from != to) {
        uint32_t next = (uint32_t)atomic_load(&bri_segment_at(arena, from)->next);
        BRI_KILL_POINT("ring-segment-free");
        bri_arena_free(arena, (uint64_t)from * BRI_LINE + BRI_SEGMENT_PAYLOAD);
        from = next;
    }
}

brood_status bri_ring_fill(bri_arena *arena, bri_ring *ring)
{
    uint32_t first;
    BROOD_TRY(bri_segment_make(arena, BRI_SEGMENT_LEAST, &first));
    ring->tail.places[0].segment = ring->head.places[0].segment = first;
    return BROOD_OK;
}

const bri_header *bri_ring_first(bri_arena *arena, uint32_t *unit, uint32_t *position)
{
    for (;;) {
        bri_segment *in = bri_segment_at(arena, *unit);
        const bri_header *at = bri_header_at(in, *position);
        if (*position < in->size && at->kind != BRI_END_MARK)
            return at;
        *unit = (uint32_t)atomic_load(&in->next);
        *position = 0;
    }
}

void bri_message_describe(const bri_header *first, bri_message *message)
{
    *message = (bri_message){first->kind, first->size, 0};
    if ((first->kind & BRI_MESSAGE_BLOCK) != 0) {
        bri_label label;
        memcpy(&label, first + 1, sizeof label);
        message->size = label.size;
        message->block = label.block;
    }
}

/* Each message, then each segment, is unlinked first and then freed. */
void bri_ring_destroy(bri_arena *arena, bri_ring *ring)
{
    bri_end *head = &ring->head;
    while (bri_count_of(head) != bri_count_of(&ring->tail)) {
        const bri_place *here = bri_place_of(head);
        bri_place *next = bri_next_place_of(head);
        uint32_t from = here->segment, unit = from, position = here->position;
        bri_message message;
        const bri_header *first = bri_ring_first(arena, &unit, &position);
        bri_message_describe(first, &message);
        next->segment = unit;
        next->position = position + bri_length_of(first->size);
        bri_end_advance(head, 1);
        BRI_KILL_POINT("ring-destroy-message");
        bri_arena_free(arena, message.block);
        bri_segments_free(arena, from, unit);
    }
    bri_place *last = bri_place_of(head);
    while (last->segment != 0) {
        uint32_t unit = last->segment;
        last->segment = (uint32_t)atomic_load(&bri_segment_at(arena, unit)->next);
        BRI_KILL_POINT("ring-destroy-segment");
        bri_arena_free(arena, (uint64_t)unit * BRI_LINE + BRI_SEGMENT_PAYLOAD);
    }
}

/* ---- waiting ---- */

static bri_deadline deadline_of(bri_patience *patience)
{
    if (!patience->begun)
        patience->deadline = patience->timeout < 0
                                 ? BRI_NEVER
                                 : bri_deadline_after(brp_clock_now(), patience->timeout);
    patience->begun = true;
    return patience->deadline;
}

static brood_status wait_for_latch(bri_arena *arena, bri_ring *ring, bri_end *end,
                                   bri_spin_place *place, bri_deadline deadline)
{
    brood_status status = bri_latch_wait(&end->latch, place, deadline);
    if (status != BROOD_EOWNERDIED)
        return status;
    if (end == &ring->head)
        bri_account_settle(arena, ring);
    return BROOD_OK;
}

static brood_status lock_slowly(bri_arena *arena, bri_ring *ring, bri_end *end,
                                bri_spin_place *place, bri_patience *patience)
{
    bri_deadline deadline = deadline_of(patience);
    bri_deadline grace = bri_deadline_after(brp_clock_now(), GRACE_MS);
    return wait_for_latch(arena, ring, end, place, deadline > grace ? deadline : grace);
}

brood_status bri_end_lock(bri_arena *arena, bri_ring *ring, bri_end *end, bri_spin_place *place,
                          bri_patience *patience)
{
    if (bri_latch_try(&end->latch, arena->me))
        return BROOD_OK;
    return lock_slowly(arena, ring, end, place, patience);
}

brood_status bri_head_lock_until(bri_arena *arena, bri_ring *ring, bri_deadline deadline)
{
    bri_spin_place place = 0;
    if (bri_latch_try(&ring->head.latch, arena->me))
        return BROOD_OK;
    return wait_for_latch(arena, ring, &ring->head, &place, deadline);
}

bool bri_ring_is_empty(const bri_ring *ring)
{
    return atomic_load(&ring->head.word) >> 1 == atomic_load(&ring->tail.word) >> 1;
}

bool bri_ring_has_room(const bri_ring *ring, uint64_t weight)
{
    uint64_t head = atomic_load(&ring->head.word) >> 1, tail = atomic_load(&ring->tail.word) >> 1;
    if (head >= tail || bri_ring_is_closed(ring))
        return true;
    return tail - head < ring->maxsize &&
           bri_bytes_of(&ring->tail) + weight - bri_bytes_of(&ring->head) <= ring->memory_limit;
}

brood_status bri_ring_wait(bri_ring *ring, bri_bell *bell, bri_spin_place *place,
                           bri_condition_of_ring holds, uint64_t weight, bri_patience *patience,
                           bool *slept)
{
    bool held = holds(ring, weight);
    bri_spin spin = bri_spin_begin(place);
    while (!held && bri_spin_next(&spin))
        held = holds(ring, weight);
    bri_spin_end(place, &spin, held);
    if (held)
        return BROOD_OK;
    bri_parking parking = bri_parking_until(deadline_of(patience));
    for (;;) {
        bri_parking_look(&parking);
        uint32_t heard = bri_bell_listen(bell);
        BRI_KILL_POINT("ring-listen");
        if (holds(ring, weight))
            return BROOD_OK;
        bri_park_end end = bri_bell_wait(bell, &parking, heard);
        *slept = true;
        if (holds(ring, weight))
            return BROOD_OK;
        if (end == BRI_PARK_TIMED_OUT)
            return BROOD_ETIMEDOUT;
    }
}

/* ---- asking and closing ---- */

uint64_t bri_ring_size(const bri_ring *ring)
{
    for (;;) {
        uint64_t head = atomic_load(&ring->head.word), tail = atomic_load(&ring->tail.word);
        if (atomic_load(&ring->head.word) == head)
            return (tail >> 1) - (head >> 1);
    }
}

bool bri_ring_is_full(const bri_ring *ring)
{
    return bri_ring_size(ring) != 0 && !bri_ring_is_closed(ring) &&
           !bri_ring_has_room(ring, sizeof(bri_header));
}

void bri_ring_tell_closed(bri_ring *ring)
{
    bri_bell_ring(&ring->not_empty, INT32_MAX);
    bri_bell_ring(&ring->not_full, INT32_MAX);
}

void bri_ring_close(bri_ring_view *view)
{
    bri_ring *ring = view->ring;
    bri_patience patience = {.timeout = 0};
    brood_status status = bri_end_lock(view->arena, ring, &ring->tail, &view->put_latch, &patience);
    atomic_store(&ring->closed, 1);
    BRI_KILL_POINT("ring-closed");
    if (status == BROOD_OK)
        bri_latch_unlock(&ring->tail.latch);
    bri_ring_tell_closed(ring);
}
