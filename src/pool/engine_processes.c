/* pool/engine_processes.c - a pool as an executor's engine. Python: ProcessPoolExecutor. */
#include "platform/lock.h"
#include "pool/engine.h"
#include "pool/job.h"

static brood_status create(void **self, brood_executor_options *options)
{
    brood_pool *pool;
    brood_pool_options chosen = {.workers = options->workers,
                                 .initializer = options->initializer,
                                 .initargs = options->initargs,
                                 .method = options->method,
                                 .max_tasks_per_worker = options->max_tasks_per_worker};
    options->initargs = (brood_value){0};
    BROOD_TRY(brood_pool_create(&pool, &chosen));
    *self = pool;
    return BROOD_OK;
}

static brood_status submit(void *self, brood_function function, brood_value args,
                           const brood_apply_options *options, brood_future **future)
{
    return brood_pool_apply_async(self, function, args, options, future);
}

static brood_status shut_down(void *self, bool wait, bool cancel)
{
    brood_pool *pool = self;
    BROOD_TRY(brood_pool_close(pool));
    if (cancel) {
        brp_mutex_lock(pool->mutex);
        bri_jobs_cancel_queued(pool);
        brp_mutex_unlock(pool->mutex);
    }
    return wait ? brood_pool_join(pool, BROOD_FOREVER) : BROOD_OK;
}

static void destroy(void *self)
{
    brood_pool_destroy(self);
}

const bri_engine bri_engine_processes = {.name = "processes",
                                         .create = create,
                                         .submit = submit,
                                         .shutdown = shut_down,
                                         .destroy = destroy};
