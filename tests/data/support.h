/*
 * support.h - what the tests of src/base and src/data share. They are pure computation: no
 * brood_init, no processes; the ledger is the blocks of memory.
 */
#ifndef DT_SUPPORT_H
#define DT_SUPPORT_H

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

#include <brood/pickle.h>

#include "base/memory.h"

#define dt_ok(call) dt_expect((call), BROOD_OK, #call, __FILE__, __LINE__)
#define dt_fails(call, status) dt_expect((call), (status), #call, __FILE__, __LINE__)
static inline void dt_expect(brood_status got, brood_status wanted, const char *call,
                             const char *file, int line)
{
    if (got == wanted && (got == BROOD_OK || brood_last_error()->status == got))
        return;
    print_error("%s gave %s, not %s; the last error: %s: %s\n", call, brood_status_name(got),
                brood_status_name(wanted), brood_status_name(brood_last_error()->status),
                brood_last_error()->message);
    _fail(file, line);
}

#define dt_message(text) assert_string_equal(brood_last_error()->message, (text))
#define dt_message_has(text) dt_expect_message((text), __FILE__, __LINE__)
static inline void dt_expect_message(const char *text, const char *file, int line)
{
    if (strstr(brood_last_error()->message, text) != NULL)
        return;
    print_error("the last error is \"%s\", without \"%s\"\n", brood_last_error()->message, text);
    _fail(file, line);
}

/* The maker of `value` failed with this status; `value` is evaluated once. */
#define dt_invalid(value, status) dt_expect_invalid((value), (status), #value, __FILE__, __LINE__)
static inline void dt_expect_invalid(brood_value value, brood_status status, const char *call,
                                     const char *file, int line)
{
    brood_kind kind = brood_value_kind(&value);
    brood_value_clear(&value);
    if (kind == BROOD_INVALID)
        dt_expect(brood_last_error()->status, status, call, file, line);
    else {
        print_error("%s gave a %s\n", call, brood_kind_name(kind));
        _fail(file, line);
    }
}

/* The repr of a value, which stays. */
#define dt_repr_is(value, text) dt_expect_repr((value), (text), __FILE__, __LINE__)
static inline void dt_expect_repr(const brood_value *value, const char *text, const char *file,
                                  int line)
{
    char *repr = NULL;
    dt_expect(brood_value_repr(value, &repr), BROOD_OK, "repr", file, line);
    if (strcmp(repr, text) != 0) {
        print_error("the repr is\n%s\nand not\n%s\n", repr, text);
        _fail(file, line);
    }
    brood_free(repr);
}

/* The same for a value made on the spot, which is cleared. */
#define dt_shows(value, text) dt_expect_shows((value), (text), __FILE__, __LINE__)
static inline void dt_expect_shows(brood_value value, const char *text, const char *file, int line)
{
    dt_expect_repr(&value, text, file, line);
    brood_value_clear(&value);
}

/* A test leaves no block behind. */
#define dt_test(function) cmocka_unit_test_setup_teardown(function, dt_open_ledger, dt_close_ledger)

static long dt_blocks_before;

static inline int dt_open_ledger(void **state)
{
    (void)state;
    dt_blocks_before = bri_memory_blocks();
    return 0;
}

static inline int dt_close_ledger(void **state)
{
    (void)state;
    bri_memory_fail_at(0, 0);
    if (bri_memory_blocks() == dt_blocks_before)
        return 0;
    print_error("LEAK: blocks %ld -> %ld\n", dt_blocks_before, bri_memory_blocks());
    return -1;
}

#define dt_main(...)                                      \
    int main(void)                                        \
    {                                                     \
        const struct CMUnitTest tests[] = {__VA_ARGS__};  \
        return cmocka_run_group_tests(tests, NULL, NULL); \
    }

#endif /* DT_SUPPORT_H */
