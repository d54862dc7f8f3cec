/*
 * win32/spawn.c - CreateProcess with a list of handles and a job.
 *
 * What the child shall inherit is duplicated as inheritable just for the call, and HANDLE_LIST
 * names exactly these duplicates: nothing else gets through, and two threads that spawn at once do
 * not get at each other's. (A CreateProcess elsewhere in the program that inherits everything
 * would, in that moment; Windows offers no remedy.) The job ends the child's tree when its last
 * handle closes, and this process has the only one.
 */
#include "platform/spawn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "win32/commandline.h"
#include "win32/environment.h"
#include "win32/utf16.h"
#include "win32/win32.h"

enum { N_STDIO = 3 };

/* One start in the making; start_fini frees whatever part there is. */
typedef struct start {
    const brp_spawn_options *options;
    const char *shown; /* the path for messages */
    char *own_path;
    wchar_t *path, *command, *directory, *environment;
    HANDLE
    *inherited; /* inheritable duplicates: the three standard streams, then options->handles */
    size_t n_inherited;
    HANDLE job;
    LPPROC_THREAD_ATTRIBUTE_LIST attributes;
    bool attributes_are_made;
} start;

static void start_fini(start *self)
{
    if (self->attributes_are_made)
        DeleteProcThreadAttributeList(self->attributes);
    bri_free(self->attributes);
    for (size_t i = 0; i < self->n_inherited; i++)
        bri_w32_close(self->inherited[i]);
    bri_free(self->inherited);
    bri_w32_close(self->job);
    bri_free(self->environment);
    bri_free(self->directory);
    bri_free(self->command);
    bri_free(self->path);
    bri_free(self->own_path);
}

/* ---- The executable ---- */

static bool is_file(const wchar_t *path)
{
    DWORD attributes = GetFileAttributesW(path);
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
}

static bool ends_in(const wchar_t *text, size_t length, const wchar_t *end)
{
    int n = (int)wcslen(end);
    return length >= (size_t)n &&
           CompareStringOrdinal(text + length - (size_t)n, n, end, n, TRUE) == CSTR_EQUAL;
}

/* Batch files would be run by cmd.exe, which takes arguments apart by rules that no quoting meets.
 */
static bool is_batch_file(const wchar_t *path)
{
    size_t length = wcslen(path);
    while (length > 0 && (path[length - 1] == L'.' || path[length - 1] == L' '))
        length--;
    return ends_in(path, length, L".bat") || ends_in(path, length, L".cmd");
}

/* `path`.exe; NULL when memory is out. */
static char *with_suffix(const char *path)
{
    size_t size = strlen(path) + sizeof ".exe";
    char *longer = bri_alloc(size);
    if (longer != NULL)
        snprintf(longer, size, "%s.exe", path);
    return longer;
}

/* One directory of PATH, "" being none, as UTF-8; *list moves behind it. NULL at the end or when
 * memory is out. */
static char *next_directory(const wchar_t **list)
{
    if (**list == L'\0')
        return NULL;
    size_t length = wcscspn(*list, L";");
    const wchar_t *begin = *list;
    *list += length + (begin[length] == L';');
    if (length >= 2 && begin[0] == L'"' && begin[length - 1] == L'"') {
        begin++;
        length -= 2;
    }
    return bri_w32_utf8(begin, length);
}

/* Sets self->path if `directory`\`name` or the same with .exe is a file. `directory` may be NULL.
 */
static brood_status try_path(start *self, const char *directory, const char *name, bool *found)
{
    size_t size = (directory != NULL ? strlen(directory) : 0) + strlen(name) + 2;
    char *joined = bri_alloc(size);
    if (joined == NULL)
        return BROOD_ENOMEM;
    snprintf(joined, size, "%s%s%s", directory != NULL ? directory : "",
             directory != NULL ? "\\" : "", name);
    wchar_t *path = bri_w32_path(joined);
    if (path != NULL && !is_file(path)) {
        char *longer = with_suffix(joined);
        wchar_t *other = longer != NULL ? bri_w32_path(longer) : NULL;
        bri_free(longer);
        bri_free(path);
        path = other;
    }
    bri_free(joined);
    if (path == NULL)
        return brood_last_error()->status;
    *found = is_file(path);
    if (*found)
        self->path = path;
    else
        bri_free(path);
    return BROOD_OK;
}

/* PATH alone: not the current directory and not the program's own, which CreateProcess would search
 * first. */
static brood_status search(start *self, const char *name, bool *found)
{
    DWORD room = GetEnvironmentVariableW(L"PATH", NULL, 0);
    wchar_t *list = bri_calloc((size_t)room + 1, sizeof *list);
    if (list == NULL)
        return BROOD_ENOMEM;
    if (GetEnvironmentVariableW(L"PATH", list, room) >= room)
        list[0] = L'\0'; /* not set, or changed by another thread just now */
    brood_status status = BROOD_OK;
    const wchar_t *rest = list;
    while (*rest != L'\0' && status == BROOD_OK && !*found) {
        char *directory = next_directory(&rest);
        if (directory == NULL)
            status = BROOD_ENOMEM;
        else if (directory[0] != '\0')
            status = try_path(self, directory, name, found);
        bri_free(directory);
    }
    bri_free(list);
    return status;
}

static brood_status find_executable(start *self)
{
    const brp_spawn_options *options = self->options;
    const char *path = options->path;
    bool found = false;
    if (path == NULL) {
        self->own_path = bri_w32_module_path(NULL);
        if (self->own_path == NULL)
            return brood_last_error()->status;
        path = self->own_path;
    }
    self->shown = path;
    if (path[0] == '\0')
        return bri_fail(BROOD_ENOTFOUND, "could not start \"\": the path is empty");
    bool is_bare = strpbrk(path, "/\\:") == NULL;
    if (options->path != NULL && options->search_path && is_bare)
        BROOD_TRY(search(self, path, &found));
    else
        BROOD_TRY(try_path(self, NULL, path, &found));
    if (!found) {
        self->path = bri_w32_path(path);
        long error = ERROR_FILE_NOT_FOUND;
        if (self->path != NULL && GetFileAttributesW(self->path) != INVALID_FILE_ATTRIBUTES &&
            !is_bare)
            error = ERROR_ACCESS_DENIED; /* a directory */
        return brp_fail(error, "could not start \"%s\"", path);
    }
    if (is_batch_file(self->path))
        return bri_fail(BROOD_ENOTSUP,
                        "could not start \"%s\": a batch file takes no exact arguments", path);
    return BROOD_OK;
}

static brood_status find_directory(start *self)
{
    const char *directory = self->options->directory;
    if (directory == NULL)
        return BROOD_OK;
    self->directory = bri_w32_path(directory);
    if (self->directory == NULL)
        return brood_last_error()->status;
    DWORD attributes = GetFileAttributesW(self->directory);
    if (attributes == INVALID_FILE_ATTRIBUTES)
        return brp_fail(bri_w32_error(), "could not start \"%s\" in \"%s\"", self->shown,
                        directory);
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
        return brp_fail(ERROR_DIRECTORY, "could not start \"%s\" in \"%s\"", self->shown,
                        directory);
    /* A current directory has at most 258 units, and no prefix ("Maximum Path Length Limitation").
     */
    bri_w32_shorten(&self->directory, false);
    return BROOD_OK;
}

static bool is_utf8(const char *text)
{
    wchar_t *units = bri_w32_wide(text);
    bool is_valid = units != NULL;
    bri_free(units);
    return is_valid;
}

/* What main was given as argv[0] may be in a code page, which cannot say every path. A program that
 * starts itself with that gets its path instead. */
static brood_status make_command(start *self)
{
    const char *const *arguments = self->options->arguments;
    if (self->options->path != NULL || arguments == NULL || arguments[0] == NULL ||
        is_utf8(arguments[0]))
        return bri_w32_command_line(arguments, &self->command);
    size_t n = 0;
    while (arguments[n] != NULL)
        n++;
    const char **own = bri_calloc(n + 2, sizeof *own);
    if (own == NULL)
        return BROOD_ENOMEM;
    own[0] = self->own_path;
    for (size_t i = 1; i < n; i++)
        own[i] = arguments[i];
    brood_status status = bri_w32_command_line(own, &self->command);
    bri_free(own);
    return status;
}

/* ---- What is inherited ---- */

static brood_status duplicate_inheritable(HANDLE handle, HANDLE *copy)
{
    HANDLE self = GetCurrentProcess();
    if (handle == NULL || handle == INVALID_HANDLE_VALUE)
        return brp_fail(ERROR_INVALID_HANDLE, "could not give a handle to a child");
    if (!DuplicateHandle(self, handle, self, copy, 0, TRUE, DUPLICATE_SAME_ACCESS))
        return brp_fail(bri_w32_error(), "could not give handle %" PRIdPTR " to a child",
                        (intptr_t)handle);
    return BROOD_OK;
}

static brood_status open_null(HANDLE *copy)
{
    brp_handle null;
    BROOD_TRY(brp_handle_open_null(&null));
    brood_status status = duplicate_inheritable(bri_w32_handle(null), copy);
    brp_handle_close(&null);
    return status;
}

/* A program without a console may have no standard streams, or the number of one that was closed:
 * the null device then. */
static brood_status inherit_standard(int which, HANDLE *copy)
{
    static const DWORD numbers[N_STDIO] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    HANDLE own = GetStdHandle(numbers[which]);
    if (own != NULL && own != INVALID_HANDLE_VALUE) {
        brood_status status = duplicate_inheritable(own, copy);
        if (status == BROOD_OK || brood_last_error()->system_code != ERROR_INVALID_HANDLE)
            return status;
    }
    return open_null(copy);
}

static brood_status duplicate_one(const brp_spawn_options *options, size_t i, HANDLE *copy)
{
    if (i >= N_STDIO)
        return duplicate_inheritable(bri_w32_handle(options->handles[i - N_STDIO]), copy);
    const brp_stdio *stdio = &options->stdio[i];
    if (stdio->kind == BRP_STDIO_HANDLE)
        return duplicate_inheritable(bri_w32_handle(stdio->handle), copy);
    return stdio->kind == BRP_STDIO_NULL ? open_null(copy) : inherit_standard((int)i, copy);
}

static brood_status duplicate_handles(start *self)
{
    size_t n = N_STDIO + self->options->n_handles;
    self->inherited = bri_calloc(n, sizeof *self->inherited);
    if (self->inherited == NULL)
        return BROOD_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (duplicate_one(self->options, i, &self->inherited[i]) != BROOD_OK)
            return bri_fail_within("could not start \"%s\"", self->shown);
        self->n_inherited = i + 1;
    }
    return BROOD_OK;
}

/* H0,H1,...;suffix */
static brood_status make_marker(const start *self, bri_buffer *text)
{
    for (size_t i = N_STDIO; i < self->n_inherited; i++) {
        char number[BRP_HANDLE_TEXT];
        brp_handle_format(bri_w32_value(self->inherited[i]), number);
        if (i > N_STDIO)
            BROOD_TRY(bri_buffer_append(text, ",", 1));
        BROOD_TRY(bri_buffer_append(text, number, strlen(number)));
    }
    const char *suffix = self->options->marker_suffix;
    BROOD_TRY(bri_buffer_append(text, ";", 1));
    if (suffix != NULL)
        BROOD_TRY(bri_buffer_append(text, suffix, strlen(suffix)));
    return bri_buffer_append(text, "", 1);
}

static brood_status make_environment(start *self)
{
    const brp_spawn_options *options = self->options;
    bri_buffer marker = {0};
    brood_status status = options->marker != NULL ? make_marker(self, &marker) : BROOD_OK;
    if (status == BROOD_OK)
        status = bri_w32_environment(options->environment, options->marker, (char *)marker.data,
                                     &self->environment);
    bri_buffer_fini(&marker);
    return status;
}

/* ---- The job and the process ---- */

static brood_status make_job(start *self)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    /* The second one makes a crash an end: no dialogue waits for somebody to press a button. */
    limits.BasicLimitInformation.LimitFlags =
        JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
    self->job = CreateJobObjectW(NULL, NULL);
    if (self->job == NULL || !SetInformationJobObject(self->job, JobObjectExtendedLimitInformation,
                                                      &limits, sizeof limits))
        return brp_fail(bri_w32_error(), "could not make a job for \"%s\"", self->shown);
    return BROOD_OK;
}

/* The list keeps pointers to self's fields. */
static brood_status make_attributes(start *self)
{
    SIZE_T size = 0;
    InitializeProcThreadAttributeList(NULL, 2, 0, &size);
    self->attributes = bri_alloc(size);
    if (self->attributes == NULL)
        return BROOD_ENOMEM;
    if (!InitializeProcThreadAttributeList(self->attributes, 2, 0, &size))
        return brp_fail(bri_w32_error(), "could not prepare the start of \"%s\"", self->shown);
    self->attributes_are_made = true;
    if (!UpdateProcThreadAttribute(self->attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
                                   self->inherited, self->n_inherited * sizeof *self->inherited,
                                   NULL, NULL) ||
        !UpdateProcThreadAttribute(self->attributes, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST, &self->job,
                                   sizeof self->job, NULL, NULL))
        return brp_fail(bri_w32_error(), "could not prepare the start of \"%s\"", self->shown);
    return BROOD_OK;
}

/*
 * Where this program has no console, the system would make one with a window for each child that
 * is a console program (GUI programs start their workers through brood-host), and show nothing in
 * it, for the child's streams lead elsewhere. Where it has one, the child has to be at the same:
 * Ctrl-Break goes over it. Wine has this error of its own where a Unix program started us; a
 * console, which is a process there, would serve for nothing.
 */
static bool has_console(void)
{
    return GetConsoleCP() != 0 || GetLastError() == ERROR_INVALID_ACCESS;
}

static brood_status create(start *self, PROCESS_INFORMATION *process)
{
    STARTUPINFOEXW info = {.StartupInfo = {.cb = sizeof info,
                                           .dwFlags = STARTF_USESTDHANDLES,
                                           .hStdInput = self->inherited[0],
                                           .hStdOutput = self->inherited[1],
                                           .hStdError = self->inherited[2]},
                           .lpAttributeList = self->attributes};
    DWORD flags = CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT | CREATE_NEW_PROCESS_GROUP |
                  EXTENDED_STARTUPINFO_PRESENT;
    if (!has_console())
        flags |= CREATE_NO_WINDOW;
    /* A path beyond 260 units may need its short form; and under Wine the short form, once it is a
     * program's own path, needs the prefix. */
    DWORD error;
    do {
        if (CreateProcessW(self->path, self->command, NULL, NULL, TRUE, flags, self->environment,
                           self->directory, &info.StartupInfo, process))
            return BROOD_OK;
        error = GetLastError();
    } while (bri_w32_shorten(&self->path, true) || bri_w32_add_prefix(&self->path));
    return brp_fail((long)error, "could not start \"%s\"", self->shown);
}

/* It is in the job from birth where the system honours the list; else it is put there before it
 * runs. */
static brood_status ensure_job(const start *self, HANDLE process)
{
    BOOL inside = FALSE;
    if (IsProcessInJob(process, self->job, &inside) && inside)
        return BROOD_OK;
    if (AssignProcessToJobObject(self->job, process))
        return BROOD_OK;
    return brp_fail(bri_w32_error(), "could not put \"%s\" into a job", self->shown);
}

static brood_status run(start *self, brp_child *child)
{
    PROCESS_INFORMATION process = {0};
    BROOD_TRY(create(self, &process));
    brood_status status = ensure_job(self, process.hProcess);
    if (status != BROOD_OK) {
        TerminateProcess(process.hProcess, 1);
        CloseHandle(process.hThread);
        CloseHandle(process.hProcess);
        return status;
    }
    brp_child_init(child);
    child->pid = process.dwProcessId;
    child->sentinel = bri_w32_value(process.hProcess);
    child->thread = bri_w32_value(process.hThread);
    child->job = bri_w32_value(self->job);
    self->job = NULL;
    return BROOD_OK;
}

brood_status brp_spawn(brp_child *child, const brp_spawn_options *options)
{
    static brood_status (*const steps[])(start *) = {
        find_executable,  make_command, find_directory, duplicate_handles,
        make_environment, make_job,     make_attributes};
    start self = {.options = options};
    brood_status status = BROOD_OK;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == BROOD_OK; i++)
        status = steps[i](&self);
    if (status == BROOD_OK)
        status = run(&self, child);
    start_fini(&self);
    return status;
}

brood_status brp_child_let_go(brp_child *child)
{
    if (!brp_handle_is_set(child->thread))
        return BROOD_OK;
    if (ResumeThread(bri_w32_handle(child->thread)) == (DWORD)-1)
        return brp_fail(bri_w32_error(), "could not resume process %" PRId64, child->pid);
    brp_handle_close(&child->thread);
    return BROOD_OK;
}

/* Setting the C library's variable to nothing removes it there and in the system's block. */
brood_status brp_marker_take(const char *marker, char **value)
{
    wchar_t *name = bri_w32_wide(marker);
    if (name == NULL)
        return brood_last_error()->status;
    wchar_t *there = _wgetenv(name);
    char *copy = there == NULL ? NULL : bri_w32_utf8(there, wcslen(there));
    brood_status status = there != NULL && copy == NULL ? BROOD_ENOMEM : BROOD_OK;
    if (copy != NULL) {
        _wputenv_s(name, L"");
        SetEnvironmentVariableW(name, NULL);
    }
    bri_free(name);
    if (status == BROOD_OK)
        *value = copy;
    return status;
}
