/* win32/child.c - process handles and jobs. */
#include "platform/child.h"

#include <inttypes.h>

#include "win32/exitcode.h"
#include "win32/win32.h"

/* Signal numbers as on Linux: exit codes mean the same on both systems. */
static const struct {
    uint32_t raw;
    int signal;
} signals[] = {
    {BRI_W32_EXIT_TERMINATED, 15},
    {BRI_W32_EXIT_KILLED, 9},
    {0xC000013A, 2}, /* control-C */
    {0xC000001D, 4}, /* illegal instruction */
    {0xC0000096, 4}, /* privileged instruction */
    {0x80000003, 5}, /* breakpoint */
    {0x80000004, 5}, /* single step */
    {0xC0000409, 6}, /* fast fail: abort() of the UCRT, stack cookie */
    {0xC0000374, 6}, /* heap corruption */
    {0x80000002, 7}, /* misaligned data */
    {0xC0000006, 7}, /* in-page error */
    {0xC000008D, 8}, /* floating point: denormal operand, and so on to underflow */
    {0xC000008E, 8},
    {0xC000008F, 8},
    {0xC0000090, 8},
    {0xC0000091, 8},
    {0xC0000092, 8},
    {0xC0000093, 8},
    {0xC0000094, 8},  /* integer division by zero */
    {0xC0000095, 8},  /* integer overflow */
    {0xC00002B4, 8},  /* several floating point faults */
    {0xC0000005, 11}, /* access violation */
    {0xC000008C, 11}, /* array bounds */
    {0xC00000FD, 11}, /* stack overflow */
};

int bri_w32_exit_decode(uint32_t raw)
{
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        if (signals[i].raw == raw)
            return -signals[i].signal;
    }
    if (raw <= INT32_MAX)
        return (int)raw;
    /* exit(-1) and its like, as POSIX would show them; anything else up there is an exception that
     * nobody caught. */
    if (raw >= 0xFFFFFF00u)
        return (raw & 0xFF) != 0 ? (int)(raw & 0xFF) : 255;
    return -6;
}

brood_status brp_child_await_end(brp_child *child, bri_deadline deadline)
{
    if (child->ended)
        return BROOD_OK;
    if (!brp_handle_is_set(child->sentinel))
        return bri_fail(BROOD_ESTATE, "could not wait for a child: it was not started");
    DWORD result = bri_w32_wait(bri_w32_handle(child->sentinel), deadline);
    if (result == WAIT_TIMEOUT)
        return BROOD_ETIMEDOUT;
    if (result != WAIT_OBJECT_0)
        return brp_fail(bri_w32_error(), "could not wait for process %" PRId64, child->pid);
    return BROOD_OK;
}

brood_status brp_child_wait(brp_child *child, bri_deadline deadline)
{
    DWORD raw;
    BROOD_TRY(brp_child_await_end(child, deadline));
    if (child->ended)
        return BROOD_OK;
    if (!GetExitCodeProcess(bri_w32_handle(child->sentinel), &raw))
        return brp_fail(bri_w32_error(), "could not wait for process %" PRId64, child->pid);
    child->ended = true;
    child->code = bri_w32_exit_decode(raw);
    child->system_status = raw;
    return BROOD_OK;
}

static brood_status terminate(brp_child *child, uint32_t code)
{
    HANDLE process = bri_w32_handle(child->sentinel);
    if (TerminateProcess(process, code))
        return BROOD_OK;
    /* A process that is ending refuses. */
    long error = bri_w32_error();
    DWORD raw;
    if (WaitForSingleObject(process, 0) == WAIT_OBJECT_0)
        return BROOD_OK;
    if (error == ERROR_ACCESS_DENIED && GetExitCodeProcess(process, &raw) && raw != STILL_ACTIVE)
        return BROOD_OK;
    return brp_fail(error, "could not terminate process %" PRId64, child->pid);
}

/* False when it is certain that the process is not at this program's console: it has left that, or
 * is a GUI program. */
static bool may_share_console(DWORD pid)
{
    DWORD pids[1024]; /* if there are more nothing is told */
    DWORD n = GetConsoleProcessList(pids, sizeof pids / sizeof pids[0]);
    if (n == 0 || n > sizeof pids / sizeof pids[0])
        return true;
    for (DWORD i = 0; i < n; i++) {
        if (pids[i] == pid)
            return true;
    }
    return false;
}

/* The console host would take the event for any child of a process at the console, and count it
 * among its own for ever (github.com/microsoft/terminal, issues 335 and 346). So it is not asked
 * for one that has ended, or that is not there. */
static brood_status interrupt(brp_child *child)
{
    HANDLE process = bri_w32_handle(child->sentinel);
    if (WaitForSingleObject(process, 0) == WAIT_OBJECT_0)
        return BROOD_OK;
    bool is_there = may_share_console((DWORD)child->pid);
    if (is_there && GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, (DWORD)child->pid))
        return BROOD_OK;
    long error = bri_w32_error();
    if (WaitForSingleObject(process, 0) == WAIT_OBJECT_0)
        return BROOD_OK;
    if (!is_there)
        return bri_fail(BROOD_EOS,
                        "could not interrupt process %" PRId64
                        " over the console: it is not at this program's",
                        child->pid);
    return brp_fail(error, "could not interrupt process %" PRId64 " over the console", child->pid);
}

brood_status brp_child_signal(brp_child *child, brp_signal signal)
{
    if (child->ended)
        return BROOD_OK;
    if (!brp_handle_is_set(child->sentinel))
        return bri_fail(BROOD_ESTATE, "could not signal a child: it was not started");
    /* The open process handle keeps its pid from being used again. */
    if (signal == BRP_INTERRUPT)
        return interrupt(child);
    return terminate(child, signal == BRP_KILL ? BRI_W32_EXIT_KILLED : BRI_W32_EXIT_TERMINATED);
}

brood_status brp_child_kill_tree(brp_child *child)
{
    if (!brp_handle_is_set(child->job))
        return brp_child_signal(child, BRP_KILL);
    if (TerminateJobObject(bri_w32_handle(child->job), BRI_W32_EXIT_KILLED))
        return BROOD_OK;
    return brp_fail(bri_w32_error(), "could not end the job of process %" PRId64, child->pid);
}

void brp_child_init(brp_child *child)
{
    *child = (brp_child){.sentinel = BRP_NO_HANDLE, .job = BRP_NO_HANDLE, .thread = BRP_NO_HANDLE};
}

/* Closing the job ends what is left of the child's tree. */
void brp_child_close(brp_child *child)
{
    brp_handle_close(&child->thread);
    brp_handle_close(&child->sentinel);
    brp_handle_close(&child->job);
    child->pid = 0;
}

bool brp_can_fork(void)
{
    return false;
}

brood_status brp_fork(brp_child *child, bool *in_child)
{
    (void)child;
    (void)in_child;
    return bri_fail(BROOD_ENOTSUP, "could not fork: Windows has no fork");
}

void brp_input_from_nothing(void)
{
    /* There is no fork to be the child of. */
}

brood_status brp_child_adopt(brp_child *child, int64_t pid)
{
    const DWORD access = PROCESS_TERMINATE | PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE;
    HANDLE process = NULL;
    SetLastError(ERROR_INVALID_PARAMETER);
    if (pid > 0 && pid <= UINT32_MAX)
        process = OpenProcess(access, FALSE, (DWORD)pid);
    long error = bri_w32_error();
    if (process == NULL && error != ERROR_INVALID_PARAMETER)
        return brp_fail(error, "could not open process %" PRId64, pid);
    /* OpenProcess rounds numbers down to multiples of 4, and finds ended processes that somebody
     * keeps a handle of. */
    if (process == NULL || GetProcessId(process) != (DWORD)pid ||
        WaitForSingleObject(process, 0) == WAIT_OBJECT_0) {
        bri_w32_close(process);
        return bri_fail(BROOD_ENOTFOUND, "could not open process %" PRId64 ": there is none", pid);
    }
    brp_child_init(child);
    child->pid = pid;
    child->sentinel = bri_w32_value(process);
    return BROOD_OK;
}

/* In a DLL the C library's atexit() adds to a list of that DLL, which runs from its DllMain, under
 * the loader's lock. At exit the other threads are gone by then, perhaps with locks ("DllMain entry
 * point": the process ends by ExitProcess); at FreeLibrary they live and cannot end, because a
 * thread's end needs the loader's lock. Neither is a place to join anything. */
brood_status brp_at_exit(int (*at_exit)(void (*)(void)), void (*handler)(void))
{
    const DWORD flags =
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    HMODULE owner, own;
    if (!GetModuleHandleExW(flags, (LPCWSTR)(uintptr_t)at_exit, &owner) ||
        !GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                            (LPCWSTR)(uintptr_t)handler, &own))
        return brp_fail(bri_w32_error(), "could not arrange for the exit");
    if (owner == GetModuleHandleW(NULL) && at_exit(handler) != 0)
        return bri_fail(BROOD_ENOMEM, "could not arrange for the exit: atexit() refused");
    return BROOD_OK;
}

/* Not ExitProcess: that runs the DLLs' clean-up, which may wait for a lock that an ended thread
 * held. */
static void end_self(uint32_t code)
{
    for (;;)
        TerminateProcess(GetCurrentProcess(), code);
}

void brp_exit_now(int code)
{
    end_self((uint32_t)code);
}

void brp_kill_self(void)
{
    end_self(BRI_W32_EXIT_KILLED);
}
