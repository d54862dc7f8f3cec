/* brood-test: start-methods */
/* Waiting for any of many connections and processes. */
#include "harness.h"

static brood_status wait_to_be_told(brood_call *call)
{
    const brood_value *value;
    brood_connection *connection;
    brood_value message;
    int64_t code;
    BROOD_TRY(brood_call_args(call, "vi", &value, &code));
    BROOD_TRY(brood_get_connection(value, &connection));
    BROOD_TRY(brood_connection_recv(connection, &message, 20000));
    brood_exit((int)code);
    return BROOD_OK;
}

static void test_nothing_ready_is_a_time_out(void **state)
{
    (void)state;
    brood_connection *a, *b;
    bt_ok(brood_pipe(&a, &b, true));
    brood_wait_item items[2] = {{.connection = a, .ready = true}, {.connection = b}};
    assert_int_equal(brood_wait(items, 2, 0), BROOD_ETIMEDOUT);
    brood_ms begun = brood_now();
    assert_int_equal(brood_wait(items, 2, 40), BROOD_ETIMEDOUT);
    assert_true(brood_now() - begun >= 40);
    assert_true(!items[0].ready && !items[1].ready);
    brood_connection_close(a);
    brood_connection_close(b);
}

static void test_all_that_are_ready_are_marked(void **state)
{
    (void)state;
    enum { N = 100 };
    brood_connection *ours[N], *theirs[N];
    brood_wait_item items[N];
    brood_value value;
    for (int i = 0; i < N; i++) {
        bt_ok(brood_pipe(&ours[i], &theirs[i], true));
        items[i] = (brood_wait_item){.connection = ours[i]};
    }
    bt_ok(brood_connection_send(theirs[7], brood_int(1), 1000));
    bt_ok(brood_connection_send(theirs[7], brood_int(2), 1000));
    bt_ok(brood_wait(items, N, 5000));
    for (int i = 0; i < N; i++)
        assert_int_equal(items[i].ready, i == 7);
    /* The second message may have been read ahead. */
    bt_ok(brood_connection_recv(ours[7], &value, 0));
    brood_connection_close(theirs[90]);
    bt_ok(brood_wait(items, N, 5000));
    for (int i = 0; i < N; i++)
        assert_int_equal(items[i].ready, i == 7 || i == 90);
    bt_ok(brood_connection_recv(ours[7], &value, 0));
    assert_int_equal(value.as.integer, 2);
    bt_ok(brood_wait(items, N, 5000));
    for (int i = 0; i < N; i++)
        assert_int_equal(items[i].ready, i == 90);
    for (int i = 0; i < N; i++) {
        brood_connection_close(ours[i]);
        if (i != 90)
            brood_connection_close(theirs[i]);
    }
}

static void test_processes_and_connections_together(void **state)
{
    (void)state;
    brood_connection *ours, *theirs, *other, *another;
    bt_ok(brood_pipe(&ours, &theirs, true));
    bt_ok(brood_pipe(&other, &another, true));
    brood_process *process =
        bt_process(wait_to_be_told, brood_pack("vi", brood_connection_value(theirs), 3));
    brood_wait_item items[2] = {{.process = process}, {.connection = other}};
    assert_int_equal(brood_wait(items, 2, 20), BROOD_ETIMEDOUT);
    bt_ok(brood_connection_send(another, brood_none(), 1000));
    bt_ok(brood_wait(items, 2, 5000));
    assert_true(!items[0].ready && items[1].ready);
    bt_ok(brood_connection_send(ours, brood_none(), 1000));
    bt_ok(brood_wait(items, 1, 20000));
    assert_true(items[0].ready);
    /* It stays ready. */
    bt_ok(brood_wait(items, 2, 0));
    assert_true(items[0].ready && items[1].ready);
    assert_int_equal(bt_join(process), 3);
    brood_connection_close(ours);
    brood_connection_close(theirs);
    brood_connection_close(other);
    brood_connection_close(another);
}

static void test_an_item_names_one_thing(void **state)
{
    (void)state;
    brood_connection *a, *b;
    bt_ok(brood_pipe(&a, &b, false));
    brood_wait_item item = {0};
    bt_fails(brood_wait(&item, 1, 0), BROOD_EINVALID);
    item.connection = b;
    bt_fails(brood_wait(&item, 1, 0), BROOD_ESTATE);
    bt_fails(brood_wait(NULL, 0, BROOD_FOREVER), BROOD_EINVALID);
    brood_connection_close(a);
    brood_connection_close(b);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_nothing_ready_is_a_time_out),
                   bt_test(test_all_that_are_ready_are_marked),
                   bt_test(test_processes_and_connections_together),
                   bt_test(test_an_item_names_one_thing));
}
