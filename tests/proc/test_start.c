/* A function runs in a child: arguments, exit codes, failures, what the child has and has not. */
/* brood-test: start-methods */
#include "harness.h"

#include <apr_file_info.h>
#include <apr_general.h>

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

/* Runs it and wants no failure. */
static void expect_success(brood_function function, brood_value arguments,
                           const brood_process_options *options)
{
    brood_process *process;
    brood_failure failure;
    bt_ok(brood_process_create(&process, function, arguments, options));
    bt_ok(brood_process_start(process));
    bt_ok(brood_process_join(process, 20000));
    bt_ok(brood_process_failure(process, &failure));
    if (failure.exitcode != 0)
        print_error("the child failed: %d %s: %s\n", failure.exitcode, failure.kind,
                    failure.message);
    assert_int_equal(failure.exitcode, 0);
    brood_process_destroy(process);
}

static void test_a_function_runs_in_a_child_and_ends_with_0(void **state)
{
    (void)state;
    brood_process *process;
    int code = -1;
    bt_ok(brood_process_create(&process, do_nothing, (brood_value){0}, NULL));
    assert_int_equal(brood_process_pid(process), 0);
    assert_false(brood_process_is_alive(process));
    bt_ok(brood_process_start(process));
    assert_true(brood_process_pid(process) > 0);
    bt_ok(brood_process_join(process, 20000));
    bt_ok(brood_process_exitcode(process, &code));
    assert_int_equal(code, 0);
    assert_false(brood_process_is_alive(process));
    brood_process_destroy(process);
}

static void test_an_explicit_exit_code_arrives(void **state)
{
    (void)state;
    assert_int_equal(bt_join(bt_process(exit_with, brood_pack("(i)", 42))), 42);
    assert_int_equal(bt_join(bt_process(exit_with, brood_pack("(i)", 255))), 255);
}

static brood_status exit_by_c(brood_call *call)
{
    (void)call;
    exit(17);
}

static void test_exit_of_c_works_too(void **state)
{
    (void)state;
    assert_int_equal(bt_join(bt_process(exit_by_c, brood_tuple(0))), 17);
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
    assert_true(failure.message[0] != '\0');
    brood_process_destroy(process);
}

static void test_no_failure_is_told_for_a_child_that_succeeds(void **state)
{
    (void)state;
    brood_process *process = bt_process(do_nothing, brood_tuple(0));
    brood_failure failure;
    bt_ok(brood_process_join(process, 20000));
    bt_ok(brood_process_failure(process, &failure));
    assert_string_equal(failure.kind, "");
    assert_int_equal(failure.exitcode, 0);
    brood_process_destroy(process);
}

static brood_status check_arguments(brood_call *call)
{
    int64_t number;
    const char *text;
    double real;
    BROOD_TRY(brood_call_args(call, "isf", &number, &text, &real));
    bt_check(call, number == -5);
    bt_check(call, strcmp(text, "h\xc3\xa9llo") == 0);
    bt_check(call, real == 0.5);
    const brood_value *keywords = brood_call_keywords(call);
    bt_check(call, brood_value_kind(keywords) == BROOD_DICT);
    bt_check(call, brood_value_length(keywords) == 1);
    const brood_value *item = brood_dict_get_str(keywords, "key");
    bt_check(call, item != NULL && brood_get_int(item, &number) == BROOD_OK && number == 9);
    return BROOD_OK;
}

static void test_arguments_and_keywords_arrive(void **state)
{
    (void)state;
    brood_process_options options = {.kwargs = brood_pack("{s:i}", "key", 9)};
    expect_success(check_arguments, brood_pack("(isf)", -5, "h\xc3\xa9llo", 0.5), &options);
}

static void test_a_list_of_arguments_is_as_good_as_a_tuple(void **state)
{
    (void)state;
    brood_process_options options = {.kwargs = brood_pack("{s:i}", "key", 9)};
    expect_success(check_arguments, brood_pack("[isf]", -5, "h\xc3\xa9llo", 0.5), &options);
}

static brood_status check_no_arguments(brood_call *call)
{
    bt_check(call, brood_value_kind(brood_call_arguments(call)) == BROOD_TUPLE);
    bt_check(call, brood_value_length(brood_call_arguments(call)) == 0);
    bt_check(call, brood_value_kind(brood_call_keywords(call)) == BROOD_DICT);
    bt_check(call, brood_value_length(brood_call_keywords(call)) == 0);
    return BROOD_OK;
}

static void test_no_arguments_are_an_empty_tuple_and_an_empty_dict(void **state)
{
    (void)state;
    expect_success(check_no_arguments, (brood_value){0}, NULL);
}

enum { MANY_BYTES = 3 * 1024 * 1024 };

static brood_status check_many_bytes(brood_call *call)
{
    const void *data;
    size_t size;
    BROOD_TRY(brood_call_args(call, "y", &data, &size));
    bt_check(call, size == MANY_BYTES);
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        bt_check(call, bytes[i] == (unsigned char)(i * 7));
    return BROOD_OK;
}

static void test_arguments_larger_than_any_pipe_arrive(void **state)
{
    (void)state;
    unsigned char *bytes = malloc(MANY_BYTES);
    assert_non_null(bytes);
    for (size_t i = 0; i < MANY_BYTES; i++)
        bytes[i] = (unsigned char)(i * 7);
    brood_value arguments = brood_pack("(y)", bytes, (size_t)MANY_BYTES);
    free(bytes);
    expect_success(check_many_bytes, arguments, NULL);
}

static void test_a_function_can_be_given_by_name(void **state)
{
    (void)state;
    brood_process_options options = {.function_name = "test.nothing"};
    expect_success(NULL, brood_tuple(0), &options);
}

static brood_status check_input(brood_call *call)
{
    bt_check(call, getchar() == EOF);
    return BROOD_OK;
}

static void test_standard_input_is_empty(void **state)
{
    (void)state;
    expect_success(check_input, brood_tuple(0), NULL);
}

static brood_status check_environment(brood_call *call)
{
    bt_check(call, getenv("BROOD_CHILD") == NULL);
    return BROOD_OK;
}

static void test_the_marker_is_gone_from_the_environment(void **state)
{
    (void)state;
    expect_success(check_environment, brood_tuple(0), NULL);
}

static brood_status check_directory(brood_call *call)
{
    const char *wanted;
    apr_pool_t *pool;
    char *path;
    BROOD_TRY(brood_call_args(call, "s", &wanted));
    bt_check(call, apr_initialize() == APR_SUCCESS);
    bt_check(call, apr_pool_create(&pool, NULL) == APR_SUCCESS);
    bt_check(call, apr_filepath_get(&path, 0, pool) == APR_SUCCESS);
    bt_check(call, strcmp(path, wanted) == 0);
    return BROOD_OK;
}

/* Also the forkserver's children go where their parent is now, not where the server was started. */
static void test_the_child_is_in_the_parents_directory(void **state)
{
    (void)state;
    apr_pool_t *pool;
    char *before, *now;
    assert_int_equal(apr_initialize(), APR_SUCCESS);
    assert_int_equal(apr_pool_create(&pool, NULL), APR_SUCCESS);
    assert_int_equal(apr_filepath_get(&before, 0, pool), APR_SUCCESS);
    assert_int_equal(apr_filepath_set(BROOD_TEST_SRCDIR, pool), APR_SUCCESS);
    assert_int_equal(apr_filepath_get(&now, 0, pool), APR_SUCCESS);
    expect_success(check_directory, brood_pack("(s)", now), NULL);
    assert_int_equal(apr_filepath_set(before, pool), APR_SUCCESS);
    apr_pool_destroy(pool);
}

enum { AT_ONCE = 40 };

static void test_many_children_run_at_once(void **state)
{
    (void)state;
    brood_process *processes[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++)
        processes[i] = bt_process(exit_with, brood_pack("(i)", i));
    for (int i = 0; i < AT_ONCE; i++)
        assert_int_equal(bt_join(processes[i]), i);
}

static brood_status start_another(brood_call *call)
{
    int64_t depth;
    brood_process *process;
    int code = -1;
    BROOD_TRY(brood_call_args(call, "i", &depth));
    if (depth == 0)
        return BROOD_OK;
    BROOD_TRY(
        brood_process_create(&process, start_another, brood_pack("(i)", (int)depth - 1), NULL));
    BROOD_TRY(brood_process_start(process));
    BROOD_TRY(brood_process_join(process, 20000));
    BROOD_TRY(brood_process_exitcode(process, &code));
    brood_process_destroy(process);
    bt_check(call, code == 0);
    return BROOD_OK;
}

static void test_children_have_children(void **state)
{
    (void)state;
    expect_success(start_another, brood_pack("(i)", 3), NULL);
}

static void test_a_process_can_be_destroyed_while_it_runs(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        brood_process_destroy(bt_process(do_nothing, brood_tuple(0)));
    brood_process_destroy(NULL);
}

static void test_an_unstarted_process_leaves_nothing(void **state)
{
    (void)state;
    brood_process *process;
    brood_process_options options = {.kwargs = brood_pack("{s:i}", "key", 9)};
    bt_ok(brood_process_create(&process, do_nothing, brood_pack("([s])", "x"), &options));
    brood_process_destroy(process);
}

int main(int argc, char **argv)
{
    brood_register("test.nothing", do_nothing);
    return bt_main(argc, argv, bt_test(test_a_function_runs_in_a_child_and_ends_with_0),
                   bt_test(test_an_explicit_exit_code_arrives), bt_test(test_exit_of_c_works_too),
                   bt_test(test_a_failure_arrives_with_kind_message_and_place),
                   bt_test(test_a_status_arrives_as_the_exception_it_stands_for),
                   bt_test(test_no_failure_is_told_for_a_child_that_succeeds),
                   bt_test(test_arguments_and_keywords_arrive),
                   bt_test(test_a_list_of_arguments_is_as_good_as_a_tuple),
                   bt_test(test_no_arguments_are_an_empty_tuple_and_an_empty_dict),
                   bt_test(test_arguments_larger_than_any_pipe_arrive),
                   bt_test(test_a_function_can_be_given_by_name),
                   bt_test(test_standard_input_is_empty),
                   bt_test(test_the_marker_is_gone_from_the_environment),
                   bt_test(test_the_child_is_in_the_parents_directory),
                   bt_test(test_many_children_run_at_once), bt_test(test_children_have_children),
                   bt_test(test_a_process_can_be_destroyed_while_it_runs),
                   bt_test(test_an_unstarted_process_leaves_nothing));
}
