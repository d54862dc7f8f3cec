/* win32/lock.c - slim locks and condition variables, which need no handle. */
#include "platform/lock.h"

#include "base/memory.h"
#include "platform/clock.h"
#include "win32/win32.h"

struct brp_mutex {
    SRWLOCK native;
};

struct brp_condition {
    CONDITION_VARIABLE native;
};

brood_status brp_mutex_create(brp_mutex **mutex)
{
    brp_mutex *made = bri_alloc(sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    InitializeSRWLock(&made->native);
    *mutex = made;
    return BROOD_OK;
}

void brp_mutex_destroy(brp_mutex *mutex)
{
    bri_free(mutex);
}

void brp_mutex_lock(brp_mutex *mutex)
{
    AcquireSRWLockExclusive(&mutex->native);
}

void brp_mutex_unlock(brp_mutex *mutex)
{
    ReleaseSRWLockExclusive(&mutex->native);
}

brp_mutex *brp_mutex_renew(brp_mutex *mutex)
{
    InitializeSRWLock(&mutex->native);
    return mutex;
}

brood_status brp_condition_create(brp_condition **condition)
{
    brp_condition *made = bri_alloc(sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    InitializeConditionVariable(&made->native);
    *condition = made;
    return BROOD_OK;
}

void brp_condition_destroy(brp_condition *condition)
{
    bri_free(condition);
}

/* A wait longer than the system knows ends early, without reason. */
brood_status brp_condition_wait(brp_condition *condition, brp_mutex *mutex, bri_deadline deadline)
{
    DWORD timeout = INFINITE;
    if (deadline != BRI_NEVER) {
        brood_ms left = bri_deadline_left_ms(deadline, brp_clock_now());
        if (left == 0)
            return BROOD_ETIMEDOUT;
        timeout = left < INFINITE - 1 ? (DWORD)left : INFINITE - 1;
    }
    bool woken = SleepConditionVariableSRW(&condition->native, &mutex->native, timeout, 0);
    return !woken && bri_deadline_left(deadline, brp_clock_now()) == 0 ? BROOD_ETIMEDOUT : BROOD_OK;
}

void brp_condition_signal(brp_condition *condition)
{
    WakeConditionVariable(&condition->native);
}

void brp_condition_broadcast(brp_condition *condition)
{
    WakeAllConditionVariable(&condition->native);
}

void brp_condition_reset(brp_condition *condition)
{
    InitializeConditionVariable(&condition->native);
}
