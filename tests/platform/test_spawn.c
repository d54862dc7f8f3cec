/* test_spawn.c - platform/spawn.h: exact arguments and environment, a clean start, many at once. */
#include "expect.h"

#ifndef _WIN32
#include <signal.h>
#else
#include <windows.h>
#endif

/* ---- arguments and environment ---- */

static void test_arguments_arrive_exactly(void **state)
{
    (void)state;
    static const char *const arguments[] = {
        "plain",
        "",
        " ",
        "two words",
        "\ttab",
        "line\nbreak",
        "\"",
        "\"\"",
        "a\"b",
        "\"quoted\"",
        "say \"hello world\"",
        "back\\slash",
        "end\\",
        "end\\\\",
        "two words\\",
        "two words\\\\",
        "\\\"",
        "\\\\\"",
        "\\\\\\\"x y",
        "a\\\\b",
        "a\\\\\"b c\\",
        "\\\\server\\share dir\\",
        "%PATH%",
        "%VAR% ^& | < > ( ) ! ^^",
        "&",
        "^",
        "'single'",
        "$HOME `id` $(id) ; *",
        "*",
        "?",
        "[a-z]",
        "-x",
        "/c",
        "@file",
        "=",
        "na\xC3\xAFve \xE2\x82\xAC \xF0\x9F\x90\xA3",
        "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D",
        "\x01\x7F",
        NULL,
    };
    pt_process child;
    pt_start_arguments(&child, "child", "arguments", arguments);
    char *report = pt_report(&child), *at = report;
    for (size_t i = 0; arguments[i] != NULL; i++) {
        char *got = pt_next_text(&at);
        assert_non_null(got);
        assert_string_equal(got, arguments[i]);
    }
    assert_null(pt_next_text(&at));
    bri_free(report);
}

static void test_long_and_many_arguments_arrive_exactly(void **state)
{
    enum { N = 60, LENGTH = 400 };
    (void)state;
    static char texts[N][LENGTH + 1];
    const char *arguments[N + 1] = {NULL};
    for (int i = 0; i < N; i++) {
        memset(texts[i], 'a' + i % 26, LENGTH);
        texts[i][i] = i % 2 == 0 ? '"' : '\\';
        arguments[i] = texts[i];
    }
    pt_process child;
    pt_start_arguments(&child, "child", "arguments", arguments);
    char *report = pt_report(&child), *at = report;
    for (int i = 0; i < N; i++)
        assert_string_equal(pt_next_text(&at), texts[i]);
    assert_null(pt_next_text(&at));
    bri_free(report);
}

/* Whether the report of an environment has this entry; counts all. */
static bool report_has(char *report, const char *entry, size_t *n)
{
    bool found = false;
    *n = 0;
    for (char *at = report, *text; (text = pt_next_text(&at)) != NULL; ++*n)
        found = found || strcmp(text, entry) == 0;
    return found;
}

static void test_an_environment_arrives_exactly(void **state)
{
    (void)state;
    static const char *const environment[] = {
        "EMPTY=",       "NAME=value with spaces",
        "QUOTES=\"'\\", "UNICODE=\xE2\x82\xAC \xF0\x9F\x90\xA3",
        "EQUALS=a=b=c", "LINES=a\nb",
        NULL,
    };
    pt_process child;
    pt_start_with(&child, "child", "environment", NULL, 0,
                  &(brp_spawn_options){.environment = environment});
    char *report = pt_report(&child), *at = report;
    bool seen[6] = {false}, marker = false;
    size_t others = 0;
    for (char *text; (text = pt_next_text(&at)) != NULL;) {
        bool known = strncmp(text, PT_MARKER "=", sizeof PT_MARKER) == 0;
        marker = marker || known;
        for (size_t i = 0; i < 6; i++)
            if (strcmp(text, environment[i]) == 0)
                known = seen[i] = true;
        others += !known;
    }
    bri_free(report);
    for (size_t i = 0; i < 6; i++)
        assert_true(seen[i]);
    assert_true(marker);
    /* Windows adds what its loader needs (SYSTEMROOT); POSIX adds nothing. */
    if (!PT_IS_WINDOWS)
        assert_int_equal(others, 0);
}

static void set_variable(const char *name, const char *value)
{
#ifdef _WIN32
    SetEnvironmentVariableA(name, value);
#else
    if (value != NULL)
        setenv(name, value, 1);
    else
        unsetenv(name);
#endif
}

static void test_without_an_environment_the_childs_is_ours(void **state)
{
    (void)state;
    pt_process child;
    size_t n;
    set_variable("BROOD_TEST_INHERITED", "yes it is");
    set_variable(PT_MARKER, "an older marker");
    pt_start(&child, "child", "environment", NULL, 0);
    set_variable(PT_MARKER, NULL);
    set_variable("BROOD_TEST_INHERITED", NULL);
    char *report = pt_report(&child);
    bool found = report_has(report, "BROOD_TEST_INHERITED=yes it is", &n);
    bri_free(report);
    assert_true(found);
    assert_true(n > 1);
}

static void test_the_marker_replaces_an_older_one(void **state)
{
    (void)state;
    static const char *const environment[] = {PT_MARKER "=old", PT_MARKER "2=kept", "A=b", NULL};
    pt_process child;
    pt_start_with(&child, "child", "environment", NULL, 0,
                  &(brp_spawn_options){.environment = environment});
    char *report = pt_report(&child), *at = report;
    size_t markers = 0, kept = 0, old = 0;
    for (char *text; (text = pt_next_text(&at)) != NULL;) {
        markers += strncmp(text, PT_MARKER "=", sizeof PT_MARKER) == 0;
        kept += strcmp(text, PT_MARKER "2=kept") == 0;
        old += strcmp(text, PT_MARKER "=old") == 0;
    }
    bri_free(report);
    assert_int_equal(markers, 1);
    assert_int_equal(kept, 1);
    assert_int_equal(old, 0);
}

static void test_a_name_is_found_in_the_path_variable(void **state)
{
    (void)state;
    const char *const arguments[] = {"prog_child", "5", NULL};
    char *old = bri_strdup(getenv("PATH"));
    set_variable("PATH", BROOD_TEST_BINDIR);
    pt_process child;
    pt_start_with(
        &child, "child", "exit", NULL, 0,
        &(brp_spawn_options){.path = "prog_child", .search_path = true, .arguments = arguments});
    set_variable("PATH", old);
    bri_free(old);
    assert_int_equal(pt_join(&child), 5);
}

/* ---- the start ---- */

static void test_a_child_that_is_not_let_go_does_not_run_on_windows(void **state)
{
    (void)state;
    if (!PT_IS_WINDOWS)
        pt_skip_on(PT_SYSTEM, "a child runs at once there; it waits for its start block instead");
    brp_handle ends[2];
    brp_child child;
    const char *const arguments[] = {"x", NULL};
    pt_ok(brp_stream_pair(ends));
    pt_ok(brp_spawn(&child, &(brp_spawn_options){.path = pt_prog("child"),
                                                 .arguments = arguments,
                                                 .handles = &ends[1],
                                                 .n_handles = 1,
                                                 .marker = PT_MARKER,
                                                 .marker_suffix = "sit"}));
    brp_handle_close(&ends[1]);
    pt_fails(brp_stream_poll(ends[0], pt_in(300)), BROOD_ETIMEDOUT);
    pt_fails(brp_child_wait(&child, pt_in(0)), BROOD_ETIMEDOUT);
    pt_ok(brp_child_let_go(&child));
    assert_true(pt_await_byte(ends[0], PT_HANG_MS));
    brp_handle_close(&ends[0]);
    pt_ok(brp_child_wait(&child, pt_hang()));
    brp_child_close(&child);
}

static void test_a_child_has_default_signals(void **state)
{
    (void)state;
#ifdef _WIN32
    pt_skip_on(PT_SYSTEM, "no signals are inherited there");
#else
    pt_process child;
    sigset_t some, before;
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGUSR1);
    sigprocmask(SIG_BLOCK, &some, &before);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    pt_start(&child, "child", "signals", NULL, 0);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    char *report = pt_report(&child);
    assert_string_equal(report, "");
    bri_free(report);
#endif
}

static void test_200_children_at_once(void **state)
{
    enum { N = 200 };
    (void)state;
    static pt_process children[N];
    for (int i = 0; i < N; i++)
        pt_start(&children[i], "child", "sit", NULL, 0);
    for (int i = 0; i < N; i++)
        assert_true(pt_await_byte(children[i].report, PT_HANG_MS));
    for (int i = 0; i < N; i++)
        pt_fails(brp_child_wait(&children[i].child, 0), BROOD_ETIMEDOUT);
    for (int i = 0; i < N; i++)
        brp_handle_close(&children[i].report);
    for (int i = 0; i < N; i++)
        assert_int_equal(pt_join(&children[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_arguments_arrive_exactly),
        pt_test(test_long_and_many_arguments_arrive_exactly),
        pt_test(test_an_environment_arrives_exactly),
        pt_test(test_without_an_environment_the_childs_is_ours),
        pt_test(test_the_marker_replaces_an_older_one),
        pt_test(test_a_name_is_found_in_the_path_variable),
        pt_test(test_a_child_that_is_not_let_go_does_not_run_on_windows),
        pt_test(test_a_child_has_default_signals),
        pt_test(test_200_children_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
