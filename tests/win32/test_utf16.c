/* test_utf16.c - UTF-8 and UTF-16, and long paths. */
#include "win32_test.h"

#include "win32/utf16.h"

static void check_both_ways(const char *text, const wchar_t *units)
{
    wchar_t *wide = bri_w32_wide(text);
    assert_non_null(wide);
    assert_int_equal(wcscmp(wide, units), 0);
    char *back = bri_w32_utf8(wide, wcslen(wide));
    assert_string_equal(back, text);
    bri_free(back);
    bri_free(wide);
}

static void test_text_survives_both_ways(void **state)
{
    (void)state;
    check_both_ways("", L"");
    check_both_ways("plain", L"plain");
    check_both_ways("\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF", L"\x0080\x07FF\x0800\xFFFF");
    check_both_ways("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", L"\xD800\xDC00\xDBFF\xDFFF");
    /* Halves of pairs, as they occur in file names. */
    check_both_ways("a\xED\xA0\x80z", L"a\xD800z");
    check_both_ways("\xED\xB0\x80", L"\xDC00");
}

static void test_every_character_survives(void **state)
{
    (void)state;
    for (uint32_t number = 1; number <= 0x10FFFF; number += number < 0x3000 ? 1 : 61) {
        wchar_t units[3] = {0};
        if (number >= 0x10000) {
            units[0] = (wchar_t)(0xD800 + ((number - 0x10000) >> 10));
            units[1] = (wchar_t)(0xDC00 + ((number - 0x10000) & 0x3FF));
        } else {
            units[0] = (wchar_t)number;
        }
        char *text = bri_w32_utf8(units, wcslen(units));
        wchar_t *back = bri_w32_wide(text);
        assert_non_null(back);
        assert_int_equal(wcscmp(units, back), 0);
        bri_free(back);
        bri_free(text);
    }
}

static void test_invalid_text_is_refused(void **state)
{
    (void)state;
    static const char *const invalid[] = {
        "\x80",         "\xBF",         "\xC0\x80",         "\xC1\xBF",         "\xC2",
        "\xC2 ",        "\xE0\x9F\xBF", "\xE2\x82",         "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80", "\xFF",         "good\xF0\x9F\x98", "\xE2\x82\xC2\x80",
    };
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        assert_null(bri_w32_wide(invalid[i]));
        assert_int_equal(brood_last_error()->status, BROOD_EINVALID);
    }
}

static void test_what_does_not_fit_is_cut_between_characters(void **state)
{
    (void)state;
    char text[8];
    size_t written;
    assert_int_equal(bri_w32_encode(L"a\x20AC\x20AC", 3, text, 5, &written), 7);
    assert_int_equal(written, 4);
    assert_memory_equal(text, "a\xE2\x82\xAC", 4);
    wchar_t units[2];
    size_t taken;
    assert_int_equal(bri_w32_decode("a\xF0\x9F\x98\x80", 5, units, 2, &taken), 1);
    assert_int_equal(taken, 1);
}

static void test_paths_become_full(void **state)
{
    (void)state;
    wchar_t *path = bri_w32_path("C:/windows\\system32/../x.exe");
    assert_int_equal(wcscmp(path, L"C:\\windows\\x.exe"), 0);
    bri_free(path);
    path = bri_w32_path("x.exe");
    assert_int_equal(path[1], L':');
    bri_free(path);
}

static void test_long_paths_get_the_prefix(void **state)
{
    (void)state;
    char drive[400], share[400];
    memset(drive, 'x', sizeof drive);
    memcpy(drive, "C:/a/", 5);
    for (size_t i = 100; i < sizeof drive; i += 100)
        drive[i] = '/';
    drive[sizeof drive - 1] = '\0';
    wchar_t *path = bri_w32_path(drive);
    assert_int_equal(wcsncmp(path, L"\\\\?\\C:\\a\\xx", 11), 0);
    assert_int_equal(wcslen(path), strlen(drive) + 4);
    bri_free(path);

    memcpy(share, drive, sizeof share);
    memcpy(share, "\\\\s\\t", 5);
    path = bri_w32_path(share);
    assert_int_equal(wcsncmp(path, L"\\\\?\\UNC\\s\\txx", 13), 0);
    assert_int_equal(wcslen(path), strlen(share) + 6);
    bri_free(path);

    char *name = drive;
    memcpy(name, "\\\\?\\C:\\", 7);
    path = bri_w32_path(name);
    assert_int_equal(wcsncmp(path, L"\\\\?\\C:\\", 7), 0);
    assert_int_equal(wcslen(path), strlen(name));
    bri_free(path);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_survives_both_ways),
        cmocka_unit_test(test_every_character_survives),
        cmocka_unit_test(test_invalid_text_is_refused),
        cmocka_unit_test(test_what_does_not_fit_is_cut_between_characters),
        cmocka_unit_test(test_paths_become_full),
        cmocka_unit_test(test_long_paths_get_the_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
