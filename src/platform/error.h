/*
 * platform/error.h - the system's error numbers as brood statuses with the system's own text.
 *
 * What holds for all of src/platform: results are never NULL unless said otherwise; outputs are
 * untouched on failure; every failure is described by brp_fail where it happens; text is UTF-8;
 * every handle is made non-inheritable (CLOEXEC) in the same step that makes it; calls interrupted
 * by a signal go on; deadlines are points of brp_clock_now(), BRI_NEVER waits for ever, a deadline
 * that has passed means: try once, do not wait.
 */
#ifndef BRP_ERROR_H
#define BRP_ERROR_H

#include <stddef.h>

#include "base/error.h"

/* The status that fits an errno / GetLastError() value: ENOMEM, EACCESS, ENOTFOUND, EEXIST, ELIMIT
 * (out of handles or processes), EEOF (broken pipe), else BROOD_EOS. */
brood_status brp_status_of(long system_code);

/* Sets the last error with the system's reason and returns brp_status_of(system_code). */
brood_status brp_fail(long system_code, const char *format, ...) BROOD_PRINTF(2, 3);

/* The system's text for a code, cut to fit, without a newline or full stop at its end. */
void brp_error_text(long system_code, char *text, size_t size);

#endif /* BRP_ERROR_H */
