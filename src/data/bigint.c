/* data/bigint.c - integers of any size: little-endian two's complement in a text block, as short as
 * can be. */
#include <brood/value.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/heap.h"
#include "data/text.h"

size_t bri_integer_trim(const unsigned char *bytes, size_t size)
{
    while (size > 1) {
        unsigned char top = bytes[size - 1];
        unsigned char sign = bytes[size - 2] & 0x80;
        if (!(top == 0x00 && sign == 0) && !(top == 0xFF && sign != 0))
            break;
        size--;
    }
    return size;
}

brood_value bri_integer(const unsigned char *bytes, size_t size)
{
    if (size == 0)
        return brood_int(0);
    size = bri_integer_trim(bytes, size);
    if (size <= 8) {
        uint64_t number = bytes[size - 1] & 0x80 ? UINT64_MAX : 0;
        for (size_t i = size; i-- > 0;)
            number = number << 8 | bytes[i];
        int64_t result;
        memcpy(&result, &number, sizeof result);
        return brood_int(result);
    }
    bri_text *text = bri_text_create(size);
    if (text == NULL)
        return bri_invalid(BROOD_ENOMEM);
    memcpy(text->data, bytes, size);
    return bri_value_of(BROOD_BIGINT, text);
}

brood_value brood_bigint(const void *little_endian, size_t size)
{
    return bri_integer(little_endian, size);
}

brood_value brood_int_text(const char *text)
{
    brood_value value;
    brood_status status = text == NULL
                              ? bri_fail(BROOD_EINVALID, "could not read an int: the text is NULL")
                              : bri_integer_parse(text, strlen(text), &value);
    return status == BROOD_OK ? value : bri_invalid(status);
}

brood_status brood_get_bigint(const brood_value *value, void *little_endian, size_t size)
{
    value = bri_given(value);
    unsigned char sign;
    if (value->kind == BROOD_BIGINT) {
        const bri_text *text = bri_text_of(value);
        if (text->size > size)
            return bri_fail(BROOD_ERANGE, "could not read an int: it needs %zu bytes", text->size);
        memcpy(little_endian, text->data, text->size);
        sign = text->data[text->size - 1] & 0x80 ? 0xFF : 0;
        memset((char *)little_endian + text->size, sign, size - text->size);
        return BROOD_OK;
    }
    int64_t number;
    BROOD_TRY(brood_get_int(value, &number));
    unsigned char bytes[8];
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)number >> (8 * i));
    size_t needed = bri_integer_trim(bytes, 8);
    if (needed > size)
        return bri_fail(BROOD_ERANGE, "could not read an int: it needs %zu bytes", needed);
    memcpy(little_endian, bytes, needed);
    sign = number < 0 ? 0xFF : 0;
    memset((char *)little_endian + needed, sign, size - needed);
    return BROOD_OK;
}

size_t brood_bigint_size(const brood_value *value)
{
    value = bri_given(value);
    if (value->kind == BROOD_BIGINT)
        return bri_text_of(value)->size;
    return value->kind == BROOD_INT || value->kind == BROOD_BOOL ? 8 : 0;
}

/* ---- the absolute value, byte by byte ---- */

typedef struct magnitude {
    const unsigned char *bytes;
    size_t size;
    size_t lowest; /* the first byte that is not 0: below it negation changes nothing */
    bool negative;
} magnitude;

static magnitude magnitude_of(const bri_text *number)
{
    magnitude m = {.bytes = (const unsigned char *)number->data, .size = number->size};
    m.negative = m.bytes[m.size - 1] & 0x80;
    while (m.lowest < m.size - 1 && m.bytes[m.lowest] == 0)
        m.lowest++;
    return m;
}

static unsigned magnitude_byte(const magnitude *m, size_t i)
{
    unsigned byte = m->bytes[i];
    if (!m->negative || i < m->lowest)
        return byte;
    return (i == m->lowest ? 0x100u - byte : ~byte) & 0xFFu;
}

brood_status bri_integer_to_double(const brood_value *bigint, double *number)
{
    magnitude m = magnitude_of(bri_text_of(bigint));
    size_t top = m.size - 1;
    while (magnitude_byte(&m, top) == 0)
        top--;
    if (top > 127)
        return bri_fail(BROOD_ERANGE, "could not read a float: the int is too large");
    /* 57 bits at least, and a last one for all that is cut off: the conversion rounds once, to
     * even. */
    uint64_t bits = 0;
    for (size_t i = 0; i < 8; i++)
        bits = bits << 8 | magnitude_byte(&m, top - i);
    if (m.lowest + 8 <= top)
        bits |= 1;
    double result = (double)bits;
    for (size_t i = 7; i < top; i++)
        result *= 256;
    if (result > 1.7976931348623157e308)
        return bri_fail(BROOD_ERANGE, "could not read a float: the int is too large");
    *number = m.negative ? -result : result;
    return BROOD_OK;
}

size_t bri_integer_of_double(double number, unsigned char bytes[BRI_DOUBLE_BYTES])
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    size_t exponent = (bits >> 52 & 0x7FF);
    uint64_t mantissa = (bits & 0xFFFFFFFFFFFFFu) | (exponent == 0 ? 0 : 0x10000000000000u);
    memset(bytes, 0, BRI_DOUBLE_BYTES);
    if (exponent < 1075) { /* below 2^53: shift right, the number is integral */
        mantissa = exponent < 1023 ? 0 : mantissa >> (1075 - exponent);
        exponent = 1075;
    }
    size_t shift = exponent - 1075;
    for (size_t i = 0; i < 8; i++) {
        unsigned byte = (unsigned)(mantissa >> (8 * i)) & 0xFFu;
        unsigned shifted = byte << (shift % 8);
        bytes[shift / 8 + i] |= (unsigned char)shifted;
        bytes[shift / 8 + i + 1] |= (unsigned char)(shifted >> 8);
    }
    if (number < 0) {
        unsigned carry = 1;
        for (size_t i = 0; i < BRI_DOUBLE_BYTES; i++) {
            carry += ~bytes[i] & 0xFFu;
            bytes[i] = (unsigned char)carry;
            carry >>= 8;
        }
    }
    return bri_integer_trim(bytes, BRI_DOUBLE_BYTES);
}

/* ---- text to integer ---- */

enum { LIMB_DIGITS = 9 };

/* Limbs of 32 bits, the lowest first; multiplied and added to in place. */
static void multiply_add(uint32_t *limbs, size_t *count, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;
    for (size_t i = 0; i < *count; i++) {
        carry += (uint64_t)limbs[i] * factor;
        limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0)
        limbs[(*count)++] = (uint32_t)carry;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

typedef struct number_text {
    const char *digits;
    size_t size;
    int base;
    bool negative;
} number_text;

/* Splits off blanks, sign and prefix; leaves digits and underscores. */
static bool split_number(const char *text, size_t size, number_text *out)
{
    while (size > 0 && is_space(text[0])) {
        text++;
        size--;
    }
    while (size > 0 && is_space(text[size - 1]))
        size--;
    *out = (number_text){.base = 10};
    if (size > 0 && (text[0] == '-' || text[0] == '+')) {
        out->negative = text[0] == '-';
        text++;
        size--;
    }
    if (size > 1 && text[0] == '0') {
        char letter = (char)(text[1] | 0x20);
        out->base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
        if (out->base != 10) {
            text += 2;
            size -= 2;
            if (size > 0 && text[0] == '_') { /* 0x_1f */
                text++;
                size--;
            }
        }
    }
    out->digits = text;
    out->size = size;
    return size > 0;
}

/* Digits of the base, single underscores between them; a decimal number starts with 0 only if it is
 * 0. */
static bool check_digits(const number_text *number)
{
    bool all_zero = true;
    char before = '_';
    for (size_t i = 0; i < number->size; i++) {
        char c = number->digits[i];
        if (c == '_' ? before == '_' : digit_of(c) >= number->base)
            return false;
        all_zero = all_zero && (c == '0' || c == '_');
        before = c;
    }
    return before != '_' && (number->base != 10 || number->digits[0] != '0' || all_zero);
}

static brood_value integer_of_limbs(uint32_t *limbs, size_t count, bool negative)
{
    unsigned char *bytes = (unsigned char *)limbs; /* rewritten in place, the lowest first */
    uint32_t carry = 1;
    for (size_t i = 0; i < count; i++) {
        uint32_t limb = limbs[i];
        if (negative) {
            limb = ~limb + carry;
            carry = carry != 0 && limb == 0;
        }
        for (size_t j = 0; j < 4; j++)
            bytes[4 * i + j] = (unsigned char)(limb >> (8 * j));
    }
    return bri_integer(bytes, 4 * count);
}

brood_status bri_integer_parse(const char *text, size_t size, brood_value *integer)
{
    number_text number;
    if (!split_number(text, size, &number) || !check_digits(&number))
        return bri_fail(BROOD_EFORMAT, "could not read an int: the text is none");
    if (number.size > BRI_INTEGER_DIGITS)
        return bri_fail(BROOD_ELIMIT, "could not read an int of %zu digits", number.size);
    /* 4 bits a digit at most, and one limb for the sign. */
    uint32_t *limbs = bri_calloc(number.size / 8 + 3, sizeof *limbs);
    if (limbs == NULL)
        return BROOD_ENOMEM;
    size_t count = 0;
    uint32_t chunk = 0;
    uint32_t factor = 1;
    int digits = 0;
    for (size_t i = 0; i < number.size; i++) {
        if (number.digits[i] == '_')
            continue;
        chunk = chunk * (uint32_t)number.base + (uint32_t)digit_of(number.digits[i]);
        factor *= (uint32_t)number.base;
        if (++digits == (number.base == 16 ? 7 : LIMB_DIGITS)) {
            multiply_add(limbs, &count, factor, chunk);
            chunk = 0;
            factor = 1;
            digits = 0;
        }
    }
    multiply_add(limbs, &count, factor, chunk);
    brood_value made = integer_of_limbs(limbs, count + 1, number.negative);
    bri_free(limbs);
    if (made.kind == BROOD_INVALID)
        return bri_fail_invalid(&made);
    *integer = made;
    return BROOD_OK;
}

/* ---- integer to text ---- */

/* Divides the limbs in place; returns the remainder. */
static uint32_t divide(uint32_t *limbs, size_t *count, uint32_t divisor)
{
    uint64_t rest = 0;
    for (size_t i = *count; i-- > 0;) {
        rest = rest << 32 | limbs[i];
        limbs[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    while (*count > 0 && limbs[*count - 1] == 0)
        (*count)--;
    return (uint32_t)rest;
}

static brood_status append_hexadecimal(const magnitude *m, bri_buffer *out)
{
    BROOD_TRY(bri_buffer_append(out, m->negative ? "-0x" : "0x", m->negative ? 3 : 2));
    bool leading = true;
    for (size_t i = m->size; i-- > 0;) {
        unsigned byte = magnitude_byte(m, i);
        if (leading && byte == 0)
            continue;
        char digits[2] = {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
        size_t skip = leading && byte < 16;
        BROOD_TRY(bri_buffer_append(out, digits + skip, 2 - skip));
        leading = false;
    }
    return BROOD_OK;
}

static brood_status append_decimal(uint32_t *limbs, size_t count, bool negative, bri_buffer *out)
{
    /* 32 bits are under 10 digits. The digits are made from the last on, at the end of the room. */
    size_t room = count * 10 + 2;
    BROOD_TRY(bri_buffer_reserve(out, room));
    char *end = (char *)out->data + out->length + room;
    char *digit = end;
    while (count > 0) {
        uint32_t rest = divide(limbs, &count, 1000000000u);
        for (int i = 0; i < LIMB_DIGITS && (count > 0 || rest > 0); i++) {
            *--digit = (char)('0' + rest % 10);
            rest /= 10;
        }
    }
    if (negative)
        *--digit = '-';
    memmove(out->data + out->length, digit, (size_t)(end - digit));
    out->length += (size_t)(end - digit);
    return BROOD_OK;
}

brood_status bri_integer_repr(const brood_value *integer, bri_buffer *out)
{
    if (integer->kind != BROOD_BIGINT) {
        char text[24];
        int length = snprintf(text, sizeof text, "%lld", (long long)integer->as.integer);
        return bri_buffer_append(out, text, (size_t)length);
    }
    magnitude m = magnitude_of(bri_text_of(integer));
    if (m.size > BRI_INTEGER_DIGITS * 1000 / 2408) /* 2.408 digits a byte */
        return append_hexadecimal(&m, out);
    size_t count = (m.size + 3) / 4;
    uint32_t *limbs = bri_calloc(count, sizeof *limbs);
    if (limbs == NULL)
        return BROOD_ENOMEM;
    for (size_t i = 0; i < m.size; i++)
        limbs[i / 4] |= magnitude_byte(&m, i) << (8 * (i % 4));
    brood_status status = append_decimal(limbs, count, m.negative, out);
    bri_free(limbs);
    return status;
}
