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

#endif /* BRI_SHARED_MEMORY_H */
