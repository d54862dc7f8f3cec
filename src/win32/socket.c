/*
 * win32/socket.c - TCP over Winsock: non-blocking calls, and the socket driver's readiness (afd.h)
 * to wait for.
 */
#include "platform/socket.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "win32/afd.h"
#include "win32/socket.h"

/* after winsock2.h */
#include <ws2tcpip.h>

enum { MAX_PARTS = 16, MOST_AT_ONCE = 1 << 30 };

/* ---- the start ---- */

brood_status bri_w32_sockets_start(void)
{
    static atomic_bool started;
    WSADATA data;
    if (atomic_load(&started))
        return BROOD_OK;
    int error = WSAStartup(MAKEWORD(2, 2), &data); /* counted: twice does no harm */
    if (error != 0)
        return brp_fail(error, "could not start the network");
    atomic_store(&started, true);
    return BROOD_OK;
}

brood_status bri_w32_socket_set_up(SOCKET socket)
{
    u_long on = 1;
    const BOOL yes = TRUE;
    if (ioctlsocket(socket, (long)FIONBIO, &on) != 0)
        return brp_fail(WSAGetLastError(), "could not set up a socket");
    SetHandleInformation((HANDLE)socket, HANDLE_FLAG_INHERIT, 0);
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, (const char *)&yes, sizeof yes);
    return BROOD_OK;
}

/* ---- waiting, reading, writing ---- */

/* BROOD_OK or BROOD_ETIMEDOUT. */
static brood_status await(SOCKET socket, bri_w32_afd_wanted wanted, bri_deadline deadline)
{
    bri_w32_afd_poll poll;
    HANDLE event = bri_w32_event_take();
    if (event == NULL)
        return brood_last_error()->status;
    DWORD error = bri_w32_afd_begin(&poll, socket, wanted, event);
    DWORD result = WAIT_TIMEOUT;
    if (error == ERROR_SUCCESS) {
        result = bri_w32_wait(event, deadline);
        bri_w32_afd_end(&poll);
    }
    bri_w32_event_give(event);
    if (error != ERROR_SUCCESS)
        return brp_fail((long)error, "could not wait for a socket");
    return result == WAIT_OBJECT_0 ? BROOD_OK : BROOD_ETIMEDOUT;
}

static bool is_ready(SOCKET socket, SHORT events)
{
    WSAPOLLFD one = {.fd = socket, .events = events};
    return WSAPoll(&one, 1, 0) != 0;
}

brood_status bri_w32_socket_poll(SOCKET socket, bri_deadline deadline)
{
    return is_ready(socket, POLLRDNORM) ? BROOD_OK : await(socket, BRI_W32_AFD_READABLE, deadline);
}

brood_status bri_w32_socket_read(SOCKET socket, void *data, size_t size, size_t *got,
                                 bri_deadline deadline)
{
    for (;;) {
        int n = recv(socket, data, size < MOST_AT_ONCE ? (int)size : MOST_AT_ONCE, 0);
        if (n > 0 || (n == 0 && size == 0)) {
            *got = (size_t)n;
            return BROOD_OK;
        }
        int error = n == 0 ? WSAECONNRESET : WSAGetLastError();
        if (error == WSAECONNRESET || error == WSAECONNABORTED)
            return BROOD_EEOF;
        if (error != WSAEWOULDBLOCK)
            return brp_fail(error, "could not read from a socket");
        BROOD_TRY(bri_w32_socket_poll(socket, deadline));
    }
}

/* The unwritten rest of `parts` behind the first `skip` bytes, as much as one call takes. */
static DWORD rest_of(WSABUF out[MAX_PARTS], const brp_bytes *parts, size_t n_parts, size_t skip)
{
    DWORD n = 0;
    size_t room = MOST_AT_ONCE;
    for (size_t i = 0; i < n_parts && n < MAX_PARTS && room > 0; i++) {
        if (skip >= parts[i].size) {
            skip -= parts[i].size;
            continue;
        }
        size_t size = parts[i].size - skip < room ? parts[i].size - skip : room;
        out[n].buf = (char *)(uintptr_t)parts[i].data + skip;
        out[n].len = (ULONG)size;
        room -= size;
        skip = 0;
        n++;
    }
    return n;
}

brood_status bri_w32_socket_write_all(SOCKET socket, const brp_bytes *parts, size_t n_parts,
                                      size_t *written, bri_deadline deadline)
{
    *written = 0;
    for (;;) {
        WSABUF rest[MAX_PARTS] = {{0}};
        DWORD sent = 0, n = rest_of(rest, parts, n_parts, *written);
        if (n == 0)
            return BROOD_OK;
        if (WSASend(socket, rest, n, &sent, 0, NULL, NULL) == 0) {
            *written += sent;
            continue;
        }
        int error = WSAGetLastError();
        if (error == WSAECONNRESET || error == WSAECONNABORTED || error == WSAESHUTDOWN)
            return BROOD_EEOF;
        if (error != WSAEWOULDBLOCK)
            return brp_fail(error, "could not write to a socket");
        BROOD_TRY(await(socket, BRI_W32_AFD_WRITABLE, deadline));
    }
}

/* ---- addresses ---- */

static brood_status look_up(const char *host, uint16_t port, bool to_listen,
                            struct addrinfo **found)
{
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | (to_listen ? AI_PASSIVE : 0)};
    BROOD_TRY(bri_w32_sockets_start());
    int error = getaddrinfo(host[0] == '\0' ? NULL : host, service, &hints, found);
    if (error == 0)
        return BROOD_OK;
    if (error == WSA_NOT_ENOUGH_MEMORY)
        return brp_fail(ERROR_NOT_ENOUGH_MEMORY, "could not find the host \"%s\"", host);
    return brp_fail(WSAHOST_NOT_FOUND, "could not find the host \"%s\"", host);
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

static SOCKET make_socket(const struct addrinfo *at)
{
    return WSASocketW(at->ai_family, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

/* ---- servers ---- */

/* No SO_REUSEADDR: here it would let two servers have one port. */
static SOCKET listen_at(const struct addrinfo *at, int backlog, int *error)
{
    const BOOL yes = TRUE;
    u_long on = 1;
    SOCKET made = make_socket(at);
    if (made == INVALID_SOCKET) {
        *error = WSAGetLastError();
        return made;
    }
    setsockopt(made, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&yes, sizeof yes);
    if (bind(made, at->ai_addr, (int)at->ai_addrlen) == 0 && listen(made, backlog) == 0 &&
        ioctlsocket(made, (long)FIONBIO, &on) == 0)
        return made;
    *error = WSAGetLastError();
    closesocket(made);
    return INVALID_SOCKET;
}

brood_status brp_tcp_listen(brp_server **server, const char *host, uint16_t port, int backlog,
                            uint16_t *bound)
{
    struct addrinfo *found;
    struct sockaddr_storage own;
    int size = sizeof own, error = 0;
    brp_server *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->kind = BRP_CHANNEL_SOCKET;
    made->socket = INVALID_SOCKET;
    brood_status status = look_up(host, port, true, &found);
    if (status == BROOD_OK) {
        for (const struct addrinfo *at = found; at != NULL && made->socket == INVALID_SOCKET;
             at = at->ai_next)
            made->socket = listen_at(at, backlog, &error);
        freeaddrinfo(found);
        if (made->socket != INVALID_SOCKET &&
            getsockname(made->socket, (struct sockaddr *)&own, &size) != 0)
            error = WSAGetLastError();
        else if (made->socket != INVALID_SOCKET)
            error = 0;
        if (error != 0)
            status = brp_fail(error, "could not listen at \"%s\" port %u", host, (unsigned)port);
    }
    if (status != BROOD_OK) {
        brp_server_close(made);
        return status;
    }
    *bound = port_of(&own);
    *server = made;
    return BROOD_OK;
}

brood_status bri_w32_socket_accept(brp_server *server, brp_channel *channel)
{
    for (;;) {
        SOCKET made = accept(server->socket, NULL, NULL);
        if (made != INVALID_SOCKET) {
            if (bri_w32_socket_set_up(made) == BROOD_OK) {
                *channel = (brp_channel){{(intptr_t)made}, BRP_CHANNEL_SOCKET};
                return BROOD_OK;
            }
            closesocket(made);
            continue;
        }
        int error = WSAGetLastError();
        if (error == WSAEWOULDBLOCK)
            return BROOD_ETIMEDOUT;
        if (error != WSAECONNRESET)
            return brp_fail(error == WSAENOBUFS ? WSAEMFILE : error,
                            "could not accept a connection");
    }
}

/* ---- clients ---- */

/* Whether a connect that goes on in the background has succeeded: 0, or the error. */
static int await_connect(SOCKET socket, bri_deadline deadline)
{
    int error = 0, size = sizeof error;
    if (await(socket, BRI_W32_AFD_CONNECTED, deadline) != BROOD_OK)
        return WSAETIMEDOUT;
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, (char *)&error, &size) != 0)
        return WSAGetLastError();
    struct sockaddr_storage other;
    int other_size = sizeof other;
    if (error == 0 && getpeername(socket, (struct sockaddr *)&other, &other_size) != 0)
        error = WSAECONNREFUSED;
    return error;
}

static SOCKET connect_to(const struct addrinfo *to, bri_deadline deadline, int *error)
{
    SOCKET made = make_socket(to);
    if (made == INVALID_SOCKET) {
        *error = WSAGetLastError();
        return made;
    }
    *error = bri_w32_socket_set_up(made) == BROOD_OK ? 0 : WSAENOTSOCK;
    if (*error == 0 && connect(made, to->ai_addr, (int)to->ai_addrlen) != 0) {
        *error = WSAGetLastError();
        if (*error == WSAEWOULDBLOCK)
            *error = await_connect(made, deadline);
    }
    if (*error == 0)
        return made;
    closesocket(made);
    return INVALID_SOCKET;
}

brood_status brp_tcp_connect(brp_channel *channel, const char *host, uint16_t port,
                             bri_deadline deadline)
{
    struct addrinfo *found;
    SOCKET made = INVALID_SOCKET;
    int error = 0;
    BROOD_TRY(look_up(host, port, false, &found));
    for (const struct addrinfo *to = found; to != NULL && made == INVALID_SOCKET; to = to->ai_next)
        made = connect_to(to, deadline, &error);
    freeaddrinfo(found);
    if (made != INVALID_SOCKET) {
        *channel = (brp_channel){{(intptr_t)made}, BRP_CHANNEL_SOCKET};
        return BROOD_OK;
    }
    if (error == WSAETIMEDOUT)
        return bri_fail(BROOD_ETIMEDOUT, "could not connect to \"%s\" port %u: the time is up",
                        host, (unsigned)port);
    return brp_fail(error, "could not connect to \"%s\" port %u", host, (unsigned)port);
}

void brp_tcp_remote(brp_channel channel, char text[BRP_REMOTE_TEXT])
{
    struct sockaddr_storage other;
    int size = sizeof other;
    char host[INET6_ADDRSTRLEN] = "";
    text[0] = '\0';
    if (getpeername((SOCKET)channel.handle.value, (struct sockaddr *)&other, &size) != 0)
        return;
    bool is_6 = other.ss_family == AF_INET6;
    void *number = is_6 ? (void *)&((struct sockaddr_in6 *)&other)->sin6_addr
                        : (void *)&((struct sockaddr_in *)&other)->sin_addr;
    if (inet_ntop(other.ss_family, number, host, sizeof host) != NULL)
        snprintf(text, BRP_REMOTE_TEXT, is_6 ? "[%s]:%u" : "%s:%u", host,
                 (unsigned)port_of(&other));
}
