/* win32/handle.c - HANDLEs of this process. */
#include "platform/handle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "win32/win32.h"

#include <winternl.h>

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

/* What NtQuerySystemInformation tells of each handle of each process, under a number that
 * winternl.h lacks. */
typedef struct handle_entry {
    PVOID object;
    ULONG_PTR pid, value;
    ULONG access;
    USHORT creator, type;
    ULONG attributes, reserved;
} handle_entry;

typedef struct handle_table {
    ULONG_PTR n, reserved;
    handle_entry entries[1];
} handle_table;

/* For systems where GetProcessHandleCount answers 0 (Wine). */
static size_t count_in_table(void)
{
    enum { EXTENDED_HANDLE_INFORMATION = 64, MOST = 1 << 26 };
    const NTSTATUS too_small = (NTSTATUS)0xC0000004;
    NTSTATUS status = too_small;
    handle_table *table = NULL;
    for (ULONG size = 1 << 18; status == too_small && size <= MOST; size *= 4) {
        HeapFree(GetProcessHeap(), 0, table);
        table = HeapAlloc(GetProcessHeap(), 0, size); /* not counted as a block of ours */
        if (table == NULL)
            return 0;
        status = NtQuerySystemInformation((SYSTEM_INFORMATION_CLASS)EXTENDED_HANDLE_INFORMATION,
                                          table, size, NULL);
    }
    size_t n = 0;
    for (ULONG_PTR i = 0; status >= 0 && i < table->n; i++)
        n += table->entries[i].pid == GetCurrentProcessId();
    HeapFree(GetProcessHeap(), 0, table);
    return n;
}

size_t brp_handle_count(void)
{
    DWORD told = 0;
    size_t kept = bri_w32_kept(0);
    GetProcessHandleCount(GetCurrentProcess(), &told);
    size_t count = told != 0 ? told : count_in_table();
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
