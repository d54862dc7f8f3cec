/* test_console.c - Ctrl-C on a console reaches the root alone; what becomes of the tree is the
 * root's choice. The counterpart of posix/test_terminal.c. */
#include "harness.h"
#include "terminal.h"

#include "base/memory.h"
#include "platform/child.h"
#include "platform/clock.h"
#include "platform/module.h"
#include "platform/spawn.h"
#include "platform/stream.h"
#include "win32/win32.h"

enum { GENERATIONS = 3, LIMIT_MS = 20000 };

/* ---- the session: this program again, with a console of its own ---- */

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

typedef struct session {
    brp_child child;
    brp_handle output, keys;
} session;

static session open_session(const char *role)
{
    session made;
    brp_handle their_output, their_input;
    char *self = NULL;
    bt_ok(brp_module_own_path(&self));
    const char *arguments[] = {self, "session", role, NULL};
    bt_ok(brp_pipe_pair(&made.output, &their_output, true));
    bt_ok(brp_pipe_pair(&made.keys, &their_input, false));
    brp_spawn_options options = {.arguments = arguments,
                                 .stdio = {{.kind = BRP_STDIO_HANDLE, .handle = their_input},
                                           {.kind = BRP_STDIO_HANDLE, .handle = their_output}},
                                 .new_console_hidden = true};
    brp_child_init(&made.child);
    brood_status status = brp_spawn(&made.child, &options);
    brp_handle_close(&their_output);
    brp_handle_close(&their_input);
    bri_free(self);
    bt_ok(status);
    bt_ok(brp_child_let_go(&made.child));
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
    HMODULE ntdll = GetModuleHandleW(L"ntdll");
    return GetProcAddress(ntdll, "wine_get_version") != NULL ? 0 : -2;
}

static void test_ctrl_c_ends_the_root_and_the_tree_follows(void **state)
{
    (void)state;
    int64_t pids[GENERATIONS];
    session one = open_session("tree");
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
    session one = open_session("stubborn");
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

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "session") == 0)
        return be_session(argv + 2);
    return bt_main(argc, argv, bt_test(test_ctrl_c_ends_the_root_and_the_tree_follows),
                   bt_test(test_ctrl_c_does_not_reach_the_children));
}
