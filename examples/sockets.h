/*
 * sockets.h - the few calls of the system that echo_server and crawler need: brood passes sockets,
 * it does not make them. POSIX and Windows differ in names alone.
 */
#ifndef EXAMPLES_SOCKETS_H
#define EXAMPLES_SOCKETS_H

#include <string.h>

#include "check.h"

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
typedef SOCKET system_socket;
typedef int io_size; /* of send and recv */
#else
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
typedef int system_socket;
typedef size_t io_size;
#endif

static inline void start_sockets(void)
{
#ifdef _WIN32
    WSADATA data;
    EXPECT(WSAStartup(MAKEWORD(2, 2), &data) == 0);
#endif
}

static inline void close_socket(intptr_t socket_)
{
#ifdef _WIN32
    closesocket((system_socket)socket_);
#else
    close((system_socket)socket_);
#endif
}

static inline struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)port);
    return address;
}

/* Listens on this machine alone; the system chooses the port. */
static inline intptr_t listen_on(int *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    intptr_t made = (intptr_t)socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(made >= 0);
    EXPECT(bind((system_socket)made, (struct sockaddr *)&address, size) == 0);
    EXPECT(listen((system_socket)made, 16) == 0);
    EXPECT(getsockname((system_socket)made, (struct sockaddr *)&address, &size) == 0);
    *port = ntohs(address.sin_port);
    return made;
}

static inline intptr_t accept_client(intptr_t server)
{
    intptr_t client = (intptr_t)accept((system_socket)server, NULL, NULL);
    EXPECT(client >= 0);
    return client;
}

static inline intptr_t connect_to(int port)
{
    struct sockaddr_in address = loopback(port);
    intptr_t made = (intptr_t)socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(made >= 0);
    EXPECT(connect((system_socket)made, (struct sockaddr *)&address, sizeof address) == 0);
    return made;
}

static inline bool send_all(intptr_t to, const char *data, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        long n = (long)send((system_socket)to, data + sent, (io_size)(size - sent), 0);
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    return true;
}

/* Up to `room` bytes; 0 at the end. */
static inline size_t receive_some(intptr_t from, char *data, size_t room)
{
    long n = (long)recv((system_socket)from, data, (io_size)room, 0);
    return n < 0 ? 0 : (size_t)n;
}

#endif /* EXAMPLES_SOCKETS_H */
