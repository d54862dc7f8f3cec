/* brood-test: start-methods */
/* A pool of two hundred workers. A program of its own: under Wine one server makes all processes,
 * which takes a minute and more when the machine is busy. */
#include "pools.h"

static void test_two_hundred_workers_share_the_tasks(void **state)
{
    (void)state;
    enum { WORKERS = 200 };
    if (bt_has_thread_sanitizer())
        bt_skip("the sanitizer's processes are too large");
    brood_pool *pool = make_pool(WORKERS);
    size_t n;
    brood_value results;
    bt_ok(brood_pool_map(pool, get_pid, numbers(2000), &(brood_map_options){.chunksize = 1},
                         &results));
    brood_value_clear(&results);
    bt_ok(brood_pool_pids(pool, NULL, 0, &n));
    assert_int_equal(n, WORKERS);
    bt_ok(brood_pool_close(pool));
    bt_ok(brood_pool_join(pool, HANG));
    brood_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_two_hundred_workers_share_the_tasks));
}
