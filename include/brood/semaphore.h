/*
 * brood/semaphore.h - a number of units that processes acquire and release. Python:
 * multiprocessing.Semaphore and BoundedSemaphore, with one addition: the units of a process that
 * dies come back.
 *
 * brood counts the units that each process has acquired and not yet released. A release gives back
 * one of the calling process's own; one by a process that has none is allowed, as in Python, and
 * adds a unit. When a process dies, the units that it has come back, but the death never raises
 * the value above the one that the semaphore was created with. So a semaphore that guards N
 * resources has N units again, whoever died and whoever released for whom; and of one that
 * counts signals (created with 0, released by one process, acquired by another) what the dead
 * process had taken stays taken. A process that ends in order with units counts as dead too.
 *
 * It can go to any process of the tree, like a lock: see brood/lock.h.
 */
#ifndef BROOD_SEMAPHORE_H
#define BROOD_SEMAPHORE_H

#include <stdint.h>

#include <brood/time.h>
#include <brood/value.h>

BROOD_BEGIN_DECLS

typedef struct brood_semaphore brood_semaphore;

/* The most units that a semaphore can have. */
#define BROOD_SEMAPHORE_MAX INT32_MAX

/*
 * Makes a semaphore with that many units; the second one never has more than these.
 *
 * Errors:  BROOD_ERANGE more than BROOD_SEMAPHORE_MAX; BROOD_ENOINIT; BROOD_ENOMEM out of memory,
 *          also of that which the tree shares.
 * Blocks:  no.
 * Threads: safe.
 * Fork:    the child has the semaphore too, under the same pointer, and none of the parent's units.
 * Python:  multiprocessing.Semaphore(value), BoundedSemaphore(value).
 */
BROOD_API brood_status brood_semaphore_create(brood_semaphore **semaphore, uint32_t units);
BROOD_API brood_status brood_bounded_semaphore_create(brood_semaphore **semaphore, uint32_t units);

/*
 * Acquires a unit, waiting at most `timeout` milliseconds.
 *
 * Errors:  BROOD_ETIMEDOUT there is none (time-out 0: looks once); BROOD_ECLOSED it ended while
 *          this process was forked; BROOD_EINVALID.
 * Blocks:  yes, unless `timeout` is 0. Units of dead processes come back within 1 s, normally
 *          within 50 ms.
 * Threads: safe; any number of threads and processes at once. Waiters are served in no order.
 * Python:  Semaphore.acquire(block, timeout).
 */
BROOD_API brood_status brood_semaphore_acquire(brood_semaphore *semaphore, brood_ms timeout);

/*
 * Releases a unit: one that this process has acquired, else a new one.
 *
 * Errors:  BROOD_ESTATE a bounded semaphore has all its units already (Python: ValueError);
 *          BROOD_ELIMIT there are BROOD_SEMAPHORE_MAX (Python: ValueError); BROOD_ECLOSED,
 *          BROOD_EINVALID as above.
 * Blocks:  no, but for another process that is just changing the number.
 * Threads: safe.
 * Python:  Semaphore.release().
 */
BROOD_API brood_status brood_semaphore_release(brood_semaphore *semaphore);

/*
 * How many units are free now. By the time of the answer that may have changed.
 *
 * Errors:  none; 0 for NULL.
 * Blocks:  no.
 * Threads: safe.
 * Python:  Semaphore.get_value(); works on every system.
 */
BROOD_API uint32_t brood_semaphore_units(brood_semaphore *semaphore);

/*
 * Ends one use of the semaphore by this process: as many as it was created, and received, times.
 * The last use of the last process frees it. Units that this process still has stay its own: it can
 * release them when it receives the semaphore again, and at the latest they come back when it
 * ends. NULL is ignored.
 *
 * Blocks:  no.
 * Threads: safe, but not while another thread uses the same pointer.
 */
BROOD_API void brood_semaphore_destroy(brood_semaphore *semaphore);

/*
 * The semaphore as a value, as brood_lock_value; the invalid value on failure.
 *
 * Errors:  BROOD_EINVALID, BROOD_ENOMEM, to be seen in brood_last_error().
 * Threads: safe.
 */
BROOD_API brood_value brood_semaphore_value(brood_semaphore *semaphore);

/*
 * The semaphore in a value, borrowed: valid as long as the value is.
 *
 * Errors:  BROOD_ETYPE the value is something else.
 * Threads: as the value.
 */
BROOD_API brood_status brood_get_semaphore(const brood_value *value, brood_semaphore **semaphore);

BROOD_END_DECLS

#endif /* BROOD_SEMAPHORE_H */
