/* test_pass.c - platform/pass.h: handles given to another process over a stream. */
#define _GNU_SOURCE
#include "expect.h"

#include "platform/pass.h"
#include "threads.h"

#ifndef _WIN32
#include <sys/resource.h>
#endif

static void start_with_number(pt_process *child, const char *role, size_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", n);
    pt_start_arguments(child, "channel", role, (const char *[]){text, NULL});
}

static void pass_to_child(size_t n)
{
    brp_handle pairs[BRP_PASS_MAX][2], given[BRP_PASS_MAX];
    pt_process child;
    start_with_number(&child, "receive", n);
    for (size_t i = 0; i < n; i++) {
        pt_ok(brp_stream_pair(pairs[i]));
        given[i] = pairs[i][1];
    }
    pt_ok(brp_pass_send(child.report, child.child.pid, given, n, pt_hang()));
    for (size_t i = 0; i < n; i++)
        brp_handle_close(&pairs[i][1]);
    for (size_t i = 0; i < n; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "I am %zu", i);
        char *got = pt_read_all(pairs[i][0], NULL);
        assert_non_null(got);
        assert_string_equal(got, wanted);
        bri_free(got);
        brp_handle_close(&pairs[i][0]);
    }
    assert_int_equal(pt_join(&child), 0);
}

static void test_one_handle_goes_to_a_child(void **state)
{
    (void)state;
    pass_to_child(1);
}

static void test_64_handles_go_at_once(void **state)
{
    (void)state;
    pass_to_child(BRP_PASS_MAX);
}

static void test_a_child_gives_a_handle_to_its_parent(void **state)
{
    (void)state;
    pt_process child;
    brp_handle got = BRP_NO_HANDLE;
    pt_start(&child, "channel", "give", NULL, 0);
    pt_ok(brp_pass_receive(child.report, &got, 1, pt_hang()));
    assert_false(brp_handle_is_inheritable(got));
    pt_ok(pt_say(child.report, "g"));
    char *said = pt_read_all(got, NULL);
    brp_handle_close(&got);
    assert_int_equal(pt_join(&child), 0);
    assert_string_equal(said, "from the child");
    bri_free(said);
}

static void test_bytes_and_handles_keep_their_order(void **state)
{
    (void)state;
    brp_handle stream[2], pair[2], got = BRP_NO_HANDLE;
    char byte = 0;
    size_t n = 0;
    pt_ok(brp_stream_pair(stream));
    pt_ok(brp_stream_pair(pair));
    pt_ok(pt_say(stream[0], "a"));
    pt_ok(brp_pass_send(stream[0], brp_pid(), &pair[1], 1, pt_hang()));
    pt_ok(pt_say(stream[0], "b"));
    pt_ok(brp_stream_read(stream[1], &byte, 1, &n, pt_hang()));
    assert_int_equal(byte, 'a');
    pt_ok(brp_pass_receive(stream[1], &got, 1, pt_hang()));
    pt_ok(brp_stream_read(stream[1], &byte, 1, &n, pt_hang()));
    assert_int_equal(byte, 'b');
    pt_ok(pt_say(got, "through"));
    assert_true(pt_await_byte(pair[0], PT_HANG_MS));
    brp_handle_close(&got);
    for (int i = 0; i < 2; i++) {
        brp_handle_close(&stream[i]);
        brp_handle_close(&pair[i]);
    }
}

static void test_nothing_to_receive_times_out_and_nobody_there_is_the_end(void **state)
{
    (void)state;
    brp_handle stream[2], got = {12345}, null_device;
    pt_ok(brp_stream_pair(stream));
    pt_ok(brp_handle_open_null(&null_device));
    pt_fails(brp_pass_receive(stream[0], &got, 1, 0), BROOD_ETIMEDOUT);
    pt_fails(brp_pass_receive(stream[0], &got, 1, pt_in(50)), BROOD_ETIMEDOUT);
    brp_handle_close(&stream[1]);
    pt_fails(brp_pass_receive(stream[0], &got, 1, pt_hang()), BROOD_EEOF);
    brood_status status = brp_pass_send(stream[0], brp_pid(), &null_device, 1, pt_hang());
    brp_handle_close(&stream[0]);
    brp_handle_close(&null_device);
    assert_int_equal(status, BROOD_EEOF);
    assert_true(got.value == 12345);
}

static void test_how_many_go_at_once_is_bounded(void **state)
{
    (void)state;
    brp_handle stream[2], handles[BRP_PASS_MAX + 1];
    pt_ok(brp_stream_pair(stream));
    for (size_t i = 0; i <= BRP_PASS_MAX; i++)
        handles[i] = stream[0];
    pt_fails(brp_pass_send(stream[0], brp_pid(), handles, BRP_PASS_MAX + 1, 0), BROOD_EINVALID);
    pt_fails(brp_pass_send(stream[0], brp_pid(), handles, 0, 0), BROOD_EINVALID);
    pt_fails(brp_pass_receive(stream[0], handles, BRP_PASS_MAX + 1, 0), BROOD_EINVALID);
    pt_fails(brp_pass_receive(stream[0], handles, 0, 0), BROOD_EINVALID);
    brp_handle_close(&stream[0]);
    brp_handle_close(&stream[1]);
}

static void test_plain_bytes_are_no_handles(void **state)
{
    (void)state;
    brp_handle stream[2], got = BRP_NO_HANDLE;
    char zeros[4096] = {0};
    brp_bytes part = {.data = zeros, .size = sizeof zeros};
    size_t written;
    pt_ok(brp_stream_pair(stream));
    pt_ok(brp_stream_write_all(stream[0], &part, 1, &written, pt_hang()));
    pt_fails(brp_pass_receive(stream[1], &got, 1, pt_hang()), BROOD_EFORMAT);
    assert_false(brp_handle_is_set(got));
    brp_handle_close(&stream[0]);
    brp_handle_close(&stream[1]);
}

static void test_another_number_than_expected_is_refused_and_closed(void **state)
{
    (void)state;
    if (PT_IS_WINDOWS)
        pt_skip_on(PT_SYSTEM, "handles are made in the receiver before it can refuse them");
    const size_t expected[] = {1, 2, 4, BRP_PASS_MAX};
    for (size_t i = 0; i < 4; i++) {
        brp_handle stream[2], pair[2], given[3], got[BRP_PASS_MAX];
        char byte;
        size_t n;
        pt_ok(brp_stream_pair(stream));
        pt_ok(brp_stream_pair(pair));
        given[0] = given[1] = given[2] = pair[1];
        pt_ok(brp_pass_send(stream[0], brp_pid(), given, 3, pt_hang()));
        brp_handle_close(&pair[1]);
        pt_fails(brp_pass_receive(stream[1], got, expected[i], pt_hang()), BROOD_EFORMAT);
        pt_fails(brp_stream_read(pair[0], &byte, 1, &n, pt_hang()), BROOD_EEOF);
        brp_handle_close(&pair[0]);
        brp_handle_close(&stream[0]);
        brp_handle_close(&stream[1]);
    }
}

static void test_a_sender_that_dies_leaves_nothing_open(void **state)
{
    (void)state;
    pt_process child;
    brp_handle got[2];
    pt_start(&child, "channel", "give_and_die", NULL, 0);
    pt_ok(brp_child_await_end(&child.child, pt_hang()));
    brood_status status = brp_pass_receive(child.report, got, 2, pt_hang());
    bool byte = status == BROOD_OK && pt_await_byte(child.report, PT_HANG_MS);
    if (status == BROOD_OK) {
        brp_handle_close(&got[0]);
        brp_handle_close(&got[1]);
    }
    assert_int_equal(pt_join(&child), -9);
    if (!PT_IS_WINDOWS) { /* there they may have died with the sender */
        assert_int_equal(status, BROOD_OK);
        assert_true(byte);
    }
}

static void test_running_out_of_numbers_is_a_limit_and_leaks_nothing(void **state)
{
    (void)state;
#ifdef _WIN32
    pt_skip_on(PT_SYSTEM, "there is no limit of handles to reach");
#else
    brp_handle stream[2], given[8], got[8];
    struct rlimit before, low;
    pt_ok(brp_stream_pair(stream));
    for (int i = 0; i < 8; i++)
        given[i] = stream[0];
    pt_ok(brp_pass_send(stream[0], brp_pid(), given, 8, pt_hang()));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    size_t open = brp_handle_count();
    low.rlim_cur = (rlim_t)stream[1].value + 4;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    brood_status status = brp_pass_receive(stream[1], got, 8, pt_hang());
    setrlimit(RLIMIT_NOFILE, &before);
    size_t open_after = brp_handle_count();
    brp_handle_close(&stream[0]);
    brp_handle_close(&stream[1]);
    assert_int_equal(status, BROOD_ELIMIT);
    assert_int_equal(open_after, open);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_one_handle_goes_to_a_child),
        pt_test(test_64_handles_go_at_once),
        pt_test(test_a_child_gives_a_handle_to_its_parent),
        pt_test(test_bytes_and_handles_keep_their_order),
        pt_test(test_nothing_to_receive_times_out_and_nobody_there_is_the_end),
        pt_test(test_how_many_go_at_once_is_bounded),
        pt_test(test_plain_bytes_are_no_handles),
        pt_test(test_another_number_than_expected_is_refused_and_closed),
        pt_test(test_a_sender_that_dies_leaves_nothing_open),
        pt_test(test_running_out_of_numbers_is_a_limit_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
