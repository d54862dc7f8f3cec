/*
 * data/pack.c - building values from a format and C arguments.
 *
 * After the first failure the rest of the format is still walked: the values among the arguments
 * that are left were moved in, and are cleared. Nothing more is made then, so that the last error
 * stays that of the first failure.
 */
#include <brood/value.h>

#include "base/error.h"
#include "data/heap.h"

typedef struct packer {
    const char *format; /* what is left */
    const char *whole;
    va_list arguments;
    brood_status status;
    int depth;
} packer;

static brood_value pack_one(packer *p);

/* A format that is malformed ends here: what its letters stand for from now on cannot be known. */
static void fail_format(packer *p, const char *reason)
{
    if (p->status == BROOD_OK)
        p->status = bri_fail(BROOD_EINVALID, "could not pack \"%s\": %s at %zu", p->whole, reason,
                             (size_t)(p->format - p->whole));
    p->format += strlen(p->format);
}

static char next_letter(packer *p)
{
    while (*p->format == ' ' || *p->format == ',' || *p->format == ':')
        p->format++;
    return *p->format;
}

/* Closes a container: true at its closing bracket, and where the format ends too early. */
static bool at_end(packer *p, char closing)
{
    char letter = next_letter(p);
    if (letter == closing) {
        if (closing != '\0')
            p->format++;
        return true;
    }
    if (letter == '\0')
        fail_format(p, "a bracket is missing");
    return letter == '\0';
}

static void note(packer *p, brood_status status)
{
    if (p->status == BROOD_OK)
        p->status = status;
}

/* Moves `item` into what is built, or only clears it when something has failed before. */
static void add(packer *p, brood_value *array, brood_value item)
{
    if (p->status == BROOD_OK)
        note(p, bri_array_append(array, item));
    else
        brood_value_clear(&item);
}

static brood_value pack_array(packer *p, brood_kind kind, char closing)
{
    brood_value array = bri_value_of(kind, NULL);
    while (!at_end(p, closing))
        add(p, &array, pack_one(p));
    return array;
}

static brood_value pack_dict(packer *p)
{
    brood_value dict = brood_dict();
    while (!at_end(p, '}')) {
        brood_value key = pack_one(p);
        if (next_letter(p) == '}' || *p->format == '\0')
            fail_format(p, "a key has no item");
        brood_value item = pack_one(p);
        if (p->status == BROOD_OK) {
            note(p, brood_dict_put(&dict, key, item));
        } else {
            brood_value_clear(&key);
            brood_value_clear(&item);
        }
    }
    return dict;
}

static brood_value pack_set(packer *p, brood_kind kind)
{
    brood_value set = bri_value_of(kind, NULL);
    while (!at_end(p, '>')) {
        brood_value item = pack_one(p);
        if (p->status == BROOD_OK)
            note(p, brood_set_add(&set, item));
        else
            brood_value_clear(&item);
    }
    return set;
}

static brood_value pack_container(packer *p, char letter)
{
    brood_value value;
    if (++p->depth > BROOD_MAX_DEPTH)
        fail_format(p, "too many brackets");
    switch (letter) {
    case '[':
        value = pack_array(p, BROOD_LIST, ']');
        break;
    case '(':
        value = pack_array(p, BROOD_TUPLE, ')');
        break;
    case '<':
        value = pack_set(p, BROOD_SET);
        break;
    default:
        value = pack_dict(p);
        break;
    }
    p->depth--;
    return value;
}

static brood_value pack_str(packer *p, bool or_none)
{
    const char *text = va_arg(p->arguments, const char *);
    return p->status != BROOD_OK || (text == NULL && or_none) ? brood_none() : brood_str(text);
}

static brood_value pack_sized(packer *p, bool is_text)
{
    const void *data = va_arg(p->arguments, const void *);
    size_t size = va_arg(p->arguments, size_t);
    if (p->status != BROOD_OK)
        return brood_none();
    return is_text ? brood_str_n(data, size) : brood_bytes(data, size);
}

static brood_value pack_uint(packer *p)
{
    uint64_t number = va_arg(p->arguments, uint64_t);
    return p->status != BROOD_OK ? brood_none() : brood_uint(number);
}

static brood_value pack_scalar(packer *p, char letter)
{
    switch (letter) {
    case 'b':
        return brood_bool(va_arg(p->arguments, int) != 0);
    case 'i':
        return brood_int(va_arg(p->arguments, int));
    case 'l':
        return brood_int(va_arg(p->arguments, int64_t));
    case 'u':
        return pack_uint(p);
    case 'f':
        return brood_float(va_arg(p->arguments, double));
    case 's':
    case 'z':
        return pack_str(p, letter == 'z');
    case 't':
    case 'y':
        return pack_sized(p, letter == 't');
    case 'n':
        return brood_none();
    case 'v':
        return va_arg(p->arguments, brood_value);
    default:
        fail_format(p, "an unknown letter");
        return brood_none();
    }
}

/* One item. That it could not be made is noted at once. */
static brood_value pack_one(packer *p)
{
    char letter = next_letter(p);
    if (letter == '\0') {
        fail_format(p, "an item is missing");
        return brood_none();
    }
    p->format++;
    if (letter == '[' || letter == '(' || letter == '{' || letter == '<')
        return pack_container(p, letter);
    brood_value value = pack_scalar(p, letter);
    if (value.kind == BROOD_INVALID && p->status == BROOD_OK)
        note(p, bri_fail_invalid(&value));
    return value;
}

brood_value brood_pack_va(const char *format, va_list arguments)
{
    packer p = {.format = format, .whole = format};
    va_copy(p.arguments, arguments);
    brood_value value = pack_one(&p);
    if (next_letter(&p) != '\0') {
        brood_value tuple = bri_value_of(BROOD_TUPLE, NULL);
        add(&p, &tuple, value);
        while (!at_end(&p, '\0'))
            add(&p, &tuple, pack_one(&p));
        value = tuple;
    }
    va_end(p.arguments);
    if (p.status == BROOD_OK)
        return value;
    brood_value_clear(&value);
    return bri_invalid(p.status);
}

brood_value brood_pack(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    brood_value value = brood_pack_va(format, arguments);
    va_end(arguments);
    return value;
}
