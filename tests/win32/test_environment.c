/* test_environment.c - the environment block. */
#include "win32_test.h"

#include "win32/environment.h"
#include "win32/utf16.h"

/* Joins the block's entries with "|". */
static void show(const wchar_t *block, char *text, size_t size)
{
    size_t length = 0;
    for (const wchar_t *at = block; *at != L'\0'; at += wcslen(at) + 1) {
        char *entry = bri_w32_utf8(at, wcslen(at));
        length +=
            (size_t)snprintf(text + length, size - length, "%s%s", length != 0 ? "|" : "", entry);
        bri_free(entry);
    }
    text[length] = '\0';
}

static void check(const char *const *entries, const char *marker, const char *value,
                  const char *wanted)
{
    wchar_t *block;
    char text[1024];
    expect_ok(bri_w32_environment(entries, marker, value, &block));
    show(block, text, sizeof text);
    bri_free(block);
    assert_string_equal(text, wanted);
}

static void test_entries_are_sorted_without_regard_to_case(void **state)
{
    (void)state;
    check((const char *const[]){"b=2", "C=3", "a=1", "B2=4", NULL}, NULL, NULL, "a=1|b=2|B2=4|C=3");
    check((const char *const[]){"x=second=half", "\xC3\xA9=1", "e=", NULL}, NULL, NULL,
          "e=|x=second=half|\xC3\xA9=1");
}

static void test_hidden_entries_are_kept(void **state)
{
    (void)state;
    check((const char *const[]){"a=1", "=D:=D:\\x", "=C:=C:\\", NULL}, NULL, NULL,
          "=C:=C:\\|=D:=D:\\x|a=1");
}

static void test_the_marker_is_replaced(void **state)
{
    (void)state;
    const char *const *entries = (const char *const[]){"brood_m=old", "A=1", "Brood_M2=x", NULL};
    check(entries, "BROOD_M", "new", "A=1|BROOD_M=new|Brood_M2=x");
    check(entries, "BROOD_M", NULL, "A=1|Brood_M2=x");
}

static void test_an_empty_environment_is_possible(void **state)
{
    (void)state;
    wchar_t *block;
    expect_ok(bri_w32_environment((const char *const[]){NULL}, NULL, NULL, &block));
    assert_int_equal(block[0], 0);
    assert_int_equal(block[1], 0);
    bri_free(block);
}

static void test_malformed_entries_are_refused(void **state)
{
    (void)state;
    static const char *const malformed[] = {"", "novalue", "=", "=novalue", "\xC3=x"};
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        wchar_t *block;
        const char *entries[] = {"a=1", malformed[i], NULL};
        expect_fails(bri_w32_environment(entries, NULL, NULL, &block), BROOD_EINVALID);
    }
}

static void test_the_own_environment_is_complete(void **state)
{
    (void)state;
    wchar_t *block;
    assert_true(SetEnvironmentVariableW(L"brood_test_Own", L"\x263A value"));
    assert_true(SetEnvironmentVariableW(L"brood_test_marker", L"old"));
    expect_ok(bri_w32_environment(NULL, "BROOD_TEST_MARKER", "new", &block));
    size_t n = 0, n_own = 0;
    bool has_own = false, has_new = false, has_old = false;
    for (const wchar_t *at = block; *at != L'\0'; at += wcslen(at) + 1) {
        n++;
        has_own = has_own || wcscmp(at, L"brood_test_Own=\x263A value") == 0;
        has_new = has_new || wcscmp(at, L"BROOD_TEST_MARKER=new") == 0;
        has_old = has_old || wcscmp(at, L"brood_test_marker=old") == 0;
    }
    bri_free(block);
    wchar_t *own = GetEnvironmentStringsW();
    for (const wchar_t *at = own; *at != L'\0'; at += wcslen(at) + 1)
        n_own++;
    FreeEnvironmentStringsW(own);
    assert_true(has_own && has_new && !has_old);
    assert_int_equal(n, n_own);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_are_sorted_without_regard_to_case),
        cmocka_unit_test(test_hidden_entries_are_kept),
        cmocka_unit_test(test_the_marker_is_replaced),
        cmocka_unit_test(test_an_empty_environment_is_possible),
        cmocka_unit_test(test_malformed_entries_are_refused),
        cmocka_unit_test(test_the_own_environment_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
