/* test_spawn_handles.c - platform/spawn.h: exactly the listed handles, and the standard streams. */
#define _GNU_SOURCE
#include "expect.h"
#include "inheritable.h"

#ifndef _WIN32
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#else
#include <windows.h>
#endif

static void test_a_child_gets_the_listed_handles_and_no_other(void **state)
{
    enum { PAIRS = 50, LISTED = 3 };
    (void)state;
    brp_handle pairs[PAIRS][2], listed[LISTED][2], given[LISTED];
    pt_process child;
    for (int i = 0; i < PAIRS; i++) {
        pt_ok(brp_stream_pair_one_way(pairs[i]));
        if (i % 2 == 0) {
            bt_make_inheritable(pairs[i][0]);
            bt_make_inheritable(pairs[i][1]);
        }
    }
    for (int i = 0; i < LISTED; i++) {
        pt_ok(brp_stream_pair(listed[i]));
        given[i] = listed[i][1];
    }
    pt_start(&child, "child", "handles", given, LISTED);
    /* The child lives on; a writing end that it had would keep our reading end from its end. */
    char report[128] = "";
    size_t got = 0;
    unsigned at_start = 0, told = 0, inheritable = 1;
    for (size_t n = 0; strchr(report, '\n') == NULL; n += got)
        pt_ok(brp_stream_read(child.report, report + n, sizeof report - 1 - n, &got, pt_hang()));
    for (int i = 0; i < PAIRS; i++) {
        char byte;
        brp_handle_close(&pairs[i][1]);
        pt_fails(brp_stream_read(pairs[i][0], &byte, 1, &got, pt_hang()), BROOD_EEOF);
        brp_handle_close(&pairs[i][0]);
    }
    for (int i = 0; i < LISTED; i++) {
        brp_handle_close(&listed[i][0]);
        brp_handle_close(&listed[i][1]);
    }
    brp_handle_close(&child.report);
    assert_int_equal(pt_join(&child), 0);
    assert_int_equal(sscanf(report, "%u %u %u", &at_start, &told, &inheritable), 3);
    assert_int_equal(told, LISTED + 1);
    assert_int_equal(inheritable, 0);
    if (!PT_IS_WINDOWS) /* Windows opens handles of its own in every process */
        assert_int_equal(at_start, 3 + told);
}

static void test_handles_arrive_in_the_listed_order_whatever_their_numbers(void **state)
{
    enum { N = 40 };
    (void)state;
    brp_handle pairs[N][2], given[N];
    pt_process child;
    for (int i = 0; i < N; i++)
        pt_ok(brp_stream_pair(pairs[i]));
    /* The lowest numbers, which the child's use too, come last; and one comes twice. */
    for (int i = 0; i < N; i++)
        given[i] = pairs[N - 1 - i][1];
    given[7] = given[21];
    pt_start(&child, "child", "sign", given, N);
    for (int i = 0; i < N; i++)
        brp_handle_close(&pairs[i][1]);
    assert_int_equal(pt_join(&child), 0);
    for (int i = 0; i < N; i++) {
        char wanted[64];
        int place = N - 1 - i;
        snprintf(wanted, sizeof wanted, "I am %d", place + 1);
        if (place == 7)
            wanted[0] = '\0';
        if (place == 21)
            strcpy(wanted, "I am 8I am 22");
        char *got = pt_read_all(pairs[i][0], NULL);
        assert_non_null(got);
        assert_string_equal(got, wanted);
        bri_free(got);
        brp_handle_close(&pairs[i][0]);
    }
}

static void test_standard_streams_can_be_handles_and_swapped(void **state)
{
    (void)state;
    brp_handle out[2], err[2];
    pt_process child;
    pt_ok(brp_pipe_pair(&out[0], &out[1], true));
    pt_ok(brp_pipe_pair(&err[0], &err[1], true));
    pt_start_with(&child, "child", "talk", NULL, 0,
                  &(brp_spawn_options){.stdio = {{BRP_STDIO_NULL, BRP_NO_HANDLE},
                                                 {BRP_STDIO_HANDLE, err[1]},
                                                 {BRP_STDIO_HANDLE, out[1]}}});
    brp_handle_close(&out[1]);
    brp_handle_close(&err[1]);
    char *said[2] = {pt_read_all(out[0], NULL), pt_read_all(err[0], NULL)};
    brp_handle_close(&out[0]);
    brp_handle_close(&err[0]);
    assert_int_equal(pt_join(&child), 0);
    assert_string_equal(said[0], "err");
    assert_string_equal(said[1], "out");
    bri_free(said[0]);
    bri_free(said[1]);
}

static void test_both_outputs_can_be_one_handle(void **state)
{
    (void)state;
    brp_handle ends[2];
    pt_process child;
    pt_ok(brp_pipe_pair(&ends[0], &ends[1], true));
    pt_start_with(&child, "child", "talk", NULL, 0,
                  &(brp_spawn_options){.stdio = {{BRP_STDIO_NULL, BRP_NO_HANDLE},
                                                 {BRP_STDIO_HANDLE, ends[1]},
                                                 {BRP_STDIO_HANDLE, ends[1]}}});
    brp_handle_close(&ends[1]);
    char *said = pt_read_all(ends[0], NULL);
    brp_handle_close(&ends[0]);
    assert_int_equal(pt_join(&child), 0);
    assert_string_equal(said, "outerr");
    bri_free(said);
}

#ifndef _WIN32
/* Runs the child with our own standard streams in an odd state, and puts them back. */
static void test_our_own_standard_streams_may_be_swapped_closed_or_close_on_exec(void **state)
{
    (void)state;
    brp_handle pipe_ends[2];
    pt_process child;
    int saved[3];
    pt_ok(brp_pipe_pair(&pipe_ends[0], &pipe_ends[1], true));
    fflush(stdout);
    for (int i = 0; i < 3; i++)
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
    close(0);
    dup3((int)pipe_ends[1].value, 2, O_CLOEXEC); /* inherited nevertheless */
    brp_handle made[2];
    brood_status status = brp_stream_pair(made); /* must not become 0 */
    brp_spawn_options options = {.stdio = {{BRP_STDIO_INHERIT, BRP_NO_HANDLE},
                                           {BRP_STDIO_HANDLE, {2}},
                                           {BRP_STDIO_INHERIT, BRP_NO_HANDLE}}};
    pt_start_with(&child, "child", "talk", NULL, 0, &options);
    int lowest = (int)(made[0].value < made[1].value ? made[0].value : made[1].value);
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    pt_ok(status);
    brp_handle_close(&made[0]);
    brp_handle_close(&made[1]);
    brp_handle_close(&pipe_ends[1]);
    char *said = pt_read_all(pipe_ends[0], NULL);
    brp_handle_close(&pipe_ends[0]);
    assert_int_equal(pt_join(&child), 0);
    assert_true(lowest > 2);
    assert_string_equal(said, "outerr");
    bri_free(said);
}

static void test_a_closed_standard_stream_stays_closed_in_a_child_with_a_directory(void **state)
{
    (void)state;
    pt_process child;
    unsigned at_start = 0, told = 0;
    int saved = fcntl(1, F_DUPFD_CLOEXEC, 100);
    brp_handle stay[2];
    pt_ok(brp_stream_pair(stay));
    fflush(stdout);
    close(1);
    pt_start_with(&child, "child", "handles", &stay[1], 1, &(brp_spawn_options){.directory = "/"});
    dup2(saved, 1);
    close(saved);
    char report[128] = "";
    size_t got = 0;
    for (size_t n = 0; strchr(report, '\n') == NULL; n += got)
        pt_ok(brp_stream_read(child.report, report + n, sizeof report - 1 - n, &got, pt_hang()));
    brp_handle_close(&stay[0]);
    brp_handle_close(&stay[1]);
    brp_handle_close(&child.report);
    assert_int_equal(pt_join(&child), 0);
    assert_int_equal(sscanf(report, "%u %u", &at_start, &told), 2);
    assert_int_equal(at_start, 2 + told);
}
#else
static void test_our_own_standard_streams_may_be_swapped_closed_or_close_on_exec(void **state)
{
    (void)state;
    pt_skip_on(PT_SYSTEM, "handles have no fixed numbers there");
}

static void test_a_closed_standard_stream_stays_closed_in_a_child_with_a_directory(void **state)
{
    (void)state;
    pt_skip_on(PT_SYSTEM, "handles have no fixed numbers there");
}
#endif

static void test_running_out_of_handles_is_a_limit(void **state)
{
    (void)state;
#ifdef _WIN32
    pt_skip_on(PT_SYSTEM, "there is no limit of handles to reach");
#else
    brp_handle taken[256];
    int n = 0;
    struct rlimit before, low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 40;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (n < 256 && brp_handle_open_null(&taken[n]) == BROOD_OK)
        n++;
    brp_handle_close(&taken[--n]);
    brp_handle_close(&taken[--n]);
    /* Two are left: a start with that many handles to move needs more, fails in some step, and
     * leaves nothing. */
    enum { LISTED = 16 };
    brp_handle listed[LISTED];
    assert_true(n > LISTED);
    memcpy(listed, taken, sizeof listed);
    const char *const arguments[] = {"x", NULL};
    brp_child child;
    brood_status status = brp_spawn(&child, &(brp_spawn_options){.path = pt_prog("child"),
                                                                 .arguments = arguments,
                                                                 .handles = listed,
                                                                 .n_handles = LISTED});
    setrlimit(RLIMIT_NOFILE, &before);
    while (n > 0)
        brp_handle_close(&taken[--n]);
    assert_int_equal(status, BROOD_ELIMIT);
    pt_message_has(pt_prog("child"));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_a_child_gets_the_listed_handles_and_no_other),
        pt_test(test_handles_arrive_in_the_listed_order_whatever_their_numbers),
        pt_test(test_standard_streams_can_be_handles_and_swapped),
        pt_test(test_both_outputs_can_be_one_handle),
        pt_test(test_our_own_standard_streams_may_be_swapped_closed_or_close_on_exec),
        pt_test(test_a_closed_standard_stream_stays_closed_in_a_child_with_a_directory),
        pt_test(test_running_out_of_handles_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
