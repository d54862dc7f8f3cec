/* pool/control.c - resize, pause, drain, and figures. */
#include "pool/job.h"

#include "core/thread.h"
#include "platform/clock.h"

brood_status brood_pool_pause(brood_pool *pool)
{
    BROOD_TRY(bri_pool_check(pool, "pause a pool"));
    atomic_store(&pool->table->paused, 1);
    return BROOD_OK;
}

brood_status brood_pool_resume(brood_pool *pool)
{
    BROOD_TRY(bri_pool_check(pool, "resume a pool"));
    atomic_store(&pool->table->paused, 0);
    bri_tasks_ring(pool->table, INT32_MAX);
    return BROOD_OK;
}

brood_status brood_pool_drain(brood_pool *pool, brood_ms timeout)
{
    BROOD_TRY(bri_pool_check(pool, "drain a pool"));
    if (bri_collector_is_me(pool))
        return bri_fail(BROOD_ESTATE,
                        "could not drain a pool: a callback of it cannot wait for it");
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), timeout);
    brood_status status = BROOD_OK;
    int64_t slice = 0;
    bri_mutex_lock(pool->mutex);
    while (status == BROOD_OK) {
        bri_deadline when;
        bri_pool_attend(pool, &when);
        if (bri_pool_is_idle(pool))
            break;
        status = bri_pool_sleep(pool, &slice, 1, when < deadline ? when : deadline);
        if (status == BROOD_ETIMEDOUT && brp_clock_now() < deadline)
            status = BROOD_OK;
    }
    bri_mutex_unlock(pool->mutex);
    return status;
}
