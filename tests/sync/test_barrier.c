/* brood-test: start-methods */
/* The barrier: rounds, breaking, and parties that die at any point. */
#include "core/thread.h"
#include "support.h"

#include <stdatomic.h>

#include "ipc/arena.h"

static _Atomic int actions;

static brood_status count_action(brood_barrier *barrier)
{
    (void)barrier;
    actions++;
    return BROOD_OK;
}

static brood_status fail_action(brood_barrier *barrier)
{
    (void)barrier;
    return BROOD_ERANGE;
}

/* ---- one process ---- */

static void test_a_single_party_never_waits(void **state)
{
    (void)state;
    brood_barrier *barrier;
    uint32_t index = 9;
    bt_ok(brood_barrier_create(&barrier, 1, &(brood_barrier_options){.action = count_action}));
    assert_int_equal(brood_barrier_parties(barrier), 1);
    for (int i = 1; i <= 3; i++) {
        bt_ok(brood_barrier_wait(barrier, 0, &index));
        assert_int_equal(index, 0);
        assert_int_equal(actions, i);
    }
    assert_int_equal(brood_barrier_n_waiting(barrier), 0);
    assert_false(brood_barrier_is_broken(barrier));
    brood_barrier_destroy(barrier);
    actions = 0;
}

static void test_a_time_out_breaks_it_and_reset_mends_it(void **state)
{
    (void)state;
    brood_barrier *barrier;
    bt_ok(brood_barrier_create(&barrier, 2, NULL));
    brood_ms begun = brood_now();
    assert_int_equal(brood_barrier_wait(barrier, 40, NULL), BROOD_ETIMEDOUT);
    assert_true(brood_now() - begun >= 40);
    assert_true(brood_barrier_is_broken(barrier));
    bt_fails(brood_barrier_wait(barrier, -1, NULL), BROOD_EBROKEN);
    bt_ok(brood_barrier_reset(barrier));
    assert_false(brood_barrier_is_broken(barrier));
    assert_int_equal(brood_barrier_wait(barrier, 0, NULL), BROOD_ETIMEDOUT);
    bt_ok(brood_barrier_reset(barrier));
    bt_ok(brood_barrier_abort(barrier));
    bt_fails(brood_barrier_wait(barrier, -1, NULL), BROOD_EBROKEN);
    brood_barrier_destroy(barrier);
}

static void test_it_may_have_a_time_out_of_its_own(void **state)
{
    (void)state;
    brood_barrier *barrier;
    bt_ok(brood_barrier_create(&barrier, 2, &(brood_barrier_options){.timeout = 20}));
    assert_int_equal(brood_barrier_wait(barrier, BROOD_FOREVER, NULL), BROOD_ETIMEDOUT);
    brood_barrier_destroy(barrier);
}

static void test_a_failing_action_breaks_it(void **state)
{
    (void)state;
    brood_barrier *barrier;
    bt_ok(brood_barrier_create(&barrier, 1, &(brood_barrier_options){.action = fail_action}));
    assert_int_equal(brood_barrier_wait(barrier, -1, NULL), BROOD_ERANGE);
    assert_true(brood_barrier_is_broken(barrier));
    brood_barrier_destroy(barrier);
}

static void test_wrong_arguments_are_errors(void **state)
{
    (void)state;
    brood_barrier *barrier;
    bt_fails(brood_barrier_create(&barrier, 0, NULL), BROOD_EINVALID);
    bt_fails(brood_barrier_wait(NULL, 0, NULL), BROOD_EINVALID);
    bt_fails(brood_barrier_abort(NULL), BROOD_EINVALID);
    bt_fails(brood_barrier_reset(NULL), BROOD_EINVALID);
    assert_true(brood_barrier_is_broken(NULL));
    assert_int_equal(brood_barrier_parties(NULL), 0);
    assert_int_equal(brood_barrier_n_waiting(NULL), 0);
    brood_barrier_destroy(NULL);
    brood_value value = brood_int(1);
    bt_fails(brood_get_barrier(&value, &barrier), BROOD_ETYPE);
    assert_int_equal(brood_barrier_value(NULL).kind, BROOD_INVALID);
}

/* ---- threads ---- */

typedef struct party {
    brood_barrier *barrier;
    bri_thread *thread;
    int rounds;
    brood_status status;
    _Atomic uint32_t *seen; /* a bit of each index, by round */
    bool is_uneven;
} party;

static void meet(void *context)
{
    party *self = context;
    for (int i = 0; i < self->rounds && self->status == BROOD_OK; i++) {
        uint32_t index = 99;
        self->status = brood_barrier_wait(self->barrier, LONG, &index);
        if (self->status == BROOD_OK &&
            (atomic_fetch_or(&self->seen[i], UINT32_C(1) << index) >> index & 1) != 0)
            self->is_uneven = true;
    }
}

static void test_each_index_comes_once_a_round(void **state)
{
    (void)state;
    enum { N = 5, ROUNDS = 200 };
    static _Atomic uint32_t seen[ROUNDS];
    brood_barrier *barrier;
    party parties[N];
    bt_ok(brood_barrier_create(&barrier, N, &(brood_barrier_options){.action = count_action}));
    for (int i = 0; i < N; i++) {
        parties[i] = (party){barrier, NULL, ROUNDS, BROOD_OK, seen, false};
        bt_ok(bri_thread_start(&parties[i].thread, meet, &parties[i]));
    }
    for (int i = 0; i < N; i++) {
        bri_thread_join(parties[i].thread);
        assert_int_equal(parties[i].status, BROOD_OK);
        assert_false(parties[i].is_uneven);
    }
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(atomic_load(&seen[i]), (1 << N) - 1);
    assert_int_equal(actions, ROUNDS);
    actions = 0;
    brood_barrier_destroy(barrier);
}

static void await_waiting(brood_barrier *barrier, uint32_t n)
{
    while (brood_barrier_n_waiting(barrier) != n)
        brood_sleep(1);
}

static void test_abort_and_reset_are_told_to_all(void **state)
{
    (void)state;
    enum { N = 4 };
    for (int resets = 0; resets < 2; resets++) {
        _Atomic uint32_t seen[1] = {0};
        brood_barrier *barrier;
        party parties[N];
        bt_ok(brood_barrier_create(&barrier, N + 1, NULL));
        for (int i = 0; i < N; i++) {
            parties[i] = (party){barrier, NULL, 1, BROOD_OK, seen, false};
            bt_ok(bri_thread_start(&parties[i].thread, meet, &parties[i]));
        }
        await_waiting(barrier, N);
        bt_ok(resets ? brood_barrier_reset(barrier) : brood_barrier_abort(barrier));
        for (int i = 0; i < N; i++) {
            bri_thread_join(parties[i].thread);
            assert_int_equal(parties[i].status, BROOD_EBROKEN);
        }
        assert_int_equal(brood_barrier_is_broken(barrier), !resets);
        brood_barrier_destroy(barrier);
    }
}

/* ---- processes ---- */

static brood_status meet_in_process(brood_call *call)
{
    const brood_value *value;
    brood_barrier *barrier;
    uint64_t block;
    int64_t rounds;
    bri_arena *arena;
    BROOD_TRY(brood_call_args(call, "vui", &value, &block, &rounds));
    BROOD_TRY(brood_get_barrier(value, &barrier));
    BROOD_TRY(bri_arena_get(&arena));
    party self = {barrier, NULL, (int)rounds, BROOD_OK, bri_arena_at(arena, block), false};
    meet(&self);
    bt_check(call, self.status == BROOD_OK);
    bt_check(call, !self.is_uneven);
    return BROOD_OK;
}

static void test_processes_meet_in_rounds(void **state)
{
    (void)state;
    enum { N = 6, ROUNDS = 30 };
    brood_barrier *barrier;
    brood_process *processes[N];
    bri_arena *arena;
    uint64_t block;
    bt_ok(brood_barrier_create(&barrier, N, NULL));
    bt_ok(bri_arena_get(&arena));
    bt_ok(bri_arena_alloc(arena, ROUNDS * sizeof(uint32_t), &block));
    _Atomic uint32_t *seen = bri_arena_at(arena, block);
    for (int i = 0; i < ROUNDS; i++)
        atomic_store(&seen[i], 0);
    for (int i = 0; i < N; i++)
        processes[i] = bt_process(meet_in_process,
                                  brood_pack("vui", brood_barrier_value(barrier), block, ROUNDS));
    for (int i = 0; i < N; i++)
        assert_int_equal(bt_join(processes[i]), 0);
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(atomic_load(&seen[i]), (1 << N) - 1);
    assert_false(brood_barrier_is_broken(barrier)); /* they have ended in order */
    bri_arena_free(arena, block);
    brood_barrier_destroy(barrier);
}

static brood_status act_in_process(brood_barrier *barrier)
{
    (void)barrier;
    brood_exit(3);
    return BROOD_OK;
}

static brood_status come_once(brood_call *call)
{
    const brood_value *object;
    brood_connection *told;
    brood_barrier *barrier;
    BROOD_TRY(actor_begin(call, &object, &told));
    BROOD_TRY(brood_get_barrier(object, &barrier));
    BROOD_TRY(brood_connection_send(told, brood_none(), -1));
    return brood_barrier_wait(barrier, LONG, NULL);
}

/* The action is found in another process, and one that does not come back breaks it. */
static void test_an_action_that_ends_its_process_breaks_it(void **state)
{
    (void)state;
    brood_barrier *barrier;
    bt_ok(brood_barrier_create(&barrier, 1, &(brood_barrier_options){.action = act_in_process}));
    actor last = actor_start(come_once, brood_barrier_value(barrier));
    actor_await(&last);
    assert_int_equal(bt_join(last.process), 3);
    brood_connection_close(last.told);
    bt_fails(brood_barrier_wait(barrier, LONG, NULL), BROOD_EBROKEN);
    brood_barrier_destroy(barrier);
}

static brood_status pause_with_it(brood_call *call)
{
    const brood_value *object;
    brood_connection *told;
    BROOD_TRY(actor_begin(call, &object, &told));
    return actor_pause(told);
}

static void test_a_party_that_dies_breaks_it(void **state)
{
    (void)state;
    brood_function functions[2] = {come_once, pause_with_it};
    for (int i = 0; i < 2; i++) {
        brood_barrier *barrier;
        bt_ok(brood_barrier_create(&barrier, 4, NULL));
        actor waiter = actor_start(come_once, brood_barrier_value(barrier));
        actor_await(&waiter);
        actor dead = actor_start(functions[i], brood_barrier_value(barrier));
        actor_await(&dead);
        await_waiting(barrier, i == 0 ? 2 : 1);
        bt_ok(brood_process_kill(dead.process));
        BT_WITHIN_A_SECOND(
            assert_int_equal(brood_barrier_wait(barrier, LONG, NULL), BROOD_EBROKEN));
        assert_int_equal(bt_join(waiter.process), 1);
        brood_connection_close(waiter.told);
        actor_kill(&dead);
        assert_true(brood_barrier_is_broken(barrier));
        bt_ok(brood_barrier_reset(barrier));
        assert_int_equal(brood_barrier_n_waiting(barrier), 0);
        assert_false(brood_barrier_is_broken(barrier));
        brood_barrier_destroy(barrier);
    }
}

static brood_status pause_without_it(brood_call *call)
{
    const brood_value *value;
    brood_connection *told;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_connection(value, &told));
    return actor_pause(told);
}

/* Under fork it has inherited it, as everything. */
static void test_a_death_of_one_that_was_not_given_it_does_not(void **state)
{
    (void)state;
    brood_barrier *barrier;
    brood_connection *ours, *theirs;
    brood_value word;
    bt_ok(brood_barrier_create(&barrier, 2, NULL));
    bt_ok(brood_pipe(&ours, &theirs, true));
    brood_process *other =
        bt_process(pause_without_it, brood_pack("(v)", brood_connection_value(theirs)));
    brood_connection_close(theirs);
    bt_ok(brood_connection_recv(ours, &word, LONG));
    bt_ok(brood_process_kill(other));
    assert_int_equal(bt_join(other), -9);
    assert_false(brood_barrier_is_broken(barrier));
    brood_connection_close(ours);
    brood_barrier_destroy(barrier);
}

static void test_one_that_leaves_in_order_does_not(void **state)
{
    (void)state;
    brood_barrier *barrier;
    bt_ok(brood_barrier_create(&barrier, 2, NULL));
    actor other = actor_start(pause_with_it, brood_barrier_value(barrier));
    actor_await(&other);
    actor_go_on(&other);
    actor_end(&other);
    assert_false(brood_barrier_is_broken(barrier));
    brood_barrier_destroy(barrier);
}

/* ---- kills at every point ---- */

static brood_status sleep_a_little(brood_barrier *barrier)
{
    (void)barrier;
    brood_sleep(1);
    return BROOD_OK;
}

static brood_status meet_and_die(brood_call *call)
{
    const brood_value *value;
    brood_barrier *barrier;
    BROOD_TRY(bt_kills_begin(call, &value));
    BROOD_TRY(brood_get_barrier(value, &barrier));
    for (int i = 0; i < 4; i++) {
        uint32_t index;
        BROOD_TRY(brood_barrier_wait(barrier, LONG, &index));
    }
    return bt_kills_end();
}

/* Goes on with whoever comes; counts nothing, mends nothing. */
static brood_status meet_for_ever(brood_call *call)
{
    const brood_value *value;
    brood_barrier *barrier;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_barrier(value, &barrier));
    for (;;) {
        brood_status status = brood_barrier_wait(barrier, -1, NULL);
        bt_check(call, status == BROOD_OK || status == BROOD_EBROKEN);
        brood_sleep(2); /* so that the other one sleeps */
    }
}

static brood_value give_barrier(void *context)
{
    bt_ok(brood_barrier_reset(context));
    return brood_barrier_value(context);
}

/* The other one is in, or it is broken; after a reset both go through. */
static void check_barrier(void *context, const char *point, int n)
{
    bt_ok(brood_barrier_reset(context));
    for (int i = 0; i < 2; i++) {
        brood_status status = brood_barrier_wait(context, 5000, NULL);
        if (status != BROOD_OK)
            fail_msg("the barrier gives %d after %s, %d", (int)status, point, n);
    }
}

static void test_a_kill_at_any_point_stops_nobody(void **state)
{
    (void)state;
    brood_barrier *barrier;
    bt_ok(brood_barrier_create(&barrier, 2, &(brood_barrier_options){.action = sleep_a_little}));
    brood_process *other =
        bt_process(meet_for_ever, brood_pack("(v)", brood_barrier_value(barrier)));
    bt_kills kills = {
        .run = meet_and_die, .prepare = give_barrier, .verify = check_barrier, .context = barrier};
    assert_true(bt_kill_everywhere(&kills) >= 10);
    assert_true(brood_process_is_alive(other));
    bt_ok(brood_process_kill(other));
    assert_int_equal(bt_join(other), -9);
    brood_barrier_destroy(barrier);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_a_single_party_never_waits),
        bt_test(test_a_time_out_breaks_it_and_reset_mends_it),
        bt_test(test_it_may_have_a_time_out_of_its_own), bt_test(test_a_failing_action_breaks_it),
        bt_test(test_wrong_arguments_are_errors), bt_test(test_each_index_comes_once_a_round),
        bt_test(test_abort_and_reset_are_told_to_all), bt_test(test_processes_meet_in_rounds),
        bt_test(test_an_action_that_ends_its_process_breaks_it),
        bt_test(test_a_party_that_dies_breaks_it),
        bt_test(test_a_death_of_one_that_was_not_given_it_does_not),
        bt_test(test_one_that_leaves_in_order_does_not),
        bt_test(test_a_kill_at_any_point_stops_nobody));
}
