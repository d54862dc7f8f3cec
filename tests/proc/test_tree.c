/* What becomes of a tree of processes: its root is killed, a child is killed, it ends in order; and
 * what it wrote. */
/* brood-test: start-methods */
#include "harness.h"

#include "platform/child.h"
#include "platform/clock.h"
#include "platform/spawn.h"
#include "platform/stream.h"

enum { GENERATIONS = 3 };

/* A root of its own, with generations below it. */
typedef struct tree {
    brp_child root;
    brp_handle output;
    int64_t pids[GENERATIONS];
} tree;

static const char *method_name(void)
{
    return brood_start_method_name(brood_get_start_method());
}

static int64_t read_number(brp_handle stream)
{
    char line[32] = "";
    size_t got;
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), 20000);
    for (size_t i = 0; i < sizeof line - 1; i++) {
        bt_ok(brp_stream_read(stream, line + i, 1, &got, deadline));
        if (line[i] == '\n')
            break;
    }
    return strtoll(line, NULL, 10);
}

static void start_tree(tree *made)
{
    char generations[8];
    brp_handle theirs;
    snprintf(generations, sizeof generations, "%d", GENERATIONS);
    const char *arguments[] = {bt_prog("prog_start"), "tree", method_name(), generations, NULL};
    brp_child_init(&made->root);
    bt_ok(brp_pipe_pair(&made->output, &theirs, true));
    brp_spawn_options options = {.path = arguments[0],
                                 .arguments = arguments,
                                 .stdio[1] = {.kind = BRP_STDIO_HANDLE, .handle = theirs}};
    brood_status status = brp_spawn(&made->root, &options);
    brp_handle_close(&theirs);
    bt_ok(status);
    bt_ok(brp_child_let_go(&made->root));
    for (int i = 0; i < GENERATIONS; i++) {
        made->pids[i] = read_number(made->output);
        assert_true(made->pids[i] > 0);
        assert_false(bt_is_gone(made->pids[i], 0));
    }
}

/* All gone within two seconds after the root. */
static void expect_end(tree *ended, int code)
{
    bt_ok(brp_child_wait(&ended->root, bri_deadline_after(brp_clock_now(), 20000)));
    brood_ms begin = brood_now();
    for (int i = 0; i < GENERATIONS; i++)
        assert_true(bt_is_gone(ended->pids[i], 2000 - (brood_now() - begin)));
    assert_int_equal(ended->root.code, code);
    brp_child_close(&ended->root);
    brp_handle_close(&ended->output);
}

static void test_the_tree_ends_when_its_root_is_killed(void **state)
{
    (void)state;
    tree all;
    start_tree(&all);
    bt_ok(brp_child_signal(&all.root, BRP_KILL));
    expect_end(&all, -9);
}

static void test_the_tree_ends_when_its_root_is_terminated(void **state)
{
    (void)state;
    tree all;
    start_tree(&all);
    bt_ok(brp_child_signal(&all.root, BRP_TERMINATE));
    expect_end(&all, -15);
}

/* Ctrl-C reaches the root alone: the children are in groups of their own. */
static void test_the_tree_ends_when_its_root_is_interrupted(void **state)
{
    (void)state;
    tree all;
    if (bt_is_windows())
        bt_skip(
            "a process cannot be sent a Ctrl-C from outside there; win32/test_console.c has it");
    start_tree(&all);
    bt_ok(brp_child_signal(&all.root, BRP_INTERRUPT));
    expect_end(&all, -2);
}

static void test_the_tree_ends_when_a_generation_is_killed(void **state)
{
    (void)state;
    tree all;
    brp_child first;
    start_tree(&all);
    bt_ok(brp_child_adopt(&first, all.pids[0]));
    bt_ok(brp_child_signal(&first, BRP_KILL));
    brp_child_close(&first);
    for (int i = 0; i < GENERATIONS; i++)
        assert_true(bt_is_gone(all.pids[i], 2000));
    bt_ok(brp_child_signal(&all.root, BRP_KILL));
    expect_end(&all, -9);
}

/* ---- what it writes ---- */

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        n++;
    return n;
}

static void test_unflushed_output_is_written_once(void **state)
{
    (void)state;
    char output[256];
    const char *arguments[] = {"output", method_name(), NULL};
    assert_int_equal(bt_run_prog(bt_prog("prog_start"), arguments, output, sizeof output), 0);
    assert_int_equal(count(output, "[before]"), 1);
    assert_int_equal(count(output, "[child]"), 1);
    assert_int_equal(count(output, "[after]"), 1);
    assert_int_equal(strlen(output), strlen("[before][child][after]"));
}

static void test_at_exit_daemons_are_ended_and_others_joined(void **state)
{
    (void)state;
    char output[256];
    const char *arguments[] = {"daemons", method_name(), NULL};
    assert_int_equal(bt_run_prog(bt_prog("prog_start"), arguments, output, sizeof output), 0);
    assert_int_equal(count(output, "[late]"), 1);
    int64_t daemon = strtoll(output, NULL, 10);
    assert_true(daemon > 0);
    assert_true(bt_is_gone(daemon, 0));
}

/* ---- GUI programs ---- */

static void test_a_program_without_arguments_and_console_has_children(void **state)
{
    (void)state;
    char output[16];
    const char *none[] = {NULL};
    assert_int_equal(bt_run_prog(bt_prog("prog_gui"), none, output, sizeof output), 0);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_the_tree_ends_when_its_root_is_killed),
                   bt_test(test_the_tree_ends_when_its_root_is_terminated),
                   bt_test(test_the_tree_ends_when_its_root_is_interrupted),
                   bt_test(test_the_tree_ends_when_a_generation_is_killed),
                   bt_test(test_unflushed_output_is_written_once),
                   bt_test(test_at_exit_daemons_are_ended_and_others_joined),
                   bt_test(test_a_program_without_arguments_and_console_has_children));
}
