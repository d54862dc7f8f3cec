/* brood-test: start-methods */
/* Ctrl-C once drains, twice kills. The interrupts come from this process itself. */
#include "pools.h"

#include <signal.h>
#include <stdatomic.h>

typedef struct seen {
    brood_queue *told;
    atomic_int last;
} seen;

static void note(void *context, int count)
{
    seen *s = context;
    atomic_store(&s->last, count);
    brood_queue_put(s->told, brood_int(count), HANG);
}

static void interrupt_and_wait(seen *s)
{
    brood_value count;
    raise(SIGINT);
    bt_ok(brood_queue_get(s->told, &count, HANG));
}

static void test_the_first_drains_and_the_second_kills(void **state)
{
    (void)state;
    if (bt_is_windows())
        bt_skip("a process cannot interrupt itself alone in a console");
    brood_pool *pool;
    seen s = {0};
    brood_queue *told, *awaited;
    brood_future *running[2], *queued;
    brood_value value;
    bt_ok(brood_queue_create(&s.told, NULL));
    bt_ok(brood_queue_create(&told, NULL));
    bt_ok(brood_queue_create(&awaited, NULL));
    bt_ok(brood_handle_interrupt(note, &s));
    bt_fails(brood_handle_interrupt(note, &s), BROOD_ESTATE);
    bt_ok(brood_pool_create(&pool, &(brood_pool_options){.workers = 2}));
    for (int i = 0; i < 2; i++) {
        bt_ok(brood_pool_apply_async(
            pool, hold, brood_pack("(vv)", brood_queue_value(told), brood_queue_value(awaited)),
            NULL, &running[i]));
        bt_ok(brood_queue_get(told, &value, HANG));
    }
    bt_ok(brood_pool_apply_async(pool, square, brood_pack("(i)", 2), NULL, &queued));

    interrupt_and_wait(&s);
    assert_int_equal(brood_interrupt_count(), 1);
    bt_fails(brood_future_take(queued, &value, 0), BROOD_ECANCELLED);
    bt_fails(brood_pool_apply_async(pool, square, brood_pack("(i)", 2), NULL, NULL), BROOD_ESTATE);
    bt_ok(brood_queue_put(awaited, brood_int(5), HANG));
    size_t n;
    bt_ok(brood_wait_futures(running, 2, BROOD_WAIT_FIRST, HANG, &n));
    assert_int_equal(n, 1);
    assert_true(brood_future_is_successful(running[0]) || brood_future_is_successful(running[1]));

    interrupt_and_wait(&s);
    assert_int_equal(brood_interrupt_count(), 2);
    bt_ok(brood_wait_futures(running, 2, BROOD_WAIT_ALL, HANG, NULL));
    assert_true(brood_future_is_cancelled(running[0]) != brood_future_is_cancelled(running[1]));
    bt_ok(brood_pool_join(pool, HANG));
    brood_unhandle_interrupt();
    for (int i = 0; i < 2; i++)
        brood_future_destroy(running[i]);
    brood_future_destroy(queued);
    brood_pool_destroy(pool);
    brood_queue_destroy(told);
    brood_queue_destroy(awaited);
    brood_queue_destroy(s.told);
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
