/* posix/lock.c - pthread mutexes and conditions, on the monotonic clock. */
#define _GNU_SOURCE
#include "platform/lock.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/memory.h"
#include "platform/clock.h"

struct brp_mutex {
    pthread_mutex_t native;
};

struct brp_condition {
    pthread_cond_t native;
};

brood_status brp_mutex_create(brp_mutex **mutex)
{
    brp_mutex *made = bri_alloc(sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    int code = pthread_mutex_init(&made->native, NULL);
    if (code != 0) {
        bri_free(made);
        return brp_fail(code, "could not make a mutex");
    }
    *mutex = made;
    return BROOD_OK;
}

void brp_mutex_destroy(brp_mutex *mutex)
{
    if (mutex == NULL)
        return;
    pthread_mutex_destroy(&mutex->native);
    bri_free(mutex);
}

void brp_mutex_lock(brp_mutex *mutex)
{
    pthread_mutex_lock(&mutex->native);
}

void brp_mutex_unlock(brp_mutex *mutex)
{
    pthread_mutex_unlock(&mutex->native);
}

/* Another block, if there is memory: a checker of locks knows of this one who had it. */
brp_mutex *brp_mutex_renew(brp_mutex *mutex)
{
    brp_mutex *fresh = NULL;
    if (brp_mutex_create(&fresh) != BROOD_OK) {
        pthread_mutex_init(&mutex->native, NULL);
        return mutex;
    }
    bri_free(mutex);
    return fresh;
}

#if defined(__APPLE__)
static int init_condition(pthread_cond_t *condition)
{
    return pthread_cond_init(condition, NULL);
}

static int wait_until(brp_condition *condition, brp_mutex *mutex, bri_deadline deadline)
{
    int64_t left = bri_deadline_left(deadline, brp_clock_now());
    const struct timespec span = {left / 1000000000, left % 1000000000};
    return pthread_cond_timedwait_relative_np(&condition->native, &mutex->native, &span);
}
#else
static int init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int code = pthread_condattr_init(&attributes);
    if (code != 0)
        return code;
    code = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (code == 0)
        code = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return code;
}

static int wait_until(brp_condition *condition, brp_mutex *mutex, bri_deadline deadline)
{
    const struct timespec until = {deadline / 1000000000, deadline % 1000000000};
    return pthread_cond_timedwait(&condition->native, &mutex->native, &until);
}
#endif

brood_status brp_condition_create(brp_condition **condition)
{
    brp_condition *made = bri_alloc(sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    int code = init_condition(&made->native);
    if (code != 0) {
        bri_free(made);
        return brp_fail(code, "could not make a condition");
    }
    *condition = made;
    return BROOD_OK;
}

void brp_condition_destroy(brp_condition *condition)
{
    if (condition == NULL)
        return;
    pthread_cond_destroy(&condition->native);
    bri_free(condition);
}

brood_status brp_condition_wait(brp_condition *condition, brp_mutex *mutex, bri_deadline deadline)
{
    if (deadline == BRI_NEVER) {
        pthread_cond_wait(&condition->native, &mutex->native);
        return BROOD_OK;
    }
    if (bri_deadline_left(deadline, brp_clock_now()) == 0)
        return BROOD_ETIMEDOUT;
    return wait_until(condition, mutex, deadline) == ETIMEDOUT ? BROOD_ETIMEDOUT : BROOD_OK;
}

void brp_condition_signal(brp_condition *condition)
{
    pthread_cond_signal(&condition->native);
}

void brp_condition_broadcast(brp_condition *condition)
{
    pthread_cond_broadcast(&condition->native);
}

void brp_condition_reset(brp_condition *condition)
{
    (void)init_condition(&condition->native);
}
