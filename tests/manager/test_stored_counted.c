/* The limit on what objects contain: what else counts, and for whom. */
#include "stored.h"

/* A path may lead into another object, which then has what is put there. */
static void test_paths_lead_into_other_objects(void **state)
{
    (void)state;
    stage s;
    open_stage(&s, (brood_manager_options){.max_stored = LIMIT});
    brood_proxy *inner = make(s.manager, "list", NONE), *outer = make(s.manager, "dict", NONE);
    bt_ok(brood_proxy_call(outer, "__setitem__", brood_pack("(sv)", "in", brood_proxy_value(inner)),
                           NULL));
    bt_ok(
        brood_proxy_call(outer, "#AT", brood_pack("((s)s(v))", "in", "append", text(1000)), NULL));
    bt_ok(brood_proxy_call(outer, "#SET", brood_pack("(vsi)", text(2000), "in", 0), NULL));
    brood_proxy_close(outer);
    size_t with_inner = room(s.probe);
    assert_true(with_inner < s.free - 2000);
    expect(inner, "__len__", NONE, "1");
    bt_ok(brood_proxy_call(inner, "pop", NONE, NULL));
    assert_true(room(s.probe) >= with_inner + 2000);
    brood_proxy_close(inner);
    expect_all_back(&s, "paths");
    close_stage(&s);
}

static void test_iterators_count(void **state)
{
    (void)state;
    stage s;
    open_stage(&s, (brood_manager_options){.max_stored = LIMIT});
    brood_proxy *dict = make(s.manager, "dict", NONE), *iterators[100];
    for (int i = 0; i < 100; i++)
        bt_ok(brood_proxy_call(dict, "__setitem__", brood_pack("(ii)", i, i), NULL));
    int n = 0;
    while (n < 100 && brood_proxy_call_object(dict, "__iter__", NONE, &iterators[n]) == BROOD_OK)
        n++;
    assert_true(n > 10 && n < 100);
    bt_message_has("MemoryError: there is no room for ");
    while (n > 0)
        brood_proxy_close(iterators[--n]);
    brood_proxy_close(dict);
    expect_all_back(&s, "iterators");
    close_stage(&s);
}

static void test_a_queue_counts_its_items(void **state)
{
    (void)state;
    stage s;
    open_stage(&s, (brood_manager_options){.max_stored = LIMIT});
    brood_proxy *queue = make(s.manager, "Queue", NONE);
    size_t empty = room(s.probe);
    for (int round = 0; round < 3; round++) {
        int n = 0;
        while (brood_proxy_call(queue, "put", brood_pack("(v)", text(500)), NULL) == BROOD_OK)
            n++;
        bt_message_has("MemoryError: there is no room for ");
        assert_in_range(n, LIMIT / 1000, LIMIT / 500);
        refused(queue, "put_nowait", brood_pack("(v)", text(500)));
        for (; n > 0; n--)
            bt_ok(brood_proxy_call(queue, "get", NONE, NULL));
        assert_int_equal(room(s.probe), empty);
    }
    bt_ok(brood_proxy_call(queue, "put", brood_pack("(v)", text(500)), NULL));
    brood_proxy_close(queue);
    expect_all_back(&s, "queue");
    close_stage(&s);
}

/* A put that waits has its item with it. */
static void test_a_put_that_waits_counts(void **state)
{
    (void)state;
    stage s;
    brood_value reply;
    open_stage(&s, (brood_manager_options){.max_stored = LIMIT});
    brood_proxy *queue = make(s.manager, "Queue", brood_pack("(i)", 1));
    size_t empty = room(s.probe);
    bt_ok(brood_proxy_call(queue, "put", brood_pack("(i)", 1), NULL));
    size_t full = room(s.probe);
    /* one whose time is up */
    bt_fails(brood_proxy_call(queue, "put", brood_pack("(vif)", text(500), 1, 0.05), NULL),
             BROOD_EFULL);
    assert_int_equal(room(s.probe), full);
    refused(queue, "put", brood_pack("(v)", text(LIMIT)));
    /* one whose session ends, one that gets in */
    for (int i = 0; i < 2; i++) {
        brood_connection *connection;
        bt_ok(connect_rig(&s.r, &connection));
        bt_ok(brood_connection_send(
            connection, brood_pack("(ns(s){})", "accept_connection", "brood:x"), 10000));
        bt_ok(brood_connection_recv(connection, &reply, 20000));
        brood_value_clear(&reply);
        bt_ok(brood_connection_send(
            connection, brood_pack("(ss(v){})", queue->ident, "put", text(500)), 10000));
        while (room(s.probe) >= full - 500)
            continue; /* until it waits there */
        if (i == 1) {
            expect(queue, "get", NONE, "1");
            bt_ok(brood_connection_recv(connection, &reply, 20000));
            brood_value_clear(&reply);
            assert_in_range(room(s.probe), empty - 600, empty - 500);
            bt_ok(brood_proxy_call(queue, "get", NONE, NULL));
            assert_int_equal(room(s.probe), empty);
        }
        brood_connection_close(connection);
        while (i == 0 && room(s.probe) != full)
            continue; /* until it is gone */
    }
    brood_proxy_close(queue);
    expect_all_back(&s, "put");
    close_stage(&s);
}

static void test_a_client_that_takes_all_it_gets(void **state)
{
    (void)state;
    stage s;
    open_stage(&s, (brood_manager_options){.max_stored = LIMIT, .max_client_stored = LIMIT / 2});
    brood_manager *greedy = rig_client(&s.r);
    brood_proxy *theirs[20], *none = NULL;
    int n = 0, refusals = 0;
    while (refusals == 0 && n < 20) {
        if (brood_manager_object(greedy, n % 2 == 0 ? "list" : "Queue", NONE, &none) != BROOD_OK)
            break;
        theirs[n++] = none;
        for (int i = 0; i < 10 && refusals == 0; i++)
            refusals += brood_proxy_call(none, n % 2 == 1 ? "append" : "put",
                                         brood_pack("(v)", text(1000)), NULL) == BROOD_ELIMIT;
    }
    assert_int_equal(refusals, 1);
    bt_message_has("the objects of one client have ");
    /* Others have their share, and serve themselves from what the greedy one has. */
    brood_value ours;
    bt_ok(brood_proxy_append(s.probe, text(LIMIT / 3)));
    bt_ok(brood_proxy_call(s.probe, "pop", NONE, &ours));
    brood_value_clear(&ours);
    /* What others put into its objects counts for it. */
    brood_proxy *found;
    brood_value proxy = brood_proxy_value(theirs[0]);
    bt_ok(brood_proxy_append(s.probe, proxy));
    brood_value got;
    bt_ok(brood_proxy_call(s.probe, "pop", NONE, &got));
    bt_ok(brood_get_proxy(&got, &found));
    bt_fails(brood_proxy_append(found, text(1000)), BROOD_ELIMIT);
    brood_value_clear(&got);
    while (n > 0)
        brood_proxy_close(theirs[--n]);
    brood_proxy *again = make(greedy, "list", NONE);
    bt_ok(brood_proxy_append(again, text(LIMIT / 3)));
    brood_proxy_close(again);
    brood_manager_close(greedy);
    expect_all_back(&s, "clients");
    close_stage(&s);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_paths_lead_into_other_objects),
                   bt_test(test_iterators_count), bt_test(test_a_queue_counts_its_items),
                   bt_test(test_a_put_that_waits_counts),
                   bt_test(test_a_client_that_takes_all_it_gets));
}
