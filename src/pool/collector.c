/* pool/collector.c - the pool's thread: cuts jobs into tasks, reads what came of them, calls the
 * callbacks. Callbacks and generators run outside of the gate and of every lock. */
#include "pool/job.h"

#include <string.h>

#include "base/memory.h"
#include "core/thread.h"
#include "platform/clock.h"

enum {
    BATCH = 64,
    MOST_WANTED = 256, /* finished tasks to sleep for when they come fast */
    FAST = 2000000,    /* ns: a sleep that is over so soon was too short for few tasks */
    TELL_NS = 1000000000
};

/* The thread's own. */
typedef struct collector_round {
    brood_pool *pool;
    uint32_t ended[BATCH]; /* slots */
    bool again[BATCH];     /* the task is run again */
    uint32_t n_ended;
    bri_job *finished; /* by next_to_tell */
    bri_job *told[BATCH];
    uint32_t n_told; /* jobs whose progress is to be told */
    bri_payload scratch;
    brood_value kept; /* what the scratch frame refers to */
    uint32_t wanted;
    int64_t slice;
} collector_round;

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
    if (job->keep_errors) {
        brood_value error = brood_value_take(&outcome->error);
        if (brood_value_kind(&error) == BROOD_INVALID)
            error = brood_none(); /* no memory for an error */
        take_value(sink, item, error);
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

static bri_sink sink_of(bri_job *job)
{
    return (bri_sink){.value = take_value, .failed = take_failure, .context = job};
}

static bool is_complete(const bri_job *job)
{
    return job->kind == BRI_JOB_CALL ||
           (job->n_tasks == 0 && (job->done == job->n || job->is_cancelled));
}

static void finish(collector_round *round, bri_job *job)
{
    if (job->is_ended)
        return;
    job->is_ended = true;
    job->next_to_tell = round->finished;
    round->finished = job;
}

static void note_progress(collector_round *round, bri_job *job)
{
    if (job->progress == NULL)
        return;
    for (uint32_t i = 0; i < round->n_told; i++)
        if (round->told[i] == job)
            return;
    if (round->n_told < BATCH)
        round->told[round->n_told++] = job;
}

/* Whether the task gets another attempt. */
static bool is_again(brood_pool *pool, uint32_t index)
{
    const bri_task *task = &pool->tasks[index];
    const bri_job *job = task->job;
    if (job->is_cancelled || bri_tasks_slot(pool->table, index)->attempt > job->policy.retries)
        return false;
    if (task->lost)
        return task->fate == BRI_FATE_NONE && task->deaths < BRI_QUARANTINE;
    return job->policy.retry_failures && bri_task_has_failed(pool, index);
}

/* Reads what the batch brought. Not under the mutex: the slots are this thread's. */
static void read_batch(collector_round *round)
{
    brood_pool *pool = round->pool;
    for (uint32_t i = 0; i < round->n_ended; i++) {
        uint32_t index = round->ended[i];
        bri_job *job = pool->tasks[index].job;
        round->again[i] = is_again(pool, index);
        if (round->again[i])
            continue;
        bri_sink sink = sink_of(job);
        bri_task_read(pool, index, &sink);
        job->done += bri_tasks_slot(pool->table, index)->n;
        note_progress(round, job);
        if (is_complete(job))
            finish(round, job);
    }
}

static void put_in_order(collector_round *round)
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
static void tell(collector_round *round)
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

static void drop_finished(collector_round *round)
{
    brood_pool *pool = round->pool;
    bool any = round->finished != NULL;
    while (round->finished != NULL) {
        bri_job *job = round->finished;
        round->finished = job->next_to_tell;
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

/* ---- another attempt ---- */

static void try_again(brood_pool *pool, uint32_t index, int64_t now)
{
    bri_task *task = &pool->tasks[index];
    bri_task_slot *slot = bri_tasks_slot(pool->table, index);
    const brood_task_policy *policy = &task->job->policy;
    bri_arena_free(pool->arena, atomic_exchange(&slot->result, 0));
    slot->size = task->n_bytes;
    atomic_store(&slot->asked, 0);
    atomic_store(&slot->started, task->has_limit ? 0 : -1);
    int64_t delay = policy->backoff;
    for (int i = 1; i < slot->attempt && delay < BRI_BACKOFF_MOST; i++)
        delay *= 2;
    slot->attempt++;
    task->lost = false;
    task->job->n_tasks++;
    pool->stats.retries++;
    if (task->job->kind == BRI_JOB_CALL)
        task->job->slot = index + 1;
    task->is_delayed = true;
    task->when =
        bri_deadline_after(now, delay > BRI_BACKOFF_MOST ? (brood_ms)BRI_BACKOFF_MOST : delay);
    task->next = pool->collector.delayed;
    pool->collector.delayed = index + 1;
}

/* Makes the tasks ready whose time has come. */
static void put_delayed(brood_pool *pool, int64_t now, bri_deadline *when)
{
    uint32_t waiting = pool->collector.delayed, n = 0;
    pool->collector.delayed = 0;
    while (waiting != 0) {
        uint32_t index = waiting - 1;
        bri_task *task = &pool->tasks[index];
        waiting = task->next;
        if (task->when <= now) {
            task->is_delayed = false;
            bri_task_put(pool, index);
            n++;
        } else {
            task->next = pool->collector.delayed;
            pool->collector.delayed = index + 1;
        }
    }
    for (uint32_t at = pool->collector.delayed; at != 0; at = pool->tasks[at - 1].next)
        if (pool->tasks[at - 1].when < *when) /* 0: the ring was full; soon */
            *when = pool->tasks[at - 1].when == 0 ? now + FAST : pool->tasks[at - 1].when;
    if (n > 0)
        bri_tasks_ring(pool->table, n);
}

/* ---- hard deadlines ---- */

/* When the task began, as far as is known; 0: it has not. */
static int64_t began_at(brood_pool *pool, uint32_t index, int64_t now)
{
    bri_task *task = &pool->tasks[index];
    const bri_task_slot *slot = bri_tasks_slot(pool->table, index);
    int64_t started = atomic_load(&slot->started);
    uint32_t tag = atomic_load(&slot->state) & BRI_TASK_TAG;
    if (started > 0 || (tag != BRI_TASK_RUNNING && tag != BRI_TASK_DONE))
        return started > 0 ? started : 0;
    if (task->when == 0) /* its worker was stopped, or is about to write it down */
        task->when = now;
    return task->when;
}

/* The time of a task is up. */
static void end_in_time(brood_pool *pool, uint32_t index, bri_deadline end, int64_t now)
{
    uint32_t state = atomic_load(&bri_tasks_slot(pool->table, index)->state);
    if (bri_pool_kill_task(pool, index, BRI_FATE_DEADLINE))
        return;
    /* A worker that was stopped in the few steps between its result and telling of it. */
    if ((state & BRI_TASK_TAG) == BRI_TASK_DONE && end + TELL_NS <= now)
        bri_pool_kill_worker(pool, state >> 4, BRI_FATE_DEADLINE);
}

static void check_limits(brood_pool *pool, int64_t now, bri_deadline *when)
{
    bri_collector *self = &pool->collector;
    if (self->n_limited == 0)
        return;
    if (now >= self->limit_check) {
        self->limit_check = BRI_NEVER;
        for (uint32_t i = 0; i < pool->table->n_slots; i++) {
            bri_task *task = &pool->tasks[i];
            if (!task->has_limit || task->request == NULL || task->is_delayed)
                continue;
            int64_t began = began_at(pool, i, now);
            bri_deadline end =
                bri_deadline_after(began != 0 ? began : now, task->job->policy.hard_deadline);
            if (end <= now)
                end_in_time(pool, i, end, now);
            bri_deadline next = end > now ? end : now + TELL_NS;
            if (next < self->limit_check)
                self->limit_check = next;
        }
    }
    if (self->limit_check < *when)
        *when = self->limit_check;
}

/* ---- jobs into tasks ---- */

/* The next item of a job; NULL when there is none. It stays valid until the next call. */
static const brood_value *next_item(bri_job *job)
{
    if (job->generator == NULL)
        return job->next < job->n ? brood_item(&job->items, job->next) : NULL;
    if (job->holds)
        return &job->held;
    if (job->n != SIZE_MAX)
        return NULL;
    brood_value item = {0};
    bri_gate_leave();
    brood_status status = job->generator(job->context, &item);
    bri_gate_enter();
    if (status != BROOD_OK) {
        job->n = job->next;
        if (status != BROOD_EEOF)
            job->status = status;
        return NULL;
    }
    brood_value_clear(&job->held);
    job->held = item;
    job->holds = true;
    return &job->held;
}

/* Writes up to `most` items into the scratch frame. An item that cannot be written has failed, and
 * ends the chunk if it is not its first. */
static uint32_t write_chunk(collector_round *round, bri_job *job, size_t most, size_t *first)
{
    uint32_t n = 0;
    bri_sink sink = sink_of(job);
    const brood_value *item;
    brood_value last = {0}; /* the frame may still refer to its bytes */
    bri_payload_reset(&round->scratch);
    brood_value_clear(&round->kept);
    while (n < most && (item = next_item(job)) != NULL) {
        brood_status status = bri_payload_append(&round->scratch, item);
        if (status == BROOD_OK) {
            if (n++ == 0)
                *first = job->next;
            brood_value_clear(&last);
            if (job->generator != NULL)
                last = brood_value_take(&job->held);
        } else if (n > 0) {
            break;
        } else {
            bri_fail_within("could not send an item to a worker");
            bri_item_failed_here(&sink, job->next, status);
            job->done++;
            note_progress(round, job);
        }
        job->holds = false;
        job->next++;
    }
    round->kept = last;
    return n;
}

/* Under the mutex: the slot's task is the job's. */
static void enter_task(brood_pool *pool, bri_job *job, uint32_t index)
{
    bri_task *task = &pool->tasks[index];
    task->job = job;
    task->has_limit = job->shape.is_timed;
    bri_task_put(pool, index);
    pool->collector.n_limited += task->has_limit;
    job->n_tasks++;
    if (job->kind == BRI_JOB_CALL)
        job->slot = index + 1;
}

typedef enum fed { FED_NOTHING, FED_TASK, FED_FULL } fed;

/* One task of a call. */
static fed feed_call(collector_round *round, bri_job *job)
{
    brood_pool *pool = round->pool;
    uint32_t index;
    if (!bri_request_take_slot(pool, &pool->collector.request, &index))
        return FED_FULL;
    bri_payload frame = {.tail = job->frame, .tail_size = job->size};
    if (bri_task_fill(pool, index, &frame, &job->shape, 0, 1) != BROOD_OK) {
        bri_request_give_slot(pool, index);
        if (pool->collector.request.n_slots > 0)
            return FED_FULL; /* until some have ended */
        bri_sink sink = sink_of(job);
        bri_item_failed_here(&sink, 0, BROOD_ENOMEM);
        bri_job_unwait(job);
        finish(round, job);
        return FED_TASK;
    }
    bri_free(job->frame);
    job->frame = NULL;
    bri_job_unwait(job);
    enter_task(pool, job, index);
    return FED_TASK;
}

/* One task of many items. Lets the mutex go meanwhile. */
static fed feed_many(collector_round *round, bri_job *job)
{
    brood_pool *pool = round->pool;
    uint32_t index;
    size_t room = SIZE_MAX, first = 0;
    if (job->is_cancelled || job->is_ended)
        return FED_NOTHING;
    if (job->kind == BRI_JOB_ITERATION && job->next < job->n)
        room = bri_imap_room(job->iterator, job->next);
    if (room == 0)
        return FED_NOTHING;
    if (!bri_request_take_slot(pool, &pool->collector.request, &index))
        return FED_FULL;
    bri_mutex_unlock(pool->mutex);
    uint32_t n = write_chunk(round, job, job->chunk < room ? job->chunk : room, &first);
    brood_status status =
        n == 0 ? BROOD_OK : bri_task_fill(pool, index, &round->scratch, &job->shape, first, n);
    bri_mutex_lock(pool->mutex);
    if (n != 0 && status == BROOD_OK) {
        enter_task(pool, job, index);
        return FED_TASK;
    }
    bri_request_give_slot(pool, index);
    if (status != BROOD_OK) {
        bri_sink sink = sink_of(job);
        for (size_t i = first; i < first + n; i++)
            bri_item_failed_here(&sink, i, status);
        job->done += n;
        note_progress(round, job);
    }
    if (is_complete(job))
        finish(round, job);
    return n != 0 ? FED_TASK : FED_NOTHING;
}

/* Whether all of its items are in tasks. */
static bool is_cut(const bri_job *job)
{
    return job->kind == BRI_JOB_CALL ? !job->is_waiting : job->next >= job->n && !job->holds;
}

/* Fills slots with tasks of the waiting jobs; gives how many. Under the mutex. */
static uint32_t feed(collector_round *round)
{
    brood_pool *pool = round->pool;
    uint32_t n = 0, unrung = 0;
    for (int level = BRI_TASK_LEVELS - 1; level >= 0; level--) {
        bri_job *next;
        for (bri_job *job = pool->collector.waiting[level].first; job != NULL; job = next) {
            fed what = FED_TASK;
            next = job->next_waiting;
            while (what == FED_TASK && n < BATCH && !is_cut(job)) {
                what = job->kind == BRI_JOB_CALL ? feed_call(round, job) : feed_many(round, job);
                n += what == FED_TASK;
                if (what == FED_TASK && ++unrung == 16) {
                    bri_tasks_ring(pool->table, unrung);
                    unrung = 0;
                }
                if (job->kind == BRI_JOB_CALL)
                    break;
            }
            if (job->kind != BRI_JOB_CALL) {
                next = job->next_waiting;
                if (is_cut(job)) {
                    bri_job_unwait(job);
                    if (is_complete(job))
                        finish(round, job);
                }
            }
            if (what == FED_FULL || n >= BATCH) {
                bri_tasks_ring(pool->table, unrung);
                return n;
            }
        }
    }
    if (unrung > 0)
        bri_tasks_ring(pool->table, unrung);
    return n;
}

/* ---- jobs that are ended from outside; under the mutex ---- */

/* Takes back what no worker has of a job, or of all (NULL). Others are told, killed, or with
 * `forget` nobody waits for them any more. */
static void take_back(brood_pool *pool, const bri_job *job, bool forget)
{
    bri_request *request = &pool->collector.request;
    for (uint32_t i = 0; i < pool->table->n_slots; i++) {
        bri_task *task = &pool->tasks[i];
        if (task->request != request || task->job == NULL || (job != NULL && task->job != job))
            continue;
        bri_job *owner = task->job;
        if (bri_tasks_withdraw(pool->table, i) || task->is_delayed) {
            pool->collector.n_limited -= task->has_limit;
            task->is_delayed = false;
            owner->n_tasks--;
            owner->slot = 0;
            task->job = NULL;
            bri_request_give_slot(pool, i);
        } else if (forget) {
            pool->collector.n_limited -= task->has_limit;
            task->has_limit = false;
            owner->n_tasks--;
            owner->slot = 0;
            task->job = NULL;
            if ((atomic_load(&bri_tasks_slot(pool->table, i)->state) & BRI_TASK_TAG) ==
                BRI_TASK_FREE)
                continue; /* in the inbox, which is emptied by the caller */
            request->n_slots--;
            request->n_bytes -= task->n_bytes;
            task->request = NULL;
        } else if (owner->cancel_how != BROOD_CANCEL_QUEUED) {
            atomic_store(&bri_tasks_slot(pool->table, i)->asked, 1);
            if (owner->cancel_how == BROOD_CANCEL_KILL)
                (void)bri_pool_kill_task(pool, i, BRI_FATE_CANCELLED);
        }
    }
    if (job == NULL) {
        pool->collector.delayed = 0;
        return;
    }
    uint32_t *at = &pool->collector.delayed;
    while (*at != 0)
        if (pool->tasks[*at - 1].is_delayed)
            at = &pool->tasks[*at - 1].next;
        else
            *at = pool->tasks[*at - 1].next;
}

/* Lists that somebody cancelled. */
static void see_to_cancelled(collector_round *round)
{
    brood_pool *pool = round->pool;
    for (bri_job *job = pool->collector.first; pool->collector.n_cancelled > 0 && job != NULL;
         job = job->next_job) {
        if (!job->is_cancelled || job->is_ended || !job->cancel_due)
            continue;
        job->cancel_due = false;
        pool->collector.n_cancelled--;
        take_back(pool, job, false);
        bri_job_unwait(job);
        if (job->n_tasks == 0)
            finish(round, job);
    }
}

/* The pool has ended before its time: so do all jobs. Lets the mutex go meanwhile. */
static void end_all(collector_round *round, brood_status status)
{
    brood_pool *pool = round->pool;
    uint32_t index;
    if (pool->collector.first == NULL)
        return;
    take_back(pool, NULL, true);
    while (bri_request_next_ended(pool, &pool->collector.request, &index))
        bri_request_give_slot(pool, index);
    for (bri_job *job = pool->collector.first; job != NULL; job = job->next_job) {
        bri_job_unwait(job);
        finish(round, job);
    }
    bri_mutex_unlock(pool->mutex);
    put_in_order(round);
    for (bri_job *job = round->finished; job != NULL; job = job->next_to_tell)
        bri_job_settle(job, status);
    bri_gate_leave();
    for (bri_job *job = round->finished; job != NULL; job = job->next_to_tell)
        bri_job_tell(job);
    bri_gate_enter();
    bri_mutex_lock(pool->mutex);
    drop_finished(round);
}

/* Calls the callbacks of jobs that others have ended. Lets the mutex go meanwhile. */
static bool tell_others(collector_round *round)
{
    brood_pool *pool = round->pool;
    bri_job *job = pool->collector.to_tell;
    if (job == NULL)
        return false;
    pool->collector.to_tell = NULL;
    bri_mutex_unlock(pool->mutex);
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
    bri_mutex_lock(pool->mutex);
    pool->collector.n_jobs -= n;
    if (bri_pool_is_idle(pool))
        bri_pool_wake(pool);
    return true;
}

/* ---- the loop ---- */

/* Under the mutex: what has come, up to a batch. */
static void take_ended(collector_round *round)
{
    brood_pool *pool = round->pool;
    bri_request *request = &pool->collector.request;
    round->n_ended = 0;
    while (round->n_ended < BATCH &&
           bri_request_next_ended(pool, request, &round->ended[round->n_ended])) {
        bri_task *task = &pool->tasks[round->ended[round->n_ended++]];
        task->job->n_tasks--;
        if (task->job->kind == BRI_JOB_CALL)
            task->job->slot = 0;
    }
}

/* Under the mutex: the slots of the batch are free again, or ready. */
static void return_slots(collector_round *round)
{
    brood_pool *pool = round->pool;
    for (uint32_t i = 0; i < round->n_ended; i++) {
        uint32_t index = round->ended[i];
        if (round->again[i]) {
            try_again(pool, index, brp_clock_now());
            continue;
        }
        pool->collector.n_limited -= pool->tasks[index].has_limit;
        bri_request_give_slot(pool, index);
    }
    round->n_ended = 0;
}

static void sleep_a_while(collector_round *round, bri_deadline when)
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
static bool go_round(collector_round *round, bri_deadline *when)
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
        put_delayed(pool, now, when);
    check_limits(pool, now, when);
    bool told = tell_others(round);
    take_ended(round);
    bool worked = round->n_ended > 0 || told;
    if (round->n_ended > 0) {
        bri_mutex_unlock(pool->mutex);
        read_batch(round);
        tell(round);
        bri_mutex_lock(pool->mutex);
        return_slots(round);
        drop_finished(round);
    }
    see_to_cancelled(round);
    worked |= feed(round) > 0;
    if (round->finished != NULL || round->n_told != 0) {
        bri_mutex_unlock(pool->mutex);
        tell(round);
        bri_mutex_lock(pool->mutex);
        drop_finished(round);
        worked = true;
    }
    return worked;
}

static void run_collector(void *context)
{
    brood_pool *pool = context;
    collected_pool = pool;
    collector_round round = {.pool = pool, .wanted = 1};
    bri_gate_enter();
    bri_mutex_lock(pool->mutex);
    while (!pool->collector.ends) {
        bri_deadline when;
        if (!go_round(&round, &when) && !pool->collector.ends)
            sleep_a_while(&round, when);
    }
    bri_mutex_unlock(pool->mutex);
    brood_value_clear(&round.kept);
    bri_payload_fini(&round.scratch);
    bri_gate_leave();
}

brood_status bri_collector_start(brood_pool *pool)
{
    if (pool->collector.wake == NULL)
        BROOD_TRY(bri_condition_create(&pool->collector.wake));
    return bri_thread_start(&pool->collector.thread, run_collector, pool);
}

void bri_collector_stop(brood_pool *pool)
{
    if (pool->collector.thread == NULL)
        return;
    bri_mutex_lock(pool->mutex);
    pool->collector.ends = true;
    bri_collector_nudge(pool);
    bri_mutex_unlock(pool->mutex);
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
        bri_condition_signal(pool->collector.wake);
    if (pool->leader == BRI_LEADER_COLLECTOR)
        bri_tasks_nudge(pool->table);
}
