/* pool/map.c - one map: items into tasks, results back into their places. */
#include "pool/submit.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "platform/clock.h"
#include "platform/ident.h"
#include "pool/payload.h"

enum {
    BATCH = 64,        /* tasks written between two looks at what has come */
    MUCH = 128 << 10,  /* bytes of arguments that are worth handing over at once */
    MOST_WANTED = 256, /* finished tasks to sleep for when they come fast */
    FAST = 2000000     /* ns: a sleep that is over so soon was too short for few tasks */
};

typedef struct map_run {
    brood_pool *pool;
    bri_request request;
    brood_map_options options;
    brood_function code;
    bri_task_shape shape;
    bri_sink sink;
    brood_value items;
    size_t n, next, done; /* items: all, the first that is in no task, ended ones */
    size_t chunk;
    brood_value *results;
    bri_payload scratch;
    uint32_t batch[BATCH]; /* slots: filled up to n_filled, free after that */
    uint32_t n_batch, n_filled;
    uint32_t ended[BATCH]; /* slots to be decoded */
    uint32_t n_ended;
    uint32_t wanted;
    bool is_starved; /* no memory for arguments, or too many on their way, until a task has ended */

    /* the failure of the first item that failed */
    bool failed;
    size_t failed_item;
    brood_status failure_status;
    bri_outcome failure;
    int exitcode;
} map_run;

/* Details of the calling thread's last failed map, for brood_pool_failure. */
static _Thread_local struct {
    uint64_t pool;
    char kind[128];
    char message[BRI_MESSAGE_SIZE];
    char file[512];
    int line;
    int64_t pid;
    int exitcode;
} last_failure;

static void take_value(const bri_sink *sink, size_t item, brood_value value)
{
    map_run *run = sink->context;
    run->results[item] = value;
}

/* An item has failed: its error takes its place, or it fails the map if no earlier one does. */
static void item_failed(const bri_sink *sink, size_t item, brood_status status,
                        bri_outcome *outcome, int exitcode)
{
    map_run *run = sink->context;
    /* Without memory for an error value it fails like one that is not kept. */
    if (run->options.keep_errors && brood_value_kind(&outcome->error) != BROOD_INVALID) {
        run->results[item] = brood_value_take(&outcome->error);
    } else if (!run->failed || item < run->failed_item) {
        bri_outcome_clear(&run->failure);
        run->failure = *outcome;
        *outcome = (bri_outcome){0};
        run->failed = true;
        run->failed_item = item;
        run->failure_status = status;
        run->exitcode = exitcode;
    }
    bri_outcome_clear(outcome);
}

static void tell_progress(const map_run *run)
{
    if (run->options.progress != NULL)
        run->options.progress(run->options.context, run->done, run->n);
}

/* ---- items into tasks ---- */

/* Appends up to a chunk of items to the scratch buffer; an item that cannot be written has failed,
 * and ends the chunk if it is not its first. Gives the first item and their number. */
static uint32_t write_chunk(map_run *run, size_t *first)
{
    uint32_t n = 0;
    bri_payload_reset(&run->scratch);
    while (n < run->chunk && run->next < run->n) {
        brood_status status = bri_payload_append(&run->scratch, brood_item(&run->items, run->next));
        if (status == BROOD_OK) {
            if (n++ == 0)
                *first = run->next;
            run->next++;
        } else if (n > 0) {
            break; /* it is tried again, as the first of the next chunk */
        } else {
            bri_fail_within("could not send an item to a worker");
            bri_item_failed_here(&run->sink, run->next++, status);
            run->done++;
            tell_progress(run);
        }
    }
    return n;
}

/* Whether so much is on its way that the next task waits for one to end. */
static bool is_full(const map_run *run)
{
    uint32_t on_way = run->request.n_slots - (run->n_batch - run->n_filled);
    return run->next < run->n && bri_request_is_full(run->pool, &run->request, on_way);
}

/* Fills slots of the batch. When memory is out it waits for tasks to end, if there are any. */
static brood_status fill_batch(map_run *run)
{
    brood_status status = BROOD_OK;
    size_t before = run->request.n_bytes;
    while (status == BROOD_OK && run->n_filled < run->n_batch &&
           run->request.n_bytes - before < MUCH) {
        size_t first = run->next;
        run->is_starved = is_full(run);
        if (run->is_starved)
            break;
        uint32_t n = write_chunk(run, &first);
        if (n == 0)
            break;
        status = bri_task_fill(run->pool, run->batch[run->n_filled], &run->scratch, &run->shape,
                               first, n);
        if (status == BROOD_OK)
            run->n_filled++;
        else
            run->next = first;
    }
    if (status != BROOD_ENOMEM)
        return status;
    run->is_starved = run->n_filled > 0 || run->request.n_slots > run->n_batch;
    return run->is_starved ? BROOD_OK : status;
}

/* Decodes what a task brought. Not under the mutex: the slot is this thread's. */
static void read_task(map_run *run, uint32_t index)
{
    bri_task_read(run->pool, index, &run->sink);
    run->done += bri_tasks_slot(run->pool->table, index)->n;
    tell_progress(run);
}

/* ---- the loop ---- */

/* Under the mutex: makes the filled slots ready for workers. */
static void submit_batch(map_run *run)
{
    uint32_t n = 0;
    while (n < run->n_filled && bri_tasks_put(run->pool->table, run->batch[n]))
        n++;
    if (n == 0)
        return;
    bri_tasks_ring(run->pool->table, n);
    run->n_filled -= n;
    run->n_batch -= n;
    memmove(run->batch, run->batch + n, run->n_batch * sizeof *run->batch);
}

/* Under the mutex: gives back what was decoded, takes what has come and slots for more. */
static void take_work(map_run *run)
{
    brood_pool *pool = run->pool;
    for (uint32_t i = 0; i < run->n_ended; i++)
        bri_request_give_slot(pool, run->ended[i]);
    run->n_ended = 0;
    while (run->n_ended < BATCH &&
           bri_request_next_ended(pool, &run->request, &run->ended[run->n_ended]))
        run->n_ended++;
    size_t left = run->n - run->next;
    while (run->n_batch < BATCH && (run->n_batch - run->n_filled) * run->chunk < left &&
           bri_request_take_slot(pool, &run->request, &run->batch[run->n_batch]))
        run->n_batch++;
}

/* Under the mutex: sleeps until something comes. While tasks end fast it lets more of them
 * gather, for a wake costs more than many small tasks, but never for longer than FAST. */
static brood_status wait_for_work(map_run *run, bri_deadline deadline, bri_deadline when)
{
    int64_t before = brp_clock_now();
    bri_deadline until = when < deadline ? when : deadline;
    if (run->wanted > 1 && before + FAST < until)
        until = before + FAST;
    uint32_t wanted = run->wanted < run->request.n_slots ? run->wanted : run->request.n_slots;
    brood_status status =
        bri_pool_sleep(run->pool, &run->request.slice, wanted == 0 ? 1 : wanted, until);
    int64_t now = brp_clock_now();
    if (status == BROOD_ETIMEDOUT || now - before >= FAST)
        run->wanted = 1;
    else if (run->wanted < MOST_WANTED)
        run->wanted *= 2;
    return now >= deadline ? BROOD_ETIMEDOUT : BROOD_OK;
}

static bool is_finished(const map_run *run)
{
    return run->done == run->n;
}

/* Why the request was ended before its time. */
static brood_status explain(const map_run *run)
{
    switch (run->request.status) {
    case BROOD_ECANCELLED:
        return bri_fail(BROOD_ECANCELLED,
                        "could not finish the map: the pool was terminated or interrupted");
    case BROOD_EBROKEN:
        return bri_fail(BROOD_EBROKEN, "could not finish the map: %s", run->pool->broken);
    default:
        return run->request.status;
    }
}

/* Under the mutex at its start and its end. */
static brood_status run_map(map_run *run, bri_deadline deadline)
{
    brood_pool *pool = run->pool;
    brood_status status = BROOD_OK;
    while (status == BROOD_OK) {
        bri_deadline when;
        submit_batch(run);
        bri_pool_attend(pool, &when);
        take_work(run);
        if (is_finished(run))
            break;
        if (run->request.status != BROOD_OK) {
            status = explain(run);
        } else if (run->n_ended == 0 && (run->is_starved || run->n_filled == run->n_batch)) {
            status = wait_for_work(run, deadline, when);
            run->is_starved = false;
        } else {
            brp_mutex_unlock(pool->mutex);
            for (uint32_t i = 0; i < run->n_ended; i++)
                read_task(run, run->ended[i]);
            status = fill_batch(run);
            if (status == BROOD_OK && brp_clock_now() >= deadline && !is_finished(run))
                status = BROOD_ETIMEDOUT;
            brp_mutex_lock(pool->mutex);
        }
    }
    return status;
}

/* The request from its begin to its end, with nothing left in the table that is ours. */
static brood_status run_request(map_run *run)
{
    brood_pool *pool = run->pool;
    brood_ms timeout = run->options.timeout;
    bri_deadline deadline = timeout == 0 ? BRI_NEVER : bri_deadline_after(brp_clock_now(), timeout);
    brp_mutex_lock(pool->mutex);
    brood_status status = bri_request_begin(pool, &run->request, "map");
    if (status == BROOD_OK) {
        status = bri_pool_function(pool, run->code, &run->shape.function);
        if (status == BROOD_OK)
            status = run_map(run, deadline);
        for (uint32_t i = 0; i < run->n_ended; i++)
            bri_request_give_slot(pool, run->ended[i]);
        for (uint32_t i = 0; i < run->n_batch; i++)
            bri_request_give_slot(pool, run->batch[i]);
        bri_request_end(pool, &run->request);
    }
    brp_mutex_unlock(pool->mutex);
    bri_payload_fini(&run->scratch);
    return status;
}

/* Remembers the failure for brood_pool_failure and makes it the last error. */
static brood_status report_failure(map_run *run)
{
    brood_failure failure = {0};
    bri_outcome_describe(&run->failure, &failure);
    last_failure.pool = run->pool->id;
    snprintf(last_failure.kind, sizeof last_failure.kind, "%s", failure.kind);
    snprintf(last_failure.message, sizeof last_failure.message, "%s", failure.message);
    snprintf(last_failure.file, sizeof last_failure.file, "%s", failure.file);
    last_failure.line = failure.line;
    last_failure.pid = failure.pid;
    last_failure.exitcode = run->exitcode;
    bri_outcome_clear(&run->failure);
    if (run->failure_status == BROOD_EWORKERDIED)
        return bri_fail(BROOD_EWORKERDIED, "could not map item %zu: %s", run->failed_item,
                        last_failure.message);
    return bri_fail(BROOD_ETASK, "could not map item %zu: %s: %s", run->failed_item,
                    last_failure.kind, last_failure.message);
}

static brood_status map(map_run *run, brood_value *results)
{
    run->n = brood_value_length(&run->items);
    run->chunk = bri_chunk_of(run->pool, run->n, &run->options);
    run->wanted = 1;
    run->scratch.lends = true;
    run->sink = (bri_sink){.value = take_value, .failed = item_failed, .context = run};
    run->results = bri_calloc(run->n, sizeof *run->results);
    if (run->results == NULL)
        return BROOD_ENOMEM;
    brood_status status = run_request(run);
    if (status == BROOD_OK)
        status =
            run->failed ? report_failure(run) : bri_results_take(run->results, run->n, results);
    bri_outcome_clear(&run->failure);
    for (size_t i = 0; i < run->n; i++)
        brood_value_clear(&run->results[i]);
    bri_free(run->results);
    return status;
}

/* A map that is to be tried again, or has a time limit for its tasks, is the collector's matter. */
static bool is_plain(const brood_task_policy *policy)
{
    return policy->priority == 0 && !bri_policy_is_of_items(policy);
}

/* Waits for one that the collector sees to. */
static brood_status map_by_collector(map_run *run, const char *what, brood_value *results)
{
    brood_future *future;
    run->options.callback = NULL;
    run->options.error_callback = NULL;
    BROOD_TRY(bri_map_submit(run->pool, run->code, &run->items, &run->options, run->shape.style,
                             what, &future));
    brood_ms timeout = run->options.timeout == 0 ? BROOD_FOREVER : run->options.timeout;
    brood_status status = brood_future_take(future, results, timeout);
    if (brood_future_is_done(future) && future->outcome.failed) {
        run->failure = future->outcome;
        future->outcome = (bri_outcome){0};
        run->failure_status = future->status;
        run->exitcode = future->exitcode;
        status = report_failure(run);
    } else if (!brood_future_is_done(future)) {
        brood_future_cancel(future, BROOD_CANCEL_QUEUED, NULL);
    }
    brood_future_destroy(future);
    return status;
}

static brood_status check_and_map(map_run *run, const char *what, brood_value *results)
{
    last_failure.pool = 0;
    BROOD_TRY(bri_pool_check(run->pool, what));
    BROOD_TRY(bri_items_check(&run->items, what));
    if (run->code == NULL || results == NULL)
        return bri_fail(BROOD_EINVALID, "could not %s: %s is NULL", what,
                        run->code == NULL ? "the function" : "where the results go");
    BROOD_TRY(bri_policy_check(&run->options.policy, what));
    if (bri_collector_is_me(run->pool))
        return bri_fail(BROOD_ESTATE, "could not %s: a callback of the pool cannot wait for it",
                        what);
    run->shape.level = BRI_LEVEL_NORMAL;
    if (!is_plain(&run->options.policy))
        return map_by_collector(run, what, results);
    return map(run, results);
}

brood_status brood_pool_map(brood_pool *pool, brood_function function, brood_value items,
                            const brood_map_options *options, brood_value *results)
{
    map_run run = {.pool = pool, .items = items, .code = function};
    if (options != NULL)
        run.options = *options;
    brood_status status = check_and_map(&run, "map", results);
    brood_value_clear(&run.items);
    return status;
}

brood_status brood_pool_starmap(brood_pool *pool, brood_function function, brood_value items,
                                const brood_map_options *options, brood_value *results)
{
    map_run run = {.pool = pool, .items = items, .code = function};
    if (options != NULL)
        run.options = *options;
    run.shape.style = BRI_STYLE_STAR;
    brood_status status = check_and_map(&run, "starmap", results);
    brood_value_clear(&run.items);
    return status;
}

brood_status brood_pool_failure(brood_pool *pool, brood_failure *failure)
{
    BROOD_TRY(bri_pool_check(pool, "tell of a failure"));
    if (failure == NULL)
        return bri_fail(BROOD_EINVALID, "could not tell of a failure: where it goes is NULL");
    if (last_failure.pool != pool->id)
        return bri_fail(BROOD_ESTATE, "could not tell of a failure: the last map of this thread on "
                                      "this pool had none");
    *failure = (brood_failure){.kind = last_failure.kind,
                               .message = last_failure.message,
                               .file = last_failure.file,
                               .line = last_failure.line,
                               .pid = last_failure.pid,
                               .exitcode = last_failure.exitcode};
    return BROOD_OK;
}
