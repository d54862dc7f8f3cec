/*
 * brood/function.h - functions that run in another process: their form, their arguments, their
 * results, their names.
 */
#ifndef BROOD_FUNCTION_H
#define BROOD_FUNCTION_H

#include <brood/value.h>

BROOD_BEGIN_DECLS

/* One call of a function: its arguments and, later, its result. Lives as long as the function runs.
 */
typedef struct brood_call brood_call;

/* A function that a process, a pool or an executor runs. BROOD_OK means that it succeeded; any
 * other status means that it failed, and the last error (or what brood_call_raise said) travels to
 * the caller. */
typedef brood_status (*brood_function)(brood_call *call);

/* Takes the positional arguments apart, as brood_unpack does with "(format)". */
BROOD_API brood_status brood_call_args(brood_call *call, const char *format, ...);

/* The positional arguments, a tuple, and the keyword arguments, a dict. Borrowed from the call. */
BROOD_API const brood_value *brood_call_arguments(brood_call *call);
BROOD_API const brood_value *brood_call_keywords(brood_call *call);

/* Sets the result, moving it in; the last one counts. Without it the result is none. Fails with the
 * error that is set when `result` is invalid, so that it can end a function: return
 * brood_call_return(call, brood_pack(...)); */
BROOD_API brood_status brood_call_return(brood_call *call, brood_value result);

/* Fails the call with an exception of that kind ("ValueError"); returns BROOD_ETASK, to be returned
 * by the function. Place is recorded. */
#define brood_call_raise(call, kind, ...) \
    brood_call_raise_at(call, __FILE__, __LINE__, kind, __VA_ARGS__)
BROOD_API brood_status brood_call_raise_at(brood_call *call, const char *file, int line,
                                           const char *kind, const char *format, ...)
    BROOD_PRINTF(5, 6);

/*
 * Gives a function a name by which it can be referred to from other processes, builds and machines.
 * Before brood_init, in every process alike. A function that is not registered is still found in
 * children that run the same build (by module and offset).
 *
 * Errors: BROOD_EEXIST the name stands for another function; BROOD_EINVALID empty name;
 * BROOD_ENOMEM.
 */
BROOD_API brood_status brood_register(const char *name, brood_function function);

/* Registers a function under its own name. */
#define BROOD_FUNCTION(function) brood_register(#function, function)

BROOD_END_DECLS

#endif /* BROOD_FUNCTION_H */
