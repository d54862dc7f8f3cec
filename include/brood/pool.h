/*
 * brood/pool.h - worker processes that run tasks. Python: multiprocessing.Pool.
 */
#ifndef BROOD_POOL_H
#define BROOD_POOL_H

#include <brood/process.h>

BROOD_BEGIN_DECLS

typedef struct brood_pool brood_pool;

typedef struct brood_pool_options {
    int workers;                /* 0: brood_cpu_count() */
    brood_function initializer; /* run by each worker first; NULL: none */
    brood_value initargs;       /* its arguments, a tuple, moved in; zero: none */
    brood_start_method method;
} brood_pool_options;

BROOD_API brood_status brood_pool_create(brood_pool **pool, const brood_pool_options *options);

/* Told from the calling thread of map as tasks end: `done` of `total`. */
typedef void (*brood_pool_progress)(void *context, size_t done, size_t total);

typedef struct brood_map_options {
    size_t chunksize; /* items a task; 0: as Python, about 4 tasks a worker */
    brood_pool_progress progress;
    void *context;
    brood_ms timeout; /* 0: no time limit (a map cannot be asked not to wait) */
    bool keep_errors; /* a failed item becomes an error value in its place instead of failing the
                         map */
} brood_map_options;

/*
 * Runs function(item) for each item of a list or tuple (moved in) and gives the list of the results
 * in the items' order. A failing item: BROOD_ETASK (or BROOD_EWORKERDIED when its worker died); the
 * failure of the first such item is described by brood_last_error and brood_pool_failure; all items
 * are run all the same.
 */
BROOD_API brood_status brood_pool_map(brood_pool *pool, brood_function function, brood_value items,
                                      const brood_map_options *options, brood_value *results);

/* Details of the last failed map of the calling thread. Strings are valid until its next map. */
BROOD_API brood_status brood_pool_failure(brood_pool *pool, brood_failure *failure);

/* The workers' pids now. */
BROOD_API brood_status brood_pool_pids(brood_pool *pool, int64_t *pids, size_t room, size_t *n);

BROOD_API brood_status brood_pool_close(brood_pool *pool); /* no new tasks */
BROOD_API brood_status brood_pool_join(
    brood_pool *pool, brood_ms timeout); /* after close or terminate: workers have ended */
BROOD_API brood_status
brood_pool_terminate(brood_pool *pool); /* at once; pending tasks end as BROOD_ECANCELLED */
BROOD_API void brood_pool_destroy(brood_pool *pool); /* terminates and joins what is left */

BROOD_END_DECLS

#endif /* BROOD_POOL_H */
