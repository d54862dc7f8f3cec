/*
 * sync/sync.h - the start of the layer of locks.
 */
#ifndef BRI_SYNC_H
#define BRI_SYNC_H

#include "base/error.h"

/* Makes the classes of its objects known. Called by brood_init after bri_ipc_start. */
brood_status bri_sync_start(void);

#endif /* BRI_SYNC_H */
