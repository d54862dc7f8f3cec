/* data/utf8.c - UTF-8 with lone surrogates, as Python's "surrogatepass" has it. */
#include <string.h>

#include "data/text.h"

#include "base/error.h"

/* The size of the well-formed sequence at `s`, 0 if there is none. */
static size_t sequence_size(const unsigned char *s, size_t size, bool surrogates)
{
    unsigned char lead = s[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (length == 0 || length > size || lead > 0xF4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((lead == 0xE0 && s[1] < 0xA0) || (lead == 0xF0 && s[1] < 0x90) ||
        (lead == 0xF4 && s[1] > 0x8F) || (lead == 0xED && s[1] > 0x9F && !surrogates))
        return 0;
    return length;
}

static size_t valid_size(const char *text, size_t size, bool surrogates)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t i = 0;
    while (i < size) {
        uint64_t eight;
        while (size - i >= sizeof eight) {
            memcpy(&eight, s + i, sizeof eight);
            if (eight & UINT64_C(0x8080808080808080))
                break;
            i += sizeof eight;
        }
        while (i < size && s[i] < 0x80)
            i++;
        if (i == size)
            break;
        size_t length = sequence_size(s + i, size - i, surrogates);
        if (length == 0)
            return i;
        i += length;
    }
    return i;
}

size_t bri_utf8_valid(const char *text, size_t size)
{
    return valid_size(text, size, true);
}

brood_status bri_utf8_check_name(const char *what, const char *name)
{
    size_t valid = bri_utf8_valid(name, strlen(name));
    if (name[valid] == '\0')
        return BROOD_OK;
    return bri_fail(BROOD_EFORMAT, "could not %s: byte %zu of the name is not UTF-8", what, valid);
}

size_t bri_utf8_strict(const char *text, size_t size)
{
    return valid_size(text, size, false);
}

uint32_t bri_utf8_next(const char **text)
{
    const unsigned char *s = (const unsigned char *)*text;
    uint32_t lead = s[0];
    if (lead < 0x80) {
        *text += 1;
        return lead;
    }
    if (lead < 0xE0) {
        *text += 2;
        return (lead & 0x1F) << 6 | (s[1] & 0x3Fu);
    }
    if (lead < 0xF0) {
        *text += 3;
        return (lead & 0x0F) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
    }
    *text += 4;
    return (lead & 0x07) << 18 | (s[1] & 0x3Fu) << 12 | (s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu);
}

size_t bri_utf8_put(char out[4], uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}
