/*
 * pool/submit.h - what the calls that submit jobs share.
 */
#ifndef BRI_SUBMIT_H
#define BRI_SUBMIT_H

#include "pool/job.h"

/* BROOD_ETYPE unless it is a list or a tuple. */
brood_status bri_items_check(const brood_value *items, const char *what);
/* How many of the items a task has: as Python, about four tasks a worker. */
size_t bri_chunk_of(const brood_pool *pool, size_t n, const brood_map_options *options);
/* Hands a job of many tasks to the collector, which has the reference then. */
brood_status bri_job_submit(bri_job *job, brood_function function, const char *what);
/* The list of results of a job that is waited for. */
brood_status bri_map_submit(brood_pool *pool, brood_function function, brood_value *items,
                            const brood_map_options *options, bri_task_style style,
                            const char *what, brood_future **future);

#endif /* BRI_SUBMIT_H */
