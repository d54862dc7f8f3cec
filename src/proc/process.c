/* proc/process.c - process objects: making, asking, ending. Starting is in start.c. */
#include "proc/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/runtime.h"
#include "data/object.h"
#include "data/text.h"
#include "ipc/lend.h"
#include "platform/clock.h"
#include "platform/ident.h"
#include "proc/children.h"
#include "proc/context.h"
#include "proc/start.h"

/* ---- making and freeing ---- */

brood_status bri_process_make(brood_process **process, bri_process_kind kind, const char *name,
                              const char *identity)
{
    brood_process *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->kind = kind;
    made->references = 1;
    made->owner = brp_pid();
    made->stream = made->lifeline = made->status = BRP_NO_HANDLE;
    brp_child_init(&made->child);
    made->name = bri_strdup(name);
    made->identity = bri_strdup(identity);
    if (made->name == NULL || made->identity == NULL) {
        bri_process_free(made);
        return BROOD_ENOMEM;
    }
    *process = made;
    return BROOD_OK;
}

void bri_process_free(brood_process *process)
{
    if (process == NULL)
        return;
    brp_handle_close(&process->stream);
    brp_handle_close(&process->lifeline);
    brp_handle_close(&process->status);
    brp_child_close(&process->child);
    brood_value_clear(&process->arguments);
    brood_value_clear(&process->keywords);
    bri_loan_end(process->loan);
    bri_outcome_clear(&process->outcome);
    bri_free(process->function_name);
    bri_free(process->authkey);
    bri_free(process->identity);
    bri_free(process->name);
    bri_free(process);
}

brood_status bri_process_set_key(brood_process *process, const void *key, size_t size)
{
    unsigned char *copy = bri_alloc(size);
    if (copy == NULL)
        return BROOD_ENOMEM;
    memcpy(copy, key, size);
    bri_free(process->authkey);
    process->authkey = copy;
    process->authkey_size = size;
    return BROOD_OK;
}

/* Takes over the arguments as a tuple. */
static brood_status take_arguments(brood_process *process, brood_value arguments)
{
    process->arguments = arguments;
    switch (brood_value_kind(&arguments)) {
    case BROOD_INVALID:
        return bri_value_check(&arguments);
    case BROOD_TUPLE:
        return BROOD_OK;
    case BROOD_LIST:
        break;
    default:
        return bri_fail(BROOD_ETYPE,
                        "could not make a process: its arguments are a tuple or a list, not %s",
                        brood_kind_name(brood_value_kind(&arguments)));
    }
    size_t n = brood_value_length(&arguments);
    process->arguments = brood_tuple(n);
    brood_status status = BROOD_OK;
    for (size_t i = 0; i < n && status == BROOD_OK; i++) {
        brood_value item;
        status = brood_take_item(&arguments, i, &item);
        if (status == BROOD_OK)
            status = brood_set_item(&process->arguments, i, item);
    }
    brood_value_clear(&arguments);
    return status;
}

static brood_status take_options(brood_process *process, brood_function function,
                                 const brood_process_options *options)
{
    process->function = function;
    process->keywords = options->kwargs;
    brood_kind kind = brood_value_kind(&process->keywords);
    BROOD_TRY(bri_value_check(&process->keywords));
    if (kind != BROOD_INVALID && kind != BROOD_DICT)
        return bri_fail(BROOD_ETYPE,
                        "could not make a process: its keyword arguments are a dict, not %s",
                        brood_kind_name(kind));
    if ((function == NULL) == (options->function_name == NULL))
        return bri_fail(BROOD_EINVALID, "could not make a process: it needs a function or the name "
                                        "of one, not both");
    if (options->function_name != NULL) {
        BROOD_TRY(bri_utf8_check_name("make a process", options->function_name));
        process->function_name = bri_strdup(options->function_name);
        if (process->function_name == NULL)
            return BROOD_ENOMEM;
    }
    if (options->name != NULL)
        BROOD_TRY(bri_utf8_check_name("make a process", options->name));
    process->start_number = options->method;
    return BROOD_OK;
}

/* "Process-1" of the root, "Process-1:2" of its first child. */
static brood_status make_named(brood_process **process, const char *name)
{
    bri_context *context = bri_context_get();
    char identity[256], default_name[300];
    bri_children_lock();
    const brood_process *self = context->self;
    int64_t number = ++context->counter;
    bool inner = self->identity[0] != '\0';
    snprintf(identity, sizeof identity, "%.200s%s%" PRId64, self->identity, inner ? ":" : "",
             number);
    bri_children_unlock();
    snprintf(default_name, sizeof default_name, "Process-%s", identity);
    return bri_process_make(process, BRI_PROCESS_CHILD, name != NULL ? name : default_name,
                            identity);
}

/* What a child gets from the process that makes it. */
static brood_status inherit(brood_process *process, brood_daemon daemon)
{
    bri_children_lock();
    brood_status status = bri_context_key();
    const brood_process *self = bri_context_get()->self;
    process->daemon = daemon == BROOD_DAEMON_INHERIT ? self->daemon : daemon == BROOD_DAEMON_YES;
    if (status == BROOD_OK)
        status = bri_process_set_key(process, self->authkey, self->authkey_size);
    bri_children_unlock();
    return status;
}

brood_status brood_process_create(brood_process **process, brood_function function,
                                  brood_value args, const brood_process_options *options)
{
    static const brood_process_options defaults;
    if (options == NULL)
        options = &defaults;
    brood_process *made = NULL;
    brood_status status = bri_runtime_check("make a process");
    if (status == BROOD_OK)
        status = make_named(&made, options->name);
    if (status != BROOD_OK) {
        brood_value kwargs = options->kwargs;
        brood_value_clear(&args);
        brood_value_clear(&kwargs);
        return status;
    }
    /* Both take their values over before they may fail. */
    status = take_options(made, function, options);
    brood_status other = take_arguments(made, args);
    if (status == BROOD_OK)
        status = other;
    if (status == BROOD_OK)
        status = inherit(made, options->daemon);
    if (status != BROOD_OK) {
        bri_process_free(made);
        return status;
    }
    *process = made;
    return BROOD_OK;
}

void brood_process_destroy(brood_process *process)
{
    if (process == NULL || process->kind != BRI_PROCESS_CHILD)
        return;
    if (process->owner == brp_pid()) {
        bri_children_lock();
        bri_children_collect(process);
        process->is_destroyed = true;
        bri_children_unlock();
    }
    bri_children_release(process);
}

/* ---- waiting ---- */

/* Children only, in the process that made them. */
static brood_status check_child(const brood_process *process, const char *what)
{
    if (process == NULL)
        return bri_fail(BROOD_EINVALID, "could not %s a process: there is none", what);
    if (process->kind == BRI_PROCESS_CHILD && process->owner == brp_pid())
        return BROOD_OK;
    return bri_fail(BROOD_ESTATE, "could not %s \"%s\": it is no child of this process", what,
                    process->name);
}

/* Under the lock. */
static brood_status check_started(const brood_process *process, const char *what)
{
    if (process->state == BRI_PROCESS_RUNNING || process->state == BRI_PROCESS_ENDED)
        return BROOD_OK;
    return bri_fail(BROOD_ESTATE, "could not %s \"%s\": it was not started", what, process->name);
}

/* Waits for the end without the lock. The object has a reference of ours meanwhile. */
static brood_status wait_for_end(brood_process *process, bri_deadline deadline)
{
    brp_watch watch = {0};
    process->method->sentinel(process, &watch);
    process->references++;
    bool ended = bri_children_collect(process);
    brood_status status = BROOD_OK;
    while (!ended && status == BROOD_OK) {
        bri_children_unlock();
        status = brp_wait_any(&watch, 1, deadline, NULL);
        bri_children_lock();
        if (status == BROOD_OK)
            ended = bri_children_finish(process, deadline);
        if (!ended && status == BROOD_OK && bri_deadline_left(deadline, brp_clock_now()) == 0)
            status = BROOD_ETIMEDOUT;
    }
    return ended ? BROOD_OK : status;
}

brood_status brood_process_join(brood_process *process, brood_ms timeout)
{
    BROOD_TRY(check_child(process, "join"));
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), timeout);
    bri_children_lock();
    brood_status status = check_started(process, "join");
    bool waited = status == BROOD_OK && process->state != BRI_PROCESS_ENDED;
    if (waited)
        status = wait_for_end(process, deadline);
    bri_children_unlock();
    if (waited)
        bri_children_release(process);
    return status;
}

bool brood_process_is_alive(brood_process *process)
{
    if (process == NULL)
        return false;
    if (process->kind != BRI_PROCESS_CHILD)
        return process->kind == BRI_PROCESS_SELF || brp_is_alive(process->pid, 0);
    if (process->owner != brp_pid())
        return false;
    bri_children_lock();
    bool alive = process->state == BRI_PROCESS_RUNNING && !bri_children_collect(process);
    bri_children_unlock();
    return alive;
}

brood_status brood_process_exitcode(brood_process *process, int *code)
{
    BROOD_TRY(check_child(process, "ask for the exit code of"));
    bri_children_lock();
    brood_status status = check_started(process, "ask for the exit code of");
    if (status == BROOD_OK && bri_children_collect(process))
        *code = process->exitcode;
    else if (status == BROOD_OK)
        status = BROOD_ETIMEDOUT;
    bri_children_unlock();
    return status;
}

brood_status brood_process_failure(brood_process *process, brood_failure *failure)
{
    BROOD_TRY(check_child(process, "ask for the failure of"));
    bri_children_lock();
    brood_status status = check_started(process, "ask for the failure of");
    if (status == BROOD_OK && bri_children_collect(process)) {
        bri_outcome_describe(&process->outcome, failure);
        failure->exitcode = process->exitcode;
        if (failure->pid == 0)
            failure->pid = process->pid;
    } else if (status == BROOD_OK) {
        status = BROOD_ETIMEDOUT;
    }
    bri_children_unlock();
    return status;
}

/* ---- signals ---- */

/* A child that has ended is no error, as in Python. */
static brood_status end_child(brood_process *process, const char *what,
                              brood_status (*end)(brood_process *process))
{
    BROOD_TRY(check_child(process, what));
    bri_children_lock();
    brood_status status = check_started(process, what);
    if (status == BROOD_OK && !bri_children_collect(process))
        status = end(process);
    bri_children_unlock();
    return status;
}

static brood_status end_by_terminate(brood_process *process)
{
    return process->method->signal(process, BRP_TERMINATE);
}

static brood_status end_by_interrupt(brood_process *process)
{
    return process->method->signal(process, BRP_INTERRUPT);
}

static brood_status end_by_kill(brood_process *process)
{
    return process->method->kill_tree(process);
}

brood_status brood_process_terminate(brood_process *process)
{
    return end_child(process, "terminate", end_by_terminate);
}

brood_status brood_process_kill(brood_process *process)
{
    return end_child(process, "kill", end_by_kill);
}

brood_status brood_process_interrupt(brood_process *process)
{
    return end_child(process, "interrupt", end_by_interrupt);
}

/* ---- what it is ---- */

int64_t brood_process_pid(const brood_process *process)
{
    return process == NULL ? 0 : process->pid;
}

const char *brood_process_name(const brood_process *process)
{
    return process == NULL ? "" : process->name;
}

brood_status brood_process_set_name(brood_process *process, const char *name)
{
    if (process == NULL || name == NULL)
        return bri_fail(BROOD_EINVALID, "could not name a process: there is no name or no process");
    BROOD_TRY(bri_utf8_check_name("name a process", name));
    char *copy = bri_strdup(name);
    if (copy == NULL)
        return BROOD_ENOMEM;
    bri_children_lock();
    char *former = process->name;
    process->name = copy;
    bri_children_unlock();
    bri_free(former);
    return BROOD_OK;
}

bool brood_process_is_daemon(const brood_process *process)
{
    return process != NULL && process->daemon;
}

brood_status brood_process_set_daemon(brood_process *process, bool daemon)
{
    BROOD_TRY(check_child(process, "set the daemon flag of"));
    bri_children_lock();
    brood_status status = BROOD_OK;
    if (process->state == BRI_PROCESS_CREATED)
        process->daemon = daemon;
    else
        status = bri_fail(BROOD_ESTATE,
                          "could not set the daemon flag of \"%s\": process has already started",
                          process->name);
    bri_children_unlock();
    return status;
}

brood_status brood_process_authkey(const brood_process *process, const void **key, size_t *size)
{
    BROOD_TRY(bri_runtime_check("get the authkey"));
    if (process == NULL)
        return bri_fail(BROOD_EINVALID, "could not get the authkey: there is no process");
    bri_children_lock();
    brood_status status = process->kind == BRI_PROCESS_SELF ? bri_context_key() : BROOD_OK;
    if (status == BROOD_OK && process->authkey == NULL)
        status = bri_fail(BROOD_ESTATE,
                          "could not get the authkey of \"%s\": only its own process "
                          "and its parent know it",
                          process->name);
    if (status == BROOD_OK) {
        *key = process->authkey;
        *size = process->authkey_size;
    }
    bri_children_unlock();
    return status;
}

brood_status brood_process_set_authkey(brood_process *process, const void *key, size_t size)
{
    BROOD_TRY(bri_runtime_check("set the authkey"));
    if (process == NULL || key == NULL || size == 0)
        return bri_fail(BROOD_EINVALID, "could not set the authkey: %s",
                        process == NULL ? "there is no process" : "it is empty");
    if (process->kind == BRI_PROCESS_PARENT)
        return bri_fail(BROOD_ESTATE,
                        "could not set the authkey of \"%s\": it is no process of ours",
                        process->name);
    bri_children_lock();
    brood_status status = bri_process_set_key(process, key, size);
    bri_children_unlock();
    return status;
}

brood_process *brood_current_process(void)
{
    return bri_context_get() == NULL ? NULL : bri_context_get()->self;
}

brood_process *brood_parent_process(void)
{
    return bri_context_get() == NULL ? NULL : bri_context_get()->parent;
}

/* ---- for the layers above ---- */

brood_status bri_process_sentinel(brood_process *process, brp_watch *watch)
{
    BROOD_TRY(check_child(process, "wait for"));
    bri_children_lock();
    brood_status status = check_started(process, "wait for");
    if (status == BROOD_OK) {
        process->method->sentinel(process, watch);
        watch->ready = process->state == BRI_PROCESS_ENDED;
    }
    bri_children_unlock();
    return status;
}
