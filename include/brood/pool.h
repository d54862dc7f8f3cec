/*
 * brood/pool.h - worker processes that run tasks. Python: multiprocessing.Pool.
 *
 * A pool starts a fixed number of workers and replaces those that die. What a worker's death costs
 * is the task that it was running, nothing else: that task ends as BROOD_EWORKERDIED with the
 * worker's pid and its exit code or signal. Every task ends exactly once.
 *
 * A pool belongs to the process that made it. Its tasks may make pools of their own (workers are
 * not daemonic), but they cannot use the pool that runs them: a pool does not travel, and the
 * pointer that a forked worker inherits is refused with BROOD_ESTATE instead of waiting for ever.
 *
 * Arguments and results may be any values, brood locks and queues among them; what is tied to one
 * process (a connection, a pool) is refused and fails the item that contains it.
 */
#ifndef BROOD_POOL_H
#define BROOD_POOL_H

#include <brood/process.h>

BROOD_BEGIN_DECLS

typedef struct brood_pool brood_pool;

typedef struct brood_pool_options {
    int workers;                /* 0: brood_cpu_count(); at most 512 */
    brood_function initializer; /* run by each worker before its first task; NULL: none */
    brood_value initargs;       /* its arguments, a tuple or list, moved in; zero: none. Connections
                                   may be among them: each worker gets its own copy */
    brood_start_method method;
    /* More than `max_restarts` workers that die within `restart_window` milliseconds, with no task
     * ended by any worker in between, break the pool: all that is pending ends as BROOD_EBROKEN.
     * So an initializer that crashes, or a program that cannot run any task, is no endless loop. */
    int max_restarts;        /* 0: 10; negative: no bound; at most 1000 */
    brood_ms restart_window; /* 0: 60 s */
} brood_pool_options;

/*
 * Makes a pool and starts its workers. NULL options mean all defaults.
 *
 * Returns when every worker has reached its brood_init; initializers may still run then. One that
 * fails counts as a worker that died.
 *
 * Errors:  BROOD_ENOINIT; BROOD_EINVALID numbers out of range; BROOD_ETYPE initargs are no tuple or
 *          list; BROOD_ENOTFOUND the initializer is in no module; and those of
 *          brood_process_start, with nothing left behind.
 * Blocks:  until the workers are started, about a millisecond each.
 * Threads: safe.
 * Fork:    a forked child cannot use the pool; it may destroy its copy.
 * Python:  Pool(processes, initializer, initargs). Workers are not daemonic here.
 */
BROOD_API brood_status brood_pool_create(brood_pool **pool, const brood_pool_options *options);

/* Told from the thread that called map, as tasks end: `done` items of `total`. It grows to `total`,
 * by a task's items at once. It may call functions of the pool. */
typedef void (*brood_pool_progress)(void *context, size_t done, size_t total);

typedef struct brood_map_options {
    size_t chunksize; /* items a task; 0: as Python, about 4 tasks a worker. A worker's death costs
                         all items of its task */
    brood_pool_progress progress; /* NULL: nobody is told */
    void *context;
    brood_ms timeout; /* 0: no time limit (a map cannot be asked not to wait) */
    bool keep_errors; /* a failed item becomes an error value in its place instead of failing the
                         map */
} brood_map_options;

/*
 * Runs function(item) for each item of a list or tuple (moved in) and gives the list of the results
 * in the items' order. The item is the function's only argument. All items are run, also when one
 * fails; the failure of the first of them (by its place) is the map's.
 *
 * Errors:  BROOD_ETASK        an item failed: in its function, because it cannot be sent or read,
 * or because its function is not known to the workers; see brood_pool_failure. BROOD_EWORKERDIED
 * its worker died while it ran the item's task; the same. BROOD_ETIMEDOUT    tasks that no worker
 * has begun are taken back; the others' results are dropped. BROOD_ECANCELLED   the pool was
 * terminated meanwhile. BROOD_EBROKEN      too many workers died in a row; the message says how the
 * last one did. BROOD_ESTATE       the pool is closed, terminated, or inherited by fork.
 *          BROOD_ETYPE        the items are no list or tuple.
 *          BROOD_EINVALID, BROOD_ENOMEM, BROOD_ENOTFOUND (the function is in no module).
 * Blocks:  until all items are done, or the time is up.
 * Threads: safe; maps of several threads share the workers.
 * Python:  Pool.map. There a failing item keeps the rest of its chunk from being run.
 */
BROOD_API brood_status brood_pool_map(brood_pool *pool, brood_function function, brood_value items,
                                      const brood_map_options *options, brood_value *results);

/*
 * Details of the failed item of the calling thread's last map, when that gave BROOD_ETASK or
 * BROOD_EWORKERDIED: kind ("ValueError"), message, file and line, the worker's pid; `exitcode` is
 * that of a worker that died, else 0. Strings are valid until the thread's next map; long ones are
 * cut.
 *
 * Errors:  BROOD_ESTATE when that map did not fail so, or was of another pool.
 * Blocks:  no.
 * Threads: each thread has its own.
 * Python:  the exception that Pool.map raises.
 */
BROOD_API brood_status brood_pool_failure(brood_pool *pool, brood_failure *failure);

/*
 * The workers' pids now: fills up to `room`, gives their full number in *n. Workers that have died
 * are replaced first.
 *
 * Errors:  BROOD_ESTATE inherited by fork.
 * Blocks:  while workers are started.
 * Threads: safe.
 */
BROOD_API brood_status brood_pool_pids(brood_pool *pool, int64_t *pids, size_t room, size_t *n);

/*
 * No new tasks: maps that run go on, others get BROOD_ESTATE. The workers end when nothing is left
 * to do. Again: no effect.
 *
 * Errors:  BROOD_ESTATE inherited by fork.
 * Blocks:  no.
 * Threads: safe.
 * Python:  Pool.close.
 */
BROOD_API brood_status brood_pool_close(brood_pool *pool);

/*
 * Waits until all tasks and then all workers have ended.
 *
 * Errors:  BROOD_ESTATE the pool is neither closed nor terminated; BROOD_ETIMEDOUT, and it may be
 *          called again.
 * Blocks:  yes.
 * Threads: safe.
 * Python:  Pool.join.
 */
BROOD_API brood_status brood_pool_join(brood_pool *pool, brood_ms timeout);

/*
 * Ends the workers at once, with everything that they have started. Pending maps get
 * BROOD_ECANCELLED.
 *
 * Errors:  BROOD_ESTATE inherited by fork.
 * Blocks:  no; join waits for the workers' ends.
 * Threads: safe.
 * Python:  Pool.terminate.
 */
BROOD_API brood_status brood_pool_terminate(brood_pool *pool);

/*
 * Terminates what is left, waits for its end, and frees the pool. NULL is ignored. To let the tasks
 * end, close and join first. At the program's end forgotten pools are terminated.
 *
 * Errors:  none.
 * Blocks:  until the killed workers are gone.
 * Threads: nobody else may be inside a call on the pool.
 * Python:  the end of a with block.
 */
BROOD_API void brood_pool_destroy(brood_pool *pool);

BROOD_END_DECLS

#endif /* BROOD_POOL_H */
