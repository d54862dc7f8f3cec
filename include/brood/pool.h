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
 * Large data need not be copied: a brood_array (brood/array.h) in arguments or results stays where
 * it is in the memory that all processes share, and only a reference to it travels. The task holds
 * every lock, queue and array in its arguments until it has ended, and every one in its result
 * until the caller has it. So whoever makes one may let go of it at once: the submitter behind
 * brood_pool_apply_async, the worker behind brood_call_return. The last one that has it frees it;
 * what a killed worker had is freed for it.
 *
 * Arguments and results may be any values, brood locks, queues, connections, and sockets and open
 * files (brood/handle.h) among them. What is tied to one process (a pool) is refused, and fails the
 * item that contains it. A connection that is an argument is duplicated when its task is made:
 * close it here after brood_pool_apply_async, but after the results of a map_async or imap, whose
 * items become tasks one after the other. Its other end sees the end when the task has ended and
 * the worker has let it go. A task that gives one back hands it over
 * (brood_connection_hand_over).
 *
 * Every function gives BROOD_EINVALID for a pool, a function, or a place for its results that is
 * NULL, unless it says that it may be.
 */
#ifndef BROOD_POOL_H
#define BROOD_POOL_H

#include <brood/future.h>
#include <brood/process.h>

BROOD_BEGIN_DECLS

typedef struct brood_pool brood_pool;

typedef struct brood_pool_options {
    int workers;                /* 0: brood_cpu_count(); at most 512 */
    brood_function initializer; /* run by each worker before its first task; NULL: none */
    brood_value initargs;       /* its arguments, a tuple or list, moved in; zero: none. Connections
                                   may be among them: each worker gets its own copy */
    brood_start_method method;
    /* A worker ends by itself between two tasks, and is replaced, after so many tasks (a chunk of a
     * map is one), when its own memory has grown by so many bytes, when it is that old. Idle for so
     * long it ends too, but is replaced only when there is work again. 0: never. */
    int64_t max_tasks_per_worker;
    int64_t max_growth;
    brood_ms max_age;
    brood_ms max_idle;
    int64_t memory_limit; /* bytes of its own that the system lets a worker have; 0: no limit */
    bool bind_cpus;       /* each worker stays on one CPU; BROOD_ENOTSUP breaks the pool where the
                             system cannot */
    int max_workers;      /* for brood_pool_resize; 0: 64, or `workers` if that is more */
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
 *          BROOD_START_FORK copies the process as it is, so only threads of the program do it:
 *          this call, and, for a worker that has died, whoever is inside a call that waits for
 *          results of the pool or asks for its workers (map, apply, drain, join, pids, resize,
 *          brood_imap_next; waiting for futures, there every 50 ms). While no thread is in one,
 *          such a worker is not replaced, and a pool that has lost all of them runs nothing until
 *          then: a program that only waits for callbacks should wait by brood_pool_drain. With the
 *          other methods the library's own thread replaces workers at once.
 * Python:  Pool(processes, initializer, initargs). Workers are not daemonic here. Python forks from
 *          a thread of its own, with whatever locks other threads hold.
 */
BROOD_API brood_status brood_pool_create(brood_pool **pool, const brood_pool_options *options);

/* Told as tasks end: `done` items of `total` (SIZE_MAX when nobody knows yet). It grows to `total`,
 * by a task's items at once. On the thread that called map or starmap, and then it may use the
 * pool; for the asynchronous calls, and with a policy, on the thread that calls callbacks, and then
 * it may do as much as they. */
typedef void (*brood_pool_progress)(void *context, size_t done, size_t total);

/* Gives the next item; BROOD_EEOF when there is none any more. Any other failure ends the iteration
 * with it. Called on the thread that calls callbacks, a bounded number of items ahead. */
typedef brood_status (*brood_generator)(void *context, brood_value *item);

/* Told when a call has ended: with its result, borrowed, or with its failure, whose strings are
 * borrowed. On the one thread of the pool that does so, in this process. They may submit tasks, but
 * neither map nor wait for anything of this pool (BROOD_ESTATE). */
typedef void (*brood_result_callback)(void *context, const brood_value *result);
typedef void (*brood_failure_callback)(void *context, brood_status status,
                                       const brood_failure *failure);

/* How calls are to be run. All zero: once, at normal priority, without a time limit. What it says
 * of retries and deadlines holds for each item of a map by itself: with any of them every item is a
 * task of its own, whatever the chunksize. */
typedef struct brood_task_policy {
    int priority; /* -1: after, 1: before all others that no worker has begun */
    /* How often a call is run again when its worker died, and with `retry_failures` also when its
     * function failed; not when it was asked to stop. One with which three workers have died is
     * never tried again. brood_call_attempt tells the function. */
    int retries;
    bool retry_failures;
    brood_ms backoff; /* before the first retry; doubled for each further one, up to a minute */
    brood_ms soft_deadline; /* from its start: then brood_call_should_stop is true; 0: none */
    brood_ms hard_deadline; /* from its start: then its worker is killed, with all below it, and the
                               task fails as BROOD_ETASK, "TimeoutError"; 0: none */
} brood_task_policy;

typedef struct brood_map_options {
    size_t chunksize; /* items a task; 0: as Python, about 4 tasks a worker. A worker's death costs
                         all items of its task; so items that may be tried again, or have
                         deadlines, are tasks of their own: see brood_task_policy */
    brood_pool_progress progress; /* NULL: nobody is told */
    void *context;                /* of all callbacks below and above */
    brood_ms timeout; /* 0: no time limit (a map cannot be asked not to wait); of map, starmap */
    bool keep_errors; /* a failed item becomes an error value in its place instead of failing the
                         map */
    brood_result_callback callback;        /* of map_async, starmap_async; NULL: none */
    brood_failure_callback error_callback; /* the same */
    brood_generator generator; /* of imap, imap_unordered: where the items come from, if not from a
                                  list */
    size_t window; /* of imap, imap_unordered: items that are in hand or wait to be taken
                      from the iteration, at most. 0: 4 tasks a worker with a generator,
                      else no bound */
    brood_task_policy policy;
} brood_map_options;

typedef struct brood_apply_options {
    brood_value kwargs;                    /* keyword arguments, a dict, moved in; zero: none */
    brood_result_callback callback;        /* of apply_async; NULL: none */
    brood_failure_callback error_callback; /* the same */
    void *context;
    brood_task_policy policy;
} brood_apply_options;

/*
 * Has a worker call the function with these arguments (a tuple or list, moved in; zero: none) and
 * waits for the result.
 *
 * Errors:  those of brood_future_take and brood_pool_apply_async; BROOD_ESTATE in a callback of it.
 * Blocks:  until the task has ended.
 * Threads: safe.
 * Python:  Pool.apply(func, args, kwds).
 */
BROOD_API brood_status brood_pool_apply(brood_pool *pool, brood_function function, brood_value args,
                                        const brood_apply_options *options, brood_value *result);

/*
 * The same without waiting. The future, if wanted (may be NULL), is to be destroyed by the caller.
 *
 * Errors:  BROOD_ESTATE     the pool is closed, terminated, or inherited by fork.
 *          BROOD_EBROKEN    as brood_pool_map.
 *          BROOD_ETYPE      args are no tuple or list, or kwargs no dict.
 *          BROOD_EINVALID   options out of range.
 *          BROOD_ENOTSUP    something among the arguments cannot travel (a pool); BROOD_ECLOSED a
 *                           closed connection is among them; and whatever else keeps them from
 *                           being written.
 *          BROOD_ENOTFOUND  the function is in no module.
 *          BROOD_ENOMEM.
 * Blocks:  no. Tasks that workers have no time for wait in this process's memory, without a bound.
 * Threads: safe.
 * Python:  Pool.apply_async(func, args, kwds, callback, error_callback).
 */
BROOD_API brood_status brood_pool_apply_async(brood_pool *pool, brood_function function,
                                              brood_value args, const brood_apply_options *options,
                                              brood_future **future);

/*
 * Runs function(item) for each item of a list or tuple (moved in) and gives the list of the results
 * in the items' order. The item is the function's only argument. All items are run, also when one
 * fails; the failure of the first of them (by its place) is the map's.
 *
 * Errors:  BROOD_ETASK        an item failed: in its function, because it cannot be sent or read,
 *                             or because its function is not known to the workers; see
 *                             brood_pool_failure.
 *          BROOD_EWORKERDIED  its worker died while it ran the item's task; the same.
 *          BROOD_ETIMEDOUT    tasks that no worker has begun are taken back; the others' results
 *                             are dropped.
 *          BROOD_ECANCELLED   the pool was terminated meanwhile, or interrupted.
 *          BROOD_EBROKEN      too many workers died in a row; the message says how the last did.
 *          BROOD_ESTATE       the pool is closed, terminated, or inherited by fork; or this is a
 *                             callback of it.
 *          BROOD_ETYPE        the items are no list or tuple.
 *          BROOD_EINVALID     options out of range.
 *          BROOD_ENOTFOUND    the function is in no module.
 *          BROOD_ENOMEM.
 * Blocks:  until all items are done, or the time is up.
 * Threads: safe; maps of several threads share the workers.
 * Python:  Pool.map. There a failing item keeps the rest of its chunk from being run.
 */
BROOD_API brood_status brood_pool_map(brood_pool *pool, brood_function function, brood_value items,
                                      const brood_map_options *options, brood_value *results);

/*
 * As map, but each item is a tuple or list of the function's arguments. Python: Pool.starmap.
 */
BROOD_API brood_status brood_pool_starmap(brood_pool *pool, brood_function function,
                                          brood_value items, const brood_map_options *options,
                                          brood_value *results);

/*
 * Map and starmap without waiting: the future's value is the list of results. Its failure is that
 * of the first item that failed (by its place); it ends when all items have.
 *
 * Errors:  those of brood_pool_apply_async; BROOD_ETYPE the items are no list or tuple.
 * Blocks:  no.
 * Threads: safe.
 * Python:  Pool.map_async, Pool.starmap_async, which call no callback when there are no items.
 */
BROOD_API brood_status brood_pool_map_async(brood_pool *pool, brood_function function,
                                            brood_value items, const brood_map_options *options,
                                            brood_future **future);
BROOD_API brood_status brood_pool_starmap_async(brood_pool *pool, brood_function function,
                                                brood_value items, const brood_map_options *options,
                                                brood_future **future);

/*
 * Runs function(item) for each item of a list or tuple (moved in), or of options->generator (then
 * `items` is a zero value), and gives the results one by one: in the order of the items, or as they
 * come. A chunksize of 0 means here: a few items a task of a long list, one of a generator.
 *
 *     brood_imap *results;
 *     BROOD_CHECK(brood_pool_imap(pool, square, items, NULL, &results));
 *     while ((status = brood_imap_next(results, &value, BROOD_FOREVER)) != BROOD_EEOF)
 *         ...
 *     brood_imap_destroy(results);
 *
 * Errors:  those of brood_pool_map_async.
 * Blocks:  no.
 * Threads: safe.
 * Python:  Pool.imap, Pool.imap_unordered; there all items are taken from the iterable at once.
 */
typedef struct brood_imap brood_imap;
BROOD_API brood_status brood_pool_imap(brood_pool *pool, brood_function function, brood_value items,
                                       const brood_map_options *options, brood_imap **results);
BROOD_API brood_status brood_pool_imap_unordered(brood_pool *pool, brood_function function,
                                                 brood_value items,
                                                 const brood_map_options *options,
                                                 brood_imap **results);

/*
 * Gives the next result, moving it out. An item that failed is reported once, in its turn; then the
 * iteration goes on. With options->keep_errors it gives an error value instead.
 *
 * Errors:  BROOD_EEOF                      all results were given.
 *          BROOD_ETASK, BROOD_EWORKERDIED  this item failed; see brood_imap_failure.
 *          BROOD_ETIMEDOUT                 none in time.
 *          BROOD_ECANCELLED, BROOD_EBROKEN the pool was terminated, or broke; no more will come.
 *          BROOD_ENOMEM                    there was no memory for a result; no more will come.
 *          BROOD_ESTATE                    as brood_future_get.
 *          That of the generator, after the results of what it gave before.
 * Blocks:  at most `timeout` milliseconds.
 * Threads: one at a time uses an iteration.
 * Python:  IMapIterator.next(timeout).
 */
BROOD_API brood_status brood_imap_next(brood_imap *results, brood_value *value, brood_ms timeout);

/* Details of the item that made the last brood_imap_next fail; strings are borrowed until the next
 * call. BROOD_ESTATE when it did not. */
BROOD_API brood_status brood_imap_failure(brood_imap *results, brood_failure *failure);

/*
 * Ends the iteration: items that no worker has are taken back, results that come later are dropped.
 * NULL is ignored.
 *
 * Errors:  none.
 * Blocks:  no.
 * Threads: nobody else may be inside a call on it.
 */
BROOD_API void brood_imap_destroy(brood_imap *results);

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
 * are replaced first (with BROOD_START_FORK not if this is a callback).
 *
 * Errors:  BROOD_ESTATE inherited by fork.
 * Blocks:  while workers are started.
 * Threads: safe.
 */
BROOD_API brood_status brood_pool_pids(brood_pool *pool, int64_t *pids, size_t room, size_t *n);

/*
 * Has the pool keep that many workers from now on, 1 to options->max_workers. Those that are too
 * many end as soon as they have no task in hand.
 *
 * Errors:  BROOD_EINVALID out of range; BROOD_EBROKEN; BROOD_ESTATE closed, terminated or
 *          inherited by fork, or a callback with BROOD_START_FORK; those of brood_process_start:
 *          then there are as many as could be started, and more are tried.
 * Blocks:  until new workers are started, about a millisecond each.
 * Threads: safe.
 * Python:  none.
 */
BROOD_API brood_status brood_pool_resize(brood_pool *pool, int workers);

/*
 * Keeps workers from beginning tasks, and lets them again. Tasks that run go on; submitting works.
 * A close does not end the pause: who joins a paused pool waits until it is resumed.
 *
 * Errors:  BROOD_ESTATE inherited by fork.
 * Blocks:  no.
 * Threads: safe.
 * Python:  none.
 */
BROOD_API brood_status brood_pool_pause(brood_pool *pool);
BROOD_API brood_status brood_pool_resume(brood_pool *pool);

/*
 * Waits until every task that was submitted has ended, and its callbacks were called. The pool goes
 * on.
 *
 * Errors:  BROOD_ETIMEDOUT; BROOD_ESTATE inherited by fork, or called from a callback of the pool.
 * Blocks:  yes.
 * Threads: safe.
 * Python:  none.
 */
BROOD_API brood_status brood_pool_drain(brood_pool *pool, brood_ms timeout);

typedef enum brood_worker_state {
    BROOD_WORKER_NONE = 0, /* its place is empty: it has ended, and the next is not yet started */
    BROOD_WORKER_STARTING, /* until its initializer has ended */
    BROOD_WORKER_IDLE,
    BROOD_WORKER_BUSY,
    BROOD_WORKER_LEAVING
} brood_worker_state;

typedef struct brood_worker_stats {
    int64_t pid;
    brood_worker_state state;
    int64_t tasks; /* ended by it; a chunk is one */
    brood_ms age;
    brood_ms busy; /* that it had tasks */
} brood_worker_stats;

typedef struct brood_pool_stats {
    int workers;       /* that it should have */
    int running;       /* processes that there are */
    int64_t queued;    /* tasks that no worker has; of lists, those that are cut already */
    int64_t in_hand;   /* tasks that workers have */
    int64_t submitted; /* asynchronous calls: an apply, a map, an imap */
    int64_t ended;     /* of those, however */
    int64_t failed;    /* of those, ETASK and EWORKERDIED */
    int64_t cancelled; /* of those */
    int64_t tasks;     /* ended by workers, maps of callers included */
    int64_t retries;
    int64_t deaths;  /* of workers, without having been told to end */
    int64_t started; /* workers, ever */
    int64_t latency; /* mean microseconds from apply_async to its end */
    int64_t latency_most;
} brood_pool_stats;

/*
 * Figures of now; and of each place for a worker: fills up to `room`, *n is how many there are.
 * `workers` may be NULL with a room of 0, `n` too.
 *
 * Errors:  BROOD_EINVALID; BROOD_ESTATE inherited by fork.
 * Blocks:  no.
 * Threads: safe.
 * Python:  none.
 */
BROOD_API brood_status brood_pool_get_stats(brood_pool *pool, brood_pool_stats *stats,
                                            brood_worker_stats *workers, size_t room, size_t *n);

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
 * Errors:  BROOD_ESTATE the pool is neither closed nor terminated, or inherited by fork, or this
 *          is a callback of it; BROOD_ETIMEDOUT, and it may be called again.
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

/* Told of each Ctrl-C, after the pools; `count` is 1 at the first. On a thread of the library's. */
typedef void (*brood_interrupt_callback)(void *context, int count);

/*
 * Makes Ctrl-C (SIGINT, and SIGTERM too; on Windows the console's events) a wish to end instead of
 * the program's end. The first one drains all pools of this process: they are closed, tasks that no
 * worker has begun are cancelled (BROOD_ECANCELLED), and those that run are finished. The second
 * terminates them. What else the program does it decides itself: by the callback (may be NULL), or
 * by asking how often it was interrupted. Without this call nothing is installed, and Ctrl-C ends
 * the program and with it the tree.
 *
 * Errors:  BROOD_ENOINIT; BROOD_ESTATE it is handled already; BROOD_EOS.
 * Blocks:  no.
 * Threads: safe.
 * Fork:    a forked child handles nothing.
 * Python:  none: KeyboardInterrupt is raised in the main thread, wherever that is.
 */
BROOD_API brood_status brood_handle_interrupt(brood_interrupt_callback callback, void *context);

/* Ends that: what was installed before stands again. Threads: safe, not from the callback. */
BROOD_API void brood_unhandle_interrupt(void);

/* How often there was an interrupt since brood_handle_interrupt. Threads: safe. */
BROOD_API int brood_interrupt_count(void);

/*
 * Terminates what is left, waits for its end, and frees the pool. NULL is ignored. To let the tasks
 * end, close and join first. At the program's end forgotten pools are terminated.
 *
 * Errors:  none.
 * Blocks:  until the killed workers are gone.
 * Threads: nobody else may be inside a call on the pool; not from a callback of it.
 * Python:  the end of a with block.
 */
BROOD_API void brood_pool_destroy(brood_pool *pool);

BROOD_END_DECLS

#endif /* BROOD_POOL_H */
