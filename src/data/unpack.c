/* data/unpack.c - taking values apart by a format; nothing is stored unless all of it fits. */
#include <brood/value.h>

#include "base/error.h"
#include "data/heap.h"

/* The format is walked twice, first with `store` false: so a value that does not fit leaves every
 * output untouched. */
typedef struct unpacker {
    const char *format; /* what is left */
    const char *whole;
    va_list arguments;
    bool store;
    int depth;
} unpacker;

static brood_status unpack_one(unpacker *u, const brood_value *value);

static brood_status fail_format(const unpacker *u, const char *reason)
{
    return bri_fail(BROOD_EINVALID, "could not unpack \"%s\": %s at %zu", u->whole, reason,
                    (size_t)(u->format - u->whole));
}

static char next_letter(unpacker *u)
{
    while (*u->format == ' ' || *u->format == ',' || *u->format == ':')
        u->format++;
    return *u->format;
}

/* A value that did not fit: where, and why. */
static brood_status fail_at(const unpacker *u, const char *letter)
{
    return bri_fail_within("could not unpack \"%s\" at %zu", u->whole, (size_t)(letter - u->whole));
}

/* ---- containers; a NULL value means: walk the format and the arguments only ---- */

static brood_status begin_container(unpacker *u)
{
    if (++u->depth > BROOD_MAX_DEPTH)
        return fail_format(u, "too many brackets");
    return BROOD_OK;
}

static brood_status check_count(const unpacker *u, size_t wanted, size_t count)
{
    return bri_fail(BROOD_ETYPE, "could not unpack \"%s\": %s, there are %zu", u->whole,
                    count < wanted ? "items are missing" : "too many items", count);
}

/* The items up to `closing`, each against one of the array. Behind '|' they may be missing; '*'
 * takes any more. */
static brood_status unpack_items(unpacker *u, const brood_value *array, char closing)
{
    size_t count = array == NULL ? 0 : bri_array_count(array);
    size_t used = 0;
    bool optional = false;
    bool open_end = false;
    for (char letter; (letter = next_letter(u)) != closing;) {
        if (letter == '\0')
            return fail_format(u, "a bracket is missing");
        if (letter == '|' || letter == '*') {
            u->format++;
            optional = optional || letter == '|';
            open_end = open_end || letter == '*';
            continue;
        }
        if (open_end)
            return fail_format(u, "something follows '*'");
        bool present = used < count;
        if (array != NULL && !present && !optional)
            return check_count(u, used + 1, count);
        BROOD_TRY(unpack_one(u, present ? &bri_array_of(array)->items[used] : NULL));
        used += present;
    }
    if (closing != '\0')
        u->format++;
    return used < count && !open_end ? check_count(u, used, count) : BROOD_OK;
}

static brood_status unpack_array(unpacker *u, const brood_value *value, const char *letter)
{
    bool fits = value == NULL || value->kind == BROOD_LIST ||
                (value->kind == BROOD_TUPLE && *letter == '(');
    if (!fits) {
        bri_fail_kind(*letter == '(' ? "read a tuple" : "read a list", value);
        return fail_at(u, letter);
    }
    return unpack_items(u, value, *letter == '(' ? ')' : ']');
}

/* A key is given as a C argument. `*item` is NULL if it may be missing and is. */
static brood_status unpack_key(unpacker *u, const brood_value *dict, const brood_value **item)
{
    const char *letter = u->format++;
    brood_value number;
    const char *text = "";
    *item = NULL;
    if (*letter == 's') {
        text = va_arg(u->arguments, const char *);
        if (dict != NULL)
            *item = brood_dict_get_str(dict, text);
    } else if (*letter == 'i') {
        number = brood_int(va_arg(u->arguments, int));
        if (dict != NULL)
            *item = brood_dict_get(dict, &number);
    } else {
        return fail_format(u, "a key must be s or i");
    }
    bool optional = *u->format == '?';
    u->format += optional;
    if (dict == NULL || *item != NULL || optional)
        return BROOD_OK;
    if (*letter == 's')
        return bri_fail(BROOD_ENOTFOUND, "could not unpack \"%s\": the key \"%s\" is missing",
                        u->whole, text);
    return bri_fail(BROOD_ENOTFOUND, "could not unpack \"%s\": the key %lld is missing", u->whole,
                    (long long)number.as.integer);
}

static brood_status unpack_dict(unpacker *u, const brood_value *value, const char *letter)
{
    if (value != NULL && value->kind != BROOD_DICT) {
        bri_fail_kind("read a dict", value);
        return fail_at(u, letter);
    }
    for (char next; (next = next_letter(u)) != '}';) {
        if (next == '\0')
            return fail_format(u, "a bracket is missing");
        const brood_value *item;
        BROOD_TRY(unpack_key(u, value, &item));
        if (next_letter(u) == '}')
            return fail_format(u, "a key has no item");
        BROOD_TRY(unpack_one(u, item));
    }
    u->format++;
    return BROOD_OK;
}

static brood_status unpack_container(unpacker *u, const brood_value *value, const char *letter)
{
    BROOD_TRY(begin_container(u));
    BROOD_TRY(*letter == '{' ? unpack_dict(u, value, letter) : unpack_array(u, value, letter));
    u->depth--;
    return BROOD_OK;
}

/* ---- scalars: read into a local first, stored in the second walk ---- */

static brood_status unpack_number(unpacker *u, const brood_value *value, char letter)
{
    int64_t integer = 0;
    uint64_t natural = 0;
    double real = 0;
    bool boolean = false;
    brood_status status = BROOD_OK;
    void *out = NULL; /* one call a letter: the pointers have different types */
    switch (letter) {
    case 'b':
        out = va_arg(u->arguments, bool *);
        status = value == NULL ? BROOD_OK : brood_get_bool(value, &boolean);
        break;
    case 'u':
        out = va_arg(u->arguments, uint64_t *);
        status = value == NULL ? BROOD_OK : brood_get_uint(value, &natural);
        break;
    case 'f':
        out = va_arg(u->arguments, double *);
        status = value == NULL ? BROOD_OK : brood_get_float(value, &real);
        break;
    default:
        out = va_arg(u->arguments, int64_t *);
        status = value == NULL ? BROOD_OK : brood_get_int(value, &integer);
        break;
    }
    if (status != BROOD_OK || value == NULL || !u->store || out == NULL)
        return status;
    if (letter == 'b')
        *(bool *)out = boolean;
    else if (letter == 'u')
        *(uint64_t *)out = natural;
    else if (letter == 'f')
        *(double *)out = real;
    else
        *(int64_t *)out = integer;
    return BROOD_OK;
}

static brood_status unpack_str(unpacker *u, const brood_value *value, char letter)
{
    const char **out = va_arg(u->arguments, const char **);
    size_t *size_out = letter == 't' ? va_arg(u->arguments, size_t *) : NULL;
    const char *text = NULL;
    size_t size = 0;
    if (value == NULL)
        return BROOD_OK;
    if (letter != 'z' || value->kind != BROOD_NONE)
        BROOD_TRY(brood_get_str(value, &text, letter == 't' ? &size : NULL));
    if (u->store && out != NULL)
        *out = text;
    if (u->store && size_out != NULL)
        *size_out = size;
    return BROOD_OK;
}

static brood_status unpack_bytes(unpacker *u, const brood_value *value)
{
    const void **out = va_arg(u->arguments, const void **);
    size_t *size_out = va_arg(u->arguments, size_t *);
    const void *data;
    size_t size;
    if (value == NULL)
        return BROOD_OK;
    BROOD_TRY(brood_get_bytes(value, &data, &size));
    if (u->store && out != NULL)
        *out = data;
    if (u->store && size_out != NULL)
        *size_out = size;
    return BROOD_OK;
}

static brood_status unpack_other(unpacker *u, const brood_value *value, const char *letter)
{
    const brood_value **out;
    switch (*letter) {
    case 'v':
        out = va_arg(u->arguments, const brood_value **);
        if (value != NULL && u->store && out != NULL)
            *out = value;
        return BROOD_OK;
    case 'n':
        return value == NULL || value->kind == BROOD_NONE ? BROOD_OK
                                                          : bri_fail_kind("read none", value);
    case 'x':
        return BROOD_OK;
    default:
        u->format = letter;
        return fail_format(u, "an unknown letter");
    }
}

static brood_status unpack_scalar(unpacker *u, const brood_value *value, const char *letter)
{
    switch (*letter) {
    case 'b':
    case 'i':
    case 'l':
    case 'u':
    case 'f':
        return unpack_number(u, value, *letter);
    case 's':
    case 't':
    case 'z':
        return unpack_str(u, value, *letter);
    case 'y':
        return unpack_bytes(u, value);
    default:
        return unpack_other(u, value, letter);
    }
}

static brood_status unpack_one(unpacker *u, const brood_value *value)
{
    const char *letter = u->format;
    if (next_letter(u) == '\0')
        return fail_format(u, "an item is missing");
    letter = u->format++;
    if (*letter == '[' || *letter == '(' || *letter == '{')
        return unpack_container(u, value, letter);
    brood_status status = unpack_scalar(u, value, letter);
    return status == BROOD_OK || status == BROOD_EINVALID ? status : fail_at(u, letter);
}

/* ---- whole formats ---- */

static brood_status unpack_top(unpacker *u, const brood_value *value)
{
    BROOD_TRY(unpack_one(u, value));
    return next_letter(u) == '\0' ? BROOD_OK : fail_format(u, "more follows the first item");
}

/* A format of one item stands for the value itself, one of several (or none) for a tuple or list of
 * them. */
static bool is_single(const char *format)
{
    int depth = 0;
    int items = 0;
    for (; *format != '\0'; format++) {
        if (strchr("]})", *format) != NULL) {
            depth--;
            continue;
        }
        if (strchr(" ,:", *format) == NULL)
            items += depth == 0;
        depth += strchr("[{(", *format) != NULL;
    }
    return items == 1;
}

static brood_status walk_twice(const brood_value *value, const char *format, va_list arguments,
                               brood_status (*walk)(unpacker *u, const brood_value *value))
{
    value = bri_given(value);
    if (value->kind == BROOD_INVALID)
        return bri_fail_invalid(value);
    brood_status status = BROOD_OK;
    for (int pass = 0; pass < 2 && status == BROOD_OK; pass++) {
        unpacker u = {.format = format, .whole = format, .store = pass == 1};
        va_copy(u.arguments, arguments);
        status = walk(&u, value);
        va_end(u.arguments);
    }
    return status;
}

static brood_status unpack_all_items(unpacker *u, const brood_value *value)
{
    if (!bri_is_array(value)) {
        bri_fail_kind("read a tuple", value);
        return fail_at(u, u->format);
    }
    return unpack_items(u, value, '\0');
}

brood_status brood_unpack_items_va(const brood_value *sequence, const char *format,
                                   va_list arguments)
{
    return walk_twice(sequence, format, arguments, unpack_all_items);
}

brood_status brood_unpack_va(const brood_value *value, const char *format, va_list arguments)
{
    if (!is_single(format))
        return brood_unpack_items_va(value, format, arguments);
    return walk_twice(value, format, arguments, unpack_top);
}

brood_status brood_unpack_items(const brood_value *sequence, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    brood_status status = brood_unpack_items_va(sequence, format, arguments);
    va_end(arguments);
    return status;
}

brood_status brood_unpack(const brood_value *value, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    brood_status status = brood_unpack_va(value, format, arguments);
    va_end(arguments);
    return status;
}
