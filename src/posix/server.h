/*
 * posix/server.h - a listening socket: what local and TCP servers share.
 */
#ifndef BRP_POSIX_SERVER_H
#define BRP_POSIX_SERVER_H

#include <sys/types.h>

#include "platform/local.h"

struct brp_server {
    int fd;
    brp_channel_kind kind; /* of its clients */
    char *path;            /* local: the address */
    bool is_file;
    bool owns_directory; /* the file is alone in a directory of ours */
    dev_t device;        /* of the file that this server made */
    ino_t inode;
    pid_t maker;
};

/* Connects a socket that is non-blocking, waiting until the deadline: 0, or an errno. */
int brp_connect_until(int fd, const void *address, size_t size, bri_deadline deadline);

/* Switches O_NONBLOCK; -1 with errno. */
int brp_set_nonblocking(int fd, bool on);

/* A stream socket, close-on-exec, above the standard streams; -1 with errno. */
int brp_make_socket(int family);

/* Readies a socket that leads to its peer: calls wait in it, and small messages go at once. -1 with
 * errno. */
int brp_set_up_client(int fd, brp_channel_kind kind);

#endif /* BRP_POSIX_SERVER_H */
