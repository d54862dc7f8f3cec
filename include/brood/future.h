/*
 * brood/future.h - the result of a task that may still run. Python:
 * multiprocessing.pool.AsyncResult and concurrent.futures.Future in one.
 *
 * Futures come from brood_pool_apply_async, brood_pool_map_async and brood_executor_submit. Each is
 * the caller's until brood_future_destroy, and ends exactly once: with a value, with a failure
 * (BROOD_ETASK, BROOD_EWORKERDIED, BROOD_EBROKEN), or cancelled (BROOD_ECANCELLED). Destroying one
 * neither waits for its task nor cancels it.
 */
#ifndef BROOD_FUTURE_H
#define BROOD_FUTURE_H

#include <brood/process.h>

BROOD_BEGIN_DECLS

typedef struct brood_future brood_future;

/*
 * Gives the result, borrowed until the future is destroyed, or why there is none.
 *
 * Errors:  BROOD_ETIMEDOUT    the task has not ended in time.
 *          BROOD_ETASK        it failed; see brood_future_failure. A task that was ended by its
 *                             hard deadline fails with the kind "TimeoutError".
 *          BROOD_EWORKERDIED  its worker died; the same.
 *          BROOD_ECANCELLED   it was cancelled, or its pool terminated.
 *          BROOD_EBROKEN      too many workers died in a row; the message says how.
 *          BROOD_ESTATE       the result was taken; or the task is not done, and this is the
 *                             thread on which its end would be noticed (a callback).
 *          BROOD_ENOMEM, BROOD_EINVALID.
 * Blocks:  until the end, at most `timeout` milliseconds.
 * Threads: safe.
 * Python:  AsyncResult.get(timeout), Future.result(timeout).
 */
BROOD_API brood_status brood_future_get(brood_future *future, const brood_value **value,
                                        brood_ms timeout);

/* The same, but moves the result out of the future: once. */
BROOD_API brood_status brood_future_take(brood_future *future, brood_value *value,
                                         brood_ms timeout);

/*
 * Waits for the end, however it is.
 *
 * Errors:  BROOD_ETIMEDOUT; BROOD_ESTATE as brood_future_get; BROOD_EINVALID.
 * Blocks:  at most `timeout` milliseconds.
 * Threads: safe.
 * Python:  AsyncResult.wait(timeout).
 */
BROOD_API brood_status brood_future_wait(brood_future *future, brood_ms timeout);

/*
 * What is known now: whether it has ended (cancelled included), runs, was cancelled, ended with a
 * value. A task of many items (a map) runs as soon as one of them may.
 *
 * Errors:  none; false for NULL.
 * Blocks:  no.
 * Threads: safe.
 * Python:  AsyncResult.ready(), Future.done(), running(), cancelled(); successful(), which raises
 *          ValueError for a task that has not ended.
 */
BROOD_API bool brood_future_is_done(brood_future *future);
BROOD_API bool brood_future_is_running(brood_future *future);
BROOD_API bool brood_future_is_cancelled(brood_future *future);
BROOD_API bool brood_future_is_successful(brood_future *future);

/*
 * Details of a task that failed: kind, message, file and line, the worker's pid, and the exit code
 * of a worker that died (-N for signal N). The strings are borrowed until the future is destroyed.
 *
 * Errors:  BROOD_ETIMEDOUT as brood_future_get; BROOD_ESTATE it did not fail so; BROOD_EINVALID.
 * Blocks:  at most `timeout` milliseconds.
 * Threads: safe.
 * Python:  Future.exception(timeout).
 */
BROOD_API brood_status brood_future_failure(brood_future *future, brood_failure *failure,
                                            brood_ms timeout);

/* What became of the wish to cancel a task. */
typedef enum brood_cancel_answer {
    BROOD_CANCEL_DONE = 1, /* it never ran, or will not any more: the future is cancelled */
    BROOD_CANCEL_ASKED,    /* it runs and was told (brood_call_should_stop); with
                              BROOD_CANCEL_KILL: its worker is being killed. Or an attempt has just
                              ended, and is the last. Wait for the future */
    BROOD_CANCEL_TOO_LATE  /* it had ended */
} brood_cancel_answer;

typedef enum brood_cancel_how {
    BROOD_CANCEL_QUEUED = 0, /* only if no worker has it yet; a running task is not touched */
    BROOD_CANCEL_ASK,        /* a running task is told and decides itself */
    BROOD_CANCEL_KILL        /* a running task's worker is killed with all below it, and replaced;
                                of the engine `threads`: as ASK */
} brood_cancel_how;

/*
 * Cancels the task. With BROOD_CANCEL_QUEUED a task that runs gives BROOD_CANCEL_TOO_LATE. One that
 * waits for its next attempt is cancelled; one that was asked to stop is not tried again. Of a map
 * the items that no worker has are taken back, with the others it is done as asked for, and the
 * answer is BROOD_CANCEL_ASKED. `answer` may be NULL.
 *
 * Errors:  BROOD_EINVALID.
 * Blocks:  no.
 * Threads: safe; counts as a call on the pool or executor, which has to exist.
 * Python:  Future.cancel(), which can cancel queued tasks only and answers with a bool.
 */
BROOD_API brood_status brood_future_cancel(brood_future *future, brood_cancel_how how,
                                           brood_cancel_answer *answer);

/* Called when a future has ended; it is borrowed. */
typedef void (*brood_future_callback)(void *context, brood_future *future);

/*
 * Has the callback called once when the future has ended: on the thread that collects the results
 * of its pool or executor; at once, on this one, if it has ended already. Those that were
 * added before its end are called in the order in which they were added. A callback may submit
 * tasks; while it runs, no other result of its pool is handled.
 *
 * Errors:  BROOD_ENOMEM, BROOD_EINVALID.
 * Blocks:  no, but for a callback that is called at once.
 * Threads: safe.
 * Python:  Future.add_done_callback(fn).
 */
BROOD_API brood_status brood_future_add_callback(brood_future *future,
                                                 brood_future_callback callback, void *context);

typedef enum brood_wait_for {
    BROOD_WAIT_ALL = 0, /* all have ended */
    BROOD_WAIT_FIRST,   /* one has */
    BROOD_WAIT_ERROR    /* one has failed, or all have ended; a cancelled one has not failed */
} brood_wait_for;

/*
 * Waits for futures, of any pools and executors. *n_done, which may be NULL, is how many have ended
 * then, also after a time-out.
 *
 * Errors:  BROOD_ETIMEDOUT; BROOD_EINVALID; BROOD_ENOMEM; BROOD_ENOINIT; BROOD_ESTATE as
 *          brood_future_get.
 * Blocks:  at most `timeout` milliseconds.
 * Threads: safe.
 * Python:  concurrent.futures.wait(fs, timeout, return_when).
 */
BROOD_API brood_status brood_wait_futures(brood_future *const *futures, size_t n,
                                          brood_wait_for what, brood_ms timeout, size_t *n_done);

/*
 * Futures in the order of their ends. The futures stay the caller's, and have to live until the
 * iteration is destroyed.
 *
 *     brood_completed *completed;
 *     BROOD_CHECK(brood_as_completed(&completed, futures, n));
 *     while (brood_completed_next(completed, &future, BROOD_FOREVER) == BROOD_OK)
 *         ...
 *     brood_completed_destroy(completed);
 *
 * Errors:  next: BROOD_EEOF after the last one; BROOD_ETIMEDOUT; BROOD_ESTATE as brood_future_get.
 *          brood_as_completed: BROOD_EINVALID, BROOD_ENOMEM, BROOD_ENOINIT.
 * Blocks:  next: at most `timeout` milliseconds.
 * Threads: one at a time uses an iteration.
 * Python:  concurrent.futures.as_completed(fs), whose time-out is that of the whole iteration.
 */
typedef struct brood_completed brood_completed;
BROOD_API brood_status brood_as_completed(brood_completed **completed, brood_future *const *futures,
                                          size_t n);
BROOD_API brood_status brood_completed_next(brood_completed *completed, brood_future **future,
                                            brood_ms timeout);
BROOD_API void brood_completed_destroy(brood_completed *completed);

/*
 * Ends the caller's use of the future. NULL is ignored. The task goes on.
 *
 * Errors:  none.
 * Blocks:  no.
 * Threads: safe, as the last use of the caller's.
 * Python:  none: the garbage collector does it.
 */
BROOD_API void brood_future_destroy(brood_future *future);

BROOD_END_DECLS

#endif /* BROOD_FUTURE_H */
