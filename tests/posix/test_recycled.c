/* test_recycled.c - a process's number may be another's by the time that somebody signals it. */
#define _GNU_SOURCE
#include "platform/expect.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix/watch.h"

enum { TRIES = 200 };

/* Asks Linux to give this number to the next process; only root may. */
static bool set_next_number(int64_t pid)
{
    char text[24];
    int length = snprintf(text, sizeof text, "%" PRId64, pid - 1);
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    bool set = fd >= 0 && write(fd, text, (size_t)length) == length;
    if (fd >= 0)
        close(fd);
    return set;
}

typedef struct stranger {
    pid_t pid;
    brp_handle talk; /* it answers each byte with the same */
} stranger;

static void end_stranger(stranger *one)
{
    kill(one->pid, SIGKILL);
    waitpid(one->pid, NULL, 0);
    brp_handle_close(&one->talk);
}

static void be_stranger(int fd)
{
    char byte;
    setpgid(0, 0);
    while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
        ;
    _exit(0);
}

/* A process of that number that leads a group of that number, as the former one did. Another
 * process of the machine may be faster, so it takes some tries. */
static bool start_stranger(stranger *one, int64_t number)
{
    for (int i = 0; i < TRIES; i++) {
        brp_handle ends[2];
        if (!set_next_number(number))
            return false;
        pt_ok(brp_stream_pair(ends));
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            be_stranger((int)ends[1].value);
        setpgid(pid, pid);
        brp_handle_close(&ends[1]);
        *one = (stranger){pid, ends[0]};
        if (pid == number)
            return true;
        end_stranger(one);
    }
    return false;
}

#define NO_STRANGER "the number of a process cannot be chosen, or was not to be had again"

/* Sends all signals that there are: the stranger still answers, which one that is killed does not.
 * False if there was none. */
static bool expect_spared(brp_child *former)
{
    stranger one;
    if (!start_stranger(&one, former->pid))
        return false;
    brood_status signalled = brp_child_signal(former, BRP_KILL);
    brood_status killed = brp_child_kill_tree(former);
    bool lives = pt_say(one.talk, "?") == BROOD_OK && pt_await_byte(one.talk, PT_HANG_MS);
    end_stranger(&one);
    assert_true(lives);
    assert_int_equal(signalled, BROOD_OK);
    assert_int_equal(killed, BROOD_OK);
    return true;
}

static void test_a_collected_child_is_not_found_by_its_number(void **state)
{
    (void)state;
    pt_process child;
    pt_start(&child, "child", "kill_itself", NULL, 0);
    pt_ok(brp_child_wait(&child.child, pt_hang()));
    bool was_tried = expect_spared(&child.child);
    assert_int_equal(pt_join(&child), -9);
    if (!was_tried)
        pt_skip_on("this machine", NO_STRANGER);
}

static void test_a_child_that_somebody_else_collected_is_not_found_by_its_number(void **state)
{
    (void)state;
    pt_process child;
    if (!brp_have_pidfd())
        pt_skip_on("this build",
                   "the stranger is a child of ours too, and only pidfds tell them apart");
    pt_start(&child, "child", "kill_itself", NULL, 0);
    assert_int_equal(waitpid((pid_t)child.child.pid, NULL, 0), child.child.pid);
    bool was_tried = expect_spared(&child.child);
    assert_int_equal(pt_join(&child), 255);
    if (!was_tried)
        pt_skip_on("this machine", NO_STRANGER);
}

static void test_an_adopted_child_is_not_found_by_its_number(void **state)
{
    (void)state;
    pt_process child;
    brp_child adopted;
    if (!brp_have_pidfd())
        pt_skip_on("this build",
                   "without pidfds the number is all that is known of a foreign child");
    pt_start(&child, "child", "stay", NULL, 0);
    assert_true(pt_await_byte(child.report, PT_HANG_MS));
    pt_ok(brp_child_adopt(&adopted, child.child.pid));
    pt_ok(brp_child_signal(&child.child, BRP_KILL));
    assert_int_equal(pt_join(&child), -9);
    bool was_tried = expect_spared(&adopted);
    brp_child_close(&adopted);
    if (!was_tried)
        pt_skip_on("this machine", NO_STRANGER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_a_collected_child_is_not_found_by_its_number),
        pt_test(test_a_child_that_somebody_else_collected_is_not_found_by_its_number),
        pt_test(test_an_adopted_child_is_not_found_by_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
