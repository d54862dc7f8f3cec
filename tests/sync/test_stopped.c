/* brood-test: start-methods */
/* A process is stopped in the middle of a change while another dies that had something of the same
 * object: nobody waits for the stopped one meanwhile, and when it goes on nothing is wrong. */
#include "support.h"

#include "core/killpoint.h"

enum { MOST_POINTS = 40, NAME = 40 };

/* ---- stopping at a point ---- */

static brood_connection *told; /* borrowed from the call */
static char point[NAME];       /* where to stop; empty: learn the points */
static char seen_points[MOST_POINTS][NAME];
static int n_points;
static bool has_stopped, is_inside;

static void stop(void)
{
    has_stopped = true;
    actor_pause(told);
}

static void watch(const char *name)
{
    if (is_inside)
        return;
    is_inside = true;
    if (point[0] != '\0' && !has_stopped && strcmp(name, point) == 0)
        stop();
    int i = 0;
    while (i < n_points && strcmp(seen_points[i], name) != 0)
        i++;
    if (i == n_points && n_points < MOST_POINTS)
        snprintf(seen_points[n_points++], NAME, "%s", name);
    is_inside = false;
}

/* ---- the scenes: what the dead one had, what the stopped one does ---- */

typedef struct scene {
    void (*make)(void);
    brood_value (*give)(void);
    brood_status (*have)(brood_call *call, const brood_value *object);
    brood_status (*change)(brood_call *call, const brood_value *object);
    void (*verify)(const char *at);
} scene;

static brood_semaphore *semaphore;
static brood_queue *queue;
static brood_barrier *barrier;

static brood_value give_semaphore(void)
{
    return brood_semaphore_value(semaphore);
}

static brood_value give_queue(void)
{
    return brood_queue_value(queue);
}

static brood_value give_barrier(void)
{
    return brood_barrier_value(barrier);
}

static void make_semaphore(void)
{
    bt_ok(brood_semaphore_create(&semaphore, 3));
}

static brood_status have_units(brood_call *call, const brood_value *object)
{
    brood_semaphore *units;
    (void)call;
    BROOD_TRY(brood_get_semaphore(object, &units));
    BROOD_TRY(brood_semaphore_acquire(units, 0));
    return brood_semaphore_acquire(units, 0);
}

static brood_status change_units(brood_call *call, const brood_value *object)
{
    brood_semaphore *units;
    (void)call;
    BROOD_TRY(brood_get_semaphore(object, &units));
    BROOD_TRY(brood_semaphore_acquire(units, 0));
    return brood_semaphore_release(units);
}

static void verify_semaphore(const char *at)
{
    for (int i = 0; i < 3; i++)
        if (brood_semaphore_acquire(semaphore, 1000) != BROOD_OK)
            fail_msg("%d units are left after %s", i, at);
    assert_int_equal(brood_semaphore_acquire(semaphore, 0), BROOD_ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        bt_ok(brood_semaphore_release(semaphore));
    brood_semaphore_destroy(semaphore);
}

static void make_joinable(void)
{
    bt_ok(brood_joinable_queue_create(&queue, 0));
    for (int i = 0; i < 6; i++)
        bt_ok(brood_queue_put(queue, brood_int(i), 0));
}

static brood_status have_messages(brood_call *call, const brood_value *object)
{
    brood_queue *from;
    brood_value values[2];
    size_t n;
    BROOD_TRY(brood_get_queue(object, &from));
    BROOD_TRY(brood_queue_get_many(from, values, 2, &n, 0));
    bt_check(call, n == 2);
    return BROOD_OK;
}

static brood_status change_messages(brood_call *call, const brood_value *object)
{
    brood_queue *from;
    brood_value value;
    (void)call;
    BROOD_TRY(brood_get_queue(object, &from));
    for (int i = 0; i < 2; i++) {
        BROOD_TRY(brood_queue_get(from, &value, 0));
        BROOD_TRY(brood_queue_task_done(from));
    }
    return BROOD_OK;
}

static void verify_joinable(const char *at)
{
    brood_value value;
    if (brood_queue_size(queue) != 2 || brood_queue_unfinished(queue) != 2)
        fail_msg("%zu messages, %zu to be done after %s", brood_queue_size(queue),
                 brood_queue_unfinished(queue), at);
    for (int i = 4; i < 6; i++) {
        bt_ok(brood_queue_get(queue, &value, 0));
        assert_int_equal(value.as.integer, i);
        bt_ok(brood_queue_task_done(queue));
    }
    assert_int_equal(brood_queue_join(queue, 1000), BROOD_EOWNERDIED);
    brood_queue_destroy(queue);
}

static void make_ending(void)
{
    bt_ok(brood_queue_create(&queue, &(brood_queue_options){.ends_with_producers = true}));
    bt_ok(brood_queue_put(queue, brood_int(1), 0));
}

static brood_status be_producer(brood_call *call, const brood_value *object)
{
    brood_queue *to;
    (void)call;
    BROOD_TRY(brood_get_queue(object, &to));
    return brood_queue_put(to, brood_int(2), 0);
}

static brood_status be_consumer(brood_call *call, const brood_value *object)
{
    brood_queue *from;
    brood_value value;
    (void)call;
    BROOD_TRY(brood_get_queue(object, &from));
    return brood_queue_get(from, &value, 0);
}

static void verify_ending(const char *at)
{
    brood_value value;
    brood_queue_finish(queue);
    bt_ok(brood_queue_get(queue, &value, 1000));
    brood_status status = brood_queue_get(queue, &value, 1000);
    if (status != BROOD_ECLOSED)
        fail_msg("the queue does not end after %s: %s", at, brood_status_name(status));
    brood_queue_destroy(queue);
}

static void make_blocks(void)
{
    static const char bytes[10000];
    bt_ok(brood_queue_create(&queue, NULL));
    for (int i = 0; i < 3; i++)
        bt_ok(brood_queue_put_bytes(queue, bytes, sizeof bytes, 0));
}

static brood_status have_block(brood_call *call, const brood_value *object)
{
    brood_queue *from;
    const void *data;
    size_t size;
    (void)call;
    BROOD_TRY(brood_get_queue(object, &from));
    return brood_queue_peek(from, &data, &size, 0);
}

static brood_status change_blocks(brood_call *call, const brood_value *object)
{
    brood_queue *from;
    const void *data;
    size_t size;
    (void)call;
    BROOD_TRY(brood_get_queue(object, &from));
    BROOD_TRY(brood_queue_peek(from, &data, &size, 0));
    brood_queue_release(from, data);
    return BROOD_OK;
}

static void verify_blocks(const char *at)
{
    if (brood_queue_size(queue) != 1)
        fail_msg("%zu messages after %s", brood_queue_size(queue), at);
    brood_queue_destroy(queue);
}

static void make_barrier(void)
{
    bt_ok(brood_barrier_create(&barrier, 3, NULL));
}

static brood_status have_part(brood_call *call, const brood_value *object)
{
    brood_barrier *part;
    (void)call;
    return brood_get_barrier(object, &part);
}

static brood_status change_round(brood_call *call, const brood_value *object)
{
    brood_barrier *part;
    BROOD_TRY(brood_get_barrier(object, &part));
    brood_status status = brood_barrier_wait(part, 50, NULL);
    bt_check(call, status == BROOD_EBROKEN || status == BROOD_ETIMEDOUT);
    return BROOD_OK;
}

static void verify_barrier(const char *at)
{
    if (!brood_barrier_is_broken(barrier))
        fail_msg("the barrier is whole after %s", at);
    bt_ok(brood_barrier_reset(barrier));
    assert_int_equal(brood_barrier_n_waiting(barrier), 0);
    assert_false(brood_barrier_is_broken(barrier));
    brood_barrier_destroy(barrier);
}

static const scene scenes[] = {
    {make_semaphore, give_semaphore, have_units, change_units, verify_semaphore},
    {make_joinable, give_queue, have_messages, change_messages, verify_joinable},
    {make_ending, give_queue, be_producer, be_consumer, verify_ending},
    {make_blocks, give_queue, have_block, change_blocks, verify_blocks},
    {make_barrier, give_barrier, have_part, change_round, verify_barrier},
};

/* ---- the processes ---- */

static brood_status have(brood_call *call)
{
    const brood_value *all, *object;
    brood_connection *to;
    int64_t number;
    BROOD_TRY(actor_begin(call, &all, &to));
    BROOD_TRY(brood_unpack(all, "(iv)", &number, &object));
    BROOD_TRY(scenes[number].have(call, object));
    return actor_pause(to);
}

static brood_status change(brood_call *call)
{
    const brood_value *all, *object;
    const char *at;
    int64_t number;
    BROOD_TRY(actor_begin(call, &all, &told));
    BROOD_TRY(brood_unpack(all, "(isv)", &number, &at, &object));
    snprintf(point, sizeof point, "%s", at);
    bri_kill_watch(watch);
    brood_status status = scenes[number].change(call, object);
    bri_kill_watch(NULL);
    BROOD_TRY(status);
    if (point[0] != '\0' && !has_stopped)
        BROOD_TRY(actor_pause(told));
    if (point[0] != '\0')
        return actor_pause(told);
    brood_value names = brood_list();
    for (int i = 0; i < n_points; i++)
        BROOD_TRY(brood_append(&names, brood_str(seen_points[i])));
    return brood_connection_send(told, names, -1);
}

static actor start(int number, brood_function run, const char *at)
{
    return at == NULL ? actor_start(run, brood_pack("(iv)", number, scenes[number].give()))
                      : actor_start(run, brood_pack("(isv)", number, at, scenes[number].give()));
}

static brood_value learn_points(int number)
{
    brood_value points;
    scenes[number].make();
    actor holder = start(number, have, NULL);
    actor_await(&holder);
    actor learner = start(number, change, "");
    bt_ok(brood_connection_recv(learner.told, &points, LONG));
    actor_end(&learner);
    actor_kill(&holder);
    scenes[number].verify("nothing");
    return points;
}

static void stop_there(int number, const char *at, uint64_t used)
{
    scenes[number].make();
    actor holder = start(number, have, NULL);
    actor_await(&holder);
    actor changer = start(number, change, at);
    actor_await(&changer);
    BT_WITHIN_A_SECOND(actor_kill(&holder));
    actor_go_on(&changer);
    actor_await(&changer);
    /* It lives still: its own end would sweep again. */
    scenes[number].verify(at);
    actor_go_on(&changer);
    actor_end(&changer);
    if (bt_arena_used() != used)
        fail_msg("%lld bytes are lost after %s", (long long)(bt_arena_used() - used), at);
}

static void stop_everywhere(int number, int least)
{
    int n = 0;
    brood_value points = learn_points(number);
    uint64_t used = bt_arena_used();
    for (size_t i = 0; i < brood_value_length(&points); i++, n++) {
        const char *at;
        bt_ok(brood_get_str(brood_item(&points, i), &at, NULL));
        stop_there(number, at, used);
    }
    brood_value_clear(&points);
    assert_true(n >= least);
}

static void test_the_units_of_the_dead_come_back(void **state)
{
    (void)state;
    stop_everywhere(0, 6);
}

static void test_what_the_dead_had_not_done_is_told(void **state)
{
    (void)state;
    stop_everywhere(1, 10);
}

static void test_a_queue_ends_with_the_dead_producer(void **state)
{
    (void)state;
    stop_everywhere(2, 8);
}

static void test_messages_in_hand_of_the_dead_are_freed(void **state)
{
    (void)state;
    stop_everywhere(3, 6);
}

static void test_a_barrier_breaks_with_the_dead_party(void **state)
{
    (void)state;
    stop_everywhere(4, 6);
}

/* ---- conditions ---- */

/* Told, and stopped before it has the lock again. */
static brood_status be_told(brood_call *call)
{
    const brood_value *object;
    brood_condition *condition;
    BROOD_TRY(actor_begin(call, &object, &told));
    BROOD_TRY(brood_get_condition(object, &condition));
    BROOD_TRY(brood_condition_acquire(condition, LONG));
    BROOD_TRY(brood_connection_send(told, brood_none(), -1));
    snprintf(point, sizeof point, "condition-told");
    bri_kill_watch(watch);
    return brood_condition_wait(condition, LONG);
}

/* Stopped where it takes its seat, under the latch of the seats. */
static brood_status take_a_seat(brood_call *call)
{
    const brood_value *object;
    brood_condition *condition;
    BROOD_TRY(actor_begin(call, &object, &told));
    BROOD_TRY(brood_get_condition(object, &condition));
    BROOD_TRY(brood_condition_acquire(condition, LONG));
    snprintf(point, sizeof point, "seat-ticket");
    bri_kill_watch(watch);
    brood_status status = brood_condition_wait(condition, 0);
    bri_kill_watch(NULL);
    bt_check(call, status == BROOD_ETIMEDOUT && has_stopped);
    BROOD_TRY(brood_condition_release(condition));
    return actor_pause(told);
}

static brood_status wait_for_notice(brood_call *call)
{
    const brood_value *object;
    brood_connection *to;
    brood_condition *condition;
    BROOD_TRY(actor_begin(call, &object, &to));
    BROOD_TRY(brood_get_condition(object, &condition));
    BROOD_TRY(brood_condition_acquire(condition, LONG));
    BROOD_TRY(brood_connection_send(to, brood_none(), -1));
    BROOD_TRY(brood_condition_wait(condition, LONG));
    BROOD_TRY(brood_condition_release(condition));
    return brood_connection_send(to, brood_none(), -1);
}

static void test_a_dead_waiters_notification_is_passed_on(void **state)
{
    (void)state;
    brood_condition *condition;
    bt_ok(brood_condition_create(&condition, NULL));
    actor dead = actor_start(be_told, brood_condition_value(condition));
    actor_await(&dead);
    bt_ok(brood_condition_acquire(condition, LONG));
    bt_ok(brood_condition_notify(condition, 1));
    bt_ok(brood_condition_release(condition));
    actor_await(&dead);
    actor waiter = actor_start(wait_for_notice, brood_condition_value(condition));
    actor_await(&waiter);
    actor stopped = actor_start(take_a_seat, brood_condition_value(condition));
    actor_await(&stopped);
    BT_WITHIN_A_SECOND(actor_kill(&dead));
    actor_go_on(&stopped);
    BT_WITHIN_A_SECOND(actor_await(&waiter));
    actor_await(&stopped);
    actor_go_on(&stopped);
    actor_end(&stopped);
    actor_end(&waiter);
    brood_condition_destroy(condition);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_the_units_of_the_dead_come_back),
                   bt_test(test_what_the_dead_had_not_done_is_told),
                   bt_test(test_a_queue_ends_with_the_dead_producer),
                   bt_test(test_messages_in_hand_of_the_dead_are_freed),
                   bt_test(test_a_barrier_breaks_with_the_dead_party),
                   bt_test(test_a_dead_waiters_notification_is_passed_on));
}
