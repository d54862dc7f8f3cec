/* brood-test: start-methods */
/* Arguments and results that stay where they are: objects of the arena, held by the task. */
#include "pools.h"

#include <string.h>

#include "core/killpoint.h"
#include "core/runtime.h"
#include "ipc/arena.h"

enum { MANY = 1 << 18 }; /* numbers: 2 MiB */

static uint64_t bytes_in_use(void)
{
    bri_arena *arena;
    bri_arena_use use;
    bt_ok(bri_arena_get(&arena));
    bri_arena_count(arena, &use);
    return use.cut - use.idle;
}

static brood_value make_numbers(size_t n, double first)
{
    brood_array *array;
    if (brood_array_create(&array, "d", n, &(brood_array_options){.unlocked = true}) != BROOD_OK)
        return (brood_value){0};
    double *numbers = brood_array_data(array);
    for (size_t i = 0; i < n; i++)
        numbers[i] = first + (double)i;
    brood_value value = brood_array_value(array);
    brood_array_destroy(array);
    return value;
}

static double last_of(const brood_value *value)
{
    brood_array *array;
    bt_ok(brood_get_array(value, &array));
    return ((double *)brood_array_data(array))[brood_array_length(array) - 1];
}

/* (array): its last number, after adding one to each. */
static brood_status add_one(brood_call *call)
{
    const brood_value *value;
    brood_array *array;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_array(value, &array));
    double *numbers = brood_array_data(array);
    for (size_t i = 0; i < brood_array_length(array); i++)
        numbers[i] += 1;
    return brood_call_return(call, brood_float(numbers[brood_array_length(array) - 1]));
}

/* (n, first): an array that nobody but the result has. */
static brood_status make_array(brood_call *call)
{
    int64_t n;
    double first;
    BROOD_TRY(brood_call_args(call, "lf", &n, &first));
    brood_value made = make_numbers((size_t)n, first);
    if (brood_value_kind(&made) == BROOD_INVALID)
        return brood_last_error()->status;
    return brood_call_return(call, made);
}

/* (array): the same array. */
static brood_status give_back(brood_call *call)
{
    brood_value copy;
    BROOD_TRY(brood_value_copy(brood_item(brood_call_arguments(call), 0), &copy));
    return brood_call_return(call, copy);
}

/* (point, array): makes an array, and is killed at that point on its way out. */
static const char *const points[] = {
    "shared-hold",         "shared-hold-linked",  "shared-noted",    "shared-changed",
    "pool-result-writing", "pool-finish-written", "pool-finish-done"};

static brood_status die_at(brood_call *call)
{
    int64_t point;
    const brood_value *unused;
    BROOD_TRY(brood_call_args(call, "lv", &point, &unused));
    brood_value made = make_numbers(MANY, 1);
    if (brood_value_kind(&made) == BROOD_INVALID)
        return brood_last_error()->status;
    bt_kill_at(points[point], 1);
    return brood_call_return(call, made);
}

static void test_an_argument_lives_though_nobody_else_has_it(void **state)
{
    (void)state;
    enum { N = 200 };
    brood_pool *pool = make_pool(2);
    brood_future *futures[N];
    for (int i = 0; i < N; i++)
        bt_ok(brood_pool_apply_async(pool, add_one, brood_pack("(v)", make_numbers(100, i)), NULL,
                                     &futures[i]));
    for (int i = 0; i < N; i++) {
        brood_value got;
        double last;
        bt_ok(brood_future_take(futures[i], &got, HANG));
        bt_ok(brood_get_float(&got, &last));
        assert_true(last == i + 100.0);
        brood_future_destroy(futures[i]);
    }
    end_pool(pool);
}

static brood_status next_numbers(void *context, brood_value *item)
{
    int *n = context;
    if (++*n > 50)
        return BROOD_EEOF;
    *item = make_numbers(1000, *n);
    return BROOD_OK;
}

static void test_items_of_a_generator_live_until_they_are_used(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_imap *results;
    brood_value got;
    int made = 0, n = 0;
    brood_map_options options = {.generator = next_numbers, .context = &made};
    bt_ok(brood_pool_imap(pool, add_one, (brood_value){0}, &options, &results));
    for (double last; brood_imap_next(results, &got, HANG) == BROOD_OK; n++) {
        bt_ok(brood_get_float(&got, &last));
        assert_true(last == n + 1 + 1000.0);
    }
    assert_int_equal(n, 50);
    brood_imap_destroy(results);
    end_pool(pool);
}

static void test_a_result_lives_though_its_worker_has_let_it_go(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    brood_value items = brood_list(), results;
    for (int i = 0; i < 40; i++)
        bt_ok(brood_append(&items, brood_pack("(lf)", INT64_C(1000), (double)i)));
    bt_ok(brood_pool_starmap(pool, make_array, items, &(brood_map_options){.chunksize = 3},
                             &results));
    for (size_t i = 0; i < 40; i++)
        assert_true(last_of(brood_item(&results, i)) == (double)i + 999);
    brood_value_clear(&results);
    end_pool(pool);
}

static void test_there_and_back_it_is_the_same_memory(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_array *mine, *back;
    brood_value result;
    bt_ok(brood_array_create(&mine, "d", MANY, NULL));
    bt_ok(brood_pool_apply(pool, give_back, brood_pack("(v)", brood_array_value(mine)), NULL,
                           &result));
    bt_ok(brood_get_array(&result, &back));
    assert_ptr_equal(back, mine);
    brood_value_clear(&result);
    brood_array_destroy(mine);
    end_pool(pool);
}

/* Once with all memory of the pool's own taken, then again: nothing may be left. */
static void run_and_drop(brood_pool *pool)
{
    for (int i = 0; i < 20; i++) {
        brood_value result;
        bt_ok(brood_pool_apply(pool, make_array, brood_pack("(lf)", (int64_t)MANY, 1.0), NULL,
                               &result));
        brood_value_clear(&result);
        bt_ok(brood_pool_apply_async(pool, add_one, brood_pack("(v)", make_numbers(MANY, 1)), NULL,
                                     NULL));
    }
    bt_ok(brood_pool_drain(pool, HANG));
}

static void test_nothing_is_left_of_what_was_dropped(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    run_and_drop(pool);
    uint64_t before = bytes_in_use();
    run_and_drop(pool);
    assert_in_range(bytes_in_use(), 0, before + MANY * sizeof(double) / 2);
    end_pool(pool);
}

static brood_status end_worker(brood_call *call)
{
    (void)call;
    brood_exit(3);
    return BROOD_OK;
}

/* A forked worker has what its parent had when it was forked, maybe the last result. So that one is
 * ended, and replaced while there is none. */
static void replace_worker(brood_pool *pool)
{
    brood_value result;
    assert_int_equal(brood_pool_apply(pool, end_worker, brood_tuple(0), NULL, &result),
                     BROOD_EWORKERDIED);
    bt_ok(brood_pool_apply(pool, square, brood_pack("(i)", 1), NULL, &result));
    brood_value_clear(&result);
    bt_ok(brood_pool_drain(pool, HANG));
}

static void test_a_worker_that_dies_leaves_nothing_behind(void **state)
{
    (void)state;
    brood_pool *pool = make_pool_with(
        &(brood_pool_options){.workers = 1, .max_restarts = 1000, .restart_window = 1});
    uint64_t before = 0;
    for (int round = 0; round < 3; round++) {
        for (int64_t point = 0; point < (int64_t)(sizeof points / sizeof *points); point++) {
            brood_value result = {0};
            brood_status status = brood_pool_apply(
                pool, die_at, brood_pack("(lv)", point, make_numbers(MANY, 1)), NULL, &result);
            if (status == BROOD_OK)
                assert_true(last_of(&result) == MANY);
            else
                assert_int_equal(status, BROOD_EWORKERDIED);
            brood_value_clear(&result);
        }
        replace_worker(pool);
        if (round == 0)
            before = bytes_in_use();
    }
    /* A block here and there may stay, but none of the arrays. */
    assert_in_range(bytes_in_use(), 0, before + MANY * sizeof(double) / 2);
    end_pool(pool);
}

static void test_a_pool_that_ends_lets_go_what_nobody_took(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    run_and_drop(pool);
    uint64_t before = bytes_in_use();
    bt_ok(brood_pool_pause(pool));
    for (int i = 0; i < 8; i++)
        bt_ok(brood_pool_apply_async(pool, add_one, brood_pack("(v)", make_numbers(MANY, 1)), NULL,
                                     NULL));
    bt_ok(brood_pool_terminate(pool));
    brood_pool_destroy(pool);
    assert_in_range(bytes_in_use(), 0, before + MANY * sizeof(double) / 2);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_an_argument_lives_though_nobody_else_has_it),
                   bt_test(test_items_of_a_generator_live_until_they_are_used),
                   bt_test(test_a_result_lives_though_its_worker_has_let_it_go),
                   bt_test(test_there_and_back_it_is_the_same_memory),
                   bt_test(test_nothing_is_left_of_what_was_dropped),
                   bt_test(test_a_worker_that_dies_leaves_nothing_behind),
                   bt_test(test_a_pool_that_ends_lets_go_what_nobody_took));
}
