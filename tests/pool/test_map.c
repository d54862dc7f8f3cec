/* brood-test: start-methods */
/* Maps whose workers live: order, chunks, errors, sizes, progress, several at once. */
#include "pools.h"

#include <stdatomic.h>

#include "core/thread.h"
#include "core/transfer.h"

static void expect_squares(brood_value *results, int64_t n)
{
    assert_int_equal(brood_value_kind(results), BROOD_LIST);
    assert_int_equal(brood_value_length(results), n);
    for (int64_t i = 0; i < n; i++) {
        int64_t got;
        bt_ok(brood_get_int(brood_item(results, (size_t)i), &got));
        assert_int_equal(got, i * i);
    }
    brood_value_clear(results);
}

static void test_results_are_in_the_order_of_the_items(void **state)
{
    (void)state;
    static const size_t chunks[] = {0, 1, 2, 7, 300, 5000};
    brood_pool *pool = make_pool(3);
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        brood_value results;
        brood_map_options options = {.chunksize = chunks[i]};
        bt_ok(brood_pool_map(pool, square, numbers(1000), &options, &results));
        expect_squares(&results, 1000);
    }
    end_pool(pool);
}

static void test_a_tuple_and_nothing_at_all_can_be_mapped(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_value results;
    bt_ok(brood_pool_map(pool, square, brood_pack("(lll)", INT64_C(0), INT64_C(1), INT64_C(2)),
                         NULL, &results));
    expect_squares(&results, 3);
    bt_ok(brood_pool_map(pool, square, brood_list(), NULL, &results));
    expect_squares(&results, 0);
    end_pool(pool);
}

static void test_what_cannot_be_mapped_is_refused(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value results = brood_none();
    bt_fails(brood_pool_map(pool, square, brood_int(3), NULL, &results), BROOD_ETYPE);
    bt_message_has("could not map: the items are of type int");
    bt_fails(brood_pool_map(pool, NULL, brood_list(), NULL, &results), BROOD_EINVALID);
    bt_fails(brood_pool_map(pool, square, brood_list(), NULL, NULL), BROOD_EINVALID);
    bt_fails(brood_pool_map(NULL, square, brood_list(), NULL, &results), BROOD_EINVALID);
    bt_fails(brood_pool_map(pool, square, brood_pack("[l?]", INT64_C(1)), NULL, &results),
             BROOD_EINVALID);
    assert_int_equal(brood_value_kind(&results), BROOD_NONE);
    end_pool(pool);
}

static void test_each_of_many_small_tasks_is_done(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_value results;
    int64_t n = bt_has_thread_sanitizer() || bt_has_address_sanitizer() ? 20000 : 100000;
    bt_ok(brood_pool_map(pool, square, numbers(n), &(brood_map_options){.chunksize = 1}, &results));
    expect_squares(&results, n);
    end_pool(pool);
}

/* ---- failures ---- */

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
        assert_non_null(strstr(failure.file, "test_map.c"));
        assert_int_equal(failure.line, RAISE_LINE);
        assert_int_equal(failure.exitcode, 0);
        assert_true(is_worker(pool, failure.pid));
        bt_ok(brood_pool_map(pool, square, numbers(3), NULL, &results));
        expect_squares(&results, 3);
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

/* ---- sizes ---- */

/* Exchanges the halves of the bytes. */
static brood_status turn(brood_call *call)
{
    const void *given;
    size_t size;
    BROOD_TRY(brood_call_args(call, "y", &given, &size));
    const char *data = given;
    char *copy = malloc(size + 1);
    bt_check(call, copy != NULL);
    memcpy(copy, data + size / 2, size - size / 2);
    memcpy(copy + size - size / 2, data, size / 2);
    brood_status status = brood_call_return(call, brood_bytes(copy, size));
    free(copy);
    return status;
}

/* The bytes of an item: each 500 differ from the others. */
static char *make_bytes(size_t item, size_t size)
{
    char *data = malloc(size + 1);
    assert_non_null(data);
    for (size_t i = 0; i < size; i += 500)
        memset(data + i, (int)(item * 31 + i / 500), size - i < 500 ? size - i : 500);
    return data;
}

static void turn_sizes(brood_pool *pool, const size_t *sizes, size_t n, size_t chunk)
{
    brood_value items = brood_list(), results;
    for (size_t item = 0; item < n; item++) {
        char *data = make_bytes(item, sizes[item]);
        bt_ok(brood_append(&items, brood_bytes(data, sizes[item])));
        free(data);
    }
    brood_map_options options = {.chunksize = chunk};
    bt_ok(brood_pool_map(pool, turn, items, &options, &results));
    for (size_t item = 0; item < n; item++) {
        const void *got;
        size_t size, half = sizes[item] / 2;
        char *data = make_bytes(item, sizes[item]);
        bt_ok(brood_get_bytes(brood_item(&results, item), &got, &size));
        assert_int_equal(size, sizes[item]);
        assert_memory_equal(got, data + half, size - half);
        assert_memory_equal((const char *)got + size - half, data, half);
        free(data);
    }
    brood_value_clear(&results);
}

static void test_arguments_and_results_of_all_sizes_arrive(void **state)
{
    (void)state;
    /* More in one task than the arena keeps of free memory; and one by one. Each megabyte is
     * written a dozen times on its way, into new pages, so there are no more than it takes. */
    static const size_t huge[] = {40 << 20, 1, 24 << 20, 1000}, large[] = {5 << 20, 1, 3 << 20, 9};
    brood_pool *pool = make_pool(2);
    size_t sizes[200];
    for (size_t i = 0; i < 200; i++)
        sizes[i] = i;
    turn_sizes(pool, sizes, 200, 1);
    turn_sizes(pool, sizes, 200, 7);
    for (size_t i = 0; i < 200; i++)
        sizes[i] = i * i * 3;
    turn_sizes(pool, sizes, 200, 1);
    turn_sizes(pool, sizes, 200, 13);
    turn_sizes(pool, large, 4, 1);
    turn_sizes(pool, huge, 4, 4);
    end_pool(pool);
}

static void test_more_bytes_than_may_be_on_their_way_arrive(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    size_t sizes[15];
    for (size_t i = 0; i < 15; i++)
        sizes[i] = 2 << 20;
    turn_sizes(pool, sizes, 15, 1);
    end_pool(pool);
}

/* ---- progress, time ---- */

typedef struct progress {
    size_t calls, last, total;
    bool wrong;
} progress;

static void note_progress(void *context, size_t done, size_t total)
{
    progress *seen = context;
    seen->wrong = seen->wrong || done <= seen->last || total != seen->total;
    seen->calls++;
    seen->last = done;
}

static void test_progress_counts_every_task(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    static const size_t chunks[] = {1, 7, 100, 1000};
    for (size_t i = 0; i < 4; i++) {
        progress seen = {.total = 500};
        brood_value results;
        brood_map_options options = {
            .chunksize = chunks[i], .progress = note_progress, .context = &seen};
        bt_ok(brood_pool_map(pool, square, numbers(500), &options, &results));
        expect_squares(&results, 500);
        assert_false(seen.wrong);
        assert_int_equal(seen.last, 500);
        assert_int_equal(seen.calls, (500 + chunks[i] - 1) / chunks[i]);
    }
    end_pool(pool);
}

typedef struct inner {
    brood_pool *pool;
    int maps;
} inner;

static void map_again(void *context, size_t done, size_t total)
{
    inner *in = context;
    brood_value results;
    (void)done, (void)total;
    bt_ok(brood_pool_map(in->pool, square, numbers(20), NULL, &results));
    expect_squares(&results, 20);
    in->maps++;
}

static void test_progress_may_use_the_pool(void **state)
{
    (void)state;
    inner in = {.pool = make_pool(2)};
    brood_value results;
    brood_map_options options = {.chunksize = 1, .progress = map_again, .context = &in};
    bt_ok(brood_pool_map(in.pool, square, numbers(30), &options, &results));
    expect_squares(&results, 30);
    assert_int_equal(in.maps, 30);
    end_pool(in.pool);
}

/* (queue, begun): counts itself, then waits until something is in the queue. */
static brood_status wait_for_queue(brood_call *call)
{
    const brood_value *first, *second;
    brood_queue *queue;
    brood_array *begun;
    brood_value got;
    BROOD_TRY(brood_call_args(call, "(vv)", &first, &second));
    BROOD_TRY(brood_get_queue(first, &queue));
    BROOD_TRY(brood_get_array(second, &begun));
    BROOD_TRY(brood_array_add(begun, 0, 1, NULL));
    BROOD_TRY(brood_queue_get(queue, &got, HANG));
    brood_value_clear(&got);
    return BROOD_OK;
}

/* At most one task a worker has begun, and nobody begins another afterwards. */
static void test_a_map_that_takes_too_long_is_given_up(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_queue *queue;
    brood_array *begun;
    brood_value items = brood_list(), results;
    bt_ok(brood_queue_create(&queue, NULL));
    bt_ok(brood_array_create(&begun, "q", 1, NULL));
    for (int i = 0; i < 5000; i++)
        bt_ok(brood_append(&items,
                           brood_pack("(vv)", brood_queue_value(queue), brood_array_value(begun))));
    brood_map_options options = {.chunksize = 1, .timeout = 100};
    bt_fails(brood_pool_map(pool, wait_for_queue, items, &options, &results), BROOD_ETIMEDOUT);
    for (int i = 0; i < 2; i++)
        bt_ok(brood_queue_put(queue, brood_none(), HANG));
    bt_ok(brood_pool_map(pool, square, numbers(3000), NULL, &results));
    expect_squares(&results, 3000);
    end_pool(pool);
    int64_t n_begun = *(const int64_t *)brood_array_data(begun);
    assert_in_range(n_begun, 0, 2);
    assert_int_equal(brood_queue_size(queue), 2 - n_begun);
    brood_array_destroy(begun);
    brood_queue_destroy(queue);
}

/* ---- several at once ---- */

typedef struct mapper {
    brood_pool *pool;
    bri_thread *thread;
    int rounds;
    atomic_int failures;
} mapper;

static void map_repeatedly(void *context)
{
    mapper *self = context;
    for (int round = 0; round < self->rounds; round++) {
        brood_value items = brood_list(), results;
        int64_t n = 200 + round;
        for (int64_t i = 0; i < n; i++)
            brood_append(&items, brood_int(i));
        brood_map_options options = {.chunksize = (size_t)round % 3};
        bool right = brood_pool_map(self->pool, square, items, &options, &results) == BROOD_OK &&
                     brood_value_length(&results) == (size_t)n;
        for (int64_t i = 0; right && i < n; i++) {
            int64_t got;
            right =
                brood_get_int(brood_item(&results, (size_t)i), &got) == BROOD_OK && got == i * i;
        }
        if (right)
            brood_value_clear(&results);
        else
            atomic_fetch_add(&self->failures, 1);
    }
}

static void test_several_threads_map_at_once(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    brood_pool *pool = make_pool(2);
    mapper mappers[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        mappers[i].pool = pool;
        mappers[i].rounds = 30;
        bt_ok(bri_thread_start(&mappers[i].thread, map_repeatedly, &mappers[i]));
    }
    for (int i = 0; i < THREADS; i++) {
        bri_thread_join(mappers[i].thread);
        assert_int_equal(mappers[i].failures, 0);
    }
    end_pool(pool);
}

/* Makes a pool of its own in a worker: the sum of the squares below n. */
static brood_status sum_of_squares(brood_call *call)
{
    int64_t n, sum = 0;
    BROOD_TRY(brood_call_args(call, "l", &n));
    brood_pool *pool;
    BROOD_TRY(brood_pool_create(&pool, &(brood_pool_options){.workers = 2}));
    brood_value items = brood_list(), results;
    for (int64_t i = 0; i < n; i++)
        BROOD_TRY(brood_append(&items, brood_int(i)));
    brood_status status = brood_pool_map(pool, square, items, NULL, &results);
    for (int64_t i = 0; status == BROOD_OK && i < n; i++) {
        int64_t got;
        status = brood_get_int(brood_item(&results, (size_t)i), &got);
        sum += got;
    }
    if (status == BROOD_OK)
        brood_value_clear(&results);
    brood_pool_destroy(pool);
    return status == BROOD_OK ? brood_call_return(call, brood_int(sum)) : status;
}

static void test_tasks_may_have_pools_of_their_own(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_value results;
    bt_ok(brood_pool_map(pool, sum_of_squares, numbers(6), &(brood_map_options){.chunksize = 1},
                         &results));
    static const int64_t sums[] = {0, 0, 1, 5, 14, 30};
    for (size_t i = 0; i < 6; i++) {
        int64_t sum;
        bt_ok(brood_get_int(brood_item(&results, i), &sum));
        assert_int_equal(sum, sums[i]);
    }
    brood_value_clear(&results);
    end_pool(pool);
}

int main(int argc, char **argv)
{
    if (bri_class_add(&picky) != BROOD_OK)
        return 1;
    return bt_main(
        argc, argv, bt_test(test_results_are_in_the_order_of_the_items),
        bt_test(test_a_tuple_and_nothing_at_all_can_be_mapped),
        bt_test(test_what_cannot_be_mapped_is_refused),
        bt_test(test_each_of_many_small_tasks_is_done),
        bt_test(test_the_first_failing_item_is_the_maps_failure),
        bt_test(test_errors_can_stand_in_the_places_of_their_items),
        bt_test(test_all_items_are_run_though_one_fails), bt_test(test_a_status_is_a_failure_too),
        bt_test(test_an_item_that_cannot_be_sent_fails_alone),
        bt_test(test_a_result_that_cannot_be_sent_fails_its_item),
        bt_test(test_arguments_and_results_that_cannot_be_read_fail_alone),
        cmocka_unit_test_setup_teardown(test_a_name_that_workers_do_not_know_fails_the_items,
                                        register_name, bt_ledger_close),
        bt_test(test_arguments_and_results_of_all_sizes_arrive),
        bt_test(test_more_bytes_than_may_be_on_their_way_arrive),
        bt_test(test_progress_counts_every_task), bt_test(test_progress_may_use_the_pool),
        bt_test(test_a_map_that_takes_too_long_is_given_up),
        bt_test(test_several_threads_map_at_once), bt_test(test_tasks_may_have_pools_of_their_own));
}
