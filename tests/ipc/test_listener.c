/* brood-test: start-methods */
/* Listeners and clients: addresses, keys, silent and wrong clients, values and bytes through them.
 */
#include "harness.h"

#include "core/thread.h"
#include "ipc/connection.h"

static const char KEY[] = "a secret of the tests";

/* One of each kind that this system has. */
static const char *const ADDRESSES[] = {NULL, "127.0.0.1:0", "[::1]:0"};
enum { N_ADDRESSES = 3 };

typedef struct caller {
    bri_thread *thread;
    const char *address;
    brood_connect_options options;
    brood_connection *connection;
    brood_status status;
    char message[256];
} caller;

static void run_caller(void *context)
{
    caller *one = context;
    one->status = brood_connect(&one->connection, one->address, &one->options, 20000);
    snprintf(one->message, sizeof one->message, "%s", brood_last_error()->message);
}

static void call(caller *one, const brood_listener *listener, const void *key, size_t size)
{
    *one = (caller){.address = brood_listener_address(listener),
                    .options = {.authkey = key, .authkey_size = size}};
    bt_ok(bri_thread_start(&one->thread, run_caller, one));
}

static brood_listener *listen_with(const char *address, brood_listener_options options)
{
    brood_listener *listener;
    bt_ok(brood_listener_create(&listener, address, &options));
    return listener;
}

static brood_listener *listen_with_key(const char *address)
{
    return listen_with(address,
                       (brood_listener_options){.authkey = KEY, .authkey_size = sizeof KEY});
}

/* A connected pair, both with the key. */
static brood_connection *meet(brood_listener *listener, caller *one)
{
    brood_connection *accepted;
    call(one, listener, KEY, sizeof KEY);
    bt_ok(brood_listener_accept(listener, &accepted, 20000));
    bri_thread_join(one->thread);
    bt_ok(one->status);
    return accepted;
}

static void part(brood_listener *listener, brood_connection *accepted, caller *one)
{
    brood_connection_close(accepted);
    brood_connection_close(one->connection);
    brood_listener_close(listener);
}

static bool has_ipv6(void)
{
    brood_listener *listener;
    brood_status status = brood_listener_create(&listener, "[::1]:0", NULL);
    if (status == BROOD_OK)
        brood_listener_close(listener);
    return status == BROOD_OK;
}

static void test_values_go_both_ways_over_every_kind_of_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ADDRESSES; i++) {
        if (i == 2 && !has_ipv6())
            continue;
        caller one;
        brood_value value;
        int64_t number;
        brood_listener *listener = listen_with_key(ADDRESSES[i]);
        brood_connection *accepted = meet(listener, &one);
        bt_ok(brood_connection_send(accepted, brood_int(42), 5000));
        bt_ok(brood_connection_recv(one.connection, &value, 5000));
        bt_ok(brood_get_int(&value, &number));
        assert_int_equal(number, 42);
        bt_ok(brood_connection_send(one.connection, brood_pack("[is]", 1, "two"), 5000));
        bt_ok(brood_connection_poll(accepted, 5000));
        bt_ok(brood_connection_recv(accepted, &value, 5000));
        assert_int_equal(brood_value_length(&value), 2);
        brood_value_clear(&value);
        brood_connection_close(one.connection);
        one.connection = NULL;
        bt_fails(brood_connection_recv(accepted, &value, 5000), BROOD_EEOF);
        part(listener, accepted, &one);
    }
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_values_go_both_ways_over_every_kind_of_address));
}
