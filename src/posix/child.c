/* posix/child.c - children by pidfd, else by pid. */
#define _GNU_SOURCE
#include "platform/child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/clock.h"
#include "posix/fd.h"
#include "posix/valgrind.h"
#include "posix/watch.h"

#if defined(__linux__)
#define BRP_P_PIDFD ((idtype_t)3) /* P_PIDFD, which glibc has since 2.36 only */
#endif

brood_status brp_child_await_end(brp_child *child, bri_deadline deadline)
{
    if (child->ended)
        return BROOD_OK;
    return brp_await_fd(brp_fd(child->sentinel), POLLIN, deadline);
}

static void decode(brp_child *child, const siginfo_t *info)
{
    child->ended = true;
    if (info->si_code == CLD_EXITED) {
        child->code = info->si_status & 0xFF;
        child->system_status = child->code << 8;
    } else {
        child->code = -info->si_status;
        child->system_status = info->si_status | (info->si_code == CLD_DUMPED ? 0x80 : 0);
    }
}

/* waitid() without waiting. `info->si_pid` stays 0 when the child still runs; -1 when it is not
 * ours to wait for. */
static int ask(const brp_child *child, siginfo_t *info, int options)
{
    idtype_t type = P_PID;
    id_t id = (id_t)child->pid;
#ifdef BRP_P_PIDFD
    if (brp_have_pidfd()) {
        type = BRP_P_PIDFD;
        id = (id_t)child->sentinel.value;
    }
#endif
    int result;
    memset(info, 0, sizeof *info);
    do
        result = waitid(type, id, info, WEXITED | WNOHANG | options);
    while (result != 0 && errno == EINTR);
    return result;
}

/* Collects the exit. A child that is ready may still be held back by a debugger: BROOD_ETIMEDOUT.
 */
static brood_status collect(brp_child *child)
{
    siginfo_t info;
    brp_numbers_lock();
    int result = ask(child, &info, 0);
    if (result != 0) { /* not our child, or collected by somebody else, or SIGCHLD is ignored */
        child->ended = true;
        child->code = 255;
        child->system_status = -1;
    } else if (info.si_pid != 0) {
        decode(child, &info);
    }
    brp_numbers_unlock();
    return result == 0 && info.si_pid == 0 ? BROOD_ETIMEDOUT : BROOD_OK;
}

brood_status brp_child_wait(brp_child *child, bri_deadline deadline)
{
    for (;;) {
        if (child->ended || collect(child) == BROOD_OK)
            return BROOD_OK;
        BROOD_TRY(brp_child_await_end(child, deadline));
        if (collect(child) == BROOD_OK)
            return BROOD_OK;
        if (deadline != BRI_NEVER && brp_clock_now() >= deadline)
            return BROOD_ETIMEDOUT;
        const struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
    }
}

/* Whether the child's number is still its own: nobody has collected it, or it is another process's
 * child and still runs. Called under the lock. */
static bool holds_number(const brp_child *child)
{
    siginfo_t info;
    if (child->ended)
        return false;
    if (ask(child, &info, WNOWAIT) == 0)
        return true;
    struct pollfd sentinel = {.fd = brp_fd(child->sentinel), .events = POLLIN};
    return poll(&sentinel, 1, 0) == 0;
}

/* kill() on the child's number, or on its group's when that is negative; nothing when the number is
 * not its own any more. An error number. */
static int kill_number(const brp_child *child, int64_t number, int signal)
{
    brp_numbers_lock();
    int code = holds_number(child) && kill((pid_t)number, signal) != 0 ? errno : 0;
    brp_numbers_unlock();
    return code == ESRCH ? 0 : code;
}

brood_status brp_child_signal(brp_child *child, brp_signal signal)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGKILL};
    int number = numbers[signal];
    int code = 0;
    if (!brp_have_pidfd())
        code = kill_number(child, child->pid, number);
    else if (brp_signal_pidfd(brp_fd(child->sentinel), number, 0) != 0 && errno != ESRCH)
        code = errno;
    if (code != 0)
        return brp_fail(code, "could not send signal %d to process %" PRId64, number, child->pid);
    return BROOD_OK;
}

brood_status brp_child_kill_tree(brp_child *child)
{
    enum {
        TO_GROUP = 1 << 2
    }; /* PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9: never hits a recycled number */
    if (child->pid <= 1)
        return bri_fail(BROOD_ESTATE, "could not kill process %" PRId64, child->pid);
    bool done =
        brp_have_pidfd() &&
        (brp_signal_pidfd(brp_fd(child->sentinel), SIGKILL, TO_GROUP) == 0 || errno == ESRCH);
    int code = done ? 0 : kill_number(child, -child->pid, SIGKILL);
    if (code != 0)
        return brp_fail(code, "could not kill the group of process %" PRId64, child->pid);
    return brp_child_signal(child, BRP_KILL); /* it may have left its group */
}

void brp_child_init(brp_child *child)
{
    *child = (brp_child){.sentinel = BRP_NO_HANDLE, .job = BRP_NO_HANDLE, .thread = BRP_NO_HANDLE};
}

void brp_child_close(brp_child *child)
{
    brp_handle_close(&child->sentinel);
}

bool brp_can_fork(void)
{
    return true;
}

brood_status brp_fork(brp_child *child, bool *in_child)
{
    pid_t pid = brp_fork_watched();
    if (pid < 0)
        return brp_fail(errno, "could not fork");
    /* Both do it, so that it is done whoever runs first. */
    setpgid(pid, pid == 0 ? 0 : pid);
    if (pid > 0)
        BROOD_TRY(brp_child_watch(child, pid));
    *in_child = pid == 0;
    return BROOD_OK;
}

void brp_input_from_nothing(void)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0)
        return;
    dup2(null, STDIN_FILENO);
    if (null != STDIN_FILENO)
        close(null);
}

brood_status brp_child_adopt(brp_child *child, int64_t pid)
{
    brp_handle sentinel = BRP_NO_HANDLE;
    if (brp_have_pidfd()) {
        int pidfd = brp_open_pidfd((pid_t)pid);
        if (pidfd < 0)
            return brp_fail(errno, "could not find process %" PRId64, pid);
        sentinel = brp_handle_of(pidfd);
    } else if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) {
        return brp_fail(ESRCH, "could not find process %" PRId64, pid);
    }
    brp_child_init(child);
    child->pid = pid;
    child->sentinel = sentinel;
    return BROOD_OK;
}

/* Found when the program is loaded: a forked child that calls _exit by its name, as the first one
 * to do so, pays ten page faults for the search. */
static void (*volatile end_process)(int code) = _exit;

brood_status brp_at_exit(int (*at_exit)(void (*)(void)), void (*handler)(void))
{
    if (at_exit(handler) != 0)
        return bri_fail(BROOD_ENOMEM, "could not arrange for the exit: atexit() refused");
    return BROOD_OK;
}

void brp_exit_now(int code)
{
    brp_valgrind_before_end();
    end_process(code);
}

void brp_kill_self(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}
