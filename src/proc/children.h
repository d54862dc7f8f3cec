/*
 * proc/children.h - the children of this process: the list, who collected what, and the supervisor
 * that notices deaths.
 *
 * A child's end is noticed by whoever looks first: a join, is_alive, active_children, the next
 * start, or the supervisor. That one ends what is left of the child's tree, collects the exit,
 * sweeps its slot in the process table and closes its handles, in this order, under the lock: as
 * long as the child is not collected its process group's number cannot stand for anything else.
 *
 * The supervisor is a helper thread with a poller over the sentinels. It runs from the moment when
 * somebody must be told at once (a pool, or an object in the arena whose holder may die), so that a
 * program that only starts and joins pays nothing for it.
 */
#ifndef BRI_CHILDREN_H
#define BRI_CHILDREN_H

#include "base/deadline.h"
#include "proc/process.h"

/* Makes the list; called by brood_init. */
brood_status bri_children_start(void);

/* The one lock of process objects and of the list. Never held while waiting or calling back. */
void bri_children_lock(void);
void bri_children_unlock(void);

/* One start at a time, see start.c. Taken before the other lock. */
void bri_children_lock_starts(void);
void bri_children_unlock_starts(void);

/* Between them it is being started: a child that is forked meanwhile closes its copies of the
 * handles, which would keep a lifeline whole. Locked by the caller. */
void bri_children_begin_start(brood_process *process);
void bri_children_end_start(brood_process *process);

/* Adds a child that has just started (locked by the caller): takes a reference, and gives it to the
 * supervisor if that runs. */
void bri_children_add(brood_process *process);

/* Under the lock: collects the child if it has ended. True when it has. */
bool bri_children_collect(brood_process *process);

/* Under the lock, after its sentinel was ready: collects the child. False when it is not quite gone
 * at the deadline. */
bool bri_children_finish(brood_process *process, bri_deadline deadline);

/* Collects every child that has ended. Python: _cleanup(). */
void bri_children_cleanup(void);

/* Starts the supervisor if it does not run yet; from now on every end is noticed within
 * milliseconds. */
brood_status bri_children_supervise(void);

/* Calls `ended` once, on the supervisor's thread, when the child has ended and was collected (also
 * when that is long past). It runs inside the gate, without any lock of proc: it has to be short,
 * may ask and destroy processes, but not start or join any (wake a thread of your own for that).
 * One a process: BROOD_ESTATE for a second. The object stays valid until `ended` has returned, even
 * if it is destroyed before. */
brood_status bri_children_watch(brood_process *process,
                                void (*ended)(void *context, brood_process *process),
                                void *context);

/* Ends that. After it returns `ended` is not running and will not run, unless it is called from
 * inside `ended`. */
void bri_children_unwatch(brood_process *process);

/* Drops a reference (not under the lock). */
void bri_children_release(brood_process *process);

/* Children that this process has started and not yet collected, destroyed objects included, hidden
 * ones not; and with them those that the supervisor has not yet let go. For tests. */
size_t bri_children_count(void);
size_t bri_children_held(void);

#endif /* BRI_CHILDREN_H */
