/* pool/imap.c - results one by one. The collector puts them into a ring of places, the user takes
 * them out; under the hub's lock. */
#include <string.h>

#include "base/memory.h"
#include "platform/clock.h"
#include "pool/job.h"
#include "pool/submit.h"

enum { FIRST_ROOM = 64, LOOK_AGAIN = 50 * 1000000 };

typedef struct imap_failure {
    bri_outcome outcome;
    int exitcode;
} imap_failure;

typedef struct imap_place {
    bool is_full;
    brood_status status; /* BROOD_OK: the value counts */
    brood_value value;
    imap_failure *failure; /* NULL: there was no memory for it */
} imap_place;

struct brood_imap {
    atomic_int references; /* the user's and the job's */
    brood_pool *pool;
    bri_job *job; /* borrowed; NULL when it has ended. Under the hub's lock */
    bool is_ordered;
    bool is_dropped; /* by the user */
    bool waits_for_room;
    size_t window;
    imap_place *places; /* a power of two; number i stands at i modulo it */
    size_t room;
    size_t given, come; /* results taken out; results that have come, in any order */
    bool is_ended;
    brood_status status; /* then: how. Before: a result was lost, there was no memory for it */
    char *message;
    imap_failure last; /* for brood_imap_failure */
};

static void drop_failure(imap_failure *failure)
{
    if (failure != NULL)
        bri_outcome_clear(&failure->outcome);
    bri_free(failure);
}

static void free_imap(brood_imap *imap)
{
    for (size_t i = 0; i < imap->room; i++) {
        brood_value_clear(&imap->places[i].value);
        drop_failure(imap->places[i].failure);
    }
    bri_outcome_clear(&imap->last.outcome);
    bri_free(imap->places);
    bri_free(imap->message);
    bri_free(imap);
}

void bri_imap_release(brood_imap *imap)
{
    if (imap != NULL && atomic_fetch_sub(&imap->references, 1) == 1)
        free_imap(imap);
}

/* ---- the collector's side ---- */

/* Room for number `i`. */
static bool grow(brood_imap *imap, size_t i)
{
    size_t room = imap->room == 0 ? FIRST_ROOM : imap->room;
    while (i - imap->given >= room)
        room *= 2;
    if (room == imap->room)
        return true;
    imap_place *places = bri_calloc(room, sizeof *places);
    if (places == NULL)
        return false;
    for (size_t k = 0; k < imap->room; k++) {
        size_t number = imap->given + k;
        places[number & (room - 1)] = imap->places[number & (imap->room - 1)];
    }
    bri_free(imap->places);
    imap->places = places;
    imap->room = room;
    return true;
}

/* A result that is lost is the end: the next one would wait for it, or be taken for it. */
static void put(brood_imap *imap, size_t item, imap_place place)
{
    bri_hub_lock();
    size_t number = imap->is_ordered ? item : imap->come;
    if (imap->is_dropped || imap->status != BROOD_OK || !grow(imap, number)) {
        if (!imap->is_dropped && imap->status == BROOD_OK) {
            imap->status = BROOD_ENOMEM;
            bri_hub_wake();
        }
        bri_hub_unlock();
        brood_value_clear(&place.value);
        drop_failure(place.failure);
        return;
    }
    imap->places[number & (imap->room - 1)] = place;
    imap->come++;
    if (number == imap->given)
        bri_hub_wake();
    bri_hub_unlock();
}

void bri_imap_value(brood_imap *imap, size_t item, brood_value value)
{
    put(imap, item, (imap_place){.is_full = true, .value = value});
}

void bri_imap_failed(brood_imap *imap, size_t item, brood_status status, bri_outcome *outcome,
                     int exitcode)
{
    imap_failure *failure = bri_calloc(1, sizeof *failure);
    if (failure != NULL) {
        *failure = (imap_failure){.outcome = *outcome, .exitcode = exitcode};
        *outcome = (bri_outcome){0};
    }
    put(imap, item, (imap_place){.is_full = true, .status = status, .failure = failure});
}

bool bri_imap_is_lost(const brood_imap *imap)
{
    return imap->status != BROOD_OK;
}

void bri_imap_end(brood_imap *imap, brood_status status, const char *message)
{
    bri_hub_lock();
    imap->is_ended = true;
    imap->job = NULL;
    if (status != BROOD_OK && imap->status == BROOD_OK) {
        imap->status = status;
        imap->message = message == NULL ? NULL : bri_strdup(message);
    }
    bri_hub_wake();
    bri_hub_unlock();
}

size_t bri_imap_room(brood_imap *imap, size_t next)
{
    bri_hub_lock();
    size_t used = next - imap->given;
    size_t room = imap->is_dropped || used >= imap->window ? 0 : imap->window - used;
    imap->waits_for_room = room == 0;
    bri_hub_unlock();
    return room;
}

/* ---- the user's side ---- */

/* Gives the job, retained; NULL when it has ended. Under the hub's lock. */
static bri_job *retain_job(brood_imap *imap)
{
    if (imap->job != NULL)
        atomic_fetch_add(&imap->job->references, 1);
    return imap->job;
}

static imap_place *first_place(brood_imap *imap)
{
    imap_place *place = imap->room == 0 ? NULL : &imap->places[imap->given & (imap->room - 1)];
    return place != NULL && place->is_full ? place : NULL;
}

/* Waits for the first place. Under the hub's lock. */
static brood_status wait_for_place(brood_imap *imap, brood_ms timeout, imap_place **place)
{
    bri_deadline deadline = timeout == 0 ? 0 : bri_deadline_after(brp_clock_now(), timeout);
    while ((*place = first_place(imap)) == NULL) {
        int64_t now = brp_clock_now();
        if (imap->is_ended || imap->status != BROOD_OK)
            return imap->status != BROOD_OK ? imap->status : BROOD_EEOF;
        if (deadline <= now)
            return BROOD_ETIMEDOUT;
        bri_job *job = retain_job(imap);
        if (imap->pool->inherited || bri_collector_is_me(imap->pool)) {
            bri_job_release(job);
            return BROOD_ESTATE;
        }
        if (imap->pool->forks && job != NULL) {
            bri_hub_unlock();
            bri_deadline when;
            brp_mutex_lock(job->pool->mutex);
            bri_pool_attend(job->pool, &when);
            brp_mutex_unlock(job->pool->mutex);
            bri_hub_lock();
            if (first_place(imap) == NULL && !imap->is_ended)
                (void)bri_hub_wait(deadline - now > LOOK_AGAIN ? now + LOOK_AGAIN : deadline);
        } else {
            (void)bri_hub_wait(deadline);
        }
        bri_hub_unlock(); /* its release may take locks */
        bri_job_release(job);
        bri_hub_lock();
    }
    return BROOD_OK;
}

static brood_status explain(brood_imap *imap, brood_status status)
{
    brood_failure failure;
    switch (status) {
    case BROOD_EEOF:
    case BROOD_ETIMEDOUT:
        return status;
    case BROOD_ETASK:
    case BROOD_EWORKERDIED:
        bri_outcome_describe(&imap->last.outcome, &failure);
        return bri_fail(status, "could not get the next result: %s: %s", failure.kind,
                        failure.message);
    case BROOD_ESTATE:
        return bri_fail(status, "could not get the next result: not by a callback of the pool, nor "
                                "in a process that has inherited it");
    default:
        return bri_fail(status, "could not get the next result: %s",
                        imap->message != NULL ? imap->message : brood_status_text(status));
    }
}

brood_status brood_imap_next(brood_imap *imap, brood_value *value, brood_ms timeout)
{
    if (imap == NULL || value == NULL)
        return bri_fail(BROOD_EINVALID, "could not get the next result: %s is NULL",
                        imap == NULL ? "the iteration" : "where it goes");
    bri_outcome_clear(&imap->last.outcome);
    imap_place *place;
    bri_job *waiting = NULL;
    bri_hub_lock();
    brood_status status = wait_for_place(imap, timeout, &place);
    imap_place taken = {0};
    if (status == BROOD_OK) {
        taken = *place;
        *place = (imap_place){0};
        imap->given++;
        if (imap->waits_for_room) {
            imap->waits_for_room = false;
            waiting = retain_job(imap);
        }
    }
    bri_hub_unlock();
    if (waiting != NULL && !waiting->pool->inherited) {
        brp_mutex_lock(waiting->pool->mutex);
        bri_collector_nudge(waiting->pool);
        brp_mutex_unlock(waiting->pool->mutex);
    }
    bri_job_release(waiting);
    if (status == BROOD_OK && taken.status != BROOD_OK) {
        imap->last =
            taken.failure != NULL ? *taken.failure : (imap_failure){.outcome.failed = true};
        bri_free(taken.failure);
        status = taken.status;
    } else if (status == BROOD_OK) {
        *value = taken.value;
    }
    return status == BROOD_OK ? status : explain(imap, status);
}

brood_status brood_imap_failure(brood_imap *imap, brood_failure *failure)
{
    if (imap == NULL || failure == NULL)
        return bri_fail(BROOD_EINVALID, "could not tell of a failure: %s is NULL",
                        imap == NULL ? "the iteration" : "where it goes");
    if (!imap->last.outcome.failed)
        return bri_fail(BROOD_ESTATE, "could not tell of a failure: the last result was none");
    bri_outcome_describe(&imap->last.outcome, failure);
    failure->exitcode = imap->last.exitcode;
    return BROOD_OK;
}

void brood_imap_destroy(brood_imap *imap)
{
    if (imap == NULL)
        return;
    bri_hub_lock();
    imap->is_dropped = true;
    bri_job *job = retain_job(imap);
    bri_hub_unlock();
    if (job != NULL) {
        if (!job->pool->inherited) {
            brp_mutex_lock(job->pool->mutex);
            bri_job_cancel_many(job, BROOD_CANCEL_QUEUED);
            brp_mutex_unlock(job->pool->mutex);
        }
        bri_job_release(job);
    }
    bri_imap_release(imap);
}

/* ---- the start ---- */

/* Of a list a few items a task, so that results come early and a death costs little. */
static size_t chunk_for(const brood_pool *pool, const bri_job *job, size_t asked)
{
    enum { MOST = 32 };
    if (bri_policy_is_of_items(&job->policy) || (asked == 0 && job->generator != NULL))
        return 1;
    if (asked != 0)
        return asked < UINT32_MAX ? asked : UINT32_MAX;
    size_t chunk = job->n / (16 * (size_t)pool->n_seats);
    return chunk == 0 ? 1 : chunk > MOST ? MOST : chunk;
}

static brood_status make_imap(brood_pool *pool, bri_job *job, const brood_map_options *options,
                              bool is_ordered)
{
    brood_imap *imap = bri_calloc(1, sizeof *imap);
    if (imap == NULL)
        return BROOD_ENOMEM;
    atomic_init(&imap->references, 2);
    imap->pool = pool;
    imap->job = job;
    imap->is_ordered = is_ordered;
    job->iterator = imap;
    job->chunk = chunk_for(pool, job, options->chunksize);
    imap->window = options->window;
    if (imap->window == 0)
        imap->window = job->generator != NULL ? 4 * (size_t)pool->n_seats * job->chunk : SIZE_MAX;
    return BROOD_OK;
}

static brood_status begin_imap(brood_pool *pool, brood_function function, brood_value *items,
                               const brood_map_options *given, bool is_ordered,
                               brood_imap **results)
{
    const char *what = is_ordered ? "imap" : "imap_unordered";
    brood_map_options options = {0};
    bri_job *job;
    if (given != NULL)
        options = *given;
    BROOD_TRY(bri_pool_check(pool, what));
    if (results == NULL)
        return bri_fail(BROOD_EINVALID, "could not %s: where the results go is NULL", what);
    if (options.generator == NULL || brood_value_kind(items) != BROOD_INVALID)
        BROOD_TRY(bri_items_check(items, what));
    if (options.generator != NULL && brood_value_kind(items) != BROOD_INVALID)
        return bri_fail(BROOD_EINVALID, "could not %s: there are items and a generator", what);
    BROOD_TRY(bri_policy_check(&options.policy, what));
    BROOD_TRY(bri_job_make(pool, BRI_JOB_ITERATION, &job));
    bri_job_set_policy(job, &options.policy);
    job->items = brood_value_take(items);
    job->generator = options.generator;
    job->n = job->generator != NULL ? SIZE_MAX : brood_value_length(&job->items);
    job->context = options.context;
    job->progress = options.progress;
    job->keep_errors = options.keep_errors;
    brood_status status = make_imap(pool, job, &options, is_ordered);
    if (status == BROOD_OK) {
        brood_imap *imap = job->iterator;
        status = bri_job_submit(job, function, what);
        if (status == BROOD_OK) {
            *results = imap;
            return BROOD_OK;
        }
        bri_imap_release(imap);
    }
    bri_job_release(job);
    return status;
}

brood_status brood_pool_imap(brood_pool *pool, brood_function function, brood_value items,
                             const brood_map_options *options, brood_imap **results)
{
    brood_status status = begin_imap(pool, function, &items, options, true, results);
    brood_value_clear(&items);
    return status;
}

brood_status brood_pool_imap_unordered(brood_pool *pool, brood_function function, brood_value items,
                                       const brood_map_options *options, brood_imap **results)
{
    brood_status status = begin_imap(pool, function, &items, options, false, results);
    brood_value_clear(&items);
    return status;
}
