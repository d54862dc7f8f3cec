/* brood-test: start-methods */
/* The recursive lock: threads, processes, deaths at any point. */
#include "core/thread.h"
#include "support.h"

static void test_the_holder_may_acquire_again(void **state)
{
    (void)state;
    brood_rlock *rlock;
    bt_ok(brood_rlock_create(&rlock));
    assert_false(brood_rlock_is_locked(rlock));
    for (int i = 0; i < 3; i++)
        bt_ok(brood_rlock_acquire(rlock, i == 0 ? BROOD_FOREVER : 0));
    for (int i = 0; i < 3; i++) {
        assert_true(brood_rlock_is_locked(rlock));
        bt_ok(brood_rlock_release(rlock));
    }
    assert_false(brood_rlock_is_locked(rlock));
    bt_fails(brood_rlock_release(rlock), BROOD_ESTATE);
    bt_message_has("does not hold it");
    brood_rlock_destroy(rlock);
}

static void test_none_at_all_is_an_error(void **state)
{
    (void)state;
    brood_rlock *rlock;
    bt_fails(brood_rlock_acquire(NULL, 0), BROOD_EINVALID);
    bt_fails(brood_rlock_release(NULL), BROOD_EINVALID);
    assert_false(brood_rlock_is_locked(NULL));
    brood_rlock_destroy(NULL);
    brood_value value = brood_int(1);
    bt_fails(brood_get_rlock(&value, &rlock), BROOD_ETYPE);
    assert_int_equal(brood_rlock_value(NULL).kind, BROOD_INVALID);
}

/* ---- threads ---- */

typedef struct other_thread {
    brood_rlock *rlock;
    brood_status acquired, released;
} other_thread;

static void try_it(void *context)
{
    other_thread *self = context;
    self->acquired = brood_rlock_acquire(self->rlock, 20);
    self->released = brood_rlock_release(self->rlock);
}

static void run_thread(void (*run)(void *), void *context)
{
    bri_thread *thread;
    bt_ok(bri_thread_start(&thread, run, context));
    bri_thread_join(thread);
}

static void test_another_thread_can_neither_acquire_nor_release_it(void **state)
{
    (void)state;
    other_thread other = {NULL, BROOD_OK, BROOD_OK};
    bt_ok(brood_rlock_create(&other.rlock));
    bt_ok(brood_rlock_acquire(other.rlock, 0));
    run_thread(try_it, &other);
    assert_int_equal(other.acquired, BROOD_ETIMEDOUT);
    assert_int_equal(other.released, BROOD_ESTATE);
    bt_ok(brood_rlock_release(other.rlock));
    run_thread(try_it, &other);
    assert_int_equal(other.acquired, BROOD_OK);
    assert_int_equal(other.released, BROOD_OK);
    brood_rlock_destroy(other.rlock);
}

typedef struct counter {
    brood_rlock *rlock;
    long count;
} counter;

static void count_under_it(void *context)
{
    counter *self = context;
    for (int i = 0; i < 3000; i++) {
        for (int j = 0; j <= i % 3; j++)
            brood_rlock_acquire(self->rlock, -1);
        self->count++;
        for (int j = 0; j <= i % 3; j++)
            brood_rlock_release(self->rlock);
    }
}

static void test_threads_exclude_each_other(void **state)
{
    (void)state;
    enum { N = 4 };
    counter shared = {NULL, 0};
    bri_thread *threads[N];
    bt_ok(brood_rlock_create(&shared.rlock));
    for (int i = 0; i < N; i++)
        bt_ok(bri_thread_start(&threads[i], count_under_it, &shared));
    for (int i = 0; i < N; i++)
        bri_thread_join(threads[i]);
    assert_int_equal(shared.count, N * 3000);
    brood_rlock_destroy(shared.rlock);
}

/* ---- processes ---- */

static brood_status hold_it_twice(brood_call *call)
{
    const brood_value *object;
    brood_connection *told;
    brood_rlock *rlock;
    BROOD_TRY(actor_begin(call, &object, &told));
    BROOD_TRY(brood_get_rlock(object, &rlock));
    BROOD_TRY(brood_rlock_acquire(rlock, -1));
    BROOD_TRY(brood_rlock_acquire(rlock, -1));
    BROOD_TRY(actor_pause(told));
    BROOD_TRY(brood_rlock_release(rlock));
    return brood_rlock_release(rlock);
}

static void test_another_process_can_neither_acquire_nor_release_it(void **state)
{
    (void)state;
    brood_rlock *rlock;
    bt_ok(brood_rlock_create(&rlock));
    actor holder = actor_start(hold_it_twice, brood_rlock_value(rlock));
    actor_await(&holder);
    assert_int_equal(brood_rlock_acquire(rlock, 0), BROOD_ETIMEDOUT);
    bt_fails(brood_rlock_release(rlock), BROOD_ESTATE);
    actor_go_on(&holder);
    actor_end(&holder);
    bt_ok(brood_rlock_acquire(rlock, 0));
    bt_ok(brood_rlock_release(rlock));
    brood_rlock_destroy(rlock);
}

static void test_the_owners_death_is_told_once(void **state)
{
    (void)state;
    brood_rlock *rlock;
    bt_ok(brood_rlock_create(&rlock));
    for (int i = 0; i < 3; i++) {
        actor holder = actor_start(hold_it_twice, brood_rlock_value(rlock));
        actor_await(&holder);
        bt_ok(brood_process_kill(holder.process));
        BT_WITHIN_A_SECOND(assert_int_equal(brood_rlock_acquire(rlock, LONG), BROOD_EOWNERDIED));
        bt_ok(brood_rlock_acquire(rlock, 0));
        bt_ok(brood_rlock_release(rlock));
        bt_ok(brood_rlock_release(rlock));
        assert_false(brood_rlock_is_locked(rlock));
        actor_kill(&holder);
    }
    brood_rlock_destroy(rlock);
}

/* ---- kills at every point ---- */

static brood_status use(brood_rlock *rlock)
{
    brood_status status = brood_rlock_acquire(rlock, LONG);
    if (status != BROOD_EOWNERDIED)
        BROOD_TRY(status);
    BROOD_TRY(brood_rlock_acquire(rlock, 0));
    brood_sleep(1);
    BROOD_TRY(brood_rlock_release(rlock));
    return brood_rlock_release(rlock);
}

static brood_status use_it(brood_call *call)
{
    const brood_value *value;
    brood_rlock *rlock;
    BROOD_TRY(bt_kills_begin(call, &value));
    BROOD_TRY(brood_get_rlock(value, &rlock));
    for (int i = 0; i < 12; i++)
        BROOD_TRY(use(rlock));
    return bt_kills_end();
}

static brood_status use_it_for_ever(brood_call *call)
{
    const brood_value *value;
    brood_rlock *rlock;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_rlock(value, &rlock));
    for (;;)
        BROOD_TRY(use(rlock));
}

static brood_value give_rlock(void *context)
{
    return brood_rlock_value(context);
}

static void check_rlock(void *context, const char *point, int n)
{
    brood_status status = brood_rlock_acquire(context, 5000);
    if (status != BROOD_OK && status != BROOD_EOWNERDIED)
        fail_msg("the lock gives %d after %s, %d", (int)status, point, n);
    bt_ok(brood_rlock_release(context));
}

static void test_a_kill_at_any_point_leaves_it_usable(void **state)
{
    (void)state;
    brood_rlock *rlock;
    bt_ok(brood_rlock_create(&rlock));
    brood_process *other = bt_process(use_it_for_ever, brood_pack("(v)", brood_rlock_value(rlock)));
    bt_kills kills = {
        .run = use_it, .prepare = give_rlock, .verify = check_rlock, .context = rlock, .most = 2};
    assert_true(bt_kill_everywhere(&kills) >= 5);
    assert_true(brood_process_is_alive(other));
    bt_ok(brood_process_kill(other));
    assert_int_equal(bt_join(other), -9);
    brood_rlock_destroy(rlock);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_the_holder_may_acquire_again),
                   bt_test(test_none_at_all_is_an_error),
                   bt_test(test_another_thread_can_neither_acquire_nor_release_it),
                   bt_test(test_threads_exclude_each_other),
                   bt_test(test_another_process_can_neither_acquire_nor_release_it),
                   bt_test(test_the_owners_death_is_told_once),
                   bt_test(test_a_kill_at_any_point_leaves_it_usable));
}
