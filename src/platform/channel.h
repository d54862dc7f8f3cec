/*
 * platform/channel.h - the byte channels that connections run on: streams of this machine, TCP
 * sockets, and Windows' pipes of messages.
 *
 * On POSIX all are descriptors that read and write alike. On Windows a socket is no pipe, and the
 * pipes of listeners keep the bounds of messages, as Python's do, in place of a header.
 */
#ifndef BRP_CHANNEL_H
#define BRP_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/stream.h"
#include "platform/waitmany.h"

typedef enum brp_channel_kind {
    BRP_CHANNEL_STREAM = 0, /* an end of brp_stream_pair; POSIX: a local socket too */
    BRP_CHANNEL_SOCKET,     /* TCP */
    BRP_CHANNEL_MESSAGES,   /* Windows: a named pipe that keeps the bounds of messages */
    BRP_CHANNEL_KINDS
} brp_channel_kind;

typedef struct brp_channel {
    brp_handle handle;
    brp_channel_kind kind;
} brp_channel;

#define BRP_NO_CHANNEL ((brp_channel){BRP_NO_HANDLE, BRP_CHANNEL_STREAM})

/* As brp_stream_read. On a channel of messages: bytes of the first message that is there; *left
 * tells how many more it has (0 elsewhere), and *got may be 0 for an empty message. */
brood_status brp_channel_read(brp_channel channel, void *data, size_t size, size_t *got,
                              size_t *left, bri_deadline deadline);

/* As brp_stream_read_all. On a channel of messages `size` must not be beyond the message's end. */
brood_status brp_channel_read_all(brp_channel channel, void *data, size_t size, size_t *got,
                                  bri_deadline deadline);

/* As brp_stream_write_all. On a channel of messages the parts are one message, and *written is not
 * 0 after a failure that may have let a part of it out. */
brood_status brp_channel_write_all(brp_channel channel, const brp_bytes *parts, size_t n_parts,
                                   size_t *written, bri_deadline deadline);

/* As brp_stream_poll. On a channel of messages an empty message is not seen. */
brood_status brp_channel_poll(brp_channel channel, bri_deadline deadline);

/* How it is waited for. */
brp_watch_kind brp_channel_watch_kind(brp_channel channel);

/* Makes a handle that came from another process ready for use as this kind of channel; it may
 * become another handle to the same thing. */
brood_status brp_channel_adopt(brp_channel *channel);

/* Closes and sets to BRP_NO_CHANNEL. */
void brp_channel_close(brp_channel *channel);

/* Reads as brp_stream_read does, and takes the handles too that lie beside the bytes: at most
 * `room`, *n tells how many came. Where there are any, the last byte read is the one that they lie
 * beside. POSIX; on Windows none ever comes. Handles beyond `room` are closed, and *n is then above
 * it. What this process has no number for is lost, and stands there as BRP_NO_HANDLE. */
brood_status brp_channel_read_with_handles(brp_channel channel, void *data, size_t size,
                                           size_t *got, brp_handle *handles, size_t room, size_t *n,
                                           bri_deadline deadline);

/*
 * Writes messages without ever waiting, on a channel of messages, whose writes cannot be cut in
 * two: one message at a time is on its way, and is kept until the system has taken it. *sender
 * begins as NULL. The thread has to live until then: with its end the system takes the message
 * back. BROOD_ETIMEDOUT when the message before is still on its way: nothing is done then. The
 * failure of that one is told by the next. BROOD_ENOTSUP on POSIX.
 */
typedef struct brp_sender brp_sender;
brood_status brp_sender_write(brp_sender **sender, brp_channel channel, const void *data,
                              size_t size);

/* Takes back what is on its way, and sets to NULL; before the channel is closed. */
void brp_sender_close(brp_sender **sender);

#endif /* BRP_CHANNEL_H */
