/* test_terminal.c - Ctrl-C on a real terminal reaches the root alone; what becomes of the tree is
 * the root's choice. */
/* brood-test: start-methods */
#define _GNU_SOURCE
#include "harness.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GENERATIONS = 3 };

/* prog_start as the foreground of a terminal of its own. */
typedef struct session {
    pid_t root;
    int terminal; /* our side */
} session;

static void be_session(const char *terminal, const char *const *arguments)
{
    if (setsid() < 0)
        _exit(120);
    int fd = open(terminal, O_RDWR); /* it becomes the session's own */
    if (fd < 0 || dup2(fd, 0) < 0 || dup2(fd, 1) < 0)
        _exit(121);
    if (fd > 1)
        close(fd);
    execv(arguments[0], (char *const *)(intptr_t)arguments);
    _exit(122);
}

static session open_session(const char *role, const char *generations)
{
    session made = {.terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    const char *method = brood_start_method_name(brood_get_start_method());
    const char *arguments[] = {bt_prog("prog_start"), role, method, generations, NULL};
    char name[64];
    assert_true(made.terminal >= 0);
    assert_int_equal(grantpt(made.terminal), 0);
    assert_int_equal(unlockpt(made.terminal), 0);
    assert_int_equal(ptsname_r(made.terminal, name, sizeof name), 0);
    made.root = fork();
    assert_true(made.root >= 0);
    if (made.root == 0)
        be_session(name, arguments);
    return made;
}

static int close_session(session *one)
{
    int status = 0;
    assert_int_equal(waitpid(one->root, &status, 0), one->root);
    close(one->terminal);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void press_interrupt(const session *one)
{
    assert_int_equal(write(one->terminal, "\003", 1), 1);
}

static void test_ctrl_c_ends_the_root_and_the_tree_follows(void **state)
{
    (void)state;
    int64_t pids[GENERATIONS];
    session one = open_session("tree", "3");
    for (int i = 0; i < GENERATIONS; i++)
        pids[i] = bt_read_pid((brp_handle){one.terminal});
    press_interrupt(&one);
    for (int i = 0; i < GENERATIONS; i++)
        assert_true(bt_is_gone(pids[i], 2000));
    assert_int_equal(close_session(&one), -SIGINT);
}

/* The root has taken interrupts over: it hears of each press, and its child of none. */
static void test_ctrl_c_does_not_reach_the_children(void **state)
{
    (void)state;
    char line[64];
    session one = open_session("stubborn", "0");
    int64_t child = bt_read_pid((brp_handle){one.terminal});
    press_interrupt(&one);
    bt_read_line((brp_handle){one.terminal}, line, sizeof line);
    assert_non_null(strstr(line, "interrupt 1"));
    assert_false(bt_is_gone(child, 50));
    press_interrupt(&one);
    bt_read_line((brp_handle){one.terminal}, line, sizeof line);
    assert_non_null(strstr(line, "interrupt 2"));
    bt_read_line((brp_handle){one.terminal}, line, sizeof line);
    assert_string_equal(line, "the child ended with 7");
    assert_int_equal(close_session(&one), 0);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_ctrl_c_ends_the_root_and_the_tree_follows),
                   bt_test(test_ctrl_c_does_not_reach_the_children));
}
