/* ipc/watch.c - see the header. */
#include "ipc/watch.h"

#include "base/memory.h"
#include "core/killpoint.h"
#include "core/thread.h"
#include "ipc/park.h"
#include "platform/clock.h"

enum {
    UNSEEN_SLICE = 50 * 1000000 /* of a waiter that found no room for its entries */
};

/* A call that sleeps in a poller. */
typedef struct waiter {
    brp_poller *poller;
    struct waiter *next;
} waiter;

struct bri_watchers {
    brp_mutex *lock;
    waiter *first;
    brp_poller *idle; /* where the helper sleeps while there are no waiters; NULL: no helper */
    bri_thread *helper;
    _Atomic uint32_t *bell; /* this process's doorbell, while there is a helper */
    atomic_bool stopping;
};

static _Atomic uint32_t *doorbell(void)
{
    bri_arena *arena = bri_the_runtime.arena;
    return &bri_slot_at(arena, bri_owner_slot(arena->me))->doorbell;
}

/* ---- entries and looks ---- */

/* True when all objects are watched. */
static bool publish_all(const bri_watching *all, _Atomic uint64_t **entries)
{
    bool seen = true;
    for (size_t i = 0; i < all->n_objects; i++) {
        bri_shared *object = all->objects[i];
        entries[i] = bri_watch_publish(object->class->watched_word(object));
        seen = seen && entries[i] != NULL;
    }
    BRI_KILL_POINT("watch-published");
    return seen;
}

static void unpublish_all(const bri_watching *all, _Atomic uint64_t **entries)
{
    for (size_t i = 0; i < all->n_objects; i++)
        bri_watch_unpublish(entries[i]);
}

/* Every look announces a waiter at the objects that are not ready. */
static bool look_at_objects(const bri_watching *all)
{
    bool any = false;
    for (size_t i = 0; i < all->n_objects; i++) {
        bri_shared *object = all->objects[i];
        all->objects_ready[i] = object->class->is_ready(object);
        any = any || all->objects_ready[i];
    }
    BRI_KILL_POINT("watch-looked");
    return any;
}

/* Marks the handles that are ready now. */
static brood_status look_at_handles(const bri_watching *all, bool *any)
{
    if (all->n_handles == 0)
        return BROOD_OK;
    brood_status status = brp_wait_any(all->handles, all->n_handles, 0, NULL);
    if (status == BROOD_OK)
        *any = true;
    return status == BROOD_ETIMEDOUT ? BROOD_OK : status;
}

/* ---- objects alone ---- */

static brood_status wait_for_objects(const bri_watching *all, bool is_seen, bri_deadline deadline)
{
    bri_parking parking = bri_parking_until(deadline);
    for (;;) {
        bri_parking_look(&parking);
        uint32_t seen = atomic_load(doorbell());
        if (look_at_objects(all))
            return BROOD_OK;
        int64_t unseen = brp_clock_now() + UNSEEN_SLICE;
        parking.deadline = is_seen || deadline < unseen ? deadline : unseen;
        bri_park_end end = bri_park(&parking, doorbell(), seen);
        if (end == BRI_PARK_SLICE)
            bri_proctable_look_sometimes();
        if (end == BRI_PARK_TIMED_OUT && parking.deadline == deadline)
            return look_at_objects(all) ? BROOD_OK : BROOD_ETIMEDOUT;
    }
}

/* ---- the helper ---- */

static struct bri_watchers *watchers(void)
{
    return bri_the_runtime.watchers;
}

static bool wake_waiters(struct bri_watchers *all)
{
    brp_mutex_lock(all->lock);
    bool any = all->first != NULL;
    for (waiter *at = all->first; at != NULL; at = at->next)
        brp_poller_wake(at->poller);
    brp_mutex_unlock(all->lock);
    return any;
}

/* The doorbell is read before the waiters are woken, so that no ring is missed. */
static void help(void *context)
{
    struct bri_watchers *all = context;
    bri_parking parking = bri_parking_until(BRI_NEVER);
    while (!atomic_load(&all->stopping)) {
        bri_gate_enter();
        bri_parking_look(&parking);
        uint32_t seen = atomic_load(all->bell);
        bool any = wake_waiters(all);
        brp_poller *idle = all->idle;
        bri_gate_leave();
        if (!any) {
            uint64_t key;
            size_t n;
            (void)brp_poller_wait(idle, &key, 1, &n, BRI_NEVER);
            parking = bri_parking_until(BRI_NEVER);
            continue;
        }
        if (atomic_load(&all->stopping))
            return;
        if (bri_park(&parking, all->bell, seen) == BRI_PARK_SLICE) {
            bri_gate_enter();
            bri_proctable_look_sometimes();
            bri_gate_leave();
        }
    }
}

static void stop_helper(void)
{
    struct bri_watchers *all = watchers();
    if (all == NULL || all->helper == NULL)
        return;
    atomic_store(&all->stopping, true);
    brp_poller_wake(all->idle);
    atomic_fetch_add(doorbell(), 1);
    bri_unpark(doorbell(), INT32_MAX);
    bri_thread_join(all->helper);
    brp_poller_destroy(all->idle);
    all->helper = NULL;
    all->idle = NULL;
    atomic_store(&all->stopping, false);
}

static void after_fork_child(void)
{
    struct bri_watchers *all = watchers();
    all->lock = brp_mutex_renew(all->lock); /* another thread may have held it */
    brp_poller_destroy(all->idle);
    bri_thread_forget(all->helper);
    all->first = NULL;
    all->idle = NULL;
    all->helper = NULL;
}

/* Under the runtime's lock: the part of this file. */
static brood_status make_watchers(void)
{
    struct bri_watchers *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    brood_status status = brp_mutex_create(&made->lock);
    if (status != BROOD_OK) {
        bri_free(made);
        return status;
    }
    bri_the_runtime.watchers = made;
    return BROOD_OK;
}

static brood_status get_watchers(struct bri_watchers **all)
{
    static const bri_hooks hooks = {
        .name = "watchers", .before_exit = stop_helper, .after_fork_child = after_fork_child};
    brood_status status = BROOD_OK;
    brp_mutex_lock(bri_the_runtime.lock);
    if (watchers() == NULL)
        status = make_watchers();
    brp_mutex_unlock(bri_the_runtime.lock);
    if (status == BROOD_OK)
        status = bri_runtime_hook(&hooks);
    *all = watchers();
    return status;
}

/* Under the lock. */
static brood_status start_helper(struct bri_watchers *all)
{
    if (all->helper != NULL)
        return BROOD_OK;
    if (all->idle == NULL)
        BROOD_TRY(brp_poller_create(&all->idle));
    all->bell = doorbell();
    return bri_thread_start(&all->helper, help, all);
}

/* From now on a ring of the doorbell wakes the poller. */
static brood_status enlist(struct bri_watchers *all, waiter *self)
{
    brp_mutex_lock(all->lock);
    brood_status status = start_helper(all);
    if (status == BROOD_OK) {
        if (all->first == NULL)
            brp_poller_wake(all->idle);
        self->next = all->first;
        all->first = self;
    }
    brp_mutex_unlock(all->lock);
    return status;
}

static void delist(struct bri_watchers *all, waiter *self)
{
    brp_mutex_lock(all->lock);
    waiter **place = &all->first;
    while (*place != self && *place != NULL)
        place = &(*place)->next;
    if (*place == self)
        *place = self->next;
    brp_mutex_unlock(all->lock);
}

/* ---- objects and handles ---- */

static bool is_named_before(const bri_watching *all, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (all->handles[i].handle.value == all->handles[index].handle.value)
            return true;
    return false;
}

static brood_status make_poller(const bri_watching *all, brp_poller **poller)
{
    brood_status status = brp_poller_create(poller);
    if (status != BROOD_OK)
        return status;
    for (size_t i = 0; i < all->n_handles && status == BROOD_OK; i++)
        if (brp_handle_is_set(all->handles[i].handle) && !is_named_before(all, i))
            status = brp_poller_add(*poller, all->handles[i].handle, all->handles[i].kind, i);
    if (status != BROOD_OK)
        brp_poller_destroy(*poller);
    return status;
}

static brood_status wait_for_both(const bri_watching *all, brp_poller *poller, bool is_seen,
                                  bri_deadline deadline)
{
    for (;;) {
        uint64_t key;
        size_t n = 0;
        bool any = look_at_objects(all);
        if (any)
            return look_at_handles(all, &any);
        int64_t unseen = brp_clock_now() + UNSEEN_SLICE;
        bri_deadline until = is_seen || deadline < unseen ? deadline : unseen;
        brood_status status = brp_poller_wait(poller, &key, 1, &n, until);
        if (status == BROOD_ETIMEDOUT && until != deadline)
            continue;
        if (status != BROOD_OK && status != BROOD_ETIMEDOUT)
            return status;
        if (n == 0 && status == BROOD_OK)
            continue;
        any = look_at_objects(all);
        BROOD_TRY(look_at_handles(all, &any));
        if (n != 0) /* perhaps waiting took it, so that a look finds it no more */
            any = all->handles[key].ready = true;
        if (any)
            return BROOD_OK;
        if (status == BROOD_ETIMEDOUT)
            return status;
    }
}

static brood_status wait_with_poller(const bri_watching *all, bool is_seen, bri_deadline deadline)
{
    struct bri_watchers *mine;
    waiter self = {0};
    BROOD_TRY(get_watchers(&mine));
    BROOD_TRY(make_poller(all, &self.poller));
    brood_status status = enlist(mine, &self);
    if (status == BROOD_OK) {
        status = wait_for_both(all, self.poller, is_seen, deadline);
        delist(mine, &self);
    }
    brp_poller_end(self.poller, all->handles, all->n_handles);
    for (size_t i = 0; i < all->n_handles && status == BROOD_ETIMEDOUT; i++)
        if (all->handles[i].ready)
            status = BROOD_OK;
    return status;
}

brood_status bri_watch_wait(const bri_watching *all, bri_deadline deadline)
{
    bool any = look_at_objects(all);
    BROOD_TRY(look_at_handles(all, &any));
    if (any)
        return BROOD_OK;
    if (deadline <= brp_clock_now())
        return BROOD_ETIMEDOUT;
    _Atomic uint64_t **entries = bri_calloc(all->n_objects, sizeof *entries);
    if (entries == NULL)
        return BROOD_ENOMEM;
    bool is_seen = publish_all(all, entries);
    brood_status status = all->n_handles == 0 ? wait_for_objects(all, is_seen, deadline)
                                              : wait_with_poller(all, is_seen, deadline);
    unpublish_all(all, entries);
    bri_free((void *)entries);
    return status;
}
