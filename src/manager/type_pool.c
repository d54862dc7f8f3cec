/*
 * manager/type_pool.c - Pool, and its AsyncResult and Iterator: a brood pool whose workers are the
 * server's children.
 *
 * Tasks are functions that the server's program has registered, by name: as a str, or as Python's
 * reference to a function of that name. What waits for a task (apply, map, get, join, ...) runs on
 * a thread of its own as a slow method.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <brood/manager.h>
#include <brood/pool.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/registry.h"
#include "data/opaque.h"
#include "manager/sequence.h"
#include "manager/session.h"

/* ---- functions by name ---- */

/* "name", or the global module.name, registered by its full or its last name. */
static brood_status find_function(const brood_value *value, brood_function *function)
{
    char full[300];
    const char *name = NULL;
    if (brood_value_kind(value) == BROOD_OPAQUE) {
        name = brood_opaque_name(value);
        snprintf(full, sizeof full, "%s.%s", brood_opaque_module(value), name);
        if (bri_function_named(full, function) == BROOD_OK)
            return BROOD_OK;
    } else if (brood_value_kind(value) == BROOD_STR) {
        BROOD_TRY(brood_get_str(value, &name, NULL));
    }
    if (name == NULL)
        return bri_fail(BROOD_ETYPE, "could not run a task: it is not the name of a function");
    return bri_function_named(name, function);
}

/* ---- the pool ---- */

static brood_status create_pool(bri_invocation *call, void **state)
{
    static const char *const names[] = {"processes", "initializer", "initargs", "maxtasksperchild"};
    const brood_value *out[4];
    int64_t workers = 0;
    brood_pool_options options = {0};
    brood_pool *pool;
    BROOD_TRY(bri_take_arguments(call, names, 4, 0, out));
    if (out[0] != NULL && brood_value_kind(out[0]) != BROOD_NONE) {
        BROOD_TRY(bri_integer_argument(call, out[0], &workers));
        if (workers < 1)
            return bri_raise(call, "ValueError", "Number of processes must be at least 1");
    }
    if (workers > 512)
        return bri_raise(call, "ValueError", "Number of processes must be at most 512");
    options.workers = (int)workers;
    if (out[1] != NULL && brood_value_kind(out[1]) != BROOD_NONE) {
        BROOD_TRY(find_function(out[1], &options.initializer));
        if (out[2] != NULL)
            options.initargs = bri_move_argument(out[2]);
    }
    BROOD_TRY(brood_pool_create(&pool, &options));
    *state = pool;
    return BROOD_OK;
}

static void destroy_pool(void *state)
{
    brood_pool_destroy(state);
}

/* Tasks that hang are killed, so whoever waits for them returns. */
static void stop_pool(void *state)
{
    brood_pool_terminate(state);
}

static brood_status take_nothing(bri_invocation *call)
{
    return bri_take_arguments(call, NULL, 0, 0, NULL);
}

static brood_status pool_close(bri_invocation *call)
{
    BROOD_TRY(take_nothing(call));
    return brood_pool_close(call->state);
}

static brood_status pool_terminate(bri_invocation *call)
{
    BROOD_TRY(take_nothing(call));
    return brood_pool_terminate(call->state);
}

static brood_status run_join(brood_call *call)
{
    brood_status status = brood_pool_join(brood_call_object(call), BROOD_FOREVER);
    return status == BROOD_ESTATE ? brood_call_raise(call, "ValueError", "Pool is still running")
                                  : status;
}

/* ---- tasks ---- */

/* (func, args=(), kwds={}) or (func, iterable, chunksize=None), as a call of the pool. */
typedef struct task {
    brood_function function;
    brood_value values; /* arguments, or items */
    brood_value kwds;
    size_t chunksize;
} task;

static void clear_task(task *t)
{
    brood_value_clear(&t->values);
    brood_value_clear(&t->kwds);
}

static brood_status take_apply(bri_invocation *call, task *t)
{
    static const char *const names[] = {"func", "args", "kwds", "callback", "error_callback"};
    const brood_value *out[5];
    BROOD_TRY(bri_take_arguments(call, names, 5, 1, out));
    BROOD_TRY(find_function(out[0], &t->function));
    t->values = brood_tuple(0);
    if (out[1] != NULL)
        BROOD_TRY(bri_list_of(call, out[1], &t->values));
    if (out[2] != NULL && brood_value_kind(out[2]) == BROOD_DICT)
        t->kwds = bri_move_argument(out[2]);
    return BROOD_OK;
}

static brood_status take_map(bri_invocation *call, task *t)
{
    static const char *const names[] = {"func", "iterable", "chunksize", "callback",
                                        "error_callback"};
    const brood_value *out[5];
    int64_t chunksize;
    BROOD_TRY(bri_take_arguments(call, names, 5, 2, out));
    BROOD_TRY(find_function(out[0], &t->function));
    if (out[2] != NULL && brood_value_kind(out[2]) != BROOD_NONE) {
        BROOD_TRY(bri_integer_argument(call, out[2], &chunksize));
        if (chunksize < 1)
            return bri_raise(call, "ValueError", "Chunksize must be 1+, not %" PRId64, chunksize);
        t->chunksize = (size_t)chunksize;
    }
    return bri_list_of(call, out[1], &t->values);
}

/* ---- AsyncResult ---- */

typedef struct result {
    brood_value pool; /* its object, so that it lives as long */
    brood_future *future;
    brood_imap *imap; /* of an iterator */
    brp_mutex *lock;  /* one at a time uses an iteration */
} result;

static void destroy_result(void *state)
{
    result *r = state;
    brood_future_destroy(r->future);
    brood_imap_destroy(r->imap);
    brood_value_clear(&r->pool);
    brp_mutex_destroy(r->lock);
    bri_free(r);
}

static brood_status make_result(bri_invocation *call, result **made)
{
    result *r = bri_calloc(1, sizeof *r);
    if (r == NULL)
        return BROOD_ENOMEM;
    brood_status status = brp_mutex_create(&r->lock);
    if (status == BROOD_OK) {
        r->pool = bri_object_value(&bri_managed_class, call->object);
        status = r->pool.kind == BROOD_OBJECT ? BROOD_OK : brood_last_error()->status;
    }
    if (status != BROOD_OK)
        destroy_result(r);
    else
        *made = r;
    return status;
}

typedef brood_status submitter(brood_pool *pool, task *t, result *r);

static brood_status submit_apply(brood_pool *pool, task *t, result *r)
{
    brood_apply_options options = {.kwargs = brood_value_take(&t->kwds)};
    return brood_pool_apply_async(pool, t->function, brood_value_take(&t->values), &options,
                                  &r->future);
}

static brood_status submit_map(brood_pool *pool, task *t, result *r)
{
    brood_map_options options = {.chunksize = t->chunksize};
    return brood_pool_map_async(pool, t->function, brood_value_take(&t->values), &options,
                                &r->future);
}

static brood_status submit_starmap(brood_pool *pool, task *t, result *r)
{
    brood_map_options options = {.chunksize = t->chunksize};
    return brood_pool_starmap_async(pool, t->function, brood_value_take(&t->values), &options,
                                    &r->future);
}

static brood_status submit_imap(brood_pool *pool, task *t, result *r)
{
    brood_map_options options = {.chunksize = t->chunksize == 0 ? 1 : t->chunksize};
    return brood_pool_imap(pool, t->function, brood_value_take(&t->values), &options, &r->imap);
}

static brood_status submit_unordered(brood_pool *pool, task *t, result *r)
{
    brood_map_options options = {.chunksize = t->chunksize == 0 ? 1 : t->chunksize};
    return brood_pool_imap_unordered(pool, t->function, brood_value_take(&t->values), &options,
                                     &r->imap);
}

/* Submits what the arguments say; the result is a new object. */
static brood_status submit(bri_invocation *call, bool is_apply, submitter *how, result **made)
{
    task t = {0};
    result *r = NULL;
    brood_status status = is_apply ? take_apply(call, &t) : take_map(call, &t);
    if (status == BROOD_OK)
        status = make_result(call, &r);
    if (status == BROOD_OK)
        status = how(call->state, &t, r);
    clear_task(&t);
    if (status == BROOD_ESTATE)
        status = bri_raise(call, "ValueError", "Pool not running");
    if (status != BROOD_OK && r != NULL)
        destroy_result(r);
    if (status == BROOD_OK)
        *made = r;
    return status;
}

static brood_status submit_object(bri_invocation *call, bool is_apply, submitter *how,
                                  const bri_managed_type *type)
{
    result *r;
    BROOD_TRY(submit(call, is_apply, how, &r));
    call->made = r;
    call->made_type = type;
    return BROOD_OK;
}

static const bri_managed_type imap_type;

static brood_status pool_apply_async(bri_invocation *call)
{
    return submit_object(call, true, submit_apply, &bri_async_result_type);
}

static brood_status pool_map_async(bri_invocation *call)
{
    return submit_object(call, false, submit_map, &bri_async_result_type);
}

static brood_status pool_starmap_async(bri_invocation *call)
{
    return submit_object(call, false, submit_starmap, &bri_async_result_type);
}

static brood_status pool_imap(bri_invocation *call)
{
    return submit_object(call, false, submit_imap, &imap_type);
}

static brood_status pool_imap_unordered(bri_invocation *call)
{
    return submit_object(call, false, submit_unordered, &imap_type);
}

/* ---- waiting for results, on a thread ---- */

static brood_status raise_failure(brood_call *call, const brood_failure *failure)
{
    return brood_call_raise_at(call, failure->file, failure->line, failure->kind, "%s",
                               failure->message);
}

static brood_status give(brood_call *call, brood_future *future, brood_ms timeout)
{
    const brood_value *value;
    brood_value copy;
    brood_failure failure;
    brood_status status = brood_future_get(future, &value, timeout);
    if (status == BROOD_ETIMEDOUT)
        return brood_call_raise(call, "multiprocessing.context.TimeoutError", "%s", "");
    if (status == BROOD_ETASK && brood_future_failure(future, &failure, 0) == BROOD_OK)
        return raise_failure(call, &failure);
    BROOD_TRY(status);
    BROOD_TRY(brood_value_copy(value, &copy));
    return brood_call_return(call, copy);
}

/* Seconds or none, positional or by name. */
static brood_status timeout_of(brood_call *call, brood_ms *timeout)
{
    double seconds;
    const brood_value *value = brood_item(brood_call_arguments(call), 0);
    if (value == NULL)
        value = brood_dict_get_str(brood_call_keywords(call), "timeout");
    *timeout = BROOD_FOREVER;
    if (value == NULL || brood_value_kind(value) == BROOD_NONE)
        return BROOD_OK;
    BROOD_TRY(brood_get_float(value, &seconds));
    if (seconds < 1e9)
        *timeout = seconds <= 0 ? 0 : (brood_ms)(seconds * 1000);
    return BROOD_OK;
}

static brood_status run_get(brood_call *call)
{
    brood_ms timeout;
    BROOD_TRY(timeout_of(call, &timeout));
    return give(call, ((result *)brood_call_object(call))->future, timeout);
}

static brood_status run_wait(brood_call *call)
{
    brood_ms timeout;
    BROOD_TRY(timeout_of(call, &timeout));
    brood_status status = brood_future_wait(((result *)brood_call_object(call))->future, timeout);
    return status == BROOD_ETIMEDOUT ? BROOD_OK : status;
}

/* apply, map, starmap: submitted in the loop, then waited for; the slow method's object is the
 * result. */
static brood_status run_take(brood_call *call)
{
    result *r = brood_call_object(call);
    return give(call, r->future, BROOD_FOREVER);
}

static const brood_method take_method = {.name = "take", .run = run_take};

static brood_status submit_and_wait(bri_invocation *call, bool is_apply, submitter *how)
{
    static const bri_method slow = {.name = "take", .extra = &take_method};
    result *r;
    bri_managed *object;
    BROOD_TRY(submit(call, is_apply, how, &r));
    BROOD_TRY(bri_managed_add(call->server, &bri_async_result_type, r, &object));
    bri_invocation inner = *call;
    inner.object = object;
    inner.state = r;
    inner.method = &slow;
    inner.args = brood_tuple(0);
    inner.kwds = brood_dict();
    bri_managed_pin(object);
    brood_status status = bri_run_slow(&inner);
    bri_managed_unpin(object);
    brood_value_clear(&inner.args);
    brood_value_clear(&inner.kwds);
    call->parked = inner.parked;
    call->error = inner.error;
    return status;
}

static brood_status pool_apply(bri_invocation *call)
{
    return submit_and_wait(call, true, submit_apply);
}

static brood_status pool_map(bri_invocation *call)
{
    return submit_and_wait(call, false, submit_map);
}

static brood_status pool_starmap(bri_invocation *call)
{
    return submit_and_wait(call, false, submit_starmap);
}

static brood_status result_ready(bri_invocation *call)
{
    BROOD_TRY(take_nothing(call));
    return bri_return(call, brood_bool(brood_future_is_done(((result *)call->state)->future)));
}

static brood_status result_successful(bri_invocation *call)
{
    brood_future *future = ((result *)call->state)->future;
    BROOD_TRY(take_nothing(call));
    if (!brood_future_is_done(future))
        return bri_raise(call, "ValueError", "the task is not ready");
    return bri_return(call, brood_bool(brood_future_is_successful(future)));
}

/* ---- iterators ---- */

static brood_status run_next(brood_call *call)
{
    result *r = brood_call_object(call);
    brood_value value;
    brood_failure failure;
    brood_ms timeout;
    BROOD_TRY(timeout_of(call, &timeout));
    brp_mutex_lock(r->lock);
    brood_status status = brood_imap_next(r->imap, &value, timeout);
    if (status == BROOD_ETASK && brood_imap_failure(r->imap, &failure) == BROOD_OK)
        status = raise_failure(call, &failure);
    brp_mutex_unlock(r->lock);
    if (status == BROOD_OK)
        return brood_call_return(call, value);
    if (status == BROOD_EEOF)
        return brood_call_raise(call, "StopIteration", "%s", "");
    if (status == BROOD_ETIMEDOUT)
        return brood_call_raise(call, "multiprocessing.context.TimeoutError", "%s", "");
    return status;
}

/* ---- methods that wait: their arguments are judged before a thread starts ---- */

static brood_status wait_without_timeout(bri_invocation *call)
{
    BROOD_TRY(take_nothing(call));
    return bri_run_slow(call);
}

static brood_status wait_with_timeout(bri_invocation *call)
{
    static const char *const names[] = {"timeout"};
    const brood_value *timeout;
    BROOD_TRY(bri_take_arguments(call, names, 1, 0, &timeout));
    return bri_run_slow(call);
}

static const brood_method join_method = {.name = "join", .run = run_join};
static const brood_method get_method = {.name = "get", .run = run_get};
static const brood_method wait_method = {.name = "wait", .run = run_wait};
static const brood_method next_method = {.name = "__next__", .run = run_next};

static const bri_method pool_methods[] = {
    {.name = "apply", .run = pool_apply},
    {.name = "apply_async", .run = pool_apply_async, .typeid = "AsyncResult"},
    {.name = "close", .run = pool_close},
    {.name = "imap", .run = pool_imap, .typeid = "Iterator"},
    {.name = "imap_unordered", .run = pool_imap_unordered, .typeid = "Iterator"},
    {.name = "join", .run = wait_without_timeout, .extra = &join_method},
    {.name = "map", .run = pool_map},
    {.name = "map_async", .run = pool_map_async, .typeid = "AsyncResult"},
    {.name = "starmap", .run = pool_starmap},
    {.name = "starmap_async", .run = pool_starmap_async, .typeid = "AsyncResult"},
    {.name = "terminate", .run = pool_terminate},
};

const bri_managed_type bri_pool_type = {
    .typeid = "Pool",
    .methods = pool_methods,
    .n_methods = sizeof pool_methods / sizeof *pool_methods,
    .create = create_pool,
    .destroy = destroy_pool,
    .stop = stop_pool,
};

static const bri_method result_methods[] = {
    {.name = "get", .run = wait_with_timeout, .extra = &get_method},
    {.name = "ready", .run = result_ready},
    {.name = "successful", .run = result_successful},
    {.name = "wait", .run = wait_with_timeout, .extra = &wait_method},
};

const bri_managed_type bri_async_result_type = {
    .typeid = "AsyncResult",
    .methods = result_methods,
    .n_methods = 4,
    .destroy = destroy_result,
};

static const bri_method imap_methods[] = {
    {.name = "__next__", .run = wait_without_timeout, .extra = &next_method},
    {.name = "next", .run = wait_with_timeout, .extra = &next_method},
};

static const bri_managed_type imap_type = {
    .typeid = "Iterator",
    .methods = imap_methods,
    .n_methods = 2,
    .destroy = destroy_result,
};
