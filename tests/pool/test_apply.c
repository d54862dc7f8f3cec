/* brood-test: start-methods */
/* Calls, waited for and not, and their futures. */
#include "pools.h"

/* ---- apply ---- */

static void test_apply_gives_the_result(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_value result;
    bt_ok(brood_pool_apply(pool, square, brood_pack("(i)", 7), NULL, &result));
    assert_int_equal(int_of(&result), 49);
    bt_ok(brood_pool_apply(pool, subtract, brood_pack("(ii)", 7, 3), NULL, &result));
    assert_int_equal(int_of(&result), 4);
    bt_ok(brood_pool_apply(pool, subtract, brood_pack("[i]", 7),
                           &(brood_apply_options){.kwargs = brood_pack("{s:i}", "b", 1)}, &result));
    assert_int_equal(int_of(&result), 6);
    bt_ok(brood_pool_apply(pool, subtract, (brood_value){0}, NULL, &result));
    assert_int_equal(int_of(&result), -10);
    end_pool(pool);
}

static brood_status tell_kind(brood_call *call)
{
    return brood_call_return(
        call, brood_str(brood_kind_name(brood_value_kind(brood_call_arguments(call)))));
}

static void expect_tuple(brood_value *result)
{
    const char *kind;
    bt_ok(brood_get_str(result, &kind, NULL));
    assert_string_equal(kind, "tuple");
    brood_value_clear(result);
}

static void test_arguments_come_as_a_tuple(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value result;
    bt_ok(brood_pool_apply(pool, tell_kind, brood_pack("[ii]", 1, 2), NULL, &result));
    expect_tuple(&result);
    bt_ok(brood_pool_apply(pool, tell_kind, brood_list(),
                           &(brood_apply_options){.kwargs = brood_pack("{s:i}", "b", 1)}, &result));
    expect_tuple(&result);
    bt_ok(brood_pool_starmap(pool, tell_kind, brood_pack("[[ii]]", 1, 2), NULL, &result));
    brood_value item;
    bt_ok(brood_list_pop(&result, 0, &item));
    brood_value_clear(&result);
    expect_tuple(&item);
    end_pool(pool);
    brood_executor *executor;
    brood_future *future;
    bt_ok(brood_executor_create(&executor,
                                &(brood_executor_options){.engine = "threads", .workers = 1}));
    bt_ok(brood_executor_submit(executor, tell_kind, brood_pack("[ii]", 1, 2), NULL, &future));
    bt_ok(brood_future_take(future, &result, HANG));
    expect_tuple(&result);
    brood_future_destroy(future);
    brood_executor_destroy(executor);
}

static void test_apply_tells_how_a_task_failed(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value result;
    bt_fails(brood_pool_apply(pool, refuse, (brood_value){0}, NULL, &result), BROOD_ETASK);
    bt_message_has("could not get a result: ValueError: no");
    brood_future *future;
    brood_failure failure;
    bt_ok(brood_pool_apply_async(pool, refuse, (brood_value){0}, NULL, &future));
    bt_ok(brood_future_failure(future, &failure, HANG));
    assert_string_equal(failure.kind, "ValueError");
    assert_string_equal(failure.message, "no");
    assert_true(failure.line > 0);
    assert_true(failure.pid > 0 && failure.pid != brp_pid());
    assert_false(brood_future_is_successful(future));
    brood_future_destroy(future);
    end_pool(pool);
}

static void test_what_cannot_be_applied_is_refused(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value result;
    brood_connection *end, *other;
    bt_fails(brood_pool_apply(pool, NULL, (brood_value){0}, NULL, &result), BROOD_EINVALID);
    bt_fails(brood_pool_apply(NULL, square, (brood_value){0}, NULL, &result), BROOD_EINVALID);
    bt_fails(brood_pool_apply(pool, square, brood_int(1), NULL, &result), BROOD_ETYPE);
    bt_fails(brood_pool_apply(pool, square, (brood_value){0},
                              &(brood_apply_options){.kwargs = brood_list()}, &result),
             BROOD_ETYPE);
    /* What could not be made is not the same as nothing. */
    bt_fails(brood_pool_apply(pool, subtract, brood_pack("(s)", "\xff"), NULL, &result),
             BROOD_EFORMAT);
    bt_message_has("is not UTF-8");
    bt_fails(brood_pool_apply(pool, subtract, (brood_value){0},
                              &(brood_apply_options){.kwargs = brood_pack("{s:s}", "a", NULL)},
                              &result),
             BROOD_EINVALID);
    brood_pool *other_pool;
    bt_fails(brood_pool_create(&other_pool,
                               &(brood_pool_options){.workers = 1,
                                                     .initializer = square,
                                                     .initargs = brood_pack("(s)", "\xff")}),
             BROOD_EFORMAT);
    bt_fails(brood_pool_apply(pool, square, (brood_value){0},
                              &(brood_apply_options){.policy.priority = 2}, &result),
             BROOD_EINVALID);
    bt_ok(brood_pipe(&end, &other, true));
    brood_value closed = brood_connection_value(end);
    brood_connection_close(end);
    bt_fails(brood_pool_apply(pool, square, brood_pack("(v)", closed), NULL, &result),
             BROOD_ECLOSED);
    brood_connection_close(other);
    bt_ok(brood_pool_close(pool));
    bt_fails(brood_pool_apply(pool, square, brood_pack("(i)", 1), NULL, &result), BROOD_ESTATE);
    end_pool(pool);
}

/* ---- futures ---- */

static void test_a_future_tells_what_it_is(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    holder h = submit_holder(pool, NULL);
    brood_future *queued;
    const brood_value *value;
    bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", 3), NULL, &queued));
    await_holder(&h);
    assert_true(brood_future_is_running(h.future));
    assert_false(brood_future_is_running(queued));
    assert_false(brood_future_is_done(h.future));
    assert_int_equal(brood_future_get(h.future, &value, 0), BROOD_ETIMEDOUT);
    assert_int_equal(brood_future_get(queued, &value, 20), BROOD_ETIMEDOUT);
    let_go(&h);
    bt_ok(brood_future_wait(queued, HANG));
    assert_true(brood_future_is_done(h.future) && brood_future_is_done(queued));
    assert_true(brood_future_is_successful(queued) && !brood_future_is_running(queued));
    bt_ok(brood_future_get(queued, &value, 0));
    bt_ok(brood_future_get(queued, &value, 0));
    assert_int_equal(int_of(value), 9);
    brood_value taken;
    bt_ok(brood_future_take(queued, &taken, 0));
    assert_int_equal(int_of(&taken), 9);
    bt_fails(brood_future_take(queued, &taken, 0), BROOD_ESTATE);
    brood_failure failure;
    bt_fails(brood_future_failure(queued, &failure, 0), BROOD_ESTATE);
    brood_future_destroy(queued);
    end_holder(&h);
    end_pool(pool);
}

static void test_a_future_outlives_its_pool(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_future *future;
    const brood_value *value;
    bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", 5), NULL, &future));
    end_pool(pool);
    bt_ok(brood_future_get(future, &value, 0));
    assert_int_equal(int_of(value), 25);
    brood_cancel_answer answer;
    bt_ok(brood_future_cancel(future, BROOD_CANCEL_KILL, &answer));
    assert_int_equal(answer, BROOD_CANCEL_TOO_LATE);
    brood_future_destroy(future);
}

static void test_thousands_of_calls_each_get_their_own_result(void **state)
{
    (void)state;
    enum { N = 5000 };
    brood_pool *pool = make_pool(3);
    brood_future **futures = calloc(N, sizeof *futures);
    assert_non_null(futures);
    for (int i = 0; i < N; i++)
        bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", i), NULL, &futures[i]));
    for (int i = N - 1; i >= 0; i--) {
        brood_value result;
        bt_ok(brood_future_take(futures[i], &result, HANG));
        assert_int_equal(int_of(&result), (int64_t)i * i);
        brood_future_destroy(futures[i]);
    }
    free(futures);
    end_pool(pool);
}

static void test_futures_can_be_dropped_at_once(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    for (int i = 0; i < 3000; i++)
        bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", i), NULL, NULL));
    end_pool(pool);
}

static void test_terminate_cancels_what_is_pending(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    holder h = submit_holder(pool, NULL);
    brood_future *futures[3];
    brood_value result;
    await_holder(&h);
    for (int i = 0; i < 2; i++)
        bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", i), NULL, &futures[i]));
    bt_ok(brood_pool_map_async(pool, square, numbers(5000), &(brood_map_options){.chunksize = 1},
                               &futures[2]));
    bt_ok(brood_pool_terminate(pool));
    for (int i = 0; i < 3; i++) {
        bt_fails(brood_future_take(futures[i], &result, HANG), BROOD_ECANCELLED);
        assert_true(brood_future_is_cancelled(futures[i]));
        brood_future_destroy(futures[i]);
    }
    bt_fails(brood_future_take(h.future, &result, HANG), BROOD_ECANCELLED);
    end_holder(&h);
    brood_pool_destroy(pool);
}

static void test_large_arguments_and_results_go_through(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_future *futures[40];
    char *data = calloc(1, 3000000);
    assert_non_null(data);
    for (int i = 0; i < 40; i++) {
        memset(data, i, 3000000);
        bt_ok(brood_pool_apply_async(
            pool, subtract, brood_pack("(iv)", i, brood_bytes(data, 3000000)), NULL, &futures[i]));
    }
    free(data);
    for (int i = 0; i < 40; i++) {
        brood_failure failure;
        bt_ok(brood_future_failure(futures[i], &failure, HANG));
        assert_string_equal(failure.kind, "TypeError"); /* bytes are no int */
        brood_future_destroy(futures[i]);
    }
    end_pool(pool);
}

/* ---- several futures ---- */

static void test_waiting_for_futures(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(3);
    holder h[2] = {submit_holder(pool, NULL), submit_holder(pool, NULL)};
    brood_future *futures[3] = {h[0].future, h[1].future, NULL};
    size_t n = 9;
    await_holder(&h[0]);
    await_holder(&h[1]);
    bt_fails(brood_wait_futures(futures, 2, BROOD_WAIT_FIRST, 20, &n), BROOD_ETIMEDOUT);
    assert_int_equal(n, 0);
    bt_ok(brood_pool_apply_async(pool, refuse, (brood_value){0}, NULL, &futures[2]));
    bt_ok(brood_wait_futures(futures, 3, BROOD_WAIT_ERROR, HANG, &n));
    assert_int_equal(n, 1);
    bt_ok(brood_wait_futures(futures, 3, BROOD_WAIT_FIRST, HANG, &n));
    let_go(&h[1]);
    let_go(&h[0]);
    bt_ok(brood_wait_futures(futures, 3, BROOD_WAIT_ALL, HANG, &n));
    assert_int_equal(n, 3);
    bt_ok(brood_wait_futures(NULL, 0, BROOD_WAIT_ALL, 0, NULL));
    brood_future_destroy(futures[2]);
    end_holder(&h[0]);
    end_holder(&h[1]);
    end_pool(pool);
}

static void test_as_completed_follows_the_ends(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    holder h[2] = {submit_holder(pool, NULL), submit_holder(pool, NULL)};
    brood_future *futures[2] = {h[0].future, h[1].future}, *next;
    brood_completed *completed;
    bt_ok(brood_as_completed(&completed, futures, 2));
    await_holder(&h[0]);
    await_holder(&h[1]);
    assert_int_equal(brood_completed_next(completed, &next, 10), BROOD_ETIMEDOUT);
    let_go(&h[1]);
    bt_ok(brood_completed_next(completed, &next, HANG));
    assert_ptr_equal(next, futures[1]);
    let_go(&h[0]);
    bt_ok(brood_completed_next(completed, &next, HANG));
    assert_ptr_equal(next, futures[0]);
    assert_int_equal(brood_completed_next(completed, &next, HANG), BROOD_EEOF);
    brood_completed_destroy(completed);
    bt_ok(brood_as_completed(&completed, futures, 1)); /* dropped unused */
    brood_completed_destroy(completed);
    end_holder(&h[0]);
    end_holder(&h[1]);
    end_pool(pool);
}

/* ---- nested ---- */

static brood_status sum_with_a_pool(brood_call *call)
{
    brood_pool *pool;
    brood_value result;
    int64_t n, sum = 0;
    BROOD_TRY(brood_call_args(call, "l", &n));
    BROOD_TRY(brood_pool_create(&pool, &(brood_pool_options){.workers = 1}));
    for (int64_t i = 0; i < n; i++) {
        int64_t got;
        BROOD_TRY(brood_pool_apply(pool, square, brood_pack("(l)", i), NULL, &result));
        BROOD_TRY(brood_get_int(&result, &got));
        sum += got;
    }
    brood_pool_destroy(pool);
    return brood_call_return(call, brood_int(sum));
}

static void test_tasks_may_have_pools_of_their_own(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_value result;
    bt_ok(brood_pool_apply(pool, sum_with_a_pool, brood_pack("(i)", 5), NULL, &result));
    assert_int_equal(int_of(&result), 30);
    end_pool(pool);
}

static void test_one_worker_dies_and_the_others_go_on(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_future *future;
    brood_value result;
    for (int i = 0; i < 3; i++) {
        bt_ok(brood_pool_apply(pool, get_pid, (brood_value){0}, NULL, &result));
        holder h = submit_holder(pool, NULL);
        await_holder(&h);
        bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", 4), NULL, &future));
        bt_ok(brood_future_cancel(h.future, BROOD_CANCEL_KILL, NULL));
        bt_fails(brood_future_take(h.future, &result, HANG), BROOD_ECANCELLED);
        bt_ok(brood_future_take(future, &result, HANG));
        assert_int_equal(int_of(&result), 16);
        brood_future_destroy(future);
        end_holder(&h);
    }
    end_pool(pool);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_apply_gives_the_result), bt_test(test_arguments_come_as_a_tuple),
        bt_test(test_apply_tells_how_a_task_failed),
        bt_test(test_what_cannot_be_applied_is_refused), bt_test(test_a_future_tells_what_it_is),
        bt_test(test_a_future_outlives_its_pool),
        bt_test(test_thousands_of_calls_each_get_their_own_result),
        bt_test(test_futures_can_be_dropped_at_once),
        bt_test(test_terminate_cancels_what_is_pending),
        bt_test(test_large_arguments_and_results_go_through), bt_test(test_waiting_for_futures),
        bt_test(test_as_completed_follows_the_ends),
        bt_test(test_tasks_may_have_pools_of_their_own),
        bt_test(test_one_worker_dies_and_the_others_go_on));
}
