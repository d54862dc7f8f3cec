/*
 * sync/semaphore.c - an account of units: the value is the number of free ones, and each process's
 * holder record says how many it has.
 */
#include <brood/semaphore.h>

#include "core/killpoint.h"
#include "sync/account.h"
#include "sync/sync.h"

/* In the arena. */
typedef struct semaphore_body {
    bri_account account;
    uint32_t initial; /* no death raises the value above it */
    uint32_t most;    /* neither does a release above this */
} semaphore_body;

struct brood_semaphore {
    bri_shared shared;
    bri_spin_place latch_spin, spin;
};

static brood_status rebuild_semaphore(const brood_value *arguments, bri_transfer *transfer,
                                      void **object);
static brood_status give_units_back(bri_arena *arena, void *body, bri_owner dead,
                                    bri_holder *holder, bri_deadline deadline);

const bri_shared_class bri_semaphore_class = {
    .type = {.name = "Semaphore",
             .retain = bri_shared_retain,
             .release = bri_shared_release,
             .reduce = bri_shared_reduce,
             .rebuild = rebuild_semaphore},
    .kind = BRI_SEMAPHORE_KIND,
    .local_size = sizeof(brood_semaphore),
    .keeps_debtors = true,
    .holder_died = give_units_back,
};

static brood_status rebuild_semaphore(const brood_value *arguments, bri_transfer *transfer,
                                      void **object)
{
    return bri_shared_rebuild(&bri_semaphore_class, arguments, transfer, object);
}

static brood_status fill_semaphore(bri_arena *arena, void *body, const void *context)
{
    semaphore_body *made = body;
    const semaphore_body *wanted = context;
    (void)arena;
    made->initial = wanted->initial;
    made->most = wanted->most;
    atomic_store(&made->account.value, wanted->initial);
    return BROOD_OK;
}

static brood_status create_semaphore(brood_semaphore **semaphore, uint32_t units, bool is_bounded)
{
    semaphore_body wanted = {.initial = units, .most = is_bounded ? units : BROOD_SEMAPHORE_MAX};
    bri_shared *made;
    if (units > BROOD_SEMAPHORE_MAX)
        return bri_fail(BROOD_ERANGE, "could not create a semaphore of %lu units: %ld is the most",
                        (unsigned long)units, (long)BROOD_SEMAPHORE_MAX);
    BROOD_TRY(bri_shared_create(&bri_semaphore_class, sizeof(semaphore_body), "create a semaphore",
                                fill_semaphore, &wanted, &made));
    *semaphore = (brood_semaphore *)made;
    return BROOD_OK;
}

brood_status brood_semaphore_create(brood_semaphore **semaphore, uint32_t units)
{
    return create_semaphore(semaphore, units, false);
}

brood_status brood_bounded_semaphore_create(brood_semaphore **semaphore, uint32_t units)
{
    return create_semaphore(semaphore, units, true);
}

static semaphore_body *body_of(const brood_semaphore *semaphore)
{
    return semaphore->shared.body;
}

static bool has_units(semaphore_body *body)
{
    return atomic_load(&body->account.value) != 0;
}

/* BROOD_ETIMEDOUT: there is none. */
static brood_status try_take(brood_semaphore *semaphore, bri_deadline deadline)
{
    bri_account *account = &body_of(semaphore)->account;
    bri_holder *holder = semaphore->shared.holder;
    BROOD_TRY(bri_account_lock(account, &semaphore->latch_spin, deadline));
    uint64_t value = atomic_load(&account->value);
    if (value != 0)
        bri_account_change(account, value - 1, holder, atomic_load(&holder->held) + 1);
    bri_account_unlock(account);
    return value != 0 ? BROOD_OK : BROOD_ETIMEDOUT;
}

static bool spin_for_units(brood_semaphore *semaphore)
{
    bri_spin spin = bri_spin_begin(&semaphore->spin);
    bool lucky = false;
    while (!lucky && bri_spin_next(&spin))
        lucky = has_units(body_of(semaphore));
    bri_spin_end(&semaphore->spin, &spin, lucky);
    return lucky;
}

static brood_status wait_for_unit(brood_semaphore *semaphore, bri_deadline deadline)
{
    semaphore_body *body = body_of(semaphore);
    if (spin_for_units(semaphore) && try_take(semaphore, deadline) == BROOD_OK)
        return BROOD_OK;
    bri_parking parking = bri_parking_until(deadline);
    bri_park_end end = BRI_PARK_WOKEN;
    brood_status status = BROOD_ETIMEDOUT;
    while (status != BROOD_OK && end != BRI_PARK_TIMED_OUT) {
        bri_parking_look(&parking);
        uint32_t heard = bri_bell_listen(&body->account.bell);
        BRI_KILL_POINT("semaphore-listen");
        if (!has_units(body))
            end = bri_bell_wait(&body->account.bell, &parking, heard);
        if (has_units(body))
            status = try_take(semaphore, deadline);
    }
    /* A ring wakes one: it may have been this one, and there is more. */
    if (has_units(body))
        bri_bell_ring(&body->account.bell, 1);
    return status;
}

brood_status brood_semaphore_acquire(brood_semaphore *semaphore, brood_ms timeout)
{
    BROOD_TRY(bri_shared_check(semaphore, "acquire a semaphore"));
    bri_deadline deadline = timeout == 0 ? 0 : bri_deadline_from_now(timeout);
    if (has_units(body_of(semaphore)) && try_take(semaphore, deadline) == BROOD_OK)
        return BROOD_OK;
    if (timeout != 0)
        return wait_for_unit(semaphore, deadline);
    bri_proctable_look_sometimes();
    return has_units(body_of(semaphore)) ? try_take(semaphore, 0) : BROOD_ETIMEDOUT;
}

brood_status brood_semaphore_release(brood_semaphore *semaphore)
{
    BROOD_TRY(bri_shared_check(semaphore, "release a semaphore"));
    semaphore_body *body = body_of(semaphore);
    bri_holder *holder = semaphore->shared.holder;
    bri_account_lock(&body->account, &semaphore->latch_spin, BRI_NEVER);
    uint64_t value = atomic_load(&body->account.value);
    uint32_t held = atomic_load(&holder->held);
    if (value < body->most)
        bri_account_change(&body->account, value + 1, holder, held == 0 ? 0 : held - 1);
    bri_account_unlock(&body->account);
    if (value < body->most) {
        bri_bell_ring(&body->account.bell, 1);
        return BROOD_OK;
    }
    if (body->most == BROOD_SEMAPHORE_MAX)
        return bri_fail(BROOD_ELIMIT, "could not release a semaphore: it has %ld units already",
                        (long)BROOD_SEMAPHORE_MAX);
    return bri_fail(BROOD_ESTATE,
                    "could not release a semaphore: it is bounded and has all its %lu units",
                    (unsigned long)body->most);
}

/* May be called again: then the holder has none any more. */
static brood_status give_units_back(bri_arena *arena, void *body, bri_owner dead,
                                    bri_holder *holder, bri_deadline deadline)
{
    semaphore_body *semaphore = body;
    bri_account *account = &semaphore->account;
    (void)arena;
    (void)dead;
    BROOD_TRY(bri_account_lock_until(account, deadline));
    uint64_t value = atomic_load(&account->value);
    uint32_t held = atomic_load(&holder->held);
    uint64_t raised = value + held;
    if (raised > semaphore->initial)
        raised = value > semaphore->initial ? value : semaphore->initial;
    if (held != 0)
        bri_account_change(account, raised, holder, 0);
    bri_account_unlock(account);
    if (raised != value)
        bri_bell_ring(&account->bell, 1);
    return BROOD_OK;
}

uint32_t brood_semaphore_units(brood_semaphore *semaphore)
{
    if (semaphore == NULL || semaphore->shared.body == NULL)
        return 0;
    return (uint32_t)atomic_load(&body_of(semaphore)->account.value);
}

void brood_semaphore_destroy(brood_semaphore *semaphore)
{
    bri_shared_release(semaphore);
}

brood_value brood_semaphore_value(brood_semaphore *semaphore)
{
    return bri_shared_value(semaphore);
}

brood_status brood_get_semaphore(const brood_value *value, brood_semaphore **semaphore)
{
    bri_shared *object;
    BROOD_TRY(bri_shared_get(&bri_semaphore_class, value, &object));
    *semaphore = (brood_semaphore *)object;
    return BROOD_OK;
}
