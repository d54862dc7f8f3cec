/* What a child has of its parent and what not: standard input, handles, the depth of the tree. */
/* brood-test: start-methods */
#include "harness.h"
#include "inheritable.h"

#include "platform/child.h"
#include "platform/clock.h"
#include "platform/handle.h"
#include "platform/spawn.h"
#include "platform/stream.h"

/* ---- standard input ---- */

static void read_all(brp_handle stream, char *text, size_t room)
{
    size_t length = 0, got = 0;
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), 20000);
    brood_status status = BROOD_OK;
    while (length < room - 1 && status == BROOD_OK) {
        status = brp_stream_read(stream, text + length, room - 1 - length, &got, deadline);
        length += status == BROOD_OK ? got : 0;
    }
    text[length] = '\0';
    bt_expect_status(status, BROOD_EEOF, "reading to the end", __FILE__, __LINE__);
}

/* A parent with a line waiting in its standard input: the child finds its own at the end, and takes
 * nothing of the parent's. */
static void test_standard_input_is_the_null_device(void **state)
{
    (void)state;
    brp_child child;
    brp_handle in[2], out[2];
    const char *method = brood_start_method_name(brood_get_start_method());
    const char *arguments[] = {bt_prog("prog_start"), "input", method, NULL};
    brp_bytes line = {"for the parent\n", 15};
    size_t written;
    char output[64];
    bt_ok(brp_pipe_pair(&in[0], &in[1], false));
    bt_ok(brp_pipe_pair(&out[0], &out[1], true));
    bt_ok(brp_stream_write_all(in[0], &line, 1, &written, BRI_NEVER));
    brp_handle_close(&in[0]);
    brp_child_init(&child);
    brp_spawn_options options = {.path = arguments[0],
                                 .arguments = arguments,
                                 .stdio = {{.kind = BRP_STDIO_HANDLE, .handle = in[1]},
                                           {.kind = BRP_STDIO_HANDLE, .handle = out[1]}}};
    brood_status status = brp_spawn(&child, &options);
    brp_handle_close(&in[1]);
    brp_handle_close(&out[1]);
    bt_ok(status);
    bt_ok(brp_child_let_go(&child));
    read_all(out[0], output, sizeof output);
    brp_handle_close(&out[0]);
    bt_ok(brp_child_wait(&child, bri_deadline_after(brp_clock_now(), 20000)));
    brp_child_close(&child);
    assert_string_equal(output, "[end][for the parent]");
    assert_int_equal(child.code, 0);
}

/* ---- handles ---- */

static brood_status exit_with_handles(brood_call *call)
{
    (void)call;
    brood_exit((int)brp_handle_count());
    return BROOD_OK;
}

static void test_a_hundred_handles_are_not_the_childs(void **state)
{
    (void)state;
    enum { PAIRS = 50 };
    brp_handle pairs[PAIRS][2];
    if (bt_method_is(BROOD_START_FORK))
        bt_skip("a fork has what its parent has");
    int before = bt_join(bt_process(exit_with_handles, brood_tuple(0)));
    for (int i = 0; i < PAIRS; i++) {
        bt_ok(brp_stream_pair(pairs[i]));
        bt_make_inheritable(pairs[i][0]);
    }
    int with_more = bt_join(bt_process(exit_with_handles, brood_tuple(0)));
    for (int i = 0; i < PAIRS; i++) {
        brp_handle_close(&pairs[i][0]);
        brp_handle_close(&pairs[i][1]);
    }
    assert_in_range(before, 1, 100);
    /* Wine's own come and go a little. */
    assert_in_range(with_more, 1, before + (bt_is_windows() ? 10 : 0));
}

/* ---- depth ---- */

/* How many more generations it could start; an error is that of the first that could not. */
static brood_status go_deeper(brood_call *call)
{
    brood_process *process;
    brood_failure failure;
    BROOD_TRY(brood_process_create(&process, go_deeper, brood_tuple(0), NULL));
    brood_status status = brood_process_start(process);
    if (status != BROOD_OK) {
        status =
            brood_call_raise(call, brood_status_name(status), "%s", brood_last_error()->message);
        brood_process_destroy(process);
        return status;
    }
    BROOD_TRY(brood_process_join(process, 20000));
    BROOD_TRY(brood_process_failure(process, &failure));
    status = brood_call_raise(call, failure.kind, "below: %s", failure.message);
    brood_process_destroy(process);
    return status;
}

static void test_the_depth_is_bounded(void **state)
{
    (void)state;
    brood_failure failure;
    bt_ok(brood_set_max_depth(2));
    brood_process *process = bt_process(go_deeper, brood_tuple(0));
    bt_ok(brood_process_join(process, 20000));
    bt_ok(brood_set_max_depth(8));
    bt_ok(brood_process_failure(process, &failure));
    assert_string_equal(failure.kind, "ELIMIT");
    assert_memory_equal(failure.message, "below: could not start \"Process-", 31);
    assert_non_null(strstr(failure.message, "this process is 2 starts below the root, and that is "
                                            "the limit (brood_set_max_depth)"));
    brood_process_destroy(process);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_standard_input_is_the_null_device),
                   bt_test(test_a_hundred_handles_are_not_the_childs),
                   bt_test(test_the_depth_is_bounded));
}
