/* brood-test: start-methods */
/* Semaphores: units, bounds, time-outs, and what comes back when a process dies at any point. */
#include "core/thread.h"
#include "support.h"

#include <stdatomic.h>

#include "ipc/arena.h"

static brood_status before_init;

static void test_nothing_works_before_brood_init(void **state)
{
    (void)state;
    assert_int_equal(before_init, BROOD_ENOINIT);
}

static void test_units_go_and_come(void **state)
{
    (void)state;
    brood_semaphore *semaphore;
    bt_ok(brood_semaphore_create(&semaphore, 2));
    assert_int_equal(brood_semaphore_units(semaphore), 2);
    bt_ok(brood_semaphore_acquire(semaphore, BROOD_FOREVER));
    bt_ok(brood_semaphore_acquire(semaphore, 0));
    assert_int_equal(brood_semaphore_units(semaphore), 0);
    assert_int_equal(brood_semaphore_acquire(semaphore, 0), BROOD_ETIMEDOUT);
    brood_ms begun = brood_now();
    assert_int_equal(brood_semaphore_acquire(semaphore, 40), BROOD_ETIMEDOUT);
    assert_true(brood_now() - begun >= 40);
    for (int i = 0; i < 3; i++)
        bt_ok(brood_semaphore_release(semaphore));
    assert_int_equal(brood_semaphore_units(semaphore), 3);
    brood_semaphore_destroy(semaphore);
}

static void test_a_bounded_one_is_not_released_too_often(void **state)
{
    (void)state;
    brood_semaphore *semaphore;
    bt_ok(brood_bounded_semaphore_create(&semaphore, 2));
    bt_fails(brood_semaphore_release(semaphore), BROOD_ESTATE);
    bt_message_has("all its 2 units");
    bt_ok(brood_semaphore_acquire(semaphore, 0));
    bt_ok(brood_semaphore_release(semaphore));
    bt_fails(brood_semaphore_release(semaphore), BROOD_ESTATE);
    brood_semaphore_destroy(semaphore);
}

static void test_there_is_a_greatest_number(void **state)
{
    (void)state;
    brood_semaphore *semaphore;
    bt_fails(brood_semaphore_create(&semaphore, BROOD_SEMAPHORE_MAX + UINT32_C(1)), BROOD_ERANGE);
    bt_ok(brood_semaphore_create(&semaphore, BROOD_SEMAPHORE_MAX));
    bt_fails(brood_semaphore_release(semaphore), BROOD_ELIMIT);
    brood_semaphore_destroy(semaphore);
}

static void test_none_at_all_is_an_error(void **state)
{
    (void)state;
    brood_semaphore *semaphore;
    bt_fails(brood_semaphore_acquire(NULL, 0), BROOD_EINVALID);
    bt_fails(brood_semaphore_release(NULL), BROOD_EINVALID);
    assert_int_equal(brood_semaphore_units(NULL), 0);
    brood_semaphore_destroy(NULL);
    brood_value value = brood_int(1);
    bt_fails(brood_get_semaphore(&value, &semaphore), BROOD_ETYPE);
    assert_int_equal(brood_semaphore_value(NULL).kind, BROOD_INVALID);
}

/* ---- many ---- */

typedef struct guest_room {
    _Atomic int32_t inside, most;
} guest_room;

static brood_status visit(brood_semaphore *semaphore, guest_room *room, int times)
{
    for (int i = 0; i < times; i++) {
        BROOD_TRY(brood_semaphore_acquire(semaphore, LONG));
        int32_t inside = atomic_fetch_add(&room->inside, 1) + 1;
        int32_t most = atomic_load(&room->most);
        while (inside > most && !atomic_compare_exchange_weak(&room->most, &most, inside)) {
        }
        if (i % 8 == 0)
            brood_sleep(1);
        atomic_fetch_sub(&room->inside, 1);
        BROOD_TRY(brood_semaphore_release(semaphore));
    }
    return BROOD_OK;
}

static guest_room *room_at(uint64_t block)
{
    bri_arena *arena;
    return bri_arena_get(&arena) == BROOD_OK ? bri_arena_at(arena, block) : NULL;
}

static brood_status visit_in_process(brood_call *call)
{
    const brood_value *value;
    brood_semaphore *semaphore;
    uint64_t block;
    BROOD_TRY(brood_call_args(call, "vu", &value, &block));
    BROOD_TRY(brood_get_semaphore(value, &semaphore));
    return visit(semaphore, room_at(block), 40);
}

static void test_no_more_are_inside_than_there_are_units(void **state)
{
    (void)state;
    enum { N = 10, UNITS = 3 };
    brood_semaphore *semaphore;
    brood_process *processes[N];
    bri_arena *arena;
    uint64_t block;
    bt_ok(brood_bounded_semaphore_create(&semaphore, UNITS));
    bt_ok(bri_arena_get(&arena));
    bt_ok(bri_arena_alloc(arena, sizeof(guest_room), &block));
    memset(room_at(block), 0, sizeof(guest_room));
    for (int i = 0; i < N; i++)
        processes[i] =
            bt_process(visit_in_process, brood_pack("vu", brood_semaphore_value(semaphore), block));
    for (int i = 0; i < N; i++)
        assert_int_equal(bt_join(processes[i]), 0);
    assert_in_range(atomic_load(&room_at(block)->most), 1, UNITS);
    assert_int_equal(brood_semaphore_units(semaphore), UNITS);
    bri_arena_free(arena, block);
    brood_semaphore_destroy(semaphore);
}

typedef struct visitor {
    brood_semaphore *semaphore;
    guest_room *room;
    brood_status status;
    bri_thread *thread;
} visitor;

static void visit_in_thread(void *context)
{
    visitor *self = context;
    self->status = visit(self->semaphore, self->room, 200);
}

static void test_threads_share_it_too(void **state)
{
    (void)state;
    enum { N = 4, UNITS = 2 };
    brood_semaphore *semaphore;
    guest_room room = {0};
    visitor visitors[N];
    bt_ok(brood_semaphore_create(&semaphore, UNITS));
    for (int i = 0; i < N; i++) {
        visitors[i] = (visitor){semaphore, &room, BROOD_OK, NULL};
        bt_ok(bri_thread_start(&visitors[i].thread, visit_in_thread, &visitors[i]));
    }
    for (int i = 0; i < N; i++) {
        bri_thread_join(visitors[i].thread);
        assert_int_equal(visitors[i].status, BROOD_OK);
    }
    assert_in_range(atomic_load(&room.most), 1, UNITS);
    assert_int_equal(brood_semaphore_units(semaphore), UNITS);
    brood_semaphore_destroy(semaphore);
}

/* ---- deaths ---- */

static brood_status take_two(brood_call *call)
{
    const brood_value *object;
    brood_connection *told;
    brood_semaphore *semaphore;
    BROOD_TRY(actor_begin(call, &object, &told));
    BROOD_TRY(brood_get_semaphore(object, &semaphore));
    BROOD_TRY(brood_semaphore_acquire(semaphore, -1));
    BROOD_TRY(brood_semaphore_acquire(semaphore, -1));
    return actor_pause(told);
}

static void test_the_units_of_the_dead_come_back(void **state)
{
    (void)state;
    for (int bounded = 0; bounded < 2; bounded++) {
        brood_semaphore *semaphore;
        bt_ok(bounded ? brood_bounded_semaphore_create(&semaphore, 2)
                      : brood_semaphore_create(&semaphore, 2));
        actor holder = actor_start(take_two, brood_semaphore_value(semaphore));
        actor_await(&holder);
        assert_int_equal(brood_semaphore_acquire(semaphore, 0), BROOD_ETIMEDOUT);
        bt_ok(brood_process_kill(holder.process));
        BT_WITHIN_A_SECOND(bt_ok(brood_semaphore_acquire(semaphore, LONG)));
        bt_ok(brood_semaphore_acquire(semaphore, LONG));
        actor_kill(&holder);
        bt_ok(brood_semaphore_release(semaphore));
        bt_ok(brood_semaphore_release(semaphore));
        assert_int_equal(brood_semaphore_units(semaphore), 2);
        brood_semaphore_destroy(semaphore);
    }
}

static void test_so_do_those_of_one_that_ends_in_order(void **state)
{
    (void)state;
    brood_semaphore *semaphore;
    bt_ok(brood_semaphore_create(&semaphore, 3));
    actor holder = actor_start(take_two, brood_semaphore_value(semaphore));
    actor_await(&holder);
    assert_int_equal(brood_semaphore_units(semaphore), 1);
    actor_go_on(&holder);
    actor_end(&holder);
    for (int i = 0; i < 3; i++)
        bt_ok(brood_semaphore_acquire(semaphore, LONG));
    assert_int_equal(brood_semaphore_acquire(semaphore, 0), BROOD_ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        bt_ok(brood_semaphore_release(semaphore));
    brood_semaphore_destroy(semaphore);
}

static void test_what_was_released_for_the_dead_does_not_come_back_twice(void **state)
{
    (void)state;
    brood_semaphore *semaphore;
    bt_ok(brood_semaphore_create(&semaphore, 2));
    actor holder = actor_start(take_two, brood_semaphore_value(semaphore));
    actor_await(&holder);
    bt_ok(brood_semaphore_release(semaphore));
    assert_int_equal(brood_semaphore_units(semaphore), 1);
    actor_kill(&holder);
    assert_int_equal(brood_semaphore_units(semaphore), 2);
    brood_semaphore_destroy(semaphore);
}

static void test_signals_that_the_dead_had_taken_stay_taken(void **state)
{
    (void)state;
    brood_semaphore *semaphore;
    bt_ok(brood_semaphore_create(&semaphore, 0));
    for (int i = 0; i < 5; i++)
        bt_ok(brood_semaphore_release(semaphore));
    actor holder = actor_start(take_two, brood_semaphore_value(semaphore));
    actor_await(&holder);
    actor_kill(&holder);
    assert_int_equal(brood_semaphore_units(semaphore), 3);
    brood_semaphore_destroy(semaphore);
}

static void test_units_outlive_the_handle(void **state)
{
    (void)state;
    brood_semaphore *semaphore, *again;
    bt_ok(brood_semaphore_create(&semaphore, 1));
    brood_value kept = brood_semaphore_value(semaphore);
    bt_ok(brood_semaphore_acquire(semaphore, 0));
    brood_semaphore_destroy(semaphore);
    bt_ok(brood_get_semaphore(&kept, &again));
    bt_ok(brood_semaphore_release(again));
    assert_int_equal(brood_semaphore_units(again), 1);
    brood_value_clear(&kept);
}

static brood_status wait_for_unit(brood_call *call)
{
    const brood_value *object;
    brood_connection *told;
    brood_semaphore *semaphore;
    BROOD_TRY(actor_begin(call, &object, &told));
    BROOD_TRY(brood_get_semaphore(object, &semaphore));
    BROOD_TRY(brood_connection_send(told, brood_none(), -1));
    return brood_semaphore_acquire(semaphore, LONG);
}

static void test_dead_waiters_swallow_no_unit(void **state)
{
    (void)state;
    enum { N = 4 };
    brood_semaphore *semaphore;
    actor dead[N], living;
    bt_ok(brood_semaphore_create(&semaphore, 0));
    for (int i = 0; i < N; i++)
        dead[i] = actor_start(wait_for_unit, brood_semaphore_value(semaphore));
    living = actor_start(wait_for_unit, brood_semaphore_value(semaphore));
    for (int i = 0; i < N; i++)
        actor_await(&dead[i]);
    actor_await(&living);
    for (int i = 0; i < N; i++)
        bt_ok(brood_process_kill(dead[i].process));
    bt_ok(brood_semaphore_release(semaphore));
    /* One of those just killed may have taken it before its end. */
    for (int i = 0; i < N; i++) {
        bt_join(dead[i].process);
        brood_connection_close(dead[i].told);
    }
    bt_ok(brood_semaphore_release(semaphore));
    actor_end(&living);
    brood_semaphore_destroy(semaphore);
}

/* ---- kills at every point ---- */

static brood_status use_units(brood_call *call)
{
    const brood_value *value;
    brood_semaphore *semaphore;
    BROOD_TRY(bt_kills_begin(call, &value));
    BROOD_TRY(brood_get_semaphore(value, &semaphore));
    for (int i = 0; i < 12; i++) {
        BROOD_TRY(brood_semaphore_acquire(semaphore, LONG));
        brood_sleep(i % 2);
        BROOD_TRY(brood_semaphore_release(semaphore));
    }
    return bt_kills_end();
}

static brood_status use_units_for_ever(brood_call *call)
{
    const brood_value *value;
    brood_semaphore *semaphore;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_semaphore(value, &semaphore));
    for (;;) {
        BROOD_TRY(brood_semaphore_acquire(semaphore, LONG));
        brood_sleep(1);
        BROOD_TRY(brood_semaphore_release(semaphore));
    }
}

static brood_value give_semaphore(void *context)
{
    return brood_semaphore_value(context);
}

/* Nobody else uses it: all units are there, and no more. */
static void check_all_units(void *context, const char *point, int n)
{
    uint32_t units = brood_semaphore_units(context);
    if (units != 2)
        fail_msg("%u units after %s, %d", (unsigned)units, point, n);
    bt_ok(brood_semaphore_acquire(context, 2000));
    bt_ok(brood_semaphore_release(context));
}

static void test_a_kill_at_any_point_loses_and_makes_no_unit(void **state)
{
    (void)state;
    brood_semaphore *semaphore;
    bt_ok(brood_semaphore_create(&semaphore, 2));
    bt_kills kills = {.run = use_units,
                      .prepare = give_semaphore,
                      .verify = check_all_units,
                      .context = semaphore,
                      .most = 3};
    assert_true(bt_kill_everywhere(&kills) >= 12);
    brood_semaphore_destroy(semaphore);
}

static void check_one_unit(void *context, const char *point, int n)
{
    brood_status status = brood_semaphore_acquire(context, 5000);
    if (status != BROOD_OK)
        fail_msg("the semaphore gives %d after %s, %d", (int)status, point, n);
    bt_ok(brood_semaphore_release(context));
}

static void test_a_kill_at_any_point_stops_nobody(void **state)
{
    (void)state;
    brood_semaphore *semaphore;
    bt_ok(brood_semaphore_create(&semaphore, 1));
    brood_process *other =
        bt_process(use_units_for_ever, brood_pack("(v)", brood_semaphore_value(semaphore)));
    bt_kills kills = {.run = use_units,
                      .prepare = give_semaphore,
                      .verify = check_one_unit,
                      .context = semaphore,
                      .most = 2};
    assert_true(bt_kill_everywhere(&kills) >= 8);
    assert_true(brood_process_is_alive(other));
    bt_ok(brood_process_kill(other));
    assert_int_equal(bt_join(other), -9);
    assert_int_equal(brood_semaphore_units(semaphore), 1);
    brood_semaphore_destroy(semaphore);
}

/* Comes back when the holder has its units. */
static brood_status start_holder(brood_call *call, brood_process **holder, brood_connection **ours)
{
    const char *point;
    int64_t n;
    const brood_value *log, *value;
    brood_connection *theirs;
    brood_semaphore *semaphore;
    BROOD_TRY(brood_call_args(call, "sivv", &point, &n, &log, &value));
    BROOD_TRY(brood_get_semaphore(value, &semaphore));
    BROOD_TRY(brood_pipe(ours, &theirs, true));
    BROOD_TRY(brood_process_create(
        holder, take_two,
        brood_pack("vv", brood_semaphore_value(semaphore), brood_connection_value(theirs)), NULL));
    BROOD_TRY(brood_process_start(*holder));
    brood_connection_close(theirs);
    brood_value word;
    return brood_connection_recv(*ours, &word, LONG);
}

/* The parent of a dead process sweeps, and is killed meanwhile. */
static brood_status sweep_and_die(brood_call *call)
{
    const brood_value *value;
    brood_process *holder;
    brood_connection *ours;
    BROOD_TRY(start_holder(call, &holder, &ours));
    BROOD_TRY(bt_kills_begin(call, &value));
    BROOD_TRY(brood_process_kill(holder));
    BROOD_TRY(brood_process_join(holder, LONG));
    brood_process_destroy(holder);
    brood_connection_close(ours);
    return bt_kills_end();
}

static void test_a_kill_of_the_sweeper_loses_nothing(void **state)
{
    (void)state;
    brood_semaphore *semaphore;
    static const char *const ignored[] = {"park-", "latch-", "arena-", "bell-", NULL};
    bt_ok(brood_semaphore_create(&semaphore, 2));
    bt_kills kills = {.run = sweep_and_die,
                      .prepare = give_semaphore,
                      .verify = check_all_units,
                      .context = semaphore,
                      .most = 1,
                      .ignored = ignored};
    assert_true(bt_kill_everywhere(&kills) >= 8);
    brood_semaphore_destroy(semaphore);
}

int main(int argc, char **argv)
{
    brood_semaphore *semaphore;
    before_init = brood_semaphore_create(&semaphore, 1);
    return bt_main(
        argc, argv, bt_test(test_nothing_works_before_brood_init), bt_test(test_units_go_and_come),
        bt_test(test_a_bounded_one_is_not_released_too_often),
        bt_test(test_there_is_a_greatest_number), bt_test(test_none_at_all_is_an_error),
        bt_test(test_no_more_are_inside_than_there_are_units), bt_test(test_threads_share_it_too),
        bt_test(test_the_units_of_the_dead_come_back),
        bt_test(test_so_do_those_of_one_that_ends_in_order),
        bt_test(test_what_was_released_for_the_dead_does_not_come_back_twice),
        bt_test(test_signals_that_the_dead_had_taken_stay_taken),
        bt_test(test_units_outlive_the_handle), bt_test(test_dead_waiters_swallow_no_unit),
        bt_test(test_a_kill_at_any_point_loses_and_makes_no_unit),
        bt_test(test_a_kill_at_any_point_stops_nobody),
        bt_test(test_a_kill_of_the_sweeper_loses_nothing));
}
