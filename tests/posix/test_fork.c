/* What a thread of brood's that calls back into the program has locked at a fork is whole and free
 * in the child, and what it is starting is not kept by the child. */
#include "harness.h"

#include "core/thread.h"
#include "ipc/shared.h"
#include "platform/clock.h"
#include "platform/handle.h"
#include "posix/guard.h"
#include "proc/children.h"
#include "sync/shared_memory.h"

enum { HELD_MS = 100 };

/* Stands for such a thread: it holds a lock until the fork is over. A fork that waits for the lock,
 * as it has to, is never over before, so there is a limit. */
typedef struct holder {
    void (*lock)(void);
    void (*unlock)(void);
    brp_mutex *mutex;
    brp_condition *changed;
    bool holds, is_over;
} holder;

static void hold(void *context)
{
    holder *self = context;
    self->lock();
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), HELD_MS);
    brp_mutex_lock(self->mutex);
    self->holds = true;
    brp_condition_broadcast(self->changed);
    while (!self->is_over &&
           brp_condition_wait(self->changed, self->mutex, deadline) != BROOD_ETIMEDOUT) {
    }
    brp_mutex_unlock(self->mutex);
    self->unlock();
}

static brood_status use_all(brood_call *call)
{
    brood_lock *lock;
    brood_shared_memory *memory;
    (void)call;
    BROOD_TRY(brood_lock_create(&lock));
    brood_lock_destroy(lock);
    BROOD_TRY(brood_shared_memory_create(&memory, NULL, 100, BROOD_LIFETIME_OWNER));
    brood_shared_memory_close(memory);
    return BROOD_OK;
}

static void fork_while_held(void (*lock)(void), void (*unlock)(void))
{
    holder held = {.lock = lock, .unlock = unlock};
    bri_thread *thread;
    brood_process *process;
    bt_ok(brp_mutex_create(&held.mutex));
    bt_ok(brp_condition_create(&held.changed));
    bt_ok(brood_process_create(&process, use_all, brood_tuple(0),
                               &(brood_process_options){.method = BROOD_START_FORK}));
    bt_ok(bri_thread_start(&thread, hold, &held));
    brp_mutex_lock(held.mutex);
    while (!held.holds)
        brp_condition_wait(held.changed, held.mutex, BRI_NEVER);
    brp_mutex_unlock(held.mutex);
    brood_status status = brood_process_start(process);
    brp_mutex_lock(held.mutex);
    held.is_over = true;
    brp_condition_broadcast(held.changed);
    brp_mutex_unlock(held.mutex);
    bri_thread_join(thread);
    brp_condition_destroy(held.changed);
    brp_mutex_destroy(held.mutex);
    bt_ok(status);
    assert_int_equal(bt_join(process), 0);
}

static void test_a_child_can_use_the_objects_that_were_in_use_at_its_fork(void **state)
{
    (void)state;
    fork_while_held(bri_shared_lock, bri_shared_unlock);
}

static void test_a_child_can_use_the_named_memory_that_was_in_use_at_its_fork(void **state)
{
    (void)state;
    fork_while_held(bri_memories_lock, bri_memories_unlock);
}

static void test_a_child_can_have_a_guard_where_one_was_being_told_at_its_fork(void **state)
{
    (void)state;
    fork_while_held(brp_guard_lock, brp_guard_unlock);
}

/* ---- what is being started ---- */

static brood_status exit_with_handles(brood_call *call)
{
    (void)call;
    brood_exit((int)brp_handle_count());
    return BROOD_OK;
}

static int handles_in_a_forked_child(void)
{
    brood_process *process;
    bt_ok(brood_process_create(&process, exit_with_handles, brood_tuple(0),
                               &(brood_process_options){.method = BROOD_START_FORK}));
    bt_ok(brood_process_start(process));
    return bt_join(process);
}

static void start_in_vain(void *process)
{
    (void)brood_process_start(process);
}

static bool has_more_handles(void *context)
{
    return brp_handle_count() > *(size_t *)context;
}

/* It never says hello, so it is being started until the time-out. */
static void test_a_child_keeps_nothing_of_another_that_is_being_started(void **state)
{
    (void)state;
    brood_process *silent;
    bri_thread *thread;
    int before = handles_in_a_forked_child();
    size_t open = brp_handle_count();
    bt_setenv("BROOD_TEST_FORGETS", "sleep");
    bt_ok(brood_set_executable(bt_prog("prog_forgets")));
    brood_set_start_timeout(2000);
    bt_ok(brood_process_create(&silent, use_all, brood_tuple(0),
                               &(brood_process_options){.method = BROOD_START_SPAWN}));
    bt_ok(bri_thread_start(&thread, start_in_vain, silent));
    bool has_begun = bt_await(has_more_handles, &open, 20000);
    bri_children_lock_starts(); /* it is launched */
    bri_children_unlock_starts();
    brood_set_start_timeout(0);
    int meanwhile = handles_in_a_forked_child();
    bri_thread_join(thread);
    bt_ok(brood_set_executable(NULL));
    bt_setenv("BROOD_TEST_FORGETS", NULL);
    brood_process_destroy(silent);
    assert_true(has_begun);
    assert_int_equal(meanwhile, before);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv,
                   bt_test(test_a_child_can_use_the_objects_that_were_in_use_at_its_fork),
                   bt_test(test_a_child_can_use_the_named_memory_that_was_in_use_at_its_fork),
                   bt_test(test_a_child_can_have_a_guard_where_one_was_being_told_at_its_fork),
                   bt_test(test_a_child_keeps_nothing_of_another_that_is_being_started));
}
