/*
 * bench_pool.c - tasks of a pool: an int squared, or bytes that come back.
 *
 *     --workers N  --chunk N (0: the default)  --count N  --bytes N (0: ints; else each item's
 * size)
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

static brood_status give_back(brood_call *call)
{
    brood_value copy;
    BROOD_TRY(brood_value_copy(brood_item(brood_call_arguments(call), 0), &copy));
    return brood_call_return(call, copy);
}

static brood_value make_items(long count, long bytes)
{
    brood_value items = brood_list();
    char *data = calloc(1, (size_t)bytes + 1);
    BENCH_REQUIRE(data != NULL);
    memset(data, 'x', (size_t)bytes);
    for (long i = 0; i < count; i++)
        BROOD_CHECK(
            brood_append(&items, bytes == 0 ? brood_int(i) : brood_bytes(data, (size_t)bytes)));
    free(data);
    return items;
}

static int64_t map(brood_pool *pool, long count, long chunk, long bytes)
{
    brood_value items = make_items(count, bytes), results;
    brood_map_options options = {.chunksize = (size_t)chunk};
    int64_t begin = bench_now();
    BROOD_CHECK(brood_pool_map(pool, bytes == 0 ? square : give_back, items, &options, &results));
    int64_t elapsed = bench_now() - begin;
    BENCH_REQUIRE(brood_value_length(&results) == (size_t)count);
    for (long i = 0; i < count; i++) {
        int64_t got;
        if (bytes == 0) {
            BROOD_CHECK(brood_get_int(brood_item(&results, (size_t)i), &got));
            BENCH_REQUIRE(got == (int64_t)i * i);
        } else {
            BENCH_REQUIRE(brood_value_length(brood_item(&results, (size_t)i)) == (size_t)bytes);
        }
    }
    brood_value_clear(&results);
    return elapsed;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    long workers = bench_number(argc, argv, "workers", 2);
    long chunk = bench_number(argc, argv, "chunk", 1);
    long count = bench_number(argc, argv, "count", 100000);
    long bytes = bench_number(argc, argv, "bytes", 0);
    brood_pool *pool;
    BROOD_CHECK(brood_pool_create(&pool, &(brood_pool_options){.workers = (int)workers}));
    map(pool, count / 10 + 1, chunk, bytes);
    int64_t elapsed = map(pool, count, chunk, bytes);
    brood_pool_destroy(pool);
    bench_print_rate(elapsed, count);
    return 0;
}
