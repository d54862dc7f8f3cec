/*
 * platform/child.h - a child process: wait, signal, kill the tree, decode the exit.
 *
 * brood waits only for its own children, by pid or handle, never for any child. One thread at a
 * time uses a brp_child, except for brp_child_signal and brp_child_kill_tree, which may run while
 * another waits.
 */
#ifndef BRP_CHILD_H
#define BRP_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "platform/handle.h"

typedef struct brp_child {
    int64_t pid;         /* 0: no child */
    brp_handle sentinel; /* ready when the child has ended: pidfd, else the read end of a
                            pipe that a thread writes to; process handle */
    brp_handle job;      /* Windows: its job object */
    brp_handle thread;   /* Windows: the suspended main thread, until let go */
    bool ended;          /* the exit was collected; `code` and `system_status` are valid */
    int code; /* as Python's exitcode: 0..255 (32 bits on Windows), or -N when signal N (or its
                 Windows counterpart) ended it */
    int64_t system_status; /* wait status or exit code as the system has it */
} brp_child;

/* Waits until the child has ended, without collecting it. Until it is collected its number, which
 * is its group's too, stays reserved; so the order that is safe everywhere is: await the end,
 * brp_child_kill_tree for what it left behind, brp_child_wait. BROOD_OK, or BROOD_ETIMEDOUT when it
 * still runs. */
brood_status brp_child_await_end(brp_child *child, bri_deadline deadline);

/* Collects the exit. BROOD_OK fills ended, code and system_status (at once when it was collected
 * before), BROOD_ETIMEDOUT when it still runs. If something else of the program collected it first
 * (a SIGCHLD handler that waits for all), the code is 255 and system_status -1. */
brood_status brp_child_wait(brp_child *child, bri_deadline deadline);

typedef enum brp_signal {
    BRP_INTERRUPT, /* SIGINT; CTRL_BREAK_EVENT for the child's group */
    BRP_TERMINATE, /* SIGTERM; TerminateProcess with a code that decodes to -15 */
    BRP_KILL       /* SIGKILL; TerminateProcess with a code that decodes to -9 */
} brp_signal;

/* Sends to the child alone. A child that has ended is no error, and a recycled pid is never hit. */
brood_status brp_child_signal(brp_child *child, brp_signal signal);

/* Kills the child and everything in its process group or job. To be called before the child is
 * collected (see brp_child_await_end). Afterwards it reaches what is left on Windows and on
 * Linux 6.9 or later, and elsewhere does nothing, for the group's number may be another's by then.
 */
brood_status brp_child_kill_tree(brp_child *child);

/* Closes the handles; never waits. A zeroed struct is accepted after brp_child_init. */
void brp_child_init(brp_child *child);
void brp_child_close(brp_child *child);

/* Whether brp_fork exists here. */
bool brp_can_fork(void);

/* fork(), with the child moved into its own process group. In the child *in_child is true and
 * `child` is untouched. BROOD_ENOTSUP on Windows. */
brood_status brp_fork(brp_child *child, bool *in_child);

/* Child of a fork: its standard input becomes the null device; else it would read on where the
 * parent does. */
void brp_input_from_nothing(void);

/* A child of another process (of a forkserver) known by pid: only kill_tree and signal work,
 * through a pidfd where there is one. */
brood_status brp_child_adopt(brp_child *child, int64_t pid);

/* Has `handler` run when this process ends by exit() or a return from main, with all its threads
 * alive. `at_exit` is the atexit() of the program. Windows runs handlers of a DLL when it is
 * unloaded or after all other threads have been ended: with the atexit() of one nothing is
 * arranged, the code stays loaded, and the children end with the process. */
brood_status brp_at_exit(int (*at_exit)(void (*)(void)), void (*handler)(void));

/* Ends this process at once, without atexit handlers and without flushing stdio. */
void brp_exit_now(int code);

/* Kills this process as a crash would, for tests: SIGKILL / TerminateProcess on itself. */
void brp_kill_self(void);

#endif /* BRP_CHILD_H */
