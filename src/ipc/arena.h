/*
 * ipc/arena.h - the growable memory that a process tree shares, and its allocator.
 *
 * One section, made by the root on first use, handed to every child by its start block. Addresses
 * differ between processes, so only offsets are stored in it. Every step of the allocator may be
 * the last one of its process: a kill leaves at most one block unused.
 */
#ifndef BRI_ARENA_H
#define BRI_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/runtime.h"
#include "platform/section.h"
#include "platform/wordwait.h"

/* A process of the tree: its slot in the process table (12 bits) and how often the slot was used
 * (18 bits). Never 0 for a process; two bits are free for flags of the words that name owners. */
typedef uint32_t bri_owner;

enum { BRI_OWNER_SLOT_BITS = 12, BRI_OWNER_BITS = 30 };
#define BRI_OWNER_MASK ((UINT32_C(1) << BRI_OWNER_BITS) - 1)

/* One process's view. */
typedef struct bri_arena {
    brp_section section;
    unsigned char *base;         /* of the section */
    struct bri_arena_head *head; /* ipc/layout.h */
    brp_words *words;            /* NULL before the process entered the table */
    bri_owner me;                /* 0 before */
    uint32_t spins;              /* most rounds to spin before sleeping; 0 with a single CPU */
    _Atomic int64_t next_check;  /* when bri_owner_check_sometimes asks the system again */
} bri_arena;

/* The layer's start, called by brood_init before anything else of it: object classes, hooks. Makes
 * no arena. */
brood_status bri_ipc_start(void);

/* This process's arena. The root makes it on the first call and enters itself into the process
 * table; a child has it from its start block (bri_arena_promise). Threads: safe. */
brood_status bri_arena_get(bri_arena **arena);

/* Child after exec: maps the tree's arena and enters the process table as `self`, but only when the
 * arena is used for the first time: a child that never needs it pays nothing. `section` is moved
 * in, also on failure. */
brood_status bri_arena_promise(brp_handle section, uint64_t reserved, bri_owner self);

/* Child after fork: takes the inherited mapping over under its own slot, which the parent claimed.
 * Before bri_runtime_after_fork_child, whose hooks take the shared objects over. Does nothing when
 * the parent had no arena. */
brood_status bri_arena_after_fork(bri_owner self);

/* What the start block needs. The handle stays the arena's. */
brp_handle bri_arena_handle(const bri_arena *arena);
uint64_t bri_arena_reserved(const bri_arena *arena);

/* An offset as an address of this process, and back. No check: for offsets that brood stored
 * itself. */
static inline void *bri_arena_at(const bri_arena *arena, uint64_t offset)
{
    return arena->base + offset;
}

static inline uint64_t bri_arena_offset(const bri_arena *arena, const void *address)
{
    return (uint64_t)((const unsigned char *)address - arena->base);
}

/* Takes a block of at least `size` bytes, of any content, that begins 16 bytes after a multiple of
 * 64. BROOD_ENOMEM with sizes. */
brood_status bri_arena_alloc(bri_arena *arena, uint64_t size, uint64_t *offset);

/* Gives a block back. 0 is ignored. */
void bri_arena_free(bri_arena *arena, uint64_t offset);

/* The bytes that a block really has. */
uint64_t bri_arena_block_size(const bri_arena *arena, uint64_t offset);

/* Figures for tests and statistics. */
typedef struct bri_arena_use {
    uint64_t reserved;  /* address range */
    uint64_t committed; /* backed with memory for small blocks */
    uint64_t cut;       /* bytes of all blocks, with their headers, in use or free */
    uint64_t idle;      /* bytes of free blocks; exact while nobody allocates */
} bri_arena_use;
void bri_arena_count(const bri_arena *arena, bri_arena_use *use);

#endif /* BRI_ARENA_H */
