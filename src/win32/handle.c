/* win32/handle.c - HANDLEs of this process. */
#include "platform/handle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "win32/win32.h"

void brp_handle_close(brp_handle *handle)
{
    if (brp_handle_is_set(*handle))
        bri_w32_close(bri_w32_handle(*handle));
    *handle = BRP_NO_HANDLE;
}

brood_status brp_handle_duplicate(brp_handle handle, brp_handle *copy)
{
    HANDLE self = GetCurrentProcess(), made;
    if (!brp_handle_is_set(handle)) /* its bits are those of GetCurrentProcess() */
        return brp_fail(ERROR_INVALID_HANDLE, "could not duplicate a handle");
    if (!DuplicateHandle(self, bri_w32_handle(handle), self, &made, 0, FALSE,
                         DUPLICATE_SAME_ACCESS))
        return brp_fail(bri_w32_error(), "could not duplicate handle %" PRIdPTR, handle.value);
    *copy = bri_w32_value(made);
    return BROOD_OK;
}

void brp_handle_format(brp_handle handle, char text[BRP_HANDLE_TEXT])
{
    snprintf(text, BRP_HANDLE_TEXT, "%" PRIdPTR, handle.value);
}

brood_status brp_handle_parse(const char *text, brp_handle *handle)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value <= 0 ||
        value > INTPTR_MAX)
        return bri_fail(BROOD_EINVALID, "could not read handle \"%s\": not a number of one", text);
    /* Handles that came by inheritance are inheritable still. */
    brp_handle parsed = {(intptr_t)value};
    if (!SetHandleInformation(bri_w32_handle(parsed), HANDLE_FLAG_INHERIT, 0))
        return brp_fail(bri_w32_error(), "could not use handle \"%s\"", text);
    *handle = parsed;
    return BROOD_OK;
}

bool brp_handle_is_inheritable(brp_handle handle)
{
    DWORD flags;
    return brp_handle_is_set(handle) && GetHandleInformation(bri_w32_handle(handle), &flags) &&
           (flags & HANDLE_FLAG_INHERIT) != 0;
}

/* For Wine, whose GetProcessHandleCount answers 0. It gives out the lowest free number, so none is
 * far above the others. (Its list of the system's handles is no way: reading that crashes the
 * server when a process that has no handle is just starting.) */
static size_t count_by_trying(void)
{
    enum { STEP = 4, WIDEST_GAP = 2048 };
    size_t n = 0;
    uintptr_t last = 0;
    for (uintptr_t at = STEP; at <= last + (uintptr_t)WIDEST_GAP * STEP; at += STEP) {
        DWORD flags;
        if (GetHandleInformation((HANDLE)at, &flags)) {
            last = at;
            n++;
        }
    }
    return n;
}

size_t brp_handle_count(void)
{
    DWORD told = 0;
    size_t kept = bri_w32_kept(0);
    GetProcessHandleCount(GetCurrentProcess(), &told);
    size_t count = told != 0 ? told : count_by_trying();
    return count > kept ? count - kept : 0;
}

brood_status brp_handle_open_null(brp_handle *handle)
{
    HANDLE opened = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE,
                                FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (opened == INVALID_HANDLE_VALUE)
        return brp_fail(bri_w32_error(), "could not open \"NUL\"");
    *handle = bri_w32_value(opened);
    return BROOD_OK;
}
