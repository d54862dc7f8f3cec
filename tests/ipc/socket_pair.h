/* socket_pair.h - connected sockets, as values and as channels. */
#ifndef TESTS_IPC_SOCKET_PAIR_H
#define TESTS_IPC_SOCKET_PAIR_H

#include "harness.h"

#include "platform/clock.h"
#include "platform/socket.h"

enum { SOCKET_PATIENCE = 20000 };

static inline bri_deadline soon(void)
{
    return bri_deadline_after(brp_clock_now(), SOCKET_PATIENCE);
}

/* A connected pair over the loopback: the client's end as a channel, the server's as a socket. */
static inline intptr_t make_pair(brp_channel *client)
{
    brp_server *server;
    brp_channel accepted;
    uint16_t port;
    bt_ok(brp_tcp_listen(&server, "127.0.0.1", 0, 4, &port));
    bt_ok(brp_tcp_connect(client, "127.0.0.1", port, soon()));
    brp_watch watch = brp_server_watch(server);
    bt_ok(brp_wait_any(&watch, 1, soon(), NULL));
    bt_ok(brp_server_accept(server, &accepted));
    brp_server_close(server);
    return accepted.handle.value;
}

static inline brp_channel channel_of(intptr_t socket)
{
    return (brp_channel){.handle = {socket}, .kind = BRP_CHANNEL_SOCKET};
}

static inline void expect_word(brp_channel channel, const char *word)
{
    char text[8] = "";
    size_t got;
    bt_ok(brp_channel_read_all(channel, text, strlen(word), &got, soon()));
    assert_string_equal(text, word);
}

/* Waits for the end of the stream: nobody has the socket's other end any more. */
static inline void expect_end(brp_channel *client)
{
    char more;
    size_t n;
    assert_int_equal(brp_channel_read_all(*client, &more, 1, &n, soon()), BROOD_EEOF);
    brp_channel_close(client);
}

#endif /* TESTS_IPC_SOCKET_PAIR_H */
