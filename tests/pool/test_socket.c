/* brood-test: start-methods */
/* Sockets as arguments and results of tasks, and what becomes of them. */
#include "harness.h"

#include "platform/clock.h"
#include "platform/socket.h"

enum { HANG = 20000 };

static bri_deadline soon(void)
{
    return bri_deadline_after(brp_clock_now(), HANG);
}

/* A connected pair over the loopback: the client's end as a channel, the server's as a socket. */
static intptr_t make_pair(brp_channel *client)
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

static brp_channel channel_of(intptr_t socket)
{
    return (brp_channel){.handle = {socket}, .kind = BRP_CHANNEL_SOCKET};
}

static void expect_word(brp_channel channel, const char *word)
{
    char text[8] = "";
    size_t got;
    bt_ok(brp_channel_read_all(channel, text, strlen(word), &got, soon()));
    assert_string_equal(text, word);
}

/* (socket): reads four bytes and writes them back in upper case. */
static brood_status echo(brood_call *call)
{
    const brood_value *value;
    intptr_t socket;
    char text[4];
    size_t n;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_socket(value, &socket));
    BROOD_TRY(brp_channel_read_all(channel_of(socket), text, sizeof text, &n, soon()));
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(text[i] - 'a' + 'A');
    brp_bytes part = {text, sizeof text};
    BROOD_TRY(brp_channel_write_all(channel_of(socket), &part, 1, &n, soon()));
    return brood_call_return(call, brood_int(brood_process_pid(brood_current_process())));
}

static void echo_some(void)
{
    brood_pool *pool;
    enum { N = 8 };
    brp_channel clients[N];
    brood_future *futures[N];
    bt_ok(brood_pool_create(&pool, &(brood_pool_options){.workers = 2}));
    for (int i = 0; i < N; i++) {
        brood_value socket = brood_socket_value(make_pair(&clients[i]));
        bt_ok(brood_pool_apply_async(pool, echo, brood_pack("(v)", socket), NULL, &futures[i]));
    }
    for (int i = 0; i < N; i++) {
        brp_bytes part = {"word", 4};
        size_t n;
        brood_value pid;
        bt_ok(brp_channel_write_all(clients[i], &part, 1, &n, soon()));
        expect_word(clients[i], "WORD");
        bt_ok(brood_future_take(futures[i], &pid, HANG));
        brood_future_destroy(futures[i]);
        char more;
        /* Nobody has the other end any more. */
        assert_int_equal(brp_channel_read_all(clients[i], &more, 1, &n, soon()), BROOD_EEOF);
        brp_channel_close(&clients[i]);
    }
    bt_ok(brood_pool_close(pool));
    bt_ok(brood_pool_join(pool, HANG));
    brood_pool_destroy(pool);
}

/* The first one starts a thread that stays, so it has no ledger. */
static void test_tasks_get_sockets_the_first_time(void **state)
{
    (void)state;
    echo_some();
}

static void test_tasks_get_sockets_and_leave_nothing(void **state)
{
    (void)state;
    echo_some();
}

static void test_a_value_owns_its_socket(void **state)
{
    (void)state;
    brp_channel client;
    intptr_t socket = make_pair(&client), got;
    brood_value value = brood_socket_value(socket), copy;
    bt_ok(brood_get_socket(&value, &got));
    assert_int_equal(got, socket);
    bt_ok(brood_value_copy(&value, &copy));
    brood_value_clear(&value);
    bt_ok(brood_take_socket(&copy, &got));
    assert_int_equal(got, socket);
    bt_fails(brood_get_socket(&copy, &got), BROOD_ESTATE);
    brood_value_clear(&copy);
    brp_bytes part = {"word", 4};
    size_t n;
    bt_ok(brp_channel_write_all(channel_of(socket), &part, 1, &n, soon()));
    expect_word(client, "word");
    brp_channel taken = channel_of(socket);
    brp_channel_close(&taken);
    brp_channel_close(&client);
    value = brood_int(3);
    bt_fails(brood_get_socket(&value, &got), BROOD_ETYPE);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, cmocka_unit_test(test_tasks_get_sockets_the_first_time),
                   bt_test(test_tasks_get_sockets_and_leave_nothing),
                   bt_test(test_a_value_owns_its_socket));
}
