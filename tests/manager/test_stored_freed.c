/* The limit on what objects contain: what goes away makes room again, to the byte. */
#include "stored.h"

static void call_all(brood_proxy *proxy, const char *const *methods, brood_value (*args)(size_t))
{
    for (size_t i = 0; methods[i] != NULL; i++)
        bt_expect_status(brood_proxy_call(proxy, methods[i], args(i), NULL), BROOD_OK, methods[i],
                         __FILE__, __LINE__);
}

static const char *const of_lists[] = {
    "append",      "insert",      "extend", "__setitem__", "__setitem__", "__setitem__",
    "__delitem__", "__delitem__", "append", "pop",         "remove",      "__imul__",
    "reverse",     "#SET",        "#INCR",  "#DEL",        "#SET",        "#AT",
    "#AT",         "#DEL",        "append", "#SET",        "__setitem__", NULL};

static brood_value arguments_of_lists(size_t i)
{
    switch (i) {
    case 0:
        return brood_pack("(v)", text(100));
    case 1:
        return brood_pack("(i[sv])", 0, "in", text(200));
    case 2:
        return brood_pack("([i{sv}fs])", 1, "key", text(300), 2.5, "three");
    case 3:
        return brood_pack("(iv)", 1, text(50));
    case 4:
        return brood_pack("(v[sss])", slice(1, 2, 1), "a", "bb", "ccc");
    case 5:
        return brood_pack("(v[iv])", slice(0, 4, 2), 5, text(77));
    case 6:
        return brood_pack("(i)", 0);
    case 7:
        return brood_pack("(v)", slice(0, 4, 3));
    case 8:
        return brood_pack("(s)", "short lived");
    case 9:
    case 12:
        return NONE;
    case 10:
        return brood_pack("(s)", "three");
    case 11:
        return brood_pack("(i)", 3);
    case 13:
        return brood_pack("({sisv}i)", "n", 1, "t", text(500), 0);
    case 14:
        return brood_pack("(iis)", 10, 0, "n");
    case 15:
        return brood_pack("(is)", 0, "t");
    case 16:
        return brood_pack("([v]is)", text(20), 0, "l");
    case 17:
        return brood_pack("((is)s(v))", 0, "l", "append", text(30));
    case 18:
        return brood_pack("((is)s(i))", 0, "l", "pop", 0);
    case 19:
        return brood_pack("(isi)", 0, "l", 0);
    case 20:
        return brood_pack("(y)", "bytes", (size_t)5);
    case 21:
        return brood_pack("([sv])", "all anew", text(60));
    default:
        return brood_pack("(v())", slice(0, 1, 1));
    }
}

static const char *const of_dicts[] = {
    "__setitem__", "__setitem__", "__setitem__", "update",      "update", "setdefault",
    "setdefault",  "pop",         "popitem",     "__delitem__", "#INCR",  "#SET",
    "#CAS",        "#AT",         "#AT",         "#DEL",        "#SET",   "__setitem__",
    "pop",         "__setitem__", NULL};

static brood_value arguments_of_dicts(size_t i)
{
    switch (i) {
    case 0:
        return brood_pack("(sv)", "a", text(100));
    case 1:
        return brood_pack("(sv)", "a", text(40));
    case 2:
        return brood_pack("((is)i)", 1, "tuple", 1);
    case 3:
        return brood_pack("([(ii)(sv)(ss)])", 1, 2, "b", text(10), "b", "again");
    case 4:
        return brood_pack("({sisv})", "a", 1, "c", text(500));
    case 5:
        return brood_pack("(sv)", "d", text(5));
    case 6:
        return brood_pack("(sv)", "d", text(500));
    case 7:
        return brood_pack("(s)", "c");
    case 8:
        return NONE;
    case 9:
        return brood_pack("((is))", 1, "tuple");
    case 10:
        return brood_pack("(is)", 1, "counter");
    case 11:
        return brood_pack("({s[]}s)", "list", "nested");
    case 12:
        return brood_pack("(nvs)", text(300), "once");
    case 13:
        return brood_pack("((ss)s([iv]))", "nested", "list", "extend", 1, text(70));
    case 14:
        return brood_pack("((ss)s())", "nested", "list", "clear");
    case 15:
        return brood_pack("(ss)", "nested", "list");
    case 16:
        return brood_pack("({sv})", "all anew", text(60));
    case 17: /* a float that is an int too large for 64 bits has the same place, and no block */
        return brood_pack("(fi)", 1180591620717411303424.0, 1);
    case 18:
        return brood_pack("(f)", 1180591620717411303424.0);
    default:
        return brood_pack("(sv)", "last", text(9));
    }
}

static const char *const of_sets[] = {"add",    "add",     "update", "discard",
                                      "remove", "discard", "pop",    "intersection_update",
                                      "update", "add",     NULL};

static brood_value arguments_of_sets(size_t i)
{
    switch (i) {
    case 0:
    case 1:
        return brood_pack("(v)", text(100));
    case 2:
        return brood_pack("([ssi])", "a", "b", 1);
    case 3:
    case 4:
        return brood_pack("(s)", i == 3 ? "a" : "b");
    case 5:
        return brood_pack("(s)", "not there");
    case 6:
        return NONE;
    case 7:
        return brood_pack("([iv])", 1, text(100));
    case 8:
        return brood_pack("([iiis])", 1, 2, 3, "long enough");
    default:
        return brood_pack("((is))", 1, "tuple");
    }
}

static void check_type(stage *s, const char *typeid, const char *const *methods,
                       brood_value (*args)(size_t))
{
    brood_proxy *object = make(s->manager, typeid, NONE);
    size_t empty = room(s->probe);
    call_all(object, methods, args);
    assert_true(room(s->probe) < empty);
    bt_ok(brood_proxy_call(object, "#AT", brood_pack("(()s)", "clear"), NULL));
    if (room(s->probe) != empty)
        print_error("%s: %zu became %zu\n", typeid, empty, room(s->probe));
    assert_int_equal(room(s->probe), empty);
    call_all(object, methods, args); /* and now it goes as it is */
    brood_proxy_close(object);
    expect_all_back(s, typeid);
}

static void test_what_goes_away_makes_room(void **state)
{
    (void)state;
    stage s;
    open_stage(&s, (brood_manager_options){.max_stored = LIMIT});
    check_type(&s, "list", of_lists, arguments_of_lists);
    check_type(&s, "dict", of_dicts, arguments_of_dicts);
    check_type(&s, "set", of_sets, arguments_of_sets);
    close_stage(&s);
}

static void test_failures_take_nothing(void **state)
{
    (void)state;
    stage s;
    open_stage(&s, (brood_manager_options){.max_stored = LIMIT});
    brood_proxy *list = make(s.manager, "list", brood_pack("([iii])", 1, 2, 3));
    brood_proxy *dict = make(s.manager, "dict", NONE);
    size_t before = room(s.probe);
    brood_value deep = brood_list();
    for (int i = 0; i < BROOD_MAX_DEPTH - 2; i++)
        deep = brood_pack("[v]", deep);
    brood_value copy;
    bt_ok(brood_value_copy(&deep, &copy));
    assert_int_not_equal(brood_proxy_call(list, "append", brood_pack("(v)", deep), NULL), BROOD_OK);
    assert_int_not_equal(brood_proxy_call(dict, "__setitem__", brood_pack("(sv)", "k", copy), NULL),
                         BROOD_OK);
    assert_int_not_equal(brood_proxy_call(list, "__setitem__", brood_pack("(is)", 9, "x"), NULL),
                         BROOD_OK);
    assert_int_not_equal(
        brood_proxy_call(list, "__setitem__", brood_pack("(v[s])", slice(0, 3, 2), "x"), NULL),
        BROOD_OK);
    assert_int_not_equal(brood_proxy_call(dict, "__setitem__", brood_pack("([]s)", "x"), NULL),
                         BROOD_OK);
    assert_int_not_equal(
        brood_proxy_call(dict, "update", brood_pack("([(ss)i])", "a", "b", 1), NULL), BROOD_OK);
    assert_int_equal(room(s.probe), before);
    brood_proxy_close(list);
    brood_proxy_close(dict);
    expect_all_back(&s, "failures");
    close_stage(&s);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_what_goes_away_makes_room),
                   bt_test(test_failures_take_nothing));
}
