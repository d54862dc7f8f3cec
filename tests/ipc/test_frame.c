/* Frames on a stream: CPython's bytes, parts, limits, ends, out of memory. */
#include "harness.h"

#include "base/memory.h"
#include "ipc/frame.h"
#include "platform/clock.h"

typedef struct pipe_state {
    brp_handle ends[2];
    bri_frame_reader reader;
} pipe_state;

static pipe_state open_pipe(void)
{
    pipe_state state = {.reader = {0}};
    bt_ok(brp_stream_pair(state.ends));
    return state;
}

static void close_pipe(pipe_state *state)
{
    bri_frame_fini(&state->reader);
    brp_handle_close(&state->ends[0]);
    brp_handle_close(&state->ends[1]);
}

static void feed(pipe_state *state, const void *data, size_t size)
{
    brp_bytes part = {data, size};
    size_t written;
    if (size != 0)
        bt_ok(brp_stream_write_all(state->ends[1], &part, 1, &written, BRI_NEVER));
}

static brood_status next(pipe_state *state, uint64_t limit, const void **data, size_t *size)
{
    return bri_frame_read(&state->reader, (brp_channel){state->ends[0], BRP_CHANNEL_STREAM}, limit,
                          data, size, 0);
}

static void expect(pipe_state *state, const void *bytes, size_t n)
{
    const void *data;
    size_t size;
    bt_ok(next(state, 1 << 30, &data, &size));
    assert_int_equal(size, n);
    if (n != 0)
        assert_memory_equal(data, bytes, n);
    bri_frame_done(&state->reader);
}

static void test_headers_are_those_of_cpython(void **state)
{
    (void)state;
    static const struct {
        uint64_t size;
        const char *bytes;
        size_t length;
    } cases[] = {
        {0, "\0\0\0\0", 4},
        {5, "\0\0\0\5", 4},
        {0x01020304, "\1\2\3\4", 4},
        {0x7fffffff, "\x7f\xff\xff\xff", 4},
        {0x80000000, "\xff\xff\xff\xff\0\0\0\0\x80\0\0\0", 12},
        {UINT64_C(0x123456789a), "\xff\xff\xff\xff\0\0\0\x12\x34\x56\x78\x9a", 12},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char header[BRI_FRAME_HEADER];
        assert_int_equal(bri_frame_header(cases[i].size, header), cases[i].length);
        assert_memory_equal(header, cases[i].bytes, cases[i].length);
    }
}

static void test_messages_come_whole_however_they_are_cut(void **state)
{
    (void)state;
    static const char bytes[] = "\0\0\0\3abc\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\5hello\0\0\0\1x";
    size_t length = sizeof bytes - 1;
    for (size_t step = 1; step <= length; step++) {
        pipe_state pipe = open_pipe();
        static const char *const wanted[] = {"abc", "", "hello", "x"};
        size_t fed = 0;
        for (size_t i = 0; i < 4;) {
            const void *data;
            size_t size;
            bool ready = bri_frame_is_ready(&pipe.reader);
            brood_status status = next(&pipe, 100, &data, &size);
            if (status == BROOD_ETIMEDOUT) {
                assert_false(ready);
                assert_true(fed < length);
                size_t n = length - fed < step ? length - fed : step;
                feed(&pipe, bytes + fed, n);
                fed += n;
                continue;
            }
            bt_ok(status);
            assert_true(bri_frame_is_ready(&pipe.reader));
            assert_int_equal(size, strlen(wanted[i]));
            if (size != 0)
                assert_memory_equal(data, wanted[i], size);
            bri_frame_done(&pipe.reader);
            i++;
        }
        close_pipe(&pipe);
    }
}

static void test_a_message_stays_until_it_is_done(void **state)
{
    (void)state;
    pipe_state pipe = open_pipe();
    const void *data;
    size_t size;
    feed(&pipe, "\0\0\0\2ab\0\0\0\1c", 11);
    for (int i = 0; i < 3; i++) {
        bt_ok(next(&pipe, 100, &data, &size));
        assert_int_equal(size, 2);
        assert_memory_equal(data, "ab", 2);
    }
    bri_frame_done(&pipe.reader);
    expect(&pipe, "c", 1);
    close_pipe(&pipe);
}

static void test_many_messages_are_read_ahead(void **state)
{
    (void)state;
    pipe_state pipe = open_pipe();
    char message[20] = "\0\0\0\6", wanted[16];
    for (int i = 0; i < 6000; i++) {
        snprintf(message + 4, sizeof message - 4, " %05d", i);
        feed(&pipe, message, 10);
        if (i % 100 != 99)
            continue;
        for (int j = i - 99; j <= i; j++) {
            snprintf(wanted, sizeof wanted, " %05d", j);
            expect(&pipe, wanted, 6);
        }
        assert_false(bri_frame_is_ready(&pipe.reader));
    }
    close_pipe(&pipe);
}

static void test_a_long_message_arrives_bit_by_bit(void **state)
{
    (void)state;
    enum { SIZE = 3000000, STEP = 50000 };
    pipe_state pipe = open_pipe();
    unsigned char *bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)(i * 7 >> 3);
    unsigned char header[BRI_FRAME_HEADER];
    const void *data;
    size_t size;
    feed(&pipe, header, bri_frame_header(SIZE, header));
    for (size_t fed = 0; fed < SIZE; fed += STEP) {
        assert_int_equal(next(&pipe, SIZE, &data, &size), BROOD_ETIMEDOUT);
        assert_false(bri_frame_is_ready(&pipe.reader));
        feed(&pipe, bytes + fed, STEP);
    }
    feed(&pipe, "\0\0\0\1z", 5);
    expect(&pipe, bytes, SIZE);
    expect(&pipe, "z", 1);
    free(bytes);
    close_pipe(&pipe);
}

static void test_a_message_can_be_taken(void **state)
{
    (void)state;
    enum { SIZE = 20000 };
    pipe_state pipe = open_pipe();
    static unsigned char message[SIZE + 4] = {0, 0, SIZE >> 8, SIZE & 0xff, 42};
    const void *data;
    void *taken;
    size_t size;
    feed(&pipe, message, sizeof message);
    feed(&pipe, "\0\0\0\2ok", 6);
    bt_ok(next(&pipe, SIZE, &data, &size));
    bt_ok(bri_frame_take(&pipe.reader, &taken));
    assert_memory_equal(taken, message + 4, SIZE);
    bri_free(taken);
    bt_ok(next(&pipe, SIZE, &data, &size));
    bt_ok(bri_frame_take(&pipe.reader, &taken));
    assert_memory_equal(taken, "ok", 2);
    bri_free(taken);
    close_pipe(&pipe);
}

static void test_nothing_is_allocated_for_what_is_only_announced(void **state)
{
    (void)state;
    pipe_state pipe = open_pipe();
    const void *data;
    size_t size;
    feed(&pipe,
         "\xff\xff\xff\xff\0\0\x7f\xff\xff\xff\xff\xff"
         "abc",
         15);
    bt_fails(next(&pipe, UINT64_MAX, &data, &size), BROOD_ETIMEDOUT);
    assert_true(pipe.reader.body.capacity <= 2 << 20);
    close_pipe(&pipe);
}

static void test_too_long_breaks_the_reader(void **state)
{
    (void)state;
    pipe_state pipe = open_pipe();
    const void *data;
    size_t size;
    feed(&pipe, "\0\0\0\3abc\0\0\0\1d", 12);
    bt_fails(next(&pipe, 2, &data, &size), BROOD_ETOOLONG);
    bt_message_has("3 bytes");
    assert_true(bri_frame_is_ready(&pipe.reader));
    bt_fails(next(&pipe, 100, &data, &size), BROOD_ETOOLONG);
    close_pipe(&pipe);
}

static void test_what_is_no_length_breaks_the_reader(void **state)
{
    (void)state;
    pipe_state pipe = open_pipe();
    const void *data;
    size_t size;
    feed(&pipe,
         "\xff\xff\xff\xfe"
         "aaaaaaaaaa",
         14);
    bt_fails(next(&pipe, 100, &data, &size), BROOD_EFORMAT);
    bt_fails(next(&pipe, 100, &data, &size), BROOD_EFORMAT);
    close_pipe(&pipe);
}

static void test_the_end_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        brood_status status;
    } cases[] = {{"", 0, BROOD_EEOF},
                 {"\0\0", 2, BROOD_EBROKEN},
                 {"\0\0\0\1", 4, BROOD_EBROKEN},
                 {"\0\0\0\3ab", 6, BROOD_EBROKEN},
                 {"\0\1\0\0"
                  "ab",
                  6, BROOD_EBROKEN},
                 {"\xff\xff\xff\xff\0\0", 6, BROOD_EBROKEN}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pipe_state pipe = open_pipe();
        const void *data;
        size_t size;
        feed(&pipe, "\0\0\0\1x", 5);
        feed(&pipe, cases[i].bytes, cases[i].n);
        brp_handle_close(&pipe.ends[1]);
        expect(&pipe, "x", 1);
        for (int again = 0; again < 2; again++)
            bt_fails(next(&pipe, 1 << 20, &data, &size), cases[i].status);
        assert_true(bri_frame_is_ready(&pipe.reader));
        close_pipe(&pipe);
    }
}

static void test_out_of_memory_loses_nothing(void **state)
{
    (void)state;
    enum { SIZE = 40000 };
    static unsigned char message[SIZE + 4] = {0, 0, SIZE >> 8, SIZE & 0xff, 1, 2, 3};
    pipe_state pipe = open_pipe();
    const void *data;
    size_t size;
    feed(&pipe, message, sizeof message);
    for (int i = 0; i < 3; i++) {
        bri_memory_fail_at(1, 1);
        bt_fails(next(&pipe, SIZE, &data, &size), BROOD_ENOMEM);
        bri_memory_fail_at(i == 0 ? 2 : 0, 1);
        brood_status status = next(&pipe, SIZE, &data, &size);
        assert_int_equal(status, i == 0 ? BROOD_ENOMEM : BROOD_OK);
        bri_memory_fail_at(0, 0);
        if (status == BROOD_OK)
            break;
    }
    expect(&pipe, message + 4, SIZE);
    close_pipe(&pipe);
}

static void test_bytes_from_elsewhere_come_first(void **state)
{
    (void)state;
    pipe_state pipe = open_pipe();
    static char much[20000];
    bt_ok(bri_frame_put_ahead(&pipe.reader, "\0\0\0\3a", 5));
    feed(&pipe, "bc", 2);
    expect(&pipe, "abc", 3);
    bt_fails(bri_frame_put_ahead(&pipe.reader, much, sizeof much), BROOD_EFORMAT);
    close_pipe(&pipe);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_headers_are_those_of_cpython),
        bt_test(test_messages_come_whole_however_they_are_cut),
        bt_test(test_a_message_stays_until_it_is_done), bt_test(test_many_messages_are_read_ahead),
        bt_test(test_a_long_message_arrives_bit_by_bit), bt_test(test_a_message_can_be_taken),
        bt_test(test_nothing_is_allocated_for_what_is_only_announced),
        bt_test(test_too_long_breaks_the_reader), bt_test(test_what_is_no_length_breaks_the_reader),
        bt_test(test_the_end_is_told_apart), bt_test(test_out_of_memory_loses_nothing),
        bt_test(test_bytes_from_elsewhere_come_first));
}
