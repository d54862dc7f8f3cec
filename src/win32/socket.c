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
#include <mstcpip.h>
#include <ws2tcpip.h>

/* Winsock copies what a call sends into memory that it may not have (WSAENOBUFS): no giant ones. */
enum { MAX_PARTS = 16, MOST_AT_ONCE = 1 << 20 };

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

/* Has every segment acknowledged at once. Peers that write two small messages in a row without
 * TCP_NODELAY, as CPython's, would wait for the delayed acknowledgement of the first, 40 to 200 ms
 * (Microsoft's article 328890 on TcpAckFrequency; this is the same for one socket). Wine has it
 * not.
 */
static void acknowledge_at_once(SOCKET socket)
{
    TCP_ACK_FREQUENCY_PARAMETERS each = {.TcpDelayedAckFrequency = 1};
    DWORD size;
    WSAIoctl(socket, SIO_TCP_SET_ACK_FREQUENCY, &each, sizeof each, NULL, 0, &size, NULL, NULL);
}

/* accept gives handles that are inheritable, and only afterwards that can be changed. brood's own
 * starts name what they give away, so that nothing of them gets through. */
brood_status bri_w32_socket_set_up(SOCKET socket)
{
    u_long on = 1;
    const BOOL yes = TRUE;
    if (ioctlsocket(socket, (long)FIONBIO, &on) != 0)
        return brp_fail(WSAGetLastError(), "could not set up a socket");
    SetHandleInformation((HANDLE)socket, HANDLE_FLAG_INHERIT, 0);
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, (const char *)&yes, sizeof yes);
    acknowledge_at_once(socket);
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
        if (result != WAIT_OBJECT_0)
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
        BROOD_TRY(await(socket, BRI_W32_AFD_READABLE, deadline));
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

/* No SO_REUSEADDR: here it would let two servers have one port. "Everywhere" in IPv6 is everywhere
 * in IPv4 too, which is not Windows' default. */
static SOCKET listen_at(const struct addrinfo *at, bool everywhere, int backlog, int *error)
{
    const BOOL yes = TRUE, no = FALSE;
    u_long on = 1;
    SOCKET made = make_socket(at);
    if (made == INVALID_SOCKET) {
        *error = WSAGetLastError();
        return made;
    }
    setsockopt(made, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&yes, sizeof yes);
    if (everywhere && at->ai_family == AF_INET6)
        setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, (const char *)&no, sizeof no);
    if (bind(made, at->ai_addr, (int)at->ai_addrlen) == 0 && listen(made, backlog) == 0 &&
        ioctlsocket(made, (long)FIONBIO, &on) == 0)
        return made;
    *error = WSAGetLastError();
    /* What bind says of a port that another socket has everywhere, for itself alone ("bind
     * function": bound to the same address with exclusive access), or that is set aside. */
    if (*error == WSAEACCES)
        *error = WSAEADDRINUSE;
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
            made->socket = listen_at(at, host[0] == '\0', backlog, &error);
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

/* Windows sends its request three times, half a second apart, even when the answer is that nobody
 * listens; on the machine itself once is enough. */
static void refuse_at_once(SOCKET socket, const struct sockaddr *to)
{
    TCP_INITIAL_RTO_PARAMETERS once = {.Rtt = TCP_INITIAL_RTO_UNSPECIFIED_RTT,
                                       .MaxSynRetransmissions =
                                           TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS};
    DWORD size;
    const struct in6_addr self = IN6ADDR_LOOPBACK_INIT;
    bool is_here =
        to->sa_family == AF_INET6
            ? memcmp(&((const struct sockaddr_in6 *)(const void *)to)->sin6_addr, &self,
                     sizeof self) == 0
            : ntohl(((const struct sockaddr_in *)(const void *)to)->sin_addr.s_addr) >> 24 == 127;
    if (is_here)
        WSAIoctl(socket, SIO_TCP_INITIAL_RTO, &once, sizeof once, NULL, 0, &size, NULL, NULL);
}

static SOCKET connect_to(const struct addrinfo *to, bri_deadline deadline, int *error)
{
    SOCKET made = make_socket(to);
    if (made == INVALID_SOCKET) {
        *error = WSAGetLastError();
        return made;
    }
    *error = bri_w32_socket_set_up(made) == BROOD_OK ? 0 : WSAENOTSOCK;
    refuse_at_once(made, to->ai_addr);
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
    int size = sizeof end;
    text[0] = '\0';
    if (getpeername((SOCKET)channel.handle.value, (struct sockaddr *)&end, &size) == 0)
        write_end(&end, text);
}

void brp_tcp_local(brp_channel channel, char text[BRP_REMOTE_TEXT])
{
    struct sockaddr_storage end;
    int size = sizeof end;
    text[0] = '\0';
    if (getsockname((SOCKET)channel.handle.value, (struct sockaddr *)&end, &size) == 0)
        write_end(&end, text);
}
