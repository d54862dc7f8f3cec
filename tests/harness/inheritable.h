/*
 * harness/inheritable.h - handles as careless programs leave them: every child would inherit them.
 */
#ifndef BT_INHERITABLE_H
#define BT_INHERITABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform/handle.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#endif

static inline void bt_make_inheritable(brp_handle handle)
{
#ifdef _WIN32
    assert_true(
        SetHandleInformation((HANDLE)handle.value, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
#else
    assert_int_equal(fcntl((int)handle.value, F_SETFD, 0), 0);
#endif
}

#endif /* BT_INHERITABLE_H */
