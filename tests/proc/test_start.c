/* A function runs in a child: arguments, exit codes, names, failures. */
/* brood-test: start-methods */
#include "harness.h"

static brood_status do_nothing(brood_call *call)
{
    (void)call;
    return BROOD_OK;
}

static brood_status exit_with(brood_call *call)
{
    int64_t code;
    BROOD_TRY(brood_call_args(call, "i", &code));
    brood_exit((int)code);
    return BROOD_OK;
}

static brood_status raise_value_error(brood_call *call)
{
    return brood_call_raise(call, "ValueError", "%d is no good", 7);
}

static brood_status fail_plainly(brood_call *call)
{
    const char *text;
    return brood_call_args(call, "s", &text);
}

static void test_a_function_runs_in_a_child_and_ends_with_0(void **state)
{
    (void)state;
    brood_process *process;
    bt_ok(brood_process_create(&process, do_nothing, (brood_value){0}, NULL));
    assert_int_equal(brood_process_pid(process), 0);
    bt_ok(brood_process_start(process));
    assert_true(brood_process_pid(process) > 0);
    bt_ok(brood_process_join(process, 20000));
    int code = -1;
    bt_ok(brood_process_exitcode(process, &code));
    assert_int_equal(code, 0);
    assert_false(brood_process_is_alive(process));
    brood_process_destroy(process);
}

static void test_an_explicit_exit_code_arrives(void **state)
{
    (void)state;
    assert_int_equal(bt_join(bt_process(exit_with, brood_pack("(i)", 42))), 42);
}

static void test_a_failure_arrives_with_kind_message_and_place(void **state)
{
    (void)state;
    brood_process *process = bt_process(raise_value_error, (brood_value){0});
    brood_failure failure;
    int64_t pid = brood_process_pid(process);
    bt_ok(brood_process_join(process, 20000));
    bt_ok(brood_process_failure(process, &failure));
    assert_string_equal(failure.kind, "ValueError");
    assert_string_equal(failure.message, "7 is no good");
    assert_non_null(strstr(failure.file, "test_start.c"));
    assert_true(failure.line > 0);
    assert_int_equal(failure.pid, pid);
    assert_int_equal(failure.exitcode, 1);
    brood_process_destroy(process);
}

static void test_a_status_arrives_as_the_exception_it_stands_for(void **state)
{
    (void)state;
    brood_process *process = bt_process(fail_plainly, brood_pack("(i)", 5));
    brood_failure failure;
    bt_ok(brood_process_join(process, 20000));
    bt_ok(brood_process_failure(process, &failure));
    assert_string_equal(failure.kind, "TypeError");
    brood_process_destroy(process);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_function_runs_in_a_child_and_ends_with_0),
                   bt_test(test_an_explicit_exit_code_arrives),
                   bt_test(test_a_failure_arrives_with_kind_message_and_place),
                   bt_test(test_a_status_arrives_as_the_exception_it_stands_for));
}
