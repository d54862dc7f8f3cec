/* test_parent.c - platform/parent.h: the tree ends within 2 s of its root, whatever ended that. */
#ifndef _WIN32
#define _POSIX_C_SOURCE 200809L
#include <unistd.h>
#endif

#include "expect.h"

#include "platform/parent.h"

enum { TREE_MS = 2000 };

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

static void expect_all_dead(brp_handle *alive)
{
    char byte;
    size_t got;
    brood_status status = brp_stream_read(*alive, &byte, 1, &got, pt_in(TREE_MS));
    brp_handle_close(alive);
    assert_int_equal(status, BROOD_EEOF);
}

static void await_members(const pt_process *root, int n)
{
    while (n-- > 0)
        assert_true(pt_await_byte(root->report, PT_HANG_MS));
}

static void test_a_killed_root_takes_its_grandchildren_with_it(void **state)
{
    (void)state;
    pt_process root;
    brp_handle alive = start_tree(&root, "root");
    await_members(&root, 5);
    pt_ok(brp_child_signal(&root.child, BRP_KILL));
    expect_all_dead(&alive);
    assert_int_equal(pt_join(&root), -9);
}

static void test_a_root_that_exits_takes_its_children_with_it(void **state)
{
    (void)state;
    pt_process root;
    brp_handle alive = start_tree(&root, "careless_root");
    await_members(&root, 1);
    pt_ok(pt_say(root.report, "g"));
    expect_all_dead(&alive);
    assert_int_equal(pt_join(&root), 0);
}

static void test_plain_children_of_a_member_end_with_it(void **state)
{
    (void)state;
    pt_process root;
    brp_handle alive = start_tree(&root, "root_of_plain");
    await_members(&root, 3);
    pt_ok(brp_child_signal(&root.child, BRP_KILL));
    expect_all_dead(&alive);
    assert_int_equal(pt_join(&root), -9);
}

/* The portable lifeline needs a group that nobody looks after to be an orphan. In a PID namespace
 * Linux counts its init as a parent that does, if that is of the same session. So the tests get one
 * of their own, unless this process leads a group: then it has not init's. */
static void leave_session(void)
{
#ifndef _WIN32
    setsid();
#endif
}

static void test_a_stopped_child_ends_too(void **state)
{
    (void)state;
    if (PT_IS_WINDOWS)
        pt_skip_on(PT_SYSTEM, "there is no signal that stops a process there");
    leave_session();
    pt_process root;
    brp_handle alive = start_tree(&root, "root_of_stopped");
    await_members(&root, 3);
    pt_ok(brp_child_signal(&root.child, BRP_KILL));
    expect_all_dead(&alive);
    assert_int_equal(pt_join(&root), -9);
}

static void test_a_parent_that_died_before_is_noticed(void **state)
{
    (void)state;
    pt_process child;
    brp_handle kept, given;
    pt_ok(brp_lifeline_create(&kept, &given));
    if (!brp_handle_is_set(given))
        pt_skip_on(PT_SYSTEM, "the job needs no lifeline");
    pt_start(&child, "child", "late", &given, 1);
    brp_handle_close(&given);
    brp_handle_close(&kept);
    pt_ok(pt_say(child.report, "g"));
    assert_int_equal(pt_join(&child), -9);
}

static void test_a_child_lives_as_long_as_its_line_is_kept(void **state)
{
    (void)state;
    pt_process child;
    brp_handle kept, given;
    pt_ok(brp_lifeline_create(&kept, &given));
    if (!brp_handle_is_set(given))
        pt_skip_on(PT_SYSTEM, "the job needs no lifeline");
    pt_start(&child, "child", "late", &given, 1);
    brp_handle_close(&given);
    pt_ok(pt_say(child.report, "g"));
    assert_true(pt_await_byte(child.report, PT_HANG_MS)); /* it holds the line and stays */
    pt_fails(brp_child_wait(&child.child, pt_in(100)), BROOD_ETIMEDOUT);
    brp_handle_close(&kept);
    pt_ok(brp_child_wait(&child.child, pt_in(TREE_MS)));
    assert_int_equal(pt_join(&child), -9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_a_killed_root_takes_its_grandchildren_with_it),
        pt_test(test_a_root_that_exits_takes_its_children_with_it),
        pt_test(test_plain_children_of_a_member_end_with_it),
        pt_test(test_a_stopped_child_ends_too),
        pt_test(test_a_parent_that_died_before_is_noticed),
        pt_test(test_a_child_lives_as_long_as_its_line_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
