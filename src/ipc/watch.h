/*
 * ipc/watch.h - waiting for any of many objects of the arena, alone or together with handles.
 *
 * A thread can sleep on one word only, and never on a word and a handle. So each process of the
 * tree has a doorbell in its slot, and a watch is an entry in the table of sleepers (ipc/park.h)
 * that names an object's word and the process. Who wakes the sleepers of a word also rings the
 * doorbells of those who watch it; nothing is looked for while nobody watches anything. Who waits
 * for objects alone sleeps on his doorbell. For those who wait for handles too, one helper thread a
 * process sleeps there, and wakes their pollers.
 */
#ifndef BRI_WATCH_H
#define BRI_WATCH_H

#include "ipc/shared.h"
#include "platform/waitmany.h"

/* What is waited for; `ready` is out. */
typedef struct bri_watching {
    bri_shared **objects; /* of classes that can be waited for */
    bool *objects_ready;
    size_t n_objects;
    brp_watch *handles;
    size_t n_handles;
} bri_watching;

/* Waits until at least one is ready and marks all that are. BROOD_ETIMEDOUT. */
brood_status bri_watch_wait(const bri_watching *all, bri_deadline deadline);

/* Whether an object can be waited for. */
static inline bool bri_watch_can(const bri_shared *object)
{
    return object->class->watched_word != NULL;
}

#endif /* BRI_WATCH_H */
