/*
 * base/error.h - the one place that describes a failure.
 *
 * Messages have one form: could not <verb> <object> "<name>", lower case, no full stop; the reason
 * follows a colon. In posix/ and win32/ use brp_fail (platform/error.h), which adds the system's
 * reason.
 */
#ifndef BRI_ERROR_H
#define BRI_ERROR_H

#include <stdarg.h>

#include <brood/status.h>

/* Room for a message with its reason; longer ones are cut at a character boundary and end in "...".
 */
enum { BRI_MESSAGE_SIZE = 1024 };

/* Sets this thread's last error and returns `status`. */
brood_status bri_fail(brood_status status, const char *format, ...) BROOD_PRINTF(2, 3);

/* The same with the system's code and its text ("No such file or directory"), which may be NULL. */
brood_status bri_fail_system(brood_status status, long system_code, const char *reason,
                             const char *format, va_list arguments) BROOD_PRINTF(4, 0);

/* Puts "could not ...: " before the message of the last error, keeping its status and code: for a
 * caller that knows more than the place that failed. Returns the status. */
brood_status bri_fail_within(const char *format, ...) BROOD_PRINTF(1, 2);

/* Saves and restores the last error around clean-up that might fail itself. */
typedef struct bri_saved_error {
    brood_status status;
    long system_code;
    char message[BRI_MESSAGE_SIZE];
} bri_saved_error;

void bri_error_save(bri_saved_error *saved);
void bri_error_restore(const bri_saved_error *saved);

#endif /* BRI_ERROR_H */
