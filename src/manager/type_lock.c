/*
 * manager/type_lock.c - Lock, RLock, Semaphore and BoundedSemaphore.
 *
 * A Lock and a semaphore belong to whoever has taken them, as far as the server can know a process:
 * when it is gone they are given back. An RLock belongs to a session. Whoever releases hands over
 * to the first that waits, so nobody overtakes.
 */
#include "base/error.h"
#include "base/memory.h"
#include "manager/session.h"
#include "manager/types_sync.h"

/* ---- what is held, and by whom ---- */

/* Units that a client has taken; a program that never says who it is has a client a session. */
typedef struct holding {
    struct holding *next;
    bri_client *client;
    int64_t units;
} holding;

typedef struct semaphore {
    int64_t free;
    int64_t created; /* units that there were at first */
    int64_t most;    /* bounded: never more than this; -1: no bound */
    bri_line line;
    holding *holdings;
} semaphore;

static void mark_held(bri_managed *object, bool held)
{
    if (object->held == held)
        return;
    object->held = held;
    if (held)
        object->server->n_held++;
    else
        object->server->n_held--;
}

static brood_status note_taken(bri_managed *object, semaphore *sem, bri_client *client)
{
    for (holding *h = sem->holdings; h != NULL; h = h->next) {
        if (h->client == client) {
            h->units++;
            return BROOD_OK;
        }
    }
    holding *made = bri_alloc(sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    *made = (holding){.next = sem->holdings, .client = client, .units = 1};
    sem->holdings = made;
    mark_held(object, true);
    return BROOD_OK;
}

/* Takes a unit from the client's holding, or from somebody's: another process may release. */
static void note_given(bri_managed *object, semaphore *sem, const bri_client *client)
{
    holding **found = NULL;
    for (holding **at = &sem->holdings; *at != NULL; at = &(*at)->next)
        if (found == NULL || (*at)->client == client)
            found = at;
    if (found == NULL)
        return;
    holding *h = *found;
    if (--h->units == 0) {
        *found = h->next;
        bri_free(h);
    }
    mark_held(object, sem->holdings != NULL);
}

/* Gives one unit to the first that waits, or puts it back. */
static void hand_over(bri_managed *object, semaphore *sem)
{
    bri_waiter *waiter = sem->line.first;
    if (waiter == NULL) {
        sem->free++;
    } else if (note_taken(object, sem, waiter->session->client) == BROOD_OK) {
        bri_settle(waiter, brood_bool(true));
    } else {
        sem->free++;
        bri_settle_error(waiter, "MemoryError", "the server is out of memory");
    }
}

static void expire_acquire(bri_waiter *waiter)
{
    bri_settle(waiter, brood_bool(false));
}

/* ---- acquire's arguments ---- */

/* acquire(blocking=True, timeout=None or -1) */
static brood_status acquire_arguments(bri_invocation *call, bri_deadline *deadline, bool *wait)
{
    static const char *const names[] = {"blocking", "timeout"};
    const brood_value *out[2];
    int64_t blocking = 1;
    double seconds = -1;
    BROOD_TRY(bri_take_arguments(call, names, 2, 0, out));
    if (out[0] != NULL && brood_value_kind(out[0]) != BROOD_NONE)
        BROOD_TRY(bri_integer_argument(call, out[0], &blocking));
    if (out[0] != NULL && brood_value_kind(out[0]) == BROOD_NONE)
        blocking = 0;
    bool has_timeout = out[1] != NULL && brood_value_kind(out[1]) != BROOD_NONE;
    if (has_timeout && brood_get_float(out[1], &seconds) != BROOD_OK)
        return bri_raise(call, "TypeError", "a time-out must be a number");
    *wait = blocking != 0;
    *deadline = BRI_NEVER;
    if (!has_timeout || seconds == -1)
        return BROOD_OK;
    if (!*wait)
        return bri_raise(call, "ValueError", "can't specify a timeout for a non-blocking call");
    if (seconds < 0)
        return bri_raise(call, "ValueError", "timeout value must be a non-negative number");
    return bri_timeout_argument(call, out[1], deadline);
}

/* ---- semaphores ---- */

static brood_status create_semaphore(bri_invocation *call, int64_t value, bool bounded,
                                     void **state)
{
    if (value < 0)
        return bri_raise(call, "ValueError", "semaphore initial value must be >= 0");
    semaphore *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->free = made->created = value;
    made->most = bounded ? value : -1;
    *state = made;
    return BROOD_OK;
}

static brood_status initial_value(bri_invocation *call, int64_t *value)
{
    static const char *const names[] = {"value"};
    const brood_value *out[1];
    *value = 1;
    BROOD_TRY(bri_take_arguments(call, names, 1, 0, out));
    return out[0] == NULL ? BROOD_OK : bri_integer_argument(call, out[0], value);
}

static brood_status create_plain(bri_invocation *call, void **state)
{
    int64_t value;
    BROOD_TRY(initial_value(call, &value));
    return create_semaphore(call, value, false, state);
}

static brood_status create_bounded(bri_invocation *call, void **state)
{
    int64_t value;
    BROOD_TRY(initial_value(call, &value));
    return create_semaphore(call, value, true, state);
}

static brood_status create_lock(bri_invocation *call, void **state)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    return create_semaphore(call, 1, true, state);
}

static void destroy_semaphore(void *state)
{
    semaphore *sem = state;
    for (holding *h = sem->holdings, *next; h != NULL; h = next) {
        next = h->next;
        bri_free(h);
    }
    bri_free(sem);
}

static brood_status semaphore_acquire(bri_invocation *call)
{
    semaphore *sem = call->state;
    bri_deadline deadline;
    bool wait = false;
    BROOD_TRY(acquire_arguments(call, &deadline, &wait));
    if (sem->free > 0) {
        BROOD_TRY(note_taken(call->object, sem, call->session->client));
        sem->free--;
        return bri_return(call, brood_bool(true));
    }
    if (!wait)
        return bri_return(call, brood_bool(false));
    return bri_park_call(call, &sem->line, deadline, expire_acquire);
}

static void release_one(bri_invocation *call, semaphore *sem)
{
    note_given(call->object, sem, call->session->client);
    hand_over(call->object, sem);
}

static brood_status lock_release(bri_invocation *call)
{
    semaphore *sem = call->state;
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    if (sem->free > 0)
        return bri_raise(call, "RuntimeError", "release unlocked lock");
    release_one(call, sem);
    return BROOD_OK;
}

static brood_status semaphore_release(bri_invocation *call)
{
    static const char *const names[] = {"n"};
    semaphore *sem = call->state;
    const brood_value *out[1];
    int64_t n = 1;
    BROOD_TRY(bri_take_arguments(call, names, 1, 0, out));
    if (out[0] != NULL)
        BROOD_TRY(bri_integer_argument(call, out[0], &n));
    if (n < 1)
        return bri_raise(call, "ValueError", "n must be one or more");
    if (n > 1000000 || (sem->most >= 0 && n > sem->most - sem->free))
        return bri_raise(call, "ValueError", "Semaphore released too many times");
    if (n > INT64_MAX - sem->free)
        return bri_raise(call, "OverflowError", "the semaphore has too many units");
    for (; n > 0; n--)
        release_one(call, sem);
    return BROOD_OK;
}

/* Units that are free or somebody's. */
static int64_t count_units(const semaphore *sem)
{
    int64_t units = sem->free;
    for (const holding *h = sem->holdings; h != NULL; h = h->next)
        units += h->units;
    return units;
}

/* A client is gone: what it had is free again, up to the number of units at first. So a lock is
 * always given back, and what was taken of a semaphore that counts events stays taken. */
static void semaphore_client_gone(bri_managed *object, bri_client *client)
{
    semaphore *sem = object->state;
    for (holding **at = &sem->holdings; *at != NULL; at = &(*at)->next) {
        holding *h = *at;
        if (h->client != client)
            continue;
        *at = h->next;
        mark_held(object, sem->holdings != NULL);
        for (; h->units > 0 && count_units(sem) < sem->created; h->units--)
            hand_over(object, sem);
        bri_free(h);
        return;
    }
}

static const bri_method lock_methods[] = {
    {.name = "acquire", .run = semaphore_acquire},
    {.name = "release", .run = lock_release},
};

static const bri_method semaphore_methods[] = {
    {.name = "acquire", .run = semaphore_acquire},
    {.name = "release", .run = semaphore_release},
};

const bri_managed_type bri_lock_type = {
    .typeid = "Lock",
    .methods = lock_methods,
    .n_methods = 2,
    .create = create_lock,
    .destroy = destroy_semaphore,
    .client_gone = semaphore_client_gone,
};

const bri_managed_type bri_semaphore_type = {
    .typeid = "Semaphore",
    .methods = semaphore_methods,
    .n_methods = 2,
    .create = create_plain,
    .destroy = destroy_semaphore,
    .client_gone = semaphore_client_gone,
};

const bri_managed_type bri_bounded_type = {
    .typeid = "BoundedSemaphore",
    .methods = semaphore_methods,
    .n_methods = 2,
    .create = create_bounded,
    .destroy = destroy_semaphore,
    .client_gone = semaphore_client_gone,
};

/* ---- RLock, also that of a Condition ---- */

static void give_rlock(bri_managed *object, bri_rlock *lock)
{
    bri_waiter *waiter = lock->line.first;
    if (waiter == NULL) {
        lock->owner = NULL;
        lock->depth = 0;
        mark_held(object, false);
        return;
    }
    lock->owner = waiter->session;
    lock->depth = waiter->number;
    mark_held(object, true);
    bri_settle(waiter, brood_bool(lock->gives == NULL || lock->gives(waiter)));
}

brood_status bri_rlock_acquire(bri_invocation *call, bri_rlock *lock)
{
    bri_deadline deadline;
    bool wait = false;
    BROOD_TRY(acquire_arguments(call, &deadline, &wait));
    if (lock->owner == NULL || lock->owner == call->session) {
        lock->owner = call->session;
        lock->depth++;
        mark_held(call->object, true);
        return bri_return(call, brood_bool(true));
    }
    if (!wait)
        return bri_return(call, brood_bool(false));
    BROOD_TRY(bri_park_call(call, &lock->line, deadline, expire_acquire));
    call->session->waiter.number = 1;
    return BROOD_OK;
}

brood_status bri_rlock_release(bri_invocation *call, bri_rlock *lock)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    if (lock->owner != call->session)
        return bri_raise(call, "RuntimeError", "cannot release un-acquired lock");
    if (--lock->depth == 0)
        give_rlock(call->object, lock);
    return BROOD_OK;
}

int64_t bri_rlock_leave(bri_managed *object, bri_rlock *lock)
{
    int64_t depth = lock->depth;
    give_rlock(object, lock);
    return depth;
}

void bri_rlock_want(bri_waiter *waiter, bri_rlock *lock)
{
    bri_waiter_move(waiter, &lock->line);
    if (lock->owner == NULL)
        give_rlock(waiter->object, lock);
}

void bri_rlock_session_gone(bri_managed *object, bri_rlock *lock, const bri_session *session)
{
    if (lock->owner == session)
        give_rlock(object, lock);
}

static brood_status create_rlock(bri_invocation *call, void **state)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    *state = bri_calloc(1, sizeof(bri_rlock));
    return *state == NULL ? BROOD_ENOMEM : BROOD_OK;
}

static brood_status rlock_acquire(bri_invocation *call)
{
    return bri_rlock_acquire(call, call->state);
}

static brood_status rlock_release(bri_invocation *call)
{
    return bri_rlock_release(call, call->state);
}

static void rlock_session_gone(bri_managed *object, bri_session *session)
{
    bri_rlock_session_gone(object, object->state, session);
}

static const bri_method rlock_methods[] = {
    {.name = "acquire", .run = rlock_acquire},
    {.name = "release", .run = rlock_release},
};

const bri_managed_type bri_rlock_type = {
    .typeid = "RLock",
    .methods = rlock_methods,
    .n_methods = 2,
    .create = create_rlock,
    .destroy = bri_free,
    .session_gone = rlock_session_gone,
};
