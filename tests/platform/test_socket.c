/* test_socket.c - platform/socket.h and channel.h: TCP over both families, deadlines, hand-over. */
#define _GNU_SOURCE
#include "expect.h"

#include "platform/ident.h"
#include "platform/pass.h"
#include "platform/socket.h"
#include "threads.h"

static brood_status accept_within(brp_server *server, brp_channel *channel, brood_ms limit)
{
    bri_deadline deadline = pt_in(limit);
    for (;;) {
        brp_watch watch = brp_server_watch(server);
        brood_status status = brp_server_accept(server, channel);
        if (status != BROOD_ETIMEDOUT)
            return status;
        BROOD_TRY(brp_wait_any(&watch, 1, deadline, NULL));
    }
}

typedef struct met {
    brp_server *server;
    uint16_t port;
    brp_channel client, accepted;
} met;

static bool try_meet(met *made, const char *host)
{
    if (brp_tcp_listen(&made->server, host, 0, 8, &made->port) != BROOD_OK)
        return false;
    assert_int_not_equal(made->port, 0);
    pt_ok(brp_tcp_connect(&made->client, host, made->port, pt_hang()));
    pt_ok(accept_within(made->server, &made->accepted, PT_HANG_MS));
    return true;
}

static met meet(void)
{
    met made;
    assert_true(try_meet(&made, "127.0.0.1"));
    return made;
}

static void part(met *made)
{
    brp_channel_close(&made->client);
    brp_channel_close(&made->accepted);
    brp_server_close(made->server);
}

static void expect_text(brp_channel channel, const char *text)
{
    char got[64] = "";
    size_t n;
    pt_ok(brp_channel_read_all(channel, got, strlen(text), &n, pt_hang()));
    assert_string_equal(got, text);
}

static void say(brp_channel channel, const char *text)
{
    brp_bytes parts[3] = {{text, 1}, {NULL, 0}, {text + 1, strlen(text) - 1}};
    size_t written;
    pt_ok(brp_channel_write_all(channel, parts, 3, &written, pt_hang()));
    assert_int_equal(written, strlen(text));
}

static void test_bytes_go_both_ways_over_both_families(void **state)
{
    (void)state;
    const char *const hosts[] = {"127.0.0.1", "::1", "localhost"};
    for (size_t i = 0; i < 3; i++) {
        met made;
        char byte, from[BRP_REMOTE_TEXT];
        size_t n, left;
        if (!try_meet(&made, hosts[i]))
            continue; /* a machine without IPv6 */
        assert_false(brp_handle_is_inheritable(made.client.handle));
        assert_false(brp_handle_is_inheritable(made.accepted.handle));
        say(made.client, "to the server");
        expect_text(made.accepted, "to the server");
        say(made.accepted, "to the client");
        expect_text(made.client, "to the client");
        brp_tcp_remote(made.client, from);
        assert_non_null(strstr(from, i == 1 ? "[::1]:" : "1"));
        pt_fails(brp_channel_poll(made.client, pt_in(20)), BROOD_ETIMEDOUT);
        pt_fails(brp_channel_read(made.client, &byte, 1, &n, &left, 0), BROOD_ETIMEDOUT);
        brp_channel_close(&made.accepted);
        pt_ok(brp_channel_poll(made.client, pt_hang()));
        pt_fails(brp_channel_read(made.client, &byte, 1, &n, &left, pt_hang()), BROOD_EEOF);
        part(&made);
    }
}

typedef struct flow {
    brp_channel channel;
    char *data;
    size_t size, done;
    brood_status status;
} flow;

static void read_flow(void *context)
{
    flow *one = context;
    one->status = brp_channel_read_all(one->channel, one->data, one->size, &one->done, pt_hang());
}

static void test_more_than_the_buffers_hold_arrives_whole(void **state)
{
    (void)state;
    enum { SIZE = 20 << 20 };
    met made = meet();
    char *data = bri_alloc(SIZE);
    size_t written;
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)(i * 7 % 251);
    flow reading = {.channel = made.accepted, .data = bri_alloc(SIZE), .size = SIZE};
    pt_thread thread;
    pt_thread_start(&thread, read_flow, &reading);
    brp_bytes whole = {data, SIZE};
    pt_ok(brp_channel_write_all(made.client, &whole, 1, &written, pt_hang()));
    pt_thread_join(&thread);
    pt_ok(reading.status);
    assert_int_equal(reading.done, SIZE);
    assert_memory_equal(reading.data, data, SIZE);
    bri_free(reading.data);
    bri_free(data);
    part(&made);
}

static void test_a_write_that_nobody_reads_times_out(void **state)
{
    (void)state;
    enum { SIZE = 64 << 20 };
    met made = meet();
    char *data = bri_calloc(1, SIZE);
    size_t written = 0;
    brp_bytes whole = {data, SIZE};
    pt_fails(brp_channel_write_all(made.client, &whole, 1, &written, pt_in(50)), BROOD_ETIMEDOUT);
    assert_in_range(written, 1, SIZE - 1);
    brp_channel_close(&made.accepted);
    pt_fails(brp_channel_write_all(made.client, &whole, 1, &written, pt_hang()), BROOD_EEOF);
    bri_free(data);
    part(&made);
}

static void test_refusals_are_told(void **state)
{
    (void)state;
    met made = meet();
    brp_server *server;
    brp_channel channel;
    uint16_t port;
    pt_fails(brp_tcp_listen(&server, "127.0.0.1", made.port, 8, &port), BROOD_EEXIST);
    pt_fails(brp_tcp_listen(&server, "no.such.host.invalid", 0, 8, &port), BROOD_ENOTFOUND);
    port = made.port;
    part(&made);
    pt_fails(brp_tcp_connect(&channel, "127.0.0.1", port, pt_hang()), BROOD_ENOTFOUND);
}

static void test_everywhere_is_in_ipv4_too(void **state)
{
    (void)state;
    met made;
    char from[BRP_REMOTE_TEXT];
    pt_ok(brp_tcp_listen(&made.server, "", 0, 8, &made.port));
    pt_ok(brp_tcp_connect(&made.client, "127.0.0.1", made.port, pt_hang()));
    pt_ok(accept_within(made.server, &made.accepted, PT_HANG_MS));
    brp_tcp_remote(made.accepted, from);
    assert_int_equal(strncmp(from, "127.0.0.1:", 10), 0);
    say(made.client, "x");
    expect_text(made.accepted, "x");
    part(&made);
}

static void test_nobody_is_known_over_tcp(void **state)
{
    (void)state;
    met made = meet();
    brp_peer peer;
    pt_fails(brp_channel_peer(made.accepted, &peer), BROOD_ENOTSUP);
    part(&made);
}

static void test_both_kinds_of_watches_see_a_socket(void **state)
{
    (void)state;
    met made = meet();
    brp_watch watch = {.handle = made.accepted.handle,
                       .kind = brp_channel_watch_kind(made.accepted)};
    pt_fails(brp_wait_any(&watch, 1, pt_in(20), NULL), BROOD_ETIMEDOUT);
    say(made.client, "xy");
    pt_ok(brp_wait_any(&watch, 1, pt_hang(), NULL));
    assert_true(watch.ready);
    expect_text(made.accepted, "xy");
    part(&made);
}

static void test_a_socket_goes_as_bytes_where_it_can(void **state)
{
    (void)state;
    met made = meet();
    unsigned char bytes[BRP_PASS_BYTES];
    size_t size = 0;
    brp_channel got = {.kind = BRP_CHANNEL_SOCKET};
    if (brp_pass_is_beside()) {
        pt_fails(brp_pass_export(made.client.handle, true, brp_pid(), bytes, &size), BROOD_ENOTSUP);
        part(&made);
        return;
    }
    pt_ok(brp_pass_export(made.client.handle, true, brp_pid(), bytes, &size));
    pt_fails(brp_pass_import(bytes, size - 1, true, &got.handle), BROOD_EFORMAT);
    pt_fails(brp_pass_import(bytes, size, false, &got.handle), BROOD_EFORMAT);
    pt_ok(brp_pass_import(bytes, size, true, &got.handle));
    pt_ok(brp_channel_adopt(&got));
    assert_false(brp_handle_is_inheritable(got.handle));
    brp_channel_close(&made.client);
    say(got, "through the copy");
    expect_text(made.accepted, "through the copy");
    made.client = got;
    part(&made);
}

static void test_a_handle_goes_as_bytes_where_it_can(void **state)
{
    (void)state;
    brp_handle ends[2], got;
    unsigned char bytes[BRP_PASS_BYTES];
    size_t size = 0;
    if (brp_pass_is_beside())
        pt_skip_on(PT_SYSTEM, "descriptors go beside bytes");
    pt_ok(brp_stream_pair(ends));
    pt_ok(brp_pass_export(ends[0], false, brp_pid(), bytes, &size));
    brp_pass_withdraw(bytes, size);
    pt_fails(brp_pass_import(bytes, size, false, &got), BROOD_EFORMAT);
    pt_ok(brp_pass_export(ends[0], false, brp_pid(), bytes, &size));
    pt_ok(brp_pass_import(bytes, size, false, &got));
    brp_handle_close(&ends[0]);
    pt_ok(pt_say(ends[1], "x"));
    assert_true(pt_await_byte(got, PT_HANG_MS));
    brp_handle_close(&got);
    brp_handle_close(&ends[1]);
}

/* What the system's library of sockets opens on its first use and keeps is no leak of the first
 * test. */
static int use_sockets(void **state)
{
    met made = meet();
    (void)state;
    part(&made);
    if (try_meet(&made, "localhost")) /* a machine without a file of hosts does not know it */
        part(&made);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_bytes_go_both_ways_over_both_families),
        pt_test(test_more_than_the_buffers_hold_arrives_whole),
        pt_test(test_a_write_that_nobody_reads_times_out),
        pt_test(test_refusals_are_told),
        pt_test(test_everywhere_is_in_ipv4_too),
        pt_test(test_nobody_is_known_over_tcp),
        pt_test(test_both_kinds_of_watches_see_a_socket),
        pt_test(test_a_socket_goes_as_bytes_where_it_can),
        pt_test(test_a_handle_goes_as_bytes_where_it_can),
    };
    return cmocka_run_group_tests(tests, use_sockets, NULL);
}
