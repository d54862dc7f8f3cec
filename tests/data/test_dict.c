/* test_dict.c - dicts and sets, and the hash table under them. */
#include "support.h"

#include <math.h>

#include "data/hash.h"
#include "data/heap.h"

static void test_a_dict_keeps_insertion_order(void **state)
{
    (void)state;
    brood_value dict = brood_dict();
    dt_ok(brood_dict_put_str(&dict, "b", brood_int(1)));
    dt_ok(brood_dict_put_str(&dict, "a", brood_int(2)));
    dt_ok(brood_dict_put(&dict, brood_int(3), brood_str("three")));
    dt_ok(brood_dict_put_str(&dict, "b", brood_int(4))); /* keeps its place */
    dt_repr_is(&dict, "{'b': 4, 'a': 2, 3: 'three'}");
    assert_true(brood_dict_remove_str(&dict, "b"));
    assert_false(brood_dict_remove_str(&dict, "b"));
    dt_ok(brood_dict_put_str(&dict, "b", brood_int(5)));
    dt_repr_is(&dict, "{'a': 2, 3: 'three', 'b': 5}");
    assert_int_equal(brood_value_length(&dict), 3);
    brood_value_clear(&dict);
}

static void test_the_first_of_equal_keys_stays(void **state)
{
    (void)state;
    brood_value dict = brood_dict();
    dt_ok(brood_dict_put(&dict, brood_bool(true), brood_str("a")));
    dt_ok(brood_dict_put(&dict, brood_int(1), brood_str("b")));
    dt_ok(brood_dict_put(&dict, brood_float(1.0), brood_str("c")));
    dt_shows(dict, "{True: 'c'}");
}

static void test_many_keys_are_found(void **state)
{
    (void)state;
    enum { N = 20000 };
    brood_value dict = brood_dict();
    char name[32];
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "key%d", i);
        dt_ok(brood_dict_put_str(&dict, name, brood_int(i)));
        dt_ok(brood_dict_put(&dict, brood_int(i), brood_int(-i)));
    }
    for (int i = 0; i < N; i += 3) {
        snprintf(name, sizeof name, "key%d", i);
        assert_true(brood_dict_remove_str(&dict, name));
    }
    for (int i = 0; i < N; i++) {
        int64_t number = 0;
        snprintf(name, sizeof name, "key%d", i);
        if (i % 3 == 0) {
            assert_null(brood_dict_get_str(&dict, name));
        } else {
            dt_ok(brood_dict_get_int(&dict, name, &number));
            assert_int_equal(number, i);
        }
        brood_value key = brood_int(i);
        dt_ok(brood_get_int(brood_dict_get(&dict, &key), &number));
        assert_int_equal(number, -i);
    }
    assert_int_equal(brood_value_length(&dict), 2 * N - (N + 2) / 3);
    brood_value_clear(&dict);
}

static void test_a_dict_used_as_a_queue_stays_small(void **state)
{
    (void)state;
    brood_value dict = brood_dict();
    for (int i = 0; i < 100000; i++) {
        dt_ok(brood_dict_put(&dict, brood_int(i), brood_none()));
        if (i >= 10) {
            brood_value old = brood_int(i - 10);
            assert_true(brood_dict_remove(&dict, &old));
        }
    }
    assert_int_equal(brood_value_length(&dict), 10);
    size_t position = 0;
    const brood_value *key;
    int64_t number = 0;
    assert_true(brood_dict_next(&dict, &position, &key, NULL));
    dt_ok(brood_get_int(key, &number));
    assert_int_equal(number, 99990);
    assert_true(position < 64); /* removed entries were given up */
    brood_value_clear(&dict);
}

static void test_entries_may_be_removed_while_stepping(void **state)
{
    (void)state;
    brood_value dict = brood_dict();
    for (int i = 0; i < 50; i++)
        dt_ok(brood_dict_put(&dict, brood_int(i), brood_str("x")));
    size_t position = 0;
    const brood_value *key;
    const brood_value *item;
    int seen = 0;
    while (brood_dict_next(&dict, &position, &key, &item)) {
        brood_value copy = *key;
        assert_true(brood_dict_remove(&dict, &copy));
        seen++;
    }
    assert_int_equal(seen, 50);
    dt_ok(brood_dict_put(&dict, brood_int(7), brood_none()));
    dt_shows(dict, "{7: None}");
}

/* Ways to keys would have no end if those that are taken left their marks. */
static void test_a_dict_used_as_a_stack_stays_small(void **state)
{
    (void)state;
    brood_value dict = brood_dict();
    for (int i = 0; i < 10000; i++) {
        dt_ok(brood_dict_put(&dict, brood_int(i), brood_none()));
        if (i < 10)
            continue;
        bri_replaced taken;
        bri_table_take(&dict, bri_table_last(&dict), &taken);
        assert_int_equal(taken.key.as.integer, i);
        assert_int_equal(bri_table_last(&dict)->key.as.integer, 9);
    }
    assert_true(bri_table_of(&dict)->capacity < 64);
    brood_value_clear(&dict);
}

/* The last key, which is taken, and again the last, between what else is done. */
static void test_the_last_is_taken_last_in_first_out(void **state)
{
    (void)state;
    enum { STEPS = 100000, KEYS = 300 };
    static int order[KEYS], n; /* the keys that are there, in their order */
    uint32_t random = 1;
    brood_value dict = brood_dict();
    assert_null(bri_table_last(&dict));
    for (int step = 0; step < STEPS; step++) {
        random = random * 1664525 + 1013904223;
        int number = (int)((random >> 8) % KEYS);
        int what = (int)(random >> 28); /* more is put, then more is taken, and so on */
        int at = 0;
        brood_value key = brood_int(number);
        while (at < n && order[at] != number)
            at++;
        assert_int_equal(brood_dict_get(&dict, &key) != NULL, at < n);
        if (what < (step / 1000 % 2 == 0 ? 10 : 3)) {
            dt_ok(brood_dict_put(&dict, key, brood_int(-number)));
            if (at == n)
                order[n++] = number;
        } else if (what < 13) {
            bri_entry *last = bri_table_last(&dict);
            bri_replaced taken;
            assert_int_equal(last != NULL, n != 0);
            if (last == NULL)
                continue;
            bri_table_take(&dict, last, &taken);
            assert_int_equal(taken.key.as.integer, order[--n]);
            assert_int_equal(taken.item.as.integer, -order[n]);
        } else {
            assert_int_equal(brood_dict_remove(&dict, &key), at < n);
            if (at < n)
                memmove(order + at, order + at + 1, (size_t)(--n - at) * sizeof *order);
        }
        assert_int_equal(brood_value_length(&dict), n);
    }
    brood_value_clear(&dict);
}

static void test_tuples_and_frozensets_are_keys(void **state)
{
    (void)state;
    brood_value dict = brood_dict();
    brood_value frozen = brood_frozenset();
    dt_ok(brood_set_add(&frozen, brood_int(1)));
    dt_ok(brood_set_add(&frozen, brood_str("x")));
    dt_ok(brood_dict_put(&dict, brood_pack("(i(sn))", 1, "x"), brood_int(1)));
    dt_ok(brood_dict_put(&dict, frozen, brood_int(2)));
    brood_value tuple = brood_pack("(f(sn))", 1.0, "x");
    assert_non_null(brood_dict_get(&dict, &tuple));
    brood_value set = brood_frozenset();
    dt_ok(brood_set_add(&set, brood_str("x")));
    dt_ok(brood_set_add(&set, brood_bool(true)));
    assert_non_null(brood_dict_get(&dict, &set));
    brood_value_clear(&tuple);
    brood_value_clear(&set);
    dt_shows(dict, "{(1, ('x', None)): 1, frozenset({1, 'x'}): 2}");
}

static void test_what_can_change_is_no_key(void **state)
{
    (void)state;
    brood_value dict = brood_dict();
    dt_fails(brood_dict_put(&dict, brood_pack("[s]", "x"), brood_str("y")), BROOD_ETYPE);
    dt_message("could not use a list as a key: it is not hashable");
    dt_fails(brood_dict_put(&dict, brood_dict(), brood_str("y")), BROOD_ETYPE);
    dt_fails(brood_dict_put(&dict, brood_set(), brood_str("y")), BROOD_ETYPE);
    dt_fails(brood_dict_put(&dict, brood_bytearray("x", 1), brood_str("y")), BROOD_ETYPE);
    dt_message("could not use a bytearray as a key: it is not hashable");
    dt_fails(brood_dict_put(&dict, brood_pack("(i[s])", 1, "x"), brood_str("y")), BROOD_ETYPE);
    dt_fails(brood_dict_put(&dict, brood_str("x"), (brood_value){0}), BROOD_EINVALID);
    dt_fails(brood_dict_put(&dict, (brood_value){0}, brood_str("x")), BROOD_EINVALID);
    dt_fails(brood_dict_put_str(&dict, "\xff", brood_str("x")), BROOD_EFORMAT);
    brood_value list = brood_list();
    assert_null(brood_dict_get(&dict, &list));
    dt_fails(brood_dict_put(&list, brood_int(1), brood_str("y")), BROOD_ETYPE);
    dt_shows(dict, "{}");
}

static void test_items_are_taken_out(void **state)
{
    (void)state;
    brood_value dict = brood_pack("{s:s,s:s}", "a", "b", "c", "d");
    brood_value key = brood_str("a");
    brood_value item;
    dt_ok(brood_dict_take(&dict, &key, &item));
    dt_shows(item, "'b'");
    dt_fails(brood_dict_take(&dict, &key, &item), BROOD_ENOTFOUND);
    brood_value_clear(&key);
    key = brood_list();
    dt_fails(brood_dict_take(&dict, &key, &item), BROOD_ETYPE);
    dt_fails(brood_dict_take(&dict, NULL, &item), BROOD_EINVALID);
    dt_shows(dict, "{'c': 'd'}");
}

static void test_dicts_are_updated(void **state)
{
    (void)state;
    brood_value dict = brood_pack("{s:i,s:i}", "a", 1, "b", 2);
    dt_ok(brood_dict_update(&dict, brood_pack("{s:i,s:s}", "b", 3, "c", "d")));
    dt_repr_is(&dict, "{'a': 1, 'b': 3, 'c': 'd'}");
    dt_fails(brood_dict_update(&dict, brood_pack("[s]", "x")), BROOD_ETYPE);
    brood_value_clear(&dict);
}

static void test_typed_getters_name_the_key(void **state)
{
    (void)state;
    brood_value dict = brood_pack("{s:i,s:s,s:b,s:f,s:y}", "n", 5, "t", "text", "b", 1, "f", 0.5,
                                  "y", "\0", (size_t)1);
    int64_t number = 0;
    const char *text = NULL;
    bool flag = false;
    double real = 0;
    const void *data = NULL;
    size_t size = 9;
    dt_ok(brood_dict_get_int(&dict, "n", &number));
    dt_ok(brood_dict_get_text(&dict, "t", &text, NULL));
    dt_ok(brood_dict_get_bool(&dict, "b", &flag));
    dt_ok(brood_dict_get_float(&dict, "f", &real));
    dt_ok(brood_dict_get_bytes(&dict, "y", &data, &size));
    assert_true(number == 5 && flag && real == 0.5 && size == 1);
    assert_string_equal(text, "text");
    dt_fails(brood_dict_get_int(&dict, "t", &number), BROOD_ETYPE);
    dt_message("could not read \"t\": could not read an int: the value is of kind \"str\"");
    dt_fails(brood_dict_get_int(&dict, "missing", &number), BROOD_ENOTFOUND);
    dt_message("could not read \"missing\": the dict has no such key");
    brood_value_clear(&dict);
    dt_fails(brood_dict_get_int(&dict, "n", &number), BROOD_EINVALID);
}

static void test_sets_have_each_item_once(void **state)
{
    (void)state;
    brood_value set = brood_set();
    for (int i = 0; i < 300; i++)
        dt_ok(brood_set_add(&set, brood_int(i % 100)));
    dt_ok(brood_set_add(&set, brood_str("x")));
    dt_ok(brood_set_add(&set, brood_str("x")));
    assert_int_equal(brood_value_length(&set), 101);
    brood_value key = brood_float(99.0);
    assert_true(brood_set_has(&set, &key));
    assert_true(brood_set_remove(&set, &key));
    assert_false(brood_set_remove(&set, &key));
    assert_false(brood_set_has(&set, &key));
    dt_fails(brood_set_add(&set, brood_list()), BROOD_ETYPE);
    size_t position = 0;
    size_t count = 0;
    const brood_value *item;
    while (brood_set_next(&set, &position, &item))
        count++;
    assert_int_equal(count, 100);
    for (position = 0; brood_set_next(&set, &position, NULL);)
        count--;
    assert_int_equal(count, 0);
    assert_false(brood_dict_next(&set, &position, NULL, NULL));
    assert_false(brood_set_has(&key, &key));
    brood_value_clear(&set);
}

static void test_nan_is_put_and_never_found(void **state)
{
    (void)state;
    brood_value set = brood_set();
    brood_value nan = brood_float(NAN);
    dt_ok(brood_set_add(&set, nan));
    dt_ok(brood_set_add(&set, nan));
    assert_int_equal(brood_value_length(&set), 2);
    assert_false(brood_set_has(&set, &nan));
    brood_value_clear(&set);
}

/* With colliding hashes this would take minutes. */
static void test_keys_that_never_equal_do_not_collide(void **state)
{
    (void)state;
    brood_value set = brood_set();
    brood_value dict = brood_dict();
    for (int i = 0; i < 100000; i++) {
        dt_ok(brood_set_add(&set, brood_pack("(f)", NAN)));
        brood_value inner = brood_frozenset();
        dt_ok(brood_set_add(&inner, brood_float(NAN)));
        dt_ok(brood_dict_put(&dict, brood_pack("(v)", inner), brood_none()));
    }
    assert_int_equal(brood_value_length(&set), 100000);
    brood_value_clear(&set);
    brood_value_clear(&dict);
}

/* All these have the same hash in Python. */
static void test_integers_of_one_residue_do_not_collide(void **state)
{
    (void)state;
    brood_value set = brood_set();
    for (uint64_t i = 0; i < 50000; i++) {
        unsigned char bytes[16] = {0};
        /* i * (2^61 - 1) */
        uint64_t high = i >> 3;
        uint64_t low = (i << 61) - i;
        if (i << 61 < i)
            high--;
        memcpy(bytes, &low, 8);
        memcpy(bytes + 8, &high, 8);
        dt_ok(brood_set_add(&set, brood_bigint(bytes, sizeof bytes)));
    }
    assert_int_equal(brood_value_length(&set), 50000);
    brood_value_clear(&set);
}

static void test_the_seed_is_fixed_once_a_key_was_hashed(void **state)
{
    (void)state;
    static const unsigned char seed[16] = {1, 2, 3};
    uint64_t before = bri_hash_bytes("abc", 3);
    assert_false(bri_hash_seed(seed));
    assert_true(bri_hash_bytes("abc", 3) == before);
}

static void test_the_seed_changes_hashes(void **state)
{
    (void)state;
    static const unsigned char seed[16] = {9, 8, 7, 6};
    assert_true(bri_hash_seed(seed)); /* the first test of all: nothing was hashed before */
    uint64_t hash = bri_hash_bytes("abc", 3);
    assert_true(hash != 0 && hash != bri_hash_bytes("abd", 3));
    assert_true(bri_hash_bytes("", 0) != bri_hash_bytes("\0", 1));
}

dt_main(dt_test(test_the_seed_changes_hashes), dt_test(test_a_dict_keeps_insertion_order),
        dt_test(test_the_first_of_equal_keys_stays), dt_test(test_many_keys_are_found),
        dt_test(test_a_dict_used_as_a_queue_stays_small),
        dt_test(test_entries_may_be_removed_while_stepping),
        dt_test(test_the_last_is_taken_last_in_first_out),
        dt_test(test_a_dict_used_as_a_stack_stays_small),
        dt_test(test_tuples_and_frozensets_are_keys), dt_test(test_what_can_change_is_no_key),
        dt_test(test_items_are_taken_out), dt_test(test_dicts_are_updated),
        dt_test(test_typed_getters_name_the_key), dt_test(test_sets_have_each_item_once),
        dt_test(test_nan_is_put_and_never_found),
        dt_test(test_keys_that_never_equal_do_not_collide),
        dt_test(test_integers_of_one_residue_do_not_collide),
        dt_test(test_the_seed_is_fixed_once_a_key_was_hashed))
