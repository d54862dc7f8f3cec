/* brood-test: start-methods */
/* What a task can be told: retries, deadlines, cancelling, priorities. */
#include "pools.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "core/killpoint.h"
#include "core/thread.h"
#include "platform/child.h"
#include "pool/pool.h"

/* (deaths): dies in its first attempts, then gives the attempt's number. */
static brood_status die_at_first(brood_call *call)
{
    int64_t deaths;
    BROOD_TRY(brood_call_args(call, "l", &deaths));
    if (brood_call_attempt(call) <= deaths)
        brp_kill_self();
    return brood_call_return(call, brood_int(brood_call_attempt(call)));
}

/* ---- retries ---- */

static void test_a_task_whose_worker_died_is_tried_again(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_value result;
    brood_apply_options twice = {.policy = {.retries = 2, .backoff = 1}};
    bt_ok(brood_pool_apply(pool, die_at_first, brood_pack("(i)", 2), &twice, &result));
    assert_int_equal(int_of(&result), 3);
    brood_pool_stats stats;
    bt_ok(brood_pool_get_stats(pool, &stats, NULL, 0, NULL));
    assert_int_equal(stats.retries, 2);
    assert_int_equal(stats.deaths, 2);
    end_pool(pool);
}

static void test_a_task_that_kills_three_workers_is_given_up(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_value result;
    brood_apply_options many = {.policy = {.retries = 50}};
    bt_fails(brood_pool_apply(pool, die_at_first, brood_pack("(i)", 50), &many, &result),
             BROOD_EWORKERDIED);
    bt_message_has("the 3rd that died with it; it is not tried again");
    bt_ok(brood_pool_apply(pool, square, brood_pack("(i)", 3), NULL, &result));
    end_pool(pool);
}

static void test_a_failed_task_is_tried_again_if_asked(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value result;
    brood_apply_options options = {.policy = {.retries = 5, .retry_failures = true}};
    bt_ok(brood_pool_apply(pool, fail_at_first, brood_pack("(i)", 4), &options, &result));
    assert_int_equal(int_of(&result), 5);
    bt_fails(brood_pool_apply(pool, fail_at_first, brood_pack("(i)", 9), &options, &result),
             BROOD_ETASK);
    bt_message_has("attempt 6");
    options.policy.retry_failures = false;
    bt_fails(brood_pool_apply(pool, fail_at_first, brood_pack("(i)", 1), &options, &result),
             BROOD_ETASK);
    end_pool(pool);
}

/* Whatever the chunks: the others in it do not count that death, and are run once. */
static void test_each_item_of_a_map_is_tried_again_by_itself(void **state)
{
    (void)state;
    enum { N = 24 };
    brood_pool *pool = make_pool(2);
    brood_value results, value;
    brood_imap *iteration;
    for (size_t chunk = 0; chunk <= N; chunk += 8) {
        brood_value items = brood_list();
        for (int i = 0; i < N; i++)
            bt_ok(brood_append(&items, brood_int(i == 7 ? 2 : i == 8 ? 1 : 0)));
        brood_map_options options = {.chunksize = chunk, .policy.retries = 2};
        bt_ok(brood_pool_map(pool, die_at_first, items, &options, &results));
        for (size_t i = 0; i < N; i++)
            assert_int_equal(int_of(brood_item(&results, i)), i == 7 ? 3 : i == 8 ? 2 : 1);
        brood_value_clear(&results);
    }
    brood_map_options options = {.chunksize = 5, .policy = {.retries = 1, .retry_failures = true}};
    bt_ok(brood_pool_imap(pool, fail_at_first, brood_pack("[iiii]", 0, 1, 2, 0), &options,
                          &iteration));
    for (int i = 0; i < 4; i++)
        if (i == 2) {
            bt_fails(brood_imap_next(iteration, &value, HANG), BROOD_ETASK);
        } else {
            bt_ok(brood_imap_next(iteration, &value, HANG));
            assert_int_equal(int_of(&value), i == 1 ? 2 : 1);
        }
    brood_imap_destroy(iteration);
    end_pool(pool);
}

/* Runs for ever if it is told so, gives its number else. */
static brood_status hang_if_negative(brood_call *call)
{
    int64_t number;
    BROOD_TRY(brood_call_args(call, "l", &number));
    while (number < 0)
        brood_sleep(100);
    return brood_call_return(call, brood_int(number));
}

static void test_deadlines_are_those_of_each_item(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value results, items = numbers(10);
    brood_map_options options = {.chunksize = 5, .keep_errors = true, .policy.hard_deadline = 1500};
    bt_ok(brood_set_item(&items, 3, brood_int(-1)));
    bt_ok(brood_pool_map(pool, hang_if_negative, items, &options, &results));
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(brood_value_kind(brood_item(&results, i)),
                         i == 3 ? BROOD_ERROR : BROOD_INT);
    brood_value_clear(&results);
    end_pool(pool);
}

/* (told): tells, and fails when it is asked to stop. */
static brood_status fail_when_asked(brood_call *call)
{
    const brood_value *first;
    brood_queue *told;
    BROOD_TRY(brood_call_args(call, "v", &first));
    BROOD_TRY(brood_get_queue(first, &told));
    BROOD_TRY(brood_queue_put(told, brood_none(), HANG));
    while (!brood_call_should_stop(call))
        brood_sleep(1);
    return brood_call_raise(call, "RuntimeError", "attempt %d", brood_call_attempt(call));
}

static void test_a_task_that_was_asked_to_stop_is_not_tried_again(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_queue *told;
    brood_future *future;
    brood_value value;
    bt_ok(brood_queue_create(&told, NULL));
    brood_apply_options options = {.policy = {.retries = 3, .retry_failures = true}};
    bt_ok(brood_pool_apply_async(pool, fail_when_asked, brood_pack("(v)", brood_queue_value(told)),
                                 &options, &future));
    bt_ok(brood_queue_get(told, &value, HANG));
    bt_ok(brood_future_cancel(future, BROOD_CANCEL_ASK, NULL));
    bt_fails(brood_future_take(future, &value, HANG), BROOD_ETASK);
    bt_message_has("attempt 1");
    brood_future_destroy(future);
    end_pool(pool);
    brood_queue_destroy(told);
}

static void test_the_time_before_a_retry_grows(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value result;
    brood_apply_options options = {.policy = {.retries = 3, .retry_failures = true, .backoff = 20}};
    brood_ms begin = brood_now();
    bt_ok(brood_pool_apply(pool, fail_at_first, brood_pack("(i)", 3), &options, &result));
    assert_true(brood_now() - begin >= 20 + 40 + 80);
    end_pool(pool);
}

/* ---- deadlines ---- */

/* Until it is told to stop. */
static brood_status work_on(brood_call *call)
{
    brood_ms begin = brood_now();
    bool had_time = brood_call_time_left(call) != BROOD_FOREVER;
    while (!brood_call_should_stop(call) && brood_now() - begin < HANG)
        brood_sleep(1);
    return brood_call_return(call, brood_bool(had_time));
}

static void test_a_task_is_told_of_its_soft_deadline(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value result;
    bool had_time;
    brood_ms begin = brood_now();
    brood_apply_options options = {.policy.soft_deadline = 50};
    bt_ok(brood_pool_apply(pool, work_on, (brood_value){0}, &options, &result));
    bt_ok(brood_get_bool(&result, &had_time));
    assert_true(had_time);
    assert_true(brood_now() - begin >= 50 && brood_now() - begin < HANG);
    end_pool(pool);
}

static brood_status sleep_long(brood_call *call)
{
    (void)call;
    brood_sleep(3600 * 1000);
    return BROOD_OK;
}

static void test_the_hard_deadline_kills(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_future *future;
    brood_failure failure;
    brood_value result;
    brood_apply_options options = {.policy = {.hard_deadline = 100, .retries = 5}};
    bt_ok(brood_pool_apply_async(pool, sleep_long, (brood_value){0}, &options, &future));
    bt_ok(brood_future_failure(future, &failure, HANG));
    assert_string_equal(failure.kind, "TimeoutError");
    assert_int_equal(failure.exitcode, -9);
    assert_true(bt_is_gone(failure.pid, HANG));
    brood_future_destroy(future);
    for (int i = 0; i < 10; i++)
        bt_ok(brood_pool_apply(pool, square, brood_pack("(i)", i), &options, &result));
    brood_pool_stats stats;
    bt_ok(brood_pool_get_stats(pool, &stats, NULL, 0, NULL));
    assert_int_equal(stats.deaths, 0); /* it was told to end */
    end_pool(pool);
}

static brood_status stop_itself(brood_call *call)
{
#ifdef SIGSTOP
    raise(SIGSTOP);
#endif
    (void)call;
    return BROOD_OK;
}

static void test_a_stopped_worker_meets_its_hard_deadline(void **state)
{
    (void)state;
    if (bt_is_windows())
        bt_skip("processes cannot be stopped there");
    brood_pool *pool = make_pool(2);
    brood_value result;
    brood_apply_options options = {.policy.hard_deadline = 1500};
    bt_fails(brood_pool_apply(pool, stop_itself, (brood_value){0}, &options, &result), BROOD_ETASK);
    bt_message_has("TimeoutError");
    end_pool(pool);
}

/* ---- cancelling ---- */

static void test_a_queued_task_can_be_cancelled(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    holder h = start_holder(pool, NULL);
    brood_future *futures[2000];
    brood_cancel_answer answer;
    brood_value result;
    for (int i = 0; i < 2000; i++) /* more than there are slots */
        bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", i), NULL, &futures[i]));
    for (int i = 0; i < 2000; i += 2) {
        bt_ok(brood_future_cancel(futures[i], BROOD_CANCEL_QUEUED, &answer));
        assert_int_equal(answer, BROOD_CANCEL_DONE);
        assert_true(brood_future_is_cancelled(futures[i]));
    }
    bt_ok(brood_future_cancel(h.future, BROOD_CANCEL_QUEUED, &answer));
    assert_int_equal(answer, BROOD_CANCEL_TOO_LATE);
    let_go(&h);
    for (int i = 0; i < 2000; i++) {
        bt_fails(brood_future_take(futures[i], &result, HANG),
                 i % 2 == 0 ? BROOD_ECANCELLED : BROOD_OK);
        brood_future_destroy(futures[i]);
    }
    end_holder(&h);
    end_pool(pool);
}

/* (told): tells that it runs, then works until it is told to stop. */
static brood_status tell_and_work_on(brood_call *call)
{
    const brood_value *value;
    brood_queue *told;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_queue(value, &told));
    BROOD_TRY(brood_queue_put(told, brood_none(), HANG));
    return work_on(call);
}

static void test_a_running_task_can_be_asked_to_stop(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_queue *told;
    brood_future *future;
    brood_cancel_answer answer;
    brood_value value;
    bt_ok(brood_queue_create(&told, NULL));
    bt_ok(brood_pool_apply_async(pool, tell_and_work_on, brood_pack("(v)", brood_queue_value(told)),
                                 NULL, &future));
    bt_ok(brood_queue_get(told, &value, HANG));
    bt_ok(brood_future_cancel(future, BROOD_CANCEL_ASK, &answer));
    assert_int_equal(answer, BROOD_CANCEL_ASKED);
    bt_ok(brood_future_take(future, &value, HANG)); /* it was polite enough to end */
    bt_ok(brood_future_cancel(future, BROOD_CANCEL_ASK, &answer));
    assert_int_equal(answer, BROOD_CANCEL_TOO_LATE);
    brood_future_destroy(future);
    brood_queue_destroy(told);
    end_pool(pool);
}

static void test_a_running_task_can_be_killed(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value result;
    for (int i = 0; i < 5; i++) {
        holder h = start_holder(pool, &(brood_apply_options){.policy.retries = 3});
        brood_cancel_answer answer;
        bt_ok(brood_future_cancel(h.future, BROOD_CANCEL_KILL, &answer));
        assert_int_equal(answer, BROOD_CANCEL_ASKED);
        bt_fails(brood_future_take(h.future, &result, HANG), BROOD_ECANCELLED);
        assert_true(bt_is_gone(h.pid, HANG));
        end_holder(&h);
        bt_ok(brood_pool_apply(pool, square, brood_pack("(i)", 2), NULL, &result));
    }
    end_pool(pool);
}

/* The numbers of workers have 28 bits. */
static void test_a_task_can_be_killed_after_very_many_workers(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value result;
    holder first = start_holder(pool, NULL);
    pool->last_worker = (UINT32_C(1) << 28) - 2;
    bt_ok(brood_pool_resize(pool, 3));
    holder h[] = {start_holder(pool, NULL), start_holder(pool, NULL)};
    for (int i = 0; i < 2; i++) {
        bt_ok(brood_future_cancel(h[i].future, BROOD_CANCEL_KILL, NULL));
        bt_fails(brood_future_take(h[i].future, &result, HANG), BROOD_ECANCELLED);
        end_holder(&h[i]);
    }
    let_go(&first);
    bt_ok(brood_future_take(first.future, &result, HANG));
    end_holder(&first);
    end_pool(pool);
}

static brood_queue *noted; /* a message: go on */

static void wait_to_note(const char *point)
{
    brood_value word;
    if (strcmp(point, "pool-worker-started") == 0)
        bt_ok(brood_queue_get(noted, &word, HANG));
}

static void resize_to_two(void *context)
{
    (void)brood_pool_resize(context, 2);
}

static void test_a_task_can_be_killed_before_its_worker_counts_as_started(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    bri_thread *thread;
    brood_cancel_answer answer;
    brood_value result;
    holder first = start_holder(pool, NULL);
    bt_ok(brood_queue_create(&noted, NULL));
    bri_kill_watch(wait_to_note);
    bt_ok(bri_thread_start(&thread, resize_to_two, pool));
    holder second = start_holder(pool, NULL);
    bt_ok(brood_future_cancel(second.future, BROOD_CANCEL_KILL, &answer));
    assert_int_equal(answer, BROOD_CANCEL_ASKED);
    bri_kill_watch(NULL);
    bt_ok(brood_queue_put(noted, brood_none(), HANG));
    bt_fails(brood_future_take(second.future, &result, HANG), BROOD_ECANCELLED);
    assert_true(bt_is_gone(second.pid, HANG));
    bri_thread_join(thread);
    let_go(&first);
    bt_ok(brood_future_take(first.future, &result, HANG));
    end_holder(&second);
    end_holder(&first);
    brood_queue_destroy(noted);
    end_pool(pool);
}

/* (told, awaited): what keeps the thread that sees to results. */
static void hold_up(void *context, const brood_value *value)
{
    brood_queue **queues = context;
    brood_value got;
    (void)value;
    bt_ok(brood_queue_put(queues[0], brood_none(), HANG));
    bt_ok(brood_queue_get(queues[1], &got, HANG));
}

static bool none_is_in_hand(void *context)
{
    brood_pool_stats stats;
    bt_ok(brood_pool_get_stats(context, &stats, NULL, 0, NULL));
    return stats.queued == 0 && stats.in_hand == 0;
}

static void test_an_attempt_that_has_just_failed_is_the_last_when_cancelled(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_queue *queues[2];
    brood_value value;
    brood_pool_stats stats;
    for (int i = 0; i < 2; i++)
        bt_ok(brood_queue_create(&queues[i], NULL));
    for (int i = 0; i < 4; i++) {
        brood_apply_options held = {.callback = hold_up, .context = queues};
        brood_apply_options tried = {
            .policy = {.retries = i < 2 ? 2 : 0, .retry_failures = true, .backoff = 1}};
        brood_future *future;
        brood_cancel_answer answer;
        bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", 2), &held, NULL));
        bt_ok(brood_queue_get(queues[0], &value, HANG));
        bt_ok(brood_pool_apply_async(pool, fail_at_first, brood_pack("(i)", 1), &tried, &future));
        assert_true(bt_await(none_is_in_hand, pool, HANG));
        bt_ok(brood_future_cancel(future, i % 2 == 0 ? BROOD_CANCEL_ASK : BROOD_CANCEL_KILL,
                                  &answer));
        assert_int_equal(answer, i < 2 ? BROOD_CANCEL_ASKED : BROOD_CANCEL_TOO_LATE);
        bt_ok(brood_queue_put(queues[1], brood_none(), HANG));
        bt_fails(brood_future_take(future, &value, HANG), BROOD_ETASK);
        bt_message_has("attempt 1");
        brood_future_destroy(future);
    }
    bt_ok(brood_pool_get_stats(pool, &stats, NULL, 0, NULL));
    assert_int_equal(stats.retries, 0);
    end_pool(pool);
    for (int i = 0; i < 2; i++)
        brood_queue_destroy(queues[i]);
}

static void test_a_map_can_be_cancelled(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    for (brood_cancel_how how = BROOD_CANCEL_QUEUED; how <= BROOD_CANCEL_KILL; how++) {
        holder h[2] = {start_holder(pool, NULL), start_holder(pool, NULL)};
        brood_future *future;
        brood_value result;
        bt_ok(brood_pool_map_async(pool, square, numbers(3000),
                                   &(brood_map_options){.chunksize = 1}, &future));
        bt_ok(brood_future_cancel(future, how, NULL));
        bt_fails(brood_future_take(future, &result, HANG), BROOD_ECANCELLED);
        brood_future_destroy(future);
        for (int i = 0; i < 2; i++) {
            let_go(&h[i]);
            bt_ok(brood_future_wait(h[i].future, HANG));
            end_holder(&h[i]);
        }
    }
    end_pool(pool);
}

/* ---- priorities ---- */

typedef struct order {
    atomic_int n;
    char seen[40];
} order;

static void note_order(void *context, const brood_value *value)
{
    order *self = context;
    self->seen[atomic_fetch_add(&self->n, 1)] = (char)int_of(value);
}

static brood_status give_back(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "l", &n));
    return brood_call_return(call, brood_int(n));
}

static void test_priorities_decide_who_is_next(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    holder h = start_holder(pool, NULL);
    order seen = {0};
    static const char wanted[] = "HHHHHHHHHHNNNNNNNNNNLLLLLLLLLL";
    for (int i = 0; i < 30; i++) {
        int priority = i % 3 - 1;
        brood_apply_options options = {
            .callback = note_order, .context = &seen, .policy.priority = priority};
        bt_ok(brood_pool_apply_async(pool, give_back, brood_pack("(i)", "LNH"[i % 3]), &options,
                                     NULL));
    }
    let_go(&h);
    bt_ok(brood_pool_drain(pool, HANG));
    assert_string_equal(seen.seen, wanted);
    end_holder(&h);
    end_pool(pool);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_a_task_whose_worker_died_is_tried_again),
        bt_test(test_a_task_that_kills_three_workers_is_given_up),
        bt_test(test_a_failed_task_is_tried_again_if_asked),
        bt_test(test_each_item_of_a_map_is_tried_again_by_itself),
        bt_test(test_deadlines_are_those_of_each_item),
        bt_test(test_a_task_that_was_asked_to_stop_is_not_tried_again),
        bt_test(test_the_time_before_a_retry_grows),
        bt_test(test_a_task_is_told_of_its_soft_deadline), bt_test(test_the_hard_deadline_kills),
        bt_test(test_a_stopped_worker_meets_its_hard_deadline),
        bt_test(test_a_queued_task_can_be_cancelled),
        bt_test(test_a_running_task_can_be_asked_to_stop),
        bt_test(test_a_running_task_can_be_killed),
        bt_test(test_a_task_can_be_killed_after_very_many_workers),
        bt_test(test_a_task_can_be_killed_before_its_worker_counts_as_started),
        bt_test(test_an_attempt_that_has_just_failed_is_the_last_when_cancelled),
        bt_test(test_a_map_can_be_cancelled), bt_test(test_priorities_decide_who_is_next));
}
