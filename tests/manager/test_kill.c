/*
 * Clients that are killed in the middle of a call of every type: what they held and had taken is
 * there again, what they referred to is forgotten, and the object works on. Twice: brood's clients,
 * which say who they are, and such as CPython's, which do not.
 */
#include <brood/pool.h>
#include <brood/proxy.h>

#include "support.h"

#include "core/registry.h"
#include "platform/child.h"
#include "platform/ident.h"

enum { PATIENCE = 20000 };

/* ---- the victim ---- */

typedef struct victim {
    const char *address, *ident;
    bool is_ours;
    brood_connection *session;
} victim;

static brood_status dial(const victim *v, brood_connection **connection)
{
    return brood_connect(connection, v->address,
                         &(brood_connect_options){.authkey = "key", .authkey_size = 3}, PATIENCE);
}

/* A request, and its reply, which has to be of this kind. */
static brood_status ask(brood_connection *connection, brood_value request)
{
    brood_value reply;
    const char *kind;
    BROOD_TRY(brood_connection_send(connection, request, PATIENCE));
    BROOD_TRY(brood_connection_recv(connection, &reply, PATIENCE));
    brood_status status = brood_unpack(&reply, "(sx)", &kind);
    bool good = status == BROOD_OK && strcmp(kind, "#RETURN") == 0;
    brood_value_clear(&reply);
    return good ? BROOD_OK : BROOD_EFORMAT;
}

/* A request about objects: on the session, or as CPython does on a connection of its own. */
static brood_status control(const victim *v, brood_value request)
{
    brood_connection *connection = v->session;
    if (!v->is_ours)
        BROOD_TRY(dial(v, &connection));
    brood_status status = ask(connection, request);
    if (!v->is_ours)
        brood_connection_close(connection);
    return status;
}

static brood_value request_of(const victim *v, const brood_value *call)
{
    brood_value method, args;
    if (brood_value_copy(brood_item(call, 0), &method) != BROOD_OK ||
        brood_value_copy(brood_item(call, 1), &args) != BROOD_OK)
        return (brood_value){0};
    return brood_pack("(svv{})", v->ident, method, args);
}

/* (address, is it brood's, object, calls to be finished, the last call, how often, connection):
 * the last ones are only sent; then it waits to be killed. */
static brood_status be_killed(brood_call *call)
{
    const brood_value *first, *last, *told;
    int64_t times;
    brood_connection *parent;
    victim v;
    BROOD_TRY(brood_call_args(call, "sbsvviv", &v.address, &v.is_ours, &v.ident, &first, &last,
                              &times, &told));
    BROOD_TRY(brood_get_connection(told, &parent));
    BROOD_TRY(dial(&v, &v.session));
    BROOD_TRY(ask(v.session, brood_pack("(ns(s){})", "accept_connection",
                                        v.is_ours ? "brood:victim" : "Process-1")));
    BROOD_TRY(control(&v, brood_pack("(ns(s){})", "incref", v.ident)));
    BROOD_TRY(control(&v, brood_pack("(ns(s){})", "create", "list")));
    for (size_t i = 0; i < brood_value_length(first); i++)
        BROOD_TRY(ask(v.session, request_of(&v, brood_item(first, i))));
    for (int64_t i = 0; i < times; i++)
        BROOD_TRY(brood_connection_send(v.session, request_of(&v, last), PATIENCE));
    BROOD_TRY(brood_connection_send(parent, brood_none(), PATIENCE));
    return brood_connection_poll(parent, BROOD_FOREVER);
}

/* ---- what is looked at afterwards ---- */

static void can_be_taken(brood_proxy *lock)
{
    bt_ok(brood_proxy_acquire(lock, PATIENCE));
    bt_fails(brood_proxy_acquire(lock, 0), BROOD_ETIMEDOUT);
    bt_ok(brood_proxy_release(lock));
}

static void can_be_entered(brood_proxy *lock)
{
    bt_ok(brood_proxy_acquire(lock, PATIENCE));
    bt_ok(brood_proxy_acquire(lock, 0));
    bt_ok(brood_proxy_release(lock));
    bt_ok(brood_proxy_release(lock));
}

/* It was this process's while the victim waited for it. */
static void goes_on_to_us(brood_proxy *lock)
{
    bt_ok(brood_proxy_release(lock));
    bt_ok(brood_proxy_acquire(lock, PATIENCE));
    bt_ok(brood_proxy_release(lock));
}

static void notifies(brood_proxy *condition)
{
    bt_ok(brood_proxy_acquire(condition, PATIENCE));
    bt_ok(brood_proxy_notify(condition, 1));
    bt_fails(brood_proxy_wait(condition, 1), BROOD_ETIMEDOUT);
    bt_ok(brood_proxy_release(condition));
}

static void counts_no_events(brood_proxy *semaphore)
{
    bt_fails(brood_proxy_acquire(semaphore, 0), BROOD_ETIMEDOUT);
}

static void can_be_set(brood_proxy *event)
{
    bt_ok(brood_proxy_set(event));
    bt_ok(brood_proxy_wait(event, PATIENCE));
}

static void is_broken(brood_proxy *barrier)
{
    bt_fails(brood_proxy_meet(barrier, NULL, PATIENCE), BROOD_EBROKEN);
    bt_ok(brood_proxy_reset(barrier));
    bt_fails(brood_proxy_meet(barrier, NULL, 1), BROOD_EBROKEN); /* nobody else is in it */
}

static void gives_to_us(brood_proxy *queue)
{
    brood_value got;
    bt_ok(brood_proxy_put(queue, brood_int(7), 0));
    bt_ok(brood_proxy_get(queue, &got, PATIENCE));
    assert_int_equal(got.as.integer, 7);
}

/* One item is in it, and there is room for no more. */
static void has_one_item(brood_proxy *queue)
{
    brood_value got;
    int64_t n;
    bt_ok(brood_proxy_get(queue, &got, PATIENCE));
    assert_int_equal(got.as.integer, 1);
    bt_ok(brood_proxy_qsize(queue, &n));
    assert_int_equal(n, 0);
}

static void can_be_joined(brood_proxy *queue)
{
    bt_ok(brood_proxy_get(queue, NULL, PATIENCE));
    bt_ok(brood_proxy_task_done(queue));
    bt_ok(brood_proxy_join(queue));
}

static void has_a_length(brood_proxy *container)
{
    int64_t n;
    bt_ok(brood_proxy_length(container, &n));
    assert_true(n >= 1 && n <= 200);
}

static void has_its_attribute(brood_proxy *names)
{
    brood_value value;
    bt_ok(brood_proxy_get_attr(names, "a", &value));
    assert_int_equal(value.as.integer, 1);
}

static void has_its_value(brood_proxy *number)
{
    brood_value value;
    bt_ok(brood_proxy_get_value(number, &value));
    assert_int_equal(value.as.integer, 1);
}

static void goes_on_with_the_next(brood_proxy *iterator)
{
    brood_value value = {0};
    brood_status status = brood_proxy_call(iterator, "__next__", NONE, &value);
    assert_true(status == BROOD_OK || status == BROOD_EEOF);
    brood_value_clear(&value);
}

static void works_and_ends(brood_proxy *pool)
{
    expect(pool, "apply", brood_pack("(s(i))", "kill_twice", 4), "8");
    expect(pool, "terminate", NONE, "None");
    expect(pool, "join", NONE, "None");
}

/* ---- the cases ---- */

static brood_status kill_twice(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "i", &n));
    return brood_call_return(call, brood_int(2 * n));
}

static brood_status kill_hang(brood_call *call)
{
    brood_connection *ours, *theirs;
    (void)call;
    BROOD_TRY(brood_pipe(&ours, &theirs, true));
    return brood_connection_poll(ours, BROOD_FOREVER);
}

/* Arguments as a repr-like shorthand: what brood_pack takes, without values of its own. */
typedef struct kill_case {
    const char *type_id;
    const char *args;             /* of the constructor, for brood_pack */
    const char *ours;             /* called by this process first */
    const char *ours_args;        /* for brood_pack */
    const char *first;            /* called by the victim, and finished */
    const char *last, *last_args; /* in the middle of which it is killed */
    int times;
    void (*check)(brood_proxy *);
} kill_case;

#define NO "()"

static const kill_case cases[] = {
    {"Lock", NO, NULL, NO, "acquire", "acquire", NO, 1, can_be_taken},
    {"Lock", NO, "acquire", NO, NULL, "acquire", NO, 1, goes_on_to_us},
    {"RLock", NO, NULL, NO, "acquire", "acquire", NO, 3, can_be_entered},
    {"RLock", NO, "acquire", NO, NULL, "acquire", NO, 1, goes_on_to_us},
    {"Semaphore", NO, NULL, NO, "acquire", "acquire", NO, 1, can_be_taken},
    {"Semaphore", NO, "acquire", NO, NULL, "acquire", NO, 1, goes_on_to_us},
    {"Semaphore", "(0)", "release", NO, "acquire", "acquire", NO, 1, counts_no_events},
    {"BoundedSemaphore", NO, NULL, NO, "acquire", "acquire", NO, 1, can_be_taken},
    {"BoundedSemaphore", NO, "acquire", NO, NULL, "acquire", NO, 1, goes_on_to_us},
    {"Condition", NO, NULL, NO, "acquire", "wait", NO, 1, notifies},
    {"Condition", NO, NULL, NO, "acquire", "notify", NO, 1, notifies},
    {"Condition", NO, "acquire", NO, NULL, "acquire", NO, 1, goes_on_to_us},
    {"Event", NO, NULL, NO, NULL, "wait", NO, 1, can_be_set},
    {"Barrier", "(2)", NULL, NO, NULL, "wait", NO, 1, is_broken},
    {"Queue", NO, NULL, NO, NULL, "get", NO, 1, gives_to_us},
    {"Queue", "(1)", "put", "(1)", NULL, "put", "(2)", 1, has_one_item},
    {"JoinableQueue", NO, NULL, NO, NULL, "get", NO, 1, gives_to_us},
    {"JoinableQueue", NO, "put", "(1)", NULL, "join", NO, 1, can_be_joined},
    {"list", "([1])", NULL, NO, NULL, "append", "(5)", 100, has_a_length},
    {"dict", "({1:2})", NULL, NO, NULL, "__setitem__", "(3,4)", 100, has_a_length},
    {"set", "([1])", NULL, NO, NULL, "add", "(5)", 100, has_a_length},
    {"Namespace", NO, "__setattr__", "('a',1)", NULL, "__setattr__", "('a',1)", 100,
     has_its_attribute},
    {"Value", "('i',1)", NULL, NO, NULL, "set", "(1)", 100, has_its_value},
    {"Array", "('i',[1,2])", NULL, NO, NULL, "__setitem__", "(0,5)", 100, has_a_length},
    {"Iterator", NO, NULL, NO, "__next__", "__next__", NO, 1, goes_on_with_the_next},
    {"Pool", "(2)", NULL, NO, NULL, "apply", "('kill_hang')", 1, works_and_ends},
};

/* A value of Python's syntax, as far as the cases need it. */
static brood_value literal(const char **at);

static brood_value literal_items(const char **at, char end)
{
    brood_value items = brood_list();
    for (++*at; **at != end; *at += **at == ',')
        bt_ok(brood_append(&items, literal(at)));
    ++*at;
    return items;
}

static brood_value literal(const char **at)
{
    brood_value value, key;
    if (**at == '(') {
        value = literal_items(at, ')');
        value.kind = BROOD_TUPLE; /* inside a list and a tuple are the same */
    } else if (**at == '[') {
        value = literal_items(at, ']');
    } else if (**at == '{') {
        value = brood_dict();
        for (++*at; **at != '}';) {
            key = literal(at);
            ++*at;
            bt_ok(brood_dict_put(&value, key, literal(at)));
        }
        ++*at;
    } else if (**at == '\'') {
        const char *begin = *at + 1, *end = strchr(begin, '\'');
        value = brood_str_n(begin, (size_t)(end - begin));
        *at = end + 1;
    } else {
        char *end;
        value = brood_int(strtol(*at, &end, 10));
        *at = end;
    }
    return value;
}

static brood_value values(const char *text)
{
    return literal(&text);
}

/* ---- the tests ---- */

static brood_proxy *make_object_of(brood_manager *manager, const kill_case *one)
{
    brood_proxy *dict, *iterator;
    if (strcmp(one->type_id, "Iterator") != 0)
        return make(manager, one->type_id, values(one->args));
    dict = make(manager, "dict", values("({1:1,2:2,3:3})"));
    bt_ok(brood_proxy_call_object(dict, "__iter__", NONE, &iterator));
    brood_proxy_close(dict);
    return iterator;
}

/* Until the victim's references are forgotten, which a hang alone would prevent. */
static void expect_objects(brood_manager *manager, int64_t wanted)
{
    int64_t n;
    do
        bt_ok(brood_manager_number_of_objects(manager, &n));
    while (n > wanted);
    assert_int_equal(n, wanted);
}

static void kill_in_the_middle(rig *r, brood_manager *manager, const kill_case *one, bool is_ours)
{
    brood_connection *ours, *theirs;
    brood_value word;
    int64_t before;
    brood_proxy *object = make_object_of(manager, one);
    bt_ok(brood_manager_number_of_objects(manager, &before));
    if (one->ours != NULL)
        bt_ok(brood_proxy_call(object, one->ours, values(one->ours_args), NULL));
    bt_ok(brood_pipe(&ours, &theirs, true));
    brood_value first = one->first == NULL ? brood_list() : brood_pack("[(s())]", one->first);
    brood_process *process = bt_process(
        be_killed, brood_pack("(sbsv(sv)iv)", brood_manager_server_address(r->server), is_ours,
                              object->ident, first, one->last, values(one->last_args), one->times,
                              brood_connection_value(theirs)));
    brood_connection_close(theirs);
    bt_ok(brood_connection_recv(ours, &word, PATIENCE));
    bt_ok(brood_process_kill(process));
    bt_join(process);
    brood_connection_close(ours);
    expect_objects(manager, before);
    one->check(object);
    brood_proxy_close(object);
}

static void kill_in_all(bool is_ours)
{
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message("%s.%s\n", cases[i].type_id, cases[i].last);
        kill_in_the_middle(&r, manager, &cases[i], is_ours);
    }
    expect_objects(manager, 0);
    brood_manager_close(manager);
    rig_close(&r);
}

static void test_a_client_is_killed_in_any_call(void **state)
{
    (void)state;
    kill_in_all(true);
}

/* Where the system tells nobody but its parent of a process's end, its references stay, as in
 * CPython. */
static void test_a_client_like_cpythons_is_killed_in_any_call(void **state)
{
    (void)state;
    brp_child other;
    brp_child_init(&other);
    bt_ok(brp_child_adopt(&other, brp_pid()));
    bool is_told = brp_handle_is_set(other.sentinel);
    brp_child_close(&other);
    if (!is_told)
        bt_skip("nobody is told here when a process ends that is not its child");
    kill_in_all(false);
}

/* Its server ends all the same, and the pool with it. */
static void test_a_server_ends_while_a_task_hangs(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *pool = make(manager, "Pool", brood_pack("(i)", 1)), *result;
    victim v = {.address = brood_manager_server_address(r.server), .is_ours = true};
    bt_ok(dial(&v, &v.session));
    bt_ok(ask(v.session, brood_pack("(ns(s){})", "accept_connection", "brood:waiting")));
    bt_ok(brood_connection_send(
        v.session, brood_pack("(ss(s){})", pool->ident, "apply", "kill_hang"), PATIENCE));
    bt_ok(brood_proxy_call_object(pool, "apply_async", brood_pack("(s)", "kill_hang"), &result));
    brood_proxy_close(result);
    brood_proxy_close(pool);
    brood_manager_close(manager);
    rig_close(&r);
    brood_connection_close(v.session);
}

int main(int argc, char **argv)
{
    brood_register("kill_twice", kill_twice);
    brood_register("kill_hang", kill_hang);
    return bt_main(argc, argv, bt_test(test_a_client_is_killed_in_any_call),
                   bt_test(test_a_client_like_cpythons_is_killed_in_any_call),
                   bt_test(test_a_server_ends_while_a_task_hangs));
}
