/* brood-test: start-methods */
/* A process is killed at every point of putting and getting: at most its own message is lost. */
#include "harness.h"
#include "kills.h"

#include "ipc/arena.h"

enum { MESSAGES = 40, LARGEST = 1100000 };

/* Where the child counts what it has done, in the arena. */
typedef struct kill_state {
    brood_queue *queue;
    uint64_t block;
    uint64_t used;
    bool getting;
    size_t maxsize;
} kill_state;

static _Atomic int64_t *counter_at(uint64_t block)
{
    bri_arena *arena;
    return bri_arena_get(&arena) == BROOD_OK ? bri_arena_at(arena, block) : NULL;
}

/* Sizes that cross segments and go through blocks. */
static size_t size_of(int64_t number)
{
    return number % 10 == 3 ? 5000 + (size_t)number * 100
           : number == 17   ? LARGEST
                            : 16 + (size_t)number * 61;
}

static void fill(unsigned char *bytes, int64_t number)
{
    memset(bytes, (int)(number * 3 + 1), size_of(number));
    memcpy(bytes, &number, sizeof number);
}

static brood_status put_number(brood_queue *queue, unsigned char *bytes, int64_t number,
                               brood_ms timeout)
{
    fill(bytes, number);
    return brood_queue_put_bytes(queue, bytes, size_of(number), timeout);
}

/* The number of the next message, which is whole; -1 for none. */
static int64_t next_number(brood_queue *queue)
{
    static unsigned char wanted[LARGEST];
    void *data;
    size_t size;
    int64_t number;
    if (brood_queue_get_bytes(queue, &data, &size, 1000) != BROOD_OK)
        return -1;
    memcpy(&number, data, sizeof number);
    assert_int_equal(size, size_of(number));
    fill(wanted, number);
    assert_memory_equal(data, wanted, size);
    brood_free(data);
    return number;
}

static brood_status take_arguments(brood_call *call, brood_queue **queue, _Atomic int64_t **counter)
{
    const brood_value *objects, *value;
    uint64_t block;
    BROOD_TRY(bt_kills_begin(call, &objects));
    BROOD_TRY(brood_unpack(objects, "vu", &value, &block));
    BROOD_TRY(brood_get_queue(value, queue));
    *counter = counter_at(block);
    return BROOD_OK;
}

static brood_status put_all(brood_call *call)
{
    static unsigned char bytes[LARGEST];
    brood_queue *queue;
    _Atomic int64_t *counter;
    BROOD_TRY(take_arguments(call, &queue, &counter));
    for (int64_t i = 0; i < MESSAGES; i++) {
        BROOD_TRY(put_number(queue, bytes, i, -1));
        atomic_store(counter, i + 1);
    }
    return bt_kills_end();
}

static brood_status get_all(brood_call *call)
{
    brood_queue *queue;
    _Atomic int64_t *counter;
    BROOD_TRY(take_arguments(call, &queue, &counter));
    for (int64_t i = 0; i < MESSAGES; i++) {
        void *data;
        size_t size;
        int64_t number;
        BROOD_TRY(brood_queue_get_bytes(queue, &data, &size, -1));
        memcpy(&number, data, sizeof number);
        brood_free(data);
        bt_check(call, number == i);
        atomic_store(counter, i + 1);
    }
    return bt_kills_end();
}

static brood_value prepare_queue(void *context)
{
    static unsigned char bytes[LARGEST];
    kill_state *kill = context;
    bri_arena *arena;
    kill->used = bt_arena_used();
    bt_ok(bri_arena_get(&arena));
    bt_ok(bri_arena_alloc(arena, sizeof(int64_t), &kill->block));
    atomic_store(counter_at(kill->block), 0);
    bt_ok(brood_queue_create(&kill->queue, NULL));
    for (int64_t i = 0; kill->getting && i < MESSAGES; i++)
        bt_ok(put_number(kill->queue, bytes, i, 0));
    return brood_pack("vu", brood_queue_value(kill->queue), kill->block);
}

/* The messages from `first` up to `end`, or one more than that, are there in order. */
static void expect_messages(kill_state *kill, int64_t first, int64_t end, const char *point, int n)
{
    size_t size = brood_queue_size(kill->queue);
    bt_ok(brood_queue_put_bytes(kill->queue, &(int64_t){MESSAGES + 1}, 8, 1000));
    assert_int_equal(brood_queue_size(kill->queue), size + 1);
    for (size_t i = 0; i < size; i++) {
        int64_t number = next_number(kill->queue);
        if (number != first + (int64_t)i)
            fail_msg("message %d is %d after %s, %d", (int)first + (int)i, (int)number, point, n);
    }
    if (first + (int64_t)size != end)
        fail_msg("messages up to %d, not %d, after %s, %d", (int)first + (int)size, (int)end, point,
                 n);
    void *data;
    bt_ok(brood_queue_get_bytes(kill->queue, &data, &size, 1000));
    brood_free(data);
}

static void verify_queue(void *context, const char *point, int n)
{
    kill_state *kill = context;
    int64_t done = atomic_load(counter_at(kill->block));
    int64_t size = (int64_t)brood_queue_size(kill->queue);
    /* The message in hand may have got through, or not. */
    int64_t more = kill->getting ? MESSAGES - done - size : size - done;
    if (more != 0 && more != 1)
        fail_msg("%d messages after %d, after %s, %d", (int)size, (int)done, point, n);
    if (kill->getting)
        expect_messages(kill, done + more, MESSAGES, point, n);
    else
        expect_messages(kill, 0, done + more, point, n);
    brood_queue_destroy(kill->queue);
    bri_arena *arena;
    bt_ok(bri_arena_get(&arena));
    bri_arena_free(arena, kill->block);
    uint64_t used = bt_arena_used();
    if (used > kill->used + 64 + 1310720) /* the largest block */
        fail_msg("%llu bytes are lost after %s, %d", (unsigned long long)(used - kill->used), point,
                 n);
}

static void test_a_producer_that_is_killed_costs_its_message_at_most(void **state)
{
    (void)state;
    kill_state kill = {.getting = false};
    bt_kills kills = {
        .run = put_all, .prepare = prepare_queue, .verify = verify_queue, .context = &kill};
    assert_true(bt_kill_everywhere(&kills) >= 12);
}

static void test_a_consumer_that_is_killed_costs_its_message_at_most(void **state)
{
    (void)state;
    kill_state kill = {.getting = true};
    bt_kills kills = {
        .run = get_all, .prepare = prepare_queue, .verify = verify_queue, .context = &kill};
    assert_true(bt_kill_everywhere(&kills) >= 10);
}

/* ---- with others at work ---- */

/* Puts and gets by turns on a queue of one, so that it sleeps all the time. */
static brood_status play(brood_call *call)
{
    const brood_value *objects, *one, *other;
    brood_queue *ours, *theirs;
    brood_value value;
    BROOD_TRY(bt_kills_begin(call, &objects));
    BROOD_TRY(brood_unpack(objects, "vv", &one, &other));
    BROOD_TRY(brood_get_queue(one, &ours));
    BROOD_TRY(brood_get_queue(other, &theirs));
    for (int i = 0; i < 10; i++) {
        BROOD_TRY(brood_queue_put(theirs, brood_int(i), 20000));
        BROOD_TRY(brood_queue_get(ours, &value, 20000));
        brood_value_clear(&value);
    }
    return bt_kills_end();
}

static brood_status return_all(brood_call *call)
{
    const brood_value *one, *other;
    brood_queue *ours, *theirs;
    BROOD_TRY(brood_call_args(call, "vv", &one, &other));
    BROOD_TRY(brood_get_queue(one, &ours));
    BROOD_TRY(brood_get_queue(other, &theirs));
    for (;;) {
        brood_value value;
        brood_status status = brood_queue_get(theirs, &value, 20000);
        if (status == BROOD_ECLOSED)
            return BROOD_OK;
        BROOD_TRY(status);
        brood_sleep(1); /* so that the other side sleeps */
        BROOD_TRY(brood_queue_put(ours, value, 20000));
    }
}

typedef struct game {
    brood_queue *ours, *theirs;
} game;

static brood_value give_queues(void *context)
{
    game *both = context;
    return brood_pack("vv", brood_queue_value(both->ours), brood_queue_value(both->theirs));
}

/* A message may be on its way still; then the next one goes through. */
static void check_game(void *context, const char *point, int n)
{
    game *both = context;
    brood_value value;
    bt_ok(brood_queue_put(both->theirs, brood_str("end"), 5000));
    for (;;) {
        brood_status status = brood_queue_get(both->ours, &value, 5000);
        if (status != BROOD_OK)
            fail_msg("no answer after %s, %d", point, n);
        bool is_end = value.kind == BROOD_STR;
        brood_value_clear(&value);
        if (is_end)
            return;
    }
}

static void test_nobody_hangs_when_a_sleeper_or_a_waker_is_killed(void **state)
{
    (void)state;
    game both;
    bt_ok(brood_queue_create(&both.ours, &(brood_queue_options){.maxsize = 1}));
    bt_ok(brood_queue_create(&both.theirs, &(brood_queue_options){.maxsize = 1}));
    brood_process *other = bt_process(
        return_all, brood_pack("vv", brood_queue_value(both.ours), brood_queue_value(both.theirs)));
    bt_kills kills = {.run = play, .prepare = give_queues, .verify = check_game, .context = &both};
    assert_true(bt_kill_everywhere(&kills) >= 10);
    brood_queue_close(both.theirs);
    assert_int_equal(bt_join(other), 0);
    brood_queue_destroy(both.ours);
    brood_queue_destroy(both.theirs);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_producer_that_is_killed_costs_its_message_at_most),
                   bt_test(test_a_consumer_that_is_killed_costs_its_message_at_most),
                   bt_test(test_nobody_hangs_when_a_sleeper_or_a_waker_is_killed));
}
