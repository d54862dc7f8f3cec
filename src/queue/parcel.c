/*
 * queue/parcel.c - see the header.
 *
 * A note is the block's unit << 32 | the message's number; a block's mark says whose it is. A note
 * of a dead process counts only while the mark names that process: so it does not matter if the
 * block has gone on meanwhile. Between a mark and the step that makes it true a kill can leave one
 * block unused.
 */
#include "queue/parcel.h"

#include <string.h>

#include "core/killpoint.h"

/* Before the bytes, which begin at a line. */
typedef struct parcel {
    _Atomic uint64_t mark; /* MADE or TAKEN + owner, or POSTED */
    uint64_t unused[5];
} parcel;

#define MADE UINT64_C(0x4d41444500000000)
#define TAKEN UINT64_C(0x544f4f4b00000000)
#define POSTED UINT64_C(0x504f535400000000)

enum { PAYLOAD = 16 };

static parcel *parcel_at(const bri_arena *arena, uint64_t block)
{
    return bri_arena_at(arena, block);
}

void *bri_parcel_data(const bri_arena *arena, uint64_t block)
{
    return parcel_at(arena, block) + 1;
}

uint64_t bri_parcel_weight(uint64_t size)
{
    return size + sizeof(parcel) + BRI_LINE;
}

static uint64_t note_of(uint64_t block, uint64_t count)
{
    return (block - PAYLOAD) / BRI_LINE << 32 | (uint32_t)count;
}

static uint64_t block_of(uint64_t note)
{
    return (note >> 32) * BRI_LINE + PAYLOAD;
}

/* Threads of this process share the notes; one that finds none free goes without. */
static void write_note(bri_holder *holder, uint64_t note)
{
    for (int i = 0; i < BRI_LOOSE; i++) {
        uint64_t none = 0;
        if (atomic_compare_exchange_strong(&holder->loose[i], &none, note))
            return;
    }
}

static void clear_note(bri_holder *holder, uint64_t block)
{
    for (int i = 0; i < BRI_LOOSE; i++) {
        uint64_t note = atomic_load(&holder->loose[i]);
        if (note != 0 && block_of(note) == block)
            atomic_store(&holder->loose[i], 0);
    }
}

brood_status bri_parcel_make(bri_ring_view *view, const void *data, size_t size, uint64_t *block)
{
    bri_arena *arena = view->arena;
    BROOD_TRY(bri_arena_alloc(arena, sizeof(parcel) + (uint64_t)size, block));
    BRI_KILL_POINT("parcel-allocated");
    atomic_store(&parcel_at(arena, *block)->mark, MADE | arena->me);
    BRI_KILL_POINT("parcel-marked");
    write_note(view->holder, note_of(*block, 0));
    BRI_KILL_POINT("parcel-noted");
    memcpy(bri_parcel_data(arena, *block), data, size);
    return BROOD_OK;
}

void bri_parcel_post(bri_ring_view *view, uint64_t block)
{
    atomic_store(&parcel_at(view->arena, block)->mark, POSTED);
    BRI_KILL_POINT("parcel-post");
}

void bri_parcel_posted(bri_ring_view *view, uint64_t block)
{
    clear_note(view->holder, block);
    BRI_KILL_POINT("parcel-posted");
}

void bri_parcel_take(bri_ring_view *view, uint64_t block, uint64_t count)
{
    write_note(view->holder, note_of(block, count));
    BRI_KILL_POINT("parcel-take");
    atomic_store(&parcel_at(view->arena, block)->mark, TAKEN | view->arena->me);
    BRI_KILL_POINT("parcel-taken");
}

void bri_parcel_end(bri_ring_view *view, uint64_t block)
{
    BRI_KILL_POINT("parcel-end");
    clear_note(view->holder, block);
    BRI_KILL_POINT("parcel-end-cleared");
    bri_arena_free(view->arena, block);
}

/* Whether message number `count` was taken from the ring: by the dead process, whose mark is still
 * on it, or it is still there. */
static bool was_taken(bri_ring *ring, uint32_t count)
{
    bri_spin_place place = 0;
    bri_patience patience = {.timeout = 0};
    if (bri_end_lock(&ring->head, &place, &patience) != BROOD_OK)
        return false; /* a stopped process: rather a block unused than one used twice */
    bool taken = (uint32_t)atomic_load(&ring->head.count) != count;
    bri_latch_unlock(&ring->head.latch);
    return taken;
}

void bri_parcels_sweep(bri_arena *arena, bri_ring *ring, bri_owner dead, bri_holder *holder)
{
    for (int i = 0; i < BRI_LOOSE; i++) {
        uint64_t note = atomic_load(&holder->loose[i]);
        if (note == 0)
            continue;
        uint64_t block = block_of(note), mark = atomic_load(&parcel_at(arena, block)->mark);
        bool is_loose =
            mark == (MADE | dead) || (mark == (TAKEN | dead) && was_taken(ring, (uint32_t)note));
        atomic_store(&holder->loose[i], 0);
        BRI_KILL_POINT("parcel-sweep");
        if (is_loose)
            bri_arena_free(arena, block);
    }
}
