/* test_spawn.c - jobs, exact handle lists and the paths of Windows. */
#include "win32_test.h"

#include "platform/ident.h"
#include "platform/spawn.h"
#include "platform/stream.h"
#include "win32/exitcode.h"
#include "win32/utf16.h"

#include <process.h>

/* ---- roles of this program as its own child; "BROOD_TEST_ROLE" is "H0,H1,...;role" ---- */

enum { N_PLANTED = 100, SCANNED = 4096 };

/* Exits with the number of handles that came by inheritance: those are inheritable still. */
static int count_inherited(void)
{
    int n = 0;
    for (uintptr_t value = 4; value < SCANNED; value += 4) {
        DWORD flags;
        if (GetHandleInformation((HANDLE)value, &flags) && (flags & HANDLE_FLAG_INHERIT) != 0)
            n++;
    }
    return n;
}

static int start_grandchild(const char *handle)
{
    static const char *const arguments[] = {"x", NULL};
    brp_handle out;
    brp_child child;
    size_t written;
    if (brp_handle_parse(handle, &out) != BROOD_OK)
        return 1;
    brp_spawn_options options = {
        .arguments = arguments, .marker = "BROOD_TEST_ROLE", .marker_suffix = "sleep"};
    if (brp_spawn(&child, &options) != BROOD_OK || brp_child_let_go(&child) != BROOD_OK)
        return 2;
    int64_t pids[2] = {child.pid, (int64_t)brp_start_time(child.pid)};
    if (brp_stream_write_all(out, &(brp_bytes){pids, sizeof pids}, 1, &written, soon()) != BROOD_OK)
        return 3;
    WaitForSingleObject(GetCurrentProcess(), INFINITE);
    return 4;
}

static int play(char *role)
{
    char *suffix = strchr(role, ';');
    *suffix++ = '\0';
    if (strcmp(suffix, "count") == 0)
        return count_inherited();
    if (strcmp(suffix, "sleep") == 0)
        WaitForSingleObject(GetCurrentProcess(), INFINITE);
    if (strcmp(suffix, "grandchild") == 0)
        return start_grandchild(role);
    if (strcmp(suffix, "exit 42") == 0)
        return 42;
    if (strcmp(suffix, "exit 259") == 0)
        return STILL_ACTIVE;
    return 99;
}

static const char *const self_arguments[] = {"x", NULL};

/* Starts this program in a role and lets it go. */
static void start_role(brp_child *child, const char *role, const brp_handle *handles, size_t n)
{
    brp_spawn_options options = {.arguments = self_arguments,
                                 .stdio = {{.kind = BRP_STDIO_NULL}, {0}, {0}},
                                 .handles = handles,
                                 .n_handles = n,
                                 .marker = "BROOD_TEST_ROLE",
                                 .marker_suffix = role};
    expect_ok(brp_spawn(child, &options));
    expect_ok(brp_child_let_go(child));
}

static int end_of(brp_child *child)
{
    expect_ok(brp_child_wait(child, soon()));
    int code = child->code;
    brp_child_close(child);
    return code;
}

/* ---- handles ---- */

static void test_only_listed_handles_are_inherited(void **state)
{
    (void)state;
    HANDLE planted[N_PLANTED];
    SECURITY_ATTRIBUTES inheritable = {.nLength = sizeof inheritable, .bInheritHandle = TRUE};
    for (size_t i = 0; i < N_PLANTED; i++) {
        planted[i] = CreateEventW(i % 2 == 0 ? &inheritable : NULL, TRUE, FALSE, NULL);
        assert_non_null(planted[i]);
    }
    size_t before = brp_handle_count();
    brp_child child;
    start_role(&child, "count", NULL, 0);
    assert_int_equal(end_of(&child), 3); /* the standard streams */
    brp_handle listed[2] = {bri_w32_value(planted[0]), bri_w32_value(planted[1])};
    start_role(&child, "count", listed, 2);
    assert_int_equal(end_of(&child), 5);
    listed[1] = listed[0]; /* in the system's list it would be an invalid parameter */
    start_role(&child, "count", listed, 2);
    assert_int_equal(end_of(&child), 5);
    assert_int_equal(brp_handle_count(), before);
    for (size_t i = 0; i < N_PLANTED; i++) {
        assert_int_equal(brp_handle_is_inheritable(bri_w32_value(planted[i])), i % 2 == 0);
        CloseHandle(planted[i]);
    }
}

enum { N_THREADS = 4, N_ROUNDS = 10 };

static unsigned __stdcall spawn_and_count(void *argument)
{
    int *wrong = argument;
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    for (int i = 0; i < N_ROUNDS; i++) {
        brp_child child;
        brp_handle listed = bri_w32_value(event);
        brp_spawn_options options = {.arguments = self_arguments,
                                     .stdio = {{.kind = BRP_STDIO_NULL}, {0}, {0}},
                                     .handles = &listed,
                                     .n_handles = 1,
                                     .marker = "BROOD_TEST_ROLE",
                                     .marker_suffix = "count"};
        if (brp_spawn(&child, &options) != BROOD_OK || brp_child_let_go(&child) != BROOD_OK ||
            brp_child_wait(&child, soon()) != BROOD_OK || child.code != 4)
            ++*wrong;
        brp_child_close(&child);
    }
    CloseHandle(event);
    return 0;
}

static void test_spawns_at_once_do_not_share_handles(void **state)
{
    (void)state;
    HANDLE threads[N_THREADS];
    int wrong[N_THREADS] = {0};
    for (int i = 0; i < N_THREADS; i++)
        threads[i] = (HANDLE)_beginthreadex(NULL, 0, spawn_and_count, &wrong[i], 0, NULL);
    WaitForMultipleObjects(N_THREADS, threads, TRUE, INFINITE);
    for (int i = 0; i < N_THREADS; i++) {
        CloseHandle(threads[i]);
        assert_int_equal(wrong[i], 0);
    }
}

static void test_a_missing_standard_stream_becomes_the_null_device(void **state)
{
    (void)state;
    HANDLE kept = GetStdHandle(STD_OUTPUT_HANDLE);
    brp_child child;
    static const uintptr_t missing[] = {0, (uintptr_t)-1,
                                        0x7FFC}; /* the last is no handle at all */
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        SetStdHandle(STD_OUTPUT_HANDLE, (HANDLE)missing[i]);
        start_role(&child, "count", NULL, 0);
        SetStdHandle(STD_OUTPUT_HANDLE, kept);
        assert_int_equal(end_of(&child), 3);
    }
}

static void test_a_bad_handle_fails_the_start(void **state)
{
    (void)state;
    brp_child child;
    size_t before = brp_handle_count();
    brp_spawn_options options = {
        .arguments = self_arguments, .handles = (const brp_handle[]){{0x7FFC}}, .n_handles = 1};
    expect_fails(brp_spawn(&child, &options), BROOD_EOS);
    expect_message("could not start");
    assert_int_equal(brp_handle_count(), before);
}

/* ---- jobs ---- */

static void read_grandchild(brp_handle in, int64_t pids[2])
{
    size_t got;
    expect_ok(brp_stream_read_all(in, pids, 2 * sizeof pids[0], &got, soon()));
    assert_true(brp_is_alive(pids[0], (uint64_t)pids[1]));
}

static void await_death(const int64_t pids[2])
{
    HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, (DWORD)pids[0]);
    if (process != NULL) {
        assert_int_equal(WaitForSingleObject(process, 5000), WAIT_OBJECT_0);
        CloseHandle(process);
    }
    assert_false(brp_is_alive(pids[0], (uint64_t)pids[1]));
}

/* Starts a child that starts a child; the three ways to end them follow. */
static void start_family(brp_child *child, int64_t grandchild[2])
{
    brp_handle ends[2];
    expect_ok(brp_stream_pair_one_way(ends));
    start_role(child, "grandchild", &ends[1], 1);
    brp_handle_close(&ends[1]);
    read_grandchild(ends[0], grandchild);
    brp_handle_close(&ends[0]);
}

static void test_kill_tree_reaches_nested_jobs(void **state)
{
    (void)state;
    brp_child child;
    int64_t grandchild[2];
    start_family(&child, grandchild);
    expect_ok(brp_child_kill_tree(&child));
    await_death(grandchild);
    assert_int_equal(end_of(&child), -9);
}

static void test_the_tree_below_a_killed_child_ends(void **state)
{
    (void)state;
    brp_child child;
    int64_t grandchild[2];
    start_family(&child, grandchild);
    expect_ok(brp_child_signal(&child, BRP_KILL));
    await_death(grandchild);
    assert_int_equal(end_of(&child), -9);
}

static void test_closing_a_child_ends_its_tree(void **state)
{
    (void)state;
    brp_child child;
    int64_t grandchild[2];
    start_family(&child, grandchild);
    int64_t self[2] = {child.pid, (int64_t)brp_start_time(child.pid)};
    brp_child_close(&child);
    await_death(self);
    await_death(grandchild);
}

/* ---- exit codes ---- */

static void test_exit_codes_follow_python(void **state)
{
    (void)state;
    static const struct {
        uint32_t raw;
        int code;
    } cases[] = {{0, 0},
                 {1, 1},
                 {255, 255},
                 {256, 256},
                 {0x7FFFFFFF, INT32_MAX},
                 {0xFFFFFFFF, 255},
                 {0xFFFFFFFE, 254},
                 {0xFFFFFF00, 255},
                 {0xE0B5000F, -15},
                 {0xE0B50009, -9},
                 {0xC0000005, -11},
                 {0xC00000FD, -11},
                 {0xC000001D, -4},
                 {0xC0000094, -8},
                 {0xC0000095, -8},
                 {0xC000013A, -2},
                 {0xC0000409, -6},
                 {0x80000003, -5},
                 {0xC0000135, -6},
                 {3, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(bri_w32_exit_decode(cases[i].raw), cases[i].code);
}

static void test_signals_are_seen_in_the_exit_code(void **state)
{
    (void)state;
    brp_child child;
    start_role(&child, "sleep", NULL, 0);
    expect_ok(brp_child_signal(&child, BRP_TERMINATE));
    expect_ok(brp_child_wait(&child, soon()));
    assert_int_equal(child.code, -15);
    assert_int_equal(child.system_status, BRI_W32_EXIT_TERMINATED);
    expect_ok(brp_child_signal(&child, BRP_KILL)); /* it has ended: no error */
    expect_ok(brp_child_kill_tree(&child));
    brp_child_close(&child);
    start_role(&child, "exit 42", NULL, 0);
    assert_int_equal(WaitForSingleObject(bri_w32_handle(child.sentinel), 20000), WAIT_OBJECT_0);
    expect_ok(brp_child_signal(&child, BRP_KILL)); /* nor before it is collected */
    assert_int_equal(end_of(&child), 42);
}

/* 259 is what GetExitCodeProcess says of a process that runs. */
static void test_an_exit_code_of_259_is_an_end(void **state)
{
    (void)state;
    brp_child child;
    start_role(&child, "sleep", NULL, 0);
    assert_int_equal(brp_child_wait(&child, bri_deadline_after(brp_clock_now(), 0)),
                     BROOD_ETIMEDOUT);
    expect_ok(brp_child_kill_tree(&child));
    assert_int_equal(end_of(&child), -9);
    start_role(&child, "exit 259", NULL, 0);
    assert_int_equal(WaitForSingleObject(bri_w32_handle(child.sentinel), 20000), WAIT_OBJECT_0);
    expect_ok(brp_child_signal(&child, BRP_TERMINATE));
    assert_int_equal(end_of(&child), STILL_ACTIVE);
}

/* ---- paths ---- */

static void test_batch_files_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"brood_test.bat", "brood_test.CMD"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        FILE *file = fopen(names[i], "w");
        assert_non_null(file);
        fclose(file);
        brp_child child;
        brp_spawn_options options = {.path = names[i], .arguments = self_arguments};
        brood_status status = brp_spawn(&child, &options);
        remove(names[i]);
        expect_fails(status, BROOD_ENOTSUP);
    }
}

static void test_the_suffix_may_be_left_out(void **state)
{
    (void)state;
    static const char *const arguments[] = {"cmd", "/c", "exit 5", NULL};
    static const char *const paths[] = {"C:\\windows\\system32\\cmd", "C:/windows/system32/CMD.EXE",
                                        "cmd", "cmd.exe"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        brp_child child;
        brp_spawn_options options = {.path = paths[i], .search_path = true, .arguments = arguments};
        expect_ok(brp_spawn(&child, &options));
        expect_ok(brp_child_let_go(&child));
        assert_int_equal(end_of(&child), 5);
    }
    brp_child child;
    brp_spawn_options options = {.path = "cmd.exe",
                                 .arguments = arguments}; /* not in this directory */
    expect_fails(brp_spawn(&child, &options), BROOD_ENOTFOUND);
}

/* Copies this program to a path of 300 characters with letters that no code page has, and starts it
 * there. */
static void test_long_paths_start(void **state)
{
    (void)state;
    wchar_t *own = NULL, base[MAX_PATH], path[512];
    char *own_text;
    brp_child child;
    assert_true(GetTempPathW(MAX_PATH, base) != 0);
    swprintf(path, 512, L"\\\\?\\%lsbrood-%lu", base, (unsigned long)GetCurrentProcessId());
    size_t depth[4];
    for (int i = 0; i < 3; i++) {
        assert_true(CreateDirectoryW(path, NULL));
        depth[i] = wcslen(path);
        wcscat(path, L"\\\x263A-\x00FC-");
        for (int j = 0; j < 90; j++)
            wcscat(path, L"d");
    }
    assert_true(CreateDirectoryW(path, NULL));
    depth[3] = wcslen(path);
    wcscat(path, L"\\program.exe");
    own_text = bri_w32_module_path(NULL);
    own = bri_w32_path(own_text);
    assert_true(CopyFileW(own, path, TRUE));
    bri_free(own_text);
    bri_free(own);

    /* Given without the prefix, as users have it. */
    char *text = bri_w32_utf8(path + 4, wcslen(path + 4));
    assert_true(strlen(text) > 300);
    brp_spawn_options options = {.path = text,
                                 .arguments = self_arguments,
                                 .stdio = {{.kind = BRP_STDIO_NULL}, {0}, {0}},
                                 .marker = "BROOD_TEST_ROLE",
                                 .marker_suffix = "exit 42"};
    brood_status status = brp_spawn(&child, &options);
    if (status == BROOD_OK)
        status = brp_child_let_go(&child);
    int code = status == BROOD_OK ? end_of(&child) : -1;
    bri_free(text);
    DeleteFileW(path);
    for (int i = 3; i >= 0; i--) {
        path[depth[i]] = L'\0';
        assert_true(RemoveDirectoryW(path));
    }
    expect_ok(status);
    assert_int_equal(code, 42);
}

static void test_a_bad_directory_is_named(void **state)
{
    (void)state;
    brp_child child;
    brp_spawn_options options = {.arguments = self_arguments, .directory = "C:\\no such directory"};
    expect_fails(brp_spawn(&child, &options), BROOD_ENOTFOUND);
    expect_message("no such directory");
    options.directory = "C:\\windows\\win.ini";
    expect_fails(brp_spawn(&child, &options), BROOD_ENOTFOUND);
    expect_message("win.ini");
}

/* ---- many ---- */

enum { N_MANY = 200 };

static void test_200_children_start_suspended_and_end(void **state)
{
    (void)state;
    static brp_child children[N_MANY];
    brp_spawn_options options = {.arguments = self_arguments,
                                 .stdio = {{.kind = BRP_STDIO_NULL}, {0}, {0}},
                                 .marker = "BROOD_TEST_ROLE",
                                 .marker_suffix = "exit 42"};
    size_t before = brp_handle_count();
    for (size_t i = 0; i < N_MANY; i++)
        expect_ok(brp_spawn(&children[i], &options));
    for (size_t i = 0; i < N_MANY; i++)
        expect_fails(brp_child_wait(&children[i], 0), BROOD_ETIMEDOUT);
    for (size_t i = 0; i < N_MANY; i++)
        expect_ok(brp_child_let_go(&children[i]));
    for (size_t i = 0; i < N_MANY; i++)
        assert_int_equal(end_of(&children[i]), 42);
    assert_int_equal(brp_handle_count(), before);
}

int main(void)
{
    char *role = getenv("BROOD_TEST_ROLE");
    if (role != NULL)
        return play(role);
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_listed_handles_are_inherited),
        cmocka_unit_test(test_spawns_at_once_do_not_share_handles),
        cmocka_unit_test(test_a_missing_standard_stream_becomes_the_null_device),
        cmocka_unit_test(test_a_bad_handle_fails_the_start),
        cmocka_unit_test(test_kill_tree_reaches_nested_jobs),
        cmocka_unit_test(test_the_tree_below_a_killed_child_ends),
        cmocka_unit_test(test_closing_a_child_ends_its_tree),
        cmocka_unit_test(test_exit_codes_follow_python),
        cmocka_unit_test(test_signals_are_seen_in_the_exit_code),
        cmocka_unit_test(test_an_exit_code_of_259_is_an_end),
        cmocka_unit_test(test_batch_files_are_refused),
        cmocka_unit_test(test_the_suffix_may_be_left_out),
        cmocka_unit_test(test_long_paths_start),
        cmocka_unit_test(test_a_bad_directory_is_named),
        cmocka_unit_test(test_200_children_start_suspended_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
