/* posix/spawn.c - posix_spawn with exactly the listed descriptors. */
#define _GNU_SOURCE
#include "platform/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include "base/memory.h"
#include "posix/executable.h"
#include "posix/fd.h"
#include "posix/watch.h"

#if !defined(BROOD_NO_CLOSE_RANGE) && defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
#define HAVE_CLOSEFROM 1
#else
#define HAVE_CLOSEFROM 0
#include <dirent.h>
#endif

extern char **environ;

enum { FIRST_HANDLE = 3 };

/* Everything that is made for one posix_spawn. */
typedef struct plan {
    const brp_spawn_options *options;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    bool has_actions, has_attributes;
    int *raised; /* duplicates above all numbers that the child uses */
    size_t n_raised;
    int directory;    /* opened, or -1 */
    const char *file; /* to execute: the caller's path, our own, or `absolute` */
    char *absolute;
    char **environment;
    char *marker;
} plan;

static const char *shown_path(const brp_spawn_options *options)
{
    const char *path = options->path != NULL ? options->path : brp_own_executable();
    return path != NULL ? path : "this program";
}

/* posix_spawn functions return their error number. EBADF, where the handles are good, means that a
 * number is beyond the limit of this process: it has too many. */
static brood_status check_plan(int code, const plan *p)
{
    if (code == EBADF)
        code = EMFILE;
    return code == 0
               ? BROOD_OK
               : brp_fail(code, "could not prepare the start of \"%s\"", shown_path(p->options));
}

static int first_free(const plan *p)
{
    return FIRST_HANDLE + (int)p->options->n_handles;
}

/* A descriptor that no action of the plan overwrites before it is used. */
static brood_status raise_handle(plan *p, brp_handle handle, int *source)
{
    int fd = brp_fd(handle);
    if (fd >= first_free(p)) {
        *source = fd;
        return BROOD_OK;
    }
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, first_free(p));
    if (higher < 0) /* EINVAL: the number would be above the limit */
        return brp_fail(errno == EINVAL ? EMFILE : errno, "could not give handle %d to \"%s\"", fd,
                        shown_path(p->options));
    p->raised[p->n_raised++] = higher;
    *source = higher;
    return BROOD_OK;
}

static brood_status add_handle(plan *p, brp_handle handle, int target)
{
    int source = -1;
    BROOD_TRY(raise_handle(p, handle, &source));
    return check_plan(posix_spawn_file_actions_adddup2(&p->actions, source, target), p);
}

static brood_status add_stdio(plan *p, int target)
{
    brp_stdio wanted = p->options->stdio[target];
    if (wanted.kind == BRP_STDIO_NULL)
        return check_plan(
            posix_spawn_file_actions_addopen(&p->actions, target, "/dev/null", O_RDWR, 0), p);
    if (wanted.kind == BRP_STDIO_INHERIT) {
        int flags = fcntl(target, F_GETFD);
        if (flags < 0 || (flags & FD_CLOEXEC) == 0)
            return BROOD_OK;
        wanted.handle = brp_handle_of(target);
    }
    return add_handle(p, wanted.handle, target);
}

#if HAVE_CLOSEFROM
static brood_status add_close_rest(plan *p)
{
    return check_plan(posix_spawn_file_actions_addclosefrom_np(&p->actions, first_free(p)), p);
}
#else
static brood_status add_close(plan *p, int fd)
{
    int flags = fd < first_free(p) ? -1 : fcntl(fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC) != 0)
        return BROOD_OK;
    return check_plan(posix_spawn_file_actions_addclose(&p->actions, fd), p);
}

/* Closes by number what is inheritable now. A descriptor that another thread opens between here and
 * posix_spawn without O_CLOEXEC reaches the child; POSIX has no means against that. */
static brood_status add_close_rest(plan *p)
{
    brood_status status = BROOD_OK;
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL) {
        long limit = sysconf(_SC_OPEN_MAX);
        for (int fd = first_free(p); fd < limit && status == BROOD_OK; fd++)
            status = add_close(p, fd);
        return status;
    }
    for (struct dirent *entry = readdir(directory); entry != NULL && status == BROOD_OK;
         entry = readdir(directory))
        if (entry->d_name[0] != '.')
            status = add_close(p, atoi(entry->d_name));
    closedir(directory);
    return status;
}
#endif

/* The directory is opened here, so that a missing one is told apart from a missing executable, and
 * no change in between matters. */
static brood_status add_directory(plan *p)
{
    const char *directory = p->options->directory;
    if (directory == NULL)
        return BROOD_OK;
#ifdef O_PATH
    int fd = brp_above_stdio(open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
#else
    int fd = brp_above_stdio(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
#endif
    if (fd < 0 || faccessat(fd, ".", X_OK, AT_EACCESS) != 0) {
        brood_status status = brp_fail(errno, "could not start \"%s\" in the directory \"%s\"",
                                       shown_path(p->options), directory);
        if (fd >= 0)
            close(fd);
        return status;
    }
    p->directory = fd;
    return check_plan(posix_spawn_file_actions_addfchdir_np(&p->actions, fd), p);
}

static brood_status add_actions(plan *p)
{
    const brp_spawn_options *options = p->options;
    BROOD_TRY(check_plan(posix_spawn_file_actions_init(&p->actions), p));
    p->has_actions = true;
    p->raised = bri_calloc(options->n_handles + 3, sizeof *p->raised);
    if (p->raised == NULL)
        return BROOD_ENOMEM;
    BROOD_TRY(add_directory(p));
    for (int i = 0; i < 3; i++)
        BROOD_TRY(add_stdio(p, i));
    for (size_t i = 0; i < options->n_handles; i++)
        BROOD_TRY(add_handle(p, options->handles[i], FIRST_HANDLE + (int)i));
    return add_close_rest(p);
}

static brood_status set_attributes(plan *p)
{
    sigset_t all, none;
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    sigemptyset(&none);
    BROOD_TRY(check_plan(posix_spawnattr_init(&p->attributes), p));
    p->has_attributes = true;
    posix_spawnattr_setpgroup(&p->attributes, 0);
    posix_spawnattr_setsigdefault(&p->attributes, &all);
    posix_spawnattr_setsigmask(&p->attributes, &none);
    return check_plan(posix_spawnattr_setflags(&p->attributes, POSIX_SPAWN_SETPGROUP |
                                                                   POSIX_SPAWN_SETSIGDEF |
                                                                   POSIX_SPAWN_SETSIGMASK),
                      p);
}

static bool is_variable(const char *entry, const char *name)
{
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

static brood_status make_marker(plan *p)
{
    const brp_spawn_options *options = p->options;
    const char *suffix = options->marker_suffix != NULL ? options->marker_suffix : "";
    size_t size =
        strlen(options->marker) + strlen(suffix) + options->n_handles * BRP_HANDLE_TEXT + 3;
    p->marker = bri_alloc(size);
    if (p->marker == NULL)
        return BROOD_ENOMEM;
    size_t at = (size_t)snprintf(p->marker, size, "%s=", options->marker);
    for (size_t i = 0; i < options->n_handles; i++)
        at += (size_t)snprintf(p->marker + at, size - at, "%s%zu", i == 0 ? "" : ",",
                               FIRST_HANDLE + i);
    snprintf(p->marker + at, size - at, ";%s", suffix);
    return BROOD_OK;
}

static brood_status make_environment(plan *p)
{
    const brp_spawn_options *options = p->options;
    const char *const *from =
        options->environment != NULL ? options->environment : (const char *const *)environ;
    size_t n = 0, kept = 0;
    if (options->marker != NULL)
        BROOD_TRY(make_marker(p));
    while (from != NULL && from[n] != NULL)
        n++;
    p->environment = bri_calloc(n + 2, sizeof *p->environment);
    if (p->environment == NULL)
        return BROOD_ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (options->marker == NULL || !is_variable(from[i], options->marker))
            p->environment[kept++] = (char *)from[i];
    p->environment[kept] = p->marker;
    return BROOD_OK;
}

/* The child changes its directory before it executes; a relative path means this process's
 * directory. */
static brood_status make_absolute(plan *p)
{
    const char *path = p->options->path;
    char *here = getcwd(NULL, 0);
    if (here == NULL)
        return brp_fail(errno, "could not start \"%s\": no working directory", path);
    size_t size = strlen(here) + strlen(path) + 2;
    p->absolute = bri_alloc(size);
    if (p->absolute != NULL)
        snprintf(p->absolute, size, "%s/%s", here, path);
    free(here);
    p->file = p->absolute;
    return p->absolute != NULL ? BROOD_OK : BROOD_ENOMEM;
}

static brood_status find_path(plan *p)
{
    const brp_spawn_options *options = p->options;
    if (options->path == NULL && brp_own_executable() == NULL)
        return bri_fail(BROOD_ENOTFOUND, "could not find the file of this program");
    p->file = shown_path(options);
    bool by_name = options->search_path && strchr(p->file, '/') == NULL;
    return options->directory != NULL && p->file[0] != '/' && !by_name ? make_absolute(p)
                                                                       : BROOD_OK;
}

static brood_status describe_failure(const plan *p, int code)
{
    const char *path = shown_path(p->options);
    if (code == ENOENT && !p->options->search_path && access(p->file, F_OK) == 0)
        return brp_fail(code, "could not start \"%s\", whose interpreter or loader is missing",
                        path);
    return brp_fail(code, "could not start \"%s\"", path);
}

static brood_status start(plan *p, brp_child *child)
{
    const brp_spawn_options *options = p->options;
    char *const *arguments = (char *const *)(intptr_t)options->arguments;
    pid_t pid;
    int code =
        options->search_path && options->path != NULL
            ? posix_spawnp(&pid, p->file, &p->actions, &p->attributes, arguments, p->environment)
            : posix_spawn(&pid, p->file, &p->actions, &p->attributes, arguments, p->environment);
    if (code != 0)
        return describe_failure(p, code);
    brood_status status = brp_child_watch(child, pid);
    if (status != BROOD_OK)
        bri_fail_within("could not start \"%s\"", shown_path(options));
    return status;
}

static void drop_plan(plan *p)
{
    for (size_t i = 0; i < p->n_raised; i++)
        close(p->raised[i]);
    if (p->directory >= 0)
        close(p->directory);
    if (p->has_actions)
        posix_spawn_file_actions_destroy(&p->actions);
    if (p->has_attributes)
        posix_spawnattr_destroy(&p->attributes);
    bri_free(p->raised);
    bri_free(p->absolute);
    bri_free(p->environment);
    bri_free(p->marker);
}

brood_status brp_spawn(brp_child *child, const brp_spawn_options *options)
{
    plan p = {.options = options, .directory = -1};
    brood_status status = find_path(&p);
    if (status == BROOD_OK)
        status = make_environment(&p);
    if (status == BROOD_OK)
        status = set_attributes(&p);
    if (status == BROOD_OK)
        status = add_actions(&p);
    if (status == BROOD_OK)
        status = start(&p, child);
    drop_plan(&p);
    return status;
}

brood_status brp_child_let_go(brp_child *child)
{
    (void)child;
    return BROOD_OK;
}

/* The system calls a process that executed /proc/self/exe "exe"; tools that list processes, and
 * pkill, go by that name. */
static void name_process(void)
{
#if defined(__linux__)
    prctl(PR_SET_NAME, program_invocation_short_name);
#endif
}

brood_status brp_marker_take(const char *marker, char **value)
{
    const char *there = getenv(marker);
    char *copy = there == NULL ? NULL : bri_strdup(there);
    if (there != NULL && copy == NULL)
        return BROOD_ENOMEM;
    if (there != NULL)
        name_process();
    unsetenv(marker);
    *value = copy;
    return BROOD_OK;
}
