/* sync/recursive.c - see the header. */
#include "sync/recursive.h"

#include "base/error.h"
#include "core/killpoint.h"
#include "sync/sync.h"

/* This thread as a lock names it. Threads have numbers of their process. */
static uint64_t this_thread(void)
{
    static _Atomic uint32_t last_number;
    static _Thread_local uint32_t number;
    if (number == 0)
        number = atomic_fetch_add(&last_number, 1) + 1;
    return (uint64_t)bri_owner_me() << 32 | number;
}

bool bri_recursive_is_mine(bri_recursive *lock)
{
    return (atomic_load_explicit(&lock->latch, memory_order_relaxed) & BRI_OWNER_MASK) ==
               bri_owner_me() &&
           atomic_load_explicit(&lock->thread, memory_order_relaxed) == this_thread();
}

void bri_recursive_taken(bri_recursive *lock, uint32_t times)
{
    BRI_KILL_POINT("rlock-latched");
    atomic_store_explicit(&lock->times, times, memory_order_relaxed);
    BRI_KILL_POINT("rlock-times");
    atomic_store_explicit(&lock->thread, this_thread(), memory_order_relaxed);
    BRI_KILL_POINT("rlock-taken");
}

static brood_status acquire_again(bri_recursive *lock)
{
    uint32_t times = atomic_load_explicit(&lock->times, memory_order_relaxed);
    if (times == UINT32_MAX)
        return bri_fail(BROOD_ELIMIT, "could not acquire an rlock: it was too often already");
    atomic_store_explicit(&lock->times, times + 1, memory_order_relaxed);
    return BROOD_OK;
}

brood_status bri_recursive_acquire(bri_recursive *lock, bri_spin_place *place, brood_ms timeout)
{
    if (bri_recursive_is_mine(lock))
        return acquire_again(lock);
    brood_status status = BROOD_OK;
    if (!bri_latch_try(&lock->latch, bri_owner_me()))
        status = timeout == 0 ? bri_latch_try_dead(&lock->latch)
                              : bri_latch_wait(&lock->latch, place, bri_deadline_from_now(timeout));
    if (status == BROOD_OK || status == BROOD_EOWNERDIED)
        bri_recursive_taken(lock, 1);
    return status;
}

uint32_t bri_recursive_release_all(bri_recursive *lock)
{
    uint32_t times = atomic_load_explicit(&lock->times, memory_order_relaxed);
    atomic_store_explicit(&lock->thread, 0, memory_order_relaxed);
    BRI_KILL_POINT("rlock-left");
    bri_latch_unlock(&lock->latch);
    BRI_KILL_POINT("rlock-released");
    return times;
}

bool bri_recursive_release(bri_recursive *lock)
{
    if (!bri_recursive_is_mine(lock))
        return false;
    uint32_t times = atomic_load_explicit(&lock->times, memory_order_relaxed);
    if (times > 1)
        atomic_store_explicit(&lock->times, times - 1, memory_order_relaxed);
    else
        bri_recursive_release_all(lock);
    return true;
}
