/*
 * pool/job.h - what the collector sees to: one asynchronous call of the user, of one task (apply)
 * or of many (map, imap).
 *
 * A job of one task is written by who submits it, and goes into a slot at once when one is free.
 * One of many tasks is cut into tasks by the collector alone. The collector ends jobs; only a
 * queued job of one task may be ended by who cancels it. Members are under the pool's mutex, but
 * for what only the collector uses.
 */
#ifndef BRI_JOB_H
#define BRI_JOB_H

#include "pool/pool.h"

typedef enum bri_job_kind { BRI_JOB_CALL, BRI_JOB_MAP, BRI_JOB_ITERATION } bri_job_kind;

struct bri_job {
    atomic_int references;
    bri_job_kind kind;
    brood_pool *pool;
    bri_job *next_job, *previous_job;         /* all that have not ended */
    bri_job *next_waiting, *previous_waiting; /* those with tasks that are in no slot */
    bool is_waiting;
    atomic_bool
        is_ended; /* no task of it is left; ended by the collector, or by who cancelled it */
    atomic_bool is_cancelled;
    bool cancel_due; /* the collector has not yet seen to it */
    brood_cancel_how cancel_how;
    bri_job *next_to_tell;

    brood_future *future; /* of a call or map */
    brood_imap *iterator;
    bri_task_shape shape;
    brood_task_policy policy;
    brood_result_callback callback;
    brood_failure_callback error_callback;
    void *context;
    int64_t begun;

    /* a call: where it is. `slot` is its number + 1, 0 when it is in none */
    uint32_t slot;
    void *frame; /* its arguments while it waits */
    size_t size;
    uint64_t loan;     /* of what is lent with them */
    bri_buffer refers; /* objects that the frame names, a use of each */
    bool is_given_up;  /* cancelled while its result was read: it is not tried again */

    /* many tasks; the collector's */
    brood_value items;
    brood_generator generator;
    brood_value held; /* an item that did not fit into its chunk */
    bool holds;
    size_t n, next, done; /* items: all (SIZE_MAX: not known), the first in no task, ended */
    size_t chunk, window;
    uint32_t n_tasks; /* in slots */
    brood_pool_progress progress;
    bool keep_errors;
    brood_value *results;

    /* the failure of the first item that failed, or of the only one */
    bool failed;
    size_t failed_item;
    brood_status status;
    bri_outcome outcome;
    int exitcode;
};

/* ---- job.c ---- */

extern const bri_future_engine bri_pool_engine, bri_pool_engine_forking;

brood_status bri_job_make(brood_pool *pool, bri_job_kind kind, bri_job **job);
void bri_job_release(bri_job *job);
brood_status bri_policy_check(const brood_task_policy *policy, const char *what);
void bri_job_set_policy(bri_job *job, const brood_task_policy *policy);
/* Whether each item is to be a task of its own: what the policy says is said of items. */
bool bri_policy_is_of_items(const brood_task_policy *policy);
/* How long to wait after this attempt has failed. */
brood_ms bri_policy_backoff(const brood_task_policy *policy, int attempt);

/* Under the mutex: enters it, and starts the collector with the first one. */
brood_status bri_job_begin(bri_job *job, const char *what);
/* Under the mutex: a job of many tasks is to end early. */
void bri_job_cancel_many(bri_job *job, brood_cancel_how how);
/* Under the mutex: cancels all that no worker has begun. */
void bri_jobs_cancel_queued(brood_pool *pool);
/* Under the mutex: puts it among those that wait for slots, takes it out. */
void bri_job_wait(bri_job *job);
void bri_job_unwait(bri_job *job);
/* Under the mutex: takes it off the list of all; the list's reference is the caller's then. */
void bri_job_unlist(bri_job *job);
/* Sets the future, or ends the iteration, with what the job has come to. No callback is called. */
void bri_job_settle(bri_job *job, brood_status status);
/* Calls the callbacks. Not under the mutex. */
void bri_job_tell(bri_job *job);
/* Under the mutex: the slot's task is ready, or as soon as the ring has room. */
void bri_task_put(brood_pool *pool, uint32_t index);
/* Under the mutex: a slot that was filled is the job's, and ready. */
void bri_job_put_task(bri_job *job, uint32_t index);
/* Moves results into a list; on failure some of them are still where they were. */
brood_status bri_results_take(brood_value *results, size_t n, brood_value *list);

/* ---- collector.c ---- */

/* Under the mutex. */
brood_status bri_collector_start(brood_pool *pool);
/* Ends the thread; nothing is left to do. Not under the mutex. */
void bri_collector_stop(brood_pool *pool);
/* Whether the calling thread is it. */
bool bri_collector_is_me(const brood_pool *pool);
/* Under the mutex: has it look at what is new. */
void bri_collector_nudge(brood_pool *pool);

/* ---- imap.c; called by the collector ---- */

void bri_imap_release(brood_imap *iterator);
void bri_imap_value(brood_imap *iterator, size_t item, brood_value value);
void bri_imap_failed(brood_imap *iterator, size_t item, brood_status status, bri_outcome *outcome,
                     int exitcode);
/* Whether a result was lost for want of memory, so that the iteration ends. */
bool bri_imap_is_lost(const brood_imap *iterator);
void bri_imap_end(brood_imap *iterator, brood_status status, const char *message);
/* How many more items may be in hand. */
size_t bri_imap_room(brood_imap *iterator, size_t next);

#endif /* BRI_JOB_H */
