/*
 * win32/waitmany.c - waiting for any of many things.
 *
 * WaitForMultipleObjects ends at 64 objects. A poller waits for its first 63 things itself and lets
 * the system's thread pool wait for the others (RegisterWaitForSingleObject); brp_wait_any takes a
 * poller when there are more. Each thing is looked at before it is waited for and after a wait said
 * so: what is reported is what a look has found, never what a signal has told.
 */
#include "platform/waitmany.h"

#include <stdatomic.h>

#include "base/memory.h"
#include "win32/watch.h"
#include "win32/win32.h"

/* ---- One-shot ---- */

/* Marks what is ready; *n_set counts the handles that there are. */
static size_t mark_ready(brp_watch *watches, size_t n, size_t *n_set)
{
    size_t n_ready = 0;
    *n_set = 0;
    for (size_t i = 0; i < n; i++) {
        bri_w32_watch look;
        bri_w32_watch_init(&look, watches[i].handle, watches[i].kind);
        bool is_set = brp_handle_is_set(watches[i].handle);
        watches[i].ready = is_set && bri_w32_watch_is_ready(&look);
        n_ready += watches[i].ready;
        *n_set += is_set;
    }
    return n_ready;
}

/* WaitForMultipleObjects refuses the same object twice. */
static DWORD add_object(HANDLE *objects, DWORD n, HANDLE object)
{
    for (DWORD i = 0; i < n; i++) {
        if (objects[i] == object)
            return n;
    }
    objects[n] = object;
    return n + 1;
}

static brood_status arm_one(bri_w32_watch *armed, const brp_watch *watch)
{
    bri_w32_watch_init(armed, watch->handle, watch->kind);
    return bri_w32_watch_arm(armed);
}

/* Sleeps until one may be ready: BROOD_OK or BROOD_ETIMEDOUT. At most MAXIMUM_WAIT_OBJECTS are set.
 */
static brood_status wait_few(const brp_watch *watches, size_t n, bri_deadline deadline)
{
    bri_w32_watch armed[MAXIMUM_WAIT_OBJECTS];
    HANDLE objects[MAXIMUM_WAIT_OBJECTS] = {NULL};
    DWORD n_objects = 0;
    size_t n_armed = 0;
    brood_status status = BROOD_OK;
    for (size_t i = 0; i < n && status == BROOD_OK; i++) {
        if (!brp_handle_is_set(watches[i].handle))
            continue;
        status = arm_one(&armed[n_armed], &watches[i]);
        if (status == BROOD_OK)
            n_objects = add_object(objects, n_objects, armed[n_armed++].object);
    }
    if (status == BROOD_OK) {
        DWORD result = bri_w32_wait_many(objects, n_objects, deadline);
        if (result == WAIT_TIMEOUT)
            status = BROOD_ETIMEDOUT;
        else if (result == WAIT_FAILED)
            status = brp_fail(bri_w32_error(), "could not wait for %zu handles", n_armed);
    }
    for (size_t i = 0; i < n_armed; i++)
        bri_w32_watch_disarm(&armed[i]);
    return status;
}

static brood_status wait_many(const brp_watch *watches, size_t n, bri_deadline deadline)
{
    brp_poller *poller;
    BROOD_TRY(brp_poller_create(&poller));
    brood_status status = BROOD_OK;
    for (size_t i = 0; i < n && status == BROOD_OK; i++) {
        if (brp_handle_is_set(watches[i].handle))
            status = brp_poller_add(poller, watches[i].handle, watches[i].kind, i);
    }
    uint64_t key;
    size_t n_keys;
    if (status == BROOD_OK)
        status = brp_poller_wait(poller, &key, 1, &n_keys, deadline);
    brp_poller_destroy(poller);
    return status;
}

static brood_status wait_none(bri_deadline deadline)
{
    if (deadline == BRI_NEVER)
        return bri_fail(BROOD_EINVALID, "could not wait for ever for no handle");
    HANDLE never = bri_w32_event_take();
    if (never == NULL)
        return brood_last_error()->status;
    bri_w32_wait(never, deadline);
    bri_w32_event_give(never);
    return BROOD_ETIMEDOUT;
}

brood_status brp_wait_any(brp_watch *watches, size_t n, bri_deadline deadline, size_t *n_ready)
{
    for (;;) {
        size_t n_set, found = mark_ready(watches, n, &n_set);
        if (found != 0) {
            if (n_ready != NULL)
                *n_ready = found;
            return BROOD_OK;
        }
        /* What somebody else takes between the signal and the look is waited for again. */
        if (n_set == 0)
            return wait_none(deadline);
        BROOD_TRY(n_set <= MAXIMUM_WAIT_OBJECTS ? wait_few(watches, n, deadline)
                                                : wait_many(watches, n, deadline));
    }
}

/* ---- Poller ---- */

typedef enum place {
    LOOSE,  /* to be looked at by the next wait */
    DIRECT, /* armed; the waiting thread waits for it */
    POOLED  /* armed; the thread pool waits for it, and pushes it onto `fired` */
} place;

typedef struct item {
    brp_poller *poller;
    bri_w32_watch watch;
    uint64_t key;
    place place;
    HANDLE pool_wait;        /* of a POOLED one */
    bool is_removed;         /* by a thread that ends it itself */
    struct item *next_fired; /* written by the pool's callback alone */
} item;

struct brp_poller {
    SRWLOCK lock; /* guards all but the atomics */
    HANDLE event; /* auto-reset: something fired, was added or removed, or woken */
    atomic_bool woken;
    _Atomic(item *) fired;
    item **items;
    size_t n_items, room;
    size_t n_direct;
    size_t first;            /* where the next look begins, so that all have their turn */
    bool is_waiting;         /* a thread sleeps, without the lock, on the objects of DIRECT items */
    uint64_t n_waits;        /* tells one such sleep from the next */
    CONDITION_VARIABLE left; /* it has ended */
};

brood_status brp_poller_create(brp_poller **poller)
{
    brp_poller *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    InitializeSRWLock(&made->lock);
    InitializeConditionVariable(&made->left);
    made->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (made->event == NULL) {
        brood_status status = brp_fail(bri_w32_error(), "could not create a poller");
        bri_free(made);
        return status;
    }
    *poller = made;
    return BROOD_OK;
}

/* Takes no lock: a thread that has the lock may wait for its end. */
static void CALLBACK on_fired(void *argument, BOOLEAN timed_out)
{
    item *one = argument;
    brp_poller *poller = one->poller;
    (void)timed_out;
    one->next_fired = atomic_load(&poller->fired);
    while (!atomic_compare_exchange_weak(&poller->fired, &one->next_fired, one)) {
    }
    SetEvent(poller->event);
}

static brood_status arm(brp_poller *poller, item *one)
{
    BROOD_TRY(bri_w32_watch_arm(&one->watch));
    if (poller->n_direct < MAXIMUM_WAIT_OBJECTS - 1) {
        poller->n_direct++;
        one->place = DIRECT;
        return BROOD_OK;
    }
    if (RegisterWaitForSingleObject(&one->pool_wait, one->watch.object, on_fired, one, INFINITE,
                                    WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD)) {
        one->place = POOLED;
        return BROOD_OK;
    }
    brood_status status = brp_fail(bri_w32_error(), "could not wait for a handle");
    bri_w32_watch_disarm(&one->watch);
    return status;
}

/* Makes it loose. Afterwards its callback has returned, or will not be called. `n_direct` is the
 * caller's. */
static void disarm(item *one)
{
    if (one->place == POOLED)
        UnregisterWaitEx(one->pool_wait, INVALID_HANDLE_VALUE);
    one->place = LOOSE;
    bri_w32_watch_disarm(&one->watch);
}

/* Makes loose what the pool has found. Under the lock. */
static void collect_fired(brp_poller *poller)
{
    item *one = atomic_exchange(&poller->fired, NULL);
    while (one != NULL) {
        item *next = one->next_fired;
        if (!one->is_removed)
            disarm(one);
        one = next;
    }
}

/* The poller's event and the objects of its DIRECT items. */
static DWORD direct_objects(const brp_poller *poller, HANDLE objects[MAXIMUM_WAIT_OBJECTS])
{
    DWORD n = 0;
    objects[n++] = poller->event;
    for (size_t i = 0; i < poller->n_items; i++) {
        if (poller->items[i]->place == DIRECT)
            n = add_object(objects, n, poller->items[i]->watch.object);
    }
    return n;
}

/* Makes the DIRECT items loose that wait for this object. Under the lock. */
static void loosen(brp_poller *poller, HANDLE object)
{
    for (size_t i = 0; i < poller->n_items; i++) {
        item *one = poller->items[i];
        if (one->place == DIRECT && one->watch.object == object) {
            poller->n_direct--;
            disarm(one);
        }
    }
}

/* Makes all DIRECT items loose whose objects are signalled. Under the lock. */
static void collect_direct(brp_poller *poller)
{
    HANDLE objects[MAXIMUM_WAIT_OBJECTS] = {NULL};
    DWORD n = direct_objects(poller, objects);
    while (n > 1) {
        /* Not the poller's own event, whose signal is for the wait. */
        DWORD result = WaitForMultipleObjects(n - 1, objects + 1, FALSE, 0);
        if (result >= n - 1)
            break;
        loosen(poller, objects[1 + result]);
        objects[1 + result] = objects[--n];
    }
}

/* Looks at the loose items until `room` keys are found, and arms those that are not ready. Under
 * the lock. */
static brood_status look(brp_poller *poller, uint64_t *keys, size_t room, size_t *n)
{
    size_t begin = poller->first, count = poller->n_items;
    for (size_t i = 0; i < count && *n < room; i++) {
        size_t index = (begin + i) % count;
        item *one = poller->items[index];
        if (one->place != LOOSE)
            continue;
        if (bri_w32_watch_is_ready(&one->watch)) {
            keys[(*n)++] = one->key;
            poller->first = index + 1;
        } else {
            BROOD_TRY(arm(poller, one));
        }
    }
    return BROOD_OK;
}

/* One look at everything. What is ready already must not hide what has become ready since. Under
 * the lock. */
static brood_status look_at_all(brp_poller *poller, uint64_t *keys, size_t room, size_t *n)
{
    collect_fired(poller);
    collect_direct(poller);
    *n = 0;
    return look(poller, keys, room, n);
}

/* Sleeps without the lock until something may have happened. */
static DWORD sleep_on(brp_poller *poller, bri_deadline deadline)
{
    HANDLE objects[MAXIMUM_WAIT_OBJECTS] = {NULL};
    DWORD n = direct_objects(poller, objects);
    poller->is_waiting = true;
    poller->n_waits++;
    ReleaseSRWLockExclusive(&poller->lock);
    DWORD result = bri_w32_wait_many(objects, n, deadline);
    AcquireSRWLockExclusive(&poller->lock);
    poller->is_waiting = false;
    WakeAllConditionVariable(&poller->left);
    return result;
}

/* Takes the item at `index` out of the array; afterwards nobody sleeps on its object. Under the
 * lock. */
static item *take_item(brp_poller *poller, size_t index)
{
    item *one = poller->items[index];
    one->is_removed = true;
    poller->items[index] = poller->items[--poller->n_items];
    if (one->place == DIRECT)
        poller->n_direct--;
    uint64_t number = poller->n_waits;
    while (one->place == DIRECT && poller->is_waiting && poller->n_waits == number) {
        SetEvent(poller->event);
        SleepConditionVariableSRW(&poller->left, &poller->lock, INFINITE, 0);
    }
    return one;
}

/* Ends an item that take_item gave; not under the lock. */
static void end_item(brp_poller *poller, item *one)
{
    disarm(one);
    /* Its callback may have pushed it: it has to leave that list before it is freed. */
    AcquireSRWLockExclusive(&poller->lock);
    collect_fired(poller);
    ReleaseSRWLockExclusive(&poller->lock);
    SetEvent(poller->event); /* the others that were in the list want a look */
    bri_free(one);
}

static item *take_any(brp_poller *poller)
{
    AcquireSRWLockExclusive(&poller->lock);
    item *one = poller->n_items > 0 ? take_item(poller, poller->n_items - 1) : NULL;
    ReleaseSRWLockExclusive(&poller->lock);
    return one;
}

void brp_poller_destroy(brp_poller *poller)
{
    if (poller == NULL)
        return;
    for (item *one; (one = take_any(poller)) != NULL;)
        end_item(poller, one);
    CloseHandle(poller->event);
    bri_free(poller->items);
    bri_free(poller);
}

/* Room for one more. Under the lock. */
static brood_status grow(brp_poller *poller)
{
    if (poller->n_items < poller->room)
        return BROOD_OK;
    size_t room = poller->room == 0 ? 16 : poller->room * 2;
    item **items = bri_realloc(poller->items, room * sizeof *items);
    if (items == NULL)
        return BROOD_ENOMEM;
    poller->items = items;
    poller->room = room;
    return BROOD_OK;
}

brood_status brp_poller_add(brp_poller *poller, brp_handle handle, brp_watch_kind kind,
                            uint64_t key)
{
    if (!brp_handle_is_set(handle) || key == UINT64_MAX)
        return bri_fail(BROOD_EINVALID, "could not add a handle to a poller: no handle or key");
    item *one = bri_calloc(1, sizeof *one);
    if (one == NULL)
        return BROOD_ENOMEM;
    one->poller = poller;
    one->key = key;
    bri_w32_watch_init(&one->watch, handle, kind);
    AcquireSRWLockExclusive(&poller->lock);
    brood_status status = grow(poller);
    if (status == BROOD_OK)
        poller->items[poller->n_items++] = one;
    ReleaseSRWLockExclusive(&poller->lock);
    if (status != BROOD_OK)
        bri_free(one);
    else
        SetEvent(poller->event); /* a wait that is under way looks at it */
    return status;
}

void brp_poller_remove(brp_poller *poller, brp_handle handle, uint64_t key)
{
    item *one = NULL;
    AcquireSRWLockExclusive(&poller->lock);
    for (size_t i = 0; i < poller->n_items && one == NULL; i++) {
        item *candidate = poller->items[i];
        if (candidate->key == key && candidate->watch.handle == bri_w32_handle(handle))
            one = take_item(poller, i);
    }
    ReleaseSRWLockExclusive(&poller->lock);
    if (one != NULL)
        end_item(poller, one);
}

brood_status brp_poller_wait(brp_poller *poller, uint64_t *keys, size_t room, size_t *n,
                             bri_deadline deadline)
{
    size_t found = 0;
    brood_status status = BROOD_OK;
    AcquireSRWLockExclusive(&poller->lock);
    while (status == BROOD_OK) {
        status = look_at_all(poller, keys, room, &found);
        bool woken = atomic_exchange(&poller->woken, false);
        if (status != BROOD_OK || found != 0 || woken)
            break;
        DWORD result = sleep_on(poller, deadline);
        if (result == WAIT_TIMEOUT)
            status = BROOD_ETIMEDOUT;
        else if (result == WAIT_FAILED)
            status = brp_fail(bri_w32_error(), "could not wait in a poller");
    }
    ReleaseSRWLockExclusive(&poller->lock);
    if (status == BROOD_OK)
        *n = found;
    return status;
}

void brp_poller_wake(brp_poller *poller)
{
    atomic_store(&poller->woken, true);
    SetEvent(poller->event);
}
