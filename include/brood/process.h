/*
 * brood/process.h - processes that run a function of this program. Python: multiprocessing.Process.
 */
#ifndef BROOD_PROCESS_H
#define BROOD_PROCESS_H

#include <stdbool.h>

#include <brood/init.h>
#include <brood/time.h>

BROOD_BEGIN_DECLS

typedef struct brood_process brood_process;

typedef enum brood_daemon {
    BROOD_DAEMON_INHERIT = 0, /* as the creating process is */
    BROOD_DAEMON_YES,
    BROOD_DAEMON_NO
} brood_daemon;

typedef struct brood_process_options {
    const char *function_name; /* a registered name, in place of a function pointer */
    brood_value kwargs;        /* a dict, moved in; an invalid (zero) value: none */
    const char *name;          /* NULL: "Process-1", "Process-1:2", ... as in Python */
    brood_daemon daemon;
    brood_start_method method;
} brood_process_options;

/* Makes a process object; nothing is started. `args` (tuple or list; an invalid, zero value: none)
 * is moved in. */
BROOD_API brood_status brood_process_create(brood_process **process, brood_function function,
                                            brood_value args, const brood_process_options *options);

/* Starts it and returns when the child has reached its brood_init(). */
BROOD_API brood_status brood_process_start(brood_process *process);

/* Waits for its end. BROOD_ETIMEDOUT leaves it running. */
BROOD_API brood_status brood_process_join(brood_process *process, brood_ms timeout);

BROOD_API bool brood_process_is_alive(brood_process *process);
BROOD_API brood_status brood_process_terminate(brood_process *process); /* SIGTERM to it alone */
BROOD_API brood_status brood_process_kill(brood_process *process); /* the whole tree below it */
BROOD_API brood_status brood_process_interrupt(brood_process *process); /* as Ctrl-C */

/* Python's exitcode: 0, n, -N for signal N. BROOD_ETIMEDOUT while it runs, BROOD_ESTATE before it
 * was started. */
BROOD_API brood_status brood_process_exitcode(brood_process *process, int *code);

/* Why the function failed: an error value (kind, arguments) borrowed until destroy; NULL when it
 * did not fail, or died without saying why. `place` of details: file, line and pid. */
typedef struct brood_failure {
    const char *kind; /* "ValueError"; "" when it did not fail as a task */
    const char *message;
    const char *file; /* "" when unknown */
    int line;
    int64_t pid;
    int exitcode;
} brood_failure;
BROOD_API brood_status brood_process_failure(brood_process *process, brood_failure *failure);

BROOD_API int64_t brood_process_pid(const brood_process *process); /* 0 before start */
BROOD_API const char *brood_process_name(const brood_process *process);
BROOD_API brood_status brood_process_set_name(brood_process *process, const char *name);
BROOD_API bool brood_process_is_daemon(const brood_process *process);
BROOD_API brood_status brood_process_set_daemon(brood_process *process, bool daemon);
BROOD_API brood_status brood_process_authkey(const brood_process *process, const void **key,
                                             size_t *size);
BROOD_API brood_status brood_process_set_authkey(brood_process *process, const void *key,
                                                 size_t size);

/* Frees the object. A child that still runs is not touched: it is joined at exit (a daemon: ended).
 * BROOD_ESTATE is impossible; NULL is ignored. Python: close(), which refuses while the child runs.
 */
BROOD_API void brood_process_destroy(brood_process *process);

/* The process that calls, and the one that started it (NULL in the root). Borrowed, never
 * destroyed. */
BROOD_API brood_process *brood_current_process(void);
BROOD_API brood_process *brood_parent_process(void);

/* Children that still run. Fills up to `room` borrowed pointers, gives their full number in *n. */
BROOD_API brood_status brood_active_children(brood_process **children, size_t room, size_t *n);

/* Ends this process with that code, as the end of its function or of main() would: daemons are
 * ended, other children joined, streams flushed. In the child of a fork, unlike exit(), it leaves
 * out what the parent's program registered with atexit(). Python: sys.exit(code). */
BROOD_API void brood_exit(int code);

BROOD_END_DECLS

#endif /* BROOD_PROCESS_H */
