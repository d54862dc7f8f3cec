/* brood-test: start-methods */
/* 2, 10 and 50 processes at each of the primitives, one after the other. */
#include "harness.h"

enum { LONG = 60000, TIMES = 20, UNITS = 4, ROUNDS = 5, MOST = 50 };

/* The numbers that they share, of type "q". */
enum { LOCKED, RLOCKED, ADDED, INSIDE, TURN, SUM, LAST, INDEX = 16, NUMBERS = 16 + 64 };

typedef struct crowd {
    brood_lock *lock;
    brood_rlock *rlock;
    brood_semaphore *semaphore;
    brood_condition *condition;
    brood_event *event;
    brood_barrier *barrier;
    brood_queue *queue;
    brood_queue *tasks;
    brood_array *array;
} crowd;

static brood_value crowd_value(const crowd *all)
{
    return brood_pack("(vvvvvvvvv)", brood_lock_value(all->lock), brood_rlock_value(all->rlock),
                      brood_semaphore_value(all->semaphore), brood_condition_value(all->condition),
                      brood_event_value(all->event), brood_barrier_value(all->barrier),
                      brood_queue_value(all->queue), brood_queue_value(all->tasks),
                      brood_array_value(all->array));
}

static brood_status get_crowd(const brood_value *value, crowd *all)
{
    BROOD_TRY(brood_get_lock(brood_item(value, 0), &all->lock));
    BROOD_TRY(brood_get_rlock(brood_item(value, 1), &all->rlock));
    BROOD_TRY(brood_get_semaphore(brood_item(value, 2), &all->semaphore));
    BROOD_TRY(brood_get_condition(brood_item(value, 3), &all->condition));
    BROOD_TRY(brood_get_event(brood_item(value, 4), &all->event));
    BROOD_TRY(brood_get_barrier(brood_item(value, 5), &all->barrier));
    BROOD_TRY(brood_get_queue(brood_item(value, 6), &all->queue));
    BROOD_TRY(brood_get_queue(brood_item(value, 7), &all->tasks));
    return brood_get_array(brood_item(value, 8), &all->array);
}

/* ---- what each of them does ---- */

typedef struct member {
    crowd all;
    int64_t number, n;
    int64_t *numbers;
} member;

static brood_status count_with_locks(brood_call *call, member *me)
{
    (void)call;
    for (int i = 0; i < TIMES; i++) {
        BROOD_TRY(brood_lock_acquire(me->all.lock, LONG));
        me->numbers[LOCKED]++;
        BROOD_TRY(brood_lock_release(me->all.lock));
        BROOD_TRY(brood_rlock_acquire(me->all.rlock, LONG));
        BROOD_TRY(brood_rlock_acquire(me->all.rlock, LONG));
        me->numbers[RLOCKED]++;
        BROOD_TRY(brood_rlock_release(me->all.rlock));
        BROOD_TRY(brood_rlock_release(me->all.rlock));
        BROOD_TRY(brood_array_add(me->all.array, ADDED, 1, NULL));
    }
    return BROOD_OK;
}

static brood_status be_inside(brood_call *call, member *me)
{
    for (int i = 0; i < TIMES; i++) {
        int64_t inside;
        BROOD_TRY(brood_semaphore_acquire(me->all.semaphore, LONG));
        BROOD_TRY(brood_array_add(me->all.array, INSIDE, 1, &inside));
        bt_check(call, inside >= 1 && inside <= UNITS);
        BROOD_TRY(brood_array_add(me->all.array, INSIDE, -1, NULL));
        BROOD_TRY(brood_semaphore_release(me->all.semaphore));
    }
    return BROOD_OK;
}

/* The last one sets it, when all others may wait. */
static brood_status wait_for_event(brood_call *call, member *me)
{
    int64_t come;
    (void)call;
    BROOD_TRY(brood_array_add(me->all.array, LAST, 1, &come));
    if (come == me->n)
        return brood_event_set(me->all.event);
    return brood_event_wait(me->all.event, LONG);
}

static brood_status take_turns(brood_call *call, member *me)
{
    (void)call;
    BROOD_TRY(brood_condition_acquire(me->all.condition, LONG));
    while (me->numbers[TURN] != me->number)
        BROOD_TRY(brood_condition_wait(me->all.condition, LONG));
    me->numbers[TURN]++;
    BROOD_TRY(brood_condition_notify_all(me->all.condition));
    return brood_condition_release(me->all.condition);
}

/* Nobody puts twice before it got once: so there is always one who gets. */
static brood_status exchange(brood_call *call, member *me)
{
    for (int64_t i = 0; i < TIMES; i++) {
        brood_value got;
        int64_t number;
        BROOD_TRY(brood_queue_put(me->all.queue, brood_int(me->number * TIMES + i), LONG));
        BROOD_TRY(brood_queue_get(me->all.queue, &got, LONG));
        BROOD_TRY(brood_get_int(&got, &number));
        bt_check(call, number >= 0 && number < me->n * TIMES);
        BROOD_TRY(brood_array_add(me->all.array, SUM, number, NULL));
    }
    return BROOD_OK;
}

static brood_status work(brood_call *call, member *me)
{
    brood_value got;
    (void)call;
    BROOD_TRY(brood_queue_get(me->all.tasks, &got, LONG));
    brood_value_clear(&got);
    return brood_queue_task_done(me->all.tasks);
}

static brood_status meet(brood_call *call, member *me)
{
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t index;
        BROOD_TRY(brood_barrier_wait(me->all.barrier, LONG, &index));
        bt_check(call, index < (uint32_t)me->n);
        BROOD_TRY(brood_array_add(me->all.array, INDEX + index, 1, NULL));
    }
    return BROOD_OK;
}

static brood_status join_the_crowd(brood_call *call)
{
    static brood_status (*const things[])(brood_call *, member *) = {
        meet, count_with_locks, be_inside, wait_for_event, take_turns, exchange, work, meet};
    const brood_value *objects;
    member me;
    BROOD_TRY(brood_call_args(call, "vll", &objects, &me.number, &me.n));
    BROOD_TRY(get_crowd(objects, &me.all));
    me.numbers = brood_array_data(me.all.array);
    for (size_t i = 0; i < sizeof things / sizeof things[0]; i++)
        BROOD_TRY(things[i](call, &me));
    return BROOD_OK;
}

/* ---- the crowd ---- */

static void make_crowd(crowd *all, int n)
{
    bt_ok(brood_lock_create(&all->lock));
    bt_ok(brood_rlock_create(&all->rlock));
    bt_ok(brood_semaphore_create(&all->semaphore, UNITS));
    bt_ok(brood_condition_create(&all->condition, NULL));
    bt_ok(brood_event_create(&all->event));
    bt_ok(brood_barrier_create(&all->barrier, (uint32_t)n, NULL));
    bt_ok(brood_queue_create(&all->queue, &(brood_queue_options){.maxsize = 5}));
    bt_ok(brood_joinable_queue_create(&all->tasks, 0));
    bt_ok(brood_array_create(&all->array, "q", NUMBERS, NULL));
    for (int i = 0; i < n; i++)
        bt_ok(brood_queue_put(all->tasks, brood_int(i), 0));
}

static void end_crowd(crowd *all)
{
    brood_lock_destroy(all->lock);
    brood_rlock_destroy(all->rlock);
    brood_semaphore_destroy(all->semaphore);
    brood_condition_destroy(all->condition);
    brood_event_destroy(all->event);
    brood_barrier_destroy(all->barrier);
    brood_queue_destroy(all->queue);
    brood_queue_destroy(all->tasks);
    brood_array_destroy(all->array);
}

static void check_crowd(const crowd *all, int64_t n)
{
    const int64_t *numbers = brood_array_data(all->array);
    assert_int_equal(numbers[LOCKED], n * TIMES);
    assert_int_equal(numbers[RLOCKED], n * TIMES);
    assert_int_equal(numbers[ADDED], n * TIMES);
    assert_int_equal(numbers[INSIDE], 0);
    assert_int_equal(numbers[TURN], n);
    assert_int_equal(numbers[SUM], n * TIMES * (n * TIMES - 1) / 2);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(numbers[INDEX + i], 2 * ROUNDS);
    assert_int_equal(brood_semaphore_units(all->semaphore), UNITS);
    assert_int_equal(brood_queue_size(all->queue), 0);
    bt_ok(brood_queue_join(all->tasks, 0));
    assert_false(brood_lock_is_locked(all->lock));
    assert_false(brood_rlock_is_locked(all->rlock));
    assert_false(brood_barrier_is_broken(all->barrier));
}

static void gather(int n)
{
    crowd all;
    brood_process *processes[MOST];
    make_crowd(&all, n);
    for (int i = 0; i < n; i++)
        processes[i] = bt_process(join_the_crowd, brood_pack("vii", crowd_value(&all), i, n));
    for (int i = 0; i < n; i++) {
        bt_ok(brood_process_join(processes[i], LONG));
        assert_int_equal(bt_join(processes[i]), 0);
    }
    check_crowd(&all, n);
    end_crowd(&all);
}

static void test_two(void **state)
{
    (void)state;
    gather(2);
}

static void test_ten(void **state)
{
    (void)state;
    gather(10);
}

static void test_fifty(void **state)
{
    (void)state;
    gather(50);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_two), bt_test(test_ten), bt_test(test_fifty));
}
