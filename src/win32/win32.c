/* win32/win32.c - waiting until a deadline, and the cache of events. */
#include "win32/win32.h"

#include <stdatomic.h>

#include <process.h>

#include "platform/clock.h"

enum { CACHED_EVENTS = 16 };

static atomic_long n_kept; /* see bri_w32_kept */
static atomic_int n_threads;

static SRWLOCK cache_lock = SRWLOCK_INIT;
static HANDLE cache[CACHED_EVENTS];
static size_t n_cached;

/* One step of waiting, in milliseconds; the kernel takes no more than 49 days at once. */
static DWORD next_step(bri_deadline deadline)
{
    const brood_ms most = 1000000000;
    brood_ms left = bri_deadline_left_ms(deadline, brp_clock_now());
    if (left < 0)
        return INFINITE;
    return (DWORD)(left < most ? left : most);
}

DWORD bri_w32_wait_many(const HANDLE *objects, DWORD n, bri_deadline deadline)
{
    /* The kernel counts in ticks and may end a wait a little too early. */
    for (;;) {
        DWORD step = deadline == BRI_NEVER ? INFINITE : next_step(deadline);
        DWORD result = WaitForMultipleObjects(n, objects, FALSE, step);
        if (result != WAIT_TIMEOUT || step == 0)
            return result;
    }
}

DWORD bri_w32_wait(HANDLE object, bri_deadline deadline)
{
    return bri_w32_wait_many(&object, 1, deadline);
}

HANDLE bri_w32_event_take(void)
{
    HANDLE event = NULL;
    AcquireSRWLockExclusive(&cache_lock);
    if (n_cached > 0)
        event = cache[--n_cached];
    ReleaseSRWLockExclusive(&cache_lock);
    if (event != NULL) {
        bri_w32_kept(-1);
    } else {
        event = CreateEventW(NULL, TRUE, FALSE, NULL);
        if (event == NULL)
            brp_fail(bri_w32_error(), "could not create an event");
    }
    return event;
}

void bri_w32_event_give(HANDLE event)
{
    if (event == NULL)
        return;
    if (!ResetEvent(event)) {
        CloseHandle(event);
        return;
    }
    AcquireSRWLockExclusive(&cache_lock);
    if (n_cached < CACHED_EVENTS) {
        cache[n_cached++] = event;
        bri_w32_kept(1);
        event = NULL;
    }
    ReleaseSRWLockExclusive(&cache_lock);
    if (event != NULL)
        CloseHandle(event);
}

brood_status bri_w32_thread_start(HANDLE *thread, unsigned(__stdcall *run)(void *), void *argument)
{
    HANDLE made = (HANDLE)_beginthreadex(NULL, 0, run, argument, 0, NULL);
    if (made == NULL)
        return brp_fail(ERROR_MAX_THRDS_REACHED, "could not start a thread");
    atomic_fetch_add(&n_threads, 1);
    *thread = made;
    return BROOD_OK;
}

void bri_w32_thread_join(HANDLE thread)
{
    if (thread == NULL)
        return;
    if (GetThreadId(thread) != GetCurrentThreadId())
        WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    atomic_fetch_sub(&n_threads, 1);
}

int bri_w32_thread_count(void)
{
    return atomic_load(&n_threads);
}

void bri_w32_close(HANDLE handle)
{
    if (handle != NULL && handle != INVALID_HANDLE_VALUE)
        CloseHandle(handle);
}

size_t bri_w32_kept(int change)
{
    long now = atomic_fetch_add(&n_kept, change) + change;
    return now > 0 ? (size_t)now : 0;
}
