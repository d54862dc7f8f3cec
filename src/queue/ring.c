/* queue/ring.c - see the header. */
#include "queue/ring.h"

#include <string.h>

#include "core/killpoint.h"
#include "platform/clock.h"
#include "queue/parcel.h"

enum {
    HEADER = 8, /* bytes before a message, whose length in the segment is a multiple of 8 */
    END_MARK = 4,
    PAYLOAD = 16,
    GRACE_MS = 1000 /* that a latch is waited for in any case */
};

/* The block of a segment. */
typedef struct segment {
    _Atomic uint64_t next; /* offset / 64 of the next one, or 0; set once, by the tail */
    uint32_t size;         /* of the data */
    uint32_t unused[9];
} segment;

typedef struct header {
    uint32_t size; /* of the bytes behind it */
    uint32_t kind; /* BRI_MESSAGE_..., or END_MARK: the next message begins the next segment */
} header;

/* What is about to be put. */
typedef struct letter {
    header header;
    const void *data;
    uint64_t weight;
    uint64_t block; /* 0: none */
    bri_label label;
} letter;

static segment *segment_at(const bri_arena *arena, uint64_t unit)
{
    return bri_arena_at(arena, unit * BRI_LINE + PAYLOAD);
}

static unsigned char *data_at(segment *in, uint32_t position)
{
    return (unsigned char *)(in + 1) + position;
}

static uint32_t length_of(uint32_t size)
{
    return HEADER + (size + 7) / 8 * 8;
}

static brood_status make_segment(bri_arena *arena, uint32_t size, uint32_t *unit)
{
    uint64_t offset;
    BROOD_TRY(bri_arena_alloc(arena, sizeof(segment) + size, &offset));
    segment *made = bri_arena_at(arena, offset);
    atomic_store(&made->next, 0);
    made->size = size;
    *unit = (uint32_t)(offset / BRI_LINE);
    return BROOD_OK;
}

brood_status bri_ring_fill(bri_arena *arena, bri_ring *ring, uint64_t maxsize,
                           uint64_t memory_limit)
{
    uint32_t first;
    BROOD_TRY(make_segment(arena, BRI_SEGMENT_LEAST, &first));
    ring->maxsize = maxsize;
    ring->memory_limit = memory_limit;
    ring->tail.places[0].segment = ring->head.places[0].segment = first;
    return BROOD_OK;
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

static brood_status lock_slowly(bri_end *end, bri_spin_place *place, bri_patience *patience)
{
    bri_deadline deadline = deadline_of(patience);
    bri_deadline grace = bri_deadline_after(brp_clock_now(), GRACE_MS);
    brood_status status = bri_latch_wait(&end->latch, place, deadline > grace ? deadline : grace);
    return status == BROOD_EOWNERDIED ? BROOD_OK : status;
}

brood_status bri_end_lock(bri_end *end, bri_spin_place *place, bri_patience *patience)
{
    if (bri_latch_try(&end->latch, bri_owner_me()))
        return BROOD_OK;
    return lock_slowly(end, place, patience);
}

static uint64_t count_of(const bri_end *end)
{
    return atomic_load_explicit(&end->count, memory_order_acquire);
}

/* Without the latch: of some moment just now. */
static uint64_t bytes_of(const bri_end *end)
{
    uint64_t count = atomic_load(&end->count);
    return atomic_load_explicit(&end->places[count & 1].bytes, memory_order_relaxed);
}

static bool is_empty(const bri_ring *ring)
{
    return atomic_load(&ring->head.count) == atomic_load(&ring->tail.count);
}

static bool has_message(const bri_ring *ring, uint64_t weight)
{
    (void)weight;
    return !is_empty(ring) || atomic_load(&ring->closed) != 0;
}

/* Whether a message of that weight might be put now. */
static bool has_room(const bri_ring *ring, uint64_t weight)
{
    uint64_t head = atomic_load(&ring->head.count), tail = atomic_load(&ring->tail.count);
    if (head >= tail || atomic_load(&ring->closed) != 0)
        return true;
    return tail - head < ring->maxsize &&
           bytes_of(&ring->tail) + weight - bytes_of(&ring->head) <= ring->memory_limit;
}

typedef bool (*condition)(const bri_ring *ring, uint64_t weight);

/* Waits until the condition may hold. BROOD_OK: *slept tells whether a wake was used up. */
static brood_status wait_for(bri_ring *ring, bri_bell *bell, bri_spin_place *place, condition holds,
                             uint64_t weight, bri_patience *patience, bool *slept)
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

/* ---- putting ---- */

/* Under the latch: whether message `count` may be put. */
static bool may_put(bri_ring *ring, uint64_t count, uint64_t weight)
{
    bri_end *tail = &ring->tail;
    uint64_t bytes = bytes_of(tail) + weight;
    for (int look = 0; look < 2; look++) {
        uint64_t waiting = count - tail->other_count;
        if (waiting == 0 ||
            (waiting < ring->maxsize && bytes - tail->other_bytes <= ring->memory_limit))
            return true;
        tail->other_bytes = bytes_of(&ring->head);
        tail->other_count = count_of(&ring->head);
    }
    return false;
}

/* Grows while more waits than the last segment holds, so that a queue that is emptied at once
 * stays small. */
static uint32_t next_size(const bri_ring *ring, const segment *last)
{
    uint64_t waiting = bytes_of(&ring->tail) - bytes_of(&ring->head);
    uint64_t size = (last->size + sizeof(segment) + PAYLOAD) * (waiting > last->size / 2 ? 4 : 1);
    size = size > BRI_SEGMENT_MOST + 64 ? BRI_SEGMENT_MOST + 64 : size;
    return (uint32_t)size - 64;
}

/* The segment that has room at the tail; the place moves there. A segment that a killed producer
 * has linked already is used. */
static brood_status find_room(bri_arena *arena, bri_ring *ring, uint32_t length, uint32_t *unit,
                              uint32_t *position)
{
    segment *in = segment_at(arena, *unit);
    while (*position + length > in->size) {
        uint32_t next = (uint32_t)atomic_load(&in->next);
        if (next == 0) {
            uint32_t size = next_size(ring, in);
            BROOD_TRY(make_segment(arena, size < length ? BRI_SEGMENT_MOST : size, &next));
            BRI_KILL_POINT("ring-segment");
            atomic_store(&in->next, next);
            BRI_KILL_POINT("ring-linked");
        }
        if (*position < in->size)
            *(header *)(void *)data_at(in, *position) = (header){0, END_MARK};
        *unit = next;
        *position = 0;
        in = segment_at(arena, *unit);
    }
    return BROOD_OK;
}

/* Under the latch. */
static brood_status put_locked(bri_ring_view *view, const letter *what)
{
    bri_ring *ring = view->ring;
    bri_end *tail = &ring->tail;
    uint64_t count = count_of(tail);
    if (atomic_load_explicit(&ring->closed, memory_order_relaxed) != 0)
        return BROOD_ECLOSED;
    if (!may_put(ring, count, what->weight))
        return BROOD_EFULL;
    const bri_place *here = &tail->places[count & 1];
    bri_place *next = &tail->places[(count + 1) & 1];
    uint32_t unit = here->segment, position = here->position;
    uint32_t length = length_of(what->header.size);
    BROOD_TRY(find_room(view->arena, ring, length, &unit, &position));
    unsigned char *at = data_at(segment_at(view->arena, unit), position);
    *(header *)(void *)at = what->header;
    if (what->header.size != 0)
        memcpy(at + HEADER, what->data, what->header.size);
    BRI_KILL_POINT("ring-put-copied");
    next->segment = unit;
    next->position = position + length;
    atomic_store_explicit(&next->bytes, bytes_of(tail) + what->weight, memory_order_relaxed);
    BRI_KILL_POINT("ring-put-prepared");
    if (what->block != 0)
        bri_parcel_post(view, what->block);
    atomic_store_explicit(&tail->count, count + 1, memory_order_release);
    BRI_KILL_POINT("ring-put-done");
    return BROOD_OK;
}

/* One try; the bell is rung for a consumer. */
static brood_status try_put(bri_ring_view *view, const letter *what, bri_patience *patience)
{
    bri_ring *ring = view->ring;
    BROOD_TRY(bri_end_lock(&ring->tail, &view->put_latch, patience));
    BRI_KILL_POINT("ring-put-locked");
    brood_status status = put_locked(view, what);
    bri_latch_unlock(&ring->tail.latch);
    BRI_KILL_POINT("ring-put-unlocked");
    if (status == BROOD_OK)
        bri_bell_ring(&ring->not_empty, 1);
    return status;
}

static brood_status put_letter(bri_ring_view *view, const letter *what, bri_patience *patience)
{
    bri_ring *ring = view->ring;
    bool slept = false;
    brood_status status = try_put(view, what, patience);
    while (status == BROOD_EFULL && patience->timeout != 0) {
        BROOD_TRY(wait_for(ring, &ring->not_full, &view->put_room, has_room, what->weight, patience,
                           &slept));
        status = try_put(view, what, patience);
    }
    if (slept && has_room(ring, what->weight))
        bri_bell_ring(&ring->not_full, 1);
    return status == BROOD_ETIMEDOUT && patience->timeout == 0 ? BROOD_EFULL : status;
}

brood_status bri_ring_put(bri_ring_view *view, uint32_t kind, const void *data, size_t size,
                          bri_patience *patience)
{
    letter what = {.header = {(uint32_t)size, kind}, .data = data};
    if (size <= BRI_INLINE_MOST) {
        what.weight = length_of((uint32_t)size);
        return put_letter(view, &what, patience);
    }
    BROOD_TRY(bri_parcel_make(view, data, size, &what.block));
    what.label = (bri_label){what.block, size};
    what.header = (header){sizeof what.label, kind | BRI_MESSAGE_BLOCK};
    what.data = &what.label;
    what.weight = bri_parcel_weight(size);
    brood_status status = put_letter(view, &what, patience);
    if (status == BROOD_OK)
        bri_parcel_posted(view, what.block);
    else
        bri_parcel_end(view, what.block);
    return status;
}

/* ---- taking ---- */

/* The first message's header; the place moves to its segment. There is a message. */
static const header *find_first(bri_arena *arena, uint32_t *unit, uint32_t *position)
{
    for (;;) {
        segment *in = segment_at(arena, *unit);
        const header *at = (const header *)(const void *)data_at(in, *position);
        if (*position < in->size && at->kind != END_MARK)
            return at;
        *unit = (uint32_t)atomic_load(&in->next);
        *position = 0;
    }
}

static void describe(const header *first, bri_message *message)
{
    *message = (bri_message){first->kind, first->size, 0};
    if ((first->kind & BRI_MESSAGE_BLOCK) != 0) {
        bri_label label;
        memcpy(&label, first + 1, sizeof label);
        message->size = label.size;
        message->block = label.block;
    }
}

static brood_status check_wish(const bri_wish *wish, const bri_message *message)
{
    bool is_value = (message->kind & BRI_MESSAGE_VALUE) != 0;
    if (!(is_value ? wish->value : wish->bytes))
        return BROOD_ETYPE;
    return message->size > (message->block != 0 ? wish->block_room : wish->room) ? BROOD_ETOOLONG
                                                                                 : BROOD_OK;
}

/* Under the latch. The segments from *from up to, without, *to are used up. */
static brood_status take_locked(bri_ring_view *view, const bri_wish *wish, bri_message *message,
                                uint32_t *from, uint32_t *to)
{
    bri_ring *ring = view->ring;
    bri_end *head = &ring->head;
    uint64_t count = count_of(head);
    if (head->other_count == count)
        head->other_count = count_of(&ring->tail);
    if (head->other_count == count)
        return BROOD_EEMPTY;
    const bri_place *here = &head->places[count & 1];
    bri_place *next = &head->places[(count + 1) & 1];
    uint32_t unit = here->segment, position = here->position;
    const header *first = find_first(view->arena, &unit, &position);
    describe(first, message);
    BROOD_TRY(check_wish(wish, message));
    uint64_t weight = length_of(first->size);
    if (message->block != 0)
        weight = bri_parcel_weight(message->size);
    else if (first->size != 0)
        memcpy(wish->data, first + 1, first->size);
    BRI_KILL_POINT("ring-take-copied");
    *from = here->segment;
    *to = next->segment = unit;
    next->position = position + length_of(first->size);
    atomic_store_explicit(&next->bytes, bytes_of(head) + weight, memory_order_relaxed);
    BRI_KILL_POINT("ring-take-prepared");
    if (message->block != 0)
        bri_parcel_take(view, message->block, count);
    atomic_store_explicit(&head->count, count + 1, memory_order_release);
    BRI_KILL_POINT("ring-take-done");
    return BROOD_OK;
}

static void free_segments(bri_arena *arena, uint32_t from, uint32_t to)
{
    while (from != to) {
        uint32_t next = (uint32_t)atomic_load(&segment_at(arena, from)->next);
        BRI_KILL_POINT("ring-segment-free");
        bri_arena_free(arena, (uint64_t)from * BRI_LINE + PAYLOAD);
        from = next;
    }
}

/* One try; the bell is rung for a producer. */
static brood_status try_take(bri_ring_view *view, const bri_wish *wish, bri_message *message,
                             bri_patience *patience)
{
    bri_ring *ring = view->ring;
    uint32_t from = 0, to = 0;
    BROOD_TRY(bri_end_lock(&ring->head, &view->get_latch, patience));
    BRI_KILL_POINT("ring-take-locked");
    brood_status status = take_locked(view, wish, message, &from, &to);
    bri_latch_unlock(&ring->head.latch);
    BRI_KILL_POINT("ring-take-unlocked");
    if (status != BROOD_OK)
        return status;
    free_segments(view->arena, from, to);
    bri_bell_ring(&ring->not_full, ring->maxsize == UINT64_MAX ? INT32_MAX : 1);
    return BROOD_OK;
}

brood_status bri_ring_take(bri_ring_view *view, const bri_wish *wish, bri_message *message,
                           bri_patience *patience)
{
    bri_ring *ring = view->ring;
    bool slept = false;
    for (;;) {
        /* Before the look at the messages: nothing comes after the closing. */
        bool closed = atomic_load(&ring->closed) != 0;
        brood_status status = try_take(view, wish, message, patience);
        if (status == BROOD_EEMPTY && closed)
            return BROOD_ECLOSED;
        if (status == BROOD_EEMPTY && patience->timeout != 0) {
            BROOD_TRY(wait_for(ring, &ring->not_empty, &view->get_message, has_message, 0, patience,
                               &slept));
            continue;
        }
        if (slept && !is_empty(ring))
            bri_bell_ring(&ring->not_empty, 1);
        return status == BROOD_ETIMEDOUT && patience->timeout == 0 ? BROOD_EEMPTY : status;
    }
}

/* ---- the rest ---- */

uint64_t bri_ring_size(const bri_ring *ring)
{
    for (;;) {
        uint64_t head = atomic_load(&ring->head.count), tail = atomic_load(&ring->tail.count);
        if (atomic_load(&ring->head.count) == head)
            return tail - head;
    }
}

bool bri_ring_is_full(const bri_ring *ring)
{
    return bri_ring_size(ring) != 0 && atomic_load(&ring->closed) == 0 && !has_room(ring, HEADER);
}

void bri_ring_close(bri_ring_view *view)
{
    bri_ring *ring = view->ring;
    bri_patience patience = {.timeout = 0};
    brood_status status = bri_end_lock(&ring->tail, &view->put_latch, &patience);
    atomic_store(&ring->closed, 1);
    BRI_KILL_POINT("ring-closed");
    if (status == BROOD_OK)
        bri_latch_unlock(&ring->tail.latch);
    bri_bell_ring(&ring->not_empty, INT32_MAX);
    bri_bell_ring(&ring->not_full, INT32_MAX);
}

/* Each message, then each segment, is unlinked first and then freed. */
void bri_ring_destroy(bri_arena *arena, bri_ring *ring)
{
    bri_end *head = &ring->head;
    for (uint64_t count; (count = count_of(head)) != count_of(&ring->tail);) {
        const bri_place *here = &head->places[count & 1];
        bri_place *next = &head->places[(count + 1) & 1];
        uint32_t unit = here->segment, position = here->position;
        bri_message message;
        const header *first = find_first(arena, &unit, &position);
        uint32_t from = here->segment;
        describe(first, &message);
        next->segment = unit;
        next->position = position + length_of(first->size);
        atomic_store(&head->count, count + 1);
        BRI_KILL_POINT("ring-destroy-message");
        bri_arena_free(arena, message.block);
        free_segments(arena, from, unit);
    }
    bri_place *last = &head->places[count_of(head) & 1];
    while (last->segment != 0) {
        uint32_t unit = last->segment;
        last->segment = (uint32_t)atomic_load(&segment_at(arena, unit)->next);
        BRI_KILL_POINT("ring-destroy-segment");
        bri_arena_free(arena, (uint64_t)unit * BRI_LINE + PAYLOAD);
    }
}
