/* brood-test: start-methods */
/* Objects of the arena: attaching, ending, sweeping after deaths at any point. */
#include "harness.h"
#include "kills.h"
#include "pretend.h"

#include "base/memory.h"
#include "core/killpoint.h"
#include "ipc/latch.h"
#include "ipc/shared.h"

static bri_shared *shared_of(void *object)
{
    return object;
}

static int holders_of(void *object)
{
    return (int)(atomic_load(bri_arena_life(bri_the_runtime.arena, shared_of(object)->offset)) &
                 0xffffff);
}

static void test_a_process_attaches_an_object_once(void **state)
{
    (void)state;
    brood_lock *lock;
    bri_shared *again;
    bt_ok(brood_lock_create(&lock));
    bri_shared *object = shared_of(lock);
    bt_ok(bri_shared_attach(object->class, object->offset, object->generation, &again));
    assert_ptr_equal(again, object);
    assert_int_equal(holders_of(lock), 1);
    brood_lock_destroy((brood_lock *)again);
    bt_ok(brood_lock_acquire(lock, 0));
    bt_ok(brood_lock_release(lock));
    brood_lock_destroy(lock);
}

static void test_many_objects_are_told_apart(void **state)
{
    (void)state;
    enum { N = 300 };
    brood_lock *locks[N];
    uint64_t used = bt_arena_used();
    for (int i = 0; i < N; i++)
        bt_ok(brood_lock_create(&locks[i]));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++)
            assert_ptr_not_equal(shared_of(locks[i])->body, shared_of(locks[j])->body);
    for (int i = 0; i < N; i++)
        brood_lock_destroy(locks[(i * 7) % N]);
    /* What is left are this process's holder records, for the next objects. */
    assert_true(bt_arena_used() <= used + N * 64);
    for (int i = 0; i < N; i++)
        bt_ok(brood_lock_create(&locks[i]));
    for (int i = 0; i < N; i++)
        brood_lock_destroy(locks[i]);
    assert_true(bt_arena_used() <= used + N * 64);
}

static void test_what_has_ended_cannot_be_attached(void **state)
{
    (void)state;
    brood_lock *lock;
    bri_shared *none = NULL;
    bt_ok(brood_lock_create(&lock));
    bri_shared before = *shared_of(lock);
    brood_lock_destroy(lock);
    bt_fails(bri_shared_attach(before.class, before.offset, before.generation, &none),
             BROOD_ECLOSED);
    bt_message_has("Lock");
    /* Also when another object stands there by now. */
    bt_ok(brood_lock_create(&lock));
    bt_fails(bri_shared_attach(before.class, before.offset, before.generation, &none),
             BROOD_ECLOSED);
    brood_lock_destroy(lock);
    assert_null(none);
}

static void test_no_reference_from_outside_is_trusted(void **state)
{
    (void)state;
    brood_lock *lock;
    brood_queue *queue;
    bri_shared *none = NULL;
    bt_ok(brood_lock_create(&lock));
    bt_ok(brood_queue_create(&queue, NULL));
    const bri_shared *object = shared_of(lock);
    const uint64_t offsets[] = {0,
                                1,
                                16,
                                object->offset + 1,
                                object->offset + 48,
                                object->offset + 64,
                                object->offset - 64,
                                UINT64_C(1) << 40,
                                UINT64_MAX,
                                UINT64_MAX - 47};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++)
        bt_fails(bri_shared_attach(object->class, offsets[i], object->generation, &none),
                 BROOD_ECLOSED);
    for (uint64_t wrong = 0; wrong < 3; wrong++)
        bt_fails(
            bri_shared_attach(object->class, object->offset, object->generation + 1 + wrong, &none),
            BROOD_ECLOSED);
    /* Of another class. */
    bt_fails(bri_shared_attach(shared_of(queue)->class, object->offset, object->generation, &none),
             BROOD_ECLOSED);
    assert_null(none);
    assert_int_equal(holders_of(lock), 1);
    brood_lock_destroy(lock);
    brood_queue_destroy(queue);
}

/* ---- with other processes ---- */

static brood_status use_until_told(brood_call *call)
{
    const brood_value *values[3];
    brood_queue *queue, *words, *answers;
    brood_value word;
    BROOD_TRY(brood_call_args(call, "vvv", &values[0], &values[1], &values[2]));
    BROOD_TRY(brood_get_queue(values[0], &queue));
    BROOD_TRY(brood_get_queue(values[1], &words));
    BROOD_TRY(brood_get_queue(values[2], &answers));
    BROOD_TRY(brood_queue_put(answers, brood_str("ready"), -1));
    BROOD_TRY(brood_queue_get(words, &word, 20000));
    brood_value_clear(&word);
    for (int i = 0; i < 100; i++)
        BROOD_TRY(brood_queue_put(queue, brood_int(i), 0));
    bt_check(call, brood_queue_size(queue) == 100);
    return BROOD_OK;
}

static void expect_word(brood_queue *queue, const char *word)
{
    brood_value value;
    const char *text;
    size_t size;
    bt_ok(brood_queue_get(queue, &value, 20000));
    bt_ok(brood_get_str(&value, &text, &size));
    assert_string_equal(text, word);
    brood_value_clear(&value);
}

static void test_the_last_process_ends_an_object(void **state)
{
    (void)state;
    brood_queue *queue, *words, *answers;
    bt_ok(brood_queue_create(&words, NULL));
    bt_ok(brood_queue_create(&answers, NULL));
    bt_ok(brood_queue_create(&queue, NULL));
    brood_process *process = bt_process(use_until_told, brood_pack("vvv", brood_queue_value(queue),
                                                                   brood_queue_value(words),
                                                                   brood_queue_value(answers)));
    expect_word(answers, "ready");
    bri_shared reference = *shared_of(queue);
    brood_queue_destroy(queue);
    bt_ok(brood_queue_put(words, brood_str("go on"), 0));
    assert_int_equal(bt_join(process), 0);
    bri_shared *none;
    bt_fails(bri_shared_attach(reference.class, reference.offset, reference.generation, &none),
             BROOD_ECLOSED);
    brood_queue_destroy(words);
    brood_queue_destroy(answers);
}

static void test_a_killed_process_holds_nothing(void **state)
{
    (void)state;
    brood_queue *queue, *words, *answers;
    bt_ok(brood_queue_create(&words, NULL));
    bt_ok(brood_queue_create(&answers, NULL));
    bt_ok(brood_queue_create(&queue, NULL));
    brood_process *process = bt_process(use_until_told, brood_pack("vvv", brood_queue_value(queue),
                                                                   brood_queue_value(words),
                                                                   brood_queue_value(answers)));
    expect_word(answers, "ready");
    assert_int_equal(holders_of(queue), 2);
    bt_ok(brood_process_kill(process));
    assert_int_equal(bt_join(process), -9);
    assert_int_equal(holders_of(queue), 1);
    bt_ok(brood_queue_put(queue, brood_none(), 0));
    brood_queue_destroy(queue);
    brood_queue_destroy(words);
    brood_queue_destroy(answers);
}

/* ---- memory ---- */

static void test_nothing_is_left_when_memory_is_out(void **state)
{
    (void)state;
    uint64_t used = bt_arena_used();
    brood_status status = BROOD_ENOMEM;
    for (int n = 1; status != BROOD_OK; n++) {
        long blocks = bri_memory_blocks();
        brood_queue *queue = NULL;
        bri_memory_fail_at(n, 0);
        status = brood_queue_create(&queue, NULL);
        bri_memory_fail_at(0, 0);
        if (status != BROOD_OK) {
            assert_int_equal(status, BROOD_ENOMEM);
            assert_int_equal(bri_memory_blocks(), blocks);
            assert_null(queue);
        }
        brood_queue_destroy(queue);
        assert_true(n < 50);
    }
    assert_true(bt_arena_used() <= used + 64);
}

/* ---- kills ---- */

typedef struct kill_state {
    uint64_t used;
    brood_lock *lock;
    brood_queue *queue;
} kill_state;

static brood_value make_objects(void *context)
{
    kill_state *kill = context;
    kill->used = bt_arena_used();
    bt_ok(brood_lock_create(&kill->lock));
    bt_ok(brood_queue_create(&kill->queue, NULL));
    return brood_pack("vv", brood_lock_value(kill->lock), brood_queue_value(kill->queue));
}

/* `most`: bytes that may be unused now. */
static void check_objects(kill_state *kill, const char *point, int n, uint64_t most)
{
    brood_status status = brood_lock_acquire(kill->lock, 1000);
    if (status != BROOD_OK && status != BROOD_EOWNERDIED)
        fail_msg("the lock gives %d after %s, %d", (int)status, point, n);
    bt_ok(brood_lock_release(kill->lock));
    bt_ok(brood_queue_put_bytes(kill->queue, "x", 1, 1000));
    if (holders_of(kill->lock) != 1 || holders_of(kill->queue) != 1)
        fail_msg("%d and %d holders after %s, %d", holders_of(kill->lock), holders_of(kill->queue),
                 point, n);
    brood_lock_destroy(kill->lock);
    brood_queue_destroy(kill->queue);
    uint64_t used = bt_arena_used();
    if (used > kill->used + most + 64)
        fail_msg("%llu bytes are lost after %s, %d", (unsigned long long)(used - kill->used), point,
                 n);
}

/* Attaches and releases what it was given, and makes objects of its own. */
static brood_status attach_and_make(brood_call *call)
{
    const brood_value *objects;
    brood_lock *lock;
    brood_queue *queue;
    BROOD_TRY(bt_kills_begin(call, &objects));
    BROOD_TRY(brood_get_lock(brood_item(objects, 0), &lock));
    BROOD_TRY(brood_lock_acquire(lock, -1));
    for (int i = 0; i < 2; i++) {
        brood_value copy;
        BROOD_TRY(brood_value_copy(objects, &copy));
        brood_value_clear(&copy);
        BROOD_TRY(brood_queue_create(&queue, NULL));
        for (int j = 0; j < 4; j++)
            BROOD_TRY(brood_queue_put_bytes(queue, "abc", 3, 0));
        brood_queue_destroy(queue);
    }
    brood_status status = brood_lock_release(lock);
    return status == BROOD_OK ? bt_kills_end() : status;
}

static void check_one_block(void *context, const char *point, int n)
{
    check_objects(context, point, n, 8192); /* the largest has 6 KiB */
}

static void test_a_kill_while_making_and_ending_loses_one_block_at_most(void **state)
{
    (void)state;
    kill_state kill;
    bt_kills kills = {.run = attach_and_make,
                      .prepare = make_objects,
                      .verify = check_one_block,
                      .context = &kill};
    assert_true(bt_kill_everywhere(&kills) >= 20);
}

/* This process's part of `run_a_sweep`: what the other one has. Its own table of local objects is
 * put aside meanwhile. */
static brood_status live_as(bri_owner other, const brood_value *objects)
{
    bri_shared *attached;
    brood_queue *queue;
    brood_lock *lock;
    brood_queue *given;
    char large[6000] = {0};
    BROOD_TRY(brood_get_lock(brood_item(objects, 0), &lock));
    BROOD_TRY(brood_get_queue(brood_item(objects, 1), &given));
    struct bri_shared_table *table = bri_the_runtime.shared;
    bri_owner me = act_as(other);
    bri_the_runtime.shared = NULL;
    BROOD_TRY(bri_shared_start());
    BROOD_TRY(bri_shared_attach(shared_of(lock)->class, shared_of(lock)->offset,
                                shared_of(lock)->generation, &attached));
    BROOD_TRY(brood_lock_acquire((brood_lock *)attached, 0));
    BROOD_TRY(bri_shared_attach(shared_of(given)->class, shared_of(given)->offset,
                                shared_of(given)->generation, &attached));
    BROOD_TRY(brood_queue_create(&queue, NULL));
    for (int i = 0; i < 3; i++)
        BROOD_TRY(brood_queue_put_bytes(queue, large, sizeof large, 0));
    static struct bri_shared_table *volatile others;
    others = bri_the_runtime.shared; /* stays until the end of this process */
    bri_the_runtime.shared = table;
    act_as(me);
    return others == NULL ? BROOD_ESTATE : BROOD_OK;
}

/* Sweeps another process, until it is killed; the parent has to finish it. */
static brood_status run_a_sweep(brood_call *call)
{
    const brood_value *objects;
    bri_owner other;
    BROOD_TRY(pretend_living(&other));
    BROOD_TRY(brood_call_args(call, "xxxv", &objects));
    BROOD_TRY(live_as(other, objects));
    BROOD_TRY(bt_kills_begin(call, &objects));
    bri_proctable_died(other);
    bt_check(call, bri_owner_is_dead(other));
    return bt_kills_end();
}

static void test_a_sweep_that_is_killed_is_finished_by_another(void **state)
{
    (void)state;
    kill_state kill;
    bt_kills kills = {.run = run_a_sweep,
                      .prepare = make_objects,
                      .verify = check_one_block,
                      .context = &kill,
                      .most = 4};
    assert_true(bt_kill_everywhere(&kills) >= 20);
}

/* ---- fork ---- */

static brood_lock *inherited;

static brood_status use_the_inherited(brood_call *call)
{
    bt_check(call, brood_lock_acquire(inherited, 0) == BROOD_OK);
    bt_check(call, holders_of(inherited) == 2);
    bt_check(call, brood_lock_release(inherited) == BROOD_OK);
    brood_lock_destroy(inherited);
    return BROOD_OK;
}

static void test_a_forked_child_has_its_parents_objects(void **state)
{
    (void)state;
    if (!bt_method_is(BROOD_START_FORK))
        bt_skip("only a fork inherits pointers");
    bt_ok(brood_lock_create(&inherited));
    assert_int_equal(bt_join(bt_process(use_the_inherited, (brood_value){0})), 0);
    assert_int_equal(holders_of(inherited), 1);
    bt_ok(brood_lock_acquire(inherited, 0));
    brood_lock_destroy(inherited);
}

int main(int argc, char **argv)
{
    return bt_main(
        argc, argv, bt_test(test_a_process_attaches_an_object_once),
        bt_test(test_many_objects_are_told_apart), bt_test(test_what_has_ended_cannot_be_attached),
        bt_test(test_no_reference_from_outside_is_trusted),
        bt_test(test_the_last_process_ends_an_object), bt_test(test_a_killed_process_holds_nothing),
        bt_test(test_nothing_is_left_when_memory_is_out),
        bt_test(test_a_kill_while_making_and_ending_loses_one_block_at_most),
        bt_test(test_a_sweep_that_is_killed_is_finished_by_another),
        bt_test(test_a_forked_child_has_its_parents_objects));
}
