/* What the ends of pipes may do, as the system has it. */
#include "win32_test.h"

#include "platform/stream.h"

/* A write with a deadline asks the pipe how much fits, and is exact when it may. */
static void expect_may_be_asked(brp_handle writing_end)
{
    DWORD flags;
    assert_true(GetNamedPipeInfo(bri_w32_handle(writing_end), &flags, NULL, NULL, NULL));
}

static void close_both(brp_handle ends[2])
{
    brp_handle_close(&ends[0]);
    brp_handle_close(&ends[1]);
}

static void test_every_end_that_writes_may_be_asked_for_its_room(void **state)
{
    (void)state;
    brp_handle ends[2];
    expect_ok(brp_stream_pair(ends));
    expect_may_be_asked(ends[0]);
    expect_may_be_asked(ends[1]);
    close_both(ends);
    expect_ok(brp_stream_pair_one_way(ends));
    expect_may_be_asked(ends[1]);
    close_both(ends);
    expect_ok(brp_pipe_pair(&ends[0], &ends[1], false));
    expect_may_be_asked(ends[0]);
    close_both(ends);
}

static void test_a_foreign_program_gets_one_direction(void **state)
{
    (void)state;
    brp_handle ours, theirs;
    char byte = 0;
    DWORD moved;
    expect_ok(brp_pipe_pair(&ours, &theirs, false));
    assert_false(WriteFile(bri_w32_handle(theirs), &byte, 1, &moved, NULL));
    assert_int_equal(GetLastError(), ERROR_ACCESS_DENIED);
    brp_handle_close(&theirs);
    brp_handle_close(&ours);
    expect_ok(brp_pipe_pair(&ours, &theirs, true));
    assert_false(ReadFile(bri_w32_handle(theirs), &byte, 1, &moved, NULL));
    assert_int_equal(GetLastError(), ERROR_ACCESS_DENIED);
    brp_handle_close(&theirs);
    brp_handle_close(&ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_end_that_writes_may_be_asked_for_its_room),
        cmocka_unit_test(test_a_foreign_program_gets_one_direction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
