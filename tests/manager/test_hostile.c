/* Peers that mean no good, or die: the server goes on and serves the others. */
#include <brood/proxy.h>

#include "core/thread.h"
#include "support.h"

#include "data/opaque.h"
#include "ipc/connection.h"
#include "platform/clock.h"
#include "platform/lock.h"

/* A raw session of a client of its own, which ends with it. */
static brood_connection *open_raw(rig *r)
{
    static int clients;
    char name[40];
    brood_connection *connection;
    brood_value reply;
    snprintf(name, sizeof name, "brood:raw-%d", ++clients);
    bt_ok(connect_rig(r, &connection));
    bt_ok(brood_connection_send(connection, brood_pack("(ns(s){})", "accept_connection", name),
                                BROOD_FOREVER));
    bt_ok(brood_connection_recv(connection, &reply, 5000));
    brood_value_clear(&reply);
    return connection;
}

/* The kind of the next reply. */
static void expect_kind(brood_connection *connection, const char *kind)
{
    brood_value reply;
    const char *got;
    bt_ok(brood_connection_recv(connection, &reply, 5000));
    bt_ok(brood_unpack(&reply, "(sx)", &got));
    assert_string_equal(got, kind);
    brood_value_clear(&reply);
}

static void expect_end(brood_connection *connection)
{
    brood_value reply;
    brood_status status;
    while ((status = brood_connection_recv(connection, &reply, 5000)) == BROOD_OK)
        brood_value_clear(&reply);
    assert_true(status == BROOD_EEOF || status == BROOD_EBROKEN);
    brood_connection_close(connection);
}

/* Another client is served as if nothing was. */
static void still_serves(brood_proxy *list)
{
    int64_t before, after;
    bt_ok(brood_proxy_length(list, &before));
    bt_ok(brood_proxy_append(list, brood_int(1)));
    bt_ok(brood_proxy_length(list, &after));
    assert_int_equal(after, before + 1);
}

static void test_junk_is_answered_or_ends_the_session(void **state)
{
    (void)state;
    rig r;
    rig_open_with(&r, (brood_manager_options){.max_message = 100000});
    brood_manager *manager = rig_client(&r);
    brood_proxy *list = make(manager, "list", NONE);

    brood_connection *raw = open_raw(&r);
    static const char *const junk[] = {"",
                                       ".",
                                       "\x80\x04.",
                                       "\x80\x09N.",
                                       "((((",
                                       "cos\nsystem\n(S'id'\ntR.",
                                       "\x80\x04}]s.",
                                       "]q\001h\001a.",
                                       "N."};
    /* An empty message in a pipe of messages wakes nobody who waits. */
    for (size_t i = bt_is_windows() ? 1 : 0; i < sizeof junk / sizeof *junk; i++) {
        bt_ok(brood_connection_send_bytes(raw, junk[i], strlen(junk[i]), BROOD_FOREVER));
        expect_kind(raw, "#TRACEBACK");
    }
    still_serves(list);
    brood_connection_close(raw);

    /* A message that is too long ends it, at once and without the memory for it. */
    static const unsigned char lengths[][12] = {{0x7f, 0xff, 0xff, 0xff},
                                                {0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff},
                                                {0x80, 0, 0, 1}};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t written;
        raw = open_raw(&r);
        brood_status status = bri_connection_write_some(raw, lengths[i], 12, &written);
        assert_true(status == BROOD_OK || bt_is_windows());
        if (status == BROOD_OK)
            expect_end(raw);
        else
            brood_connection_close(raw);
        still_serves(list);
    }

    /* Half a message, and gone. */
    raw = open_raw(&r);
    size_t written;
    bri_connection_write_some(raw, "\0\0\0\x10half", 8, &written);
    brood_connection_close(raw);
    still_serves(list);
    brood_proxy_close(list);
    brood_manager_close(manager);
    rig_close(&r);
}

static void test_what_is_not_ones_own_is_kept(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r), *enemy = rig_client(&r);
    brood_proxy *list = make(manager, "list", NONE);
    for (int i = 0; i < 3; i++) {
        brood_value args = brood_pack("(s)", list->ident);
        bt_fails(bri_control_call(enemy, "decref", &args, NULL, NULL), BROOD_ETASK);
        brood_value_clear(&args);
    }
    brood_connection *raw = open_raw(&r);
    bt_ok(
        brood_connection_send(raw, brood_pack("(ns(s){})", "decref", list->ident), BROOD_FOREVER));
    expect_kind(raw, "#TRACEBACK");
    static const char *const idents[] = {"", "0", "zz", "ffffffffffffffffffffffff", "-1"};
    for (size_t i = 0; i < sizeof idents / sizeof *idents; i++) {
        bt_ok(brood_connection_send(raw, brood_pack("(ss(){})", idents[i], "__len__"),
                                    BROOD_FOREVER));
        expect_kind(raw, "#TRACEBACK");
    }
    brood_connection_close(raw);
    still_serves(list);
    brood_proxy_close(list);
    brood_manager_close(enemy);
    brood_manager_close(manager);
    rig_close(&r);
}

static void test_a_path_is_a_row_of_steps(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *list = make(manager, "list", NONE), *dict = make(manager, "dict", NONE);
    brood_proxy *both[] = {list, dict};
    for (int i = 0; i < 2; i++) {
        expect_raise(both[i], "#AT", brood_pack("(ss)", "abc", "copy"), "TypeError", NULL);
        expect_raise(both[i], "#AT", brood_pack("({si}s)", "a", 1, "copy"), "TypeError", NULL);
    }
    still_serves(list);
    brood_proxy_close(dict);
    brood_proxy_close(list);
    brood_manager_close(manager);
    rig_close(&r);
}

static brood_value slice(int64_t start, int64_t stop, int64_t step)
{
    return bri_opaque_call("builtins", "slice", brood_pack("(lll)", start, stop, step));
}

/* Every second item of a long list goes at once, not with a move of all behind it each. */
static void test_a_slice_is_deleted_at_once(void **state)
{
    (void)state;
    enum { N = 1 << 20, SECONDS = 30 /* it takes a few milliseconds */ };
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_value range = bri_opaque_call("builtins", "range", brood_pack("(iii)", 0, N, 1));
    brood_proxy *list = make(manager, "list", brood_pack("(v)", range));
    bri_deadline deadline = brp_clock_now() + (int64_t)SECONDS * 1000000000;
    bt_ok(brood_proxy_del_item(list, slice(1, N, 2)));
    assert_true(brp_clock_now() < deadline);
    expect(list, "__len__", NONE, "524288");
    bt_ok(brood_proxy_del_item(list, slice(10, N, 1)));
    expect(list, "#GETVALUE", NONE, "[0, 2, 4, 6, 8, 10, 12, 14, 16, 18]");
    bt_ok(brood_proxy_del_item(list, slice(8, 0, -3)));
    expect(list, "#GETVALUE", NONE, "[0, 2, 6, 8, 12, 14, 18]");
    bt_ok(brood_proxy_del_item(list, slice(5, 2, 3)));
    bt_ok(brood_proxy_del_item(list, slice(2, 5, INT64_MAX)));
    bt_ok(brood_proxy_del_item(list, slice(3, 0, INT64_MIN)));
    expect(list, "#GETVALUE", NONE, "[0, 2, 8, 14, 18]");
    brood_proxy_close(list);
    brood_manager_close(manager);
    rig_close(&r);
}

static void test_small_requests_make_no_giants(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *list = make(manager, "list", brood_pack("([i])", 1));
    expect_raise(list, "__imul__", brood_pack("(l)", INT64_MAX), "MemoryError", NULL);
    expect_raise(list, "__mul__", brood_pack("(l)", INT64_C(1) << 40), "MemoryError", NULL);
    /* Deep nesting: by value it is refused, by path it ends. */
    brood_value deep = brood_list();
    for (int i = 0; i < 800; i++)
        deep = brood_pack("[v]", deep);
    assert_int_not_equal(brood_proxy_append(list, deep), BROOD_OK);
    brood_value path = brood_list();
    brood_status status = BROOD_OK;
    bt_ok(brood_proxy_set_item(list, brood_int(0), brood_list()));
    for (int i = 0; i < 200 && status == BROOD_OK; i++) {
        brood_value copy;
        bt_ok(brood_append(&path, brood_int(0)));
        bt_ok(brood_value_copy(&path, &copy));
        status = brood_proxy_call_at(list, copy, "append", brood_pack("([])"), NULL);
    }
    assert_int_equal(status, BROOD_ETASK);
    brood_value_clear(&path);
    still_serves(list);
    brood_proxy_close(list);
    brood_manager_close(manager);
    rig_close(&r);
}

static void test_who_does_not_read_stalls_nobody(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *list = make(manager, "list", NONE);
    static char text[200000];
    memset(text, 'x', sizeof text);
    bt_ok(brood_proxy_append(list, brood_str_n(text, sizeof text)));
    enum { SILENT = 20, ASKED = 50 };
    brood_connection *silent[SILENT];
    for (int i = 0; i < SILENT; i++) {
        silent[i] = open_raw(&r);
        brood_status status = BROOD_OK;
        for (int j = 0; j < ASKED && status == BROOD_OK; j++)
            status = brood_connection_send(
                silent[i], brood_pack("(ss(i){})", list->ident, "__getitem__", 0), 0);
    }
    for (int i = 0; i < 20; i++)
        still_serves(list);
    /* One of them reads after all, and gets everything that it was promised. */
    for (int j = 0; j < 3; j++)
        expect_kind(silent[0], "#RETURN");
    for (int i = 0; i < SILENT; i++)
        brood_connection_close(silent[i]);
    still_serves(list);
    brood_proxy_close(list);
    brood_manager_close(manager);
    rig_close(&r);
}

static void test_limits_hold(void **state)
{
    (void)state;
    rig r;
    rig_open_with(&r, (brood_manager_options){.max_objects = 5, .max_clients = 3});
    brood_manager *manager = rig_client(&r);
    brood_proxy *made[5], *none;
    for (int i = 0; i < 5; i++)
        made[i] = make(manager, "list", NONE);
    bt_fails(brood_manager_object(manager, "list", NONE, &none), BROOD_ETASK);
    bt_message_has("the most");
    brood_connection *raw = open_raw(&r); /* with the client's two this is the third */
    bt_ok(brood_proxy_append(made[0], brood_int(1)));
    brood_connection *more;
    bt_ok(connect_rig(&r, &more));
    expect_end(more);
    brood_connection_close(raw);
    for (int i = 0; i < 5; i++)
        brood_proxy_close(made[i]);
    brood_manager_close(manager);
    rig_close(&r);
}

/* ---- clients that end in the middle of a call ---- */

static void test_a_client_may_end_in_any_call(void **state)
{
    (void)state;
    static const struct {
        const char *type_id;
        const char *first, *call;
    } cases[] = {
        {"Lock", "acquire", "acquire"},
        {"RLock", NULL, "acquire"},
        {"Semaphore", "acquire", "acquire"},
        {"Condition", "acquire", "wait"},
        {"Event", NULL, "wait"},
        {"Queue", "empty", "get"}, /* the loop has the session by then, so it sees the end soon */
        {"JoinableQueue", NULL, "join"},
        {"list", NULL, "pop"},
    };
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        brood_proxy *object = make(manager, cases[i].type_id, NONE);
        brood_connection *raw = open_raw(&r);
        if (cases[i].first != NULL) {
            bt_ok(brood_connection_send(raw, brood_pack("(ss(){})", object->ident, cases[i].first),
                                        BROOD_FOREVER));
            expect_kind(raw, "#RETURN");
        }
        bt_ok(brood_connection_send(raw, brood_pack("(ss(){})", object->ident, cases[i].call),
                                    BROOD_FOREVER));
        brood_connection_close(raw);
        if (strcmp(cases[i].call, "acquire") == 0 || strcmp(cases[i].call, "wait") == 0) {
            if (strcmp(cases[i].type_id, "Event") != 0) {
                bt_ok(brood_proxy_acquire(object, 5000)); /* it was given back */
                bt_ok(brood_proxy_release(object));
            }
        }
        if (strcmp(cases[i].call, "get") == 0) {
            brood_value got;
            int64_t n;
            /* A round of the server's loop each: it has read the call, and seen the end. */
            for (int round = 0; round < 3; round++)
                bt_ok(brood_manager_number_of_objects(manager, &n));
            bt_ok(brood_proxy_put(object, brood_int(7), 0));
            bt_ok(brood_proxy_get(object, &got, 5000));
            assert_int_equal(got.as.integer, 7);
        }
        brood_proxy_close(object);
    }
    int64_t n;
    bt_ok(brood_manager_number_of_objects(manager, &n));
    assert_int_equal(n, 0);
    brood_manager_close(manager);
    rig_close(&r);
}

/* A party that dies breaks the barrier for those that wait for it. */
typedef struct party {
    brood_proxy *barrier;
    brood_status status;
} party;

static void wait_at_barrier(void *context)
{
    party *p = context;
    p->status = brood_proxy_call(p->barrier, "wait", NONE, NULL);
}

static void test_a_dead_party_breaks_the_barrier(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *barrier = make(manager, "Barrier", brood_pack("(i)", 3));
    party p = {barrier, BROOD_OK};
    bri_thread *thread;
    bt_ok(bri_thread_start(&thread, wait_at_barrier, &p));
    brood_connection *raw = open_raw(&r);
    bt_ok(
        brood_connection_send(raw, brood_pack("(ss(){})", barrier->ident, "wait"), BROOD_FOREVER));
    brood_value waiting = {0};
    do {
        brood_value_clear(&waiting);
        bt_ok(brood_proxy_get_attr(barrier, "n_waiting", &waiting));
    } while (waiting.as.integer != 2);
    brood_connection_close(raw);
    bri_thread_join(thread);
    assert_int_equal(p.status, BROOD_EBROKEN);
    brood_proxy_close(barrier);
    brood_manager_close(manager);
    rig_close(&r);
}

/* ---- many clients ---- */

enum { MANY = 300 };

static void test_hundreds_of_sessions_are_served(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *counter = make(manager, "Value", brood_pack("(si)", "i", 0));
    brood_proxy *event = make(manager, "Event", NONE);
    static brood_connection *sessions[MANY];
    int n = bt_is_windows() ? 150 : MANY; /* a pair of handles each, in this one process */
    for (int i = 0; i < n; i++)
        sessions[i] = open_raw(&r);
    for (int i = 0; i < n; i++)
        bt_ok(brood_connection_send(
            sessions[i], brood_pack("(ss(i){})", counter->ident, "#INCR", 1), BROOD_FOREVER));
    for (int i = 0; i < n; i++)
        expect_kind(sessions[i], "#RETURN");
    int64_t sum;
    bt_ok(brood_proxy_incr(counter, 0, NONE, &sum));
    assert_int_equal(sum, n);
    for (int i = 0; i < n; i++)
        bt_ok(brood_connection_send(sessions[i], brood_pack("(ss(){})", event->ident, "wait"),
                                    BROOD_FOREVER));
    bt_ok(brood_proxy_set(event));
    for (int i = 0; i < n; i++) {
        expect_kind(sessions[i], "#RETURN");
        brood_connection_close(sessions[i]);
    }
    brood_proxy_close(event);
    brood_proxy_close(counter);
    brood_manager_close(manager);
    rig_close(&r);
}

/* ---- a server that is held up ---- */

static struct {
    brp_mutex *lock;
    brp_condition *changed;
    bool inside, open;
} gate;

static brood_status make_gate(brood_call *call, void **object)
{
    (void)call;
    *object = &gate;
    return BROOD_OK;
}

/* The server's loop stands still until the gate is open. */
static brood_status hold_gate(brood_call *call)
{
    (void)call;
    brp_mutex_lock(gate.lock);
    gate.inside = true;
    brp_condition_broadcast(gate.changed);
    while (!gate.open)
        brp_condition_wait(gate.changed, gate.lock, BRI_NEVER);
    brp_mutex_unlock(gate.lock);
    return BROOD_OK;
}

static const brood_method gate_methods[] = {{.name = "hold", .run = hold_gate}};
static const brood_manager_type gate_type = {
    .type_id = "Gate", .create = make_gate, .methods = gate_methods, .n_methods = 1};

static void call_hold(void *proxy)
{
    bt_ok(brood_proxy_call(proxy, "hold", NONE, NULL));
}

/* Each gets the lock from the one before, and has ended as well. */
static void check_end_together(rig *r, const char *typeid)
{
    brood_manager *manager = rig_client(r);
    brood_proxy *lock = make(manager, typeid, NONE);
    brood_proxy *held_up = make(manager, "Gate", NONE);
    static brood_connection *sessions[MANY];
    bri_thread *thread;
    int64_t n_objects;
    int n = bt_is_windows() ? 100 : MANY;
    for (int i = 0; i < n; i++) {
        sessions[i] = open_raw(r);
        bt_ok(brood_connection_send(sessions[i], brood_pack("(ss(){})", lock->ident, "acquire"),
                                    BROOD_FOREVER));
        if (i == 0)
            expect_kind(sessions[i], "#RETURN");
    }
    for (int round = 0; round < 20; round++)
        bt_ok(brood_manager_number_of_objects(manager, &n_objects));
    gate.inside = gate.open = false;
    bt_ok(bri_thread_start(&thread, call_hold, held_up));
    brp_mutex_lock(gate.lock);
    while (!gate.inside)
        brp_condition_wait(gate.changed, gate.lock, BRI_NEVER);
    for (int i = 0; i < n; i++)
        brood_connection_close(sessions[i]);
    gate.open = true;
    brp_condition_broadcast(gate.changed);
    brp_mutex_unlock(gate.lock);
    bri_thread_join(thread);
    bt_ok(brood_proxy_acquire(lock, 5000));
    bt_ok(brood_proxy_release(lock));
    brood_proxy_close(held_up);
    brood_proxy_close(lock);
    brood_manager_close(manager);
}

static void test_hundreds_that_wait_end_together(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    bt_ok(brp_mutex_create(&gate.lock));
    bt_ok(brp_condition_create(&gate.changed));
    check_end_together(&r, "RLock");
    check_end_together(&r, "Lock");
    rig_close(&r);
    brp_condition_destroy(gate.changed);
    brp_mutex_destroy(gate.lock);
}

int main(int argc, char **argv)
{
    bt_ok(brood_manager_register(&gate_type));
    return bt_main(
        argc, argv, bt_test(test_junk_is_answered_or_ends_the_session),
        bt_test(test_what_is_not_ones_own_is_kept), bt_test(test_a_path_is_a_row_of_steps),
        bt_test(test_a_slice_is_deleted_at_once), bt_test(test_small_requests_make_no_giants),
        bt_test(test_who_does_not_read_stalls_nobody), bt_test(test_limits_hold),
        bt_test(test_a_client_may_end_in_any_call), bt_test(test_a_dead_party_breaks_the_barrier),
        bt_test(test_hundreds_of_sessions_are_served),
        bt_test(test_hundreds_that_wait_end_together));
}
