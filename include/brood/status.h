/*
 * brood/status.h - what a call answers, and the description of the last failure.
 *
 * Every function that can fail returns a brood_status. Outcomes that are not failures (a time-out,
 * an empty queue, a lock whose owner died) have a code of their own, so that they can be told
 * apart.
 *
 * What holds everywhere unless a function says otherwise:
 *
 *   - What is to be stored is untouched unless the answer is BROOD_OK. NULL may not be given for it
 *     but where the function says so: nothing checks that.
 *   - NULL in place of an object (a lock, a process, a future) is BROOD_EINVALID. What answers
 *     without a status says no, 0, "" or, for a handle, -1; what ends an object ignores it.
 *   - A value that is moved in and could not be made fails the call with the status of its making,
 *     see brood/value.h.
 */
#ifndef BROOD_STATUS_H
#define BROOD_STATUS_H

#include <stddef.h>

#include <brood/api.h>

BROOD_BEGIN_DECLS

/* X(name, text): the one table that the enum, the names and the texts are made from. */
#define BROOD_STATUS_MAP(X)                                   \
    X(OK, "success")                                          \
    X(ETIMEDOUT, "the time is up")                            \
    X(EEMPTY, "nothing is there")                             \
    X(EFULL, "no room is left")                               \
    X(EEOF, "the other end is closed")                        \
    X(ECLOSED, "the object is closed")                        \
    X(EOWNERDIED, "the previous owner died while holding it") \
    X(ENOMEM, "out of memory")                                \
    X(EINVALID, "invalid argument")                           \
    X(ESTATE, "not possible in this state")                   \
    X(EOS, "the system refused")                              \
    X(ENOTSUP, "not supported on this system")                \
    X(ENOTFOUND, "not found")                                 \
    X(EEXIST, "exists already")                               \
    X(EACCESS, "permission denied")                           \
    X(ELIMIT, "a limit is reached")                           \
    X(ETYPE, "the value has another type")                    \
    X(ERANGE, "the number is out of range")                   \
    X(EFORMAT, "malformed data")                              \
    X(EVERSION, "made by another version or build")           \
    X(EAUTH, "authentication failed")                         \
    X(ENOINIT, "brood_init() has not been called")            \
    X(ESTART, "the child did not start")                      \
    X(ETASK, "the task failed")                               \
    X(EWORKERDIED, "the worker died")                         \
    X(ECANCELLED, "the task was cancelled")                   \
    X(ETOOLONG, "the message is too long")                    \
    X(EBROKEN, "the object is broken")

typedef enum brood_status {
#define BROOD_STATUS_ENUM(name, text) BROOD_##name,
    BROOD_STATUS_MAP(BROOD_STATUS_ENUM)
#undef BROOD_STATUS_ENUM
} brood_status;

/* The description of the last failure in this thread. The strings are never NULL. */
typedef struct brood_error {
    brood_status status; /* BROOD_OK when nothing has failed yet */
    long system_code;    /* errno or GetLastError() where the system refused, else 0 */
    const char *message; /* "could not start \"/opt/x\": No such file or directory", UTF-8 */
} brood_error;

/*
 * Describes the last failure of a brood function in the calling thread.
 *
 * The message says what was attempted, on what, and the reason. It stays valid until the next
 * failing brood call of the same thread. Calls that succeed, and the outcomes BROOD_ETIMEDOUT,
 * BROOD_EEMPTY, BROOD_EFULL and BROOD_EEOF, leave it as it was unless their documentation says
 * otherwise.
 *
 * Errors:  none.
 * Blocks:  no.
 * Threads: safe; each thread has its own.
 * Fork:    the child starts with a copy.
 * Python:  the exception's text.
 */
BROOD_API const brood_error *brood_last_error(void);

/* The name of a status, "ETIMEDOUT" for BROOD_ETIMEDOUT; "?" for a number that is none. Threads:
 * safe. */
BROOD_API const char *brood_status_name(brood_status status);

/* A short text for a status, "the time is up" for BROOD_ETIMEDOUT; "unknown status" for a number
 * that is none. Threads: safe. */
BROOD_API const char *brood_status_text(brood_status status);

/*
 * What to tell people of a status that a call has just given to this thread: the message of the
 * last error if it is of that status, else the status's text. Use it where an outcome without a
 * message (BROOD_ETIMEDOUT, BROOD_EEOF) may be among those that are told.
 *
 * Errors:  none.
 * Blocks:  no.
 * Threads: safe. The string is valid as long as that of brood_last_error.
 * Python:  str() of the exception.
 */
BROOD_API const char *brood_status_message(brood_status status);

/* Returns the status of a failed call to the caller. For functions that return brood_status. */
#define BROOD_TRY(call)                   \
    do {                                  \
        brood_status brood_try_ = (call); \
        if (brood_try_ != BROOD_OK)       \
            return brood_try_;            \
    } while (0)

/* For main() and examples: on failure prints what brood_status_message says to stderr and exits
 * with 1. Needs <stdio.h> and <stdlib.h>. */
#define BROOD_CHECK(call)                                                                 \
    do {                                                                                  \
        brood_status brood_check_ = (call);                                               \
        if (brood_check_ != BROOD_OK) {                                                   \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__,                        \
                    brood_status_name(brood_check_), brood_status_message(brood_check_)); \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

BROOD_END_DECLS

#endif /* BROOD_STATUS_H */
