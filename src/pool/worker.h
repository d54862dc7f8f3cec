/*
 * pool/worker.h - the function that a worker process runs.
 */
#ifndef BRI_WORKER_H
#define BRI_WORKER_H

#include <brood/function.h>

/* Arguments: offset and generation of the table, seat, worker's number, the initializer's reference
 * or none, its arguments. */
brood_status bri_pool_worker(brood_call *call);

#endif /* BRI_WORKER_H */
