/*
 * ipc/layout.h - what stands at the fixed places of the arena.
 *
 *     head | words of wordwait | slots of processes | parked sleepers | small blocks ... large
 * blocks
 *
 * Both tables have address room for their largest size and are backed step by step. Small blocks
 * grow up from `heap`, large ones down from the end.
 */
#ifndef BRI_LAYOUT_H
#define BRI_LAYOUT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "ipc/arena.h"

enum {
    BRI_LINE = 64,            /* bytes of a cache line, and the unit that blocks are counted in */
    BRI_ARENA_CLASSES = 128,  /* sizes of blocks: 1, 2, 3, 4 units, then four steps a doubling */
    BRI_PARKS_STEP = 512,     /* entries backed at a time */
    BRI_MAX_PARKS = 32 * 512, /* entries of sleepers */
    BRI_SLOTS_STEP = 64,
    BRI_MAX_SLOTS = 1 << BRI_OWNER_SLOT_BITS
};

/* Life of a slot: use of the slot << 2 | state. Steps: free -> claimed -> running -> dead -> free
 * of the next use; claimed -> dead and claimed -> free too. */
enum { BRI_SLOT_FREE, BRI_SLOT_CLAIMED, BRI_SLOT_RUNNING, BRI_SLOT_DEAD };

typedef struct bri_slot {
    alignas(BRI_LINE) _Atomic uint32_t life;
    _Atomic bri_owner parent;
    /* use of the slot << 46 | pid. Pid 0 while nobody has entered; all bits set: nobody may any
     * more. Who changes the 0 has decided whether the child lives. */
    _Atomic uint64_t pid;
    _Atomic uint64_t start_time;
    _Atomic uint32_t ended;    /* it has begun to exit in order */
    _Atomic uint64_t holders;  /* offset of the first holder record; only the process itself adds,
                                  only a sweep takes away */
    _Atomic uint32_t doorbell; /* rung for those of the process who watch objects: ipc/watch.h */
} bri_slot;

/* What an attach or detach that was cut off has to be put back to; see ipc/lives.c. */
typedef struct bri_undo {
    _Atomic uint64_t
        object; /* offset of the block; 0: nothing to undo; written last, cleared first */
    _Atomic uint64_t life;
    _Atomic uint64_t holder;
    _Atomic uint32_t state;
} bri_undo;

typedef struct bri_arena_head {
    uint64_t magic;
    uint64_t reserved;
    uint64_t words;
    uint64_t slots;
    uint64_t parks;
    uint64_t heap;
    uint32_t spins; /* for all processes, so that each need not count its CPUs */

    /* In units: end of the small blocks | start of the large ones << 32. One word, so that the two
     * cannot cross. */
    alignas(BRI_LINE) _Atomic uint64_t edges;
    /* Everything between `heap` and this offset is backed with memory. Only grows, and only after
     * the backing. */
    _Atomic uint64_t committed;

    alignas(BRI_LINE) _Atomic uint32_t table_latch; /* guards claiming and sweeping */
    _Atomic uint32_t n_slots;                       /* backed */
    _Atomic uint32_t next_slot;                     /* where claiming goes on, so that slots rest */
    _Atomic uint32_t next_look;
    _Atomic uint32_t deaths;
    _Atomic uint32_t unswept; /* 1: a sweep had to leave something to a process that is stopped */
    _Atomic uint32_t n_parks; /* backed */
    /* Entries of parks that are watches: 0 when there are none, so that a wake need not look for
     * them. A kill may leave it too large, never too small. */
    _Atomic uint32_t n_watches;

    alignas(BRI_LINE) _Atomic uint32_t shared_latch; /* guards the lives of objects */
    _Atomic uint64_t generation;                     /* the last object's */
    bri_undo undo;

    /* Free blocks by class: first block in units | number of blocks, up to 31, << 32 | changes <<
     * 37. `kept` blocks still have their memory, which large ones on `blocks` have given back. */
    alignas(BRI_LINE) _Atomic uint64_t blocks[BRI_ARENA_CLASSES];
    _Atomic uint64_t kept[BRI_ARENA_CLASSES];
} bri_arena_head;

/* Before each block. Blocks never change their size or place, so a header stays one for ever. */
typedef struct bri_block {
    _Atomic uint32_t next; /* on a list: the next one in units, or 0 */
    _Atomic uint32_t mark; /* BLOCK_MARK + class; written once */
    union {
        /* Small: life of the shared object in it, generation << 24 | holders; holders 0: none. */
        _Atomic uint64_t life;
        /* Large: bytes from the block's start that are backed. Its owner's alone. */
        _Atomic uint64_t backed;
    } as;
} bri_block;

/* The life word of a small block that begins at `offset`; NULL when no block begins there. */
_Atomic uint64_t *bri_arena_life(const bri_arena *arena, uint64_t offset);

static inline bri_slot *bri_slot_at(const bri_arena *arena, uint32_t slot)
{
    return (bri_slot *)(void *)(arena->base + arena->head->slots) + slot;
}

static inline uint32_t bri_owner_slot(bri_owner owner)
{
    return owner & (BRI_MAX_SLOTS - 1);
}

static inline uint32_t bri_owner_use(bri_owner owner)
{
    return (owner & BRI_OWNER_MASK) >> BRI_OWNER_SLOT_BITS;
}

static inline _Atomic uint64_t *bri_park_at(const bri_arena *arena, uint32_t entry)
{
    return (_Atomic uint64_t *)(void *)(arena->base + arena->head->parks) + entry;
}

#endif /* BRI_LAYOUT_H */
