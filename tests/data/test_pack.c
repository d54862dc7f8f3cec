/* test_pack.c - brood_pack and brood_unpack. */
#include "support.h"

static void test_each_letter_packs_its_kind(void **state)
{
    (void)state;
    dt_shows(brood_pack("b", 2), "True");
    dt_shows(brood_pack("i", -5), "-5");
    dt_shows(brood_pack("l", INT64_MIN), "-9223372036854775808");
    dt_shows(brood_pack("u", UINT64_MAX), "18446744073709551615");
    dt_shows(brood_pack("f", 0.5), "0.5");
    dt_shows(brood_pack("s", "x"), "'x'");
    dt_shows(brood_pack("zz", "x", (char *)NULL), "('x', None)");
    dt_shows(brood_pack("t", "a\0b", (size_t)3), "'a\\x00b'");
    dt_shows(brood_pack("y", "a\0b", (size_t)3), "b'a\\x00b'");
    dt_shows(brood_pack("n"), "None");
    dt_shows(brood_pack("v", brood_str("moved")), "'moved'");
}

static void test_brackets_pack_containers(void **state)
{
    (void)state;
    dt_shows(brood_pack("[iii]", 1, 2, 3), "[1, 2, 3]");
    dt_shows(brood_pack(" [ i , i ] ", 1, 2), "[1, 2]");
    dt_shows(brood_pack("(i[s{s:i,i:n}]<ii>())", 1, "a", "k", 2, 3, 4, 5),
             "(1, ['a', {'k': 2, 3: None}], {4, 5}, ())");
    dt_shows(brood_pack("is", 1, "x"), "(1, 'x')");
    dt_shows(brood_pack("(i)", 1), "(1,)");
    dt_shows(brood_pack("{(ii):s,v:i}", 1, 2, "pair", brood_str("key"), 3),
             "{(1, 2): 'pair', 'key': 3}");
    dt_shows(brood_pack("[]"), "[]");
}

static void test_a_bad_format_is_told(void **state)
{
    (void)state;
    static const char *const formats[] = {"",    "q",    "[i", "(", "{s}", "{s:",    "i]",
                                          "[i)", "{s:i", "<i", "{", "[q]", "{s:i,s}"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        dt_invalid(brood_pack(formats[i], "1", 2, "3", 4), BROOD_EINVALID);
    dt_invalid(brood_pack("[iq]", 1), BROOD_EINVALID);
    dt_message_has("could not pack \"[iq]\": an unknown letter at");
}

static void test_moved_values_are_cleared_on_failure(void **state)
{
    (void)state;
    /* The ledger finds what is left. */
    dt_invalid(brood_pack("[vsv]", brood_str("a"), "\xff", brood_str("b")), BROOD_EFORMAT);
    dt_invalid(brood_pack("[(vs)v]v{s:v}", brood_str("a"), "\xff", brood_str("b"), brood_str("c"),
                          "k", brood_list()),
               BROOD_EFORMAT);
    dt_invalid(brood_pack("{v:v,v:v}", brood_pack("[s]", "x"), brood_str("b"), brood_str("c"),
                          brood_str("d")),
               BROOD_ETYPE);
    dt_invalid(brood_pack("<vv>", brood_pack("[s]", "x"), brood_str("b")), BROOD_ETYPE);
    dt_invalid(brood_pack("vv", brood_str("\xff"), brood_str("b")), BROOD_EFORMAT);
    dt_invalid(brood_pack("(vv)", brood_str("a"), (brood_value){0}), BROOD_EINVALID);
    dt_invalid(brood_pack("v", brood_str("\xff")), BROOD_EFORMAT);
    dt_invalid(brood_pack("[v", brood_str("a")), BROOD_EINVALID);
}

static void test_the_first_failure_is_told(void **state)
{
    (void)state;
    char *none = NULL;
    dt_invalid(brood_pack("(ss)", "\xff", none), BROOD_EFORMAT);
    dt_message_has("byte 0 is not UTF-8");
    dt_invalid(brood_pack("{s:s}", "a\xff", none), BROOD_EFORMAT);
    dt_message_has("byte 1 is not UTF-8");
    dt_invalid(brood_pack("vtst", brood_str("\xff"), "x", (size_t)1, none, "\xff", (size_t)1),
               BROOD_EFORMAT);
    dt_message_has("byte 0 is not UTF-8");
    dt_invalid(brood_pack("<ss>", none, "\xff"), BROOD_EINVALID);
    dt_message_has("the text is NULL");
    dt_invalid(brood_pack("v", (brood_value){0}), BROOD_EINVALID);
    dt_message_has("it is empty");
}

static void test_brackets_are_bounded(void **state)
{
    (void)state;
    char format[5002];
    memset(format, '[', 2500);
    memset(format + 2500, ']', 2500);
    format[5000] = '\0';
    dt_invalid(brood_pack("%s"), BROOD_EINVALID);
    dt_invalid(brood_pack(format), BROOD_EINVALID);
    brood_value v = brood_none();
    dt_fails(brood_unpack(&v, format), BROOD_ETYPE);
    memset(format, '(', 5000);
    dt_invalid(brood_pack(format), BROOD_EINVALID);
    format[BROOD_MAX_DEPTH] = '\0';
    memset(format + BROOD_MAX_DEPTH / 2, ')', BROOD_MAX_DEPTH / 2);
    v = brood_pack(format);
    assert_int_equal(brood_value_kind(&v), BROOD_TUPLE);
    dt_ok(brood_unpack(&v, format));
    brood_value_clear(&v);
}

static void test_each_letter_unpacks_its_kind(void **state)
{
    (void)state;
    brood_value v = brood_pack("(bilufsznytv)", 1, -2, INT64_C(3), UINT64_MAX, 0.5, "s",
                               (char *)NULL, "y\0", (size_t)2, "t\0", (size_t)2, brood_list());
    bool b = false;
    int64_t i = 0;
    int64_t l = 0;
    uint64_t u = 0;
    double f = 0;
    const char *s = NULL;
    const char *z = "z";
    const void *y = NULL;
    const char *t = NULL;
    size_t y_size = 0;
    size_t t_size = 0;
    const brood_value *list = NULL;
    dt_ok(brood_unpack(&v, "(bilufsznytv)", &b, &i, &l, &u, &f, &s, &z, &y, &y_size, &t, &t_size,
                       &list));
    assert_true(b && i == -2 && l == 3 && u == UINT64_MAX && f == 0.5 && z == NULL && y_size == 2 &&
                t_size == 2);
    assert_string_equal(s, "s");
    assert_memory_equal(y, "y\0", 2);
    assert_memory_equal(t, "t\0", 2);
    assert_ptr_equal(list, brood_item(&v, 10));
    dt_ok(brood_unpack(&v, "bilufsznytv", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                       NULL, NULL, NULL));
    dt_ok(brood_unpack(&v, "(xx*)"));
    brood_value_clear(&v);
    v = brood_int(4);
    dt_ok(brood_unpack(&v, "f", &f));
    assert_true(f == 4);
}

static void test_nested_formats_are_matched(void **state)
{
    (void)state;
    brood_value v = brood_pack("[i(s{s:i,s:[ff]})n]", 1, "x", "n", 7, "l", 0.5, 1.5);
    int64_t one = 0;
    int64_t seven = 0;
    const char *x = NULL;
    double half = 0;
    dt_ok(brood_unpack(&v, "[i(s{s:[f,f],s:i})n]", &one, &x, "l", &half, NULL, "n", &seven));
    assert_true(one == 1 && seven == 7 && half == 0.5);
    dt_fails(brood_unpack(&v, "(i(s{s:i}))", NULL, NULL, "n", NULL), BROOD_ETYPE);
    dt_message("could not unpack \"(i(s{s:i}))\": too many items, there are 3");
    brood_value_clear(&v);
    v = brood_pack("{i:s,s:i}", 5, "five", "k", 1);
    dt_ok(brood_unpack(&v, "{i:s}", 5, &x));
    assert_string_equal(x, "five");
    brood_value_clear(&v);
}

static void test_optional_parts_may_be_missing(void **state)
{
    (void)state;
    int64_t a = 1;
    int64_t b = 2;
    const char *c = "3";
    brood_value v = brood_pack("(i)", 10);
    dt_ok(brood_unpack(&v, "(i|i(s))", &a, &b, &c));
    assert_true(a == 10 && b == 2);
    assert_string_equal(c, "3");
    brood_value_clear(&v);
    v = brood_pack("(ii)", 11, 12);
    dt_ok(brood_unpack(&v, "i|is", &a, &b, &c));
    assert_true(a == 11 && b == 12);
    dt_fails(brood_unpack(&v, "iis", &a, &b, &c), BROOD_ETYPE);
    dt_message("could not unpack \"iis\": items are missing, there are 2");
    brood_value_clear(&v);
    v = brood_pack("{s:i}", "a", 13);
    dt_ok(brood_unpack(&v, "{s:i,s?:i,s?:{s:(s)}}", "a", &a, "b", &b, "c", "d", &c));
    assert_true(a == 13 && b == 12);
    dt_fails(brood_unpack(&v, "{s:i,s:i}", "a", &a, "b", &b), BROOD_ENOTFOUND);
    dt_message("could not unpack \"{s:i,s:i}\": the key \"b\" is missing");
    dt_fails(brood_unpack(&v, "{i:i}", 77, &a), BROOD_ENOTFOUND);
    dt_message("could not unpack \"{i:i}\": the key 77 is missing");
    brood_value_clear(&v);
}

static void test_items_of_a_sequence_are_unpacked(void **state)
{
    (void)state;
    brood_value v = brood_pack("(i)", 5);
    int64_t n = 0;
    dt_ok(brood_unpack_items(&v, "i", &n));
    assert_int_equal(n, 5);
    dt_fails(brood_unpack_items(&v, "", NULL), BROOD_ETYPE);
    dt_ok(brood_unpack_items(&v, "|ii", &n, &n));
    brood_value_clear(&v);
    v = brood_tuple(0);
    dt_ok(brood_unpack_items(&v, ""));
    dt_ok(brood_unpack(&v, ""));
    v = brood_int(5);
    dt_fails(brood_unpack_items(&v, "i", &n), BROOD_ETYPE);
}

static void test_nothing_is_stored_on_failure(void **state)
{
    (void)state;
    brood_value v = brood_pack("(isi)", 1, "x", 3);
    int64_t a = -1;
    int64_t b = -1;
    const char *s = NULL;
    dt_fails(brood_unpack(&v, "(iii)", &a, &b, &b), BROOD_ETYPE);
    dt_message(
        "could not unpack \"(iii)\" at 2: could not read an int: the value is of kind \"str\"");
    dt_fails(brood_unpack(&v, "(is)", &a, &s), BROOD_ETYPE);
    dt_fails(brood_unpack(&v, "(isi", &a, &s, &b), BROOD_EINVALID);
    dt_fails(brood_unpack(&v, "(isn)", &a, &s), BROOD_ETYPE);
    dt_fails(brood_unpack(&v, "[isi]", &a, &s, &b), BROOD_ETYPE);
    dt_fails(brood_unpack(&v, "{s:i}", "x", &a), BROOD_ETYPE);
    dt_fails(brood_unpack(&v, "i", &a), BROOD_ETYPE);
    assert_true(a == -1 && b == -1 && s == NULL);
    brood_value_clear(&v);
    dt_fails(brood_unpack(&v, "i", &a), BROOD_EINVALID);
    v = brood_str_n("a\0b", 3);
    dt_fails(brood_unpack(&v, "s", &s), BROOD_EFORMAT);
    brood_value_clear(&v);
}

static void test_a_bad_unpack_format_is_told(void **state)
{
    (void)state;
    brood_value v = brood_pack("({s:i}i)", "k", 1, 2);
    static const char *const formats[] = {"(q)",    "(",    "({s:i}i", "({b:i}i)",
                                          "({s}i)", "(*i)", "({s:i"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        dt_fails(brood_unpack(&v, formats[i], "k", NULL, NULL), BROOD_EINVALID);
    brood_value_clear(&v);
}

static void pack_twice(brood_value packed[2], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    for (int i = 0; i < 2; i++)
        packed[i] = brood_pack_va(format, arguments);
    va_end(arguments);
}

typedef brood_status unpack_function(const brood_value *value, const char *format,
                                     va_list arguments);

static void unpack_twice(unpack_function *unpack, const brood_value *value, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    for (int i = 0; i < 2; i++)
        dt_ok(unpack(value, format, arguments));
    va_end(arguments);
}

static void test_an_argument_list_is_left_as_it_was(void **state)
{
    (void)state;
    brood_value packed[2];
    pack_twice(packed, "[isf]", 1, "two", 3.5);
    int64_t first = 0;
    const char *second = NULL;
    double third = 0;
    unpack_twice(brood_unpack_va, &packed[0], "[isf]", &first, &second, &third);
    assert_true(first == 1 && third == 3.5);
    assert_string_equal(second, "two");
    unpack_twice(brood_unpack_items_va, &packed[1], "ixf", &first, &third);
    assert_true(first == 1 && third == 3.5);
    dt_shows(packed[0], "[1, 'two', 3.5]");
    dt_shows(packed[1], "[1, 'two', 3.5]");
}

dt_main(dt_test(test_each_letter_packs_its_kind), dt_test(test_brackets_pack_containers),
        dt_test(test_a_bad_format_is_told), dt_test(test_moved_values_are_cleared_on_failure),
        dt_test(test_the_first_failure_is_told), dt_test(test_brackets_are_bounded),
        dt_test(test_each_letter_unpacks_its_kind), dt_test(test_nested_formats_are_matched),
        dt_test(test_optional_parts_may_be_missing), dt_test(test_items_of_a_sequence_are_unpacked),
        dt_test(test_nothing_is_stored_on_failure), dt_test(test_a_bad_unpack_format_is_told),
        dt_test(test_an_argument_list_is_left_as_it_was))
