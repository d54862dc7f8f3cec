/*
 * sync/condition.c - seats for those who wait, beside a lock that any process has which has the
 * condition.
 */
#include <brood/condition.h>

#include "core/killpoint.h"
#include "sync/locks.h"
#include "sync/seats.h"
#include "sync/sync.h"

/* In the arena. */
typedef struct condition_body {
    uint32_t guard_kind; /* of the lock, and its reference */
    uint32_t unused;
    uint64_t guard_offset;
    uint64_t guard_generation;
    bri_seats seats;
} condition_body;

struct brood_condition {
    bri_shared shared;
    _Atomic(bri_shared *) guard; /* a brood_lock or brood_rlock; a use of it */
};

static brood_status rebuild_condition(const brood_value *arguments, bri_transfer *transfer,
                                      void **object);
static void release_guard(bri_shared *object);
static void destroy_seats(bri_arena *arena, void *body);
static brood_status sweep_seats(bri_arena *arena, void *body, bri_owner dead, bri_holder *holder,
                                bri_deadline deadline);

const bri_shared_class bri_condition_class = {
    .type = {.name = "Condition",
             .retain = bri_shared_retain,
             .release = bri_shared_release,
             .reduce = bri_shared_reduce,
             .rebuild = rebuild_condition},
    .kind = BRI_CONDITION_KIND,
    .local_size = sizeof(brood_condition),
    .close = release_guard,
    .destroy = destroy_seats,
    .holder_died = sweep_seats,
};

/* ---- the object ---- */

static condition_body *body_of(const brood_condition *condition)
{
    return condition->shared.body;
}

static void release_guard(bri_shared *object)
{
    bri_shared_release(atomic_load(&((brood_condition *)object)->guard));
}

static void destroy_seats(bri_arena *arena, void *body)
{
    bri_seats_destroy(arena, &((condition_body *)body)->seats);
}

static brood_status sweep_seats(bri_arena *arena, void *body, bri_owner dead, bri_holder *holder,
                                bri_deadline deadline)
{
    (void)holder;
    return bri_seats_sweep(arena, &((condition_body *)body)->seats, dead, deadline);
}

/* The use of the lock passes to the condition, which may have one already. */
static void give_guard(brood_condition *condition, bri_shared *guard)
{
    bri_shared *none = NULL;
    if (!atomic_compare_exchange_strong(&condition->guard, &none, guard))
        bri_shared_release(guard);
}

/* Whoever sent the condition has the lock too, and keeps both. */
static brood_status attach_guard(brood_condition *condition)
{
    const condition_body *body = body_of(condition);
    bri_shared *guard;
    if (atomic_load(&condition->guard) != NULL)
        return BROOD_OK;
    BROOD_TRY(
        bri_shared_attach(body->guard_kind == BRI_LOCK_KIND ? &bri_lock_class : &bri_rlock_class,
                          body->guard_offset, body->guard_generation, &guard));
    give_guard(condition, guard);
    return BROOD_OK;
}

static brood_status rebuild_condition(const brood_value *arguments, bri_transfer *transfer,
                                      void **object)
{
    void *made;
    BROOD_TRY(bri_shared_rebuild(&bri_condition_class, arguments, transfer, &made));
    brood_status status = attach_guard(made);
    if (status == BROOD_OK)
        *object = made;
    else
        bri_shared_release(made);
    return status;
}

static brood_status fill_condition(bri_arena *arena, void *body, const void *context)
{
    const bri_shared *guard = context;
    condition_body *made = body;
    (void)arena;
    made->guard_kind = guard->class->kind;
    made->guard_offset = guard->offset;
    made->guard_generation = guard->generation;
    return BROOD_OK;
}

/* The lock of the options with one use more, or a new one. */
static brood_status find_guard(const brood_condition_options *options, bri_shared **guard)
{
    if (options == NULL || (options->lock == NULL && options->rlock == NULL)) {
        brood_rlock *own;
        BROOD_TRY(brood_rlock_create(&own));
        *guard = (bri_shared *)own;
        return BROOD_OK;
    }
    if (options->lock != NULL && options->rlock != NULL)
        return bri_fail(BROOD_EINVALID, "could not create a condition: it was given two locks");
    bri_shared *given =
        options->lock != NULL ? (bri_shared *)options->lock : (bri_shared *)options->rlock;
    BROOD_TRY(bri_shared_check(given, "create a condition"));
    *guard = given;
    return bri_shared_retain(given);
}

brood_status brood_condition_create(brood_condition **condition,
                                    const brood_condition_options *options)
{
    bri_shared *guard, *made;
    BROOD_TRY(find_guard(options, &guard));
    brood_status status = bri_shared_create(&bri_condition_class, sizeof(condition_body),
                                            "create a condition", fill_condition, guard, &made);
    if (status != BROOD_OK) {
        bri_shared_release(guard);
        return status;
    }
    *condition = (brood_condition *)made;
    give_guard(*condition, guard);
    return BROOD_OK;
}

/* ---- its lock ---- */

static brood_lock *lock_of(const brood_condition *condition)
{
    bri_shared *guard = atomic_load(&condition->guard);
    return guard->class == &bri_lock_class ? (brood_lock *)guard : NULL;
}

/* Only where it is no lock. */
static brood_rlock *rlock_of(const brood_condition *condition)
{
    return (brood_rlock *)atomic_load(&condition->guard);
}

static bri_latch *latch_of(const brood_condition *condition)
{
    brood_lock *lock = lock_of(condition);
    return lock != NULL ? bri_lock_latch(lock) : bri_rlock_latch(rlock_of(condition));
}

brood_status brood_condition_acquire(brood_condition *condition, brood_ms timeout)
{
    BROOD_TRY(bri_shared_check(condition, "acquire the lock of a condition"));
    brood_lock *lock = lock_of(condition);
    return lock != NULL ? brood_lock_acquire(lock, timeout)
                        : brood_rlock_acquire(rlock_of(condition), timeout);
}

brood_status brood_condition_release(brood_condition *condition)
{
    BROOD_TRY(bri_shared_check(condition, "release the lock of a condition"));
    brood_lock *lock = lock_of(condition);
    return lock != NULL ? brood_lock_release(lock) : brood_rlock_release(rlock_of(condition));
}

static brood_status check_held(brood_condition *condition, const char *what)
{
    BROOD_TRY(bri_shared_check(condition, what));
    brood_lock *lock = lock_of(condition);
    if (lock != NULL ? bri_lock_is_mine(lock) : bri_rlock_is_mine(rlock_of(condition)))
        return BROOD_OK;
    return bri_fail(BROOD_ESTATE, "could not %s: its lock is not held here", what);
}

static uint32_t release_all(brood_condition *condition)
{
    brood_lock *lock = lock_of(condition);
    if (lock == NULL)
        return bri_rlock_release_all(rlock_of(condition));
    bri_latch_unlock(bri_lock_latch(lock));
    return 1;
}

static brood_status acquire_all(brood_condition *condition, uint32_t times)
{
    brood_lock *lock = lock_of(condition);
    return lock != NULL ? brood_lock_acquire(lock, BROOD_FOREVER)
                        : bri_rlock_acquire_all(rlock_of(condition), times);
}

/* Takes the lock if its holder is dead. */
static bool take_from_dead(brood_condition *condition, uint32_t times)
{
    bri_latch *latch = latch_of(condition);
    uint32_t holder = atomic_load(latch);
    if (holder == 0 || !bri_owner_is_dead(holder))
        return false;
    brood_status status = bri_latch_try_dead(latch);
    if (status == BROOD_OK) /* it was released just now */
        bri_latch_unlock(latch);
    if (status != BROOD_EOWNERDIED)
        return false;
    if (lock_of(condition) == NULL)
        bri_rlock_taken(rlock_of(condition), times);
    return true;
}

/* ---- waiting ---- */

/* BROOD_OK: told; BROOD_ETIMEDOUT: the seat is given up; BROOD_EOWNERDIED: the lock is held. */
static brood_status sit(brood_condition *condition, bri_seat *seat, uint32_t times,
                        bri_deadline deadline)
{
    bri_parking parking = bri_parking_until(deadline);
    for (;;) {
        bri_parking_look(&parking);
        if (bri_seat_is_told(seat))
            return BROOD_OK;
        if (take_from_dead(condition, times))
            return BROOD_EOWNERDIED;
        bri_park_end end = bri_park(&parking, &seat->word, bri_owner_me());
        if (end == BRI_PARK_SLICE)
            bri_owner_check(atomic_load(latch_of(condition)));
        else if (end == BRI_PARK_TIMED_OUT)
            return bri_seat_give_up(seat) ? BROOD_ETIMEDOUT : BROOD_OK;
    }
}

/* With the lock held, before and after. */
static brood_status wait_locked(brood_condition *condition, bri_deadline deadline)
{
    bri_seat *seat;
    BROOD_TRY(bri_seat_take(bri_the_runtime.arena, &body_of(condition)->seats, &seat));
    uint32_t times = release_all(condition);
    BRI_KILL_POINT("condition-released");
    brood_status status = sit(condition, seat, times, deadline);
    BRI_KILL_POINT("condition-told");
    if (status == BROOD_EOWNERDIED) {
        bri_seat_leave(seat);
        return status;
    }
    brood_status acquired = acquire_all(condition, times);
    BRI_KILL_POINT("condition-acquired");
    /* Only now the notification has come to use. */
    if (status == BROOD_OK)
        bri_seat_leave(seat);
    BRI_KILL_POINT("condition-left");
    return acquired == BROOD_OK ? status : acquired;
}

brood_status brood_condition_wait(brood_condition *condition, brood_ms timeout)
{
    BROOD_TRY(check_held(condition, "wait for a condition"));
    return wait_locked(condition, bri_deadline_from_now(timeout));
}

brood_status brood_condition_wait_for(brood_condition *condition, brood_predicate predicate,
                                      void *context, brood_ms timeout)
{
    BROOD_TRY(check_held(condition, "wait for a condition"));
    if (predicate == NULL)
        return bri_fail(BROOD_EINVALID, "could not wait for a condition: there is no predicate");
    bri_deadline deadline = bri_deadline_from_now(timeout);
    while (!predicate(context)) {
        brood_status status = wait_locked(condition, deadline);
        if (status == BROOD_ETIMEDOUT)
            return predicate(context) ? BROOD_OK : BROOD_ETIMEDOUT;
        BROOD_TRY(status);
    }
    return BROOD_OK;
}

brood_status brood_condition_notify(brood_condition *condition, uint32_t n)
{
    BROOD_TRY(check_held(condition, "notify a condition"));
    bri_seats_tell(bri_the_runtime.arena, &body_of(condition)->seats, n);
    return BROOD_OK;
}

brood_status brood_condition_notify_all(brood_condition *condition)
{
    return brood_condition_notify(condition, UINT32_MAX);
}

/* ---- the rest ---- */

void brood_condition_destroy(brood_condition *condition)
{
    bri_shared_release(condition);
}

brood_value brood_condition_value(brood_condition *condition)
{
    return bri_shared_value(condition);
}

brood_status brood_get_condition(const brood_value *value, brood_condition **condition)
{
    bri_shared *object;
    BROOD_TRY(bri_shared_get(&bri_condition_class, value, &object));
    *condition = (brood_condition *)object;
    return BROOD_OK;
}
