/*
 * ipc/blocks.c - the arena's allocator.
 *
 * Blocks have sizes of classes (four a doubling), are cut from the edges of the free middle and
 * never change size or place again, so a header is a header for ever and may be read by anybody at
 * any time. Free blocks stand on a stack a class; the stack's word carries a count of changes, so
 * that an old view of it cannot be put back.
 */
#include "ipc/arena.h"

#include "base/error.h"
#include "core/killpoint.h"
#include "ipc/layout.h"

#define BLOCK_MARK UINT32_C(0x6b6c6200) /* + class in the low byte */

enum {
    PAYLOAD = 16,          /* of a block begins here */
    LARGE_CLASS = 51,      /* the first of 1 MiB and more */
    KEPT_BYTES = 64 << 20, /* of large free blocks that keep their memory */
    LEAST_STEP = 64 << 10, /* of growth */
    MOST_STEP = 4 << 20,
    LIST_MOST = 31,           /* counts of a list stop here, and never go down again */
    KEPT_MOST = LIST_MOST - 1 /* blocks in a list whose count is needed */
};

/* ---- classes of sizes ---- */

static uint64_t units_of_class(uint32_t class)
{
    if (class < 4)
        return class + 1;
    uint32_t doubling = class / 4 + 1, step = class % 4 + 1;
    return (UINT64_C(1) << doubling) + ((uint64_t)step << (doubling - 2));
}

static uint32_t class_of_units(uint64_t units)
{
    if (units <= 4)
        return units == 0 ? 0 : (uint32_t)units - 1;
    uint32_t doubling = 2;
    while (units > UINT64_C(2) << doubling)
        doubling++;
    uint64_t above = units - (UINT64_C(1) << doubling);
    uint64_t step = UINT64_C(1) << (doubling - 2);
    return doubling * 4 - 4 + (uint32_t)((above + step - 1) / step) - 1;
}

static bri_block *block_at(const bri_arena *arena, uint64_t unit)
{
    return bri_arena_at(arena, unit * BRI_LINE);
}

static uint32_t class_of_block(const bri_block *block)
{
    return atomic_load(&block->mark) & 0xff;
}

static uint64_t unit_of(uint64_t offset)
{
    return (offset - PAYLOAD) / BRI_LINE;
}

/* ---- stacks of free blocks ---- */

static uint32_t list_first(uint64_t list)
{
    return (uint32_t)list;
}

static uint32_t list_count(uint64_t list)
{
    return (uint32_t)(list >> 32) & LIST_MOST;
}

static uint64_t list_word(uint64_t before, uint64_t first, uint32_t count)
{
    uint64_t changes = (before >> 37) + 1;
    return changes << 37 | (uint64_t)(count > LIST_MOST ? LIST_MOST : count) << 32 | first;
}

/* False: `most` are there already. */
static bool push_block(bri_arena *arena, _Atomic uint64_t *list, uint64_t unit, uint32_t most)
{
    bri_block *block = block_at(arena, unit);
    uint64_t old = atomic_load(list);
    do {
        if (list_count(old) >= most)
            return false;
        atomic_store(&block->next, list_first(old));
        BRI_KILL_POINT("arena-push");
    } while (!atomic_compare_exchange_weak(list, &old, list_word(old, unit, list_count(old) + 1)));
    return true;
}

/* 0 when there is none. */
static uint64_t pop_block(bri_arena *arena, _Atomic uint64_t *list)
{
    uint64_t old = atomic_load(list);
    for (;;) {
        uint32_t unit = list_first(old);
        if (unit == 0)
            return 0;
        uint32_t next = atomic_load(&block_at(arena, unit)->next);
        uint32_t count = list_count(old);
        /* A count that reached its most is no count any more; lists that use it stay below. */
        uint64_t new = list_word(old, next, count == LIST_MOST ? count : count - 1);
        BRI_KILL_POINT("arena-pop");
        if (atomic_compare_exchange_weak(list, &old, new))
            return unit;
    }
}

/* ---- cutting new blocks ---- */

static brood_status fail_full(const bri_arena *arena, uint64_t size)
{
    return bri_fail(
        BROOD_ENOMEM,
        "could not take %llu bytes of shared memory: the arena's %llu bytes are used up",
        (unsigned long long)size, (unsigned long long)arena->head->reserved);
}

/* Backs the small blocks' part at least up to `end`, if possible with some reserve. */
static brood_status back_up_to(bri_arena *arena, uint64_t end, uint64_t limit)
{
    bri_arena_head *head = arena->head;
    uint64_t from = atomic_load(&head->committed);
    if (from >= end)
        return BROOD_OK;
    uint64_t step = (from - head->heap) / 4;
    step = step < LEAST_STEP ? LEAST_STEP : step > MOST_STEP ? MOST_STEP : step;
    uint64_t to = (end + step) / LEAST_STEP * LEAST_STEP;
    to = to > limit ? limit : to;
    if (to < end || brp_section_commit(&arena->section, from, to - from) != BROOD_OK) {
        to = end;
        BROOD_TRY(brp_section_commit(&arena->section, from, to - from));
    }
    BRI_KILL_POINT("arena-backed");
    while (from < to && !atomic_compare_exchange_weak(&head->committed, &from, to)) {
    }
    return BROOD_OK;
}

static brood_status cut_small(bri_arena *arena, uint32_t class, uint64_t *unit)
{
    bri_arena_head *head = arena->head;
    uint64_t units = units_of_class(class);
    uint64_t edges = atomic_load(&head->edges);
    for (;;) {
        uint64_t start = edges & UINT32_MAX, end = start + units, limit = edges >> 32;
        if (end > limit)
            return fail_full(arena, units * BRI_LINE);
        if (end * BRI_LINE > atomic_load(&head->committed)) {
            BROOD_TRY(back_up_to(arena, end * BRI_LINE, limit * BRI_LINE));
            edges = atomic_load(&head->edges);
            continue;
        }
        BRI_KILL_POINT("arena-cut");
        if (atomic_compare_exchange_weak(&head->edges, &edges, limit << 32 | end)) {
            *unit = start;
            break;
        }
    }
    BRI_KILL_POINT("arena-cut-done");
    bri_block *block = block_at(arena, *unit);
    atomic_store(&block->mark, BLOCK_MARK + class);
    return BROOD_OK;
}

/* A large block is backed as far as it is used; before it is cut, so that a failure changes
 * nothing. */
static brood_status cut_large(bri_arena *arena, uint32_t class, uint64_t used, uint64_t *unit)
{
    bri_arena_head *head = arena->head;
    uint64_t units = units_of_class(class);
    uint64_t edges = atomic_load(&head->edges);
    for (;;) {
        uint64_t end = edges >> 32, limit = edges & UINT32_MAX;
        if (limit + units > end)
            return fail_full(arena, used);
        uint64_t start = end - units;
        BROOD_TRY(brp_section_commit(&arena->section, start * BRI_LINE, used));
        BRI_KILL_POINT("arena-cut-large");
        if (atomic_compare_exchange_strong(&head->edges, &edges, start << 32 | limit)) {
            *unit = start;
            break;
        }
    }
    BRI_KILL_POINT("arena-cut-large-done");
    bri_block *block = block_at(arena, *unit);
    atomic_store(&block->mark, BLOCK_MARK + class);
    atomic_store(&block->as.backed, used);
    return BROOD_OK;
}

/* ---- taking and giving back ---- */

static brood_status take_small(bri_arena *arena, uint32_t class, uint64_t *unit)
{
    bri_arena_head *head = arena->head;
    *unit = pop_block(arena, &head->blocks[class]);
    if (*unit != 0)
        return BROOD_OK;
    brood_status status = cut_small(arena, class, unit);
    if (status == BROOD_OK)
        return status;
    /* A block up to four times as large is better than none. */
    for (uint32_t larger = class + 1; larger < class + 8 && larger < LARGE_CLASS; larger++) {
        *unit = pop_block(arena, &head->blocks[larger]);
        if (*unit != 0)
            return BROOD_OK;
    }
    return status;
}

static brood_status take_large(bri_arena *arena, uint32_t class, uint64_t used, uint64_t *unit)
{
    bri_arena_head *head = arena->head;
    *unit = pop_block(arena, &head->kept[class]);
    if (*unit == 0)
        *unit = pop_block(arena, &head->blocks[class]);
    if (*unit == 0)
        return cut_large(arena, class, used, unit);
    bri_block *block = block_at(arena, *unit);
    if (atomic_load(&block->as.backed) >= used)
        return BROOD_OK;
    brood_status status = brp_section_commit(&arena->section, *unit * BRI_LINE, used);
    if (status != BROOD_OK) {
        push_block(arena, &head->blocks[class], *unit, UINT32_MAX);
        return status;
    }
    atomic_store(&block->as.backed, used);
    return BROOD_OK;
}

brood_status bri_arena_alloc(bri_arena *arena, uint64_t size, uint64_t *offset)
{
    if (size > arena->head->reserved)
        return fail_full(arena, size);
    uint64_t units = (size + PAYLOAD + BRI_LINE - 1) / BRI_LINE;
    uint32_t class = class_of_units(units);
    uint64_t unit;
    if (class < LARGE_CLASS)
        BROOD_TRY(take_small(arena, class, &unit));
    else
        BROOD_TRY(take_large(arena, class, units * BRI_LINE, &unit));
    BRI_KILL_POINT("arena-taken");
    *offset = unit * BRI_LINE + PAYLOAD;
    return BROOD_OK;
}

/* Memory that large free blocks keep already. */
static uint64_t kept_bytes(const bri_arena_head *head)
{
    uint64_t bytes = 0;
    for (uint32_t i = LARGE_CLASS; units_of_class(i) * BRI_LINE <= KEPT_BYTES; i++)
        bytes += list_count(atomic_load_explicit(&head->kept[i], memory_order_relaxed)) *
                 units_of_class(i) * BRI_LINE;
    return bytes;
}

static void give_back_large(bri_arena *arena, bri_block *block, uint64_t unit)
{
    bri_arena_head *head = arena->head;
    uint32_t class = class_of_block(block);
    uint64_t backed = atomic_load(&block->as.backed);
    bool is_kept = backed > BRI_LINE && backed + kept_bytes(head) <= KEPT_BYTES;
    if (is_kept && push_block(arena, &head->kept[class], unit, KEPT_MOST))
        return;
    atomic_store(&block->as.backed, BRI_LINE);
    BRI_KILL_POINT("arena-discard");
    if (backed > BRI_LINE)
        brp_section_discard(&arena->section, unit * BRI_LINE + BRI_LINE, backed - BRI_LINE);
    push_block(arena, &head->blocks[class], unit, UINT32_MAX);
}

void bri_arena_free(bri_arena *arena, uint64_t offset)
{
    if (offset == 0)
        return;
    uint64_t unit = unit_of(offset);
    bri_block *block = block_at(arena, unit);
    uint32_t class = class_of_block(block);
    BRI_KILL_POINT("arena-free");
    if (class < LARGE_CLASS)
        push_block(arena, &arena->head->blocks[class], unit, UINT32_MAX);
    else
        give_back_large(arena, block, unit);
}

uint64_t bri_arena_block_size(const bri_arena *arena, uint64_t offset)
{
    const bri_block *block = block_at(arena, unit_of(offset));
    return units_of_class(class_of_block(block)) * BRI_LINE - PAYLOAD;
}

_Atomic uint64_t *bri_arena_life(const bri_arena *arena, uint64_t offset)
{
    bri_arena_head *head = arena->head;
    if (offset % BRI_LINE != PAYLOAD || offset < head->heap + PAYLOAD ||
        unit_of(offset) >= (atomic_load(&head->edges) & UINT32_MAX))
        return NULL;
    bri_block *block = block_at(arena, unit_of(offset));
    uint32_t mark = atomic_load(&block->mark);
    if (mark < BLOCK_MARK || mark >= BLOCK_MARK + LARGE_CLASS)
        return NULL;
    return &block->as.life;
}

static uint64_t bytes_of_list(const bri_arena *arena, uint64_t list, uint32_t class)
{
    uint64_t bytes = 0;
    for (uint32_t unit = list_first(list); unit != 0;
         unit = atomic_load(&block_at(arena, unit)->next))
        bytes += units_of_class(class) * BRI_LINE;
    return bytes;
}

void bri_arena_count(const bri_arena *arena, bri_arena_use *use)
{
    bri_arena_head *head = arena->head;
    uint64_t edges = atomic_load(&head->edges);
    use->reserved = head->reserved;
    use->committed = atomic_load(&head->committed) - head->heap;
    use->cut =
        (edges & UINT32_MAX) * BRI_LINE - head->heap + head->reserved - (edges >> 32) * BRI_LINE;
    use->idle = 0;
    for (uint32_t i = 0; i < BRI_ARENA_CLASSES; i++) {
        use->idle += bytes_of_list(arena, atomic_load(&head->blocks[i]), i);
        use->idle += bytes_of_list(arena, atomic_load(&head->kept[i]), i);
    }
}
