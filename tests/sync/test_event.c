/* brood-test: start-methods */
/* The event: waits between threads and processes, and setters and waiters that are killed. */
#include "core/thread.h"
#include "support.h"

static void test_set_and_clear(void **state)
{
    (void)state;
    brood_event *event;
    bt_ok(brood_event_create(&event));
    assert_false(brood_event_is_set(event));
    assert_int_equal(brood_event_wait(event, 0), BROOD_ETIMEDOUT);
    brood_ms begun = brood_now();
    assert_int_equal(brood_event_wait(event, 40), BROOD_ETIMEDOUT);
    assert_true(brood_now() - begun >= 40);
    bt_ok(brood_event_set(event));
    bt_ok(brood_event_set(event));
    assert_true(brood_event_is_set(event));
    bt_ok(brood_event_wait(event, 0));
    bt_ok(brood_event_wait(event, BROOD_FOREVER));
    bt_ok(brood_event_clear(event));
    bt_ok(brood_event_clear(event));
    assert_false(brood_event_is_set(event));
    assert_int_equal(brood_event_wait(event, 0), BROOD_ETIMEDOUT);
    brood_event_destroy(event);
}

static void test_none_at_all_is_an_error(void **state)
{
    (void)state;
    brood_event *event;
    bt_fails(brood_event_wait(NULL, 0), BROOD_EINVALID);
    bt_fails(brood_event_set(NULL), BROOD_EINVALID);
    bt_fails(brood_event_clear(NULL), BROOD_EINVALID);
    assert_false(brood_event_is_set(NULL));
    brood_event_destroy(NULL);
    brood_value value = brood_int(1);
    bt_fails(brood_get_event(&value, &event), BROOD_ETYPE);
    assert_int_equal(brood_event_value(NULL).kind, BROOD_INVALID);
}

typedef struct waiter {
    brood_event *event;
    bri_thread *thread;
    brood_status status;
} waiter;

static void wait_in_thread(void *context)
{
    waiter *self = context;
    self->status = brood_event_wait(self->event, LONG);
}

static void test_all_threads_are_woken(void **state)
{
    (void)state;
    enum { N = 4 };
    brood_event *event;
    waiter waiters[N];
    bt_ok(brood_event_create(&event));
    for (int i = 0; i < N; i++) {
        waiters[i] = (waiter){event, NULL, BROOD_OK};
        bt_ok(bri_thread_start(&waiters[i].thread, wait_in_thread, &waiters[i]));
    }
    bt_ok(brood_event_set(event));
    for (int i = 0; i < N; i++) {
        bri_thread_join(waiters[i].thread);
        assert_int_equal(waiters[i].status, BROOD_OK);
    }
    brood_event_destroy(event);
}

/* Waits, tells, and waits again, until the connection's other end says enough. */
static brood_status wait_in_rounds(brood_call *call)
{
    const brood_value *object;
    brood_connection *told;
    brood_event *event;
    BROOD_TRY(actor_begin(call, &object, &told));
    BROOD_TRY(brood_get_event(object, &event));
    for (int i = 0; i < 5; i++) {
        BROOD_TRY(brood_connection_send(told, brood_int(i), -1));
        BROOD_TRY(brood_event_wait(event, LONG));
        BROOD_TRY(actor_pause(told));
    }
    return BROOD_OK;
}

static void test_all_processes_are_woken_each_time(void **state)
{
    (void)state;
    enum { N = 5 };
    brood_event *event;
    actor waiters[N];
    bt_ok(brood_event_create(&event));
    for (int i = 0; i < N; i++)
        waiters[i] = actor_start(wait_in_rounds, brood_event_value(event));
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < N; i++)
            actor_await(&waiters[i]);
        bt_ok(brood_event_set(event));
        for (int i = 0; i < N; i++)
            actor_await(&waiters[i]);
        bt_ok(brood_event_clear(event));
        for (int i = 0; i < N; i++)
            actor_go_on(&waiters[i]);
    }
    for (int i = 0; i < N; i++)
        actor_end(&waiters[i]);
    brood_event_destroy(event);
}

static brood_status just_wait(brood_call *call)
{
    const brood_value *object;
    brood_connection *told;
    brood_event *event;
    BROOD_TRY(actor_begin(call, &object, &told));
    BROOD_TRY(brood_get_event(object, &event));
    BROOD_TRY(brood_connection_send(told, brood_none(), -1));
    return brood_event_wait(event, LONG);
}

/* The waiter may come too late for the first pulse, but it sees one of them. */
static void test_a_pulse_is_enough(void **state)
{
    (void)state;
    brood_event *event;
    bt_ok(brood_event_create(&event));
    actor living = actor_start(just_wait, brood_event_value(event));
    actor_await(&living);
    while (brood_process_join(living.process, 5) == BROOD_ETIMEDOUT) {
        bt_ok(brood_event_set(event));
        bt_ok(brood_event_clear(event));
    }
    actor_end(&living);
    brood_event_destroy(event);
}

static void test_dead_waiters_harm_nobody(void **state)
{
    (void)state;
    brood_event *event;
    bt_ok(brood_event_create(&event));
    actor dead = actor_start(just_wait, brood_event_value(event));
    actor living = actor_start(just_wait, brood_event_value(event));
    actor_await(&dead);
    actor_await(&living);
    actor_kill(&dead);
    assert_true(brood_process_is_alive(living.process));
    bt_ok(brood_event_set(event));
    actor_end(&living);
    brood_event_destroy(event);
}

/* ---- kills at every point ---- */

typedef struct pair {
    brood_event *ask, *answer;
} pair;

static brood_status ask_in_rounds(brood_call *call)
{
    const brood_value *objects, *one, *other;
    brood_event *ask, *answer;
    BROOD_TRY(bt_kills_begin(call, &objects));
    BROOD_TRY(brood_unpack(objects, "vv", &one, &other));
    BROOD_TRY(brood_get_event(one, &ask));
    BROOD_TRY(brood_get_event(other, &answer));
    for (int i = 0; i < 8; i++) {
        BROOD_TRY(brood_event_clear(answer));
        BROOD_TRY(brood_event_set(ask));
        BROOD_TRY(brood_event_wait(answer, LONG));
    }
    return bt_kills_end();
}

static brood_status answer_for_ever(brood_call *call)
{
    const brood_value *one, *other;
    brood_event *ask, *answer;
    BROOD_TRY(brood_call_args(call, "vv", &one, &other));
    BROOD_TRY(brood_get_event(one, &ask));
    BROOD_TRY(brood_get_event(other, &answer));
    for (;;) {
        BROOD_TRY(brood_event_wait(ask, -1));
        BROOD_TRY(brood_event_clear(ask));
        brood_sleep(1); /* so that the other one sleeps */
        BROOD_TRY(brood_event_set(answer));
    }
}

static brood_value give_pair(void *context)
{
    pair *both = context;
    return brood_pack("vv", brood_event_value(both->ask), brood_event_value(both->answer));
}

static void check_pair(void *context, const char *point, int n)
{
    pair *both = context;
    bt_ok(brood_event_clear(both->answer));
    bt_ok(brood_event_set(both->ask));
    if (brood_event_wait(both->answer, 5000) != BROOD_OK)
        fail_msg("no answer after %s, %d", point, n);
}

static void test_a_kill_at_any_point_loses_no_wake(void **state)
{
    (void)state;
    pair both;
    bt_ok(brood_event_create(&both.ask));
    bt_ok(brood_event_create(&both.answer));
    brood_process *other = bt_process(answer_for_ever, brood_pack("vv", brood_event_value(both.ask),
                                                                  brood_event_value(both.answer)));
    bt_kills kills = {
        .run = ask_in_rounds, .prepare = give_pair, .verify = check_pair, .context = &both};
    assert_true(bt_kill_everywhere(&kills) >= 4);
    assert_true(brood_process_is_alive(other));
    bt_ok(brood_process_kill(other));
    assert_int_equal(bt_join(other), -9);
    brood_event_destroy(both.ask);
    brood_event_destroy(both.answer);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_set_and_clear), bt_test(test_none_at_all_is_an_error),
                   bt_test(test_all_threads_are_woken),
                   bt_test(test_all_processes_are_woken_each_time), bt_test(test_a_pulse_is_enough),
                   bt_test(test_dead_waiters_harm_nobody),
                   bt_test(test_a_kill_at_any_point_loses_no_wake));
}
