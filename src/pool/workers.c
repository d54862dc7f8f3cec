/* pool/workers.c - starting, replacing and killing the worker processes. */
#include "core/thread.h"
#include "pool/job.h"

#include <stdio.h>
#include <string.h>

#include "core/killpoint.h"
#include "core/log.h"
#include "core/registry.h"
#include "platform/clock.h"
#include "proc/children.h"

/* On the supervisor's thread: no more than a flag and a nudge. */
static void note_end(void *context, brood_process *process)
{
    bri_seat *seat = context;
    (void)process;
    if (!atomic_exchange(&seat->ended, true))
        atomic_fetch_add(&seat->pool->n_ended, 1);
    bri_tasks_nudge(seat->pool->table);
}

static bri_worker_record *record_of(brood_pool *pool, const bri_seat *seat)
{
    return &pool->table->workers[seat - pool->seats];
}

/* (where the table is, who the worker is, what to run first). */
static brood_status worker_arguments(const brood_pool *pool, const bri_seat *seat,
                                     brood_value *arguments)
{
    brood_value reference, initargs;
    BROOD_TRY(brood_value_copy(&pool->initializer, &reference));
    brood_status status = brood_value_copy(&pool->initargs, &initargs);
    if (status != BROOD_OK) {
        brood_value_clear(&reference);
        return status;
    }
    *arguments = brood_pack(
        "(vvvvvv)", brood_uint(pool->shared->offset), brood_uint(pool->shared->generation),
        brood_int((int64_t)(seat - pool->seats)), brood_int(seat->number), reference, initargs);
    return brood_value_kind(arguments) == BROOD_INVALID ? brood_last_error()->status : BROOD_OK;
}

/* Not under the mutex: it takes a millisecond, or the start time-out. */
static brood_status start_process(const brood_pool *pool, bri_seat *seat, brood_process **process)
{
    brood_value arguments;
    char name[40];
    snprintf(name, sizeof name, "PoolWorker-%u", (unsigned)seat->number);
    brood_process_options options = {.function_name = BRI_POOL_WORKER,
                                     .name = name,
                                     .daemon = BROOD_DAEMON_NO,
                                     .method = pool->method};
    BROOD_TRY(worker_arguments(pool, seat, &arguments));
    brood_process *made;
    BROOD_TRY(brood_process_create(&made, NULL, arguments, &options));
    brood_status status = brood_process_start(made);
    if (status == BROOD_OK)
        status = bri_children_watch(made, note_end, seat);
    if (status != BROOD_OK) {
        bri_saved_error saved;
        bri_error_save(&saved);
        if (brood_process_pid(made) != 0)
            brood_process_kill(made);
        brood_process_destroy(made);
        bri_error_restore(&saved);
        return status;
    }
    *process = made;
    return BROOD_OK;
}

static bool is_taken(const brood_pool *pool, bri_worker_number number)
{
    for (uint32_t i = 0; i < pool->n_seats_ever; i++)
        if (pool->seats[i].number == number)
            return true;
    return false;
}

static bri_worker_number next_number(brood_pool *pool)
{
    do
        pool->last_worker = pool->last_worker % BRI_LAST_WORKER + 1;
    while (is_taken(pool, pool->last_worker));
    return pool->last_worker;
}

/* Starts a worker for a seat that is STARTING. Under the mutex, but lets it go. */
static brood_status fill_seat(brood_pool *pool, uint32_t index, bool by_collector)
{
    bri_seat *seat = &pool->seats[index];
    if (index >= pool->n_seats) { /* it was resized meanwhile */
        bri_supervisor_ended(&pool->supervisor, index, BRI_END_LEFT, brp_clock_now());
        return BROOD_OK;
    }
    seat->number = next_number(pool);
    atomic_store(&seat->ended, false);
    bri_worker_record *record = record_of(pool, seat);
    atomic_store(&record->phase, BRI_WORKER_STARTING);
    atomic_store(&record->tasks, 0);
    atomic_store(&record->busy, 0);
    atomic_store(&record->since, 0);
    atomic_store(&record->worker, seat->number);
    atomic_store(&record->leave, 0);
    brp_mutex_unlock(pool->mutex);
    if (by_collector) /* it waits for the other starts, which may wait for the gate */
        bri_gate_leave();
    brood_process *process = NULL;
    brood_status status = start_process(pool, seat, &process);
    BRI_KILL_POINT("pool-worker-started");
    if (by_collector)
        bri_gate_enter();
    brp_mutex_lock(pool->mutex);
    if (status != BROOD_OK) {
        if (pool->supervisor.n_working == 1) /* nobody is left to go on */
            snprintf(pool->broken, sizeof pool->broken, "no worker can be started: %.900s",
                     brood_last_error()->message);
        bri_log(BROOD_LOG_WARNING, "could not start a pool's worker: %s",
                brood_last_error()->message);
        bri_supervisor_ended(&pool->supervisor, index, BRI_END_UNBORN, brp_clock_now());
        seat->number = 0;
        seat->fate = BRI_FATE_NONE;
        return status;
    }
    seat->process = process;
    seat->pid = brood_process_pid(process);
    seat->started = brp_clock_now();
    atomic_store(&record->leave, index >= pool->n_seats);
    pool->stats.started++;
    bri_supervisor_started(&pool->supervisor, index);
    if (pool->state == BRI_POOL_TERMINATED || pool->state == BRI_POOL_BROKEN ||
        seat->fate != BRI_FATE_NONE) /* it has a task already, which is to end */
        brood_process_kill(process);
    if (atomic_load(&seat->ended)) /* which nobody could see to until now */
        bri_tasks_nudge(pool->table);
    return BROOD_OK;
}

/* Remembers how a worker died, for the case that the pool is broken by it. */
static void describe_death(brood_pool *pool, const bri_seat *seat, int exitcode)
{
    brood_failure failure = {0};
    const char *when = atomic_load(&record_of(pool, seat)->phase) == BRI_WORKER_STARTING
                           ? " before it was ready"
                           : "";
    if (brood_process_failure(seat->process, &failure) == BROOD_OK && failure.kind[0] != '\0')
        snprintf(pool->broken, sizeof pool->broken,
                 "too many workers died in a row; the last, %lld, failed%s: %.200s: %.600s",
                 (long long)seat->pid, when, failure.kind, failure.message);
    else if (exitcode < 0)
        snprintf(pool->broken, sizeof pool->broken,
                 "too many workers died in a row; the last, %lld, was killed by signal %d%s",
                 (long long)seat->pid, -exitcode, when);
    else
        snprintf(pool->broken, sizeof pool->broken,
                 "too many workers died in a row; the last, %lld, exited with code %d%s",
                 (long long)seat->pid, exitcode, when);
}

/* The process of a seat has ended: sees to what it left, and frees it. */
static void empty_seat(brood_pool *pool, bri_seat *seat)
{
    int exitcode = 0;
    if (brood_process_exitcode(seat->process, &exitcode) != BROOD_OK)
        exitcode = 255;
    bool was_busy = bri_pool_hand_out_left(pool, seat, exitcode);
    bool was_killed = seat->fate != BRI_FATE_NONE;
    bool left = was_killed ||
                (atomic_load(&record_of(pool, seat)->phase) == BRI_WORKER_LEAVING && !was_busy);
    bool has_worked = was_busy || atomic_load(&record_of(pool, seat)->tasks) > 0;
    bool rested = !was_busy && atomic_load(&record_of(pool, seat)->phase) == BRI_WORKER_RESTING;
    bri_end end = rested       ? BRI_END_RESTED
                  : left       ? BRI_END_LEFT
                  : has_worked ? BRI_END_WORKED
                               : BRI_END_IDLE;
    bool was_broken = pool->supervisor.broken;
    bri_supervisor_ended(&pool->supervisor, (uint32_t)(seat - pool->seats), end, brp_clock_now());
    if (pool->supervisor.broken && !was_broken)
        describe_death(pool, seat, exitcode);
    bool died = end != BRI_END_LEFT && end != BRI_END_RESTED;
    pool->stats.deaths += died;
    seat->fate = BRI_FATE_NONE;
    if (died)
        bri_log(BROOD_LOG_WARNING, "a pool's worker died: pid %lld, exit code %d",
                (long long)seat->pid, exitcode);
    bri_children_unwatch(seat->process);
    brood_process_destroy(seat->process);
    seat->process = NULL;
    seat->pid = 0;
    seat->number = 0;
}

static void see_to_ended(brood_pool *pool)
{
    for (uint32_t i = 0; i < pool->n_seats_ever && atomic_load(&pool->n_ended) > 0; i++) {
        bri_seat *seat = &pool->seats[i];
        if (seat->process != NULL && atomic_load(&seat->ended)) {
            atomic_fetch_sub(&pool->n_ended, 1);
            empty_seat(pool, seat);
        }
    }
}

static void break_pool(brood_pool *pool)
{
    if (pool->state == BRI_POOL_BROKEN || pool->state == BRI_POOL_TERMINATED)
        return;
    pool->state = BRI_POOL_BROKEN;
    bri_pool_kill_workers(pool);
    bri_requests_fail(pool, BROOD_EBROKEN);
}

static void attend(brood_pool *pool, bri_deadline *when, bool by_collector)
{
    uint32_t seat;
    bri_pool_hand_out(pool);
    do {
        if (atomic_load(&pool->n_ended) > 0)
            see_to_ended(pool);
        if (pool->supervisor.broken)
            break_pool(pool);
        *when = BRI_NEVER;
        if (pool->supervisor.n_resting > 0 && bri_tasks_has_ready(pool->table))
            bri_supervisor_wake(&pool->supervisor, UINT32_MAX);
        if (by_collector && pool->forks) /* which copies the threads of the program as they are */
            return;
    } while (bri_supervisor_next(&pool->supervisor, brp_clock_now(), &seat, when) &&
             (fill_seat(pool, seat, by_collector), true));
}

void bri_pool_attend(brood_pool *pool, bri_deadline *when)
{
    attend(pool, when, false);
}

void bri_pool_attend_as_collector(brood_pool *pool, bri_deadline *when)
{
    attend(pool, when, true);
}

bool bri_pool_kill_task(brood_pool *pool, uint32_t index, bri_fate fate)
{
    bri_worker_number number;
    if (!bri_tasks_take_away(pool->table, index, &number))
        return false;
    pool->tasks[index].fate = fate;
    bri_pool_kill_worker(pool, number, fate);
    return true;
}

void bri_pool_kill_worker(brood_pool *pool, bri_worker_number number, bri_fate fate)
{
    for (uint32_t i = 0; i < pool->n_seats_ever; i++) {
        bri_seat *seat = &pool->seats[i];
        if (seat->number != number)
            continue;
        seat->fate = fate;
        if (seat->process != NULL) /* else whoever is starting it does this */
            brood_process_kill(seat->process);
    }
}

brood_status bri_pool_start_workers(brood_pool *pool)
{
    brood_status status = BROOD_OK;
    bri_deadline when;
    uint32_t seat;
    brp_mutex_lock(pool->mutex);
    while (status == BROOD_OK &&
           bri_supervisor_next(&pool->supervisor, brp_clock_now(), &seat, &when))
        status = fill_seat(pool, seat, false);
    brp_mutex_unlock(pool->mutex);
    return status;
}

/* Tells those that are too many to leave. */
static void retire(brood_pool *pool)
{
    for (uint32_t i = 0; i < pool->n_seats_ever; i++)
        atomic_store(&record_of(pool, &pool->seats[i])->leave, i >= pool->n_seats);
    bri_tasks_ring(pool->table, INT32_MAX);
}

brood_status brood_pool_resize(brood_pool *pool, int workers)
{
    brood_status status;
    bri_deadline when;
    uint32_t seat;
    BROOD_TRY(bri_pool_check(pool, "resize a pool"));
    if (workers < 1 || (uint32_t)workers > pool->table->n_workers)
        return bri_fail(BROOD_EINVALID, "could not resize a pool to %d workers: 1 to %u can be",
                        workers, (unsigned)pool->table->n_workers);
    if (pool->forks && bri_collector_is_me(pool))
        return bri_fail(BROOD_ESTATE, "could not resize a pool: a callback of it cannot fork");
    brp_mutex_lock(pool->mutex);
    status = bri_pool_check_open(pool, "resize a pool");
    if (status == BROOD_OK) {
        pool->n_seats = (uint32_t)workers;
        if (pool->n_seats_ever < pool->n_seats)
            pool->n_seats_ever = pool->n_seats;
        bri_supervisor_resize(&pool->supervisor, pool->n_seats);
        retire(pool);
    }
    while (status == BROOD_OK &&
           bri_supervisor_next(&pool->supervisor, brp_clock_now(), &seat, &when))
        status = fill_seat(pool, seat, false);
    brp_mutex_unlock(pool->mutex);
    return status;
}

void bri_pool_kill_workers(brood_pool *pool)
{
    bri_supervisor_stop(&pool->supervisor);
    for (uint32_t i = 0; i < pool->n_seats_ever; i++)
        if (pool->seats[i].process != NULL)
            brood_process_kill(pool->seats[i].process);
    bri_pool_wake(pool);
}
