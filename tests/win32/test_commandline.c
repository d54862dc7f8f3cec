/* test_commandline.c - what is quoted is taken apart into the same, by the system and by the C
 * runtime. */
#include "win32_test.h"

#include "platform/spawn.h"
#include "platform/stream.h"
#include "win32/commandline.h"
#include "win32/utf16.h"

#include <shellapi.h>

static void check_with_the_system(const char *const *arguments)
{
    wchar_t *line;
    expect_ok(bri_w32_command_line(arguments, &line));
    int n = 0;
    LPWSTR *taken = CommandLineToArgvW(line, &n);
    assert_non_null(taken);
    int wanted = 0;
    while (arguments[wanted] != NULL)
        wanted++;
    assert_int_equal(n, wanted);
    for (int i = 0; i < n; i++) {
        char *text = bri_w32_utf8(taken[i], wcslen(taken[i]));
        assert_string_equal(text, arguments[i]);
        bri_free(text);
    }
    LocalFree(taken);
    bri_free(line);
}

static const char *const hard[] = {"C:\\Program Files\\x y.exe",
                                   "",
                                   " ",
                                   "\t",
                                   "\"",
                                   "\"\"",
                                   "\\",
                                   "\\\\",
                                   "\\\"",
                                   "\\\\\"",
                                   "a\\",
                                   "a b\\",
                                   "a b\\\\",
                                   "a\\\\b",
                                   "a\\\"b",
                                   "a\"b\"c",
                                   "\"quoted\"",
                                   "\"quoted blank\"",
                                   "ends in quote\"",
                                   "C:\\dir\\",
                                   "C:\\dir with blank\\",
                                   "\\\\server\\share\\",
                                   "%PATH%",
                                   "^&|<>()!",
                                   "*",
                                   "a=b;c,d",
                                   "line\nbreak",
                                   "\v\f\r",
                                   "'single'",
                                   "\xC3\xBC\xC3\xB1\xC3\xAD \xE2\x98\x83",
                                   "\xF0\x9F\x98\x80",
                                   "-",
                                   "--",
                                   "/?",
                                   "@file",
                                   NULL};

/* Programs that replace patterns by names of files leave quoted ones alone. */
static void test_patterns_are_quoted(void **state)
{
    (void)state;
    wchar_t *line;
    expect_ok(bri_w32_command_line((const char *const[]){"x", "*.c", "a?b", "plain", NULL}, &line));
    assert_int_equal(wcscmp(line, L"\"x\" \"*.c\" \"a?b\" plain"), 0);
    bri_free(line);
}

static void test_hard_cases_survive(void **state)
{
    (void)state;
    check_with_the_system(hard);
    for (size_t i = 1; hard[i] != NULL; i++)
        check_with_the_system((const char *const[]){"x", hard[i], NULL});
}

/* Everything of up to five of these characters, as the last argument and before another. */
static void test_all_short_arguments_survive(void **state)
{
    (void)state;
    static const char letters[] = "\\\" a";
    for (int length = 0; length <= 5; length++) {
        for (int number = 0; number < 1 << (2 * length); number++) {
            char text[6] = {0};
            for (int i = 0; i < length; i++)
                text[i] = letters[number >> (2 * i) & 3];
            check_with_the_system((const char *const[]){"x", text, NULL});
            check_with_the_system((const char *const[]){"x", text, text, NULL});
        }
    }
}

static void test_argv0_is_taken_as_it_is(void **state)
{
    (void)state;
    check_with_the_system((const char *const[]){"C:\\ends in backslash\\", "b", NULL});
    check_with_the_system((const char *const[]){"\\", "b", NULL});
    wchar_t *line;
    expect_fails(bri_w32_command_line((const char *const[]){"a\"b", NULL}, &line), BROOD_EINVALID);
}

static void test_what_windows_does_not_take_is_refused(void **state)
{
    (void)state;
    wchar_t *line;
    expect_fails(bri_w32_command_line(NULL, &line), BROOD_EINVALID);
    expect_fails(bri_w32_command_line((const char *const[]){NULL}, &line), BROOD_EINVALID);
    expect_fails(bri_w32_command_line((const char *const[]){"x", "\xFF", NULL}, &line),
                 BROOD_EINVALID);
    static char longest[32767 - 4 + 1];
    memset(longest, 'a', sizeof longest - 2);
    expect_ok(bri_w32_command_line((const char *const[]){"x", longest, NULL}, &line));
    assert_int_equal(wcslen(line), 32766);
    bri_free(line);
    longest[sizeof longest - 2] = 'a';
    expect_fails(bri_w32_command_line((const char *const[]){"x", longest, NULL}, &line),
                 BROOD_ELIMIT);
}

/* ---- a real child: this program, which sends back what its C runtime made of the line ---- */

int __wgetmainargs(int *argc, wchar_t ***argv, wchar_t ***environment, int glob, void *start_info);

static int send_arguments(void)
{
    struct {
        int new_mode;
    } info = {0};
    int argc;
    wchar_t **argv, **environment;
    if (__wgetmainargs(&argc, &argv, &environment, 0, &info) != 0)
        return 1;
    for (int i = 0; i < argc; i++) {
        char *text = bri_w32_utf8(argv[i], wcslen(argv[i]));
        fwrite(text, 1, strlen(text) + 1, stdout);
        bri_free(text);
    }
    return 0;
}

static void test_a_child_gets_the_same_arguments(void **state)
{
    (void)state;
    brp_handle ours, theirs;
    brp_child child;
    char received[8192];
    size_t got;
    expect_ok(brp_pipe_pair(&ours, &theirs, true));
    brp_spawn_options options = {
        .arguments = hard,
        .marker = "BROOD_TEST_ROLE",
        .marker_suffix = "arguments",
        .stdio = {{.kind = BRP_STDIO_NULL}, {BRP_STDIO_HANDLE, theirs}, {0}}};
    expect_ok(brp_spawn(&child, &options));
    expect_ok(brp_child_let_go(&child));
    brp_handle_close(&theirs);
    brood_status status = brp_stream_read_all(ours, received, sizeof received, &got, soon());
    expect_ok(brp_child_wait(&child, soon()));
    int code = child.code;
    brp_child_close(&child);
    brp_handle_close(&ours);
    expect_fails(status, BROOD_EEOF);
    assert_int_equal(code, 0);
    const char *at = received;
    for (size_t i = 0; hard[i] != NULL; i++) {
        /* stdout is a text stream: it wrote line feeds as two characters. */
        if (strchr(hard[i], '\n') == NULL)
            assert_string_equal(at, hard[i]);
        at += strlen(at) + 1;
    }
    assert_int_equal(at - received, got);
}

int main(void)
{
    if (getenv("BROOD_TEST_ROLE") != NULL)
        return send_arguments();
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns_are_quoted),
        cmocka_unit_test(test_hard_cases_survive),
        cmocka_unit_test(test_all_short_arguments_survive),
        cmocka_unit_test(test_argv0_is_taken_as_it_is),
        cmocka_unit_test(test_what_windows_does_not_take_is_refused),
        cmocka_unit_test(test_a_child_gets_the_same_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
