/* data/reader_scalar.c - the instructions of pickle that push what is no container. */
#include "base/error.h"
#include "data/opcodes.h"
#include "data/reader.h"
#include "data/text.h"

/* ---- reading from the bytes ---- */

brood_status bri_reader_fail_truncated(const bri_reader *r)
{
    return bri_reader_fail(r, BROOD_EFORMAT, "it is cut short");
}

brood_status bri_reader_take_number(bri_reader *r, size_t size, uint64_t *number)
{
    if (bri_reader_left(r) < size)
        return bri_reader_fail_truncated(r);
    uint64_t result = 0;
    for (size_t i = size; i-- > 0;)
        result = result << 8 | r->p[i];
    r->p += size;
    *number = result;
    return BROOD_OK;
}

/* A size, and as many bytes behind it. */
static brood_status take_sized(bri_reader *r, size_t width, const unsigned char **data,
                               size_t *size)
{
    uint64_t wanted = 0;
    BROOD_TRY(bri_reader_take_number(r, width, &wanted));
    if (wanted > bri_reader_left(r))
        return bri_reader_fail_truncated(r);
    *data = r->p;
    *size = (size_t)wanted;
    r->p += wanted;
    return BROOD_OK;
}

brood_status bri_reader_line(bri_reader *r, const char **line, size_t *size)
{
    const unsigned char *end =
        bri_reader_left(r) == 0 ? NULL : memchr(r->p, '\n', bri_reader_left(r));
    if (end == NULL)
        return bri_reader_fail_truncated(r);
    *line = (const char *)r->p;
    *size = (size_t)(end - r->p);
    r->p = end + 1;
    return BROOD_OK;
}

/* ---- instructions: scalars and texts ---- */

static brood_status run_none(bri_reader *r)
{
    return bri_reader_push(r, brood_none());
}

static brood_status run_true(bri_reader *r)
{
    return bri_reader_push(r, brood_bool(true));
}

static brood_status run_false(bri_reader *r)
{
    return bri_reader_push(r, brood_bool(false));
}

static brood_status run_binint(bri_reader *r)
{
    uint64_t number = 0;
    BROOD_TRY(bri_reader_take_number(r, 4, &number));
    return bri_reader_push(r, brood_int((int64_t)(number ^ 0x80000000u) - 0x80000000));
}

static brood_status run_binint1(bri_reader *r)
{
    uint64_t number = 0;
    BROOD_TRY(bri_reader_take_number(r, 1, &number));
    return bri_reader_push(r, brood_int((int64_t)number));
}

static brood_status run_binint2(bri_reader *r)
{
    uint64_t number = 0;
    BROOD_TRY(bri_reader_take_number(r, 2, &number));
    return bri_reader_push(r, brood_int((int64_t)number));
}

static brood_status push_integer(bri_reader *r, const unsigned char *bytes, size_t size)
{
    if (size > 8)
        BROOD_TRY(bri_reader_charge(r, sizeof(bri_text) + size + 1));
    brood_value value = bri_integer(bytes, size);
    return value.kind == BROOD_INVALID ? BROOD_ENOMEM : bri_reader_push(r, value);
}

static brood_status run_long1(bri_reader *r)
{
    const unsigned char *bytes = NULL;
    size_t size = 0;
    BROOD_TRY(take_sized(r, 1, &bytes, &size));
    return push_integer(r, bytes, size);
}

static brood_status run_long4(bri_reader *r)
{
    const unsigned char *bytes = NULL;
    size_t size = 0;
    BROOD_TRY(take_sized(r, 4, &bytes, &size));
    if (size > INT32_MAX)
        return bri_reader_fail(r, BROOD_EFORMAT, "an int has a negative size");
    return push_integer(r, bytes, size);
}

static brood_status run_binfloat(bri_reader *r)
{
    if (bri_reader_left(r) < 8)
        return bri_reader_fail_truncated(r);
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | *r->p++;
    double number;
    memcpy(&number, &bits, sizeof number);
    return bri_reader_push(r, brood_float(number));
}

static brood_status push_text(bri_reader *r, brood_kind kind, size_t width)
{
    const unsigned char *bytes = NULL;
    size_t size = 0;
    BROOD_TRY(take_sized(r, width, &bytes, &size));
    if (kind == BROOD_STR && bri_utf8_valid((const char *)bytes, size) != size)
        return bri_reader_fail(r, BROOD_EFORMAT, "a str is not UTF-8");
    brood_value text;
    BROOD_TRY(bri_reader_text(r, kind, size, &text));
    memcpy(bri_text_of(&text)->data, bytes, size);
    return bri_reader_push(r, text);
}

static brood_status run_short_binunicode(bri_reader *r)
{
    return push_text(r, BROOD_STR, 1);
}

static brood_status run_binunicode(bri_reader *r)
{
    return push_text(r, BROOD_STR, 4);
}

static brood_status run_binunicode8(bri_reader *r)
{
    return push_text(r, BROOD_STR, 8);
}

static brood_status run_short_binbytes(bri_reader *r)
{
    return push_text(r, BROOD_BYTES, 1);
}

static brood_status run_binbytes(bri_reader *r)
{
    return push_text(r, BROOD_BYTES, 4);
}

static brood_status run_binbytes8(bri_reader *r)
{
    return push_text(r, BROOD_BYTES, 8);
}

static brood_status run_bytearray8(bri_reader *r)
{
    BROOD_TRY(push_text(r, BROOD_BYTES, 8));
    r->stack.items[r->stack.count - 1].reserved[0] = BRI_MUTABLE_BYTES;
    return BROOD_OK;
}

static brood_status run_next_buffer(bri_reader *r)
{
    if (r->next_buffer >= r->options->n_buffers)
        return bri_reader_fail(r, BROOD_EFORMAT, "it wants more buffers than there are");
    const void *data = r->options->buffers[r->next_buffer].data;
    size_t size = r->options->buffers[r->next_buffer].size;
    r->next_buffer++;
    brood_value bytes;
    BROOD_TRY(bri_reader_text(r, BROOD_BYTES, size, &bytes));
    if (size != 0)
        memcpy(bri_text_of(&bytes)->data, data, size);
    bytes.reserved[0] = BRI_MUTABLE_BYTES;
    return bri_reader_push(r, bytes);
}

static brood_status run_readonly_buffer(bri_reader *r)
{
    brood_value *top = bri_reader_peek(r, 0);
    if (top == NULL)
        return BROOD_EFORMAT;
    if (top->kind != BROOD_BYTES)
        return bri_reader_fail(r, BROOD_EFORMAT, "what shall be read-only is no buffer");
    top->reserved[0] = 0;
    return BROOD_OK;
}

/* The text of protocols 0 and 1, which is ASCII as Python reads it. */
static brood_status push_ascii(bri_reader *r, size_t width)
{
    const unsigned char *bytes = NULL;
    size_t size = 0;
    BROOD_TRY(take_sized(r, width, &bytes, &size));
    if (width == 4 && size > INT32_MAX)
        return bri_reader_fail(r, BROOD_EFORMAT, "a str has a negative size");
    return bri_reader_push_ascii(r, bytes, size);
}

static brood_status run_binstring(bri_reader *r)
{
    return push_ascii(r, 4);
}

static brood_status run_short_binstring(bri_reader *r)
{
    return push_ascii(r, 1);
}

bri_instruction *const bri_scalar_instructions[256] = {
    [OP_NONE] = run_none,
    [OP_NEWTRUE] = run_true,
    [OP_NEWFALSE] = run_false,
    [OP_BININT] = run_binint,
    [OP_BININT1] = run_binint1,
    [OP_BININT2] = run_binint2,
    [OP_LONG1] = run_long1,
    [OP_LONG4] = run_long4,
    [OP_BINFLOAT] = run_binfloat,
    [OP_SHORT_BINUNICODE] = run_short_binunicode,
    [OP_BINUNICODE] = run_binunicode,
    [OP_BINUNICODE8] = run_binunicode8,
    [OP_SHORT_BINBYTES] = run_short_binbytes,
    [OP_BINBYTES] = run_binbytes,
    [OP_BINBYTES8] = run_binbytes8,
    [OP_BYTEARRAY8] = run_bytearray8,
    [OP_NEXT_BUFFER] = run_next_buffer,
    [OP_READONLY_BUFFER] = run_readonly_buffer,
    [OP_BINSTRING] = run_binstring,
    [OP_SHORT_BINSTRING] = run_short_binstring,
    [OP_INT] = bri_read_int_line,
    [OP_LONG] = bri_read_long_line,
    [OP_FLOAT] = bri_read_float_line,
    [OP_STRING] = bri_read_string_line,
    [OP_UNICODE] = bri_read_unicode_line,
};
