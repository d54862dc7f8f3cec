/* The supervisor: it tells of every end, once, whoever collected the child. */
/* brood-test: start-methods */
#include "harness.h"

#include "platform/clock.h"
#include "platform/lock.h"
#include "proc/children.h"

static brood_status do_nothing(brood_call *call)
{
    (void)call;
    return BROOD_OK;
}

static brood_status sleep_for_ever(brood_call *call)
{
    (void)call;
    for (;;)
        brood_sleep(60000);
    return BROOD_OK;
}

/* What the callbacks were told. */
static struct {
    brp_mutex *mutex;
    brp_condition *changed;
    int ends;
    int codes;
    brood_process *last;
} told;

static int open_told(void **state)
{
    bt_ledger_open(state);
    bt_ok(brp_mutex_create(&told.mutex));
    bt_ok(brp_condition_create(&told.changed));
    told.ends = told.codes = 0;
    return 0;
}

static int close_told(void **state)
{
    brp_condition_destroy(told.changed);
    brp_mutex_destroy(told.mutex);
    return bt_ledger_close(state);
}

#define told_test(function) cmocka_unit_test_setup_teardown(function, open_told, close_told)

static void note_end(void *context, brood_process *process)
{
    int code = 0;
    assert_ptr_equal(context, &told);
    if (brood_process_exitcode(process, &code) != BROOD_OK)
        code = 1000000;
    brp_mutex_lock(told.mutex);
    told.ends++;
    told.codes += code;
    told.last = process;
    brp_condition_broadcast(told.changed);
    brp_mutex_unlock(told.mutex);
}

static void await_ends(int n)
{
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), 20000);
    brp_mutex_lock(told.mutex);
    while (told.ends < n && brp_condition_wait(told.changed, told.mutex, deadline) == BROOD_OK)
        ;
    int ends = told.ends;
    brp_mutex_unlock(told.mutex);
    assert_int_equal(ends, n);
}

static void test_an_end_is_told_though_nobody_joins(void **state)
{
    (void)state;
    brood_process *process = bt_process(sleep_for_ever, brood_tuple(0));
    bt_ok(bri_children_watch(process, note_end, &told));
    bt_fails(bri_children_watch(process, note_end, &told), BROOD_ESTATE);
    bt_ok(brood_process_kill(process));
    await_ends(1);
    assert_ptr_equal(told.last, process);
    assert_int_equal(told.codes, -9);
    brood_process_destroy(process);
}

static void test_an_end_is_told_though_a_join_collected_it(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        brood_process *process = bt_process(do_nothing, brood_tuple(0));
        bt_ok(bri_children_watch(process, note_end, &told));
        bt_ok(brood_process_join(process, 20000));
        await_ends(i + 1);
        brood_process_destroy(process);
    }
    assert_int_equal(told.codes, 0);
}

static void test_an_end_that_is_long_past_is_told_too(void **state)
{
    (void)state;
    brood_process *process = bt_process(do_nothing, brood_tuple(0));
    bt_ok(brood_process_join(process, 20000));
    bt_ok(bri_children_watch(process, note_end, &told));
    await_ends(1);
    brood_process_destroy(process);
}

static void test_an_end_is_told_of_a_destroyed_object(void **state)
{
    (void)state;
    brood_process *process = bt_process(do_nothing, brood_tuple(0));
    bt_ok(bri_children_watch(process, note_end, &told));
    brood_process_destroy(process);
    await_ends(1);
}

static void test_nothing_is_told_after_unwatch(void **state)
{
    (void)state;
    brood_process *first = bt_process(sleep_for_ever, brood_tuple(0));
    brood_process *second = bt_process(sleep_for_ever, brood_tuple(0));
    bt_ok(bri_children_watch(first, note_end, &told));
    bt_ok(bri_children_watch(second, note_end, &told));
    bri_children_unwatch(first);
    bt_ok(brood_process_kill(first));
    assert_int_equal(bt_join(first), -9);
    bt_ok(brood_process_kill(second));
    await_ends(1);
    assert_ptr_equal(told.last, second);
    brood_process_destroy(second);
}

static void test_many_ends_are_told(void **state)
{
    (void)state;
    enum { MANY = 30 };
    brood_process *processes[MANY];
    for (int i = 0; i < MANY; i++) {
        processes[i] = bt_process(do_nothing, brood_tuple(0));
        bt_ok(bri_children_watch(processes[i], note_end, &told));
    }
    await_ends(MANY);
    for (int i = 0; i < MANY; i++)
        brood_process_destroy(processes[i]);
}

static bool is_collected(void *context)
{
    (void)context;
    return bri_children_count() == 0;
}

static void test_supervised_children_are_collected_by_themselves(void **state)
{
    (void)state;
    brood_process *process = bt_process(do_nothing, brood_tuple(0));
    int code = -1;
    assert_true(bt_await(is_collected, NULL, 2000));
    bt_ok(brood_process_exitcode(process, &code));
    assert_int_equal(code, 0);
    brood_process_destroy(process);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, told_test(test_an_end_is_told_though_nobody_joins),
                   told_test(test_an_end_is_told_though_a_join_collected_it),
                   told_test(test_an_end_that_is_long_past_is_told_too),
                   told_test(test_an_end_is_told_of_a_destroyed_object),
                   told_test(test_nothing_is_told_after_unwatch),
                   told_test(test_many_ends_are_told),
                   bt_test(test_supervised_children_are_collected_by_themselves));
}
