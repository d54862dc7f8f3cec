/*
 * queue/parcel.h - long messages: each in a block of the arena, which only its label in the ring
 * leads to.
 *
 * A block that is on its way into the ring, or out of it, is noted in the holder record of its
 * process, so that it is freed when that dies.
 */
#ifndef BRI_PARCEL_H
#define BRI_PARCEL_H

#include "queue/ring.h"

/* Takes a block for `size` bytes, of any content; the other also copies them into it. */
brood_status bri_parcel_reserve(bri_ring_view *view, uint64_t size, uint64_t *block);
brood_status bri_parcel_make(bri_ring_view *view, const void *data, size_t size, uint64_t *block);

/* The block of this process and this ring whose bytes begin there: one that it has reserved, with
 * its size, or taken; 0: there is none. */
uint64_t bri_parcel_reserved(const bri_ring_view *view, const void *data, uint64_t *size);
uint64_t bri_parcel_taken(const bri_ring_view *view, const void *data);

/* The block is no longer this process's: right before its label becomes a message. */
void bri_parcel_post(bri_ring_view *view, uint64_t block);

/* The block becomes this process's: right before its label, message number `count`, is taken. */
void bri_parcel_take(bri_ring_view *view, uint64_t block, uint64_t count);

/* After a post: forgets the note. */
void bri_parcel_posted(bri_ring_view *view, uint64_t block);

/* Frees a block that is this process's. */
void bri_parcel_end(bri_ring_view *view, uint64_t block);

void *bri_parcel_data(const bri_arena *arena, uint64_t block);

/* What a block weighs in the memory limit. */
uint64_t bri_parcel_weight(uint64_t size);

/* A process that used the ring has died: frees what was its own. May be cut off and done again.
 * BROOD_ETIMEDOUT when a stopped process has the head's latch until the deadline. */
brood_status bri_parcels_sweep(bri_arena *arena, bri_ring *ring, bri_owner dead, bri_holder *holder,
                               bri_deadline deadline);

/* This process has the queue no more: the same for what it still has in hand. */
void bri_parcels_leave(bri_ring_view *view);

#endif /* BRI_PARCEL_H */
