/* sync/sync.c - the classes of the layer. */
#include "sync/sync.h"

#include "sync/shared_memory.h"

brood_status bri_sync_start(void)
{
    static const bri_shared_class *const classes[] = {
        &bri_lock_class,      &bri_rlock_class,   &bri_semaphore_class, &bri_event_class,
        &bri_condition_class, &bri_barrier_class, &bri_array_class,
    };
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        BROOD_TRY(bri_shared_class_add(classes[i]));
    return bri_shared_memory_start();
}
