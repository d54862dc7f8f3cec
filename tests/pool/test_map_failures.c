/* brood-test: start-methods */
/* Maps with items that fail, or cannot travel: what the map gives then. */
#include "pools.h"

#include "base/memory.h"
#include "core/transfer.h"

/* ---- tasks that fail ---- */

enum { RAISE_LINE = __LINE__ + 8 };

/* (i, n): fails when i % n is n - 1. */
static brood_status fail_on_multiples(brood_call *call)
{
    int64_t i, n;
    BROOD_TRY(brood_call_args(call, "(ll)", &i, &n));
    if (i % n == n - 1)
        return brood_call_raise(call, "ValueError", "%d is bad", (int)i); /* RAISE_LINE */
    return brood_call_return(call, brood_int(i));
}

static brood_value pairs(int64_t n, int64_t of)
{
    brood_value list = brood_list();
    for (int64_t i = 0; i < n; i++)
        bt_ok(brood_append(&list, brood_pack("(ll)", i, of)));
    return list;
}

static bool is_worker(brood_pool *pool, int64_t pid)
{
    int64_t pids[8];
    size_t n;
    bt_ok(brood_pool_pids(pool, pids, 8, &n));
    for (size_t i = 0; i < n; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

static void test_the_first_failing_item_is_the_maps_failure(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    for (size_t chunk = 1; chunk < 30; chunk += 9) {
        brood_value results = brood_none();
        brood_failure failure;
        bt_fails(brood_pool_failure(pool, &failure), BROOD_ESTATE);
        brood_map_options options = {.chunksize = chunk};
        bt_fails(brood_pool_map(pool, fail_on_multiples, pairs(100, 10), &options, &results),
                 BROOD_ETASK);
        bt_message_has("could not map item 9: ValueError: 9 is bad");
        assert_int_equal(brood_value_kind(&results), BROOD_NONE);
        bt_ok(brood_pool_failure(pool, &failure));
        assert_string_equal(failure.kind, "ValueError");
        assert_string_equal(failure.message, "9 is bad");
        assert_non_null(strstr(failure.file, "test_map_failures.c"));
        assert_int_equal(failure.line, RAISE_LINE);
        assert_int_equal(failure.exitcode, 0);
        assert_true(is_worker(pool, failure.pid));
        bt_ok(brood_pool_map(pool, square, numbers(3), NULL, &results));
        take_squares(&results, 3);
    }
    end_pool(pool);
}

static void test_errors_can_stand_in_the_places_of_their_items(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    for (size_t chunk = 1; chunk < 30; chunk += 9) {
        brood_value results;
        brood_map_options options = {.chunksize = chunk, .keep_errors = true};
        bt_ok(brood_pool_map(pool, fail_on_multiples, pairs(100, 10), &options, &results));
        assert_int_equal(brood_value_length(&results), 100);
        for (size_t i = 0; i < 100; i++) {
            const brood_value *item = brood_item(&results, i);
            assert_int_equal(brood_value_kind(item), i % 10 == 9 ? BROOD_ERROR : BROOD_INT);
            if (i % 10 == 9)
                assert_string_equal(brood_error_kind(item), "ValueError");
        }
        brood_value_clear(&results);
    }
    end_pool(pool);
}

static brood_status put_into_queue(brood_call *call)
{
    const brood_value *item;
    int64_t i;
    brood_queue *queue;
    BROOD_TRY(brood_call_args(call, "(vl)", &item, &i));
    BROOD_TRY(brood_get_queue(item, &queue));
    brood_status status = brood_queue_put(queue, brood_int(i), HANG);
    if (status == BROOD_OK && i == 2)
        status = brood_call_raise(call, "KeyError", "two");
    return status;
}

/* Between the first result and the last there is none. */
static void take_memory(void *context, size_t done, size_t n)
{
    (void)context;
    bri_memory_fail_at(done < n, 1);
}

static void test_no_error_becomes_none_without_memory(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    for (int i = 0; i < 2; i++) {
        brood_map_options options = {.chunksize = 1,
                                     .keep_errors = true,
                                     .progress = take_memory,
                                     .policy.retries = i}; /* the pool's thread sees to it */
        brood_value results = {0};
        brood_status status = brood_pool_map(pool, fail_odd, numbers(40), &options, &results);
        bri_memory_fail_at(0, 0);
        if (status != BROOD_OK)
            assert_true(status == BROOD_ETASK || status == BROOD_ENOMEM);
        for (size_t k = 1; status == BROOD_OK && k < 40; k += 2)
            assert_int_equal(brood_value_kind(brood_item(&results, k)), BROOD_ERROR);
        brood_value_clear(&results);
    }
    end_pool(pool);
}

static void test_all_items_are_run_though_one_fails(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_queue *queue;
    brood_value items = brood_list(), results;
    bool seen[40] = {false};
    bt_ok(brood_queue_create(&queue, NULL));
    for (int64_t i = 0; i < 40; i++)
        bt_ok(brood_append(&items, brood_pack("(vl)", brood_queue_value(queue), i)));
    bt_fails(
        brood_pool_map(pool, put_into_queue, items, &(brood_map_options){.chunksize = 8}, &results),
        BROOD_ETASK);
    bt_message_has("could not map item 2: KeyError: two");
    for (int i = 0; i < 40; i++) {
        brood_value got;
        int64_t number;
        bt_ok(brood_queue_get(queue, &got, 0));
        bt_ok(brood_get_int(&got, &number));
        assert_false(seen[number]);
        seen[number] = true;
    }
    assert_true(brood_queue_is_empty(queue));
    brood_queue_destroy(queue);
    end_pool(pool);
}

static brood_status fail_plainly(brood_call *call)
{
    int64_t n;
    return brood_call_args(call, "(l)", &n);
}

static void test_a_status_is_a_failure_too(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value results;
    brood_failure failure;
    bt_fails(brood_pool_map(pool, fail_plainly, numbers(1), NULL, &results), BROOD_ETASK);
    bt_ok(brood_pool_failure(pool, &failure));
    assert_string_equal(failure.kind, "TypeError");
    end_pool(pool);
}

/* ---- what cannot travel ---- */

static void test_an_item_that_cannot_be_sent_fails_alone(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_connection *first, *second;
    bt_ok(brood_pipe(&first, &second, true));
    brood_value closed = brood_connection_value(first), copy;
    brood_connection_close(first);
    for (size_t chunk = 1; chunk <= 10; chunk += 3) {
        brood_value items = numbers(10), results;
        bt_ok(brood_value_copy(&closed, &copy));
        bt_ok(brood_set_item(&items, 4, copy));
        bt_ok(brood_value_copy(&closed, &copy));
        bt_ok(brood_set_item(&items, 5, copy));
        brood_map_options options = {.chunksize = chunk, .keep_errors = true};
        bt_ok(brood_pool_map(pool, square, items, &options, &results));
        for (size_t i = 0; i < 10; i++)
            assert_int_equal(brood_value_kind(brood_item(&results, i)),
                             i == 4 || i == 5 ? BROOD_ERROR : BROOD_INT);
        brood_value_clear(&results);
    }
    brood_value items = brood_list(), results;
    bt_ok(brood_append(&items, closed));
    bt_fails(brood_pool_map(pool, square, items, NULL, &results), BROOD_ETASK);
    bt_message_has("could not send an item to a worker");
    brood_connection_close(second);
    end_pool(pool);
}

static brood_status return_connection(brood_call *call)
{
    brood_connection *first, *second;
    BROOD_TRY(brood_pipe(&first, &second, true));
    brood_status status = brood_call_return(call, brood_connection_value(first));
    brood_connection_close(first);
    brood_connection_close(second);
    return status;
}

static void test_a_result_that_cannot_be_sent_fails_its_item(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value results;
    brood_failure failure;
    bt_fails(brood_pool_map(pool, return_connection, numbers(1), NULL, &results), BROOD_ETASK);
    bt_ok(brood_pool_failure(pool, &failure));
    assert_non_null(strstr(failure.message, "could not send the result of a task"));
    assert_true(is_worker(pool, failure.pid));
    end_pool(pool);
}

/* An object that can be written but read only by some: its class counts nothing and owns nothing.
 */
static int64_t reader; /* pid that may read it; 0: nobody */

static brood_status retain_picky(void *object)
{
    (void)object;
    return BROOD_OK;
}

static void release_picky(void *object)
{
    (void)object;
}

static brood_status reduce_picky(void *object, bri_transfer *transfer, brood_value *arguments)
{
    (void)object, (void)transfer;
    *arguments = brood_tuple(0);
    return BROOD_OK;
}

static brood_status rebuild_picky(const brood_value *arguments, bri_transfer *transfer,
                                  void **object)
{
    (void)arguments, (void)transfer;
    if (reader != brp_pid())
        return brood_get_int(arguments, &reader); /* fails: it is a tuple */
    *object = &reader;
    return BROOD_OK;
}

static const bri_object_class picky = {.name = "Picky",
                                       .retain = retain_picky,
                                       .release = release_picky,
                                       .reduce = reduce_picky,
                                       .rebuild = rebuild_picky};

static brood_status return_picky(brood_call *call)
{
    return brood_call_return(call, bri_object_value(&picky, &reader));
}

static void test_arguments_and_results_that_cannot_be_read_fail_alone(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_value items = numbers(6), results;
    brood_map_options options = {.chunksize = 3, .keep_errors = true};
    bt_ok(brood_set_item(&items, 1, bri_object_value(&picky, &reader)));
    bt_ok(brood_pool_map(pool, square, items, &options, &results));
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(brood_value_kind(brood_item(&results, i)),
                         i == 1 ? BROOD_ERROR : BROOD_INT);
    assert_non_null(strstr(brood_error_message(brood_item(&results, 1)),
                           "could not read the arguments of a task"));
    brood_value_clear(&results);

    bt_fails(brood_pool_map(pool, return_picky, numbers(2), NULL, &results), BROOD_ETASK);
    bt_message_has("could not read the result of a task");
    reader = brp_pid();
    bt_ok(brood_pool_map(pool, return_picky, numbers(2), NULL, &results));
    brood_value_clear(&results);
    reader = 0;
    end_pool(pool);
}

/* The name stays: it is not in the test's ledger. */
static int register_name(void **state)
{
    bt_ok(brood_register("test.known.here.only", fail_plainly));
    return bt_ledger_open(state);
}

static void test_a_name_that_workers_do_not_know_fails_the_items(void **state)
{
    (void)state;
    if (bt_method_is(BROOD_START_FORK))
        bt_skip("a forked worker knows all names of its parent");
    brood_pool *pool = make_pool(1);
    brood_value results;
    brood_failure failure;
    bt_fails(brood_pool_map(pool, fail_plainly, numbers(4), NULL, &results), BROOD_ETASK);
    bt_ok(brood_pool_failure(pool, &failure));
    assert_string_equal(failure.kind, "LookupError");
    assert_non_null(strstr(failure.message, "test.known.here.only"));
    end_pool(pool);
}

int main(int argc, char **argv)
{
    if (bri_class_add(&picky) != BROOD_OK)
        return 1;
    return bt_main(
        argc, argv, bt_test(test_the_first_failing_item_is_the_maps_failure),
        bt_test(test_errors_can_stand_in_the_places_of_their_items),
        bt_test(test_no_error_becomes_none_without_memory),
        bt_test(test_all_items_are_run_though_one_fails), bt_test(test_a_status_is_a_failure_too),
        bt_test(test_an_item_that_cannot_be_sent_fails_alone),
        bt_test(test_a_result_that_cannot_be_sent_fails_its_item),
        bt_test(test_arguments_and_results_that_cannot_be_read_fail_alone),
        cmocka_unit_test_setup_teardown(test_a_name_that_workers_do_not_know_fails_the_items,
                                        register_name, bt_ledger_close));
}
