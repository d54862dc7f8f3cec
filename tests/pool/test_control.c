/* brood-test: start-methods */
/* What a pool can be told: recycling, resizing, pausing, figures. */
#include "pools.h"

#include "pool/pool.h"

static int64_t pid_of_task(brood_pool *pool)
{
    brood_value result;
    bt_ok(brood_pool_apply(pool, get_pid, (brood_value){0}, NULL, &result));
    return int_of(&result);
}

static void test_workers_are_recycled_after_so_many_tasks(void **state)
{
    (void)state;
    brood_pool *pool =
        make_pool_with(&(brood_pool_options){.workers = 1, .max_tasks_per_worker = 3});
    int64_t pids[9];
    for (int i = 0; i < 9; i++)
        pids[i] = pid_of_task(pool);
    for (int i = 0; i < 9; i++)
        assert_int_equal(pids[i], pids[i / 3 * 3]);
    assert_true(pids[0] != pids[3] && pids[3] != pids[6]);
    brood_pool_stats stats;
    bt_ok(brood_pool_get_stats(pool, &stats, NULL, 0, NULL));
    assert_int_equal(stats.deaths, 0);
    end_pool(pool);
}

static void test_recycled_workers_lose_no_task(void **state)
{
    (void)state;
    brood_pool *pool =
        make_pool_with(&(brood_pool_options){.workers = 3, .max_tasks_per_worker = 7});
    brood_value results;
    bt_ok(
        brood_pool_map(pool, square, numbers(300), &(brood_map_options){.chunksize = 1}, &results));
    assert_int_equal(brood_value_length(&results), 300);
    brood_value_clear(&results);
    end_pool(pool);
}

static void test_old_workers_are_replaced(void **state)
{
    (void)state;
    brood_pool *pool = make_pool_with(&(brood_pool_options){.workers = 1, .max_age = 30});
    int64_t first = pid_of_task(pool);
    brood_sleep(40);
    pid_of_task(pool);
    assert_true(pid_of_task(pool) != first);
    end_pool(pool);
}

char *volatile kept[100]; /* what a worker does not free; not static, so that it stays reachable */
int n_kept;

static brood_status leak(brood_call *call)
{
    enum { SIZE = 4 << 20 };
    char *memory = malloc(SIZE);
    bt_check(call, memory != NULL);
    memset(memory, 1, SIZE);
    kept[n_kept++ % 100] = memory;
    return get_pid(call);
}

static void test_workers_that_grow_are_replaced(void **state)
{
    (void)state;
    if (brp_private_memory() == 0)
        bt_skip("the system does not tell a process's own memory");
    if (bt_has_thread_sanitizer() || bt_has_address_sanitizer())
        bt_skip("a sanitizer takes memory of its own as it goes");
    brood_pool *pool = make_pool_with(&(brood_pool_options){.workers = 1, .max_growth = 6 << 20});
    int64_t pids[6];
    for (int i = 0; i < 6; i++) {
        brood_value result;
        bt_ok(brood_pool_apply(pool, leak, (brood_value){0}, NULL, &result));
        pids[i] = int_of(&result);
    }
    assert_int_equal(pids[0], pids[1]);
    assert_true(pids[1] != pids[2] && pids[3] != pids[4]);
    end_pool(pool);
}

static bool none_runs(void *context)
{
    brood_pool_stats stats;
    bt_ok(brood_pool_get_stats(context, &stats, NULL, 0, NULL));
    if (stats.running > 0)
        bt_ok(brood_pool_drain(context, HANG)); /* sees to what has ended */
    return stats.running == 0;
}

static void test_idle_workers_end_until_there_is_work(void **state)
{
    (void)state;
    brood_pool *pool = make_pool_with(&(brood_pool_options){.workers = 2, .max_idle = 20});
    for (int i = 0; i < 3; i++) {
        brood_value results;
        assert_true(bt_await(none_runs, pool, HANG));
        pid_of_task(pool);
        assert_true(bt_await(none_runs, pool, HANG));
        bt_ok(brood_pool_map(pool, square, numbers(10), NULL, &results));
        brood_value_clear(&results);
    }
    brood_pool_stats stats;
    bt_ok(brood_pool_get_stats(pool, &stats, NULL, 0, NULL));
    assert_int_equal(stats.deaths, 0);
    end_pool(pool);
}

static bool collector_sleeps(void *context)
{
    brood_pool *pool = context;
    return (atomic_load(&pool->table->done_bell) & 1) != 0;
}

static bool some_rest(brood_pool *pool)
{
    brp_mutex_lock(pool->mutex);
    bool rest = pool->supervisor.n_resting > 0;
    brp_mutex_unlock(pool->mutex);
    return rest;
}

/* Whether some rested while the pool's thread slept, so that the resume had to wake it. That thread
 * may wake by itself and see to them at any time, and sleep again. */
static bool resume_and_see(brood_pool *pool)
{
    uint32_t bell = atomic_load(&pool->table->done_bell);
    bool rest = some_rest(pool) && (bell & 1) != 0;
    bt_ok(brood_pool_resume(pool));
    if (rest)
        assert_true(atomic_load(&pool->table->done_bell) != bell || !some_rest(pool));
    return rest;
}

/* Nobody but the pool's thread can start workers for what has come during the pause. */
static void test_a_resume_wakes_who_starts_idle_workers(void **state)
{
    (void)state;
    brood_pool *pool = make_pool_with(&(brood_pool_options){.workers = 2, .max_idle = 20});
    bool is_seen = false;
    for (int i = 0; i < 100 && !is_seen; i++) {
        brood_future *future;
        const brood_value *value;
        pid_of_task(pool);
        bt_ok(brood_pool_pause(pool));
        assert_true(bt_await(none_runs, pool, HANG));
        bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", 3), NULL, &future));
        assert_true(bt_await(collector_sleeps, pool, HANG));
        is_seen = resume_and_see(pool);
        bt_ok(brood_future_get(future, &value, HANG));
        assert_int_equal(int_of(value), 9);
        brood_future_destroy(future);
    }
    assert_true(is_seen);
    end_pool(pool);
}

static void test_the_longest_idle_time_is_never_over(void **state)
{
    (void)state;
    brood_pool *pool = make_pool_with(&(brood_pool_options){.workers = 1, .max_idle = INT64_MAX});
    int64_t pid = pid_of_task(pool);
    for (int i = 0; i < 50; i++)
        assert_int_equal(pid_of_task(pool), pid);
    end_pool(pool);
}

static void *volatile too_much;

static brood_status take_too_much(brood_call *call)
{
    too_much = malloc((size_t)400 << 20);
    bool got = too_much != NULL;
    free(too_much);
    return brood_call_return(call, brood_bool(got));
}

static void test_the_system_limits_a_workers_memory(void **state)
{
    (void)state;
    if (bt_has_address_sanitizer() || bt_has_thread_sanitizer())
        bt_skip("a sanitizer takes more memory than that");
    brood_pool *pool = make_pool_with(
        &(brood_pool_options){.workers = 1, .memory_limit = 200 << 20, .bind_cpus = true});
    brood_value result;
    bool got = true;
    bt_ok(brood_pool_apply(pool, take_too_much, (brood_value){0}, NULL, &result));
    bt_ok(brood_get_bool(&result, &got));
    if (got && bt_is_windows()) {
        end_pool(pool);
        bt_skip("Wine does not keep the limit of a job");
    }
    assert_false(got);
    end_pool(pool);
}

static size_t count_workers(brood_pool *pool)
{
    size_t n;
    int64_t pids[16];
    bt_ok(brood_pool_pids(pool, pids, 16, &n));
    return n;
}

static bool are_three(void *context)
{
    return count_workers(context) == 3;
}

static void test_a_pool_can_be_resized(void **state)
{
    (void)state;
    brood_pool *pool = make_pool_with(&(brood_pool_options){.workers = 2, .max_workers = 8});
    brood_value results;
    bt_ok(brood_pool_resize(pool, 8));
    assert_int_equal(count_workers(pool), 8);
    bt_fails(brood_pool_resize(pool, 9), BROOD_EINVALID);
    bt_fails(brood_pool_resize(pool, 0), BROOD_EINVALID);
    bt_ok(
        brood_pool_map(pool, square, numbers(200), &(brood_map_options){.chunksize = 1}, &results));
    brood_value_clear(&results);
    bt_ok(brood_pool_resize(pool, 3));
    bt_ok(
        brood_pool_map(pool, square, numbers(200), &(brood_map_options){.chunksize = 1}, &results));
    brood_value_clear(&results);
    assert_true(bt_await(are_three, pool, HANG));
    bt_ok(brood_pool_resize(pool, 5));
    assert_int_equal(count_workers(pool), 5);
    end_pool(pool);
}

static void test_a_paused_pool_begins_nothing(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_future *future;
    const brood_value *value;
    bt_ok(brood_pool_pause(pool));
    bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", 3), NULL, &future));
    assert_int_equal(brood_future_get(future, &value, 100), BROOD_ETIMEDOUT);
    assert_int_equal(brood_pool_drain(pool, 10), BROOD_ETIMEDOUT);
    bt_ok(brood_pool_resume(pool));
    bt_ok(brood_future_get(future, &value, HANG));
    brood_future_destroy(future);
    bt_ok(brood_pool_pause(pool));
    end_pool(pool); /* nothing is left to begin */
}

static void test_the_figures_are_right(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_pool_stats stats;
    brood_worker_stats workers[4];
    brood_value result;
    size_t n;
    holder h = start_holder(pool, NULL), g = start_holder(pool, NULL);
    for (int i = 0; i < 5; i++)
        bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", i), NULL, NULL));
    bt_ok(brood_pool_get_stats(pool, &stats, workers, 4, &n));
    assert_int_equal(n, 2);
    assert_int_equal(stats.workers, 2);
    assert_int_equal(stats.running, 2);
    assert_int_equal(stats.queued, 5);
    assert_int_equal(stats.in_hand, 2);
    assert_int_equal(stats.submitted, 7);
    assert_int_equal(stats.ended, 0);
    assert_int_equal(workers[0].state, BROOD_WORKER_BUSY);
    assert_true(workers[0].pid == h.pid || workers[0].pid == g.pid);
    let_go(&h);
    let_go(&g);
    bt_ok(brood_pool_drain(pool, HANG));
    bt_fails(brood_pool_apply(pool, fail_at_first, brood_pack("(i)", 1), NULL, &result),
             BROOD_ETASK);
    bt_ok(brood_pool_drain(pool, HANG));
    bt_ok(brood_pool_get_stats(pool, &stats, workers, 4, &n));
    assert_int_equal(stats.queued + stats.in_hand, 0);
    assert_int_equal(stats.submitted, 8);
    assert_int_equal(stats.ended, 8);
    assert_int_equal(stats.failed, 1);
    assert_int_equal(stats.tasks, 8);
    assert_int_equal(workers[0].tasks + workers[1].tasks, 8);
    assert_true(stats.latency >= 0 && stats.latency <= stats.latency_most);
    end_holder(&h);
    end_holder(&g);
    end_pool(pool);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_workers_are_recycled_after_so_many_tasks),
        bt_test(test_recycled_workers_lose_no_task), bt_test(test_old_workers_are_replaced),
        bt_test(test_workers_that_grow_are_replaced),
        bt_test(test_idle_workers_end_until_there_is_work),
        bt_test(test_a_resume_wakes_who_starts_idle_workers),
        bt_test(test_the_longest_idle_time_is_never_over),
        bt_test(test_the_system_limits_a_workers_memory), bt_test(test_a_pool_can_be_resized),
        bt_test(test_a_paused_pool_begins_nothing), bt_test(test_the_figures_are_right));
}
