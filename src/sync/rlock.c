/*
 * sync/rlock.c - a latch of the arena, and which thread of its owner has it how often.
 *
 * Both are valid only while the latch is held by a living process: whoever takes it from a dead one
 * writes them anew, so nothing has to be repaired.
 */
#include <brood/rlock.h>

#include "core/killpoint.h"
#include "sync/locks.h"
#include "sync/sync.h"

/* In the arena. */
typedef struct rlock_body {
    bri_latch latch;
    _Atomic uint32_t times;
    /* Owner << 32 | its thread: so the mark of a process that is gone is never a thread of this
     * one. 0: none. */
    _Atomic uint64_t thread;
} rlock_body;

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

static rlock_body *body_of(const brood_rlock *rlock)
{
    return rlock->shared.body;
}

/* This thread as a body names it. Threads have numbers of their process. */
static uint64_t this_thread(void)
{
    static _Atomic uint32_t last_number;
    static _Thread_local uint32_t number;
    if (number == 0)
        number = atomic_fetch_add(&last_number, 1) + 1;
    return (uint64_t)bri_owner_me() << 32 | number;
}

/* Only this thread can make it true or false. */
static bool has_it(rlock_body *body)
{
    return (atomic_load_explicit(&body->latch, memory_order_relaxed) & BRI_OWNER_MASK) ==
               bri_owner_me() &&
           atomic_load_explicit(&body->thread, memory_order_relaxed) == this_thread();
}

static void take(rlock_body *body, uint32_t times)
{
    BRI_KILL_POINT("rlock-latched");
    atomic_store_explicit(&body->times, times, memory_order_relaxed);
    BRI_KILL_POINT("rlock-times");
    atomic_store_explicit(&body->thread, this_thread(), memory_order_relaxed);
    BRI_KILL_POINT("rlock-taken");
}

static void give_back(rlock_body *body)
{
    atomic_store_explicit(&body->thread, 0, memory_order_relaxed);
    BRI_KILL_POINT("rlock-left");
    bri_latch_unlock(&body->latch);
    BRI_KILL_POINT("rlock-released");
}

brood_status brood_rlock_create(brood_rlock **rlock)
{
    bri_shared *made;
    BROOD_TRY(bri_shared_create(&bri_rlock_class, sizeof(rlock_body), "create an rlock", NULL, NULL,
                                &made));
    *rlock = (brood_rlock *)made;
    return BROOD_OK;
}

static brood_status acquire_again(rlock_body *body)
{
    uint32_t times = atomic_load_explicit(&body->times, memory_order_relaxed);
    if (times == UINT32_MAX)
        return bri_fail(BROOD_ELIMIT, "could not acquire an rlock: it was too often already");
    atomic_store_explicit(&body->times, times + 1, memory_order_relaxed);
    return BROOD_OK;
}

brood_status brood_rlock_acquire(brood_rlock *rlock, brood_ms timeout)
{
    BROOD_TRY(bri_shared_check(rlock, "acquire an rlock"));
    rlock_body *body = body_of(rlock);
    if (has_it(body))
        return acquire_again(body);
    brood_status status = BROOD_OK;
    if (!bri_latch_try(&body->latch, bri_owner_me()))
        status = timeout == 0
                     ? bri_latch_try_dead(&body->latch)
                     : bri_latch_wait(&body->latch, &rlock->spin, bri_deadline_from_now(timeout));
    if (status == BROOD_OK || status == BROOD_EOWNERDIED)
        take(body, 1);
    return status;
}

brood_status brood_rlock_release(brood_rlock *rlock)
{
    BROOD_TRY(bri_shared_check(rlock, "release an rlock"));
    rlock_body *body = body_of(rlock);
    if (!has_it(body))
        return bri_fail(BROOD_ESTATE, "could not release an rlock: this thread does not hold it");
    uint32_t times = atomic_load_explicit(&body->times, memory_order_relaxed);
    if (times > 1)
        atomic_store_explicit(&body->times, times - 1, memory_order_relaxed);
    else
        give_back(body);
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
    return bri_rlock_latch(rlock) != NULL && has_it(body_of(rlock));
}

uint32_t bri_rlock_release_all(brood_rlock *rlock)
{
    uint32_t times = atomic_load_explicit(&body_of(rlock)->times, memory_order_relaxed);
    give_back(body_of(rlock));
    return times;
}

brood_status bri_rlock_acquire_all(brood_rlock *rlock, uint32_t times)
{
    brood_status status =
        bri_latch_lock(&body_of(rlock)->latch, bri_owner_me(), &rlock->spin, BRI_NEVER);
    take(body_of(rlock), times);
    return status;
}

void bri_rlock_taken(brood_rlock *rlock, uint32_t times)
{
    take(body_of(rlock), times);
}
