/* sync/lock.c - the public lock: a latch of the arena that anybody may unlock. */
#include <brood/lock.h>

#include "sync/locks.h"
#include "sync/sync.h"

/* In the arena. */
typedef struct lock_body {
    bri_latch latch;
} lock_body;

struct brood_lock {
    bri_shared shared;
    bri_latch *latch; /* NULL when a fork could not take the lock over */
    bri_spin_place spin;
};

static brood_status rebuild_lock(const brood_value *arguments, bri_transfer *transfer,
                                 void **object);
static brood_status open_lock(bri_shared *object);

const bri_shared_class bri_lock_class = {
    .type = {.name = "Lock",
             .retain = bri_shared_retain,
             .release = bri_shared_release,
             .reduce = bri_shared_reduce,
             .rebuild = rebuild_lock},
    .kind = BRI_LOCK_KIND,
    .local_size = sizeof(brood_lock),
    .open = open_lock,
};

static brood_status rebuild_lock(const brood_value *arguments, bri_transfer *transfer,
                                 void **object)
{
    return bri_shared_rebuild(&bri_lock_class, arguments, transfer, object);
}

static brood_status open_lock(bri_shared *object)
{
    ((brood_lock *)object)->latch = &((lock_body *)object->body)->latch;
    return BROOD_OK;
}

brood_status brood_lock_create(brood_lock **lock)
{
    bri_shared *made;
    BROOD_TRY(
        bri_shared_create(&bri_lock_class, sizeof(lock_body), "create a lock", NULL, NULL, &made));
    *lock = (brood_lock *)made;
    return BROOD_OK;
}

static brood_status acquire_slowly(brood_lock *lock, brood_ms timeout)
{
    BROOD_TRY(bri_shared_check(lock, "acquire a lock"));
    if (timeout == 0)
        return bri_latch_try_dead(lock->latch);
    return bri_latch_wait(lock->latch, &lock->spin, bri_deadline_from_now(timeout));
}

brood_status brood_lock_acquire(brood_lock *lock, brood_ms timeout)
{
    if (lock != NULL && lock->shared.body != NULL && bri_latch_try(lock->latch, bri_owner_me()))
        return BROOD_OK;
    return acquire_slowly(lock, timeout);
}

brood_status brood_lock_release(brood_lock *lock)
{
    if (lock == NULL || lock->shared.body == NULL)
        return bri_shared_check(lock, "release a lock");
    if (!bri_latch_unlock(lock->latch))
        return bri_fail(BROOD_ESTATE, "could not release a lock: nobody holds it");
    return BROOD_OK;
}

bool brood_lock_is_locked(brood_lock *lock)
{
    if (lock == NULL || lock->shared.body == NULL)
        return false;
    uint32_t word = atomic_load(lock->latch);
    return word != 0 && !bri_owner_is_dead(word);
}

void brood_lock_destroy(brood_lock *lock)
{
    bri_shared_release(lock);
}

brood_value brood_lock_value(brood_lock *lock)
{
    return bri_shared_value(lock);
}

brood_status brood_get_lock(const brood_value *value, brood_lock **lock)
{
    bri_shared *object;
    BROOD_TRY(bri_shared_get(&bri_lock_class, value, &object));
    *lock = (brood_lock *)object;
    return BROOD_OK;
}

bri_latch *bri_lock_latch(brood_lock *lock)
{
    return lock == NULL || lock->shared.body == NULL ? NULL : lock->latch;
}

bool bri_lock_is_mine(brood_lock *lock)
{
    bri_latch *latch = bri_lock_latch(lock);
    return latch != NULL && (atomic_load(latch) & BRI_OWNER_MASK) == bri_owner_me();
}
