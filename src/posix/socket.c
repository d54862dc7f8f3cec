/* posix/socket.c - TCP over the system's sockets. */
#define _GNU_SOURCE
#include "platform/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "posix/fd.h"
#include "posix/server.h"

/* The addresses of a host. */
static brood_status look_up(const char *host, uint16_t port, bool to_listen,
                            struct addrinfo **found)
{
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | (to_listen ? AI_PASSIVE : 0)};
    int error = getaddrinfo(host[0] == '\0' ? NULL : host, service, &hints, found);
    if (error == 0)
        return BROOD_OK;
    if (error == EAI_SYSTEM)
        return brp_fail(errno, "could not find the host \"%s\"", host);
    if (error == EAI_MEMORY)
        return bri_fail(BROOD_ENOMEM, "could not find the host \"%s\": out of memory", host);
    return bri_fail(BROOD_ENOTFOUND, "could not find the host \"%s\": %s", host,
                    gai_strerror(error));
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

/* ---- servers ---- */

/* A listening socket at one address: -1 with errno. */
static int listen_at(const struct addrinfo *at, bool everywhere, int backlog)
{
    const int on = 1, off = 0;
    int fd = brp_make_socket(at->ai_family);
    if (fd < 0)
        return -1;
    if (everywhere && at->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, backlog) == 0 &&
        brp_set_nonblocking(fd, true) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

brood_status brp_tcp_listen(brp_server **server, const char *host, uint16_t port, int backlog,
                            uint16_t *bound)
{
    struct addrinfo *found;
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    brp_server *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->fd = -1;
    made->kind = BRP_CHANNEL_SOCKET;
    made->maker = getpid();
    brood_status status = look_up(host, port, true, &found);
    if (status == BROOD_OK) {
        for (const struct addrinfo *at = found; at != NULL && made->fd < 0; at = at->ai_next)
            made->fd = listen_at(at, host[0] == '\0', backlog);
        if (made->fd < 0 || getsockname(made->fd, (struct sockaddr *)&own, &size) != 0)
            status = brp_fail(errno, "could not listen at \"%s\" port %u", host, (unsigned)port);
        freeaddrinfo(found);
    }
    if (status != BROOD_OK) {
        brp_server_close(made);
        return status;
    }
    *bound = port_of(&own);
    *server = made;
    return BROOD_OK;
}

/* ---- clients ---- */

/* A connected socket: -1 with the errno in *error. */
static int connect_to(const struct addrinfo *to, bri_deadline deadline, int *error)
{
    int fd = brp_make_socket(to->ai_family);
    if (fd < 0 || brp_set_nonblocking(fd, true) != 0)
        *error = errno;
    else
        *error = brp_connect_until(fd, to->ai_addr, to->ai_addrlen, deadline);
    if (*error == 0 && brp_set_up_client(fd, BRP_CHANNEL_SOCKET) != 0)
        *error = errno;
    if (*error == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

brood_status brp_tcp_connect(brp_channel *channel, const char *host, uint16_t port,
                             bri_deadline deadline)
{
    struct addrinfo *found;
    int fd = -1, error = 0;
    BROOD_TRY(look_up(host, port, false, &found));
    for (const struct addrinfo *to = found; to != NULL && fd < 0; to = to->ai_next)
        fd = connect_to(to, deadline, &error);
    freeaddrinfo(found);
    if (fd >= 0) {
        *channel = (brp_channel){brp_handle_of(fd), BRP_CHANNEL_SOCKET};
        return BROOD_OK;
    }
    if (error == ETIMEDOUT)
        return bri_fail(BROOD_ETIMEDOUT, "could not connect to \"%s\" port %u: the time is up",
                        host, (unsigned)port);
    return brp_fail(error, "could not connect to \"%s\" port %u", host, (unsigned)port);
}

/* A number and port as text; IPv4 on a socket for both kinds is IPv4. */
static void write_end(const struct sockaddr_storage *end, char text[BRP_REMOTE_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "";
    struct sockaddr_in6 six;
    struct sockaddr_in four;
    memcpy(&six, end, sizeof six);
    memcpy(&four, end, sizeof four);
    bool is_6 = end->ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&six.sin6_addr);
    void *number = &four.sin_addr;
    uint16_t port = port_of(end);
    if (end->ss_family != AF_INET && end->ss_family != AF_INET6)
        return; /* a local one */
    if (end->ss_family == AF_INET6)
        number = is_6 ? (void *)&six.sin6_addr : (void *)&six.sin6_addr.s6_addr[12];
    if (inet_ntop(is_6 ? AF_INET6 : AF_INET, number, host, sizeof host) != NULL)
        snprintf(text, BRP_REMOTE_TEXT, is_6 ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
}

void brp_tcp_remote(brp_channel channel, char text[BRP_REMOTE_TEXT])
{
    struct sockaddr_storage end;
    socklen_t size = sizeof end;
    text[0] = '\0';
    if (getpeername(brp_fd(channel.handle), (struct sockaddr *)&end, &size) == 0)
        write_end(&end, text);
}

void brp_tcp_local(brp_channel channel, char text[BRP_REMOTE_TEXT])
{
    struct sockaddr_storage end;
    socklen_t size = sizeof end;
    text[0] = '\0';
    if (getsockname(brp_fd(channel.handle), (struct sockaddr *)&end, &size) == 0)
        write_end(&end, text);
}
