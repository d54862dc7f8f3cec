/* win32/error.c - GetLastError() as brood statuses, with FormatMessage's text. */
#include "platform/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "win32/utf16.h"
#include "win32/win32.h"

static const struct {
    DWORD code;
    brood_status status;
} meanings[] = {
    {ERROR_NOT_ENOUGH_MEMORY, BROOD_ENOMEM},
    {ERROR_OUTOFMEMORY, BROOD_ENOMEM},
    {ERROR_COMMITMENT_LIMIT, BROOD_ENOMEM},
    {ERROR_COMMITMENT_MINIMUM, BROOD_ENOMEM},
    {ERROR_WORKING_SET_QUOTA, BROOD_ENOMEM},
    {WSAENOBUFS, BROOD_ENOMEM},
    {ERROR_ACCESS_DENIED, BROOD_EACCESS},
    {ERROR_SHARING_VIOLATION, BROOD_EACCESS},
    {ERROR_LOCK_VIOLATION, BROOD_EACCESS},
    {ERROR_PRIVILEGE_NOT_HELD, BROOD_EACCESS},
    {740, BROOD_EACCESS}, /* ERROR_ELEVATION_REQUIRED */
    {ERROR_ACCESS_DISABLED_BY_POLICY, BROOD_EACCESS},
    {WSAEACCES, BROOD_EACCESS},
    {ERROR_FILE_NOT_FOUND, BROOD_ENOTFOUND},
    {ERROR_PATH_NOT_FOUND, BROOD_ENOTFOUND},
    {ERROR_INVALID_NAME, BROOD_ENOTFOUND},
    {ERROR_BAD_PATHNAME, BROOD_ENOTFOUND},
    {ERROR_INVALID_DRIVE, BROOD_ENOTFOUND},
    {ERROR_BAD_NETPATH, BROOD_ENOTFOUND},
    {ERROR_BAD_NET_NAME, BROOD_ENOTFOUND},
    {ERROR_DIRECTORY, BROOD_ENOTFOUND},
    {ERROR_MOD_NOT_FOUND, BROOD_ENOTFOUND},
    {WSAECONNREFUSED, BROOD_ENOTFOUND}, /* nobody listens there */
    {ERROR_CONNECTION_REFUSED, BROOD_ENOTFOUND},
    {WSAEADDRNOTAVAIL, BROOD_ENOTFOUND},
    {WSAHOST_NOT_FOUND, BROOD_ENOTFOUND},
    {ERROR_ALREADY_EXISTS, BROOD_EEXIST},
    {ERROR_FILE_EXISTS, BROOD_EEXIST},
    {WSAEADDRINUSE, BROOD_EEXIST},
    {ERROR_TOO_MANY_OPEN_FILES, BROOD_ELIMIT},
    {ERROR_NO_SYSTEM_RESOURCES, BROOD_ELIMIT},
    {ERROR_NOT_ENOUGH_QUOTA, BROOD_ELIMIT},
    {ERROR_NO_MORE_USER_HANDLES, BROOD_ELIMIT},
    {ERROR_MAX_THRDS_REACHED, BROOD_ELIMIT},
    {ERROR_NO_PROC_SLOTS, BROOD_ELIMIT},
    {ERROR_ACTIVE_CONNECTIONS, BROOD_ELIMIT},
    {ERROR_PIPE_BUSY, BROOD_ELIMIT},
    {WSAEMFILE, BROOD_ELIMIT},
    {WSAEPROCLIM, BROOD_ELIMIT},
    {ERROR_HANDLE_EOF, BROOD_EEOF},
    {ERROR_BROKEN_PIPE, BROOD_EEOF},
    {ERROR_NO_DATA, BROOD_EEOF}, /* "the pipe is being closed" */
    {ERROR_PIPE_NOT_CONNECTED, BROOD_EEOF},
    {ERROR_NETNAME_DELETED, BROOD_EEOF},
    {WSAECONNRESET, BROOD_EEOF},
    {WSAECONNABORTED, BROOD_EEOF},
    {ERROR_NOT_SUPPORTED, BROOD_ENOTSUP},
    {ERROR_CALL_NOT_IMPLEMENTED, BROOD_ENOTSUP},
};

brood_status brp_status_of(long system_code)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].code == (DWORD)system_code)
            return meanings[i].status;
    }
    return BROOD_EOS;
}

brood_status brp_fail(long system_code, const char *format, ...)
{
    char reason[256];
    brp_error_text(system_code, reason, sizeof reason);
    brood_status status = brp_status_of(system_code);
    va_list arguments;
    va_start(arguments, format);
    bri_fail_system(status, system_code, reason, format, arguments);
    va_end(arguments);
    return status;
}

void brp_error_text(long system_code, char *text, size_t size)
{
    if (size == 0)
        return;
    wchar_t units[512];
    DWORD flags =
        FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK;
    DWORD n = FormatMessageW(flags, NULL, (DWORD)system_code, 0, units,
                             sizeof units / sizeof units[0], NULL);
    while (n > 0 && (units[n - 1] <= L' ' || units[n - 1] == L'.'))
        n--;
    if (n == 0) {
        snprintf(text, size, "error %lu", (unsigned long)(DWORD)system_code);
        return;
    }
    size_t written;
    bri_w32_encode(units, n, text, size - 1, &written);
    text[written] = '\0';
}
