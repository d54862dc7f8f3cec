/*
 * ipc/proctable.h - which processes the tree has, and what happens when one dies.
 *
 * A parent claims a slot for its child before the start, the child enters it, and whoever learns of
 * its death - the parent's supervisor, or a waiter that looks - declares it. Then what it held is
 * given back and everybody that sleeps on a word of the arena is woken to look again. A sweeper
 * that is killed half-way is replaced: the slot is used again only after a sweep went through.
 */
#ifndef BRI_PROCTABLE_H
#define BRI_PROCTABLE_H

#include <stdatomic.h>

#include "ipc/layout.h"

enum { BRI_MAX_PROCESSES = (1 << BRI_OWNER_SLOT_BITS) - 1 };

/* Parent: takes a slot for a child that is about to be started. BROOD_ELIMIT. */
brood_status bri_proctable_claim(bri_owner *child);

/* Child: from now on this process is `self`. Needs its arena; bri_arena_after_fork does it for a
 * forked one. BROOD_ESTATE when the slot is not claimed any more: the parent died or gave up
 * meanwhile. */
brood_status bri_proctable_enter(bri_owner self, int64_t pid, uint64_t start_time);

/* This process begins to exit in order; and, of a process whose slot is not free again, whether it
 * did. */
void bri_proctable_leave(void);
bool bri_owner_has_ended(bri_owner owner);

/* Parent: gives a claimed slot back when no child came to be. */
void bri_proctable_release(bri_owner child);

/* Whoever knows that the process ended, in whatever way: declares it dead, with those of its
 * descendants that are dead too, and sweeps. Any number of times. */
void bri_proctable_died(bri_owner dead);

/* Whoever frees a latch that was waited for: does what a sweep had to leave because the latch was
 * held by a process that was stopped. */
void bri_proctable_sweep_rest(void);

/* The root enters its own slot in the arena that it makes. */
brood_status bri_proctable_enter_root(bri_arena *arena);

/* This process; 0 before it has a slot. */
static inline bri_owner bri_owner_me(void)
{
    const bri_arena *arena = bri_the_runtime.arena;
    return arena == NULL ? 0 : arena->me;
}

/* Whether the process is dead, by the table alone: quick; and the same asking the system, declaring
 * it dead if so. Both true for a process that is long forgotten. Flag bits are ignored. */
bool bri_owner_is_dead(bri_owner owner);
bool bri_owner_check(bri_owner owner);

/* As bri_owner_check, but asks the system only now and then: for those that try again and again. */
bool bri_owner_check_sometimes(bri_owner owner);

/* Looks at a few processes of the table in turn and declares the dead ones: for waiters that do not
 * know whom they wait for. */
void bri_proctable_look(void);

/* As bri_proctable_look, but only now and then: for those that try again and again. */
void bri_proctable_look_sometimes(void);

/* The pid of a process of the tree; 0 when it is dead or has not entered. */
int64_t bri_owner_pid(bri_owner owner);

/* Grows with each death that is declared: see ipc/park.h. */
static inline uint32_t bri_proctable_deaths(void)
{
    return atomic_load(&bri_the_runtime.arena->head->deaths);
}

#endif /* BRI_PROCTABLE_H */
