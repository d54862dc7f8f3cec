/* posix/pass.c - SCM_RIGHTS; the descriptors ride on one byte, whose value is how many they are. */
#define _GNU_SOURCE
#include "platform/pass.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "posix/fd.h"
#include "posix/rights.h"

_Static_assert((int)BRP_PASS_MAX <= (int)BRP_RIGHTS_MOST,
               "a message has room for what goes at once");

brood_status brp_pass_send(brp_handle stream, int64_t peer, const brp_handle *handles, size_t n,
                           bri_deadline deadline)
{
    (void)peer;
    if (n == 0 || n > BRP_PASS_MAX)
        return bri_fail(BROOD_EINVALID, "could not pass %zu handles: 1 to %d go at once", n,
                        BRP_PASS_MAX);
    int fds[BRP_PASS_MAX];
    for (size_t i = 0; i < n; i++)
        fds[i] = brp_fd(handles[i]);
    unsigned char carrier = (unsigned char)n;
    struct iovec data = {.iov_base = &carrier, .iov_len = 1};
    brp_rights rights;
    memset(&rights, 0, sizeof rights);
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = rights.bytes,
                             .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(header), fds, n * sizeof(int));
    for (;;) {
        if (sendmsg(brp_fd(stream), &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
            return BROOD_OK;
        if (errno == EPIPE || errno == ECONNRESET)
            return BROOD_EEOF;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            BROOD_TRY(brp_await_fd(brp_fd(stream), POLLOUT, deadline));
        else if (errno != EINTR)
            return brp_fail(errno, "could not pass %zu handles", n);
    }
}

/* One message: the carrier and what came with it. EAGAIN is BROOD_ETIMEDOUT. */
static brood_status receive_once(int stream, brp_handle *handles, size_t room, size_t *n, bool *cut)
{
    unsigned char carrier = 0;
    struct iovec data = {.iov_base = &carrier, .iov_len = 1};
    brp_rights rights;
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = rights.bytes,
                             .msg_controllen = sizeof rights.bytes};
    ssize_t got;
    do
        got = recvmsg(stream, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return BROOD_ETIMEDOUT;
    if (got == 0 || (got < 0 && errno == ECONNRESET))
        return BROOD_EEOF;
    if (got < 0)
        return brp_fail(errno, "could not receive handles");
    *n = brp_rights_take(&message, handles, room);
    *cut = (message.msg_flags & MSG_CTRUNC) != 0;
    return BROOD_OK;
}

brood_status brp_pass_receive(brp_handle stream, brp_handle *handles, size_t n,
                              bri_deadline deadline)
{
    if (n == 0 || n > BRP_PASS_MAX)
        return bri_fail(BROOD_EINVALID, "could not receive %zu handles: 1 to %d go at once", n,
                        BRP_PASS_MAX);
    brp_handle taken[BRP_PASS_MAX];
    size_t came = 0;
    bool cut = false;
    brood_status status;
    while ((status = receive_once(brp_fd(stream), taken, n, &came, &cut)) == BROOD_ETIMEDOUT)
        BROOD_TRY(brp_await_fd(brp_fd(stream), POLLIN, deadline));
    if (status != BROOD_OK)
        return status;
    bool whole = came == n && !cut;
    for (size_t i = 0; i < came && i < n; i++)
        whole = whole && brp_handle_is_set(taken[i]);
    if (whole) {
        memcpy(handles, taken, n * sizeof *handles);
        return BROOD_OK;
    }
    for (size_t i = 0; i < came && i < n; i++)
        brp_handle_close(&taken[i]);
    if (came < n && cut) /* the kernel drops what this process has no numbers for */
        return bri_fail(BROOD_ELIMIT, "could not receive %zu handles: only %zu fit", n, came);
    return bri_fail(BROOD_EFORMAT, "could not receive %zu handles: %zu came", n, came);
}

/* ---- as bytes ---- */

bool brp_pass_is_beside(void)
{
    return true;
}

brood_status brp_pass_export(brp_handle handle, bool is_socket, int64_t peer,
                             unsigned char bytes[BRP_PASS_BYTES], size_t *size)
{
    (void)is_socket;
    (void)peer;
    (void)bytes;
    (void)size;
    return bri_fail(BROOD_ENOTSUP,
                    "could not pass handle %d: descriptors go over local connections only",
                    brp_fd(handle));
}

void brp_pass_withdraw(const void *bytes, size_t size)
{
    (void)bytes;
    (void)size;
}

brood_status brp_pass_import(const void *bytes, size_t size, bool is_socket, brp_handle *handle)
{
    (void)bytes;
    (void)is_socket;
    (void)handle;
    return bri_fail(BROOD_ENOTSUP, "could not use %zu bytes as a handle: this is POSIX", size);
}
