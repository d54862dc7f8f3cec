/* brood-test: start-methods */
/* The condition: every notification comes to use, whoever dies. */
#include "core/thread.h"
#include "support.h"

#include <stdatomic.h>

#include "core/killpoint.h"
#include "ipc/arena.h"

/* What the lock protects, in the arena. */
typedef struct board {
    _Atomic int64_t waiting; /* have come to wait */
    _Atomic int64_t work;    /* to be taken */
    _Atomic int64_t taken;
} board;

static uint64_t make_board(void)
{
    bri_arena *arena;
    uint64_t block;
    bt_ok(bri_arena_get(&arena));
    bt_ok(bri_arena_alloc(arena, sizeof(board), &block));
    memset(bri_arena_at(arena, block), 0, sizeof(board));
    return block;
}

static void free_board(uint64_t block)
{
    bri_arena_free(bri_the_runtime.arena, block);
}

static board *board_at(uint64_t block)
{
    bri_arena *arena;
    return bri_arena_get(&arena) == BROOD_OK ? bri_arena_at(arena, block) : NULL;
}

/* ---- one process ---- */

static void test_the_lock_has_to_be_held(void **state)
{
    (void)state;
    brood_condition *condition;
    bt_ok(brood_condition_create(&condition, NULL));
    bt_fails(brood_condition_wait(condition, 0), BROOD_ESTATE);
    bt_message_has("not held");
    bt_fails(brood_condition_notify(condition, 1), BROOD_ESTATE);
    bt_fails(brood_condition_notify_all(condition), BROOD_ESTATE);
    bt_ok(brood_condition_acquire(condition, 0));
    bt_ok(brood_condition_notify(condition, 1));
    bt_ok(brood_condition_notify_all(condition));
    bt_ok(brood_condition_release(condition));
    bt_fails(brood_condition_release(condition), BROOD_ESTATE);
    brood_condition_destroy(condition);
}

static void test_a_time_out_holds_the_lock_again(void **state)
{
    (void)state;
    brood_condition *condition;
    brood_rlock *rlock;
    bt_ok(brood_rlock_create(&rlock));
    bt_ok(brood_condition_create(&condition, &(brood_condition_options){.rlock = rlock}));
    bt_ok(brood_rlock_acquire(rlock, 0));
    bt_ok(brood_condition_acquire(condition, 0));
    brood_ms begun = brood_now();
    assert_int_equal(brood_condition_wait(condition, 40), BROOD_ETIMEDOUT);
    assert_true(brood_now() - begun >= 40);
    assert_int_equal(brood_condition_wait(condition, 0), BROOD_ETIMEDOUT);
    bt_ok(brood_condition_release(condition));
    bt_ok(brood_rlock_release(rlock));
    assert_false(brood_rlock_is_locked(rlock));
    brood_rlock_destroy(rlock);
    brood_condition_destroy(condition);
}

static void test_it_takes_a_plain_lock_too(void **state)
{
    (void)state;
    brood_condition *condition;
    brood_lock *lock;
    bt_ok(brood_lock_create(&lock));
    bt_ok(brood_condition_create(&condition, &(brood_condition_options){.lock = lock}));
    bt_ok(brood_condition_acquire(condition, 0));
    assert_true(brood_lock_is_locked(lock));
    assert_int_equal(brood_condition_wait(condition, 1), BROOD_ETIMEDOUT);
    bt_ok(brood_lock_release(lock));
    bt_fails(brood_condition_wait(condition, 1), BROOD_ESTATE);
    brood_condition_destroy(condition);
    brood_lock_destroy(lock);
}

static void test_wrong_arguments_are_errors(void **state)
{
    (void)state;
    brood_condition *condition;
    brood_lock *lock;
    brood_rlock *rlock;
    bt_ok(brood_lock_create(&lock));
    bt_ok(brood_rlock_create(&rlock));
    bt_fails(brood_condition_create(&condition,
                                    &(brood_condition_options){.lock = lock, .rlock = rlock}),
             BROOD_EINVALID);
    brood_lock_destroy(lock);
    brood_rlock_destroy(rlock);
    bt_fails(brood_condition_wait(NULL, 0), BROOD_EINVALID);
    bt_fails(brood_condition_notify(NULL, 1), BROOD_EINVALID);
    bt_fails(brood_condition_acquire(NULL, 0), BROOD_EINVALID);
    bt_fails(brood_condition_release(NULL), BROOD_EINVALID);
    brood_condition_destroy(NULL);
    brood_value value = brood_int(1);
    bt_fails(brood_get_condition(&value, &condition), BROOD_ETYPE);
    assert_int_equal(brood_condition_value(NULL).kind, BROOD_INVALID);
    bt_ok(brood_condition_create(&condition, NULL));
    bt_ok(brood_condition_acquire(condition, 0));
    bt_fails(brood_condition_wait_for(condition, NULL, NULL, 0), BROOD_EINVALID);
    bt_ok(brood_condition_release(condition));
    brood_condition_destroy(condition);
}

static bool is_true(void *context)
{
    return *(bool *)context;
}

static void test_the_predicate_is_looked_at_first(void **state)
{
    (void)state;
    brood_condition *condition;
    bool holds = true;
    bt_ok(brood_condition_create(&condition, NULL));
    bt_ok(brood_condition_acquire(condition, 0));
    bt_ok(brood_condition_wait_for(condition, is_true, &holds, 0));
    holds = false;
    assert_int_equal(brood_condition_wait_for(condition, is_true, &holds, 20), BROOD_ETIMEDOUT);
    bt_ok(brood_condition_release(condition));
    brood_condition_destroy(condition);
}

/* ---- threads ---- */

typedef struct waiter {
    brood_condition *condition;
    board *board;
    bri_thread *thread;
    brood_status status;
} waiter;

static brood_status wait_once(brood_condition *condition, board *shown)
{
    BROOD_TRY(brood_condition_acquire(condition, -1));
    atomic_fetch_add(&shown->waiting, 1);
    brood_status status = brood_condition_wait(condition, LONG);
    atomic_fetch_add(&shown->taken, 1);
    brood_condition_release(condition);
    return status;
}

static void wait_in_thread(void *context)
{
    waiter *self = context;
    self->status = wait_once(self->condition, self->board);
}

/* Until so many wait: who has counted itself under the lock has released it only by waiting. */
static void await_waiting(brood_condition *condition, const board *shown, int64_t n)
{
    for (;;) {
        bt_ok(brood_condition_acquire(condition, LONG));
        int64_t now = atomic_load(&shown->waiting);
        bt_ok(brood_condition_release(condition));
        if (now == n)
            return;
        brood_sleep(1);
    }
}

static bool await_taken(const board *shown, int64_t n)
{
    for (brood_ms begun = brood_now(); brood_now() - begun < LONG; brood_sleep(1))
        if (atomic_load(&shown->taken) >= n)
            return true;
    return false;
}

static void test_notify_wakes_as_many_as_it_says(void **state)
{
    (void)state;
    enum { N = 20 }; /* more than the seats of the first block */
    brood_condition *condition;
    board shown = {0};
    waiter waiters[N];
    bt_ok(brood_condition_create(&condition, NULL));
    for (int i = 0; i < N; i++) {
        waiters[i] = (waiter){condition, &shown, NULL, BROOD_OK};
        bt_ok(bri_thread_start(&waiters[i].thread, wait_in_thread, &waiters[i]));
    }
    await_waiting(condition, &shown, N);
    bt_ok(brood_condition_acquire(condition, -1));
    bt_ok(brood_condition_notify(condition, 3));
    bt_ok(brood_condition_notify(condition, 0));
    bt_ok(brood_condition_notify(condition, 2));
    bt_ok(brood_condition_release(condition));
    assert_true(await_taken(&shown, 5));
    brood_sleep(20);
    assert_int_equal(atomic_load(&shown.taken), 5);
    bt_ok(brood_condition_acquire(condition, -1));
    bt_ok(brood_condition_notify_all(condition));
    bt_ok(brood_condition_release(condition));
    for (int i = 0; i < N; i++) {
        bri_thread_join(waiters[i].thread);
        assert_int_equal(waiters[i].status, BROOD_OK);
    }
    brood_condition_destroy(condition);
}

/* ---- processes ---- */

static brood_status wait_in_process(brood_call *call)
{
    const brood_value *value;
    brood_condition *condition;
    uint64_t block;
    BROOD_TRY(brood_call_args(call, "vu", &value, &block));
    BROOD_TRY(brood_get_condition(value, &condition));
    brood_status status = wait_once(condition, board_at(block));
    bt_check(call, status == BROOD_OK);
    return BROOD_OK;
}

static brood_process *start_waiter(brood_condition *condition, uint64_t block)
{
    return bt_process(wait_in_process, brood_pack("vu", brood_condition_value(condition), block));
}

static void notify(brood_condition *condition, uint32_t n)
{
    bt_ok(brood_condition_acquire(condition, LONG));
    bt_ok(brood_condition_notify(condition, n));
    bt_ok(brood_condition_release(condition));
}

static void test_processes_are_woken_one_by_one_and_together(void **state)
{
    (void)state;
    enum { N = 6 };
    brood_condition *condition;
    brood_process *processes[N];
    brood_lock *lock;
    bt_ok(brood_lock_create(&lock));
    bt_ok(brood_condition_create(&condition, &(brood_condition_options){.lock = lock}));
    brood_lock_destroy(lock);
    uint64_t block = make_board();
    for (int i = 0; i < N; i++)
        processes[i] = start_waiter(condition, block);
    await_waiting(condition, board_at(block), N);
    for (int i = 1; i <= 2; i++) {
        notify(condition, 1);
        assert_true(await_taken(board_at(block), i));
    }
    notify(condition, UINT32_MAX);
    for (int i = 0; i < N; i++)
        assert_int_equal(bt_join(processes[i]), 0);
    free_board(block);
    brood_condition_destroy(condition);
}

/* Producers and consumers of numbered work: nothing is lost, nobody is left waiting. */
static bool has_work(void *context)
{
    return atomic_load(&((board *)context)->work) > 0;
}

static brood_status consume(brood_call *call)
{
    const brood_value *value;
    brood_condition *condition;
    uint64_t block;
    int64_t n;
    BROOD_TRY(brood_call_args(call, "vui", &value, &block, &n));
    BROOD_TRY(brood_get_condition(value, &condition));
    board *shown = board_at(block);
    for (int64_t i = 0; i < n; i++) {
        BROOD_TRY(brood_condition_acquire(condition, LONG));
        BROOD_TRY(brood_condition_wait_for(condition, has_work, shown, LONG));
        atomic_fetch_sub(&shown->work, 1);
        atomic_fetch_add(&shown->taken, 1);
        BROOD_TRY(brood_condition_release(condition));
    }
    return BROOD_OK;
}

static void test_nothing_is_lost_between_producer_and_consumers(void **state)
{
    (void)state;
    enum { N = 5, EACH = 60 };
    brood_condition *condition;
    brood_process *processes[N];
    bt_ok(brood_condition_create(&condition, NULL));
    uint64_t block = make_board();
    for (int i = 0; i < N; i++)
        processes[i] =
            bt_process(consume, brood_pack("vui", brood_condition_value(condition), block, EACH));
    for (int i = 0; i < N * EACH; i++) {
        bt_ok(brood_condition_acquire(condition, LONG));
        atomic_fetch_add(&board_at(block)->work, 1);
        bt_ok(brood_condition_notify(condition, 1));
        bt_ok(brood_condition_release(condition));
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(bt_join(processes[i]), 0);
    assert_int_equal(atomic_load(&board_at(block)->taken), N * EACH);
    free_board(block);
    brood_condition_destroy(condition);
}

/* ---- deaths ---- */

static void test_a_dead_waiter_is_not_notified(void **state)
{
    (void)state;
    enum { N = 12 };
    brood_condition *condition;
    brood_process *dead[N];
    bt_ok(brood_condition_create(&condition, NULL));
    uint64_t block = make_board();
    for (int i = 0; i < N; i++)
        dead[i] = start_waiter(condition, block);
    await_waiting(condition, board_at(block), N);
    brood_process *living = start_waiter(condition, block);
    await_waiting(condition, board_at(block), N + 1);
    for (int i = 0; i < N; i++)
        bt_ok(brood_process_kill(dead[i]));
    /* Those were first, and some of them may be taken for living. */
    notify(condition, 1);
    for (int i = 0; i < N; i++)
        assert_int_equal(bt_join(dead[i]), -9);
    assert_int_equal(bt_join(living), 0);
    assert_int_equal(atomic_load(&board_at(block)->taken), 1);
    free_board(block);
    brood_condition_destroy(condition);
}

static brood_status hold_lock(brood_call *call)
{
    const brood_value *object;
    brood_connection *told;
    brood_condition *condition;
    BROOD_TRY(actor_begin(call, &object, &told));
    BROOD_TRY(brood_get_condition(object, &condition));
    BROOD_TRY(brood_condition_acquire(condition, -1));
    return actor_pause(told);
}

static brood_status be_told_of_death(brood_call *call)
{
    const brood_value *value;
    brood_condition *condition;
    uint64_t block;
    BROOD_TRY(brood_call_args(call, "vu", &value, &block));
    BROOD_TRY(brood_get_condition(value, &condition));
    board *shown = board_at(block);
    BROOD_TRY(brood_condition_acquire(condition, -1));
    atomic_fetch_add(&shown->waiting, 1);
    brood_status status = brood_condition_wait(condition, LONG);
    bt_check(call, status == BROOD_EOWNERDIED || status == BROOD_OK);
    atomic_fetch_add(&shown->taken, status == BROOD_EOWNERDIED);
    /* As told: the others are notified. */
    BROOD_TRY(brood_condition_notify_all(condition));
    return brood_condition_release(condition);
}

static void test_waiters_learn_that_the_holder_died(void **state)
{
    (void)state;
    enum { N = 3 };
    for (int plain = 0; plain < 2; plain++) {
        brood_condition *condition;
        brood_lock *lock = NULL;
        brood_process *waiters[N];
        if (plain)
            bt_ok(brood_lock_create(&lock));
        bt_ok(brood_condition_create(&condition, &(brood_condition_options){.lock = lock}));
        brood_lock_destroy(lock);
        uint64_t block = make_board();
        for (int i = 0; i < N; i++)
            waiters[i] = bt_process(be_told_of_death,
                                    brood_pack("vu", brood_condition_value(condition), block));
        await_waiting(condition, board_at(block), N);
        actor holder = actor_start(hold_lock, brood_condition_value(condition));
        actor_await(&holder);
        bt_ok(brood_process_kill(holder.process));
        BT_WITHIN_A_SECOND(for (int i = 0; i < N; i++) assert_int_equal(bt_join(waiters[i]), 0));
        assert_int_equal(atomic_load(&board_at(block)->taken), 1);
        actor_kill(&holder);
        free_board(block);
        brood_condition_destroy(condition);
    }
}

/* ---- kills at every point ---- */

typedef struct play {
    brood_condition *condition;
    uint64_t block;
    brood_process *others[2];
} play;

/* The ball: work 1 is this one's turn to notify, 2 that of the others. */
static brood_status take_turns(brood_condition *condition, board *shown, int64_t mine, int n)
{
    brood_status status = brood_condition_acquire(condition, LONG);
    for (int i = 0; i < n; i++) {
        while ((status == BROOD_OK || status == BROOD_EOWNERDIED) &&
               atomic_load(&shown->work) != mine)
            status = brood_condition_wait(condition, LONG);
        if (status != BROOD_EOWNERDIED)
            BROOD_TRY(status);
        status = BROOD_OK;
        atomic_fetch_add(&shown->taken, 1);
        atomic_store(&shown->work, 3 - mine);
        BROOD_TRY(brood_condition_notify_all(condition));
    }
    return brood_condition_release(condition);
}

static brood_status play_and_die(brood_call *call)
{
    const brood_value *objects, *value;
    brood_condition *condition;
    uint64_t block;
    BROOD_TRY(bt_kills_begin(call, &objects));
    BROOD_TRY(brood_unpack(objects, "vu", &value, &block));
    BROOD_TRY(brood_get_condition(value, &condition));
    BROOD_TRY(take_turns(condition, board_at(block), 1, 6));
    return bt_kills_end();
}

static brood_status play_on(brood_call *call)
{
    const brood_value *value;
    brood_condition *condition;
    uint64_t block;
    BROOD_TRY(brood_call_args(call, "vu", &value, &block));
    BROOD_TRY(brood_get_condition(value, &condition));
    for (;;)
        BROOD_TRY(take_turns(condition, board_at(block), 2, 1000));
}

static brood_value give_play(void *context)
{
    play *self = context;
    return brood_pack("vu", brood_condition_value(self->condition), self->block);
}

/* The ball comes back from the other process, whoever had it. */
static void check_play(void *context, const char *point, int n)
{
    play *self = context;
    board *shown = board_at(self->block);
    brood_status status = brood_condition_acquire(self->condition, 5000);
    for (int i = 0; i < 3; i++) {
        while ((status == BROOD_OK || status == BROOD_EOWNERDIED) && atomic_load(&shown->work) != 1)
            status = brood_condition_wait(self->condition, 5000);
        if (status != BROOD_OK && status != BROOD_EOWNERDIED)
            fail_msg("the condition gives %d after %s, %d", (int)status, point, n);
        atomic_store(&shown->work, 2);
        bt_ok(brood_condition_notify_all(self->condition));
        status = BROOD_OK;
    }
    while (atomic_load(&shown->work) != 1 && status == BROOD_OK)
        status = brood_condition_wait(self->condition, 5000);
    assert_int_equal(status, BROOD_OK);
    bt_ok(brood_condition_release(self->condition));
}

static void test_a_kill_at_any_point_stops_nobody(void **state)
{
    (void)state;
    play self;
    bt_ok(brood_condition_create(&self.condition, NULL));
    self.block = make_board();
    atomic_store(&board_at(self.block)->work, 1);
    brood_process *other =
        bt_process(play_on, brood_pack("vu", brood_condition_value(self.condition), self.block));
    bt_kills kills = {
        .run = play_and_die, .prepare = give_play, .verify = check_play, .context = &self};
    assert_true(bt_kill_everywhere(&kills) >= 12);
    assert_true(brood_process_is_alive(other));
    bt_ok(brood_process_kill(other));
    assert_int_equal(bt_join(other), -9);
    free_board(self.block);
    brood_condition_destroy(self.condition);
}

/* One notification for two waiters, one of which dies at any point after it has begun to wait: if
 * it did not return from its wait, the other one does. */

static board *watched;

/* `work` 1: the lock is released, the wait has begun. */
static void watch(const char *point)
{
    if (strcmp(point, "condition-released") == 0)
        atomic_store(&watched->work, 1);
}

static brood_status wait_and_die(brood_call *call)
{
    const char *point;
    int64_t n;
    const brood_value *objects, *value, *log;
    brood_condition *condition;
    uint64_t block;
    BROOD_TRY(bt_kills_begin(call, &objects));
    BROOD_TRY(brood_call_args(call, "sivv", &point, &n, &log, &objects));
    BROOD_TRY(brood_unpack(objects, "vu", &value, &block));
    BROOD_TRY(brood_get_condition(value, &condition));
    watched = board_at(block);
    if (*point != '\0')
        bri_kill_watch(watch);
    BROOD_TRY(brood_condition_acquire(condition, -1));
    atomic_fetch_add(&watched->waiting, 1);
    BROOD_TRY(brood_condition_wait(condition, LONG));
    atomic_store(&watched->work, 2);
    BROOD_TRY(brood_condition_release(condition));
    return bt_kills_end();
}

static brood_status notify_when_both_wait(brood_call *call)
{
    const brood_value *value;
    brood_condition *condition;
    uint64_t block;
    BROOD_TRY(brood_call_args(call, "vu", &value, &block));
    BROOD_TRY(brood_get_condition(value, &condition));
    board *shown = board_at(block);
    for (;; brood_sleep(1)) {
        brood_status status = brood_condition_acquire(condition, LONG);
        bt_check(call, status == BROOD_OK || status == BROOD_EOWNERDIED);
        bool both = atomic_load(&shown->waiting) == 2;
        if (both || status == BROOD_EOWNERDIED)
            BROOD_TRY(brood_condition_notify(condition, 1));
        BROOD_TRY(brood_condition_release(condition));
        if (both || status == BROOD_EOWNERDIED)
            return BROOD_OK;
    }
}

static brood_status wait_as_second(brood_call *call)
{
    const brood_value *value;
    brood_condition *condition;
    uint64_t block;
    BROOD_TRY(brood_call_args(call, "vu", &value, &block));
    BROOD_TRY(brood_get_condition(value, &condition));
    board *shown = board_at(block);
    /* Second: so that a notification goes to the other one first. */
    while (atomic_load(&shown->waiting) == 0)
        brood_sleep(1);
    brood_status status = wait_once(condition, shown);
    bt_check(call, status == BROOD_OK || status == BROOD_EOWNERDIED);
    return BROOD_OK;
}

static brood_value prepare_two(void *context)
{
    play *self = context;
    bt_ok(brood_condition_create(&self->condition, NULL));
    self->block = make_board();
    brood_function functions[2] = {wait_as_second, notify_when_both_wait};
    for (int i = 0; i < 2; i++)
        self->others[i] = bt_process(
            functions[i], brood_pack("vu", brood_condition_value(self->condition), self->block));
    return brood_pack("vu", brood_condition_value(self->condition), self->block);
}

static void verify_two(void *context, const char *point, int n)
{
    play *self = context;
    board *shown = board_at(self->block);
    if (atomic_load(&shown->work) == 1 && !await_taken(shown, 1))
        fail_msg("the notification is lost after %s, %d", point, n);
    /* Else it has come to use, or nobody waited yet. Both others are brought home. */
    if (atomic_load(&shown->waiting) == 0)
        atomic_store(&shown->waiting, 1);
    while (brood_process_join(self->others[0], 10) == BROOD_ETIMEDOUT) {
        brood_status status = brood_condition_acquire(self->condition, 5000);
        assert_true(status == BROOD_OK || status == BROOD_EOWNERDIED);
        bt_ok(brood_condition_notify_all(self->condition));
        bt_ok(brood_condition_release(self->condition));
    }
    atomic_store(&shown->waiting, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(bt_join(self->others[i]), 0);
    free_board(self->block);
    brood_condition_destroy(self->condition);
}

static void test_no_notification_is_swallowed_by_a_dead_waiter(void **state)
{
    (void)state;
    play self;
    bt_kills kills = {.run = wait_and_die,
                      .prepare = prepare_two,
                      .verify = verify_two,
                      .context = &self,
                      .most = 1};
    assert_true(bt_kill_everywhere(&kills) >= 8);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_the_lock_has_to_be_held),
        bt_test(test_a_time_out_holds_the_lock_again), bt_test(test_it_takes_a_plain_lock_too),
        bt_test(test_wrong_arguments_are_errors), bt_test(test_the_predicate_is_looked_at_first),
        bt_test(test_notify_wakes_as_many_as_it_says),
        bt_test(test_processes_are_woken_one_by_one_and_together),
        bt_test(test_nothing_is_lost_between_producer_and_consumers),
        bt_test(test_a_dead_waiter_is_not_notified),
        bt_test(test_waiters_learn_that_the_holder_died),
        bt_test(test_a_kill_at_any_point_stops_nobody),
        bt_test(test_no_notification_is_swallowed_by_a_dead_waiter));
}
