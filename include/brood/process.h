/*
 * brood/process.h - processes that run a function of this program. Python: multiprocessing.Process.
 *
 *     brood_process *process;
 *     BROOD_CHECK(brood_process_create(&process, greet, brood_pack("(s)", "world"), NULL));
 *     BROOD_CHECK(brood_process_start(process));
 *     BROOD_CHECK(brood_process_join(process, BROOD_FOREVER));
 *     brood_process_destroy(process);
 *
 * A child's standard input is the null device, its output streams are this process's and are
 * flushed at its end. It is in a process group (a job on Windows) of its own: Ctrl-C reaches the
 * root alone, and the whole tree ends within two seconds when its root dies, whatever killed it.
 * What a child leaves running below it when it ends is ended too.
 *
 * A function that fails ends its process with exit code 1, and nobody prints anything: ask
 * brood_process_failure.
 */
#ifndef BROOD_PROCESS_H
#define BROOD_PROCESS_H

#include <stdbool.h>

#include <brood/init.h>
#include <brood/time.h>

BROOD_BEGIN_DECLS

typedef struct brood_process brood_process;

/* A daemonic process is ended when the process that started it ends, and may not start any. */
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

/*
 * Makes a process object; nothing is started.
 *
 * `args` (tuple or list; a zero value: none) and `options->kwargs` are moved in, also on failure.
 * They are kept until the child has started. Brood's locks, queues and connections may be among
 * them.
 *
 * Errors:  BROOD_EINVALID  neither a function nor a name, or both.
 *          BROOD_ETYPE     `args` is no tuple or list, or `kwargs` no dict.
 *          BROOD_EFORMAT   a name is not UTF-8.
 *          that of a value among them whose making failed.
 *          BROOD_ENOINIT, BROOD_ENOMEM.
 * Blocks:  no.
 * Threads: safe.
 * Fork:    the object belongs to this process: in the child of a fork it can only be destroyed.
 * Python:  Process(target=function, args=args, kwargs=kwargs, name=name, daemon=daemon).
 */
BROOD_API brood_status brood_process_create(brood_process **process, brood_function function,
                                            brood_value args, const brood_process_options *options);

/*
 * Starts the child and returns when it has reached its brood_init() and taken its arguments over.
 *
 * On failure nothing of the child is left, and the object is as before: it may be started again.
 *
 * Errors:  BROOD_ESTART     the child ended, or was silent until the start time-out
 *                           (brood_set_start_timeout): its main() did not call brood_init() first.
 *          BROOD_ENOTFOUND  no executable there; or the child does not know the function.
 *          BROOD_EVERSION   the child's executable, or the module with the function, is of another
 *                           build or has another version of brood.
 *          BROOD_ESTATE     started before; made by another process; this process is daemonic;
 *                           fork while other threads run (brood_allow_fork_with_threads).
 *          BROOD_ELIMIT     out of processes or handles; too deep (brood_set_max_depth).
 *          BROOD_ENOTSUP    the system lacks the start method; an argument cannot travel.
 *          BROOD_EINVALID   options->method is none; NULL.
 *          BROOD_ETASK      the forkserver's preload function failed.
 *          BROOD_ENOINIT, BROOD_ENOMEM, BROOD_EOS.
 * Blocks:  until the child has answered: about a millisecond; at most the start time-out.
 * Threads: safe; one start of an object.
 * Python:  start(), which does not wait for the child and so cannot tell that it failed.
 */
BROOD_API brood_status brood_process_start(brood_process *process);

/*
 * Waits for its end. Any number of threads may wait at once, and again.
 *
 * Errors:  BROOD_ETIMEDOUT  it still runs.
 *          BROOD_ESTATE     not started; no child of this process (the current one, the parent, one
 *                           that a fork inherited).
 * Blocks:  yes, unless `timeout` is 0.
 * Threads: safe.
 * Python:  join(timeout), which does not tell whether the time was up.
 */
BROOD_API brood_status brood_process_join(brood_process *process, brood_ms timeout);

/* Whether it runs: started and not yet ended. The current process and its parent are. False for
 * another process's child. Blocks: no. Threads: safe. Python: is_alive(). */
BROOD_API bool brood_process_is_alive(brood_process *process);

/*
 * Ends the child: terminate by SIGTERM, kill by SIGKILL, interrupt by SIGINT, as Ctrl-C. kill ends
 * everything below it as well; the others reach the child alone, and what is below it ends with it.
 * On Windows terminate and kill end it at once; interrupt sends Ctrl-Break, for which it needs the
 * same console. Its exit codes are then -15, -9 and -2 on every system, unless the child handles
 * the signal. They do not wait: join does.
 *
 * Errors:  BROOD_ESTATE  not started, or no child of this process.
 *          BROOD_EOS     interrupt on Windows without a common console: this process has none, or
 *                        the child is a GUI program or has left it (FreeConsole).
 *          A child that has ended is none.
 * Blocks:  no.
 * Threads: safe.
 * Python:  terminate(), kill() (which ends the child alone), interrupt() (3.14, POSIX).
 */
BROOD_API brood_status brood_process_terminate(brood_process *process);
BROOD_API brood_status brood_process_kill(brood_process *process);
BROOD_API brood_status brood_process_interrupt(brood_process *process);

/*
 * Gives Python's exitcode: 0 when the function succeeded, 1 when it failed, n after brood_exit(n)
 * or exit(n), -N when signal N ended it (crashes on Windows are given their signals, but abort()
 * is exit(3) there: the C library has it so). 255 when nobody knows: something else of the program
 * has collected the child, or its forkserver died.
 *
 * Errors:  BROOD_ETIMEDOUT  it still runs.
 *          BROOD_ESTATE     not started, or no child of this process.
 * Blocks:  no.
 * Threads: safe.
 * Python:  exitcode.
 */
BROOD_API brood_status brood_process_exitcode(brood_process *process, int *code);

/* How a function failed. The strings are never NULL. */
typedef struct brood_failure {
    const char *kind; /* "ValueError"; "" when it did not fail as a task: see the exit code */
    const char *message;
    const char *file; /* where it was raised; "" when unknown */
    int line;
    int64_t pid; /* of the process that ran it */
    int exitcode;
} brood_failure;

/*
 * Tells why the child's function failed, or how its process ended. The strings are borrowed until
 * the object is destroyed.
 *
 * Errors:  BROOD_ETIMEDOUT  it still runs.
 *          BROOD_ESTATE     not started, or no child of this process.
 * Blocks:  no.
 * Threads: safe.
 * Python:  none: the child prints a traceback instead.
 */
BROOD_API brood_status brood_process_failure(brood_process *process, brood_failure *failure);

/* Its process number; 0 before the start. Threads: safe. Python: pid. */
BROOD_API int64_t brood_process_pid(const brood_process *process);

/*
 * Its name: only for people, two processes may have the same. It is borrowed until it is set anew.
 * The name of the current process is the one that later children get told as their parent's.
 *
 * Errors:  BROOD_EINVALID  NULL.
 *          BROOD_EFORMAT   not UTF-8.
 *          BROOD_ENOMEM.
 * Blocks:  no.
 * Threads: safe.
 * Python:  name. A name set after the start is this process's matter alone, as there.
 */
BROOD_API const char *brood_process_name(const brood_process *process);
BROOD_API brood_status brood_process_set_name(brood_process *process, const char *name);

/*
 * Whether it is a daemon; to be set before the start.
 *
 * Errors:  BROOD_ESTATE  started already, or no child of this process.
 * Blocks:  no.
 * Threads: safe.
 * Python:  daemon.
 */
BROOD_API bool brood_process_is_daemon(const brood_process *process);
BROOD_API brood_status brood_process_set_daemon(brood_process *process, bool daemon);

/*
 * The key that this process and its children prove to each other over connections and managers.
 * The root has 32 random bytes; a child gets a copy of its parent's when its object is made. It is
 * borrowed until it is set anew, which copies the bytes.
 *
 * Errors:  BROOD_ESTATE    the parent's: only it and its own parent know that.
 *          BROOD_EINVALID  an empty key; NULL.
 *          BROOD_ENOINIT, BROOD_ENOMEM, BROOD_EOS.
 * Blocks:  no.
 * Threads: safe.
 * Python:  authkey.
 */
BROOD_API brood_status brood_process_authkey(const brood_process *process, const void **key,
                                             size_t *size);
BROOD_API brood_status brood_process_set_authkey(brood_process *process, const void *key,
                                                 size_t size);

/*
 * Frees the object. A child that still runs is not touched: it is joined when this process ends (a
 * daemon: ended), but nobody can ask for it any more. NULL, the current process and the parent are
 * ignored.
 *
 * Errors:  none.
 * Blocks:  no.
 * Threads: safe, as the last use of the object.
 * Python:  close(), which refuses while the child runs.
 */
BROOD_API void brood_process_destroy(brood_process *process);

/*
 * The process that calls, and the one that started it (NULL in the root). Borrowed, never
 * destroyed; the same for the life of the process. Of the parent there are name and pid; a process
 * does not outlive its parent, so it cannot be waited for.
 *
 * Errors:  none; NULL before brood_init.
 * Blocks:  no.
 * Threads: safe.
 * Python:  current_process(), parent_process().
 */
BROOD_API brood_process *brood_current_process(void);
BROOD_API brood_process *brood_parent_process(void);

/*
 * Lists the children that still run, without those whose objects were destroyed. Fills up to `room`
 * borrowed pointers and gives their full number in *n. Children that have ended are collected.
 *
 * Errors:  BROOD_ENOINIT.
 * Blocks:  no.
 * Threads: safe.
 * Python:  active_children().
 */
BROOD_API brood_status brood_active_children(brood_process **children, size_t room, size_t *n);

/*
 * Ends this process with that code, as the end of its function or of main() would: daemons are
 * ended, other children joined, streams flushed. In the child of a fork, unlike exit(), it leaves
 * out what the parent's program registered with atexit(). Does not return.
 *
 * Errors:  none.
 * Blocks:  until the children have ended.
 * Threads: any thread may call it, one of them.
 * Python:  sys.exit(code).
 */
BROOD_API void brood_exit(int code);

BROOD_END_DECLS

#endif /* BROOD_PROCESS_H */
