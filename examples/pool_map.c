/*
 * pool_map.c - the ways to run one function over many items: map, map_async, starmap, imap,
 * imap_unordered, a generator; chunks, an initializer, and workers that are replaced after some
 * tasks.
 *
 * Python: Pool(initializer=..., maxtasksperchild=...).map and its kin
 */
#include "check.h"

static int64_t base; /* of a worker: set by the initializer */

static brood_status set_base(brood_call *call)
{
    return brood_call_args(call, "l", &base);
}

static brood_status add_base(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "l", &n));
    return brood_call_return(call, brood_int(base + n));
}

static brood_status multiply(brood_call *call)
{
    int64_t a, b;
    BROOD_TRY(brood_call_args(call, "ll", &a, &b));
    return brood_call_return(call, brood_int(a * b));
}

static brood_status get_pid(brood_call *call)
{
    return brood_call_return(call, brood_int(brood_process_pid(brood_current_process())));
}

static brood_value numbers(int n)
{
    brood_value list = brood_list();
    for (int i = 0; i < n; i++)
        BROOD_CHECK(brood_append(&list, brood_int(i)));
    return list;
}

static int64_t int_of(const brood_value *value)
{
    int64_t n;
    BROOD_CHECK(brood_get_int(value, &n));
    return n;
}

static void use_map(brood_pool *pool)
{
    brood_value results;
    brood_future *future;
    const brood_value *later;
    BROOD_CHECK(brood_pool_map(pool, add_base, numbers(20), NULL, &results));
    printf("map: ");
    brood_value_print(&results, stdout);
    printf("\n");
    for (size_t i = 0; i < 20; i++)
        EXPECT(int_of(brood_item(&results, i)) == 100 + (int64_t)i);
    brood_value_clear(&results);

    brood_map_options in_chunks = {.chunksize = 7};
    BROOD_CHECK(brood_pool_map_async(pool, add_base, numbers(100), &in_chunks, &future));
    BROOD_CHECK(brood_future_get(future, &later, BROOD_FOREVER));
    EXPECT(brood_value_length(later) == 100 && int_of(brood_item(later, 99)) == 199);
    brood_future_destroy(future);

    BROOD_CHECK(brood_pool_starmap(pool, multiply, brood_pack("[(ii)(ii)(ii)]", 1, 2, 3, 4, 5, 6),
                                   NULL, &results));
    printf("starmap: ");
    brood_value_print(&results, stdout);
    printf("\n");
    EXPECT(int_of(brood_item(&results, 2)) == 30);
    brood_value_clear(&results);
}

/* Items that are made when they are needed. */
static brood_status count_up(void *context, brood_value *item)
{
    int64_t *next = context;
    if (*next == 50)
        return BROOD_EEOF;
    *item = brood_int((*next)++);
    return BROOD_OK;
}

static void use_imap(brood_pool *pool)
{
    brood_imap *results;
    brood_value value;
    int64_t expected = 100, sum = 0, next = 0;
    BROOD_CHECK(brood_pool_imap(pool, add_base, numbers(50), NULL, &results));
    while (brood_imap_next(results, &value, BROOD_FOREVER) == BROOD_OK)
        EXPECT(int_of(&value) == expected++); /* in order */
    EXPECT(expected == 150);
    brood_imap_destroy(results);

    brood_map_options options = {.generator = count_up, .context = &next, .window = 8};
    BROOD_CHECK(brood_pool_imap_unordered(pool, add_base, (brood_value){0}, &options, &results));
    while (brood_imap_next(results, &value, BROOD_FOREVER) == BROOD_OK)
        sum += int_of(&value); /* in any order */
    EXPECT(sum == 50 * 100 + 49 * 50 / 2);
    brood_imap_destroy(results);
    printf("imap, imap_unordered: as expected\n");
}

/* With two tasks a worker, six tasks need three workers. */
static void replace_workers(void)
{
    brood_pool *pool;
    brood_value pids;
    BROOD_CHECK(
        brood_pool_create(&pool, &(brood_pool_options){.workers = 1, .max_tasks_per_worker = 2}));
    BROOD_CHECK(brood_pool_starmap(pool, get_pid, brood_pack("[()()()()()()]"),
                                   &(brood_map_options){.chunksize = 1}, &pids));
    for (size_t i = 0; i < 6; i += 2) {
        EXPECT(int_of(brood_item(&pids, i)) == int_of(brood_item(&pids, i + 1)));
        EXPECT(i == 0 || int_of(brood_item(&pids, i)) != int_of(brood_item(&pids, i - 1)));
    }
    printf("two tasks a worker: ");
    brood_value_print(&pids, stdout);
    printf("\n");
    brood_value_clear(&pids);
    brood_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    brood_pool *pool;
    brood_pool_options options = {
        .workers = 3, .initializer = set_base, .initargs = brood_pack("(i)", 100)};
    BROOD_CHECK(brood_pool_create(&pool, &options));
    use_map(pool);
    use_imap(pool);
    BROOD_CHECK(brood_pool_close(pool));
    BROOD_CHECK(brood_pool_join(pool, BROOD_FOREVER));
    brood_pool_destroy(pool);
    replace_workers();
    return 0;
}
