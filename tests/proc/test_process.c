/* Process objects: names, daemons, who is who, waiting, ending, exit codes. */
/* brood-test: start-methods */
#include "harness.h"

#include "core/thread.h"

static brood_status do_nothing(brood_call *call)
{
    (void)call;
    return BROOD_OK;
}

/* Waits for a message or the end of its connection: an orderly child that stays as long as the test
 * wants. */
static brood_status stay(brood_call *call)
{
    const brood_value *item;
    brood_connection *connection;
    brood_value message;
    BROOD_TRY(brood_call_args(call, "v", &item));
    BROOD_TRY(brood_get_connection(item, &connection));
    brood_status status = brood_connection_recv(connection, &message, BROOD_FOREVER);
    if (status == BROOD_OK)
        brood_value_clear(&message);
    return BROOD_OK;
}

/* Without connections: until it is ended. */
static brood_status sleep_for_ever(brood_call *call)
{
    (void)call;
    for (;;)
        brood_sleep(60000);
    return BROOD_OK;
}

typedef struct stayer {
    brood_process *process;
    brood_connection *connection;
} stayer;

static stayer start_stayer(void)
{
    stayer made;
    brood_connection *other;
    bt_ok(brood_pipe(&made.connection, &other, true));
    made.process = bt_process(stay, brood_pack("(v)", brood_connection_value(other)));
    brood_connection_close(other);
    return made;
}

static void let_go(const stayer *one)
{
    bt_ok(brood_connection_send(one->connection, brood_none(), 20000));
    brood_connection_close(one->connection);
}

/* ---- names ---- */

static void test_names_are_as_in_python(void **state)
{
    (void)state;
    brood_process *first, *second;
    brood_process_options options = {.name = "worker"};
    assert_string_equal(brood_process_name(brood_current_process()), "MainProcess");
    assert_null(brood_parent_process());
    bt_ok(brood_process_create(&first, do_nothing, brood_tuple(0), NULL));
    bt_ok(brood_process_create(&second, do_nothing, brood_tuple(0), &options));
    assert_memory_equal(brood_process_name(first), "Process-", 8);
    assert_true(strtol(brood_process_name(first) + 8, NULL, 10) > 0);
    assert_string_equal(brood_process_name(second), "worker");
    bt_ok(brood_process_set_name(second, "other"));
    assert_string_equal(brood_process_name(second), "other");
    bt_fails(brood_process_set_name(second, "a\xff"), BROOD_EFORMAT);
    bt_message_has("byte 1 of the name is not UTF-8");
    assert_string_equal(brood_process_name(second), "other");
    options.name = "\xff";
    bt_fails(brood_process_create(&second, do_nothing, brood_pack("(s)", "x"), &options),
             BROOD_EFORMAT);
    options = (brood_process_options){.function_name = "\xff"};
    bt_fails(brood_process_create(&second, NULL, brood_pack("(s)", "x"), &options), BROOD_EFORMAT);
    bt_fails(brood_register("\xff", do_nothing), BROOD_EFORMAT);
    brood_process_destroy(first);
    brood_process_destroy(second);
}

static brood_status check_who_is_who(brood_call *call)
{
    const char *name;
    int64_t parent;
    brood_process *inner;
    char wanted[64];
    BROOD_TRY(brood_call_args(call, "si", &name, &parent));
    bt_check(call, strcmp(brood_process_name(brood_current_process()), name) == 0);
    bt_check(call, brood_process_pid(brood_current_process()) > 0);
    bt_check(call, brood_process_pid(brood_current_process()) != parent);
    bt_check(call, brood_process_is_alive(brood_current_process()));
    bt_check(call, brood_parent_process() != NULL);
    bt_check(call, strcmp(brood_process_name(brood_parent_process()), "MainProcess") == 0);
    bt_check(call, brood_process_pid(brood_parent_process()) == parent);
    bt_check(call, brood_process_is_alive(brood_parent_process()));
    BROOD_TRY(brood_process_create(&inner, do_nothing, brood_tuple(0), NULL));
    snprintf(wanted, sizeof wanted, "%s:1", name);
    bt_check(call, strcmp(brood_process_name(inner), wanted) == 0);
    brood_process_destroy(inner);
    return BROOD_OK;
}

static void test_a_child_knows_itself_and_its_parent(void **state)
{
    (void)state;
    brood_process *process;
    brood_failure failure;
    bt_ok(brood_process_create(&process, check_who_is_who, (brood_value){0}, NULL));
    char name[64];
    snprintf(name, sizeof name, "%s", brood_process_name(process));
    brood_process_destroy(process);
    /* The next one gets the next number. */
    snprintf(name, sizeof name, "Process-%ld", strtol(name + 8, NULL, 10) + 1);
    process = bt_process(check_who_is_who,
                         brood_pack("(sl)", name, brood_process_pid(brood_current_process())));
    bt_ok(brood_process_join(process, 20000));
    bt_ok(brood_process_failure(process, &failure));
    assert_string_equal(failure.message, "");
    brood_process_destroy(process);
}

/* ---- waiting ---- */

static void test_join_times_out_and_leaves_the_child_running(void **state)
{
    (void)state;
    int code;
    stayer one = start_stayer();
    bt_fails(brood_process_join(one.process, 0), BROOD_ETIMEDOUT);
    bt_fails(brood_process_join(one.process, 30), BROOD_ETIMEDOUT);
    assert_true(brood_process_is_alive(one.process));
    bt_fails(brood_process_exitcode(one.process, &code), BROOD_ETIMEDOUT);
    let_go(&one);
    assert_int_equal(bt_join(one.process), 0);
}

static void join_it(void *context)
{
    brood_process_join(context, 20000);
}

static void test_several_threads_join_one_child(void **state)
{
    (void)state;
    enum { JOINERS = 4 };
    bri_thread *threads[JOINERS];
    stayer one = start_stayer();
    for (int i = 0; i < JOINERS; i++)
        bt_ok(bri_thread_start(&threads[i], join_it, one.process));
    let_go(&one);
    for (int i = 0; i < JOINERS; i++)
        bri_thread_join(threads[i]);
    assert_false(brood_process_is_alive(one.process));
    assert_int_equal(bt_join(one.process), 0);
}

static void test_joining_twice_is_fine(void **state)
{
    (void)state;
    brood_process *process = bt_process(do_nothing, brood_tuple(0));
    bt_ok(brood_process_join(process, BROOD_FOREVER));
    bt_ok(brood_process_join(process, BROOD_FOREVER));
    brood_process_destroy(process);
}

static void test_a_process_can_be_waited_for_with_connections(void **state)
{
    (void)state;
    stayer one = start_stayer();
    brood_wait_item items[] = {{.process = one.process}, {.connection = one.connection}};
    bt_fails(brood_wait(items, 1, 20), BROOD_ETIMEDOUT);
    assert_false(items[0].ready);
    bt_ok(brood_connection_send(one.connection, brood_none(), 20000));
    bt_ok(brood_wait(items, 1, 20000));
    assert_true(items[0].ready);
    bt_ok(brood_wait(items, 2, 20000));
    assert_true(items[0].ready);
    bt_ok(brood_process_join(one.process, 0));
    bt_ok(brood_wait(items, 1, 0)); /* also after it was joined */
    brood_connection_close(one.connection);
    brood_process_destroy(one.process);
}

/* ---- the children of a process ---- */

static void test_active_children_are_those_that_run(void **state)
{
    (void)state;
    brood_process *children[4];
    size_t n = 9;
    bt_ok(brood_active_children(children, 4, &n));
    assert_int_equal(n, 0);
    stayer one = start_stayer(), two = start_stayer();
    bt_ok(brood_active_children(children, 4, &n));
    assert_int_equal(n, 2);
    assert_true(children[0] == one.process || children[1] == one.process);
    assert_true(children[0] == two.process || children[1] == two.process);
    bt_ok(brood_active_children(NULL, 0, &n));
    assert_int_equal(n, 2);
    let_go(&one);
    bt_join(one.process);
    bt_ok(brood_active_children(children, 4, &n));
    assert_int_equal(n, 1);
    assert_ptr_equal(children[0], two.process);
    let_go(&two);
    bt_join(two.process);
}

static brood_status count_children(brood_call *call)
{
    size_t n = 9;
    BROOD_TRY(brood_active_children(NULL, 0, &n));
    bt_check(call, n == 0);
    return BROOD_OK;
}

static void test_a_child_does_not_have_its_parents_children(void **state)
{
    (void)state;
    stayer one = start_stayer();
    assert_int_equal(bt_join(bt_process(count_children, brood_tuple(0))), 0);
    let_go(&one);
    bt_join(one.process);
}

static brood_status use_a_foreign_process(brood_call *call)
{
    brood_process *parent = brood_parent_process();
    int code;
    (void)call;
    bt_check(call, brood_process_join(parent, 0) == BROOD_ESTATE);
    bt_check(call, brood_process_start(parent) == BROOD_ESTATE);
    bt_check(call, brood_process_kill(parent) == BROOD_ESTATE);
    bt_check(call, brood_process_exitcode(parent, &code) == BROOD_ESTATE);
    bt_check(call, brood_process_join(brood_current_process(), 0) == BROOD_ESTATE);
    brood_process_destroy(parent);
    brood_process_destroy(brood_current_process());
    bt_check(call, brood_process_pid(brood_parent_process()) > 0);
    return BROOD_OK;
}

static void test_only_children_can_be_joined(void **state)
{
    (void)state;
    assert_int_equal(bt_join(bt_process(use_a_foreign_process, brood_tuple(0))), 0);
}

static brood_process *inherited;

static brood_status join_the_inherited(brood_call *call)
{
    bt_check(call, brood_process_join(inherited, 0) == BROOD_ESTATE);
    bt_check(call, !brood_process_is_alive(inherited));
    brood_process_destroy(inherited);
    return BROOD_OK;
}

static void test_a_forked_child_cannot_join_its_parents_children(void **state)
{
    (void)state;
    if (!bt_method_is(BROOD_START_FORK))
        bt_skip("only a fork inherits process objects");
    stayer one = start_stayer();
    inherited = one.process;
    assert_int_equal(bt_join(bt_process(join_the_inherited, brood_tuple(0))), 0);
    let_go(&one);
    bt_join(one.process);
}

/* ---- ending ---- */

static void test_a_terminated_child_has_minus_15(void **state)
{
    (void)state;
    brood_process *process = bt_process(sleep_for_ever, brood_tuple(0));
    bt_ok(brood_process_terminate(process));
    assert_int_equal(bt_join(process), -15);
}

static void test_a_killed_child_has_minus_9(void **state)
{
    (void)state;
    brood_process *process = bt_process(sleep_for_ever, brood_tuple(0));
    bt_ok(brood_process_kill(process));
    assert_int_equal(bt_join(process), -9);
}

static void test_an_interrupted_child_ends(void **state)
{
    (void)state;
    brood_process *process = bt_process(sleep_for_ever, brood_tuple(0));
    brood_status status = brood_process_interrupt(process);
    if (bt_is_windows() && status == BROOD_EOS) {
        bt_message_has("over the console");
        bt_ok(brood_process_kill(process));
        bt_join(process);
        bt_skip("a console event needs a console, and this process has none");
    }
    bt_ok(status);
    assert_int_equal(bt_join(process), -2);
}

static void test_ending_a_child_that_has_ended_is_no_error(void **state)
{
    (void)state;
    brood_process *process = bt_process(do_nothing, brood_tuple(0));
    bt_ok(brood_process_join(process, 20000));
    bt_ok(brood_process_terminate(process));
    bt_ok(brood_process_kill(process));
    bt_ok(brood_process_interrupt(process));
    assert_int_equal(bt_join(process), 0);
}

static brood_status crash(brood_call *call)
{
    (void)call;
    abort();
}

static void test_a_crash_tells_its_signal(void **state)
{
    (void)state;
    brood_failure failure;
    brood_process *process = bt_process(crash, brood_tuple(0));
    int64_t pid = brood_process_pid(process);
    bt_ok(brood_process_join(process, 20000));
    bt_ok(brood_process_failure(process, &failure));
    assert_string_equal(failure.kind, "");
    assert_int_equal(failure.pid, pid);
    if (bt_is_windows())
        assert_int_not_equal(failure.exitcode, 0);
    else
        assert_int_equal(failure.exitcode, -6);
    brood_process_destroy(process);
}

/* ---- daemons and the end of a process ---- */

static brood_status start_inner(brood_call *call)
{
    brood_process *inner;
    (void)call;
    BROOD_TRY(brood_process_create(&inner, do_nothing, brood_tuple(0), NULL));
    brood_status status = brood_process_start(inner);
    brood_process_destroy(inner);
    return status;
}

static void test_a_daemon_may_not_have_children(void **state)
{
    (void)state;
    brood_process *process;
    brood_failure failure;
    brood_process_options options = {.daemon = BROOD_DAEMON_YES};
    bt_ok(brood_process_create(&process, start_inner, brood_tuple(0), &options));
    assert_true(brood_process_is_daemon(process));
    bt_ok(brood_process_start(process));
    bt_fails(brood_process_set_daemon(process, false), BROOD_ESTATE);
    bt_ok(brood_process_join(process, 20000));
    bt_ok(brood_process_failure(process, &failure));
    assert_string_equal(failure.kind, "RuntimeError");
    assert_non_null(strstr(failure.message, "daemonic processes are not allowed to have children"));
    brood_process_destroy(process);
}

static void test_the_daemon_flag_can_be_set_before_the_start(void **state)
{
    (void)state;
    brood_process *process;
    bt_ok(brood_process_create(&process, do_nothing, brood_tuple(0), NULL));
    assert_false(brood_process_is_daemon(process));
    bt_ok(brood_process_set_daemon(process, true));
    assert_true(brood_process_is_daemon(process));
    brood_process_destroy(process);
}

/* Tells its pid, then stays. */
static brood_status tell_pid_and_sleep(brood_call *call)
{
    const brood_value *item;
    brood_connection *connection;
    BROOD_TRY(brood_call_args(call, "v", &item));
    BROOD_TRY(brood_get_connection(item, &connection));
    BROOD_TRY(brood_connection_send(connection,
                                    brood_int(brood_process_pid(brood_current_process())), 20000));
    for (;;)
        brood_sleep(60000);
    return BROOD_OK;
}

static brood_status start_a_daemon_and_return(brood_call *call)
{
    const brood_value *item;
    brood_value pid;
    brood_process *inner;
    brood_connection *outer, *ours, *theirs;
    brood_process_options options = {.daemon = BROOD_DAEMON_YES};
    BROOD_TRY(brood_call_args(call, "v", &item));
    BROOD_TRY(brood_get_connection(item, &outer));
    BROOD_TRY(brood_pipe(&ours, &theirs, true));
    BROOD_TRY(brood_process_create(&inner, tell_pid_and_sleep,
                                   brood_pack("(v)", brood_connection_value(theirs)), &options));
    BROOD_TRY(brood_process_start(inner));
    brood_process_destroy(inner);
    brood_connection_close(theirs);
    BROOD_TRY(brood_connection_recv(ours, &pid, 20000)); /* it sleeps from now on */
    brood_connection_close(ours);
    return brood_connection_send(outer, pid, 20000);
}

static int64_t receive_int(brood_connection *connection)
{
    brood_value message;
    int64_t number;
    bt_ok(brood_connection_recv(connection, &message, 20000));
    bt_ok(brood_get_int(&message, &number));
    brood_value_clear(&message);
    return number;
}

static void test_daemons_end_with_their_parent(void **state)
{
    (void)state;
    brood_connection *ours, *theirs;
    bt_ok(brood_pipe(&ours, &theirs, true));
    brood_process *process =
        bt_process(start_a_daemon_and_return, brood_pack("(v)", brood_connection_value(theirs)));
    brood_connection_close(theirs);
    int64_t pid = receive_int(ours);
    assert_int_equal(bt_join(process), 0);
    assert_true(bt_is_gone(pid, 2000));
    brood_connection_close(ours);
}

/* Says when it ends, after the one who started it has long returned. */
static brood_status say_it_late(brood_call *call)
{
    const brood_value *item;
    brood_connection *connection;
    BROOD_TRY(brood_call_args(call, "v", &item));
    BROOD_TRY(brood_get_connection(item, &connection));
    brood_sleep(200);
    return brood_connection_send(connection, brood_int(1), 20000);
}

static brood_status start_a_late_one_and_return(brood_call *call)
{
    const brood_value *item;
    brood_value copy;
    brood_process *inner;
    BROOD_TRY(brood_call_args(call, "v", &item));
    BROOD_TRY(brood_value_copy(item, &copy));
    BROOD_TRY(brood_process_create(&inner, say_it_late, brood_pack("(v)", copy), NULL));
    brood_status status = brood_process_start(inner);
    brood_process_destroy(inner);
    return status;
}

static void test_other_children_are_joined_at_the_end(void **state)
{
    (void)state;
    brood_connection *ours, *theirs;
    bt_ok(brood_pipe(&ours, &theirs, true));
    brood_process *process =
        bt_process(start_a_late_one_and_return, brood_pack("(v)", brood_connection_value(theirs)));
    brood_connection_close(theirs);
    assert_int_equal(bt_join(process), 0);
    bt_ok(brood_connection_poll(ours, 0)); /* it was said before the child ended */
    assert_int_equal(receive_int(ours), 1);
    brood_connection_close(ours);
}

/* ---- authkeys ---- */

static brood_status check_authkey(brood_call *call)
{
    const void *wanted, *key;
    size_t wanted_size, size;
    BROOD_TRY(brood_call_args(call, "y", &wanted, &wanted_size));
    BROOD_TRY(brood_process_authkey(brood_current_process(), &key, &size));
    bt_check(call, size == wanted_size && memcmp(key, wanted, size) == 0);
    return BROOD_OK;
}

static void test_the_authkey_is_inherited(void **state)
{
    (void)state;
    const void *key;
    size_t size;
    bt_ok(brood_process_authkey(brood_current_process(), &key, &size));
    assert_int_equal(size, 32);
    bt_fails(brood_process_set_authkey(NULL, "key", 3), BROOD_EINVALID);
    bt_fails(brood_process_set_authkey(brood_current_process(), "", 0), BROOD_EINVALID);
    assert_int_equal(bt_join(bt_process(check_authkey, brood_pack("(y)", key, size))), 0);
    brood_process *process;
    bt_ok(brood_process_create(&process, check_authkey, brood_pack("(y)", "secret", (size_t)6),
                               NULL));
    bt_ok(brood_process_set_authkey(process, "secret", 6));
    bt_ok(brood_process_start(process));
    assert_int_equal(bt_join(process), 0);
}

static brood_status sleep_longest(brood_call *call)
{
    (void)call;
    brood_sleep(INT64_MAX);
    return BROOD_OK;
}

static void test_the_longest_sleep_is_for_ever(void **state)
{
    (void)state;
    brood_process *process = bt_process(sleep_longest, (brood_value){0});
    brood_status status = brood_process_join(process, 300);
    bt_ok(brood_process_kill(process));
    bt_join(process);
    assert_int_equal(status, BROOD_ETIMEDOUT);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_names_are_as_in_python),
        bt_test(test_a_child_knows_itself_and_its_parent),
        bt_test(test_join_times_out_and_leaves_the_child_running),
        bt_test(test_the_longest_sleep_is_for_ever), bt_test(test_several_threads_join_one_child),
        bt_test(test_joining_twice_is_fine),
        bt_test(test_a_process_can_be_waited_for_with_connections),
        bt_test(test_active_children_are_those_that_run),
        bt_test(test_a_child_does_not_have_its_parents_children),
        bt_test(test_only_children_can_be_joined),
        bt_test(test_a_forked_child_cannot_join_its_parents_children),
        bt_test(test_a_terminated_child_has_minus_15), bt_test(test_a_killed_child_has_minus_9),
        bt_test(test_an_interrupted_child_ends),
        bt_test(test_ending_a_child_that_has_ended_is_no_error),
        bt_test(test_a_crash_tells_its_signal), bt_test(test_a_daemon_may_not_have_children),
        bt_test(test_the_daemon_flag_can_be_set_before_the_start),
        bt_test(test_daemons_end_with_their_parent),
        bt_test(test_other_children_are_joined_at_the_end), bt_test(test_the_authkey_is_inherited));
}
