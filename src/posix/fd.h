/*
 * posix/fd.h - helpers on file descriptors.
 */
#ifndef BRP_POSIX_FD_H
#define BRP_POSIX_FD_H

#include <poll.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "platform/handle.h"

static inline int brp_fd(brp_handle handle)
{
    return (int)handle.value;
}

static inline brp_handle brp_handle_of(int fd)
{
    return (brp_handle){fd};
}

/* A program may run with its standard streams closed; nothing of ours may take their numbers, or
 * its printf would write into our channels. Gives the same thing above 2; -1 with errno (and `fd`
 * closed) when that fails. Passes -1 through. */
int brp_above_stdio(int fd);

/* A pipe with both ends close-on-exec; -1 with errno. */
int brp_make_pipe(int ends[2]);

/* A pair of connected local sockets, as above. */
int brp_make_socket_pair(int ends[2]);

/* Closes both, where they are not -1, and keeps errno. */
void brp_close_both(const int fds[2]);

/* poll() with a deadline that goes on after signals: how many are ready, 0 when the time is up, -1
 * with errno. */
int brp_poll_until(struct pollfd *fds, nfds_t n, bri_deadline deadline);

/* Waits for events on one descriptor: BROOD_OK, also when it is at its end or broken, or
 * BROOD_ETIMEDOUT. */
brood_status brp_await_fd(int fd, short events, bri_deadline deadline);

/* The whole of a small file of /proc or /sys, NUL-terminated and cut to fit; its length, or -1 with
 * errno. */
ssize_t brp_read_small_file(const char *path, char *text, size_t size);

#endif /* BRP_POSIX_FD_H */
