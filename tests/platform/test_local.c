/* test_local.c - platform/local.h and channel.h: servers of this machine, their clients, and who
 * those are. */
#define _GNU_SOURCE
#include "expect.h"

#include "platform/ident.h"
#include "platform/local.h"

#ifndef _WIN32
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

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

static void say(brp_channel channel, const char *text)
{
    brp_bytes part = {text, strlen(text)};
    size_t written;
    pt_ok(brp_channel_write_all(channel, &part, 1, &written, pt_hang()));
}

static void expect_text(brp_channel channel, const char *text)
{
    char got[64] = "";
    size_t n, left;
    pt_ok(brp_channel_read(channel, got, sizeof got - 1, &n, &left, pt_hang()));
    assert_string_equal(got, text);
    assert_int_equal(left, 0);
}

typedef struct met {
    brp_server *server;
    brp_channel client, accepted;
} met;

static met meet(const char *address)
{
    met made;
    pt_ok(brp_local_listen(&made.server, address, 8));
    pt_ok(brp_local_connect(&made.client, brp_server_address(made.server), pt_hang()));
    pt_ok(accept_within(made.server, &made.accepted, PT_HANG_MS));
    return made;
}

static void part(met *made)
{
    brp_channel_close(&made->client);
    brp_channel_close(&made->accepted);
    brp_server_close(made->server);
}

static void test_bytes_go_both_ways(void **state)
{
    (void)state;
    met made = meet(NULL);
    assert_false(brp_handle_is_inheritable(made.client.handle));
    assert_false(brp_handle_is_inheritable(made.accepted.handle));
    say(made.client, "to the server");
    expect_text(made.accepted, "to the server");
    say(made.accepted, "to the client");
    pt_ok(brp_channel_poll(made.client, pt_hang()));
    expect_text(made.client, "to the client");
    pt_fails(brp_channel_poll(made.client, pt_in(20)), BROOD_ETIMEDOUT);
    char byte;
    size_t n, left;
    pt_fails(brp_channel_read(made.client, &byte, 1, &n, &left, pt_in(20)), BROOD_ETIMEDOUT);
    brp_channel_close(&made.accepted);
    pt_fails(brp_channel_read(made.client, &byte, 1, &n, &left, pt_hang()), BROOD_EEOF);
    part(&made);
}

static void test_no_client_is_no_wait(void **state)
{
    (void)state;
    brp_server *server;
    brp_channel channel = BRP_NO_CHANNEL;
    pt_ok(brp_local_listen(&server, NULL, 8));
    pt_fails(brp_server_accept(server, &channel), BROOD_ETIMEDOUT);
    pt_fails(accept_within(server, &channel, 30), BROOD_ETIMEDOUT);
    assert_false(brp_handle_is_set(channel.handle));
    brp_server_close(server);
}

static void test_many_clients_wait_for_their_turn(void **state)
{
    (void)state;
    enum { N = 20 };
    met made = meet(NULL);
    brp_channel clients[N], accepted[N];
    for (int i = 0; i < N; i++) {
        pt_ok(brp_local_connect(&clients[i], brp_server_address(made.server), pt_hang()));
        pt_ok(accept_within(made.server, &accepted[i], PT_HANG_MS));
    }
    for (int i = 0; i < N; i++) {
        char text[32];
        snprintf(text, sizeof text, "I am %d", i);
        say(clients[i], text);
        expect_text(accepted[i], text);
        brp_channel_close(&clients[i]);
        brp_channel_close(&accepted[i]);
    }
    part(&made);
}

static void test_an_address_has_one_server(void **state)
{
    (void)state;
    brp_server *server, *other;
    char address[300];
    pt_ok(brp_local_listen(&server, NULL, 8));
    snprintf(address, sizeof address, "%s", brp_server_address(server));
    pt_fails(brp_local_listen(&other, address, 8), BROOD_EEXIST);
    brp_server_close(server);
    pt_ok(brp_local_listen(&server, address, 8));
    assert_string_equal(brp_server_address(server), address);
    brp_server_close(server);
}

static void test_nobody_there_is_not_found(void **state)
{
    (void)state;
    brp_server *server;
    brp_channel channel = BRP_NO_CHANNEL;
    char address[300];
    pt_ok(brp_local_listen(&server, NULL, 8));
    snprintf(address, sizeof address, "%s", brp_server_address(server));
    brp_server_close(server);
    pt_fails(brp_local_connect(&channel, address, pt_hang()), BROOD_ENOTFOUND);
    assert_false(brp_handle_is_set(channel.handle));
}

static void test_bad_addresses_are_refused(void **state)
{
    (void)state;
    brp_server *server;
    brp_channel channel;
    char address[600] = "\\\\.\\pipe\\";
    if (!PT_IS_WINDOWS)
        address[0] = '\0';
    memset(address + strlen(address), 'a', 400);
    pt_fails(brp_local_listen(&server, address, 8), BROOD_ETOOLONG);
    if (PT_IS_WINDOWS) {
        pt_fails(brp_local_listen(&server, "/tmp/socket", 8), BROOD_ENOTSUP);
        pt_fails(brp_local_connect(&channel, "@abstract", pt_hang()), BROOD_ENOTSUP);
    } else {
        pt_fails(brp_local_connect(&channel, address, pt_hang()), BROOD_ETOOLONG);
        pt_fails(brp_local_listen(&server, "/nowhere/at/all", 8), BROOD_ENOTFOUND);
        pt_fails(brp_local_listen(&server, "", 8), BROOD_EINVALID);
        pt_fails(brp_local_listen(&server, "\\\\.\\pipe\\name", 8), BROOD_ENOTSUP);
        pt_fails(brp_local_connect(&channel, "\\\\.\\pipe\\name", pt_hang()), BROOD_ENOTSUP);
    }
}

static void test_each_side_knows_the_other(void **state)
{
    (void)state;
    char own[BRP_USER_TEXT];
    brp_peer peer;
    met made = meet(NULL);
    pt_ok(brp_own_user(own));
    assert_true(own[0] != '\0');
    for (int i = 0; i < 2; i++) {
        pt_ok(brp_channel_peer(i == 0 ? made.client : made.accepted, &peer));
        assert_int_equal(peer.pid, brp_pid());
        assert_string_equal(peer.user, own);
    }
    part(&made);
}

static void test_the_file_goes_with_its_server_and_no_other_does(void **state)
{
    (void)state;
#ifdef _WIN32
    pt_skip_on(PT_SYSTEM, "pipes are no files");
#else
    char directory[] = "/tmp/brood-test-XXXXXX", path[64];
    struct stat file;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/socket", directory);
    met made = meet(path);
    assert_int_equal(lstat(path, &file), 0);
    assert_true(S_ISSOCK(file.st_mode));
    brp_server *other;
    pt_fails(brp_local_listen(&other, path, 8), BROOD_EEXIST);
    assert_int_equal(lstat(path, &file), 0);
    part(&made);
    assert_int_not_equal(lstat(path, &file), 0);
    made = meet(path); /* what was put in its place meanwhile stays */
    unlink(path);
    int fd = creat(path, 0600);
    close(fd);
    part(&made);
    assert_int_equal(lstat(path, &file), 0);
    unlink(path);
    assert_int_equal(rmdir(directory), 0);
#endif
}

static void test_messages_keep_their_bounds(void **state)
{
    (void)state;
    if (!PT_IS_WINDOWS)
        pt_skip_on(PT_SYSTEM, "local sockets are streams");
    met made = meet(NULL);
    assert_int_equal(made.client.kind, BRP_CHANNEL_MESSAGES);
    char got[4];
    size_t n, left;
    say(made.client, "first");
    say(made.client, "");
    say(made.client, "3rd");
    pt_ok(brp_channel_read(made.accepted, got, 2, &n, &left, pt_hang()));
    assert_int_equal(n, 2);
    assert_int_equal(left, 3);
    pt_ok(brp_channel_read_all(made.accepted, got, 3, &n, pt_hang()));
    assert_memory_equal(got, "rst", 3);
    pt_ok(brp_channel_read(made.accepted, got, 4, &n, &left, pt_hang()));
    assert_int_equal(n, 0);
    pt_ok(brp_channel_read(made.accepted, got, 4, &n, &left, pt_hang()));
    assert_int_equal(n, 3);
    assert_int_equal(left, 0);
    part(&made);
}

static void test_messages_go_out_in_the_background(void **state)
{
    (void)state;
    enum { SIZE = 300000 }; /* more than a pipe buffers */
    brp_sender *sender = NULL;
    char *large = bri_calloc(1, SIZE), *got = bri_calloc(1, SIZE);
    if (!PT_IS_WINDOWS) {
        pt_fails(brp_sender_write(&sender, BRP_NO_CHANNEL, large, 1), BROOD_ENOTSUP);
        brp_sender_close(&sender);
    } else {
        met made = meet(NULL);
        size_t n, left;
        large[SIZE - 1] = 'z';
        brood_status status = BROOD_OK;
        for (int i = 0; i < 20 && status == BROOD_OK; i++)
            status = brp_sender_write(&sender, made.client, large, SIZE);
        assert_int_equal(status, BROOD_ETIMEDOUT);
#if SIZE_MAX > UINT32_MAX
        pt_fails(brp_sender_write(&sender, made.client, large, (size_t)UINT32_MAX + 2),
                 BROOD_ETOOLONG);
#endif
        pt_ok(brp_channel_read(made.accepted, got, SIZE, &n, &left, pt_hang()));
        assert_int_equal(n, SIZE);
        assert_int_equal(got[SIZE - 1], 'z');
        brp_sender_close(&sender);
        brp_sender_close(&sender);
        part(&made);
    }
    bri_free(large);
    bri_free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_bytes_go_both_ways),
        pt_test(test_no_client_is_no_wait),
        pt_test(test_many_clients_wait_for_their_turn),
        pt_test(test_an_address_has_one_server),
        pt_test(test_nobody_there_is_not_found),
        pt_test(test_bad_addresses_are_refused),
        pt_test(test_each_side_knows_the_other),
        pt_test(test_the_file_goes_with_its_server_and_no_other_does),
        pt_test(test_messages_keep_their_bounds),
        pt_test(test_messages_go_out_in_the_background),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
