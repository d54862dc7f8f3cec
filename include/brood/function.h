/*
 * brood/function.h - functions that run in another process: their form, their arguments, their
 * results, their names.
 *
 *     static brood_status square(brood_call *call)
 *     {
 *         int64_t n;
 *         BROOD_TRY(brood_call_args(call, "i", &n));
 *         return brood_call_return(call, brood_int(n * n));
 *     }
 */
#ifndef BROOD_FUNCTION_H
#define BROOD_FUNCTION_H

#include <stdbool.h>

#include <brood/time.h>
#include <brood/value.h>

BROOD_BEGIN_DECLS

/* One call of a function: its arguments and, later, its result. Lives as long as the function runs,
 * and belongs to the thread that runs it. */
typedef struct brood_call brood_call;

/*
 * A function that a process, a pool or an executor runs.
 *
 * BROOD_OK means that it succeeded. Any other status means that it failed, and why travels to the
 * caller: what brood_call_raise said, else the thread's last error under the Python exception that
 * the status stands for:
 *
 *   EINVALID, EFORMAT, ECLOSED, ETOOLONG  ValueError        ETYPE      TypeError
 *   ENOTFOUND  LookupError, or FileNotFoundError when the   ERANGE     OverflowError
 *              system said so                               ENOMEM     MemoryError
 *   EACCESS, EAUTH  PermissionError                         EEXIST     FileExistsError
 *   ETIMEDOUT  TimeoutError                                 EEOF       EOFError
 *   EEMPTY, EFULL  queue.Empty, queue.Full                  EOS        OSError
 *   ENOTSUP    NotImplementedError                          EBROKEN    threading.BrokenBarrierError
 *   all others RuntimeError
 */
typedef brood_status (*brood_function)(brood_call *call);

/*
 * Takes the positional arguments apart: the format is that of brood_unpack for the items, "is" for
 * an int and a str. What it gives out by pointer is borrowed from the call.
 *
 * Errors:  BROOD_ETYPE  an argument is of another kind, or there are more or fewer; and the others
 *          of brood_unpack. Nothing was stored then.
 * Blocks:  no.
 * Threads: the one that runs the function.
 * Python:  the function's parameters.
 */
BROOD_API brood_status brood_call_args(brood_call *call, const char *format, ...);

/* The positional arguments, a tuple, and the keyword arguments, a dict; empty when there are none.
 * Borrowed from the call. Errors: none. Python: *args, **kwargs. */
BROOD_API const brood_value *brood_call_arguments(brood_call *call);
BROOD_API const brood_value *brood_call_keywords(brood_call *call);

/*
 * Sets the result, moving it in; the last one counts. Without it the result is none. A process's
 * result is dropped, as in Python; a task's goes to its caller.
 *
 * With a value whose making failed it fails with that status, so it can end a function:
 *
 *     return brood_call_return(call, brood_pack("(is)", 1, "one"));
 *
 * Errors:  that of making the value; BROOD_EINVALID for none at all.
 * Blocks:  no.
 * Threads: the one that runs the function.
 * Python:  return.
 */
BROOD_API brood_status brood_call_return(brood_call *call, brood_value result);

/*
 * Fails the call with an exception of that kind, and the place in the source; returns BROOD_ETASK,
 * to be returned by the function:
 *
 *     return brood_call_raise(call, "ValueError", "%d is no good", n);
 *
 * The kind is "ValueError" for those of Python's builtins, "package.Name" for others; inside brood
 * any name does. What is no name (NULL, "", not UTF-8) counts as "RuntimeError". The message is cut
 * at 4000 bytes; an empty one is an exception without arguments.
 *
 * Errors:  always BROOD_ETASK.
 * Blocks:  no.
 * Threads: the one that runs the function.
 * Python:  raise.
 */
#define brood_call_raise(call, kind, ...) \
    brood_call_raise_at(call, __FILE__, __LINE__, kind, __VA_ARGS__)
BROOD_API brood_status brood_call_raise_at(brood_call *call, const char *file, int line,
                                           const char *kind, const char *format, ...)
    BROOD_PRINTF(5, 6);

/*
 * For tasks of pools and executors that may be asked to stop or have a soft deadline: whether the
 * task should end now (it was asked to by brood_future_cancel, or its soft deadline has passed);
 * the milliseconds until that deadline, BROOD_FOREVER without one; and which attempt this is, 1
 * being the first. A process that is no worker is never asked.
 *
 * Errors:  none.
 * Blocks:  no.
 * Threads: the one that runs the function.
 * Python:  none.
 */
BROOD_API bool brood_call_should_stop(brood_call *call);
BROOD_API brood_ms brood_call_time_left(brood_call *call);
BROOD_API int brood_call_attempt(brood_call *call);

/*
 * Gives a function a name by which it can be referred to from other processes, builds and machines.
 * To be called before brood_init, in every process alike. The same name for the same function again
 * is BROOD_OK.
 *
 * A function that is not registered is found by its place (module, offset and build id): also one
 * in a shared library, or in a plug-in that was loaded at run time. That needs a child of the same
 * build, which every child on this machine is; references by place are taken only from processes of
 * our own tree.
 *
 * Errors:  BROOD_EEXIST    the name stands for another function.
 *          BROOD_EINVALID  no name, no function, or a name that begins with "brood.".
 *          BROOD_EFORMAT   the name is not UTF-8.
 *          BROOD_ENOMEM.
 * Blocks:  no.
 * Threads: call it before others are started.
 * Python:  none: functions are known there by their module and name.
 */
BROOD_API brood_status brood_register(const char *name, brood_function function);

/* Registers a function under its own name. */
#define BROOD_FUNCTION(function) brood_register(#function, function)

BROOD_END_DECLS

#endif /* BROOD_FUNCTION_H */
