/* pool/job.c - the life of jobs, and what their futures ask of them. */
#include "pool/job.h"

#include <string.h>

#include "base/memory.h"
#include "ipc/lend.h"
#include "platform/clock.h"
#include "platform/lock.h"

brood_status bri_job_make(brood_pool *pool, bri_job_kind kind, bri_job **job)
{
    bri_job *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    atomic_init(&made->references, 1);
    made->kind = kind;
    made->pool = pool;
    made->shape.level = BRI_LEVEL_NORMAL;
    if (kind != BRI_JOB_ITERATION) {
        brood_status status = bri_future_make(
            pool->forks ? &bri_pool_engine_forking : &bri_pool_engine, made, &made->future);
        if (status != BROOD_OK) {
            bri_free(made);
            return status;
        }
    }
    *job = made;
    return BROOD_OK;
}

void bri_job_release(bri_job *job)
{
    if (job == NULL || atomic_fetch_sub(&job->references, 1) != 1)
        return;
    brood_future_destroy(job->future);
    bri_imap_release(job->iterator);
    bri_free(job->frame);
    bri_references_clear(&job->refers);
    bri_loan_end(job->loan);
    brood_value_clear(&job->items);
    brood_value_clear(&job->held);
    if (job->results != NULL)
        for (size_t i = 0; i < job->n; i++)
            brood_value_clear(&job->results[i]);
    bri_free(job->results);
    bri_outcome_clear(&job->outcome);
    bri_free(job);
}

brood_status bri_policy_check(const brood_task_policy *policy, const char *what)
{
    if (policy->priority < -1 || policy->priority > 1)
        return bri_fail(BROOD_EINVALID, "could not %s: priorities are -1, 0 and 1, not %d", what,
                        policy->priority);
    if (policy->retries < 0 || policy->retries > INT16_MAX || policy->backoff < 0 ||
        policy->soft_deadline < 0 || policy->soft_deadline > UINT32_MAX ||
        policy->hard_deadline < 0)
        return bri_fail(BROOD_EINVALID, "could not %s: a number of the policy is out of range",
                        what);
    return BROOD_OK;
}

bool bri_policy_is_of_items(const brood_task_policy *policy)
{
    return policy->retries != 0 || policy->soft_deadline != 0 || policy->hard_deadline != 0;
}

brood_ms bri_policy_backoff(const brood_task_policy *policy, int attempt)
{
    enum { MOST = 60000 };
    brood_ms delay = policy->backoff;
    for (int i = 1; i < attempt && delay < MOST; i++)
        delay *= 2;
    return delay < MOST ? delay : MOST;
}

void bri_job_set_policy(bri_job *job, const brood_task_policy *policy)
{
    job->policy = *policy;
    job->shape.level = (uint8_t)(BRI_LEVEL_NORMAL + policy->priority);
    job->shape.in_block = policy->retries > 0;
    job->shape.soft_ms = (uint32_t)policy->soft_deadline;
    job->shape.is_timed = policy->hard_deadline > 0;
}

/* ---- lists; under the mutex ---- */

brood_status bri_job_begin(bri_job *job, const char *what)
{
    brood_pool *pool = job->pool;
    BROOD_TRY(bri_pool_check_open(pool, what));
    if (pool->collector.thread == NULL)
        BROOD_TRY(bri_collector_start(pool));
    job->begun = brp_clock_now();
    job->next_job = pool->collector.first;
    if (job->next_job != NULL)
        job->next_job->previous_job = job;
    pool->collector.first = job;
    pool->collector.n_jobs++;
    pool->stats.submitted++;
    return BROOD_OK;
}

void bri_job_unlist(bri_job *job)
{
    if (job->previous_job != NULL)
        job->previous_job->next_job = job->next_job;
    else
        job->pool->collector.first = job->next_job;
    if (job->next_job != NULL)
        job->next_job->previous_job = job->previous_job;
    job->next_job = job->previous_job = NULL;
}

void bri_job_wait(bri_job *job)
{
    bri_job_list *list = &job->pool->collector.waiting[job->shape.level];
    job->previous_waiting = list->last;
    job->next_waiting = NULL;
    if (list->last != NULL)
        list->last->next_waiting = job;
    else
        list->first = job;
    list->last = job;
    job->is_waiting = true;
}

void bri_job_unwait(bri_job *job)
{
    bri_job_list *list = &job->pool->collector.waiting[job->shape.level];
    if (!job->is_waiting)
        return;
    if (job->previous_waiting != NULL)
        job->previous_waiting->next_waiting = job->next_waiting;
    else
        list->first = job->next_waiting;
    if (job->next_waiting != NULL)
        job->next_waiting->previous_waiting = job->previous_waiting;
    else
        list->last = job->previous_waiting;
    job->is_waiting = false;
}

void bri_task_put(brood_pool *pool, uint32_t index)
{
    bri_collector *collector = &pool->collector;
    bri_task *task = &pool->tasks[index];
    task->when = 0;
    if (task->has_limit) {
        int64_t limit = task->job->policy.hard_deadline;
        bri_deadline check = bri_deadline_after(brp_clock_now(), limit);
        if (check < collector->limit_check || collector->n_limited == 0)
            collector->limit_check = check;
    }
    if (bri_tasks_put(pool->table, index))
        return;
    task->is_delayed = true;
    task->when = 0;
    task->next = collector->delayed;
    collector->delayed = index + 1;
}

void bri_job_put_task(bri_job *job, uint32_t index)
{
    brood_pool *pool = job->pool;
    bri_task *task = &pool->tasks[index];
    task->job = job;
    task->has_limit = job->shape.is_timed;
    bri_task_put(pool, index);
    pool->collector.n_limited += task->has_limit;
    job->n_tasks++;
    if (job->kind == BRI_JOB_CALL)
        job->slot = index + 1;
}

/* ---- the end ---- */

brood_status bri_results_take(brood_value *results, size_t n, brood_value *list)
{
    brood_value made = brood_list();
    if (brood_value_kind(&made) == BROOD_INVALID)
        return brood_last_error()->status;
    for (size_t i = 0; i < n; i++) {
        brood_status status = brood_append(&made, brood_value_take(&results[i]));
        if (status != BROOD_OK) {
            brood_value_clear(&made);
            return status;
        }
    }
    *list = made;
    return BROOD_OK;
}

void bri_job_settle(bri_job *job, brood_status status)
{
    const char *message = status == BROOD_EBROKEN ? job->pool->broken : NULL;
    if (job->kind == BRI_JOB_ITERATION) {
        if (status == BROOD_OK)
            status = job->status;
        bri_imap_end(job->iterator, status, message);
        return;
    }
    brood_future *future = job->future;
    if (status == BROOD_OK && job->failed)
        status = job->status;
    else if (status == BROOD_OK && job->kind == BRI_JOB_MAP)
        status = bri_results_take(job->results, job->n, &future->value);
    if (status != BROOD_OK) {
        brood_value_clear(&future->value);
        if (message != NULL)
            future->message = bri_strdup(message);
    }
    future->outcome = job->outcome;
    job->outcome = (bri_outcome){0};
    future->exitcode = job->exitcode;
    future->is_shown = job->callback != NULL;
    bri_future_settle(future, status);
}

void bri_job_tell(bri_job *job)
{
    brood_future *future = job->future;
    if (future == NULL)
        return;
    if (future->status == BROOD_OK) {
        if (job->callback != NULL)
            job->callback(job->context, &future->value);
        bri_future_shown(future);
    } else if (job->error_callback != NULL) {
        brood_failure failure;
        bri_outcome_describe(&future->outcome, &failure);
        failure.exitcode = future->exitcode;
        if (!future->outcome.failed)
            failure.message =
                future->message != NULL ? future->message : brood_status_text(future->status);
        job->error_callback(job->context, future->status, &failure);
    }
    bri_future_tell(future);
}

/* ---- what futures ask ---- */

/* Retained; NULL when the future has ended. */
static bri_job *job_of(brood_future *future)
{
    bri_job *job = NULL;
    bri_hub_lock();
    if (!future->is_done) {
        job = future->work;
        atomic_fetch_add(&job->references, 1);
    }
    bri_hub_unlock();
    return job;
}

static bool is_running_slot(brood_pool *pool, uint32_t slot)
{
    return (atomic_load(&bri_tasks_slot(pool->table, slot - 1)->state) & BRI_TASK_TAG) ==
           BRI_TASK_RUNNING;
}

static bool is_running(brood_future *future)
{
    bri_job *job = job_of(future);
    bool is = false;
    if (job == NULL)
        return false;
    if (!job->pool->inherited) {
        brp_mutex_lock(job->pool->mutex);
        is = job->kind == BRI_JOB_CALL ? job->slot != 0 && is_running_slot(job->pool, job->slot)
                                       : job->n_tasks > 0;
        brp_mutex_unlock(job->pool->mutex);
    }
    bri_job_release(job);
    return is;
}

static brood_status may_wait(brood_future *future)
{
    bri_job *job = job_of(future);
    if (job == NULL)
        return BROOD_OK;
    brood_status status = bri_pool_check(job->pool, "wait for a task");
    if (status == BROOD_OK && bri_collector_is_me(job->pool))
        status = bri_fail(BROOD_ESTATE, "could not wait for a task: a callback runs on the thread "
                                        "that would notice its end");
    bri_job_release(job);
    return status;
}

/* A look without waiting may come from where nobody may wait. */
static bool may_attend(const brood_pool *pool)
{
    return !pool->inherited && !bri_collector_is_me(pool);
}

static void attend(brood_future *future)
{
    bri_job *job = job_of(future);
    bri_deadline when;
    if (job == NULL)
        return;
    if (may_attend(job->pool)) {
        brp_mutex_lock(job->pool->mutex);
        bri_pool_attend(job->pool, &when);
        brp_mutex_unlock(job->pool->mutex);
    }
    bri_job_release(job);
}

/* The job was in no worker's hands and ends here; its callbacks are the collector's matter. */
static void end_cancelled(bri_job *job)
{
    brood_pool *pool = job->pool;
    bri_job_unwait(job);
    bri_job_unlist(job);
    job->is_ended = true;
    bri_job_settle(job, BROOD_ECANCELLED);
    pool->stats.ended++;
    pool->stats.cancelled++;
    job->next_to_tell = pool->collector.to_tell;
    pool->collector.to_tell = job;
    bri_collector_nudge(pool);
}

/* Takes a task out that waits for its next attempt. */
static void undelay(brood_pool *pool, uint32_t index)
{
    uint32_t *at = &pool->collector.delayed;
    while (*at != 0 && *at != index + 1)
        at = &pool->tasks[*at - 1].next;
    if (*at != 0)
        *at = pool->tasks[index].next;
    pool->tasks[index].is_delayed = false;
}

static brood_cancel_answer cancel_in_slot(bri_job *job, brood_cancel_how how)
{
    brood_pool *pool = job->pool;
    uint32_t index = job->slot - 1;
    if (pool->tasks[index].is_delayed)
        undelay(pool, index);
    else if (!bri_tasks_withdraw(pool->table, index)) {
        if (how == BROOD_CANCEL_QUEUED)
            return BROOD_CANCEL_TOO_LATE;
        atomic_store(&bri_tasks_slot(pool->table, index)->asked, 1);
        bool runs = how == BROOD_CANCEL_KILL ? bri_pool_kill_task(pool, index, BRI_FATE_CANCELLED)
                                             : is_running_slot(pool, job->slot);
        /* One that has ended unseen would be tried again, if it had not been asked. */
        return runs || job->policy.retries > 0 ? BROOD_CANCEL_ASKED : BROOD_CANCEL_TOO_LATE;
    }
    job->slot = 0;
    if (pool->tasks[index].has_limit)
        pool->collector.n_limited--;
    bri_request_give_slot(pool, index);
    end_cancelled(job);
    return BROOD_CANCEL_DONE;
}

/* Its tasks are the collector's matter. */
void bri_job_cancel_many(bri_job *job, brood_cancel_how how)
{
    if (job->is_ended)
        return;
    if (!job->is_cancelled || how > job->cancel_how)
        job->cancel_how = how;
    job->is_cancelled = true;
    job->pool->collector.n_cancelled += !job->cancel_due;
    job->cancel_due = true;
    bri_collector_nudge(job->pool);
}

static brood_cancel_answer cancel_job(bri_job *job, brood_cancel_how how)
{
    if (job->is_ended)
        return BROOD_CANCEL_TOO_LATE;
    if (job->kind != BRI_JOB_CALL) {
        bri_job_cancel_many(job, how);
        return BROOD_CANCEL_ASKED;
    }
    if (job->slot != 0)
        return cancel_in_slot(job, how);
    if (!job->is_waiting) { /* the collector reads its result, and may want to try it again */
        job->is_given_up = how != BROOD_CANCEL_QUEUED;
        return job->is_given_up && job->policy.retries > 0 ? BROOD_CANCEL_ASKED
                                                           : BROOD_CANCEL_TOO_LATE;
    }
    end_cancelled(job);
    return BROOD_CANCEL_DONE;
}

void bri_jobs_cancel_queued(brood_pool *pool)
{
    bri_job *next;
    for (bri_job *job = pool->collector.first; job != NULL; job = next) {
        next = job->next_job;
        (void)cancel_job(job, BROOD_CANCEL_QUEUED);
    }
}

static brood_status cancel(brood_future *future, brood_cancel_how how, brood_cancel_answer *answer)
{
    bri_job *job = job_of(future);
    if (job == NULL)
        return BROOD_OK;
    brood_status status = bri_pool_check(job->pool, "cancel a task");
    if (status == BROOD_OK) {
        brp_mutex_lock(job->pool->mutex);
        *answer = cancel_job(job, how);
        brp_mutex_unlock(job->pool->mutex);
    }
    bri_job_release(job);
    return status;
}

const bri_future_engine bri_pool_engine = {
    .cancel = cancel, .is_running = is_running, .may_wait = may_wait};
const bri_future_engine bri_pool_engine_forking = {
    .cancel = cancel, .is_running = is_running, .may_wait = may_wait, .attend = attend};
