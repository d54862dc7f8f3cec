/* test_array.c - lists and tuples. */
#include "support.h"

static brood_value numbers(int64_t n)
{
    brood_value list = brood_list();
    for (int64_t i = 0; i < n; i++)
        dt_ok(brood_append(&list, brood_int(i)));
    return list;
}

static void test_items_are_appended_in_order(void **state)
{
    (void)state;
    brood_value list = numbers(10000);
    assert_int_equal(brood_value_length(&list), 10000);
    for (size_t i = 0; i < 10000; i++) {
        int64_t number;
        dt_ok(brood_get_int(brood_item(&list, i), &number));
        assert_int_equal(number, i);
    }
    assert_null(brood_item(&list, 10000));
    assert_null(brood_item(&list, SIZE_MAX));
    brood_value_clear(&list);
    brood_value none = brood_none();
    assert_null(brood_item(&none, 0));
}

static void test_a_tuple_starts_with_none(void **state)
{
    (void)state;
    brood_value tuple = brood_tuple(3);
    dt_ok(brood_set_item(&tuple, 1, brood_str("x")));
    dt_ok(brood_set_item(&tuple, 1, brood_str("y")));
    dt_repr_is(&tuple, "(None, 'y', None)");
    dt_fails(brood_set_item(&tuple, 3, brood_str("z")), BROOD_ERANGE);
    dt_message("could not set an item: there is no item 3 among 3");
    dt_fails(brood_append(&tuple, brood_str("z")), BROOD_ETYPE);
    dt_message("could not append to a list: the value is of kind \"tuple\"");
    brood_value item;
    dt_ok(brood_take_item(&tuple, 1, &item));
    dt_shows(item, "'y'");
    dt_fails(brood_take_item(&tuple, 3, &item), BROOD_ERANGE);
    dt_shows(tuple, "(None, None, None)");
    dt_shows(brood_tuple(0), "()");
}

static void test_items_are_inserted_and_popped(void **state)
{
    (void)state;
    brood_value list = brood_list();
    dt_ok(brood_insert(&list, 0, brood_str("b")));
    dt_ok(brood_insert(&list, 0, brood_str("a")));
    dt_ok(brood_insert(&list, 99, brood_str("d")));
    dt_ok(brood_insert(&list, 2, brood_str("c")));
    dt_repr_is(&list, "['a', 'b', 'c', 'd']");
    brood_value item;
    dt_ok(brood_list_pop(&list, 1, &item));
    dt_shows(item, "'b'");
    dt_ok(brood_list_pop(&list, 2, &item));
    dt_shows(item, "'d'");
    dt_repr_is(&list, "['a', 'c']");
    dt_fails(brood_list_pop(&list, 2, &item), BROOD_ERANGE);
    dt_fails(brood_insert(&list, 0, (brood_value){0}), BROOD_EINVALID);
    dt_shows(list, "['a', 'c']");
    brood_value tuple = brood_tuple(1);
    dt_fails(brood_insert(&tuple, 0, brood_str("b")), BROOD_ETYPE);
    dt_fails(brood_list_pop(&tuple, 0, &item), BROOD_ETYPE);
    brood_value_clear(&tuple);
}

static void test_ranges_are_removed(void **state)
{
    (void)state;
    brood_value list = numbers(10);
    dt_ok(brood_append(&list, brood_str("end")));
    dt_ok(brood_list_remove(&list, 2, 8));
    dt_repr_is(&list, "[0, 1, 8, 9, 'end']");
    dt_ok(brood_list_remove(&list, 3, 3));
    dt_ok(brood_list_remove(&list, 4, 2));
    dt_ok(brood_list_remove(&list, 9, 99));
    dt_ok(brood_list_remove(&list, 3, SIZE_MAX));
    dt_repr_is(&list, "[0, 1, 8]");
    dt_ok(brood_list_remove(&list, 0, SIZE_MAX));
    dt_shows(list, "[]");
}

static void test_a_list_is_extended(void **state)
{
    (void)state;
    brood_value list = brood_list();
    dt_ok(brood_list_extend(&list, brood_list()));
    dt_ok(brood_list_extend(&list, brood_pack("(is)", 1, "x")));
    dt_ok(brood_list_extend(&list, brood_pack("[[i]]", 2)));
    dt_repr_is(&list, "[1, 'x', [2]]");
    dt_fails(brood_list_extend(&list, brood_str("abc")), BROOD_ETYPE);
    dt_fails(brood_list_extend(&list, brood_str("\xff")), BROOD_EFORMAT);
    dt_shows(list, "[1, 'x', [2]]");
    brood_value dict = brood_dict();
    dt_fails(brood_list_extend(&dict, brood_pack("[s]", "x")), BROOD_ETYPE);
}

static void test_slices_are_copies(void **state)
{
    (void)state;
    brood_value list = brood_pack("[s[i]s]", "a", 1, "c");
    brood_value slice;
    dt_ok(brood_slice(&list, 1, 99, &slice));
    brood_value_clear(&list);
    dt_shows(slice, "[[1], 'c']");
    brood_value tuple = brood_pack("(iii)", 1, 2, 3);
    dt_ok(brood_slice(&tuple, 0, 2, &slice));
    dt_shows(slice, "(1, 2)");
    dt_ok(brood_slice(&tuple, 2, 1, &slice));
    dt_shows(slice, "()");
    brood_value_clear(&tuple);
    dt_fails(brood_slice(&tuple, 0, 1, &slice), BROOD_EINVALID);
}

static void test_items_are_found(void **state)
{
    (void)state;
    brood_value list = brood_pack("[isfs]", 1, "x", 2.0, "x");
    brood_value two = brood_int(2);
    brood_value x = brood_str("x");
    brood_value y = brood_str("y");
    assert_int_equal(brood_index_of(&list, &two), 2);
    assert_int_equal(brood_index_of(&list, &x), 1);
    assert_true(brood_index_of(&list, &y) == SIZE_MAX);
    assert_true(brood_index_of(&x, &x) == SIZE_MAX);
    brood_value_clear(&list);
    brood_value_clear(&x);
    brood_value_clear(&y);
}

static void test_reserved_room_needs_no_memory(void **state)
{
    (void)state;
    brood_value list = brood_list();
    dt_ok(brood_list_reserve(&list, 100));
    bri_memory_fail_at(1, 1);
    for (int i = 0; i < 100; i++)
        dt_ok(brood_append(&list, brood_int(i)));
    dt_fails(brood_append(&list, brood_int(100)), BROOD_ENOMEM);
    dt_fails(brood_list_reserve(&list, SIZE_MAX / 8), BROOD_ENOMEM);
    bri_memory_fail_at(0, 0);
    assert_int_equal(brood_value_length(&list), 100);
    brood_value_clear(&list);
    dt_invalid(brood_tuple(SIZE_MAX / 4), BROOD_ENOMEM);
}

dt_main(dt_test(test_items_are_appended_in_order), dt_test(test_a_tuple_starts_with_none),
        dt_test(test_items_are_inserted_and_popped), dt_test(test_ranges_are_removed),
        dt_test(test_a_list_is_extended), dt_test(test_slices_are_copies),
        dt_test(test_items_are_found), dt_test(test_reserved_room_needs_no_memory))
