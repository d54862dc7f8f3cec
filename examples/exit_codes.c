/*
 * exit_codes.c - how processes end, told by Python's numbers on every system: 0, the program's own
 * number, 1 for a failed task, and minus the signal's number.
 *
 * Python: Process.exitcode
 */
#include <string.h>

#include "check.h"

static brood_status end_normally(brood_call *call)
{
    (void)call;
    return BROOD_OK;
}

static brood_status exit_with_seven(brood_call *call)
{
    (void)call;
    brood_exit(7); /* Python: sys.exit(7) */
    return BROOD_OK;
}

static brood_status fail(brood_call *call)
{
    return brood_call_raise(call, "ValueError", "%d is too much", 8);
}

static brood_status sleep_long(brood_call *call)
{
    (void)call;
    brood_sleep(600000);
    return BROOD_OK;
}

static brood_process *start(brood_function function)
{
    brood_process *process;
    BROOD_CHECK(brood_process_create(&process, function, brood_tuple(0), NULL));
    BROOD_CHECK(brood_process_start(process));
    return process;
}

static void expect_exitcode(brood_process *process, const char *what, int expected)
{
    int code;
    BROOD_CHECK(brood_process_join(process, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(process, &code));
    printf("%-12s %d\n", what, code);
    EXPECT(code == expected);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    brood_process *process = start(end_normally);
    expect_exitcode(process, "normal end", 0);
    brood_process_destroy(process);

    process = start(exit_with_seven);
    expect_exitcode(process, "brood_exit", 7);
    brood_process_destroy(process);

    process = start(fail);
    expect_exitcode(process, "failure", 1);
    brood_failure failure;
    BROOD_CHECK(brood_process_failure(process, &failure));
    printf("             %s: %s, at %s:%d\n", failure.kind, failure.message, failure.file,
           failure.line);
    EXPECT(strcmp(failure.kind, "ValueError") == 0);
    EXPECT(strcmp(failure.message, "8 is too much") == 0);
    brood_process_destroy(process);

    process = start(sleep_long);
    int code;
    EXPECT(brood_process_exitcode(process, &code) == BROOD_ETIMEDOUT); /* None in Python */
    BROOD_CHECK(brood_process_terminate(process));
    expect_exitcode(process, "terminate", -15);
    brood_process_destroy(process);

    process = start(sleep_long);
    BROOD_CHECK(brood_process_kill(process));
    expect_exitcode(process, "kill", -9);
    brood_process_destroy(process);
    return 0;
}
