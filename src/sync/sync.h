/*
 * sync/sync.h - the start of the layer of locks, and the numbers of its classes in the arena.
 */
#ifndef BRI_SYNC_H
#define BRI_SYNC_H

#include "ipc/shared.h"
#include "platform/clock.h"

enum {
    BRI_LOCK_KIND = 1,
    BRI_RLOCK_KIND,
    BRI_SEMAPHORE_KIND,
    BRI_EVENT_KIND,
    BRI_CONDITION_KIND,
    BRI_BARRIER_KIND,
    BRI_ARRAY_KIND /* 8 is the queue's */
};

extern const bri_shared_class bri_lock_class, bri_rlock_class, bri_semaphore_class, bri_event_class,
    bri_condition_class, bri_barrier_class, bri_array_class;

/* Makes the classes of its objects known. Called by brood_init after bri_ipc_start. */
brood_status bri_sync_start(void);

/* The deadline of a time-out that begins now. */
static inline bri_deadline bri_deadline_from_now(brood_ms timeout)
{
    return timeout < 0 ? BRI_NEVER : bri_deadline_after(brp_clock_now(), timeout);
}

#endif /* BRI_SYNC_H */
