/* brood-test: start-methods */
/* Every object that processes share goes every way to another process, and is the same there: as an
 * argument, through a pipe, through a queue, as the argument of a pool's task and as an item of its
 * map. */
#include "harness.h"

enum { LONG = 20000, BYTES = 64 };

static struct {
    brood_lock *lock;
    brood_rlock *rlock;
    brood_semaphore *semaphore;
    brood_condition *condition;
    brood_event *event;
    brood_barrier *barrier;
    brood_queue *queue;
    brood_array *array;
    brood_shared_memory *memory;
    brood_shareable_list *list;
} it;

/* An object: `make` prepares it, `use` finds in the other process what was prepared and changes it,
 * `verify` finds the change. */
typedef struct object {
    const char *name;
    brood_value (*make)(void);
    brood_status (*use)(brood_call *call, const brood_value *value);
    void (*verify)(void);
} object;

/* ---- locks ---- */

static brood_value make_lock(void)
{
    bt_ok(brood_lock_create(&it.lock));
    bt_ok(brood_lock_acquire(it.lock, 0));
    return brood_lock_value(it.lock);
}

static brood_status use_lock(brood_call *call, const brood_value *value)
{
    brood_lock *lock;
    BROOD_TRY(brood_get_lock(value, &lock));
    bt_check(call, brood_lock_acquire(lock, 0) == BROOD_ETIMEDOUT);
    return brood_lock_release(lock);
}

static void verify_lock(void)
{
    assert_false(brood_lock_is_locked(it.lock));
    brood_lock_destroy(it.lock);
}

static brood_value make_rlock(void)
{
    bt_ok(brood_rlock_create(&it.rlock));
    bt_ok(brood_rlock_acquire(it.rlock, 0));
    return brood_rlock_value(it.rlock);
}

static brood_status use_rlock(brood_call *call, const brood_value *value)
{
    brood_rlock *rlock;
    BROOD_TRY(brood_get_rlock(value, &rlock));
    bt_check(call, brood_rlock_acquire(rlock, 0) == BROOD_ETIMEDOUT);
    bt_check(call, brood_rlock_release(rlock) == BROOD_ESTATE);
    return BROOD_OK;
}

static void verify_rlock(void)
{
    bt_ok(brood_rlock_release(it.rlock));
    brood_rlock_destroy(it.rlock);
}

static brood_value make_semaphore(void)
{
    bt_ok(brood_semaphore_create(&it.semaphore, 2));
    bt_ok(brood_semaphore_acquire(it.semaphore, 0));
    return brood_semaphore_value(it.semaphore);
}

static brood_value make_bounded(void)
{
    bt_ok(brood_bounded_semaphore_create(&it.semaphore, 2));
    return brood_semaphore_value(it.semaphore);
}

static brood_status use_semaphore(brood_call *call, const brood_value *value)
{
    brood_semaphore *semaphore;
    BROOD_TRY(brood_get_semaphore(value, &semaphore));
    bt_check(call, brood_semaphore_units(semaphore) == 1);
    return brood_semaphore_release(semaphore);
}

static brood_status use_bounded(brood_call *call, const brood_value *value)
{
    brood_semaphore *semaphore;
    BROOD_TRY(brood_get_semaphore(value, &semaphore));
    bt_check(call, brood_semaphore_release(semaphore) == BROOD_ESTATE);
    return brood_semaphore_acquire(semaphore, 0);
}

static void verify_semaphore(void)
{
    assert_int_equal(brood_semaphore_units(it.semaphore), 2);
    bt_ok(brood_semaphore_release(it.semaphore));
    assert_int_equal(brood_semaphore_units(it.semaphore), 3);
    brood_semaphore_destroy(it.semaphore);
}

/* The other process has ended, or has it still: as the worker of a pool. */
static void verify_bounded(void)
{
    uint32_t units = brood_semaphore_units(it.semaphore);
    assert_true(units == 1 || units == 2);
    brood_semaphore_destroy(it.semaphore);
}

static brood_value make_condition(void)
{
    bt_ok(brood_condition_create(&it.condition, NULL));
    bt_ok(brood_condition_acquire(it.condition, 0));
    return brood_condition_value(it.condition);
}

static brood_status use_condition(brood_call *call, const brood_value *value)
{
    brood_condition *condition;
    BROOD_TRY(brood_get_condition(value, &condition));
    bt_check(call, brood_condition_acquire(condition, 0) == BROOD_ETIMEDOUT);
    bt_check(call, brood_condition_notify(condition, 1) == BROOD_ESTATE);
    return BROOD_OK;
}

static void verify_condition(void)
{
    bt_ok(brood_condition_release(it.condition));
    brood_condition_destroy(it.condition);
}

/* Its lock is a plain one of the program's: who receives the condition needs no value of it. */
static brood_value make_condition_with_lock(void)
{
    bt_ok(brood_lock_create(&it.lock));
    bt_ok(brood_condition_create(&it.condition, &(brood_condition_options){.lock = it.lock}));
    bt_ok(brood_lock_acquire(it.lock, 0));
    return brood_condition_value(it.condition);
}

static brood_status use_condition_with_lock(brood_call *call, const brood_value *value)
{
    brood_condition *condition;
    BROOD_TRY(brood_get_condition(value, &condition));
    bt_check(call, brood_condition_acquire(condition, 0) == BROOD_ETIMEDOUT);
    return brood_condition_release(condition);
}

static void verify_condition_with_lock(void)
{
    brood_condition_destroy(it.condition);
    verify_lock();
}

static brood_value make_event(void)
{
    bt_ok(brood_event_create(&it.event));
    return brood_event_value(it.event);
}

static brood_status use_event(brood_call *call, const brood_value *value)
{
    brood_event *event;
    BROOD_TRY(brood_get_event(value, &event));
    bt_check(call, !brood_event_is_set(event));
    return brood_event_set(event);
}

static void verify_event(void)
{
    assert_true(brood_event_is_set(it.event));
    brood_event_destroy(it.event);
}

static brood_value make_barrier(void)
{
    bt_ok(brood_barrier_create(&it.barrier, 7, NULL));
    return brood_barrier_value(it.barrier);
}

static brood_status use_barrier(brood_call *call, const brood_value *value)
{
    brood_barrier *barrier;
    BROOD_TRY(brood_get_barrier(value, &barrier));
    bt_check(call, brood_barrier_parties(barrier) == 7);
    return brood_barrier_abort(barrier);
}

static void verify_barrier(void)
{
    assert_true(brood_barrier_is_broken(it.barrier));
    brood_barrier_destroy(it.barrier);
}

/* ---- queues ---- */

static brood_value make_queue(void)
{
    bt_ok(brood_queue_create(&it.queue, NULL));
    bt_ok(brood_queue_put(it.queue, brood_int(1), 0));
    return brood_queue_value(it.queue);
}

static brood_status use_queue(brood_call *call, const brood_value *value)
{
    brood_queue *queue;
    brood_value got;
    BROOD_TRY(brood_get_queue(value, &queue));
    BROOD_TRY(brood_queue_get(queue, &got, 0));
    bt_check(call, got.as.integer == 1);
    return brood_queue_put(queue, brood_int(2), 0);
}

static void verify_queue(void)
{
    brood_value got;
    bt_ok(brood_queue_get(it.queue, &got, 0));
    assert_int_equal(got.as.integer, 2);
    brood_queue_destroy(it.queue);
}

static brood_value make_joinable(void)
{
    bt_ok(brood_joinable_queue_create(&it.queue, 3));
    bt_ok(brood_queue_put(it.queue, brood_int(1), 0));
    return brood_queue_value(it.queue);
}

static brood_status use_joinable(brood_call *call, const brood_value *value)
{
    brood_queue *queue;
    brood_value got;
    (void)call;
    BROOD_TRY(brood_get_queue(value, &queue));
    BROOD_TRY(brood_queue_get(queue, &got, 0));
    return brood_queue_task_done(queue);
}

static void verify_joinable(void)
{
    bt_ok(brood_queue_join(it.queue, 0));
    brood_queue_destroy(it.queue);
}

/* ---- values ---- */

static brood_value make_array(void)
{
    bt_ok(brood_array_create(&it.array, "d", 3, NULL));
    bt_ok(brood_array_set(it.array, 1, brood_float(1.5)));
    bt_ok(brood_array_acquire(it.array, 0));
    return brood_array_value(it.array);
}

static brood_status use_array(brood_call *call, const brood_value *value)
{
    brood_array *array;
    double after;
    BROOD_TRY(brood_get_array(value, &array));
    bt_check(call, brood_array_acquire(array, 0) == BROOD_ETIMEDOUT);
    bt_check(call, brood_array_length(array) == 3 && *brood_array_type(array) == 'd');
    return brood_array_add_float(array, 1, 1, &after);
}

static void verify_array(void)
{
    assert_true(((double *)brood_array_data(it.array))[1] == 2.5);
    bt_ok(brood_array_release(it.array));
    brood_array_destroy(it.array);
}

/* A Value: one item; here without a lock. */
static brood_value make_value(void)
{
    bt_ok(brood_array_create(&it.array, "q", 1, &(brood_array_options){.unlocked = true}));
    bt_ok(brood_array_set(it.array, 0, brood_int(666)));
    return brood_array_value(it.array);
}

static brood_status use_value(brood_call *call, const brood_value *value)
{
    brood_array *array;
    int64_t after;
    BROOD_TRY(brood_get_array(value, &array));
    bt_check(call, brood_array_acquire(array, 0) == BROOD_ESTATE);
    return brood_array_add(array, 0, 222, &after);
}

static void verify_value(void)
{
    brood_value got;
    bt_ok(brood_array_get(it.array, 0, &got));
    assert_int_equal(got.as.integer, 888);
    brood_array_destroy(it.array);
}

typedef struct point {
    int x, y;
} point;

static brood_value make_structs(void)
{
    bt_ok(brood_array_create_of(&it.array, sizeof(point), 2, NULL));
    ((point *)brood_array_data(it.array))[1] = (point){3, 4};
    return brood_array_value(it.array);
}

static brood_status use_structs(brood_call *call, const brood_value *value)
{
    brood_array *array;
    BROOD_TRY(brood_get_array(value, &array));
    bt_check(call, brood_array_item_size(array) == sizeof(point));
    point *points = brood_array_data(array);
    points[0] = (point){points[1].y, points[1].x};
    return BROOD_OK;
}

static void verify_structs(void)
{
    const point *points = brood_array_data(it.array);
    assert_int_equal(points[0].x, 4);
    assert_int_equal(points[0].y, 3);
    brood_array_destroy(it.array);
}

/* ---- named memory ---- */

static brood_value make_memory(void)
{
    bt_ok(brood_shared_memory_create(&it.memory, NULL, BYTES, BROOD_LIFETIME_OWNER));
    memset(brood_shared_memory_data(it.memory), 'a', BYTES);
    return brood_shared_memory_value(it.memory);
}

static brood_status use_memory(brood_call *call, const brood_value *value)
{
    brood_shared_memory *memory;
    BROOD_TRY(brood_get_shared_memory(value, &memory));
    char *data = brood_shared_memory_data(memory);
    bt_check(call, brood_shared_memory_size(memory) == BYTES && data[BYTES - 1] == 'a');
    data[0] = 'b';
    return BROOD_OK;
}

static void verify_memory(void)
{
    assert_int_equal(*(char *)brood_shared_memory_data(it.memory), 'b');
    brood_shared_memory_close(it.memory);
}

static brood_value make_list(void)
{
    bt_ok(brood_shareable_list_create(&it.list, NULL, brood_pack("[is]", 1, "one"),
                                      BROOD_LIFETIME_OWNER));
    return brood_shareable_list_value(it.list);
}

static brood_status use_list(brood_call *call, const brood_value *value)
{
    brood_shareable_list *list;
    BROOD_TRY(brood_get_shareable_list(value, &list));
    bt_check(call, brood_shareable_list_length(list) == 2);
    return brood_shareable_list_set(list, 1, brood_str("two"));
}

static void verify_list(void)
{
    brood_value got, wanted = brood_str("two");
    bt_ok(brood_shareable_list_get(it.list, 1, &got));
    assert_true(brood_value_equal(&got, &wanted));
    brood_value_clear(&got);
    brood_value_clear(&wanted);
    brood_shareable_list_close(it.list);
}

static const object objects[] = {
    {"Lock", make_lock, use_lock, verify_lock},
    {"RLock", make_rlock, use_rlock, verify_rlock},
    {"Semaphore", make_semaphore, use_semaphore, verify_semaphore},
    {"BoundedSemaphore", make_bounded, use_bounded, verify_bounded},
    {"Condition", make_condition, use_condition, verify_condition},
    {"Condition with a lock", make_condition_with_lock, use_condition_with_lock,
     verify_condition_with_lock},
    {"Event", make_event, use_event, verify_event},
    {"Barrier", make_barrier, use_barrier, verify_barrier},
    {"Queue", make_queue, use_queue, verify_queue},
    {"JoinableQueue", make_joinable, use_joinable, verify_joinable},
    {"Array", make_array, use_array, verify_array},
    {"Value", make_value, use_value, verify_value},
    {"Array of structs", make_structs, use_structs, verify_structs},
    {"SharedMemory", make_memory, use_memory, verify_memory},
    {"ShareableList", make_list, use_list, verify_list},
};

enum { OBJECTS = sizeof objects / sizeof objects[0] };

/* ---- ways ---- */

/* use(number, object) */
static brood_status use(brood_call *call)
{
    int64_t number;
    const brood_value *value;
    BROOD_TRY(brood_call_args(call, "iv", &number, &value));
    return objects[number].use(call, value);
}

/* Uses what comes, [number, object], until the end. */
static brood_status use_what_comes_by_pipe(brood_call *call)
{
    const brood_value *end;
    brood_connection *from;
    brood_value message;
    brood_status status = BROOD_OK;
    BROOD_TRY(brood_call_args(call, "v", &end));
    BROOD_TRY(brood_get_connection(end, &from));
    while (status == BROOD_OK && brood_connection_recv(from, &message, LONG) == BROOD_OK) {
        status = objects[brood_item(&message, 0)->as.integer].use(call, brood_item(&message, 1));
        brood_value_clear(&message);
        if (status == BROOD_OK)
            status = brood_connection_send(from, brood_none(), LONG);
    }
    return status;
}

static brood_status use_what_comes_by_queue(brood_call *call)
{
    const brood_value *one, *other;
    brood_queue *from, *back;
    brood_value message;
    brood_status status = BROOD_OK;
    BROOD_TRY(brood_call_args(call, "vv", &one, &other));
    BROOD_TRY(brood_get_queue(one, &from));
    BROOD_TRY(brood_get_queue(other, &back));
    while (status == BROOD_OK && brood_queue_get(from, &message, LONG) == BROOD_OK) {
        status = objects[brood_item(&message, 0)->as.integer].use(call, brood_item(&message, 1));
        brood_value_clear(&message);
        if (status == BROOD_OK)
            status = brood_queue_put(back, brood_none(), LONG);
    }
    return status;
}

static brood_value message_of(int number)
{
    return brood_pack("(iv)", number, objects[number].make());
}

static void test_as_an_argument(void **state)
{
    (void)state;
    for (int i = 0; i < OBJECTS; i++) {
        if (bt_join(bt_process(use, message_of(i))) != 0)
            fail_msg("%s", objects[i].name);
        objects[i].verify();
    }
}

static void test_through_a_pipe(void **state)
{
    (void)state;
    brood_connection *ours, *theirs;
    brood_value word;
    bt_ok(brood_pipe(&ours, &theirs, true));
    brood_process *user =
        bt_process(use_what_comes_by_pipe, brood_pack("(v)", brood_connection_value(theirs)));
    brood_connection_close(theirs);
    for (int i = 0; i < OBJECTS; i++) {
        bt_ok(brood_connection_send(ours, message_of(i), LONG));
        if (brood_connection_recv(ours, &word, LONG) != BROOD_OK)
            fail_msg("%s", objects[i].name);
        objects[i].verify();
    }
    brood_connection_close(ours);
    assert_int_equal(bt_join(user), 0);
}

static void test_through_a_queue(void **state)
{
    (void)state;
    brood_queue *there, *back;
    brood_value word;
    bt_ok(brood_simple_queue_create(&there));
    bt_ok(brood_simple_queue_create(&back));
    brood_process *user =
        bt_process(use_what_comes_by_queue,
                   brood_pack("(vv)", brood_queue_value(there), brood_queue_value(back)));
    for (int i = 0; i < OBJECTS; i++) {
        bt_ok(brood_queue_put(there, message_of(i), LONG));
        if (brood_queue_get(back, &word, LONG) != BROOD_OK)
            fail_msg("%s", objects[i].name);
        objects[i].verify();
    }
    brood_queue_close(there);
    assert_int_equal(bt_join(user), 0);
    brood_queue_destroy(there);
    brood_queue_destroy(back);
}

static void test_with_a_task(void **state)
{
    (void)state;
    brood_pool *pool;
    brood_value result;
    bt_ok(brood_pool_create(&pool, &(brood_pool_options){.workers = 1}));
    for (int i = 0; i < OBJECTS; i++) {
        brood_status status = brood_pool_apply(pool, use, message_of(i), NULL, &result);
        if (status != BROOD_OK)
            fail_msg("%s: %s", objects[i].name, brood_last_error()->message);
        brood_value_clear(&result);
        objects[i].verify();
    }
    for (int i = 0; i < OBJECTS; i++) {
        bt_ok(brood_pool_starmap(pool, use, brood_pack("[v]", message_of(i)), NULL, &result));
        brood_value_clear(&result);
        objects[i].verify();
    }
    bt_ok(brood_pool_close(pool));
    bt_ok(brood_pool_join(pool, LONG));
    brood_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_as_an_argument), bt_test(test_through_a_pipe),
                   bt_test(test_through_a_queue), bt_test(test_with_a_task));
}
