/* brood-test: start-methods */
/* A pool's life: options, close, join, terminate, destroy, forgotten pools, dead parents. */
#include "pools.h"

#include <stdatomic.h>

#include "core/thread.h"
#include "ipc/proctable.h"
#include "platform/child.h"
#include "platform/lock.h"
#include "pool/pool.h"

static void use_pool(brood_pool *pool)
{
    brood_value results;
    bt_ok(brood_pool_map(pool, get_pid, numbers(20), NULL, &results));
    assert_int_equal(brood_value_length(&results), 20);
    brood_value_clear(&results);
}

static void test_a_pool_closes_and_its_workers_end(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(3);
    int64_t pids[3];
    size_t n;
    brood_value results;
    use_pool(pool);
    bt_fails(brood_pool_join(pool, 0), BROOD_ESTATE);
    bt_message_has("could not join a pool: it is neither closed nor terminated");
    bt_ok(brood_pool_pids(pool, pids, 3, &n));
    assert_int_equal(n, 3);
    bt_ok(brood_pool_close(pool));
    bt_ok(brood_pool_close(pool));
    bt_fails(brood_pool_map(pool, get_pid, numbers(1), NULL, &results), BROOD_ESTATE);
    bt_message_has("could not map: the pool is closed");
    bt_ok(brood_pool_join(pool, HANG));
    bt_ok(brood_pool_join(pool, 0));
    for (size_t i = 0; i < 3; i++)
        assert_true(bt_is_gone(pids[i], HANG));
    bt_ok(brood_pool_pids(pool, pids, 3, &n));
    assert_int_equal(n, 0);
    brood_pool_destroy(pool);
}

static void test_a_pool_can_be_destroyed_in_any_state(void **state)
{
    (void)state;
    brood_pool_destroy(NULL);
    brood_pool_destroy(make_pool(2));
    brood_pool *pool = make_pool(2);
    use_pool(pool);
    brood_pool_destroy(pool);
    pool = make_pool(2);
    bt_ok(brood_pool_close(pool));
    brood_pool_destroy(pool);
    pool = make_pool(2);
    bt_ok(brood_pool_terminate(pool));
    bt_ok(brood_pool_terminate(pool));
    brood_pool_destroy(pool);
}

static void test_the_default_is_a_worker_for_each_cpu(void **state)
{
    (void)state;
    brood_pool *pool;
    size_t n;
    bt_ok(brood_pool_create(&pool, NULL));
    bt_ok(brood_pool_pids(pool, NULL, 0, &n));
    assert_int_equal(n, brood_cpu_count());
    brood_pool_destroy(pool);
}

static void test_impossible_options_are_refused(void **state)
{
    (void)state;
    brood_pool *pool = NULL;
    bt_fails(brood_pool_create(&pool, &(brood_pool_options){.workers = -1}), BROOD_EINVALID);
    bt_fails(brood_pool_create(&pool, &(brood_pool_options){.workers = 100000}), BROOD_EINVALID);
    bt_message_has("could not make a pool of 100000 workers");
    bt_fails(brood_pool_create(&pool, &(brood_pool_options){.max_restarts = 100000}),
             BROOD_EINVALID);
    bt_fails(brood_pool_create(&pool, &(brood_pool_options){.restart_window = -1}), BROOD_EINVALID);
    bt_fails(brood_pool_create(&pool, &(brood_pool_options){.max_age = -1}), BROOD_EINVALID);
    bt_fails(brood_pool_create(&pool, &(brood_pool_options){.initargs = brood_int(1)}),
             BROOD_ETYPE);
    bt_fails(brood_pool_create(&pool, &(brood_pool_options){.method = (brood_start_method)77}),
             BROOD_EINVALID);
    assert_null(pool);
}

/* ---- the initializer ---- */

static int64_t given; /* by the initializer, in the worker */

static brood_status take_number(brood_call *call)
{
    return brood_call_args(call, "l", &given);
}

static brood_status add_given(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "l", &n));
    return brood_call_return(call, brood_int(n + given));
}

static void test_the_initializer_runs_first_in_each_worker(void **state)
{
    (void)state;
    brood_pool *pool;
    brood_value results;
    bt_ok(brood_pool_create(&pool,
                            &(brood_pool_options){.workers = 2,
                                                  .initializer = take_number,
                                                  .initargs = brood_pack("[l]", INT64_C(1000))}));
    bt_ok(brood_pool_map(pool, add_given, numbers(50), &(brood_map_options){.chunksize = 1},
                         &results));
    for (size_t i = 0; i < 50; i++) {
        int64_t got;
        bt_ok(brood_get_int(brood_item(&results, i), &got));
        assert_int_equal(got, 1000 + i);
    }
    assert_int_equal(given, 0);
    brood_value_clear(&results);
    brood_pool_destroy(pool);
}

/* ---- terminate and close while a map runs ---- */

/* Tells that it runs, then waits for what never comes, or for a word. */
static brood_status hang(brood_call *call)
{
    const brood_value *first, *second;
    brood_queue *told, *awaited;
    brood_value got;
    BROOD_TRY(brood_call_args(call, "(vv)", &first, &second));
    BROOD_TRY(brood_get_queue(first, &told));
    BROOD_TRY(brood_get_queue(second, &awaited));
    BROOD_TRY(brood_queue_put(told, brood_int(brp_pid()), HANG));
    BROOD_TRY(brood_queue_get(awaited, &got, BROOD_FOREVER));
    brood_value_clear(&got);
    return BROOD_OK;
}

typedef struct mapper {
    brood_pool *pool;
    brood_queue *told, *awaited;
    bri_thread *thread;
    size_t n;
    atomic_int status;
} mapper;

static void map_hang(void *context)
{
    mapper *self = context;
    brood_value items = brood_list(), results;
    for (size_t i = 0; i < self->n; i++)
        brood_append(&items, brood_pack("(vv)", brood_queue_value(self->told),
                                        brood_queue_value(self->awaited)));
    brood_map_options options = {.chunksize = 1};
    brood_status status = brood_pool_map(self->pool, hang, items, &options, &results);
    if (status == BROOD_OK)
        brood_value_clear(&results);
    atomic_store(&self->status, (int)status);
}

static void start_hanging(mapper *self, brood_pool *pool, size_t n)
{
    *self = (mapper){.pool = pool, .n = n, .status = -1};
    bt_ok(brood_queue_create(&self->told, NULL));
    bt_ok(brood_queue_create(&self->awaited, NULL));
    bt_ok(bri_thread_start(&self->thread, map_hang, self));
}

static int64_t await_pid(mapper *self)
{
    brood_value told;
    int64_t pid;
    bt_ok(brood_queue_get(self->told, &told, HANG));
    bt_ok(brood_get_int(&told, &pid));
    return pid;
}

static int end_hanging(mapper *self)
{
    bri_thread_join(self->thread);
    brood_queue_destroy(self->told);
    brood_queue_destroy(self->awaited);
    return atomic_load(&self->status);
}

static void test_terminate_cancels_the_maps_that_run(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    mapper first, second;
    brood_value results;
    start_hanging(&first, pool, 1);
    int64_t pid = await_pid(&first); /* before the second, which would take both workers */
    start_hanging(&second, pool, 3000);
    await_pid(&second);
    bt_ok(brood_pool_terminate(pool));
    assert_int_equal(end_hanging(&first), BROOD_ECANCELLED);
    assert_int_equal(end_hanging(&second), BROOD_ECANCELLED);
    bt_ok(brood_pool_join(pool, HANG));
    assert_true(bt_is_gone(pid, HANG));
    bt_fails(brood_pool_map(pool, get_pid, numbers(1), NULL, &results), BROOD_ESTATE);
    brood_pool_destroy(pool);
}

static void test_a_closed_pool_ends_the_maps_that_run(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    mapper map;
    start_hanging(&map, pool, 10);
    await_pid(&map);
    bt_ok(brood_pool_close(pool));
    bt_fails(brood_pool_join(pool, 50), BROOD_ETIMEDOUT);
    for (int i = 0; i < 10; i++)
        bt_ok(brood_queue_put(map.awaited, brood_none(), HANG));
    bt_ok(brood_pool_join(pool, HANG));
    assert_int_equal(end_hanging(&map), BROOD_OK);
    brood_pool_destroy(pool);
}

static void test_a_worker_that_dies_after_close_is_replaced(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    mapper map;
    start_hanging(&map, pool, 3);
    int64_t pid = await_pid(&map);
    bt_ok(brood_pool_close(pool));
    brp_child victim;
    brp_child_init(&victim);
    bt_ok(brp_child_adopt(&victim, pid));
    bt_ok(brp_child_signal(&victim, BRP_KILL));
    brp_child_close(&victim);
    for (int i = 0; i < 2; i++)
        bt_ok(brood_queue_put(map.awaited, brood_none(), HANG));
    bt_ok(brood_pool_join(pool, HANG));
    assert_int_equal(end_hanging(&map), BROOD_EWORKERDIED);
    brood_pool_destroy(pool);
}

/* ---- who ends with whom ---- */

/* Starts a child that waits for ever and tells its pid. */
static brood_status wait_for_ever(brood_call *call)
{
    (void)call;
    brood_sleep(3600 * 1000);
    return BROOD_OK;
}

static brood_status start_grandchild(brood_call *call)
{
    brood_process *process;
    BROOD_TRY(brood_process_create(&process, wait_for_ever, (brood_value){0},
                                   &(brood_process_options){.daemon = BROOD_DAEMON_NO}));
    BROOD_TRY(brood_process_start(process));
    int64_t pid = brood_process_pid(process);
    brood_process_destroy(process);
    return brood_call_return(call, brood_int(pid));
}

static void test_destroy_ends_what_tasks_have_started(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value results;
    int64_t pid;
    bt_ok(brood_pool_map(pool, start_grandchild, numbers(1), NULL, &results));
    bt_ok(brood_get_int(brood_item(&results, 0), &pid));
    brood_value_clear(&results);
    brood_pool_destroy(pool);
    assert_true(bt_is_gone(pid, HANG));
}

/* Makes a pool, tells its workers' pids, and then does as it is told. */
static brood_status own_a_pool(brood_call *call)
{
    const brood_value *item;
    brood_queue *told;
    bool hangs;
    BROOD_TRY(brood_call_args(call, "vb", &item, &hangs));
    BROOD_TRY(brood_get_queue(item, &told));
    brood_pool *pool;
    BROOD_TRY(brood_pool_create(&pool, &(brood_pool_options){.workers = 2}));
    int64_t pids[2] = {0};
    size_t n;
    BROOD_TRY(brood_pool_pids(pool, pids, 2, &n));
    for (int i = 0; i < 2; i++)
        BROOD_TRY(brood_queue_put(told, brood_int(pids[i]), HANG));
    if (hangs)
        return wait_for_ever(call);
    return BROOD_OK;
}

static brood_process *start_owner(brood_queue *told, bool hangs, int64_t pids[2])
{
    brood_process *owner =
        bt_process(own_a_pool, brood_pack("(vb)", brood_queue_value(told), hangs));
    for (int i = 0; i < 2; i++) {
        brood_value got;
        bt_ok(brood_queue_get(told, &got, HANG));
        bt_ok(brood_get_int(&got, &pids[i]));
    }
    return owner;
}

static void test_a_forgotten_pool_ends_with_its_process(void **state)
{
    (void)state;
    brood_queue *told;
    int64_t pids[2];
    bt_ok(brood_queue_create(&told, NULL));
    brood_process *owner = start_owner(told, false, pids);
    assert_int_equal(bt_join(owner), 0);
    assert_true(bt_is_gone(pids[0], HANG));
    assert_true(bt_is_gone(pids[1], HANG));
    brood_queue_destroy(told);
}

static uint64_t bytes_in_use(void)
{
    bri_arena *arena;
    bri_arena_use use;
    bt_ok(bri_arena_get(&arena));
    bri_arena_count(arena, &use);
    return use.cut - use.idle;
}

static void kill_owner(void)
{
    brood_queue *told;
    int64_t pids[2];
    bt_ok(brood_queue_create(&told, NULL));
    brood_process *owner = start_owner(told, true, pids);
    brp_child victim; /* the process alone, not its tree */
    brp_child_init(&victim);
    bt_ok(brp_child_adopt(&victim, brood_process_pid(owner)));
    bt_ok(brp_child_signal(&victim, BRP_KILL));
    brp_child_close(&victim);
    assert_int_equal(bt_join(owner), -9);
    assert_true(bt_is_gone(pids[0], 2000));
    assert_true(bt_is_gone(pids[1], 2000));
    brood_queue_destroy(told);
}

static bool is_as_much_in_use(void *context)
{
    bri_proctable_look(); /* the workers' deaths have to be seen by somebody */
    return bytes_in_use() <= *(uint64_t *)context;
}

static void test_the_workers_of_a_killed_parent_are_gone_and_leave_no_memory(void **state)
{
    (void)state;
    kill_owner(); /* now the arena has all that it needs */
    uint64_t before = bytes_in_use();
    for (int i = 0; i < 4; i++)
        kill_owner();
    assert_true(bt_await(is_as_much_in_use, &before, 5000));
}

/* ---- a pool in its own worker ---- */

static brood_pool *inherited; /* what a forked worker finds */

static brood_status use_inherited(brood_call *call)
{
    brood_value results;
    size_t n;
    bt_check(call, inherited != NULL);
    brood_status status = brood_pool_map(inherited, get_pid, brood_pack("[i]", 1), NULL, &results);
    bt_check(call, status == BROOD_ESTATE);
    bt_check(call, strstr(brood_last_error()->message, "forked") != NULL);
    bt_check(call, brood_pool_pids(inherited, NULL, 0, &n) == BROOD_ESTATE);
    bt_check(call, brood_pool_close(inherited) == BROOD_ESTATE);
    bt_check(call, brood_pool_join(inherited, 0) == BROOD_ESTATE);
    bt_check(call, brood_pool_terminate(inherited) == BROOD_ESTATE);
    brood_pool_destroy(inherited);
    return BROOD_OK;
}

static void test_a_pool_is_refused_in_its_own_forked_worker(void **state)
{
    (void)state;
    if (!bt_method_is(BROOD_START_FORK))
        bt_skip("only a forked worker has its parent's pointers");
    brood_value results;
    inherited = make_pool(1);
    /* The first worker was forked before the pointer was set: another one is. */
    brood_pool *pool = make_pool(1);
    bt_ok(brood_pool_map(pool, use_inherited, numbers(1), NULL, &results));
    brood_value_clear(&results);
    brood_pool_destroy(pool);
    use_pool(inherited);
    brood_pool_destroy(inherited);
    inherited = NULL;
}

static brood_future *inherited_future;
static brood_executor *inherited_executor; /* of threads; NULL: the future is the pool's */
static brood_event *go_on;

static brood_status await_go_on(brood_call *call)
{
    (void)call;
    return brood_event_wait(go_on, HANG);
}

static brood_status use_inherited_future(brood_call *call)
{
    brood_completed *completed;
    brood_future *next;
    bt_check(call, brood_future_wait(inherited_future, 0) == BROOD_ETIMEDOUT);
    bt_check(call, brood_future_wait(inherited_future, BROOD_FOREVER) == BROOD_ESTATE);
    bt_check(call, !brood_future_is_running(inherited_future));
    bt_check(call, brood_future_cancel(inherited_future, BROOD_CANCEL_ASK, NULL) == BROOD_ESTATE);
    BROOD_TRY(brood_as_completed(&completed, &inherited_future, 1));
    bt_check(call, brood_completed_next(completed, &next, 0) == BROOD_ETIMEDOUT);
    bt_check(call, brood_completed_next(completed, &next, BROOD_FOREVER) == BROOD_ESTATE);
    brood_completed_destroy(completed);
    brood_future_destroy(inherited_future);
    if (inherited_executor == NULL)
        return BROOD_OK;
    bt_check(call, brood_executor_submit(inherited_executor, get_pid, (brood_value){0}, NULL,
                                         NULL) == BROOD_ESTATE);
    bt_check(call,
             brood_executor_shutdown(inherited_executor,
                                     BROOD_SHUTDOWN_WAIT | BROOD_SHUTDOWN_CANCEL) == BROOD_ESTATE);
    brood_executor_destroy(inherited_executor);
    return BROOD_OK;
}

static void test_futures_of_a_parent_are_refused_in_its_forked_child(void **state)
{
    (void)state;
    if (!bt_method_is(BROOD_START_FORK))
        bt_skip("only a forked child has its parent's pointers");
    bt_ok(brood_event_create(&go_on));
    brood_pool *pool = make_pool(1);
    bt_ok(brood_pool_apply_async(pool, await_go_on, (brood_value){0}, NULL, &inherited_future));
    assert_int_equal(bt_join(bt_process(use_inherited_future, (brood_value){0})), 0);
    bt_ok(brood_event_set(go_on));
    bt_ok(brood_future_wait(inherited_future, HANG));
    brood_future_destroy(inherited_future);
    brood_pool_destroy(pool);
    bt_ok(brood_event_clear(go_on));
    bt_ok(brood_executor_create(&inherited_executor,
                                &(brood_executor_options){.engine = "threads", .workers = 1}));
    bt_ok(brood_executor_submit(inherited_executor, await_go_on, (brood_value){0}, NULL,
                                &inherited_future));
    assert_int_equal(bt_join(bt_process(use_inherited_future, (brood_value){0})), 0);
    bt_ok(brood_event_set(go_on));
    bt_ok(brood_future_wait(inherited_future, HANG));
    brood_future_destroy(inherited_future);
    brood_executor_destroy(inherited_executor);
    inherited_executor = NULL;
    brood_event_destroy(go_on);
}

static brood_imap *inherited_results;

static brood_status use_inherited_results(brood_call *call)
{
    brood_value value;
    bt_check(call, brood_imap_next(inherited_results, &value, 0) == BROOD_OK); /* it had come */
    bt_check(call, brood_imap_next(inherited_results, &value, HANG) == BROOD_ESTATE);
    brood_imap_destroy(inherited_results);
    return BROOD_OK;
}

static void note_progress(void *context, size_t done, size_t total)
{
    (void)total;
    atomic_store((atomic_size_t *)context, done);
}

static bool has_progressed(void *context)
{
    return atomic_load((atomic_size_t *)context) > 0;
}

/* The window is full: the collector has looked for room since the first result came. */
static bool is_collector_asleep(void *context)
{
    brood_pool *pool = context;
    brp_mutex_lock(pool->mutex);
    bool is_asleep = pool->leader == BRI_LEADER_COLLECTOR;
    brp_mutex_unlock(pool->mutex);
    return is_asleep;
}

static void test_a_forked_child_gets_the_results_that_have_come(void **state)
{
    (void)state;
    if (!bt_method_is(BROOD_START_FORK))
        bt_skip("only a forked child has its parent's pointers");
    brood_pool *pool = make_pool(1);
    atomic_size_t done = 0;
    brood_map_options options = {
        .chunksize = 1, .window = 1, .progress = note_progress, .context = &done};
    bt_ok(brood_pool_imap(pool, square, numbers(3), &options, &inherited_results));
    assert_true(bt_await(has_progressed, &done, HANG));
    assert_true(bt_await(is_collector_asleep, pool, HANG));
    assert_int_equal(bt_join(bt_process(use_inherited_results, (brood_value){0})), 0);
    brood_imap_destroy(inherited_results);
    end_pool(pool);
}

static void test_pools_leave_no_memory_in_the_arena(void **state)
{
    (void)state;
    brood_pool_destroy(make_pool(2));
    uint64_t before = bytes_in_use();
    for (int i = 0; i < 3; i++) {
        brood_pool *pool = make_pool(2);
        brood_value items = brood_list(), results;
        char *data = calloc(1, 100000);
        assert_non_null(data);
        for (int k = 0; k < 100; k++)
            bt_ok(brood_append(&items, brood_bytes(data, 100000)));
        free(data);
        bt_ok(brood_pool_map(pool, get_pid, items, NULL, &results));
        brood_value_clear(&results);
        bt_ok(brood_pool_close(pool));
        bt_ok(brood_pool_join(pool, HANG));
        brood_pool_destroy(pool);
        assert_int_equal(bytes_in_use(), before);
    }
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_pool_closes_and_its_workers_end),
                   bt_test(test_a_pool_can_be_destroyed_in_any_state),
                   bt_test(test_the_default_is_a_worker_for_each_cpu),
                   bt_test(test_impossible_options_are_refused),
                   bt_test(test_the_initializer_runs_first_in_each_worker),
                   bt_test(test_terminate_cancels_the_maps_that_run),
                   bt_test(test_a_closed_pool_ends_the_maps_that_run),
                   bt_test(test_a_worker_that_dies_after_close_is_replaced),
                   bt_test(test_destroy_ends_what_tasks_have_started),
                   bt_test(test_a_forgotten_pool_ends_with_its_process),
                   bt_test(test_the_workers_of_a_killed_parent_are_gone_and_leave_no_memory),
                   bt_test(test_a_pool_is_refused_in_its_own_forked_worker),
                   bt_test(test_futures_of_a_parent_are_refused_in_its_forked_child),
                   bt_test(test_a_forked_child_gets_the_results_that_have_come),
                   bt_test(test_pools_leave_no_memory_in_the_arena));
}
