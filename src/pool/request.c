/* pool/request.c - slots, inboxes and waiting: what all requests of a pool share. */
#include "core/thread.h"
#include "pool/job.h"

#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "core/registry.h"
#include "data/pickle.h"
#include "ipc/lend.h"
#include "platform/clock.h"

/* A request with more than this many bytes of arguments on their way has only a few tasks in the
 * table: enough that each worker finds the next one. So the same few blocks of memory are used
 * again and again, and stay in caches; touching new ones costs more than copying. */
enum { MANY_BYTES = 4 << 20, FEW_TASKS = 2, LOOK_NS = 20000000 };

brood_status bri_pool_check_open(const brood_pool *pool, const char *what)
{
    switch (pool->state) {
    case BRI_POOL_OPEN:
        break;
    case BRI_POOL_CLOSED:
        return bri_fail(BROOD_ESTATE, "could not %s: the pool is closed", what);
    case BRI_POOL_BROKEN:
        return bri_fail(BROOD_EBROKEN, "could not %s: %s", what, pool->broken);
    case BRI_POOL_TERMINATED:
        return bri_fail(BROOD_ESTATE, "could not %s: the pool was terminated", what);
    }
    return BROOD_OK;
}

brood_status bri_request_begin(brood_pool *pool, bri_request *request, const char *what)
{
    BROOD_TRY(bri_pool_check_open(pool, what));
    pool->n_callers++;
    bri_collector_nudge(pool); /* it lets the caller lead */
    request->next = pool->requests;
    pool->requests = request;
    return BROOD_OK;
}

void bri_request_end(brood_pool *pool, bri_request *request)
{
    uint32_t index;
    while (bri_request_next_ended(pool, request, &index))
        bri_request_give_slot(pool, index);
    for (uint32_t i = 0; i < pool->table->n_slots && request->n_slots > 0; i++)
        if (pool->tasks[i].request == request) {
            if (bri_tasks_withdraw(pool->table, i)) {
                bri_request_give_slot(pool, i);
            } else {
                pool->tasks[i].request = NULL;
                request->n_slots--;
            }
        }
    bri_request **at = &pool->requests;
    while (*at != NULL && *at != request)
        at = &(*at)->next;
    if (*at != NULL)
        *at = request->next;
    pool->n_callers--;
    bri_collector_nudge(pool);
    bri_pool_wake(pool);
}

bool bri_request_is_full(const brood_pool *pool, const bri_request *request, uint32_t n_tasks)
{
    return request->n_bytes > MANY_BYTES && n_tasks >= FEW_TASKS * pool->n_seats;
}

bool bri_request_take_slot(brood_pool *pool, bri_request *request, uint32_t *index)
{
    if (pool->n_free == 0 || request->status != BROOD_OK ||
        bri_request_is_full(pool, request, request->n_slots))
        return false;
    *index = pool->free_slots[--pool->n_free];
    pool->tasks[*index] = (bri_task){.request = request};
    request->n_slots++;
    return true;
}

void bri_request_give_slot(brood_pool *pool, uint32_t index)
{
    bri_task_slot *slot = bri_tasks_slot(pool->table, index);
    bri_task *task = &pool->tasks[index];
    if (atomic_load_explicit(&slot->arguments, memory_order_relaxed) != 0)
        bri_arena_free(pool->arena, atomic_exchange(&slot->arguments, 0));
    if (atomic_load_explicit(&slot->result, memory_order_relaxed) != 0)
        bri_arena_free(pool->arena, atomic_exchange(&slot->result, 0));
    _Atomic uint64_t *holds = bri_tasks_holds(pool->table, index);
    if (atomic_load_explicit(holds, memory_order_relaxed) != 0)
        bri_shared_drop_holds(pool->arena, holds);
    if (atomic_load_explicit(bri_tasks_lent(pool->table, index), memory_order_relaxed) != 0)
        bri_tasks_return_lent(pool->table, index, task->is_read);
    bri_loan_end(task->loan);
    task->loan = 0;
    if (task->request != NULL) {
        task->request->n_slots--;
        task->request->n_bytes -= task->n_bytes;
        task->request = NULL;
    }
    pool->free_slots[pool->n_free++] = index;
}

bool bri_request_next_ended(brood_pool *pool, bri_request *request, uint32_t *index)
{
    if (request->first == 0)
        return false;
    *index = request->first - 1;
    request->first = pool->tasks[*index].next;
    if (request->first == 0)
        request->last = 0;
    return true;
}

void bri_requests_fail(brood_pool *pool, brood_status status)
{
    for (bri_request *request = pool->requests; request != NULL; request = request->next)
        if (request->status == BROOD_OK)
            request->status = status;
    bri_pool_wake(pool);
}

/* A task has ended: into the inbox of the one who waits for it. */
static void hand_out(brood_pool *pool, uint32_t index)
{
    bri_task *task = &pool->tasks[index];
    bri_request *request = task->request;
    if (request == NULL) {
        bri_request_give_slot(pool, index);
        return;
    }
    task->next = 0;
    if (request->last == 0)
        request->first = index + 1;
    else
        pool->tasks[request->last - 1].next = index + 1;
    request->last = index + 1;
}

static void tell_of_ended(brood_pool *pool)
{
    if (pool->n_followers > 0)
        brp_condition_broadcast(pool->changed);
    if (pool->collector.is_asleep && pool->collector.request.first != 0)
        brp_condition_signal(pool->collector.wake);
}

void bri_pool_hand_out(brood_pool *pool)
{
    uint32_t n;
    if (bri_tasks_collect(pool->table, pool->collected, &n) != BROOD_OK) {
        memcpy(pool->broken, brood_last_error()->message, strlen(brood_last_error()->message) + 1);
        pool->state = BRI_POOL_BROKEN;
        bri_pool_kill_workers(pool);
        bri_requests_fail(pool, BROOD_EBROKEN);
        return;
    }
    if (n == 0)
        return;
    bri_supervisor_progress(&pool->supervisor);
    pool->stats.tasks += n;
    for (uint32_t i = 0; i < n; i++)
        hand_out(pool, pool->collected[i]);
    tell_of_ended(pool);
}

bool bri_pool_hand_out_left(brood_pool *pool, const bri_seat *seat, int exitcode)
{
    bool had_task = false;
    bri_pool_hand_out(pool);
    for (uint32_t i = 0; i < pool->table->n_slots; i++) {
        bri_left left = bri_tasks_take_left(pool->table, seat->number, i);
        if (left == BRI_LEFT_NOTHING)
            continue;
        had_task = true;
        if (left == BRI_LEFT_LOST) {
            pool->tasks[i].lost = true;
            pool->tasks[i].deaths++;
            pool->tasks[i].exitcode = exitcode;
            pool->tasks[i].worker = seat->pid;
        }
        hand_out(pool, i);
    }
    if (had_task)
        tell_of_ended(pool);
    return had_task;
}

/* The leader's sleep. Results, deaths and nudges that come after the announcement end it. */
static brood_status sleep_as_leader(brood_pool *pool, bri_leader who, int64_t *slice,
                                    uint32_t wanted, bri_deadline deadline)
{
    pool->leader = who;
    uint32_t announced = bri_tasks_announce_wait(pool->table, pool->n_followers > 0 ? 1 : wanted);
    brp_mutex_unlock(pool->mutex);
    if (who == BRI_LEADER_COLLECTOR)
        bri_gate_leave();
    bri_park_end end = BRI_PARK_WOKEN;
    bri_parking parking = bri_parking_until(deadline);
    if (*slice != 0)
        parking.slice = *slice;
    if (atomic_load(&pool->n_ended) == 0)
        end = bri_tasks_wait_done(pool->table, &parking, announced);
    *slice = end == BRI_PARK_WOKEN ? 0 : parking.slice;
    if (who == BRI_LEADER_COLLECTOR)
        bri_gate_enter();
    brp_mutex_lock(pool->mutex);
    if (pool->leader == who) /* else a caller has taken over */
        pool->leader = BRI_LEADER_NONE;
    if (pool->n_followers > 0) /* one of them leads next, if this thread has what it wanted */
        brp_condition_broadcast(pool->changed);
    return end == BRI_PARK_TIMED_OUT ? BROOD_ETIMEDOUT : BROOD_OK;
}

brood_status bri_pool_sleep(brood_pool *pool, int64_t *slice, uint32_t wanted,
                            bri_deadline deadline)
{
    if (pool->leader != BRI_LEADER_CALLER)
        return sleep_as_leader(pool, BRI_LEADER_CALLER, slice,
                               pool->collector.request.n_slots > 0 ? 1 : wanted, deadline);
    pool->n_followers++;
    brood_status status = brp_condition_wait(pool->changed, pool->mutex, deadline);
    pool->n_followers--;
    return status;
}

void bri_pool_sleep_as_collector(brood_pool *pool, int64_t *slice, uint32_t wanted,
                                 bri_deadline deadline)
{
    if (pool->leader != BRI_LEADER_CALLER && pool->n_callers == 0) {
        (void)sleep_as_leader(pool, BRI_LEADER_COLLECTOR, slice, wanted, deadline);
        return;
    }
    /* Not for long: a caller may be busy with its own results, and leads nobody then. */
    bri_deadline soon = brp_clock_now() + LOOK_NS;
    pool->collector.is_asleep = true;
    bri_gate_leave();
    (void)brp_condition_wait(pool->collector.wake, pool->mutex, deadline < soon ? deadline : soon);
    brp_mutex_unlock(pool->mutex);
    bri_gate_enter();
    brp_mutex_lock(pool->mutex);
    pool->collector.is_asleep = false;
}

void bri_pool_wake(brood_pool *pool)
{
    brp_condition_broadcast(pool->changed);
    bri_collector_nudge(pool);
    bri_tasks_nudge(pool->table);
}

/* Writes the record of a function into the arena and links it, so that whoever sweeps finds it. */
static brood_status make_record(brood_pool *pool, brood_function function, uint64_t *record)
{
    brood_value reference;
    BROOD_TRY(bri_function_refer(function, &reference));
    bri_buffer bytes = {0};
    brood_status status = bri_pickle_write(&reference, NULL, &bytes);
    brood_value_clear(&reference);
    uint64_t block = 0;
    if (status == BROOD_OK)
        status = bri_arena_alloc(pool->arena, sizeof(bri_function_record) + bytes.length, &block);
    if (status == BROOD_OK) {
        bri_function_record *made = bri_arena_at(pool->arena, block);
        made->next = atomic_load(&pool->table->functions);
        made->size = bytes.length;
        memcpy(made->bytes, bytes.data, bytes.length);
        atomic_store(&pool->table->functions, block);
        *record = block;
    }
    bri_buffer_fini(&bytes);
    return status;
}

brood_status bri_pool_function(brood_pool *pool, brood_function function, uint64_t *record)
{
    for (size_t i = 0; i < pool->n_functions; i++)
        if (pool->functions[i].function == function) {
            *record = pool->functions[i].record;
            return BROOD_OK;
        }
    bri_function_known *more = bri_realloc(pool->functions, (pool->n_functions + 1) * sizeof *more);
    if (more == NULL)
        return BROOD_ENOMEM;
    pool->functions = more;
    BROOD_TRY(make_record(pool, function, record));
    more[pool->n_functions++] = (bri_function_known){.function = function, .record = *record};
    return BROOD_OK;
}
