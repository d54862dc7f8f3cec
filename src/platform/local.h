/*
 * platform/local.h - servers and clients of this machine, and who is at the other end.
 *
 * POSIX: AF_UNIX sockets; an address that begins with '@' is in Linux's abstract namespace.
 * Windows: named pipes of messages, first instance, remote clients rejected. APR has no server of
 * either.
 */
#ifndef BRP_LOCAL_H
#define BRP_LOCAL_H

#include "platform/channel.h"

/* What waits for clients, local ones or TCP ones (platform/socket.h). One thread at a time uses it.
 */
typedef struct brp_server brp_server;

/* Begins to listen. With NULL at a new address that nobody has: on Linux an abstract one, elsewhere
 * on POSIX a file in a new directory that only this user can enter and that goes with the server.
 * BROOD_EEXIST when somebody has the address, BROOD_ENOTFOUND when its directory is missing,
 * BROOD_ETOOLONG when it does not fit, BROOD_ENOTSUP for an abstract one where there are none. */
brood_status brp_local_listen(brp_server **server, const char *address, int backlog);

/* The address of a local server; valid as long as it is. */
const char *brp_server_address(const brp_server *server);

/* What to wait for; it may change with each brp_server_accept. */
brp_watch brp_server_watch(const brp_server *server);

/* Takes a client that is there; BROOD_ETIMEDOUT when there is none (it never waits). BROOD_ELIMIT
 * when this process or the system has no handle left: the client stays where it is. */
brood_status brp_server_accept(brp_server *server, brp_channel *channel);

/* Stops listening, and removes a file that this very server has made (not in a forked child). NULL
 * is ignored. */
void brp_server_close(brp_server *server);

/* In a forked child: closes its copy of the handle and leaves the rest. */
void brp_server_forget(brp_server *server);

/* Connects. BROOD_ENOTFOUND when nobody listens there; BROOD_ETIMEDOUT. */
brood_status brp_local_connect(brp_channel *channel, const char *address, bri_deadline deadline);

/* Who is at the other end of a channel of this machine, as the system saw it when the two were
 * connected. */
enum { BRP_USER_TEXT = 192 };
typedef struct brp_peer {
    int64_t pid;              /* 0: not known */
    char user[BRP_USER_TEXT]; /* POSIX: the user id in digits; Windows: the SID; "": not known */
} brp_peer;
brood_status brp_channel_peer(brp_channel channel, brp_peer *peer);

/* This process's own user, in the same form. */
brood_status brp_own_user(char user[BRP_USER_TEXT]);

#endif /* BRP_LOCAL_H */
