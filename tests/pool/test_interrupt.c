/* brood-test: start-methods */
/* Ctrl-C once drains, twice kills. A child is interrupted by its parent: on Windows an interrupt
 * goes to a group of processes, and this program's own is that of whoever has started it. */
#include "pools.h"

#include "platform/child.h"

/* ---- in the child ---- */

typedef struct seen {
    brood_queue *wish, *told;
} seen;

static void note(void *context, int count)
{
    seen *s = context;
    brood_queue_put(s->told, brood_int(count), HANG);
}

/* Asks the parent for an interrupt, and waits until it was seen. */
static int64_t get_interrupted(const seen *s)
{
    brood_value got;
    int64_t count = -1;
    if (brood_queue_put(s->wish, brood_none(), HANG) == BROOD_OK &&
        brood_queue_get(s->told, &got, HANG) == BROOD_OK)
        (void)brood_get_int(&got, &count);
    return count;
}

/* The first interrupt: what runs is finished, what is queued is cancelled, nothing new begins. */
static brood_status drain(brood_call *call, const seen *s, brood_pool *pool, brood_queue *awaited,
                          brood_future **running)
{
    brood_future *queued;
    brood_value value;
    size_t n;
    BROOD_TRY(brood_pool_apply_async(pool, square, brood_pack("(i)", 2), NULL, &queued));
    bt_check(call, get_interrupted(s) == 1);
    bt_check(call, brood_interrupt_count() == 1);
    bt_check(call, brood_future_take(queued, &value, 0) == BROOD_ECANCELLED);
    brood_future_destroy(queued);
    bt_check(call, brood_pool_apply_async(pool, square, brood_pack("(i)", 2), NULL, NULL) ==
                       BROOD_ESTATE);
    BROOD_TRY(brood_queue_put(awaited, brood_int(5), HANG));
    BROOD_TRY(brood_wait_futures(running, 2, BROOD_WAIT_FIRST, HANG, &n));
    bt_check(call, n == 1);
    bt_check(call,
             brood_future_is_successful(running[0]) || brood_future_is_successful(running[1]));
    return BROOD_OK;
}

/* (queue for wishes): two tasks run, one of them is let go between the interrupts. */
static brood_status be_interrupted(brood_call *call)
{
    const brood_value *wish;
    seen s;
    brood_pool *pool;
    brood_queue *told, *awaited;
    brood_future *running[2];
    brood_value value;
    BROOD_TRY(brood_call_args(call, "v", &wish));
    BROOD_TRY(brood_get_queue(wish, &s.wish));
    BROOD_TRY(brood_queue_create(&s.told, NULL));
    BROOD_TRY(brood_queue_create(&told, NULL));
    BROOD_TRY(brood_queue_create(&awaited, NULL));
    BROOD_TRY(brood_handle_interrupt(note, &s));
    bt_check(call, brood_handle_interrupt(note, &s) == BROOD_ESTATE);
    BROOD_TRY(brood_pool_create(&pool, &(brood_pool_options){.workers = 2}));
    for (int i = 0; i < 2; i++) {
        BROOD_TRY(brood_pool_apply_async(
            pool, hold, brood_pack("(vv)", brood_queue_value(told), brood_queue_value(awaited)),
            NULL, &running[i]));
        BROOD_TRY(brood_queue_get(told, &value, HANG));
    }
    BROOD_TRY(drain(call, &s, pool, awaited, running));

    bt_check(call, get_interrupted(&s) == 2);
    bt_check(call, brood_interrupt_count() == 2);
    BROOD_TRY(brood_wait_futures(running, 2, BROOD_WAIT_ALL, HANG, NULL));
    bt_check(call, brood_future_is_cancelled(running[0]) != brood_future_is_cancelled(running[1]));
    BROOD_TRY(brood_pool_join(pool, HANG));
    brood_unhandle_interrupt();
    for (int i = 0; i < 2; i++)
        brood_future_destroy(running[i]);
    brood_pool_destroy(pool);
    brood_queue_destroy(told);
    brood_queue_destroy(awaited);
    brood_queue_destroy(s.told);
    return BROOD_OK;
}

/* ---- here ---- */

static void test_the_first_drains_and_the_second_kills(void **state)
{
    (void)state;
    brood_queue *wish;
    brood_value got;
    brp_child child;
    bt_ok(brood_queue_create(&wish, NULL));
    brood_process *process = bt_process(be_interrupted, brood_pack("(v)", brood_queue_value(wish)));
    brp_child_init(&child);
    bt_ok(brp_child_adopt(&child, brood_process_pid(process)));
    brood_status status = BROOD_OK;
    for (int i = 0; i < 2 && status == BROOD_OK; i++) {
        bt_ok(brood_queue_get(wish, &got, HANG));
        status = brp_child_signal(&child, BRP_INTERRUPT);
    }
    brp_child_close(&child);
    bool has_no_console = status == BROOD_EOS && bt_is_windows();
    if (has_no_console)
        bt_ok(brood_process_kill(process));
    int code = bt_join(process);
    brood_queue_destroy(wish);
    if (has_no_console)
        bt_skip("the tests run without a console");
    bt_ok(status);
    assert_int_equal(code, 0);
}

static void test_it_can_be_taken_and_given_back(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        bt_ok(brood_handle_interrupt(NULL, NULL));
        assert_int_equal(brood_interrupt_count(), 0);
        brood_unhandle_interrupt();
    }
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_the_first_drains_and_the_second_kills),
                   bt_test(test_it_can_be_taken_and_given_back));
}
