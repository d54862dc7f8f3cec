/* What values weigh, that it covers what they take, and that trimmed containers stay whole. */
#include "data/weight.h"

#include "support.h"

#include "data/heap.h"

enum { MANY = 10000, FEW = 10 };

static uint64_t weight_of(brood_value value)
{
    uint64_t weight = bri_weigh(&value);
    brood_value_clear(&value);
    return weight;
}

static void test_parts_add_up(void **state)
{
    (void)state;
    uint64_t text = weight_of(brood_str("some text")), number = weight_of(brood_int(1));
    assert_int_equal(number, sizeof(brood_value));
    assert_true(text > number + strlen("some text"));
    uint64_t list = weight_of(brood_list());
    assert_int_equal(weight_of(brood_pack("[i]", 1)), list + number);
    assert_int_equal(weight_of(brood_pack("[is]", 1, "some text")), list + number + text);
    assert_int_equal(weight_of(brood_pack("([i]s)", 1, "some text")), 2 * list + number + text);
    uint64_t dict = weight_of(brood_dict());
    assert_int_equal(weight_of(brood_pack("{si}", "some text", 1)),
                     dict + BRI_ENTRY_WEIGHT + text + number);
    brood_value set = brood_set();
    uint64_t empty = bri_weigh(&set);
    dt_ok(brood_set_add(&set, brood_str("some text")));
    assert_int_equal(weight_of(set), empty + BRI_ENTRY_WEIGHT + text);
    brood_value error = brood_error_value("ValueError", "some text");
    assert_true(weight_of(error) > text + 2 * strlen("some text"));
}

/* The block of a container that was filled one by one. */
static void test_growing_ahead_is_covered_twice(void **state)
{
    (void)state;
    brood_value list = brood_list(), dict = brood_dict();
    for (int i = 0; i < MANY; i++) {
        dt_ok(brood_append(&list, brood_int(i)));
        dt_ok(brood_dict_put(&dict, brood_int(i), brood_none()));
        size_t array = sizeof(bri_array) + bri_array_of(&list)->capacity * sizeof(brood_value);
        assert_true(array <= 2 * bri_weigh(&list));
        if (i % 100 != 0 && i > 100)
            continue; /* that many are counted each time */
        const bri_table *block = bri_table_of(&dict);
        size_t table = sizeof(bri_table) + block->capacity * bri_entry_size(&dict) +
                       (block->mask + 1) * sizeof(uint32_t);
        assert_true(table <= 2 * bri_weigh(&dict));
    }
    brood_value_clear(&list);
    brood_value_clear(&dict);
}

static void test_a_trimmed_list_is_whole(void **state)
{
    (void)state;
    brood_value list = brood_list();
    for (int i = 0; i < MANY; i++)
        dt_ok(brood_append(&list, brood_int(i)));
    bri_trim(&list);
    assert_true(bri_array_of(&list)->capacity >= MANY);
    dt_ok(brood_list_remove(&list, FEW, MANY));
    bri_trim(&list);
    assert_true(bri_array_of(&list)->capacity <= 4 * FEW);
    dt_repr_is(&list, "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]");
    dt_ok(brood_list_remove(&list, 0, FEW));
    for (int i = 0; i < MANY; i++)
        dt_ok(brood_append(&list, brood_int(i)));
    dt_ok(brood_list_remove(&list, 0, MANY));
    bri_trim(&list);
    assert_null(list.as.heap);
    dt_ok(brood_append(&list, brood_int(1)));
    dt_repr_is(&list, "[1]");
    brood_value_clear(&list);
}

static void test_a_trimmed_dict_is_whole(void **state)
{
    (void)state;
    brood_value dict = brood_dict();
    for (int i = 0; i < MANY; i++)
        dt_ok(brood_dict_put(&dict, brood_int(i), brood_int(-i)));
    for (int i = 0; i < MANY; i++) {
        brood_value key = brood_int(i);
        if (i % (MANY / FEW) != 7)
            assert_true(brood_dict_remove(&dict, &key));
        bri_trim(&dict);
        size_t count = brood_value_length(&dict), capacity = bri_table_of(&dict)->capacity;
        assert_true(capacity <= 64 || count >= capacity / 4);
    }
    assert_int_equal(brood_value_length(&dict), FEW);
    for (int i = 0; i < MANY; i++) {
        brood_value key = brood_int(i);
        const brood_value *item = brood_dict_get(&dict, &key);
        assert_int_equal(item != NULL, i % (MANY / FEW) == 7);
        if (item != NULL)
            assert_int_equal(item->as.integer, -i);
    }
    brood_value_clear(&dict);
}

/* Without memory nothing is trimmed, and nothing is lost. */
static void test_trimming_without_memory(void **state)
{
    (void)state;
    brood_value dict = brood_dict();
    for (int i = 0; i < MANY; i++)
        dt_ok(brood_dict_put(&dict, brood_int(i), brood_none()));
    for (int i = FEW; i < MANY; i++) {
        brood_value key = brood_int(i);
        assert_true(brood_dict_remove(&dict, &key));
    }
    bri_memory_fail_at(1, 1);
    bri_trim(&dict);
    bri_memory_fail_at(0, 0);
    assert_int_equal(brood_value_length(&dict), FEW);
    bri_trim(&dict);
    assert_true(bri_table_of(&dict)->capacity <= 4 * FEW);
    assert_int_equal(brood_value_length(&dict), FEW);
    brood_value_clear(&dict);
}

dt_main(dt_test(test_parts_add_up), dt_test(test_growing_ahead_is_covered_twice),
        dt_test(test_a_trimmed_list_is_whole), dt_test(test_a_trimmed_dict_is_whole),
        dt_test(test_trimming_without_memory))
