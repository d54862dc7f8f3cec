/* brood-test: start-methods */
/* A listener that runs out of descriptors: those who have not proved the key make room. */
#define _GNU_SOURCE
#include "harness.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ipc/address.h"
#include "platform/clock.h"
#include "platform/socket.h"

enum { PATIENCE = 20000, SILENT = 40 };

static const brood_connect_options WITH_KEY = {.authkey = "key", .authkey_size = 3};

/* Connects, and says one word. */
static brood_status say_one(brood_call *call)
{
    const char *address;
    brood_connection *connection;
    BROOD_TRY(brood_call_args(call, "s", &address));
    BROOD_TRY(brood_connect(&connection, address, &WITH_KEY, PATIENCE));
    BROOD_TRY(brood_connection_send(connection, brood_int(7), PATIENCE));
    brood_connection_close(connection);
    return BROOD_OK;
}

static brp_channel connect_silently(const brood_listener *listener)
{
    bri_address address;
    brp_channel channel;
    bt_ok(bri_address_parse(brood_listener_address(listener), &address));
    bt_ok(brp_tcp_connect(&channel, address.host, address.port,
                          bri_deadline_after(brp_clock_now(), PATIENCE)));
    return channel;
}

/* Lets this process have `more` descriptors than it has now. Not all those that it has are below
 * the first free one. */
static struct rlimit limit_descriptors(int more)
{
    struct rlimit before, low;
    int end = 0;
    for (int free = 0; free < more || fcntl(end, F_GETFD) >= 0; end++)
        if (fcntl(end, F_GETFD) < 0)
            free++;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)end;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    return before;
}

static void accept_among_silent_clients(int descriptors)
{
    brp_channel silent[SILENT];
    brood_listener *listener;
    brood_connection *accepted = NULL;
    brood_value value;
    brood_listener_options options = {.authkey = "key", .authkey_size = 3};
    bt_ok(brood_listener_create(&listener, "127.0.0.1:0", &options));
    for (int i = 0; i < SILENT; i++)
        silent[i] = connect_silently(listener);
    brood_process *child = bt_process(say_one, brood_pack("(s)", brood_listener_address(listener)));
    struct rlimit before = limit_descriptors(descriptors);
    brood_status status = brood_listener_accept(listener, &accepted, PATIENCE);
    setrlimit(RLIMIT_NOFILE, &before);
    bt_ok(status);
    bt_ok(brood_connection_recv(accepted, &value, PATIENCE));
    assert_int_equal(value.as.integer, 7);
    assert_int_equal(bt_join(child), 0);
    brood_connection_close(accepted);
    for (int i = 0; i < SILENT; i++)
        brp_channel_close(&silent[i]);
    brood_listener_close(listener);
}

static void test_silent_clients_make_room_for_those_with_the_key(void **state)
{
    (void)state;
    accept_among_silent_clients(6);
    accept_among_silent_clients(1);
}

static void test_no_descriptor_at_all_is_a_limit_and_the_client_waits(void **state)
{
    (void)state;
    brood_listener *listener;
    brood_connection *accepted = NULL;
    bt_ok(brood_listener_create(&listener, "127.0.0.1:0", NULL));
    bt_fails(brood_listener_accept(listener, &accepted, 0), BROOD_ETIMEDOUT);
    brp_channel channel = connect_silently(listener);
    struct rlimit before = limit_descriptors(0);
    brood_status status = brood_listener_accept(listener, &accepted, PATIENCE);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(status, BROOD_ELIMIT);
    bt_ok(brood_listener_accept(listener, &accepted, PATIENCE));
    brood_connection_close(accepted);
    brp_channel_close(&channel);
    brood_listener_close(listener);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_silent_clients_make_room_for_those_with_the_key),
                   bt_test(test_no_descriptor_at_all_is_a_limit_and_the_client_waits));
}
