/*
 * sync/shared_memory.h - the class of named memory, which is no object of the arena.
 */
#ifndef BRI_SHARED_MEMORY_H
#define BRI_SHARED_MEMORY_H

#include <brood/shared_memory.h>

#include "data/object.h"

/* Of lists in it. */
extern const bri_object_class bri_shareable_list_class;

/* Makes the classes and the hooks known. */
brood_status bri_shared_memory_start(void);

/* Held across a fork, so that the list of what is open is whole in the child, which gives the lock
 * back before its hooks. Below it is only what src/posix and src/win32 lock. */
void bri_memories_lock(void);
void bri_memories_unlock(void);

#endif /* BRI_SHARED_MEMORY_H */
