/* test_stream.c - platform/stream.h: byte channels with deadlines. */
#define _GNU_SOURCE
#include "expect.h"

#include "threads.h"

#ifndef _WIN32
#include <signal.h>
#include <unistd.h>
#endif

enum { BIG = 16 << 20 };

/* Bytes that tell their place. */
static void fill(unsigned char *bytes, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)((i * 2654435761u + seed) >> 11);
}

static void close_both(brp_handle ends[2])
{
    brp_handle_close(&ends[0]);
    brp_handle_close(&ends[1]);
}

typedef struct transfer {
    brp_handle stream;
    unsigned char *bytes;
    size_t size, done;
    brood_status status;
} transfer;

static void write_transfer(void *context)
{
    transfer *t = context;
    brp_bytes part = {.data = t->bytes, .size = t->size};
    t->status = brp_stream_write_all(t->stream, &part, 1, &t->done, pt_hang());
}

static void read_transfer(void *context)
{
    transfer *t = context;
    t->status = brp_stream_read_all(t->stream, t->bytes, t->size, &t->done, pt_hang());
}

static void test_big_transfers_pass_each_other_both_ways(void **state)
{
    (void)state;
    brp_handle ends[2];
    unsigned char *sent[2], *got[2];
    pt_thread threads[4];
    transfer transfers[4];
    pt_ok(brp_stream_pair(ends));
    for (int i = 0; i < 2; i++) {
        sent[i] = bri_alloc(BIG);
        got[i] = bri_calloc(1, BIG);
        fill(sent[i], BIG, (unsigned)i);
        transfers[i] = (transfer){.stream = ends[i], .bytes = sent[i], .size = BIG};
        transfers[2 + i] = (transfer){.stream = ends[1 - i], .bytes = got[i], .size = BIG};
    }
    for (int i = 0; i < 4; i++)
        pt_thread_start(&threads[i], i < 2 ? write_transfer : read_transfer, &transfers[i]);
    for (int i = 0; i < 4; i++)
        pt_thread_join(&threads[i]);
    close_both(ends);
    bool same = true;
    for (int i = 0; i < 2; i++) {
        same = same && memcmp(sent[i], got[i], BIG) == 0;
        bri_free(sent[i]);
        bri_free(got[i]);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(transfers[i].status, BROOD_OK);
        assert_int_equal(transfers[i].done, BIG);
    }
    assert_true(same);
}

static void test_an_empty_stream_times_out_and_keeps_the_outputs(void **state)
{
    (void)state;
    brp_handle ends[2];
    char byte = 'k';
    size_t got = 77;
    pt_ok(brp_stream_pair(ends));
    const bri_deadline deadlines[] = {0, pt_in(0), pt_in(30)};
    for (int i = 0; i < 3; i++) {
        pt_fails(brp_stream_read(ends[0], &byte, 1, &got, deadlines[i]), BROOD_ETIMEDOUT);
        pt_fails(brp_stream_poll(ends[0], deadlines[i]), BROOD_ETIMEDOUT);
    }
    assert_int_equal(got, 77);
    assert_int_equal(byte, 'k');
    pt_ok(pt_say(ends[1], "ab"));
    pt_ok(brp_stream_poll(ends[0], 0));
    pt_ok(brp_stream_read(ends[0], &byte, 1, &got, 0));
    assert_int_equal(byte, 'a');
    pt_ok(brp_stream_poll(ends[0], BRI_NEVER));
    pt_ok(brp_stream_read(ends[0], &byte, 1, &got, BRI_NEVER));
    assert_int_equal(byte, 'b');
    close_both(ends);
}

static void test_a_full_stream_times_out_and_tells_what_went_out(void **state)
{
    (void)state;
    brp_handle ends[2];
    unsigned char *bytes = bri_alloc(BIG), *back = bri_alloc(BIG);
    fill(bytes, BIG, 5);
    pt_ok(brp_stream_pair(ends));
    brp_bytes part = {.data = bytes, .size = BIG};
    size_t written = 0, got = 0;
    pt_fails(brp_stream_write_all(ends[0], &part, 1, &written, pt_in(50)), BROOD_ETIMEDOUT);
    assert_true(written < BIG);
    size_t again = 1;
    pt_fails(brp_stream_write_all(ends[0], &part, 1, &again, 0), BROOD_ETIMEDOUT);
    written += again;
    pt_ok(brp_stream_read_all(ends[1], back, written, &got, pt_hang()));
    pt_fails(brp_stream_poll(ends[1], 0), BROOD_ETIMEDOUT);
    bool same = memcmp(bytes, back, written - again) == 0 &&
                memcmp(bytes, back + written - again, again) == 0;
    bri_free(bytes);
    bri_free(back);
    close_both(ends);
    assert_int_equal(got, written);
    assert_true(same);
}

static void test_what_was_sent_before_closing_arrives_before_the_end(void **state)
{
    (void)state;
    brp_handle ends[2];
    char bytes[8] = "";
    size_t got = 0;
    pt_ok(brp_stream_pair(ends));
    pt_ok(pt_say(ends[1], "hello"));
    brp_handle_close(&ends[1]);
    pt_fails(brp_stream_read_all(ends[0], bytes, 8, &got, pt_hang()), BROOD_EEOF);
    assert_int_equal(got, 5);
    assert_memory_equal(bytes, "hello", 5);
    pt_ok(brp_stream_poll(ends[0], 0));
    pt_fails(brp_stream_read_all(ends[0], bytes, 8, &got, BRI_NEVER), BROOD_EEOF);
    assert_int_equal(got, 0);
    brp_handle_close(&ends[0]);
}

static void test_the_end_comes_too_when_the_closed_end_had_bytes_unread(void **state)
{
    (void)state;
    brp_handle ends[2];
    char bytes[8];
    size_t got = 0, written = 0;
    pt_ok(brp_stream_pair(ends));
    pt_ok(pt_say(ends[0], "never read"));
    pt_ok(pt_say(ends[1], "x"));
    brp_handle_close(&ends[1]);
    pt_ok(brp_stream_read(ends[0], bytes, 8, &got, pt_hang()));
    assert_int_equal(got, 1);
    pt_fails(brp_stream_read(ends[0], bytes, 8, &got, pt_hang()), BROOD_EEOF);
    brp_bytes part = {.data = "y", .size = 1};
    pt_fails(brp_stream_write_all(ends[0], &part, 1, &written, pt_hang()), BROOD_EEOF);
    brp_handle_close(&ends[0]);
}

static void test_writing_to_nobody_is_an_end_and_no_signal(void **state)
{
    (void)state;
    brp_handle ends[2];
    size_t written = 9;
    brp_bytes part = {.data = "y", .size = 1};
    pt_ok(brp_stream_pair(ends));
    brp_handle_close(&ends[1]);
    pt_fails(brp_stream_write_all(ends[0], &part, 1, &written, BRI_NEVER), BROOD_EEOF);
    pt_fails(brp_stream_write_all(ends[0], &part, 1, &written, 0), BROOD_EEOF);
    assert_int_equal(written, 0);
    brp_handle_close(&ends[0]);
    pt_ok(brp_pipe_pair(&ends[0], &ends[1], false));
    brp_handle_close(&ends[1]);
    pt_fails(brp_stream_write_all(ends[0], &part, 1, &written, BRI_NEVER), BROOD_EEOF);
    pt_fails(brp_stream_write_all(ends[0], &part, 1, &written, 0), BROOD_EEOF);
    brp_handle_close(&ends[0]);
}

static void test_the_end_is_learnt_when_the_peer_is_killed(void **state)
{
    (void)state;
    pt_process child;
    char byte;
    size_t got;
    pt_start(&child, "child", "stay", NULL, 0);
    assert_true(pt_await_byte(child.report, PT_HANG_MS));
    pt_ok(brp_child_signal(&child.child, BRP_KILL));
    pt_fails(brp_stream_read(child.report, &byte, 1, &got, pt_hang()), BROOD_EEOF);
    pt_join(&child);
}

static void test_parts_are_gathered_in_order(void **state)
{
    enum { PARTS = 1000 };
    (void)state;
    static brp_bytes parts[PARTS];
    static char content[PARTS];
    brp_handle ends[2];
    size_t total = 0, written = 0;
    for (size_t i = 0; i < PARTS; i++) {
        content[i] = (char)('a' + i % 26);
        parts[i] = (brp_bytes){.data = content, .size = i % 3 == 0 ? 0 : i % 17};
        total += parts[i].size;
    }
    transfer in = {.bytes = bri_alloc(total), .size = total};
    pt_thread reader;
    pt_ok(brp_stream_pair(ends));
    in.stream = ends[1];
    pt_thread_start(&reader, read_transfer, &in);
    pt_ok(brp_stream_write_all(ends[0], parts, PARTS, &written, pt_hang()));
    pt_thread_join(&reader);
    size_t at = 0;
    bool same = true;
    for (size_t i = 0; i < PARTS; i++) {
        same = same && memcmp(in.bytes + at, parts[i].data, parts[i].size) == 0;
        at += parts[i].size;
    }
    bri_free(in.bytes);
    close_both(ends);
    assert_int_equal(in.status, BROOD_OK);
    assert_int_equal(written, total);
    assert_true(same);
}

static void test_nothing_to_write_and_nothing_to_read_succeed(void **state)
{
    (void)state;
    brp_handle ends[2];
    size_t n = 5;
    brp_bytes empty[2] = {{NULL, 0}, {"", 0}};
    char byte;
    pt_ok(brp_stream_pair(ends));
    pt_ok(brp_stream_write_all(ends[0], NULL, 0, &n, 0));
    assert_int_equal(n, 0);
    pt_ok(brp_stream_write_all(ends[0], empty, 2, &n, 0));
    assert_int_equal(n, 0);
    pt_ok(brp_stream_read_all(ends[0], &byte, 0, &n, 0));
    assert_int_equal(n, 0);
    close_both(ends);
}

static void test_a_one_way_channel_has_one_way(void **state)
{
    (void)state;
    brp_handle ends[2];
    char byte;
    size_t n = 0;
    brp_bytes part = {.data = "x", .size = 1};
    pt_ok(brp_stream_pair_one_way(ends));
    assert_int_not_equal(brp_stream_write_all(ends[0], &part, 1, &n, pt_hang()), BROOD_OK);
    assert_int_not_equal(brp_stream_read(ends[1], &byte, 1, &n, pt_in(100)), BROOD_OK);
    pt_ok(pt_say(ends[1], "z"));
    pt_ok(brp_stream_read(ends[0], &byte, 1, &n, pt_hang()));
    assert_int_equal(byte, 'z');
    brp_handle_close(&ends[1]);
    pt_fails(brp_stream_read(ends[0], &byte, 1, &n, pt_hang()), BROOD_EEOF);
    brp_handle_close(&ends[0]);
    pt_ok(brp_stream_pair_one_way(ends));
    brp_handle_close(&ends[0]);
    pt_fails(brp_stream_write_all(ends[1], &part, 1, &n, pt_hang()), BROOD_EEOF);
    brp_handle_close(&ends[1]);
}

static void test_a_foreign_program_reads_and_writes_our_pipes(void **state)
{
    (void)state;
    pt_process child;
    brp_handle to_child, stdin_end, from_child, stdout_end;
    unsigned char *sent = bri_alloc(BIG / 4), *got = bri_alloc(BIG / 4);
    /* On Windows standard streams are in text mode: no line ends, no end-of-file character. */
    for (size_t i = 0; i < BIG / 4; i++)
        sent[i] = (unsigned char)('!' + i % 93);
    pt_ok(brp_pipe_pair(&to_child, &stdin_end, false));
    pt_ok(brp_pipe_pair(&from_child, &stdout_end, true));
    brp_spawn_options options = {.stdio = {{BRP_STDIO_HANDLE, stdin_end},
                                           {BRP_STDIO_HANDLE, stdout_end},
                                           {BRP_STDIO_INHERIT, BRP_NO_HANDLE}}};
    pt_start_with(&child, "child", "copy", NULL, 0, &options);
    brp_handle_close(&stdin_end);
    brp_handle_close(&stdout_end);
    transfer out = {.stream = to_child, .bytes = sent, .size = BIG / 4};
    transfer in = {.stream = from_child, .bytes = got, .size = BIG / 4};
    pt_thread writer;
    pt_thread_start(&writer, write_transfer, &out);
    read_transfer(&in);
    pt_thread_join(&writer);
    char byte;
    size_t n;
    pt_fails(brp_stream_poll(from_child, 0), BROOD_ETIMEDOUT);
    pt_fails(brp_stream_read(from_child, &byte, 1, &n, pt_in(20)), BROOD_ETIMEDOUT);
    brp_handle_close(&to_child);
    pt_fails(brp_stream_read(from_child, &byte, 1, &n, pt_hang()), BROOD_EEOF);
    brp_handle_close(&from_child);
    int code = pt_join(&child);
    bool same = memcmp(sent, got, BIG / 4) == 0;
    bri_free(sent);
    bri_free(got);
    assert_int_equal(out.status, BROOD_OK);
    assert_int_equal(in.status, BROOD_OK);
    assert_true(same);
    assert_int_equal(code, 0);
}

static void test_a_foreign_program_that_does_not_read_costs_a_deadline(void **state)
{
    (void)state;
    pt_process child;
    brp_handle to_child, stdin_end;
    unsigned char *bytes = bri_calloc(1, BIG);
    pt_ok(brp_pipe_pair(&to_child, &stdin_end, false));
    brp_spawn_options options = {.stdio[0] = {BRP_STDIO_HANDLE, stdin_end}};
    pt_start_with(&child, "child", "sit", NULL, 0, &options);
    brp_handle_close(&stdin_end);
    assert_true(pt_await_byte(child.report, PT_HANG_MS));
    brp_bytes part = {.data = bytes, .size = BIG};
    size_t written = 0;
    brood_status status = brp_stream_write_all(to_child, &part, 1, &written, pt_in(100));
    brp_handle_close(&child.report);
    pt_join(&child);
    brood_status after = brp_stream_write_all(to_child, &part, 1, &written, pt_hang());
    bri_free(bytes);
    brp_handle_close(&to_child);
    assert_int_equal(status, BROOD_ETIMEDOUT);
    assert_int_equal(after, BROOD_EEOF);
}

#ifndef _WIN32
static int times_interrupted;

static void count_signal(int number)
{
    (void)number;
    times_interrupted++;
}
#endif

static void test_a_signal_in_between_changes_nothing(void **state)
{
    (void)state;
#ifdef _WIN32
    pt_skip_on(PT_SYSTEM, "no signal interrupts a call there");
#else
    struct sigaction action = {.sa_handler = count_signal}, former;
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGALRM, &action, &former), 0);
    brp_handle ends[2];
    char byte;
    size_t got;
    pt_ok(brp_stream_pair(ends));
    int64_t before = brp_clock_now();
    alarm(1);
    pt_fails(brp_stream_read(ends[0], &byte, 1, &got, pt_in(1500)), BROOD_ETIMEDOUT);
    int64_t took = brp_clock_now() - before;
    sigaction(SIGALRM, &former, NULL);
    close_both(ends);
    assert_int_equal(times_interrupted, 1);
    assert_true(took >= 1500 * (int64_t)1000000);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_big_transfers_pass_each_other_both_ways),
        pt_test(test_an_empty_stream_times_out_and_keeps_the_outputs),
        pt_test(test_a_full_stream_times_out_and_tells_what_went_out),
        pt_test(test_what_was_sent_before_closing_arrives_before_the_end),
        pt_test(test_the_end_comes_too_when_the_closed_end_had_bytes_unread),
        pt_test(test_writing_to_nobody_is_an_end_and_no_signal),
        pt_test(test_the_end_is_learnt_when_the_peer_is_killed),
        pt_test(test_parts_are_gathered_in_order),
        pt_test(test_nothing_to_write_and_nothing_to_read_succeed),
        pt_test(test_a_one_way_channel_has_one_way),
        pt_test(test_a_foreign_program_reads_and_writes_our_pipes),
        pt_test(test_a_foreign_program_that_does_not_read_costs_a_deadline),
        pt_test(test_a_signal_in_between_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
