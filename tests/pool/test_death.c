/* brood-test: start-methods */
/* Workers that die: in a task, idle, starting, at every point of handing a task over. */
#include "pools.h"

#include <signal.h>

#include "platform/child.h"

/* ---- in a task ---- */

typedef enum way { LIVE, KILL, CRASH, EXIT, WAYS } way;

/* (i, way): gives i, or dies. */
static brood_status die(brood_call *call)
{
    int64_t i, how;
    BROOD_TRY(brood_call_args(call, "(ll)", &i, &how));
    switch (how) {
    case KILL:
        brp_kill_self();
        break;
    case CRASH:
        signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would make an exit of it */
        raise(SIGSEGV);
        break;
    case EXIT:
        exit(3);
    default:
        break;
    }
    return brood_call_return(call, brood_int(i));
}

/* n items; the one at `at` dies. */
static brood_value one_dies(int64_t n, int64_t at, way how)
{
    brood_value list = brood_list();
    for (int64_t i = 0; i < n; i++)
        bt_ok(brood_append(&list, brood_pack("(ll)", i, (int64_t)(i == at ? how : LIVE))));
    return list;
}

static void test_a_crash_costs_its_task_and_is_described(void **state)
{
    (void)state;
    brood_pool *pool = make_pool_with(&(brood_pool_options){.workers = 2});
    for (way how = KILL; how < WAYS; how++) {
        brood_value results;
        brood_failure failure;
        int64_t pids[2];
        size_t n;
        bt_ok(brood_pool_pids(pool, pids, 2, &n));
        assert_int_equal(n, 2);
        bt_fails(brood_pool_map(pool, die, one_dies(20, 7, how),
                                &(brood_map_options){.chunksize = 1}, &results),
                 BROOD_EWORKERDIED);
        bt_ok(brood_pool_failure(pool, &failure));
        assert_string_equal(failure.kind, "multiprocessing.context.ProcessError");
        assert_true(failure.pid == pids[0] || failure.pid == pids[1]);
        if (how == EXIT)
            assert_int_equal(failure.exitcode, 3);
        else if (how == KILL)
            assert_int_equal(failure.exitcode, -9);
        else if (!bt_is_windows())
            assert_int_equal(failure.exitcode, -SIGSEGV);
        else
            assert_int_not_equal(failure.exitcode, 0);
        bt_message_has("could not map item 7: the worker ");
        bt_message_has(how == EXIT ? "exited with code 3" : how == KILL ? "signal 9" : "worker");
    }
    end_pool(pool);
}

static void test_all_other_tasks_are_done(void **state)
{
    (void)state;
    brood_pool *pool = make_pool_with(&(brood_pool_options){.workers = 2});
    for (way how = KILL; how < WAYS; how++) {
        brood_value results;
        brood_map_options options = {.chunksize = 1, .keep_errors = true};
        bt_ok(brood_pool_map(pool, die, one_dies(300, 50, how), &options, &results));
        for (size_t i = 0; i < 300; i++) {
            int64_t got;
            if (i == 50) {
                assert_int_equal(brood_value_kind(brood_item(&results, i)), BROOD_ERROR);
                continue;
            }
            bt_ok(brood_get_int(brood_item(&results, i), &got));
            assert_int_equal(got, i);
        }
        brood_value_clear(&results);
    }
    end_pool(pool);
}

static void test_a_crash_costs_all_items_of_its_task(void **state)
{
    (void)state;
    brood_pool *pool = make_pool_with(&(brood_pool_options){.workers = 2});
    brood_value results;
    brood_map_options options = {.chunksize = 10, .keep_errors = true};
    bt_ok(brood_pool_map(pool, die, one_dies(100, 57, KILL), &options, &results));
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(brood_value_kind(brood_item(&results, i)),
                         i >= 50 && i < 60 ? BROOD_ERROR : BROOD_INT);
    brood_value_clear(&results);
    end_pool(pool);
}

static void test_a_pool_of_one_goes_on_after_each_crash(void **state)
{
    (void)state;
    enum { N = 40 };
    brood_pool *pool = make_pool_with(&(brood_pool_options){.workers = 1, .max_restarts = -1});
    brood_value list = brood_list(), results;
    for (int64_t i = 0; i < N; i++)
        bt_ok(brood_append(&list, brood_pack("(ll)", i, (int64_t)(i % 4 == 3 ? LIVE : KILL))));
    brood_map_options options = {.chunksize = 1, .keep_errors = true};
    bt_ok(brood_pool_map(pool, die, list, &options, &results));
    for (size_t i = 0; i < N; i++)
        assert_int_equal(brood_value_kind(brood_item(&results, i)),
                         i % 4 == 3 ? BROOD_INT : BROOD_ERROR);
    brood_value_clear(&results);
    end_pool(pool);
}

/* ---- at every point of handing over ---- */

static const char *const points[] = {
    "pool-take-taken",    "pool-result-writing", "pool-finish-written",  "pool-finish-done",
    "pool-finish-pushed", "park-published",      "pool-worker-attached", "pool-worker-ready"};

enum { SURE_POINTS = 5 }; /* are passed after the start, whatever the speed */

/* Once in the life of a pool a worker arms the point; the queue says who may. */
static brood_status arm(brood_call *call)
{
    const brood_value *item;
    int64_t point, times;
    brood_queue *queue;
    brood_value token;
    BROOD_TRY(brood_call_args(call, "vll", &item, &point, &times));
    BROOD_TRY(brood_get_queue(item, &queue));
    if (brood_queue_get(queue, &token, 0) != BROOD_OK)
        return BROOD_OK;
    brood_value_clear(&token);
    bt_kill_at(points[point], (int)times);
    return BROOD_OK;
}

static void kill_at(size_t point, int64_t times)
{
    enum { N = 400 };
    brood_queue *queue;
    bt_ok(brood_queue_create(&queue, NULL));
    for (int i = 0; i < 2; i++)
        bt_ok(brood_queue_put(queue, brood_none(), HANG));
    brood_pool *pool = make_pool_with(&(brood_pool_options){
        .workers = 2,
        .initializer = arm,
        .initargs = brood_pack("(vll)", brood_queue_value(queue), (int64_t)point, times)});
    int64_t before[2], after[2];
    size_t n;
    bt_ok(brood_pool_pids(pool, before, 2, &n));
    for (int round = 0; round < 3; round++) {
        brood_value results;
        size_t lost = 0;
        brood_map_options options = {.chunksize = 1, .keep_errors = true};
        bt_ok(brood_pool_map(pool, die, one_dies(N, -1, LIVE), &options, &results));
        for (size_t i = 0; i < N; i++) {
            int64_t got = -1;
            if (brood_value_kind(brood_item(&results, i)) == BROOD_ERROR)
                lost++;
            else if (brood_get_int(brood_item(&results, i), &got) != BROOD_OK || got != (int64_t)i)
                fail_msg("item %zu of round %d is wrong after a kill at %s", i, round,
                         points[point]);
        }
        assert_in_range(lost, 0, 2);
        brood_value_clear(&results);
    }
    if (times == 1 && point < SURE_POINTS) { /* somebody came by */
        bt_ok(brood_pool_pids(pool, after, 2, &n));
        assert_true(n < 2 || before[0] != after[0] || before[1] != after[1]);
    }
    brood_queue_destroy(queue);
    end_pool(pool);
}

static void test_a_kill_at_any_point_costs_one_task_at_most(void **state)
{
    (void)state;
    for (size_t point = 0; point < sizeof points / sizeof points[0]; point++) {
        kill_at(point, 1);
        kill_at(point, 20);
    }
}

/* ---- idle and starting ---- */

static void test_a_worker_that_dies_idle_is_replaced(void **state)
{
    (void)state;
    brood_pool *pool = make_pool_with(&(brood_pool_options){.workers = 2});
    for (int i = 0; i < 3; i++) {
        int64_t before[2], after[2];
        size_t n;
        brood_value results;
        bt_ok(brood_pool_pids(pool, before, 2, &n));
        brp_child victim;
        brp_child_init(&victim);
        bt_ok(brp_child_adopt(&victim, before[i % 2]));
        bt_ok(brp_child_signal(&victim, BRP_KILL));
        brp_child_close(&victim);
        assert_true(bt_is_gone(before[i % 2], HANG));
        do
            bt_ok(brood_pool_pids(pool, after, 2, &n));
        while (n < 2 || after[i % 2] == before[i % 2]); /* until the pool knows */
        bt_ok(brood_pool_map(pool, get_pid, numbers(50), &(brood_map_options){.chunksize = 1},
                             &results));
        for (size_t k = 0; k < 50; k++) {
            int64_t pid;
            bt_ok(brood_get_int(brood_item(&results, k), &pid));
            assert_true(pid == after[0] || pid == after[1]);
        }
        brood_value_clear(&results);
    }
    end_pool(pool);
}

static brood_status die_now(brood_call *call)
{
    (void)call;
    brp_kill_self();
    return BROOD_OK;
}

static void test_an_initializer_that_crashes_breaks_the_pool(void **state)
{
    (void)state;
    brood_pool *pool = make_pool_with(
        &(brood_pool_options){.workers = 2, .initializer = die_now, .max_restarts = 3});
    brood_value results;
    bt_fails(brood_pool_map(pool, get_pid, numbers(10), NULL, &results), BROOD_EBROKEN);
    bt_message_has("too many workers died in a row");
    bt_message_has("was killed by signal 9 before it was ready");
    bt_fails(brood_pool_map(pool, get_pid, numbers(10), NULL, &results), BROOD_EBROKEN);
    bt_ok(brood_pool_close(pool));
    bt_ok(brood_pool_join(pool, HANG));
    brood_pool_destroy(pool);
}

static brood_status fail_to_initialise(brood_call *call)
{
    return brood_call_raise(call, "OSError", "no such device");
}

static void test_an_initializer_that_fails_breaks_the_pool_and_is_quoted(void **state)
{
    (void)state;
    brood_pool *pool = make_pool_with(
        &(brood_pool_options){.workers = 1, .initializer = fail_to_initialise, .max_restarts = 2});
    brood_value results;
    bt_fails(brood_pool_map(pool, get_pid, numbers(10), NULL, &results), BROOD_EBROKEN);
    bt_message_has("OSError: no such device");
    brood_pool_destroy(pool);
}

/* The first workers die, later ones live: the queue counts. */
static brood_status die_by_token(brood_call *call)
{
    const brood_value *item;
    brood_queue *queue;
    brood_value token;
    BROOD_TRY(brood_call_args(call, "v", &item));
    BROOD_TRY(brood_get_queue(item, &queue));
    if (brood_queue_get(queue, &token, 0) == BROOD_OK)
        brp_kill_self();
    return BROOD_OK;
}

static void test_a_pool_whose_first_workers_die_starting_gets_going(void **state)
{
    (void)state;
    brood_queue *queue;
    brood_value results;
    bt_ok(brood_queue_create(&queue, NULL));
    for (int i = 0; i < 5; i++)
        bt_ok(brood_queue_put(queue, brood_none(), HANG));
    brood_pool *pool = make_pool_with(
        &(brood_pool_options){.workers = 2,
                              .initializer = die_by_token,
                              .initargs = brood_pack("(v)", brood_queue_value(queue))});
    bt_ok(brood_pool_map(pool, get_pid, numbers(100), &(brood_map_options){.chunksize = 1},
                         &results));
    brood_value_clear(&results);
    brood_queue_destroy(queue);
    end_pool(pool);
}

static void test_tasks_that_all_crash_break_the_pool(void **state)
{
    (void)state;
    brood_pool *pool = make_pool_with(&(brood_pool_options){.workers = 2});
    brood_value list = brood_list(), results;
    for (int64_t i = 0; i < 100; i++)
        bt_ok(brood_append(&list, brood_pack("(ll)", i, (int64_t)KILL)));
    bt_fails(brood_pool_map(pool, die, list, &(brood_map_options){.chunksize = 1}, &results),
             BROOD_EBROKEN);
    bt_message_has("was killed by signal 9");
    bt_fails(brood_pool_map(pool, get_pid, numbers(1), NULL, &results), BROOD_EBROKEN);
    brood_pool_destroy(pool);
}

/* ---- results of a worker that dies ---- */

static brood_status return_bytes(brood_call *call)
{
    int64_t size;
    BROOD_TRY(brood_call_args(call, "l", &size));
    char *data = calloc(1, (size_t)size);
    bt_check(call, data != NULL);
    brood_status status = brood_call_return(call, brood_bytes(data, (size_t)size));
    free(data);
    return status;
}

static brood_status arm_writing(brood_call *call)
{
    const brood_value *item;
    brood_queue *queue;
    brood_value token;
    BROOD_TRY(brood_call_args(call, "v", &item));
    BROOD_TRY(brood_get_queue(item, &queue));
    if (brood_queue_get(queue, &token, 0) == BROOD_OK)
        bt_kill_at("pool-result-writing", 2);
    return BROOD_OK;
}

static void test_a_kill_while_a_large_result_is_written_costs_its_task(void **state)
{
    (void)state;
    brood_queue *queue;
    brood_value items = brood_list(), results;
    size_t lost = 0;
    bt_ok(brood_queue_create(&queue, NULL));
    bt_ok(brood_queue_put(queue, brood_none(), HANG));
    for (int i = 0; i < 20; i++)
        bt_ok(brood_append(&items, brood_int(3 << 20)));
    brood_pool *pool = make_pool_with(
        &(brood_pool_options){.workers = 2,
                              .initializer = arm_writing,
                              .initargs = brood_pack("(v)", brood_queue_value(queue))});
    brood_map_options options = {.chunksize = 1, .keep_errors = true};
    bt_ok(brood_pool_map(pool, return_bytes, items, &options, &results));
    for (size_t i = 0; i < 20; i++)
        if (brood_value_kind(brood_item(&results, i)) == BROOD_ERROR)
            lost++;
        else
            assert_int_equal(brood_value_length(brood_item(&results, i)), 3 << 20);
    assert_in_range(lost, 0, 1); /* the other one may have done it all */
    brood_value_clear(&results);
    brood_queue_destroy(queue);
    end_pool(pool);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_crash_costs_its_task_and_is_described),
                   bt_test(test_all_other_tasks_are_done),
                   bt_test(test_a_crash_costs_all_items_of_its_task),
                   bt_test(test_a_pool_of_one_goes_on_after_each_crash),
                   bt_test(test_a_kill_at_any_point_costs_one_task_at_most),
                   bt_test(test_a_worker_that_dies_idle_is_replaced),
                   bt_test(test_an_initializer_that_crashes_breaks_the_pool),
                   bt_test(test_an_initializer_that_fails_breaks_the_pool_and_is_quoted),
                   bt_test(test_a_pool_whose_first_workers_die_starting_gets_going),
                   bt_test(test_tasks_that_all_crash_break_the_pool),
                   bt_test(test_a_kill_while_a_large_result_is_written_costs_its_task));
}
