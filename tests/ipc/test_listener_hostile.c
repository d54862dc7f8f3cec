/* Listeners whose clients are silent, slow or lie, or that run out of memory. */
#include "core/thread.h"
#include "listener_rig.h"

#include "base/memory.h"
#include "ipc/connection.h"
#include "ipc/handshake.h"

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
    return bt_main(argc, argv, bt_test(test_silent_clients_keep_nobody_waiting_and_are_dropped),
                   bt_test(test_a_flood_drops_those_that_took_longest),
                   bt_test(test_slow_bytes_get_through_in_the_end),
                   bt_test(test_junk_before_the_key_is_refused_and_nobody_else_suffers),
                   bt_test(test_junk_behind_the_key_breaks_one_connection_only),
                   bt_test(test_running_out_of_memory_anywhere_loses_one_client_at_most),
                   bt_test(test_running_out_of_memory_in_one_thread_leaks_nothing));
}
