/* win32/utf16.c - see the header. */
#include "win32/utf16.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "win32/win32.h"

/* The length of the sequence that starts here, 0 when it is not UTF-8; surrogates are taken as the
 * header says. */
static size_t decode_one(const unsigned char *bytes, size_t size, uint32_t *number)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = bytes[0];
    if (first < 0x80) {
        *number = first;
        return 1;
    }
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || length > size)
        return 0;
    uint32_t value = first & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (bytes[i] & 0x3Fu);
    }
    if (value < least[length] || value > 0x10FFFF)
        return 0;
    *number = value;
    return length;
}

size_t bri_w32_decode(const char *text, size_t size, wchar_t *units, size_t room, size_t *taken)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0, n = 0;
    while (at < size) {
        uint32_t number;
        size_t length = decode_one(bytes + at, size - at, &number);
        size_t needed = number >= 0x10000 ? 2 : 1;
        if (length == 0 || room - n < needed)
            break;
        if (needed == 2) {
            units[n++] = (wchar_t)(0xD800 + ((number - 0x10000) >> 10));
            units[n++] = (wchar_t)(0xDC00 + ((number - 0x10000) & 0x3FF));
        } else {
            units[n++] = (wchar_t)number;
        }
        at += length;
    }
    *taken = at;
    return n;
}

/* Writes the bytes of a character; the same form for a lone surrogate. */
static size_t encode_one(uint32_t number, char bytes[4])
{
    if (number < 0x80) {
        bytes[0] = (char)number;
        return 1;
    }
    size_t length = number < 0x800 ? 2 : number < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (number & 0x3F));
        number >>= 6;
    }
    bytes[0] = (char)((0xF00u >> length & 0xF0u) | number);
    return length;
}

static bool is_pair(const wchar_t *units, size_t left)
{
    return left > 1 && (units[0] & 0xFC00) == 0xD800 && (units[1] & 0xFC00) == 0xDC00;
}

size_t bri_w32_encode(const wchar_t *units, size_t n, char *text, size_t room, size_t *written)
{
    size_t needed = 0;
    bool fits = true;
    *written = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t number = units[i];
        if (is_pair(units + i, n - i)) {
            number = 0x10000 + ((number - 0xD800) << 10) + (units[i + 1] - 0xDC00u);
            i++;
        }
        char bytes[4];
        size_t length = encode_one(number, bytes);
        needed += length;
        fits = fits && needed <= room;
        if (fits) {
            memcpy(text + *written, bytes, length);
            *written += length;
        }
    }
    return needed;
}

wchar_t *bri_w32_wide(const char *text)
{
    size_t size = strlen(text), taken;
    wchar_t *units = bri_alloc((size + 1) * sizeof *units);
    if (units == NULL)
        return NULL;
    size_t n = bri_w32_decode(text, size, units, size, &taken);
    if (taken != size) {
        bri_fail(BROOD_EINVALID, "could not convert \"%.*s...\": not valid UTF-8", (int)taken,
                 text);
        bri_free(units);
        return NULL;
    }
    units[n] = L'\0';
    return units;
}

char *bri_w32_utf8(const wchar_t *units, size_t n)
{
    char *text = bri_alloc(n * 3 + 1);
    if (text == NULL)
        return NULL;
    size_t written;
    bri_w32_encode(units, n, text, n * 3, &written);
    text[written] = '\0';
    return text;
}

/* The full path in a new buffer with `margin` free units before it; NULL with the last error set.
 */
static wchar_t *full_path(const wchar_t *path, const char *shown, size_t margin, DWORD *length)
{
    DWORD room = 512;
    for (;;) {
        wchar_t *buffer = bri_alloc((margin + room) * sizeof *buffer);
        if (buffer == NULL)
            return NULL;
        *length = GetFullPathNameW(path, room, buffer + margin, NULL);
        if (*length != 0 && *length < room)
            return buffer;
        long error = bri_w32_error();
        bri_free(buffer);
        if (*length == 0) {
            brp_fail(error, "could not make \"%s\" a full path", shown);
            return NULL;
        }
        room = *length + 1;
    }
}

/* Directories end at 248 units, so that a name of 12 fits behind them. */
enum { SHORT_PATH = 247, PREFIX_ROOM = 8 };

wchar_t *bri_w32_path(const char *path)
{
    wchar_t *wide = bri_w32_wide(path);
    if (wide == NULL)
        return NULL;
    DWORD length;
    wchar_t *buffer = full_path(wide, path, PREFIX_ROOM, &length);
    bri_free(wide);
    if (buffer == NULL)
        return NULL;

    wchar_t *full = buffer + PREFIX_ROOM;
    const wchar_t *prefix = L"";
    if (length > SHORT_PATH && full[0] == L'\\' && full[1] == L'\\') {
        if (full[2] != L'?' && full[2] != L'.') {
            prefix = L"\\\\?\\UNC\\";
            full += 2;
            length -= 2;
        }
    } else if (length > SHORT_PATH) {
        prefix = L"\\\\?\\";
    }
    size_t prefix_length = wcslen(prefix);
    memmove(buffer + prefix_length, full, (length + 1) * sizeof *buffer);
    memcpy(buffer, prefix, prefix_length * sizeof *buffer);
    return buffer;
}

/* Turns \\?\C:\x into C:\x and \\?\UNC\server into \\server, in place. */
static void drop_prefix(wchar_t *path)
{
    size_t units = wcslen(path) + 1;
    if (wcsncmp(path, L"\\\\?\\UNC\\", 8) == 0)
        memmove(path + 2, path + 8, (units - 8) * sizeof *path);
    else if (wcsncmp(path, L"\\\\?\\", 4) == 0)
        memmove(path, path + 4, (units - 4) * sizeof *path);
}

bool bri_w32_shorten(wchar_t **path, bool keep_prefix)
{
    if (wcsncmp(*path, L"\\\\?\\", 4) != 0)
        return false;
    DWORD room = GetShortPathNameW(*path, NULL, 0);
    wchar_t *shorter = room != 0 ? bri_alloc(room * sizeof *shorter) : NULL;
    if (shorter == NULL)
        return false;
    DWORD length = GetShortPathNameW(*path, shorter, room);
    bool done = length != 0 && length < room && wcscmp(shorter, *path) != 0;
    if (done && !keep_prefix)
        drop_prefix(shorter);
    done = done && wcslen(shorter) <= SHORT_PATH;
    if (done) {
        bri_free(*path);
        *path = shorter;
    } else {
        bri_free(shorter);
    }
    return done;
}

char *bri_w32_module_path(void *module)
{
    for (DWORD room = 512;; room *= 2) {
        wchar_t *buffer = bri_alloc(room * sizeof *buffer);
        if (buffer == NULL)
            return NULL;
        DWORD length = GetModuleFileNameW((HMODULE)module, buffer, room);
        if (length != 0 && length < room) {
            /* A program that was started by a prefixed path is shown with it. */
            bool needless = length - 4 <= SHORT_PATH && wcsncmp(buffer, L"\\\\?\\", 4) == 0 &&
                            buffer[5] == L':';
            char *path =
                needless ? bri_w32_utf8(buffer + 4, length - 4) : bri_w32_utf8(buffer, length);
            bri_free(buffer);
            return path;
        }
        long error = bri_w32_error();
        bri_free(buffer);
        if (length == 0 || room > 65536) {
            brp_fail(error, "could not find the path of a module");
            return NULL;
        }
    }
}

bool bri_w32_add_prefix(wchar_t **path)
{
    size_t units = wcslen(*path) + 1;
    if ((*path)[0] == L'\0' || (*path)[1] != L':' || wcschr(*path, L'~') == NULL)
        return false;
    wchar_t *longer = bri_alloc((units + 4) * sizeof *longer);
    if (longer == NULL)
        return false;
    memcpy(longer, L"\\\\?\\", 4 * sizeof *longer);
    memcpy(longer + 4, *path, units * sizeof *longer);
    bri_free(*path);
    *path = longer;
    return true;
}
