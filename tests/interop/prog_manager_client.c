/*
 * prog_manager_client.c - uses every function of manager.h and proxy.h on every built-in type of a
 * manager's server: prog_manager_client ADDRESS KEY SERVER. SERVER is python or brood, which have
 * types of their own too and end by this program's shutdown, or serve.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brood/brood.h>

static brood_manager *manager;

#define NONE      \
    (brood_value) \
    {             \
        0         \
    }

#define CHECK(condition)                                                  \
    do {                                                                  \
        if (!(condition)) {                                               \
            printf("line %d: %s; last error: %s\n", __LINE__, #condition, \
                   brood_last_error()->message);                          \
            exit(1);                                                      \
        }                                                                 \
    } while (0)
#define OK(call) CHECK((call) == BROOD_OK)

static brood_proxy *make(const char *type_id, brood_value args)
{
    brood_proxy *proxy;
    OK(brood_manager_object(manager, type_id, args, &proxy));
    return proxy;
}

/* Whether a value, which is cleared, looks so. */
static bool shows(brood_value *value, const char *repr)
{
    char *text;
    OK(brood_value_repr(value, &text));
    bool same = strcmp(text, repr) == 0;
    if (!same)
        printf("%s, not %s\n", text, repr);
    brood_free(text);
    brood_value_clear(value);
    return same;
}

static bool raised(const char *kind, const char *message)
{
    const brood_value *error;
    OK(brood_manager_failure(manager, &error));
    bool same = strcmp(brood_error_kind(error), kind) == 0 &&
                (message == NULL || strcmp(brood_error_message(error), message) == 0);
    if (!same)
        printf("%s: %s\n", brood_error_kind(error), brood_error_message(error));
    return same;
}

static void use_containers(void)
{
    brood_value value;
    int64_t n;
    bool flag;
    brood_proxy *list = make("list", brood_pack("([iii])", 3, 1, 2));
    OK(brood_proxy_append(list, brood_int(9)));
    OK(brood_proxy_extend(list, brood_pack("[s]", "x")));
    OK(brood_proxy_insert(list, 0, brood_pack("(ii)", 7, 8)));
    OK(brood_proxy_set_item(list, brood_int(-1), brood_str("y")));
    OK(brood_proxy_del_item(list, brood_int(1)));
    OK(brood_proxy_length(list, &n));
    CHECK(n == 5);
    OK(brood_proxy_snapshot(list, &value));
    CHECK(shows(&value, "[(7, 8), 1, 2, 9, 'y']"));
    OK(brood_proxy_pop(list, NONE, &value));
    CHECK(shows(&value, "'y'"));
    OK(brood_proxy_pop(list, brood_int(0), NULL));
    OK(brood_proxy_contains(list, brood_float(2.0), &flag));
    CHECK(flag);
    CHECK(brood_proxy_get_item(list, brood_int(3), &value) == BROOD_ERANGE);
    CHECK(raised("IndexError", "list index out of range"));
    OK(brood_proxy_call_with(list, "sort", NONE, brood_pack("{sb}", "reverse", true), NULL));
    OK(brood_proxy_call(list, "__repr__", NONE, &value));
    CHECK(shows(&value, "'[9, 2, 1]'"));
    brood_proxy_close(list);

    brood_proxy *dict = make("dict", brood_pack("({si})", "a", 1));
    OK(brood_proxy_set_item(dict, brood_pack("(ii)", 1, 2), brood_pack("[s]", "v")));
    OK(brood_proxy_update(dict, brood_pack("{ii}", 5, 6)));
    OK(brood_proxy_keys(dict, &value));
    CHECK(shows(&value, "['a', (1, 2), 5]"));
    OK(brood_proxy_values(dict, &value));
    CHECK(shows(&value, "[1, ['v'], 6]"));
    OK(brood_proxy_items(dict, &value));
    CHECK(shows(&value, "[('a', 1), ((1, 2), ['v']), (5, 6)]"));
    CHECK(brood_proxy_get_item(dict, brood_str("zz"), &value) == BROOD_ENOTFOUND);
    CHECK(raised("KeyError", "zz"));
    brood_proxy *iterator;
    OK(brood_proxy_call_object(dict, "__iter__", NONE, &iterator));
    OK(brood_proxy_call(iterator, "__next__", NONE, &value));
    CHECK(shows(&value, "'a'"));
    OK(brood_proxy_clear(dict));
    CHECK(brood_proxy_call(iterator, "__next__", NONE, &value) != BROOD_OK);
    CHECK(raised("RuntimeError", "dictionary changed size during iteration"));
    brood_proxy_close(iterator);
    brood_proxy_close(dict);
}

static void use_sets(void)
{
    brood_value value;
    bool flag;
    int64_t n;
    brood_proxy *set = make("set", brood_pack("([i])", 1));
    OK(brood_proxy_add(set, brood_int(2)));
    OK(brood_proxy_discard(set, brood_int(1)));
    OK(brood_proxy_discard(set, brood_int(99)));
    OK(brood_proxy_contains(set, brood_int(2), &flag));
    CHECK(flag);
    OK(brood_proxy_call(set, "union", brood_pack("([i])", 2), &value));
    CHECK(shows(&value, "{2}"));
    OK(brood_proxy_update(set, brood_pack("[ii]", 2, 3)));
    OK(brood_proxy_length(set, &n));
    CHECK(n == 2);
    OK(brood_proxy_pop(set, NONE, &value));
    brood_value_clear(&value);
    OK(brood_proxy_clear(set));
    OK(brood_proxy_snapshot(set, &value));
    CHECK(shows(&value, "set()"));
    CHECK(brood_proxy_call(set, "remove", brood_pack("((is))", 1, "a"), NULL) == BROOD_ENOTFOUND);
    CHECK(raised("KeyError", NULL));
    const brood_value *error;
    OK(brood_manager_failure(manager, &error));
    brood_value args;
    OK(brood_value_copy(brood_error_arguments(error), &args));
    CHECK(shows(&args, "((1, 'a'),)"));
    brood_proxy_close(set);
}

/* Of the server's program: an own type, an own exception, and objects that exist already. */
static void use_own_types(void)
{
    brood_value value;
    int64_t n;
    brood_proxy *counter, *same, *table;
    OK(brood_manager_object(manager, "Counter", brood_pack("(i)", 5), &counter));
    OK(brood_proxy_call(counter, "add", brood_pack("(i)", 3), &value));
    CHECK(shows(&value, "8"));
    CHECK(brood_proxy_call(counter, "fail", NONE, NULL) == BROOD_ETASK);
    CHECK(raised("shop.SaleError", "sold out"));
    OK(brood_proxy_call_with(counter, "echo", brood_pack("(i[s])", 1, "x"),
                             brood_pack("{sb}", "k", true), &value));
    CHECK(shows(&value, "((1, ['x']), {'k': True})"));
    OK(brood_proxy_call(counter, "slow", brood_pack("(i)", 10), &value));
    CHECK(shows(&value, "'slow'"));
    CHECK(brood_value_length(brood_proxy_exposed(counter)) == 4);
    brood_proxy_close(counter);
    OK(brood_manager_object(manager, "get_counter", NONE, &counter));
    OK(brood_manager_object(manager, "get_counter", NONE, &same));
    OK(brood_proxy_call(counter, "add", brood_pack("(i)", 0), &value));
    OK(brood_get_int(&value, &n));
    OK(brood_proxy_call(same, "add", brood_pack("(i)", 2), &value));
    OK(brood_proxy_call(counter, "add", brood_pack("(i)", -2), &value));
    CHECK(brood_value_kind(&value) == BROOD_INT && n == 0);
    brood_proxy_close(counter);
    brood_proxy_close(same);
    OK(brood_manager_object(manager, "get_table", NONE, &table));
    OK(brood_proxy_get_item(table, brood_str("a"), &value));
    CHECK(shows(&value, "1"));
    brood_proxy_close(table);
}

static void use_pool(void)
{
    brood_value value;
    brood_proxy *pool, *result;
    OK(brood_manager_object_with(manager, "Pool", NONE, brood_pack("{si}", "processes", 1), &pool));
    OK(brood_proxy_call(pool, "map", brood_pack("(s[])", "square"), &value));
    CHECK(shows(&value, "[]"));
    OK(brood_proxy_call_object(pool, "map_async", brood_pack("(s[])", "square"), &result));
    CHECK(strcmp(brood_proxy_typeid(result), "AsyncResult") == 0);
    OK(brood_proxy_call(result, "get", brood_pack("(i)", 20), &value));
    CHECK(shows(&value, "[]"));
    OK(brood_proxy_call(result, "ready", NONE, &value));
    CHECK(shows(&value, "True"));
    brood_proxy_close(result);
    CHECK(brood_proxy_call(pool, "join", NONE, NULL) == BROOD_ETASK);
    CHECK(raised("ValueError", "Pool is still running"));
    OK(brood_proxy_call(pool, "close", NONE, NULL));
    OK(brood_proxy_call(pool, "join", NONE, NULL));
    brood_proxy_close(pool);
}

static void ask_the_manager(const char *address)
{
    char *text;
    brood_proxy *list = make("list", brood_pack("([s])", "shown"));
    CHECK(strcmp(brood_manager_address(manager), address) == 0);
    CHECK(brood_proxy_manager(list) == manager);
    OK(brood_manager_debug_info(manager, &text));
    CHECK(strstr(text, "['shown']") != NULL);
    brood_free(text);
    brood_proxy_close(list);
}

static void use_values(void)
{
    brood_value value;
    brood_proxy *names = make("Namespace", NONE);
    OK(brood_proxy_set_attr(names, "job", brood_str("baker")));
    OK(brood_proxy_get_attr(names, "job", &value));
    CHECK(shows(&value, "'baker'"));
    OK(brood_proxy_del_attr(names, "job"));
    CHECK(brood_proxy_get_attr(names, "job", &value) == BROOD_ENOTFOUND);
    CHECK(raised("AttributeError", "'Namespace' object has no attribute 'job'"));
    brood_proxy_close(names);

    brood_proxy *number = make("Value", brood_pack("(si)", "i", 666));
    OK(brood_proxy_set_value(number, brood_int(888)));
    OK(brood_proxy_get_value(number, &value));
    CHECK(shows(&value, "888"));
    brood_proxy_close(number);

    brood_proxy *array = make("Array", brood_pack("(s[iii])", "i", 1, 2, 3));
    OK(brood_proxy_set_item(array, brood_int(1), brood_int(5)));
    OK(brood_proxy_get_item(array, brood_int(1), &value));
    CHECK(shows(&value, "5"));
    CHECK(brood_proxy_set_item(array, brood_int(7), brood_int(5)) == BROOD_ERANGE);
    CHECK(raised("IndexError", "array assignment index out of range"));
    OK(brood_proxy_snapshot(array, &value));
    CHECK(strcmp(brood_opaque_module(&value), "array") == 0);
    brood_value_clear(&value);
    brood_proxy_close(array);
}

static void use_locks(void)
{
    static const char *const kinds[] = {"Lock", "RLock", "Semaphore", "BoundedSemaphore",
                                        "Condition"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        brood_proxy *lock = make(kinds[i], NONE);
        OK(brood_proxy_acquire(lock, BROOD_FOREVER));
        if (i == 1 || i == 4) {
            OK(brood_proxy_acquire(lock, 0));
            OK(brood_proxy_release(lock));
        } else {
            CHECK(brood_proxy_acquire(lock, 0) == BROOD_ETIMEDOUT);
            CHECK(brood_proxy_acquire(lock, 20) == BROOD_ETIMEDOUT);
        }
        OK(brood_proxy_release(lock));
        if (i == 2)
            OK(brood_proxy_release(lock)); /* a semaphore has no bound */
        else
            CHECK(brood_proxy_release(lock) == BROOD_ETASK);
        brood_proxy_close(lock);
    }
    brood_proxy *condition = make("Condition", NONE);
    CHECK(brood_proxy_wait(condition, 0) == BROOD_ETASK);
    CHECK(raised("RuntimeError", "cannot wait on un-acquired lock"));
    OK(brood_proxy_acquire(condition, BROOD_FOREVER));
    CHECK(brood_proxy_wait(condition, 20) == BROOD_ETIMEDOUT);
    OK(brood_proxy_notify(condition, 1));
    OK(brood_proxy_notify_all(condition));
    OK(brood_proxy_release(condition));
    brood_proxy_close(condition);

    bool flag;
    brood_proxy *event = make("Event", NONE);
    CHECK(brood_proxy_wait(event, 20) == BROOD_ETIMEDOUT);
    OK(brood_proxy_set(event));
    OK(brood_proxy_wait(event, BROOD_FOREVER));
    OK(brood_proxy_is_set(event, &flag));
    CHECK(flag);
    OK(brood_proxy_clear(event));
    OK(brood_proxy_is_set(event, &flag));
    CHECK(!flag);
    brood_proxy_close(event);

    int64_t index;
    brood_proxy *barrier = make("Barrier", brood_pack("(i)", 1));
    OK(brood_proxy_meet(barrier, &index, BROOD_FOREVER));
    CHECK(index == 0);
    OK(brood_proxy_abort(barrier));
    CHECK(brood_proxy_meet(barrier, &index, BROOD_FOREVER) == BROOD_EBROKEN);
    OK(brood_proxy_reset(barrier));
    OK(brood_proxy_meet(barrier, NULL, 1000));
    brood_proxy_close(barrier);
}

static void use_queues(void)
{
    brood_value value;
    int64_t n;
    brood_proxy *queue = make("Queue", brood_pack("(i)", 1));
    OK(brood_proxy_put(queue, brood_pack("(is)", 1, "one"), 0));
    CHECK(brood_proxy_put(queue, brood_int(2), 0) == BROOD_EFULL);
    CHECK(brood_proxy_put(queue, brood_int(2), 20) == BROOD_EFULL);
    OK(brood_proxy_qsize(queue, &n));
    CHECK(n == 1);
    OK(brood_proxy_get(queue, &value, BROOD_FOREVER));
    CHECK(shows(&value, "(1, 'one')"));
    CHECK(brood_proxy_get(queue, &value, 0) == BROOD_EEMPTY);
    CHECK(brood_proxy_get(queue, &value, 20) == BROOD_EEMPTY);
    brood_proxy_close(queue);
    queue = make("JoinableQueue", NONE);
    OK(brood_proxy_put(queue, brood_none(), BROOD_FOREVER));
    OK(brood_proxy_get(queue, NULL, 1000));
    OK(brood_proxy_task_done(queue));
    OK(brood_proxy_join(queue));
    CHECK(brood_proxy_task_done(queue) == BROOD_ETASK);
    CHECK(raised("ValueError", "task_done() called too many times"));
    brood_proxy_close(queue);
}

static void use_nested(void)
{
    brood_value value;
    brood_proxy *found;
    brood_proxy *inner = make("list", brood_pack("([i])", 1));
    brood_proxy *outer = make("dict", NONE);
    OK(brood_proxy_set_item(outer, brood_str("in"), brood_proxy_value(inner)));
    OK(brood_proxy_append(inner, brood_int(2)));
    brood_proxy_close(inner);
    OK(brood_proxy_get_item(outer, brood_str("in"), &value));
    OK(brood_get_proxy(&value, &found));
    CHECK(strcmp(brood_proxy_typeid(found), "list") == 0);
    OK(brood_proxy_append(found, brood_int(3)));
    brood_value content;
    OK(brood_proxy_snapshot(found, &content));
    CHECK(shows(&content, "[1, 2, 3]"));
    brood_value_clear(&value);
    brood_proxy *queue = make("Queue", NONE);
    OK(brood_proxy_set_item(outer, brood_str("queue"), brood_proxy_value(queue)));
    OK(brood_proxy_get_item(outer, brood_str("queue"), &value));
    OK(brood_get_proxy(&value, &found));
    OK(brood_proxy_put(found, brood_int(5), 0));
    brood_value_clear(&value);
    OK(brood_proxy_get(queue, &value, 1000));
    CHECK(shows(&value, "5"));
    brood_proxy_close(queue);
    brood_proxy_close(outer);
}

static void meet_failures(void)
{
    brood_proxy *proxy, *list = make("list", NONE);
    CHECK(brood_manager_object(manager, "nothing", NONE, &proxy) == BROOD_ETASK);
    CHECK(raised("multiprocessing.managers.RemoteError", NULL));
    CHECK(brood_proxy_call(list, "nothing", NONE, NULL) == BROOD_ETASK);
    CHECK(raised("multiprocessing.managers.RemoteError", NULL));
    CHECK(brood_proxy_call(list, "append", NONE, NULL) == BROOD_ETASK);
    CHECK(raised("TypeError", NULL));
    OK(brood_proxy_append(list, brood_error_from("OSError", brood_pack("(is)", 2, "gone"))));
    brood_value value;
    OK(brood_proxy_get_item(list, brood_int(0), &value));
    CHECK(strcmp(brood_error_kind(&value), "OSError") == 0 ||
          strcmp(brood_error_kind(&value), "FileNotFoundError") == 0);
    brood_value_clear(&value);
    brood_proxy_close(list);
}

static void go_beyond(void)
{
    int64_t sum;
    bool done;
    brood_value value;
    brood_proxy *dict = make("dict", brood_pack("({s{s[i]}})", "a", "b", 1));
    brood_proxy *list = make("list", NONE);
    OK(brood_proxy_incr(dict, 5, brood_pack("(s)", "n"), &sum));
    OK(brood_proxy_incr(dict, -2, brood_pack("(s)", "n"), &sum));
    CHECK(sum == 3);
    OK(brood_proxy_incr(dict, 1, brood_pack("(ssi)", "a", "b", 0), &sum));
    CHECK(sum == 2);
    OK(brood_proxy_compare_and_set(dict, brood_pack("(s)", "n"), brood_int(3), brood_int(4),
                                   &done));
    CHECK(done);
    OK(brood_proxy_compare_and_set(dict, brood_pack("(s)", "n"), brood_int(3), brood_int(4),
                                   &done));
    CHECK(!done);
    OK(brood_proxy_call_at(dict, brood_pack("(ss)", "a", "b"), "append", brood_pack("(s)", "x"),
                           NULL));
    OK(brood_proxy_set_path(dict, brood_pack("(ssi)", "a", "b", 0), brood_int(0)));
    OK(brood_proxy_get_path(dict, brood_pack("(ss)", "a", "b"), &value));
    CHECK(shows(&value, "[0, 'x']"));
    OK(brood_proxy_del_path(dict, brood_pack("(ss)", "a", "b")));
    OK(brood_proxy_batch(dict,
                         brood_pack("[vvv]", brood_batch_call(list, "append", brood_pack("(i)", 1)),
                                    brood_batch_call(list, "__len__", NONE),
                                    brood_batch_call(dict, "keys", NONE)),
                         &value));
    CHECK(shows(&value, "[None, 1, ['a', 'n']]"));
    CHECK(brood_proxy_batch(dict,
                            brood_pack("[v]", brood_batch_call(list, "pop", brood_pack("(i)", 9))),
                            &value) == BROOD_ERANGE);
    brood_proxy_close(list);
    brood_proxy_close(dict);
}

static void refuse_another_key(const char *address)
{
    CHECK(brood_manager_connect(
              &manager, address,
              &(brood_manager_options){.authkey = "another", .authkey_size = 7}) == BROOD_EAUTH);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    if (argc != 4)
        return 2;
    bool is_brood = strcmp(argv[3], "python") != 0, is_program = strcmp(argv[3], "serve") != 0;
    refuse_another_key(argv[1]);
    BROOD_CHECK(brood_manager_connect(
        &manager, argv[1],
        &(brood_manager_options){.authkey = argv[2], .authkey_size = strlen(argv[2])}));
    int64_t before, after;
    OK(brood_manager_number_of_objects(manager, &before));
    ask_the_manager(argv[1]);
    use_containers();
    use_sets();
    use_values();
    use_locks();
    use_queues();
    use_nested();
    if (is_program) /* it has a function for the pool */
        use_pool();
    meet_failures();
    if (is_brood)
        go_beyond();
    OK(brood_manager_number_of_objects(manager, &after));
    CHECK(before == after);
    if (is_program) {
        use_own_types();
        OK(brood_manager_shutdown(manager));
        CHECK(brood_manager_object(manager, "list", NONE, &(brood_proxy *){NULL}) == BROOD_ECLOSED);
    }
    brood_manager_close(manager);
    printf("good\n");
    return 0;
}
