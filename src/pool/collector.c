/* pool/collector.c - the pool's thread: has jobs cut into tasks, reads what came of them, calls the
 * callbacks. Callbacks and generators run outside of the gate and of every lock. */
#include "pool/collector.h"

#include "core/thread.h"
#include "platform/clock.h"

enum {
    MOST_WANTED = 256, /* finished tasks to sleep for when they come fast */
    FAST = 2000000     /* ns: a sleep that is over so soon was too short for few tasks */
};

static _Thread_local const brood_pool *collected_pool; /* whose collector this thread is */

/* ---- results ---- */

static void take_value(const bri_sink *sink, size_t item, brood_value value)
{
    bri_job *job = sink->context;
    if (job->kind == BRI_JOB_CALL)
        job->future->value = value;
    else if (job->kind == BRI_JOB_MAP)
        job->results[item] = value;
    else
        bri_imap_value(job->iterator, item, value);
}

static void take_failure(const bri_sink *sink, size_t item, brood_status status,
                         bri_outcome *outcome, int exitcode)
{
    bri_job *job = sink->context;
    /* Without memory for an error value it fails like one that is not kept. */
    if (job->keep_errors && brood_value_kind(&outcome->error) != BROOD_INVALID) {
        take_value(sink, item, brood_value_take(&outcome->error));
    } else if (job->kind == BRI_JOB_ITERATION) {
        bri_imap_failed(job->iterator, item, status, outcome, exitcode);
    } else if (!job->failed || item < job->failed_item) {
        bri_outcome_clear(&job->outcome);
        job->outcome = *outcome;
        *outcome = (bri_outcome){0};
        job->failed = true;
        job->failed_item = item;
        job->status = status;
        job->exitcode = exitcode;
    }
    bri_outcome_clear(outcome);
}

bri_sink bri_job_sink(bri_job *job)
{
    return (bri_sink){.value = take_value, .failed = take_failure, .context = job};
}

bool bri_job_is_complete(const bri_job *job)
{
    return job->kind == BRI_JOB_CALL ||
           (job->n_tasks == 0 && (job->done == job->n || job->is_cancelled));
}

void bri_round_finish(bri_round *round, bri_job *job)
{
    if (job->is_ended)
        return;
    job->is_ended = true;
    job->next_to_tell = round->finished;
    round->finished = job;
}

void bri_round_note_progress(bri_round *round, bri_job *job)
{
    if (job->progress == NULL)
        return;
    for (uint32_t i = 0; i < round->n_told; i++)
        if (round->told[i] == job)
            return;
    if (round->n_told < BRI_BATCH)
        round->told[round->n_told++] = job;
}

/* Reads what the batch brought. Not under the mutex: the slots are this thread's. */
static void read_batch(bri_round *round)
{
    brood_pool *pool = round->pool;
    for (uint32_t i = 0; i < round->n_ended; i++) {
        uint32_t index = round->ended[i];
        bri_job *job = pool->tasks[index].job;
        round->again[i] = bri_task_is_again(pool, index);
        if (round->again[i])
            continue;
        bri_sink sink = bri_job_sink(job);
        bri_task_read(pool, index, &sink);
        job->done += bri_tasks_slot(pool->table, index)->n;
        bri_round_note_progress(round, job);
        if (bri_job_is_complete(job))
            bri_round_finish(round, job);
    }
}

static void put_in_order(bri_round *round)
{
    bri_job *reversed = NULL;
    while (round->finished != NULL) {
        bri_job *job = round->finished;
        round->finished = job->next_to_tell;
        job->next_to_tell = reversed;
        reversed = job;
    }
    round->finished = reversed;
}

/* Ends the finished jobs and calls what wants to be called. Not under the mutex. */
static void tell(bri_round *round)
{
    put_in_order(round);
    for (bri_job *job = round->finished; job != NULL; job = job->next_to_tell)
        bri_job_settle(job, job->is_cancelled && job->done != job->n ? BROOD_ECANCELLED : BROOD_OK);
    if (round->n_told == 0 && round->finished == NULL)
        return;
    bri_gate_leave();
    for (uint32_t i = 0; i < round->n_told; i++)
        round->told[i]->progress(round->told[i]->context, round->told[i]->done, round->told[i]->n);
    for (bri_job *job = round->finished; job != NULL; job = job->next_to_tell)
        bri_job_tell(job);
    bri_gate_enter();
    round->n_told = 0;
}

static void count_end(brood_pool *pool, const bri_job *job)
{
    brood_pool_stats *stats = &pool->stats;
    int64_t latency = (brp_clock_now() - job->begun) / 1000;
    brood_status status = job->future != NULL ? job->future->status : job->status;
    stats->ended++;
    stats->cancelled += status == BROOD_ECANCELLED;
    stats->failed += status == BROOD_ETASK || status == BROOD_EWORKERDIED;
    if (job->kind != BRI_JOB_CALL)
        return;
    stats->latency += latency; /* a sum, until somebody asks */
    pool->n_latencies++;
    if (latency > stats->latency_most)
        stats->latency_most = latency;
}

/* Jobs that have ended and were told of: they are gone then. */
static void drop(brood_pool *pool, bri_job *told)
{
    bool any = told != NULL;
    while (told != NULL) {
        bri_job *job = told;
        told = job->next_to_tell;
        count_end(pool, job);
        pool->collector.n_cancelled -= job->cancel_due;
        bri_job_unwait(job);
        bri_job_unlist(job);
        pool->collector.n_jobs--;
        bri_job_release(job);
    }
    if (any && bri_pool_is_idle(pool))
        bri_pool_wake(pool);
}

static void drop_finished(bri_round *round)
{
    bri_job *told = round->finished;
    round->finished = NULL;
    drop(round->pool, told);
}

/* ---- jobs that are ended from outside; under the mutex ---- */

/* Lists that somebody cancelled. */
static void see_to_cancelled(bri_round *round)
{
    brood_pool *pool = round->pool;
    for (bri_job *job = pool->collector.first; pool->collector.n_cancelled > 0 && job != NULL;
         job = job->next_job) {
        if (!job->is_cancelled || job->is_ended || !job->cancel_due)
            continue;
        job->cancel_due = false;
        pool->collector.n_cancelled--;
        bri_attempts_take_back(pool, job, false);
        bri_job_unwait(job);
        if (job->n_tasks == 0)
            bri_round_finish(round, job);
    }
}

/* The pool has ended before its time: so do all jobs. Lets the mutex go meanwhile. */
static void end_all(bri_round *round, brood_status status)
{
    brood_pool *pool = round->pool;
    uint32_t index;
    if (pool->collector.first == NULL)
        return;
    bri_attempts_take_back(pool, NULL, true);
    while (bri_request_next_ended(pool, &pool->collector.request, &index))
        bri_request_give_slot(pool, index);
    for (bri_job *job = pool->collector.first; job != NULL; job = job->next_job) {
        bri_job_unwait(job);
        bri_round_finish(round, job);
    }
    brp_mutex_unlock(pool->mutex);
    put_in_order(round);
    for (bri_job *job = round->finished; job != NULL; job = job->next_to_tell)
        bri_job_settle(job, status);
    bri_gate_leave();
    for (bri_job *job = round->finished; job != NULL; job = job->next_to_tell)
        bri_job_tell(job);
    bri_gate_enter();
    brp_mutex_lock(pool->mutex);
    drop_finished(round);
}

/* Calls the callbacks of jobs that others have ended. Lets the mutex go meanwhile. */
static bool tell_others(bri_round *round)
{
    brood_pool *pool = round->pool;
    bri_job *job = pool->collector.to_tell;
    if (job == NULL)
        return false;
    pool->collector.to_tell = NULL;
    brp_mutex_unlock(pool->mutex);
    bri_gate_leave();
    size_t n = 0;
    while (job != NULL) {
        bri_job *next = job->next_to_tell;
        bri_job_tell(job);
        bri_job_release(job);
        job = next;
        n++;
    }
    bri_gate_enter();
    brp_mutex_lock(pool->mutex);
    pool->collector.n_jobs -= n;
    if (bri_pool_is_idle(pool))
        bri_pool_wake(pool);
    return true;
}

/* ---- the loop ---- */

/* Under the mutex: what has come, up to a batch. */
static void take_ended(bri_round *round)
{
    brood_pool *pool = round->pool;
    bri_request *request = &pool->collector.request;
    round->n_ended = 0;
    while (round->n_ended < BRI_BATCH &&
           bri_request_next_ended(pool, request, &round->ended[round->n_ended])) {
        bri_task *task = &pool->tasks[round->ended[round->n_ended++]];
        task->job->n_tasks--;
        if (task->job->kind == BRI_JOB_CALL)
            task->job->slot = 0;
    }
}

/* Under the mutex: the slots of the batch are free again, or ready. A task that was to be tried
 * again may have been cancelled meanwhile. */
static void return_slots(bri_round *round)
{
    brood_pool *pool = round->pool;
    for (uint32_t i = 0; i < round->n_ended; i++) {
        uint32_t index = round->ended[i];
        bri_job *job = pool->tasks[index].job;
        if (job->kind == BRI_JOB_ITERATION && bri_imap_is_lost(job->iterator))
            bri_job_cancel_many(job, BROOD_CANCEL_QUEUED);
        if (round->again[i] && !job->is_given_up && !job->is_ended) {
            bri_task_try_again(pool, index, brp_clock_now());
            continue;
        }
        if (round->again[i]) {
            job->is_cancelled = true;
            bri_round_finish(round, job);
        }
        pool->collector.n_limited -= pool->tasks[index].has_limit;
        bri_request_give_slot(pool, index);
    }
    round->n_ended = 0;
}

static void sleep_a_while(bri_round *round, bri_deadline when)
{
    int64_t before = brp_clock_now();
    bri_deadline until = when;
    uint32_t wanted = round->wanted, slots = round->pool->collector.request.n_slots;
    if (wanted > 1 && before + FAST < until)
        until = before + FAST;
    if (wanted > slots)
        wanted = slots == 0 ? 1 : slots;
    bri_pool_sleep_as_collector(round->pool, &round->slice, wanted, until);
    if (brp_clock_now() - before >= FAST)
        round->wanted = 1;
    else if (round->wanted < MOST_WANTED)
        round->wanted *= 2;
}

/* One round, under the mutex. True when there is more to do. */
static bool go_round(bri_round *round, bri_deadline *when)
{
    brood_pool *pool = round->pool;
    bri_pool_attend_as_collector(pool, when);
    if (pool->state == BRI_POOL_TERMINATED)
        end_all(round, BROOD_ECANCELLED);
    else if (pool->state == BRI_POOL_BROKEN)
        end_all(round, BROOD_EBROKEN);
    int64_t now =
        pool->collector.delayed != 0 || pool->collector.n_limited != 0 ? brp_clock_now() : 0;
    if (pool->collector.delayed != 0)
        bri_attempts_put_delayed(pool, now, when);
    bri_attempts_check_limits(pool, now, when);
    bool told = tell_others(round);
    take_ended(round);
    bool worked = round->n_ended > 0 || told;
    if (round->n_ended > 0) {
        brp_mutex_unlock(pool->mutex);
        read_batch(round);
        tell(round);
        brp_mutex_lock(pool->mutex);
        bri_job *told_of = round->finished;
        round->finished = NULL; /* those that return_slots ends are not yet told of */
        return_slots(round);
        drop(pool, told_of);
    }
    see_to_cancelled(round);
    worked |= bri_round_feed(round) > 0;
    if (round->finished != NULL || round->n_told != 0) {
        brp_mutex_unlock(pool->mutex);
        tell(round);
        brp_mutex_lock(pool->mutex);
        drop_finished(round);
        worked = true;
    }
    return worked;
}

static void run_collector(void *context)
{
    brood_pool *pool = context;
    collected_pool = pool;
    bri_round round = {.pool = pool, .wanted = 1, .scratch.lends = true};
    bri_gate_enter();
    brp_mutex_lock(pool->mutex);
    while (!pool->collector.ends) {
        bri_deadline when;
        if (!go_round(&round, &when) && !pool->collector.ends)
            sleep_a_while(&round, when);
    }
    brp_mutex_unlock(pool->mutex);
    brood_value_clear(&round.kept);
    bri_payload_fini(&round.scratch);
    bri_gate_leave();
}

brood_status bri_collector_start(brood_pool *pool)
{
    if (pool->collector.wake == NULL)
        BROOD_TRY(brp_condition_create(&pool->collector.wake));
    return bri_thread_start(&pool->collector.thread, run_collector, pool);
}

void bri_collector_stop(brood_pool *pool)
{
    if (pool->collector.thread == NULL)
        return;
    brp_mutex_lock(pool->mutex);
    pool->collector.ends = true;
    bri_collector_nudge(pool);
    brp_mutex_unlock(pool->mutex);
    bri_thread_join(pool->collector.thread);
    pool->collector.thread = NULL;
}

bool bri_collector_is_me(const brood_pool *pool)
{
    return collected_pool == pool;
}

void bri_collector_nudge(brood_pool *pool)
{
    if (pool->collector.is_asleep)
        brp_condition_signal(pool->collector.wake);
    if (pool->leader == BRI_LEADER_COLLECTOR)
        bri_tasks_nudge(pool->table);
}
