/* brood-test: start-methods */
/* Empty messages over a listener's connections wake those who wait, and none is lost. On Windows a
 * wait takes an empty message from the pipe, and the connection has to keep it. */
#include "harness.h"

#include "core/thread.h"

enum { PATIENCE = 20000, ROUNDS = 20, MANY = 70 };

typedef struct pair {
    brood_listener *listener;
    brood_connection *ours, *theirs;
} pair;

static void connect_to(void *context)
{
    pair *made = context;
    brood_connect_options options = {.authkey = "key", .authkey_size = 3};
    if (brood_connect(&made->theirs, brood_listener_address(made->listener), &options, PATIENCE) !=
        BROOD_OK)
        made->theirs = NULL;
}

static void open_pair(pair *made, const char *address)
{
    bri_thread *thread;
    brood_listener_options options = {.authkey = "key", .authkey_size = 3};
    bt_ok(brood_listener_create(&made->listener, address, &options));
    bt_ok(bri_thread_start(&thread, connect_to, made));
    bt_ok(brood_listener_accept(made->listener, &made->ours, PATIENCE));
    bri_thread_join(thread);
    assert_non_null(made->theirs);
}

static void close_pair(pair *made)
{
    brood_connection_close(made->ours);
    brood_connection_close(made->theirs);
    brood_listener_close(made->listener);
}

static void send_empty(void *context)
{
    brood_sleep(5); /* most likely the other thread waits by then; it has to arrive either way */
    (void)brood_connection_send_bytes(context, "", 0, PATIENCE);
}

static void expect_bytes(brood_connection *connection, const char *wanted)
{
    char got[16];
    size_t size;
    bt_ok(brood_connection_recv_bytes_into(connection, got, sizeof got, &size, 0));
    assert_int_equal(size, strlen(wanted));
    assert_memory_equal(got, wanted, size);
}

/* Empty messages that come while somebody waits for these items, the last of which is the pair's
 * own end. */
static void exchange(pair *made, brood_wait_item *items, size_t n)
{
    items[n - 1] = (brood_wait_item){.connection = made->ours};
    for (int round = 0; round < ROUNDS; round++) {
        bri_thread *thread;
        bt_ok(bri_thread_start(&thread, send_empty, made->theirs));
        brood_status status = brood_wait(items, n, PATIENCE);
        bri_thread_join(thread);
        bt_ok(status);
        assert_true(items[n - 1].ready);
        /* It stays until it is received. */
        bt_ok(brood_wait(items, n, 0));
        bt_ok(brood_connection_poll(made->ours, 0));
        expect_bytes(made->ours, "");
        assert_int_equal(brood_wait(items, n, 0), BROOD_ETIMEDOUT);
    }
    bt_ok(brood_connection_send_bytes(made->theirs, "", 0, PATIENCE));
    bt_ok(brood_connection_send_bytes(made->theirs, "", 0, PATIENCE));
    bt_ok(brood_connection_send_bytes(made->theirs, "full", 4, PATIENCE));
    const char *const wanted[] = {"", "", "full"};
    for (int i = 0; i < 3; i++) {
        bt_ok(brood_wait(items, n, PATIENCE));
        bt_ok(brood_wait(items, n, PATIENCE));
        expect_bytes(made->ours, wanted[i]);
    }
}

static void test_an_empty_message_wakes_who_waits_for_it(void **state)
{
    (void)state;
    const char *const addresses[] = {NULL, "127.0.0.1:0"};
    for (size_t i = 0; i < 2; i++) {
        pair made = {0};
        brood_wait_item item;
        open_pair(&made, addresses[i]);
        exchange(&made, &item, 1);
        close_pair(&made);
    }
}

static void test_an_empty_message_wakes_who_waits_for_queues_too(void **state)
{
    (void)state;
    pair made = {0};
    brood_queue *queue;
    bt_ok(brood_queue_create(&queue, NULL));
    brood_wait_item items[] = {{.queue = queue}, {0}};
    open_pair(&made, NULL);
    exchange(&made, items, 2);
    close_pair(&made);
    brood_queue_destroy(queue);
}

static void test_an_empty_message_wakes_who_waits_for_many(void **state)
{
    (void)state;
    pair made = {0};
    brood_connection *one[MANY], *other[MANY];
    brood_wait_item items[MANY + 1];
    for (int i = 0; i < MANY; i++) {
        bt_ok(brood_pipe(&one[i], &other[i], true));
        items[i] = (brood_wait_item){.connection = one[i]};
    }
    open_pair(&made, NULL);
    exchange(&made, items, MANY + 1);
    close_pair(&made);
    for (int i = 0; i < MANY; i++) {
        brood_connection_close(one[i]);
        brood_connection_close(other[i]);
    }
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_an_empty_message_wakes_who_waits_for_it),
                   bt_test(test_an_empty_message_wakes_who_waits_for_queues_too),
                   bt_test(test_an_empty_message_wakes_who_waits_for_many));
}
