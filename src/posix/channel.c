/* posix/channel.c - every channel is a descriptor; a local socket may carry others. */
#define _GNU_SOURCE
#include "platform/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "posix/fd.h"
#include "posix/rights.h"

/* Python's peers write twice in a row: their second message would wait for our delayed
 * acknowledgement of the first, 40 ms. The mode does not last, so it is asked for at each read. */
static void acknowledge_quickly(brp_channel channel)
{
#ifdef TCP_QUICKACK
    const int on = 1;
    if (channel.kind == BRP_CHANNEL_SOCKET)
        setsockopt(brp_fd(channel.handle), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
#else
    (void)channel;
#endif
}

brood_status brp_channel_read(brp_channel channel, void *data, size_t size, size_t *got,
                              size_t *left, bri_deadline deadline)
{
    acknowledge_quickly(channel);
    BROOD_TRY(brp_stream_read(channel.handle, data, size, got, deadline));
    *left = 0;
    return BROOD_OK;
}

brood_status brp_channel_read_all(brp_channel channel, void *data, size_t size, size_t *got,
                                  bri_deadline deadline)
{
    acknowledge_quickly(channel);
    return brp_stream_read_all(channel.handle, data, size, got, deadline);
}

brood_status brp_channel_write_all(brp_channel channel, const brp_bytes *parts, size_t n_parts,
                                   size_t *written, bri_deadline deadline)
{
    return brp_stream_write_all(channel.handle, parts, n_parts, written, deadline);
}

brood_status brp_channel_poll(brp_channel channel, bri_deadline deadline)
{
    return brp_stream_poll(channel.handle, deadline);
}

brp_watch_kind brp_channel_watch_kind(brp_channel channel)
{
    return channel.kind == BRP_CHANNEL_SOCKET ? BRP_WATCH_SOCKET : BRP_WATCH_STREAM;
}

brood_status brp_channel_adopt(brp_channel *channel)
{
    if (channel->kind == BRP_CHANNEL_MESSAGES)
        return bri_fail(BROOD_ENOTSUP, "could not use a pipe of messages: this is POSIX");
    return BROOD_OK;
}

void brp_channel_close(brp_channel *channel)
{
    brp_handle_close(&channel->handle);
}

/* ---- handles beside the bytes ---- */

brood_status brp_channel_read_with_handles(brp_channel channel, void *data, size_t size,
                                           size_t *got, brp_handle *handles, size_t room, size_t *n,
                                           bri_deadline deadline)
{
    int fd = brp_fd(channel.handle);
    for (;;) {
        struct iovec part = {.iov_base = data, .iov_len = size};
        brp_rights rights;
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = rights.bytes,
                                 .msg_controllen = sizeof rights.bytes};
        int flags = MSG_CMSG_CLOEXEC | (deadline == BRI_NEVER ? 0 : MSG_DONTWAIT);
        ssize_t length = recvmsg(fd, &message, flags);
        if (length > 0) {
            *got = (size_t)length;
            *n = message.msg_controllen == 0 ? 0 : brp_rights_take(&message, handles, room);
            if ((message.msg_flags & MSG_CTRUNC) != 0) { /* dropped, for want of a number */
                if (*n < room)
                    handles[*n] = BRP_NO_HANDLE;
                ++*n;
            }
            return BROOD_OK;
        }
        if (length == 0 || errno == ECONNRESET)
            return BROOD_EEOF;
        if (errno == ENOTSOCK) {
            *n = 0;
            return brp_stream_read(channel.handle, data, size, got, deadline);
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            BROOD_TRY(brp_stream_poll(channel.handle, deadline));
        else if (errno != EINTR)
            return brp_fail(errno, "could not read from channel %d", fd);
    }
}

brood_status brp_sender_write(brp_sender **sender, brp_channel channel, const void *data,
                              size_t size)
{
    (void)sender;
    (void)data;
    return bri_fail(BROOD_ENOTSUP,
                    "could not write %zu bytes to channel %d as a message: this is POSIX", size,
                    brp_fd(channel.handle));
}

void brp_sender_close(brp_sender **sender)
{
    *sender = NULL;
}
