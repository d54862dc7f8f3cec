/*
 * platform/lock.h - mutexes and conditions inside one process.
 *
 * APR has both, but only after apr_initialize(), which costs every process nine page faults at its
 * start; they come from pools, so none can be freed; and its conditions wait by the wall clock.
 */
#ifndef BRP_LOCK_H
#define BRP_LOCK_H

#include "base/deadline.h"
#include "platform/error.h"

typedef struct brp_mutex brp_mutex;
typedef struct brp_condition brp_condition;

/* Not recursive. */
brood_status brp_mutex_create(brp_mutex **mutex);
/* Nobody has it or waits for it. NULL is ignored. */
void brp_mutex_destroy(brp_mutex *mutex);
void brp_mutex_lock(brp_mutex *mutex);
void brp_mutex_unlock(brp_mutex *mutex);
/* In a forked child: one that takes its place, whoever had it; threads of the parent may have. */
brp_mutex *brp_mutex_renew(brp_mutex *mutex);

brood_status brp_condition_create(brp_condition **condition);
/* Nobody waits for it. NULL is ignored. */
void brp_condition_destroy(brp_condition *condition);
/* BROOD_OK, also without reason, or BROOD_ETIMEDOUT. */
brood_status brp_condition_wait(brp_condition *condition, brp_mutex *mutex, bri_deadline deadline);
void brp_condition_signal(brp_condition *condition);
void brp_condition_broadcast(brp_condition *condition);
/* In a forked child: as new, whoever waited for it. */
void brp_condition_reset(brp_condition *condition);

#endif /* BRP_LOCK_H */
