/* pool/executor.c - the engines' common face, and map above submit. Python: concurrent.futures. */
#include <string.h>

#include "base/memory.h"
#include "platform/clock.h"
#include "pool/engine.h"
#include "pool/submit.h"

static const bri_engine *const engines[] = {&bri_engine_processes, &bri_engine_threads};

enum { N_ENGINES = sizeof engines / sizeof engines[0] };

struct brood_executor {
    const bri_engine *engine;
    void *self;
};

const char *const *brood_executor_engines(void)
{
    static const char *names[N_ENGINES + 1];
    for (size_t i = 0; i < N_ENGINES; i++)
        names[i] = engines[i]->name;
    return names;
}

static brood_status find_engine(const char *name, const bri_engine **engine)
{
    for (size_t i = 0; i < N_ENGINES; i++)
        if (name == NULL || strcmp(engines[i]->name, name) == 0) {
            *engine = engines[i];
            return BROOD_OK;
        }
    return bri_fail(BROOD_ENOTFOUND, "could not make an executor: there is no engine \"%s\"", name);
}

brood_status brood_executor_create(brood_executor **executor, const brood_executor_options *options)
{
    brood_executor_options chosen = {0};
    const bri_engine *engine = NULL;
    if (options != NULL)
        chosen = *options;
    brood_status status = bri_runtime_check("make an executor");
    if (status == BROOD_OK && executor == NULL)
        status = bri_fail(BROOD_EINVALID, "could not make an executor: where it goes is NULL");
    if (status == BROOD_OK)
        status = find_engine(chosen.engine, &engine);
    brood_executor *made = status != BROOD_OK ? NULL : bri_calloc(1, sizeof *made);
    if (status == BROOD_OK && made == NULL)
        status = BROOD_ENOMEM;
    if (status != BROOD_OK) {
        brood_value_clear(&chosen.initargs);
        return status;
    }
    made->engine = engine;
    status = engine->create(&made->self, &chosen);
    if (status != BROOD_OK) {
        bri_free(made);
        return status;
    }
    *executor = made;
    return BROOD_OK;
}

brood_status brood_executor_submit(brood_executor *executor, brood_function function,
                                   brood_value args, const brood_apply_options *options,
                                   brood_future **future)
{
    if (executor == NULL) {
        brood_value kwargs = options == NULL ? (brood_value){0} : options->kwargs;
        brood_value_clear(&args);
        brood_value_clear(&kwargs);
        return bri_fail(BROOD_EINVALID, "could not submit a task: the executor is NULL");
    }
    return executor->engine->submit(executor->self, function, args, options, future);
}

brood_status brood_executor_shutdown(brood_executor *executor, int flags)
{
    if (executor == NULL)
        return bri_fail(BROOD_EINVALID, "could not shut down an executor: it is NULL");
    return executor->engine->shutdown(executor->self, (flags & BROOD_SHUTDOWN_WAIT) != 0,
                                      (flags & BROOD_SHUTDOWN_CANCEL) != 0);
}

void brood_executor_destroy(brood_executor *executor)
{
    if (executor == NULL)
        return;
    bri_saved_error saved;
    bri_error_save(&saved);
    (void)executor->engine->shutdown(executor->self, true, false);
    bri_error_restore(&saved);
    executor->engine->destroy(executor->self);
    bri_free(executor);
}

/* ---- map ---- */

struct brood_results {
    brood_executor *executor;
    brood_function function;
    brood_value items;
    brood_executor_map_options options;
    size_t n, next;         /* items; the first that is not submitted */
    brood_future **futures; /* a ring: those submitted and not yet taken */
    size_t room, first, n_futures;
    bri_deadline deadline;
    brood_status end;   /* of the generator */
    brood_future *last; /* the one that failed, for its details */
};

static brood_status next_item(brood_results *results, brood_value *item)
{
    if (results->options.generator != NULL)
        return results->options.generator(results->options.context, item);
    if (results->next == results->n)
        return BROOD_EEOF;
    return brood_value_copy(brood_item(&results->items, results->next), item);
}

static brood_status make_room(brood_results *results)
{
    enum { FIRST_ROOM = 16 };
    if (results->n_futures < results->room)
        return BROOD_OK;
    size_t room = results->room == 0 ? FIRST_ROOM : results->room * 2;
    brood_future **futures = bri_calloc(room, sizeof(brood_future *));
    if (futures == NULL)
        return BROOD_ENOMEM;
    for (size_t i = 0; i < results->n_futures; i++)
        futures[i] = results->futures[(results->first + i) % results->room];
    bri_free(results->futures);
    results->futures = futures;
    results->room = room;
    results->first = 0;
    return BROOD_OK;
}

/* Submits one call for the next item. BROOD_EEOF. */
static brood_status submit_next(brood_results *results)
{
    brood_value item, args;
    brood_future *future;
    brood_apply_options options = {.policy = results->options.policy};
    BROOD_TRY(make_room(results));
    BROOD_TRY(next_item(results, &item));
    args = brood_pack("(v)", item);
    if (brood_value_kind(&args) == BROOD_INVALID)
        return brood_last_error()->status;
    results->next++;
    BROOD_TRY(brood_executor_submit(results->executor, results->function, args, &options, &future));
    results->futures[(results->first + results->n_futures++) % results->room] = future;
    return BROOD_OK;
}

/* Submits as many calls as may be. */
static void fill(brood_results *results)
{
    while (results->end == BROOD_OK &&
           (results->options.buffersize == 0 || results->n_futures < results->options.buffersize))
        results->end = submit_next(results);
}

brood_status brood_executor_map(brood_executor *executor, brood_function function,
                                brood_value items, const brood_executor_map_options *options,
                                brood_results **results)
{
    brood_status status = BROOD_OK;
    bool generates = options != NULL && options->generator != NULL;
    if (executor == NULL || function == NULL || results == NULL)
        status = bri_fail(BROOD_EINVALID, "could not map: %s is NULL",
                          executor == NULL   ? "the executor"
                          : function == NULL ? "the function"
                                             : "where the results go");
    else if (generates && brood_value_kind(&items) != BROOD_INVALID)
        status = bri_fail(BROOD_EINVALID, "could not map: there are items and a generator");
    else if (!generates)
        status = bri_items_check(&items, "map");
    brood_results *made = status != BROOD_OK ? NULL : bri_calloc(1, sizeof *made);
    if (made == NULL) {
        brood_value_clear(&items);
        return status != BROOD_OK ? status : BROOD_ENOMEM;
    }
    made->executor = executor;
    made->function = function;
    made->items = items;
    made->n = generates ? 0 : brood_value_length(&items);
    if (options != NULL)
        made->options = *options;
    brood_ms timeout = made->options.timeout;
    made->deadline = timeout == 0 ? BRI_NEVER : bri_deadline_after(brp_clock_now(), timeout);
    fill(made);
    if (made->end != BROOD_OK && made->end != BROOD_EEOF && made->n_futures == 0 && !generates) {
        status = made->end;
        brood_results_destroy(made);
        return status;
    }
    *results = made;
    return BROOD_OK;
}

brood_status brood_results_next(brood_results *results, brood_value *value)
{
    if (results == NULL || value == NULL)
        return bri_fail(BROOD_EINVALID, "could not get the next result: %s is NULL",
                        results == NULL ? "the iteration" : "where it goes");
    brood_future_destroy(results->last);
    results->last = NULL;
    fill(results);
    if (results->n_futures == 0) {
        brood_status end = results->end;
        results->end = BROOD_EEOF;
        return end;
    }
    brood_future *first = results->futures[results->first];
    /* First wait, then take: it may end just after its time is up, and is not to be lost then. */
    BROOD_TRY(brood_future_wait(first, bri_deadline_left_ms(results->deadline, brp_clock_now())));
    brood_status status = brood_future_take(first, value, 0);
    results->first = (results->first + 1) % results->room;
    results->n_futures--;
    if (status == BROOD_OK)
        brood_future_destroy(first);
    else
        results->last = first;
    return status;
}

brood_status brood_results_failure(brood_results *results, brood_failure *failure)
{
    if (results == NULL)
        return bri_fail(BROOD_EINVALID, "could not tell of a failure: the iteration is NULL");
    if (results->last == NULL)
        return bri_fail(BROOD_ESTATE, "could not tell of a failure: the last result was none");
    return brood_future_failure(results->last, failure, 0);
}

void brood_results_destroy(brood_results *results)
{
    if (results == NULL)
        return;
    for (size_t i = 0; i < results->n_futures; i++) {
        brood_future *future = results->futures[(results->first + i) % results->room];
        (void)brood_future_cancel(future, BROOD_CANCEL_QUEUED, NULL);
        brood_future_destroy(future);
    }
    brood_future_destroy(results->last);
    brood_value_clear(&results->items);
    bri_free(results->futures);
    bri_free(results);
}
