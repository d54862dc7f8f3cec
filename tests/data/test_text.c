/* test_text.c - data/text.h: UTF-8, and numbers as text. */
#include "support.h"

#include <locale.h>
#include <math.h>

#include "data/text.h"

/* ---- UTF-8 ---- */

static size_t valid(const char *text)
{
    return bri_utf8_valid(text, strlen(text));
}

static void test_well_formed_text_is_told_from_other(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "a",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xed\xa0\x80",
                                       "\xed\xbf\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       ("12345678\xc3\xa9"
                                        "12345678")};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(valid(good[i]), strlen(good[i]));
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc3",
                                      "\xc3(",
                                      "\xe0\x9f\xbf",
                                      "\xe2\x82",
                                      "\xe2(\xa1",
                                      "\xe2\x82(",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf0\x90\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xfe"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[32];
        assert_int_equal(valid(bad[i]), 0);
        snprintf(text, sizeof text, "%s%s", "123456789", bad[i]);
        assert_int_equal(valid(text), 9);
    }
}

static void test_every_code_point_goes_there_and_back(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        char bytes[5] = {0};
        size_t size = bri_utf8_put(bytes, code);
        const char *c = bytes;
        if (bri_utf8_valid(bytes, size) != size || bri_utf8_next(&c) != code ||
            (size_t)(c - bytes) != size)
            fail_msg("code point %x", (unsigned)code);
    }
}

static void test_printable_is_what_python_says(void **state)
{
    (void)state;
    static const uint32_t yes[] = {' ', 'a', '~', 0xA1, 0xE9, 0x20AC, 0x1F600, 0x4E00};
    static const uint32_t no[] = {0,      '\n',   0x7F,   0xA0,   0xAD,   0x378,
                                  0x200B, 0x2028, 0xD800, 0xE000, 0xFFFF, 0x10FFFF};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(bri_is_printable(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(bri_is_printable(no[i]));
}

/* ---- floats ---- */

static const struct {
    double number;
    const char *text;
} floats[] = {
    {0.0, "0.0"},
    {-0.0, "-0.0"},
    {1.0, "1.0"},
    {-1.5, "-1.5"},
    {0.1, "0.1"},
    {100.0, "100.0"},
    {1e15, "1000000000000000.0"},
    {1e16, "1e+16"},
    {123456789012345680.0, "1.2345678901234568e+17"},
    {9999999999999998.0, "9999999999999998.0"},
    {0.0001, "0.0001"},
    {0.00001, "1e-05"},
    {0.00012345, "0.00012345"},
    {1e22, "1e+22"},
    {1e23, "1e+23"},
    {1.0 / 3, "0.3333333333333333"},
    {2.0 / 3, "0.6666666666666666"},
    {5e-324, "5e-324"},
    {2.2250738585072014e-308, "2.2250738585072014e-308"},
    {2.225073858507201e-308, "2.225073858507201e-308"},
    {1.7976931348623157e308, "1.7976931348623157e+308"},
    {5.684341886080802e-14, "5.684341886080802e-14"},
    {9007199254740993.0, "9007199254740992.0"},
    {4.35, "4.35"},
    {0.1 + 0.2, "0.30000000000000004"},
    {1e100, "1e+100"},
    {1.5e-10, "1.5e-10"},
    {123456.789, "123456.789"},
    {3e-320, "3e-320"},
    {9.5367431640625e-07, "9.5367431640625e-07"},
    {6.103515625e-05, "6.103515625e-05"},
    {1.1102230246251565e-16, "1.1102230246251565e-16"},
    {8.41e21, "8.41e+21"},
    {2.0e-44, "2e-44"},
    {9.0608011534336e15, "9060801153433600.0"},
};

static void test_floats_are_shown_as_in_python(void **state)
{
    (void)state;
    char text[BRI_FLOAT_TEXT];
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        size_t size = bri_float_repr(floats[i].number, text);
        assert_string_equal(text, floats[i].text);
        assert_int_equal(size, strlen(text));
    }
    bri_float_repr(INFINITY, text);
    assert_string_equal(text, "inf");
    bri_float_repr(-INFINITY, text);
    assert_string_equal(text, "-inf");
    bri_float_repr(-NAN, text);
    assert_string_equal(text, "nan");
}

static double random_double(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    uint64_t bits = *seed ^ *seed >> 29;
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static void check_round_trip(double number)
{
    char text[BRI_FLOAT_TEXT];
    double back = 0;
    size_t size = bri_float_repr(number, text);
    assert_true(size < BRI_FLOAT_TEXT - 1);
    if (bri_float_parse(text, size, &back) != BROOD_OK || memcmp(&back, &number, sizeof back) != 0)
        fail_msg("%s is read as another number", text);
}

static void test_floats_are_read_back_equal(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        double number = random_double(&seed);
        if (!isnan(number))
            check_round_trip(number);
    }
    for (double power = 5e-324; power <= 8.9e307; power *= 2) {
        check_round_trip(power);
        check_round_trip(-power);
    }
}

static void test_float_texts_are_those_of_python(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double number;
    } good[] = {{"1", 1},
                {" 1.5 ", 1.5},
                {"+.5", .5},
                {"5.", 5},
                {"1e3", 1000},
                {"1E-2", .01},
                {"1_0.2_5", 10.25},
                {"inf", INFINITY},
                {"-Infinity", -INFINITY},
                {"1e999", INFINITY},
                {"-1e-999", -0.0},
                {"0e99999999999999999999", 0},
                {"\t1\n", 1},
                {"000012", 12},
                {"1e0_1", 10}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double number = 77;
        if (bri_float_parse(good[i].text, strlen(good[i].text), &number) != BROOD_OK ||
            memcmp(&number, &good[i].number, sizeof number) != 0)
            fail_msg("\"%s\" is read as %g", good[i].text, number);
    }
    static const char *const bad[] = {"",    " ",    ".",    "+",    "1.5x", "e5",   "1e",
                                      "1e+", "_1",   "1_",   "1__0", "1._5", "1_.5", "0x10",
                                      "1,5", "infi", "nan1", "1 2",  "--1",  "1e5_", "1e_5"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        double number = 77;
        if (bri_float_parse(bad[i], strlen(bad[i]), &number) != BROOD_EFORMAT || number != 77)
            fail_msg("\"%s\" is read as %g", bad[i], number);
    }
    char text[200] = "0.";
    memset(text + 2, '0', 109);
    memcpy(text + 111, "1e110", 6);
    double one = 0;
    dt_ok(bri_float_parse(text, strlen(text), &one));
    assert_true(one == 1);
    bri_memory_fail_at(1, 0);
    dt_fails(bri_float_parse(text, strlen(text), &one), BROOD_ENOMEM);
    double nan = 0;
    dt_ok(bri_float_parse("NaN", 3, &nan));
    assert_true(isnan(nan));
}

static void test_the_locale_does_not_matter(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8",          "de_DE",
                                        "fr_FR.UTF-8", "German_Germany.1252", "de-DE"};
    const char *set = NULL;
    for (size_t i = 0; set == NULL && i < sizeof names / sizeof names[0]; i++)
        set = setlocale(LC_ALL, names[i]);
    if (set == NULL) {
        printf("SKIPPED: test_the_locale_does_not_matter: no locale with a decimal comma is "
               "installed\n");
        skip();
    }
    char text[BRI_FLOAT_TEXT];
    double number = 0;
    bri_float_repr(1.25, text);
    bool read = bri_float_parse("0.75e1", 6, &number) == BROOD_OK;
    check_round_trip(5.684341886080802e-14);
    setlocale(LC_ALL, "C");
    assert_string_equal(text, "1.25");
    assert_true(read && number == 7.5);
}

/* ---- integers ---- */

static void test_integers_are_read_as_in_python(void **state)
{
    (void)state;
    static const struct {
        const char *text, *repr;
    } good[] = {
        {"0", "0"},
        {"-0", "0"},
        {"000", "0"},
        {" 12\n", "12"},
        {"+7", "7"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"9223372036854775808", "9223372036854775808"},
        {"-9223372036854775809", "-9223372036854775809"},
        {"0xff", "255"},
        {"-0XfF", "-255"},
        {"0o17", "15"},
        {"0b101", "5"},
        {"1_000_000", "1000000"},
        {"0x_1f", "31"},
        {"0_0", "0"},
        {"123456789012345678901234567890", "123456789012345678901234567890"},
        {"-340282366920938463463374607431768211456", "-340282366920938463463374607431768211456"},
        {"0xffffffffffffffffffffffffffffffff", "340282366920938463463374607431768211455"},
        {"0o7777777777777777777777777777", "19342813113834066795298815"}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        dt_shows(brood_int_text(good[i].text), good[i].repr);
    static const char *const bad[] = {"",   "-",  "0x",  "12a", "0b2", "0o8", "007", "1__0",
                                      "_1", "1_", "0x_", "1 2", "+-1", "1.0", "12L"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        dt_invalid(brood_int_text(bad[i]), BROOD_EFORMAT);
    dt_invalid(brood_int_text(NULL), BROOD_EINVALID);
}

static void test_powers_are_shown_exactly(void **state)
{
    (void)state;
    char text[400];
    text[0] = '1';
    for (size_t zeros = 18; zeros < 300; zeros += 7) {
        memset(text + 1, '0', zeros);
        text[zeros + 1] = '\0';
        dt_shows(brood_int_text(text), text);
        memset(text, '9', zeros);
        text[zeros] = '\0';
        dt_shows(brood_int_text(text), text);
        text[0] = '1';
    }
}

static void test_huge_integers_are_bounded(void **state)
{
    (void)state;
    char *text = bri_alloc(BRI_INTEGER_DIGITS + 2);
    memset(text, '7', BRI_INTEGER_DIGITS + 1);
    text[BRI_INTEGER_DIGITS + 1] = '\0';
    dt_invalid(brood_int_text(text), BROOD_ELIMIT);
    text[BRI_INTEGER_DIGITS] = '\0';
    dt_shows(brood_int_text(text), text);
    bri_free(text);
    unsigned char *bytes = bri_calloc(10001, 1);
    bytes[9999] = 0x0A;
    brood_value v = brood_bigint(bytes, 10000);
    char *repr;
    dt_ok(brood_value_repr(&v, &repr));
    assert_int_equal(strlen(repr), 2 + 1 + 2 * 9999);
    assert_memory_equal(repr, "0xa00", 5);
    brood_free(repr);
    brood_value_clear(&v);
    bytes[10000] = 0xFF;
    bytes[9999] = 0;
    v = brood_bigint(bytes, 10001);
    dt_ok(brood_value_repr(&v, &repr));
    assert_memory_equal(repr, "-0x100", 6);
    brood_free(repr);
    brood_value_clear(&v);
    bri_free(bytes);
}

dt_main(dt_test(test_well_formed_text_is_told_from_other),
        dt_test(test_every_code_point_goes_there_and_back),
        dt_test(test_printable_is_what_python_says), dt_test(test_floats_are_shown_as_in_python),
        dt_test(test_floats_are_read_back_equal), dt_test(test_float_texts_are_those_of_python),
        dt_test(test_the_locale_does_not_matter), dt_test(test_integers_are_read_as_in_python),
        dt_test(test_powers_are_shown_exactly), dt_test(test_huge_integers_are_bounded))
