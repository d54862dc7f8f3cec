/* brood-test: start-methods */
/* Calls that are not waited for: futures, callbacks, maps, iterations. */
#include "pools.h"

#include <stdatomic.h>

#include "core/thread.h"

/* (a, b=10) */
static brood_status subtract(brood_call *call)
{
    const brood_value *args = brood_call_arguments(call), *keywords = brood_call_keywords(call);
    int64_t a = 0, b = 10;
    if (brood_value_length(args) > 0)
        BROOD_TRY(brood_get_int(brood_item(args, 0), &a));
    if (brood_value_length(args) > 1)
        BROOD_TRY(brood_get_int(brood_item(args, 1), &b));
    const brood_value *named = brood_dict_get_str(keywords, "b");
    if (named != NULL)
        BROOD_TRY(brood_get_int(named, &b));
    return brood_call_return(call, brood_int(a - b));
}

static brood_status refuse(brood_call *call)
{
    return brood_call_raise(call, "ValueError", "no");
}

static brood_status fail_odd(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "l", &n));
    if (n % 2 == 1)
        return brood_call_raise(call, "ValueError", "%d is odd", (int)n);
    return brood_call_return(call, brood_int(n));
}

typedef struct holder {
    brood_queue *told, *awaited;
    brood_future *future;
} holder;

static holder start_holder(brood_pool *pool)
{
    holder h = {0};
    bt_ok(brood_queue_create(&h.told, NULL));
    bt_ok(brood_queue_create(&h.awaited, NULL));
    bt_ok(brood_pool_apply_async(
        pool, hold, brood_pack("(vv)", brood_queue_value(h.told), brood_queue_value(h.awaited)),
        NULL, &h.future));
    return h;
}

static void await_holder(holder *h)
{
    brood_value told;
    bt_ok(brood_queue_get(h->told, &told, HANG));
}

static void let_go(holder *h)
{
    bt_ok(brood_queue_put(h->awaited, brood_int(7), HANG));
}

static void end_holder(holder *h)
{
    brood_future_destroy(h->future);
    brood_queue_destroy(h->told);
    brood_queue_destroy(h->awaited);
}

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
    holder h = start_holder(pool);
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
    holder h = start_holder(pool);
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

/* ---- callbacks ---- */

typedef struct told {
    brood_pool *pool;
    atomic_int values, failures, sum, submitted;
    int64_t pid;
    uint64_t thread;
    brood_status nested, waited;
} told;

static void note_value(void *context, const brood_value *value)
{
    told *self = context;
    self->pid = brp_pid();
    self->thread = brp_thread_id();
    atomic_fetch_add(&self->sum, (int)int_of(value));
    atomic_fetch_add(&self->values, 1);
}

static void note_failure(void *context, brood_status status, const brood_failure *failure)
{
    told *self = context;
    if (status == BROOD_ETASK && strcmp(failure->kind, "ValueError") == 0 &&
        strcmp(failure->message, "no") == 0)
        atomic_fetch_add(&self->failures, 1);
}

static void test_callbacks_run_here_on_one_thread(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    told self = {.pool = pool};
    brood_apply_options options = {
        .callback = note_value, .error_callback = note_failure, .context = &self};
    for (int i = 0; i < 100; i++)
        bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", i), &options, NULL));
    for (int i = 0; i < 10; i++)
        bt_ok(brood_pool_apply_async(pool, refuse, (brood_value){0}, &options, NULL));
    end_pool(pool); /* when it has ended, all were called */
    assert_int_equal(self.values, 100);
    assert_int_equal(self.failures, 10);
    assert_int_equal(self.sum, 328350);
    assert_int_equal(self.pid, brp_pid());
    assert_true(self.thread != brp_thread_id());
}

static void submit_more(void *context, const brood_value *value)
{
    told *self = context;
    brood_value result;
    brood_apply_options options = {.callback = submit_more, .context = self};
    int64_t n = int_of(value);
    atomic_fetch_add(&self->values, 1);
    if (n < 50)
        self->nested = brood_pool_apply_async(self->pool, subtract,
                                              brood_pack("(ll)", n, (int64_t)-1), &options, NULL);
    self->waited = brood_pool_apply(self->pool, square, brood_pack("(i)", 1), NULL, &result);
    if (self->waited == BROOD_ESTATE)
        self->waited = brood_pool_map(self->pool, square, brood_pack("[i]", 1), NULL, &result);
    if (self->waited == BROOD_ESTATE)
        self->waited = brood_pool_drain(self->pool, HANG);
}

static void test_a_callback_may_submit_but_not_wait(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    told self = {.pool = pool};
    brood_apply_options options = {.callback = submit_more, .context = &self};
    bt_ok(brood_pool_apply_async(pool, subtract, brood_pack("(ii)", 0, 0), &options, NULL));
    bt_ok(brood_pool_drain(pool, HANG));
    assert_int_equal(self.values, 51);
    assert_int_equal(self.nested, BROOD_OK);
    assert_int_equal(self.waited, BROOD_ESTATE);
    end_pool(pool);
}

static void note_done(void *context, brood_future *future)
{
    told *self = context;
    if (brood_future_is_done(future))
        atomic_fetch_add(&self->values, 1);
}

static void test_done_callbacks_are_called_once_each(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    told self = {.pool = pool};
    holder h = start_holder(pool);
    bt_ok(brood_future_add_callback(h.future, note_done, &self));
    bt_ok(brood_future_add_callback(h.future, note_done, &self));
    await_holder(&h);
    let_go(&h);
    bt_ok(brood_pool_drain(pool, HANG));
    assert_int_equal(self.values, 2);
    bt_ok(brood_future_add_callback(h.future, note_done, &self)); /* at once */
    assert_int_equal(self.values, 3);
    end_holder(&h);
    end_pool(pool);
}

/* ---- map_async, starmap ---- */

static void expect_squares(const brood_value *results, int64_t n)
{
    assert_int_equal(brood_value_length(results), n);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(int_of(brood_item(results, (size_t)i)), i * i);
}

static void test_map_async_keeps_the_order(void **state)
{
    (void)state;
    static const size_t chunks[] = {0, 1, 7, 5000};
    brood_pool *pool = make_pool(3);
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        brood_future *future;
        const brood_value *value;
        bt_ok(brood_pool_map_async(pool, square, numbers(3000),
                                   &(brood_map_options){.chunksize = chunks[i]}, &future));
        bt_ok(brood_future_get(future, &value, HANG));
        expect_squares(value, 3000);
        brood_future_destroy(future);
    }
    brood_future *future;
    const brood_value *value;
    bt_ok(brood_pool_map_async(pool, square, brood_list(), NULL, &future));
    bt_ok(brood_future_get(future, &value, HANG));
    expect_squares(value, 0);
    brood_future_destroy(future);
    end_pool(pool);
}

static void test_map_async_fails_as_its_first_failure(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_future *future;
    brood_failure failure;
    bt_ok(brood_pool_map_async(pool, fail_odd, numbers(1000), &(brood_map_options){.chunksize = 10},
                               &future));
    bt_ok(brood_future_failure(future, &failure, HANG));
    assert_string_equal(failure.message, "1 is odd");
    brood_future_destroy(future);
    const brood_value *value;
    bt_ok(brood_pool_map_async(pool, fail_odd, numbers(10),
                               &(brood_map_options){.keep_errors = true}, &future));
    bt_ok(brood_future_get(future, &value, HANG));
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(brood_value_kind(brood_item(value, i)),
                         i % 2 == 1 ? BROOD_ERROR : BROOD_INT);
    brood_future_destroy(future);
    end_pool(pool);
}

static void test_starmap_takes_the_arguments_from_tuples(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_value results;
    bt_ok(brood_pool_starmap(pool, subtract, brood_pack("[(ii)(i)[ii]()]", 5, 3, 5, 9, 1), NULL,
                             &results));
    static const int64_t wanted[] = {2, -5, 8, -10};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(int_of(brood_item(&results, i)), wanted[i]);
    brood_value_clear(&results);
    bt_fails(brood_pool_starmap(pool, subtract, brood_pack("[(ii)i]", 5, 3, 5), NULL, &results),
             BROOD_ETASK);
    brood_future *future;
    const brood_value *value;
    bt_ok(brood_pool_starmap_async(pool, subtract, brood_pack("[(ii)]", 1, 1), NULL, &future));
    bt_ok(brood_future_get(future, &value, HANG));
    assert_int_equal(int_of(brood_item(value, 0)), 0);
    brood_future_destroy(future);
    end_pool(pool);
}

static void test_maps_and_calls_share_the_workers(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_future *futures[100];
    for (int round = 0; round < 20; round++) {
        brood_value results;
        for (int i = 0; i < 100; i++)
            bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", i), NULL, &futures[i]));
        bt_ok(brood_pool_map(pool, square, numbers(500), &(brood_map_options){.chunksize = 1},
                             &results));
        expect_squares(&results, 500);
        brood_value_clear(&results);
        for (int i = 0; i < 100; i++) {
            const brood_value *value;
            bt_ok(brood_future_get(futures[i], &value, HANG));
            assert_int_equal(int_of(value), (int64_t)i * i);
            brood_future_destroy(futures[i]);
        }
    }
    end_pool(pool);
}

/* ---- iterations ---- */

static void test_imap_gives_results_in_order(void **state)
{
    (void)state;
    static const size_t chunks[] = {0, 1, 7};
    brood_pool *pool = make_pool(2);
    for (size_t i = 0; i < 3; i++) {
        brood_imap *imap;
        brood_value value;
        bt_ok(brood_pool_imap(pool, square, numbers(2000),
                              &(brood_map_options){.chunksize = chunks[i]}, &imap));
        for (int64_t k = 0; k < 2000; k++) {
            bt_ok(brood_imap_next(imap, &value, HANG));
            assert_int_equal(int_of(&value), k * k);
        }
        assert_int_equal(brood_imap_next(imap, &value, HANG), BROOD_EEOF);
        assert_int_equal(brood_imap_next(imap, &value, 0), BROOD_EEOF);
        brood_imap_destroy(imap);
    }
    end_pool(pool);
}

static void test_imap_unordered_gives_each_result_once(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(3);
    brood_imap *imap;
    brood_value value;
    int64_t n = 0, sum = 0;
    bt_ok(brood_pool_imap_unordered(pool, square, numbers(1000),
                                    &(brood_map_options){.chunksize = 1, .window = 10}, &imap));
    while (brood_imap_next(imap, &value, HANG) == BROOD_OK) {
        sum += int_of(&value);
        n++;
    }
    assert_int_equal(n, 1000);
    assert_int_equal(sum, 332833500);
    brood_imap_destroy(imap);
    end_pool(pool);
}

static void test_imap_goes_on_after_a_failed_item(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_imap *imap;
    brood_value value;
    brood_failure failure;
    bt_ok(brood_pool_imap(pool, fail_odd, numbers(100), NULL, &imap));
    for (int64_t i = 0; i < 100; i++) {
        brood_status status = brood_imap_next(imap, &value, HANG);
        assert_int_equal(status, i % 2 == 1 ? BROOD_ETASK : BROOD_OK);
        if (status == BROOD_OK) {
            assert_int_equal(int_of(&value), i);
            bt_fails(brood_imap_failure(imap, &failure), BROOD_ESTATE);
        } else {
            bt_ok(brood_imap_failure(imap, &failure));
            assert_string_equal(failure.kind, "ValueError");
        }
    }
    assert_int_equal(brood_imap_next(imap, &value, HANG), BROOD_EEOF);
    brood_imap_destroy(imap);
    end_pool(pool);
}

typedef struct counter {
    atomic_int given;
    int n;
    brood_status end;
} counter;

static brood_status count_on(void *context, brood_value *item)
{
    counter *self = context;
    if (self->given == self->n)
        return self->end;
    *item = brood_int(self->given++);
    return BROOD_OK;
}

static void test_a_generator_is_asked_only_so_far_ahead(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    counter numbers_on = {.n = 500, .end = BROOD_EEOF};
    brood_imap *imap;
    brood_value value;
    brood_map_options options = {.generator = count_on, .context = &numbers_on, .window = 6};
    bt_ok(brood_pool_imap(pool, square, (brood_value){0}, &options, &imap));
    for (int64_t i = 0; i < 500; i++) {
        bt_ok(brood_imap_next(imap, &value, HANG));
        assert_int_equal(int_of(&value), i * i);
        assert_in_range(numbers_on.given, i + 1, i + 1 + 6);
    }
    assert_int_equal(brood_imap_next(imap, &value, HANG), BROOD_EEOF);
    brood_imap_destroy(imap);
    end_pool(pool);
}

static void test_a_failing_generator_ends_the_iteration(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    counter few = {.n = 3, .end = BROOD_EACCESS};
    brood_imap *imap;
    brood_value value;
    brood_map_options options = {.generator = count_on, .context = &few, .chunksize = 2};
    bt_ok(brood_pool_imap_unordered(pool, square, (brood_value){0}, &options, &imap));
    for (int i = 0; i < 3; i++)
        bt_ok(brood_imap_next(imap, &value, HANG));
    bt_fails(brood_imap_next(imap, &value, HANG), BROOD_EACCESS);
    brood_imap_destroy(imap);
    end_pool(pool);
}

static void test_an_iteration_can_be_dropped_in_the_middle(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    for (int i = 0; i < 5; i++) {
        brood_imap *imap;
        brood_value value;
        counter endless = {.n = -1};
        brood_map_options options = {.generator = count_on, .context = &endless};
        bt_ok(brood_pool_imap(pool, square, i % 2 == 0 ? numbers(3000) : (brood_value){0},
                              i % 2 == 0 ? &(brood_map_options){.chunksize = 1} : &options, &imap));
        bt_ok(brood_imap_next(imap, &value, HANG));
        brood_imap_destroy(imap);
        bt_ok(brood_pool_drain(pool, HANG));
    }
    end_pool(pool);
}

static void test_terminate_ends_iterations(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    holder h = start_holder(pool);
    brood_imap *imap;
    brood_value value;
    bt_ok(brood_pool_imap(pool, square, numbers(10), NULL, &imap));
    await_holder(&h);
    bt_ok(brood_pool_terminate(pool));
    bt_fails(brood_imap_next(imap, &value, HANG), BROOD_ECANCELLED);
    brood_imap_destroy(imap);
    end_holder(&h);
    brood_pool_destroy(pool);
}

/* ---- several futures ---- */

static void test_waiting_for_futures(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(3);
    holder h[2] = {start_holder(pool), start_holder(pool)};
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
    holder h[2] = {start_holder(pool), start_holder(pool)};
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
    brood_failure failure;
    for (int i = 0; i < 3; i++) {
        bt_ok(brood_pool_apply(pool, get_pid, (brood_value){0}, NULL, &result));
        holder h = start_holder(pool);
        await_holder(&h);
        bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", 4), NULL, &future));
        bt_ok(brood_future_cancel(h.future, BROOD_CANCEL_KILL, NULL));
        bt_fails(brood_future_take(h.future, &result, HANG), BROOD_ECANCELLED);
        (void)failure;
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
        argc, argv, bt_test(test_apply_gives_the_result),
        bt_test(test_apply_tells_how_a_task_failed),
        bt_test(test_what_cannot_be_applied_is_refused), bt_test(test_a_future_tells_what_it_is),
        bt_test(test_a_future_outlives_its_pool),
        bt_test(test_thousands_of_calls_each_get_their_own_result),
        bt_test(test_futures_can_be_dropped_at_once),
        bt_test(test_terminate_cancels_what_is_pending),
        bt_test(test_large_arguments_and_results_go_through),
        bt_test(test_callbacks_run_here_on_one_thread),
        bt_test(test_a_callback_may_submit_but_not_wait),
        bt_test(test_done_callbacks_are_called_once_each), bt_test(test_map_async_keeps_the_order),
        bt_test(test_map_async_fails_as_its_first_failure),
        bt_test(test_starmap_takes_the_arguments_from_tuples),
        bt_test(test_maps_and_calls_share_the_workers), bt_test(test_imap_gives_results_in_order),
        bt_test(test_imap_unordered_gives_each_result_once),
        bt_test(test_imap_goes_on_after_a_failed_item),
        bt_test(test_a_generator_is_asked_only_so_far_ahead),
        bt_test(test_a_failing_generator_ends_the_iteration),
        bt_test(test_an_iteration_can_be_dropped_in_the_middle),
        bt_test(test_terminate_ends_iterations), bt_test(test_waiting_for_futures),
        bt_test(test_as_completed_follows_the_ends),
        bt_test(test_tasks_may_have_pools_of_their_own),
        bt_test(test_one_worker_dies_and_the_others_go_on));
}
