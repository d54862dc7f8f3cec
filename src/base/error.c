/* base/error.c - the thread's last error and the status tables. */
#include "base/error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct last_error {
    brood_error view; /* what brood_last_error() gives out; points at `message` */
    char message[BRI_MESSAGE_SIZE];
} last_error;

static _Thread_local last_error last;

static const struct {
    const char *name;
    const char *text;
} statuses[] = {
#define STATUS_ROW(name, text) {#name, text},
    BROOD_STATUS_MAP(STATUS_ROW)
#undef STATUS_ROW
};

static int is_status(brood_status status)
{
    return (size_t)status < sizeof statuses / sizeof statuses[0];
}

const char *brood_status_name(brood_status status)
{
    return is_status(status) ? statuses[status].name : "?";
}

const char *brood_status_text(brood_status status)
{
    return is_status(status) ? statuses[status].text : "unknown status";
}

const brood_error *brood_last_error(void)
{
    last.view.message = last.message;
    return &last.view;
}

const char *brood_status_message(brood_status status)
{
    bool described = last.view.status == status && last.message[0] != '\0';
    return described ? last.message : brood_status_text(status);
}

/* Ends a message that did not fit with "...", without cutting a UTF-8 sequence in two. */
static void mark_cut(char *message)
{
    size_t end = BRI_MESSAGE_SIZE - 4;
    while (end > 0 && ((unsigned char)message[end] & 0xC0) == 0x80)
        end--;
    memcpy(message + end, "...", 4);
}

static brood_status set_last(brood_status status, long system_code, const char *message, int cut)
{
    memcpy(last.message, message, BRI_MESSAGE_SIZE);
    if (cut)
        mark_cut(last.message);
    last.view.status = status;
    last.view.system_code = system_code;
    return status;
}

brood_status bri_fail_system(brood_status status, long system_code, const char *reason,
                             const char *format, va_list arguments)
{
    char message[BRI_MESSAGE_SIZE];
    int written = vsnprintf(message, sizeof message, format, arguments);
    size_t length = written < 0 ? 0 : (size_t)written;
    if (length < sizeof message && reason != NULL) {
        written = snprintf(message + length, sizeof message - length, ": %s", reason);
        length += written < 0 ? 0 : (size_t)written;
    }
    return set_last(status, system_code, message, length >= sizeof message);
}

brood_status bri_fail(brood_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bri_fail_system(status, 0, NULL, format, arguments);
    va_end(arguments);
    return status;
}

brood_status bri_fail_within(const char *format, ...)
{
    bri_saved_error inner;
    bri_error_save(&inner);
    va_list arguments;
    va_start(arguments, format);
    bri_fail_system(inner.status, inner.system_code, inner.message, format, arguments);
    va_end(arguments);
    return inner.status;
}

void bri_error_save(bri_saved_error *saved)
{
    saved->status = last.view.status;
    saved->system_code = last.view.system_code;
    memcpy(saved->message, last.message, sizeof saved->message);
}

void bri_error_restore(const bri_saved_error *saved)
{
    set_last(saved->status, saved->system_code, saved->message, 0);
}
