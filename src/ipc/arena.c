/* ipc/arena.c - making the arena, mapping it, handing it on. Its allocator is in blocks.c. */
#include "ipc/arena.h"

#include <stdlib.h>
#include <string.h>

#include <brood/init.h>

#include "base/memory.h"
#include "ipc/layout.h"
#include "ipc/proctable.h"
#include "platform/ident.h"

#define ARENA_MAGIC UINT64_C(0x31616e6572616462) /* "bdarena1" */
#define MIB (UINT64_C(1) << 20)

enum {
    LEAST_STEP = 64 << 10, /* the heap begins at a multiple of it */
    SPINS = 200            /* rounds of brp_cpu_relax: about 2 us */
};

static const uint64_t DEFAULT_SIZE = 16384 * MIB;
static const uint64_t LEAST_SIZE = MIB; /* the tables alone take half of it */
static const uint64_t MOST_SIZE = (UINT64_C(1) << 32) * BRI_LINE;

static uint64_t size_from_environment(void)
{
    const char *text = getenv("BROOD_ARENA_SIZE");
    if (text == NULL || *text < '0' || *text > '9')
        return 0;
    char *end;
    uint64_t size = strtoull(text, &end, 10);
    static const char units[] = "KMG";
    const char *unit = *end == '\0' ? NULL : strchr(units, *end);
    int shift = unit == NULL ? 0 : 10 * (int)(unit - units + 1);
    return size > UINT64_MAX >> shift ? 0 : size << shift;
}

brood_status brood_set_arena_size(uint64_t size)
{
    brood_status status = BROOD_OK;
    BROOD_TRY(bri_runtime_start());
    brp_mutex_lock(bri_the_runtime.lock);
    if (bri_the_runtime.arena != NULL || bri_the_runtime.is_child)
        status = bri_fail(BROOD_ESTATE,
                          "could not set the size of the shared memory: it is in use already");
    else
        bri_the_runtime.arena_size = size;
    brp_mutex_unlock(bri_the_runtime.lock);
    return status;
}

static uint64_t round_up(uint64_t value, uint64_t step)
{
    return (value + step - 1) / step * step;
}

/* The fixed parts, in a section that is all zero. */
static brood_status lay_out(bri_arena *arena)
{
    brp_section *section = &arena->section;
    bri_arena_head *head = arena->head;
    uint64_t words = round_up(sizeof *head, BRI_LINE);
    uint64_t slots = round_up(words + brp_words_size(), BRI_LINE);
    uint64_t parks = slots + BRI_MAX_SLOTS * sizeof(bri_slot);
    uint64_t heap = round_up(parks + BRI_MAX_PARKS * sizeof(uint64_t), LEAST_STEP);
    uint64_t slots_backed = BRI_SLOTS_STEP * sizeof(bri_slot);
    BROOD_TRY(brp_section_commit(section, 0, slots + slots_backed));
    BROOD_TRY(brp_section_commit(section, parks, BRI_PARKS_STEP * sizeof(uint64_t)));
    head->reserved = section->reserved < MOST_SIZE ? section->reserved : MOST_SIZE - LEAST_STEP;
    head->words = words;
    head->slots = slots;
    head->parks = parks;
    head->heap = heap;
    atomic_store(&head->edges, head->reserved / BRI_LINE << 32 | heap / BRI_LINE);
    atomic_store(&head->committed, heap);
    atomic_store(&head->n_slots, BRI_SLOTS_STEP);
    atomic_store(&head->n_parks, BRI_PARKS_STEP);
    head->spins = brp_usable_cpus() > 1 ? SPINS : 0;
    head->magic = ARENA_MAGIC;
    return BROOD_OK;
}

static void close_arena(bri_arena *arena)
{
    brp_words_close(arena->words);
    brp_section_close(&arena->section);
    bri_free(arena);
}

static bri_arena *new_view(void)
{
    bri_arena *arena = bri_calloc(1, sizeof *arena);
    if (arena == NULL)
        return NULL;
    arena->section.handle = BRP_NO_HANDLE;
    return arena;
}

static void set_base(bri_arena *arena)
{
    arena->base = arena->section.base;
    arena->head = (bri_arena_head *)(void *)arena->base;
}

/* Maps what another process has made. `section` is moved in. */
static brood_status map_arena(bri_arena *arena, brp_handle section, uint64_t reserved)
{
    BROOD_TRY(brp_section_open(&arena->section, section, reserved));
    set_base(arena);
    if (arena->head->magic != ARENA_MAGIC || arena->head->reserved > arena->section.reserved)
        return bri_fail(BROOD_EVERSION,
                        "could not use the parent's shared memory: it has another layout");
    arena->spins = arena->head->spins;
    return BROOD_OK;
}

/* Under the lock. */
static brood_status keep_promise(bri_arena **kept)
{
    bri_arena *arena = bri_the_runtime.promised_arena;
    brp_handle section = arena->section.handle;
    bri_owner self = arena->me;
    bri_the_runtime.promised_arena = NULL;
    arena->section.handle = BRP_NO_HANDLE;
    arena->me = 0;
    brood_status status = map_arena(arena, section, arena->section.reserved);
    if (status == BROOD_OK) {
        bri_the_runtime.arena = arena;
        status = bri_proctable_enter(self, brp_pid(), brp_start_time(brp_pid()));
    }
    if (status != BROOD_OK) {
        bri_the_runtime.arena = NULL;
        close_arena(arena);
        return status;
    }
    *kept = arena;
    return BROOD_OK;
}

brood_status bri_arena_promise(brp_handle section, uint64_t reserved, bri_owner self)
{
    bri_arena *arena = new_view();
    if (arena == NULL) {
        brp_handle_close(&section);
        return BROOD_ENOMEM;
    }
    arena->section.handle = section;
    arena->section.reserved = reserved;
    arena->me = self;
    bri_the_runtime.promised_arena = arena;
    return BROOD_OK;
}

static brood_status make_arena(bri_arena **made)
{
    uint64_t size = bri_the_runtime.arena_size;
    if (size == 0)
        size = size_from_environment();
    size = size == 0 ? DEFAULT_SIZE : size < LEAST_SIZE ? LEAST_SIZE : size;
    size = round_up(size > MOST_SIZE ? MOST_SIZE : size, LEAST_STEP);
    bri_arena *arena = new_view();
    if (arena == NULL)
        return BROOD_ENOMEM;
    brood_status status =
        brp_section_create(&arena->section, size, size < 16 * MIB ? size : 16 * MIB);
    if (status == BROOD_OK) {
        set_base(arena);
        status = brp_section_commit(&arena->section, 0, sizeof *arena->head);
    }
    if (status == BROOD_OK)
        status = lay_out(arena);
    if (status == BROOD_OK)
        status = bri_proctable_enter_root(arena);
    if (status == BROOD_OK)
        arena->spins = arena->head->spins;
    if (status == BROOD_OK)
        status = brp_words_create(&arena->words, bri_arena_at(arena, arena->head->words),
                                  arena->base, bri_owner_slot(arena->me));
    if (status != BROOD_OK)
        close_arena(arena);
    else
        *made = arena;
    return status;
}

brood_status bri_arena_get(bri_arena **arena)
{
    brood_status status = BROOD_OK;
    brp_mutex_lock(bri_the_runtime.lock);
    bri_arena *there = bri_the_runtime.arena;
    if (there == NULL && bri_the_runtime.promised_arena != NULL)
        status = keep_promise(&there);
    else if (there == NULL && bri_the_runtime.is_child)
        status = bri_fail(BROOD_ESTATE, "could not use shared memory: the parent gave none");
    else if (there == NULL)
        status = make_arena(&there);
    /* Written once: others read it without the lock. */
    if (status == BROOD_OK && bri_the_runtime.arena != there)
        bri_the_runtime.arena = there;
    if (status == BROOD_OK)
        *arena = there;
    brp_mutex_unlock(bri_the_runtime.lock);
    return status;
}

brood_status bri_arena_after_fork(bri_owner self)
{
    bri_arena *arena = bri_the_runtime.arena;
    if (bri_the_runtime.promised_arena != NULL)
        bri_the_runtime.promised_arena->me = self;
    if (arena == NULL)
        return BROOD_OK;
    arena->me = 0;
    if (arena->words != NULL) /* else the parent is no process of the tree itself */
        BROOD_TRY(brp_words_after_fork(arena->words, bri_owner_slot(self)));
    return bri_proctable_enter(self, brp_pid(), brp_start_time(brp_pid()));
}

brp_handle bri_arena_handle(const bri_arena *arena)
{
    return arena->section.handle;
}

uint64_t bri_arena_reserved(const bri_arena *arena)
{
    return arena->section.reserved;
}
