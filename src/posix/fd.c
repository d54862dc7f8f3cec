/* posix/fd.c - helpers on file descriptors. */
#define _GNU_SOURCE
#include "posix/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/clock.h"

int brp_above_stdio(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int saved = errno;
    close(fd);
    errno = saved;
    return higher;
}

/* Both ends above the standard streams; -1 with errno, and none left open. */
static int raise_both(int fds[2], int ends[2])
{
    fds[0] = brp_above_stdio(fds[0]);
    fds[1] = brp_above_stdio(fds[1]);
    if (fds[0] < 0 || fds[1] < 0) {
        brp_close_both(fds);
        return -1;
    }
    ends[0] = fds[0];
    ends[1] = fds[1];
    return 0;
}

int brp_make_pipe(int ends[2])
{
    int fds[2];
    return pipe2(fds, O_CLOEXEC) != 0 ? -1 : raise_both(fds, ends);
}

int brp_make_socket_pair(int ends[2])
{
    int fds[2];
    int made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
    return made != 0 ? -1 : raise_both(fds, ends);
}

void brp_close_both(const int fds[2])
{
    int saved = errno;
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    errno = saved;
}

int brp_poll_until(struct pollfd *fds, nfds_t n, bri_deadline deadline)
{
    for (;;) {
        int64_t left = -1;
        if (deadline != BRI_NEVER)
            left = bri_deadline_left_ms(deadline, brp_clock_now());
        int ready = poll(fds, n, left > INT_MAX ? INT_MAX : (int)left);
        if (ready > 0 || (ready == 0 && left <= INT_MAX))
            return ready;
        if (ready < 0 && errno != EINTR && errno != EAGAIN)
            return -1;
    }
}

brood_status brp_await_fd(int fd, short events, bri_deadline deadline)
{
    struct pollfd awaited = {.fd = fd, .events = events};
    int ready = brp_poll_until(&awaited, 1, deadline);
    if (ready == 0)
        return BROOD_ETIMEDOUT;
    if (ready < 0 || (awaited.revents & POLLNVAL) != 0)
        return brp_fail(ready < 0 ? errno : EBADF, "could not wait for handle %d", fd);
    return BROOD_OK;
}

ssize_t brp_read_small_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t length = 0;
    while (length < size - 1) {
        ssize_t got = read(fd, text + length, size - 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    text[length] = '\0';
    close(fd);
    return (ssize_t)length;
}
