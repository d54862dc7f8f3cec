/* remote/parts.c - all layers that have something to start, from left to right. */
#include "core/parts.h"

#include "ipc/arena.h"
#include "manager/client.h"
#include "pool/pool.h"
#include "queue/queue.h"
#include "sync/sync.h"

const bri_part bri_parts[] = {
    {"ipc", bri_ipc_start},   {"sync", bri_sync_start},       {"queue", bri_queue_start},
    {"pool", bri_pool_start}, {"manager", bri_manager_start}, {NULL, NULL},
};
