/* The limit on what objects contain: who has too much is refused, with all that he had; and what
 * goes away makes room again, to the byte. */
#include <brood/proxy.h>

#include "support.h"

#include "data/opaque.h"

enum { LIMIT = 100000, MOST = LIMIT };

static char filling[MOST];

static brood_value text(size_t size)
{
    return brood_str_n(filling, size);
}

typedef struct stage {
    rig r;
    brood_manager *manager;
    brood_proxy *probe; /* an empty list */
    size_t free;        /* what fits into it */
} stage;

/* The longest text that can be appended. */
static size_t room(brood_proxy *probe)
{
    size_t fits = 0, fails = MOST;
    while (fails - fits > 1) {
        size_t size = fits + (fails - fits) / 2;
        if (brood_proxy_append(probe, text(size)) == BROOD_OK) {
            bt_ok(brood_proxy_call(probe, "pop", NONE, NULL));
            fits = size;
        } else {
            fails = size;
        }
    }
    return fits;
}

static void open_stage(stage *s, brood_manager_options options)
{
    memset(filling, 'x', sizeof filling);
    rig_open_with(&s->r, options);
    s->manager = rig_client(&s->r);
    s->probe = make(s->manager, "list", NONE);
    s->free = room(s->probe);
}

static void close_stage(stage *s)
{
    brood_proxy_close(s->probe);
    brood_manager_close(s->manager);
    rig_close(&s->r);
}

static void expect_all_back(stage *s, const char *what)
{
    size_t now = room(s->probe);
    if (now != s->free)
        print_error("%s: there is room for %zu instead of %zu\n", what, now, s->free);
    assert_int_equal(now, s->free);
}

/* ---- what is refused ---- */

/* What the object is, as text. */
static char *repr_of(brood_proxy *proxy)
{
    brood_value result;
    char *shown;
    bt_ok(brood_proxy_call(proxy, "__repr__", NONE, &result));
    bt_ok(brood_value_repr(&result, &shown));
    brood_value_clear(&result);
    return shown;
}

static void refused(brood_proxy *proxy, const char *method, brood_value args)
{
    const brood_value *error;
    char *before = repr_of(proxy);
    bt_expect_status(brood_proxy_call(proxy, method, args, NULL), BROOD_ELIMIT, method, __FILE__,
                     __LINE__);
    bt_message_has("MemoryError: there is no room for ");
    bt_ok(brood_manager_failure(brood_proxy_manager(proxy), &error));
    assert_string_equal(brood_error_kind(error), "MemoryError");
    char *after = repr_of(proxy);
    assert_string_equal(after, before);
    brood_free(before);
    brood_free(after);
}

static brood_value slice(int64_t start, int64_t stop, int64_t step)
{
    return bri_opaque_call("builtins", "slice", brood_pack("(iii)", start, stop, step));
}

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

/* ---- what is given back ---- */

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

/* ---- queues ---- */

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

/* ---- clients ---- */

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

static void test_a_server_in_a_child_has_the_limit_too(void **state)
{
    (void)state;
    brood_manager *manager;
    memset(filling, 'x', sizeof filling);
    bt_ok(brood_manager_start(&manager, &(brood_manager_options){.max_stored = LIMIT}));
    brood_proxy *list = make(manager, "list", NONE);
    refused(list, "append", brood_pack("(v)", text(LIMIT)));
    bt_ok(brood_proxy_append(list, text(LIMIT / 2)));
    brood_proxy_close(list);
    brood_manager_close(manager);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_a_list_cannot_grow_beyond_it),
        bt_test(test_a_dict_cannot_grow_beyond_it), bt_test(test_others_cannot_grow_beyond_it),
        bt_test(test_a_batch_ends_where_there_is_no_room), bt_test(test_what_goes_away_makes_room),
        bt_test(test_failures_take_nothing), bt_test(test_paths_lead_into_other_objects),
        bt_test(test_iterators_count), bt_test(test_a_queue_counts_its_items),
        bt_test(test_a_put_that_waits_counts), bt_test(test_a_client_that_takes_all_it_gets),
        bt_test(test_a_server_in_a_child_has_the_limit_too));
}
