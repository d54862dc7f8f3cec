/*
 * support.h - what the tests of src/platform and their helper programs share. It needs nothing
 * above src/platform but core/thread.h, so that these tests stand when the library does not.
 *
 * A helper program is started in a role: its marker variable names the handles that it was given
 * and the role. It reports over the first handle, a stream.
 */
#ifndef PT_SUPPORT_H
#define PT_SUPPORT_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "platform/clock.h"
#include "platform/spawn.h"
#include "platform/stream.h"

#define PT_MARKER "BROOD_PLATFORM_TEST"

#ifdef _WIN32
#define PT_SYSTEM "Windows"
#define PT_EXE ".exe"
#define PT_MODULE ".dll"
enum { PT_IS_WINDOWS = 1 };
#else
#define PT_SYSTEM "POSIX"
#define PT_EXE ""
#define PT_MODULE ".so"
enum { PT_IS_WINDOWS = 0 };
#endif

/* Sanitizers have threads, addresses and memory of their own. */
#if defined(__SANITIZE_THREAD__)
#define PT_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PT_THREAD_SANITIZER 1
#endif
#endif
#ifndef PT_THREAD_SANITIZER
#define PT_THREAD_SANITIZER 0
#endif
#if defined(__SANITIZE_ADDRESS__)
#define PT_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PT_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef PT_ADDRESS_SANITIZER
#define PT_ADDRESS_SANITIZER 0
#endif
enum { PT_SANITIZED = PT_THREAD_SANITIZER || PT_ADDRESS_SANITIZER };

/* Anything that takes longer than this hangs. */
enum { PT_HANG_MS = 30000 };

static inline bri_deadline pt_in(brood_ms timeout)
{
    return bri_deadline_after(brp_clock_now(), timeout);
}

static inline bri_deadline pt_hang(void)
{
    return pt_in(PT_HANG_MS);
}

/* Writes a whole text, a line of a report. */
static inline brood_status pt_say(brp_handle stream, const char *text)
{
    brp_bytes part = {.data = text, .size = strlen(text)};
    size_t written;
    return brp_stream_write_all(stream, &part, 1, &written, pt_hang());
}

/* Reads to the end of the stream; NUL-terminated, to be freed with bri_free. NULL when it fails or
 * hangs. */
static inline char *pt_read_all(brp_handle stream, size_t *size)
{
    size_t length = 0, room = 4096;
    char *text = bri_alloc(room);
    while (text != NULL) {
        size_t got = 0;
        brood_status status =
            brp_stream_read(stream, text + length, room - 1 - length, &got, pt_hang());
        length += got;
        text[length] = '\0';
        if (status == BROOD_EEOF)
            break;
        if (status != BROOD_OK) {
            fprintf(stderr, "reading a report: %s\n", brood_status_name(status));
            bri_free(text);
            return NULL;
        }
        if (length == room - 1) {
            char *larger = bri_realloc(text, room * 2);
            if (larger == NULL)
                bri_free(text);
            text = larger;
            room *= 2;
        }
    }
    if (size != NULL)
        *size = length;
    return text;
}

/* Whether one byte comes in time; it is taken. */
static inline bool pt_await_byte(brp_handle stream, brood_ms limit)
{
    char byte;
    size_t got = 0;
    return brp_stream_read(stream, &byte, 1, &got, pt_in(limit)) == BROOD_OK;
}

#endif /* PT_SUPPORT_H */
