/* test_child.c - platform/child.h: how children end, and that only our own are waited for. */
#define _GNU_SOURCE
#include "expect.h"

#include "threads.h"

#ifndef _WIN32
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

/* How a helper that was started in a role with one argument ends. */
static int end_of(const char *role, const char *argument)
{
    pt_process child;
    const char *arguments[] = {argument, NULL};
    pt_start_arguments(&child, "child", role, arguments);
    return pt_join(&child);
}

static void test_exit_codes_arrive(void **state)
{
    (void)state;
    assert_int_equal(end_of("exit", "0"), 0);
    assert_int_equal(end_of("exit", "1"), 1);
    assert_int_equal(end_of("exit", "7"), 7);
    assert_int_equal(end_of("exit", "127"), 127);
    assert_int_equal(end_of("exit", "255"), 255);
}

static void test_an_immediate_exit_runs_no_atexit_handler(void **state)
{
    (void)state;
    assert_int_equal(end_of("exit_now", "3"), 3);
}

static void test_a_crash_is_the_negative_signal(void **state)
{
    (void)state;
    assert_int_equal(end_of("crash", NULL), -11);
    assert_int_equal(end_of("kill_itself", NULL), -9);
    if (!PT_IS_WINDOWS)
        assert_int_equal(end_of("abort", NULL), -6);
}

static void test_the_systems_own_status_is_kept(void **state)
{
    (void)state;
    pt_process child;
    const char *arguments[] = {"5", NULL};
    pt_start_arguments(&child, "child", "exit", arguments);
    pt_ok(brp_child_wait(&child.child, pt_hang()));
    int64_t status = child.child.system_status;
    pt_join(&child);
#ifdef _WIN32
    assert_int_equal(status, 5);
#else
    assert_true(WIFEXITED((int)status));
    assert_int_equal(WEXITSTATUS((int)status), 5);
#endif
}

static int end_by(brp_signal signal)
{
    pt_process child;
    pt_start(&child, "child", "stay", NULL, 0);
    assert_true(pt_await_byte(child.report, PT_HANG_MS));
    pt_fails(brp_child_wait(&child.child, 0), BROOD_ETIMEDOUT);
    pt_ok(brp_child_signal(&child.child, signal));
    return pt_join(&child);
}

static void test_signals_end_a_child_as_python_shows_them(void **state)
{
    (void)state;
    assert_int_equal(end_by(BRP_TERMINATE), -15);
    assert_int_equal(end_by(BRP_KILL), -9);
    if (!PT_IS_WINDOWS)
        assert_int_equal(end_by(BRP_INTERRUPT), -2);
}

static void test_a_signal_to_an_ended_child_is_no_error(void **state)
{
    (void)state;
    pt_process child;
    pt_start(&child, "child", "kill_itself", NULL, 0);
    pt_ok(brp_child_await_end(&child.child, pt_hang()));
    pt_ok(brp_child_signal(&child.child, BRP_KILL));
    pt_ok(brp_child_signal(&child.child, BRP_INTERRUPT));
    pt_ok(brp_child_kill_tree(&child.child));
    pt_ok(brp_child_wait(&child.child, pt_hang()));
    pt_ok(brp_child_signal(&child.child, BRP_TERMINATE));
    pt_ok(brp_child_signal(&child.child, BRP_INTERRUPT));
    pt_ok(brp_child_kill_tree(&child.child));
    assert_int_equal(pt_join(&child), -9);
}

static void test_waiting_ends_at_the_deadline(void **state)
{
    (void)state;
    pt_process child;
    pt_start(&child, "child", "sit", NULL, 0);
    int64_t before = brp_clock_now();
    pt_fails(brp_child_wait(&child.child, pt_in(100)), BROOD_ETIMEDOUT);
    pt_fails(brp_child_await_end(&child.child, pt_in(100)), BROOD_ETIMEDOUT);
    int64_t took = brp_clock_now() - before;
    pt_fails(brp_child_wait(&child.child, 0), BROOD_ETIMEDOUT);
    assert_false(child.child.ended);
    assert_true(pt_await_byte(child.report, PT_HANG_MS));
    brp_handle_close(&child.report);
    assert_int_equal(pt_join(&child), 0);
    assert_true(took >= 200 * 1000000);
}

static void test_the_end_is_collected_once_and_remembered(void **state)
{
    (void)state;
    pt_process child;
    const char *arguments[] = {"9", NULL};
    pt_start_arguments(&child, "child", "exit", arguments);
    pt_ok(brp_child_await_end(&child.child, BRI_NEVER));
    assert_false(child.child.ended);
    pt_ok(brp_child_await_end(&child.child, 0));
    pt_ok(brp_child_wait(&child.child, BRI_NEVER));
    assert_true(child.child.ended);
    pt_ok(brp_child_wait(&child.child, 0));
    pt_ok(brp_child_await_end(&child.child, 0));
    assert_int_equal(pt_join(&child), 9);
}

static void test_a_dead_child_is_not_alive_before_it_is_collected(void **state)
{
    (void)state;
    pt_process child;
    pt_start(&child, "child", "stay", NULL, 0);
    uint64_t start = brp_start_time(child.child.pid);
    bool before = brp_is_alive(child.child.pid, start);
    pt_ok(brp_child_signal(&child.child, BRP_KILL));
    pt_ok(brp_child_await_end(&child.child, pt_hang()));
    bool between = brp_is_alive(child.child.pid, start);
    int64_t pid = child.child.pid;
    pt_join(&child);
    assert_true(before);
    assert_false(between);
    assert_false(brp_is_alive(pid, start));
}

static void kill_child(void *context)
{
    pt_process *child = context;
    if (pt_await_byte(child->report, PT_HANG_MS))
        brp_child_signal(&child->child, BRP_KILL);
}

static void test_another_thread_may_kill_while_one_waits(void **state)
{
    (void)state;
    pt_process child;
    pt_thread killer;
    pt_start(&child, "child", "stay", NULL, 0);
    pt_thread_start(&killer, kill_child, &child);
    brood_status status = brp_child_wait(&child.child, BRI_NEVER);
    pt_thread_join(&killer);
    assert_int_equal(status, BROOD_OK);
    assert_int_equal(pt_join(&child), -9);
}

/* ---- trees ---- */

/* Starts a role with a pair whose writing end all of its tree holds; the reading end is at its end
 * when all are dead. */
static brp_handle start_tree(pt_process *root, const char *role)
{
    brp_handle alive[2];
    pt_ok(brp_stream_pair_one_way(alive));
    pt_start(root, "child", role, &alive[1], 1);
    brp_handle_close(&alive[1]);
    return alive[0];
}

static bool is_all_dead(brp_handle alive, brood_ms limit)
{
    char byte;
    size_t got;
    return brp_stream_read(alive, &byte, 1, &got, pt_in(limit)) == BROOD_EEOF;
}

static void test_killing_the_tree_ends_all_of_the_group(void **state)
{
    (void)state;
    pt_process root;
    brp_handle alive = start_tree(&root, "with_plain_child");
    assert_true(pt_await_byte(root.report, PT_HANG_MS));
    assert_true(pt_await_byte(root.report, PT_HANG_MS));
    assert_false(is_all_dead(alive, 0));
    pt_ok(brp_child_kill_tree(&root.child));
    bool dead = is_all_dead(alive, 2000);
    brp_handle_close(&alive);
    assert_int_equal(pt_join(&root), -9);
    assert_true(dead);
}

static void test_what_a_dead_child_left_behind_is_killed_before_collecting(void **state)
{
    (void)state;
    if (PT_IS_WINDOWS)
        pt_skip_on(PT_SYSTEM, "a job ends with its last handle; nothing is left behind");
    pt_process root;
    brp_handle alive = start_tree(&root, "leave_behind");
    pt_ok(brp_child_await_end(&root.child, pt_hang()));
    assert_false(is_all_dead(alive, 50));
    pt_ok(brp_child_kill_tree(&root.child));
    bool dead = is_all_dead(alive, 2000);
    brp_handle_close(&alive);
    assert_int_equal(pt_join(&root), 0);
    assert_true(dead);
}

/* ---- not our own ---- */

static void test_children_of_others_are_left_to_them(void **state)
{
    (void)state;
#ifdef _WIN32
    pt_skip_on(PT_SYSTEM, "a process is known by its handle there, and nobody can take its end");
#else
    pid_t foreign = fork();
    if (foreign == 0)
        _exit(17);
    assert_true(foreign > 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(end_of("exit", "4"), 4);
    int status = 0;
    assert_int_equal(waitpid(foreign, &status, 0), foreign);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 17);
#endif
}

static void test_an_end_that_somebody_else_took_is_255(void **state)
{
    (void)state;
#ifdef _WIN32
    pt_skip_on(PT_SYSTEM, "nobody can take the end of a process there");
#else
    pt_process child;
    pt_start(&child, "child", "kill_itself", NULL, 0);
    assert_int_equal(waitpid((pid_t)child.child.pid, NULL, 0), child.child.pid);
    pt_ok(brp_child_wait(&child.child, pt_hang()));
    assert_int_equal(child.child.system_status, -1);
    pt_ok(brp_child_kill_tree(&child.child));
    assert_int_equal(pt_join(&child), 255);
#endif
}

static void test_with_sigchld_ignored_an_end_is_learnt_though_not_its_code(void **state)
{
    (void)state;
#ifdef _WIN32
    pt_skip_on(PT_SYSTEM, "there is no SIGCHLD there");
#else
    pt_process child;
    signal(SIGCHLD, SIG_IGN);
    pt_start(&child, "child", "sit", NULL, 0);
    bool sat = pt_await_byte(child.report, PT_HANG_MS);
    brood_status early = brp_child_wait(&child.child, 0);
    pt_say(child.report, "g");
    brood_status status = brp_child_wait(&child.child, pt_hang());
    signal(SIGCHLD, SIG_DFL);
    assert_int_equal(child.child.system_status, -1);
    assert_int_equal(pt_join(&child), 255);
    assert_true(sat);
    assert_int_equal(early, BROOD_ETIMEDOUT);
    assert_int_equal(status, BROOD_OK);
#endif
}

/* ---- fork ---- */

static void test_a_forked_child_leads_its_own_group(void **state)
{
    (void)state;
#ifdef _WIN32
    brp_child child;
    bool in_child;
    assert_false(brp_can_fork());
    pt_fails(brp_fork(&child, &in_child), BROOD_ENOTSUP);
#else
    brp_child child;
    bool in_child = true;
    assert_true(brp_can_fork());
    pt_ok(brp_fork(&child, &in_child));
    if (in_child)
        brp_exit_now(getpgrp() == getpid() && brp_thread_count() == 1 ? 6 : 1);
    pt_ok(brp_child_wait(&child, pt_hang()));
    brp_child_close(&child);
    assert_int_equal(child.code, 6);
#endif
}

static void test_a_forked_child_starts_children_of_its_own(void **state)
{
    (void)state;
#ifdef _WIN32
    pt_skip_on(PT_SYSTEM, "there is no fork there");
#else
    pt_process before;
    brp_child child;
    bool in_child = false;
    pt_start(&before, "child", "sit", NULL, 0);
    pt_ok(brp_fork(&child, &in_child));
    if (in_child) {
        brp_child own;
        const char *arguments[] = {"x", "31", NULL};
        if (brp_spawn(&own, &(brp_spawn_options){.path = pt_prog("child"),
                                                 .arguments = arguments,
                                                 .marker = PT_MARKER,
                                                 .marker_suffix = "exit"}) != BROOD_OK)
            brp_exit_now(1);
        if (brp_child_wait(&own, pt_hang()) != BROOD_OK)
            brp_exit_now(2);
        brp_exit_now(own.code);
    }
    pt_ok(brp_child_wait(&child, pt_hang()));
    brp_child_close(&child);
    pt_fails(brp_child_wait(&before.child, 0), BROOD_ETIMEDOUT);
    assert_true(pt_await_byte(before.report, PT_HANG_MS));
    brp_handle_close(&before.report);
    assert_int_equal(pt_join(&before), 0);
    assert_int_equal(child.code, 31);
#endif
}

static void test_an_adopted_child_can_be_killed_with_its_tree(void **state)
{
    (void)state;
    pt_process root;
    brp_child adopted;
    brp_handle alive = start_tree(&root, "with_plain_child");
    assert_true(pt_await_byte(root.report, PT_HANG_MS));
    assert_true(pt_await_byte(root.report, PT_HANG_MS));
    pt_ok(brp_child_adopt(&adopted, root.child.pid));
    assert_int_equal(adopted.pid, root.child.pid);
    pt_ok(brp_child_kill_tree(&adopted));
    bool dead = is_all_dead(alive, 2000);
    brp_handle_close(&alive);
    brp_child_close(&adopted);
    assert_int_equal(pt_join(&root), -9);
    if (!PT_IS_WINDOWS) /* a job is not found by a pid: the child alone dies */
        assert_true(dead);
}

static void test_nobody_can_be_adopted_under_a_free_number(void **state)
{
    (void)state;
    pt_process child;
    brp_child adopted;
    pt_start(&child, "child", "kill_itself", NULL, 0);
    int64_t pid = child.child.pid;
    pt_join(&child);
    assert_int_equal(brp_child_adopt(&adopted, pid), BROOD_ENOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_exit_codes_arrive),
        pt_test(test_an_immediate_exit_runs_no_atexit_handler),
        pt_test(test_a_crash_is_the_negative_signal),
        pt_test(test_the_systems_own_status_is_kept),
        pt_test(test_signals_end_a_child_as_python_shows_them),
        pt_test(test_a_signal_to_an_ended_child_is_no_error),
        pt_test(test_waiting_ends_at_the_deadline),
        pt_test(test_the_end_is_collected_once_and_remembered),
        pt_test(test_a_dead_child_is_not_alive_before_it_is_collected),
        pt_test(test_another_thread_may_kill_while_one_waits),
        pt_test(test_killing_the_tree_ends_all_of_the_group),
        pt_test(test_what_a_dead_child_left_behind_is_killed_before_collecting),
        pt_test(test_children_of_others_are_left_to_them),
        pt_test(test_an_end_that_somebody_else_took_is_255),
        pt_test(test_with_sigchld_ignored_an_end_is_learnt_though_not_its_code),
        pt_test(test_a_forked_child_leads_its_own_group),
        pt_test(test_a_forked_child_starts_children_of_its_own),
        pt_test(test_an_adopted_child_can_be_killed_with_its_tree),
        pt_test(test_nobody_can_be_adopted_under_a_free_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
