/*
 * data/float_text.c - floats as text, shortest that reads back equal.
 *
 * Whatever the locale is: printf's digits are taken without its decimal point, and strtod is given
 * digits and an exponent only ("15e-1"), which is read the same everywhere.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/text.h"

enum { MAX_DIGITS = 17 };

typedef struct decimal {
    char digits[MAX_DIGITS + 1]; /* d1 d2 d3 ... stand for d1.d2d3... */
    int count;
    int exponent;
} decimal;

/* Rounds a positive number to `count` digits. */
static decimal decimal_of(double number, int count)
{
    char text[48];
    snprintf(text, sizeof text, "%.*e", count - 1, number);
    decimal result = {.count = 0};
    const char *c = text;
    for (; *c != '\0' && *c != 'e' && *c != 'E'; c++)
        if (*c >= '0' && *c <= '9' && result.count < MAX_DIGITS)
            result.digits[result.count++] = *c;
    result.exponent = *c == '\0' ? 0 : (int)strtol(c + 1, NULL, 10);
    return result;
}

/* One unit more in the last digit. */
static void step_up(decimal *number)
{
    for (int i = number->count; i-- > 0;) {
        if (number->digits[i] != '9') {
            number->digits[i]++;
            return;
        }
        number->digits[i] = '0';
    }
    number->digits[0] = '1';
    number->exponent++;
}

static bool reads_back(const decimal *number, double expected)
{
    char text[48];
    snprintf(text, sizeof text, "%.*se%d", number->count, number->digits,
             number->exponent - number->count + 1);
    return strtod(text, NULL) == expected;
}

/* The shortest decimal that reads back as the number. At a power of two the doubles below are
 * closer than those above, so that the correctly rounded digits may miss where their upper
 * neighbour hits. */
static bool try_digits(double number, int count, decimal *result)
{
    *result = decimal_of(number, count);
    if (reads_back(result, number))
        return true;
    step_up(result);
    return reads_back(result, number);
}

static decimal shortest(double number)
{
    decimal result;
    /* 15 digits fit all normal doubles of at most 15 digits; only the tiniest may have shorter ones
     * besides. */
    if (number < 2.3e-308) {
        for (int count = 1; count < 15; count++)
            if (try_digits(number, count, &result))
                return result;
    }
    if (!try_digits(number, 15, &result) && !try_digits(number, 16, &result))
        result = decimal_of(number, MAX_DIGITS);
    while (result.count > 1 && result.digits[result.count - 1] == '0')
        result.count--;
    return result;
}

/* 1e+16, 1.5e-07: as Python below 1e-4 and from 1e16 on. */
static size_t write_scientific(const decimal *number, char *out)
{
    size_t n = 0;
    out[n++] = number->digits[0];
    if (number->count > 1) {
        out[n++] = '.';
        memcpy(out + n, number->digits + 1, (size_t)number->count - 1);
        n += (size_t)number->count - 1;
    }
    return n + (size_t)snprintf(out + n, BRI_FLOAT_TEXT - 2 - n, "e%c%02d",
                                number->exponent < 0 ? '-' : '+', abs(number->exponent));
}

static size_t write_fixed(const decimal *number, char *out)
{
    size_t n = 0;
    if (number->exponent < 0) {
        out[n++] = '0';
        out[n++] = '.';
        for (int i = -1; i > number->exponent; i--)
            out[n++] = '0';
    }
    for (int i = 0; i < number->count || i <= number->exponent; i++) {
        const char *digit = i < number->count ? &number->digits[i] : "0";
        out[n++] = *digit;
        if (i == number->exponent)
            out[n++] = '.';
    }
    if (out[n - 1] == '.')
        out[n++] = '0';
    return n;
}

size_t bri_float_repr(double number, char out[BRI_FLOAT_TEXT])
{
    size_t n = 0;
    if (isnan(number)) {
        memcpy(out, "nan", 4);
        return 3;
    }
    if (signbit(number)) {
        out[n++] = '-';
        number = -number;
    }
    if (isinf(number)) {
        memcpy(out + n, "inf", 3);
        n += 3;
    } else if (number == 0) {
        memcpy(out + n, "0.0", 3);
        n += 3;
    } else {
        decimal digits = shortest(number);
        n += digits.exponent < -4 || digits.exponent >= 16 ? write_scientific(&digits, out + n)
                                                           : write_fixed(&digits, out + n);
    }
    out[n] = '\0';
    return n;
}

/* ---- reading ---- */

/* No writer needs more than 800 characters. */
enum { LONGEST = 100000 };

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool equals_word(const char *text, size_t size, const char *word)
{
    if (size != strlen(word))
        return false;
    for (size_t i = 0; i < size; i++)
        if ((text[i] | 0x20) != word[i])
            return false;
    return true;
}

/* Copies digits, leaving out single underscores between them. Returns how much of the text that
 * was; `*count` is how many digits. */
static size_t copy_digits(const char *text, size_t size, char *out, size_t *count)
{
    size_t i = 0;
    *count = 0;
    while (i < size) {
        if (is_digit(text[i]))
            out[(*count)++] = text[i++];
        else if (text[i] == '_' && *count > 0 && i + 1 < size && is_digit(text[i + 1]) &&
                 text[i - 1] != '_')
            i++;
        else
            break;
    }
    return i;
}

/* An exponent, as an int that stops far outside of what doubles have. */
static bool parse_exponent(const char *text, size_t size, char *scratch, long *exponent)
{
    bool negative = size > 0 && text[0] == '-';
    size_t start = size > 0 && (text[0] == '-' || text[0] == '+');
    size_t count;
    if (start + copy_digits(text + start, size - start, scratch, &count) != size || count == 0)
        return false;
    long result = 0;
    for (size_t i = 0; i < count && result < 100000000L; i++)
        result = result * 10 + (scratch[i] - '0');
    *exponent = negative ? -result : result;
    return true;
}

/* Reads a number without sign. `digits` has room for its text and an exponent. */
static bool parse_decimal(const char *text, size_t size, char *digits, double *number)
{
    size_t whole;
    size_t fraction = 0;
    size_t i = copy_digits(text, size, digits, &whole);
    if (i < size && text[i] == '.') {
        i++;
        i += copy_digits(text + i, size - i, digits + whole, &fraction);
    }
    if (whole + fraction == 0)
        return false;
    long exponent = 0;
    if (i < size) {
        if ((text[i] | 0x20) != 'e' ||
            !parse_exponent(text + i + 1, size - i - 1, digits + whole + fraction, &exponent))
            return false;
    }
    snprintf(digits + whole + fraction, 24, "e%ld", exponent - (long)fraction);
    *number = strtod(digits, NULL);
    return true;
}

static brood_status parse_text(const char *text, size_t size, double *number)
{
    char small[96];
    if (size > LONGEST)
        return bri_fail(BROOD_ELIMIT, "could not read a float of %zu characters", size);
    char *digits = size + 32 <= sizeof small ? small : bri_alloc(size + 32);
    if (digits == NULL)
        return BROOD_ENOMEM;
    bool ok = parse_decimal(text, size, digits, number);
    if (digits != small)
        bri_free(digits);
    return ok ? BROOD_OK : bri_fail(BROOD_EFORMAT, "could not read a float: the text is none");
}

brood_status bri_float_parse(const char *text, size_t size, double *number)
{
    while (size > 0 && is_space(text[0])) {
        text++;
        size--;
    }
    while (size > 0 && is_space(text[size - 1]))
        size--;
    bool negative = size > 0 && text[0] == '-';
    if (size > 0 && (text[0] == '-' || text[0] == '+')) {
        text++;
        size--;
    }
    double result = 0;
    if (equals_word(text, size, "inf") || equals_word(text, size, "infinity"))
        result = INFINITY;
    else if (equals_word(text, size, "nan"))
        result = NAN;
    else
        BROOD_TRY(parse_text(text, size, &result));
    *number = negative ? -result : result;
    return BROOD_OK;
}
