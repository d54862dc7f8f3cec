/* brood-test: start-methods */
/* Maps whose arguments and results are from none to more bytes than may be on their way. */
#include "pools.h"

/* Exchanges the halves of the bytes. */
static brood_status turn(brood_call *call)
{
    const void *given;
    size_t size;
    BROOD_TRY(brood_call_args(call, "y", &given, &size));
    const char *data = given;
    char *copy = malloc(size + 1);
    bt_check(call, copy != NULL);
    memcpy(copy, data + size / 2, size - size / 2);
    memcpy(copy + size - size / 2, data, size / 2);
    brood_status status = brood_call_return(call, brood_bytes(copy, size));
    free(copy);
    return status;
}

/* The bytes of an item: each 500 differ from the others. */
static char *make_bytes(size_t item, size_t size)
{
    char *data = malloc(size + 1);
    assert_non_null(data);
    for (size_t i = 0; i < size; i += 500)
        memset(data + i, (int)(item * 31 + i / 500), size - i < 500 ? size - i : 500);
    return data;
}

static void turn_sizes(brood_pool *pool, const size_t *sizes, size_t n, size_t chunk)
{
    brood_value items = brood_list(), results;
    for (size_t item = 0; item < n; item++) {
        char *data = make_bytes(item, sizes[item]);
        bt_ok(brood_append(&items, brood_bytes(data, sizes[item])));
        free(data);
    }
    brood_map_options options = {.chunksize = chunk};
    bt_ok(brood_pool_map(pool, turn, items, &options, &results));
    for (size_t item = 0; item < n; item++) {
        const void *got;
        size_t size, half = sizes[item] / 2;
        char *data = make_bytes(item, sizes[item]);
        bt_ok(brood_get_bytes(brood_item(&results, item), &got, &size));
        assert_int_equal(size, sizes[item]);
        assert_memory_equal(got, data + half, size - half);
        assert_memory_equal((const char *)got + size - half, data, half);
        free(data);
    }
    brood_value_clear(&results);
}

static void test_arguments_and_results_of_all_sizes_arrive(void **state)
{
    (void)state;
    /* More in one task than the arena keeps of free memory; and one by one. Each megabyte is
     * written a dozen times on its way, into new pages, so there are no more than it takes. */
    static const size_t huge[] = {40 << 20, 1, 24 << 20, 1000}, large[] = {5 << 20, 1, 3 << 20, 9};
    brood_pool *pool = make_pool(2);
    size_t sizes[200];
    for (size_t i = 0; i < 200; i++)
        sizes[i] = i;
    turn_sizes(pool, sizes, 200, 1);
    turn_sizes(pool, sizes, 200, 7);
    for (size_t i = 0; i < 200; i++)
        sizes[i] = i * i * 3;
    turn_sizes(pool, sizes, 200, 1);
    turn_sizes(pool, sizes, 200, 13);
    turn_sizes(pool, large, 4, 1);
    turn_sizes(pool, huge, 4, 4);
    end_pool(pool);
}

static void test_more_bytes_than_may_be_on_their_way_arrive(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(2);
    size_t sizes[15];
    for (size_t i = 0; i < 15; i++)
        sizes[i] = 2 << 20;
    turn_sizes(pool, sizes, 15, 1);
    end_pool(pool);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_arguments_and_results_of_all_sizes_arrive),
                   bt_test(test_more_bytes_than_may_be_on_their_way_arrive));
}
