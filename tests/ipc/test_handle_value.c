/* brood-test: start-methods */
/* Sockets and open files as values, as arguments of processes and in messages. */
#include "harness.h"

#include "ipc/socket_pair.h"

enum { HANG = SOCKET_PATIENCE };

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

static void test_a_handle_is_none_or_of_its_kind(void **state)
{
    (void)state;
    brp_channel client;
    intptr_t got;
    brood_value value = brood_socket_value(-1);
    assert_int_equal(brood_value_kind(&value), BROOD_INVALID);
    value = brood_handle_value(-1);
    assert_int_equal(brood_value_kind(&value), BROOD_INVALID);
    value = brood_socket_value(make_pair(&client));
    bt_fails(brood_get_handle(&value, &got), BROOD_ETYPE);
    bt_fails(brood_take_handle(&value, &got), BROOD_ETYPE);
    brood_value_clear(&value);
    expect_end(&client);
}

static brood_status write_word(const brood_value *value)
{
    intptr_t socket;
    size_t n;
    brp_bytes part = {"word", 4};
    BROOD_TRY(brood_get_socket(value, &socket));
    return brp_channel_write_all(channel_of(socket), &part, 1, &n, soon());
}

/* (socket): writes a word. */
static brood_status speak(brood_call *call)
{
    const brood_value *value;
    BROOD_TRY(brood_call_args(call, "v", &value));
    return write_word(value);
}

static void test_a_process_gets_a_socket(void **state)
{
    (void)state;
    brp_channel client;
    brood_process *child =
        bt_process(speak, brood_pack("(v)", brood_socket_value(make_pair(&client))));
    expect_word(client, "word");
    assert_int_equal(bt_join(child), 0);
    expect_end(&client);
}

/* (connection): takes sockets out of messages, and writes a word to each. */
static brood_status speak_to_each(brood_call *call)
{
    const brood_value *value;
    brood_connection *connection;
    brood_value socket;
    brood_status status;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_connection(value, &connection));
    while ((status = brood_connection_recv(connection, &socket, HANG)) == BROOD_OK) {
        status = write_word(&socket);
        brood_value_clear(&socket);
        BROOD_TRY(status);
    }
    return status == BROOD_EEOF ? BROOD_OK : status;
}

static void send_some(void)
{
    brood_connection *ours, *theirs;
    brp_channel client;
    bt_ok(brood_pipe(&theirs, &ours, true));
    brood_process *child =
        bt_process(speak_to_each, brood_pack("(v)", brood_connection_value(theirs)));
    brood_connection_close(theirs);
    for (int i = 0; i < 3; i++) {
        brood_value socket = brood_socket_value(make_pair(&client));
        bt_ok(brood_connection_send(ours, socket, HANG));
        expect_word(client, "word");
        expect_end(&client);
    }
    brood_connection_close(ours);
    assert_int_equal(bt_join(child), 0);
}

/* The first one starts a thread that stays. */
static int send_before_the_ledger(void **state)
{
    send_some();
    return bt_ledger_open(state);
}

static void test_messages_carry_sockets_and_leave_nothing(void **state)
{
    (void)state;
    send_some();
}

static void test_a_message_that_is_not_put_leaves_nothing_open(void **state)
{
    (void)state;
    brood_queue *queue;
    brp_channel clients[3];
    brood_value sockets[3];
    size_t n;
    for (int i = 0; i < 3; i++)
        sockets[i] = brood_socket_value(make_pair(&clients[i]));
    bt_ok(brood_queue_create(&queue, &(brood_queue_options){.maxsize = 1}));
    bt_ok(brood_queue_put(queue, brood_int(1), HANG));
    bt_fails(brood_queue_put(queue, sockets[0], 0), BROOD_EFULL);
    expect_end(&clients[0]);
    bt_fails(brood_queue_put_many(queue, sockets + 1, 2, 0, &n), BROOD_EFULL);
    assert_int_equal(n, 0);
    expect_end(&clients[1]);
    expect_end(&clients[2]);
    brood_queue_destroy(queue);
}

/* A closed connection cannot be sent. */
static brood_value socket_and_closed(brp_channel *client, brood_connection *closed)
{
    return brood_pack("(vv)", brood_socket_value(make_pair(client)),
                      brood_connection_value(closed));
}

static void test_what_cannot_be_sent_leaves_nothing_open(void **state)
{
    (void)state;
    brood_connection *ours, *theirs;
    brp_channel client;
    brood_process *process;
    bt_ok(brood_pipe(&ours, &theirs, true));
    brood_value pair = socket_and_closed(&client, ours);
    bt_fails(brood_connection_send(ours, pair, HANG), BROOD_ENOTSUP);
    expect_end(&client);
    pair = socket_and_closed(&client, ours);
    brood_connection_close(ours);
    bt_ok(brood_process_create(&process, speak, pair, NULL));
    if (!bt_method_is(BROOD_START_FORK)) /* which sends nothing */
        bt_fails(brood_process_start(process), BROOD_ECLOSED);
    brood_process_destroy(process);
    expect_end(&client);
    brood_connection_close(theirs);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv,
                   cmocka_unit_test_setup_teardown(test_messages_carry_sockets_and_leave_nothing,
                                                   send_before_the_ledger, bt_ledger_close),

                   bt_test(test_a_value_owns_its_socket),
                   bt_test(test_a_handle_is_none_or_of_its_kind),
                   bt_test(test_a_process_gets_a_socket),
                   bt_test(test_a_message_that_is_not_put_leaves_nothing_open),
                   bt_test(test_what_cannot_be_sent_leaves_nothing_open));
}
