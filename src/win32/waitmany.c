/*
 * win32/waitmany.c - waiting for any of many things.
 *
 * WaitForMultipleObjects ends at 64 objects, so the poller lets the system's thread pool wait
 * (RegisterWaitForSingleObject), and brp_wait_any takes a poller when there are more. Each thing is
 * looked at before it is waited for and after a wait said so: what is reported is what a look has
 * found, never what a signal has told.
 */
#include "platform/waitmany.h"

#include <stdatomic.h>

#include "base/memory.h"
#include "win32/watch.h"
#include "win32/win32.h"

/* ---- One-shot ---- */

static size_t mark_ready(brp_watch *watches, size_t n)
{
    size_t n_ready = 0;
    for (size_t i = 0; i < n; i++) {
        bri_w32_watch look;
        bri_w32_watch_init(&look, watches[i].handle, watches[i].kind);
        watches[i].ready = bri_w32_watch_is_ready(&look);
        n_ready += watches[i].ready;
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

/* Sleeps until one may be ready: BROOD_OK or BROOD_ETIMEDOUT. */
static brood_status wait_few(const brp_watch *watches, size_t n, bri_deadline deadline)
{
    bri_w32_watch armed[MAXIMUM_WAIT_OBJECTS];
    HANDLE objects[MAXIMUM_WAIT_OBJECTS] = {NULL};
    DWORD n_objects = 0;
    size_t n_armed = 0;
    brood_status status = BROOD_OK;
    for (; n_armed < n && status == BROOD_OK; n_armed++) {
        bri_w32_watch *watch = &armed[n_armed];
        bri_w32_watch_init(watch, watches[n_armed].handle, watches[n_armed].kind);
        status = bri_w32_watch_arm(watch);
        if (status == BROOD_OK)
            n_objects = add_object(objects, n_objects, watch->object);
    }
    if (status == BROOD_OK) {
        DWORD result = bri_w32_wait_many(objects, n_objects, deadline);
        if (result == WAIT_TIMEOUT)
            status = BROOD_ETIMEDOUT;
        else if (result == WAIT_FAILED)
            status = brp_fail(bri_w32_error(), "could not wait for %zu handles", n);
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
    for (size_t i = 0; i < n && status == BROOD_OK; i++)
        status = brp_poller_add(poller, watches[i].handle, watches[i].kind, i);
    uint64_t key;
    size_t n_keys;
    if (status == BROOD_OK)
        status = brp_poller_wait(poller, &key, 1, &n_keys, deadline);
    brp_poller_destroy(poller);
    return status;
}

brood_status brp_wait_any(brp_watch *watches, size_t n, bri_deadline deadline, size_t *n_ready)
{
    for (;;) {
        size_t found = mark_ready(watches, n);
        if (found != 0) {
            if (n_ready != NULL)
                *n_ready = found;
            return BROOD_OK;
        }
        if (n == 0)
            return bri_fail(BROOD_EINVALID, "could not wait for any of no handles");
        /* What is used up by somebody else between the signal and the look is waited for again. */
        BROOD_TRY(n <= MAXIMUM_WAIT_OBJECTS ? wait_few(watches, n, deadline)
                                            : wait_many(watches, n, deadline));
    }
}

/* ---- Poller ---- */

/*
 * An item is loose (to be looked at by the next wait) or armed (the thread pool waits for it). The
 * pool's callback only pushes the item onto `fired` and signals; it takes no lock, so a thread that
 * holds the lock may wait for the callback's end.
 */
typedef struct item {
    brp_poller *poller;
    bri_w32_watch watch;
    uint64_t key;
    HANDLE pool_wait;        /* not NULL: armed */
    bool is_removed;         /* by a thread that cleans it up itself */
    struct item *next_fired; /* written by the callback alone */
} item;

struct brp_poller {
    SRWLOCK lock; /* guards all but the atomics */
    HANDLE event; /* auto-reset: something fired, or woken */
    atomic_bool woken;
    _Atomic(item *) fired;
    item **items;
    size_t n_items, room;
    size_t first; /* where the next look begins, so that all have their turn */
};

brood_status brp_poller_create(brp_poller **poller)
{
    brp_poller *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    InitializeSRWLock(&made->lock);
    made->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (made->event == NULL) {
        brood_status status = brp_fail(bri_w32_error(), "could not create a poller");
        bri_free(made);
        return status;
    }
    *poller = made;
    return BROOD_OK;
}

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

static brood_status arm(item *one)
{
    BROOD_TRY(bri_w32_watch_arm(&one->watch));
    if (RegisterWaitForSingleObject(&one->pool_wait, one->watch.object, on_fired, one, INFINITE,
                                    WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD))
        return BROOD_OK;
    brood_status status = brp_fail(bri_w32_error(), "could not wait for a handle");
    one->pool_wait = NULL;
    bri_w32_watch_disarm(&one->watch);
    return status;
}

/* Afterwards the callback has returned, or will not be called. */
static void disarm(item *one)
{
    if (one->pool_wait != NULL)
        UnregisterWaitEx(one->pool_wait, INVALID_HANDLE_VALUE);
    one->pool_wait = NULL;
    bri_w32_watch_disarm(&one->watch);
}

/* Makes what has fired loose. Under the lock. */
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

/* Looks at all loose items: reports those that are ready, arms the others. Under the lock. */
static brood_status look(brp_poller *poller, uint64_t *keys, size_t room, size_t *n)
{
    size_t begin = poller->first, count = poller->n_items;
    for (size_t i = 0; i < count && *n < room; i++) {
        size_t index = (begin + i) % count;
        item *one = poller->items[index];
        if (one->pool_wait != NULL)
            continue;
        if (bri_w32_watch_is_ready(&one->watch)) {
            keys[(*n)++] = one->key;
            poller->first = index + 1;
        } else {
            BROOD_TRY(arm(one));
        }
    }
    return BROOD_OK;
}

/* Takes the item out of the array, `index` being its place. Under the lock. */
static item *take_item(brp_poller *poller, size_t index)
{
    item *one = poller->items[index];
    one->is_removed = true;
    poller->items[index] = poller->items[--poller->n_items];
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

void brp_poller_destroy(brp_poller *poller)
{
    if (poller == NULL)
        return;
    while (poller->n_items > 0)
        end_item(poller, take_item(poller, poller->n_items - 1));
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
    if (!brp_handle_is_set(handle))
        return bri_fail(BROOD_EINVALID, "could not add a handle to a poller: there is none");
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
    for (;;) {
        size_t found = 0;
        AcquireSRWLockExclusive(&poller->lock);
        collect_fired(poller);
        brood_status status = look(poller, keys, room, &found);
        ReleaseSRWLockExclusive(&poller->lock);
        bool woken = atomic_exchange(&poller->woken, false);
        if (status == BROOD_OK && (found != 0 || woken)) {
            *n = found;
            return BROOD_OK;
        }
        BROOD_TRY(status);
        DWORD result = bri_w32_wait(poller->event, deadline);
        if (result == WAIT_TIMEOUT)
            return BROOD_ETIMEDOUT;
        if (result != WAIT_OBJECT_0)
            return brp_fail(bri_w32_error(), "could not wait in a poller");
    }
}

void brp_poller_wake(brp_poller *poller)
{
    atomic_store(&poller->woken, true);
    SetEvent(poller->event);
}
