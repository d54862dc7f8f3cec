/*
 * manager_pool.c - tasks of a pool that use a manager's dict and lock, and a plain brood lock and
 * queue that came as arguments of the task. (Python refuses to send the plain ones to a pool's
 * workers after they were started.)
 *
 * Python: Pool.map with manager.dict(), manager.Lock()
 */
#include "check.h"

enum { TASKS = 12 };

/* (number, dict, manager's lock, plain lock, queue) */
static brood_status work(brood_call *call)
{
    const brood_value *item, *values[4];
    int64_t number, count;
    brood_proxy *dict, *lock;
    brood_lock *plain;
    brood_queue *queue;
    brood_value there;
    BROOD_TRY(brood_call_args(call, "v", &item));
    BROOD_TRY(
        brood_unpack(item, "(ivvvv)", &number, &values[0], &values[1], &values[2], &values[3]));
    BROOD_TRY(brood_get_proxy(values[0], &dict));
    BROOD_TRY(brood_get_proxy(values[1], &lock));
    BROOD_TRY(brood_get_lock(values[2], &plain));
    BROOD_TRY(brood_get_queue(values[3], &queue));

    BROOD_TRY(brood_proxy_acquire(lock, BROOD_FOREVER));
    BROOD_TRY(brood_proxy_get_item(dict, brood_str("count"), &there));
    BROOD_TRY(brood_get_int(&there, &count));
    BROOD_TRY(brood_proxy_set_item(dict, brood_str("count"), brood_int(count + 1)));
    BROOD_TRY(brood_proxy_release(lock));

    BROOD_TRY(brood_lock_acquire(plain, BROOD_FOREVER));
    brood_status status = brood_queue_put(queue, brood_int(number * number), BROOD_FOREVER);
    BROOD_TRY(brood_lock_release(plain));
    BROOD_TRY(status);
    return brood_call_return(call, brood_int(number));
}

int main(int argc, char **argv)
{
    brood_manager *manager;
    brood_proxy *dict, *lock;
    brood_lock *plain;
    brood_queue *queue;
    brood_pool *pool;
    brood_value results, count, items = brood_list();
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    BROOD_CHECK(brood_pool_create(&pool, &(brood_pool_options){.workers = 3}));
    BROOD_CHECK(brood_manager_start(&manager, NULL));
    BROOD_CHECK(brood_manager_object(manager, "dict", brood_pack("({si})", "count", 0), &dict));
    BROOD_CHECK(brood_manager_object(manager, "Lock", (brood_value){0}, &lock));
    BROOD_CHECK(brood_lock_create(&plain));
    BROOD_CHECK(brood_queue_create(&queue, NULL));
    for (int i = 0; i < TASKS; i++)
        BROOD_CHECK(brood_append(
            &items, brood_pack("(ivvvv)", i, brood_proxy_value(dict), brood_proxy_value(lock),
                               brood_lock_value(plain), brood_queue_value(queue))));

    BROOD_CHECK(brood_pool_map(pool, work, items, NULL, &results));
    EXPECT(brood_value_length(&results) == TASKS);
    brood_value_clear(&results);

    int64_t n, sum = 0;
    BROOD_CHECK(brood_proxy_get_item(dict, brood_str("count"), &count));
    BROOD_CHECK(brood_get_int(&count, &n));
    printf("%d tasks counted themselves in the dict\n", (int)n);
    EXPECT(n == TASKS);
    for (int i = 0; i < TASKS; i++) {
        brood_value square;
        BROOD_CHECK(brood_queue_get(queue, &square, BROOD_FOREVER));
        BROOD_CHECK(brood_get_int(&square, &n));
        sum += n;
    }
    printf("the sum of their squares in the queue is %d\n", (int)sum);
    EXPECT(sum == 506);

    brood_pool_destroy(pool);
    brood_queue_destroy(queue);
    brood_lock_destroy(plain);
    brood_proxy_close(lock);
    brood_proxy_close(dict);
    brood_manager_close(manager);
    return 0;
}
