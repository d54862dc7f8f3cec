/*
 * brood/rlock.h - a lock that the thread that holds it may acquire again. Python:
 * multiprocessing.RLock, with one addition: when the process that holds it dies, the next to
 * acquire it is told.
 *
 * It can go to any process of the tree, like a lock: see brood/lock.h.
 */
#ifndef BROOD_RLOCK_H
#define BROOD_RLOCK_H

#include <stdbool.h>

#include <brood/time.h>
#include <brood/value.h>

BROOD_BEGIN_DECLS

typedef struct brood_rlock brood_rlock;

/*
 * Makes a lock that nobody holds.
 *
 * Errors:  BROOD_ENOINIT; BROOD_ENOMEM out of memory, also of that which the tree shares.
 * Blocks:  no.
 * Threads: safe.
 * Fork:    the child has the lock too, under the same pointer.
 * Python:  multiprocessing.RLock().
 */
BROOD_API brood_status brood_rlock_create(brood_rlock **rlock);

/*
 * Acquires the lock, waiting at most `timeout` milliseconds. The thread that holds it already gets
 * it at once, and has to release it as often as it has acquired it.
 *
 * BROOD_OK and BROOD_EOWNERDIED both mean that the calling thread holds it now. The second, given
 * once a death, also says that the last holder died while holding it, so that what it protects may
 * be half-written; however often that holder had acquired it, it counts as acquired once now. It
 * is no failure and sets no message. A holder that ended in order without releasing counts as dead
 * too.
 *
 * Errors:  BROOD_ETIMEDOUT still held elsewhere (time-out 0: looks once); BROOD_ELIMIT acquired
 *          2^32 - 1 times; BROOD_ECLOSED it ended while this process was forked; BROOD_EINVALID.
 * Blocks:  yes, unless `timeout` is 0. A death is noticed within 1 s, normally within 50 ms.
 * Threads: safe; any number of threads and processes at once. Waiters are served in no order.
 * Fork:    a lock held at fork stays with the parent.
 * Python:  RLock.acquire(block, timeout).
 */
BROOD_API brood_status brood_rlock_acquire(brood_rlock *rlock, brood_ms timeout);

/*
 * Releases the lock once. Only the thread that holds it may.
 *
 * Errors:  BROOD_ESTATE this thread does not hold it (Python: AssertionError); BROOD_ECLOSED,
 *          BROOD_EINVALID as above.
 * Blocks:  no.
 * Threads: safe.
 * Python:  RLock.release().
 */
BROOD_API brood_status brood_rlock_release(brood_rlock *rlock);

/*
 * Whether a living process holds the lock now. By the time of the answer that may have changed.
 *
 * Errors:  none; false for NULL.
 * Blocks:  no.
 * Threads: safe.
 * Python:  RLock.locked() of 3.14.
 */
BROOD_API bool brood_rlock_is_locked(brood_rlock *rlock);

/*
 * Ends one use of the lock by this process, as brood_lock_destroy does. NULL is ignored.
 *
 * Blocks:  no.
 * Threads: safe, but not while another thread uses the same pointer.
 */
BROOD_API void brood_rlock_destroy(brood_rlock *rlock);

/*
 * The lock as a value, as brood_lock_value; the invalid value on failure.
 *
 * Errors:  BROOD_EINVALID, BROOD_ENOMEM, to be seen in brood_last_error().
 * Threads: safe.
 */
BROOD_API brood_value brood_rlock_value(brood_rlock *rlock);

/*
 * The lock in a value, borrowed: valid as long as the value is.
 *
 * Errors:  BROOD_ETYPE the value is something else.
 * Threads: as the value.
 */
BROOD_API brood_status brood_get_rlock(const brood_value *value, brood_rlock **rlock);

BROOD_END_DECLS

#endif /* BROOD_RLOCK_H */
