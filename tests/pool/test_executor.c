/* brood-test: start-methods */
/* Executors: the same tests for every engine. */
#include "pools.h"

#include <stdatomic.h>

#include "core/thread.h"

static const char *engine; /* of the test that runs */

static brood_executor *make(int workers)
{
    brood_executor *executor;
    bt_ok(brood_executor_create(&executor,
                                &(brood_executor_options){.engine = engine, .workers = workers}));
    return executor;
}

/* (told, awaited): tells that it runs, then waits for a word or to be told to stop. */
static brood_status hold_or_stop(brood_call *call)
{
    const brood_value *first, *second;
    brood_queue *told, *awaited;
    brood_value got;
    BROOD_TRY(brood_call_args(call, "vv", &first, &second));
    BROOD_TRY(brood_get_queue(first, &told));
    BROOD_TRY(brood_get_queue(second, &awaited));
    BROOD_TRY(brood_queue_put(told, brood_none(), HANG));
    brood_status status;
    while ((status = brood_queue_get(awaited, &got, 5)) == BROOD_ETIMEDOUT)
        if (brood_call_should_stop(call))
            return brood_call_raise(call, "RuntimeError", "told to stop");
    BROOD_TRY(status);
    return brood_call_return(call, got);
}

static holder hold_worker(brood_executor *executor)
{
    holder h = {0};
    brood_value told;
    bt_ok(brood_queue_create(&h.told, NULL));
    bt_ok(brood_queue_create(&h.awaited, NULL));
    bt_ok(brood_executor_submit(
        executor, hold_or_stop,
        brood_pack("(vv)", brood_queue_value(h.told), brood_queue_value(h.awaited)), NULL,
        &h.future));
    bt_ok(brood_queue_get(h.told, &told, HANG));
    return h;
}

/* ---- the tests ---- */

static void submitted_calls_give_results(void)
{
    brood_executor *executor = make(2);
    brood_future *futures[500];
    brood_value result;
    for (int i = 0; i < 500; i++)
        bt_ok(brood_executor_submit(executor, square, brood_pack("(i)", i), NULL, &futures[i]));
    for (int i = 0; i < 500; i++) {
        bt_ok(brood_future_take(futures[i], &result, HANG));
        assert_int_equal(int_of(&result), (int64_t)i * i);
        brood_future_destroy(futures[i]);
    }
    bt_fails(brood_executor_submit(executor, NULL, (brood_value){0}, NULL, NULL), BROOD_EINVALID);
    bt_fails(brood_executor_submit(executor, square, brood_int(1), NULL, NULL), BROOD_ETYPE);
    bt_fails(brood_executor_submit(NULL, square, brood_list(), NULL, NULL), BROOD_EINVALID);
    brood_executor_destroy(executor);
}

static void failures_are_described(void)
{
    brood_executor *executor = make(1);
    brood_future *future;
    brood_failure failure;
    brood_value result;
    bt_ok(brood_executor_submit(executor, fail_odd, brood_pack("(i)", 3), NULL, &future));
    bt_fails(brood_future_take(future, &result, HANG), BROOD_ETASK);
    bt_ok(brood_future_failure(future, &failure, 0));
    assert_string_equal(failure.kind, "ValueError");
    assert_string_equal(failure.message, "3 is odd");
    assert_int_equal(failure.pid == brp_pid(), strcmp(engine, "threads") == 0);
    brood_future_destroy(future);
    brood_executor_destroy(executor);
}

static void queued_tasks_are_cancelled(void)
{
    brood_executor *executor = make(1);
    holder h = hold_worker(executor);
    brood_future *queued;
    brood_cancel_answer answer;
    brood_value result;
    bt_ok(brood_executor_submit(executor, square, brood_pack("(i)", 3), NULL, &queued));
    assert_true(brood_future_is_running(h.future) && !brood_future_is_running(queued));
    bt_ok(brood_future_cancel(queued, BROOD_CANCEL_QUEUED, &answer));
    assert_int_equal(answer, BROOD_CANCEL_DONE);
    bt_fails(brood_future_take(queued, &result, 0), BROOD_ECANCELLED);
    bt_ok(brood_future_cancel(h.future, BROOD_CANCEL_QUEUED, &answer));
    assert_int_equal(answer, BROOD_CANCEL_TOO_LATE);
    bt_ok(brood_future_cancel(h.future, BROOD_CANCEL_ASK, &answer));
    assert_int_equal(answer, BROOD_CANCEL_ASKED);
    bt_fails(brood_future_take(h.future, &result, HANG), BROOD_ETASK);
    bt_message_has("told to stop");
    brood_future_destroy(queued);
    end_holder(&h);
    brood_executor_destroy(executor);
}

static void count_call(void *context, brood_future *future)
{
    if (brood_future_is_done(future))
        atomic_fetch_add((atomic_int *)context, 1);
}

static void callbacks_are_called(void)
{
    brood_executor *executor = make(2);
    atomic_int n = 0;
    brood_future *futures[50];
    for (int i = 0; i < 50; i++) {
        bt_ok(brood_executor_submit(executor, fail_odd, brood_pack("(i)", i), NULL, &futures[i]));
        bt_ok(brood_future_add_callback(futures[i], count_call, &n));
    }
    bt_ok(brood_executor_shutdown(executor, BROOD_SHUTDOWN_WAIT));
    assert_int_equal(n, 50);
    for (int i = 0; i < 50; i++)
        brood_future_destroy(futures[i]);
    bt_fails(brood_executor_submit(executor, square, brood_pack("(i)", 1), NULL, NULL),
             BROOD_ESTATE);
    brood_executor_destroy(executor);
}

static void shutdown_cancels_what_is_queued(void)
{
    brood_executor *executor = make(1);
    holder h = hold_worker(executor);
    brood_future *queued[20];
    brood_value result;
    for (int i = 0; i < 20; i++)
        bt_ok(brood_executor_submit(executor, square, brood_pack("(i)", i), NULL, &queued[i]));
    bt_ok(brood_executor_shutdown(executor, BROOD_SHUTDOWN_CANCEL));
    for (int i = 0; i < 20; i++) {
        bt_fails(brood_future_take(queued[i], &result, 0), BROOD_ECANCELLED);
        brood_future_destroy(queued[i]);
    }
    let_go(&h);
    bt_ok(brood_executor_shutdown(executor, BROOD_SHUTDOWN_WAIT));
    bt_ok(brood_future_take(h.future, &result, 0));
    end_holder(&h);
    brood_executor_destroy(executor);
}

typedef struct counter {
    int given, n;
} counter;

static brood_status count_on(void *context, brood_value *item)
{
    counter *self = context;
    if (self->given == self->n)
        return BROOD_EEOF;
    *item = brood_int(self->given++);
    return BROOD_OK;
}

static void map_keeps_the_order(void)
{
    brood_executor *executor = make(2);
    brood_results *results;
    brood_value value;
    bt_ok(brood_executor_map(executor, square, numbers(300), NULL, &results));
    for (int64_t i = 0; i < 300; i++) {
        bt_ok(brood_results_next(results, &value));
        assert_int_equal(int_of(&value), i * i);
    }
    assert_int_equal(brood_results_next(results, &value), BROOD_EEOF);
    brood_results_destroy(results);
    counter lazy = {.n = 100};
    brood_executor_map_options options = {.generator = count_on, .context = &lazy, .buffersize = 5};
    bt_ok(brood_executor_map(executor, fail_odd, (brood_value){0}, &options, &results));
    for (int64_t i = 0; i < 100; i++) {
        brood_failure failure;
        brood_status status = brood_results_next(results, &value);
        assert_int_equal(status, i % 2 == 1 ? BROOD_ETASK : BROOD_OK);
        if (status != BROOD_OK) {
            bt_ok(brood_results_failure(results, &failure));
            bt_fails(brood_results_failure(NULL, &failure), BROOD_EINVALID);
            assert_string_equal(failure.kind, "ValueError");
        }
        assert_in_range(lazy.given, i + 1, i + 6);
    }
    assert_int_equal(brood_results_next(results, &value), BROOD_EEOF);
    brood_results_destroy(results);
    bt_ok(brood_executor_map(executor, square, numbers(300), NULL, &results));
    brood_results_destroy(results); /* dropped */
    bt_fails(brood_executor_map(executor, square, brood_int(1), NULL, &results), BROOD_ETYPE);
    brood_executor_destroy(executor);
}

static void map_has_a_time_limit(void)
{
    brood_executor *executor = make(1);
    holder h = hold_worker(executor);
    brood_results *results;
    brood_value value;
    bt_ok(brood_executor_map(executor, square, numbers(3),
                             &(brood_executor_map_options){.timeout = 30}, &results));
    assert_int_equal(brood_results_next(results, &value), BROOD_ETIMEDOUT);
    brood_results_destroy(results);
    let_go(&h);
    bt_ok(brood_future_wait(h.future, HANG));
    end_holder(&h);
    brood_executor_destroy(executor);
}

/* The time is up at once, so each call of next only looks: a result that ends between its look and
 * its answer must not be lost. */
static void no_result_is_lost_to_the_time_limit(void)
{
    enum { N = 3000 };
    brood_executor *executor = make(1);
    brood_results *results;
    brood_value value;
    brood_status status;
    int64_t n = 0;
    brood_ms end = brood_now() + HANG;
    bt_ok(brood_executor_map(executor, square, numbers(N),
                             &(brood_executor_map_options){.timeout = 1}, &results));
    while ((status = brood_results_next(results, &value)) != BROOD_EEOF && brood_now() < end)
        if (status == BROOD_OK) {
            assert_int_equal(int_of(&value), n * n);
            n++;
        } else {
            assert_int_equal(status, BROOD_ETIMEDOUT);
        }
    assert_int_equal(n, N);
    brood_results_destroy(results);
    brood_executor_destroy(executor);
}

static brood_status refuse_to_begin(brood_call *call)
{
    return brood_call_raise(call, "ImportError", "not today");
}

static void a_failing_initializer_breaks_it(void)
{
    brood_executor *executor;
    brood_value result;
    brood_future *future;
    brood_executor_options options = {
        .engine = engine, .workers = 1, .initializer = refuse_to_begin};
    bt_ok(brood_executor_create(&executor, &options));
    brood_status status =
        brood_executor_submit(executor, square, brood_pack("(i)", 1), NULL, &future);
    if (status == BROOD_OK) {
        status = brood_future_take(future, &result, HANG);
        brood_future_destroy(future);
    }
    assert_int_equal(status, BROOD_EBROKEN);
    bt_message_has("ImportError: not today");
    brood_executor_destroy(executor);
}

static void later_futures_complete_first(void)
{
    brood_executor *executor = make(2);
    holder h = hold_worker(executor);
    brood_future *futures[3] = {h.future}, *next;
    brood_completed *completed;
    for (int i = 1; i < 3; i++)
        bt_ok(brood_executor_submit(executor, square, brood_pack("(i)", i), NULL, &futures[i]));
    bt_ok(brood_as_completed(&completed, futures, 3));
    for (int i = 0; i < 2; i++) {
        bt_ok(brood_completed_next(completed, &next, HANG));
        assert_true(next != h.future);
    }
    size_t n;
    assert_int_equal(brood_wait_futures(futures, 3, BROOD_WAIT_ALL, 10, &n), BROOD_ETIMEDOUT);
    assert_int_equal(n, 2);
    let_go(&h);
    bt_ok(brood_completed_next(completed, &next, HANG));
    assert_ptr_equal(next, h.future);
    brood_completed_destroy(completed);
    brood_future_destroy(futures[1]);
    brood_future_destroy(futures[2]);
    end_holder(&h);
    brood_executor_destroy(executor);
}

typedef struct retried {
    brood_executor *executor;
    brood_apply_options options;
} retried;

static brood_future *submit_failing(const retried *what, int failures)
{
    brood_future *future;
    bt_ok(brood_executor_submit(what->executor, fail_at_first, brood_pack("(i)", failures),
                                &what->options, &future));
    return future;
}

static bool was_cancelled(void *context)
{
    brood_cancel_answer answer = BROOD_CANCEL_TOO_LATE;
    bt_ok(brood_future_cancel(context, BROOD_CANCEL_QUEUED, &answer));
    return answer == BROOD_CANCEL_DONE;
}

static void failed_calls_are_tried_again(void)
{
    retried what = {.executor = make(2),
                    .options.policy = {.retries = 2, .retry_failures = true, .backoff = 5}};
    brood_value value;
    brood_future *good = submit_failing(&what, 2), *bad = submit_failing(&what, 9);
    bt_ok(brood_future_take(good, &value, HANG));
    assert_int_equal(int_of(&value), 3);
    bt_fails(brood_future_take(bad, &value, HANG), BROOD_ETASK);
    bt_message_has("attempt 3");
    brood_future_destroy(good);
    brood_future_destroy(bad);
    what.options.policy.retry_failures = false; /* of a call that failed it knows better */
    bad = submit_failing(&what, 9);
    bt_fails(brood_future_take(bad, &value, HANG), BROOD_ETASK);
    bt_message_has("attempt 1");
    brood_future_destroy(bad);
    brood_executor_destroy(what.executor);
}

static void a_call_that_waits_for_its_next_attempt(void)
{
    retried what = {.executor = make(1),
                    .options.policy = {.retries = 2, .retry_failures = true, .backoff = 3 * HANG}};
    brood_value value;
    brood_future *given_up = submit_failing(&what, 1), *other = submit_failing(&what, 0);
    bt_ok(brood_future_take(other, &value, HANG)); /* nobody waits behind it */
    brood_future_destroy(other);
    assert_true(bt_await(was_cancelled, given_up, HANG));
    brood_future_destroy(given_up);
    what.options.policy.backoff = 200;
    brood_future *awaited = submit_failing(&what, 1);
    bt_ok(brood_executor_shutdown(what.executor, BROOD_SHUTDOWN_WAIT));
    bt_ok(brood_future_take(awaited, &value, 0));
    assert_int_equal(int_of(&value), 2);
    brood_future_destroy(awaited);
    brood_executor_destroy(what.executor);
    what.executor = make(1);
    what.options.policy.backoff = 3 * HANG;
    given_up = submit_failing(&what, 1);
    for (int i = 0; i < 2; i++) { /* the first may end in one round with the attempt */
        other = submit_failing(&what, 0);
        bt_ok(brood_future_wait(other, HANG));
        brood_future_destroy(other);
    }
    bt_ok(brood_executor_shutdown(what.executor, BROOD_SHUTDOWN_WAIT | BROOD_SHUTDOWN_CANCEL));
    bt_fails(brood_future_take(given_up, &value, 0), BROOD_ECANCELLED);
    brood_future_destroy(given_up);
    brood_executor_destroy(what.executor);
}

#define EACH(name)                                  \
    static void test_processes_##name(void **state) \
    {                                               \
        (void)state;                                \
        engine = "processes";                       \
        name();                                     \
    }                                               \
    static void test_threads_##name(void **state)   \
    {                                               \
        (void)state;                                \
        engine = "threads";                         \
        name();                                     \
    }
#define BOTH(name) bt_test(test_processes_##name), bt_test(test_threads_##name)

static void wait_for_end(void *executor)
{
    bt_ok(brood_executor_shutdown(executor, BROOD_SHUTDOWN_WAIT));
}

static void several_threads_wait_for_the_end(void)
{
    enum { WAITERS = 4 };
    for (int round = 0; round < 10; round++) {
        brood_executor *executor = make(2);
        holder h = hold_worker(executor);
        bri_thread *waiters[WAITERS];
        brood_value result;
        for (int i = 0; i < WAITERS; i++)
            bt_ok(bri_thread_start(&waiters[i], wait_for_end, executor));
        let_go(&h);
        for (int i = 0; i < WAITERS; i++)
            bri_thread_join(waiters[i]);
        bt_ok(brood_future_take(h.future, &result, 0));
        end_holder(&h);
        brood_executor_destroy(executor);
    }
}

static void what_could_not_be_made_is_refused(void)
{
    brood_executor *executor = make(1), *other;
    brood_apply_options options = {.kwargs = brood_str("\xff")};
    bt_fails(brood_executor_submit(executor, square, brood_str("\xff"), NULL, NULL), BROOD_EFORMAT);
    bt_fails(brood_executor_submit(executor, square, (brood_value){0}, &options, NULL),
             BROOD_EFORMAT);
    brood_executor_destroy(executor);
    brood_executor_options broken = {
        .engine = engine, .workers = 1, .initializer = square, .initargs = brood_str("\xff")};
    bt_fails(brood_executor_create(&other, &broken), BROOD_EFORMAT);
}

EACH(submitted_calls_give_results)
EACH(what_could_not_be_made_is_refused)
EACH(failures_are_described)
EACH(queued_tasks_are_cancelled)
EACH(callbacks_are_called)
EACH(shutdown_cancels_what_is_queued)
EACH(several_threads_wait_for_the_end)
EACH(map_keeps_the_order)
EACH(map_has_a_time_limit)
EACH(no_result_is_lost_to_the_time_limit)
EACH(a_failing_initializer_breaks_it)
EACH(later_futures_complete_first)
EACH(failed_calls_are_tried_again)
EACH(a_call_that_waits_for_its_next_attempt)

static void test_the_engines_have_names(void **state)
{
    (void)state;
    brood_executor *executor;
    const char *const *names = brood_executor_engines();
    assert_string_equal(names[0], "processes");
    assert_string_equal(names[1], "threads");
    assert_null(names[2]);
    bt_fails(brood_executor_create(&executor, &(brood_executor_options){.engine = "steam"}),
             BROOD_ENOTFOUND);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_the_engines_have_names),
                   BOTH(submitted_calls_give_results), BOTH(what_could_not_be_made_is_refused),
                   BOTH(failures_are_described), BOTH(queued_tasks_are_cancelled),
                   BOTH(callbacks_are_called), BOTH(shutdown_cancels_what_is_queued),
                   BOTH(several_threads_wait_for_the_end), BOTH(map_keeps_the_order),
                   BOTH(map_has_a_time_limit), BOTH(no_result_is_lost_to_the_time_limit),
                   BOTH(a_failing_initializer_breaks_it), BOTH(later_futures_complete_first),
                   BOTH(failed_calls_are_tried_again),
                   BOTH(a_call_that_waits_for_its_next_attempt));
}
