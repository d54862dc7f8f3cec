/* Addresses in tokens: a server at every address of a host, and clients that know it by name. */
#include <brood/listener.h>
#include <brood/proxy.h>

#include "core/thread.h"
#include "support.h"

#include "data/opaque.h"

static brood_value ask(brood_connection *connection, brood_value request)
{
    brood_value reply, result;
    const char *kind;
    bt_ok(brood_connection_send(connection, request, 5000));
    bt_ok(brood_connection_recv(connection, &reply, 5000));
    bt_ok(brood_unpack(&reply, "(sx)", &kind));
    assert_string_equal(kind, "#RETURN");
    bt_ok(brood_take_item(&reply, 1, &result));
    brood_value_clear(&reply);
    return result;
}

static void run_server(void *server)
{
    bt_ok(bri_server_run(server));
}

static void dial(void *context)
{
    void **all = context;
    bt_ok(brood_connect((brood_connection **)all[1], all[0], NULL, 5000));
}

/* Only the token says 0.0.0.0: the test itself listens at the loopback. */
static void test_a_token_names_the_address_that_the_client_knows(void **state)
{
    (void)state;
    brood_listener *listener;
    brood_connection *ours, *theirs;
    bri_thread *thread, *caller;
    bri_server *server;
    bt_ok(brood_listener_create(&listener, "127.0.0.1:0", NULL));
    const char *address = brood_listener_address(listener);
    int64_t port = strtol(strrchr(address, ':') + 1, NULL, 10);
    bri_server_options options = {.address = brood_pack("(sl)", "0.0.0.0", port)};
    bt_ok(bri_server_create(&server, &options));
    bt_ok(bri_thread_start(&thread, run_server, server));
    bt_ok(bri_thread_start(&caller, dial, (void *[]){(void *)(uintptr_t)address, (void *)&ours}));
    bt_ok(brood_listener_accept(listener, &theirs, 5000));
    bri_thread_join(caller);
    bt_ok(bri_server_adopt(server, theirs));

    brood_value made, token, value;
    value = ask(ours, brood_pack("(ns(s){})", "accept_connection", "brood:me"));
    made = ask(ours, brood_pack("(ns(s){})", "create", "list"));
    const char *ident;
    bt_ok(brood_unpack(&made, "(sx)", &ident));
    brood_value address_of_it = brood_pack("(sl)", "0.0.0.0", port);
    token = bri_token_value(&(bri_token){"list", &address_of_it, ident});
    brood_value proxy = bri_opaque_call(
        "multiprocessing.managers", "RebuildProxy",
        brood_pack("(vvs{})", bri_opaque_global("multiprocessing.managers", "ListProxy"), token,
                   "pickle"));
    value = ask(ours, brood_pack("(ss(v){})", ident, "append", proxy));
    value = ask(ours, brood_pack("(ss(i){})", ident, "__getitem__", 0));
    bri_opaque_parts parts;
    brood_value owned;
    bri_token back;
    bt_ok(bri_opaque_open(&value, &parts));
    bt_ok(bri_token_open(brood_item(&parts.arguments, 1), &owned, &back));
    const char *host;
    int64_t number;
    bt_ok(brood_unpack(back.address, "(si)", &host, &number));
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(number, port);
    assert_string_equal(back.ident, ident);
    brood_value_clear(&owned);
    bri_opaque_close(&parts);
    brood_value_clear(&value);
    brood_value_clear(&address_of_it);
    brood_value_clear(&made);
    brood_connection_close(ours);
    bri_server_stop(server);
    bri_thread_join(thread);
    bri_server_destroy(server);
    brood_listener_close(listener);
}

static bool is_at(brood_manager *manager, const char *host, int64_t port)
{
    brood_value address = brood_pack("(sl)", host, port);
    bool is = bri_manager_is_at(manager, &address);
    brood_value_clear(&address);
    return is;
}

static void test_a_client_knows_its_server_by_any_name(void **state)
{
    (void)state;
    rig r;
    rig_open_with(&r, (brood_manager_options){.address = "127.0.0.1:0"});
    brood_manager *manager = rig_client(&r);
    brood_proxy *list = make(manager, "list", NONE);
    int64_t port = strtol(strrchr(brood_manager_server_address(r.server), ':') + 1, NULL, 10);
    brood_value_clear(&manager->wire_address); /* as if it were known by this name */
    manager->wire_address = brood_pack("(sl)", "this-host.example", port);
    assert_true(is_at(manager, "127.0.0.1", port));
    assert_true(is_at(manager, "this-host.example", port));
    assert_true(is_at(manager, "0.0.0.0", port));
    assert_true(is_at(manager, "::", port));
    assert_false(is_at(manager, "127.0.0.1", port + 1));
    assert_false(is_at(manager, "0.0.0.0", port + 1));
    assert_false(is_at(manager, "127.0.0.2", port));
    brood_value value;
    brood_proxy *inner;
    bt_ok(brood_proxy_append(list, brood_proxy_value(list)));
    bt_ok(brood_proxy_get_item(list, brood_int(0), &value));
    bt_ok(brood_get_proxy(&value, &inner)); /* no opaque */
    brood_value_clear(&value);
    brood_proxy_close(list);
    brood_manager_close(manager);
    rig_close(&r);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_token_names_the_address_that_the_client_knows),
                   bt_test(test_a_client_knows_its_server_by_any_name));
}
