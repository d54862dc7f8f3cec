/*
 * role.h - the main of helper programs for the tests of src/platform: runs the role that the marker
 * variable names, with the handles that it lists.
 */
#ifndef PT_ROLE_H
#define PT_ROLE_H

#include "platform/child.h"
#include "platform/ident.h"
#include "support.h"

#ifdef _WIN32
#include <windows.h>
/* after windows.h */
#include <shellapi.h>
#else
#include <unistd.h>
extern char **environ;
#endif

enum { PT_MOST_HANDLES = 128 };

/* What a role gets. */
typedef struct pt_call {
    brp_handle handles[PT_MOST_HANDLES]; /* [0] is the stream for its report */
    size_t n_handles;
    size_t handles_at_start; /* all that the process had, 0 where the system does not tell */
    int argc;
    char **argv; /* UTF-8 */
} pt_call;

typedef struct pt_role {
    const char *name;
    int (*run)(pt_call *call); /* its value is the exit code */
} pt_role;

/* For roles: ends the process with a message when a call fails. */
#define pt_must(call) pt_require((call), #call, __FILE__, __LINE__)
static inline void pt_require(brood_status status, const char *call, const char *file, int line)
{
    if (status == BROOD_OK)
        return;
    fprintf(stderr, "%s:%d: %s gave %s; the last error: %s\n", file, line, call,
            brood_status_name(status), brood_last_error()->message);
    exit(90);
}

#define pt_check(condition)                                                         \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
            exit(91);                                                               \
        }                                                                           \
    } while (0)

#ifdef _WIN32
static inline char *pt_narrow(const wchar_t *wide)
{
    int size = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = malloc((size_t)size);
    WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, size, NULL, NULL);
    return text;
}

static inline void pt_take_arguments(pt_call *call)
{
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &call->argc);
    call->argv = calloc((size_t)call->argc + 1, sizeof *call->argv);
    for (int i = 0; i < call->argc; i++)
        call->argv[i] = pt_narrow(wide[i]);
    LocalFree(wide);
}

static inline char *pt_directory(void)
{
    static wchar_t wide[32768];
    GetCurrentDirectoryW(32768, wide);
    return pt_narrow(wide);
}

/* Calls `tell` for each variable, without those that the system keeps for itself ("=C:=..."). */
static inline void pt_each_variable(void (*tell)(void *context, const char *entry), void *context)
{
    wchar_t *block = GetEnvironmentStringsW();
    for (wchar_t *at = block; *at != L'\0'; at += wcslen(at) + 1) {
        char *entry = pt_narrow(at);
        if (entry[0] != '=')
            tell(context, entry);
        free(entry);
    }
    FreeEnvironmentStringsW(block);
}
#else
static inline void pt_take_arguments(pt_call *call)
{
    (void)call;
}

static inline char *pt_directory(void)
{
    static char path[65536];
    return getcwd(path, sizeof path);
}

static inline void pt_each_variable(void (*tell)(void *context, const char *entry), void *context)
{
    for (char **at = environ; *at != NULL; at++)
        tell(context, *at);
}
#endif

static inline void pt_take_handles(pt_call *call, char *list)
{
    for (char *at = list; *at != '\0';) {
        size_t length = strcspn(at, ",");
        bool last = at[length] == '\0';
        at[length] = '\0';
        pt_check(call->n_handles < PT_MOST_HANDLES);
        pt_must(brp_handle_parse(at, &call->handles[call->n_handles++]));
        at += length + !last;
    }
}

/* The roles end with a row of NULL. */
static inline int pt_main(int argc, char **argv, const pt_role *roles)
{
    static pt_call call;
    call.handles_at_start = brp_handle_count();
    call.argc = argc;
    call.argv = argv;
    pt_take_arguments(&call);
    const char *marker = getenv(PT_MARKER);
    char *list = marker != NULL ? bri_strdup(marker) : NULL;
    char *name = list != NULL ? strchr(list, ';') : NULL;
    if (name == NULL) {
        fprintf(stderr, "%s belongs to the tests of src/platform\n", argv[0]);
        return 2;
    }
    *name++ = '\0';
    pt_take_handles(&call, list);
    while (roles->name != NULL && strcmp(roles->name, name) != 0)
        roles++;
    if (roles->name == NULL)
        fprintf(stderr, "%s has no role \"%s\"\n", argv[0], name);
    bri_free(list);
    return roles->name != NULL ? roles->run(&call) : 3;
}

#endif /* PT_ROLE_H */
