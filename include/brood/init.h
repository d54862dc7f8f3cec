/*
 * brood/init.h - the start of a program that uses brood, the start methods, and the settings that
 * children inherit.
 */
#ifndef BROOD_INIT_H
#define BROOD_INIT_H

#include <stdbool.h>
#include <stdlib.h>

#include <brood/function.h>
#include <brood/time.h>

BROOD_BEGIN_DECLS

/*
 * Makes the library ready; in a child, becomes the child.
 *
 * It has to be the first thing in main(), after the registrations (brood_register) and before
 * threads are started. In the program that the user started it returns. In a child that brood
 * started it runs the child's function and ends the process; it does not return. `argc` and `argv`
 * are main's, by address; both may be NULL (a GUI program has none). Calling it again is BROOD_OK.
 *
 * It arranges that at the end of the process (return from main, exit) daemonic children are ended
 * and the others joined, as Python does.
 *
 * Whether the process is a child is told by an environment variable, BROOD_CHILD, which is removed
 * at once, together with an inherited handle and a one-time token that the parent has to repeat.
 * A variable that does not belong to this process makes brood_init fail: a program that was given a
 * stale one must not go on as if it were the root, so check the status (BROOD_CHECK does).
 *
 * Errors:  BROOD_EFORMAT  the environment variable is malformed or stale.
 *          BROOD_EAUTH    what is at its handle does not know the token.
 *          BROOD_ENOMEM, BROOD_EOS.
 * Blocks:  in a child, until the start block has come (30 s at most).
 * Threads: call it before others are started.
 * Fork:    the child of a fork() of the program's own is not known to brood: it may not use the
 *          library, and at its exit brood does nothing in it.
 * Python:  multiprocessing.freeze_support(), but needed on every system.
 */
BROOD_API brood_status brood_init(int *argc, char ***argv);

/*
 * brood_init, and what it is as a macro: `at_exit` is the program's own atexit(), by which it
 * arranges for the end of the process. On Windows each DLL has an atexit() of its own, which runs
 * when the process's other threads have been ended already, too late to join anybody. So with the
 * function itself (called through a pointer, or from another language) and the library as a DLL, or
 * with the atexit() of a plug-in, the children that are left there end with the process. Everything
 * else is as for brood_init.
 */
BROOD_API brood_status brood_init_with_exit(int *argc, char ***argv,
                                            int (*at_exit)(void (*)(void)));
#define brood_init(argc, argv) brood_init_with_exit(argc, argv, atexit)

/*
 * How children come to be.
 *
 * spawn starts the executable anew; the arguments are pickled. It is the default everywhere, so
 * that a program behaves alike on every system; its cost does not depend on the parent's memory.
 *
 * fork copies this process: arguments are not pickled, all memory is as it was. It costs more the
 * more memory the parent has. The C streams are flushed before, so that nothing is written twice;
 * the child leaves out what the program registered with atexit().
 *
 * forkserver is a process that is started by spawn at the first such start and forks on demand, so
 * its children are quick to start and clean: they have what the preload function made, and nothing
 * of this process but what they are told. Their environment and their standard streams are the
 * server's, as in Python; their working directory is the one that this process is in. The server
 * ends with this process. When it dies, its children end too, and the next start starts a new one.
 */
typedef enum brood_start_method {
    BROOD_START_DEFAULT = 0, /* what brood_set_start_method set, else spawn */
    BROOD_START_SPAWN,       /* a new process of this executable; every system */
    BROOD_START_FORK,        /* POSIX; refused while threads other than brood's own run */
    BROOD_START_FORKSERVER   /* POSIX; a clean single-threaded process forks on demand */
} brood_start_method;

/*
 * "spawn", "fork", "forkserver" (and "default"; "?" for a number that is none); and a method by one
 * of the first three names.
 *
 * Errors:  BROOD_EINVALID  there is no method of that name.
 * Blocks:  no.
 * Threads: safe. Works before brood_init.
 */
BROOD_API const char *brood_start_method_name(brood_start_method method);
BROOD_API brood_status brood_start_method_parse(const char *name, brood_start_method *method);

/* Whether this system has it. Threads: safe. Python: multiprocessing.get_all_start_methods(). */
BROOD_API bool brood_start_method_is_supported(brood_start_method method);

/*
 * Sets the default of this process and of the children that it starts from now on. A single process
 * may differ: brood_process_options.method.
 *
 * Errors:  BROOD_ENOTSUP   the system lacks it; the default stays.
 *          BROOD_EINVALID  the number is no method.
 *          BROOD_ENOINIT.
 * Blocks:  no.
 * Threads: safe.
 * Python:  multiprocessing.set_start_method(), which may be called only once.
 */
BROOD_API brood_status brood_set_start_method(brood_start_method method);

/* The default; never BROOD_START_DEFAULT. Threads: safe. Python: get_start_method(). */
BROOD_API brood_start_method brood_get_start_method(void);

/*
 * Lets fork go on although other threads of the program run: for programs that know that these hold
 * no lock then, the allocator's and the streams' included. Inherited by children. Otherwise such a
 * start fails with BROOD_ESTATE. brood's own threads are parked and never count.
 *
 * Errors:  none. Has no effect before brood_init.
 * Blocks:  no.
 * Threads: safe.
 * Python:  Python forks and warns (3.12).
 */
BROOD_API void brood_allow_fork_with_threads(bool allow);

/*
 * Sets what the forkserver runs once, before it forks: what it makes then (tables, caches), all its
 * children have without paying for it. `args` (a tuple or list; zero: none) is moved in, also on
 * failure. When it fails, so does the first start with the server, with its kind and message. NULL:
 * nothing is run.
 *
 * Errors:  BROOD_ESTATE     the server runs already.
 *          BROOD_ENOTFOUND  the function is in no module.
 *          BROOD_ETYPE      `args` is no tuple or list.
 *          BROOD_ENOINIT, BROOD_ENOMEM.
 * Blocks:  no.
 * Threads: safe.
 * Fork:    a child has a server of its own when it wants one; the preload is not inherited.
 * Python:  multiprocessing.set_forkserver_preload(), with a function in place of module names.
 */
BROOD_API brood_status brood_set_forkserver_preload(brood_function function, brood_value args);

/*
 * Sets the executable that spawn starts, for this process and its children: brood-host, or any
 * program that calls brood_init. Without a directory it is looked for in PATH. NULL: this program's
 * own, even if its file was moved or replaced meanwhile (Linux; elsewhere a replaced one is noticed
 * by its build id). Functions of this executable itself can then be given only by name.
 *
 * Errors:  BROOD_EINVALID  empty path.
 *          BROOD_ENOINIT, BROOD_ENOMEM. Whether it is there shows at the start.
 * Blocks:  no.
 * Threads: safe.
 * Python:  multiprocessing.set_executable().
 */
BROOD_API brood_status brood_set_executable(const char *path);

/*
 * Bounds how deep children may start children of their own: 8 by default; 0: this process may have
 * none. Inherited by children. A start beyond it is BROOD_ELIMIT.
 *
 * Errors:  BROOD_EINVALID  negative.
 *          BROOD_ENOINIT.
 * Blocks:  no.
 * Threads: safe.
 * Python:  none.
 */
BROOD_API brood_status brood_set_max_depth(int depth);

/*
 * Sets how long a child may take from its start until its brood_init has answered: 10 s by default
 * (0 sets that again; BROOD_FOREVER waits). Inherited by children.
 *
 * Errors:  none. Has no effect before brood_init.
 * Blocks:  no.
 * Threads: safe.
 * Python:  none.
 */
BROOD_API void brood_set_start_timeout(brood_ms timeout);

/*
 * Sets how many bytes of addresses the shared memory of the process tree may take, in which locks,
 * queues and their messages live: default 16 GiB, halved until the system grants them. Memory is
 * taken as it is used. Before the first such object and the first child, in the root; the
 * environment variable BROOD_ARENA_SIZE (bytes, or with K, M, G behind) says the same where this is
 * not called. 0 is the default.
 *
 * Errors:  BROOD_ESTATE it is in use already.
 * Blocks:  no.
 * Threads: before threads are started.
 * Python:  none.
 */
BROOD_API brood_status brood_set_arena_size(uint64_t size);

/*
 * CPUs that this process may use: its affinity, the quota of its cgroup rounded up, the limits of
 * its job; at least 1. On Windows a child is in a job of brood's, and the system tells a process of
 * the innermost job alone: a limit of processor time that an outer one has is seen by the root
 * only.
 *
 * Errors:  none.
 * Blocks:  no.
 * Threads: safe. Works before brood_init.
 * Python:  os.process_cpu_count() of 3.13.
 */
BROOD_API int brood_cpu_count(void);

typedef enum brood_log_level {
    BROOD_LOG_OFF = 0,
    BROOD_LOG_ERROR,
    BROOD_LOG_WARNING,
    BROOD_LOG_INFO,
    BROOD_LOG_DEBUG
} brood_log_level;

/* Gets messages of the library; `message` is valid during the call. On any thread, so it has to be
 * safe for that, and may not call brood. */
typedef void (*brood_log_callback)(void *context, brood_log_level level, const char *message);

/*
 * Says where the library's messages go, up to that level: nowhere by default, for the library never
 * prints. Children inherit the level; where theirs go, their own main() says before brood_init.
 *
 * Errors:  none.
 * Blocks:  no.
 * Threads: call it before others are started.
 * Python:  multiprocessing.log_to_stderr(), get_logger().
 */
BROOD_API void brood_set_log(brood_log_level level, brood_log_callback callback, void *context);

BROOD_END_DECLS

#endif /* BROOD_INIT_H */
