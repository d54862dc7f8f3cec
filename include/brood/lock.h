/*
 * brood/lock.h - a mutual-exclusion lock shared by processes. Python: multiprocessing.Lock, with
 * one addition: when the process that holds it dies, the next to acquire it is told.
 *
 * A lock can go to any process of the tree: as an argument of a process, through a queue, a
 * connection, a pool's task (brood_lock_value). A lock on its way is kept by nobody but its sender:
 * destroy it only when the receiver has it. Arguments of a process are kept until it has started.
 */
#ifndef BROOD_LOCK_H
#define BROOD_LOCK_H

#include <stdbool.h>

#include <brood/time.h>
#include <brood/value.h>

BROOD_BEGIN_DECLS

typedef struct brood_lock brood_lock;

/*
 * Makes a lock that nobody holds.
 *
 * Errors:  BROOD_ENOINIT; BROOD_ENOMEM out of memory, also of that which the tree shares.
 * Blocks:  no.
 * Threads: safe.
 * Fork:    the child has the lock too, under the same pointer.
 * Python:  multiprocessing.Lock().
 */
BROOD_API brood_status brood_lock_create(brood_lock **lock);

/*
 * Acquires the lock, waiting at most `timeout` milliseconds.
 *
 * BROOD_OK and BROOD_EOWNERDIED both mean that the calling process holds it now and has to release
 * it. The second, given once a death, also says that the last holder died while holding it, so
 * that what it protects may be half-written; repair that, then release as usual. It is no failure
 * and sets no message. A holder that ended in order without releasing counts as dead too.
 *
 * The lock does not know threads and is not recursive: acquiring it twice waits for ever, also
 * within one thread.
 *
 * Errors:  BROOD_ETIMEDOUT still held elsewhere (time-out 0: looks once); BROOD_ECLOSED it ended
 *          while this process was forked; BROOD_EINVALID.
 * Blocks:  yes, unless `timeout` is 0. A death is noticed within 1 s, normally within 50 ms.
 * Threads: safe; any number of threads and processes at once. Waiters are served in no order.
 * Fork:    a lock held at fork stays with the parent.
 * Python:  Lock.acquire(block, timeout); there, a dead holder leaves it locked for ever.
 */
BROOD_API brood_status brood_lock_acquire(brood_lock *lock, brood_ms timeout);

/*
 * Releases the lock. Any process and thread may, not only the holder, as in Python.
 *
 * Errors:  BROOD_ESTATE it is free (Python: ValueError); BROOD_ECLOSED, BROOD_EINVALID as above.
 * Blocks:  no.
 * Threads: safe.
 * Python:  Lock.release().
 */
BROOD_API brood_status brood_lock_release(brood_lock *lock);

/*
 * Whether a living process holds the lock now. By the time of the answer that may have changed.
 *
 * Errors:  none; false for NULL.
 * Blocks:  no.
 * Threads: safe.
 * Python:  Lock.locked() of 3.14.
 */
BROOD_API bool brood_lock_is_locked(brood_lock *lock);

/*
 * Ends one use of the lock by this process: as many as it was created, and received, times. The
 * last use of the last process frees it. A lock that this process holds is not released. NULL is
 * ignored.
 *
 * Blocks:  no.
 * Threads: safe, but not while another thread uses the same pointer.
 */
BROOD_API void brood_lock_destroy(brood_lock *lock);

/*
 * The lock as a value that can be put into arguments, messages and tasks. The value is one more use
 * of the lock in this process, ended by clearing it or by moving it into a call. The invalid value
 * on failure.
 *
 * Errors:  BROOD_EINVALID, BROOD_ENOMEM, to be seen in brood_last_error().
 * Threads: safe.
 */
BROOD_API brood_value brood_lock_value(brood_lock *lock);

/*
 * The lock in a value, borrowed: valid as long as the value is. To keep it longer make a value of
 * it (brood_lock_value) and keep that.
 *
 * Errors:  BROOD_ETYPE the value is something else.
 * Threads: as the value.
 */
BROOD_API brood_status brood_get_lock(const brood_value *value, brood_lock **lock);

BROOD_END_DECLS

#endif /* BROOD_LOCK_H */
