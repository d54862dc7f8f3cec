/* brood-test: start-methods */
/* Handles and sockets given over connections: to oneself, to a child, in order with messages. */
#include "harness.h"

#include "ipc/connection.h"
#include "platform/clock.h"
#include "platform/ident.h"
#include "platform/pass.h"
#include "platform/socket.h"

#ifndef _WIN32
#include <sys/resource.h>
#endif

enum { PATIENCE = 20000 };

static bri_deadline in_time(void)
{
    return bri_deadline_after(brp_clock_now(), PATIENCE);
}

/* A connection with both ends here, over the local transport of listeners. */
typedef struct met {
    brood_listener *listener;
    brood_connection *client, *accepted;
} met;

static met meet(const char *address)
{
    met made;
    bt_ok(brood_listener_create(&made.listener, address, NULL));
    bt_ok(brood_connect(&made.client, brood_listener_address(made.listener), NULL, PATIENCE));
    bt_ok(brood_listener_accept(made.listener, &made.accepted, PATIENCE));
    return made;
}

static void part(met *made)
{
    brood_connection_close(made->client);
    brood_connection_close(made->accepted);
    brood_listener_close(made->listener);
}

static void write_text(brp_handle stream, const char *text)
{
    brp_bytes part_ = {text, strlen(text)};
    size_t written;
    bt_ok(brp_stream_write_all(stream, &part_, 1, &written, in_time()));
}

static void expect_text(brp_handle stream, const char *text)
{
    char got[64] = "";
    size_t n;
    bt_ok(brp_stream_read_all(stream, got, strlen(text), &n, in_time()));
    assert_string_equal(got, text);
}

static void test_a_handle_arrives_as_another_of_the_same_thing(void **state)
{
    (void)state;
    met made = meet(NULL);
    brp_handle ends[2], got;
    bt_ok(brp_stream_pair(ends));
    bt_ok(brood_connection_send_handle(made.client, ends[0].value, 0, PATIENCE));
    bt_ok(brood_connection_recv_handle(made.accepted, &got.value, PATIENCE));
    assert_true(got.value != ends[0].value);
    assert_false(brp_handle_is_inheritable(got));
    brp_handle_close(&ends[0]);
    write_text(ends[1], "through the other");
    expect_text(got, "through the other");
    brp_handle_close(&got);
    brp_handle_close(&ends[1]);
    part(&made);
}

static void test_messages_and_handles_keep_their_order(void **state)
{
    (void)state;
    met made = meet(NULL);
    brp_handle ends[2], got[2];
    char byte;
    size_t size;
    bt_ok(brp_stream_pair(ends));
    bt_ok(brood_connection_send_bytes(made.client, "a", 1, PATIENCE));
    bt_ok(brood_connection_send_handle(made.client, ends[0].value, 0, PATIENCE));
    bt_ok(brood_connection_send_handle(made.client, ends[1].value, 0, PATIENCE));
    bt_ok(brood_connection_send_bytes(made.client, "b", 1, PATIENCE));
    if (brp_pass_is_beside()) /* a handle is asked for where a message comes: that stays */
        bt_fails(brood_connection_recv_handle(made.accepted, &got[0].value, PATIENCE),
                 BROOD_ESTATE);
    bt_ok(brood_connection_recv_bytes_into(made.accepted, &byte, 1, &size, PATIENCE));
    assert_int_equal(byte, 'a');
    bt_ok(brood_connection_poll(made.accepted, PATIENCE));
    if (brp_pass_is_beside()) /* and the other way round */
        bt_fails(brood_connection_recv_bytes_into(made.accepted, &byte, 1, &size, PATIENCE),
                 BROOD_ESTATE);
    bt_ok(brood_connection_recv_handle(made.accepted, &got[0].value, PATIENCE));
    bt_ok(brood_connection_recv_handle(made.accepted, &got[1].value, PATIENCE));
    bt_ok(brood_connection_recv_bytes_into(made.accepted, &byte, 1, &size, PATIENCE));
    assert_int_equal(byte, 'b');
    write_text(got[1], "x");
    expect_text(got[0], "x");
    for (int i = 0; i < 2; i++) {
        brp_handle_close(&ends[i]);
        brp_handle_close(&got[i]);
    }
    part(&made);
}

static void test_what_nobody_takes_is_closed_with_the_connection(void **state)
{
    (void)state;
    brp_handle ends[2];
    char byte;
    size_t n;
    if (!brp_pass_is_beside())
        bt_skip("a handle is made in the receiver before that looks");
    met made = meet(NULL);
    bt_ok(brp_stream_pair(ends));
    bt_ok(brood_connection_send_bytes(made.client, "a", 1, PATIENCE));
    bt_ok(brood_connection_send_handle(made.client, ends[0].value, 0, PATIENCE));
    brp_handle_close(&ends[0]);
    bt_ok(brood_connection_recv_bytes_into(made.accepted, &byte, 1, &n, PATIENCE));
    bt_ok(brood_connection_poll(made.accepted, PATIENCE));
    part(&made);
    assert_int_equal(brp_stream_read(ends[1], &byte, 1, &n, in_time()), BROOD_EEOF);
    brp_handle_close(&ends[1]);
}

static void test_a_handle_that_finds_no_number_is_lost_and_the_connection_goes_on(void **state)
{
    (void)state;
#ifdef _WIN32
    bt_skip("there is no limit of handles to reach");
#else
    met made = meet(NULL);
    struct rlimit before, low;
    brp_handle next;
    intptr_t got = 77;
    char byte = 0;
    size_t size;
    bt_ok(brood_connection_send_handle(made.client, 0, 0, PATIENCE));
    bt_ok(brood_connection_send_bytes(made.client, "a", 1, PATIENCE));
    bt_ok(brp_handle_open_null(&next));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)next.value;
    brp_handle_close(&next);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    brood_status status = brood_connection_recv_handle(made.accepted, &got, PATIENCE);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(status, BROOD_ELIMIT);
    assert_int_equal(got, 77);
    bt_ok(brood_connection_recv_bytes_into(made.accepted, &byte, 1, &size, PATIENCE));
    assert_int_equal(byte, 'a');
    part(&made);
#endif
}

static void test_waiting_for_a_handle_times_out_and_ends(void **state)
{
    (void)state;
    met made = meet(NULL);
    intptr_t got = 77;
    assert_int_equal(brood_connection_recv_handle(made.accepted, &got, 0), BROOD_ETIMEDOUT);
    assert_int_equal(brood_connection_recv_socket(made.accepted, &got, 20), BROOD_ETIMEDOUT);
    bt_fails(brood_connection_send_handle(made.client, -1, 0, PATIENCE), BROOD_EINVALID);
    brood_connection_close(made.client);
    made.client = NULL;
    bt_fails(brood_connection_recv_handle(made.accepted, &got, PATIENCE), BROOD_EEOF);
    bt_fails(brood_connection_recv_handle(NULL, &got, 0), BROOD_EINVALID);
    assert_int_equal(got, 77);
    part(&made);
}

static void test_a_message_is_no_handle(void **state)
{
    (void)state;
    met made = meet(NULL);
    intptr_t got = 77;
    char text[8];
    size_t size;
    bt_ok(brood_connection_send_bytes(made.client, "message", 7, PATIENCE));
    bt_fails(brood_connection_recv_socket(made.accepted, &got, PATIENCE),
             brp_pass_is_beside() ? BROOD_ESTATE : BROOD_EFORMAT);
    if (brp_pass_is_beside())
        bt_ok(brood_connection_recv_bytes_into(made.accepted, text, 8, &size, PATIENCE));
    assert_int_equal(got, 77);
    part(&made);
}

static void test_descriptors_do_not_go_over_tcp(void **state)
{
    (void)state;
    met made = meet("127.0.0.1:0");
    intptr_t got;
    intptr_t own = brood_connection_fileno(made.client);
    bt_fails(brood_connection_send_handle(made.client, own, 0, PATIENCE), BROOD_ENOTSUP);
    if (brp_pass_is_beside())
        bt_fails(brood_connection_recv_handle(made.accepted, &got, PATIENCE), BROOD_ENOTSUP);
    part(&made);
}

/* ---- to another process ---- */

/* Connects, receives a socket and a handle, and speaks through each. */
static brood_status speak(brood_call *call)
{
    const char *address;
    brood_connection *connection;
    brp_channel socket = {.kind = BRP_CHANNEL_SOCKET};
    brp_handle handle;
    size_t written;
    brp_bytes one = {"from the socket", 15}, other = {"from the handle", 15};
    BROOD_TRY(brood_call_args(call, "s", &address));
    BROOD_TRY(brood_connect(&connection, address, NULL, PATIENCE));
    BROOD_TRY(brood_connection_recv_socket(connection, &socket.handle.value, PATIENCE));
    BROOD_TRY(brood_connection_recv_handle(connection, &handle.value, PATIENCE));
    bt_check(call, !brp_handle_is_inheritable(socket.handle));
    bt_check(call, !brp_handle_is_inheritable(handle));
    BROOD_TRY(brp_channel_write_all(socket, &one, 1, &written, in_time()));
    BROOD_TRY(brp_stream_write_all(handle, &other, 1, &written, in_time()));
    brp_channel_close(&socket);
    brp_handle_close(&handle);
    brood_connection_close(connection);
    return BROOD_OK;
}

static void test_a_child_gets_a_socket_and_a_handle(void **state)
{
    (void)state;
    met tcp = meet("127.0.0.1:0");
    brood_listener *listener;
    brood_connection *accepted;
    brp_handle ends[2];
    char got[16] = "";
    size_t n;
    bt_ok(brood_listener_create(&listener, NULL, NULL));
    brood_process *child = bt_process(speak, brood_pack("(s)", brood_listener_address(listener)));
    bt_ok(brood_listener_accept(listener, &accepted, PATIENCE));
    bt_ok(brp_stream_pair(ends));
    bt_ok(
        brood_connection_send_socket(accepted, brood_connection_fileno(tcp.accepted), 0, PATIENCE));
    bt_ok(brood_connection_send_handle(accepted, ends[0].value, 0, PATIENCE));
    brp_handle_close(&ends[0]);
    brood_connection_close(tcp.accepted);
    tcp.accepted = NULL;
    brp_channel socket = {{brood_connection_fileno(tcp.client)}, BRP_CHANNEL_SOCKET};
    bt_ok(brp_channel_read_all(socket, got, 15, &n, in_time()));
    assert_string_equal(got, "from the socket");
    expect_text(ends[1], "from the handle");
    assert_int_equal(brp_stream_read(ends[1], got, 1, &n, in_time()), BROOD_EEOF);
    assert_int_equal(bt_join(child), 0);
    brp_handle_close(&ends[1]);
    brood_connection_close(accepted);
    brood_listener_close(listener);
    part(&tcp);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_handle_arrives_as_another_of_the_same_thing),
                   bt_test(test_messages_and_handles_keep_their_order),
                   bt_test(test_what_nobody_takes_is_closed_with_the_connection),
                   bt_test(test_a_handle_that_finds_no_number_is_lost_and_the_connection_goes_on),
                   bt_test(test_waiting_for_a_handle_times_out_and_ends),
                   bt_test(test_a_message_is_no_handle),
                   bt_test(test_descriptors_do_not_go_over_tcp),
                   bt_test(test_a_child_gets_a_socket_and_a_handle));
}
