/* The task table alone: who gets which task, and that workers which die anywhere lose nothing but
 * what they had. Threads stand for workers; a dead one is left by longjmp. */
#include "harness.h"

#include "base/memory.h"
#include "core/killpoint.h"
#include "core/thread.h"
#include "pool/table.h"

enum { WORKERS = 3, TASKS = 30000 };

static bri_task_table *make_table(uint64_t *block)
{
    bri_arena *arena;
    size_t size = bri_tasks_size(WORKERS) + 64;
    bt_ok(bri_arena_get(&arena));
    bt_ok(bri_arena_alloc(arena, size, block));
    memset(bri_arena_at(arena, *block), 0, size);
    bri_task_table *table = bri_arena_at(arena, (*block + 63) / 64 * 64);
    bri_tasks_init(table, WORKERS);
    return table;
}

static void free_table(uint64_t block)
{
    bri_arena *arena;
    bt_ok(bri_arena_get(&arena));
    bri_arena_free(arena, block);
}

static void test_tasks_come_out_in_order(void **state)
{
    (void)state;
    uint64_t block;
    bri_task_table *table = make_table(&block);
    uint32_t index, *ended = malloc(table->n_slots * sizeof *ended), n;
    assert_non_null(ended);
    assert_false(bri_tasks_take(table, 1, &index));
    for (uint32_t i = 0; i < 10; i++)
        assert_true(bri_tasks_put(table, 9 - i));
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(bri_tasks_take(table, 1 + i % 2, &index));
        assert_int_equal(index, 9 - i);
        bri_tasks_finish(table, 1 + i % 2, index);
    }
    assert_false(bri_tasks_take(table, 1, &index));
    bt_ok(bri_tasks_collect(table, ended, &n));
    assert_int_equal(n, 10);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(ended[i], 9 - i);
    bt_ok(bri_tasks_collect(table, ended, &n));
    assert_int_equal(n, 0);
    free(ended);
    free_table(block);
}

static void test_a_withdrawn_task_is_not_taken(void **state)
{
    (void)state;
    uint64_t block;
    bri_task_table *table = make_table(&block);
    uint32_t index;
    bri_tasks_put(table, 1);
    bri_tasks_put(table, 2);
    assert_true(bri_tasks_withdraw(table, 1));
    assert_false(bri_tasks_withdraw(table, 1));
    assert_true(bri_tasks_take(table, 1, &index));
    assert_int_equal(index, 2);
    assert_false(bri_tasks_withdraw(table, 2));
    assert_false(bri_tasks_take(table, 1, &index));
    free_table(block);
}

static void test_the_ring_has_room_again_when_all_was_withdrawn(void **state)
{
    (void)state;
    uint64_t block;
    bri_task_table *table = make_table(&block);
    uint32_t index;
    for (uint32_t i = 0; i < 10 * table->n_ring; i++) {
        assert_true(bri_tasks_put(table, i % table->n_slots));
        assert_true(bri_tasks_withdraw(table, i % table->n_slots));
    }
    assert_true(bri_tasks_put(table, 5));
    assert_true(bri_tasks_take(table, 1, &index));
    assert_int_equal(index, 5);
    free_table(block);
}

static void test_a_full_ring_refuses(void **state)
{
    (void)state;
    uint64_t block;
    bri_task_table *table = make_table(&block);
    bri_tasks_put(table, 0); /* stays ready at the head, so nothing behind it can be passed */
    for (uint32_t i = 1; i < table->n_ring; i++) {
        assert_true(bri_tasks_put(table, 1));
        assert_true(bri_tasks_withdraw(table, 1));
    }
    assert_false(bri_tasks_put(table, 1));
    uint32_t index;
    assert_true(bri_tasks_take(table, 1, &index));
    assert_true(bri_tasks_put(table, 1));
    free_table(block);
}

static void test_a_dead_worker_leaves_what_it_had(void **state)
{
    (void)state;
    uint64_t block;
    bri_task_table *table = make_table(&block);
    uint32_t index;
    for (uint32_t i = 0; i < 4; i++)
        bri_tasks_put(table, i);
    assert_true(bri_tasks_take(table, 7, &index)); /* 0: running */
    assert_true(bri_tasks_take(table, 8, &index)); /* 1: somebody else's */
    assert_true(bri_tasks_take(table, 7, &index)); /* 2: written, not handed over */
    atomic_store(&bri_tasks_slot(table, 2)->state, bri_task_state(BRI_TASK_DONE, 7));
    assert_int_equal(bri_tasks_take_left(table, 7, 0), BRI_LEFT_LOST);
    assert_int_equal(bri_tasks_take_left(table, 7, 1), BRI_LEFT_NOTHING);
    assert_int_equal(bri_tasks_take_left(table, 7, 2), BRI_LEFT_RESULT);
    assert_int_equal(bri_tasks_take_left(table, 7, 3), BRI_LEFT_NOTHING);
    assert_int_equal(bri_tasks_take_left(table, 7, 0), BRI_LEFT_NOTHING);
    assert_true(bri_tasks_take(table, 9, &index));
    assert_int_equal(index, 3);
    free_table(block);
}

static void test_a_damaged_list_of_results_is_refused(void **state)
{
    (void)state;
    uint64_t block;
    bri_task_table *table = make_table(&block);
    uint32_t *ended = malloc(table->n_slots * sizeof *ended), n, index;
    assert_non_null(ended);
    bri_tasks_put(table, 3);
    assert_true(bri_tasks_take(table, 1, &index));
    bri_tasks_finish(table, 1, index);
    atomic_store(&table->done, UINT64_C(2) << 32 | 4); /* two, but the second is nowhere */
    bt_fails(bri_tasks_collect(table, ended, &n), BROOD_EBROKEN);
    atomic_store(&table->done, UINT64_C(1) << 32 | 0xffffffff);
    bt_fails(bri_tasks_collect(table, ended, &n), BROOD_EBROKEN);
    atomic_store(&table->done, UINT64_MAX);
    bt_fails(bri_tasks_collect(table, ended, &n), BROOD_EBROKEN);
    atomic_store(&table->done, UINT64_C(1) << 32 | 8); /* not finished */
    bt_fails(bri_tasks_collect(table, ended, &n), BROOD_EBROKEN);
    free(ended);
    free_table(block);
}

/* ---- workers that die anywhere ---- */

typedef struct fake_worker {
    bri_task_table *table;
    bri_thread *thread;
    uint32_t seed;
    _Atomic uint32_t deadliness; /* it dies at a point with 1 in that many; 0: never */
    _Atomic uint32_t number;
    _Atomic uint32_t dead; /* number of a worker whose death was not yet seen to */
} fake_worker;

static _Atomic uint32_t last_number;
static _Thread_local jmp_buf death;
static _Thread_local fake_worker *me;

static void die_sometimes(const char *name)
{
    uint32_t deadliness = me == NULL ? 0 : atomic_load(&me->deadliness);
    if (deadliness == 0 || strncmp(name, "pool-", 5) != 0)
        return;
    me->seed = me->seed * 1664525u + 1013904223u;
    if ((me->seed >> 8) % deadliness == 0)
        longjmp(death, 1);
}

static void live(fake_worker *worker)
{
    uint32_t index;
    bri_parking parking = bri_parking_until(BRI_NEVER);
    for (;;) {
        if (bri_tasks_take(worker->table, worker->number, &index)) {
            bri_task_slot *slot = bri_tasks_slot(worker->table, index);
            slot->size *= 2;
            bri_tasks_finish(worker->table, worker->number, index);
            if (bri_tasks_has_ready(worker->table))
                bri_tasks_ring(worker->table, 1);
        } else if (atomic_load(&worker->table->ending) != 0) {
            return;
        } else {
            bri_tasks_wait_ready(worker->table, &worker->table->workers[0], 0, &parking);
        }
    }
}

static void run_fake_worker(void *context)
{
    me = context;
    if (setjmp(death) != 0) {
        atomic_store(&me->dead, atomic_load(&me->number));
        bri_tasks_nudge(me->table);
        while (atomic_load(&me->dead) != 0 && atomic_load(&me->table->ending) == 0)
            brood_sleep(0); /* until the parent has seen to it */
    }
    atomic_store(&me->number, atomic_fetch_add(&last_number, 1) + 1);
    live(me);
}

typedef struct ledger {
    uint32_t *free_slots, n_free;
    uint32_t task[4096]; /* by slot */
    unsigned char *ends; /* by task */
    uint32_t *collected;
    uint32_t n_put, n_ended, n_lost;
} ledger;

static void count_end(ledger *l, bri_task_table *table, uint32_t slot, bool lost)
{
    uint32_t task = l->task[slot];
    assert_int_equal(l->ends[task], 0);
    l->ends[task]++;
    if (!lost)
        assert_int_equal(bri_tasks_slot(table, slot)->size, 2 * (task + 1));
    l->n_ended++;
    l->n_lost += lost;
    l->free_slots[l->n_free++] = slot;
}

static void collect(ledger *l, bri_task_table *table)
{
    uint32_t n;
    bt_ok(bri_tasks_collect(table, l->collected, &n));
    for (uint32_t i = 0; i < n; i++)
        count_end(l, table, l->collected[i], false);
}

static bool see_to_deaths(ledger *l, bri_task_table *table, fake_worker *workers)
{
    bool seen = false;
    for (int w = 0; w < WORKERS; w++) {
        uint32_t number = atomic_load(&workers[w].dead);
        if (number == 0)
            continue;
        collect(l, table);
        for (uint32_t i = 0; i < table->n_slots; i++) {
            bri_left left = bri_tasks_take_left(table, number, i);
            if (left != BRI_LEFT_NOTHING)
                count_end(l, table, i, left == BRI_LEFT_LOST);
        }
        bri_tasks_ring(table, WORKERS); /* a real death wakes everybody */
        atomic_store(&workers[w].dead, 0);
        seen = true;
    }
    return seen;
}

static void feed(ledger *l, bri_task_table *table)
{
    uint32_t n = 0;
    while (l->n_put < TASKS && l->n_free > 0 && n < 50) {
        uint32_t slot = l->free_slots[l->n_free - 1];
        l->task[slot] = l->n_put;
        bri_tasks_slot(table, slot)->size = l->n_put + 1;
        if (!bri_tasks_put(table, slot))
            break;
        l->n_free--;
        l->n_put++;
        n++;
    }
    if (n > 0)
        bri_tasks_ring(table, n);
}

static void run_many(uint32_t deadliness, uint32_t wanted, ledger *l)
{
    uint64_t block;
    bri_task_table *table = make_table(&block);
    fake_worker workers[WORKERS] = {0};
    bri_kill_watch(die_sometimes);
    l->free_slots = calloc(table->n_slots, sizeof *l->free_slots);
    l->collected = calloc(table->n_slots, sizeof *l->collected);
    l->ends = calloc(TASKS, 1);
    for (uint32_t i = 0; i < table->n_slots; i++)
        l->free_slots[l->n_free++] = i;
    for (uint32_t w = 0; w < WORKERS; w++) {
        workers[w].table = table;
        workers[w].seed = w * 77777;
        workers[w].deadliness = deadliness;
        bt_ok(bri_thread_start(&workers[w].thread, run_fake_worker, &workers[w]));
    }
    while (l->n_ended < TASKS) {
        feed(l, table);
        uint32_t announced = bri_tasks_announce_wait(table, wanted);
        bool seen = see_to_deaths(l, table, workers);
        collect(l, table);
        bri_parking parking = bri_parking_until(BRI_NEVER);
        if (!seen && l->n_ended < l->n_put && (l->n_put == TASKS || l->n_free == 0))
            bri_tasks_wait_done(table, &parking, announced);
    }
    for (int w = 0; w < WORKERS; w++)
        workers[w].deadliness = 0;
    bri_tasks_end(table);
    for (int w = 0; w < WORKERS; w++)
        bri_thread_join(workers[w].thread);
    bri_kill_watch(NULL);
    assert_int_equal(l->n_free, table->n_slots);
    free(l->free_slots);
    free(l->collected);
    free(l->ends);
    free_table(block);
}

static void test_each_of_many_tasks_ends_once(void **state)
{
    (void)state;
    ledger *l = calloc(1, sizeof *l);
    assert_non_null(l);
    run_many(0, 1, l);
    assert_int_equal(l->n_lost, 0);
    free(l);
}

static void test_each_ends_once_when_the_parent_waits_for_many(void **state)
{
    (void)state;
    ledger *l = calloc(1, sizeof *l);
    assert_non_null(l);
    run_many(0, 64, l);
    assert_int_equal(l->n_lost, 0);
    free(l);
}

static void test_each_ends_once_though_workers_die_anywhere(void **state)
{
    (void)state;
    ledger *l = calloc(1, sizeof *l);
    assert_non_null(l);
    run_many(100, 1, l);
    assert_in_range(l->n_lost, TASKS / 1000, TASKS / 10);
    free(l);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_tasks_come_out_in_order),
                   bt_test(test_a_withdrawn_task_is_not_taken),
                   bt_test(test_the_ring_has_room_again_when_all_was_withdrawn),
                   bt_test(test_a_full_ring_refuses),
                   bt_test(test_a_dead_worker_leaves_what_it_had),
                   bt_test(test_a_damaged_list_of_results_is_refused),
                   bt_test(test_each_of_many_tasks_ends_once),
                   bt_test(test_each_ends_once_when_the_parent_waits_for_many),
                   bt_test(test_each_ends_once_though_workers_die_anywhere));
}
