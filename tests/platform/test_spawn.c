/* test_spawn.c - platform/spawn.h: exact arguments, environment, directory and handles. */
#define _GNU_SOURCE
#include "expect.h"

#include "files.h"

#ifndef _WIN32
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#else
#include <windows.h>
#endif

/* Takes the next text of a report of tell_text; NULL at its end. */
static char *next_text(char **at)
{
    char *text = *at;
    if (*text == '\0')
        return NULL;
    char digits[11];
    memcpy(digits, text, 10);
    digits[10] = '\0';
    size_t length = strtoul(digits, NULL, 10);
    memmove(text, text + 10, length);
    *at = text + 10 + length;
    text[length] = '\0';
    return text;
}

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
        char *got = next_text(&at);
        assert_non_null(got);
        assert_string_equal(got, arguments[i]);
    }
    assert_null(next_text(&at));
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
        assert_string_equal(next_text(&at), texts[i]);
    assert_null(next_text(&at));
    bri_free(report);
}

/* Whether the report of an environment has this entry; counts all. */
static bool report_has(char *report, const char *entry, size_t *n)
{
    bool found = false;
    *n = 0;
    for (char *at = report, *text; (text = next_text(&at)) != NULL; ++*n)
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
    for (char *text; (text = next_text(&at)) != NULL;) {
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
    for (char *text; (text = next_text(&at)) != NULL;) {
        markers += strncmp(text, PT_MARKER "=", sizeof PT_MARKER) == 0;
        kept += strcmp(text, PT_MARKER "2=kept") == 0;
        old += strcmp(text, PT_MARKER "=old") == 0;
    }
    bri_free(report);
    assert_int_equal(markers, 1);
    assert_int_equal(kept, 1);
    assert_int_equal(old, 0);
}

/* ---- handles ---- */

static void make_inheritable(brp_handle handle)
{
#ifdef _WIN32
    assert_true(
        SetHandleInformation((HANDLE)handle.value, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
#else
    assert_int_equal(fcntl((int)handle.value, F_SETFD, 0), 0);
#endif
}

static void test_a_child_gets_the_listed_handles_and_no_other(void **state)
{
    enum { PAIRS = 50, LISTED = 3 };
    (void)state;
    brp_handle pairs[PAIRS][2], listed[LISTED][2], given[LISTED];
    pt_process child;
    for (int i = 0; i < PAIRS; i++) {
        pt_ok(brp_stream_pair_one_way(pairs[i]));
        if (i % 2 == 0) {
            make_inheritable(pairs[i][0]);
            make_inheritable(pairs[i][1]);
        }
    }
    for (int i = 0; i < LISTED; i++) {
        pt_ok(brp_stream_pair(listed[i]));
        given[i] = listed[i][1];
    }
    pt_start(&child, "child", "handles", given, LISTED);
    /* The child lives on; a writing end that it had would keep our reading end from its end. */
    char report[128] = "";
    size_t got = 0;
    unsigned at_start = 0, told = 0, inheritable = 1;
    for (size_t n = 0; strchr(report, '\n') == NULL; n += got)
        pt_ok(brp_stream_read(child.report, report + n, sizeof report - 1 - n, &got, pt_hang()));
    for (int i = 0; i < PAIRS; i++) {
        char byte;
        brp_handle_close(&pairs[i][1]);
        pt_fails(brp_stream_read(pairs[i][0], &byte, 1, &got, pt_hang()), BROOD_EEOF);
        brp_handle_close(&pairs[i][0]);
    }
    for (int i = 0; i < LISTED; i++) {
        brp_handle_close(&listed[i][0]);
        brp_handle_close(&listed[i][1]);
    }
    brp_handle_close(&child.report);
    assert_int_equal(pt_join(&child), 0);
    assert_int_equal(sscanf(report, "%u %u %u", &at_start, &told, &inheritable), 3);
    assert_int_equal(told, LISTED + 1);
    assert_int_equal(inheritable, 0);
    if (!PT_IS_WINDOWS) /* Windows opens handles of its own in every process */
        assert_int_equal(at_start, 3 + told);
}

static void test_handles_arrive_in_the_listed_order_whatever_their_numbers(void **state)
{
    enum { N = 40 };
    (void)state;
    brp_handle pairs[N][2], given[N];
    pt_process child;
    for (int i = 0; i < N; i++)
        pt_ok(brp_stream_pair(pairs[i]));
    /* The lowest numbers, which the child's use too, come last; and one comes twice. */
    for (int i = 0; i < N; i++)
        given[i] = pairs[N - 1 - i][1];
    given[7] = given[21];
    pt_start(&child, "child", "sign", given, N);
    for (int i = 0; i < N; i++)
        brp_handle_close(&pairs[i][1]);
    assert_int_equal(pt_join(&child), 0);
    for (int i = 0; i < N; i++) {
        char wanted[64];
        int place = N - 1 - i;
        snprintf(wanted, sizeof wanted, "I am %d", place + 1);
        if (place == 7)
            wanted[0] = '\0';
        if (place == 21)
            strcpy(wanted, "I am 8I am 22");
        char *got = pt_read_all(pairs[i][0], NULL);
        assert_non_null(got);
        assert_string_equal(got, wanted);
        bri_free(got);
        brp_handle_close(&pairs[i][0]);
    }
}

static void test_standard_streams_can_be_handles_and_swapped(void **state)
{
    (void)state;
    brp_handle out[2], err[2];
    pt_process child;
    pt_ok(brp_pipe_pair(&out[0], &out[1], true));
    pt_ok(brp_pipe_pair(&err[0], &err[1], true));
    pt_start_with(&child, "child", "talk", NULL, 0,
                  &(brp_spawn_options){.stdio = {{BRP_STDIO_NULL, BRP_NO_HANDLE},
                                                 {BRP_STDIO_HANDLE, err[1]},
                                                 {BRP_STDIO_HANDLE, out[1]}}});
    brp_handle_close(&out[1]);
    brp_handle_close(&err[1]);
    char *said[2] = {pt_read_all(out[0], NULL), pt_read_all(err[0], NULL)};
    brp_handle_close(&out[0]);
    brp_handle_close(&err[0]);
    assert_int_equal(pt_join(&child), 0);
    assert_string_equal(said[0], "err");
    assert_string_equal(said[1], "out");
    bri_free(said[0]);
    bri_free(said[1]);
}

static void test_both_outputs_can_be_one_handle(void **state)
{
    (void)state;
    brp_handle ends[2];
    pt_process child;
    pt_ok(brp_pipe_pair(&ends[0], &ends[1], true));
    pt_start_with(&child, "child", "talk", NULL, 0,
                  &(brp_spawn_options){.stdio = {{BRP_STDIO_NULL, BRP_NO_HANDLE},
                                                 {BRP_STDIO_HANDLE, ends[1]},
                                                 {BRP_STDIO_HANDLE, ends[1]}}});
    brp_handle_close(&ends[1]);
    char *said = pt_read_all(ends[0], NULL);
    brp_handle_close(&ends[0]);
    assert_int_equal(pt_join(&child), 0);
    assert_string_equal(said, "outerr");
    bri_free(said);
}

#ifndef _WIN32
/* Runs the child with our own standard streams in an odd state, and puts them back. */
static void test_our_own_standard_streams_may_be_swapped_closed_or_close_on_exec(void **state)
{
    (void)state;
    brp_handle pipe_ends[2];
    pt_process child;
    int saved[3];
    pt_ok(brp_pipe_pair(&pipe_ends[0], &pipe_ends[1], true));
    fflush(stdout);
    for (int i = 0; i < 3; i++)
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
    close(0);
    dup3((int)pipe_ends[1].value, 2, O_CLOEXEC); /* inherited nevertheless */
    brp_handle made[2];
    brood_status status = brp_stream_pair(made); /* must not become 0 */
    brp_spawn_options options = {.stdio = {{BRP_STDIO_INHERIT, BRP_NO_HANDLE},
                                           {BRP_STDIO_HANDLE, {2}},
                                           {BRP_STDIO_INHERIT, BRP_NO_HANDLE}}};
    pt_start_with(&child, "child", "talk", NULL, 0, &options);
    int lowest = (int)(made[0].value < made[1].value ? made[0].value : made[1].value);
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    pt_ok(status);
    brp_handle_close(&made[0]);
    brp_handle_close(&made[1]);
    brp_handle_close(&pipe_ends[1]);
    char *said = pt_read_all(pipe_ends[0], NULL);
    brp_handle_close(&pipe_ends[0]);
    assert_int_equal(pt_join(&child), 0);
    assert_true(lowest > 2);
    assert_string_equal(said, "outerr");
    bri_free(said);
}
#else
static void test_our_own_standard_streams_may_be_swapped_closed_or_close_on_exec(void **state)
{
    (void)state;
    pt_skip_on(PT_SYSTEM, "handles have no fixed numbers there");
}
#endif

/* ---- paths and directories ---- */

static void test_a_child_starts_in_the_directory(void **state)
{
    (void)state;
    char *directory = pt_make_directory("d\xC3\xADr \xE2\x82\xAC");
    pt_process child;
    pt_start_with(&child, "child", "directory", NULL, 0,
                  &(brp_spawn_options){.directory = directory});
    char *report = pt_report(&child);
    bool same = pt_same_path(report, directory);
    if (!same)
        print_error("it is \"%s\", not \"%s\"\n", report, directory);
    bri_free(report);
    pt_remove(directory);
    bri_free(directory);
    assert_true(same);
}

static void test_executables_have_any_path(void **state)
{
    (void)state;
    /* Each name of a directory may have 255 units, the whole path less than 4096 on POSIX. */
    static const char *const names[] = {
        "plain", "with space", "quo'te", "na\xC3\xAFve", "\xE2\x82\xAC\xF0\x9F\x90\xA3", "long",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *directory = pt_make_directory(names[i]);
        char *deepest = strcmp(names[i], "long") == 0 ? pt_make_deep_directory(directory)
                                                      : bri_strdup(directory);
        char *path = pt_join_path(deepest, "pr\xC3\xB6g" PT_EXE);
        pt_copy_program(pt_prog("child"), path);
        pt_process child;
        const char *arguments[] = {path, "x y", NULL};
        pt_start_with(&child, "child", "arguments", NULL, 0,
                      &(brp_spawn_options){.path = path, .arguments = arguments});
        char *report = pt_report(&child), *at = report;
        assert_string_equal(next_text(&at), "x y");
        bri_free(report);
        pt_remove_tree(directory);
        bri_free(path);
        bri_free(deepest);
        bri_free(directory);
    }
}

static void test_a_relative_path_means_our_directory_not_the_childs(void **state)
{
    (void)state;
    char *directory = pt_make_directory("relative");
    char *path = pt_join_path(directory, "prog" PT_EXE);
    char *elsewhere = pt_join_path(directory, "elsewhere");
    pt_copy_program(pt_prog("child"), path);
    pt_make_plain_directory(elsewhere);
    char *before = pt_enter_directory(directory);
    pt_process child;
    pt_start_with(&child, "child", "directory", NULL, 0,
                  &(brp_spawn_options){.path = "." PT_SLASH "prog" PT_EXE, .directory = elsewhere});
    char *report = pt_report(&child);
    bool same = pt_same_path(report, elsewhere);
    bri_free(report);
    bri_free(pt_enter_directory(before));
    bri_free(before);
    pt_remove_tree(directory);
    bri_free(elsewhere);
    bri_free(path);
    bri_free(directory);
    assert_true(same);
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

static void test_the_own_executable_starts_after_its_file_is_gone(void **state)
{
    (void)state;
    if (PT_IS_WINDOWS)
        pt_skip_on(PT_SYSTEM, "a program that runs cannot be deleted there");
    char *directory = pt_make_directory("gone");
    char *path = pt_join_path(directory, "prog" PT_EXE);
    pt_copy_program(pt_prog("child"), path);
    pt_process child;
    pt_start_with(&child, "child", "start_itself", NULL, 0, &(brp_spawn_options){.path = path});
    assert_true(pt_await_byte(child.report, PT_HANG_MS));
    pt_remove(path);
    pt_ok(pt_say(child.report, "g"));
    assert_int_equal(pt_join(&child), 23);
    pt_remove_tree(directory);
    bri_free(path);
    bri_free(directory);
}

/* ---- failures ---- */

static brood_status start_path(const char *path, const char *directory)
{
    brp_child child;
    const char *const arguments[] = {"x", NULL};
    brp_child_init(&child);
    brood_status status = brp_spawn(
        &child, &(brp_spawn_options){.path = path, .directory = directory, .arguments = arguments});
    assert_false(brp_handle_is_set(child.sentinel));
    return status;
}

static void test_a_missing_executable_is_not_found(void **state)
{
    (void)state;
    const char *missing = BROOD_TEST_BINDIR "/no such prog\xE2\x82\xAC";
    pt_fails(start_path(missing, NULL), BROOD_ENOTFOUND);
    pt_message_has("could not start");
    pt_message_has(missing);
    brp_child child;
    const char *const arguments[] = {"x", NULL};
    pt_fails(brp_spawn(&child, &(brp_spawn_options){.path = "brood-no-such-program",
                                                    .search_path = true,
                                                    .arguments = arguments}),
             BROOD_ENOTFOUND);
    pt_message_has("brood-no-such-program");
}

static void test_a_missing_directory_is_told_apart_from_a_missing_executable(void **state)
{
    (void)state;
    const char *missing = BROOD_TEST_BINDIR "/no such directory";
    pt_fails(start_path(pt_prog("child"), missing), BROOD_ENOTFOUND);
    pt_message_has(missing);
    pt_message_has(pt_prog("child"));
    const char *file = pt_prog("child");
    assert_int_not_equal(start_path(pt_prog("child"), file), BROOD_OK);
}

static void test_what_is_no_program_is_refused(void **state)
{
    (void)state;
    char *directory = pt_make_directory("noprog");
    char *path = pt_join_path(directory, "text" PT_EXE);
    pt_write_file(path, "this is no program", 18);
    brood_status status = start_path(path, NULL);
    pt_message_has(path);
    brood_status of_directory = start_path(directory, NULL);
    pt_message_has(directory);
    pt_remove_tree(directory);
    bri_free(path);
    bri_free(directory);
    assert_int_equal(status, PT_IS_WINDOWS ? BROOD_EOS : BROOD_EACCESS);
    assert_int_equal(of_directory, BROOD_EACCESS);
}

static void test_running_out_of_handles_is_a_limit(void **state)
{
    (void)state;
#ifdef _WIN32
    pt_skip_on(PT_SYSTEM, "there is no limit of handles to reach");
#else
    brp_handle taken[256];
    int n = 0;
    struct rlimit before, low;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 40;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (n < 256 && brp_handle_open_null(&taken[n]) == BROOD_OK)
        n++;
    brp_handle_close(&taken[--n]);
    brp_handle_close(&taken[--n]);
    /* Two are left: a start with that many handles to move needs more, fails in some step, and
     * leaves nothing. */
    enum { LISTED = 16 };
    brp_handle listed[LISTED];
    assert_true(n > LISTED);
    memcpy(listed, taken, sizeof listed);
    const char *const arguments[] = {"x", NULL};
    brp_child child;
    brood_status status = brp_spawn(&child, &(brp_spawn_options){.path = pt_prog("child"),
                                                                 .arguments = arguments,
                                                                 .handles = listed,
                                                                 .n_handles = LISTED});
    setrlimit(RLIMIT_NOFILE, &before);
    while (n > 0)
        brp_handle_close(&taken[--n]);
    assert_int_equal(status, BROOD_ELIMIT);
    pt_message_has(pt_prog("child"));
#endif
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
        pt_test(test_a_child_gets_the_listed_handles_and_no_other),
        pt_test(test_handles_arrive_in_the_listed_order_whatever_their_numbers),
        pt_test(test_standard_streams_can_be_handles_and_swapped),
        pt_test(test_both_outputs_can_be_one_handle),
        pt_test(test_our_own_standard_streams_may_be_swapped_closed_or_close_on_exec),
        pt_test(test_a_child_starts_in_the_directory),
        pt_test(test_executables_have_any_path),
        pt_test(test_a_relative_path_means_our_directory_not_the_childs),
        pt_test(test_a_name_is_found_in_the_path_variable),
        pt_test(test_the_own_executable_starts_after_its_file_is_gone),
        pt_test(test_a_missing_executable_is_not_found),
        pt_test(test_a_missing_directory_is_told_apart_from_a_missing_executable),
        pt_test(test_what_is_no_program_is_refused),
        pt_test(test_running_out_of_handles_is_a_limit),
        pt_test(test_a_child_that_is_not_let_go_does_not_run_on_windows),
        pt_test(test_a_child_has_default_signals),
        pt_test(test_200_children_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
