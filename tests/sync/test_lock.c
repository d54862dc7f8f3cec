/* brood-test: start-methods */
/* The lock: threads, processes, time-outs, deaths at any point. */
#include "harness.h"
#include "kills.h"

#include "core/thread.h"
#include "ipc/shared.h"

static brood_status before_init;

static void test_nothing_works_before_brood_init(void **state)
{
    (void)state;
    assert_int_equal(before_init, BROOD_ENOINIT);
}

static void test_acquire_and_release(void **state)
{
    (void)state;
    brood_lock *lock;
    bt_ok(brood_lock_create(&lock));
    assert_false(brood_lock_is_locked(lock));
    bt_ok(brood_lock_acquire(lock, BROOD_FOREVER));
    assert_true(brood_lock_is_locked(lock));
    assert_int_equal(brood_lock_acquire(lock, 0), BROOD_ETIMEDOUT);
    bt_ok(brood_lock_release(lock));
    assert_false(brood_lock_is_locked(lock));
    bt_ok(brood_lock_acquire(lock, 0));
    bt_ok(brood_lock_release(lock));
    brood_lock_destroy(lock);
}

static void test_a_time_out_leaves_it_held(void **state)
{
    (void)state;
    brood_lock *lock;
    bt_ok(brood_lock_create(&lock));
    bt_ok(brood_lock_acquire(lock, 0));
    brood_ms begun = brood_now();
    assert_int_equal(brood_lock_acquire(lock, 40), BROOD_ETIMEDOUT);
    assert_true(brood_now() - begun >= 40);
    bt_ok(brood_lock_release(lock));
    bt_ok(brood_lock_acquire(lock, 0));
    brood_lock_destroy(lock);
}

static void test_releasing_a_free_lock_is_an_error(void **state)
{
    (void)state;
    brood_lock *lock;
    bt_ok(brood_lock_create(&lock));
    bt_fails(brood_lock_release(lock), BROOD_ESTATE);
    bt_message_has("nobody holds it");
    bt_ok(brood_lock_acquire(lock, 0));
    bt_ok(brood_lock_release(lock));
    bt_fails(brood_lock_release(lock), BROOD_ESTATE);
    brood_lock_destroy(lock);
}

static void test_no_lock_at_all_is_an_error(void **state)
{
    (void)state;
    brood_lock *lock;
    bt_fails(brood_lock_acquire(NULL, 0), BROOD_EINVALID);
    bt_fails(brood_lock_release(NULL), BROOD_EINVALID);
    assert_false(brood_lock_is_locked(NULL));
    brood_lock_destroy(NULL);
    brood_value value = brood_lock_value(NULL);
    assert_int_equal(value.kind, BROOD_INVALID);
    value = brood_int(1);
    bt_fails(brood_get_lock(&value, &lock), BROOD_ETYPE);
    bt_message_has("Lock");
}

static void test_a_value_keeps_the_lock(void **state)
{
    (void)state;
    brood_lock *lock, *same;
    bt_ok(brood_lock_create(&lock));
    brood_value value = brood_lock_value(lock);
    brood_lock_destroy(lock);
    bt_ok(brood_get_lock(&value, &same));
    assert_ptr_equal(same, lock);
    bt_ok(brood_lock_acquire(same, 0));
    bt_ok(brood_lock_release(same));
    brood_value_clear(&value);
}

/* ---- counting under it ---- */

typedef struct counter {
    brood_lock *lock;
    long *count;
    int rounds;
} counter;

static void count_under_lock(void *context)
{
    counter *self = context;
    for (int i = 0; i < self->rounds; i++) {
        if (brood_lock_acquire(self->lock, -1) != BROOD_OK)
            return;
        *self->count += 1;
        brood_lock_release(self->lock);
    }
}

static void test_threads_exclude_each_other(void **state)
{
    (void)state;
    enum { N = 4, ROUNDS = 5000 };
    long count = 0;
    brood_lock *lock;
    bri_thread *threads[N];
    bt_ok(brood_lock_create(&lock));
    counter shared = {lock, &count, ROUNDS};
    for (int i = 0; i < N; i++)
        bt_ok(bri_thread_start(&threads[i], count_under_lock, &shared));
    for (int i = 0; i < N; i++)
        bri_thread_join(threads[i]);
    assert_int_equal(count, N * ROUNDS);
    brood_lock_destroy(lock);
}

/* Plain memory of the arena, by its offset. */
static brood_status count_in_process(brood_call *call)
{
    const brood_value *value;
    uint64_t block;
    int64_t rounds;
    bri_arena *arena;
    counter shared;
    BROOD_TRY(brood_call_args(call, "vui", &value, &block, &rounds));
    BROOD_TRY(brood_get_lock(value, &shared.lock));
    BROOD_TRY(bri_arena_get(&arena));
    shared.count = bri_arena_at(arena, block);
    shared.rounds = (int)rounds;
    count_under_lock(&shared);
    return BROOD_OK;
}

static void test_processes_exclude_each_other(void **state)
{
    (void)state;
    enum { N = 4, ROUNDS = 5000 };
    brood_lock *lock;
    brood_process *processes[N];
    bri_arena *arena;
    uint64_t block;
    bt_ok(brood_lock_create(&lock));
    bt_ok(bri_arena_get(&arena));
    bt_ok(bri_arena_alloc(arena, sizeof(long), &block));
    long *count = bri_arena_at(arena, block);
    *count = 0;
    for (int i = 0; i < N; i++)
        processes[i] =
            bt_process(count_in_process, brood_pack("vui", brood_lock_value(lock), block, ROUNDS));
    for (int i = 0; i < N; i++)
        assert_int_equal(bt_join(processes[i]), 0);
    assert_int_equal(*count, N * ROUNDS);
    bri_arena_free(arena, block);
    brood_lock_destroy(lock);
}

/* ---- deaths ---- */

static brood_status hold_and_wait(brood_call *call)
{
    const brood_value *lock_value, *told_value;
    brood_lock *lock;
    brood_connection *told;
    brood_value never;
    BROOD_TRY(brood_call_args(call, "vv", &lock_value, &told_value));
    BROOD_TRY(brood_get_lock(lock_value, &lock));
    BROOD_TRY(brood_get_connection(told_value, &told));
    BROOD_TRY(brood_lock_acquire(lock, -1));
    BROOD_TRY(brood_connection_send(told, brood_none(), -1));
    return brood_connection_recv(told, &never, -1);
}

/* A process that holds the lock. */
static brood_process *start_holder(brood_lock *lock, brood_connection **told)
{
    brood_connection *theirs;
    brood_value value;
    bt_ok(brood_pipe(told, &theirs, true));
    brood_process *process = bt_process(
        hold_and_wait, brood_pack("vv", brood_lock_value(lock), brood_connection_value(theirs)));
    brood_connection_close(theirs);
    bt_ok(brood_connection_recv(*told, &value, 20000));
    return process;
}

static void test_any_process_may_release(void **state)
{
    (void)state;
    brood_lock *lock;
    brood_connection *told;
    bt_ok(brood_lock_create(&lock));
    brood_process *process = start_holder(lock, &told);
    assert_true(brood_lock_is_locked(lock));
    assert_int_equal(brood_lock_acquire(lock, 0), BROOD_ETIMEDOUT);
    bt_ok(brood_lock_release(lock));
    bt_ok(brood_lock_acquire(lock, 0));
    bt_ok(brood_process_kill(process));
    bt_join(process);
    bt_ok(brood_lock_release(lock));
    bt_ok(brood_lock_acquire(lock, 0));
    brood_connection_close(told);
    brood_lock_destroy(lock);
}

static void test_the_owners_death_is_told_once(void **state)
{
    (void)state;
    brood_lock *lock;
    brood_connection *told;
    bt_ok(brood_lock_create(&lock));
    for (int i = 0; i < 3; i++) {
        brood_process *process = start_holder(lock, &told);
        bt_ok(brood_process_kill(process));
        brood_ms begun = brood_now();
        assert_int_equal(brood_lock_acquire(lock, 20000), BROOD_EOWNERDIED);
        assert_true(brood_now() - begun < 1000);
        assert_int_equal(bt_join(process), -9);
        bt_ok(brood_lock_release(lock));
        bt_ok(brood_lock_acquire(lock, 0));
        bt_ok(brood_lock_release(lock));
        brood_connection_close(told);
    }
    brood_lock_destroy(lock);
}

static void test_the_dead_owner_is_found_without_waiting(void **state)
{
    (void)state;
    brood_lock *lock;
    brood_connection *told;
    bt_ok(brood_lock_create(&lock));
    brood_process *process = start_holder(lock, &told);
    bt_ok(brood_process_kill(process));
    assert_int_equal(bt_join(process), -9);
    assert_false(brood_lock_is_locked(lock));
    assert_int_equal(brood_lock_acquire(lock, 0), BROOD_EOWNERDIED);
    bt_ok(brood_lock_release(lock));
    brood_connection_close(told);
    brood_lock_destroy(lock);
}

typedef struct waiter {
    brood_lock *lock;
    bri_thread *thread;
    brood_status status;
} waiter;

static void wait_and_release(void *context)
{
    waiter *self = context;
    self->status = brood_lock_acquire(self->lock, 20000);
    if (self->status == BROOD_OK || self->status == BROOD_EOWNERDIED)
        brood_lock_release(self->lock);
}

static void test_one_of_many_waiters_is_told(void **state)
{
    (void)state;
    enum { N = 4 };
    brood_lock *lock;
    brood_connection *told;
    waiter waiters[N];
    bt_ok(brood_lock_create(&lock));
    brood_process *process = start_holder(lock, &told);
    for (int i = 0; i < N; i++) {
        waiters[i].lock = lock;
        bt_ok(bri_thread_start(&waiters[i].thread, wait_and_release, &waiters[i]));
    }
    bt_ok(brood_process_kill(process));
    int died = 0;
    for (int i = 0; i < N; i++) {
        bri_thread_join(waiters[i].thread);
        died += waiters[i].status == BROOD_EOWNERDIED;
        assert_true(waiters[i].status == BROOD_OK || waiters[i].status == BROOD_EOWNERDIED);
    }
    assert_int_equal(died, 1);
    assert_int_equal(bt_join(process), -9);
    brood_connection_close(told);
    brood_lock_destroy(lock);
}

/* ---- kills at every point, with another process that uses the lock all the time ---- */

static brood_status use_it(brood_call *call)
{
    const brood_value *value;
    brood_lock *lock;
    BROOD_TRY(bt_kills_begin(call, &value));
    BROOD_TRY(brood_get_lock(value, &lock));
    for (int i = 0; i < 20; i++) {
        brood_status status = brood_lock_acquire(lock, -1);
        bt_check(call, status == BROOD_OK || status == BROOD_EOWNERDIED);
        /* Long enough for the other one to sleep. */
        brood_sleep(1);
        BROOD_TRY(brood_lock_release(lock));
    }
    return bt_kills_end();
}

static brood_status use_it_for_ever(brood_call *call)
{
    const brood_value *value;
    brood_lock *lock;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_lock(value, &lock));
    for (;;) {
        brood_status status = brood_lock_acquire(lock, 20000);
        bt_check(call, status == BROOD_OK || status == BROOD_EOWNERDIED);
        brood_sleep(1);
        BROOD_TRY(brood_lock_release(lock));
    }
}

static brood_value give_lock(void *context)
{
    return brood_lock_value(context);
}

static void check_lock(void *context, const char *point, int n)
{
    brood_status status = brood_lock_acquire(context, 5000);
    if (status != BROOD_OK && status != BROOD_EOWNERDIED)
        fail_msg("the lock gives %d after %s, %d", (int)status, point, n);
    bt_ok(brood_lock_release(context));
}

static void test_a_kill_at_any_point_leaves_it_usable(void **state)
{
    (void)state;
    brood_lock *lock;
    bt_ok(brood_lock_create(&lock));
    brood_process *other = bt_process(use_it_for_ever, brood_pack("(v)", brood_lock_value(lock)));
    bt_kills kills = {
        .run = use_it, .prepare = give_lock, .verify = check_lock, .context = lock, .most = 3};
    /* How often the two meet is up to the scheduler. */
    assert_true(bt_kill_everywhere(&kills) >= 1);
    assert_true(brood_process_is_alive(other));
    bt_ok(brood_process_kill(other));
    assert_int_equal(bt_join(other), -9);
    brood_lock_destroy(lock);
}

int main(int argc, char **argv)
{
    brood_lock *lock;
    before_init = brood_lock_create(&lock);
    return bt_main(
        argc, argv, bt_test(test_nothing_works_before_brood_init),
        bt_test(test_acquire_and_release), bt_test(test_a_time_out_leaves_it_held),
        bt_test(test_releasing_a_free_lock_is_an_error), bt_test(test_no_lock_at_all_is_an_error),
        bt_test(test_a_value_keeps_the_lock), bt_test(test_threads_exclude_each_other),
        bt_test(test_processes_exclude_each_other), bt_test(test_any_process_may_release),
        bt_test(test_the_owners_death_is_told_once),
        bt_test(test_the_dead_owner_is_found_without_waiting),
        bt_test(test_one_of_many_waiters_is_told),
        bt_test(test_a_kill_at_any_point_leaves_it_usable));
}
