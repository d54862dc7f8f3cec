/*
 * queue/queue.h - the start of the layer of queues.
 */
#ifndef BRI_QUEUE_H
#define BRI_QUEUE_H

#include "base/error.h"

/* Makes the classes of its objects known. Called by brood_init after bri_ipc_start. */
brood_status bri_queue_start(void);

#endif /* BRI_QUEUE_H */
