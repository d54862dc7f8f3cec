/* The limit on what objects contain: who has too much is refused, with all that he had. */
#include "stored.h"

static void test_a_list_cannot_grow_beyond_it(void **state)
{
    (void)state;
    stage s;
    open_stage(&s, (brood_manager_options){.max_stored = LIMIT});
    brood_proxy *list = make(s.manager, "list", brood_pack("([isi])", 1, "two", 3));
    bt_ok(brood_proxy_append(list, text(LIMIT / 2)));
    refused(list, "append", brood_pack("(v)", text(LIMIT / 2)));
    refused(list, "insert", brood_pack("(iv)", 1, text(LIMIT / 2)));
    refused(list, "extend", brood_pack("([iv])", 1, text(LIMIT / 2)));
    refused(list, "extend", brood_pack("(v)", brood_proxy_value(list)));
    refused(list, "__imul__", brood_pack("(i)", 2));
    refused(list, "__setitem__", brood_pack("(iv)", 0, text(LIMIT / 2)));
    refused(list, "__setitem__", brood_pack("(v[iv])", slice(0, 1, 1), 1, text(LIMIT / 2)));
    refused(list, "__setitem__", brood_pack("(v[iv])", slice(0, 4, 2), 1, text(LIMIT / 2)));
    refused(list, "extend",
            brood_pack("(v)", bri_opaque_call("builtins", "range",
                                              brood_pack("(iii)", 0, LIMIT / 32, 1))));
    refused(list, "#SET", brood_pack("(vi)", text(LIMIT / 2), 0));
    refused(list, "#SET", brood_pack("([v])", text(LIMIT)));
    refused(list, "#CAS", brood_pack("(ivi)", 1, text(LIMIT / 2), 0));
    refused(list, "#AT", brood_pack("(()s(v))", "append", text(LIMIT / 2)));
    /* The same size again is no growth. */
    bt_ok(brood_proxy_call(list, "__setitem__", brood_pack("(iv)", 3, text(LIMIT / 2)), NULL));
    brood_proxy_close(list);
    expect_all_back(&s, "list");
    close_stage(&s);
}

static void test_a_dict_cannot_grow_beyond_it(void **state)
{
    (void)state;
    stage s;
    open_stage(&s, (brood_manager_options){.max_stored = LIMIT});
    brood_proxy *dict =
        make(s.manager, "dict", brood_pack("({sisisv})", "a", 1, "b", 2, "c", text(LIMIT / 2)));
    refused(dict, "__setitem__", brood_pack("(sv)", "d", text(LIMIT / 2)));
    refused(dict, "__setitem__", brood_pack("(vi)", text(LIMIT / 2), 1));
    refused(dict, "__setitem__", brood_pack("(sv)", "a", text(LIMIT / 2)));
    refused(dict, "setdefault", brood_pack("(sv)", "d", text(LIMIT / 2)));
    refused(dict, "update", brood_pack("({sisv})", "d", 1, "e", text(LIMIT / 2)));
    refused(dict, "update", brood_pack("([(sv)(sv)])", "d", text(LIMIT / 4), "e", text(LIMIT / 3)));
    refused(dict, "#SET", brood_pack("(vs)", text(LIMIT / 2), "d"));
    refused(dict, "#CAS", brood_pack("(nvs)", text(LIMIT / 2), "d"));
    bt_ok(brood_proxy_call(dict, "update", brood_pack("({sv})", "c", text(LIMIT / 2)), NULL));
    brood_proxy_close(dict);
    expect_all_back(&s, "dict");
    close_stage(&s);
}

static void test_others_cannot_grow_beyond_it(void **state)
{
    (void)state;
    stage s;
    open_stage(&s, (brood_manager_options){.max_stored = LIMIT});
    brood_proxy *none = NULL;
    brood_proxy *set = make(s.manager, "set", brood_pack("([iiv])", 1, 2, text(LIMIT / 2)));
    refused(set, "add", brood_pack("(v)", text(LIMIT / 2 - 1)));
    refused(set, "update", brood_pack("([iv])", 7, text(LIMIT / 2 - 1)));
    bt_fails(brood_manager_object(s.manager, "list", brood_pack("([v])", text(LIMIT / 2)), &none),
             BROOD_ETASK);
    bt_message_has("MemoryError: there is no room for ");
    brood_proxy_close(set);
    brood_proxy *space = make(s.manager, "Namespace", NONE);
    refused(space, "__setattr__", brood_pack("(sv)", "a", text(LIMIT)));
    brood_proxy *value = make(s.manager, "Value", brood_pack("(si)", "i", 1));
    refused(value, "set", brood_pack("(v)", text(LIMIT)));
    refused(value, "#SET", brood_pack("(v)", text(LIMIT)));
    brood_proxy *array = make(s.manager, "Array", brood_pack("(s[iii])", "i", 1, 2, 3));
    brood_value many = brood_list();
    for (int i = 0; i < LIMIT / 4; i++)
        bt_ok(brood_append(&many, brood_int(i)));
    brood_value items = brood_pack("(sv)", "i", many);
    refused(array, "__setitem__",
            brood_pack("(vv)", slice(0, 1, 1), bri_opaque_call("array", "array", items)));
    brood_proxy_close(space);
    brood_proxy_close(value);
    brood_proxy_close(array);
    expect_all_back(&s, "others");
    close_stage(&s);
}

static void test_a_batch_ends_where_there_is_no_room(void **state)
{
    (void)state;
    stage s;
    brood_value result;
    open_stage(&s, (brood_manager_options){.max_stored = LIMIT, .max_message = 4 * LIMIT});
    brood_proxy *list = make(s.manager, "list", NONE);
    bt_ok(brood_proxy_call(list, "#BATCH",
                           brood_pack("([(ns(v){})(ns(v){})(ns(v){})])", "append", text(LIMIT / 3),
                                      "append", text(LIMIT), "append", brood_int(1)),
                           &result));
    assert_int_equal(brood_value_length(&result), 2);
    brood_value_clear(&result);
    expect(list, "__len__", NONE, "1");
    /* Nor are its answers without bound. */
    brood_value calls = brood_list();
    for (int i = 0; i < 100; i++)
        bt_ok(brood_append(&calls, brood_pack("(ns(){})", "#GET")));
    expect_raise(list, "#BATCH", brood_pack("(v)", calls), "MemoryError",
                 "the answers are too long");
    brood_proxy_close(list);
    expect_all_back(&s, "batch");
    close_stage(&s);
}

static void test_a_server_in_a_child_has_the_limit_too(void **state)
{
    (void)state;
    brood_manager *manager;
    bt_ok(brood_manager_start(&manager, &(brood_manager_options){.max_stored = LIMIT}));
    brood_proxy *list = make(manager, "list", NONE);
    refused(list, "append", brood_pack("(v)", text(LIMIT)));
    bt_ok(brood_proxy_append(list, text(LIMIT / 2)));
    brood_proxy_close(list);
    brood_manager_close(manager);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_list_cannot_grow_beyond_it),
                   bt_test(test_a_dict_cannot_grow_beyond_it),
                   bt_test(test_others_cannot_grow_beyond_it),
                   bt_test(test_a_batch_ends_where_there_is_no_room),
                   bt_test(test_a_server_in_a_child_has_the_limit_too));
}
