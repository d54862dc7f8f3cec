/* test_console.c - which console a child has. Ctrl-C on it reaches the root alone; what becomes of
 * the tree is the root's choice. The counterpart of posix/test_terminal.c. */
#include "harness.h"
#include "terminal.h"

#include "platform/child.h"
#include "platform/clock.h"
#include "platform/spawn.h"
#include "platform/stream.h"
#include "win32/win32.h"

enum { GENERATIONS = 3, LIMIT_MS = 20000 };

/* ---- this program again ---- */

/* `arguments` with argv[0]. Streams are this program's where the handle is not set. */
static brood_status start_self(brp_child *child, const char *const *arguments, brp_handle input,
                               brp_handle output)
{
    brp_spawn_options options = {.arguments = arguments};
    if (brp_handle_is_set(input))
        options.stdio[0] = (brp_stdio){BRP_STDIO_HANDLE, input};
    if (brp_handle_is_set(output))
        options.stdio[1] = (brp_stdio){BRP_STDIO_HANDLE, output};
    brp_child_init(child);
    BROOD_TRY(brp_spawn(child, &options));
    return brp_child_let_go(child);
}

/* Without a console, so that what it starts has one of its own. Ends as that does, also where the
 * code is an exception's. */
static int be_without_console(char **arguments)
{
    brp_child child;
    FreeConsole();
    if (start_self(&child, (const char *const *)arguments, BRP_NO_HANDLE, BRP_NO_HANDLE) !=
            BROOD_OK ||
        brp_child_wait(&child, BRI_NEVER) != BROOD_OK)
        return 124;
    TerminateProcess(GetCurrentProcess(), (UINT)child.system_status);
    return 125;
}

/* Says how many programs are at its console, 0 when it has none, and whether that is to be seen.
 * (Wine counts one also where it could not make a console, for want of a display.) */
static int be_looking(void)
{
    DWORD pids[8], n = GetConsoleCP() != 0 ? GetConsoleProcessList(pids, 8) : 0;
    printf("%lu%s\n", (unsigned long)n, IsWindowVisible(GetConsoleWindow()) ? " visible" : "");
    return 0;
}

/* Starts one more that looks. */
static int be_at_a_console(void)
{
    brp_child child;
    const char *arguments[] = {"test_console", "look", NULL};
    if (start_self(&child, arguments, BRP_NO_HANDLE, BRP_NO_HANDLE) != BROOD_OK ||
        brp_child_wait(&child, bri_deadline_after(brp_clock_now(), LIMIT_MS)) != BROOD_OK)
        return 124;
    return child.code;
}

/* Says that it is there, and waits for its end. */
static int be_interrupted(bool leaves)
{
    char none;
    DWORD got;
    if (leaves)
        FreeConsole();
    puts("ready");
    fflush(stdout);
    ReadFile(GetStdHandle(STD_INPUT_HANDLE), &none, 1, &got, NULL);
    return 0;
}

/* Interrupts one that stays at its console, or leaves it; says what it was told, and how that
 * ended. */
static int be_interrupting(const char *what)
{
    brp_child child;
    brp_handle keys, their_keys, output, their_output;
    const char *arguments[] = {"test_console", what, NULL};
    char byte = 0;
    size_t got;
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), LIMIT_MS);
    if (brp_pipe_pair(&keys, &their_keys, false) != BROOD_OK ||
        brp_pipe_pair(&output, &their_output, true) != BROOD_OK ||
        start_self(&child, arguments, their_keys, their_output) != BROOD_OK)
        return 124;
    while (byte != '\n') {
        if (brp_stream_read(output, &byte, 1, &got, deadline) != BROOD_OK)
            return 125;
    }
    brood_status status = brp_child_signal(&child, BRP_INTERRUPT);
    puts(status == BROOD_OK ? "sent" : brood_last_error()->message);
    if (status != BROOD_OK)
        brp_handle_close(&keys);
    if (brp_child_wait(&child, deadline) != BROOD_OK)
        return 126;
    printf("%d\n", child.code);
    return 0;
}

static BOOL WINAPI stay(DWORD event)
{
    return event == CTRL_C_EVENT;
}

/*
 * Starts prog_start on its console as a shell would, presses Ctrl-C for each byte of its input,
 * and ends as that program does. It is a member of the group that is pressed at, because Wine
 * takes group 0 for the caller's own (Windows: all of the console). As the leader of a new group
 * it ignores Ctrl-C, which programs inherit; a shell does not.
 */
static int be_session(char **arguments)
{
    char command[1024];
    snprintf(command, sizeof command, "\"%s\" %s spawn %d", bt_prog("prog_start"), arguments[0],
             GENERATIONS);
    STARTUPINFOA info = {.cb = sizeof info};
    PROCESS_INFORMATION root;
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    info.dwFlags = STARTF_USESTDHANDLES;
    info.hStdOutput = info.hStdError = GetStdHandle(STD_OUTPUT_HANDLE);
    if (!SetConsoleCtrlHandler(NULL, FALSE) || !SetConsoleCtrlHandler(stay, TRUE) ||
        !CreateProcessA(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &info, &root))
        return 120;
    char press;
    DWORD got, code = 121;
    while (ReadFile(input, &press, 1, &got, NULL) && got == 1)
        if (!GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0))
            return 122;
    if (WaitForSingleObject(root.hProcess, LIMIT_MS) == WAIT_OBJECT_0)
        GetExitCodeProcess(root.hProcess, &code);
    TerminateProcess(GetCurrentProcess(), code); /* as it is, also where it is an exception's */
    return 123;
}

/* ---- the tests ---- */

static bool is_wine(void)
{
    HMODULE ntdll = GetModuleHandleW(L"ntdll");
    return GetProcAddress(ntdll, "wine_get_version") != NULL;
}

typedef struct session {
    brp_child child;
    brp_handle output, keys;
} session;

static session open_session(const char *what, const char *role)
{
    session made;
    brp_handle their_output, their_input;
    const char *arguments[] = {"test_console", "without_console", what, role, NULL};
    bt_ok(brp_pipe_pair(&made.output, &their_output, true));
    bt_ok(brp_pipe_pair(&made.keys, &their_input, false));
    brood_status status = start_self(&made.child, arguments, their_input, their_output);
    brp_handle_close(&their_output);
    brp_handle_close(&their_input);
    bt_ok(status);
    return made;
}

static int close_session(session *one)
{
    brp_handle_close(&one->keys);
    bt_ok(brp_child_wait(&one->child, bri_deadline_after(brp_clock_now(), LIMIT_MS)));
    int code = one->child.code;
    brp_child_close(&one->child);
    brp_handle_close(&one->output);
    return code;
}

static void press_interrupt(const session *one)
{
    size_t written;
    brp_bytes key = {"\003", 1};
    bt_ok(brp_stream_write_all(one->keys, &key, 1, &written,
                               bri_deadline_after(brp_clock_now(), LIMIT_MS)));
}

/* What the system ends a program with that has no handler; Wine ends it with 0. */
static int code_of_ctrl_c(void)
{
    return is_wine() ? 0 : -2;
}

static void test_ctrl_c_ends_the_root_and_the_tree_follows(void **state)
{
    (void)state;
    int64_t pids[GENERATIONS];
    session one = open_session("session", "tree");
    for (int i = 0; i < GENERATIONS; i++)
        pids[i] = bt_read_pid(one.output);
    press_interrupt(&one);
    for (int i = 0; i < GENERATIONS; i++)
        assert_true(bt_is_gone(pids[i], 2000));
    assert_int_equal(close_session(&one), code_of_ctrl_c());
}

/* The root has taken interrupts over: it hears of each press, and its child of none. */
static void test_ctrl_c_does_not_reach_the_children(void **state)
{
    (void)state;
    char line[64];
    session one = open_session("session", "stubborn");
    int64_t child = bt_read_pid(one.output);
    press_interrupt(&one);
    bt_read_line(one.output, line, sizeof line);
    assert_string_equal(line, "interrupt 1");
    assert_false(bt_is_gone(child, 50));
    press_interrupt(&one);
    bt_read_line(one.output, line, sizeof line);
    assert_string_equal(line, "interrupt 2");
    bt_read_line(one.output, line, sizeof line);
    assert_string_equal(line, "the child ended with 7");
    assert_int_equal(close_session(&one), 0);
}

static void expect_line(const session *one, const char *wanted)
{
    char line[64];
    bt_read_line(one->output, line, sizeof line);
    assert_string_equal(line, wanted);
}

/* A GUI program's workers, say. */
static void test_a_child_of_one_without_console_shows_no_window(void **state)
{
    (void)state;
    session one = open_session("look", NULL);
    expect_line(&one, "1");
    assert_int_equal(close_session(&one), 0);
}

static void test_a_child_is_at_its_parents_console(void **state)
{
    (void)state;
    session one = open_session("at_a_console", NULL);
    expect_line(&one, "2");
    assert_int_equal(close_session(&one), 0);
}

static void test_who_has_left_the_console_cannot_be_interrupted(void **state)
{
    (void)state;
    char line[128];
    session one = open_session("interrupting", "leave");
    bt_read_line(one.output, line, sizeof line);
    assert_non_null(strstr(line, "it is not at this program's"));
    expect_line(&one, "0");
    assert_int_equal(close_session(&one), 0);
}

/* Wine brings no Ctrl-Break. */
static void test_who_is_at_the_console_is_interrupted(void **state)
{
    (void)state;
    char line[128];
    session one = open_session("interrupting", "stay");
    bt_read_line(one.output, line, sizeof line);
    assert_null(strstr(line, "it is not at this program's"));
    if (!is_wine())
        assert_string_equal(line, "sent");
    expect_line(&one, is_wine() ? "0" : "-2");
    assert_int_equal(close_session(&one), 0);
}

static int run_role(int argc, char **argv)
{
    const char *role = argv[1], *what = argc > 2 ? argv[2] : "";
    if (strcmp(role, "without_console") == 0)
        return be_without_console(argv + 1);
    if (strcmp(role, "session") == 0)
        return be_session(argv + 2);
    if (strcmp(role, "look") == 0)
        return be_looking();
    if (strcmp(role, "at_a_console") == 0)
        return be_at_a_console();
    if (strcmp(role, "interrupting") == 0)
        return be_interrupting(what);
    if (strcmp(role, "stay") == 0 || strcmp(role, "leave") == 0)
        return be_interrupted(strcmp(role, "leave") == 0);
    return -1;
}

int main(int argc, char **argv)
{
    int code = argc > 1 ? run_role(argc, argv) : -1;
    if (code != -1)
        return code;
    return bt_main(argc, argv, bt_test(test_ctrl_c_ends_the_root_and_the_tree_follows),
                   bt_test(test_ctrl_c_does_not_reach_the_children),
                   bt_test(test_a_child_of_one_without_console_shows_no_window),
                   bt_test(test_a_child_is_at_its_parents_console),
                   bt_test(test_who_has_left_the_console_cannot_be_interrupted),
                   bt_test(test_who_is_at_the_console_is_interrupted));
}
