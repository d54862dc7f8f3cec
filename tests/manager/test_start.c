/* brood-test: start-methods */
/* Managers with a server in a child, and proxies in other processes. */
#include "core/thread.h"
#include "support.h"

static brood_status append_to(brood_call *call)
{
    const brood_value *value;
    int64_t number;
    brood_proxy *list;
    BROOD_TRY(brood_call_args(call, "vi", &value, &number));
    BROOD_TRY(brood_get_proxy(value, &list));
    return brood_proxy_call(list, "append", brood_pack("(l)", number), NULL);
}

static void test_a_server_runs_in_a_child(void **state)
{
    (void)state;
    brood_manager *manager;
    bt_ok(brood_manager_start(&manager, NULL));
    brood_proxy *list = make(manager, "list", brood_pack("([i])", 1));
    expect(list, "#GETVALUE", NONE, "[1]");
    brood_manager *other;
    bt_ok(brood_manager_connect(&other, brood_manager_address(manager), NULL));
    int64_t n;
    bt_ok(brood_manager_number_of_objects(other, &n));
    assert_int_equal(n, 1);
    brood_manager_close(other);
    brood_proxy_close(list);
    brood_manager_close(manager);
}

static void test_proxies_are_arguments_of_processes(void **state)
{
    (void)state;
    brood_manager *manager;
    bt_ok(brood_manager_start(&manager,
                              &(brood_manager_options){.authkey = "secret", .authkey_size = 6}));
    brood_proxy *list = make(manager, "list", NONE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            bt_join(bt_process(append_to, brood_pack("(vi)", brood_proxy_value(list), i))), 0);
    expect(list, "#GETVALUE", NONE, "[0, 1, 2]");
    brood_proxy_close(list);
    bt_ok(brood_manager_shutdown(manager));
    brood_manager_close(manager);
}

static void test_a_wrong_key_is_refused(void **state)
{
    (void)state;
    brood_manager *manager, *other;
    bt_ok(brood_manager_start(&manager, &(brood_manager_options){.address = "127.0.0.1:0",
                                                                 .authkey = "secret",
                                                                 .authkey_size = 6}));
    bt_fails(brood_manager_connect(&other, brood_manager_address(manager),
                                   &(brood_manager_options){.authkey = "other", .authkey_size = 5}),
             BROOD_EAUTH);
    bt_ok(brood_manager_connect(&other, brood_manager_address(manager),
                                &(brood_manager_options){.authkey = "secret", .authkey_size = 6}));
    bt_ok(brood_manager_shutdown(other)); /* anybody with the key may */
    brood_manager_close(other);
    int64_t n;
    bt_fails(brood_manager_number_of_objects(manager, &n), BROOD_EEOF);
    bt_fails(brood_manager_number_of_objects(manager, &n), BROOD_EEOF);
    bt_ok(brood_manager_shutdown(manager));
    brood_manager_close(manager);
}

static brood_status shut_down_server(brood_call *call)
{
    const brood_value *value;
    brood_proxy *proxy;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_proxy(value, &proxy));
    return brood_manager_shutdown(brood_proxy_manager(proxy));
}

static void test_a_server_that_has_gone_is_no_missing_key(void **state)
{
    (void)state;
    brood_manager *manager;
    brood_value item;
    bt_ok(brood_manager_start(&manager, NULL));
    brood_proxy *dict = make(manager, "dict", NONE);
    bt_ok(brood_proxy_set_item(dict, brood_int(1), brood_int(2)));
    bt_fails(brood_proxy_get_item(dict, brood_int(3), &item), BROOD_ENOTFOUND);
    assert_int_equal(
        bt_join(bt_process(shut_down_server, brood_pack("(v)", brood_proxy_value(dict)))), 0);
    for (int i = 0; i < 3; i++)
        bt_fails(brood_proxy_get_item(dict, brood_int(1), &item), BROOD_EEOF);
    bt_fails(brood_manager_object(manager, "dict", NONE, &dict), BROOD_EEOF);
    brood_proxy_close(dict);
    brood_manager_close(manager);
}

static void serve_thread(void *context)
{
    bt_ok(brood_manager_serve_forever(context));
}

static void test_a_server_runs_in_this_process(void **state)
{
    (void)state;
    brood_manager_server *server;
    bri_thread *thread;
    bt_ok(brood_manager_get_server(&server, NULL));
    bt_ok(bri_thread_start(&thread, serve_thread, server));
    brood_manager *manager;
    bt_ok(brood_manager_connect(&manager, brood_manager_server_address(server), NULL));
    brood_proxy *dict = make(manager, "dict", NONE);
    expect(dict, "__len__", NONE, "0");
    brood_proxy_close(dict);
    brood_manager_close(manager);
    brood_manager_server_stop(server);
    bri_thread_join(thread);
    brood_manager_server_close(server);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_server_runs_in_a_child),
                   bt_test(test_proxies_are_arguments_of_processes),
                   bt_test(test_a_wrong_key_is_refused),
                   bt_test(test_a_server_that_has_gone_is_no_missing_key),
                   bt_test(test_a_server_runs_in_this_process));
}
