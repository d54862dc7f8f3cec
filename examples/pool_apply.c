/*
 * pool_apply.c - ten tasks, each waited for, then ten at once whose results come later; a pool that
 * is closed and joined, and one that is terminated.
 *
 * Python: Pool.apply, Pool.apply_async, close, join, terminate
 */
#include "check.h"

enum { N = 10 };

static brood_status square(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "l", &n));
    return brood_call_return(call, brood_int(n * n));
}

static brood_status sleep_long(brood_call *call)
{
    (void)call;
    brood_sleep(600000);
    return BROOD_OK;
}

static void expect_square(brood_value *result, int64_t n)
{
    int64_t got;
    BROOD_CHECK(brood_get_int(result, &got));
    printf("%lld%s", (long long)got, n + 1 < N ? ", " : "\n");
    EXPECT(got == n * n);
}

static void apply_one_by_one(brood_pool *pool)
{
    for (int n = 0; n < N; n++) {
        brood_value result;
        BROOD_CHECK(brood_pool_apply(pool, square, brood_pack("(i)", n), NULL, &result));
        expect_square(&result, n);
    }
}

static void apply_at_once(brood_pool *pool)
{
    brood_future *futures[N];
    for (int n = 0; n < N; n++)
        BROOD_CHECK(brood_pool_apply_async(pool, square, brood_pack("(i)", n), NULL, &futures[n]));
    for (int n = 0; n < N; n++) {
        brood_value result;
        BROOD_CHECK(brood_future_take(futures[n], &result, BROOD_FOREVER));
        expect_square(&result, n);
        brood_future_destroy(futures[n]);
    }
}

static void terminate_one(void)
{
    brood_pool *pool;
    brood_future *future;
    const brood_value *result;
    BROOD_CHECK(brood_pool_create(&pool, &(brood_pool_options){.workers = 2}));
    BROOD_CHECK(brood_pool_apply_async(pool, sleep_long, (brood_value){0}, NULL, &future));
    EXPECT(brood_future_get(future, &result, 50) == BROOD_ETIMEDOUT);
    BROOD_CHECK(brood_pool_terminate(pool));
    BROOD_CHECK(brood_pool_join(pool, BROOD_FOREVER));
    EXPECT(brood_future_get(future, &result, BROOD_FOREVER) == BROOD_ECANCELLED);
    printf("terminated: the task was cancelled\n");
    brood_future_destroy(future);
    brood_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    brood_pool *pool;
    brood_future *late;
    BROOD_CHECK(brood_pool_create(&pool, &(brood_pool_options){.workers = 4}));
    apply_one_by_one(pool);
    apply_at_once(pool);
    BROOD_CHECK(brood_pool_close(pool));
    EXPECT(brood_pool_apply_async(pool, square, brood_pack("(i)", 1), NULL, &late) == BROOD_ESTATE);
    BROOD_CHECK(brood_pool_join(pool, BROOD_FOREVER));
    brood_pool_destroy(pool);
    terminate_one();
    return 0;
}
