/* posix/stream.c - socket pairs, and pipes for foreign programs. */
#define _GNU_SOURCE
#include "platform/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "posix/fd.h"

enum {
    MAX_PARTS = 16, /* given to one system call */
    MAX_TRANSFER =
        1 << 30 /* bytes given to one system call: some systems refuse more than INT_MAX */
};

brood_status brp_stream_pair(brp_handle ends[2])
{
    int fds[2];
    if (brp_make_socket_pair(fds) != 0)
        return brp_fail(errno, "could not make a channel");
    ends[0] = brp_handle_of(fds[0]);
    ends[1] = brp_handle_of(fds[1]);
    return BROOD_OK;
}

brood_status brp_stream_pair_one_way(brp_handle ends[2])
{
    int fds[2];
    if (brp_make_socket_pair(fds) != 0)
        return brp_fail(errno, "could not make a one-way channel");
    if (shutdown(fds[0], SHUT_WR) != 0 || shutdown(fds[1], SHUT_RD) != 0) {
        brp_close_both(fds);
        return brp_fail(errno, "could not make a channel one-way");
    }
    ends[0] = brp_handle_of(fds[0]);
    ends[1] = brp_handle_of(fds[1]);
    return BROOD_OK;
}

brood_status brp_pipe_pair(brp_handle *ours, brp_handle *theirs, bool we_read)
{
    int fds[2];
    if (brp_make_pipe(fds) != 0)
        return brp_fail(errno, "could not make a pipe");
    int mine = fds[we_read ? 0 : 1];
    int flags = fcntl(mine, F_GETFL);
    if (flags < 0 || fcntl(mine, F_SETFL, flags | O_NONBLOCK) != 0) {
        brp_close_both(fds);
        return brp_fail(errno, "could not set up a pipe");
    }
    *ours = brp_handle_of(mine);
    *theirs = brp_handle_of(fds[we_read ? 1 : 0]);
    return BROOD_OK;
}

/* One attempt that does not wait unless the deadline is never (and the descriptor itself waits). */
static ssize_t read_some(int fd, void *data, size_t size, bri_deadline deadline)
{
    if (deadline == BRI_NEVER)
        return read(fd, data, size);
    ssize_t got = recv(fd, data, size, MSG_DONTWAIT);
    if (got >= 0 || errno != ENOTSOCK)
        return got;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    if (poll(&readable, 1, 0) == 0) { /* a pipe that may be in blocking mode */
        errno = EAGAIN;
        return -1;
    }
    return read(fd, data, size);
}

brood_status brp_stream_read(brp_handle stream, void *data, size_t size, size_t *got,
                             bri_deadline deadline)
{
    int fd = brp_fd(stream);
    if (size > MAX_TRANSFER)
        size = MAX_TRANSFER;
    for (;;) {
        ssize_t n = read_some(fd, data, size, deadline);
        if (n > 0 || (n == 0 && size == 0)) {
            *got = (size_t)n;
            return BROOD_OK;
        }
        if (n == 0 || errno == ECONNRESET) /* reset: the peer closed with bytes of ours unread */
            return BROOD_EEOF;
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            BROOD_TRY(brp_stream_poll(stream, deadline));
        } else if (errno != EINTR) {
            return brp_fail(errno, "could not read from stream %d", fd);
        }
    }
}

brood_status brp_stream_read_all(brp_handle stream, void *data, size_t size, size_t *got,
                                 bri_deadline deadline)
{
    *got = 0;
    while (*got < size) {
        size_t n = 0;
        BROOD_TRY(brp_stream_read(stream, (unsigned char *)data + *got, size - *got, &n, deadline));
        *got += n;
    }
    return BROOD_OK;
}

/* writev to a pipe without SIGPIPE: the signal is blocked in this thread, and taken back if the
 * write has raised it and none was pending before. */
static ssize_t write_pipe(int fd, const struct iovec *parts, int n_parts)
{
    sigset_t pipe_only, before, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    ssize_t sent = writev(fd, parts, n_parts);
    int saved = errno;
    if (sent < 0 && saved == EPIPE && !was_pending) {
        const struct timespec at_once = {0, 0};
        while (sigtimedwait(&pipe_only, NULL, &at_once) < 0 && errno == EINTR)
            ;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return sent;
}

static ssize_t write_some(int fd, struct iovec *parts, size_t n_parts, bri_deadline deadline)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = n_parts};
    int flags = MSG_NOSIGNAL | (deadline == BRI_NEVER ? 0 : MSG_DONTWAIT);
    ssize_t sent = sendmsg(fd, &message, flags);
    if (sent >= 0 || errno != ENOTSOCK)
        return sent;
    return write_pipe(fd, parts, (int)n_parts);
}

/* The unwritten rest of `parts` behind the first `skip` bytes, as much as one system call takes. */
static size_t rest_of(struct iovec out[MAX_PARTS], const brp_bytes *parts, size_t n_parts,
                      size_t skip)
{
    size_t n = 0, room = MAX_TRANSFER;
    for (size_t i = 0; i < n_parts && n < MAX_PARTS && room > 0; i++) {
        if (skip >= parts[i].size) {
            skip -= parts[i].size;
            continue;
        }
        size_t size = parts[i].size - skip;
        if (size > room)
            size = room;
        out[n].iov_base = (unsigned char *)parts[i].data + skip;
        out[n].iov_len = size;
        room -= size;
        skip = 0;
        n++;
    }
    return n;
}

brood_status brp_stream_write_all(brp_handle stream, const brp_bytes *parts, size_t n_parts,
                                  size_t *written, bri_deadline deadline)
{
    int fd = brp_fd(stream);
    *written = 0;
    for (;;) {
        struct iovec rest[MAX_PARTS];
        size_t n = rest_of(rest, parts, n_parts, *written);
        if (n == 0)
            return BROOD_OK;
        ssize_t sent = write_some(fd, rest, n, deadline);
        if (sent >= 0) {
            *written += (size_t)sent;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            BROOD_TRY(brp_await_fd(fd, POLLOUT, deadline));
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return BROOD_EEOF;
        } else if (errno != EINTR) {
            return brp_fail(errno, "could not write to stream %d", fd);
        }
    }
}

brood_status brp_stream_poll(brp_handle stream, bri_deadline deadline)
{
    return brp_await_fd(brp_fd(stream), POLLIN, deadline);
}
