/* What a thread of brood's that calls back into the program has locked at a fork is whole and free
 * in the child, and what it is starting is not kept by the child. */
#include "harness.h"

#include "core/thread.h"
#include "ipc/connection_state.h"
#include "ipc/shared.h"
#include "manager/client.h"
#include "platform/clock.h"
#include "platform/handle.h"
#include "pool/future.h"
#include "posix/guard.h"
#include "proc/children.h"
#include "proc/process.h"
#include "sync/shared_memory.h"

enum { HELD_MS = 100 };

/* Stands for such a thread: it holds a lock until the fork is over. A fork that waits for the lock
 * is never over before, so there is a limit. */
typedef struct holder {
    void (*lock)(void);
    void (*unlock)(void);
    bool fork_waits; /* else the child gets another lock */
    brp_mutex *mutex;
    brp_condition *changed;
    bool holds, is_over;
} holder;

static void hold(void *context)
{
    holder *self = context;
    self->lock();
    bri_deadline deadline =
        self->fork_waits ? bri_deadline_after(brp_clock_now(), HELD_MS) : BRI_NEVER;
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

static void fork_with(holder *held, brood_function function, brood_value arguments)
{
    bri_thread *thread;
    brood_process *process;
    bt_ok(brp_mutex_create(&held->mutex));
    bt_ok(brp_condition_create(&held->changed));
    bt_ok(brood_process_create(&process, function, arguments,
                               &(brood_process_options){.method = BROOD_START_FORK}));
    bt_ok(bri_thread_start(&thread, hold, held));
    brp_mutex_lock(held->mutex);
    while (!held->holds)
        brp_condition_wait(held->changed, held->mutex, BRI_NEVER);
    brp_mutex_unlock(held->mutex);
    brood_status status = brood_process_start(process);
    brp_mutex_lock(held->mutex);
    held->is_over = true;
    brp_condition_broadcast(held->changed);
    brp_mutex_unlock(held->mutex);
    bri_thread_join(thread);
    brp_condition_destroy(held->changed);
    brp_mutex_destroy(held->mutex);
    bt_ok(status);
    assert_int_equal(bt_join(process), 0);
}

static void fork_while_held(void (*lock)(void), void (*unlock)(void))
{
    holder held = {.lock = lock, .unlock = unlock, .fork_waits = true};
    fork_with(&held, use_all, brood_tuple(0));
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

/* ---- locks that are held for long: the child gets others ---- */

static brood_connection *held_connection;

static void lock_connection(void)
{
    brp_mutex_lock(held_connection->read_lock);
    brp_mutex_lock(held_connection->write_lock);
}

static void unlock_connection(void)
{
    brp_mutex_unlock(held_connection->write_lock);
    brp_mutex_unlock(held_connection->read_lock);
}

static brood_status answer(brood_call *call)
{
    brood_connection *connection;
    brood_value value;
    BROOD_TRY(brood_get_connection(brood_item(brood_call_arguments(call), 0), &connection));
    BROOD_TRY(brood_connection_recv(connection, &value, BROOD_FOREVER));
    return brood_connection_send(connection, value, BROOD_FOREVER);
}

static void test_a_child_can_use_a_connection_that_was_in_use_at_its_fork(void **state)
{
    (void)state;
    brood_connection *ours;
    brood_value value;
    bt_ok(brood_pipe(&ours, &held_connection, true));
    bt_ok(brood_connection_send(ours, brood_int(42), BROOD_FOREVER));
    holder held = {.lock = lock_connection, .unlock = unlock_connection};
    fork_with(&held, answer, brood_pack("(v)", brood_connection_value(held_connection)));
    bt_ok(brood_connection_recv(ours, &value, 20000));
    brood_connection_close(held_connection);
    brood_connection_close(ours);
}

static brood_manager *held_manager;

static void lock_manager(void)
{
    brp_mutex_lock(held_manager->main_lock);
    brp_mutex_lock(held_manager->lock);
}

static void unlock_manager(void)
{
    brp_mutex_unlock(held_manager->lock);
    brp_mutex_unlock(held_manager->main_lock);
}

static brood_status count_objects(brood_call *call)
{
    int64_t n;
    (void)call;
    return brood_manager_number_of_objects(held_manager, &n);
}

static void test_a_child_can_use_a_manager_that_was_in_use_at_its_fork(void **state)
{
    (void)state;
    holder held = {.lock = lock_manager, .unlock = unlock_manager};
    bt_ok(brood_manager_start(&held_manager, NULL));
    fork_with(&held, count_objects, brood_tuple(0));
    brood_manager_close(held_manager);
}

static brood_status double_it(brood_call *call)
{
    int64_t number;
    BROOD_TRY(brood_call_args(call, "i", &number));
    return brood_call_return(call, brood_int(2 * number));
}

static brood_status use_executor(brood_call *call)
{
    brood_executor *executor;
    brood_future *future;
    brood_value value;
    int64_t number;
    brood_executor_options options = {.engine = "threads", .workers = 1};
    BROOD_TRY(brood_executor_create(&executor, &options));
    BROOD_TRY(brood_executor_submit(executor, double_it, brood_pack("(i)", 21), NULL, &future));
    BROOD_TRY(brood_future_take(future, &value, BROOD_FOREVER));
    BROOD_TRY(brood_get_int(&value, &number));
    bt_check(call, number == 42);
    brood_future_destroy(future);
    brood_executor_destroy(executor);
    return BROOD_OK;
}

/* No pool was made. */
static void test_a_child_can_use_futures_that_were_in_use_at_its_fork(void **state)
{
    (void)state;
    brood_executor *executor;
    holder held = {.lock = bri_hub_lock, .unlock = bri_hub_unlock};
    bt_ok(brood_executor_create(&executor,
                                &(brood_executor_options){.engine = "threads", .workers = 1}));
    fork_with(&held, use_executor, brood_tuple(0));
    brood_executor_destroy(executor);
}

/* ---- what is being started ---- */

static brood_status exit_with_handles(brood_call *call)
{
    (void)call;
    brood_exit((int)brp_handle_count());
    return BROOD_OK;
}

static bool is_ours_alone(void *process)
{
    bri_children_lock();
    bool is_alone = ((brood_process *)process)->references == 1;
    bri_children_unlock();
    return is_alone;
}

/* Until the supervisor has let go of it too, the next child would have a handle of it. */
static int handles_in_a_forked_child(void)
{
    brood_process *process;
    bt_ok(brood_process_create(&process, exit_with_handles, brood_tuple(0),
                               &(brood_process_options){.method = BROOD_START_FORK}));
    bt_ok(brood_process_start(process));
    bt_ok(brood_process_join(process, 20000));
    assert_true(bt_await(is_ours_alone, process, 20000));
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
                   bt_test(test_a_child_can_use_a_connection_that_was_in_use_at_its_fork),
                   bt_test(test_a_child_can_use_a_manager_that_was_in_use_at_its_fork),
                   bt_test(test_a_child_can_use_futures_that_were_in_use_at_its_fork),
                   bt_test(test_a_child_keeps_nothing_of_another_that_is_being_started));
}
