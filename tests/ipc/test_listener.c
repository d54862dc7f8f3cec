/* brood-test: start-methods */
/* Listeners and clients: addresses, keys, silent, slow and lying clients, hand-over to children. */
#include "core/thread.h"
#include "listener_rig.h"

#include "base/memory.h"
#include "ipc/connection.h"
#include "platform/ident.h"

/* ---- what goes well ---- */

static void exchange(brood_connection *one, brood_connection *other)
{
    brood_value value;
    int64_t number;
    bt_ok(brood_connection_send(one, brood_int(42), PATIENCE));
    bt_ok(brood_connection_recv(other, &value, PATIENCE));
    bt_ok(brood_get_int(&value, &number));
    assert_int_equal(number, 42);
    bt_ok(brood_connection_send(other, brood_pack("[is]", 1, "two"), PATIENCE));
    bt_ok(brood_connection_poll(one, PATIENCE));
    bt_ok(brood_connection_recv(one, &value, PATIENCE));
    assert_int_equal(brood_value_length(&value), 2);
    brood_value_clear(&value);
}

static void test_values_go_both_ways_over_every_kind_of_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ADDRESSES; i++) {
        caller one;
        brood_value value;
        if (!has_address(i))
            continue;
        brood_listener *listener = listen_with_key(ADDRESSES[i]);
        brood_connection *accepted = meet(listener, &one);
        exchange(accepted, one.connection);
        assert_int_equal(brood_connection_recv(accepted, &value, 0), BROOD_ETIMEDOUT);
        assert_int_equal(brood_connection_poll(accepted, 20), BROOD_ETIMEDOUT);
        brood_connection_close(one.connection);
        one.connection = NULL;
        bt_ok(brood_connection_poll(accepted, PATIENCE));
        bt_fails(brood_connection_recv(accepted, &value, PATIENCE), BROOD_EEOF);
        part(listener, accepted, &one);
    }
}

typedef struct flow {
    brood_connection *connection;
    const char *data;
    size_t size;
    brood_status status;
} flow;

static void send_flow(void *context)
{
    flow *one = context;
    one->status = brood_connection_send_bytes(one->connection, one->data, one->size, PATIENCE);
}

static void test_messages_of_every_size_arrive_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 16384, 16385, 70000, 5000000};
    char *data = bri_alloc(5000000);
    for (size_t i = 0; i < 5000000; i++)
        data[i] = (char)(i % 253);
    for (size_t i = 0; i < 2; i++) {
        caller one;
        brood_listener *listener = listen_with_key(ADDRESSES[i]);
        brood_connection *accepted = meet(listener, &one);
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            flow out = {one.connection, data, sizes[k], BROOD_OK};
            bri_thread *thread;
            void *got;
            size_t size;
            bt_ok(bri_thread_start(&thread, send_flow, &out));
            bt_ok(brood_connection_poll(accepted, PATIENCE));
            bt_ok(brood_connection_recv_bytes(accepted, 0, &got, &size, PATIENCE));
            bri_thread_join(thread);
            bt_ok(out.status);
            assert_int_equal(size, sizes[k]);
            if (size != 0)
                assert_memory_equal(got, data, size);
            brood_free(got);
        }
        part(listener, accepted, &one);
    }
    bri_free(data);
}

static void test_a_limit_holds_after_the_key_is_proved(void **state)
{
    (void)state;
    caller one;
    brood_connection *accepted;
    brood_value value;
    char data[101] = "";
    brood_listener *listener = listen_with(
        NULL,
        (brood_listener_options){.authkey = KEY, .authkey_size = sizeof KEY, .max_message = 100});
    accepted = meet(listener, &one);
    bt_ok(brood_connection_send_bytes(one.connection, data, 100, PATIENCE));
    bt_ok(brood_connection_recv_bytes_into(accepted, data, sizeof data, &(size_t){0}, PATIENCE));
    bt_ok(brood_connection_send_bytes(one.connection, data, 101, PATIENCE));
    bt_fails(brood_connection_recv(accepted, &value, PATIENCE), BROOD_ETOOLONG);
    part(listener, accepted, &one);
}

static void test_who_is_there_is_known_for_local_ones(void **state)
{
    (void)state;
    caller one;
    char user[256], text[64], wanted[32];
    int64_t pid = 0;
    brood_listener *listener = listen_with_key(NULL);
    assert_int_equal(brood_listener_last_accepted(listener, text, sizeof text), 0);
    brood_connection *accepted = meet(listener, &one);
    bt_ok(brood_connection_peer(accepted, &pid, user, sizeof user));
    assert_int_equal(pid, brp_pid());
    assert_true(user[0] != '\0');
    bt_ok(brood_connection_peer(one.connection, &pid, NULL, 0));
    assert_int_equal(pid, brp_pid());
    snprintf(wanted, sizeof wanted, "pid %lld", (long long)pid);
    assert_int_equal(brood_listener_last_accepted(listener, text, sizeof text), strlen(wanted));
    assert_string_equal(text, wanted);
    part(listener, accepted, &one);
    listener = listen_with_key("127.0.0.1:0");
    accepted = meet(listener, &one);
    bt_fails(brood_connection_peer(accepted, &pid, user, sizeof user), BROOD_ENOTSUP);
    brood_listener_last_accepted(listener, text, sizeof text);
    assert_memory_equal(text, "127.0.0.1:", 10);
    part(listener, accepted, &one);
}

/* ---- keys ---- */

static void test_another_key_is_refused_on_both_sides(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        caller one;
        brood_connection *accepted = NULL;
        brood_listener *listener = listen_with_key(ADDRESSES[i]);
        call_with(&one, listener, (brood_connect_options){.authkey = "another", .authkey_size = 7});
        bt_fails(brood_listener_accept(listener, &accepted, PATIENCE), BROOD_EAUTH);
        bt_message_has("it has another key");
        assert_null(accepted);
        bri_thread_join(one.thread);
        assert_int_equal(one.status, BROOD_EAUTH);
        assert_null(one.connection);
        assert_non_null(strstr(one.message, "rejected our digest"));
        assert_non_null(strstr(one.message, brood_listener_address(listener)));
        accepted = meet(listener, &one); /* it goes on */
        part(listener, accepted, &one);
    }
}

static void test_a_key_on_one_side_only_ends_in_an_error(void **state)
{
    (void)state;
    brood_connection *connection, *accepted;
    brood_value value;
    brood_listener *open = listen_with(NULL, (brood_listener_options){0});
    brood_connect_options options = {.authkey = KEY, .authkey_size = sizeof KEY};
    bt_fails(brood_connect(&connection, brood_listener_address(open), &options, 50),
             BROOD_ETIMEDOUT);
    bt_message_has("the key is not proved");
    bt_ok(brood_listener_accept(open, &accepted, PATIENCE)); /* it has gone already */
    bt_fails(brood_connection_recv(accepted, &value, PATIENCE), BROOD_EEOF);
    brood_connection_close(accepted);
    brood_listener_close(open);

    brood_listener *listener = listen_with_key(NULL);
    bt_ok(brood_connect(&connection, brood_listener_address(listener), NULL, PATIENCE));
    bt_ok(brood_connection_send(connection, brood_str("let me in"), PATIENCE));
    bt_fails(brood_listener_accept(listener, &accepted, PATIENCE), BROOD_EAUTH);
    brood_connection_close(connection);
    brood_listener_close(listener);
}

static void test_no_key_lets_everybody_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        brood_connection *connection, *accepted;
        brood_listener *listener = listen_with(ADDRESSES[i], (brood_listener_options){0});
        bt_ok(brood_connect(&connection, brood_listener_address(listener), NULL, PATIENCE));
        bt_ok(brood_listener_accept(listener, &accepted, PATIENCE));
        exchange(connection, accepted);
        brood_connection_close(connection);
        brood_connection_close(accepted);
        brood_listener_close(listener);
    }
}

/* ---- waiting and ending ---- */

static void test_accept_times_out(void **state)
{
    (void)state;
    brood_connection *accepted;
    brood_listener *listener = listen_with_key(NULL);
    brood_ms begun = brood_now();
    bt_fails(brood_listener_accept(listener, &accepted, 0), BROOD_ETIMEDOUT);
    bt_fails(brood_listener_accept(listener, &accepted, 60), BROOD_ETIMEDOUT);
    assert_true(brood_now() - begun >= 59);
    brood_listener_close(listener);
}

typedef struct acceptor {
    bri_thread *thread;
    brood_listener *listener;
    brood_connection *connection;
    brood_status status;
} acceptor;

static void run_acceptor(void *context)
{
    acceptor *one = context;
    one->status = brood_listener_accept(one->listener, &one->connection, PATIENCE);
}

static void test_each_client_goes_to_one_of_the_threads(void **state)
{
    (void)state;
    enum { N = 6 };
    acceptor acceptors[N];
    caller callers[N];
    brood_listener *listener = listen_with_key("127.0.0.1:0");
    for (int i = 0; i < N; i++) {
        acceptors[i] = (acceptor){.listener = listener};
        bt_ok(bri_thread_start(&acceptors[i].thread, run_acceptor, &acceptors[i]));
        call(&callers[i], listener);
    }
    for (int i = 0; i < N; i++) {
        bri_thread_join(acceptors[i].thread);
        bri_thread_join(callers[i].thread);
        bt_ok(acceptors[i].status);
        bt_ok(callers[i].status);
        brood_connection_close(acceptors[i].connection);
        brood_connection_close(callers[i].connection);
    }
    brood_listener_close(listener);
}

static void test_shutdown_ends_every_accept(void **state)
{
    (void)state;
    acceptor acceptors[3];
    brood_connection *accepted;
    brood_listener *listener = listen_with_key(NULL);
    for (int i = 0; i < 3; i++) {
        acceptors[i] = (acceptor){.listener = listener};
        bt_ok(bri_thread_start(&acceptors[i].thread, run_acceptor, &acceptors[i]));
    }
    brood_listener_shutdown(listener);
    brood_listener_shutdown(listener);
    for (int i = 0; i < 3; i++) {
        bri_thread_join(acceptors[i].thread);
        assert_int_equal(acceptors[i].status, BROOD_ECLOSED);
    }
    bt_fails(brood_listener_accept(listener, &accepted, PATIENCE), BROOD_ECLOSED);
    brood_listener_close(listener);
}

static void test_shutdown_leaves_no_client_waiting(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ADDRESSES; i++) {
        brood_connection *connection;
        acceptor one;
        if (!has_address(i))
            continue;
        for (int is_driven = 0; is_driven < 2; is_driven++) {
            brood_listener *listener = listen_with_key(ADDRESSES[i]);
            brp_channel begun = raw_client(listener);
            bt_fails(brood_listener_accept(listener, &connection, 30), BROOD_ETIMEDOUT);
            brp_channel late = raw_client(listener);
            one = (acceptor){.listener = listener};
            if (is_driven)
                bt_ok(bri_thread_start(&one.thread, run_acceptor, &one));
            brood_listener_shutdown(listener);
            if (is_driven)
                bri_thread_join(one.thread);
            assert_true(raw_ends(begun));
            assert_true(raw_ends(late));
            brp_channel_close(&begun);
            brp_channel_close(&late);
            bt_fails(brood_connect(&connection, brood_listener_address(listener), NULL, PATIENCE),
                     BROOD_ENOTFOUND);
            brood_listener_close(listener);
        }
    }
}

static void test_closing_drops_who_has_not_proved_the_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        brood_connection *accepted;
        brood_listener *listener = listen_with_key(ADDRESSES[i]);
        brp_channel channel = raw_client(listener);
        bt_fails(brood_listener_accept(listener, &accepted, 30), BROOD_ETIMEDOUT);
        brood_listener_close(listener);
        assert_true(raw_ends(channel));
        brp_channel_close(&channel);
    }
}

static void test_mistakes_are_told(void **state)
{
    (void)state;
    brood_listener *listener, *other;
    brood_connection *connection;
    bt_fails(brood_listener_create(&listener, "127.0.0.1:99999", NULL), BROOD_EINVALID);
    bt_fails(brood_listener_create(&listener, NULL, &(brood_listener_options){.backlog = -1}),
             BROOD_EINVALID);
    bt_fails(brood_listener_accept(NULL, &connection, 0), BROOD_EINVALID);
    bt_fails(brood_connect(&connection, NULL, NULL, 0), BROOD_EINVALID);
    bt_fails(brood_connect(&connection, "", NULL, 0), BROOD_EINVALID);
    bt_ok(brood_listener_create(&listener, "127.0.0.1:0", NULL));
    bt_fails(brood_listener_create(&other, brood_listener_address(listener), NULL), BROOD_EEXIST);
    char address[64];
    snprintf(address, sizeof address, "%s", brood_listener_address(listener));
    brood_listener_close(listener);
    bt_fails(brood_connect(&connection, address, NULL, PATIENCE), BROOD_ENOTFOUND);
    bt_message_has(address + 10);
    assert_string_equal(brood_listener_address(NULL), "");
    brood_listener_shutdown(NULL);
    brood_listener_close(NULL);
}

/* ---- processes ---- */

/* Connects with the key and answers what it gets by the double. */
static brood_status double_it(brood_call *call_)
{
    const char *address;
    brood_connection *connection;
    brood_value value;
    int64_t number;
    BROOD_TRY(brood_call_args(call_, "s", &address));
    brood_connect_options options = {.authkey = KEY, .authkey_size = sizeof KEY};
    BROOD_TRY(brood_connect(&connection, address, &options, PATIENCE));
    BROOD_TRY(brood_connection_recv(connection, &value, PATIENCE));
    BROOD_TRY(brood_get_int(&value, &number));
    BROOD_TRY(brood_connection_send(connection, brood_int(2 * number), PATIENCE));
    brood_connection_close(connection);
    return BROOD_OK;
}

static void test_a_process_connects(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        brood_connection *accepted;
        brood_value value;
        int64_t number, pid;
        brood_listener *listener = listen_with_key(ADDRESSES[i]);
        brood_process *process =
            bt_process(double_it, brood_pack("(s)", brood_listener_address(listener)));
        bt_ok(brood_listener_accept(listener, &accepted, PATIENCE));
        if (i == 0) {
            bt_ok(brood_connection_peer(accepted, &pid, NULL, 0));
            assert_int_equal(pid, brood_process_pid(process));
        }
        bt_ok(brood_connection_send(accepted, brood_int(21), PATIENCE));
        bt_ok(brood_connection_recv(accepted, &value, PATIENCE));
        bt_ok(brood_get_int(&value, &number));
        assert_int_equal(number, 42);
        bt_fails(brood_connection_recv(accepted, &value, PATIENCE), BROOD_EEOF);
        assert_int_equal(bt_join(process), 0);
        brood_connection_close(accepted);
        brood_listener_close(listener);
    }
}

/* Echoes one value over a connection that was given to it. */
static brood_status echo(brood_call *call_)
{
    const brood_value *argument;
    brood_connection *connection;
    brood_value value;
    BROOD_TRY(brood_call_args(call_, "v", &argument));
    BROOD_TRY(brood_get_connection(argument, &connection));
    BROOD_TRY(brood_connection_recv(connection, &value, PATIENCE));
    return brood_connection_send(connection, value, PATIENCE);
}

static void test_an_accepted_connection_goes_to_a_child(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        caller one;
        brood_value value;
        brood_listener *listener = listen_with_key(ADDRESSES[i]);
        brood_connection *accepted = meet(listener, &one);
        brood_process *process =
            bt_process(echo, brood_pack("(v)", brood_connection_value(accepted)));
        brood_connection_close(accepted);
        bt_ok(brood_connection_send(one.connection, brood_str("through the child"), PATIENCE));
        bt_ok(brood_connection_recv(one.connection, &value, PATIENCE));
        assert_int_equal(brood_value_kind(&value), BROOD_STR);
        brood_value_clear(&value);
        assert_int_equal(bt_join(process), 0);
        bt_fails(brood_connection_recv(one.connection, &value, PATIENCE), BROOD_EEOF);
        part(listener, NULL, &one);
    }
}

/* Lives until the connection ends. */
static brood_status wait_for_the_end(brood_call *call_)
{
    const brood_value *argument;
    brood_connection *connection;
    brood_value value;
    BROOD_TRY(brood_call_args(call_, "v", &argument));
    BROOD_TRY(brood_get_connection(argument, &connection));
    bt_check(call_, brood_connection_recv(connection, &value, PATIENCE) == BROOD_EEOF);
    return BROOD_OK;
}

static void test_a_child_keeps_neither_listener_nor_clients(void **state)
{
    (void)state;
    brood_connection *ours, *theirs, *accepted, *again;
    brood_listener *listener = listen_with_key("127.0.0.1:0"), *second;
    brp_channel pending = raw_client(listener);
    bt_fails(brood_listener_accept(listener, &accepted, 30), BROOD_ETIMEDOUT);
    bt_ok(brood_pipe(&ours, &theirs, true));
    brood_process *child =
        bt_process(wait_for_the_end, brood_pack("(v)", brood_connection_value(theirs)));
    brood_connection_close(theirs);
    char address[64];
    snprintf(address, sizeof address, "%s", brood_listener_address(listener));
    brood_listener_close(listener);
    assert_true(raw_ends(pending)); /* the child has no copy of the other end */
    brp_channel_close(&pending);
    bt_ok(brood_listener_create(&second, address, NULL));
    bt_ok(brood_connect(&again, address, NULL, PATIENCE));
    bt_ok(brood_listener_accept(second, &accepted, PATIENCE));
    exchange(accepted, again);
    brood_connection_close(again);
    brood_connection_close(accepted);
    brood_listener_close(second);
    brood_connection_close(ours);
    assert_int_equal(bt_join(child), 0);
}

static void test_objects_of_the_tree_do_not_leave_it(void **state)
{
    (void)state;
    caller one;
    brood_lock *lock;
    brood_listener *listener = listen_with_key(NULL);
    brood_connection *accepted = meet(listener, &one);
    bt_ok(brood_lock_create(&lock));
    bt_fails(brood_connection_send(accepted, brood_lock_value(lock), PATIENCE), BROOD_ENOTSUP);
    brood_lock_destroy(lock);
    exchange(accepted, one.connection);
    part(listener, accepted, &one);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_values_go_both_ways_over_every_kind_of_address),
        bt_test(test_messages_of_every_size_arrive_whole),
        bt_test(test_a_limit_holds_after_the_key_is_proved),
        bt_test(test_who_is_there_is_known_for_local_ones),
        bt_test(test_another_key_is_refused_on_both_sides),
        bt_test(test_a_key_on_one_side_only_ends_in_an_error),
        bt_test(test_no_key_lets_everybody_in), bt_test(test_accept_times_out),
        bt_test(test_each_client_goes_to_one_of_the_threads),
        bt_test(test_shutdown_ends_every_accept), bt_test(test_shutdown_leaves_no_client_waiting),
        bt_test(test_closing_drops_who_has_not_proved_the_key), bt_test(test_mistakes_are_told),
        bt_test(test_a_process_connects), bt_test(test_an_accepted_connection_goes_to_a_child),
        bt_test(test_a_child_keeps_neither_listener_nor_clients),
        bt_test(test_objects_of_the_tree_do_not_leave_it));
}
