/* brood-test: start-methods */
/* Joinable queues and queues that end with their producers, and processes that die in between. */
#include "harness.h"
#include "kills.h"

#include "core/thread.h"
#include "queue/local.h"

static brood_queue *make(bool joinable, bool ends)
{
    brood_queue *queue;
    bt_ok(brood_queue_create(
        &queue, &(brood_queue_options){.joinable = joinable, .ends_with_producers = ends}));
    return queue;
}

static void get_one(brood_queue *queue)
{
    brood_value value;
    bt_ok(brood_queue_get(queue, &value, 5000));
    brood_value_clear(&value);
}

/* ---- joining ---- */

static void test_join_waits_for_what_is_not_done(void **state)
{
    (void)state;
    brood_queue *queue;
    bt_ok(brood_joinable_queue_create(&queue, 10));
    bt_ok(brood_queue_join(queue, 0));
    for (int i = 0; i < 3; i++)
        bt_ok(brood_queue_put(queue, brood_int(i), 0));
    assert_int_equal(brood_queue_unfinished(queue), 3);
    assert_int_equal(brood_queue_join(queue, 0), BROOD_ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        get_one(queue);
    assert_int_equal(brood_queue_join(queue, 20), BROOD_ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        bt_ok(brood_queue_task_done(queue));
    bt_ok(brood_queue_join(queue, BROOD_FOREVER));
    bt_fails(brood_queue_task_done(queue), BROOD_ESTATE);
    bt_message_has("finished already");
    brood_queue_destroy(queue);
}

static void test_only_a_joinable_queue_can_be_joined(void **state)
{
    (void)state;
    brood_queue *queue;
    bt_ok(brood_simple_queue_create(&queue));
    bt_fails(brood_queue_join(queue, 0), BROOD_ESTATE);
    bt_fails(brood_queue_task_done(queue), BROOD_ESTATE);
    assert_int_equal(brood_queue_unfinished(queue), 0);
    bt_fails(brood_queue_join(NULL, 0), BROOD_EINVALID);
    brood_queue_destroy(queue);
}

static void test_what_is_thrown_away_is_done(void **state)
{
    (void)state;
    brood_queue *queue = make(true, false);
    for (int i = 0; i < 100; i++)
        bt_ok(brood_queue_put(queue, brood_int(i), 0));
    get_one(queue);
    bt_ok(brood_queue_discard(queue, NULL));
    assert_int_equal(brood_queue_unfinished(queue), 1);
    bt_ok(brood_queue_task_done(queue));
    bt_ok(brood_queue_join(queue, 0));
    brood_queue_destroy(queue);
}

static void join(void *context)
{
    brood_queue *queue = context;
    bt_ok(brood_queue_join(queue, 20000));
}

static bool has_joiner(void *context)
{
    brood_queue *queue = context;
    return (atomic_load(&queue->view.ring->account.all_done) & BRI_BELL_WAITED) != 0;
}

static void test_who_joins_learns_what_was_thrown_away(void **state)
{
    (void)state;
    brood_queue *queue = make(true, false);
    bri_thread *joiner;
    bt_ok(brood_queue_put(queue, brood_int(1), 0));
    bt_ok(bri_thread_start(&joiner, join, queue));
    assert_true(bt_await(has_joiner, queue, 20000));
    bt_ok(brood_queue_discard(queue, NULL));
    bt_ok(brood_queue_put(queue, brood_int(2), 0)); /* of another round: nobody takes it */
    bri_thread_join(joiner);
    assert_int_equal(brood_queue_unfinished(queue), 1);
    brood_queue_destroy(queue);
}

/* Works on messages until the queue is closed; a negative one makes it die with that in hand. */
static brood_status work(brood_call *call)
{
    const brood_value *argument;
    brood_queue *queue;
    BROOD_TRY(brood_call_args(call, "v", &argument));
    BROOD_TRY(brood_get_queue(argument, &queue));
    for (;;) {
        brood_value value;
        brood_status status = brood_queue_get(queue, &value, 20000);
        if (status == BROOD_ECLOSED)
            return BROOD_OK;
        BROOD_TRY(status);
        if (value.as.integer < 0)
            exit(3);
        BROOD_TRY(brood_queue_task_done(queue));
    }
}

static void test_join_returns_when_consumers_are_done(void **state)
{
    (void)state;
    enum { CONSUMERS = 4, MESSAGES = 400 };
    brood_queue *queue = make(true, false);
    brood_process *consumers[CONSUMERS];
    for (int i = 0; i < CONSUMERS; i++)
        consumers[i] = bt_process(work, brood_pack("(v)", brood_queue_value(queue)));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MESSAGES; i++)
            bt_ok(brood_queue_put(queue, brood_int(i), 5000));
        bt_ok(brood_queue_join(queue, 20000));
        assert_int_equal(brood_queue_unfinished(queue), 0);
    }
    brood_queue_close(queue);
    for (int i = 0; i < CONSUMERS; i++)
        assert_int_equal(bt_join(consumers[i]), 0);
    brood_queue_destroy(queue);
}

static void test_a_consumer_that_dies_holds_no_join_up(void **state)
{
    (void)state;
    brood_queue *queue = make(true, false);
    brood_process *consumer = bt_process(work, brood_pack("(v)", brood_queue_value(queue)));
    bt_ok(brood_queue_put(queue, brood_int(1), 5000));
    bt_ok(brood_queue_put(queue, brood_int(-1), 5000));
    bt_fails(brood_queue_join(queue, 20000), BROOD_EOWNERDIED);
    bt_ok(brood_queue_join(queue, 0)); /* said once */
    bt_fails(brood_queue_task_done(queue), BROOD_ESTATE);
    assert_int_equal(bt_join(consumer), 3);
    bt_ok(brood_queue_put(queue, brood_int(2), 5000));
    assert_int_equal(brood_queue_join(queue, 0), BROOD_ETIMEDOUT);
    brood_queue_destroy(queue);
}

/* ---- the last producer ---- */

static void test_a_queue_ends_when_its_maker_has_finished(void **state)
{
    (void)state;
    brood_queue *queue = make(false, true);
    brood_value value;
    bt_ok(brood_queue_put(queue, brood_int(1), 0));
    brood_queue_finish(queue);
    bt_fails(brood_queue_put(queue, brood_int(2), 0), BROOD_ECLOSED);
    get_one(queue);
    bt_fails(brood_queue_get(queue, &value, BROOD_FOREVER), BROOD_ECLOSED);
    brood_queue_finish(queue);
    brood_queue_finish(NULL);
    brood_queue_destroy(queue);
}

/* produce(queue, n, how): 0: returns; 1: says that it has finished, and stays for a while; 2: is
 * killed by itself. */
static brood_status produce(brood_call *call)
{
    const brood_value *argument;
    brood_queue *queue;
    int64_t n, how;
    BROOD_TRY(brood_call_args(call, "vii", &argument, &n, &how));
    BROOD_TRY(brood_get_queue(argument, &queue));
    for (int64_t i = 0; i < n; i++)
        BROOD_TRY(brood_queue_put(queue, brood_int(i), 20000));
    if (how == 1)
        brood_queue_finish(queue);
    if (how == 2)
        exit(4);
    return BROOD_OK;
}

static void test_a_queue_ends_with_its_last_producer_however_it_ends(void **state)
{
    (void)state;
    brood_queue *queue = make(false, true);
    brood_process *producers[6];
    for (int i = 0; i < 6; i++)
        producers[i] =
            bt_process(produce, brood_pack("vii", brood_queue_value(queue), i * 10, i % 3));
    int n = 0;
    for (;;) {
        brood_value value;
        brood_status status = brood_queue_get(queue, &value, 20000);
        if (status == BROOD_ECLOSED)
            break;
        bt_ok(status);
        n++;
    }
    assert_int_equal(n, 150);
    for (int i = 0; i < 6; i++)
        assert_int_equal(bt_join(producers[i]), i % 3 == 2 ? 4 : 0);
    brood_queue_destroy(queue);
}

static brood_status drain(brood_call *call)
{
    const brood_value *argument;
    brood_queue *queue;
    int64_t n = 0;
    BROOD_TRY(brood_call_args(call, "v", &argument));
    BROOD_TRY(brood_get_queue(argument, &queue));
    for (;; n++) {
        brood_value value;
        brood_status status = brood_queue_get(queue, &value, 20000);
        if (status == BROOD_ECLOSED)
            return BROOD_OK;
        BROOD_TRY(status);
    }
}

/* A consumer does not keep a queue open, nor does one that destroys it. */
static void test_consumers_are_no_producers(void **state)
{
    (void)state;
    brood_queue *queue = make(false, true);
    brood_process *consumers[3];
    for (int i = 0; i < 3; i++)
        consumers[i] = bt_process(drain, brood_pack("(v)", brood_queue_value(queue)));
    brood_process *producer =
        bt_process(produce, brood_pack("vii", brood_queue_value(queue), 50, 0));
    brood_queue_destroy(queue);
    assert_int_equal(bt_join(producer), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(bt_join(consumers[i]), 0);
}

static void test_who_gets_and_puts_stays_a_producer(void **state)
{
    (void)state;
    brood_queue *queue = make(false, true);
    brood_value value;
    bt_ok(brood_queue_put(queue, brood_int(1), 0));
    get_one(queue);
    assert_int_equal(brood_queue_get(queue, &value, 0), BROOD_EEMPTY);
    bt_ok(brood_queue_put(queue, brood_int(1), 0));
    brood_queue_destroy(queue);
    /* And who has only got until now may put while another may. */
    queue = make(false, true);
    brood_process *producer =
        bt_process(produce, brood_pack("vii", brood_queue_value(queue), 1, 1));
    get_one(queue);
    brood_status status = brood_queue_put(queue, brood_int(1), 0);
    assert_true(status == BROOD_OK || status == BROOD_ECLOSED);
    assert_int_equal(bt_join(producer), 0);
    brood_queue_destroy(queue);
}

/* ---- kills ---- */

enum { MESSAGES = 12 };

static brood_status begin(brood_call *call, brood_queue **queue)
{
    const brood_value *object;
    BROOD_TRY(bt_kills_begin(call, &object));
    return brood_get_queue(object, queue);
}

static brood_status take_and_finish(brood_call *call)
{
    brood_queue *queue;
    brood_value values[4];
    size_t n;
    BROOD_TRY(begin(call, &queue));
    for (int i = 0; i < 3; i++) {
        BROOD_TRY(brood_queue_get(queue, values, 0));
        BROOD_TRY(brood_queue_get_many(queue, values, 2, &n, 0));
        for (int j = 0; j < 2; j++)
            BROOD_TRY(brood_queue_task_done(queue));
    }
    return bt_kills_end();
}

static brood_value prepare_join(void *context)
{
    brood_queue **queue = context;
    *queue = make(true, false);
    for (int i = 0; i < MESSAGES; i++)
        bt_ok(brood_queue_put(*queue, brood_int(i), 0));
    return brood_queue_value(*queue);
}

/* Whatever the dead one had in hand is done; nothing else is. */
static void verify_join(void *context, const char *point, int n)
{
    brood_queue *queue = *(brood_queue **)context;
    size_t left = brood_queue_size(queue), unfinished = brood_queue_unfinished(queue);
    if (unfinished != left)
        fail_msg("%zu messages are there, %zu to be done after %s, %d", left, unfinished, point, n);
    for (size_t i = 0; i < left; i++) {
        assert_int_equal(brood_queue_join(queue, 0), BROOD_ETIMEDOUT);
        get_one(queue);
        bt_ok(brood_queue_task_done(queue));
    }
    brood_status status = brood_queue_join(queue, 5000);
    if (status != BROOD_OK && status != BROOD_EOWNERDIED)
        fail_msg("join gave %s after %s, %d", brood_status_name(status), point, n);
    bt_fails(brood_queue_task_done(queue), BROOD_ESTATE);
    brood_queue_destroy(queue);
}

static void test_the_count_is_right_wherever_a_consumer_is_killed(void **state)
{
    (void)state;
    brood_queue *queue;
    bt_kills kills = {
        .run = take_and_finish, .prepare = prepare_join, .verify = verify_join, .context = &queue};
    assert_true(bt_kill_everywhere(&kills) >= 12);
}

static brood_status put_and_finish(brood_call *call)
{
    brood_queue *queue;
    brood_value value;
    BROOD_TRY(begin(call, &queue));
    BROOD_TRY(brood_queue_get(queue, &value, 0));
    BROOD_TRY(brood_queue_put(queue, brood_int(1), 0));
    brood_queue_finish(queue);
    (void)brood_queue_put(queue, brood_int(2), 0);
    return bt_kills_end();
}

static brood_value prepare_end(void *context)
{
    brood_queue **queue = context;
    *queue = make(false, true);
    bt_ok(brood_queue_put(*queue, brood_int(1), 0));
    return brood_queue_value(*queue);
}

static void verify_end(void *context, const char *point, int n)
{
    brood_queue *queue = *(brood_queue **)context;
    brood_queue_finish(queue);
    for (;;) {
        brood_value value;
        brood_status status = brood_queue_get(queue, &value, 5000);
        if (status == BROOD_ECLOSED)
            break;
        if (status != BROOD_OK)
            fail_msg("get gave %s after %s, %d", brood_status_name(status), point, n);
    }
    brood_queue_destroy(queue);
}

static void test_a_queue_ends_wherever_its_producer_is_killed(void **state)
{
    (void)state;
    brood_queue *queue;
    bt_kills kills = {
        .run = put_and_finish, .prepare = prepare_end, .verify = verify_end, .context = &queue};
    assert_true(bt_kill_everywhere(&kills) >= 12);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_join_waits_for_what_is_not_done),
                   bt_test(test_only_a_joinable_queue_can_be_joined),
                   bt_test(test_what_is_thrown_away_is_done),
                   bt_test(test_who_joins_learns_what_was_thrown_away),
                   bt_test(test_join_returns_when_consumers_are_done),
                   bt_test(test_a_consumer_that_dies_holds_no_join_up),
                   bt_test(test_a_queue_ends_when_its_maker_has_finished),
                   bt_test(test_a_queue_ends_with_its_last_producer_however_it_ends),
                   bt_test(test_consumers_are_no_producers),
                   bt_test(test_who_gets_and_puts_stays_a_producer),
                   bt_test(test_the_count_is_right_wherever_a_consumer_is_killed),
                   bt_test(test_a_queue_ends_wherever_its_producer_is_killed));
}
