/*
 * bench_pool.c - tasks of a pool or an executor: an int squared, or bytes that come back.
 *
 *     --how map|imap|apply_async|executor  --workers N  --chunk N (0: the default)  --count N
 *     --bytes N (0: ints; else each item's size)  --shared 1 (the bytes stay in shared memory)
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

/* Bytes in an array, which travels as a reference. */
static brood_value make_shared(const char *data, long bytes)
{
    brood_array *array;
    BROOD_CHECK(
        brood_array_create(&array, "B", (size_t)bytes, &(brood_array_options){.unlocked = true}));
    memcpy(brood_array_data(array), data, (size_t)bytes);
    brood_value value = brood_array_value(array);
    brood_array_destroy(array);
    return value;
}

static brood_value make_items(long count, long bytes, bool shared)
{
    brood_value items = brood_list();
    char *data = calloc(1, (size_t)bytes + 1);
    BENCH_REQUIRE(data != NULL);
    memset(data, 'x', (size_t)bytes);
    for (long i = 0; i < count; i++)
        BROOD_CHECK(brood_append(&items, bytes == 0 ? brood_int(i)
                                         : shared   ? make_shared(data, bytes)
                                                    : brood_bytes(data, (size_t)bytes)));
    free(data);
    return items;
}

/* The size of what came back, whose last byte has to be right. */
static size_t size_of(const brood_value *result, bool shared)
{
    brood_array *array;
    const void *data;
    size_t size;
    if (shared) {
        BROOD_CHECK(brood_get_array(result, &array));
        data = brood_array_data(array);
        size = brood_array_length(array);
    } else {
        BROOD_CHECK(brood_get_bytes(result, &data, &size));
    }
    BENCH_REQUIRE(size > 0 && ((const char *)data)[size - 1] == 'x');
    return size;
}

static int64_t map(brood_pool *pool, long count, long chunk, long bytes, bool shared)
{
    brood_value items = make_items(count, bytes, shared), results;
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
            BENCH_REQUIRE(size_of(brood_item(&results, (size_t)i), shared) == (size_t)bytes);
        }
    }
    brood_value_clear(&results);
    return elapsed;
}

/* Results as they come, in any order. */
static int64_t imap(brood_pool *pool, long count, long chunk)
{
    brood_value items = make_items(count, 0, false), value;
    brood_map_options options = {.chunksize = (size_t)chunk};
    brood_imap *results;
    int64_t begin = bench_now(), sum = 0, expected = 0;
    BROOD_CHECK(brood_pool_imap_unordered(pool, square, items, &options, &results));
    long n = 0;
    for (; brood_imap_next(results, &value, BROOD_FOREVER) == BROOD_OK; n++) {
        int64_t got;
        BROOD_CHECK(brood_get_int(&value, &got));
        sum += got;
    }
    int64_t elapsed = bench_now() - begin;
    for (long i = 0; i < count; i++)
        expected += (int64_t)i * i;
    BENCH_REQUIRE(n == count && sum == expected);
    brood_imap_destroy(results);
    return elapsed;
}

/* All submitted, then all taken. One of the two is NULL. */
static int64_t submit(brood_pool *pool, brood_executor *executor, long count)
{
    brood_future **futures = malloc((size_t)count * sizeof(brood_future *));
    BENCH_REQUIRE(futures != NULL);
    int64_t begin = bench_now();
    for (long i = 0; i < count; i++) {
        brood_value args = brood_pack("(l)", (int64_t)i);
        BROOD_CHECK(pool != NULL
                        ? brood_pool_apply_async(pool, square, args, NULL, &futures[i])
                        : brood_executor_submit(executor, square, args, NULL, &futures[i]));
    }
    for (long i = 0; i < count; i++) {
        brood_value value;
        int64_t got;
        BROOD_CHECK(brood_future_take(futures[i], &value, BROOD_FOREVER));
        BROOD_CHECK(brood_get_int(&value, &got));
        BENCH_REQUIRE(got == (int64_t)i * i);
        brood_future_destroy(futures[i]);
    }
    int64_t elapsed = bench_now() - begin;
    free(futures);
    return elapsed;
}

static int64_t run(brood_pool *pool, const char *how, long count, long chunk, long bytes,
                   bool shared)
{
    if (strcmp(how, "imap") == 0)
        return imap(pool, count, chunk);
    if (strcmp(how, "apply_async") == 0)
        return submit(pool, NULL, count);
    return map(pool, count, chunk, bytes, shared);
}

static int64_t run_executor(long workers, long count)
{
    brood_executor *executor;
    brood_executor_options options = {.workers = (int)workers};
    BROOD_CHECK(brood_executor_create(&executor, &options));
    submit(NULL, executor, count / 10 + 1);
    int64_t elapsed = submit(NULL, executor, count);
    brood_executor_destroy(executor);
    return elapsed;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    const char *how = bench_word(argc, argv, "how", "map");
    long workers = bench_number(argc, argv, "workers", 2);
    long chunk = bench_number(argc, argv, "chunk", 1);
    long count = bench_number(argc, argv, "count", 100000);
    long bytes = bench_number(argc, argv, "bytes", 0);
    bool shared = bench_number(argc, argv, "shared", 0) != 0;
    if (strcmp(how, "executor") == 0) {
        bench_print_rate(run_executor(workers, count), count);
        return 0;
    }
    brood_pool *pool;
    BROOD_CHECK(brood_pool_create(&pool, &(brood_pool_options){.workers = (int)workers}));
    run(pool, how, count / 10 + 1, chunk, bytes, shared);
    int64_t elapsed = run(pool, how, count, chunk, bytes, shared);
    brood_pool_destroy(pool);
    bench_print_rate(elapsed, count);
    return 0;
}
