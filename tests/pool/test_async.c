/* brood-test: start-methods */
/* Calls that are not waited for: callbacks, maps, starmaps. */
#include "pools.h"

#include <stdatomic.h>

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
    holder h = submit_holder(pool, NULL);
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

typedef struct race {
    atomic_bool is_taken;
    size_t length; /* of the result that the callback saw */
} race;

static bool was_taken(void *context)
{
    race *self = context;
    return self->is_taken;
}

/* Between the end of the future and the callback. */
static void wait_for_taker(void *context, size_t done, size_t total)
{
    (void)done, (void)total;
    (void)bt_await(was_taken, context, HANG);
}

static void note_length(void *context, const brood_value *value)
{
    race *self = context;
    self->length = brood_value_kind(value) == BROOD_LIST ? brood_value_length(value) : 0;
}

static void test_a_result_can_be_taken_before_its_callback_is_called(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    race self = {0};
    brood_map_options options = {
        .chunksize = 10, .progress = wait_for_taker, .callback = note_length, .context = &self};
    brood_future *future;
    brood_value results, again;
    bt_ok(brood_pool_map_async(pool, square, numbers(10), &options, &future));
    bt_ok(brood_future_take(future, &results, HANG));
    bt_fails(brood_future_take(future, &again, 0), BROOD_ESTATE);
    self.is_taken = true;
    bt_ok(brood_pool_drain(pool, HANG));
    assert_int_equal(self.length, 10);
    brood_future_destroy(future);
    take_squares(&results, 10);
    end_pool(pool);
}

/* ---- map_async, starmap ---- */

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

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_callbacks_run_here_on_one_thread),
                   bt_test(test_a_callback_may_submit_but_not_wait),
                   bt_test(test_done_callbacks_are_called_once_each),
                   bt_test(test_a_result_can_be_taken_before_its_callback_is_called),
                   bt_test(test_map_async_keeps_the_order),
                   bt_test(test_map_async_fails_as_its_first_failure),
                   bt_test(test_starmap_takes_the_arguments_from_tuples),
                   bt_test(test_maps_and_calls_share_the_workers));
}
