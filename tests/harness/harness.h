/*
 * harness.h - what every test that starts processes shares: its main, skips that are counted, and
 * the leak ledger.
 *
 *     static void test_a_lock_can_be_held(void **state) { ... }
 *
 *     int main(int argc, char **argv)
 *     {
 *         return bt_main(argc, argv, bt_test(test_a_lock_can_be_held), bt_test(test_...));
 *     }
 *
 * The test program is its own child: bt_main calls brood_init first, so functions of the test run
 * in processes by plain pointer. Tests that register names call brood_register before bt_main.
 *
 * cmocka's assertions belong to the test alone. In a function that a child runs they would jump
 * into the parent's stack (fork) or end the program: use bt_check there.
 *
 * test_x NAME runs only the tests whose name fits the pattern (* and ?).
 */
#ifndef BT_HARNESS_H
#define BT_HARNESS_H

/* cmocka.h wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <brood/brood.h>

/* A test with the leak ledger around it: afterwards no child is left that was not there before,
 * and the handles, the threads, the blocks of bri_alloc and the system's shared memory names are
 * as many as before. */
#define bt_test(function) cmocka_unit_test_setup_teardown(function, bt_ledger_open, bt_ledger_close)

/* Runs brood_init, sets the start method from the environment (BROOD_TEST_START_METHOD), and runs
 * the tests. Its value is main's. */
#define bt_main(argc, argv, ...)                                     \
    bt_run((argc), (argv), (const struct CMUnitTest[]){__VA_ARGS__}, \
           sizeof((const struct CMUnitTest[]){__VA_ARGS__}) / sizeof(struct CMUnitTest))
int bt_run(int argc, char **argv, const struct CMUnitTest *tests, size_t n);

int bt_ledger_open(void **state);
int bt_ledger_close(void **state);

/* Ends the test as skipped and prints SKIPPED: <test>: <reason>, which CI counts. */
#define bt_skip(reason) bt_skip_test(__func__, (reason))
void bt_skip_test(const char *test, const char *reason);

/* Whether the start method under test is this one. */
bool bt_method_is(brood_start_method method);

/* In a function that a child runs: ends it as a failed task, with the condition as the message. */
#define bt_check(call, condition)                                              \
    do {                                                                       \
        if (!(condition))                                                      \
            return brood_call_raise(call, "AssertionError", "%s", #condition); \
    } while (0)

/* Fails the test unless the call gives BROOD_OK, and shows the last error then. */
#define bt_ok(call) bt_expect_status((call), BROOD_OK, #call, __FILE__, __LINE__)
/* The same for another status. */
#define bt_fails(call, status) bt_expect_status((call), (status), #call, __FILE__, __LINE__)
void bt_expect_status(brood_status got, brood_status wanted, const char *call, const char *file,
                      int line);

/* Fails unless the last error's message contains the text. */
#define bt_message_has(text) bt_expect_message((text), __FILE__, __LINE__)
void bt_expect_message(const char *text, const char *file, int line);

/* Starts a process that runs the function with these arguments under the method under test. */
brood_process *bt_process(brood_function function, brood_value arguments);
/* Waits for it (20 s are taken for a hang), destroys it, and gives its exit code. */
int bt_join(brood_process *process);

/* Runs a program with these arguments (argv without its 0th, NULL at the end) to its end and gives
 * its exit code; what it wrote to standard output is then in `output`, cut to fit, with a NUL. */
int bt_run_prog(const char *prog, const char *const *arguments, char *output, size_t room);

/* Sets a variable of this process's environment, for children; NULL removes it. */
void bt_setenv(const char *name, const char *value);

/* Keeps another processor busy until bt_load_stop, with a process that spins. */
void bt_load_start(void);
void bt_load_stop(void);

/* Waits until done(context) is true; false when that takes more than `limit`. Only for states of
 * the system that nothing tells about (a foreign process is gone); everything of brood can be
 * waited for. */
bool bt_await(bool (*done)(void *context), void *context, brood_ms limit);
bool bt_is_gone(int64_t pid, brood_ms limit);

/* Arms a kill point in this process (core/killpoint.h): for the function of a child. */
void bt_kill_at(const char *point, int n);

/* A path below the directory of the test programs: prog_x (with .exe on Windows), module_x. From a
 * rotating set of four buffers. */
const char *bt_prog(const char *name);
const char *bt_module(const char *name);
bool bt_is_windows(void);

/* True in sanitizer builds, where timings and thread counts are different. The thread sanitizer
 * lives on in the child of a fork only with TSAN_OPTIONS=die_after_fork=0 (the test preset sets
 * it). */
bool bt_has_address_sanitizer(void);
bool bt_has_thread_sanitizer(void);

#endif /* BT_HARNESS_H */
