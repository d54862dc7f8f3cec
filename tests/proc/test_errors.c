/* Starts that fail: each says exactly why, leaves nothing, and can be tried again. */
#include <brood/brood.h>

#include "harness.h"

#include <apr_general.h>
#include <apr_thread_proc.h>

#include "base/memory.h"
#include "platform/handle.h"
#include "platform/lock.h"
#include "proc/block.h"

#ifndef _WIN32
#include <grp.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>
#endif

static brood_status do_nothing(brood_call *call)
{
    (void)call;
    return BROOD_OK;
}

static brood_process *make(brood_function function, const brood_process_options *options)
{
    brood_process *process;
    bt_ok(brood_process_create(&process, function, brood_tuple(0), options));
    return process;
}

/* The object is as before: a second start works. */
static void start_and_destroy(brood_process *process)
{
    assert_int_equal(brood_process_pid(process), 0);
    bt_ok(brood_process_start(process));
    assert_int_equal(bt_join(process), 0);
}

/* ---- main() without brood_init() ---- */

static void fail_with_forgetful(const char *how, const char *message)
{
    bt_setenv("BROOD_TEST_FORGETS", how);
    bt_ok(brood_set_executable(bt_prog("prog_forgets")));
    brood_process *process = make(do_nothing, NULL);
    brood_status status = brood_process_start(process);
    bt_ok(brood_set_executable(NULL));
    bt_setenv("BROOD_TEST_FORGETS", NULL);
    brood_set_start_timeout(0); /* a busy machine may take longer than a test's for the second */
    bt_expect_status(status, BROOD_ESTART, "starting a program that forgets brood_init", __FILE__,
                     __LINE__);
    bt_message_has("could not start \"Process-");
    bt_message_has("the child's main() did not call brood_init() first");
    bt_message_has(message);
    start_and_destroy(process);
}

static void test_a_main_that_forgets_brood_init_and_ends(void **state)
{
    (void)state;
    fail_with_forgetful("end", "(it ended with exit code 3)");
}

static void test_a_main_that_forgets_brood_init_and_goes_on(void **state)
{
    (void)state;
    brood_set_start_timeout(700);
    brood_ms begin = brood_now();
    fail_with_forgetful("sleep", "(it was silent until the start time-out)");
    assert_true(brood_now() - begin >= 700);
}

static void test_without_brood_init_nothing_starts(void **state)
{
    (void)state;
    char output[64];
    const char *none[] = {NULL};
    assert_int_equal(bt_run_prog(bt_prog("prog_forgets"), none, output, sizeof output), 3);
}

/* ---- functions ---- */

static void test_a_name_that_nobody_registered(void **state)
{
    (void)state;
    brood_process_options options = {.function_name = "nobody.knows"};
    brood_process *process = make(NULL, &options);
    bt_fails(brood_process_start(process), BROOD_ENOTFOUND);
    bt_message_has("could not find the function \"nobody.knows\": it was not registered in this "
                   "process before brood_init()");
    brood_process_destroy(process);
}

static void test_a_process_needs_one_function(void **state)
{
    (void)state;
    brood_process *process;
    brood_process_options options = {.function_name = "test.nothing"};
    bt_fails(brood_process_create(&process, NULL, brood_tuple(0), NULL), BROOD_EINVALID);
    bt_fails(brood_process_create(&process, do_nothing, brood_pack("(s)", "x"), &options),
             BROOD_EINVALID);
    bt_fails(brood_process_create(&process, do_nothing, brood_int(3), NULL), BROOD_ETYPE);
    options = (brood_process_options){.kwargs = brood_pack("[s]", "x")};
    bt_fails(brood_process_create(&process, do_nothing, brood_pack("(s)", "x"), &options),
             BROOD_ETYPE);
    /* Arguments that could not be made are not no arguments. */
    brood_value failed[] = {brood_pack("(?"),
                            brood_lock_value(NULL),
                            brood_connection_value(NULL),
                            brood_shared_memory_value(NULL),
                            brood_shareable_list_value(NULL),
                            brood_proxy_value(NULL),
                            brood_socket_value(-1)};
    for (size_t i = 0; i < sizeof failed / sizeof *failed; i++)
        bt_fails(brood_process_create(&process, do_nothing, failed[i], NULL), BROOD_EINVALID);
}

static void test_arguments_that_cannot_travel(void **state)
{
    (void)state;
    brood_connection *first, *second;
    brood_process *process;
    bt_ok(brood_pipe(&first, &second, true));
    /* A closed connection cannot be an argument. */
    brood_value value = brood_connection_value(first);
    brood_connection_close(first);
    bt_ok(brood_process_create(&process, do_nothing, brood_pack("(v)", value), NULL));
    assert_int_not_equal(brood_process_start(process), BROOD_OK);
    bt_message_has("could not start \"Process-");
    brood_process_destroy(process);
    brood_connection_close(second);
}

/* ---- executables ---- */

static void test_an_executable_that_is_not_there(void **state)
{
    (void)state;
    brood_process *process = make(do_nothing, NULL);
    bt_ok(brood_set_executable(bt_prog("no_such_program")));
    brood_status status = brood_process_start(process);
    bt_ok(brood_set_executable(NULL));
    bt_expect_status(status, BROOD_ENOTFOUND, "starting what is not there", __FILE__, __LINE__);
    bt_message_has("no_such_program");
    start_and_destroy(process);
}

static void test_an_executable_of_another_build(void **state)
{
    (void)state;
    /* The function is in this executable; the other one has none at that place. */
    brood_process *process = make(do_nothing, NULL);
    bt_ok(brood_set_executable(BROOD_TEST_HOST));
    brood_status status = brood_process_start(process);
    bt_ok(brood_set_executable(NULL));
    bt_expect_status(status, BROOD_EVERSION, "starting a function of another build", __FILE__,
                     __LINE__);
    start_and_destroy(process);
}

static void test_an_executable_that_was_replaced(void **state)
{
    (void)state;
    char output[256];
    const char *arguments[] = {bt_prog("prog_replaced"), bt_prog("prog_gui"), NULL};
    int code = bt_run_prog(bt_prog("prog_replaced"), arguments, output, sizeof output);
    if (code != 0)
        print_error("prog_replaced: %d: %s\n", code, output);
    assert_int_equal(code, 0);
}

/* ---- the start block ---- */

static void spoil_protocol(bri_buffer *whole)
{
    whole->data[8]++;
}

static void spoil_build(bri_buffer *whole)
{
    whole->data[40] ^= 1;
}

static void spoil_magic(bri_buffer *whole)
{
    whole->data[0] = 'B';
}

static void spoil_token(bri_buffer *whole)
{
    whole->data[20] ^= 1;
}

/* The last item is missing, and the header knows of it. */
static void spoil_end(bri_buffer *whole)
{
    whole->length -= 4;
    whole->data[12] = (unsigned char)(whole->data[12] - 4);
}

static void spoil_payload(bri_buffer *whole)
{
    memset(whole->data + BRI_BLOCK_HEADER, 0xFF, whole->length - BRI_BLOCK_HEADER);
}

static void fail_with_spoilt(void (*spoil)(bri_buffer *whole), brood_status wanted,
                             const char *message)
{
    brood_process *process = make(do_nothing, NULL);
    bri_block_spoil = spoil;
    brood_status status = brood_process_start(process);
    bri_block_spoil = NULL;
    bt_expect_status(status, wanted, "starting with a spoilt start block", __FILE__, __LINE__);
    bt_message_has(message);
    start_and_destroy(process);
}

static void test_a_start_block_of_another_version(void **state)
{
    (void)state;
    fail_with_spoilt(spoil_protocol, BROOD_EVERSION,
                     "the parent's brood writes version 2 of it, this program's reads version 1");
}

static void test_a_start_block_of_another_build(void **state)
{
    (void)state;
    fail_with_spoilt(spoil_build, BROOD_EVERSION, "the executable is of another build");
}

static void test_a_start_block_that_is_none(void **state)
{
    (void)state;
    fail_with_spoilt(spoil_magic, BROOD_EFORMAT, "could not read the start block: this is none");
}

static void test_a_truncated_start_block(void **state)
{
    (void)state;
    fail_with_spoilt(spoil_end, BROOD_EFORMAT, "could not start \"Process-");
    fail_with_spoilt(spoil_payload, BROOD_EFORMAT, "could not start \"Process-");
}

/* The child trusts nothing then: its brood_init fails, and main() ends it. */
static void test_a_start_block_with_a_wrong_token(void **state)
{
    (void)state;
    fail_with_spoilt(spoil_token, BROOD_ESTART, "(it ended with exit code 1)");
}

static void test_a_marker_that_names_no_stream(void **state)
{
    (void)state;
    static const char *const markers[] = {"",    "x",    "3",
                                          ";",   "999;", "999;00112233445566778899aabbccddeeff",
                                          "0,;", "1;00", "-1;00112233445566778899aabbccddeeff"};
    char output[256];
    const char *arguments[] = {"init", NULL};
    for (size_t i = 1; i < sizeof markers / sizeof markers[0]; i++) {
        bt_setenv("BROOD_CHILD", markers[i]);
        int code = bt_run_prog(bt_prog("prog_start"), arguments, output, sizeof output);
        bt_setenv("BROOD_CHILD", NULL);
        assert_int_equal(code, 1);
        assert_non_null(strstr(output, "EFORMAT: could not join the parent: the environment "
                                       "variable BROOD_CHILD is malformed or stale"));
    }
    assert_int_equal(bt_run_prog(bt_prog("prog_start"), arguments, output, sizeof output), 0);
}

/* ---- methods and states ---- */

static void test_start_methods_that_are_not_there(void **state)
{
    (void)state;
    brood_start_method method;
    bt_fails(brood_set_start_method((brood_start_method)99), BROOD_EINVALID);
    bt_fails(brood_start_method_parse("thread", &method), BROOD_EINVALID);
    bt_message_has("could not find the start method \"thread\": there are spawn, fork and "
                   "forkserver");
    assert_true(brood_start_method_is_supported(BROOD_START_SPAWN));
    if (!bt_is_windows())
        return;
    assert_false(brood_start_method_is_supported(BROOD_START_FORK));
    bt_fails(brood_set_start_method(BROOD_START_FORK), BROOD_ENOTSUP);
    bt_message_has("could not use the start method \"fork\": this system lacks it");
    brood_process_options options = {.method = BROOD_START_FORKSERVER};
    brood_process *process = make(do_nothing, &options);
    bt_fails(brood_process_start(process), BROOD_ENOTSUP);
    bt_message_has("could not use the start method \"forkserver\": this system lacks it");
    brood_process_destroy(process);
}

static void test_a_process_starts_once(void **state)
{
    (void)state;
    brood_process *process = make(do_nothing, NULL);
    int code;
    bt_fails(brood_process_join(process, 0), BROOD_ESTATE);
    bt_fails(brood_process_terminate(process), BROOD_ESTATE);
    bt_fails(brood_process_exitcode(process, &code), BROOD_ESTATE);
    bt_ok(brood_process_start(process));
    bt_fails(brood_process_start(process), BROOD_ESTATE);
    bt_message_has("cannot start a process twice");
    bt_ok(brood_process_join(process, BROOD_FOREVER));
    bt_fails(brood_process_start(process), BROOD_ESTATE);
    brood_process_destroy(process);
}

static struct {
    brp_mutex *mutex;
    brp_condition *changed;
    bool stop;
} gate;

static void *APR_THREAD_FUNC wait_for_stop(apr_thread_t *thread, void *context)
{
    (void)thread;
    (void)context;
    brp_mutex_lock(gate.mutex);
    while (!gate.stop)
        brp_condition_wait(gate.changed, gate.mutex, BRI_NEVER);
    brp_mutex_unlock(gate.mutex);
    return NULL;
}

static void test_fork_with_other_threads_is_refused(void **state)
{
    (void)state;
    apr_pool_t *pool;
    apr_thread_t *thread;
    apr_status_t result;
    if (!brood_start_method_is_supported(BROOD_START_FORK))
        bt_skip("this system has no fork");
    brood_process_options options = {.method = BROOD_START_FORK};
    brood_process *process = make(do_nothing, &options);
    bt_ok(brp_mutex_create(&gate.mutex));
    bt_ok(brp_condition_create(&gate.changed));
    gate.stop = false;
    assert_int_equal(apr_initialize(), APR_SUCCESS);
    assert_int_equal(apr_pool_create(&pool, NULL), APR_SUCCESS);
    assert_int_equal(apr_thread_create(&thread, NULL, wait_for_stop, NULL, pool), APR_SUCCESS);
    brood_status refused = brood_process_start(process);
    char message[256];
    snprintf(message, sizeof message, "%s", brood_last_error()->message);
    brood_allow_fork_with_threads(true);
    brood_status allowed = brood_process_start(process);
    brood_allow_fork_with_threads(false);
    brp_mutex_lock(gate.mutex);
    gate.stop = true;
    brp_condition_broadcast(gate.changed);
    brp_mutex_unlock(gate.mutex);
    apr_thread_join(&result, thread);
    apr_pool_destroy(pool);
    brp_condition_destroy(gate.changed);
    brp_mutex_destroy(gate.mutex);
    assert_int_equal(refused, BROOD_ESTATE);
    assert_non_null(strstr(message, "fork would copy this process with 1 other thread running "
                                    "(brood_allow_fork_with_threads)"));
    bt_ok(allowed);
    assert_int_equal(bt_join(process), 0);
}

/* ---- depth ---- */

static brood_status start_deeper(brood_call *call)
{
    brood_process *process;
    brood_failure failure;
    BROOD_TRY(brood_process_create(&process, start_deeper, brood_tuple(0), NULL));
    brood_status status = brood_process_start(process);
    if (status == BROOD_ELIMIT) {
        status = brood_call_raise(call, "DepthError", "%s", brood_last_error()->message);
        brood_process_destroy(process);
        return status;
    }
    BROOD_TRY(status);
    BROOD_TRY(brood_process_join(process, 20000));
    BROOD_TRY(brood_process_failure(process, &failure));
    status = brood_call_raise(call, failure.kind, "below: %s", failure.message);
    brood_process_destroy(process);
    return status;
}

static void test_the_depth_of_starts_is_bounded(void **state)
{
    (void)state;
    brood_failure failure;
    bt_ok(brood_set_max_depth(3));
    brood_process *process = make(start_deeper, NULL);
    bt_ok(brood_process_start(process));
    bt_ok(brood_process_join(process, 20000));
    bt_ok(brood_set_max_depth(8));
    bt_ok(brood_process_failure(process, &failure));
    assert_string_equal(failure.kind, "DepthError");
    assert_non_null(strstr(failure.message, "below: below: could not start \"Process-"));
    assert_non_null(strstr(failure.message, "this process is 3 starts below the root, and that is "
                                            "the limit (brood_set_max_depth)"));
    brood_process_destroy(process);
}

static void test_no_depth_is_no_children(void **state)
{
    (void)state;
    brood_process *process = make(do_nothing, NULL);
    bt_ok(brood_set_max_depth(0));
    brood_status status = brood_process_start(process);
    bt_ok(brood_set_max_depth(8));
    bt_expect_status(status, BROOD_ELIMIT, "starting at the limit", __FILE__, __LINE__);
    bt_fails(brood_set_max_depth(-1), BROOD_EINVALID);
    start_and_destroy(process);
}

/* ---- out of something ---- */

static void test_out_of_handles(void **state)
{
    (void)state;
#ifdef _WIN32
    bt_skip("a process's handles cannot be limited there; win32/test_shortage.c refuses them");
#else
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    brood_process *process = make(do_nothing, NULL);
    few = before;
    int refused = 0;
    for (rlim_t more = 0; more < 12; more++) {
        few.rlim_cur = brp_handle_count() + more;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        brood_status status = brood_process_start(process);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (status == BROOD_OK)
            break;
        refused++;
        bt_expect_status(status, BROOD_ELIMIT, "starting without handles", __FILE__, __LINE__);
        bt_message_has("could not start \"Process-");
        bt_message_has("Too many open files");
    }
    assert_true(refused >= 3);
    if (refused == 12) /* an inherited descriptor has a number beyond all these limits */
        bt_ok(brood_process_start(process));
    assert_int_equal(bt_join(process), 0);
#endif
}

#ifndef _WIN32
/* As a user who may have no more processes than run already: none, so not this one's either. */
static brood_status start_without_processes(brood_call *call)
{
    struct rlimit none = {0, 0};
    brood_process *process;
    gid_t group = 65534;
    bt_check(call, setrlimit(RLIMIT_NPROC, &none) == 0);
    bt_check(call, setgroups(1, &group) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
    BROOD_TRY(brood_process_create(&process, do_nothing, brood_tuple(0), NULL));
    brood_status status = brood_process_start(process);
    char message[300];
    snprintf(message, sizeof message, "%s %s", brood_status_name(status),
             brood_last_error()->message);
    brood_process_destroy(process);
    return brood_call_raise(call, "Told", "%s", message);
}
#endif

static void test_out_of_processes(void **state)
{
    (void)state;
#ifdef _WIN32
    bt_skip("a user's processes cannot be limited there; win32/test_shortage.c refuses them");
#else
    brood_failure failure;
    if (geteuid() != 0)
        bt_skip("only root can become a user without processes");
    brood_process *process = make(start_without_processes, NULL);
    bt_ok(brood_process_start(process));
    bt_ok(brood_process_join(process, 20000));
    bt_ok(brood_process_failure(process, &failure));
    assert_string_equal(failure.kind, "Told");
    assert_non_null(strstr(failure.message, "ELIMIT could not start \"Process-"));
    assert_non_null(strstr(failure.message, "Resource temporarily unavailable"));
    brood_process_destroy(process);
#endif
}

static brood_status check_arguments(brood_call *call)
{
    const char *text;
    double half;
    int64_t nine = 0;
    BROOD_TRY(brood_call_args(call, "[s]f", &text, &half));
    const brood_value *item = brood_dict_get_str(brood_call_keywords(call), "key");
    bt_check(call, strcmp(text, "text") == 0 && half == 0.5);
    bt_check(call, item != NULL && brood_get_int(item, &nine) == BROOD_OK && nine == 9);
    return BROOD_OK;
}

/* A start that failed for want of memory can be made up for. */
static void test_out_of_memory_at_every_allocation(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        brood_process_options options = {.kwargs = brood_pack("{s:i}", "key", 9)};
        brood_value arguments = brood_pack("([s]f)", "text", 0.5);
        brood_process *process = NULL;
        bri_memory_fail_at(n, 0);
        int code = -1;
        brood_status status = brood_process_create(&process, check_arguments, arguments, &options);
        if (status == BROOD_OK)
            status = brood_process_start(process);
        bool reached = bri_memory_attempts() >= n;
        bri_memory_fail_at(0, 0);
        if (status != BROOD_OK)
            bt_expect_status(status, BROOD_ENOMEM, "starting without memory", __FILE__, __LINE__);
        if (status != BROOD_OK && process != NULL)
            bt_ok(brood_process_start(process));
        if (process != NULL) {
            bt_ok(brood_process_join(process, 20000));
            bt_ok(brood_process_exitcode(process, &code));
            assert_int_equal(code, 0);
        }
        brood_process_destroy(process);
        if (!reached)
            break;
        assert_true(n < 500);
    }
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_a_main_that_forgets_brood_init_and_ends),
        bt_test(test_a_main_that_forgets_brood_init_and_goes_on),
        bt_test(test_without_brood_init_nothing_starts),
        bt_test(test_a_name_that_nobody_registered), bt_test(test_a_process_needs_one_function),
        bt_test(test_arguments_that_cannot_travel), bt_test(test_an_executable_that_is_not_there),
        bt_test(test_an_executable_of_another_build), bt_test(test_an_executable_that_was_replaced),
        bt_test(test_a_start_block_of_another_version),
        bt_test(test_a_start_block_of_another_build), bt_test(test_a_start_block_that_is_none),
        bt_test(test_a_truncated_start_block), bt_test(test_a_start_block_with_a_wrong_token),
        bt_test(test_a_marker_that_names_no_stream), bt_test(test_start_methods_that_are_not_there),
        bt_test(test_a_process_starts_once), bt_test(test_fork_with_other_threads_is_refused),
        bt_test(test_the_depth_of_starts_is_bounded), bt_test(test_no_depth_is_no_children),
        bt_test(test_out_of_handles), bt_test(test_out_of_processes),
        bt_test(test_out_of_memory_at_every_allocation));
}
