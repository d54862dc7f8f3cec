/*
 * bench_memory.c - memory of its own that an idle process has.
 *
 *     --what worker   a worker of a pool that has run its tasks
 *     --what library  what this program has more of than before brood_init
 */
#include <string.h>

#include <brood/brood.h>

#include "bench.h"

static brood_status square(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "l", &n));
    return brood_call_return(call, brood_int(n * n));
}

/* The one of them that has most, after each has had something to do. */
static long measure_workers(void)
{
    enum { WORKERS = 4, TASKS = 4000 };
    brood_pool *pool;
    brood_pool_stats all;
    brood_worker_stats stats[WORKERS];
    size_t n;
    long most = 0;
    BROOD_CHECK(brood_pool_create(&pool, &(brood_pool_options){.workers = WORKERS}));
    brood_value items = brood_list(), results;
    for (int64_t i = 0; i < TASKS; i++)
        BROOD_CHECK(brood_append(&items, brood_int(i)));
    BROOD_CHECK(brood_pool_map(pool, square, items, NULL, &results));
    brood_value_clear(&results);
    BROOD_CHECK(brood_pool_get_stats(pool, &all, stats, WORKERS, &n));
    BENCH_REQUIRE(n == WORKERS);
    for (size_t i = 0; i < n; i++) {
        long kb = bench_private_kb(stats[i].pid);
        most = kb > most ? kb : most;
    }
    brood_pool_destroy(pool);
    return most;
}

int main(int argc, char **argv)
{
    long before = bench_private_kb(0);
    BROOD_CHECK(brood_init(&argc, &argv));
    long kb = bench_private_kb(0) - before;
    if (strcmp(bench_word(argc, argv, "what", "worker"), "worker") == 0)
        kb = measure_workers();
    printf("metric=KB value=%ld\n", kb > 0 ? kb : 1);
    return 0;
}
