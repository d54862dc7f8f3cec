/* brood-test: start-methods */
/* Iterations: in order and not, over lists and generators. */
#include "pools.h"

#include <stdatomic.h>

#include "base/memory.h"

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
            bt_fails(brood_imap_failure(NULL, &failure), BROOD_EINVALID);
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

/* A result of fail_odd, kept or not: no failure becomes a value. */
static void expect_of_fail_odd(brood_status status, brood_value *value)
{
    brood_kind kind = brood_value_kind(value);
    if (status == BROOD_OK)
        assert_true(kind == BROOD_ERROR || (kind == BROOD_INT && int_of(value) % 2 == 0));
    else
        assert_int_equal(status, BROOD_ETASK);
    brood_value_clear(value);
}

/* The parent runs out of memory at some time: an iteration ends, and has not lost a result when it
 * ends well. */
static void test_an_iteration_without_memory_ends(void **state)
{
    (void)state;
    enum { MOST = 48, N = 150 };
    brood_pool *pool = make_pool(1);
    brood_value known;
    bt_ok(brood_pool_apply(pool, fail_odd, brood_pack("(i)", 2), NULL, &known));
    for (int i = 4; i < 4 * MOST; i++) {
        counter numbers_on = {.n = N, .end = BROOD_EEOF};
        brood_map_options options = {.generator = count_on,
                                     .context = &numbers_on,
                                     .window = i % 4 < 2 ? 3 : 100,
                                     .chunksize = 1,
                                     .keep_errors = i % 3 == 0};
        brood_imap *imap = NULL;
        brood_value value = {0};
        int n = 0;
        bri_memory_fail_at(i / 4, 0);
        brood_status status =
            i % 2 == 0 ? brood_pool_imap(pool, fail_odd, value, &options, &imap)
                       : brood_pool_imap_unordered(pool, fail_odd, value, &options, &imap);
        if (imap == NULL) {
            assert_int_equal(status, BROOD_ENOMEM);
            bri_memory_fail_at(0, 0);
            continue;
        }
        while ((status = brood_imap_next(imap, &value, HANG)) == BROOD_OK ||
               status == BROOD_ETASK) {
            expect_of_fail_odd(status, &value);
            n++;
        }
        bri_memory_fail_at(0, 0);
        assert_true(status == BROOD_EEOF ? n == N : status == BROOD_ENOMEM && n < N);
        assert_int_equal(brood_imap_next(imap, &value, HANG), status);
        bt_ok(brood_pool_drain(pool, HANG));
        brood_imap_destroy(imap);
    }
    end_pool(pool);
}

/* A failure that there is no memory to describe is one still. */
static void test_no_failure_becomes_a_value_without_memory(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    for (int keep = 0; keep < 2; keep++) {
        counter numbers_on = {.n = 100, .end = BROOD_EEOF};
        brood_map_options options = {
            .generator = count_on, .context = &numbers_on, .window = 2, .keep_errors = keep == 1};
        brood_imap *imap;
        brood_value value = {0};
        brood_status status;
        bt_ok(brood_pool_imap(pool, fail_odd, value, &options, &imap));
        expect_of_fail_odd(brood_imap_next(imap, &value, HANG), &value);
        bri_memory_fail_at(1, 1);
        while ((status = brood_imap_next(imap, &value, HANG)) == BROOD_OK || status == BROOD_ETASK)
            expect_of_fail_odd(status, &value);
        bri_memory_fail_at(0, 0);
        assert_true(status == BROOD_EEOF || status == BROOD_ENOMEM);
        brood_imap_destroy(imap);
    }
    end_pool(pool);
}

static void test_terminate_ends_iterations(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    holder h = submit_holder(pool, NULL);
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

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_imap_gives_results_in_order),
                   bt_test(test_imap_unordered_gives_each_result_once),
                   bt_test(test_imap_goes_on_after_a_failed_item),
                   bt_test(test_a_generator_is_asked_only_so_far_ahead),
                   bt_test(test_a_failing_generator_ends_the_iteration),
                   bt_test(test_an_iteration_can_be_dropped_in_the_middle),
                   bt_test(test_an_iteration_without_memory_ends),
                   bt_test(test_no_failure_becomes_a_value_without_memory),
                   bt_test(test_terminate_ends_iterations));
}
