/* Locks and helper threads inside one process, and the gate that a fork closes. */
#include "harness.h"

#include <stdatomic.h>

#include "core/thread.h"
#include "platform/clock.h"

/* A helper that goes through the gate as long as it is told to. */
static struct {
    brp_mutex *mutex;
    brp_condition *changed;
    bool stop;
    int passages; /* under the mutex */
    atomic_int inside;
} work;

static void pass_the_gate(void *context)
{
    (void)context;
    for (bool stop = false; !stop;) {
        bri_gate_enter();
        atomic_fetch_add(&work.inside, 1);
        brp_mutex_lock(work.mutex);
        work.passages++;
        brp_condition_broadcast(work.changed);
        stop = work.stop;
        brp_mutex_unlock(work.mutex);
        atomic_fetch_sub(&work.inside, 1);
        bri_gate_leave();
    }
}

static void await_passages(int n)
{
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), 20000);
    brp_mutex_lock(work.mutex);
    while (work.passages < n)
        bt_ok(brp_condition_wait(work.changed, work.mutex, deadline));
    brp_mutex_unlock(work.mutex);
}

static void test_a_closed_gate_lets_no_helper_in(void **state)
{
    (void)state;
    bri_thread *threads[3];
    bt_ok(brp_mutex_create(&work.mutex));
    bt_ok(brp_condition_create(&work.changed));
    work.stop = false;
    work.passages = 0;
    int before = bri_thread_count();
    for (int i = 0; i < 3; i++)
        bt_ok(bri_thread_start(&threads[i], pass_the_gate, NULL));
    assert_int_equal(bri_thread_count(), before + 3);
    for (int round = 1; round <= 50; round++) {
        await_passages(round * 10);
        bri_gate_close();
        bri_threads_lock();
        int inside = atomic_load(&work.inside);
        brp_mutex_lock(work.mutex); /* nobody holds it: they are all outside */
        int then = work.passages;
        brp_mutex_unlock(work.mutex);
        bri_threads_unlock();
        brp_mutex_lock(work.mutex);
        int now = work.passages;
        brp_mutex_unlock(work.mutex);
        bri_gate_open();
        assert_int_equal(inside, 0);
        assert_int_equal(now, then);
    }
    brp_mutex_lock(work.mutex);
    work.stop = true;
    brp_mutex_unlock(work.mutex);
    for (int i = 0; i < 3; i++)
        bri_thread_join(threads[i]);
    assert_int_equal(bri_thread_count(), before);
    brp_condition_destroy(work.changed);
    brp_mutex_destroy(work.mutex);
}

static void do_nothing(void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
}

static void test_threads_run_and_leave_nothing(void **state)
{
    (void)state;
    atomic_int runs = 0;
    for (int i = 0; i < 100; i++) {
        bri_thread *thread;
        bt_ok(bri_thread_start(&thread, do_nothing, &runs));
        bri_thread_join(thread);
    }
    assert_int_equal(atomic_load(&runs), 100);
    bri_thread_join(NULL);
}

static void test_a_condition_times_out(void **state)
{
    (void)state;
    brp_mutex *mutex;
    brp_condition *condition;
    bt_ok(brp_mutex_create(&mutex));
    bt_ok(brp_condition_create(&condition));
    brp_mutex_lock(mutex);
    int64_t begin = brp_clock_now();
    bri_deadline deadline = bri_deadline_after(begin, 50);
    brood_status status;
    while ((status = brp_condition_wait(condition, mutex, deadline)) == BROOD_OK)
        ;
    assert_int_equal(status, BROOD_ETIMEDOUT);
    assert_true(brp_clock_now() - begin >= 50000000);
    bt_fails(brp_condition_wait(condition, mutex, 0), BROOD_ETIMEDOUT);
    brp_mutex_unlock(mutex);
    brp_condition_destroy(condition);
    brp_mutex_destroy(mutex);
}

/* What a fork does to them, whoever had them before. */
static void test_locks_can_be_made_as_new(void **state)
{
    (void)state;
    brp_mutex *mutex;
    brp_condition *condition;
    bt_ok(brp_mutex_create(&mutex));
    bt_ok(brp_condition_create(&condition));
    brp_mutex_lock(mutex);
    mutex = brp_mutex_renew(mutex);
    brp_condition_reset(condition);
    brp_mutex_lock(mutex);
    bt_fails(brp_condition_wait(condition, mutex, bri_deadline_after(brp_clock_now(), 1)),
             BROOD_ETIMEDOUT);
    brp_mutex_unlock(mutex);
    brp_condition_destroy(condition);
    brp_mutex_destroy(mutex);
    brp_condition_destroy(NULL);
    brp_mutex_destroy(NULL);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_closed_gate_lets_no_helper_in),
                   bt_test(test_threads_run_and_leave_nothing), bt_test(test_a_condition_times_out),
                   bt_test(test_locks_can_be_made_as_new));
}
