/* sync/rlock.c - the public recursive lock. */
#include <brood/rlock.h>

#include "sync/locks.h"
#include "sync/recursive.h"
#include "sync/sync.h"

struct brood_rlock {
    bri_shared shared;
    bri_spin_place spin;
};

static brood_status rebuild_rlock(const brood_value *arguments, bri_transfer *transfer,
                                  void **object);

const bri_shared_class bri_rlock_class = {
    .type = {.name = "RLock",
             .retain = bri_shared_retain,
             .release = bri_shared_release,
             .reduce = bri_shared_reduce,
             .rebuild = rebuild_rlock},
    .kind = BRI_RLOCK_KIND,
    .local_size = sizeof(brood_rlock),
};

static brood_status rebuild_rlock(const brood_value *arguments, bri_transfer *transfer,
                                  void **object)
{
    return bri_shared_rebuild(&bri_rlock_class, arguments, transfer, object);
}

static bri_recursive *body_of(const brood_rlock *rlock)
{
    return rlock->shared.body;
}

brood_status brood_rlock_create(brood_rlock **rlock)
{
    bri_shared *made;
    BROOD_TRY(bri_shared_create(&bri_rlock_class, sizeof(bri_recursive), "create an rlock", NULL,
                                NULL, &made));
    *rlock = (brood_rlock *)made;
    return BROOD_OK;
}

brood_status brood_rlock_acquire(brood_rlock *rlock, brood_ms timeout)
{
    BROOD_TRY(bri_shared_check(rlock, "acquire an rlock"));
    return bri_recursive_acquire(body_of(rlock), &rlock->spin, timeout);
}

brood_status brood_rlock_release(brood_rlock *rlock)
{
    BROOD_TRY(bri_shared_check(rlock, "release an rlock"));
    if (!bri_recursive_release(body_of(rlock)))
        return bri_fail(BROOD_ESTATE, "could not release an rlock: this thread does not hold it");
    return BROOD_OK;
}

bool brood_rlock_is_locked(brood_rlock *rlock)
{
    bri_latch *latch = bri_rlock_latch(rlock);
    uint32_t word = latch == NULL ? 0 : atomic_load(latch);
    return word != 0 && !bri_owner_is_dead(word);
}

void brood_rlock_destroy(brood_rlock *rlock)
{
    bri_shared_release(rlock);
}

brood_value brood_rlock_value(brood_rlock *rlock)
{
    return bri_shared_value(rlock);
}

brood_status brood_get_rlock(const brood_value *value, brood_rlock **rlock)
{
    bri_shared *object;
    BROOD_TRY(bri_shared_get(&bri_rlock_class, value, &object));
    *rlock = (brood_rlock *)object;
    return BROOD_OK;
}

bri_latch *bri_rlock_latch(brood_rlock *rlock)
{
    return rlock == NULL || rlock->shared.body == NULL ? NULL : &body_of(rlock)->latch;
}

bool bri_rlock_is_mine(brood_rlock *rlock)
{
    return bri_rlock_latch(rlock) != NULL && bri_recursive_is_mine(body_of(rlock));
}

uint32_t bri_rlock_release_all(brood_rlock *rlock)
{
    return bri_recursive_release_all(body_of(rlock));
}

brood_status bri_rlock_acquire_all(brood_rlock *rlock, uint32_t times)
{
    brood_status status =
        bri_latch_lock(&body_of(rlock)->latch, bri_owner_me(), &rlock->spin, BRI_NEVER);
    bri_recursive_taken(body_of(rlock), times);
    return status;
}

void bri_rlock_taken(brood_rlock *rlock, uint32_t times)
{
    bri_recursive_taken(body_of(rlock), times);
}
