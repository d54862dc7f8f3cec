/* test_deadline.c - base/deadline.h: arithmetic at the edges of the clock. */
#include "../data/support.h"

#include "base/deadline.h"

static void test_forever_has_no_end(void **state)
{
    (void)state;
    assert_int_equal(bri_deadline_after(5, BROOD_FOREVER), BRI_NEVER);
    assert_int_equal(bri_deadline_after(5, -77), BRI_NEVER);
    assert_int_equal(bri_deadline_after(5, INT64_MIN), BRI_NEVER);
    assert_int_equal(bri_deadline_left(BRI_NEVER, INT64_MAX - 1), -1);
    assert_int_equal(bri_deadline_left_ms(BRI_NEVER, 0), BROOD_FOREVER);
}

static void test_a_time_out_beyond_the_clock_is_forever(void **state)
{
    (void)state;
    assert_int_equal(bri_deadline_after(0, INT64_MAX), BRI_NEVER);
    assert_int_equal(bri_deadline_after(INT64_MAX - 999999, 1), BRI_NEVER);
    assert_int_equal(bri_deadline_after(INT64_MAX - 1000001, 1), INT64_MAX - 1);
    assert_int_equal(bri_deadline_after(0, INT64_MAX / 1000000), INT64_MAX / 1000000 * 1000000);
}

static void test_what_is_left_never_ends_too_early(void **state)
{
    (void)state;
    bri_deadline deadline = bri_deadline_after(1000, 3);
    assert_int_equal(deadline, 3001000);
    assert_int_equal(bri_deadline_left(deadline, 1000), 3000000);
    assert_int_equal(bri_deadline_left_ms(deadline, 1000), 3);
    assert_int_equal(bri_deadline_left_ms(deadline, 1001), 3);
    assert_int_equal(bri_deadline_left_ms(deadline, 1001000), 2);
    assert_int_equal(bri_deadline_left_ms(deadline, 3000999), 1);
    assert_int_equal(bri_deadline_left_ms(deadline, 3001000), 0);
    assert_int_equal(bri_deadline_left(deadline, 9999999), 0);
    assert_int_equal(bri_deadline_after(77, 0), 77);
}

dt_main(dt_test(test_forever_has_no_end), dt_test(test_a_time_out_beyond_the_clock_is_forever),
        dt_test(test_what_is_left_never_ends_too_early))
