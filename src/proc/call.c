/* proc/call.c - see the header. */
#include "proc/call.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/object.h"
#include "platform/clock.h"
#include "platform/ident.h"

/* Messages longer than this are cut when they travel: they have to fit into a channel that nobody
 * reads yet. */
enum { MAX_MESSAGE = 4000, MAX_KIND = 200, MAX_FILE = 1000 };

struct brood_call {
    brood_value arguments;
    brood_value keywords;
    bri_outcome *outcome;
    bool raised;
    void *object; /* of a manager's method */
};

/* Of the calls that this thread runs. */
static _Thread_local const bri_call_control *the_control;

const char *bri_status_exception(brood_status status)
{
    static const struct {
        brood_status status;
        const char *kind;
    } kinds[] = {
        {BROOD_ETIMEDOUT, "TimeoutError"},
        {BROOD_EEMPTY, "queue.Empty"},
        {BROOD_EFULL, "queue.Full"},
        {BROOD_EEOF, "EOFError"},
        {BROOD_ENOMEM, "MemoryError"},
        {BROOD_EINVALID, "ValueError"},
        {BROOD_EOS, "OSError"},
        {BROOD_ENOTSUP, "NotImplementedError"},
        {BROOD_ENOTFOUND, "LookupError"},
        {BROOD_EEXIST, "FileExistsError"},
        {BROOD_EACCESS, "PermissionError"},
        {BROOD_ETYPE, "TypeError"},
        {BROOD_ERANGE, "OverflowError"},
        {BROOD_EFORMAT, "ValueError"},
        {BROOD_EAUTH, "PermissionError"},
        {BROOD_ETOOLONG, "ValueError"},
        {BROOD_ECLOSED, "ValueError"},
        {BROOD_EBROKEN, "threading.BrokenBarrierError"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].status == status)
            return kinds[i].kind;
    return "RuntimeError";
}

/* A file that is not there is Python's FileNotFoundError; anything else that is not is a
 * LookupError. */
static const char *exception_of_last_error(brood_status status)
{
    const brood_error *last = brood_last_error();
    if (status == BROOD_ENOTFOUND && last->status == status && last->system_code != 0)
        return "FileNotFoundError";
    return bri_status_exception(status);
}

void bri_outcome_clear(bri_outcome *outcome)
{
    brood_value_clear(&outcome->result);
    brood_value_clear(&outcome->error);
    bri_free(outcome->file);
    *outcome = (bri_outcome){0};
}

static void set_failure(bri_outcome *outcome, const char *kind, const char *message,
                        const char *file, int line)
{
    bri_outcome_clear(outcome);
    outcome->failed = true;
    outcome->pid = brp_pid();
    const char *told = message[0] == '\0' ? NULL : message;
    outcome->error = brood_error_value(kind, told);
    if (brood_value_kind(&outcome->error) == BROOD_INVALID &&
        brood_last_error()->status == BROOD_EINVALID) /* the kind is no name */
        outcome->error = brood_error_value("RuntimeError", told);
    outcome->file = file == NULL ? NULL : bri_strdup(file);
    outcome->line = line;
}

void bri_outcome_fail(bri_outcome *outcome, brood_status status)
{
    set_failure(outcome, exception_of_last_error(status), brood_status_message(status), NULL, 0);
}

static void run(brood_function function, brood_call *call)
{
    bri_outcome *outcome = call->outcome;
    brood_status status = function(call);
    if (status == BROOD_OK) {
        if (call->raised) /* it went on after a failure and succeeded */
            bri_outcome_clear(outcome);
        if (brood_value_kind(&outcome->result) == BROOD_INVALID)
            outcome->result = brood_none();
    } else if (!call->raised || status != BROOD_ETASK) {
        bri_outcome_fail(outcome, status);
    }
}

/* A call with these values, moved in, and an empty outcome. Positional arguments may come as a
 * list: inside it and a tuple are the same. */
static brood_call begin(brood_value arguments, brood_value keywords, bri_outcome *outcome)
{
    *outcome = (bri_outcome){0};
    if (brood_value_kind(&arguments) == BROOD_LIST)
        arguments.kind = BROOD_TUPLE;
    return (brood_call){.arguments = arguments, .keywords = keywords, .outcome = outcome};
}

static void run_and_clear(brood_function function, brood_call *call)
{
    run(function, call);
    brood_value_clear(&call->arguments);
    brood_value_clear(&call->keywords);
}

void bri_call_run(brood_function function, brood_value arguments, brood_value keywords,
                  bri_outcome *outcome)
{
    brood_call call = begin(arguments, keywords, outcome);
    if (brood_value_kind(&call.arguments) == BROOD_INVALID)
        call.arguments = brood_tuple(0);
    if (brood_value_kind(&call.keywords) == BROOD_INVALID)
        call.keywords = brood_dict();
    run_and_clear(function, &call);
}

/* A maker of objects as a function: what it makes goes by way of `object`. */
typedef struct making {
    brood_call call;
    bri_object_maker maker;
} making;

static brood_status run_maker(brood_call *call)
{
    void *made = NULL;
    BROOD_TRY(((making *)(void *)call)->maker(call, &made));
    call->object = made;
    return BROOD_OK;
}

void bri_call_make(bri_object_maker maker, brood_value arguments, brood_value keywords,
                   bri_outcome *outcome, void **object)
{
    making m = {begin(arguments, keywords, outcome), maker};
    run_and_clear(run_maker, &m.call);
    if (!outcome->failed)
        *object = m.call.object;
}

void bri_call_run_on(brood_function function, void *object, brood_value arguments,
                     brood_value keywords, bri_outcome *outcome)
{
    brood_call call = begin(arguments, keywords, outcome);
    call.object = object;
    run_and_clear(function, &call);
}

void *bri_call_object(brood_call *call)
{
    return call->object;
}

void bri_call_run_with(brood_function function, const brood_value *arguments, bri_outcome *outcome)
{
    brood_call call = begin(*arguments, brood_dict(), outcome);
    run(function, &call);
}

void bri_call_run_pair(brood_function function, const brood_value *arguments,
                       const brood_value *keywords, bri_outcome *outcome)
{
    brood_call call = begin(*arguments, *keywords, outcome);
    run(function, &call);
}

void bri_call_set_control(const bri_call_control *control)
{
    the_control = control;
}

bool brood_call_should_stop(brood_call *call)
{
    const bri_call_control *control = the_control;
    if (call == NULL || control == NULL)
        return false;
    return atomic_load_explicit(control->asked, memory_order_relaxed) != 0 ||
           (control->deadline != BRI_NEVER && brp_clock_now() >= control->deadline);
}

brood_ms brood_call_time_left(brood_call *call)
{
    const bri_call_control *control = the_control;
    if (call == NULL || control == NULL || control->deadline == BRI_NEVER)
        return BROOD_FOREVER;
    return bri_deadline_left(control->deadline, brp_clock_now()) / 1000000;
}

int brood_call_attempt(brood_call *call)
{
    const bri_call_control *control = the_control;
    return call == NULL || control == NULL ? 1 : control->attempt;
}

brood_status brood_call_args(brood_call *call, const char *format, ...)
{
    va_list out;
    va_start(out, format);
    brood_status status = brood_unpack_items_va(&call->arguments, format, out);
    va_end(out);
    return status;
}

const brood_value *brood_call_arguments(brood_call *call)
{
    return &call->arguments;
}

const brood_value *brood_call_keywords(brood_call *call)
{
    return &call->keywords;
}

brood_status brood_call_return(brood_call *call, brood_value result)
{
    if (brood_value_kind(&result) == BROOD_INVALID) {
        BROOD_TRY(bri_value_check(&result));
        return bri_fail(BROOD_EINVALID, "could not return a result: the value is empty");
    }
    if (call->raised) {
        bri_outcome_clear(call->outcome);
        call->raised = false;
    }
    brood_value_clear(&call->outcome->result);
    call->outcome->result = result;
    return BROOD_OK;
}

brood_status brood_call_raise_at(brood_call *call, const char *file, int line, const char *kind,
                                 const char *format, ...)
{
    char message[MAX_MESSAGE + 1];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(message, sizeof message, format, arguments) < 0)
        message[0] = '\0';
    va_end(arguments);
    set_failure(call->outcome, kind, message, file, line);
    call->raised = true;
    const brood_value *error = &call->outcome->error;
    bool is_made = brood_value_kind(error) == BROOD_ERROR; /* else memory was out */
    return bri_fail(BROOD_ETASK, "could not finish the task: %s: %s",
                    is_made ? brood_error_kind(error) : "MemoryError", message);
}

brood_status bri_call_fail_as(brood_call *call, bri_outcome *outcome)
{
    bri_outcome_clear(call->outcome);
    *call->outcome = *outcome;
    *outcome = (bri_outcome){0};
    call->raised = true;
    return bri_fail(BROOD_ETASK, "could not finish the task: %s: %s",
                    brood_error_kind(&call->outcome->error),
                    brood_error_message(&call->outcome->error));
}

/* Not more than `limit` bytes of a text, cut before a character. */
static brood_value bounded(const char *text, size_t limit)
{
    size_t size = strlen(text);
    if (size > limit)
        for (size = limit; size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80;)
            size--;
    return brood_str_escaped(text, size);
}

brood_status bri_outcome_reduce(bri_outcome *outcome, brood_value *value)
{
    const char *kind = "MemoryError", *file = outcome->file == NULL ? "" : outcome->file;
    brood_value arguments = {0};
    if (brood_value_kind(&outcome->error) == BROOD_ERROR) {
        kind = brood_error_kind(&outcome->error);
        BROOD_TRY(brood_value_copy(brood_error_arguments(&outcome->error), &arguments));
    } else {
        arguments = brood_tuple(0);
    }
    brood_value made = brood_pack("(vvvll)", bounded(kind, MAX_KIND), arguments,
                                  bounded(file, MAX_FILE), (int64_t)outcome->line, outcome->pid);
    bri_outcome_clear(outcome);
    if (brood_value_kind(&made) == BROOD_INVALID)
        return brood_last_error()->status;
    *value = made;
    return BROOD_OK;
}

brood_status bri_outcome_rebuild(const brood_value *value, bri_outcome *outcome)
{
    bri_outcome made = {.failed = true};
    const char *kind, *file;
    const brood_value *arguments;
    size_t size;
    int64_t line;
    if (brood_unpack(value, "(svtll)", &kind, &arguments, &file, &size, &line, &made.pid) !=
            BROOD_OK ||
        brood_value_kind(arguments) != BROOD_TUPLE)
        return bri_fail(BROOD_EFORMAT, "could not read why a task failed: it is malformed");
    brood_value copy;
    made.line = line < 0 || line > INT32_MAX ? 0 : (int)line;
    BROOD_TRY(brood_value_copy(arguments, &copy));
    made.error = brood_error_from(kind, copy);
    if (brood_value_kind(&made.error) == BROOD_INVALID)
        return brood_last_error()->status;
    if (size != 0 && (made.file = bri_strndup(file, size)) == NULL) {
        bri_outcome_clear(&made);
        return BROOD_ENOMEM;
    }
    *outcome = made;
    return BROOD_OK;
}

void bri_outcome_describe(const bri_outcome *outcome, brood_failure *failure)
{
    *failure = (brood_failure){.kind = "", .message = "", .file = ""};
    if (!outcome->failed)
        return;
    bool known = brood_value_kind(&outcome->error) == BROOD_ERROR; /* else memory was out */
    failure->kind = known ? brood_error_kind(&outcome->error) : "MemoryError";
    failure->message = known ? brood_error_message(&outcome->error) : "";
    failure->file = outcome->file == NULL ? "" : outcome->file;
    failure->line = outcome->line;
    failure->pid = outcome->pid;
}
