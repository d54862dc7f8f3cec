/* test_time.c - brood/time.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <brood/time.h>

#include "base/deadline.h"
#include "platform/clock.h"

static void test_the_clock_is_the_platforms_in_milliseconds(void **state)
{
    (void)state;
    int64_t before = brp_clock_now();
    brood_ms now = brood_now();
    int64_t after = brp_clock_now();
    assert_true(now >= before / 1000000);
    assert_true(now <= after / 1000000);
}

static void test_a_sleep_lasts_at_least_its_duration(void **state)
{
    (void)state;
    int64_t before = brp_clock_now();
    brood_sleep(30);
    assert_true(brp_clock_now() - before >= 30 * INT64_C(1000000));
}

static void test_no_duration_returns_at_once(void **state)
{
    (void)state;
    int64_t before = brp_clock_now();
    brood_sleep(0);
    /* A minute would mean that it waits for something. */
    assert_true(brp_clock_now() - before < 60 * INT64_C(1000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_clock_is_the_platforms_in_milliseconds),
        cmocka_unit_test(test_a_sleep_lasts_at_least_its_duration),
        cmocka_unit_test(test_no_duration_returns_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
