/* queue/take.c - the consumers' end of a ring. */
#include <string.h>

#include "core/killpoint.h"
#include "queue/account.h"
#include "queue/parcel.h"
#include "queue/ring.h"

/* What is being taken. */
typedef struct haul {
    uint32_t unit, position;
    uint64_t bytes;
    size_t used; /* of the wish's memory */
    size_t n;
} haul;

static bool has_message(const bri_ring *ring, uint64_t weight)
{
    (void)weight;
    return !bri_ring_is_empty(ring) || bri_ring_is_closed(ring);
}

static brood_status check_wish(const bri_wish *wish, const bri_message *message, size_t used)
{
    if (wish->nothing)
        return BROOD_OK;
    bool is_value = (message->kind & BRI_MESSAGE_VALUE) != 0;
    if (!(is_value ? wish->value : wish->bytes))
        return BROOD_ETYPE;
    bool is_apart = message->block != 0 && !wish->is_packed;
    uint64_t room = is_apart ? wish->block_room : wish->room - used;
    return message->size > room ? BROOD_ETOOLONG : BROOD_OK;
}

/* Under the latch: the next message, which is there, joins the haul. */
static brood_status add_message(bri_ring_view *view, const bri_wish *wish, bri_message *messages,
                                haul *all)
{
    uint32_t unit = all->unit, position = all->position;
    bri_message *message = &messages[all->n];
    const bri_header *first = bri_ring_first(view->arena, &unit, &position);
    bri_message_describe(first, message);
    BROOD_TRY(check_wish(wish, message, all->used));
    uint64_t weight = bri_length_of(first->size);
    if (message->block != 0) {
        weight = bri_parcel_weight(message->size);
        all->used += wish->is_packed ? (size_t)message->size : 0;
    } else if (!wish->nothing && first->size != 0) {
        memcpy((unsigned char *)wish->data + all->used, first + 1, first->size);
        all->used += first->size;
    }
    all->unit = unit;
    all->position = position + bri_length_of(first->size);
    all->bytes += weight;
    all->n++;
    return BROOD_OK;
}

/* Under the latch: makes it true. */
static void take_haul(bri_ring_view *view, const bri_wish *wish, const bri_message *messages,
                      const haul *all)
{
    bri_ring *ring = view->ring;
    bri_end *head = &ring->head;
    bri_place *next = bri_next_place_of(head);
    uint64_t count = bri_count_of(head);
    next->segment = all->unit;
    next->position = all->position;
    atomic_store_explicit(&next->bytes, all->bytes, memory_order_relaxed);
    BRI_KILL_POINT("ring-take-prepared");
    for (size_t i = 0; i < all->n; i++)
        if (messages[i].block != 0)
            bri_parcel_take(view, messages[i].block, count + i);
    if (ring->is_joinable)
        bri_account_take(view, count + all->n, all->n, wish->nothing);
    bri_end_advance(head, all->n);
    BRI_KILL_POINT("ring-take-done");
    if (ring->is_joinable)
        bri_account_settle(view->arena, ring);
}

/* Under the latch. The segments from *from up to, without, *to are used up. */
static brood_status take_locked(bri_ring_view *view, const bri_wish *wish, bri_message *messages,
                                size_t most, size_t *n, uint32_t *from, uint32_t *to)
{
    bri_ring *ring = view->ring;
    bri_end *head = &ring->head;
    uint64_t count = bri_count_of(head);
    if (head->other_count - count < most)
        head->other_count = bri_count_of(&ring->tail);
    uint64_t there = head->other_count - count;
    if (there == 0)
        return BROOD_EEMPTY;
    const bri_place *here = bri_place_of(head);
    haul all = {here->segment, here->position,
                atomic_load_explicit(&here->bytes, memory_order_relaxed), 0, 0};
    brood_status status = BROOD_OK;
    while (all.n < most && all.n < there && status == BROOD_OK)
        status = add_message(view, wish, messages, &all);
    BRI_KILL_POINT("ring-take-copied");
    if (all.n == 0)
        return status;
    *from = here->segment;
    *to = all.unit;
    take_haul(view, wish, messages, &all);
    *n = all.n;
    return BROOD_OK;
}

/* One try; the bell is rung for producers. */
static brood_status try_take(bri_ring_view *view, const bri_wish *wish, bri_message *messages,
                             size_t most, size_t *n, bri_patience *patience)
{
    bri_ring *ring = view->ring;
    uint32_t from = 0, to = 0;
    BROOD_TRY(bri_end_lock(view->arena, ring, &ring->head, &view->get_latch, patience));
    BRI_KILL_POINT("ring-take-locked");
    brood_status status = take_locked(view, wish, messages, most, n, &from, &to);
    if (wish->nothing) /* what is thrown away is done */
        bri_account_unlock_head(ring);
    else
        bri_latch_unlock(&ring->head.latch);
    BRI_KILL_POINT("ring-take-unlocked");
    if (status != BROOD_OK)
        return status;
    bri_segments_free(view->arena, from, to);
    bri_bell_ring(&ring->not_full, ring->maxsize == UINT64_MAX ? INT32_MAX : (int)*n);
    return BROOD_OK;
}

brood_status bri_ring_take(bri_ring_view *view, const bri_wish *wish, bri_message *messages,
                           size_t most, size_t *n, bri_patience *patience)
{
    bri_ring *ring = view->ring;
    bool slept = false;
    if (ring->ends)
        bri_account_consume(view);
    for (;;) {
        /* Before the look at the messages: nothing comes after the closing. */
        bool closed = bri_ring_is_closed(ring);
        brood_status status = try_take(view, wish, messages, most, n, patience);
        if (status == BROOD_EEMPTY && closed)
            return BROOD_ECLOSED;
        if (status == BROOD_EEMPTY && patience->timeout != 0) {
            BROOD_TRY(bri_ring_wait(ring, &ring->not_empty, &view->get_message, has_message, 0,
                                    patience, &slept));
            continue;
        }
        if (slept && !bri_ring_is_empty(ring))
            bri_bell_ring(&ring->not_empty, 1);
        return status == BROOD_ETIMEDOUT && patience->timeout == 0 ? BROOD_EEMPTY : status;
    }
}

bool bri_ring_listen(bri_ring_view *view)
{
    bri_ring *ring = view->ring;
    if (ring->ends)
        bri_account_consume(view);
    if (has_message(ring, 0))
        return true;
    bri_bell_listen(&ring->not_empty);
    return has_message(ring, 0);
}
