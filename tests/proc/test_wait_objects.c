/* brood-test: start-methods */
/* Waiting for queues and events, alone and with connections, processes, sockets and handles. */
#include "harness.h"
#include "kills.h"

#include <apr_general.h>
#include <apr_network_io.h>
#include <apr_portable.h>

#include "ipc/layout.h"
#include "ipc/park.h"
#include "ipc/shared.h"
#include "proc/process.h"

static void get_int(brood_queue *queue, int64_t wanted)
{
    brood_value value;
    bt_ok(brood_queue_get(queue, &value, 0));
    assert_int_equal(value.as.integer, wanted);
}

/* ---- alone ---- */

static void test_queues_are_ready_when_a_get_would_not_wait(void **state)
{
    (void)state;
    brood_queue *a, *b;
    bt_ok(brood_queue_create(&a, NULL));
    bt_ok(brood_queue_create(&b, NULL));
    brood_wait_item items[] = {{.queue = a}, {.queue = b, .ready = true}};
    assert_int_equal(brood_wait(items, 2, 0), BROOD_ETIMEDOUT);
    brood_ms begun = brood_now();
    assert_int_equal(brood_wait(items, 2, 40), BROOD_ETIMEDOUT);
    assert_true(brood_now() - begun >= 40);
    assert_true(!items[0].ready && !items[1].ready);
    bt_ok(brood_queue_put(b, brood_int(1), 0));
    bt_ok(brood_wait(items, 2, BROOD_FOREVER));
    assert_true(!items[0].ready && items[1].ready);
    brood_queue_close(a);
    bt_ok(brood_wait(items, 2, 0));
    assert_true(items[0].ready && items[1].ready);
    get_int(b, 1);
    brood_queue_destroy(a);
    brood_queue_destroy(b);
}

static void test_events_are_ready_while_they_are_set(void **state)
{
    (void)state;
    brood_event *event;
    bt_ok(brood_event_create(&event));
    brood_wait_item item = {.event = event};
    assert_int_equal(brood_wait(&item, 1, 20), BROOD_ETIMEDOUT);
    bt_ok(brood_event_set(event));
    bt_ok(brood_wait(&item, 1, BROOD_FOREVER));
    bt_ok(brood_wait(&item, 1, 0));
    assert_true(item.ready);
    bt_ok(brood_event_clear(event));
    assert_int_equal(brood_wait(&item, 1, 0), BROOD_ETIMEDOUT);
    brood_event_destroy(event);
}

static void test_an_item_names_one_thing(void **state)
{
    (void)state;
    brood_queue *queue;
    brood_event *event;
    intptr_t none = -1;
    bt_ok(brood_queue_create(&queue, NULL));
    bt_ok(brood_event_create(&event));
    brood_wait_item item = {.queue = queue, .event = event};
    bt_fails(brood_wait(&item, 1, 0), BROOD_EINVALID);
    item = (brood_wait_item){.socket = &none};
    bt_fails(brood_wait(&item, 1, 0), BROOD_EINVALID);
    item = (brood_wait_item){.handle = &none};
    bt_fails(brood_wait(&item, 1, 0), BROOD_EINVALID);
    brood_queue_destroy(queue);
    brood_event_destroy(event);
}

/* ---- woken by others ---- */

/* tell_by_turns(told, queue, event, connection): by turns as it is told, until the queue of orders
 * closes.
 */
static brood_status tell_by_turns(brood_call *call)
{
    const brood_value *v[4];
    brood_queue *orders, *queue;
    brood_event *event;
    brood_connection *connection;
    BROOD_TRY(brood_call_args(call, "vvvv", &v[0], &v[1], &v[2], &v[3]));
    BROOD_TRY(brood_get_queue(v[0], &orders));
    BROOD_TRY(brood_get_queue(v[1], &queue));
    BROOD_TRY(brood_get_event(v[2], &event));
    BROOD_TRY(brood_get_connection(v[3], &connection));
    for (;;) {
        brood_value value;
        brood_status status = brood_queue_get(orders, &value, 20000);
        if (status == BROOD_ECLOSED)
            return BROOD_OK;
        BROOD_TRY(status);
        if (value.as.integer % 3 == 0)
            BROOD_TRY(brood_queue_put(queue, brood_int(value.as.integer), 1000));
        else if (value.as.integer % 3 == 1)
            BROOD_TRY(brood_event_set(event));
        else
            BROOD_TRY(brood_connection_send(connection, brood_none(), 1000));
    }
}

static void test_all_kinds_wake_the_same_wait(void **state)
{
    (void)state;
    enum { ROUNDS = 300 };
    brood_queue *orders, *queue;
    brood_event *event;
    brood_connection *ours, *theirs;
    brood_value value;
    bt_ok(brood_queue_create(&orders, NULL));
    bt_ok(brood_queue_create(&queue, NULL));
    bt_ok(brood_event_create(&event));
    bt_ok(brood_pipe(&ours, &theirs, true));
    brood_process *process = bt_process(
        tell_by_turns, brood_pack("vvvv", brood_queue_value(orders), brood_queue_value(queue),
                                  brood_event_value(event), brood_connection_value(theirs)));
    brood_connection_close(theirs);
    brood_wait_item items[] = {
        {.queue = queue}, {.event = event}, {.connection = ours}, {.process = process}};
    for (int i = 0; i < ROUNDS; i++) {
        bt_ok(brood_queue_put(orders, brood_int(i), 0));
        bt_ok(brood_wait(items, 4, 10000));
        for (int j = 0; j < 4; j++)
            assert_int_equal(items[j].ready, j == i % 3);
        if (i % 3 == 0)
            get_int(queue, i);
        else if (i % 3 == 1)
            bt_ok(brood_event_clear(event));
        else
            bt_ok(brood_connection_recv(ours, &value, 5000));
    }
    brood_queue_close(orders);
    items[2] = (brood_wait_item){.queue = queue}; /* named twice */
    bt_ok(brood_wait(items, 4, 10000));
    assert_true(items[3].ready && !items[0].ready && !items[2].ready);
    assert_int_equal(bt_join(process), 0);
    brood_connection_close(ours);
    brood_event_destroy(event);
    brood_queue_destroy(queue);
    brood_queue_destroy(orders);
}

/* put_into(queues): a number to each, in turn, when asked through the first. */
static brood_status put_into(brood_call *call)
{
    const brood_value *queues;
    brood_queue *orders, *queue;
    brood_value value;
    BROOD_TRY(brood_call_args(call, "v", &queues));
    BROOD_TRY(brood_get_queue(brood_item(queues, 0), &orders));
    for (;;) {
        brood_status status = brood_queue_get(orders, &value, 20000);
        if (status == BROOD_ECLOSED)
            return BROOD_OK;
        BROOD_TRY(status);
        BROOD_TRY(brood_get_queue(brood_item(queues, (size_t)value.as.integer), &queue));
        BROOD_TRY(brood_queue_put(queue, value, 1000));
    }
}

static void wait_for_hundreds(bool with_handle)
{
    enum { N = 400 };
    static brood_queue *queues[N];
    static brood_wait_item items[N + 1];
    brood_connection *a, *b;
    brood_value all = brood_list();
    for (int i = 0; i < N; i++) {
        bt_ok(brood_queue_create(&queues[i], NULL));
        bt_ok(brood_append(&all, brood_queue_value(queues[i])));
        items[i] = (brood_wait_item){.queue = queues[i]};
    }
    bt_ok(brood_pipe(&a, &b, true));
    items[N] = (brood_wait_item){.connection = a};
    brood_process *process = bt_process(put_into, brood_pack("(v)", all));
    for (int i = 1; i < N; i += 7) {
        bt_ok(brood_queue_put(queues[0], brood_int(i), 0));
        bt_ok(brood_wait(items + 1, N - 1 + with_handle, 10000));
        for (int j = 1; j < N + with_handle; j++)
            assert_int_equal(items[j].ready, j == i);
        get_int(queues[i], i);
    }
    brood_queue_close(queues[0]);
    assert_int_equal(bt_join(process), 0);
    brood_connection_close(a);
    brood_connection_close(b);
    for (int i = 0; i < N; i++)
        brood_queue_destroy(queues[i]);
}

static void test_hundreds_of_queues_are_waited_for(void **state)
{
    (void)state;
    wait_for_hundreds(false);
    wait_for_hundreds(true);
}

static uint32_t watches(void)
{
    return atomic_load(&bri_the_runtime.arena->head->n_watches);
}

static void test_a_put_rings_the_doorbells_of_those_who_watch(void **state)
{
    (void)state;
    bri_arena *arena = bri_the_runtime.arena;
    _Atomic uint32_t *doorbell = &bri_slot_at(arena, bri_owner_slot(arena->me))->doorbell;
    brood_queue *queues[2];
    for (int i = 0; i < 2; i++)
        bt_ok(brood_queue_create(&queues[i], NULL));
    for (int i = 0; i < 2; i++) {
        bri_shared *object = (bri_shared *)(void *)queues[i];
        _Atomic uint64_t *entry = bri_watch_publish(object->class->watched_word(object));
        assert_false(object->class->is_ready(object));
        uint32_t before = atomic_load(doorbell);
        bt_ok(brood_queue_put(queues[1], brood_int(1), 0));
        assert_int_equal(atomic_load(doorbell), before + (unsigned)i);
        bri_watch_unpublish(entry);
        get_int(queues[1], 1);
    }
    for (int i = 0; i < 2; i++)
        brood_queue_destroy(queues[i]);
}

static void test_a_wait_leaves_nothing_behind(void **state)
{
    (void)state;
    brood_queue *queue;
    bt_ok(brood_queue_create(&queue, NULL));
    brood_wait_item item = {.queue = queue};
    assert_int_equal(brood_wait(&item, 1, 5), BROOD_ETIMEDOUT);
    assert_int_equal(watches(), 0);
    brood_queue_destroy(queue);
}

/* ---- sockets and handles ---- */

static apr_socket_t *listen_somewhere(apr_pool_t *pool, apr_port_t *port)
{
    apr_socket_t *server;
    apr_sockaddr_t *address;
    assert_int_equal(apr_sockaddr_info_get(&address, "127.0.0.1", APR_INET, 0, 0, pool), 0);
    assert_int_equal(apr_socket_create(&server, APR_INET, SOCK_STREAM, APR_PROTO_TCP, pool), 0);
    assert_int_equal(apr_socket_bind(server, address), 0);
    assert_int_equal(apr_socket_listen(server, 5), 0);
    assert_int_equal(apr_socket_addr_get(&address, APR_LOCAL, server), 0);
    *port = address->port;
    return server;
}

static apr_socket_t *connect_to(apr_pool_t *pool, apr_port_t port)
{
    apr_socket_t *client;
    apr_sockaddr_t *address;
    assert_int_equal(apr_sockaddr_info_get(&address, "127.0.0.1", APR_INET, port, 0, pool), 0);
    assert_int_equal(apr_socket_create(&client, APR_INET, SOCK_STREAM, APR_PROTO_TCP, pool), 0);
    assert_int_equal(apr_socket_connect(client, address), 0);
    return client;
}

static intptr_t number_of(apr_socket_t *socket)
{
    apr_os_sock_t number;
    assert_int_equal(apr_os_sock_get(&number, socket), 0);
    return (intptr_t)number;
}

static void test_sockets_are_waited_for_with_queues(void **state)
{
    (void)state;
    apr_pool_t *pool;
    apr_port_t port;
    apr_socket_t *accepted;
    brood_queue *queue;
    assert_int_equal(apr_initialize(), APR_SUCCESS);
    assert_int_equal(apr_pool_create(&pool, NULL), 0);
    bt_ok(brood_queue_create(&queue, NULL));
    apr_socket_t *server = listen_somewhere(pool, &port);
    intptr_t listening = number_of(server);
    brood_wait_item items[] = {{.queue = queue}, {.socket = &listening}, {.socket = &listening}};
    assert_int_equal(brood_wait(items, 3, 20), BROOD_ETIMEDOUT);
    apr_socket_t *client = connect_to(pool, port);
    bt_ok(brood_wait(items, 3, 10000));
    assert_true(!items[0].ready && items[1].ready && items[2].ready);
    assert_int_equal(apr_socket_accept(&accepted, server, pool), 0);
    intptr_t receiving = number_of(accepted);
    items[2].socket = &receiving;
    assert_int_equal(brood_wait(items, 3, 20), BROOD_ETIMEDOUT);
    apr_size_t size = 1;
    assert_int_equal(apr_socket_send(client, "x", &size), 0);
    bt_ok(brood_wait(items + 1, 2, 10000));
    assert_true(!items[1].ready && items[2].ready);
    bt_ok(brood_queue_put(queue, brood_int(1), 0));
    bt_ok(brood_wait(items, 3, 10000));
    assert_true(items[0].ready && !items[1].ready && items[2].ready);
    get_int(queue, 1);
    apr_pool_destroy(pool);
    brood_queue_destroy(queue);
}

static void test_a_handle_is_waited_for_with_queues(void **state)
{
    (void)state;
    brood_queue *orders, *queue;
    brp_watch sentinel;
    bt_ok(brood_queue_create(&orders, NULL));
    bt_ok(brood_queue_create(&queue, NULL));
    brood_process *process = bt_process(put_into, brood_pack("((v))", brood_queue_value(orders)));
    bt_ok(bri_process_sentinel(process, &sentinel));
    brood_wait_item items[] = {{.queue = queue}, {.handle = &sentinel.handle.value}};
    assert_int_equal(brood_wait(items, 2, 20), BROOD_ETIMEDOUT);
    brood_queue_close(orders);
    bt_ok(brood_wait(items, 2, 20000));
    assert_true(!items[0].ready && items[1].ready);
    assert_int_equal(bt_join(process), 0);
    brood_queue_destroy(orders);
    brood_queue_destroy(queue);
}

/* ---- death ---- */

/* Waits for what the other side puts, many times. */
static brood_status wait_and_answer(brood_call *call)
{
    const brood_value *objects, *v[3];
    brood_queue *questions, *answers;
    brood_event *event;
    brood_value value;
    BROOD_TRY(bt_kills_begin(call, &objects));
    BROOD_TRY(brood_unpack(objects, "vvv", &v[0], &v[1], &v[2]));
    BROOD_TRY(brood_get_queue(v[0], &questions));
    BROOD_TRY(brood_get_queue(v[1], &answers));
    BROOD_TRY(brood_get_event(v[2], &event));
    for (int i = 0; i < 3; i++) {
        brood_wait_item items[] = {{.queue = questions}, {.event = event}};
        bt_check(call, brood_wait(&items[1], 1, 2) == BROOD_ETIMEDOUT);
        BROOD_TRY(brood_queue_put(answers, brood_int(i), 20000));
        BROOD_TRY(brood_wait(items, 2, 20000));
        bt_check(call, items[0].ready && !items[1].ready);
        BROOD_TRY(brood_queue_get(questions, &value, 0));
    }
    return bt_kills_end();
}

typedef struct talk {
    brood_queue *questions, *answers;
    brood_event *event;
} talk;

static brood_value give_talk(void *context)
{
    talk *all = context;
    bt_ok(brood_queue_create(&all->questions, NULL));
    bt_ok(brood_queue_create(&all->answers, NULL));
    bt_ok(brood_event_create(&all->event));
    for (int i = 0; i < 3; i++)
        bt_ok(brood_queue_put(all->questions, brood_int(i), 0));
    return brood_pack("vvv", brood_queue_value(all->questions), brood_queue_value(all->answers),
                      brood_event_value(all->event));
}

static void check_talk(void *context, const char *point, int n)
{
    talk *all = context;
    brood_wait_item item = {.queue = all->questions};
    bt_ok(brood_queue_put(all->questions, brood_int(5), 5000));
    if (brood_wait(&item, 1, 5000) != BROOD_OK)
        fail_msg("nothing is ready after %s, %d", point, n);
    brood_queue_destroy(all->questions);
    brood_queue_destroy(all->answers);
    brood_event_destroy(all->event);
}

static void test_a_waiter_that_is_killed_harms_nobody(void **state)
{
    (void)state;
    talk all;
    bt_kills kills = {
        .run = wait_and_answer, .prepare = give_talk, .verify = check_talk, .context = &all};
    assert_true(bt_kill_everywhere(&kills) >= 5);
}

/* The other side is in the table: it is counted a moment before. */
static bool is_watched(void *context)
{
    bri_arena *arena = bri_the_runtime.arena;
    bri_shared *object = context;
    uint64_t entries = 0;
    for (uint32_t i = 0; i < atomic_load(&arena->head->n_parks); i++)
        entries |= atomic_load(bri_park_at(arena, i));
    return entries >> 63 != 0 && (atomic_load(object->class->watched_word(object)) & 1) != 0;
}

/* put_one_and_die(queue, point): when the other side waits. */
static brood_status put_one_and_die(brood_call *call)
{
    const brood_value *v;
    brood_queue *queue;
    const char *point;
    BROOD_TRY(brood_call_args(call, "vs", &v, &point));
    BROOD_TRY(brood_get_queue(v, &queue));
    bt_check(call, bt_await(is_watched, queue, 10000));
    bt_kill_at(point, 1);
    return brood_queue_put(queue, brood_int(1), 5000);
}

/* Whether the putter died. It lives if somebody else rang just before, the sweep of the one that
 * died last for example: then it has nothing to ring, and does not come to the point. */
static bool wait_for_dying(brood_queue *queue, const char *point, bool with_handle)
{
    brood_connection *a, *b;
    bt_ok(brood_pipe(&a, &b, true));
    brood_process *process =
        bt_process(put_one_and_die, brood_pack("vs", brood_queue_value(queue), point));
    brood_wait_item items[] = {{.queue = queue}, {.connection = a}};
    bt_ok(brood_wait(items, 1 + with_handle, 5000));
    assert_true(items[0].ready);
    get_int(queue, 1);
    int code = bt_join(process);
    assert_true(code == -9 || code == 0);
    brood_connection_close(a);
    brood_connection_close(b);
    return code == -9;
}

static void wait_until_one_dies(brood_queue *queue, const char *point, bool with_handle)
{
    for (int i = 0; i < 20; i++) {
        if (wait_for_dying(queue, point, with_handle))
            return;
    }
    fail_msg("no putter has come to %s", point);
}

static void test_a_wake_that_a_dead_putter_owes_is_made_up_for(void **state)
{
    (void)state;
    static const char *const points[] = {"ring-put-done", "ring-put-unlocked", "bell-rung",
                                         "park-wake", "park-doorbell"};
    brood_queue *queue;
    bt_ok(brood_queue_create(&queue, NULL));
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        wait_until_one_dies(queue, points[i], false);
        wait_until_one_dies(queue, points[i], true);
    }
    brood_queue_destroy(queue);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_queues_are_ready_when_a_get_would_not_wait),
        bt_test(test_events_are_ready_while_they_are_set), bt_test(test_an_item_names_one_thing),
        bt_test(test_all_kinds_wake_the_same_wait), bt_test(test_hundreds_of_queues_are_waited_for),
        bt_test(test_a_put_rings_the_doorbells_of_those_who_watch),
        bt_test(test_a_wait_leaves_nothing_behind),
        bt_test(test_sockets_are_waited_for_with_queues),
        bt_test(test_a_handle_is_waited_for_with_queues),
        bt_test(test_a_waiter_that_is_killed_harms_nobody),
        bt_test(test_a_wake_that_a_dead_putter_owes_is_made_up_for));
}
