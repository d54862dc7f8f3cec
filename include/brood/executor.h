/*
 * brood/executor.h - one interface to run calls later: by worker processes or by threads of this
 * one. Python: concurrent.futures.
 *
 *     brood_executor *executor;
 *     brood_future *future;
 *     BROOD_CHECK(brood_executor_create(&executor, &(brood_executor_options){.workers = 4}));
 *     BROOD_CHECK(brood_executor_submit(executor, square, brood_pack("(i)", 3), NULL, &future));
 *     BROOD_CHECK(brood_future_take(future, &result, BROOD_FOREVER));
 *     brood_future_destroy(future);
 *     brood_executor_destroy(executor);
 *
 * One option, `engine`, moves a program from processes to threads. What differs is what threads
 * cannot do: a crash ends the program, a task cannot be killed (its hard deadline only asks it to
 * stop), arguments are not pickled, and functions share the memory of the process.
 */
#ifndef BROOD_EXECUTOR_H
#define BROOD_EXECUTOR_H

#include <brood/pool.h>

BROOD_BEGIN_DECLS

typedef struct brood_executor brood_executor;

typedef struct brood_executor_options {
    const char *engine;           /* "processes" (NULL: the same) or "threads" */
    int workers;                  /* 0: brood_cpu_count() */
    brood_function initializer;   /* run once by each worker, before its first task; NULL: none */
    brood_value initargs;         /* a tuple or list, moved in; zero: none */
    brood_start_method method;    /* of processes */
    int64_t max_tasks_per_worker; /* of processes; 0: no bound */
} brood_executor_options;

/*
 * Makes an executor and starts its workers. NULL options mean all defaults.
 *
 * Errors:  BROOD_ENOTFOUND  no engine of that name; those of brood_pool_create.
 * Blocks:  until worker processes are started.
 * Threads: safe.
 * Fork:    a forked child cannot use the executor (BROOD_ESTATE); it may destroy its copy.
 * Python:  ProcessPoolExecutor, ThreadPoolExecutor (max_workers, mp_context, initializer,
 *          initargs).
 */
BROOD_API brood_status brood_executor_create(brood_executor **executor,
                                             const brood_executor_options *options);

/* The names of the engines, NULL after the last. */
BROOD_API const char *const *brood_executor_engines(void);

/*
 * Has the function called with these arguments (a tuple or list, moved in; zero: none). The future,
 * which may be NULL, is to be destroyed by the caller. The options are those of
 * brood_pool_apply_async, and mean the same; of the engine `threads` callbacks are called on the
 * thread that ran the task, or cancelled it, and a hard deadline is a soft one.
 *
 * Errors:  BROOD_ESTATE after shutdown, or inherited by fork; BROOD_EBROKEN; those of
 *          brood_pool_apply_async.
 * Blocks:  no.
 * Threads: safe; tasks of the engine `threads` may submit too.
 * Python:  Executor.submit(fn, *args, **kwargs).
 */
BROOD_API brood_status brood_executor_submit(brood_executor *executor, brood_function function,
                                             brood_value args, const brood_apply_options *options,
                                             brood_future **future);

typedef struct brood_executor_map_options {
    size_t
        buffersize; /* calls that are submitted and whose results were not yet taken; 0: no bound */
    brood_ms timeout;          /* of the whole iteration, from the call of map; 0: none */
    brood_generator generator; /* where the items come from, if not from a list: asked by the thread
                                  that calls brood_results_next */
    void *context;             /* its first argument */
    brood_task_policy policy;
} brood_executor_map_options;

/*
 * Runs function(item) for each item of a list or tuple (moved in) or of a generator (then `items`
 * is a zero value), and gives the results in the items' order.
 *
 * next moves a result out. It fails with BROOD_EEOF after the last one; with BROOD_ETASK or
 * BROOD_EWORKERDIED for an item that failed, and then the iteration may go on; with BROOD_ETIMEDOUT
 * when the iteration's time is up; else as brood_future_take. An item that cannot be submitted
 * ends the iteration, in its turn, with the status of brood_executor_submit. failure describes the
 * item that made the last next fail, until the next one. destroy cancels what no worker has begun.
 *
 * Errors:  map: those of brood_executor_submit; BROOD_ETYPE, BROOD_EINVALID. failure: BROOD_ESTATE
 *          when the last next did not fail so.
 * Blocks:  map: no; next: until the next result is there.
 * Threads: one at a time uses the results, and destroys them before the executor.
 * Python:  Executor.map(fn, iterable, timeout, buffersize), which ends with the first failure.
 */
typedef struct brood_results brood_results;
BROOD_API brood_status brood_executor_map(brood_executor *executor, brood_function function,
                                          brood_value items,
                                          const brood_executor_map_options *options,
                                          brood_results **results);
BROOD_API brood_status brood_results_next(brood_results *results, brood_value *value);
BROOD_API brood_status brood_results_failure(brood_results *results, brood_failure *failure);
BROOD_API void brood_results_destroy(brood_results *results);

/*
 * Lets nothing more be submitted. With `cancel_futures` tasks that no worker has begun are
 * cancelled; with `wait` it returns when all others have ended and the workers too.
 *
 * Errors:  BROOD_ESTATE called by a callback of its own, with `wait`, or inherited by fork.
 * Blocks:  with `wait`.
 * Threads: safe.
 * Python:  Executor.shutdown(wait, cancel_futures).
 */
enum { BROOD_SHUTDOWN_WAIT = 1, BROOD_SHUTDOWN_CANCEL = 2 };
BROOD_API brood_status brood_executor_shutdown(brood_executor *executor, int flags);

/*
 * Shuts the executor down, waits for tasks that have been submitted, and frees it. NULL is ignored.
 *
 * Errors:  none.
 * Blocks:  until all tasks have ended: cancel them first (BROOD_SHUTDOWN_CANCEL) if that may take
 *          long.
 * Threads: nobody else may be inside a call on the executor; not from a callback or a task of it.
 * Python:  the end of a with block.
 */
BROOD_API void brood_executor_destroy(brood_executor *executor);

BROOD_END_DECLS

#endif /* BROOD_EXECUTOR_H */
