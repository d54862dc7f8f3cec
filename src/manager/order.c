/* manager/order.c - Python's < of values, and a stable sort by it. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/heap.h"
#include "manager/sequence.h"

static bool is_number(const brood_value *value)
{
    brood_kind kind = brood_value_kind(value);
    return kind == BROOD_BOOL || kind == BROOD_INT || kind == BROOD_BIGINT || kind == BROOD_FLOAT;
}

static int sign_of_big(const brood_value *value)
{
    const bri_text *text = bri_text_of(value);
    return ((unsigned char)text->data[text->size - 1] & 0x80) != 0 ? -1 : 1;
}

/* Two's complement numbers of which at least one needs more than 64 bits. */
static bool big_less(const brood_value *a, const brood_value *b)
{
    size_t size =
        brood_bigint_size(a) > brood_bigint_size(b) ? brood_bigint_size(a) : brood_bigint_size(b);
    unsigned char *both = bri_alloc(2 * size);
    if (both == NULL)
        return false;
    brood_get_bigint(a, both, size);
    brood_get_bigint(b, both + size, size);
    both[size - 1] ^= 0x80; /* so that they order as unsigned numbers */
    both[2 * size - 1] ^= 0x80;
    bool less = false;
    for (size_t i = size; i-- > 0;) {
        if (both[i] != both[size + i]) {
            less = both[i] < both[size + i];
            break;
        }
    }
    bri_free(both);
    return less;
}

/* An int against a float, exact. */
static bool int_less_float(int64_t i, double f)
{
    if (f != f)
        return false;
    if (f >= 9223372036854775808.0)
        return true;
    if (f < -9223372036854775808.0)
        return false;
    int64_t whole = (int64_t)f; /* towards 0 */
    return i < whole || (i == whole && (double)whole < f);
}

static bool float_less_int(double f, int64_t i)
{
    if (f != f)
        return false;
    if (f >= 9223372036854775808.0)
        return false;
    if (f < -9223372036854775808.0)
        return true;
    int64_t whole = (int64_t)f;
    return whole < i || (whole == i && f < (double)whole);
}

static int64_t small_int(const brood_value *value)
{
    int64_t number = 0;
    brood_get_int(value, &number);
    return number;
}

static bool number_less(const brood_value *a, const brood_value *b)
{
    brood_kind ka = brood_value_kind(a), kb = brood_value_kind(b);
    if (ka == BROOD_FLOAT && kb == BROOD_FLOAT)
        return a->as.real < b->as.real;
    if (ka == BROOD_BIGINT || kb == BROOD_BIGINT) {
        double real;
        if (ka == BROOD_FLOAT)
            return brood_get_float(b, &real) == BROOD_OK ? a->as.real < real : sign_of_big(b) > 0;
        if (kb == BROOD_FLOAT)
            return brood_get_float(a, &real) == BROOD_OK ? real < b->as.real : sign_of_big(a) < 0;
        return big_less(a, b);
    }
    if (ka == BROOD_FLOAT)
        return float_less_int(a->as.real, small_int(b));
    if (kb == BROOD_FLOAT)
        return int_less_float(small_int(a), b->as.real);
    return small_int(a) < small_int(b);
}

/* UTF-8 orders as its code points do. */
static bool text_less(const brood_value *a, const brood_value *b)
{
    const bri_text *x = bri_text_of(a), *y = bri_text_of(b);
    size_t size = x->size < y->size ? x->size : y->size;
    int order = memcmp(x->data, y->data, size);
    return order < 0 || (order == 0 && x->size < y->size);
}

static brood_status is_less(bri_invocation *call, const brood_value *a, const brood_value *b,
                            bool *less);

static brood_status sequence_less(bri_invocation *call, const brood_value *a, const brood_value *b,
                                  bool *less)
{
    size_t n = brood_value_length(a), m = brood_value_length(b);
    for (size_t i = 0; i < n && i < m; i++)
        if (!brood_value_equal(brood_item(a, i), brood_item(b, i)))
            return is_less(call, brood_item(a, i), brood_item(b, i), less);
    *less = n < m;
    return BROOD_OK;
}

/* Python's <. TypeError for what has no order. */
static brood_status is_less(bri_invocation *call, const brood_value *a, const brood_value *b,
                            bool *less)
{
    brood_kind ka = brood_value_kind(a), kb = brood_value_kind(b);
    if (is_number(a) && is_number(b)) {
        *less = number_less(a, b);
        return BROOD_OK;
    }
    if (ka == kb && (ka == BROOD_STR || ka == BROOD_BYTES)) {
        *less = text_less(a, b);
        return BROOD_OK;
    }
    if (ka == kb && (ka == BROOD_LIST || ka == BROOD_TUPLE))
        return sequence_less(call, a, b, less);
    return bri_raise(call, "TypeError", "'<' not supported between instances of '%s' and '%s'",
                     bri_type_name(a), bri_type_name(b));
}

/* Merges two sorted runs of `items` by way of `room`. */
static brood_status merge(bri_invocation *call, brood_value *items, size_t middle, size_t n,
                          brood_value *room, bool reverse)
{
    size_t left = 0, right = middle, at = 0;
    brood_status status = BROOD_OK;
    while (left < middle && right < n && status == BROOD_OK) {
        bool second = false; /* whether the right one goes first */
        status = reverse ? is_less(call, &items[left], &items[right], &second)
                         : is_less(call, &items[right], &items[left], &second);
        if (status == BROOD_OK)
            room[at++] = second ? items[right++] : items[left++];
    }
    while (left < middle)
        room[at++] = items[left++];
    while (right < n)
        room[at++] = items[right++];
    memcpy(items, room, n * sizeof *items);
    return status;
}

static brood_status sort_items(bri_invocation *call, brood_value *items, size_t n,
                               brood_value *room, bool reverse)
{
    if (n < 2)
        return BROOD_OK;
    size_t middle = n / 2;
    BROOD_TRY(sort_items(call, items, middle, room, reverse));
    BROOD_TRY(sort_items(call, items + middle, n - middle, room, reverse));
    return merge(call, items, middle, n, room, reverse);
}

brood_status bri_sort(bri_invocation *call, brood_value *list, bool reverse)
{
    size_t n = bri_array_count(list);
    if (n < 2)
        return BROOD_OK;
    brood_value *room = bri_alloc(n * sizeof *room);
    if (room == NULL)
        return BROOD_ENOMEM;
    brood_status status = sort_items(call, bri_array_of(list)->items, n, room, reverse);
    bri_free(room);
    return status;
}
