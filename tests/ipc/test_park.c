/* Sleeping on words of the arena: latches, bells, deaths, time-outs. */
#include "harness.h"
#include "pretend.h"

#include "core/thread.h"
#include "ipc/bell.h"
#include "ipc/latch.h"
#include "platform/clock.h"

typedef struct room {
    bri_latch latch;
    bri_bell bell;
    _Atomic uint64_t turn;
} room;

static room *new_room(uint64_t *block)
{
    bri_arena *arena;
    bt_ok(bri_arena_get(&arena));
    bt_ok(bri_arena_alloc(arena, sizeof(room), block));
    room *made = bri_arena_at(arena, *block);
    memset(made, 0, sizeof *made);
    return made;
}

static void free_room(uint64_t block)
{
    bri_arena_free(bri_the_runtime.arena, block);
}

typedef struct waiter {
    room *in;
    bri_thread *thread;
    bri_deadline deadline;
    brood_status status;
    int64_t ended;
} waiter;

static void wait_for_latch(void *context)
{
    waiter *self = context;
    bri_spin_place place = 0;
    self->status = bri_latch_lock(&self->in->latch, bri_owner_me(), &place, self->deadline);
    self->ended = brp_clock_now();
    if (self->status != BROOD_ETIMEDOUT)
        bri_latch_unlock(&self->in->latch);
}

static void start_waiter(waiter *self, room *in)
{
    *self = (waiter){.in = in, .deadline = BRI_NEVER};
    bt_ok(bri_thread_start(&self->thread, wait_for_latch, self));
}

static bool is_waited_for(void *context)
{
    return (atomic_load((bri_latch *)context) & BRI_LATCH_WAITED) != 0;
}

static void test_a_waiter_gets_the_latch_when_it_is_freed(void **state)
{
    (void)state;
    uint64_t block;
    room *in = new_room(&block);
    waiter one;
    assert_true(bri_latch_try(&in->latch, bri_owner_me()));
    assert_false(bri_latch_try(&in->latch, bri_owner_me()));
    start_waiter(&one, in);
    assert_true(bt_await(is_waited_for, &in->latch, 5000));
    int64_t freed = brp_clock_now();
    assert_true(bri_latch_unlock(&in->latch));
    bri_thread_join(one.thread);
    assert_int_equal(one.status, BROOD_OK);
    assert_true(one.ended - freed < INT64_C(1000000000));
    free_room(block);
}

static void test_unlocking_a_free_latch_is_noticed(void **state)
{
    (void)state;
    uint64_t block;
    room *in = new_room(&block);
    assert_false(bri_latch_unlock(&in->latch));
    free_room(block);
}

static void test_one_waiter_is_told_of_a_death(void **state)
{
    (void)state;
    enum { N = 3 };
    uint64_t block;
    room *in = new_room(&block);
    waiter waiters[N];
    bri_owner other;
    bt_ok(pretend_living(&other));
    assert_true(bri_latch_try(&in->latch, other));
    for (int i = 0; i < N; i++)
        start_waiter(&waiters[i], in);
    assert_true(bt_await(is_waited_for, &in->latch, 5000));
    int64_t died = brp_clock_now();
    bri_proctable_died(other);
    int told = 0;
    for (int i = 0; i < N; i++) {
        bri_thread_join(waiters[i].thread);
        assert_true(waiters[i].status == BROOD_OK || waiters[i].status == BROOD_EOWNERDIED);
        assert_true(waiters[i].ended - died < INT64_C(1000000000));
        told += waiters[i].status == BROOD_EOWNERDIED;
    }
    assert_int_equal(told, 1);
    free_room(block);
}

static void test_a_waiter_finds_the_death_that_nobody_declares(void **state)
{
    (void)state;
    uint64_t block;
    room *in = new_room(&block);
    waiter one;
    assert_true(bri_latch_try(&in->latch, pretend_dead()));
    int64_t begun = brp_clock_now();
    start_waiter(&one, in);
    bri_thread_join(one.thread);
    assert_int_equal(one.status, BROOD_EOWNERDIED);
    assert_true(one.ended - begun < INT64_C(1000000000));
    free_room(block);
}

static void test_who_only_tries_finds_it_too(void **state)
{
    (void)state;
    uint64_t block;
    room *in = new_room(&block);
    bri_owner living;
    bt_ok(pretend_living(&living));
    assert_true(bri_latch_try(&in->latch, living));
    assert_int_equal(bri_latch_try_dead(&in->latch), BROOD_ETIMEDOUT);
    bri_proctable_died(living);
    assert_int_equal(bri_latch_try_dead(&in->latch), BROOD_EOWNERDIED);
    assert_true(bri_latch_unlock(&in->latch));
    assert_int_equal(bri_latch_try_dead(&in->latch), BROOD_OK);
    assert_true(bri_latch_unlock(&in->latch));
    free_room(block);
}

static void test_a_wait_ends_at_its_deadline(void **state)
{
    (void)state;
    uint64_t block;
    room *in = new_room(&block);
    bri_spin_place place = 0;
    assert_true(bri_latch_try(&in->latch, bri_owner_me()));
    for (int milliseconds = 0; milliseconds <= 60; milliseconds += 20) {
        int64_t deadline = bri_deadline_after(brp_clock_now(), milliseconds);
        assert_int_equal(bri_latch_lock(&in->latch, bri_owner_me(), &place, deadline),
                         BROOD_ETIMEDOUT);
        assert_true(brp_clock_now() >= deadline);
    }
    assert_true(bri_latch_unlock(&in->latch));
    free_room(block);
}

/* ---- bells ---- */

static void ring_in_turn(void *context)
{
    waiter *self = context;
    room *in = self->in;
    uint64_t rounds = (uint64_t)self->deadline, mine = self->status == BROOD_OK ? 0 : 1;
    bri_parking parking = bri_parking_until(BRI_NEVER);
    for (uint64_t round = 0; round < rounds; round++) {
        while (atomic_load(&in->turn) != round * 2 + mine) {
            bri_parking_look(&parking);
            uint32_t heard = bri_bell_listen(&in->bell);
            if (atomic_load(&in->turn) != round * 2 + mine)
                bri_bell_wait(&in->bell, &parking, heard);
        }
        atomic_fetch_add(&in->turn, 1);
        bri_bell_ring(&in->bell, 1);
    }
}

static void test_no_ring_is_lost(void **state)
{
    (void)state;
    enum { ROUNDS = 3000 };
    uint64_t block;
    room *in = new_room(&block);
    waiter two[2] = {{.in = in, .deadline = ROUNDS, .status = BROOD_OK},
                     {.in = in, .deadline = ROUNDS, .status = BROOD_EFULL}};
    int64_t begun = brp_clock_now();
    for (int i = 0; i < 2; i++)
        bt_ok(bri_thread_start(&two[i].thread, ring_in_turn, &two[i]));
    for (int i = 0; i < 2; i++)
        bri_thread_join(two[i].thread);
    assert_int_equal(atomic_load(&in->turn), 2 * ROUNDS);
    /* A lost ring costs a slice of 25 ms or more each time. */
    assert_true(brp_clock_now() - begun < INT64_C(15000000000));
    free_room(block);
}

static void test_a_ring_for_nobody_does_nothing(void **state)
{
    (void)state;
    uint64_t block;
    room *in = new_room(&block);
    bri_bell_ring(&in->bell, 1);
    assert_int_equal(atomic_load(&in->bell), 0);
    uint32_t heard = bri_bell_listen(&in->bell);
    bri_bell_ring(&in->bell, 1);
    assert_int_equal(atomic_load(&in->bell) & BRI_BELL_WAITED, 0);
    /* Who comes too late does not sleep. */
    bri_parking parking = bri_parking_until(BRI_NEVER);
    bri_parking_look(&parking);
    assert_int_equal(bri_bell_wait(&in->bell, &parking, heard), BRI_PARK_WOKEN);
    free_room(block);
}

/* ---- the table of sleepers ---- */

static void test_a_full_table_grows_and_a_dead_sleeper_leaves_it(void **state)
{
    (void)state;
    bri_arena *arena;
    bt_ok(bri_arena_get(&arena));
    uint64_t block;
    room *in = new_room(&block);
    bri_owner other;
    bt_ok(pretend_living(&other));
    uint32_t n = atomic_load(&arena->head->n_parks);
    uint64_t word = (bri_arena_offset(arena, (void *)&in->latch) / 4 + 1) << BRI_OWNER_SLOT_BITS;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t none = 0;
        atomic_compare_exchange_strong(bri_park_at(arena, i), &none, word | bri_owner_slot(other));
    }
    bri_parking parking = bri_parking_until(bri_deadline_after(brp_clock_now(), 10));
    bri_parking_look(&parking);
    assert_int_equal(bri_park(&parking, &in->latch, 0), BRI_PARK_TIMED_OUT);
    assert_true(atomic_load(&arena->head->n_parks) > n);
    bri_proctable_died(other);
    for (uint32_t i = 0; i < n; i++)
        assert_true((atomic_load(bri_park_at(arena, i)) & (BRI_MAX_SLOTS - 1)) !=
                    bri_owner_slot(other));
    free_room(block);
}

static void test_a_death_ends_a_sleep(void **state)
{
    (void)state;
    uint64_t block;
    room *in = new_room(&block);
    bri_owner other;
    bt_ok(pretend_living(&other));
    bri_parking parking = bri_parking_until(BRI_NEVER);
    bri_parking_look(&parking);
    bri_proctable_died(other);
    assert_int_equal(bri_park(&parking, &in->latch, 0), BRI_PARK_WOKEN);
    free_room(block);
}

/* ---- spinning ---- */

static uint32_t rounds_of(bri_spin_place *place, bool lucky)
{
    uint32_t rounds = 0;
    bri_spin spin = bri_spin_begin(place);
    while (bri_spin_next(&spin))
        rounds++;
    bri_spin_end(place, &spin, lucky);
    return rounds;
}

static void test_an_unlucky_place_spins_less(void **state)
{
    (void)state;
    bri_arena *arena;
    bt_ok(bri_arena_get(&arena));
    uint32_t spins = arena->spins;
    bri_spin_place place = 0;
    arena->spins = 0;
    assert_int_equal(rounds_of(&place, false), 0);
    arena->spins = 100;
    place = 0;
    assert_int_equal(rounds_of(&place, false), 100);
    assert_int_equal(rounds_of(&place, false), 50);
    for (int i = 0; i < 20; i++)
        rounds_of(&place, false);
    assert_true(rounds_of(&place, false) < 10);
    uint32_t most = 0;
    for (int i = 0; i < 100; i++) {
        uint32_t rounds = rounds_of(&place, false);
        most = rounds > most ? rounds : most;
    }
    assert_int_equal(most, 100);
    rounds_of(&place, true);
    assert_int_equal(rounds_of(&place, true), 100);
    arena->spins = spins;
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_waiter_gets_the_latch_when_it_is_freed),
                   bt_test(test_unlocking_a_free_latch_is_noticed),
                   bt_test(test_one_waiter_is_told_of_a_death),
                   bt_test(test_a_waiter_finds_the_death_that_nobody_declares),
                   bt_test(test_who_only_tries_finds_it_too),
                   bt_test(test_a_wait_ends_at_its_deadline), bt_test(test_no_ring_is_lost),
                   bt_test(test_a_ring_for_nobody_does_nothing),
                   bt_test(test_a_full_table_grows_and_a_dead_sleeper_leaves_it),
                   bt_test(test_a_death_ends_a_sleep), bt_test(test_an_unlucky_place_spins_less));
}
