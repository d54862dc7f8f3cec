/* Lists and dicts of a server, as Python's proxies have them. */
#include <math.h>

#include "support.h"

#include "data/opaque.h"
#include "data/writer.h"
#include "manager/client.h"

static brood_value slice(brood_value start, brood_value stop, brood_value step)
{
    return bri_opaque_call("builtins", "slice", brood_pack("(vvv)", start, stop, step));
}

#define I(n) brood_int(n)
#define N brood_none()

static void test_a_list_does_what_python_does(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *list = make(manager, "list", brood_pack("([iii])", 1, 2, 3));
    expect(list, "__len__", NONE, "3");
    expect(list, "append", brood_pack("(s)", "x"), "None");
    expect(list, "__getitem__", brood_pack("(i)", 3), "'x'");
    expect(list, "__getitem__", brood_pack("(i)", -4), "1");
    expect_raise(list, "__getitem__", brood_pack("(i)", 4), "IndexError",
                 "list index out of range");
    expect_raise(list, "__getitem__", brood_pack("(s)", "a"), "TypeError",
                 "list indices must be integers or slices, not str");
    expect(list, "__getitem__", brood_pack("(v)", slice(I(1), N, N)), "[2, 3, 'x']");
    expect(list, "__getitem__", brood_pack("(v)", slice(N, N, I(-1))), "['x', 3, 2, 1]");
    expect(list, "__getitem__", brood_pack("(v)", slice(I(-100), I(100), I(3))), "[1, 'x']");
    expect(list, "__setitem__", brood_pack("(v[iiii])", slice(I(1), I(3), N), 7, 8, 9, 10), "None");
    expect(list, "#GETVALUE", NONE, "[1, 7, 8, 9, 10, 'x']");
    expect(list, "__setitem__", brood_pack("(v(iii))", slice(N, N, I(2)), 0, 0, 0), "None");
    expect(list, "__repr__", NONE, "\"[0, 7, 0, 9, 0, 'x']\"");
    expect_raise(list, "__setitem__", brood_pack("(v(ii))", slice(N, N, I(2)), 0, 0), "ValueError",
                 "attempt to assign sequence of size 2 to extended slice of size 3");
    expect(list, "__delitem__", brood_pack("(v)", slice(N, N, I(2))), "None");
    expect(list, "#GETVALUE", NONE, "[7, 9, 'x']");
    expect(list, "__delitem__", brood_pack("(i)", -1), "None");
    expect_raise(list, "__delitem__", brood_pack("(i)", 2), "IndexError",
                 "list assignment index out of range");
    expect(list, "extend", brood_pack("(s)", "ab"), "None");
    expect(list, "insert", brood_pack("(ii)", 0, 5), "None");
    expect(list, "pop", NONE, "'b'");
    expect(list, "pop", brood_pack("(i)", 0), "5");
    expect(list, "#GETVALUE", NONE, "[7, 9, 'a']");
    expect(list, "index", brood_pack("(i)", 9), "1");
    expect_raise(list, "remove", brood_pack("(i)", 1), "ValueError",
                 "list.remove(x): x not in list");
    expect(list, "remove", brood_pack("(s)", "a"), "None");
    expect(list, "__add__", brood_pack("([i])", 1), "[7, 9, 1]");
    expect(list, "__mul__", brood_pack("(i)", 2), "[7, 9, 7, 9]");
    expect(list, "__imul__", brood_pack("(i)", 2), "[7, 9, 7, 9]");
    expect(list, "count", brood_pack("(i)", 7), "2");
    expect(list, "reverse", NONE, "None");
    expect(list, "#GETVALUE", NONE, "[9, 7, 9, 7]");
    expect(list, "__contains__", brood_pack("(f)", 9.0), "True");
    expect_raise(list, "append", NONE, "TypeError", NULL);
    expect_raise(list, "clear_all", NONE, "multiprocessing.managers.RemoteError", NULL);
    brood_proxy_close(list);
    brood_manager_close(manager);
    rig_close(&r);
}

static void test_a_list_sorts_what_has_an_order(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *list = make(
        manager, "list",
        brood_pack("([vififi])", brood_int_text("99999999999999999999"), 3, 2.5, -1, 1e300, 2));
    expect(list, "sort", NONE, "None");
    expect(list, "#GETVALUE", NONE, "[-1, 2, 2.5, 3, 99999999999999999999, 1e+300]");
    bt_ok(brood_proxy_call_with(list, "sort", NONE, brood_pack("{sb}", "reverse", true), NULL));
    expect(list, "__getitem__", brood_pack("(i)", 0), "1e+300");
    expect(list, "append", brood_pack("(s)", "x"), "None");
    expect_raise(list, "sort", NONE, "TypeError", NULL);
    expect(list, "__len__", NONE, "7");
    brood_proxy_close(list);
    list = make(manager, "list", brood_pack("([(is)(is)(i)[s]])", 2, "a", 1, "b", 1, "z"));
    expect(list, "pop", NONE, "['z']");
    expect(list, "sort", NONE, "None");
    expect(list, "#GETVALUE", NONE, "[(1,), (1, 'b'), (2, 'a')]");
    brood_proxy_close(list);
    brood_manager_close(manager);
    rig_close(&r);
}

static void test_a_dict_does_what_python_does(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *dict = make(manager, "dict", brood_pack("({si,ii})", "a", 1, 2, 3));
    expect(dict, "__getitem__", brood_pack("(s)", "a"), "1");
    expect(dict, "__getitem__", brood_pack("(f)", 2.0), "3");
    expect_raise(dict, "__getitem__", brood_pack("(s)", "b"), "KeyError", "b");
    expect_raise(dict, "__getitem__", brood_pack("([])"), "TypeError", "unhashable type: 'list'");
    expect(dict, "__setitem__", brood_pack("(si)", "c", 4), "None");
    expect(dict, "get", brood_pack("(s)", "z"), "None");
    expect(dict, "get", brood_pack("(si)", "z", 9), "9");
    expect(dict, "keys", NONE, "['a', 2, 'c']");
    expect(dict, "values", NONE, "[1, 3, 4]");
    expect(dict, "items", NONE, "[('a', 1), (2, 3), ('c', 4)]");
    expect(dict, "popitem", NONE, "('c', 4)");
    expect(dict, "pop", brood_pack("(s)", "a"), "1");
    expect(dict, "pop", brood_pack("(si)", "a", 7), "7");
    expect_raise(dict, "pop", brood_pack("(s)", "a"), "KeyError", "a");
    expect(dict, "setdefault", brood_pack("(s[])", "l"), "[]");
    expect(dict, "update", brood_pack("([(ii)[ii]])", 1, 2, 3, 4), "None");
    bt_ok(brood_proxy_call_with(dict, "update", NONE, brood_pack("{si}", "k", 5), NULL));
    expect_raise(dict, "update", brood_pack("([(i)])", 1), "ValueError",
                 "dictionary update sequence element #0 has length 1; 2 is required");
    expect(dict, "copy", NONE, "{2: 3, 'l': [], 1: 2, 3: 4, 'k': 5}");
    expect(dict, "__len__", NONE, "5");
    expect(dict, "__contains__", brood_pack("(i)", 1), "True");
    expect(dict, "__delitem__", brood_pack("(i)", 1), "None");
    expect(dict, "clear", NONE, "None");
    expect_raise(dict, "popitem", NONE, "KeyError", NULL);
    expect(dict, "__repr__", NONE, "'{}'");
    brood_proxy_close(dict);
    brood_manager_close(manager);
    rig_close(&r);
}

/* A nan equals nothing, so no key finds it. */
static void test_the_last_is_popped(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *dict = make(manager, "dict", brood_pack("({fiii})", (double)NAN, 0, 1, 2));
    brood_proxy *set = make(manager, "set", brood_pack("([f])", (double)NAN));
    expect(dict, "__setitem__", brood_pack("(ii)", 3, 4), "None");
    expect(dict, "popitem", NONE, "(3, 4)");
    expect(dict, "__setitem__", brood_pack("(ii)", 5, 6), "None");
    expect(dict, "__setitem__", brood_pack("(ii)", 7, 8), "None");
    expect(dict, "__delitem__", brood_pack("(i)", 5), "None");
    expect(dict, "popitem", NONE, "(7, 8)");
    expect(dict, "popitem", NONE, "(1, 2)");
    expect(dict, "popitem", NONE, "(nan, 0)");
    expect_raise(dict, "popitem", NONE, "KeyError", "popitem(): dictionary is empty");
    expect(set, "pop", NONE, "nan");
    expect_raise(set, "pop", NONE, "KeyError", NULL);
    brood_proxy_close(set);
    brood_proxy_close(dict);
    brood_manager_close(manager);
    rig_close(&r);
}

static void test_a_dict_is_iterated_over(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *dict = make(manager, "dict", brood_pack("({si,si})", "a", 1, "b", 2));
    brood_proxy *iterator;
    bt_ok(brood_proxy_call_object(dict, "__iter__", NONE, &iterator));
    assert_string_equal(brood_proxy_typeid(iterator), "Iterator");
    expect(iterator, "__next__", NONE, "'a'");
    expect(iterator, "__next__", NONE, "'b'");
    bt_fails(brood_proxy_call(iterator, "__next__", NONE, NULL), BROOD_EEOF);
    brood_proxy_close(iterator);
    bt_ok(brood_proxy_call_object(dict, "__iter__", NONE, &iterator));
    expect(dict, "__setitem__", brood_pack("(si)", "c", 3), "None");
    expect_raise(iterator, "__next__", NONE, "RuntimeError",
                 "dictionary changed size during iteration");
    brood_proxy_close(iterator);
    brood_proxy_close(dict);
    int64_t n;
    bt_ok(brood_manager_number_of_objects(manager, &n));
    assert_int_equal(n, 0);
    brood_manager_close(manager);
    rig_close(&r);
}

static void test_objects_are_nested(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *outer = make(manager, "list", NONE);
    brood_proxy *inner = make(manager, "list", brood_pack("([i])", 1));
    bt_ok(brood_proxy_call(outer, "append", brood_pack("(v)", brood_proxy_value(inner)), NULL));
    bt_ok(brood_proxy_call(inner, "append", brood_pack("(i)", 2), NULL));
    brood_proxy_close(inner); /* the outer list keeps it */
    int64_t n;
    bt_ok(brood_manager_number_of_objects(manager, &n));
    assert_int_equal(n, 1);
    bt_fails(brood_proxy_set_path(outer, brood_pack("[i]", 0), brood_str("\xff")), BROOD_EFORMAT);
    bt_fails(brood_proxy_set_path(outer, brood_str("\xff"), brood_none()), BROOD_EFORMAT);
    bt_fails(brood_manager_share("name", "list", brood_pack("(s)", "\xff")), BROOD_EFORMAT);
    brood_value value;
    brood_proxy *again;
    bt_ok(brood_proxy_call(outer, "__getitem__", brood_pack("(i)", 0), &value));
    bt_ok(brood_get_proxy(&value, &again));
    expect(again, "#GETVALUE", NONE, "[1, 2]");
    brood_value_clear(&value);
    bt_ok(brood_proxy_call(outer, "pop", NONE, &value)); /* only this value has it now */
    bt_ok(brood_get_proxy(&value, &again));
    expect(again, "append", brood_pack("(i)", 3), "None");
    expect(again, "__len__", NONE, "3");
    bt_ok(brood_manager_number_of_objects(manager, &n));
    assert_int_equal(n, 2);
    brood_value_clear(&value);
    bt_ok(brood_manager_number_of_objects(manager, &n));
    assert_int_equal(n, 1);
    /* One that contains itself. */
    bt_ok(brood_proxy_call(outer, "append", brood_pack("(v)", brood_proxy_value(outer)), NULL));
    brood_proxy_close(outer);
    brood_manager_close(manager);
    rig_close(&r);
}

/* A proxy, and shop.Box(proxy), as Python's clients send them. */
static brood_value rebuilt(const brood_proxy *proxy)
{
    bri_token token = {proxy->typeid, bri_manager_tokens_address(proxy->manager), proxy->ident};
    return bri_opaque_call(BRI_MANAGERS_MODULE, "RebuildProxy",
                           brood_pack("(vvs{})",
                                      bri_opaque_global(BRI_MANAGERS_MODULE, "ListProxy"),
                                      bri_token_value(&token), "pickle"));
}

static brood_value box_of(const brood_proxy *proxy)
{
    return bri_opaque_new("shop", "Box", brood_pack("{sv}", "proxy", rebuilt(proxy)));
}

/* Whether the server has the object. */
static bool is_there(brood_manager *manager, const char *ident)
{
    brood_value args = brood_pack("(s)", ident);
    brood_status status = bri_control_call(manager, "incref", &args, NULL, NULL);
    if (status == BROOD_OK)
        bt_ok(bri_control_call(manager, "decref", &args, NULL, NULL));
    brood_value_clear(&args);
    return status == BROOD_OK;
}

/* An object inside of one of a class that nobody here knows. */
static void test_objects_are_nested_in_foreign_ones(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *outer = make(manager, "list", NONE);
    brood_proxy *inner = make(manager, "list", brood_pack("([i])", 1));
    char ident[40];
    snprintf(ident, sizeof ident, "%s", inner->ident);
    bt_ok(brood_proxy_call(outer, "append", brood_pack("([iv])", 7, box_of(inner)), NULL));
    brood_proxy_close(inner);
    int64_t n;
    bt_ok(brood_manager_number_of_objects(manager, &n));
    assert_int_equal(n, 1);
    assert_true(is_there(manager, ident));
    brood_value value, copy;
    bt_ok(brood_proxy_call(outer, "pop", NONE, &value)); /* only this value has it now */
    bt_ok(brood_manager_number_of_objects(manager, &n));
    assert_int_equal(n, 2);
    bt_ok(brood_value_copy(brood_item(&value, 1), &copy));
    brood_value_clear(&value);
    assert_string_equal(brood_opaque_name(&copy), "Box");
    assert_true(is_there(manager, ident));
    bt_ok(brood_proxy_call(outer, "append", brood_pack("(v)", copy), NULL));
    assert_true(is_there(manager, ident));
    bt_ok(brood_proxy_call(outer, "__delitem__", brood_pack("(i)", 0), NULL));
    assert_false(is_there(manager, ident));
    brood_proxy_close(outer);
    brood_manager_close(manager);
    rig_close(&r);
}

/* What a foreign container gives is taken out of it: a deque is made of an iterable, and here it
 * is filled afterwards. */
static void test_foreign_containers_give_objects(void **state)
{
    static const char head[] = "\x80\x04\x8c\x0b"
                               "collections\x8c\x05"
                               "deque\x93)R(";
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *outer = make(manager, "list", NONE);
    brood_proxy *inner = make(manager, "list", brood_pack("([i])", 1));
    static const bri_pickle_options options;
    bri_buffer out = {0};
    brood_value proxy = rebuilt(inner), deque;
    bri_writer w = {.out = &out, .options = &options, .protocol = 4};
    bt_ok(bri_buffer_append(&out, head, sizeof head - 1));
    bt_ok(bri_pickle_write_bare(&w, &proxy));
    bt_ok(bri_buffer_append(&out, "e.", 2));
    bt_ok(brood_pickle_loads(out.data, out.length, NULL, &deque));
    bri_buffer_fini(&out);
    brood_value_clear(&proxy);
    bt_ok(brood_proxy_call(outer, "extend", brood_pack("(v)", deque), NULL));
    brood_proxy_close(inner);
    expect(outer, "#GET", brood_pack("(ii)", 0, 0), "1");
    brood_proxy_close(outer);
    brood_manager_close(manager);
    rig_close(&r);
}

static void test_a_semaphore_has_so_many_units(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *semaphore = make(manager, "Semaphore", brood_pack("(l)", INT64_MAX - 1));
    expect(semaphore, "release", NONE, "None");
    expect_raise(semaphore, "release", NONE, "OverflowError", NULL);
    expect(semaphore, "acquire", brood_pack("(b)", false), "True");
    expect(semaphore, "release", NONE, "None");
    brood_proxy_close(semaphore);
    brood_manager_close(manager);
    rig_close(&r);
}

static void test_a_client_that_ends_drops_its_references(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r), *other = rig_client(&r);
    brood_proxy *list = make(manager, "list", NONE);
    brood_proxy *kept = make(other, "list", NONE);
    int64_t n;
    bt_ok(brood_manager_number_of_objects(other, &n));
    assert_int_equal(n, 2);
    atomic_store(&manager->down, true); /* it says nothing any more */
    brood_proxy_close(list);
    brood_manager_close(manager);
    do { /* the server learns it from the connection's end */
        bt_ok(brood_manager_number_of_objects(other, &n));
    } while (n != 1);
    brood_proxy_close(kept);
    brood_manager_close(other);
    rig_close(&r);
}

static void test_the_server_tells_about_its_objects(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *list = make(manager, "list", brood_pack("([i])", 5));
    char *text;
    bt_ok(brood_manager_debug_info(manager, &text));
    assert_non_null(strstr(text, ":       refcount=1\n    [5]"));
    brood_free(text);
    brood_proxy *none;
    bt_fails(brood_manager_object(manager, "nothing", NONE, &none), BROOD_ETASK);
    bt_message_has("there is no type 'nothing'");
    bt_fails(brood_manager_object(manager, "list", brood_pack("(i)", 5), &none), BROOD_ETASK);
    bt_message_has("'int' object is not iterable");
    brood_proxy_close(list);
    bt_ok(brood_manager_shutdown(manager));
    brood_manager_close(manager);
    rig_close(&r);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_a_list_does_what_python_does),
        bt_test(test_a_list_sorts_what_has_an_order), bt_test(test_the_last_is_popped),
        bt_test(test_a_dict_does_what_python_does), bt_test(test_a_dict_is_iterated_over),
        bt_test(test_objects_are_nested), bt_test(test_objects_are_nested_in_foreign_ones),
        bt_test(test_foreign_containers_give_objects), bt_test(test_a_semaphore_has_so_many_units),
        bt_test(test_a_client_that_ends_drops_its_references),
        bt_test(test_the_server_tells_about_its_objects));
}
