/* A server's limits: what is refused, with which words, and that nobody else notices. */
#include <brood/proxy.h>
#include <brood/wait.h>

#include "support.h"

#include "ipc/connection.h"

enum { PATIENCE = 20000 };

static brood_connection *dial(rig *r)
{
    brood_connection *connection;
    bt_ok(connect_rig(r, &connection));
    return connection;
}

/* The reply's kind and, if it is text, its value. */
static void expect_reply(brood_connection *connection, const char *kind, const char *text)
{
    brood_value reply;
    const brood_value *value;
    const char *got, *words;
    bt_ok(brood_connection_recv(connection, &reply, PATIENCE));
    bt_ok(brood_unpack(&reply, "(sv)", &got, &value));
    if (text != NULL) {
        bt_ok(brood_get_str(value, &words, NULL));
        if (strstr(words, text) == NULL)
            print_error("%s: %s\n", got, words);
        assert_non_null(strstr(words, text));
    }
    assert_string_equal(got, kind);
    brood_value_clear(&reply);
}

static void begin(brood_connection *connection, const char *client)
{
    bt_ok(brood_connection_send(connection, brood_pack("(ns(s){})", "accept_connection", client),
                                PATIENCE));
}

static brood_connection *open_session(rig *r, const char *client)
{
    brood_connection *connection = dial(r);
    begin(connection, client);
    expect_reply(connection, "#RETURN", NULL);
    return connection;
}

static void expect_end(brood_connection *connection)
{
    brood_value reply;
    brood_status status;
    while ((status = brood_connection_recv(connection, &reply, PATIENCE)) == BROOD_OK)
        brood_value_clear(&reply);
    assert_true(status == BROOD_EEOF || status == BROOD_EBROKEN);
}

static void test_a_client_has_so_many_sessions(void **state)
{
    (void)state;
    rig r;
    rig_open_with(&r, (brood_manager_options){.max_client_sessions = 3});
    brood_connection *sessions[4], *more = dial(&r);
    for (int i = 0; i < 3; i++)
        sessions[i] = open_session(&r, "brood:one");
    begin(more, "brood:one");
    expect_reply(more, "#TRACEBACK", "a client has 3 at most");
    expect_end(more);
    brood_connection_close(more);
    sessions[3] = open_session(&r, "brood:other");
    brood_connection_close(sessions[0]);
    do { /* until the server has seen that */
        more = dial(&r);
        begin(more, "brood:one");
        brood_value reply;
        bt_ok(brood_connection_recv(more, &reply, PATIENCE));
        const char *kind;
        bt_ok(brood_unpack(&reply, "(sx)", &kind));
        sessions[0] = strcmp(kind, "#RETURN") == 0 ? more : NULL;
        brood_value_clear(&reply);
        if (sessions[0] == NULL)
            brood_connection_close(more);
    } while (sessions[0] == NULL);
    for (int i = 0; i < 4; i++)
        brood_connection_close(sessions[i]);
    rig_close(&r);
}

/* brood's own client learns why. */
static void test_a_client_of_brood_is_told_the_limit(void **state)
{
    (void)state;
    rig r;
    rig_open_with(&r, (brood_manager_options){.max_client_sessions = 1});
    brood_manager *manager = rig_client(&r);
    brood_proxy *list = make(manager, "list", NONE); /* over the first session */
    bt_fails(brood_proxy_append(list, brood_int(1)), BROOD_ELIMIT);
    bt_message_has("a client has 1 at most");
    brood_proxy_close(list);
    brood_manager_close(manager);
    rig_close(&r);
}

static void test_a_client_refers_to_so_many_objects(void **state)
{
    (void)state;
    rig r;
    rig_open_with(&r, (brood_manager_options){.max_client_objects = 3});
    brood_manager *one = rig_client(&r), *other = rig_client(&r);
    brood_proxy *made[3], *none = NULL, *theirs;
    made[0] = make(one, "dict", NONE);
    for (int i = 1; i < 3; i++)
        made[i] = make(one, "list", NONE);
    bt_fails(brood_manager_object(one, "list", NONE, &none), BROOD_ETASK);
    bt_message_has("a client has 3 at most");
    expect_raise(made[0], "__iter__", NONE, "RuntimeError", NULL);
    int64_t n;
    bt_ok(brood_manager_number_of_objects(other, &n));
    assert_int_equal(n, 3); /* what was refused is not left */
    theirs = make(other, "list", NONE);
    brood_value args = brood_pack("(s)", theirs->ident);
    bt_fails(bri_control_call(one, "incref", &args, NULL, NULL), BROOD_ETASK);
    brood_value_clear(&args);
    args = brood_pack("(s)", made[1]->ident); /* it has that one already */
    bt_ok(bri_control_call(one, "incref", &args, NULL, NULL));
    bt_ok(bri_control_call(one, "decref", &args, NULL, NULL));
    brood_value_clear(&args);
    brood_proxy_close(made[2]);
    made[2] = make(one, "list", NONE);
    for (int i = 0; i < 3; i++)
        brood_proxy_close(made[i]);
    brood_proxy_close(theirs);
    brood_manager_close(one);
    brood_manager_close(other);
    rig_close(&r);
}

/* What Python's clients send over TCP: a connection for each request, and nothing tells whose. */
static void control(rig *r, brood_value request, const char *kind, const char *text)
{
    brood_connection *connection = dial(r);
    bt_ok(brood_connection_send(connection, request, PATIENCE));
    expect_reply(connection, kind, text);
    brood_connection_close(connection);
}

static void create_over_tcp(rig *r, char *ident, size_t room)
{
    brood_value reply;
    const char *kind, *made;
    brood_connection *connection = dial(r);
    bt_ok(brood_connection_send(connection, brood_pack("(ns(s){})", "create", "list"), PATIENCE));
    bt_ok(brood_connection_recv(connection, &reply, PATIENCE));
    bt_ok(brood_unpack(&reply, "(s(sx))", &kind, &made));
    snprintf(ident, room, "%s", made);
    brood_value_clear(&reply);
    brood_connection_close(connection);
}

static void test_unknown_clients_of_a_host_make_so_many_objects(void **state)
{
    (void)state;
    enum { OBJECTS = 3, FILLED = 10000 };
    static char text[FILLED];
    char idents[OBJECTS][40];
    rig r;
    memset(text, 'x', sizeof text);
    rig_open_with(&r, (brood_manager_options){.max_client_objects = OBJECTS,
                                              .max_client_stored = 2 * FILLED,
                                              .address = "127.0.0.1:0"});
    for (int i = 0; i < OBJECTS; i++)
        create_over_tcp(&r, idents[i], sizeof idents[i]);
    control(&r, brood_pack("(ns(s){})", "create", "Lock"), "#TRACEBACK",
            "the clients of \"127.0.0.1\" have made 3, the most");
    /* They share a limit of bytes, too; a client that is known has its own. */
    brood_connection *session = open_session(&r, "some process");
    for (int i = 0; i < 2; i++)
        bt_ok(brood_connection_send(
            session, brood_pack("(ss(v){})", idents[i], "append", brood_str_n(text, sizeof text)),
            PATIENCE));
    expect_reply(session, "#RETURN", NULL);
    expect_reply(session, "#ERROR", NULL);
    brood_manager *manager = rig_client(&r);
    brood_proxy *list = make(manager, "list", NONE);
    bt_ok(brood_proxy_append(list, brood_str_n(text, sizeof text)));
    /* With one less there is room for another. */
    control(&r, brood_pack("(ns(s){})", "decref", idents[0]), "#RETURN", NULL);
    create_over_tcp(&r, idents[0], sizeof idents[0]);
    control(&r, brood_pack("(ns(s){})", "create", "list"), "#TRACEBACK", "have made 3");
    bt_ok(brood_connection_send(
        session, brood_pack("(ss(v){})", idents[1], "append", brood_str_n(text, sizeof text)),
        PATIENCE));
    expect_reply(session, "#RETURN", NULL);
    brood_proxy_close(list);
    brood_manager_close(manager);
    brood_connection_close(session);
    rig_close(&r);
}

/* ---- bytes ---- */

enum { LIMIT = 1 << 20, HALF = 600 << 10 };

/* Begins a request that is longer than what is sent of it. */
static brood_status send_half(brood_connection *connection)
{
    static unsigned char bytes[HALF] = {0, 0x0a, 0, 0}; /* 10 << 16 bytes are announced */
    size_t sent = 0, written;
    brood_status status = BROOD_ETIMEDOUT;
    while (sent < sizeof bytes && status == BROOD_ETIMEDOUT) {
        status = bri_connection_write_some(connection, bytes + sent, sizeof bytes - sent, &written);
        sent += written;
    }
    return status;
}

/* Both announce more together than there may be. The server ends whichever it finds going on when
 * the other has what is left. */
static void check_halves(rig *r, const char *first, const char *second)
{
    brood_connection *one = open_session(r, first), *other = open_session(r, second);
    brood_wait_item both[] = {{.connection = one}, {.connection = other}};
    bt_ok(send_half(one));
    send_half(other); /* it may end before all is written */
    bt_ok(brood_wait(both, 2, PATIENCE));
    expect_end(both[0].ready ? one : other);
    brood_connection *another = open_session(r, "brood:another");
    bt_ok(brood_connection_send(another, brood_pack("(ns(s[iii]){})", "create", "list", 1, 2, 3),
                                PATIENCE));
    expect_reply(another, "#RETURN", NULL);
    brood_connection_close(one);
    brood_connection_close(other);
    brood_connection_close(another);
}

static void test_a_clients_requests_have_so_many_bytes(void **state)
{
    (void)state;
    rig r;
    if (bt_is_windows()) /* a pipe's messages come whole */
        rig_open_with(&r,
                      (brood_manager_options){.max_client_bytes = LIMIT, .address = "127.0.0.1:0"});
    else
        rig_open_with(&r, (brood_manager_options){.max_client_bytes = LIMIT});
    check_halves(&r, "brood:one", "brood:one");
    rig_close(&r);
}

static void test_all_requests_have_so_many_bytes(void **state)
{
    (void)state;
    rig r;
    rig_open_with(&r, (brood_manager_options){.max_bytes = LIMIT, .address = "127.0.0.1:0"});
    check_halves(&r, "brood:one", "brood:two");
    rig_close(&r);
}

static void test_unread_replies_have_so_many_bytes(void **state)
{
    (void)state;
    enum { SESSIONS = 8, ASKED = 40 };
    static char text[100000];
    rig r;
    rig_open_with(&r, (brood_manager_options){.max_client_bytes = 200000});
    memset(text, 'x', sizeof text);
    brood_manager *manager = rig_client(&r);
    brood_proxy *list = make(manager, "list", NONE);
    bt_ok(brood_proxy_append(list, brood_str_n(text, sizeof text)));
    brood_connection *silent[SESSIONS];
    int ended = 0;
    for (int i = 0; i < SESSIONS; i++) {
        silent[i] = open_session(&r, "brood:silent");
        for (int j = 0; j < ASKED; j++)
            if (brood_connection_send(silent[i],
                                      brood_pack("(ss(i){})", list->ident, "__getitem__", 0),
                                      0) != BROOD_OK)
                break;
    }
    /* What does not go out is more than the limit for some of them; those that read get all. */
    for (int i = 0; i < SESSIONS; i++) {
        brood_value reply;
        brood_status status = BROOD_OK;
        for (int j = 0; j < ASKED && status == BROOD_OK; j++) {
            status = brood_connection_recv(silent[i], &reply, PATIENCE);
            if (status == BROOD_OK)
                brood_value_clear(&reply);
        }
        ended += status != BROOD_OK;
        brood_connection_close(silent[i]);
    }
    assert_true(ended > 0 && ended < SESSIONS);
    int64_t length;
    bt_ok(brood_proxy_length(list, &length));
    assert_int_equal(length, 1);
    brood_proxy_close(list);
    brood_manager_close(manager);
    rig_close(&r);
}

static brood_status get_only(brood_call *call, void **object)
{
    static int only;
    (void)call;
    *object = &only;
    return BROOD_OK;
}

static const brood_manager_type only_type = {.type_id = "Only", .create = get_only};
static const brood_manager_type twin_type = {.type_id = "Twin", .create = get_only};

/* An object that a constructor gives again is not counted again; that of another type is another.
 */
static void test_an_object_is_made_once(void **state)
{
    (void)state;
    rig r;
    rig_open_with(&r, (brood_manager_options){.max_client_objects = 2, .address = "127.0.0.1:0"});
    for (int i = 0; i < 4; i++)
        control(&r, brood_pack("(ns(s){})", "create", "Only"), "#RETURN", NULL);
    control(&r, brood_pack("(ns(s){})", "create", "Twin"), "#RETURN", NULL);
    control(&r, brood_pack("(ns(s){})", "create", "Twin"), "#RETURN", NULL);
    control(&r, brood_pack("(ns(s){})", "create", "list"), "#TRACEBACK", "have made 2");
    rig_close(&r);
}

static void test_a_server_in_a_child_has_the_limits_too(void **state)
{
    (void)state;
    brood_manager *manager;
    brood_proxy *list, *none = NULL;
    bt_ok(brood_manager_start(&manager, &(brood_manager_options){.max_client_objects = 1}));
    list = make(manager, "list", NONE);
    bt_fails(brood_manager_object(manager, "list", NONE, &none), BROOD_ETASK);
    bt_message_has("a client has 1 at most");
    brood_proxy_close(list);
    brood_manager_close(manager);
}

int main(int argc, char **argv)
{
    bt_ok(brood_manager_register(&only_type));
    bt_ok(brood_manager_register(&twin_type));
    return bt_main(argc, argv, bt_test(test_a_client_has_so_many_sessions),
                   bt_test(test_a_client_of_brood_is_told_the_limit),
                   bt_test(test_a_client_refers_to_so_many_objects),
                   bt_test(test_unknown_clients_of_a_host_make_so_many_objects),
                   bt_test(test_a_clients_requests_have_so_many_bytes),
                   bt_test(test_all_requests_have_so_many_bytes),
                   bt_test(test_unread_replies_have_so_many_bytes),
                   bt_test(test_an_object_is_made_once),
                   bt_test(test_a_server_in_a_child_has_the_limits_too));
}
