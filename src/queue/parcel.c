/*
 * queue/parcel.c - see the header.
 *
 * A note is the block's unit << 32 | the message's number; a block's mark says whose it is. A note
 * of a dead process counts only while the mark names that process: so it does not matter if the
 * block has gone on meanwhile. Between a mark and the step that makes it true a kill can leave one
 * block unused. The first note of a process stands in its holder record, more in tables that only
 * it uses.
 */
#include "queue/parcel.h"

#include <string.h>

#include "core/killpoint.h"

/* Before the bytes, which begin at a line. */
typedef struct parcel {
    _Atomic uint64_t mark; /* MADE or TAKEN + owner, or POSTED */
    uint64_t size;         /* of the bytes, while nobody else has it */
    uint64_t ring;         /* offset: the notes of its processes are there */
    uint64_t unused[3];
} parcel;

enum { NOTES = 29 };

/* What a process has in hand, beyond the first. */
typedef struct note_table {
    _Atomic uint64_t next; /* offset of the next table, or 0; set once */
    _Atomic uint64_t notes[NOTES];
} note_table;

enum { FIRST_NOTE, TABLES }; /* of bri_holder.loose */

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

static bool put_note(_Atomic uint64_t *place, uint64_t note)
{
    uint64_t none = 0;
    return atomic_load_explicit(place, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong(place, &none, note);
}

/* The table behind that link, made when there is none; NULL when there is no memory. */
static note_table *next_table(bri_arena *arena, _Atomic uint64_t *link)
{
    uint64_t offset = atomic_load(link), made;
    if (offset != 0)
        return bri_arena_at(arena, offset);
    if (bri_arena_alloc(arena, sizeof(note_table), &made) != BROOD_OK)
        return NULL;
    note_table *table = bri_arena_at(arena, made);
    atomic_store(&table->next, 0);
    for (int i = 0; i < NOTES; i++)
        atomic_store_explicit(&table->notes[i], 0, memory_order_relaxed);
    BRI_KILL_POINT("parcel-table");
    if (atomic_compare_exchange_strong(link, &offset, made))
        return table;
    bri_arena_free(arena, made);
    return bri_arena_at(arena, offset);
}

/* Threads of this process share the notes. Without memory for more it goes without. */
static void write_note(bri_arena *arena, bri_holder *holder, uint64_t note)
{
    if (put_note(&holder->loose[FIRST_NOTE], note))
        return;
    note_table *table = next_table(arena, &holder->loose[TABLES]);
    while (table != NULL) {
        for (int i = 0; i < NOTES; i++)
            if (put_note(&table->notes[i], note))
                return;
        table = next_table(arena, &table->next);
    }
}

/* Two threads may have a note of the same block: one that has put it, and one that took it since.
 * Each clears one, whichever. */
static bool clear_if(_Atomic uint64_t *place, uint64_t block)
{
    uint64_t note = atomic_load(place);
    if (note == 0 || block_of(note) != block)
        return false;
    BRI_KILL_POINT("parcel-note-found");
    return atomic_compare_exchange_strong(place, &note, 0);
}

static void clear_note(bri_arena *arena, bri_holder *holder, uint64_t block)
{
    if (clear_if(&holder->loose[FIRST_NOTE], block))
        return;
    uint64_t offset = atomic_load(&holder->loose[TABLES]);
    while (offset != 0) {
        note_table *table = bri_arena_at(arena, offset);
        for (int i = 0; i < NOTES; i++)
            if (clear_if(&table->notes[i], block))
                return;
        offset = atomic_load(&table->next);
    }
}

/* Unlinked first, then freed. */
static void free_tables(bri_arena *arena, bri_holder *holder)
{
    uint64_t offset;
    while ((offset = atomic_load(&holder->loose[TABLES])) != 0) {
        note_table *table = bri_arena_at(arena, offset);
        atomic_store(&holder->loose[TABLES], atomic_load(&table->next));
        BRI_KILL_POINT("parcel-table-free");
        bri_arena_free(arena, offset);
    }
}

brood_status bri_parcel_reserve(bri_ring_view *view, uint64_t size, uint64_t *block)
{
    bri_arena *arena = view->arena;
    if (size > UINT64_MAX - sizeof(parcel))
        return bri_fail(BROOD_ENOMEM, "could not take %llu bytes of shared memory",
                        (unsigned long long)size);
    BROOD_TRY(bri_arena_alloc(arena, sizeof(parcel) + size, block));
    BRI_KILL_POINT("parcel-allocated");
    parcel_at(arena, *block)->size = size;
    parcel_at(arena, *block)->ring = bri_arena_offset(arena, view->ring);
    atomic_store(&parcel_at(arena, *block)->mark, MADE | arena->me);
    BRI_KILL_POINT("parcel-marked");
    write_note(arena, view->holder, note_of(*block, 0));
    BRI_KILL_POINT("parcel-noted");
    return BROOD_OK;
}

brood_status bri_parcel_make(bri_ring_view *view, const void *data, size_t size, uint64_t *block)
{
    BROOD_TRY(bri_parcel_reserve(view, size, block));
    memcpy(bri_parcel_data(view->arena, *block), data, size);
    return BROOD_OK;
}

/* The block of this ring whose bytes begin there, when it has that mark of this process. */
static uint64_t find_parcel(const bri_ring_view *view, const void *data, uint64_t mark)
{
    const bri_arena *arena = view->arena;
    const unsigned char *at = data;
    if (data == NULL || at < arena->base + arena->head->heap + BRI_LINE ||
        at >= arena->base + arena->head->reserved || (size_t)(at - arena->base) % BRI_LINE != 0)
        return 0;
    uint64_t block = bri_arena_offset(arena, data) - sizeof(parcel);
    const parcel *found = parcel_at(arena, block);
    bool is_mine = atomic_load(&found->mark) == (mark | arena->me);
    return is_mine && found->ring == bri_arena_offset(arena, view->ring) ? block : 0;
}

uint64_t bri_parcel_reserved(const bri_ring_view *view, const void *data, uint64_t *size)
{
    uint64_t block = find_parcel(view, data, MADE);
    *size = block == 0 ? 0 : parcel_at(view->arena, block)->size;
    return block;
}

uint64_t bri_parcel_taken(const bri_ring_view *view, const void *data)
{
    return find_parcel(view, data, TAKEN);
}

void bri_parcel_post(bri_ring_view *view, uint64_t block)
{
    atomic_store(&parcel_at(view->arena, block)->mark, POSTED);
    BRI_KILL_POINT("parcel-post");
}

void bri_parcel_posted(bri_ring_view *view, uint64_t block)
{
    clear_note(view->arena, view->holder, block);
    BRI_KILL_POINT("parcel-posted");
}

void bri_parcel_take(bri_ring_view *view, uint64_t block, uint64_t count)
{
    write_note(view->arena, view->holder, note_of(block, count));
    BRI_KILL_POINT("parcel-take");
    atomic_store(&parcel_at(view->arena, block)->mark, TAKEN | view->arena->me);
    BRI_KILL_POINT("parcel-taken");
}

void bri_parcel_end(bri_ring_view *view, uint64_t block)
{
    BRI_KILL_POINT("parcel-end");
    clear_note(view->arena, view->holder, block);
    BRI_KILL_POINT("parcel-end-cleared");
    atomic_store(&parcel_at(view->arena, block)->mark, 0);
    bri_arena_free(view->arena, block);
}

/* Whether message number `count` was taken from the ring: by the dead process, whose mark is still
 * on it, or it is still there. */
static brood_status look_if_taken(bri_arena *arena, bri_ring *ring, uint32_t count,
                                  bri_deadline deadline, bool *taken)
{
    BROOD_TRY(bri_head_lock_until(arena, ring, deadline));
    uint32_t ahead = (uint32_t)bri_count_of(&ring->head) - count;
    bri_latch_unlock(&ring->head.latch);
    *taken = ahead != 0 && ahead < UINT32_C(1) << 31;
    return BROOD_OK;
}

static brood_status sweep_note(bri_arena *arena, bri_ring *ring, bri_owner dead,
                               _Atomic uint64_t *place, bri_deadline deadline)
{
    uint64_t note = atomic_load(place);
    if (note == 0)
        return BROOD_OK;
    uint64_t block = block_of(note);
    _Atomic uint64_t *word = &parcel_at(arena, block)->mark;
    uint64_t mark = atomic_load(word);
    bool is_loose = mark == (MADE | dead);
    if (mark == (TAKEN | dead))
        BROOD_TRY(look_if_taken(arena, ring, (uint32_t)note, deadline, &is_loose));
    atomic_store(place, 0);
    BRI_KILL_POINT("parcel-sweep");
    /* Once, though there may be two notes. */
    if (is_loose && atomic_compare_exchange_strong(word, &mark, 0)) {
        BRI_KILL_POINT("parcel-sweep-unmarked");
        bri_arena_free(arena, block);
    }
    return BROOD_OK;
}

brood_status bri_parcels_sweep(bri_arena *arena, bri_ring *ring, bri_owner dead, bri_holder *holder,
                               bri_deadline deadline)
{
    BROOD_TRY(sweep_note(arena, ring, dead, &holder->loose[FIRST_NOTE], deadline));
    uint64_t offset = atomic_load(&holder->loose[TABLES]);
    while (offset != 0) {
        note_table *table = bri_arena_at(arena, offset);
        for (int i = 0; i < NOTES; i++)
            BROOD_TRY(sweep_note(arena, ring, dead, &table->notes[i], deadline));
        offset = atomic_load(&table->next);
    }
    free_tables(arena, holder);
    return BROOD_OK;
}

void bri_parcels_leave(bri_ring_view *view)
{
    bri_parcels_sweep(view->arena, view->ring, view->arena->me, view->holder, BRI_NEVER);
}
