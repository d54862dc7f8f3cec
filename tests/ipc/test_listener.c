/* brood-test: start-methods */
/* Listeners and clients: addresses, keys, silent, slow and lying clients, hand-over to children. */
#include "harness.h"

#include "base/memory.h"
#include "core/thread.h"
#include "ipc/address.h"
#include "ipc/connection.h"
#include "ipc/handshake.h"
#include "platform/clock.h"
#include "platform/ident.h"
#include "platform/socket.h"

static const char KEY[] = "a secret of the tests";

/* One of each kind that this system has. */
static const char *const ADDRESSES[] = {NULL, "127.0.0.1:0", "[::1]:0"};
enum { N_ADDRESSES = 3, PATIENCE = 20000 };

/* ---- helpers ---- */

typedef struct caller {
    bri_thread *thread;
    const char *address;
    brood_connect_options options;
    brood_connection *connection;
    brood_status status;
    char message[512];
} caller;

static void run_caller(void *context)
{
    caller *one = context;
    one->status = brood_connect(&one->connection, one->address, &one->options, PATIENCE);
    snprintf(one->message, sizeof one->message, "%s", brood_last_error()->message);
}

static void call_with(caller *one, const brood_listener *listener, brood_connect_options options)
{
    *one = (caller){.address = brood_listener_address(listener), .options = options};
    bt_ok(bri_thread_start(&one->thread, run_caller, one));
}

static void call(caller *one, const brood_listener *listener)
{
    call_with(one, listener, (brood_connect_options){.authkey = KEY, .authkey_size = sizeof KEY});
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
    call(one, listener);
    bt_ok(brood_listener_accept(listener, &accepted, PATIENCE));
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

static bool has_address(size_t i)
{
    brood_listener *listener;
    brood_status status = brood_listener_create(&listener, ADDRESSES[i], NULL);
    if (status == BROOD_OK)
        brood_listener_close(listener);
    return status == BROOD_OK;
}

/* A client that speaks for itself. */
static brp_channel raw_client(const brood_listener *listener)
{
    brp_channel channel;
    bri_address address;
    const char *text = brood_listener_address(listener);
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), PATIENCE);
    bt_ok(bri_address_parse(text, &address));
    bt_ok(address.kind == BRI_ADDRESS_TCP
              ? brp_tcp_connect(&channel, address.host, address.port, deadline)
              : brp_local_connect(&channel, text, deadline));
    return channel;
}

static void raw_write(brp_channel channel, const void *data, size_t size)
{
    brp_bytes bytes = {data, size};
    size_t written;
    bt_ok(brp_channel_write_all(channel, &bytes, 1, &written,
                                bri_deadline_after(brp_clock_now(), PATIENCE)));
}

/* Whether the channel comes to its end; what it says before does not matter. */
static bool raw_ends(brp_channel channel)
{
    char data[512];
    size_t got, left;
    brood_status status;
    do
        status = brp_channel_read(channel, data, sizeof data, &got, &left,
                                  bri_deadline_after(brp_clock_now(), PATIENCE));
    while (status == BROOD_OK);
    return status == BROOD_EEOF;
}

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

/* ---- clients that do not behave ---- */

static void test_silent_clients_keep_nobody_waiting_and_are_dropped(void **state)
{
    (void)state;
    enum { N = 100 };
    brp_channel silent[N];
    caller one;
    brood_connection *accepted;
    brood_listener *listener = listen_with(
        "127.0.0.1:0",
        (brood_listener_options){.authkey = KEY, .authkey_size = sizeof KEY, .auth_timeout = 300});
    for (int i = 0; i < N; i++)
        silent[i] = raw_client(listener);
    accepted = meet(listener, &one);
    bt_fails(brood_listener_accept(listener, &(brood_connection *){NULL}, 600), BROOD_ETIMEDOUT);
    for (int i = 0; i < N; i++) {
        assert_true(raw_ends(silent[i]));
        brp_channel_close(&silent[i]);
    }
    part(listener, accepted, &one);
}

static void test_a_flood_drops_those_that_took_longest(void **state)
{
    (void)state;
    enum { N = 24, MOST = 4 };
    brp_channel silent[N];
    caller one;
    brood_listener *listener = listen_with(
        "127.0.0.1:0",
        (brood_listener_options){.authkey = KEY, .authkey_size = sizeof KEY, .max_pending = MOST});
    for (int i = 0; i < N; i++)
        silent[i] = raw_client(listener);
    brood_connection *accepted = meet(listener, &one);
    for (int i = 0; i < N - MOST; i++)
        assert_true(raw_ends(silent[i]));
    for (int i = 0; i < N; i++)
        brp_channel_close(&silent[i]);
    part(listener, accepted, &one);
}

/* Takes what the listener says, and writes the answer a byte at a time; the listener is at work
 * after each. What accept gives at last. */
static brood_status answer_slowly(brood_listener *listener, brp_channel channel, bri_auth *auth,
                                  bri_frame_reader *reader, brood_connection **accepted)
{
    const void *message;
    size_t size;
    brood_status status = brood_listener_accept(listener, accepted, 20);
    bt_fails(status, BROOD_ETIMEDOUT);
    bt_ok(bri_frame_read(reader, channel, 256, &message, &size,
                         bri_deadline_after(brp_clock_now(), PATIENCE)));
    bt_ok(bri_auth_take(auth, message, size));
    bri_frame_done(reader);
    unsigned char header[BRI_FRAME_HEADER];
    size_t length = bri_frame_header(auth->out_size, header);
    for (size_t i = 0; i < length + auth->out_size; i++) {
        raw_write(channel, i < length ? &header[i] : &auth->out[i - length], 1);
        status = brood_listener_accept(listener, accepted, 0);
        if (i + 1 < length + auth->out_size)
            assert_int_equal(status, BROOD_ETIMEDOUT);
    }
    return status;
}

static void test_slow_bytes_get_through_in_the_end(void **state)
{
    (void)state;
    brood_connection *accepted = NULL;
    bri_auth auth;
    bri_frame_reader reader = {0};
    const bri_auth_key key = {KEY, sizeof KEY, false};
    brood_listener *listener = listen_with_key("127.0.0.1:0");
    brp_channel channel = raw_client(listener);
    bt_ok(bri_auth_begin(&auth, &key, false));
    for (int round = 0; round < 3; round++) /* the answer, our challenge, the welcome */
        if (answer_slowly(listener, channel, &auth, &reader, &accepted) == BROOD_OK)
            break;
    assert_int_equal(auth.step, BRI_AUTH_DONE);
    if (accepted == NULL) /* the last bytes may still be on their way */
        bt_ok(brood_listener_accept(listener, &accepted, PATIENCE));
    brood_connection_close(accepted);
    bri_frame_fini(&reader);
    brp_channel_close(&channel);
    brood_listener_close(listener);
}

static void test_junk_before_the_key_is_refused_and_nobody_else_suffers(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        brood_status status; /* of accept */
    } junk[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18, BROOD_EAUTH}, /* a length of a gigabyte */
        {"\x7f\xff\xff\xff", 4, BROOD_EAUTH},        /* 2 GiB */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, BROOD_EAUTH},
        {"\x80\0\0\0", 4, BROOD_EAUTH}, /* negative */
        {"\0\0\1\1", 4, BROOD_EAUTH},   /* 257 bytes */
        {"\0\0\0\0", 4, BROOD_EAUTH},   /* an empty answer */
        {"\0\0\0\5hello", 9, BROOD_EAUTH},
        {"\0\0\0\x09#WELCOME#", 13, BROOD_EAUTH},
        {"\0\0\0\x20half of it", 14, BROOD_ETIMEDOUT}, /* and then the end */
        {"\0\0", 2, BROOD_ETIMEDOUT},
        {"", 0, BROOD_ETIMEDOUT},
    };
    brood_listener *listener = listen_with_key("127.0.0.1:0");
    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++) {
        brood_connection *accepted;
        brp_channel channel = raw_client(listener);
        if (junk[i].size != 0)
            raw_write(channel, junk[i].bytes, junk[i].size);
        if (junk[i].status == BROOD_ETIMEDOUT)
            brp_channel_close(&channel);
        bt_fails(brood_listener_accept(listener, &accepted,
                                       junk[i].status == BROOD_ETIMEDOUT ? 50 : PATIENCE),
                 junk[i].status);
        brp_channel_close(&channel);
    }
    caller one;
    brood_connection *accepted = meet(listener, &one);
    part(listener, accepted, &one);
}

static void test_junk_behind_the_key_breaks_one_connection_only(void **state)
{
    (void)state;
    static const char *const junk[] = {"\0\0\0\4junk", "\x80\0\0\0junk", "\x7f\xff\xff\xffjunk"};
    for (size_t i = 0; i < 3; i++) {
        caller one;
        brood_value value;
        brood_listener *listener = listen_with_key("127.0.0.1:0");
        brood_connection *accepted = meet(listener, &one);
        brp_channel channel = {{brood_connection_fileno(one.connection)}, BRP_CHANNEL_SOCKET};
        raw_write(channel, junk[i], 8);
        bt_fails(brood_connection_recv(accepted, &value, PATIENCE),
                 i == 2 ? BROOD_ETOOLONG : BROOD_EFORMAT);
        part(listener, accepted, &one);
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

/* ---- out of memory ---- */

typedef struct rounds {
    bri_thread *thread;
    const char *address;
    brood_connection *orders;
} rounds;

/* Connects once for each byte that it gets, and gives it back. This costs no memory, after the
 * first time. */
static void run_rounds(void *context)
{
    rounds *all = context;
    char order[4];
    size_t size;
    while (brood_connection_recv_bytes_into(all->orders, order, sizeof order, &size, PATIENCE) ==
           BROOD_OK) {
        brood_connection *made = NULL;
        brood_connect_options options = {.authkey = KEY, .authkey_size = sizeof KEY};
        if (brood_connect(&made, all->address, &options, 2000) == BROOD_OK)
            brood_connection_close(made);
        brood_connection_send_bytes(all->orders, order, size, PATIENCE);
    }
}

/* A client connects while the n-th allocation fails; 0: none. */
static void run_out_at(long n, brood_listener *listener, brood_connection *orders)
{
    brood_connection *accepted;
    char order[4];
    size_t size;
    bt_ok(brood_connection_send_bytes(orders, "x", 1, PATIENCE));
    bri_memory_fail_at(n, 0);
    brood_status status = brood_listener_accept(listener, &accepted, 200);
    if (status == BROOD_OK)
        brood_connection_close(accepted);
    else
        assert_true(status == BROOD_ENOMEM || status == BROOD_ETIMEDOUT || status == BROOD_EAUTH);
    while (brood_connection_poll(orders, 0) == BROOD_ETIMEDOUT) /* until it is through */
        if (brood_listener_accept(listener, &accepted, 10) == BROOD_OK)
            brood_connection_close(accepted);
    bri_memory_fail_at(0, 0);
    bt_ok(brood_connection_recv_bytes_into(orders, order, sizeof order, &size, PATIENCE));
}

static void test_running_out_of_memory_anywhere_loses_one_client_at_most(void **state)
{
    (void)state;
    brood_connection *ours, *theirs;
    bt_ok(brood_pipe(&ours, &theirs, true));
    brood_listener *listener = listen_with_key("127.0.0.1:0");
    rounds all = {.address = brood_listener_address(listener), .orders = theirs};
    bt_ok(bri_thread_start(&all.thread, run_rounds, &all));
    for (long n = 0; n <= 16; n++)
        run_out_at(n, listener, ours);
    run_out_at(0, listener, ours);
    brood_connection_close(ours);
    bri_thread_join(all.thread);
    brood_connection_close(theirs);
    caller one;
    brood_connection *met = meet(listener, &one);
    part(listener, met, &one);
}

static void test_running_out_of_memory_in_one_thread_leaks_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        brood_status status = BROOD_ENOMEM;
        for (long n = 1; status != BROOD_OK; n++) {
            brood_listener *listener = NULL;
            brood_connection *connection = NULL, *accepted = NULL;
            assert_true(n < 100);
            bri_memory_fail_at(n, 0);
            status = brood_listener_create(&listener, ADDRESSES[i], NULL);
            if (status == BROOD_OK)
                status =
                    brood_connect(&connection, brood_listener_address(listener), NULL, PATIENCE);
            if (status == BROOD_OK)
                status = brood_listener_accept(listener, &accepted, PATIENCE);
            bri_memory_fail_at(0, 0);
            if (status != BROOD_OK)
                bt_fails(status, BROOD_ENOMEM);
            brood_connection_close(accepted);
            brood_connection_close(connection);
            brood_listener_close(listener);
        }
    }
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
        bt_test(test_no_key_lets_everybody_in),
        bt_test(test_silent_clients_keep_nobody_waiting_and_are_dropped),
        bt_test(test_a_flood_drops_those_that_took_longest),
        bt_test(test_slow_bytes_get_through_in_the_end),
        bt_test(test_junk_before_the_key_is_refused_and_nobody_else_suffers),
        bt_test(test_junk_behind_the_key_breaks_one_connection_only),
        bt_test(test_accept_times_out), bt_test(test_each_client_goes_to_one_of_the_threads),
        bt_test(test_shutdown_ends_every_accept),
        bt_test(test_closing_drops_who_has_not_proved_the_key), bt_test(test_mistakes_are_told),
        bt_test(test_a_process_connects), bt_test(test_an_accepted_connection_goes_to_a_child),
        bt_test(test_a_child_keeps_neither_listener_nor_clients),
        bt_test(test_objects_of_the_tree_do_not_leave_it),
        bt_test(test_running_out_of_memory_anywhere_loses_one_client_at_most),
        bt_test(test_running_out_of_memory_in_one_thread_leaks_nothing));
}
