/*
 * proc/call.h - runs a function and keeps what came of it, as a result or as a failure that can
 * travel. Used by processes, pools and executors alike.
 */
#ifndef BRI_CALL_H
#define BRI_CALL_H

#include <stdatomic.h>

#include <brood/function.h>
#include <brood/process.h>

#include "base/deadline.h"

/* What came of a call. Zero-initialised is empty. */
typedef struct bri_outcome {
    bool failed;
    brood_value result; /* when it did not fail; none when the function set nothing */
    brood_value error;  /* when it failed: an error value (kind, arguments) */
    char *file;         /* where it was raised; NULL when unknown */
    int line;
    int64_t pid; /* when it failed: of the process that ran it */
} bri_outcome;

/* Runs the function with a tuple of arguments and a dict of keywords (invalid: none), both moved
 * in. Always leaves an outcome, out of memory too. */
void bri_call_run(brood_function function, brood_value arguments, brood_value keywords,
                  bri_outcome *outcome);

/* The same with arguments that stay the caller's, and no keywords: for many calls in a row. */
void bri_call_run_with(brood_function function, const brood_value *arguments, bri_outcome *outcome);

/* The same with keywords that stay the caller's too. */
void bri_call_run_pair(brood_function function, const brood_value *arguments,
                       const brood_value *keywords, bri_outcome *outcome);

/* What the calls that this thread runs are told when they ask; NULL: nothing. Borrowed until it is
 * set anew. */
typedef struct bri_call_control {
    const _Atomic uint32_t *asked; /* not 0: to stop */
    bri_deadline deadline;         /* soft: BRI_NEVER: none */
    int attempt;
} bri_call_control;
void bri_call_set_control(const bri_call_control *control);

/* The same for a method of a manager's object, which the function finds by bri_call_object; and for
 * what makes such an object. Arguments and keywords (a tuple and a dict) are moved in. */
typedef brood_status (*bri_object_maker)(brood_call *call, void **object);
void bri_call_run_on(brood_function function, void *object, brood_value arguments,
                     brood_value keywords, bri_outcome *outcome);
void bri_call_make(bri_object_maker maker, brood_value arguments, brood_value keywords,
                   bri_outcome *outcome, void **object);
void *bri_call_object(brood_call *call);

/* Makes the failure of this process out of a status and the thread's last error: what a function
 * that returned `status` without raising gets. */
void bri_outcome_fail(bri_outcome *outcome, brood_status status);

/* The Python exception that stands for a status: BROOD_ETYPE is TypeError, ... */
const char *bri_status_exception(brood_status status);

/* The failure as a value (kind, arguments, file, line, pid), consuming it; and back. Not as an
 * error value, because a pickle knows only kinds that Python has. Only for failed ones: results
 * travel as they are. */
brood_status bri_outcome_reduce(bri_outcome *outcome, brood_value *value);
brood_status bri_outcome_rebuild(const brood_value *value, bri_outcome *outcome);

/* Makes the call fail as the outcome did (moving it out of there), for a function that runs another
 * one. Returns BROOD_ETASK. */
brood_status bri_call_fail_as(brood_call *call, bri_outcome *outcome);

/* The public view; strings are borrowed from the outcome. `exitcode` is left 0. */
void bri_outcome_describe(const bri_outcome *outcome, brood_failure *failure);

/* Empties it. */
void bri_outcome_clear(bri_outcome *outcome);

#endif /* BRI_CALL_H */
