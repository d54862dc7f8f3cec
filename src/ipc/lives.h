/*
 * ipc/lives.h - the arena's side of shared objects: their bodies, who holds them, and what becomes
 * of the shares of the dead. This process's side is in shared.c.
 */
#ifndef BRI_LIVES_H
#define BRI_LIVES_H

#include "ipc/shared.h"

enum { BRI_MAX_KINDS = 32 };

/* The class of that number; NULL when there is none. */
const bri_shared_class *bri_shared_class_of(uint32_t kind);

/* Of an object, and of a holder record, by the offset of the block. */
void *bri_body_at(const bri_arena *arena, uint64_t offset);
bri_holder *bri_holder_at(const bri_arena *arena, uint64_t offset);

/* A block for an object, its body all zero. It has no life yet. */
brood_status bri_body_make(bri_arena *arena, const bri_shared_class *class, size_t size,
                           uint64_t *offset);

/* The object begins with this holder, whose record was free; its generation. */
uint64_t bri_life_begin(bri_arena *arena, uint64_t offset, bri_holder *holder);

/* One holder more, with a free record of this process. BROOD_ECLOSED: it has ended. */
brood_status bri_life_join(bri_arena *arena, const bri_shared_class *class, uint64_t object,
                           uint64_t generation, bri_holder *holder);

/* One holder less; by the holder, or for a dead one. The last one ends the object. */
void bri_life_leave(bri_arena *arena, bri_holder *holder);

#endif /* BRI_LIVES_H */
