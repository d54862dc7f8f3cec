/*
 * win32/utf16.h - UTF-8 to UTF-16 and back, and paths for the system.
 *
 * File names of Windows may hold half of a surrogate pair. It travels as the three bytes that UTF-8
 * would use for its number (as Python's "surrogatepass"), so that every name survives the way there
 * and back.
 */
#ifndef BRI_W32_UTF16_H
#define BRI_W32_UTF16_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/error.h"

/* Writes at most `room` units, never half of a pair, without a NUL; *taken tells how many bytes
 * were read. Returns the units. It stops early at a byte that is not UTF-8. */
size_t bri_w32_decode(const char *text, size_t size, wchar_t *units, size_t room, size_t *taken);

/* Writes at most `room` bytes, whole characters only, without a NUL. Returns the bytes that all
 * units need or, when that is more than `room`, the bytes written are those of the characters that
 * fit and *written tells how many. */
size_t bri_w32_encode(const wchar_t *units, size_t n, char *text, size_t room, size_t *written);

/* A copy as UTF-16 with NUL, to be freed with bri_free. NULL with BROOD_EINVALID or BROOD_ENOMEM as
 * the last error. */
wchar_t *bri_w32_wide(const char *text);

/* A copy as UTF-8 with NUL, to be freed with bri_free. NULL with BROOD_ENOMEM. */
char *bri_w32_utf8(const wchar_t *units, size_t n);

/* The absolute path for the system: forward slashes turned, long ones with the \\?\ prefix that
 * lifts the limit of 260 units. To be freed with bri_free; NULL with the last error set. */
wchar_t *bri_w32_path(const char *path);

/* Replaces a path of bri_w32_path that has the prefix by its short form (8.3 names), for the calls
 * that know no long paths. `keep_prefix` as the call wants it. Leaves it alone and gives false when
 * the volume has no short form. */
bool bri_w32_shorten(wchar_t **path, bool keep_prefix);

/* Puts the prefix before a full path with a short name in it. False when it is none. */
bool bri_w32_add_prefix(wchar_t **path);

/* The path of a module without a needless \\?\ prefix, as UTF-8; `module` NULL is the executable.
 */
char *bri_w32_module_path(void *module);

#endif /* BRI_W32_UTF16_H */
