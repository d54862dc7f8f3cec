/* pool/pool.c - the pool's life: create, close, join, terminate, destroy. */
#include "core/thread.h"
#include "pool/interrupt.h"
#include "pool/job.h"

#include <string.h>

#include "base/memory.h"
#include "core/registry.h"
#include "ipc/lend.h"
#include "platform/clock.h"
#include "pool/worker.h"
#include "proc/children.h"

enum {
    CLASS_KIND = 30,     /* among the kinds of shared objects */
    DESTROY_TIME = 10000 /* ms to wait for killed workers: the system may be slow to end them */
};

/* All pools of this process. */
struct bri_pools {
    brp_mutex *list; /* taken before any pool's mutex */
    brood_pool *first;
    uint64_t last_id;
};

static struct bri_pools all_pools; /* what the runtime points at */

/* ---- the shared part ---- */

/* What hangs on the table. A sweeper that is killed in here leaves it to the next one. */
static void destroy_table(bri_arena *arena, void *body)
{
    bri_task_table *table = body;
    for (uint32_t i = 0; i < table->n_slots; i++) {
        bri_task_slot *slot = bri_tasks_slot(table, i);
        bri_arena_free(arena, atomic_exchange(&slot->arguments, 0));
        bri_arena_free(arena, atomic_exchange(&slot->result, 0));
        bri_shared_drop_holds(arena, bri_tasks_holds(table, i));
    }
    uint64_t record;
    while ((record = atomic_load(&table->functions)) != 0) {
        atomic_store(&table->functions, ((bri_function_record *)bri_arena_at(arena, record))->next);
        bri_arena_free(arena, record);
    }
}

static brood_status reduce_pool(void *object, bri_transfer *transfer, brood_value *arguments)
{
    (void)object, (void)transfer, (void)arguments;
    return bri_fail(BROOD_ENOTSUP, "could not send a pool: it belongs to the process that made it");
}

static brood_status rebuild_pool(const brood_value *arguments, bri_transfer *transfer,
                                 void **object)
{
    (void)arguments, (void)transfer, (void)object;
    return bri_fail(BROOD_ENOTSUP, "could not receive a pool: pools do not travel");
}

const bri_shared_class bri_pool_class = {
    .type = {.name = "Pool",
             .retain = bri_shared_retain,
             .release = bri_shared_release,
             .reduce = reduce_pool,
             .rebuild = rebuild_pool},
    .kind = CLASS_KIND,
    .local_size = sizeof(bri_shared),
    .destroy = destroy_table,
};

static brood_status fill_table(bri_arena *arena, void *body, const void *context)
{
    (void)arena;
    bri_tasks_init(body, *(const uint32_t *)context);
    return BROOD_OK;
}

/* ---- the list, fork, exit ---- */

/* A forked child has none of these pools: their workers are its parent's. */
static void disown_pools(void)
{
    all_pools.list = brp_mutex_renew(all_pools.list); /* another thread may have held it */
    for (brood_pool *pool = bri_the_runtime.pools->first; pool != NULL; pool = pool->next) {
        pool->inherited = true;
        bri_shared_release(pool->shared);
        pool->shared = NULL;
        pool->table = NULL;
        bri_thread_forget(pool->collector.thread);
        pool->collector.thread = NULL;
    }
}

/* Pools that the program forgot: else its end would wait for their workers for ever. */
static void end_pools(void)
{
    brp_mutex_lock(all_pools.list);
    brood_pool *pool = all_pools.first;
    brp_mutex_unlock(all_pools.list);
    for (; pool != NULL; pool = pool->next)
        if (!pool->inherited && brood_pool_terminate(pool) == BROOD_OK)
            brood_pool_join(pool, DESTROY_TIME);
}

static const bri_hooks hooks = {
    .name = "pool", .before_exit = end_pools, .after_fork_child = disown_pools};

static void list_pool(brood_pool *pool)
{
    brp_mutex_lock(all_pools.list);
    pool->id = ++all_pools.last_id;
    pool->next = all_pools.first;
    all_pools.first = pool;
    brp_mutex_unlock(all_pools.list);
}

static void unlist_pool(const brood_pool *pool)
{
    brp_mutex_lock(all_pools.list);
    for (brood_pool **at = &all_pools.first; *at != NULL; at = &(*at)->next)
        if (*at == pool) {
            *at = pool->next;
            break;
        }
    brp_mutex_unlock(all_pools.list);
}

/* A pool that is interrupted: its callers get BROOD_ECANCELLED, as if it were terminated, but what
 * its workers have in hand they finish. */
static void drain_pool(brood_pool *pool)
{
    brood_pool_close(pool);
    brp_mutex_lock(pool->mutex);
    bri_jobs_cancel_queued(pool);
    bri_requests_fail(pool, BROOD_ECANCELLED);
    brp_mutex_unlock(pool->mutex);
}

void bri_pools_interrupt(bool kill)
{
    brp_mutex_lock(all_pools.list);
    for (brood_pool *pool = all_pools.first; pool != NULL; pool = pool->next)
        if (pool->inherited)
            continue;
        else if (kill)
            (void)brood_pool_terminate(pool);
        else
            drain_pool(pool);
    brp_mutex_unlock(all_pools.list);
}

brood_status bri_pool_start(void)
{
    bri_the_runtime.pools = &all_pools;
    BROOD_TRY(bri_hub_start());
    if (all_pools.list == NULL)
        BROOD_TRY(brp_mutex_create(&all_pools.list));
    BROOD_TRY(bri_shared_class_add(&bri_pool_class));
    return bri_function_register(BRI_POOL_WORKER, bri_pool_worker);
}

brood_status bri_pool_check(brood_pool *pool, const char *what)
{
    if (pool == NULL)
        return bri_fail(BROOD_EINVALID, "could not %s: the pool is NULL", what);
    if (pool->inherited)
        return bri_fail(BROOD_ESTATE,
                        "could not %s: the pool belongs to the process that this one was forked "
                        "from; a worker that needs a pool has to make its own",
                        what);
    return BROOD_OK;
}

/* ---- create and destroy ---- */

static brood_status check_options(const brood_pool_options *options)
{
    brood_kind kind = brood_value_kind(&options->initargs);
    BROOD_TRY(bri_value_check(&options->initargs));
    if (options->workers < 0 || options->workers > BRI_MAX_WORKERS)
        return bri_fail(BROOD_EINVALID, "could not make a pool of %d workers: %d is the most",
                        options->workers, BRI_MAX_WORKERS);
    if (options->max_workers < 0 || options->max_workers > BRI_MAX_WORKERS)
        return bri_fail(BROOD_EINVALID, "could not make a pool for %d workers: %d is the most",
                        options->max_workers, BRI_MAX_WORKERS);
    if (options->max_tasks_per_worker < 0 || options->max_growth < 0 || options->max_age < 0 ||
        options->max_idle < 0 || options->memory_limit < 0)
        return bri_fail(BROOD_EINVALID,
                        "could not make a pool: a limit of its workers is negative");
    if (options->restart_window < 0)
        return bri_fail(BROOD_EINVALID, "could not make a pool: its restart window is negative");
    if (options->max_restarts > BRI_RESTARTS_MOST)
        return bri_fail(BROOD_EINVALID, "could not make a pool with %d restarts: %d is the most",
                        options->max_restarts, BRI_RESTARTS_MOST);
    if (kind != BROOD_INVALID && kind != BROOD_TUPLE && kind != BROOD_LIST)
        return bri_fail(BROOD_ETYPE,
                        "could not make a pool: initargs are of type %s, not a tuple or a list",
                        brood_kind_name(kind));
    return BROOD_OK;
}

/* The initializer as the workers get it. Takes initargs over. */
static brood_status set_initializer(brood_pool *pool, brood_pool_options *options)
{
    pool->initializer = brood_none();
    pool->initargs = options->initargs;
    options->initargs = (brood_value){0};
    if (brood_value_kind(&pool->initargs) == BROOD_INVALID)
        pool->initargs = brood_tuple(0);
    if (options->initializer == NULL)
        return BROOD_OK;
    return bri_function_refer(options->initializer, &pool->initializer);
}

static brood_status make_local_part(brood_pool *pool)
{
    uint32_t n = pool->table->n_slots;
    BROOD_TRY(brp_mutex_create(&pool->mutex));
    BROOD_TRY(brp_condition_create(&pool->changed));
    pool->free_slots = bri_calloc(n, sizeof *pool->free_slots);
    pool->collected = bri_calloc(n, sizeof *pool->collected);
    pool->tasks = bri_calloc(n, sizeof *pool->tasks);
    pool->n_slots = n;
    pool->seats = bri_calloc(pool->table->n_workers, sizeof *pool->seats);
    if (pool->free_slots == NULL || pool->collected == NULL || pool->tasks == NULL ||
        pool->seats == NULL)
        return BROOD_ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        pool->free_slots[pool->n_free++] = n - 1 - i;
    for (uint32_t i = 0; i < pool->table->n_workers; i++)
        pool->seats[i].pool = pool;
    return BROOD_OK;
}

static uint32_t room_for(const brood_pool *pool, const brood_pool_options *options)
{
    enum { USUAL_ROOM = 64 };
    uint32_t room = options->max_workers == 0 ? USUAL_ROOM : (uint32_t)options->max_workers;
    return room < pool->n_seats ? pool->n_seats : room;
}

static int64_t nanoseconds(brood_ms time)
{
    return time == 0 ? 0 : bri_deadline_after(0, time);
}

static void set_limits(bri_worker_limits *limits, const brood_pool_options *options)
{
    limits->tasks = (uint64_t)options->max_tasks_per_worker;
    limits->growth = (uint64_t)options->max_growth;
    limits->age = nanoseconds(options->max_age);
    limits->idle = nanoseconds(options->max_idle);
    limits->memory = (uint64_t)options->memory_limit;
    limits->is_bound = options->bind_cpus;
}

static brood_status make_pool(brood_pool *pool, brood_pool_options *options)
{
    pool->method = options->method;
    pool->n_seats = (uint32_t)(options->workers == 0 ? brood_cpu_count() : options->workers);
    if (pool->n_seats > BRI_MAX_WORKERS)
        pool->n_seats = BRI_MAX_WORKERS;
    pool->n_seats_ever = pool->n_seats;
    pool->forks =
        (options->method != BROOD_START_DEFAULT ? options->method : brood_get_start_method()) ==
        BROOD_START_FORK;
    BROOD_TRY(bri_hub_use());
    BROOD_TRY(bri_runtime_hook(&hooks));
    BROOD_TRY(set_initializer(pool, options));
    BROOD_TRY(bri_arena_get(&pool->arena));
    uint32_t room = room_for(pool, options);
    BROOD_TRY(bri_shared_create(&bri_pool_class, bri_tasks_size(room), "make a pool", fill_table,
                                &room, &pool->shared));
    pool->table = pool->shared->body;
    set_limits(&pool->table->limits, options);
    BROOD_TRY(bri_supervisor_init(&pool->supervisor, room, options->max_restarts,
                                  options->restart_window));
    bri_supervisor_resize(&pool->supervisor, pool->n_seats);
    return make_local_part(pool);
}

/* Frees a pool without workers, half-made ones and inherited ones too. */
static void free_pool(brood_pool *pool)
{
    bri_shared_release(pool->shared);
    bri_supervisor_fini(&pool->supervisor);
    if (!pool->inherited) { /* their state is that of a thread which does not exist here */
        brp_condition_destroy(pool->collector.wake);
        brp_mutex_destroy(pool->mutex);
        brp_condition_destroy(pool->changed);
    }
    brood_value_clear(&pool->initializer);
    brood_value_clear(&pool->initargs);
    for (uint32_t i = 0; pool->tasks != NULL && i < pool->n_slots; i++)
        bri_loan_end(pool->tasks[i].loan);
    bri_free(pool->free_slots);
    bri_free(pool->collected);
    bri_free(pool->tasks);
    bri_free(pool->functions);
    bri_free(pool->seats);
    bri_free(pool);
}

brood_status brood_pool_create(brood_pool **pool, const brood_pool_options *options)
{
    brood_pool_options chosen = {0};
    if (options != NULL)
        chosen = *options;
    brood_pool *made = NULL;
    brood_status status = bri_runtime_check("make a pool");
    if (status == BROOD_OK && pool == NULL)
        status = bri_fail(BROOD_EINVALID, "could not make a pool: where it goes is NULL");
    if (status == BROOD_OK)
        status = check_options(&chosen);
    if (status == BROOD_OK && (made = bri_calloc(1, sizeof *made)) == NULL)
        status = BROOD_ENOMEM;
    if (status == BROOD_OK)
        status = make_pool(made, &chosen);
    brood_value_clear(&chosen.initargs);
    if (status != BROOD_OK) {
        if (made != NULL)
            free_pool(made);
        return status;
    }
    list_pool(made);
    status = bri_pool_start_workers(made);
    if (status != BROOD_OK) {
        bri_saved_error saved;
        bri_error_save(&saved);
        brood_pool_destroy(made);
        bri_error_restore(&saved);
        return status;
    }
    *pool = made;
    return BROOD_OK;
}

void brood_pool_destroy(brood_pool *pool)
{
    if (pool == NULL)
        return;
    unlist_pool(pool);
    if (!pool->inherited) {
        bri_saved_error saved;
        bri_error_save(&saved);
        brood_pool_terminate(pool);
        brood_pool_join(pool, DESTROY_TIME);
        bri_collector_stop(pool);
        bri_error_restore(&saved);
        for (uint32_t i = 0; i < pool->n_seats_ever; i++)
            if (pool->seats[i].process != NULL) { /* killed, but the system has not ended it yet */
                bri_children_unwatch(pool->seats[i].process);
                brood_process_destroy(pool->seats[i].process);
            }
    }
    free_pool(pool);
}

/* ---- close, terminate, join ---- */

/* A closed pool with nothing to do lets its workers go. Under the mutex. */
static void end_if_done(brood_pool *pool)
{
    if (pool->state == BRI_POOL_CLOSED && bri_pool_is_idle(pool) && !pool->is_ending) {
        pool->is_ending = true;
        bri_supervisor_stop(&pool->supervisor);
        bri_tasks_end(pool->table);
    }
}

brood_status brood_pool_close(brood_pool *pool)
{
    BROOD_TRY(bri_pool_check(pool, "close a pool"));
    brp_mutex_lock(pool->mutex);
    if (pool->state == BRI_POOL_OPEN)
        pool->state = BRI_POOL_CLOSED;
    end_if_done(pool);
    brp_mutex_unlock(pool->mutex);
    return BROOD_OK;
}

brood_status brood_pool_terminate(brood_pool *pool)
{
    BROOD_TRY(bri_pool_check(pool, "terminate a pool"));
    brp_mutex_lock(pool->mutex);
    pool->state = BRI_POOL_TERMINATED;
    bri_pool_kill_workers(pool);
    bri_requests_fail(pool, BROOD_ECANCELLED);
    brp_mutex_unlock(pool->mutex);
    return BROOD_OK;
}

brood_status brood_pool_join(brood_pool *pool, brood_ms timeout)
{
    BROOD_TRY(bri_pool_check(pool, "join a pool"));
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), timeout);
    brood_status status = BROOD_OK;
    int64_t slice = 0;
    if (bri_collector_is_me(pool))
        return bri_fail(BROOD_ESTATE, "could not join a pool: a callback of it cannot wait for it");
    brp_mutex_lock(pool->mutex);
    if (pool->state == BRI_POOL_OPEN)
        status = bri_fail(BROOD_ESTATE, "could not join a pool: it is neither closed nor "
                                        "terminated");
    while (status == BROOD_OK) {
        bri_deadline when;
        end_if_done(pool);
        bri_pool_attend(pool, &when);
        if (bri_pool_n_workers(pool) == 0 && bri_pool_is_idle(pool))
            break;
        end_if_done(pool);
        status = bri_pool_sleep(pool, &slice, 1, when < deadline ? when : deadline);
        if (status == BROOD_ETIMEDOUT && brp_clock_now() < deadline)
            status = BROOD_OK;
    }
    brp_mutex_unlock(pool->mutex);
    return status;
}

brood_status brood_pool_pids(brood_pool *pool, int64_t *pids, size_t room, size_t *n)
{
    BROOD_TRY(bri_pool_check(pool, "list a pool's workers"));
    if (n == NULL || (pids == NULL && room != 0))
        return bri_fail(BROOD_EINVALID, "could not list a pool's workers: where they go is NULL");
    bri_deadline when;
    size_t count = 0;
    brp_mutex_lock(pool->mutex);
    if (!pool->forks || !bri_collector_is_me(pool))
        bri_pool_attend(pool, &when);
    for (uint32_t i = 0; i < pool->n_seats_ever; i++)
        if (pool->seats[i].process != NULL) {
            if (count < room)
                pids[count] = pool->seats[i].pid;
            count++;
        }
    brp_mutex_unlock(pool->mutex);
    *n = count;
    return BROOD_OK;
}
