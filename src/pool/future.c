/* pool/future.c - see the header. */
#include "pool/future.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "core/runtime.h"
#include "platform/clock.h"
#include "platform/lock.h"

enum { LOOK_AGAIN = 50 * 1000000 }; /* ns, for engines that want to be attended to */

/* One a process. */
static struct {
    brp_mutex *mutex;
    brp_condition *changed;
    int n_waiting; /* under the mutex */
} hub;

brood_status bri_hub_start(void)
{
    if (hub.mutex == NULL)
        BROOD_TRY(brp_mutex_create(&hub.mutex));
    if (hub.changed == NULL)
        BROOD_TRY(brp_condition_create(&hub.changed));
    return BROOD_OK;
}

/* Their state may be that of threads that do not exist here. */
static void renew_hub(void)
{
    hub.mutex = brp_mutex_renew(hub.mutex);
    brp_condition_reset(hub.changed);
    hub.n_waiting = 0;
}

brood_status bri_hub_use(void)
{
    static const bri_hooks hooks = {.name = "futures", .after_fork_child = renew_hub};
    return bri_runtime_hook(&hooks);
}

void bri_hub_lock(void)
{
    brp_mutex_lock(hub.mutex);
}

void bri_hub_unlock(void)
{
    brp_mutex_unlock(hub.mutex);
}

brood_status bri_hub_wait(bri_deadline deadline)
{
    hub.n_waiting++;
    brood_status status = brp_condition_wait(hub.changed, hub.mutex, deadline);
    hub.n_waiting--;
    return status;
}

void bri_hub_wake(void)
{
    if (hub.n_waiting > 0)
        brp_condition_broadcast(hub.changed);
}

/* ---- life ---- */

brood_status bri_future_make(const bri_future_engine *engine, void *work, brood_future **future)
{
    brood_future *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    atomic_init(&made->references, 1);
    made->engine = engine;
    made->work = work;
    *future = made;
    return BROOD_OK;
}

void bri_future_retain(brood_future *future)
{
    atomic_fetch_add(&future->references, 1);
}

void brood_future_destroy(brood_future *future)
{
    if (future == NULL || atomic_fetch_sub(&future->references, 1) != 1)
        return;
    while (future->callbacks != NULL) { /* of one that never ended */
        bri_future_told *next = future->callbacks->next;
        bri_free(future->callbacks);
        future->callbacks = next;
    }
    brood_value_clear(&future->value);
    bri_outcome_clear(&future->outcome);
    bri_free(future->message);
    bri_free(future);
}

void bri_future_settle(brood_future *future, brood_status status)
{
    bri_hub_lock();
    future->status = status;
    atomic_store_explicit(&future->is_done, true, memory_order_release);
    while (future->watches != NULL) {
        bri_future_watch *watch = future->watches;
        future->watches = watch->next;
        watch->ended(watch, future);
    }
    bri_hub_wake();
    bri_hub_unlock();
}

void bri_future_shown(brood_future *future)
{
    bri_hub_lock();
    future->is_shown = false;
    bri_hub_unlock();
}

/* One after the other, so that those that are added meanwhile come last. */
void bri_future_tell(brood_future *future)
{
    for (;;) {
        bri_hub_lock();
        bri_future_told *first = future->callbacks;
        if (first != NULL)
            future->callbacks = first->next;
        bri_hub_unlock();
        if (first == NULL)
            return;
        first->callback(first->context, future);
        bri_free(first);
    }
}

brood_status brood_future_add_callback(brood_future *future, brood_future_callback callback,
                                       void *context)
{
    if (future == NULL || callback == NULL)
        return bri_fail(BROOD_EINVALID, "could not add a callback: %s is NULL",
                        future == NULL ? "the future" : "it");
    bri_future_told *told = bri_calloc(1, sizeof *told);
    if (told == NULL)
        return BROOD_ENOMEM;
    *told = (bri_future_told){.callback = callback, .context = context};
    bri_hub_lock();
    bool is_done = future->is_done;
    if (!is_done) {
        bri_future_told **at = &future->callbacks;
        while (*at != NULL)
            at = &(*at)->next;
        *at = told;
    }
    bri_hub_unlock();
    if (is_done) {
        bri_free(told);
        callback(context, future);
    }
    return BROOD_OK;
}

/* ---- asking ---- */

bool brood_future_is_done(brood_future *future)
{
    return future != NULL && atomic_load_explicit(&future->is_done, memory_order_acquire);
}

bool brood_future_is_running(brood_future *future)
{
    return future != NULL && !brood_future_is_done(future) && future->engine->is_running(future);
}

bool brood_future_is_cancelled(brood_future *future)
{
    return brood_future_is_done(future) && future->status == BROOD_ECANCELLED;
}

bool brood_future_is_successful(brood_future *future)
{
    return brood_future_is_done(future) && future->status == BROOD_OK;
}

static brood_status check_future(const brood_future *future, const char *what)
{
    return future != NULL ? BROOD_OK
                          : bri_fail(BROOD_EINVALID, "could not %s: the future is NULL", what);
}

/* Waits a while; BROOD_ETIMEDOUT when the deadline has passed. Under the hub's lock. */
static brood_status wait_a_while(bri_deadline deadline, bool in_slices)
{
    int64_t now = brp_clock_now();
    if (deadline <= now)
        return BROOD_ETIMEDOUT;
    bri_deadline until = in_slices && deadline - now > LOOK_AGAIN ? now + LOOK_AGAIN : deadline;
    (void)bri_hub_wait(until);
    return BROOD_OK;
}

brood_status brood_future_wait(brood_future *future, brood_ms timeout)
{
    BROOD_TRY(check_future(future, "wait for a task"));
    if (brood_future_is_done(future))
        return BROOD_OK;
    if (timeout != 0)
        BROOD_TRY(future->engine->may_wait(future));
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), timeout);
    brood_status status = BROOD_OK;
    bool attends = future->engine->attend != NULL;
    bri_hub_lock();
    while (status == BROOD_OK && !future->is_done) {
        if (attends) {
            bri_hub_unlock();
            future->engine->attend(future);
            bri_hub_lock();
            if (future->is_done)
                break;
        }
        status = wait_a_while(deadline, attends);
    }
    bri_hub_unlock();
    return status;
}

/* Makes the future's failure the last error. */
static brood_status explain(const brood_future *future)
{
    brood_failure failure;
    switch (future->status) {
    case BROOD_ECANCELLED:
        return bri_fail(BROOD_ECANCELLED, "could not get a result: the task was cancelled");
    case BROOD_ETASK:
    case BROOD_EWORKERDIED:
        bri_outcome_describe(&future->outcome, &failure);
        return bri_fail(future->status, "could not get a result: %s: %s", failure.kind,
                        failure.message);
    default:
        return bri_fail(future->status, "could not get a result: %s",
                        future->message != NULL ? future->message
                                                : brood_status_text(future->status));
    }
}

static brood_status wait_for_value(brood_future *future, const void *place, brood_ms timeout)
{
    if (place == NULL)
        return bri_fail(BROOD_EINVALID, "could not get a result: where it goes is NULL");
    BROOD_TRY(brood_future_wait(future, timeout));
    if (future->status != BROOD_OK)
        return explain(future);
    if (future->is_taken)
        return bri_fail(BROOD_ESTATE, "could not get a result: it was taken");
    return BROOD_OK;
}

brood_status brood_future_get(brood_future *future, const brood_value **value, brood_ms timeout)
{
    BROOD_TRY(wait_for_value(future, value, timeout));
    *value = &future->value;
    return BROOD_OK;
}

brood_status brood_future_take(brood_future *future, brood_value *value, brood_ms timeout)
{
    BROOD_TRY(wait_for_value(future, value, timeout));
    bri_hub_lock();
    bool was_taken = future->is_taken, is_shown = future->is_shown;
    brood_value taken = {0};
    future->is_taken = true;
    if (!was_taken && !is_shown)
        taken = brood_value_take(&future->value);
    bri_hub_unlock();
    if (was_taken)
        return bri_fail(BROOD_ESTATE, "could not get a result: it was taken");
    if (is_shown && brood_value_copy(&future->value, &taken) != BROOD_OK) {
        bri_hub_lock();
        future->is_taken = false;
        bri_hub_unlock();
        return bri_fail_within("could not get a result");
    }
    *value = taken;
    return BROOD_OK;
}

brood_status brood_future_failure(brood_future *future, brood_failure *failure, brood_ms timeout)
{
    if (failure == NULL)
        return bri_fail(BROOD_EINVALID, "could not tell of a failure: where it goes is NULL");
    BROOD_TRY(brood_future_wait(future, timeout));
    if (future->status != BROOD_ETASK && future->status != BROOD_EWORKERDIED)
        return bri_fail(BROOD_ESTATE, "could not tell of a failure: the task did not fail");
    bri_outcome_describe(&future->outcome, failure);
    failure->exitcode = future->exitcode;
    return BROOD_OK;
}

brood_status brood_future_cancel(brood_future *future, brood_cancel_how how,
                                 brood_cancel_answer *answer)
{
    BROOD_TRY(check_future(future, "cancel a task"));
    if (how < BROOD_CANCEL_QUEUED || how > BROOD_CANCEL_KILL)
        return bri_fail(BROOD_EINVALID, "could not cancel a task: there is no way %d", (int)how);
    brood_cancel_answer found = BROOD_CANCEL_TOO_LATE;
    brood_status status = BROOD_OK;
    if (!brood_future_is_done(future))
        status = future->engine->cancel(future, how, &found);
    else if (brood_future_is_cancelled(future))
        found = BROOD_CANCEL_DONE;
    if (status == BROOD_OK && answer != NULL)
        *answer = found;
    return status;
}

/* ---- several ---- */

/* One that waits for some of them: which have ended, in that order. */
struct brood_completed {
    size_t n, n_ended, n_given;
    brood_future **ended;
    struct completed_watch {
        bri_future_watch watch;
        brood_completed *of;
        brood_future *future;
        bool is_on;
    } watches[];
};

static void note_completed(bri_future_watch *watch, brood_future *future)
{
    struct completed_watch *mine = (struct completed_watch *)(void *)watch;
    mine->is_on = false;
    mine->of->ended[mine->of->n_ended++] = future;
}

brood_status brood_as_completed(brood_completed **completed, brood_future *const *futures, size_t n)
{
    if (completed == NULL || (futures == NULL && n != 0))
        return bri_fail(BROOD_EINVALID, "could not wait for tasks: %s is NULL",
                        completed == NULL ? "where the iteration goes" : "their list");
    BROOD_TRY(bri_runtime_check("wait for tasks"));
    for (size_t i = 0; i < n; i++)
        BROOD_TRY(check_future(futures[i], "wait for tasks"));
    brood_completed *made =
        bri_calloc(1, sizeof *made + n * (sizeof made->watches[0] + sizeof(brood_future *)));
    if (made == NULL)
        return BROOD_ENOMEM;
    made->n = n;
    made->ended = (brood_future **)(void *)&made->watches[n];
    bri_hub_lock();
    for (size_t i = 0; i < n; i++) {
        struct completed_watch *mine = &made->watches[i];
        *mine = (struct completed_watch){
            .watch.ended = note_completed, .of = made, .future = futures[i], .is_on = true};
        if (futures[i]->is_done) {
            note_completed(&mine->watch, futures[i]);
        } else {
            mine->watch.next = futures[i]->watches;
            futures[i]->watches = &mine->watch;
        }
    }
    bri_hub_unlock();
    *completed = made;
    return BROOD_OK;
}

void brood_completed_destroy(brood_completed *completed)
{
    if (completed == NULL)
        return;
    bri_hub_lock();
    for (size_t i = 0; i < completed->n; i++) {
        struct completed_watch *mine = &completed->watches[i];
        if (!mine->is_on)
            continue;
        bri_future_watch **at = &mine->future->watches;
        while (*at != NULL && *at != &mine->watch)
            at = &(*at)->next;
        if (*at != NULL)
            *at = mine->watch.next;
    }
    bri_hub_unlock();
    bri_free(completed);
}

/* One of those that have not ended, retained; NULL when there is none. Under the hub's lock. */
static brood_future *find_pending(const brood_completed *completed)
{
    for (size_t i = 0; i < completed->n; i++)
        if (completed->watches[i].is_on) {
            bri_future_retain(completed->watches[i].future);
            return completed->watches[i].future;
        }
    return NULL;
}

typedef bool (*completed_test)(const brood_completed *completed);

/* Until the test holds. Under the hub's lock, which it gives back meanwhile. */
static brood_status wait_completed(brood_completed *completed, completed_test holds,
                                   bri_deadline deadline)
{
    brood_status status = BROOD_OK;
    while (status == BROOD_OK && !holds(completed)) {
        brood_future *pending = find_pending(completed);
        bool attends = pending != NULL && pending->engine->attend != NULL;
        bri_hub_unlock();
        if (pending != NULL && deadline != 0)
            status = pending->engine->may_wait(pending);
        if (attends && status == BROOD_OK)
            pending->engine->attend(pending);
        brood_future_destroy(pending);
        bri_hub_lock();
        if (status == BROOD_OK && !holds(completed))
            status = wait_a_while(deadline, attends);
    }
    return status;
}

static bool has_more(const brood_completed *completed)
{
    return completed->n_given < completed->n_ended;
}

static bool all_ended(const brood_completed *completed)
{
    return completed->n_ended == completed->n;
}

static bool one_ended(const brood_completed *completed)
{
    return completed->n_ended > 0 || completed->n == 0;
}

static bool one_failed(const brood_completed *completed)
{
    for (size_t i = 0; i < completed->n_ended; i++)
        if (completed->ended[i]->status != BROOD_OK &&
            completed->ended[i]->status != BROOD_ECANCELLED)
            return true;
    return all_ended(completed);
}

static bri_deadline deadline_in(brood_ms timeout)
{
    return timeout == 0 ? 0 : bri_deadline_after(brp_clock_now(), timeout);
}

brood_status brood_completed_next(brood_completed *completed, brood_future **future,
                                  brood_ms timeout)
{
    if (completed == NULL || future == NULL)
        return bri_fail(BROOD_EINVALID, "could not get the next future: %s is NULL",
                        completed == NULL ? "the iteration" : "where it goes");
    if (completed->n_given == completed->n)
        return BROOD_EEOF;
    bri_hub_lock();
    brood_status status = wait_completed(completed, has_more, deadline_in(timeout));
    if (status == BROOD_OK)
        *future = completed->ended[completed->n_given++];
    bri_hub_unlock();
    return status;
}

brood_status brood_wait_futures(brood_future *const *futures, size_t n, brood_wait_for what,
                                brood_ms timeout, size_t *n_done)
{
    static const completed_test tests[] = {all_ended, one_ended, one_failed};
    brood_completed *completed;
    if (what < BROOD_WAIT_ALL || what > BROOD_WAIT_ERROR || (futures == NULL && n != 0))
        return bri_fail(BROOD_EINVALID, "could not wait for futures: %s",
                        futures == NULL ? "there are none" : "no such thing to wait for");
    BROOD_TRY(brood_as_completed(&completed, futures, n));
    bri_hub_lock();
    brood_status status = wait_completed(completed, tests[what], deadline_in(timeout));
    if (n_done != NULL)
        *n_done = completed->n_ended;
    bri_hub_unlock();
    brood_completed_destroy(completed);
    return status;
}
