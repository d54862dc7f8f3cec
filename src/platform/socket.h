/*
 * platform/socket.h - TCP servers and clients, IPv4 and IPv6.
 *
 * Not APR's sockets: they come from a pool that a server which accepts for ever may never clear,
 * they hide the handle that waits and hand-overs need, and their time-outs switch the socket's mode
 * back and forth.
 */
#ifndef BRP_SOCKET_H
#define BRP_SOCKET_H

#include "platform/local.h"

/* Listens at a host (a name or a number; "": everywhere, IPv4 always among it) and port; 0 lets the
 * system choose, and *bound tells it. BROOD_EEXIST when somebody has it. Name look-up may take its
 * time. */
brood_status brp_tcp_listen(brp_server **server, const char *host, uint16_t port, int backlog,
                            uint16_t *bound);

/* Connects to the first address of the host that answers. BROOD_ENOTFOUND: no such host, or nobody
 * listens there; BROOD_ETIMEDOUT. */
brood_status brp_tcp_connect(brp_channel *channel, const char *host, uint16_t port,
                             bri_deadline deadline);

/* The other end's number and port, "127.0.0.1:80" or "[::1]:80"; "" when it is not known. */
enum { BRP_REMOTE_TEXT = 64 };
void brp_tcp_remote(brp_channel channel, char text[BRP_REMOTE_TEXT]);

/* The same of this end: the number of this host that the other end knows. */
void brp_tcp_local(brp_channel channel, char text[BRP_REMOTE_TEXT]);

#endif /* BRP_SOCKET_H */
