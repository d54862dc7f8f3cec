/* The table of the tree's processes: claiming, entering, dying, descendants. */
#include "harness.h"
#include "pretend.h"

#include "base/memory.h"

static void test_claimed_slots_are_apart_until_they_are_given_back(void **state)
{
    (void)state;
    bri_owner owners[20];
    for (int i = 0; i < 20; i++) {
        bt_ok(bri_proctable_claim(&owners[i]));
        assert_true(owners[i] != 0 && owners[i] <= BRI_OWNER_MASK);
        assert_false(bri_owner_is_dead(owners[i]));
        assert_int_equal(bri_owner_pid(owners[i]), 0);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(owners[i], owners[j]);
    }
    for (int i = 0; i < 20; i++) {
        bri_proctable_release(owners[i]);
        assert_true(bri_owner_is_dead(owners[i]));
    }
}

static void test_a_slot_stands_for_another_process_each_time(void **state)
{
    (void)state;
    enum { N = 500 };
    static bri_owner owners[N];
    for (int i = 0; i < N; i++) {
        bt_ok(bri_proctable_claim(&owners[i]));
        bri_proctable_release(owners[i]);
    }
    for (int i = 0; i < N; i++) {
        assert_true(bri_owner_is_dead(owners[i]));
        for (int j = 0; j < i; j++)
            assert_int_not_equal(owners[i], owners[j]);
    }
}

static void test_this_process_lives(void **state)
{
    (void)state;
    bri_arena *arena;
    bt_ok(bri_arena_get(&arena));
    assert_false(bri_owner_is_dead(bri_owner_me()));
    assert_false(bri_owner_check(bri_owner_me() | UINT32_C(1) << 31));
    assert_int_equal(bri_owner_pid(bri_owner_me()), brp_pid());
}

static void test_who_was_given_up_cannot_enter(void **state)
{
    (void)state;
    bri_owner me = bri_owner_me(), child;
    bt_ok(bri_proctable_claim(&child));
    bri_proctable_release(child);
    bt_fails(bri_proctable_enter(child, brp_pid(), 1), BROOD_ESTATE);
    assert_int_equal(bri_owner_me(), me);
}

static void test_nobody_enters_twice(void **state)
{
    (void)state;
    bri_owner child, me = bri_owner_me();
    bt_ok(pretend_living(&child));
    bt_fails(bri_proctable_enter(child, brp_pid(), 1), BROOD_ESTATE);
    bri_proctable_died(child);
    assert_int_equal(bri_owner_me(), me);
}

static void test_death_is_declared_once(void **state)
{
    (void)state;
    bri_owner child;
    bt_ok(pretend_living(&child));
    assert_false(bri_owner_check(child));
    assert_int_equal(bri_owner_pid(child), brp_pid());
    uint32_t deaths = bri_proctable_deaths();
    bri_proctable_died(child);
    assert_true(bri_owner_is_dead(child));
    bri_proctable_died(child);
    bri_proctable_died(child);
    assert_int_equal(bri_proctable_deaths(), deaths + 1);
    assert_int_equal(bri_owner_pid(child), 0);
}

static void test_who_asks_finds_the_dead(void **state)
{
    (void)state;
    bri_owner dead = pretend_dead();
    assert_false(bri_owner_is_dead(dead));
    assert_true(bri_owner_check(dead));
    assert_true(bri_owner_is_dead(dead));
    bri_owner other = pretend_dead();
    for (int i = 0; i < 100 && !bri_owner_is_dead(other); i++)
        bri_proctable_look();
    assert_true(bri_owner_is_dead(other));
}

static void test_the_dead_take_their_children_along(void **state)
{
    (void)state;
    bri_owner parent, claimed, living;
    bt_ok(pretend_living(&parent));
    bri_owner dead = pretend_dead();
    bri_owner me = act_as(parent);
    bt_ok(bri_proctable_claim(&claimed));
    bt_ok(pretend_living(&living));
    act_as(me);
    atomic_store(&bri_slot_at(bri_the_runtime.arena, bri_owner_slot(dead))->parent, parent);
    bri_proctable_died(parent);
    assert_true(bri_owner_is_dead(parent));
    assert_true(bri_owner_is_dead(dead));
    /* Whoever was about to enter may not any more; who lives still does. */
    assert_true(bri_owner_is_dead(claimed));
    bt_fails(bri_proctable_enter(claimed, brp_pid(), 1), BROOD_ESTATE);
    assert_false(bri_owner_is_dead(living));
    bri_proctable_died(living);
}

/* Its sweeper was killed after it had kept the claimed one out, and before it declared it dead. */
static void test_one_that_a_killed_sweeper_has_kept_out_is_declared_dead_by_the_next(void **state)
{
    (void)state;
    bri_owner parent, claimed;
    bt_ok(pretend_living(&parent));
    bri_owner me = act_as(parent);
    bt_ok(bri_proctable_claim(&claimed));
    act_as(me);
    bri_slot *slot = bri_slot_at(bri_the_runtime.arena, bri_owner_slot(claimed));
    atomic_fetch_or(&slot->pid, (UINT64_C(1) << 46) - 1);
    bri_proctable_died(parent);
    assert_true(bri_owner_is_dead(claimed));
}

static void test_too_many_processes_are_refused(void **state)
{
    (void)state;
    static bri_owner owners[BRI_MAX_PROCESSES];
    int n = 0;
    brood_status status;
    while ((status = bri_proctable_claim(&owners[n])) == BROOD_OK)
        n++;
    assert_int_equal(status, BROOD_ELIMIT);
    bt_message_has("4095");
    assert_true(n > BRI_MAX_PROCESSES - 20);
    /* Each one sweeps the whole table; all of them would take the thread sanitizer half a minute.
     */
    int rest = bt_has_thread_sanitizer() ? n - 200 : 0;
    while (n-- > rest)
        bri_proctable_release(owners[n]);
    bt_ok(bri_proctable_claim(&owners[0]));
    bri_proctable_release(owners[0]);
}

/* ---- real ones ---- */

static brood_status tell_owner(brood_call *call)
{
    const brood_value *value;
    brood_queue *queue;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_queue(value, &queue));
    bt_check(call, bri_owner_pid(bri_owner_me()) == brp_pid());
    return brood_queue_put(queue, brood_int(bri_owner_me()), -1);
}

static void test_a_real_child_has_a_slot_until_it_is_collected(void **state)
{
    (void)state;
    brood_queue *queue;
    brood_value value;
    int64_t owner;
    bt_ok(brood_queue_create(&queue, NULL));
    brood_process *process = bt_process(tell_owner, brood_pack("(v)", brood_queue_value(queue)));
    bt_ok(brood_queue_get(queue, &value, 10000));
    bt_ok(brood_get_int(&value, &owner));
    assert_int_equal(bt_join(process), 0);
    assert_true(bri_owner_is_dead((bri_owner)owner));
    brood_queue_destroy(queue);
}

/* Two die at once, one of them with a latch that the sweep of the other needs; nobody else tells.
 */
static void test_a_sweep_finds_by_itself_that_a_latch_is_a_dead_ones(void **state)
{
    (void)state;
    bri_owner holder = pretend_dead(), other = pretend_dead();
    bri_arena *arena = bri_the_runtime.arena;
    atomic_store(&arena->head->shared_latch, holder);
    bri_proctable_died(other);
    assert_true(bri_owner_is_dead(other));
    assert_true(bri_owner_is_dead(holder));
    assert_int_equal(atomic_load(&arena->head->shared_latch) & BRI_OWNER_MASK, 0);
    assert_int_equal(atomic_load(&bri_slot_at(arena, bri_owner_slot(holder))->life) & 3,
                     BRI_SLOT_FREE);
    assert_int_equal(atomic_load(&arena->head->table_latch), 0);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_this_process_lives),
        bt_test(test_claimed_slots_are_apart_until_they_are_given_back),
        bt_test(test_a_slot_stands_for_another_process_each_time),
        bt_test(test_who_was_given_up_cannot_enter), bt_test(test_nobody_enters_twice),
        bt_test(test_death_is_declared_once), bt_test(test_who_asks_finds_the_dead),
        bt_test(test_the_dead_take_their_children_along),
        bt_test(test_one_that_a_killed_sweeper_has_kept_out_is_declared_dead_by_the_next),
        bt_test(test_too_many_processes_are_refused),
        bt_test(test_a_real_child_has_a_slot_until_it_is_collected),
        bt_test(test_a_sweep_finds_by_itself_that_a_latch_is_a_dead_ones));
}
