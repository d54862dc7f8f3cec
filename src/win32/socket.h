/*
 * win32/socket.h - Winsock's start, reading and writing of sockets, and what servers share.
 */
#ifndef BRI_W32_SOCKET_H
#define BRI_W32_SOCKET_H

#include "platform/local.h"
#include "win32/win32.h"

struct brp_server {
    brp_channel_kind kind; /* of its clients */
    SOCKET socket;         /* TCP; INVALID_SOCKET for a pipe */
    char *address;         /* of a pipe */
    HANDLE pipe;           /* the instance that waits for a client */
    HANDLE event;          /* manual-reset: a client is there */
    OVERLAPPED connecting;
    bool is_connecting; /* `connecting` is the system's */
};

/* Starts Winsock, once. */
brood_status bri_w32_sockets_start(void);

/* Non-blocking, not inheritable, small messages at once. */
brood_status bri_w32_socket_set_up(SOCKET socket);

/* As brp_stream_read, brp_stream_write_all and brp_stream_poll, on sockets set up so. */
brood_status bri_w32_socket_read(SOCKET socket, void *data, size_t size, size_t *got,
                                 bri_deadline deadline);
brood_status bri_w32_socket_write_all(SOCKET socket, const brp_bytes *parts, size_t n_parts,
                                      size_t *written, bri_deadline deadline);
brood_status bri_w32_socket_poll(SOCKET socket, bri_deadline deadline);

/* Of a TCP server. */
brood_status bri_w32_socket_accept(brp_server *server, brp_channel *channel);

#endif /* BRI_W32_SOCKET_H */
