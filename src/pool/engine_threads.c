/* pool/engine_threads.c - threads of this process as an executor's engine. Arguments are not
 * pickled but moved. Threads work outside of the gate, as the program's own do. Python:
 * ThreadPoolExecutor. */
#include <string.h>

#include "base/memory.h"
#include "core/runtime.h"
#include "core/thread.h"
#include "platform/clock.h"
#include "platform/ident.h"
#include "pool/engine.h"
#include "pool/future.h"
#include "pool/job.h"

typedef struct task task;

typedef struct engine {
    brp_mutex *mutex;
    brp_condition *work;   /* there is some, or the end has come */
    brp_condition *joined; /* one more thread was */
    task *first[BRI_TASK_LEVELS], *last[BRI_TASK_LEVELS];
    task *delayed; /* those that wait for their next attempt */
    bool is_shut;
    bool is_broken; /* an initializer failed */
    char message[BRI_MESSAGE_SIZE];
    brood_function initializer;
    brood_value initargs;
    bri_thread **threads;
    int n_threads, n_joined;
    int64_t pid;           /* of the process that they are in */
    atomic_int references; /* the executor's and each task's, for futures outlive it */
} engine;

struct task {
    atomic_int references; /* the queue's or thread's, and those of who cancels it */
    engine *engine;
    brood_future *future;
    brood_function function;
    brood_value args, kwargs;
    brood_apply_options options;
    _Atomic uint32_t asked;
    bool is_running;   /* under the mutex */
    int attempt;       /* 1 is the first */
    bri_deadline when; /* delayed: until then */
    task *next;
};

static _Thread_local const engine *own_engine; /* of a thread that works for one */

/* ---- life ---- */

/* A forked child has none of the threads, and their mutex as it was. */
static bool is_inherited(const engine *self)
{
    return self->pid != bri_the_runtime.pid;
}

static brood_status check_own(const engine *self, const char *what)
{
    if (!is_inherited(self))
        return BROOD_OK;
    return bri_fail(BROOD_ESTATE,
                    "could not %s: the executor's threads are in the process that this one was "
                    "forked from",
                    what);
}

static void release_engine(engine *self)
{
    if (self == NULL || atomic_fetch_sub(&self->references, 1) != 1)
        return;
    if (!is_inherited(self)) {
        brp_mutex_destroy(self->mutex);
        brp_condition_destroy(self->work);
        brp_condition_destroy(self->joined);
    }
    brood_value_clear(&self->initargs);
    bri_free(self->threads);
    bri_free(self);
}

static void release_task(task *what)
{
    if (what == NULL || atomic_fetch_sub(&what->references, 1) != 1)
        return;
    brood_value_clear(&what->args);
    brood_value_clear(&what->kwargs);
    brood_future_destroy(what->future);
    release_engine(what->engine);
    bri_free(what);
}

/* ---- what futures ask ---- */

static task *task_of(brood_future *future)
{
    task *what = NULL;
    bri_hub_lock();
    if (!future->is_done) {
        what = future->work;
        atomic_fetch_add(&what->references, 1);
    }
    bri_hub_unlock();
    return what;
}

static int level_of(const task *what)
{
    return BRI_LEVEL_NORMAL + what->options.policy.priority;
}

/* Takes a task out of a list; false when it is not there. `last`: the list's, or NULL. */
static bool take_out(task **first, task **last, const task *what)
{
    task *before = NULL;
    for (task *at = *first; at != NULL; before = at, at = at->next) {
        if (at != what)
            continue;
        if (before != NULL)
            before->next = at->next;
        else
            *first = at->next;
        if (last != NULL && *last == at)
            *last = before;
        return true;
    }
    return false;
}

/* Takes a task that no thread has out of the engine; false when one has it. Under the mutex. */
static bool unqueue(task *what)
{
    engine *self = what->engine;
    int level = level_of(what);
    return take_out(&self->first[level], &self->last[level], what) ||
           take_out(&self->delayed, NULL, what);
}

/* Under the mutex. */
static void put_last(engine *self, task *what)
{
    int level = level_of(what);
    what->next = NULL;
    if (self->last[level] != NULL)
        self->last[level]->next = what;
    else
        self->first[level] = what;
    self->last[level] = what;
    brp_condition_signal(self->work);
}

/* Ends a task's future and calls the callbacks, on this thread. */
static void end_task(task *what, brood_status status)
{
    brood_future *future = what->future;
    const brood_apply_options *options = &what->options;
    bri_future_retain(future);
    future->is_shown = options->callback != NULL;
    bri_future_settle(future, status);
    if (status == BROOD_OK && options->callback != NULL) {
        options->callback(options->context, &future->value);
        bri_future_shown(future);
    } else if (status != BROOD_OK && options->error_callback != NULL) {
        brood_failure failure;
        bri_outcome_describe(&future->outcome, &failure);
        if (!future->outcome.failed)
            failure.message = brood_status_text(status);
        options->error_callback(options->context, status, &failure);
    }
    bri_future_tell(future);
    brood_future_destroy(future);
}

static brood_status cancel(brood_future *future, brood_cancel_how how, brood_cancel_answer *answer)
{
    task *what = task_of(future);
    if (what == NULL)
        return BROOD_OK;
    brood_status status = check_own(what->engine, "cancel a task");
    if (status != BROOD_OK) {
        release_task(what);
        return status;
    }
    brp_mutex_lock(what->engine->mutex);
    bool was_queued = unqueue(what);
    bool is_running = what->is_running;
    brp_mutex_unlock(what->engine->mutex);
    if (was_queued) {
        end_task(what, BROOD_ECANCELLED);
        release_task(what);
        *answer = BROOD_CANCEL_DONE;
    } else if (is_running && how != BROOD_CANCEL_QUEUED) {
        atomic_store(&what->asked, 1);
        *answer = BROOD_CANCEL_ASKED;
    }
    release_task(what);
    return BROOD_OK;
}

static bool is_running(brood_future *future)
{
    task *what = task_of(future);
    bool is = false;
    if (what == NULL)
        return false;
    if (!is_inherited(what->engine)) {
        brp_mutex_lock(what->engine->mutex);
        is = what->is_running;
        brp_mutex_unlock(what->engine->mutex);
    }
    release_task(what);
    return is;
}

/* A task may wait for others, as long as threads are left: as with Python's. */
static brood_status may_wait(brood_future *future)
{
    task *what = task_of(future);
    brood_status status = what == NULL ? BROOD_OK : check_own(what->engine, "wait for a task");
    if (what != NULL && own_engine == what->engine && what->engine->n_threads == 1)
        status = bri_fail(BROOD_ESTATE, "could not wait for a task: this is the only thread that "
                                        "could run it");
    release_task(what);
    return status;
}

static const bri_future_engine future_engine = {
    .cancel = cancel, .is_running = is_running, .may_wait = may_wait};

/* ---- the threads ---- */

static bri_deadline soft_deadline(const task *what)
{
    const brood_task_policy *policy = &what->options.policy;
    brood_ms soft = policy->soft_deadline;
    if (policy->hard_deadline != 0 && (soft == 0 || policy->hard_deadline < soft))
        soft = policy->hard_deadline;
    return soft == 0 ? BRI_NEVER : bri_deadline_after(brp_clock_now(), soft);
}

/* Runs it once. True when it is to be tried again. */
static bool run_task(task *what)
{
    const brood_task_policy *policy = &what->options.policy;
    bri_outcome outcome;
    bri_call_control control = {
        .asked = &what->asked, .deadline = soft_deadline(what), .attempt = what->attempt};
    bri_call_set_control(&control);
    bri_call_run_pair(what->function, &what->args, &what->kwargs, &outcome);
    bri_call_set_control(NULL);
    if (outcome.failed && policy->retry_failures && what->attempt <= policy->retries &&
        atomic_load(&what->asked) == 0) {
        bri_outcome_clear(&outcome);
        return true;
    }
    if (!outcome.failed) {
        what->future->value = brood_value_take(&outcome.result);
        bri_outcome_clear(&outcome);
    } else {
        what->future->outcome = outcome;
    }
    brood_value_clear(&what->args);
    brood_value_clear(&what->kwargs);
    end_task(what, what->future->outcome.failed ? BROOD_ETASK : BROOD_OK);
    return false;
}

/* Under the mutex. */
static void try_again(engine *self, task *what)
{
    brood_ms delay = bri_policy_backoff(&what->options.policy, what->attempt++);
    what->is_running = false;
    what->when = bri_deadline_after(brp_clock_now(), delay);
    what->next = self->delayed;
    self->delayed = what;
    brp_condition_signal(self->work); /* who sleeps is to wake in time for it */
}

/* Queues the tasks whose time has come; gives when the next one's will. Under the mutex. */
static bri_deadline put_delayed(engine *self)
{
    bri_deadline next = BRI_NEVER;
    int64_t now = self->delayed == NULL ? 0 : brp_clock_now();
    for (task **at = &self->delayed; *at != NULL;) {
        task *what = *at;
        if (what->when <= now) {
            *at = what->next;
            put_last(self, what);
        } else {
            next = what->when < next ? what->when : next;
            at = &what->next;
        }
    }
    return next;
}

static task *first_task(engine *self)
{
    for (int level = BRI_TASK_LEVELS - 1; level >= 0; level--) {
        task *first = self->first[level];
        if (first == NULL)
            continue;
        (void)take_out(&self->first[level], &self->last[level], first);
        first->is_running = true;
        return first;
    }
    return NULL;
}

/* Under the mutex; NULL when the thread shall end. */
static task *next_task(engine *self)
{
    for (;;) {
        bri_deadline next = put_delayed(self);
        task *first = first_task(self);
        if (first != NULL || (self->is_shut && self->delayed == NULL))
            return first;
        (void)brp_condition_wait(self->work, self->mutex, next);
    }
}

static brood_status initialise(engine *self)
{
    brood_value args;
    bri_outcome outcome;
    if (self->initializer == NULL)
        return BROOD_OK;
    BROOD_TRY(brood_value_copy(&self->initargs, &args));
    bri_call_run(self->initializer, args, (brood_value){0}, &outcome);
    brood_status status = BROOD_OK;
    if (outcome.failed) {
        brood_failure failure;
        bri_outcome_describe(&outcome, &failure);
        status =
            bri_fail(BROOD_EBROKEN, "an initializer failed: %s: %s", failure.kind, failure.message);
    }
    bri_outcome_clear(&outcome);
    return status;
}

/* Takes all that is queued out, as a list. Under the mutex. */
static task *take_all(engine *self)
{
    task *all = NULL, **end = &all;
    for (int level = BRI_TASK_LEVELS - 1; level >= 0; level--) {
        *end = self->first[level];
        while (*end != NULL)
            end = &(*end)->next;
        self->first[level] = self->last[level] = NULL;
    }
    *end = self->delayed;
    self->delayed = NULL;
    return all;
}

static void end_all(task *all, brood_status status, const char *message)
{
    while (all != NULL) {
        task *next = all->next;
        if (message != NULL)
            all->future->message = bri_strdup(message);
        end_task(all, status);
        release_task(all);
        all = next;
    }
}

static void run_thread(void *context)
{
    engine *self = context;
    own_engine = self;
    if (initialise(self) != BROOD_OK) {
        brp_mutex_lock(self->mutex);
        self->is_broken = true;
        memcpy(self->message, brood_last_error()->message, strlen(brood_last_error()->message) + 1);
        task *all = take_all(self);
        brp_mutex_unlock(self->mutex);
        end_all(all, BROOD_EBROKEN, self->message);
        return;
    }
    brp_mutex_lock(self->mutex);
    for (task *what; (what = next_task(self)) != NULL;) {
        brp_mutex_unlock(self->mutex);
        bool again = run_task(what);
        if (!again)
            release_task(what);
        brp_mutex_lock(self->mutex);
        if (again)
            try_again(self, what);
    }
    brp_mutex_unlock(self->mutex);
}

/* ---- the engine ---- */

/* Several threads may wait for the end: each thread is joined by one of them. */
static void join_threads(engine *self)
{
    brp_mutex_lock(self->mutex);
    for (int i = 0; i < self->n_threads; i++) {
        bri_thread *thread = self->threads[i];
        if (thread == NULL)
            continue;
        self->threads[i] = NULL;
        brp_mutex_unlock(self->mutex);
        bri_thread_join(thread);
        brp_mutex_lock(self->mutex);
        self->n_joined++;
        brp_condition_broadcast(self->joined);
    }
    while (self->n_joined < self->n_threads)
        (void)brp_condition_wait(self->joined, self->mutex, BRI_NEVER);
    brp_mutex_unlock(self->mutex);
}

static brood_status shut_down(void *context, bool wait, bool cancels)
{
    engine *self = context;
    BROOD_TRY(check_own(self, "shut down an executor"));
    if (wait && own_engine == self)
        return bri_fail(BROOD_ESTATE, "could not shut down an executor: one of its own threads "
                                      "cannot wait for its end");
    brp_mutex_lock(self->mutex);
    self->is_shut = true;
    task *all = cancels ? take_all(self) : NULL;
    brp_condition_broadcast(self->work);
    brp_mutex_unlock(self->mutex);
    end_all(all, BROOD_ECANCELLED, NULL);
    if (wait)
        join_threads(self);
    return BROOD_OK;
}

static brood_status start(engine *self, brood_executor_options *options)
{
    int n = options->workers == 0 ? brood_cpu_count() : options->workers;
    brood_kind kind = brood_value_kind(&self->initargs);
    BROOD_TRY(bri_value_check(&self->initargs));
    if (n < 1 || n > BRI_MAX_WORKERS)
        return bri_fail(BROOD_EINVALID, "could not make an executor of %d workers: %d is the most",
                        options->workers, BRI_MAX_WORKERS);
    if (kind != BROOD_INVALID && kind != BROOD_TUPLE && kind != BROOD_LIST)
        return bri_fail(BROOD_ETYPE,
                        "could not make an executor: initargs are of type %s, not a "
                        "tuple or a list",
                        brood_kind_name(kind));
    if (kind == BROOD_INVALID)
        self->initargs = brood_tuple(0);
    BROOD_TRY(bri_hub_use());
    BROOD_TRY(brp_mutex_create(&self->mutex));
    BROOD_TRY(brp_condition_create(&self->work));
    BROOD_TRY(brp_condition_create(&self->joined));
    self->threads = bri_calloc((size_t)n, sizeof(bri_thread *));
    if (self->threads == NULL)
        return BROOD_ENOMEM;
    for (; self->n_threads < n; self->n_threads++)
        BROOD_TRY(bri_thread_start(&self->threads[self->n_threads], run_thread, self));
    return BROOD_OK;
}

static void destroy(void *context)
{
    release_engine(context);
}

static brood_status create(void **made, brood_executor_options *options)
{
    engine *self = bri_calloc(1, sizeof *self);
    if (self == NULL) {
        brood_value_clear(&options->initargs);
        return BROOD_ENOMEM;
    }
    atomic_init(&self->references, 1);
    self->pid = bri_the_runtime.pid;
    self->initializer = options->initializer;
    self->initargs = brood_value_take(&options->initargs);
    brood_status status = start(self, options);
    if (status != BROOD_OK) {
        bri_saved_error saved;
        bri_error_save(&saved);
        if (self->threads != NULL)
            (void)shut_down(self, true, true);
        bri_error_restore(&saved);
        destroy(self);
        return status;
    }
    *made = self;
    return BROOD_OK;
}

static brood_status check(brood_function function, const brood_value *args,
                          const brood_apply_options *options)
{
    brood_kind kind = brood_value_kind(args), named = brood_value_kind(&options->kwargs);
    BROOD_TRY(bri_policy_check(&options->policy, "submit a task"));
    BROOD_TRY(bri_value_check(args));
    BROOD_TRY(bri_value_check(&options->kwargs));
    if (function == NULL)
        return bri_fail(BROOD_EINVALID, "could not submit a task: the function is NULL");
    if ((kind != BROOD_INVALID && kind != BROOD_TUPLE && kind != BROOD_LIST) ||
        (named != BROOD_INVALID && named != BROOD_DICT))
        return bri_fail(BROOD_ETYPE, "could not submit a task: the arguments are no tuple or list, "
                                     "or the keyword arguments no dict");
    return BROOD_OK;
}

/* Under the mutex. */
static brood_status enqueue(engine *self, task *what)
{
    if (self->is_shut)
        return bri_fail(BROOD_ESTATE, "could not submit a task: the executor was shut down");
    if (self->is_broken)
        return bri_fail(BROOD_EBROKEN, "could not submit a task: %.900s", self->message);
    put_last(self, what);
    return BROOD_OK;
}

static brood_status submit_checked(engine *self, task *what, brood_future **future)
{
    BROOD_TRY(bri_future_make(&future_engine, what, &what->future));
    brood_future *made = what->future;
    bri_future_retain(made);
    brp_mutex_lock(self->mutex);
    brood_status status = enqueue(self, what);
    brp_mutex_unlock(self->mutex);
    if (status == BROOD_OK && future != NULL)
        *future = made;
    else
        brood_future_destroy(made);
    return status;
}

static brood_status submit(void *context, brood_function function, brood_value args,
                           const brood_apply_options *given, brood_future **future)
{
    engine *self = context;
    brood_apply_options options = given == NULL ? (brood_apply_options){0} : *given;
    brood_status status = check_own(self, "submit a task");
    if (status == BROOD_OK)
        status = check(function, &args, &options);
    task *what = status != BROOD_OK ? NULL : bri_calloc(1, sizeof *what);
    if (what == NULL) {
        brood_value_clear(&args);
        brood_value_clear(&options.kwargs);
        return status != BROOD_OK ? status : BROOD_ENOMEM;
    }
    atomic_init(&what->references, 1);
    atomic_fetch_add(&self->references, 1);
    what->engine = self;
    what->function = function;
    what->args = brood_value_kind(&args) == BROOD_INVALID ? brood_tuple(0) : args;
    what->kwargs =
        brood_value_kind(&options.kwargs) == BROOD_INVALID ? brood_dict() : options.kwargs;
    what->attempt = 1;
    what->options = options;
    status = submit_checked(self, what, future);
    if (status != BROOD_OK)
        release_task(what);
    return status;
}

const bri_engine bri_engine_threads = {.name = "threads",
                                       .create = create,
                                       .submit = submit,
                                       .shutdown = shut_down,
                                       .destroy = destroy};
