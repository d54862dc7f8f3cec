/* The forkserver: its preload function, its death, and that it leaves nothing in its children. */
#include "harness.h"

#ifndef _WIN32
#include <signal.h>
#endif

#include "core/runtime.h"
#include "core/thread.h"
#include "platform/child.h"
#include "proc/children.h"

/* What the preload function has made; 0 in processes that did not run it. */
static int preloaded;

static brood_status preload(brood_call *call)
{
    int64_t number;
    BROOD_TRY(brood_call_args(call, "i", &number));
    preloaded = (int)number;
    fputs("x", stdout); /* no child may write this again */
    return BROOD_OK;
}

static brood_status fail_to_preload(brood_call *call)
{
    return brood_call_raise(call, "ValueError", "no table");
}

static brood_status exit_with_preloaded(brood_call *call)
{
    (void)call;
    brood_exit(preloaded);
    return BROOD_OK;
}

static brood_status sleep_for_ever(brood_call *call)
{
    (void)call;
    for (;;)
        brood_sleep(60000);
    return BROOD_OK;
}

static brood_process *make(brood_function function)
{
    brood_process *process;
    brood_process_options options = {.method = BROOD_START_FORKSERVER};
    bt_ok(brood_process_create(&process, function, brood_tuple(0), &options));
    return process;
}

static brood_process *start(brood_function function)
{
    brood_process *process = make(function);
    bt_ok(brood_process_start(process));
    return process;
}

static void skip_without_fork(const char *test)
{
    if (!brood_start_method_is_supported(BROOD_START_FORKSERVER))
        bt_skip_test(test, "this system has no fork");
}

static void test_a_preload_that_fails_fails_the_start(void **state)
{
    (void)state;
    skip_without_fork(__func__);
    bt_fails(brood_set_forkserver_preload(fail_to_preload, brood_int(1)), BROOD_ETYPE);
    bt_ok(brood_set_forkserver_preload(fail_to_preload, brood_tuple(0)));
    brood_process *process = make(exit_with_preloaded);
    bt_fails(brood_process_start(process), BROOD_ETASK);
    bt_message_has("could not start the forkserver: its preload function failed: ValueError: no "
                   "table");
    brood_process_destroy(process);
}

static void test_children_have_what_was_preloaded(void **state)
{
    (void)state;
    skip_without_fork(__func__);
    assert_int_equal(preloaded, 0);
    assert_int_equal(bt_join(start(exit_with_preloaded)), 77);
    assert_int_equal(bt_join(start(exit_with_preloaded)), 77);
    assert_int_equal(preloaded, 0); /* this process did not run it */
    bt_fails(brood_set_forkserver_preload(preload, brood_pack("(i)", 1)), BROOD_ESTATE);
}

/* The server is a child of ours that nobody sees: its pid is its children's parent's. */
static brood_process *find_server(void)
{
    struct server_view {
        brp_mutex *lock;
        brood_process *process;
    } *view = (struct server_view *)bri_the_runtime.forkserver;
    return view->process;
}

static void test_the_server_is_no_active_child(void **state)
{
    (void)state;
    size_t n = 9;
    skip_without_fork(__func__);
    assert_true(brood_process_is_alive(find_server()));
    bt_ok(brood_active_children(NULL, 0, &n));
    assert_int_equal(n, 0);
    assert_int_equal(bri_children_count(), 0);
}

static void test_children_end_with_their_server_and_the_next_start_has_a_new_one(void **state)
{
    (void)state;
    skip_without_fork(__func__);
    brood_process *process = start(sleep_for_ever);
    int64_t pid = brood_process_pid(process), former = brood_process_pid(find_server());
    bt_ok(brood_process_kill(find_server()));
    assert_int_equal(bt_join(process), 255); /* nobody could tell */
    assert_true(bt_is_gone(pid, 2000));
    assert_int_equal(bt_join(start(exit_with_preloaded)), 77);
    assert_int_not_equal(brood_process_pid(find_server()), former);
}

#ifndef _WIN32
static void kill_server(void *pid)
{
    kill((pid_t) * (int64_t *)pid, SIGKILL);
}
#endif

/* Whether the server dies before, while or after it is asked: a stopped one answers nothing. */
static void test_a_start_does_not_mind_that_the_server_dies_meanwhile(void **state)
{
    (void)state;
    skip_without_fork(__func__);
#ifndef _WIN32
    for (int i = 0; i < 20; i++) {
        bri_thread *killer;
        int64_t pid = brood_process_pid(find_server());
        assert_int_equal(kill((pid_t)pid, SIGSTOP), 0);
        bt_ok(bri_thread_start(&killer, kill_server, &pid));
        brood_process *process = start(exit_with_preloaded);
        bri_thread_join(killer);
        assert_int_equal(bt_join(process), 77);
        assert_int_not_equal(brood_process_pid(find_server()), pid);
    }
#endif
}

#ifndef _WIN32
enum { STARTERS = 4, STARTS = 3 };

typedef struct starter {
    bri_thread *thread;
    brood_process *processes[STARTS];
    brood_status statuses[STARTS];
} starter;

static void start_all(void *argument)
{
    starter *self = argument;
    for (int i = 0; i < STARTS; i++)
        self->statuses[i] = brood_process_start(self->processes[i]);
}

/* 255: its server died before it could tell. */
static void expect_started(starter *self)
{
    bri_thread_join(self->thread);
    for (int i = 0; i < STARTS; i++) {
        assert_int_equal(self->statuses[i], BROOD_OK);
        int code = bt_join(self->processes[i]);
        assert_true(code == 77 || code == 255);
    }
}
#endif

/* One thread replaces the server while others are about to ask it. */
static void test_starts_of_many_threads_do_not_mind_that_the_server_dies(void **state)
{
    (void)state;
    skip_without_fork(__func__);
#ifndef _WIN32
    for (int i = 0; i < 20; i++) {
        starter starters[STARTERS];
        int64_t pid = brood_process_pid(find_server());
        for (int t = 0; t < STARTERS; t++) {
            for (int k = 0; k < STARTS; k++)
                starters[t].processes[k] = make(exit_with_preloaded);
            bt_ok(bri_thread_start(&starters[t].thread, start_all, &starters[t]));
        }
        kill_server(&pid);
        for (int t = 0; t < STARTERS; t++)
            expect_started(&starters[t]);
        assert_int_equal(bt_join(start(exit_with_preloaded)), 77);
    }
#endif
}

static void test_signals_reach_served_children(void **state)
{
    (void)state;
    skip_without_fork(__func__);
    brood_process *process = start(sleep_for_ever);
    bt_ok(brood_process_terminate(process));
    assert_int_equal(bt_join(process), -15);
    process = start(sleep_for_ever);
    bt_ok(brood_process_interrupt(process)); /* the server ignores it, its children do not */
    assert_int_equal(bt_join(process), -2);
    process = start(sleep_for_ever);
    bt_ok(brood_process_kill(process));
    assert_int_equal(bt_join(process), -9);
}

/* Also when the parent gives up in the middle: the child notices by its streams. */
static void test_a_child_without_a_parent_ends(void **state)
{
    (void)state;
    skip_without_fork(__func__);
    brood_process *processes[10];
    for (int i = 0; i < 10; i++)
        processes[i] = start(sleep_for_ever);
    for (int i = 0; i < 10; i++) {
        int64_t pid = brood_process_pid(processes[i]);
        bt_ok(brood_process_kill(processes[i]));
        assert_int_equal(bt_join(processes[i]), -9);
        assert_true(bt_is_gone(pid, 2000));
    }
}

static void prepare_preload(void)
{
    if (brood_start_method_is_supported(BROOD_START_FORKSERVER))
        bt_ok(brood_set_forkserver_preload(preload, brood_pack("(i)", 77)));
}

/* The server stays from the first start on, so the ledger begins behind that. */
static void test_the_server_starts_with_the_first_child(void **state)
{
    (void)state;
    skip_without_fork(__func__);
    prepare_preload();
    assert_int_equal(bt_join(start(exit_with_preloaded)), 77);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, cmocka_unit_test(test_a_preload_that_fails_fails_the_start),
        cmocka_unit_test(test_the_server_starts_with_the_first_child),
        bt_test(test_children_have_what_was_preloaded), bt_test(test_the_server_is_no_active_child),
        bt_test(test_children_end_with_their_server_and_the_next_start_has_a_new_one),
        bt_test(test_a_start_does_not_mind_that_the_server_dies_meanwhile),
        bt_test(test_starts_of_many_threads_do_not_mind_that_the_server_dies),
        bt_test(test_signals_reach_served_children), bt_test(test_a_child_without_a_parent_ends));
}
