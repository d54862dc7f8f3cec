/* brood-test: start-methods */
/* Maps that succeed: order, chunks, progress, time, several at once. */
#include "pools.h"

#include <stdatomic.h>

#include "core/thread.h"

static void test_results_are_in_the_order_of_the_items(void **state)
{
    (void)state;
    static const size_t chunks[] = {0, 1, 2, 7, 300, 5000};
    brood_pool *pool = make_pool(3);
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        brood_value results;
        brood_map_options options = {.chunksize = chunks[i]};
        bt_ok(brood_pool_map(pool, square, numbers(1000), &options, &results));
        take_squares(&results, 1000);
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
    take_squares(&results, 3);
    bt_ok(brood_pool_map(pool, square, brood_list(), NULL, &results));
    take_squares(&results, 0);
    end_pool(pool);
}

static void test_what_cannot_be_mapped_is_refused(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value results = brood_none();
    bt_fails(brood_pool_map(pool, square, brood_int(3), NULL, &results), BROOD_ETYPE);
    bt_message_has("could not map: the items are of type int");
    bt_fails(brood_pool_map(pool, square, (brood_value){0}, NULL, &results), BROOD_EINVALID);
    bt_message_has("could not map: there are no items");
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
    take_squares(&results, n);
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
        take_squares(&results, 500);
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
    take_squares(&results, 20);
    in->maps++;
}

static void test_progress_may_use_the_pool(void **state)
{
    (void)state;
    inner in = {.pool = make_pool(2)};
    brood_value results;
    brood_map_options options = {.chunksize = 1, .progress = map_again, .context = &in};
    bt_ok(brood_pool_map(in.pool, square, numbers(30), &options, &results));
    take_squares(&results, 30);
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
    take_squares(&results, 3000);
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
    return bt_main(
        argc, argv, bt_test(test_results_are_in_the_order_of_the_items),
        bt_test(test_a_tuple_and_nothing_at_all_can_be_mapped),
        bt_test(test_what_cannot_be_mapped_is_refused),
        bt_test(test_each_of_many_small_tasks_is_done), bt_test(test_progress_counts_every_task),
        bt_test(test_progress_may_use_the_pool),
        bt_test(test_a_map_that_takes_too_long_is_given_up),
        bt_test(test_several_threads_map_at_once), bt_test(test_tasks_may_have_pools_of_their_own));
}
