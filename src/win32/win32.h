/*
 * win32/win32.h - <windows.h> in one form, HANDLEs as brp_handle, and waiting until a deadline.
 */
#ifndef BRI_WIN32_H
#define BRI_WIN32_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <winsock2.h>

#include <windows.h>

#include "base/deadline.h"
#include "platform/handle.h"

static inline HANDLE bri_w32_handle(brp_handle handle)
{
    return (HANDLE)handle.value;
}

static inline brp_handle bri_w32_value(HANDLE handle)
{
    return (brp_handle){(intptr_t)handle};
}

/* GetLastError() as the number that brp_fail takes. */
static inline long bri_w32_error(void)
{
    return (long)GetLastError();
}

/* WaitForSingleObject until the deadline: WAIT_OBJECT_0, WAIT_TIMEOUT (not before the deadline) or
 * WAIT_FAILED. WAIT_ABANDONED does not occur: brood uses no kernel mutex. */
DWORD bri_w32_wait(HANDLE object, bri_deadline deadline);

/* The same for up to MAXIMUM_WAIT_OBJECTS: WAIT_OBJECT_0 + index, WAIT_TIMEOUT or WAIT_FAILED. */
DWORD bri_w32_wait_many(const HANDLE *objects, DWORD n, bri_deadline deadline);

/* A manual-reset event that is not signalled, from a small cache: making one costs a system call.
 * NULL with the last error set. It is given back when nothing signals it any more. */
HANDLE bri_w32_event_take(void);
void bri_w32_event_give(HANDLE event);

/* Counts handles that the library keeps for later use: brp_handle_count leaves them out, as they
 * are no leaks. Returns how many there are. */
size_t bri_w32_kept(int change);

/* Starts and joins a thread of the platform layer's own, which brp_thread_count leaves out. The
 * handle is closed by join. */
brood_status bri_w32_thread_start(HANDLE *thread, unsigned(__stdcall *run)(void *), void *argument);
void bri_w32_thread_join(HANDLE thread);
int bri_w32_thread_count(void);

/* Closes a HANDLE unless it is NULL or INVALID_HANDLE_VALUE. */
void bri_w32_close(HANDLE handle);

#endif /* BRI_WIN32_H */
