/* data/reader_text.c - the instructions of pickle whose operands are lines of text. */
#include "base/error.h"
#include "data/reader.h"
#include "data/text.h"

static brood_status push_parsed(bri_reader *r, const char *line, size_t size)
{
    brood_value value;
    BROOD_TRY(bri_reader_charge(r, sizeof(bri_text) + size));
    if (bri_integer_parse(line, size, &value) == BROOD_OK)
        return bri_reader_push(r, value);
    brood_status status = brood_last_error()->status;
    return status == BROOD_EFORMAT ? bri_reader_fail(r, status, "a line is no int") : status;
}

brood_status bri_read_int_line(bri_reader *r)
{
    const char *line;
    size_t size;
    BROOD_TRY(bri_reader_line(r, &line, &size));
    if (size == 2 && line[0] == '0' && (line[1] == '0' || line[1] == '1'))
        return bri_reader_push(r, brood_bool(line[1] == '1'));
    return push_parsed(r, line, size);
}

brood_status bri_read_long_line(bri_reader *r)
{
    const char *line;
    size_t size;
    BROOD_TRY(bri_reader_line(r, &line, &size));
    if (size > 0 && line[size - 1] == 'L')
        size--;
    return push_parsed(r, line, size);
}

brood_status bri_read_float_line(bri_reader *r)
{
    const char *line;
    size_t size;
    double number;
    BROOD_TRY(bri_reader_line(r, &line, &size));
    brood_status status = bri_float_parse(line, size, &number);
    if (status == BROOD_OK)
        return bri_reader_push(r, brood_float(number));
    return status == BROOD_EFORMAT ? bri_reader_fail(r, status, "a line is no float") : status;
}

brood_status bri_read_index_line(bri_reader *r, size_t *index)
{
    const char *line;
    size_t size;
    BROOD_TRY(bri_reader_line(r, &line, &size));
    size_t result = 0;
    for (size_t i = 0; i < size; i++) {
        if (line[i] < '0' || line[i] > '9' || result > SIZE_MAX / 16)
            return bri_reader_fail(r, BROOD_EFORMAT, "a line is no memo slot");
        result = result * 10 + (size_t)(line[i] - '0');
    }
    if (size == 0)
        return bri_reader_fail(r, BROOD_EFORMAT, "a line is no memo slot");
    *index = result;
    return BROOD_OK;
}

/* ---- the str of Python 2 ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to three octal digits. */
static size_t take_octal(const char *text, size_t size, unsigned *byte)
{
    size_t n = 0;
    *byte = 0;
    for (; n < 3 && n < size && text[n] >= '0' && text[n] <= '7'; n++)
        *byte = *byte * 8 + (unsigned)(text[n] - '0');
    return n;
}

static int simple_escape(char c)
{
    static const char letters[] = "\\'\"abfnrtv";
    static const char bytes[] = "\\'\"\a\b\f\n\r\t\v";
    const char *found = memchr(letters, c, sizeof letters - 1);
    return found == NULL ? -1 : bytes[found - letters];
}

/* Undoes the escapes of Python 2's repr in place of `out`, which has room for the text. False if
 * one is malformed. */
static bool unescape(const char *text, size_t size, unsigned char *out, size_t *written)
{
    size_t n = 0;
    for (size_t i = 0; i < size;) {
        if (text[i] != '\\') {
            out[n++] = (unsigned char)text[i++];
            continue;
        }
        if (++i == size)
            return false;
        unsigned byte;
        size_t digits = take_octal(text + i, size - i, &byte);
        if (digits != 0) {
            out[n++] = (unsigned char)byte;
            i += digits;
        } else if (text[i] == 'x') {
            int high = i + 2 < size ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < size ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            out[n++] = (unsigned char)(high * 16 + low);
            i += 3;
        } else if (simple_escape(text[i]) >= 0) {
            out[n++] = (unsigned char)simple_escape(text[i++]);
        } else { /* an unknown escape stands for itself */
            out[n++] = '\\';
        }
    }
    *written = n;
    return true;
}

static bool is_ascii(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] >= 0x80)
            return false;
    return true;
}

brood_status bri_reader_push_ascii(bri_reader *r, const unsigned char *bytes, size_t size)
{
    if (!is_ascii(bytes, size))
        return bri_reader_fail(r, BROOD_EFORMAT, "a str of Python 2 is not ASCII");
    brood_value text;
    BROOD_TRY(bri_reader_text(r, BROOD_STR, size, &text));
    if (size != 0)
        memcpy(bri_text_of(&text)->data, bytes, size);
    return bri_reader_push(r, text);
}

/* A text block of a final size that is only known after it was filled. */
static void shrink(brood_value *text, size_t size)
{
    bri_text_of(text)->size = size;
    bri_text_of(text)->data[size] = '\0';
}

brood_status bri_read_string_line(bri_reader *r)
{
    const char *line;
    size_t size;
    BROOD_TRY(bri_reader_line(r, &line, &size));
    if (size < 2 || (line[0] != '\'' && line[0] != '"') || line[size - 1] != line[0])
        return bri_reader_fail(r, BROOD_EFORMAT, "a str of Python 2 lacks its quotes");
    brood_value text;
    BROOD_TRY(bri_reader_text(r, BROOD_STR, size - 2, &text));
    unsigned char *out = (unsigned char *)bri_text_of(&text)->data;
    size_t written;
    if (!unescape(line + 1, size - 2, out, &written) || !is_ascii(out, written)) {
        brood_value_clear(&text);
        return bri_reader_fail(r, BROOD_EFORMAT, "a str of Python 2 is malformed or not ASCII");
    }
    shrink(&text, written);
    return bri_reader_push(r, text);
}

/* ---- raw-unicode-escape ---- */

/* The code point of \uXXXX or \UXXXXXXXX at `text`; 0 digits if it is another escape, SIZE_MAX if
 * malformed. */
static size_t take_escape(const char *text, size_t size, uint32_t *code)
{
    size_t digits = size < 2 ? 0 : text[1] == 'u' ? 4 : text[1] == 'U' ? 8 : 0;
    if (digits == 0)
        return 0;
    if (size < 2 + digits)
        return SIZE_MAX;
    *code = 0;
    for (size_t i = 0; i < digits; i++) {
        int digit = hex_digit(text[2 + i]);
        if (digit < 0 || *code > 0x10FFFF)
            return SIZE_MAX;
        *code = *code * 16 + (uint32_t)digit;
    }
    return *code > 0x10FFFF ? SIZE_MAX : 2 + digits;
}

/* Decodes; other bytes are Latin-1. Counts only when `out` is NULL. SIZE_MAX if an escape is
 * malformed. */
static size_t decode_raw(const char *text, size_t size, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < size;) {
        uint32_t code = (unsigned char)text[i];
        size_t used = 1;
        if (text[i] == '\\') {
            size_t escape = take_escape(text + i, size - i, &code);
            if (escape == SIZE_MAX)
                return SIZE_MAX;
            used = escape == 0 ? 1 : escape;
        }
        char buffer[4];
        size_t length = bri_utf8_put(buffer, code);
        if (out != NULL)
            memcpy(out + n, buffer, length);
        n += length;
        i += used;
        /* A backslash that begins no \u takes the next character with it. */
        if (code == '\\' && used == 1 && i < size && text[i] == '\\') {
            if (out != NULL)
                out[n] = '\\';
            n++;
            i++;
        }
    }
    return n;
}

brood_status bri_read_unicode_line(bri_reader *r)
{
    const char *line;
    size_t size;
    BROOD_TRY(bri_reader_line(r, &line, &size));
    size_t length = decode_raw(line, size, NULL);
    if (length == SIZE_MAX)
        return bri_reader_fail(r, BROOD_EFORMAT, "a str has a malformed escape");
    brood_value text;
    BROOD_TRY(bri_reader_text(r, BROOD_STR, length, &text));
    decode_raw(line, size, bri_text_of(&text)->data);
    return bri_reader_push(r, text);
}

/* ---- bytes in the guise of str, as protocols below 3 have them ---- */

brood_status bri_reader_latin1(bri_reader *r, const brood_value *str, brood_value *bytes)
{
    const bri_text *text = bri_text_of(str);
    const char *end = text->data + text->size;
    size_t count = 0;
    for (const char *c = text->data; c < end; count++)
        if (bri_utf8_next(&c) > 0xFF)
            return bri_reader_fail(r, BROOD_EFORMAT, "bytes are not Latin-1");
    BROOD_TRY(bri_reader_text(r, BROOD_BYTES, count, bytes));
    char *out = bri_text_of(bytes)->data;
    for (const char *c = text->data; c < end;)
        *out++ = (char)bri_utf8_next(&c);
    return BROOD_OK;
}
