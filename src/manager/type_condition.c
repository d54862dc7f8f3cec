/*
 * manager/type_condition.c - Condition, Event and Barrier.
 *
 * Whoever waits is a parked call in a line. A condition's waiter that was notified, or whose time
 * is up, moves on to the line of the condition's lock: it answers when it has that again.
 */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "manager/session.h"
#include "manager/types_sync.h"

/* ---- Condition ---- */

typedef struct condition {
    bri_rlock lock;
    bri_line waiting;
} condition;

/* A waiter's item tells what it answers: true, or false when its time was up; acquire has none. */
static bool condition_gives(const bri_waiter *waiter)
{
    return brood_value_kind(&waiter->item) != BROOD_BOOL || waiter->item.as.boolean;
}

static brood_status create_condition(bri_invocation *call, void **state)
{
    static const char *const names[] = {"lock"};
    const brood_value *lock;
    BROOD_TRY(bri_take_arguments(call, names, 1, 0, &lock));
    if (lock != NULL && brood_value_kind(lock) != BROOD_NONE)
        return bri_raise(call, "TypeError", "a condition of this server has a lock of its own");
    condition *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->lock.gives = condition_gives;
    *state = made;
    return BROOD_OK;
}

static brood_status condition_acquire(bri_invocation *call)
{
    return bri_rlock_acquire(call, &((condition *)call->state)->lock);
}

static brood_status condition_release(bri_invocation *call)
{
    return bri_rlock_release(call, &((condition *)call->state)->lock);
}

static brood_status check_owner(bri_invocation *call, const char *what)
{
    if (((condition *)call->state)->lock.owner == call->session)
        return BROOD_OK;
    return bri_raise(call, "RuntimeError", "cannot %s on un-acquired lock", what);
}

static void expire_wait(bri_waiter *waiter)
{
    condition *cond = waiter->object->state;
    waiter->item = brood_bool(false);
    bri_rlock_want(waiter, &cond->lock);
}

static brood_status condition_wait(bri_invocation *call)
{
    static const char *const names[] = {"timeout"};
    condition *cond = call->state;
    const brood_value *timeout;
    bri_deadline deadline;
    BROOD_TRY(bri_take_arguments(call, names, 1, 0, &timeout));
    BROOD_TRY(check_owner(call, "wait"));
    BROOD_TRY(bri_timeout_argument(call, timeout, &deadline));
    BROOD_TRY(bri_park_call(call, &cond->waiting, deadline, expire_wait));
    call->session->waiter.item = brood_bool(true);
    call->session->waiter.number = cond->lock.depth;
    bri_rlock_leave(call->object, &cond->lock);
    return BROOD_OK;
}

static void notify(condition *cond, int64_t n)
{
    for (; n > 0 && cond->waiting.first != NULL; n--) {
        bri_waiter *waiter = cond->waiting.first;
        bri_waiter_set_deadline(waiter, BRI_NEVER);
        bri_rlock_want(waiter, &cond->lock);
    }
}

static brood_status condition_notify(bri_invocation *call)
{
    static const char *const names[] = {"n"};
    const brood_value *out[1];
    int64_t n = 1;
    BROOD_TRY(bri_take_arguments(call, names, 1, 0, out));
    if (out[0] != NULL)
        BROOD_TRY(bri_integer_argument(call, out[0], &n));
    BROOD_TRY(check_owner(call, "notify"));
    notify(call->state, n);
    return BROOD_OK;
}

static brood_status condition_notify_all(bri_invocation *call)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    BROOD_TRY(check_owner(call, "notify"));
    notify(call->state, INT64_MAX);
    return BROOD_OK;
}

static void condition_session_gone(bri_managed *object, bri_session *session)
{
    bri_rlock_session_gone(object, &((condition *)object->state)->lock, session);
}

static const bri_method condition_methods[] = {
    {.name = "acquire", .run = condition_acquire},
    {.name = "release", .run = condition_release},
    {.name = "wait", .run = condition_wait},
    {.name = "notify", .run = condition_notify},
    {.name = "notify_all", .run = condition_notify_all},
};

const bri_managed_type bri_condition_type = {
    .typeid = "Condition",
    .methods = condition_methods,
    .n_methods = sizeof condition_methods / sizeof *condition_methods,
    .create = create_condition,
    .destroy = bri_free,
    .session_gone = condition_session_gone,
};

/* ---- Event ---- */

typedef struct event {
    bool flag;
    bri_line waiting;
} event;

static brood_status create_event(bri_invocation *call, void **state)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    *state = bri_calloc(1, sizeof(event));
    return *state == NULL ? BROOD_ENOMEM : BROOD_OK;
}

static brood_status event_is_set(bri_invocation *call)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    return bri_return(call, brood_bool(((event *)call->state)->flag));
}

static brood_status event_set(bri_invocation *call)
{
    event *e = call->state;
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    e->flag = true;
    while (e->waiting.first != NULL)
        bri_settle(e->waiting.first, brood_bool(true));
    return BROOD_OK;
}

static brood_status event_clear(bri_invocation *call)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    ((event *)call->state)->flag = false;
    return BROOD_OK;
}

static void expire_event(bri_waiter *waiter)
{
    bri_settle(waiter, brood_bool(((event *)waiter->object->state)->flag));
}

static brood_status event_wait(bri_invocation *call)
{
    static const char *const names[] = {"timeout"};
    event *e = call->state;
    const brood_value *timeout;
    bri_deadline deadline;
    BROOD_TRY(bri_take_arguments(call, names, 1, 0, &timeout));
    BROOD_TRY(bri_timeout_argument(call, timeout, &deadline));
    if (e->flag)
        return bri_return(call, brood_bool(true));
    return bri_park_call(call, &e->waiting, deadline, expire_event);
}

static const bri_method event_methods[] = {
    {.name = "is_set", .run = event_is_set},
    {.name = "set", .run = event_set},
    {.name = "clear", .run = event_clear},
    {.name = "wait", .run = event_wait},
};

const bri_managed_type bri_event_type = {
    .typeid = "Event",
    .methods = event_methods,
    .n_methods = sizeof event_methods / sizeof *event_methods,
    .create = create_event,
    .destroy = bri_free,
};

/* ---- Barrier ---- */

typedef struct barrier {
    int64_t parties;
    brood_value timeout; /* the default of wait */
    int64_t n_waiting;
    bool broken;
    bri_line waiting;
} barrier;

static brood_status create_barrier(bri_invocation *call, void **state)
{
    static const char *const names[] = {"parties", "action", "timeout"};
    const brood_value *out[3];
    int64_t parties;
    bri_deadline deadline;
    BROOD_TRY(bri_take_arguments(call, names, 3, 1, out));
    BROOD_TRY(bri_integer_argument(call, out[0], &parties));
    if (parties < 1)
        return bri_raise(call, "ValueError", "parties must be > 0");
    if (out[1] != NULL && brood_value_kind(out[1]) != BROOD_NONE)
        return bri_raise(call, "TypeError", "this server cannot call a barrier's action");
    BROOD_TRY(bri_timeout_argument(call, out[2], &deadline));
    barrier *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->parties = parties;
    made->timeout = out[2] == NULL ? brood_none() : bri_move_argument(out[2]);
    *state = made;
    return BROOD_OK;
}

/* All that wait get the error. */
static void break_barrier(barrier *b)
{
    while (b->waiting.first != NULL)
        bri_settle_error(b->waiting.first, "threading.BrokenBarrierError", NULL);
    b->n_waiting = 0;
}

static void expire_barrier(bri_waiter *waiter)
{
    barrier *b = waiter->object->state;
    b->broken = true;
    break_barrier(b);
}

/* A party that is gone will never come. */
static void abandon_barrier(bri_waiter *waiter)
{
    barrier *b = waiter->object->state;
    bri_line_remove(waiter);
    b->broken = true;
    break_barrier(b);
}

static brood_status barrier_wait(bri_invocation *call)
{
    static const char *const names[] = {"timeout"};
    barrier *b = call->state;
    const brood_value *timeout;
    bri_deadline deadline;
    BROOD_TRY(bri_take_arguments(call, names, 1, 0, &timeout));
    if (timeout == NULL || brood_value_kind(timeout) == BROOD_NONE)
        timeout = &b->timeout;
    BROOD_TRY(bri_timeout_argument(call, timeout, &deadline));
    if (b->broken)
        return bri_raise(call, "threading.BrokenBarrierError", "%s", "");
    int64_t index = b->n_waiting;
    if (index + 1 < b->parties) {
        BROOD_TRY(bri_park_call(call, &b->waiting, deadline, expire_barrier));
        call->session->waiter.number = index;
        call->session->waiter.abandon = abandon_barrier;
        b->n_waiting++;
        return BROOD_OK;
    }
    b->n_waiting = 0;
    while (b->waiting.first != NULL)
        bri_settle(b->waiting.first, brood_int(b->waiting.first->number));
    return bri_return(call, brood_int(index));
}

static brood_status barrier_abort(bri_invocation *call)
{
    barrier *b = call->state;
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    b->broken = true;
    break_barrier(b);
    return BROOD_OK;
}

static brood_status barrier_reset(bri_invocation *call)
{
    barrier *b = call->state;
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    break_barrier(b);
    b->broken = false;
    return BROOD_OK;
}

static brood_status barrier_getattribute(bri_invocation *call)
{
    static const char *const names[] = {"name"};
    const barrier *b = call->state;
    const brood_value *value;
    const char *name;
    BROOD_TRY(bri_take_arguments(call, names, 1, 1, &value));
    if (brood_get_str(value, &name, NULL) != BROOD_OK)
        return bri_raise(call, "TypeError", "attribute name must be string, not '%s'",
                         bri_type_name(value));
    if (strcmp(name, "parties") == 0)
        return bri_return(call, brood_int(b->parties));
    if (strcmp(name, "n_waiting") == 0)
        return bri_return(call, brood_int(b->n_waiting));
    if (strcmp(name, "broken") == 0)
        return bri_return(call, brood_bool(b->broken));
    return bri_raise(call, "AttributeError", "'Barrier' object has no attribute '%.100s'", name);
}

static void destroy_barrier(void *state)
{
    brood_value_clear(&((barrier *)state)->timeout);
    bri_free(state);
}

static const bri_method barrier_methods[] = {
    {.name = "__getattribute__", .run = barrier_getattribute},
    {.name = "wait", .run = barrier_wait},
    {.name = "abort", .run = barrier_abort},
    {.name = "reset", .run = barrier_reset},
};

const bri_managed_type bri_barrier_type = {
    .typeid = "Barrier",
    .methods = barrier_methods,
    .n_methods = sizeof barrier_methods / sizeof *barrier_methods,
    .create = create_barrier,
    .destroy = destroy_barrier,
};
