/*
 * pool/collector.h - the parts of the collector: its rounds (collector.c), jobs that become tasks
 * (feed.c), tasks that are tried again or end before their time (attempt.c). Its thread alone calls
 * what stands here.
 */
#ifndef BRI_COLLECTOR_H
#define BRI_COLLECTOR_H

#include "pool/job.h"

enum { BRI_BATCH = 64 };

/* The thread's own. */
typedef struct bri_round {
    brood_pool *pool;
    uint32_t ended[BRI_BATCH]; /* slots */
    bool again[BRI_BATCH];     /* the task is run again */
    uint32_t n_ended;
    bri_job *finished; /* by next_to_tell */
    bri_job *told[BRI_BATCH];
    uint32_t n_told; /* jobs whose progress is to be told */
    bri_payload scratch;
    brood_value kept; /* what the scratch frame refers to */
    uint32_t wanted;
    int64_t slice;
} bri_round;

/* ---- collector.c ---- */

/* Takes what came of a job's items. */
bri_sink bri_job_sink(bri_job *job);
bool bri_job_is_complete(const bri_job *job);
/* The job is to be ended in this round. */
void bri_round_finish(bri_round *round, bri_job *job);
/* Its progress is to be told in this round. */
void bri_round_note_progress(bri_round *round, bri_job *job);

/* ---- feed.c ---- */

/* Fills slots with tasks of the waiting jobs; gives how many. Under the mutex, but lets it go
 * meanwhile. */
uint32_t bri_round_feed(bri_round *round);

/* ---- attempt.c ---- */

/* Whether the task gets another attempt. */
bool bri_task_is_again(brood_pool *pool, uint32_t index);
/* Gives it that, after a while. Under the mutex, as what follows. */
void bri_task_try_again(brood_pool *pool, uint32_t index, int64_t now);
/* Makes the tasks ready whose time has come. */
void bri_attempts_put_delayed(brood_pool *pool, int64_t now, bri_deadline *when);
/* Ends the tasks whose hard deadline has passed. */
void bri_attempts_check_limits(brood_pool *pool, int64_t now, bri_deadline *when);
/* Takes back what no worker has of a job, or of all (NULL). Others are told, killed, or with
 * `forget` nobody waits for them any more. */
void bri_attempts_take_back(brood_pool *pool, const bri_job *job, bool forget);

#endif /* BRI_COLLECTOR_H */
