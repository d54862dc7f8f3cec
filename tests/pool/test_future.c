/* What Python promises of futures, iterations and pools at their edges: nothing to wait for, what
 * has ended already, what comes twice, what comes after the end. */
#include "pools.h"

#include <stdatomic.h>

/* ---- futures that have ended, and none ---- */

static brood_future *submit_square(brood_pool *pool, int n)
{
    brood_future *future;
    bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", n), NULL, &future));
    return future;
}

static void test_with_nothing_to_wait_for_nothing_waits(void **state)
{
    (void)state;
    brood_completed *completed;
    brood_future *next;
    size_t n = 9;
    bt_ok(brood_wait_futures(NULL, 0, BROOD_WAIT_FIRST, BROOD_FOREVER, &n));
    assert_int_equal(n, 0);
    bt_ok(brood_wait_futures(NULL, 0, BROOD_WAIT_ERROR, BROOD_FOREVER, &n));
    assert_int_equal(n, 0);
    bt_ok(brood_as_completed(&completed, NULL, 0));
    assert_int_equal(brood_completed_next(completed, &next, BROOD_FOREVER), BROOD_EEOF);
    assert_int_equal(brood_completed_next(completed, &next, BROOD_FOREVER), BROOD_EEOF);
    brood_completed_destroy(completed);
    bt_fails(brood_as_completed(&completed, NULL, 1), BROOD_EINVALID);
    bt_fails(brood_as_completed(NULL, &next, 0), BROOD_EINVALID);
    bt_fails(brood_wait_futures(NULL, 1, BROOD_WAIT_ALL, 0, NULL), BROOD_EINVALID);
}

static void test_what_has_ended_comes_first_and_once_for_each_time(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    holder h = start_holder(pool, NULL);
    brood_future *early = submit_square(pool, 3), *next;
    brood_future *futures[3] = {h.future, early, early};
    brood_completed *completed;
    size_t n;
    bt_ok(brood_future_wait(early, HANG));
    bt_ok(brood_as_completed(&completed, futures, 3));
    for (int i = 0; i < 2; i++) {
        bt_ok(brood_completed_next(completed, &next, 0));
        assert_ptr_equal(next, early);
    }
    assert_int_equal(brood_completed_next(completed, &next, 0), BROOD_ETIMEDOUT);
    bt_ok(brood_wait_futures(futures, 3, BROOD_WAIT_FIRST, 0, &n));
    assert_int_equal(n, 2);
    let_go(&h);
    bt_ok(brood_completed_next(completed, &next, HANG));
    assert_ptr_equal(next, h.future);
    brood_completed_destroy(completed);
    brood_future_destroy(early);
    end_holder(&h);
    end_pool(pool);
}

/* A cancelled one has ended, is cancelled for ever, and is no failure. */
static void test_a_cancelled_future_stays_so(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    holder h = start_holder(pool, NULL);
    brood_future *queued = submit_square(pool, 3);
    brood_future *futures[2] = {h.future, queued};
    brood_cancel_answer answer;
    brood_failure failure;
    brood_value value;
    size_t n;
    for (int i = 0; i < 3; i++) {
        bt_ok(brood_future_cancel(queued, (brood_cancel_how)i, &answer));
        assert_int_equal(answer, BROOD_CANCEL_DONE);
    }
    assert_true(brood_future_is_done(queued));
    assert_true(brood_future_is_cancelled(queued));
    assert_false(brood_future_is_running(queued));
    assert_false(brood_future_is_successful(queued));
    bt_fails(brood_future_take(queued, &value, 0), BROOD_ECANCELLED);
    bt_fails(brood_future_failure(queued, &failure, 0), BROOD_ESTATE);
    bt_fails(brood_wait_futures(futures, 2, BROOD_WAIT_ERROR, 20, &n), BROOD_ETIMEDOUT);
    assert_int_equal(n, 1);
    let_go(&h);
    bt_ok(brood_wait_futures(futures, 2, BROOD_WAIT_ERROR, HANG, &n));
    assert_int_equal(n, 2);
    bt_ok(brood_future_cancel(h.future, BROOD_CANCEL_KILL, &answer));
    assert_int_equal(answer, BROOD_CANCEL_TOO_LATE);
    brood_future_destroy(queued);
    end_holder(&h);
    end_pool(pool);
}

/* ---- callbacks ---- */

typedef struct order {
    atomic_int n;
    int numbers[8];
    bool is_done[8];
    bool is_here[8];
} order;

typedef struct numbered {
    order *all;
    int number;
} numbered;

static _Thread_local bool is_main;

static void note_order(void *context, brood_future *future)
{
    const numbered *me = context;
    int i = atomic_fetch_add(&me->all->n, 1);
    me->all->numbers[i] = me->number;
    me->all->is_done[i] = brood_future_is_done(future);
    me->all->is_here[i] = is_main;
}

static void test_callbacks_come_in_order_and_at_once_after_the_end(void **state)
{
    (void)state;
    is_main = true;
    brood_pool *pool = make_pool(1);
    holder h = start_holder(pool, NULL);
    order all = {.n = 0};
    numbered callbacks[5];
    for (int i = 0; i < 5; i++)
        callbacks[i] = (numbered){&all, i};
    for (int i = 0; i < 4; i++)
        bt_ok(brood_future_add_callback(h.future, note_order, &callbacks[i]));
    let_go(&h);
    bt_ok(brood_pool_drain(pool, HANG)); /* they were called */
    assert_int_equal(atomic_load(&all.n), 4);
    bt_ok(brood_future_add_callback(h.future, note_order, &callbacks[4]));
    assert_int_equal(atomic_load(&all.n), 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(all.numbers[i], i);
        assert_true(all.is_done[i]);
        assert_int_equal(all.is_here[i], i == 4);
    }
    bt_fails(brood_future_add_callback(h.future, NULL, NULL), BROOD_EINVALID);
    end_holder(&h);
    end_pool(pool);
}

typedef struct told {
    atomic_int results, failures;
    size_t length;
    brood_status status;
} told;

static void note_result(void *context, const brood_value *result)
{
    told *all = context;
    all->length = brood_value_length(result);
    atomic_fetch_add(&all->results, 1);
}

static void note_failure(void *context, brood_status status, const brood_failure *failure)
{
    told *all = context;
    (void)failure;
    all->status = status;
    atomic_fetch_add(&all->failures, 1);
}

static void map_and_drain(brood_pool *pool, brood_function function, int n, told *all)
{
    brood_map_options options = {
        .callback = note_result, .error_callback = note_failure, .context = all, .chunksize = 1};
    *all = (told){.length = 99};
    bt_ok(brood_pool_map_async(pool, function, numbers(n), &options, NULL));
    bt_ok(brood_pool_drain(pool, HANG));
}

/* However many items there are, and however many of them fail. */
static void test_a_map_calls_one_callback_once(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    told all;
    map_and_drain(pool, square, 50, &all);
    assert_int_equal(all.results, 1);
    assert_int_equal(all.length, 50);
    assert_int_equal(all.failures, 0);
    map_and_drain(pool, fail_odd, 50, &all);
    assert_int_equal(all.results, 0);
    assert_int_equal(all.failures, 1);
    assert_int_equal(all.status, BROOD_ETASK);
    map_and_drain(pool, square, 0, &all);
    assert_int_equal(all.results, 1);
    assert_int_equal(all.length, 0);
    assert_int_equal(all.failures, 0);
    end_pool(pool);
}

/* ---- iterations ---- */

static void test_the_time_of_next_is_that_of_the_call(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    holder h = start_holder(pool, NULL);
    brood_imap *results;
    brood_value value;
    bt_ok(brood_pool_imap(pool, square, numbers(2), NULL, &results));
    for (int i = 0; i < 2; i++) /* a time-out ends nothing */
        bt_fails(brood_imap_next(results, &value, 10), BROOD_ETIMEDOUT);
    bt_fails(brood_imap_next(results, &value, 0), BROOD_ETIMEDOUT);
    let_go(&h);
    for (int i = 0; i < 2; i++) {
        bt_ok(brood_imap_next(results, &value, HANG));
        assert_int_equal(int_of(&value), i * i);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(brood_imap_next(results, &value, HANG), BROOD_EEOF);
    end_holder(&h);
    end_pool(pool);
    assert_int_equal(brood_imap_next(results, &value, HANG), BROOD_EEOF); /* it outlives its pool */
    brood_imap_destroy(results);
}

/* ---- after the end ---- */

static void expect_refusal(brood_pool *pool, const char *why)
{
    brood_value value;
    brood_future *future;
    brood_imap *results;
    bt_fails(brood_pool_apply(pool, square, brood_pack("(i)", 3), NULL, &value), BROOD_ESTATE);
    bt_message_has(why);
    bt_fails(brood_pool_apply_async(pool, square, brood_pack("(i)", 3), NULL, &future),
             BROOD_ESTATE);
    bt_message_has(why);
    bt_fails(brood_pool_map(pool, square, numbers(3), NULL, &value), BROOD_ESTATE);
    bt_message_has(why);
    bt_fails(brood_pool_map_async(pool, square, numbers(3), NULL, &future), BROOD_ESTATE);
    bt_message_has(why);
    bt_fails(brood_pool_imap(pool, square, numbers(3), NULL, &results), BROOD_ESTATE);
    bt_message_has(why);
    bt_fails(brood_pool_resize(pool, 2), BROOD_ESTATE);
}

static void test_nothing_begins_after_the_end(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    holder h = start_holder(pool, NULL);
    brood_future *queued = submit_square(pool, 3);
    brood_value value;
    bt_fails(brood_pool_join(pool, 0), BROOD_ESTATE); /* still open */
    for (int i = 0; i < 2; i++) {
        bt_ok(brood_pool_close(pool));
        expect_refusal(pool, "closed");
    }
    bt_fails(brood_pool_join(pool, 20), BROOD_ETIMEDOUT);
    let_go(&h);
    for (int i = 0; i < 2; i++)
        bt_ok(brood_pool_join(pool, HANG));
    bt_ok(brood_future_take(queued, &value, 0)); /* what was submitted before has ended well */
    assert_int_equal(int_of(&value), 9);
    for (int i = 0; i < 2; i++) {
        bt_ok(brood_pool_terminate(pool));
        bt_ok(brood_pool_close(pool)); /* it stays terminated */
        expect_refusal(pool, "terminated");
        bt_ok(brood_pool_join(pool, HANG));
    }
    brood_future_destroy(queued);
    end_holder(&h);
    brood_pool_destroy(pool);
}

static void test_a_place_that_is_null_is_refused(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_imap *results;
    brood_future *future = submit_square(pool, 3);
    bt_ok(brood_future_wait(future, HANG));
    bt_fails(brood_pool_create(NULL, NULL), BROOD_EINVALID);
    bt_fails(brood_executor_create(NULL, NULL), BROOD_EINVALID);
    bt_fails(brood_pool_apply(pool, square, brood_pack("(i)", 3), NULL, NULL), BROOD_EINVALID);
    bt_fails(brood_pool_map(pool, square, numbers(1), NULL, NULL), BROOD_EINVALID);
    bt_fails(brood_pool_imap(pool, square, numbers(1), NULL, NULL), BROOD_EINVALID);
    bt_fails(brood_pool_failure(pool, NULL), BROOD_EINVALID);
    bt_fails(brood_future_get(future, NULL, 0), BROOD_EINVALID);
    bt_fails(brood_future_take(future, NULL, 0), BROOD_EINVALID);
    bt_fails(brood_future_failure(future, NULL, 0), BROOD_EINVALID);
    bt_ok(brood_pool_imap(pool, square, numbers(1), NULL, &results));
    bt_fails(brood_imap_next(results, NULL, HANG), BROOD_EINVALID);
    brood_imap_destroy(results);
    brood_future_destroy(future);
    end_pool(pool);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_with_nothing_to_wait_for_nothing_waits),
                   bt_test(test_what_has_ended_comes_first_and_once_for_each_time),
                   bt_test(test_a_cancelled_future_stays_so),
                   bt_test(test_callbacks_come_in_order_and_at_once_after_the_end),
                   bt_test(test_a_map_calls_one_callback_once),
                   bt_test(test_the_time_of_next_is_that_of_the_call),
                   bt_test(test_nothing_begins_after_the_end),
                   bt_test(test_a_place_that_is_null_is_refused));
}
