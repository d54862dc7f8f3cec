/* posix/error.c - errno as a brood status, with the text that is the same in every locale. */
#define _GNU_SOURCE
#include "platform/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

brood_status brp_status_of(long system_code)
{
    switch (system_code) {
    case ENOMEM:
        return BROOD_ENOMEM;
    case EACCES:
    case EPERM:
    case EROFS:
        return BROOD_EACCESS;
    case ENOENT:
    case ENOTDIR:
    case ESRCH:
    case ECONNREFUSED: /* nobody listens there */
    case EADDRNOTAVAIL:
        return BROOD_ENOTFOUND;
    case EEXIST:
    case EADDRINUSE:
        return BROOD_EEXIST;
    case EMFILE:
    case ENFILE:
    case EAGAIN: /* of fork and posix_spawn; elsewhere it never gets as far as here */
        return BROOD_ELIMIT;
    case EPIPE:
    case ECONNRESET:
        return BROOD_EEOF;
    default:
        return BROOD_EOS;
    }
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

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
void brp_error_text(long system_code, char *text, size_t size)
{
    const char *description = strerrordesc_np((int)system_code);
    if (description != NULL)
        snprintf(text, size, "%s", description);
    else
        snprintf(text, size, "Unknown error %ld", system_code);
}
#else
/* strerror_r has two signatures; these two take either's result. */
static const char *use_text(const char *result, const char *buffer)
{
    (void)buffer;
    return result;
}

static const char *use_number(int result, const char *buffer)
{
    return result == 0 ? buffer : "Unknown error";
}

void brp_error_text(long system_code, char *text, size_t size)
{
    char buffer[256] = "";
    const char *description =
        _Generic(strerror_r(0, buffer, 1), int
                 : use_number, default
                 : use_text)(strerror_r((int)system_code, buffer, sizeof buffer), buffer);
    snprintf(text, size, "%s", description);
}
#endif
