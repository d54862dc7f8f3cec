/* data/equal.c - Python's == on values. */
#include <brood/value.h>

#include <math.h>

#include "data/heap.h"

/* ---- numbers: compared by value whatever their kinds are ---- */

static bool is_number(const brood_value *value)
{
    return value->kind >= BROOD_BOOL && value->kind <= BROOD_FLOAT;
}

static bool same_text(const brood_value *a, const brood_value *b)
{
    const bri_text *x = bri_text_of(a);
    const bri_text *y = bri_text_of(b);
    return x == y || (x->size == y->size && memcmp(x->data, y->data, x->size) == 0);
}

static int64_t small_integer(const brood_value *value)
{
    return value->kind == BROOD_BOOL ? value->as.boolean : value->as.integer;
}

static bool float_equals(double number, const brood_value *other)
{
    if (other->kind == BROOD_FLOAT)
        return number == other->as.real;
    if (other->kind != BROOD_BIGINT)
        return number >= -9223372036854775808.0 && number < 9223372036854775808.0 &&
               (double)(int64_t)number == number && (int64_t)number == small_integer(other);
    if (!(fabs(number) >= 9223372036854775808.0) || isinf(number))
        return false;
    unsigned char bytes[BRI_DOUBLE_BYTES];
    size_t size = bri_integer_of_double(number, bytes);
    const bri_text *text = bri_text_of(other);
    return size == text->size && memcmp(bytes, text->data, size) == 0;
}

static bool same_number(const brood_value *a, const brood_value *b)
{
    if (a->kind == BROOD_FLOAT)
        return float_equals(a->as.real, b);
    if (b->kind == BROOD_FLOAT)
        return float_equals(b->as.real, a);
    if (a->kind == BROOD_BIGINT || b->kind == BROOD_BIGINT)
        return a->kind == b->kind && same_text(a, b);
    return small_integer(a) == small_integer(b);
}

/* ---- containers ---- */

static bool same_array(const brood_value *a, const brood_value *b)
{
    size_t count = bri_array_count(a);
    if (count != bri_array_count(b))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!brood_value_equal(&bri_array_of(a)->items[i], &bri_array_of(b)->items[i]))
            return false;
    return true;
}

static bool same_table(const brood_value *a, const brood_value *b)
{
    if (bri_table_count(a) != bri_table_count(b))
        return false;
    size_t position = 0;
    for (bri_entry *entry; (entry = bri_table_next(a, &position)) != NULL;) {
        bri_entry *other = bri_table_find_hashed(b, &entry->key, entry->hash);
        if (other == NULL)
            return false;
        if (a->kind == BROOD_DICT &&
            !brood_value_equal(bri_entry_item(entry), bri_entry_item(other)))
            return false;
    }
    return true;
}

static bool same_failure(const brood_value *a, const brood_value *b)
{
    const bri_failure *x = bri_failure_of(a);
    const bri_failure *y = bri_failure_of(b);
    if (x == y)
        return true;
    if (strcmp(x->text, y->text) != 0 || !brood_value_equal(&x->arguments, &y->arguments))
        return false;
    if (x->state.kind == BROOD_INVALID || y->state.kind == BROOD_INVALID)
        return x->state.kind == y->state.kind;
    return brood_value_equal(&x->state, &y->state);
}

static bool same_opaque(const brood_value *a, const brood_value *b)
{
    const bri_opaque *x = bri_opaque_of(a);
    const bri_opaque *y = bri_opaque_of(b);
    return x == y || (x->size == y->size && memcmp(x->data, y->data, x->size) == 0);
}

static bool is_set(const brood_value *value)
{
    return value->kind == BROOD_SET || value->kind == BROOD_FROZENSET;
}

bool brood_value_equal(const brood_value *a, const brood_value *b)
{
    a = bri_given(a);
    b = bri_given(b);
    if (is_number(a) && is_number(b))
        return same_number(a, b);
    if (is_set(a) && is_set(b))
        return same_table(a, b);
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case BROOD_NONE:
        return true;
    case BROOD_STR:
    case BROOD_BYTES:
        return same_text(a, b);
    case BROOD_LIST:
    case BROOD_TUPLE:
        return same_array(a, b);
    case BROOD_DICT:
        return same_table(a, b);
    case BROOD_OBJECT:
        return bri_box_of(a)->object == bri_box_of(b)->object;
    case BROOD_OPAQUE:
        return same_opaque(a, b);
    case BROOD_ERROR:
        return same_failure(a, b);
    default: /* an invalid value equals nothing */
        return false;
    }
}
