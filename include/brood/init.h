/*
 * brood/init.h - the start of a program that uses brood, and the start methods.
 */
#ifndef BROOD_INIT_H
#define BROOD_INIT_H

#include <stdbool.h>
#include <stdint.h>

#include <brood/function.h>
#include <brood/time.h>

BROOD_BEGIN_DECLS

/*
 * Has to be the first thing in main(), after the registrations and before threads are started.
 *
 * In the program that the user started it makes the library ready and returns. In a child that
 * brood started it runs the child's function and exits; it does not return. Arguments may both be
 * NULL (a GUI program has none). Calling it again is BROOD_OK.
 *
 * Python: multiprocessing.freeze_support(), but needed on every system.
 */
BROOD_API brood_status brood_init(int *argc, char ***argv);

typedef enum brood_start_method {
    BROOD_START_DEFAULT = 0, /* what brood_set_start_method set, else spawn */
    BROOD_START_SPAWN,       /* a new process of this executable; every system */
    BROOD_START_FORK,        /* POSIX; refused while threads other than brood's own run */
    BROOD_START_FORKSERVER   /* POSIX; a clean single-threaded process forks on demand */
} brood_start_method;

/* "spawn", "fork", "forkserver"; and back (BROOD_EINVALID for other names). */
BROOD_API const char *brood_start_method_name(brood_start_method method);
BROOD_API brood_status brood_start_method_parse(const char *name, brood_start_method *method);
BROOD_API bool brood_start_method_is_supported(brood_start_method method);

/* The default of this process and the children it starts from now on. BROOD_ENOTSUP where the
 * system lacks it. */
BROOD_API brood_status brood_set_start_method(brood_start_method method);
BROOD_API brood_start_method brood_get_start_method(void);

/* Lets fork() go on although other threads run: for programs that know that these hold no lock. */
BROOD_API void brood_allow_fork_with_threads(bool allow);

/* Run in the forkserver once, before it forks: what the children then share. Name or function as
 * for processes. Before the first forkserver start. */
BROOD_API brood_status brood_set_forkserver_preload(brood_function function, brood_value args);

/* Another executable for spawn: brood-host, or any program that calls brood_init. NULL: this
 * program's own. */
BROOD_API brood_status brood_set_executable(const char *path);

/* How deep children may start children of their own: default 8. */
BROOD_API brood_status brood_set_max_depth(int depth);

/* How long a child may take until its brood_init answers: default 10 s. */
BROOD_API void brood_set_start_timeout(brood_ms timeout);

/*
 * How many bytes of addresses the shared memory of the process tree may take, in which locks,
 * queues and their messages live: default 16 GiB, halved until the system grants them. Memory is
 * taken as it is used. Before the first such object and the first child, in the root; the
 * environment variable BROOD_ARENA_SIZE (bytes, or with K, M, G behind) says the same where this is
 * not called. 0 is the default.
 *
 * Errors:  BROOD_ESTATE it is in use already.
 * Threads: before threads are started.
 */
BROOD_API brood_status brood_set_arena_size(uint64_t size);

/* CPUs this process may use (affinity, cgroup quota, job limits), at least 1. Python:
 * os.process_cpu_count(). */
BROOD_API int brood_cpu_count(void);

typedef enum brood_log_level {
    BROOD_LOG_OFF = 0,
    BROOD_LOG_ERROR,
    BROOD_LOG_WARNING,
    BROOD_LOG_INFO,
    BROOD_LOG_DEBUG
} brood_log_level;

/* Gets messages of the library; `message` is valid during the call. On any thread. */
typedef void (*brood_log_callback)(void *context, brood_log_level level, const char *message);

/* Where the library's messages go: nowhere by default. */
BROOD_API void brood_set_log(brood_log_level level, brood_log_callback callback, void *context);

BROOD_END_DECLS

#endif /* BROOD_INIT_H */
