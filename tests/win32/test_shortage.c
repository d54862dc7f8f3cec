/*
 * test_shortage.c - a start that the system refuses a handle or a process, at each place where it
 * asks for one. Windows has no limit for that, so the functions that give them are replaced in this
 * program's import table.
 */
#include "harness.h"

#include "win32/win32.h"

enum { TIMES = 6 };

static DWORD tester; /* the thread whose calls count */
static int calls, refused_call;
static DWORD reason;

static bool is_refused(void)
{
    if (GetCurrentThreadId() != tester || refused_call == 0 || ++calls != refused_call)
        return false;
    SetLastError(reason);
    return true;
}

/* The entries of the import table, by the names that compilers give them. */
extern BOOL(WINAPI *__imp_DuplicateHandle)(HANDLE, HANDLE, HANDLE, HANDLE *, DWORD, BOOL, DWORD);
extern HANDLE(WINAPI *__imp_CreateEventW)(SECURITY_ATTRIBUTES *, BOOL, BOOL, const wchar_t *);
extern HANDLE(WINAPI *__imp_CreateFileW)(const wchar_t *, DWORD, DWORD, SECURITY_ATTRIBUTES *,
                                         DWORD, DWORD, HANDLE);
extern HANDLE(WINAPI *__imp_CreateNamedPipeW)(const wchar_t *, DWORD, DWORD, DWORD, DWORD, DWORD,
                                              DWORD, SECURITY_ATTRIBUTES *);
extern HANDLE(WINAPI *__imp_CreateFileMappingW)(HANDLE, SECURITY_ATTRIBUTES *, DWORD, DWORD, DWORD,
                                                const wchar_t *);
extern HANDLE(WINAPI *__imp_CreateJobObjectW)(SECURITY_ATTRIBUTES *, const wchar_t *);
extern BOOL(WINAPI *__imp_CreateProcessW)(const wchar_t *, wchar_t *, SECURITY_ATTRIBUTES *,
                                          SECURITY_ATTRIBUTES *, BOOL, DWORD, void *,
                                          const wchar_t *, STARTUPINFOW *, PROCESS_INFORMATION *);

static BOOL(WINAPI *duplicate_handle)(HANDLE, HANDLE, HANDLE, HANDLE *, DWORD, BOOL, DWORD);
static HANDLE(WINAPI *create_event)(SECURITY_ATTRIBUTES *, BOOL, BOOL, const wchar_t *);
static HANDLE(WINAPI *create_file)(const wchar_t *, DWORD, DWORD, SECURITY_ATTRIBUTES *, DWORD,
                                   DWORD, HANDLE);
static HANDLE(WINAPI *create_pipe)(const wchar_t *, DWORD, DWORD, DWORD, DWORD, DWORD, DWORD,
                                   SECURITY_ATTRIBUTES *);
static HANDLE(WINAPI *create_section)(HANDLE, SECURITY_ATTRIBUTES *, DWORD, DWORD, DWORD,
                                      const wchar_t *);
static HANDLE(WINAPI *create_job)(SECURITY_ATTRIBUTES *, const wchar_t *);
static BOOL(WINAPI *create_process)(const wchar_t *, wchar_t *, SECURITY_ATTRIBUTES *,
                                    SECURITY_ATTRIBUTES *, BOOL, DWORD, void *, const wchar_t *,
                                    STARTUPINFOW *, PROCESS_INFORMATION *);

static BOOL WINAPI try_duplicate(HANDLE from, HANDLE handle, HANDLE to, HANDLE *copy, DWORD access,
                                 BOOL inherit, DWORD options)
{
    return !is_refused() && duplicate_handle(from, handle, to, copy, access, inherit, options);
}

static HANDLE WINAPI try_event(SECURITY_ATTRIBUTES *attributes, BOOL manual, BOOL set,
                               const wchar_t *name)
{
    return is_refused() ? NULL : create_event(attributes, manual, set, name);
}

static HANDLE WINAPI try_file(const wchar_t *name, DWORD access, DWORD share,
                              SECURITY_ATTRIBUTES *attributes, DWORD how, DWORD flags,
                              HANDLE template)
{
    return is_refused() ? INVALID_HANDLE_VALUE
                        : create_file(name, access, share, attributes, how, flags, template);
}

static HANDLE WINAPI try_pipe(const wchar_t *name, DWORD open_mode, DWORD pipe_mode, DWORD n,
                              DWORD out, DWORD in, DWORD timeout, SECURITY_ATTRIBUTES *attributes)
{
    return is_refused() ? INVALID_HANDLE_VALUE
                        : create_pipe(name, open_mode, pipe_mode, n, out, in, timeout, attributes);
}

static HANDLE WINAPI try_section(HANDLE file, SECURITY_ATTRIBUTES *attributes, DWORD protection,
                                 DWORD high, DWORD low, const wchar_t *name)
{
    return is_refused() ? NULL : create_section(file, attributes, protection, high, low, name);
}

static HANDLE WINAPI try_job(SECURITY_ATTRIBUTES *attributes, const wchar_t *name)
{
    return is_refused() ? NULL : create_job(attributes, name);
}

static int process_calls;

static BOOL WINAPI try_process(const wchar_t *path, wchar_t *command, SECURITY_ATTRIBUTES *process,
                               SECURITY_ATTRIBUTES *thread, BOOL inherit, DWORD flags,
                               void *environment, const wchar_t *directory, STARTUPINFOW *startup,
                               PROCESS_INFORMATION *made)
{
    process_calls++;
    return !is_refused() && create_process(path, command, process, thread, inherit, flags,
                                           environment, directory, startup, made);
}

static void exchange(void *entry, void *pointer, size_t size)
{
    DWORD before;
    unsigned char was[sizeof(void *)];
    assert_int_equal(size, sizeof was);
    assert_true(VirtualProtect(entry, size, PAGE_READWRITE, &before));
    memcpy(was, entry, size);
    memcpy(entry, pointer, size);
    memcpy(pointer, was, size);
    VirtualProtect(entry, size, before, &before);
}

#define REPLACE(entry, function, was)                    \
    do {                                                 \
        (was) = (function);                              \
        exchange((void *)&(entry), &(was), sizeof(was)); \
    } while (0)

static void replace_all(void)
{
    tester = GetCurrentThreadId();
    REPLACE(__imp_DuplicateHandle, try_duplicate, duplicate_handle);
    REPLACE(__imp_CreateEventW, try_event, create_event);
    REPLACE(__imp_CreateFileW, try_file, create_file);
    REPLACE(__imp_CreateNamedPipeW, try_pipe, create_pipe);
    REPLACE(__imp_CreateFileMappingW, try_section, create_section);
    REPLACE(__imp_CreateJobObjectW, try_job, create_job);
    REPLACE(__imp_CreateProcessW, try_process, create_process);
}

static brood_status do_nothing(brood_call *call)
{
    (void)call;
    return BROOD_OK;
}

/* Starts a process with the n-th thing that it asks for refused. Whether it was. */
static bool start_refused(int n, const char *text)
{
    brood_process *process;
    bt_ok(brood_process_create(&process, do_nothing, brood_tuple(0), NULL));
    calls = 0;
    refused_call = n;
    brood_status status = brood_process_start(process);
    bool was_refused = calls >= n;
    refused_call = 0;
    if (!was_refused) {
        bt_ok(status);
        assert_int_equal(bt_join(process), 0);
        return false;
    }
    bt_expect_status(status, BROOD_ELIMIT, "starting", __FILE__, __LINE__);
    bt_message_has("could not start \"Process-");
    bt_message_has(text);
    brood_process_destroy(process);
    return true;
}

/* Each step several times: the ledger cannot tell one handle from those that mingw-w64's runtime
 * makes late. Returns how many steps there are. */
static int refuse_each_step(DWORD error, const char *text)
{
    reason = error;
    for (int n = 1;; n++) {
        for (int i = 0; i < TIMES; i++) {
            if (!start_refused(n, text))
                return n - 1;
        }
    }
}

static void test_a_start_without_handles_is_a_limit_at_every_step(void **state)
{
    (void)state;
    process_calls = 0;
    assert_true(refuse_each_step(ERROR_NO_SYSTEM_RESOURCES, "esources") >= 10);
    assert_int_equal(process_calls,
                     TIMES + 1); /* those that were refused themselves, and one more */
}

static void test_a_start_without_quota_is_a_limit(void **state)
{
    (void)state;
    assert_true(refuse_each_step(ERROR_NOT_ENOUGH_QUOTA, "uota") >= 10);
}

int main(int argc, char **argv)
{
    replace_all();
    return bt_main(argc, argv, bt_test(test_a_start_without_handles_is_a_limit_at_every_step),
                   bt_test(test_a_start_without_quota_is_a_limit));
}
