/* pool/attempt.c - what the collector does with tasks that are in slots already: tries them again,
 * ends them at their deadlines, takes them back. */
#include "pool/collector.h"

#include "platform/clock.h"

enum {
    SOON = 2000000, /* ns: until the ring is looked at again, which was full */
    TELL_NS = 1000000000
};

/* ---- another attempt ---- */

bool bri_task_is_again(brood_pool *pool, uint32_t index)
{
    const bri_task *task = &pool->tasks[index];
    const bri_task_slot *slot = bri_tasks_slot(pool->table, index);
    const bri_job *job = task->job;
    if (job->is_cancelled || atomic_load(&slot->asked) != 0 || slot->attempt > job->policy.retries)
        return false;
    if (task->lost)
        return task->fate == BRI_FATE_NONE && task->deaths < BRI_QUARANTINE;
    return job->policy.retry_failures && bri_task_has_failed(pool, index);
}

void bri_task_try_again(brood_pool *pool, uint32_t index, int64_t now)
{
    bri_task *task = &pool->tasks[index];
    bri_task_slot *slot = bri_tasks_slot(pool->table, index);
    bri_arena_free(pool->arena, atomic_exchange(&slot->result, 0));
    if (atomic_load(bri_tasks_lent(pool->table, index)) != 0)
        bri_tasks_return_lent(pool->table, index, false);
    slot->size = task->n_bytes;
    atomic_store(&slot->asked, 0);
    atomic_store(&slot->started, task->has_limit ? 0 : -1);
    brood_ms delay = bri_policy_backoff(&task->job->policy, slot->attempt);
    slot->attempt++;
    task->lost = false;
    task->job->n_tasks++;
    pool->stats.retries++;
    if (task->job->kind == BRI_JOB_CALL)
        task->job->slot = index + 1;
    task->is_delayed = true;
    task->when = bri_deadline_after(now, delay);
    task->next = pool->collector.delayed;
    pool->collector.delayed = index + 1;
}

/* Makes the tasks ready whose time has come. */
void bri_attempts_put_delayed(brood_pool *pool, int64_t now, bri_deadline *when)
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
            *when = pool->tasks[at - 1].when == 0 ? now + SOON : pool->tasks[at - 1].when;
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

void bri_attempts_check_limits(brood_pool *pool, int64_t now, bri_deadline *when)
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

/* ---- jobs that are ended from outside ---- */

void bri_attempts_take_back(brood_pool *pool, const bri_job *job, bool forget)
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
