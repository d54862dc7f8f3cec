/*
 * pool_reuse.c - five tasks on four workers: four processes, and the fifth task on the one that is
 * free first.
 *
 * Python: Pool(4).apply_async, os.getpid()
 */
#include "check.h"

enum { WORKERS = 4, TASKS = 5 };

/* (name, milliseconds): gives the worker's pid. The first four tasks wait until all have begun. */
static brood_status work(brood_call *call)
{
    int64_t number, duration;
    const brood_value *value;
    brood_queue *begun;
    BROOD_TRY(brood_call_args(call, "llv", &number, &duration, &value));
    BROOD_TRY(brood_get_queue(value, &begun));
    BROOD_TRY(brood_queue_put(begun, brood_int(number), BROOD_FOREVER));
    while (number < WORKERS && brood_queue_size(begun) < WORKERS)
        brood_sleep(1);
    brood_sleep(duration);
    return brood_call_return(call, brood_int(brood_process_pid(brood_current_process())));
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    static const int64_t durations[TASKS] = {30, 5, 20, 10, 1};
    brood_pool *pool;
    brood_queue *begun;
    brood_future *futures[TASKS];
    int64_t pids[TASKS];
    BROOD_CHECK(brood_queue_create(&begun, NULL));
    BROOD_CHECK(brood_pool_create(&pool, &(brood_pool_options){.workers = WORKERS}));
    for (int i = 0; i < TASKS; i++)
        BROOD_CHECK(brood_pool_apply_async(
            pool, work, brood_pack("(ilv)", i, durations[i], brood_queue_value(begun)), NULL,
            &futures[i]));
    for (int i = 0; i < TASKS; i++) {
        brood_value result;
        BROOD_CHECK(brood_future_take(futures[i], &result, BROOD_FOREVER));
        BROOD_CHECK(brood_get_int(&result, &pids[i]));
        printf("task %d of %2lld ms ran in process %lld\n", i, (long long)durations[i],
               (long long)pids[i]);
        brood_future_destroy(futures[i]);
    }
    for (int i = 0; i < WORKERS; i++)
        for (int k = 0; k < i; k++)
            EXPECT(pids[i] != pids[k]);
    bool again = false;
    for (int i = 0; i < WORKERS; i++)
        again = again || pids[TASKS - 1] == pids[i];
    EXPECT(again);
    BROOD_CHECK(brood_pool_close(pool));
    BROOD_CHECK(brood_pool_join(pool, BROOD_FOREVER));
    brood_pool_destroy(pool);
    brood_queue_destroy(begun);
    return 0;
}
