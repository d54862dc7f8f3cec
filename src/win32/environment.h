/*
 * win32/environment.h - environment blocks.
 */
#ifndef BRI_W32_ENVIRONMENT_H
#define BRI_W32_ENVIRONMENT_H

#include "platform/error.h"

/*
 * The block for CreateProcess: `entries` ("NAME=value", NULL at the end), or this process's own
 * environment for NULL (with the hidden "=C:=..." entries), without the variable `marker`; and
 * `marker`=`value` when both are given. Sorted by name, as the system's own functions expect. To be
 * freed with bri_free. BROOD_EINVALID for an entry without name or "=".
 */
brood_status bri_w32_environment(const char *const *entries, const char *marker, const char *value,
                                 wchar_t **block);

#endif /* BRI_W32_ENVIRONMENT_H */
