/* test_value.c - brood/value.h: making, reading, copying and comparing values. */
#include "support.h"

#include <math.h>

static void test_scalars_are_read_back(void **state)
{
    (void)state;
    brood_value v = brood_bool(true);
    bool flag = false;
    dt_ok(brood_get_bool(&v, &flag));
    assert_true(flag);
    int64_t number = 0;
    dt_ok(brood_get_int(&v, &number)); /* a bool is an int, as in Python */
    assert_int_equal(number, 1);
    v = brood_int(INT64_MIN);
    dt_ok(brood_get_int(&v, &number));
    assert_true(number == INT64_MIN);
    v = brood_float(-0.0);
    double real = 1;
    dt_ok(brood_get_float(&v, &real));
    assert_true(real == 0 && signbit(real));
    v = brood_int(7);
    dt_ok(brood_get_float(&v, &real));
    assert_true(real == 7);
    v = brood_none();
    assert_int_equal(brood_value_kind(&v), BROOD_NONE);
    assert_int_equal(sizeof(brood_value), 16);
}

static void test_a_value_of_another_kind_is_refused(void **state)
{
    (void)state;
    brood_value none = brood_none();
    brood_value zero = brood_int(0);
    int64_t number = 5;
    bool flag = true;
    double real = 5;
    const char *text = "x";
    const void *data = "x";
    size_t size = 5;
    dt_fails(brood_get_int(&none, &number), BROOD_ETYPE);
    dt_message("could not read an int: the value is of kind \"none\"");
    dt_fails(brood_get_bool(&zero, &flag), BROOD_ETYPE);
    dt_fails(brood_get_float(&none, &real), BROOD_ETYPE);
    dt_fails(brood_get_str(&zero, &text, &size), BROOD_ETYPE);
    dt_fails(brood_get_bytes(&zero, &data, &size), BROOD_ETYPE);
    assert_true(number == 5 && flag && real == 5 && size == 5 && *text == 'x');
    brood_value empty = {0};
    dt_fails(brood_get_int(&empty, &number), BROOD_EINVALID);
    dt_message("could not use a value: it is empty");
}

/* What a lookup did not find can be passed on. */
static void test_null_is_read_as_an_empty_value(void **state)
{
    (void)state;
    static const brood_value empty;
    bool flag = true;
    int64_t number = 5;
    uint64_t natural = 5;
    double real = 5;
    const char *text = "x";
    const void *data = "x";
    void *pickle = NULL;
    size_t size = 5, position = 0;
    brood_value copy = brood_none();
    brood_value list = brood_pack("[{s:i}]", "a", 1);
    dt_ok(brood_get_int(brood_dict_get_str(brood_item(&list, 0), "a"), &number));
    assert_int_equal(number, 1);
    dt_fails(brood_get_int(brood_dict_get_str(brood_item(&list, 7), "a"), &number), BROOD_EINVALID);
    dt_message("could not use a value: it is empty");
    dt_fails(brood_get_bool(NULL, &flag), BROOD_EINVALID);
    dt_fails(brood_get_uint(NULL, &natural), BROOD_EINVALID);
    dt_fails(brood_get_float(NULL, &real), BROOD_EINVALID);
    dt_fails(brood_get_bigint(NULL, &natural, sizeof natural), BROOD_EINVALID);
    dt_fails(brood_get_str(NULL, &text, &size), BROOD_EINVALID);
    dt_fails(brood_get_bytes(NULL, &data, &size), BROOD_EINVALID);
    dt_fails(brood_unpack(NULL, "i", &number), BROOD_EINVALID);
    dt_fails(brood_unpack_items(NULL, "i", &number), BROOD_EINVALID);
    dt_fails(brood_dict_get_int(NULL, "a", &number), BROOD_EINVALID);
    dt_fails(brood_value_copy(NULL, &copy), BROOD_EINVALID);
    dt_fails(brood_slice(NULL, 0, 1, &copy), BROOD_EINVALID);
    dt_fails(brood_pickle_dumps(NULL, &pickle, &size), BROOD_EINVALID);
    dt_fails(brood_opaque_as_error(NULL, &copy), BROOD_EINVALID);
    assert_true(brood_item(NULL, 0) == NULL && brood_dict_get(NULL, &list) == NULL);
    assert_true(brood_dict_get(brood_item(&list, 0), NULL) == NULL);
    assert_true(brood_index_of(NULL, NULL) == SIZE_MAX && brood_index_of(&list, NULL) == SIZE_MAX);
    assert_false(brood_dict_next(NULL, &position, NULL, NULL) ||
                 brood_set_next(NULL, &position, NULL) || brood_set_has(NULL, NULL));
    assert_true(brood_value_kind(NULL) == BROOD_INVALID && brood_value_length(NULL) == 0);
    assert_true(brood_bigint_size(NULL) == 0 && !brood_value_is_mutable_bytes(NULL));
    assert_true(brood_value_equal(NULL, &empty) == brood_value_equal(&empty, &empty));
    assert_false(brood_value_equal(NULL, &list) || brood_value_equal(&list, NULL));
    assert_true(brood_error_arguments(NULL) == NULL && brood_error_attributes(NULL) == NULL);
    assert_string_equal(brood_error_kind(NULL), "");
    assert_string_equal(brood_error_message(NULL), "");
    assert_string_equal(brood_object_name(NULL), "");
    assert_string_equal(brood_opaque_module(NULL), "");
    assert_string_equal(brood_opaque_name(NULL), "");
    assert_true(number == 1 && natural == 5 && real == 5 && flag && size == 5 && pickle == NULL);
    brood_value_clear(&list);
}

static void test_unsigned_numbers_keep_their_value(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX, 255};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        brood_value v = brood_uint(numbers[i]);
        uint64_t back = 3;
        dt_ok(brood_get_uint(&v, &back));
        assert_true(back == numbers[i]);
        brood_value_clear(&v);
    }
    brood_value v = brood_int(-1);
    uint64_t back = 3;
    dt_fails(brood_get_uint(&v, &back), BROOD_ERANGE);
    brood_value big = brood_int_text("18446744073709551616");
    dt_fails(brood_get_uint(&big, &back), BROOD_ERANGE);
    int64_t number = 3;
    dt_fails(brood_get_int(&big, &number), BROOD_ERANGE);
    brood_value_clear(&big);
    v = brood_none();
    dt_fails(brood_get_uint(&v, &back), BROOD_ETYPE);
    assert_true(back == 3 && number == 3);
}

static void test_big_integers_are_bytes(void **state)
{
    (void)state;
    static const unsigned char minus_one[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                              0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    brood_value v = brood_bigint(minus_one, sizeof minus_one);
    assert_int_equal(brood_value_kind(&v), BROOD_INT);
    dt_shows(v, "-1");
    dt_shows(brood_bigint(NULL, 0), "0");
    static const unsigned char nine[] = {0, 0, 0, 0, 0, 0, 0, 0x80, 0};
    v = brood_bigint(nine, sizeof nine);
    assert_int_equal(brood_value_kind(&v), BROOD_BIGINT);
    assert_int_equal(brood_bigint_size(&v), 9);
    unsigned char out[12];
    dt_ok(brood_get_bigint(&v, out, sizeof out));
    assert_memory_equal(out, "\0\0\0\0\0\0\0\x80\0\0\0\0", 12);
    dt_fails(brood_get_bigint(&v, out, 8), BROOD_ERANGE);
    dt_shows(v, "9223372036854775808");
    v = brood_int(-2);
    assert_int_equal(brood_bigint_size(&v), 8);
    dt_ok(brood_get_bigint(&v, out, 3));
    assert_memory_equal(out, "\xfe\xff\xff", 3);
    v = brood_int(128);
    dt_fails(brood_get_bigint(&v, out, 1), BROOD_ERANGE);
    v = brood_none();
    assert_int_equal(brood_bigint_size(&v), 0);
    dt_fails(brood_get_bigint(&v, out, 1), BROOD_ETYPE);
}

static void test_a_big_integer_rounds_to_the_nearest_double(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double expected;
    } rows[] = {
        {"9223372036854775808", 9223372036854775808.0},
        {"-9223372036854775809", -9223372036854775808.0},
        {"9007199254740993000000000000", 9007199254740993e12},
        {"36893488147419107328", 36893488147419107328.0}, /* 2^65 + half an ulp: to even */
        {"36893488147419107329", 36893488147419111424.0}, /* and one more: up */
        {"36893488147419115520", 36893488147419119616.0}, /* a tie again, the other way */
        {"-0x1_0000_0000_0000_0000", -18446744073709551616.0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        brood_value v = brood_int_text(rows[i].text);
        double real = 0;
        dt_ok(brood_get_float(&v, &real));
        assert_true(real == rows[i].expected);
        brood_value_clear(&v);
    }
    unsigned char bytes[130] = {0};
    bytes[128] = 1; /* 2^1024 */
    brood_value v = brood_bigint(bytes, sizeof bytes);
    double real = 5;
    dt_fails(brood_get_float(&v, &real), BROOD_ERANGE);
    brood_value_clear(&v);
    bytes[128] = 0;
    memset(bytes + 120, 0xFF, 8); /* just below: rounds up out of range */
    v = brood_bigint(bytes, sizeof bytes);
    dt_fails(brood_get_float(&v, &real), BROOD_ERANGE);
    brood_value_clear(&v);
    assert_true(real == 5);
}

static void test_texts_keep_their_bytes(void **state)
{
    (void)state;
    brood_value v = brood_str_n("a\0b", 3);
    const char *text = NULL;
    size_t size = 0;
    dt_ok(brood_get_str(&v, &text, &size));
    assert_int_equal(size, 3);
    assert_memory_equal(text, "a\0b", 4);
    dt_fails(brood_get_str(&v, &text, NULL), BROOD_EFORMAT);
    assert_int_equal(brood_value_length(&v), 3);
    brood_value_clear(&v);
    v = brood_bytes("\0\xff", 2);
    const void *data = NULL;
    dt_ok(brood_get_bytes(&v, &data, &size));
    assert_int_equal(size, 2);
    assert_memory_equal(data, "\0\xff", 3);
    dt_ok(brood_get_bytes(&v, &data, NULL));
    assert_false(brood_value_is_mutable_bytes(&v));
    brood_value_clear(&v);
    v = brood_bytearray(NULL, 0);
    assert_true(brood_value_is_mutable_bytes(&v));
    dt_ok(brood_get_bytes(&v, &data, &size));
    assert_non_null(data);
    assert_int_equal(size, 0);
    brood_value_clear(&v);
}

static void test_text_that_is_no_utf8_is_refused_or_escaped(void **state)
{
    (void)state;
    dt_invalid(brood_str("abc\xff"), BROOD_EFORMAT);
    dt_message("could not make a str: byte 3 is not UTF-8");
    dt_invalid(brood_str(NULL), BROOD_EINVALID);
    dt_shows(brood_str_escaped("abc\xff\xc3\xa9\xc3", 7), "'abc\\udcff\xc3\xa9\\udcc3'");
    dt_shows(brood_str_escaped("", 0), "''");
    /* As Python: a surrogate is no UTF-8, and what other bytes become. */
    dt_shows(brood_str_escaped("\x80", 1), "'\\udc80'");
    dt_shows(brood_str_escaped("a\xed\xb2\x80z", 5), "'a\\udced\\udcb2\\udc80z'");
    dt_shows(brood_str_escaped("\xed\x9f\xbf", 3), "'\\ud7ff'");
    dt_shows(brood_str("\xed\xa0\x80"), "'\\ud800'");
}

static void test_an_invalid_value_passes_its_failure_on(void **state)
{
    (void)state;
    brood_value list = brood_list();
    dt_fails(brood_append(&list, brood_str("\xff")), BROOD_EFORMAT);
    dt_message_has("is not UTF-8");
    dt_fails(brood_append(&list, (brood_value){0}), BROOD_EINVALID);
    brood_value failed = brood_str("\xff");
    int64_t number;
    brood_value none = brood_none();
    dt_fails(brood_get_int(&none, &number), BROOD_ETYPE); /* another failure in between */
    dt_fails(brood_append(&list, failed), BROOD_EFORMAT);
    dt_message("could not use a value: making it failed");
    assert_int_equal(brood_value_length(&list), 0);
    brood_value copy;
    brood_value empty = {0};
    dt_fails(brood_value_copy(&empty, &copy), BROOD_EINVALID);
    brood_value_clear(&empty);
    brood_value_clear(NULL);
}

static void test_a_copy_is_independent(void **state)
{
    (void)state;
    brood_value v = brood_pack("{s:[i(sf)],s:y,s:<ii>,s:n}", "list", 1, "two", 3.0, "bytes", "ab",
                               (size_t)2, "set", 4, 5, "none");
    brood_value copy;
    dt_ok(brood_value_copy(&v, &copy));
    assert_true(brood_value_equal(&v, &copy));
    dt_ok(brood_dict_put_str(&v, "list", brood_int(9)));
    dt_ok(brood_dict_put_str(&v, "more", brood_int(10)));
    assert_false(brood_value_equal(&v, &copy));
    brood_value_clear(&v);
    dt_repr_is(&copy, "{'list': [1, ('two', 3.0)], 'bytes': b'ab', 'set': {4, 5}, 'none': None}");
    brood_value_clear(&copy);
}

static void test_a_value_is_moved_by_take(void **state)
{
    (void)state;
    brood_value v = brood_str("x");
    brood_value taken = brood_value_take(&v);
    assert_int_equal(brood_value_kind(&v), BROOD_INVALID);
    dt_shows(taken, "'x'");
}

/* Each row is one class of equal values. */
static void test_numbers_are_equal_across_kinds(void **state)
{
    (void)state;
    brood_value rows[][4] = {
        {brood_bool(true), brood_int(1), brood_float(1.0), brood_uint(1)},
        {brood_bool(false), brood_int(0), brood_float(0.0), brood_float(-0.0)},
        {brood_int(1LL << 53), brood_float(9007199254740992.0), brood_int(1LL << 53),
         brood_int(1LL << 53)},
        {brood_int((1LL << 53) + 1), brood_int((1LL << 53) + 1), brood_uint((1ULL << 53) + 1),
         brood_int_text("9007199254740993")},
        {brood_uint(1ULL << 63), brood_float(9223372036854775808.0),
         brood_int_text("9223372036854775808"), brood_uint(1ULL << 63)},
        {brood_int(INT64_MIN), brood_float(-9223372036854775808.0),
         brood_int_text("-9223372036854775808"), brood_int(INT64_MIN)},
        {brood_int_text("0x1_0000_0000_0000_0000_0000"), brood_float(1208925819614629174706176.0),
         brood_int_text("1208925819614629174706176"), brood_float(1208925819614629174706176.0)},
        {brood_float(0.5), brood_float(0.5), brood_float(0.5), brood_float(0.5)},
        {brood_float(INFINITY), brood_float(INFINITY), brood_float(INFINITY),
         brood_float(INFINITY)},
        {brood_int_text("-1208925819614629174706176"), brood_float(-1208925819614629174706176.0),
         brood_int_text("-1208925819614629174706176"), brood_float(-1208925819614629174706176.0)},
    };
    size_t n = sizeof rows / sizeof rows[0];
    for (size_t i = 0; i < n * 4; i++) {
        brood_value dict = brood_dict();
        dt_ok(brood_dict_put(&dict, rows[i / 4][i % 4], brood_int((int64_t)i / 4)));
        for (size_t j = 0; j < n * 4; j++) {
            bool same = i / 4 == j / 4;
            assert_int_equal(brood_value_equal(&rows[i / 4][i % 4], &rows[j / 4][j % 4]), same);
            assert_int_equal(brood_dict_get(&dict, &rows[j / 4][j % 4]) != NULL, same);
        }
        const brood_value *key;
        size_t position = 0;
        assert_true(brood_dict_next(&dict, &position, &key, NULL));
        brood_value again = *key;
        brood_value copy;
        dt_ok(brood_value_copy(&again, &copy)); /* the dict owned the row's value */
        brood_value_clear(&dict);
        rows[i / 4][i % 4] = copy;
    }
    for (size_t i = 0; i < n * 4; i++)
        brood_value_clear(&rows[i / 4][i % 4]);
}

static void test_nan_equals_nothing(void **state)
{
    (void)state;
    brood_value nan = brood_float(NAN);
    assert_false(brood_value_equal(&nan, &nan));
    brood_value list = brood_pack("[v]", nan);
    assert_false(brood_value_equal(&list, &list));
    brood_value_clear(&list);
    brood_value zero = brood_int(0);
    assert_false(brood_value_equal(&nan, &zero));
}

static void expect_equal(brood_value a, brood_value b, bool expected)
{
    assert_int_equal(brood_value_equal(&a, &b), expected);
    assert_int_equal(brood_value_equal(&b, &a), expected);
    brood_value_clear(&a);
    brood_value_clear(&b);
}

static brood_value frozen(int a, int b)
{
    brood_value set = brood_frozenset();
    dt_ok(brood_set_add(&set, brood_int(a)));
    dt_ok(brood_set_add(&set, brood_int(b)));
    return set;
}

static void test_containers_are_equal_as_in_python(void **state)
{
    (void)state;
    expect_equal(brood_pack("[ii]", 1, 2), brood_pack("[fi]", 1.0, 2), true);
    expect_equal(brood_pack("[ii]", 1, 2), brood_pack("(ii)", 1, 2), false);
    expect_equal(brood_pack("[ii]", 1, 2), brood_pack("[i]", 1), false);
    expect_equal(brood_pack("{i:i,i:i}", 1, 2, 3, 4), brood_pack("{i:i,f:i}", 3, 4, 1.0, 2), true);
    expect_equal(brood_pack("{i:i}", 1, 2), brood_pack("{i:i}", 1, 3), false);
    expect_equal(brood_pack("{i:i}", 1, 2), brood_pack("{i:i}", 2, 2), false);
    expect_equal(brood_pack("<ii>", 1, 2), frozen(2, 1), true);
    expect_equal(brood_pack("<ii>", 1, 2), frozen(2, 3), false);
    expect_equal(brood_bytes("a", 1), brood_bytearray("a", 1), true);
    expect_equal(brood_bytes("a", 1), brood_str("a"), false);
    expect_equal(brood_none(), brood_bool(false), false);
    expect_equal(brood_list(), brood_list(), true);
    expect_equal((brood_value){0}, (brood_value){0}, false);
    expect_equal(brood_error_value("ValueError", "x"), brood_error_value("ValueError", "x"), true);
    expect_equal(brood_error_value("ValueError", "x"), brood_error_value("TypeError", "x"), false);
    expect_equal(brood_error_value("ValueError", "x"), brood_error_value("ValueError", NULL),
                 false);
}

static brood_value nest(int levels, brood_kind kind)
{
    brood_value v = brood_none();
    for (int i = 0; i < levels; i++) {
        brood_value outer;
        if (kind == BROOD_DICT)
            outer = brood_pack("{i:v}", 1, v);
        else
            outer = brood_pack(kind == BROOD_LIST ? "[v]" : "(v)", v);
        v = outer;
    }
    return v;
}

static void test_depth_is_bounded(void **state)
{
    (void)state;
    static const brood_kind kinds[] = {BROOD_LIST, BROOD_TUPLE, BROOD_DICT};
    for (size_t i = 0; i < 3; i++) {
        brood_value deep = nest(BROOD_MAX_DEPTH, kinds[i]);
        assert_int_equal(brood_value_kind(&deep), kinds[i]);
        brood_value copy;
        dt_ok(brood_value_copy(&deep, &copy));
        assert_true(brood_value_equal(&deep, &copy));
        char *text;
        dt_ok(brood_value_repr(&deep, &text));
        brood_free(text);
        brood_value_clear(&copy);
        dt_invalid(brood_pack("[v]", deep), BROOD_ELIMIT);
    }
    dt_message("could not nest a value deeper than 1000 levels");
    dt_invalid(nest(100000, BROOD_LIST), BROOD_ELIMIT);
    brood_value tuple = brood_tuple(1);
    dt_fails(brood_set_item(&tuple, 0, nest(BROOD_MAX_DEPTH, BROOD_LIST)), BROOD_ELIMIT);
    dt_ok(brood_set_item(&tuple, 0, nest(BROOD_MAX_DEPTH - 1, BROOD_LIST)));
    brood_value list = brood_list();
    dt_fails(brood_append(&list, tuple), BROOD_ELIMIT);
    dt_invalid(brood_error_from("E", nest(BROOD_MAX_DEPTH, BROOD_TUPLE)), BROOD_ELIMIT);
}

static void test_kinds_have_names(void **state)
{
    (void)state;
    assert_string_equal(brood_kind_name(BROOD_INVALID), "invalid");
    assert_string_equal(brood_kind_name(BROOD_BIGINT), "int");
    assert_string_equal(brood_kind_name(BROOD_FROZENSET), "frozenset");
    assert_string_equal(brood_kind_name(BROOD_ERROR), "error");
    assert_string_equal(brood_kind_name((brood_kind)99), "?");
}

dt_main(dt_test(test_scalars_are_read_back), dt_test(test_null_is_read_as_an_empty_value),
        dt_test(test_a_value_of_another_kind_is_refused),
        dt_test(test_unsigned_numbers_keep_their_value), dt_test(test_big_integers_are_bytes),
        dt_test(test_a_big_integer_rounds_to_the_nearest_double),
        dt_test(test_texts_keep_their_bytes),
        dt_test(test_text_that_is_no_utf8_is_refused_or_escaped),
        dt_test(test_an_invalid_value_passes_its_failure_on), dt_test(test_a_copy_is_independent),
        dt_test(test_a_value_is_moved_by_take), dt_test(test_numbers_are_equal_across_kinds),
        dt_test(test_nan_equals_nothing), dt_test(test_containers_are_equal_as_in_python),
        dt_test(test_depth_is_bounded), dt_test(test_kinds_have_names))
