/* brood-test: start-methods */
/* Kills at steps that it takes more than one process, or many threads, to come to: heirs and
 * sweepers that die too, tables that grow, objects that end. */
#include "core/thread.h"
#include "support.h"

#include "../ipc/pretend.h"
#include "core/killpoint.h"
#include "ipc/layout.h"

static bool is_held(brood_status status)
{
    return status == BROOD_OK || status == BROOD_EOWNERDIED;
}

/* ---- locks ---- */

static brood_status hold_lock(brood_call *call)
{
    const brood_value *object;
    brood_connection *told;
    brood_lock *lock;
    BROOD_TRY(actor_begin(call, &object, &told));
    BROOD_TRY(brood_get_lock(object, &lock));
    BROOD_TRY(brood_lock_acquire(lock, 0));
    return actor_pause(told);
}

/* A lock whose holder is dead. */
static brood_value make_orphan(void *context)
{
    brood_lock **lock = context;
    bt_ok(brood_lock_create(lock));
    actor holder = actor_start(hold_lock, brood_lock_value(*lock));
    actor_await(&holder);
    actor_kill(&holder);
    return brood_lock_value(*lock);
}

static brood_status inherit_and_die(brood_call *call)
{
    const brood_value *value;
    brood_lock *lock;
    BROOD_TRY(bt_kills_begin(call, &value));
    BROOD_TRY(brood_get_lock(value, &lock));
    bt_check(call, brood_lock_acquire(lock, LONG) == BROOD_EOWNERDIED);
    return bt_kills_end();
}

static void check_orphan(void *context, const char *point, int n)
{
    brood_lock *lock = *(brood_lock **)context;
    brood_status status = BROOD_OK;
    BT_WITHIN_A_SECOND(status = brood_lock_acquire(lock, LONG));
    if (status != BROOD_EOWNERDIED)
        fail_msg("the lock gives %s after %s, %d", brood_status_name(status), point, n);
    bt_ok(brood_lock_release(lock));
    bt_ok(brood_lock_acquire(lock, 0));
    bt_ok(brood_lock_release(lock));
    brood_lock_destroy(lock);
}

static void test_an_heir_that_dies_leaves_the_news_to_the_next(void **state)
{
    (void)state;
    brood_lock *lock;
    bt_kills kills = {
        .run = inherit_and_die, .prepare = make_orphan, .verify = check_orphan, .context = &lock};
    assert_true(bt_kill_everywhere(&kills) >= 1);
}

static brood_value make_rlock(void *context)
{
    brood_rlock **rlock = context;
    bt_ok(brood_rlock_create(rlock));
    return brood_rlock_value(*rlock);
}

static brood_status use_rlock(brood_call *call)
{
    const brood_value *value;
    brood_rlock *rlock;
    BROOD_TRY(bt_kills_begin(call, &value));
    BROOD_TRY(brood_get_rlock(value, &rlock));
    for (int i = 0; i < 2; i++)
        BROOD_TRY(brood_rlock_acquire(rlock, 0));
    for (int i = 0; i < 2; i++)
        BROOD_TRY(brood_rlock_release(rlock));
    return bt_kills_end();
}

/* Whoever had it is told of, and nobody else. */
static void check_rlock(void *context, const char *point, int n)
{
    brood_rlock *rlock = *(brood_rlock **)context;
    bool was_free = *point == '\0' || strcmp(point, "rlock-released") == 0;
    brood_status status = brood_rlock_acquire(rlock, 0);
    if (status != (was_free ? BROOD_OK : BROOD_EOWNERDIED))
        fail_msg("the rlock gives %s after %s, %d", brood_status_name(status), point, n);
    bt_ok(brood_rlock_acquire(rlock, 0));
    bt_ok(brood_rlock_release(rlock));
    bt_ok(brood_rlock_release(rlock));
    bt_fails(brood_rlock_release(rlock), BROOD_ESTATE);
    brood_rlock_destroy(rlock);
}

static void test_the_next_is_told_if_the_dead_had_it(void **state)
{
    (void)state;
    brood_rlock *rlock;
    bt_kills kills = {
        .run = use_rlock, .prepare = make_rlock, .verify = check_rlock, .context = &rlock};
    assert_true(bt_kill_everywhere(&kills) >= 5);
}

/* ---- conditions with many who wait ---- */

enum { WAITERS = 12 };

typedef struct waiter {
    brood_condition *condition;
    bri_thread *thread;
    _Atomic int *come;
} waiter;

static void wait_in_thread(void *context)
{
    waiter *self = context;
    if (!is_held(brood_condition_acquire(self->condition, LONG)))
        return;
    atomic_fetch_add(self->come, 1);
    (void)brood_condition_wait(self->condition, LONG);
    (void)brood_condition_release(self->condition);
}

/* All wait at once, then all are told. */
static brood_status wait_with_many(brood_condition *condition)
{
    waiter waiters[WAITERS];
    _Atomic int come = 0;
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (waiter){condition, NULL, &come};
        BROOD_TRY(bri_thread_start(&waiters[i].thread, wait_in_thread, &waiters[i]));
    }
    while (atomic_load(&come) != WAITERS)
        brood_sleep(1);
    BROOD_TRY(brood_condition_acquire(condition, LONG));
    BROOD_TRY(brood_condition_notify(condition, 2));
    BROOD_TRY(brood_condition_notify_all(condition));
    BROOD_TRY(brood_condition_release(condition));
    for (int i = 0; i < WAITERS; i++)
        bri_thread_join(waiters[i].thread);
    return BROOD_OK;
}

static brood_status wait_and_destroy(brood_call *call)
{
    const brood_value *value;
    brood_condition *condition, *own;
    BROOD_TRY(bt_kills_begin(call, &value));
    BROOD_TRY(brood_get_condition(value, &condition));
    BROOD_TRY(brood_condition_create(&own, NULL));
    BROOD_TRY(wait_with_many(own));
    brood_condition_destroy(own);
    BROOD_TRY(wait_with_many(condition));
    return bt_kills_end();
}

typedef struct kill_state {
    uint64_t used;
    brood_condition *condition;
    brood_queue *queue;
} kill_state;

static void check_used(uint64_t before, uint64_t most, const char *point, int n)
{
    uint64_t used = bt_arena_used();
    if (used > before + most)
        fail_msg("%llu bytes are lost after %s, %d", (unsigned long long)(used - before), point, n);
}

static brood_value make_condition(void *context)
{
    kill_state *kill = context;
    kill->used = bt_arena_used();
    bt_ok(brood_condition_create(&kill->condition, NULL));
    return brood_condition_value(kill->condition);
}

static void check_condition(void *context, const char *point, int n)
{
    kill_state *kill = context;
    brood_condition *condition = kill->condition;
    brood_status status = brood_condition_acquire(condition, 5000);
    if (!is_held(status))
        fail_msg("the condition gives %s after %s, %d", brood_status_name(status), point, n);
    bt_ok(brood_condition_notify_all(condition));
    assert_int_equal(brood_condition_wait(condition, 1), BROOD_ETIMEDOUT);
    bt_ok(brood_condition_release(condition));
    brood_condition_destroy(condition);
    check_used(kill->used, 1024, point, n); /* one block of seats */
}

static void test_seats_are_whole_whoever_is_killed(void **state)
{
    (void)state;
    static const char *const ignored[] = {"park-", "latch-", "arena-", "rlock-", NULL};
    kill_state kill;
    bt_kills kills = {.run = wait_and_destroy,
                      .prepare = make_condition,
                      .verify = check_condition,
                      .context = &kill,
                      .most = 2,
                      .ignored = ignored};
    assert_true(bt_kill_everywhere(&kills) >= 10);
}

/* ---- the end of a queue ---- */

static brood_value make_queue(void *context)
{
    kill_state *kill = context;
    kill->used = bt_arena_used();
    bt_ok(brood_joinable_queue_create(&kill->queue, 0));
    for (int i = 0; i < 5; i++)
        bt_ok(brood_queue_put(kill->queue, brood_int(i), 0));
    return brood_queue_value(kill->queue);
}

static brood_status discard_and_close(brood_call *call)
{
    const brood_value *value;
    brood_queue *queue;
    BROOD_TRY(bt_kills_begin(call, &value));
    BROOD_TRY(brood_get_queue(value, &queue));
    BROOD_TRY(brood_queue_discard(queue, NULL));
    BROOD_TRY(brood_queue_join(queue, 0));
    brood_queue_close(queue);
    return bt_kills_end();
}

static void check_end(void *context, const char *point, int n)
{
    kill_state *kill = context;
    brood_queue *queue = kill->queue;
    brood_value value;
    size_t left = brood_queue_size(queue);
    if (left != brood_queue_unfinished(queue) || (left != 0 && left != 5))
        fail_msg("%zu messages, %zu to be done after %s, %d", left, brood_queue_unfinished(queue),
                 point, n);
    bt_ok(brood_queue_discard(queue, &left));
    brood_status status = brood_queue_get(queue, &value, 0);
    bool is_closed = *point == '\0' || strcmp(point, "ring-closed") == 0;
    if (is_closed ? status != BROOD_ECLOSED : status != BROOD_EEMPTY && status != BROOD_ECLOSED)
        fail_msg("get gives %s after %s, %d", brood_status_name(status), point, n);
    brood_queue_close(queue);
    BT_WITHIN_A_SECOND(bt_fails(brood_queue_get(queue, &value, LONG), BROOD_ECLOSED));
    bt_ok(brood_queue_join(queue, 0));
    brood_queue_destroy(queue);
    check_used(kill->used, 0, point, n);
}

static void test_a_queue_is_emptied_and_closed_whole(void **state)
{
    (void)state;
    static const char *const ignored[] = {"park-", "arena-", NULL};
    kill_state kill;
    bt_kills kills = {.run = discard_and_close,
                      .prepare = make_queue,
                      .verify = check_end,
                      .context = &kill,
                      .ignored = ignored};
    assert_true(bt_kill_everywhere(&kills) >= 8);
}

/* ---- a sweeper dies ---- */

/* The shares that the first dead one has, of all kinds. */
typedef struct estate {
    uint64_t used;
    brood_semaphore *semaphore;
    brood_queue *tasks, *blocks;
    brood_barrier *barrier;
    brood_condition *condition;
} estate;

static brood_value make_estate(void *context)
{
    static const char bytes[6000];
    estate *all = context;
    all->used = bt_arena_used();
    bt_ok(brood_semaphore_create(&all->semaphore, 2));
    bt_ok(brood_queue_create(
        &all->tasks, &(brood_queue_options){.joinable = true, .ends_with_producers = true}));
    bt_ok(brood_queue_create(&all->blocks, NULL));
    bt_ok(brood_barrier_create(&all->barrier, 3, NULL));
    bt_ok(brood_condition_create(&all->condition, NULL));
    for (int i = 0; i < 4; i++) {
        bt_ok(brood_queue_put(all->tasks, brood_int(i), 0));
        bt_ok(brood_queue_put_bytes(all->blocks, bytes, sizeof bytes, 0));
    }
    return brood_pack("(vvvvv)", brood_semaphore_value(all->semaphore),
                      brood_queue_value(all->tasks), brood_queue_value(all->blocks),
                      brood_barrier_value(all->barrier), brood_condition_value(all->condition));
}

static brood_status get_estate(const brood_value *value, estate *all)
{
    BROOD_TRY(brood_get_semaphore(brood_item(value, 0), &all->semaphore));
    BROOD_TRY(brood_get_queue(brood_item(value, 1), &all->tasks));
    BROOD_TRY(brood_get_queue(brood_item(value, 2), &all->blocks));
    BROOD_TRY(brood_get_barrier(brood_item(value, 3), &all->barrier));
    return brood_get_condition(brood_item(value, 4), &all->condition);
}

/* Has units, messages in hand, blocks and a seat. */
static brood_status have_everything(brood_call *call)
{
    const brood_value *objects;
    brood_connection *told;
    estate all;
    brood_value value;
    const void *seen;
    void *made;
    size_t size;
    _Atomic int come = 0;
    BROOD_TRY(actor_begin(call, &objects, &told));
    BROOD_TRY(get_estate(objects, &all));
    waiter self = {all.condition, NULL, &come};
    BROOD_TRY(brood_semaphore_acquire(all.semaphore, 0));
    BROOD_TRY(brood_queue_put(all.tasks, brood_int(4), 0));
    BROOD_TRY(brood_queue_get(all.tasks, &value, 0));
    for (int i = 0; i < 2; i++)
        BROOD_TRY(brood_queue_peek(all.blocks, &seen, &size, 0));
    BROOD_TRY(brood_queue_reserve(all.blocks, 5000, &made));
    BROOD_TRY(bri_thread_start(&self.thread, wait_in_thread, &self));
    while (atomic_load(&come) == 0)
        brood_sleep(1);
    return actor_pause(told);
}

static brood_status kill_the_owner(brood_call *call)
{
    const char *point;
    int64_t n;
    const brood_value *log, *objects;
    brood_value copy, word;
    brood_connection *ours, *theirs;
    brood_process *owner;
    BROOD_TRY(brood_call_args(call, "sivv", &point, &n, &log, &objects));
    BROOD_TRY(brood_value_copy(objects, &copy));
    BROOD_TRY(brood_pipe(&ours, &theirs, true));
    BROOD_TRY(brood_process_create(&owner, have_everything,
                                   brood_pack("vv", copy, brood_connection_value(theirs)), NULL));
    BROOD_TRY(brood_process_start(owner));
    brood_connection_close(theirs);
    BROOD_TRY(brood_connection_recv(ours, &word, LONG));
    BROOD_TRY(bt_kills_begin(call, &objects));
    BROOD_TRY(brood_process_kill(owner));
    BROOD_TRY(brood_process_join(owner, LONG));
    bri_kill_watch(NULL);
    brood_process_destroy(owner);
    brood_connection_close(ours);
    return bt_kills_end();
}

static void check_estate(void *context, const char *point, int n)
{
    estate *all = context;
    brood_value value;
    if (brood_semaphore_units(all->semaphore) != 2)
        fail_msg("%d units after %s, %d", (int)brood_semaphore_units(all->semaphore), point, n);
    if (brood_queue_unfinished(all->tasks) != 4)
        fail_msg("%zu to be done after %s, %d", brood_queue_unfinished(all->tasks), point, n);
    if (!brood_barrier_is_broken(all->barrier))
        fail_msg("the barrier is whole after %s, %d", point, n);
    brood_queue_finish(all->tasks);
    for (int i = 0; i < 4; i++) {
        bt_ok(brood_queue_get(all->tasks, &value, 0));
        bt_ok(brood_queue_task_done(all->tasks));
    }
    BT_WITHIN_A_SECOND(bt_fails(brood_queue_get(all->tasks, &value, LONG), BROOD_ECLOSED));
    assert_int_equal(brood_queue_join(all->tasks, 0), BROOD_EOWNERDIED);
    brood_queue_destroy(all->tasks);
    brood_queue_destroy(all->blocks);
    brood_semaphore_destroy(all->semaphore);
    brood_barrier_destroy(all->barrier);
    /* A block that was unlinked and not yet free; the largest has 6 KiB. */
    kill_state kill = {.used = all->used + 6144, .condition = all->condition};
    check_condition(&kill, point, n);
}

static void test_a_sweeper_that_is_killed_leaves_no_share_behind(void **state)
{
    (void)state;
    static const char *const ignored[] = {"park-", "latch-", "arena-", "bell-", NULL};
    estate all;
    bt_kills kills = {.run = kill_the_owner,
                      .prepare = make_estate,
                      .verify = check_estate,
                      .context = &all,
                      .most = 1,
                      .ignored = ignored};
    assert_true(bt_kill_everywhere(&kills) >= 15);
}

/* The first one dies in the middle of letting go; so the sweeper has something to undo. */
static brood_status die_letting_go(brood_call *call)
{
    const brood_value *end;
    brood_connection *from;
    brood_value word;
    brood_lock *lock;
    BROOD_TRY(brood_call_args(call, "v", &end));
    BROOD_TRY(brood_get_connection(end, &from));
    BROOD_TRY(brood_lock_create(&lock));
    BROOD_TRY(brood_connection_recv(from, &word, LONG));
    bri_kill_arm("shared-state", 1);
    brood_lock_destroy(lock);
    return BROOD_OK;
}

static brood_status collect_one(brood_call *call)
{
    const brood_value *objects;
    brood_connection *ours, *theirs;
    brood_process *dead;
    int code = 0;
    BROOD_TRY(brood_pipe(&ours, &theirs, true));
    BROOD_TRY(brood_process_create(&dead, die_letting_go,
                                   brood_pack("(v)", brood_connection_value(theirs)), NULL));
    BROOD_TRY(brood_process_start(dead));
    BROOD_TRY(bt_kills_begin(call, &objects));
    BROOD_TRY(brood_connection_send(ours, brood_none(), LONG));
    BROOD_TRY(brood_process_join(dead, LONG));
    bri_kill_watch(NULL);
    BROOD_TRY(brood_process_exitcode(dead, &code));
    brood_process_destroy(dead);
    brood_connection_close(ours);
    brood_connection_close(theirs);
    bt_check(call, code == -9);
    return bt_kills_end();
}

static brood_value make_lock(void *context)
{
    brood_lock **lock = context;
    bt_ok(brood_lock_create(lock));
    return brood_lock_value(*lock);
}

static uint64_t used_at_first;

static void check_lock(void *context, const char *point, int n)
{
    brood_lock *lock = *(brood_lock **)context;
    bt_ok(brood_lock_acquire(lock, 1000));
    bt_ok(brood_lock_release(lock));
    brood_lock_destroy(lock);
    if (used_at_first == 0)
        used_at_first = bt_arena_used();
    /* A killed sweeper costs a block of 64 bytes at most, here for each time. */
    check_used(used_at_first, 8192, point, n);
}

static void test_a_sweeper_that_is_killed_leaves_nothing_half_undone(void **state)
{
    (void)state;
    static const char *const ignored[] = {"park-", "latch-", "arena-", "bell-", "proctable-", NULL};
    brood_lock *lock;
    bt_kills kills = {.run = collect_one,
                      .prepare = make_lock,
                      .verify = check_lock,
                      .context = &lock,
                      .most = 1,
                      .ignored = ignored};
    assert_true(bt_kill_everywhere(&kills) >= 6);
}

/* ---- the table of processes ---- */

static int taken_slots(void)
{
    bri_arena *arena = bri_the_runtime.arena;
    int n = 0;
    for (uint32_t i = 0; i < atomic_load(&arena->head->n_slots); i++)
        n += (atomic_load(&bri_slot_at(arena, i)->life) & 3) != BRI_SLOT_FREE;
    return n;
}

static brood_value count_slots(void *context)
{
    bri_proctable_look();
    *(int *)context = taken_slots();
    return brood_none();
}

/* Until the table has grown. */
static brood_status enter_many(brood_call *call)
{
    static bri_owner made[BRI_MAX_PROCESSES];
    const brood_value *nothing;
    bri_arena *arena;
    int n = 0;
    BROOD_TRY(bri_arena_get(&arena));
    BROOD_TRY(bt_kills_begin(call, &nothing));
    uint32_t before = atomic_load(&arena->head->n_slots);
    while (atomic_load(&arena->head->n_slots) == before)
        BROOD_TRY(pretend_living(&made[n++]));
    while (n > 0)
        bri_proctable_died(made[--n]);
    return bt_kills_end();
}

static bool has_no_more(void *context)
{
    bri_owner slot;
    if (bri_proctable_claim(&slot) != BROOD_OK)
        return false;
    bri_proctable_release(slot);
    bri_proctable_look();
    return taken_slots() <= *(int *)context;
}

static void check_table(void *context, const char *point, int n)
{
    if (!bt_await(has_no_more, context, 5000))
        fail_msg("%d processes, not %d, after %s, %d", taken_slots(), *(int *)context, point, n);
}

static void test_no_place_is_lost_wherever_one_who_enters_is_killed(void **state)
{
    (void)state;
    static const char *const ignored[] = {"park-", "latch-", "bell-", "sweep-", NULL};
    int slots;
    bt_kills kills = {.run = enter_many,
                      .prepare = count_slots,
                      .verify = check_table,
                      .context = &slots,
                      .most = 2,
                      .ignored = ignored};
    assert_true(bt_kill_everywhere(&kills) >= 4);
}

/* ---- lists in named memory ---- */

static brood_value make_list(void *context)
{
    brood_shareable_list **list = context;
    bt_ok(brood_shareable_list_create(list, NULL, brood_pack("[isis]", 1, "text", 3, "x"),
                                      BROOD_LIFETIME_OWNER));
    return brood_shareable_list_value(*list);
}

static brood_status set_items(brood_call *call)
{
    const brood_value *value;
    brood_shareable_list *list;
    BROOD_TRY(bt_kills_begin(call, &value));
    BROOD_TRY(brood_get_shareable_list(value, &list));
    BROOD_TRY(brood_shareable_list_set(list, 0, brood_int(2)));
    BROOD_TRY(brood_shareable_list_set(list, 1, brood_str("word")));
    BROOD_TRY(brood_shareable_list_set(list, 2, brood_str("three")));
    BROOD_TRY(brood_shareable_list_set(list, 3, brood_none()));
    return bt_kills_end();
}

/* Of the same type: the old or the new one. Of another type: something. */
static void check_list(void *context, const char *point, int n)
{
    (void)point, (void)n;
    brood_shareable_list *list = *(brood_shareable_list **)context;
    brood_value items[4];
    for (size_t i = 0; i < 4; i++)
        bt_ok(brood_shareable_list_get(list, i, &items[i]));
    const char *text;
    int64_t number;
    bt_ok(brood_get_int(&items[0], &number));
    assert_true(number == 1 || number == 2);
    bt_ok(brood_get_str(&items[1], &text, NULL));
    assert_true(strcmp(text, "text") == 0 || strcmp(text, "word") == 0);
    for (size_t i = 0; i < 4; i++)
        brood_value_clear(&items[i]);
    brood_shareable_list_close(list);
}

static void test_a_list_can_be_read_whoever_died(void **state)
{
    (void)state;
    brood_shareable_list *list;
    bt_kills kills = {
        .run = set_items, .prepare = make_list, .verify = check_list, .context = &list, .most = 4};
    assert_true(bt_kill_everywhere(&kills) >= 8);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_an_heir_that_dies_leaves_the_news_to_the_next),
                   bt_test(test_the_next_is_told_if_the_dead_had_it),
                   bt_test(test_seats_are_whole_whoever_is_killed),
                   bt_test(test_a_queue_is_emptied_and_closed_whole),
                   bt_test(test_a_sweeper_that_is_killed_leaves_no_share_behind),
                   bt_test(test_a_sweeper_that_is_killed_leaves_nothing_half_undone),
                   bt_test(test_no_place_is_lost_wherever_one_who_enters_is_killed),
                   bt_test(test_a_list_can_be_read_whoever_died));
}
