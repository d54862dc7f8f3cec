/* brood-test: start-methods */
/* Hundreds of connections, queues, events, sockets and processes in one wait. */
#include "harness.h"

#include <apr_general.h>
#include <apr_network_io.h>
#include <apr_portable.h>

enum { EACH = 100, SOCKETS = 40, PROCESSES = 10, ALL = 3 * EACH + SOCKETS + PROCESSES };

typedef struct crowd {
    brood_connection *ours[EACH], *theirs[EACH];
    brood_queue *queues[EACH];
    brood_event *events[EACH];
    apr_pool_t *pool;
    apr_socket_t *receivers[SOCKETS], *senders[SOCKETS];
    intptr_t numbers[SOCKETS];
    brood_process *processes[PROCESSES];
    brood_queue *end;
    brood_wait_item items[ALL];
} crowd;

static crowd all;

static brood_status wait_for_the_end(brood_call *call)
{
    const brood_value *object;
    brood_queue *end;
    brood_value value;
    BROOD_TRY(brood_call_args(call, "v", &object));
    BROOD_TRY(brood_get_queue(object, &end));
    return brood_queue_get(end, &value, 60000);
}

static void make_sockets(void)
{
    apr_sockaddr_t *address, *bound;
    apr_socket_t *server;
    assert_int_equal(apr_initialize(), APR_SUCCESS);
    assert_int_equal(apr_pool_create(&all.pool, NULL), 0);
    assert_int_equal(apr_sockaddr_info_get(&address, "127.0.0.1", APR_INET, 0, 0, all.pool), 0);
    assert_int_equal(apr_socket_create(&server, APR_INET, SOCK_STREAM, APR_PROTO_TCP, all.pool), 0);
    assert_int_equal(apr_socket_bind(server, address), 0);
    assert_int_equal(apr_socket_listen(server, SOCKETS), 0);
    assert_int_equal(apr_socket_addr_get(&bound, APR_LOCAL, server), 0);
    for (int i = 0; i < SOCKETS; i++) {
        apr_os_sock_t number;
        assert_int_equal(
            apr_socket_create(&all.senders[i], APR_INET, SOCK_STREAM, APR_PROTO_TCP, all.pool), 0);
        assert_int_equal(apr_socket_connect(all.senders[i], bound), 0);
        assert_int_equal(apr_socket_accept(&all.receivers[i], server, all.pool), 0);
        assert_int_equal(apr_os_sock_get(&number, all.receivers[i]), 0);
        all.numbers[i] = (intptr_t)number;
    }
    apr_socket_close(server);
}

static void make_crowd(void)
{
    int n = 0;
    make_sockets();
    bt_ok(brood_queue_create(&all.end, NULL));
    for (int i = 0; i < EACH; i++) {
        bt_ok(brood_pipe(&all.ours[i], &all.theirs[i], true));
        bt_ok(brood_queue_create(&all.queues[i], NULL));
        bt_ok(brood_event_create(&all.events[i]));
        all.items[n++] = (brood_wait_item){.connection = all.ours[i]};
        all.items[n++] = (brood_wait_item){.queue = all.queues[i]};
        all.items[n++] = (brood_wait_item){.event = all.events[i]};
    }
    for (int i = 0; i < SOCKETS; i++)
        all.items[n++] = (brood_wait_item){.socket = &all.numbers[i]};
    for (int i = 0; i < PROCESSES; i++) {
        all.processes[i] =
            bt_process(wait_for_the_end, brood_pack("(v)", brood_queue_value(all.end)));
        all.items[n++] = (brood_wait_item){.process = all.processes[i]};
    }
    assert_int_equal(n, ALL);
}

static void end_crowd(void)
{
    for (int i = 0; i < EACH; i++) {
        brood_connection_close(all.ours[i]);
        brood_connection_close(all.theirs[i]);
        brood_queue_destroy(all.queues[i]);
        brood_event_destroy(all.events[i]);
    }
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(bt_join(all.processes[i]), 0);
    brood_queue_destroy(all.end);
    apr_pool_destroy(all.pool);
}

/* Nothing but item number i is ready. */
static void expect_only(int i)
{
    bt_ok(brood_wait(all.items, ALL, 20000));
    for (int j = 0; j < ALL; j++)
        if (all.items[j].ready != (j == i))
            fail_msg("item %d is%s ready, not %d", j, j == i ? " not" : "", i);
}

static void test_each_of_hundreds_is_found(void **state)
{
    (void)state;
    brood_value value;
    char byte = 'x';
    make_crowd();
    bt_fails(brood_wait(all.items, ALL, 30), BROOD_ETIMEDOUT);
    for (int i = 0; i < EACH; i += 9) {
        bt_ok(brood_connection_send(all.theirs[i], brood_none(), 1000));
        expect_only(3 * i);
        bt_ok(brood_connection_recv(all.ours[i], &value, 1000));
        bt_ok(brood_queue_put(all.queues[i], brood_int(i), 0));
        expect_only(3 * i + 1);
        bt_ok(brood_queue_get(all.queues[i], &value, 0));
        bt_ok(brood_event_set(all.events[i]));
        expect_only(3 * i + 2);
        bt_ok(brood_event_clear(all.events[i]));
    }
    for (int i = 0; i < SOCKETS; i += 7) {
        apr_size_t size = 1;
        assert_int_equal(apr_socket_send(all.senders[i], &byte, &size), 0);
        expect_only(3 * EACH + i);
        assert_int_equal(apr_socket_recv(all.receivers[i], &byte, &size), 0);
    }
    bt_fails(brood_wait(all.items, ALL, 30), BROOD_ETIMEDOUT);
    /* One of the processes ends while this one waits. */
    bt_ok(brood_queue_put(all.end, brood_none(), 0));
    bt_ok(brood_wait(all.items, ALL, 20000));
    int ready = 0;
    for (int j = 0; j < ALL; j++)
        ready += all.items[j].ready;
    assert_int_equal(ready, 1);
    for (int i = 1; i < PROCESSES; i++)
        bt_ok(brood_queue_put(all.end, brood_none(), 0));
    end_crowd();
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_each_of_hundreds_is_found));
}
