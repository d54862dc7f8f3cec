/*
 * data/text.h - UTF-8 as Python's "surrogatepass" reads and writes it, and numbers as text,
 * whatever the locale is.
 */
#ifndef BRI_DATA_TEXT_H
#define BRI_DATA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <brood/value.h>

#include "base/buffer.h"

/* The number of leading bytes that are well-formed UTF-8; lone surrogates (three bytes each) are.
 */
size_t bri_utf8_valid(const char *text, size_t size);

/* BROOD_EFORMAT, "could not <do what>: ...", where a name is no UTF-8. */
brood_status bri_utf8_check_name(const char *what, const char *name);

/* The same without surrogates: what everybody else calls UTF-8. */
size_t bri_utf8_strict(const char *text, size_t size);

/* Reads the code point at `*text` of well-formed text and steps behind it. */
uint32_t bri_utf8_next(const char **text);

/* Writes a code point; returns its size, 1 to 4. */
size_t bri_utf8_put(char out[4], uint32_t code);

/* Python's str.isprintable() of one code point (Unicode 14). */
bool bri_is_printable(uint32_t code);

/* Python's repr of a float, NUL-terminated; returns the length. */
enum { BRI_FLOAT_TEXT = 32 };
size_t bri_float_repr(double number, char out[BRI_FLOAT_TEXT]);

/* Reads what Python's float() reads ("1.5", " -1e-3", "inf", "1_000.0"); BROOD_EFORMAT if it is
 * none. */
brood_status bri_float_parse(const char *text, size_t size, double *number);

/* Reads what Python's int(text, 0) reads ("-12", "0x1f", "1_000"), up to BRI_INTEGER_DIGITS digits.
 */
enum { BRI_INTEGER_DIGITS = 20000 };
brood_status bri_integer_parse(const char *text, size_t size, brood_value *integer);

/* Appends the decimal digits of an int or bigint; one of more than BRI_INTEGER_DIGITS digits in
 * hexadecimal. */
brood_status bri_integer_repr(const brood_value *integer, bri_buffer *out);

/* Appends Python's repr of a value, cut after about `limit` bytes (0: not at all). */
brood_status bri_repr(const brood_value *value, size_t limit, bri_buffer *out);

#endif /* BRI_DATA_TEXT_H */
