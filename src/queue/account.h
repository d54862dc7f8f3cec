/*
 * queue/account.h - what a queue knows about the processes that use it: how many messages of a
 * joinable queue each has taken and not done, and which may still put into a queue that ends with
 * its last producer.
 *
 * Both stand in the `held` word of a process's holder record and in sums of the ring. They change
 * together under the head's latch: the new words are written down first, then made true by one
 * store, then copied to their places. Who takes the latch from a dead process finishes the copying,
 * so the sums are exact whenever nobody is inside.
 */
#ifndef BRI_QUEUE_ACCOUNT_H
#define BRI_QUEUE_ACCOUNT_H

#include "queue/ring.h"

/* Under the head's latch: finishes the change that is under way, if it is true. */
void bri_account_settle(bri_arena *arena, bri_ring *ring);

/* Under the latch, right before the head comes to `count` by `n` messages, which are this process's
 * to do, or done with at once. bri_account_settle follows. */
void bri_account_take(bri_ring_view *view, uint64_t count, uint64_t n, bool are_done);

/* Gives the head's latch back after a change, and tells what has come to its end by it: that
 * everything is done, that nobody puts any more. */
void bri_account_unlock_head(bri_ring *ring);

/* This process comes to have the queue, and has it no more; or a dead one: BROOD_ETIMEDOUT when a
 * stopped process has the latch until the deadline. */
void bri_account_enter(bri_ring_view *view);
void bri_account_leave(bri_ring_view *view);
brood_status bri_account_sweep(bri_arena *arena, bri_ring *ring, bri_holder *holder,
                               bri_deadline deadline);

/* This process puts: BROOD_ECLOSED when the last producer is gone. It takes, so it is no producer
 * unless it has put. It puts no more. */
brood_status bri_account_produce(bri_ring_view *view);
void bri_account_consume(bri_ring_view *view);
void bri_account_finish(bri_ring_view *view);

/* A message of a joinable queue is done with. BROOD_ESTATE: more than were put. */
brood_status bri_account_task_done(bri_ring_view *view);

/* Waits until all messages are done with. BROOD_ETIMEDOUT; BROOD_EOWNERDIED: so they are, but some
 * only because their takers died. */
brood_status bri_account_join(bri_ring_view *view, bri_patience *patience);

uint64_t bri_ring_unfinished(const bri_ring *ring);

/* Wakes everybody after the ring has become closed. */
void bri_ring_tell_closed(bri_ring *ring);

#endif /* BRI_QUEUE_ACCOUNT_H */
