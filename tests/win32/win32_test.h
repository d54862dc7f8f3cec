/*
 * win32_test.h - what the tests of src/win32 share. They know nothing of the layers above the
 * platform.
 */
#ifndef WIN32_TEST_H
#define WIN32_TEST_H

/* cmocka.h wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "platform/clock.h"
#include "win32/win32.h"

#define expect_ok(call) expect_status((call), BROOD_OK, #call, __LINE__)
#define expect_fails(call, status) expect_status((call), (status), #call, __LINE__)

static inline void expect_status(brood_status got, brood_status wanted, const char *call, int line)
{
    if (got == wanted)
        return;
    fail_msg("line %d: %s gave %s, not %s: %s", line, call, brood_status_name(got),
             brood_status_name(wanted), brood_last_error()->message);
}

static inline void expect_message(const char *text)
{
    if (strstr(brood_last_error()->message, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, brood_last_error()->message);
}

/* A point that is far enough away to mean "it hangs". */
static inline bri_deadline soon(void)
{
    return bri_deadline_after(brp_clock_now(), 20000);
}

#endif /* WIN32_TEST_H */
