/* test_clock.c - platform/clock.h: one clock for all processes, which never goes back. */
#include "expect.h"

static void test_the_clock_never_goes_back(void **state)
{
    (void)state;
    int64_t first = brp_clock_now(), last = first;
    for (int i = 0; i < 200000; i++) {
        int64_t now = brp_clock_now();
        assert_true(now >= last);
        last = now;
        brp_cpu_relax();
    }
    assert_true(last > first);
}

static void test_processes_have_the_same_clock(void **state)
{
    (void)state;
    pt_process child;
    int64_t pid, parent, now;
    uint64_t start;
    int64_t before = brp_clock_now();
    pt_start(&child, "child", "pid", NULL, 0);
    char *report = pt_report(&child);
    int64_t after = brp_clock_now();
    int fields =
        sscanf(report, "%" SCNd64 " %" SCNd64 " %" SCNu64 " %" SCNd64, &pid, &parent, &start, &now);
    bri_free(report);
    assert_int_equal(fields, 4);
    assert_true(before <= now && now <= after);
}

static void test_the_clock_runs_as_fast_as_a_wait(void **state)
{
    (void)state;
    brp_handle ends[2];
    char byte;
    size_t got;
    pt_ok(brp_stream_pair(ends));
    int64_t before = brp_clock_now();
    pt_fails(brp_stream_read(ends[0], &byte, 1, &got, pt_in(200)), BROOD_ETIMEDOUT);
    int64_t took = brp_clock_now() - before;
    brp_handle_close(&ends[0]);
    brp_handle_close(&ends[1]);
    assert_true(took >= 200 * 1000000);
    assert_true(took < (int64_t)PT_HANG_MS * 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_the_clock_never_goes_back),
        pt_test(test_processes_have_the_same_clock),
        pt_test(test_the_clock_runs_as_fast_as_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
