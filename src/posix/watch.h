/*
 * posix/watch.h - learning of a child's end: a pidfd, else a thread that waits without collecting.
 */
#ifndef BRP_POSIX_WATCH_H
#define BRP_POSIX_WATCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "platform/child.h"

/* Whether sentinels are pidfds. The answer stays the same. */
bool brp_have_pidfd(void);

/* With pidfds only: one for a process, and a signal through it; -1 with errno. */
int brp_open_pidfd(pid_t pid);
int brp_signal_pidfd(int pidfd, int number, unsigned flags);

/* Fills pid and sentinel of a child that this process has just made. On failure the child is killed
 * and collected. */
brood_status brp_child_watch(brp_child *child, pid_t pid);

/* Held while a child is collected, and while one is signalled by its number: so no signal goes to a
 * number that was freed in between. Also guards brp_child.ended. Never held while waiting. */
void brp_numbers_lock(void);
void brp_numbers_unlock(void);

/* fork() that leaves the child without its parent's sentinels half-made, and without the interrupts
 * that it has taken. */
pid_t brp_fork_watched(void);

#endif /* BRP_POSIX_WATCH_H */
