/*
 * win32/waitmany.c - waiting for any of many things.
 *
 * WaitForMultipleObjects ends at 64 objects. A poller's thread waits for the first 63 things
 * itself; each further 63 have a thread that waits for them as long as the poller lives (the
 * system's thread pool would do the same, but its threads and handles stay behind). brp_wait_any
 * takes a poller when there are more. Each thing is looked at before it is waited for and after a
 * wait said so: what is reported is what a look has found. Only what waiting itself takes away, the
 * signal of an object that resets itself and an empty message, is reported by what the wait has
 * told.
 */
#include "platform/waitmany.h"

#include <stdatomic.h>

#include "base/memory.h"
#include "win32/watch.h"
#include "win32/win32.h"

/* ---- One-shot ---- */

/* Marks what is ready, beside what is marked already; *n_set counts the handles that there are. */
static size_t mark_ready(brp_watch *watches, size_t n, size_t *n_set)
{
    size_t n_ready = 0;
    *n_set = 0;
    for (size_t i = 0; i < n; i++) {
        bri_w32_watch look;
        bri_w32_watch_init(&look, watches[i].handle, watches[i].kind);
        bool is_set = brp_handle_is_set(watches[i].handle);
        watches[i].ready = watches[i].ready || (is_set && bri_w32_watch_is_ready(&look));
        n_ready += watches[i].ready;
        *n_set += is_set;
    }
    return n_ready;
}

/* What waiting has taken is told at the first place where the handle stands. */
static void mark_taken(brp_watch *watches, size_t n, const bri_w32_watch *from)
{
    for (size_t i = 0; i < n && (from->took || from->took_empty); i++) {
        if (bri_w32_handle(watches[i].handle) != from->handle)
            continue;
        watches[i].ready = true;
        watches[i].took_empty = from->took_empty;
        break;
    }
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

static bool is_armed(const bri_w32_watch *armed, size_t n, HANDLE handle)
{
    for (size_t i = 0; i < n; i++) {
        if (armed[i].handle == handle)
            return true;
    }
    return false;
}

static brood_status arm_one(bri_w32_watch *armed, const brp_watch *watch)
{
    bri_w32_watch_init(armed, watch->handle, watch->kind);
    return bri_w32_watch_arm(armed);
}

/* The object that the result of a wait names; NULL for none. A mutex whose owner died counts. */
static HANDLE object_at(const HANDLE *objects, DWORD n, DWORD result)
{
    if (result >= WAIT_ABANDONED_0 && result < WAIT_ABANDONED_0 + n)
        return objects[result - WAIT_ABANDONED_0];
    return result < WAIT_OBJECT_0 + n ? objects[result - WAIT_OBJECT_0] : NULL;
}

static void note_object(bri_w32_watch *armed, size_t n, HANDLE object)
{
    for (size_t i = 0; i < n; i++) {
        if (armed[i].object == object)
            bri_w32_watch_note(&armed[i]);
    }
}

/* Sleeps until one may be ready: BROOD_OK or BROOD_ETIMEDOUT. At most MAXIMUM_WAIT_OBJECTS are set.
 */
static brood_status wait_few(brp_watch *watches, size_t n, bri_deadline deadline)
{
    bri_w32_watch armed[MAXIMUM_WAIT_OBJECTS];
    HANDLE objects[MAXIMUM_WAIT_OBJECTS] = {NULL};
    DWORD n_objects = 0;
    size_t n_armed = 0;
    brood_status status = BROOD_OK;
    for (size_t i = 0; i < n && status == BROOD_OK; i++) {
        if (!brp_handle_is_set(watches[i].handle) ||
            is_armed(armed, n_armed, bri_w32_handle(watches[i].handle)))
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
        else
            note_object(armed, n_armed, object_at(objects, n_objects, result));
    }
    for (size_t i = 0; i < n_armed; i++) {
        bri_w32_watch_disarm(&armed[i]);
        mark_taken(watches, n, &armed[i]);
    }
    return status;
}

static brood_status wait_many(brp_watch *watches, size_t n, bri_deadline deadline)
{
    brp_poller *poller = NULL;
    BROOD_TRY(brp_poller_create(&poller));
    brood_status status = BROOD_OK;
    for (size_t i = 0; i < n && status == BROOD_OK; i++) {
        if (brp_handle_is_set(watches[i].handle))
            status = brp_poller_add(poller, watches[i].handle, watches[i].kind, i);
        if (status == BROOD_EEXIST)
            status = BROOD_OK; /* one wait serves both */
    }
    uint64_t key;
    size_t n_keys;
    if (status == BROOD_OK)
        status = brp_poller_wait(poller, &key, 1, &n_keys, deadline);
    if (status == BROOD_OK && n_keys != 0)
        watches[key].ready = true;
    brp_poller_end(poller, watches, n);
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
    for (size_t i = 0; i < n; i++)
        watches[i].ready = watches[i].took_empty = false;
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
        brood_status status = n_set <= MAXIMUM_WAIT_OBJECTS ? wait_few(watches, n, deadline)
                                                            : wait_many(watches, n, deadline);
        bool took = false; /* perhaps just when the time was up */
        for (size_t i = 0; i < n; i++)
            took = took || watches[i].ready;
        if (!took)
            BROOD_TRY(status);
    }
}

/* ---- Poller ---- */

/* What one thread waits for. All fields are guarded by the poller's lock, without which the thread
 * sleeps. */
typedef struct group {
    brp_poller *poller;
    struct group *next;
    HANDLE event;     /* auto-reset: there is something else to do */
    HANDLE thread;    /* NULL for the poller's own group, whose thread is the one that waits */
    bool stop;        /* the thread shall end */
    size_t n;         /* items */
    bool is_waiting;  /* the thread sleeps on the objects of its items */
    uint64_t n_waits; /* tells one such sleep from the next */
    CONDITION_VARIABLE left; /* it has ended */
} group;

enum { GROUP_SIZE = MAXIMUM_WAIT_OBJECTS - 1 };

typedef struct item {
    bri_w32_watch watch;
    uint64_t key;
    bool told;    /* what waiting has taken from it was reported */
    group *group; /* that it is armed in; NULL: loose, to be looked at by the next wait */
} item;

struct brp_poller {
    SRWLOCK lock;
    group own; /* its event: an item got loose, was added or removed, or brp_poller_wake */
    group *more;
    atomic_bool woken;
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
    made->own.poller = made;
    InitializeConditionVariable(&made->own.left);
    made->own.event = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (made->own.event == NULL) {
        brood_status status = brp_fail(bri_w32_error(), "could not create a poller");
        bri_free(made);
        return status;
    }
    *poller = made;
    return BROOD_OK;
}

/* The group's event and the objects of its items. */
static DWORD objects_of(const group *set, HANDLE objects[MAXIMUM_WAIT_OBJECTS])
{
    const brp_poller *poller = set->poller;
    DWORD n = 0;
    objects[n++] = set->event;
    for (size_t i = 0; i < poller->n_items; i++) {
        if (poller->items[i]->group == set)
            n = add_object(objects, n, poller->items[i]->watch.object);
    }
    return n;
}

/* Sleeps without the lock. *object becomes what was signalled, NULL for the group's own event. */
static DWORD sleep_on(group *set, bri_deadline deadline, HANDLE *object)
{
    HANDLE objects[MAXIMUM_WAIT_OBJECTS] = {NULL};
    DWORD n = objects_of(set, objects);
    set->is_waiting = true;
    set->n_waits++;
    ReleaseSRWLockExclusive(&set->poller->lock);
    DWORD result = bri_w32_wait_many(objects, n, deadline);
    AcquireSRWLockExclusive(&set->poller->lock);
    set->is_waiting = false;
    WakeAllConditionVariable(&set->left);
    *object = object_at(objects, n, result);
    if (*object == set->event)
        *object = NULL;
    return result;
}

static void disarm(item *one)
{
    if (one->group != NULL)
        one->group->n--;
    one->group = NULL;
    bri_w32_watch_disarm(&one->watch);
}

/* Makes the group's items loose that wait for this object. Under the lock. */
static void loosen(group *set, HANDLE object)
{
    brp_poller *poller = set->poller;
    for (size_t i = 0; i < poller->n_items; i++) {
        item *one = poller->items[i];
        if (one->group == set && one->watch.object == object) {
            bri_w32_watch_note(&one->watch);
            disarm(one);
        }
    }
}

/* ---- the threads of further groups ---- */

static unsigned __stdcall run_group(void *argument)
{
    group *set = argument;
    brp_poller *poller = set->poller;
    AcquireSRWLockExclusive(&poller->lock);
    while (!set->stop) {
        HANDLE object;
        sleep_on(set, BRI_NEVER, &object);
        if (object != NULL) {
            loosen(set, object);
            SetEvent(poller->own.event);
        }
    }
    ReleaseSRWLockExclusive(&poller->lock);
    return 0;
}

static void free_group(group *set)
{
    bri_w32_close(set->event);
    bri_free(set);
}

static brood_status add_group(brp_poller *poller, group **out)
{
    group *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->poller = poller;
    InitializeConditionVariable(&made->left);
    made->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    brood_status status =
        made->event == NULL ? brp_fail(bri_w32_error(), "could not create an event") : BROOD_OK;
    if (status == BROOD_OK)
        status = bri_w32_thread_start(&made->thread, run_group, made);
    if (status != BROOD_OK) {
        free_group(made);
        return status;
    }
    made->next = poller->more;
    poller->more = made;
    *out = made;
    return BROOD_OK;
}

/* Ends groups that are in no poller's list any more. Without the lock, which their threads take. */
static void end_groups(group *list)
{
    while (list != NULL) {
        group *set = list;
        list = set->next;
        AcquireSRWLockExclusive(&set->poller->lock);
        set->stop = true;
        ReleaseSRWLockExclusive(&set->poller->lock);
        SetEvent(set->event);
        bri_w32_thread_join(set->thread);
        free_group(set);
    }
}

/* Takes empty groups out of the list that the items which are left do not need. Under the lock. */
static group *take_spare_groups(brp_poller *poller)
{
    size_t needed = poller->n_items / GROUP_SIZE, n = 0;
    group *spare = NULL;
    for (const group *set = poller->more; set != NULL; set = set->next)
        n++;
    for (group **link = &poller->more; *link != NULL && n > needed;) {
        group *set = *link;
        if (set->n != 0) {
            link = &set->next;
            continue;
        }
        *link = set->next;
        set->next = spare;
        spare = set;
        n--;
    }
    return spare;
}

/* A group with room. */
static brood_status find_group(brp_poller *poller, group **out)
{
    if (poller->own.n < GROUP_SIZE) {
        *out = &poller->own;
        return BROOD_OK;
    }
    for (group *set = poller->more; set != NULL; set = set->next) {
        if (set->n < GROUP_SIZE) {
            *out = set;
            return BROOD_OK;
        }
    }
    return add_group(poller, out);
}

/* ---- looking ---- */

static brood_status arm(brp_poller *poller, item *one)
{
    group *set = NULL;
    BROOD_TRY(find_group(poller, &set));
    BROOD_TRY(bri_w32_watch_arm(&one->watch));
    one->group = set;
    set->n++;
    if (set != &poller->own)
        SetEvent(set->event); /* its thread takes the new one in */
    return BROOD_OK;
}

static DWORD take_out(HANDLE *objects, DWORD n, HANDLE object)
{
    DWORD i = 0;
    while (objects[i] != object)
        i++;
    objects[i] = objects[n - 1];
    return n - 1;
}

/* Makes all items of the own group loose whose objects are signalled. Under the lock. */
static void collect_own(brp_poller *poller)
{
    HANDLE objects[MAXIMUM_WAIT_OBJECTS] = {NULL};
    DWORD n = objects_of(&poller->own, objects);
    while (n > 1) {
        /* Not the poller's own event, whose signal is for the wait. */
        HANDLE object =
            object_at(objects + 1, n - 1, WaitForMultipleObjects(n - 1, objects + 1, FALSE, 0));
        if (object == NULL)
            break;
        loosen(&poller->own, object);
        n = take_out(objects, n, object);
    }
}

/* Looks at the loose items until `room` keys are found, and arms those that are not ready. What is
 * ready already must not hide what has become ready since: so those that were signalled are loose
 * first. Under the lock. */
static brood_status look(brp_poller *poller, uint64_t *keys, size_t room, size_t *n)
{
    *n = 0;
    collect_own(poller);
    size_t begin = poller->first, count = poller->n_items;
    for (size_t i = 0; i < count && *n < room; i++) {
        size_t index = (begin + i) % count;
        item *one = poller->items[index];
        if (one->group != NULL)
            continue;
        if (one->told)
            one->told = one->watch.took = one->watch.took_empty = false;
        if (bri_w32_watch_is_ready(&one->watch)) {
            keys[(*n)++] = one->key;
            poller->first = index + 1;
            one->told = true;
        } else {
            BROOD_TRY(arm(poller, one));
        }
    }
    return BROOD_OK;
}

/* ---- adding and removing ---- */

/* Takes the item at `index` out of the array and ends it; afterwards nobody sleeps on its object.
 * Under the lock. */
static void end_item(brp_poller *poller, size_t index)
{
    item *one = poller->items[index];
    group *set = one->group;
    poller->items[index] = poller->items[--poller->n_items];
    uint64_t number = set != NULL ? set->n_waits : 0;
    while (set != NULL && set->is_waiting && set->n_waits == number) {
        SetEvent(set->event);
        SleepConditionVariableSRW(&set->left, &poller->lock, INFINITE, 0);
    }
    disarm(one);
    bri_free(one);
}

void brp_poller_destroy(brp_poller *poller)
{
    if (poller != NULL)
        brp_poller_end(poller, NULL, 0);
}

void brp_poller_end(brp_poller *poller, brp_watch *watches, size_t n)
{
    end_groups(poller->more); /* afterwards this is the only thread */
    for (size_t i = 0; i < poller->n_items; i++) {
        item *one = poller->items[i];
        bri_w32_watch_disarm(&one->watch);
        mark_taken(watches, n, &one->watch);
        bri_free(one);
    }
    CloseHandle(poller->own.event);
    bri_free(poller->items);
    bri_free(poller);
}

/* Room for one more, which is not there yet. Under the lock. */
static brood_status prepare_add(brp_poller *poller, HANDLE handle)
{
    for (size_t i = 0; i < poller->n_items; i++) {
        if (poller->items[i]->watch.handle == handle)
            return bri_fail(BROOD_EEXIST, "could not add a handle to a poller: it is in it");
    }
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
    one->key = key;
    bri_w32_watch_init(&one->watch, handle, kind);
    AcquireSRWLockExclusive(&poller->lock);
    brood_status status = prepare_add(poller, one->watch.handle);
    if (status == BROOD_OK)
        poller->items[poller->n_items++] = one;
    ReleaseSRWLockExclusive(&poller->lock);
    if (status != BROOD_OK)
        bri_free(one);
    else
        SetEvent(poller->own.event); /* a wait that goes on looks at it */
    return status;
}

void brp_poller_remove(brp_poller *poller, brp_handle handle, uint64_t key)
{
    AcquireSRWLockExclusive(&poller->lock);
    for (size_t i = 0; i < poller->n_items; i++) {
        const item *one = poller->items[i];
        if (one->key == key && one->watch.handle == bri_w32_handle(handle)) {
            end_item(poller, i);
            break;
        }
    }
    group *spare = take_spare_groups(poller);
    ReleaseSRWLockExclusive(&poller->lock);
    end_groups(spare);
}

/* ---- waiting ---- */

brood_status brp_poller_wait(brp_poller *poller, uint64_t *keys, size_t room, size_t *n,
                             bri_deadline deadline)
{
    size_t found = 0;
    brood_status status = BROOD_OK;
    AcquireSRWLockExclusive(&poller->lock);
    while (status == BROOD_OK) {
        status = look(poller, keys, room, &found);
        bool woken = atomic_exchange(&poller->woken, false);
        if (status != BROOD_OK || found != 0 || woken)
            break;
        HANDLE object;
        DWORD result = sleep_on(&poller->own, deadline, &object);
        if (object != NULL)
            loosen(&poller->own, object);
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
    SetEvent(poller->own.event);
}
