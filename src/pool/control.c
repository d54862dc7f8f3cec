/* pool/control.c - resize, pause, drain, and figures. */
#include "pool/job.h"

#include "platform/clock.h"
#include "platform/lock.h"

brood_status brood_pool_pause(brood_pool *pool)
{
    BROOD_TRY(bri_pool_check(pool, "pause a pool"));
    atomic_store(&pool->table->paused, 1);
    return BROOD_OK;
}

brood_status brood_pool_resume(brood_pool *pool)
{
    BROOD_TRY(bri_pool_check(pool, "resume a pool"));
    atomic_store(&pool->table->paused, 0);
    bri_tasks_ring(pool->table, INT32_MAX);
    brp_mutex_lock(pool->mutex);
    if (pool->supervisor.n_resting > 0) /* for tasks that came meanwhile */
        bri_pool_wake(pool);
    brp_mutex_unlock(pool->mutex);
    return BROOD_OK;
}

brood_status brood_pool_drain(brood_pool *pool, brood_ms timeout)
{
    BROOD_TRY(bri_pool_check(pool, "drain a pool"));
    if (bri_collector_is_me(pool))
        return bri_fail(BROOD_ESTATE,
                        "could not drain a pool: a callback of it cannot wait for it");
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), timeout);
    brood_status status = BROOD_OK;
    int64_t slice = 0;
    brp_mutex_lock(pool->mutex);
    while (status == BROOD_OK) {
        bri_deadline when;
        bri_pool_attend(pool, &when);
        if (bri_pool_is_idle(pool))
            break;
        status = bri_pool_sleep(pool, &slice, 1, when < deadline ? when : deadline);
        if (status == BROOD_ETIMEDOUT && brp_clock_now() < deadline)
            status = BROOD_OK;
    }
    brp_mutex_unlock(pool->mutex);
    return status;
}

static brood_worker_state state_of(const bri_worker_record *record)
{
    switch (atomic_load(&record->phase)) {
    case BRI_WORKER_STARTING:
        return BROOD_WORKER_STARTING;
    case BRI_WORKER_IDLE:
        return BROOD_WORKER_IDLE;
    case BRI_WORKER_BUSY:
        return BROOD_WORKER_BUSY;
    default:
        return BROOD_WORKER_LEAVING;
    }
}

static void describe_worker(const brood_pool *pool, uint32_t index, int64_t now,
                            brood_worker_stats *stats)
{
    const bri_seat *seat = &pool->seats[index];
    const bri_worker_record *record = &pool->table->workers[index];
    *stats = (brood_worker_stats){0};
    if (seat->process == NULL)
        return;
    stats->pid = seat->pid;
    stats->state = state_of(record);
    stats->tasks = (int64_t)atomic_load(&record->tasks);
    stats->age = (now - seat->started) / 1000000;
    int64_t busy = atomic_load(&record->busy), since = atomic_load(&record->since);
    if (stats->state == BROOD_WORKER_BUSY && since != 0)
        busy += now - since;
    stats->busy = busy / 1000000;
}

static void count_tasks(const brood_pool *pool, brood_pool_stats *stats)
{
    for (uint32_t i = 0; i < pool->table->n_slots; i++) {
        uint32_t tag = atomic_load(&bri_tasks_slot(pool->table, i)->state) & BRI_TASK_TAG;
        stats->queued += tag == BRI_TASK_READY || pool->tasks[i].is_delayed;
        stats->in_hand += tag == BRI_TASK_RUNNING;
    }
    for (int level = 0; level < BRI_TASK_LEVELS; level++)
        for (const bri_job *job = pool->collector.waiting[level].first; job != NULL;
             job = job->next_waiting)
            stats->queued += job->kind == BRI_JOB_CALL;
}

brood_status brood_pool_get_stats(brood_pool *pool, brood_pool_stats *stats,
                                  brood_worker_stats *workers, size_t room, size_t *n)
{
    BROOD_TRY(bri_pool_check(pool, "tell a pool's figures"));
    if (stats == NULL || (workers == NULL && room != 0))
        return bri_fail(BROOD_EINVALID, "could not tell a pool's figures: where they go is NULL");
    int64_t now = brp_clock_now();
    brp_mutex_lock(pool->mutex);
    *stats = pool->stats;
    stats->workers = (int)pool->n_seats;
    for (uint32_t i = 0; i < pool->n_seats_ever; i++)
        stats->running += pool->seats[i].process != NULL;
    count_tasks(pool, stats);
    stats->latency = pool->n_latencies == 0 ? 0 : pool->stats.latency / pool->n_latencies;
    uint32_t places = pool->n_seats_ever;
    for (uint32_t i = 0; i < places && i < room; i++)
        describe_worker(pool, i, now, &workers[i]);
    brp_mutex_unlock(pool->mutex);
    if (n != NULL)
        *n = places;
    return BROOD_OK;
}
