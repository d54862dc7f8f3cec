/*
 * brood/condition.h - waiting for a change of what a lock protects. Python:
 * multiprocessing.Condition.
 *
 *     brood_condition_acquire(condition, BROOD_FOREVER);
 *     while (!there_is_work())
 *         brood_condition_wait(condition, BROOD_FOREVER);
 *     take_work();
 *     brood_condition_release(condition);
 *
 * Death: a process that dies waiting is no longer counted, and a notification that it was given and
 * did not come to use goes to another waiter: that one wakes without need, never the other way
 * round. When the holder of the lock dies, one of the waiters is told by BROOD_EOWNERDIED, although
 * nobody has notified it: the change it waits for may never come.
 *
 * It can go to any process of the tree, like a lock, and takes its lock along: see brood/lock.h.
 */
#ifndef BROOD_CONDITION_H
#define BROOD_CONDITION_H

#include <stdbool.h>

#include <brood/lock.h>
#include <brood/rlock.h>
#include <brood/time.h>
#include <brood/value.h>

BROOD_BEGIN_DECLS

typedef struct brood_condition brood_condition;

/* At most one of them: the lock that goes with the condition. None: an rlock of its own. The
 * condition keeps it, so the caller may destroy his handle. */
typedef struct brood_condition_options {
    brood_lock *lock;
    brood_rlock *rlock;
} brood_condition_options;

/*
 * Makes a condition. NULL options: with an rlock of its own.
 *
 * Errors:  BROOD_EINVALID two locks; BROOD_ECLOSED a lock that ended while this process was forked;
 *          BROOD_ENOINIT; BROOD_ENOMEM out of memory, also of that which the tree shares.
 * Blocks:  no.
 * Threads: safe.
 * Fork:    the child has the condition too, under the same pointer.
 * Python:  multiprocessing.Condition(lock).
 */
BROOD_API brood_status brood_condition_create(brood_condition **condition,
                                              const brood_condition_options *options);

/*
 * Acquires and releases the lock that goes with the condition: as brood_lock_acquire,
 * brood_rlock_acquire and their releases.
 *
 * Python:  Condition.acquire(), Condition.release().
 */
BROOD_API brood_status brood_condition_acquire(brood_condition *condition, brood_ms timeout);
BROOD_API brood_status brood_condition_release(brood_condition *condition);

/*
 * Releases the lock, however often this thread has acquired an rlock, waits until it is notified,
 * and acquires the lock again, as often, however long that takes. Whatever the answer is, it is
 * held afterwards if it was before.
 *
 * BROOD_EOWNERDIED, given once a death, says that the last holder of the lock died while holding
 * it: look at what it protects, repair it, and notify the others if need be. This waiter may have
 * been notified or not.
 *
 * Errors:  BROOD_ETIMEDOUT nobody has notified it in time; BROOD_ESTATE the lock is not held by
 *          this process, or an rlock by this thread (Python: AssertionError); BROOD_ENOMEM;
 *          BROOD_ECLOSED it ended while this process was forked; BROOD_EINVALID.
 * Blocks:  yes; with time-out 0 only for the lock.
 * Threads: safe; any number of threads and processes at once.
 * Python:  Condition.wait(timeout).
 */
BROOD_API brood_status brood_condition_wait(brood_condition *condition, brood_ms timeout);

/* Whether there is no need to wait any more. Called with the lock held. */
typedef bool (*brood_predicate)(void *context);

/*
 * Waits until the predicate is true: looks, waits, and looks again after each notification.
 *
 * Errors:  BROOD_ETIMEDOUT it is false still; as brood_condition_wait. BROOD_EOWNERDIED comes back
 *          at once, whatever the predicate says.
 * Blocks:  yes.
 * Threads: safe.
 * Python:  Condition.wait_for(predicate, timeout).
 */
BROOD_API brood_status brood_condition_wait_for(brood_condition *condition,
                                                brood_predicate predicate, void *context,
                                                brood_ms timeout);

/*
 * Wakes up to `n` of those who wait, the longest waiting first; or all of them. They go on when the
 * lock is released. Nothing is remembered for those who come later.
 *
 * Errors:  BROOD_ESTATE the lock is not held by this process, or an rlock by this thread (Python:
 *          AssertionError); BROOD_ECLOSED, BROOD_EINVALID as above.
 * Blocks:  no, but for another process that is just beginning to wait.
 * Threads: safe. Who is killed inside may have woken fewer; the next one to acquire the lock is
 *          told.
 * Python:  Condition.notify(n), Condition.notify_all().
 */
BROOD_API brood_status brood_condition_notify(brood_condition *condition, uint32_t n);
BROOD_API brood_status brood_condition_notify_all(brood_condition *condition);

/*
 * Ends one use of the condition by this process: as many as it was created, and received, times.
 * The last use of the last process frees it. NULL is ignored.
 *
 * Blocks:  no.
 * Threads: safe, but not while another thread uses the same pointer.
 */
BROOD_API void brood_condition_destroy(brood_condition *condition);

/*
 * The condition as a value, as brood_lock_value; the invalid value on failure.
 *
 * Errors:  BROOD_EINVALID, BROOD_ENOMEM, to be seen in brood_last_error().
 * Threads: safe.
 */
BROOD_API brood_value brood_condition_value(brood_condition *condition);

/*
 * The condition in a value, borrowed: valid as long as the value is.
 *
 * Errors:  BROOD_ETYPE the value is something else.
 * Threads: as the value.
 */
BROOD_API brood_status brood_get_condition(const brood_value *value, brood_condition **condition);

BROOD_END_DECLS

#endif /* BROOD_CONDITION_H */
