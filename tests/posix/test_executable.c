/* test_executable.c - a program finds itself and ends in time though another program runs it. */
#include "platform/expect.h"

#if defined(__linux__)
#include <unistd.h>

/* Runs a role of prog_child by another program: runner, option, prog_child. Its exit code. */
static int run_by(const char *runner, const char *option)
{
    pt_process child;
    const char *arguments[] = {runner, option, pt_prog("child"), NULL};
    if (option[0] == '\0') {
        arguments[1] = arguments[2];
        arguments[2] = NULL;
    }
    pt_start_with(
        &child, "child", "start_itself", NULL, 0,
        &(brp_spawn_options){.path = runner, .search_path = true, .arguments = arguments});
    assert_true(pt_await_byte(child.report, PT_HANG_MS));
    pt_ok(pt_say(child.report, "g"));
    return pt_join(&child);
}

static void test_a_program_that_the_dynamic_linker_was_told_to_run_starts_itself(void **state)
{
    (void)state;
    static const char linker[] = "/lib64/ld-linux-x86-64.so.2";
    if (access(linker, X_OK) != 0)
        pt_skip_on(PT_SYSTEM, "the dynamic linker has another name here");
    if (PT_SANITIZED)
        pt_skip_on("a sanitizer", "it refuses to be run so");
    assert_int_equal(run_by(linker, ""), 23);
}

static bool has_valgrind(void)
{
    brp_child child;
    const char *arguments[] = {"valgrind", "--version", NULL};
    brp_spawn_options options = {.path = "valgrind", .search_path = true, .arguments = arguments};
    options.stdio[1].kind = BRP_STDIO_NULL;
    if (brp_spawn(&child, &options) != BROOD_OK)
        return false;
    pt_ok(brp_child_wait(&child, pt_hang()));
    brp_child_close(&child);
    return child.code == 0;
}

static void test_a_program_under_valgrind_starts_itself(void **state)
{
    (void)state;
    if (PT_SANITIZED)
        pt_skip_on("a sanitizer", "it does not run under valgrind");
    if (!has_valgrind())
        pt_skip_on(PT_SYSTEM, "valgrind is not installed");
    assert_int_equal(run_by("valgrind", "-q"), 23);
}

static void test_a_program_with_a_large_reserve_ends_in_time_under_valgrind(void **state)
{
    (void)state;
    if (PT_SANITIZED)
        pt_skip_on("a sanitizer", "it does not run under valgrind");
    if (!has_valgrind())
        pt_skip_on(PT_SYSTEM, "valgrind is not installed");
    pt_process child;
    const char *arguments[] = {"valgrind", "-q", "--leak-check=full", pt_prog("memory"), NULL};
    pt_start_with(
        &child, "memory", "keep_reserve", NULL, 0,
        &(brp_spawn_options){.path = "valgrind", .search_path = true, .arguments = arguments});
    assert_int_equal(pt_join(&child), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_a_program_that_the_dynamic_linker_was_told_to_run_starts_itself),
        pt_test(test_a_program_under_valgrind_starts_itself),
        pt_test(test_a_program_with_a_large_reserve_ends_in_time_under_valgrind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
static void test_who_runs_a_program(void **state)
{
    (void)state;
    pt_skip_on(PT_SYSTEM, "only Linux has /proc/self/exe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_who_runs_a_program)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
