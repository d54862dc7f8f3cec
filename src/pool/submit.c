/* pool/submit.c - apply, and maps that are not waited for. */
#include "pool/submit.h"

#include <string.h>

#include "base/memory.h"
#include "data/object.h"
#include "platform/clock.h"
#include "platform/lock.h"

brood_status bri_items_check(const brood_value *items, const char *what)
{
    brood_kind kind = brood_value_kind(items);
    BROOD_TRY(bri_value_check(items));
    if (kind == BROOD_INVALID)
        return bri_fail(BROOD_EINVALID, "could not %s: there are no items", what);
    if (kind != BROOD_LIST && kind != BROOD_TUPLE)
        return bri_fail(BROOD_ETYPE,
                        "could not %s: the items are of type %s, not a list or a tuple", what,
                        brood_kind_name(kind));
    return BROOD_OK;
}

size_t bri_chunk_of(const brood_pool *pool, size_t n, const brood_map_options *options)
{
    size_t tasks = 4 * (size_t)pool->n_seats, asked = options->chunksize;
    if (bri_policy_is_of_items(&options->policy))
        return 1;
    size_t chunk = asked != 0 ? asked : (n + tasks - 1) / tasks;
    return chunk == 0 ? 1 : chunk < UINT32_MAX ? chunk : UINT32_MAX;
}

/* The end of a submission: if it went well the job is the pool's, and the caller gets the future,
 * if he wants it. */
static brood_status conclude(bri_job *job, brood_future *made, brood_status status,
                             brood_future **future)
{
    if (status != BROOD_OK)
        bri_job_release(job);
    if (status == BROOD_OK && future != NULL)
        *future = made;
    else
        brood_future_destroy(made);
    return status;
}

/* ---- many tasks ---- */

brood_status bri_job_submit(bri_job *job, brood_function function, const char *what)
{
    brood_pool *pool = job->pool;
    if (function == NULL)
        return bri_fail(BROOD_EINVALID, "could not %s: the function is NULL", what);
    brp_mutex_lock(pool->mutex);
    brood_status status = bri_pool_function(pool, function, &job->shape.function);
    if (status == BROOD_OK)
        status = bri_job_begin(job, what);
    if (status == BROOD_OK) {
        bri_job_wait(job);
        bri_collector_nudge(pool);
    }
    brp_mutex_unlock(pool->mutex);
    return status;
}

static brood_status fill_map(bri_job *job, brood_value *items, const brood_map_options *options)
{
    job->items = brood_value_take(items);
    job->n = brood_value_length(&job->items);
    job->chunk = bri_chunk_of(job->pool, job->n, options);
    job->context = options->context;
    job->callback = options->callback;
    job->error_callback = options->error_callback;
    job->progress = options->progress;
    job->keep_errors = options->keep_errors;
    bri_job_set_policy(job, &options->policy);
    job->results = bri_calloc(job->n == 0 ? 1 : job->n, sizeof *job->results);
    return job->results == NULL ? BROOD_ENOMEM : BROOD_OK;
}

brood_status bri_map_submit(brood_pool *pool, brood_function function, brood_value *items,
                            const brood_map_options *given, bri_task_style style, const char *what,
                            brood_future **future)
{
    brood_map_options options = {0};
    bri_job *job;
    if (given != NULL)
        options = *given;
    BROOD_TRY(bri_pool_check(pool, what));
    BROOD_TRY(bri_items_check(items, what));
    BROOD_TRY(bri_policy_check(&options.policy, what));
    BROOD_TRY(bri_job_make(pool, BRI_JOB_MAP, &job));
    brood_status status = fill_map(job, items, &options);
    job->shape.style = style;
    brood_future *made = job->future;
    bri_future_retain(made);
    if (status == BROOD_OK)
        status = bri_job_submit(job, function, what);
    return conclude(job, made, status, future);
}

brood_status brood_pool_map_async(brood_pool *pool, brood_function function, brood_value items,
                                  const brood_map_options *options, brood_future **future)
{
    brood_status status =
        bri_map_submit(pool, function, &items, options, BRI_STYLE_ITEM, "map", future);
    brood_value_clear(&items);
    return status;
}

brood_status brood_pool_starmap_async(brood_pool *pool, brood_function function, brood_value items,
                                      const brood_map_options *options, brood_future **future)
{
    brood_status status =
        bri_map_submit(pool, function, &items, options, BRI_STYLE_STAR, "starmap", future);
    brood_value_clear(&items);
    return status;
}

/* ---- one task ---- */

static brood_status check_call(brood_pool *pool, brood_function function, const brood_value *args,
                               const brood_apply_options *options)
{
    brood_kind kind = brood_value_kind(args), named = brood_value_kind(&options->kwargs);
    BROOD_TRY(bri_pool_check(pool, "apply"));
    BROOD_TRY(bri_policy_check(&options->policy, "apply"));
    BROOD_TRY(bri_value_check(args));
    BROOD_TRY(bri_value_check(&options->kwargs));
    if (function == NULL)
        return bri_fail(BROOD_EINVALID, "could not apply: the function is NULL");
    if (kind != BROOD_INVALID && kind != BROOD_TUPLE && kind != BROOD_LIST)
        return bri_fail(BROOD_ETYPE,
                        "could not apply: the arguments are of type %s, not a tuple or a list",
                        brood_kind_name(kind));
    if (named != BROOD_INVALID && named != BROOD_DICT)
        return bri_fail(BROOD_ETYPE,
                        "could not apply: the keyword arguments are of type %s, not a dict",
                        brood_kind_name(named));
    return BROOD_OK;
}

/* The arguments as one item, in the form that costs least. Takes both over. */
static brood_status write_call(bri_payload *frame, brood_value *args, brood_value *kwargs,
                               bri_task_style *style)
{
    bool is_named = brood_value_length(kwargs) != 0;
    if (brood_value_kind(args) == BROOD_INVALID)
        *args = brood_tuple(0);
    if (is_named) {
        brood_value pair = brood_pack("(vv)", brood_value_take(args), brood_value_take(kwargs));
        *style = BRI_STYLE_CALL;
        if (brood_value_kind(&pair) == BROOD_INVALID)
            return brood_last_error()->status;
        *args = pair;
        return bri_payload_append(frame, args);
    }
    if (brood_value_length(args) == 1) {
        *style = BRI_STYLE_ITEM;
        return bri_payload_append(frame, brood_item(args, 0));
    }
    *style = BRI_STYLE_STAR;
    return bri_payload_append(frame, args);
}

/* Under the mutex: into a slot at once if one is free, and nobody else waits for one. */
static bool put_at_once(bri_job *job, bri_payload *frame)
{
    brood_pool *pool = job->pool;
    uint32_t index;
    for (int level = job->shape.level; level < BRI_TASK_LEVELS; level++)
        if (pool->collector.waiting[level].first != NULL)
            return false;
    if (!bri_request_take_slot(pool, &pool->collector.request, &index))
        return false;
    if (bri_task_fill(pool, index, frame, &job->shape, 0, 1) != BROOD_OK) {
        bri_request_give_slot(pool, index);
        return false;
    }
    const bri_task *task = &pool->tasks[index];
    bri_job_put_task(job, index);
    bri_tasks_ring(pool->table, 1);
    if (task->has_limit || task->is_delayed || pool->supervisor.n_resting > 0)
        bri_collector_nudge(pool);
    return true;
}

static brood_status keep_frame(bri_job *job, bri_payload *frame)
{
    job->size = bri_payload_size(frame);
    job->frame = bri_alloc(job->size);
    if (job->frame == NULL)
        return BROOD_ENOMEM;
    bri_payload_copy(frame, job->frame);
    job->loan = frame->loan;
    frame->loan = 0;
    job->refers = frame->refers;
    frame->refers = (bri_buffer){0};
    return BROOD_OK;
}

static brood_status submit_call(bri_job *job, brood_function function, bri_payload *frame)
{
    brood_pool *pool = job->pool;
    brp_mutex_lock(pool->mutex);
    brood_status status = bri_pool_function(pool, function, &job->shape.function);
    if (status == BROOD_OK)
        status = bri_job_begin(job, "apply");
    if (status == BROOD_OK && !put_at_once(job, frame)) {
        status = keep_frame(job, frame);
        if (status == BROOD_OK) {
            bri_job_wait(job);
            bri_collector_nudge(pool);
        } else {
            bri_job_unlist(job);
            pool->collector.n_jobs--;
            pool->stats.submitted--;
        }
    }
    brp_mutex_unlock(pool->mutex);
    return status;
}

static brood_status apply(brood_pool *pool, brood_function function, brood_value *args,
                          brood_apply_options *options, brood_future **future)
{
    bri_job *job;
    bri_payload frame = {.lends = true};
    BROOD_TRY(check_call(pool, function, args, options));
    BROOD_TRY(bri_job_make(pool, BRI_JOB_CALL, &job));
    job->n = 1;
    job->callback = options->callback;
    job->error_callback = options->error_callback;
    job->context = options->context;
    bri_job_set_policy(job, &options->policy);
    brood_future *made = job->future;
    bri_future_retain(made);
    brood_status status = write_call(&frame, args, &options->kwargs, &job->shape.style);
    if (status != BROOD_OK)
        bri_fail_within("could not send a task to a worker");
    else
        status = submit_call(job, function, &frame);
    bri_payload_fini(&frame);
    return conclude(job, made, status, future);
}

brood_status brood_pool_apply_async(brood_pool *pool, brood_function function, brood_value args,
                                    const brood_apply_options *given, brood_future **future)
{
    brood_apply_options options = {0};
    if (given != NULL)
        options = *given;
    brood_status status = apply(pool, function, &args, &options, future);
    brood_value_clear(&args);
    brood_value_clear(&options.kwargs);
    return status;
}

/* Whether apply may wait for a result on this thread. */
static brood_status check_wait(const brood_pool *pool, const brood_value *result)
{
    if (result == NULL)
        return bri_fail(BROOD_EINVALID, "could not apply: where the result goes is NULL");
    if (pool != NULL && !pool->inherited && bri_collector_is_me(pool))
        return bri_fail(BROOD_ESTATE, "could not apply: a callback of the pool cannot wait for it");
    return BROOD_OK;
}

brood_status brood_pool_apply(brood_pool *pool, brood_function function, brood_value args,
                              const brood_apply_options *options, brood_value *result)
{
    brood_future *future;
    brood_status refused = check_wait(pool, result);
    if (refused != BROOD_OK) {
        brood_value_clear(&args);
        if (options != NULL) {
            brood_value kwargs = options->kwargs;
            brood_value_clear(&kwargs);
        }
        return refused;
    }
    BROOD_TRY(brood_pool_apply_async(pool, function, args, options, &future));
    brood_status status = brood_future_take(future, result, BROOD_FOREVER);
    brood_future_destroy(future);
    return status;
}
