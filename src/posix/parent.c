/* posix/parent.c - the lifeline: a pipe whose writing end only the parent has. */
#define _GNU_SOURCE
#include "platform/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "platform/child.h"
#include "posix/fd.h"
#include "posix/helper.h"

#if defined(__linux__) && !defined(BROOD_NO_ASYNC_LIFELINE)
#define HAVE_ASYNC_LIFELINE 1
#else
#define HAVE_ASYNC_LIFELINE 0
#endif

brood_status brp_lifeline_create(brp_handle *kept, brp_handle *given)
{
    int ends[2];
    if (brp_make_pipe(ends) != 0)
        return brp_fail(errno, "could not make a lifeline");
    *given = brp_handle_of(ends[0]);
    *kept = brp_handle_of(ends[1]);
    return BROOD_OK;
}

static bool leads_own_group(void)
{
    return getpgrp() == getpid();
}

/* With this process in it: does not return. */
static void end_own_group(void)
{
    if (leads_own_group())
        kill(0, SIGKILL);
    brp_kill_self();
}

#if HAVE_ASYNC_LIFELINE
/* The kernel sends SIGKILL by itself when the last writing end closes: nothing of this process has
 * to run, so it works for a stopped one too. The owner belongs to the open pipe, not to the
 * descriptor; so every child has a pipe of its own. */
static brood_status arm(int fd)
{
    struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = getpid()};
    if (leads_own_group())
        owner.type = F_OWNER_PGRP;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETOWN_EX, &owner) != 0 || fcntl(fd, F_SETSIG, SIGKILL) != 0 ||
        fcntl(fd, F_SETFL, flags | O_ASYNC) != 0)
        return brp_fail(errno, "could not hold the lifeline");
    return BROOD_OK;
}
#else
static void *watch_parent(void *argument)
{
    int fd = (int)(intptr_t)argument;
    struct pollfd lifeline = {.fd = fd, .events = POLLIN};
    brp_poll_until(&lifeline, 1, BRI_NEVER);
    end_own_group();
    return NULL;
}

/* A stopped process notices only when it goes on; but its group is an orphan by then, and POSIX
 * sends SIGHUP and SIGCONT to stopped members of such a group. (Not where it is adopted by an init
 * of the same session, as some containers have: there it stays stopped.) */
static brood_status arm(int fd)
{
    int code = brp_helper_start(watch_parent, (void *)(intptr_t)fd);
    return code == 0 ? BROOD_OK : brp_fail(code, "could not hold the lifeline");
}
#endif

brood_status brp_lifeline_hold(brp_handle given)
{
    brood_status status = arm(brp_fd(given));
    if (status != BROOD_OK) {
        brp_handle_close(&given);
        return status;
    }
    struct pollfd lifeline = {.fd = brp_fd(given), .events = POLLIN};
    if (poll(&lifeline, 1, 0) > 0) /* the parent was dead before the kernel knew whom to tell */
        end_own_group();
    return BROOD_OK;
}
