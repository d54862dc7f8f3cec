/* posix/local.c - AF_UNIX servers and clients, and what all servers share. */
#define _GNU_SOURCE
#include "platform/local.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "platform/clock.h"
#include "platform/ident.h"
#include "posix/fd.h"
#include "posix/server.h"

/* ---- sockets ---- */

int brp_make_socket(int family)
{
    return brp_above_stdio(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

int brp_set_nonblocking(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -1;
    return fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

/* The result of a connect that went on in the background. */
static int await_connect(int fd, bri_deadline deadline)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    int ready = brp_poll_until(&writable, 1, deadline);
    if (ready == 0)
        return ETIMEDOUT;
    int error = errno;
    socklen_t size = sizeof error;
    if (ready > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    return error;
}

int brp_connect_until(int fd, const void *address, size_t size, bri_deadline deadline)
{
    for (;;) {
        if (connect(fd, address, (socklen_t)size) == 0)
            return 0;
        if (errno == EINPROGRESS || errno == EINTR)
            return await_connect(fd, deadline);
        if (errno != EAGAIN)
            return errno;
        /* A local server's queue is full. Nothing tells when there is room again. */
        if (bri_deadline_left(deadline, brp_clock_now()) == 0)
            return ETIMEDOUT;
        poll(NULL, 0, 2);
    }
}

/* ---- who ---- */

brood_status brp_own_user(char user[BRP_USER_TEXT])
{
    snprintf(user, BRP_USER_TEXT, "%lu", (unsigned long)geteuid());
    return BROOD_OK;
}

brood_status brp_channel_peer(brp_channel channel, brp_peer *peer)
{
    int fd = brp_fd(channel.handle);
    *peer = (brp_peer){0};
#if defined(SO_PEERCRED) && defined(__linux__)
    struct ucred who;
    socklen_t size = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
        return brp_fail(errno, "could not learn who is at the other end of channel %d", fd);
    if (who.pid == 0 || who.uid == (uid_t)-1) /* TCP */
        return bri_fail(BROOD_ENOTSUP,
                        "could not learn who is at the other end of channel %d: it leads out of "
                        "this machine",
                        fd);
    peer->pid = who.pid;
    snprintf(peer->user, sizeof peer->user, "%lu", (unsigned long)who.uid);
#else
    uid_t user;
    gid_t group;
    if (getpeereid(fd, &user, &group) != 0)
        return brp_fail(errno, "could not learn who is at the other end of channel %d", fd);
    snprintf(peer->user, sizeof peer->user, "%lu", (unsigned long)user);
#ifdef LOCAL_PEERPID
    pid_t pid = 0;
    socklen_t size = sizeof pid;
    if (getsockopt(fd, 0 /* SOL_LOCAL */, LOCAL_PEERPID, &pid, &size) == 0)
        peer->pid = pid;
#endif
#endif
    return BROOD_OK;
}

/* ---- addresses ---- */

/* The size of the address, or 0 with the failure in *status. */
static socklen_t make_address(struct sockaddr_un *out, const char *address, brood_status *status)
{
    size_t length = strlen(address);
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    *status = BROOD_OK;
    if (length == 0)
        *status = bri_fail(BROOD_EINVALID, "could not use a local address: it is empty");
    else if (strncmp(address, "\\\\.\\pipe\\", 9) == 0)
        *status =
            bri_fail(BROOD_ENOTSUP,
                     "could not use \"%s\" as a local address: named pipes are Windows's", address);
    else if (length >= sizeof out->sun_path)
        *status = bri_fail(BROOD_ETOOLONG,
                           "could not use \"%s\" as a local address: %zu bytes are the most",
                           address, sizeof out->sun_path - 1);
#ifndef __linux__
    else if (address[0] == '@')
        *status =
            bri_fail(BROOD_ENOTSUP,
                     "could not use \"%s\" as a local address: abstract ones are Linux's", address);
#endif
    if (*status != BROOD_OK)
        return 0;
    memcpy(out->sun_path, address, length);
    bool is_abstract = address[0] == '@';
    if (is_abstract)
        out->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !is_abstract);
}

#ifdef __linux__
/* Abstract: nothing is left of it when this process is killed. */
static brood_status make_new_address(char **out, bool *owns_directory)
{
    uint64_t random[2];
    char text[64];
    BROOD_TRY(brp_random(random, sizeof random));
    snprintf(text, sizeof text, "@brood-%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
    *owns_directory = false;
    *out = bri_strdup(text);
    return *out == NULL ? BROOD_ENOMEM : BROOD_OK;
}
#else
static brood_status make_new_address(char **out, bool *owns_directory)
{
    const char *base = getenv("TMPDIR");
    char directory[80], text[96];
    if (base == NULL || base[0] != '/' || strlen(base) > 40)
        base = "/tmp";
    snprintf(directory, sizeof directory, "%s/brood-XXXXXX", base);
    if (mkdtemp(directory) == NULL)
        return brp_fail(errno, "could not make the directory \"%s\"", directory);
    snprintf(text, sizeof text, "%s/listener", directory);
    *owns_directory = true;
    *out = bri_strdup(text);
    if (*out != NULL)
        return BROOD_OK;
    rmdir(directory);
    return BROOD_ENOMEM;
}
#endif

/* ---- servers ---- */

/* Remembers which file was made, so that no other is removed later. */
static void note_file(brp_server *server)
{
    struct stat file;
    server->is_file = server->path[0] != '@' && lstat(server->path, &file) == 0;
    if (server->is_file) {
        server->device = file.st_dev;
        server->inode = file.st_ino;
    }
}

static brood_status open_local(brp_server *server, int backlog)
{
    struct sockaddr_un address;
    brood_status status;
    socklen_t size = make_address(&address, server->path, &status);
    if (size == 0)
        return status;
    server->fd = brp_make_socket(AF_UNIX);
    if (server->fd < 0)
        return brp_fail(errno, "could not make a local socket");
    if (bind(server->fd, (struct sockaddr *)&address, size) != 0)
        return brp_fail(errno, "could not listen at \"%s\"", server->path);
    note_file(server);
    if (listen(server->fd, backlog) != 0 || brp_set_nonblocking(server->fd, true) != 0)
        return brp_fail(errno, "could not listen at \"%s\"", server->path);
    return BROOD_OK;
}

brood_status brp_local_listen(brp_server **server, const char *address, int backlog)
{
    brp_server *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->fd = -1;
    made->kind = BRP_CHANNEL_STREAM;
    made->maker = getpid();
    brood_status status = BROOD_OK;
    if (address == NULL) {
        status = make_new_address(&made->path, &made->owns_directory);
    } else {
        made->path = bri_strdup(address);
        status = made->path == NULL ? BROOD_ENOMEM : BROOD_OK;
    }
    if (status == BROOD_OK)
        status = open_local(made, backlog);
    if (status == BROOD_OK)
        *server = made;
    else
        brp_server_close(made);
    return status;
}

const char *brp_server_address(const brp_server *server)
{
    return server->path == NULL ? "" : server->path;
}

brp_watch brp_server_watch(const brp_server *server)
{
    return (brp_watch){.handle = brp_handle_of(server->fd), .kind = BRP_WATCH_SOCKET};
}

int brp_set_up_client(int fd, brp_channel_kind kind)
{
    const int on = 1;
    if (kind == BRP_CHANNEL_SOCKET)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef SO_NOSIGPIPE
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    return brp_set_nonblocking(fd, false);
}

/* Linux takes a descriptor before it looks whether somebody waits. */
static brood_status fail_accept(const brp_server *server, int error)
{
    struct pollfd waiting = {.fd = server->fd, .events = POLLIN};
    bool is_limit = error == EMFILE || error == ENFILE;
    if (is_limit && poll(&waiting, 1, 0) == 0)
        return BROOD_ETIMEDOUT;
    return brp_fail(error == ENOBUFS ? EMFILE : error, "could not accept a connection");
}

brood_status brp_server_accept(brp_server *server, brp_channel *channel)
{
    for (;;) {
        int fd = brp_above_stdio(accept4(server->fd, NULL, NULL, SOCK_CLOEXEC));
        if (fd >= 0 && brp_set_up_client(fd, server->kind) != 0) {
            close(fd);
            continue;
        }
        if (fd >= 0) {
            *channel = (brp_channel){brp_handle_of(fd), server->kind};
            return BROOD_OK;
        }
        switch (errno) {
        case EAGAIN:
#if EWOULDBLOCK != EAGAIN
        case EWOULDBLOCK:
#endif
            return BROOD_ETIMEDOUT;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
        case EBADF:
        case EINVAL:
            return fail_accept(server, errno);
        default: /* of the one client: it has gone, or its network has a fault */
            break;
        }
    }
}

static void remove_file(const brp_server *server)
{
    struct stat file;
    if (server->maker != getpid())
        return;
    if (server->is_file && lstat(server->path, &file) == 0 && file.st_dev == server->device &&
        file.st_ino == server->inode)
        unlink(server->path);
    if (server->owns_directory) {
        *strrchr(server->path, '/') = '\0';
        rmdir(server->path);
    }
}

void brp_server_close(brp_server *server)
{
    if (server == NULL)
        return;
    bri_saved_error saved;
    bri_error_save(&saved);
    if (server->path != NULL)
        remove_file(server);
    brp_server_forget(server);
    bri_free(server->path);
    bri_free(server);
    bri_error_restore(&saved);
}

void brp_server_forget(brp_server *server)
{
    if (server->fd >= 0)
        close(server->fd);
    server->fd = -1;
}

/* ---- clients ---- */

brood_status brp_local_connect(brp_channel *channel, const char *address, bri_deadline deadline)
{
    struct sockaddr_un to;
    brood_status status;
    socklen_t size = make_address(&to, address, &status);
    if (size == 0)
        return status;
    int fd = brp_make_socket(AF_UNIX);
    if (fd < 0)
        return brp_fail(errno, "could not make a local socket");
    int error =
        brp_set_nonblocking(fd, true) != 0 ? errno : brp_connect_until(fd, &to, size, deadline);
    if (error == 0 && brp_set_up_client(fd, BRP_CHANNEL_STREAM) != 0)
        error = errno;
    if (error == 0) {
        *channel = (brp_channel){brp_handle_of(fd), BRP_CHANNEL_STREAM};
        return BROOD_OK;
    }
    close(fd);
    if (error == ETIMEDOUT)
        return bri_fail(BROOD_ETIMEDOUT, "could not connect to \"%s\": the time is up", address);
    return brp_fail(error, "could not connect to \"%s\"", address);
}
