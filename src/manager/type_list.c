/* manager/type_list.c - Python's list, as ListProxy exposes it. */
#include <string.h>

#include "base/error.h"
#include "data/opaque.h"
#include "data/text.h"
#include "data/weight.h"
#include "manager/sequence.h"

static brood_status take(bri_invocation *call, size_t n, size_t n_required, const brood_value **out)
{
    static const char *const names[] = {"object", "value", "stop"};
    if (call->kwds.kind == BROOD_DICT && brood_value_length(&call->kwds) != 0)
        return bri_raise(call, "TypeError", "%s() takes no keyword arguments", call->method->name);
    return bri_take_arguments(call, names, n, n_required, out);
}

static brood_status create_list(bri_invocation *call, void **state)
{
    const brood_value *iterable;
    brood_value list;
    static const char *const names[] = {"iterable"};
    BROOD_TRY(bri_take_arguments(call, names, 1, 0, &iterable));
    if (iterable == NULL)
        return bri_content_create(brood_list(), state);
    if (brood_value_kind(iterable) == BROOD_LIST)
        return bri_content_create(bri_move_argument(iterable), state);
    BROOD_TRY(bri_list_of(call, iterable, &list));
    return bri_content_create(list, state);
}

/* ---- one item, or a slice ---- */

static brood_status copy_slice(const brood_value *list, const bri_place *place, brood_value *slice)
{
    brood_value made = brood_list();
    brood_status status = BROOD_OK;
    if (place->step == 1)
        return brood_slice(list, (size_t)place->start, (size_t)place->start + place->count, slice);
    for (size_t i = 0; i < place->count && status == BROOD_OK; i++) {
        brood_value item;
        size_t index = (size_t)(place->start + (int64_t)i * place->step);
        status = brood_value_copy(brood_item(list, index), &item);
        if (status == BROOD_OK)
            status = brood_append(&made, item);
    }
    if (status == BROOD_OK)
        *slice = made;
    else
        brood_value_clear(&made);
    return status;
}

static brood_status list_getitem(bri_invocation *call)
{
    const brood_value *index;
    bri_place place;
    brood_value slice;
    BROOD_TRY(take(call, 1, 1, &index));
    BROOD_TRY(bri_find_place(call, index, brood_value_length(call->target), "list", &place));
    if (!place.is_slice)
        return bri_return_copy(call, brood_item(call->target, place.index));
    BROOD_TRY(copy_slice(call->target, &place, &slice));
    return bri_return(call, slice);
}

static brood_status set_slice(bri_invocation *call, bri_place *place, const brood_value *iterable)
{
    brood_value items;
    brood_status status = bri_list_of(call, iterable, &items);
    if (status != BROOD_OK)
        return brood_value_kind(&call->error) == BROOD_ERROR &&
                       strcmp(brood_error_kind(&call->error), "TypeError") == 0
                   ? bri_raise(call, "TypeError", "can only assign an iterable")
                   : status;
    if (place->step == 1) {
        int64_t stop = place->stop < place->start ? place->start : place->stop;
        return bri_in_splice(call, call->target, (size_t)place->start, (size_t)stop, items);
    }
    if (brood_value_length(&items) != place->count) {
        size_t n = brood_value_length(&items);
        brood_value_clear(&items);
        return bri_raise(call, "ValueError",
                         "attempt to assign sequence of size %zu to extended slice of size %zu", n,
                         place->count);
    }
    return bri_in_set_every(call, call->target, (size_t)place->start, place->step, items);
}

static brood_status list_setitem(bri_invocation *call)
{
    const brood_value *out[2];
    bri_place place;
    BROOD_TRY(take(call, 2, 2, out));
    BROOD_TRY(
        bri_find_place(call, out[0], brood_value_length(call->target), "list assignment", &place));
    if (place.is_slice)
        return set_slice(call, &place, out[1]);
    return bri_in_set_item(call, call->target, place.index, bri_move_argument(out[1]));
}

static brood_status remove_items(bri_invocation *call, size_t start, size_t count)
{
    return bri_in_splice(call, call->target, start, start + count, (brood_value){0});
}

static brood_status list_delitem(bri_invocation *call)
{
    const brood_value *index;
    bri_place place;
    BROOD_TRY(take(call, 1, 1, &index));
    BROOD_TRY(
        bri_find_place(call, index, brood_value_length(call->target), "list assignment", &place));
    if (!place.is_slice)
        return remove_items(call, place.index, 1);
    if (place.step == 1)
        return remove_items(call, (size_t)place.start, place.count);
    if (place.step < 0 && place.count != 0) { /* the same ones from the lowest index up */
        place.start += (int64_t)(place.count - 1) * place.step;
        place.step = -place.step;
    }
    bri_in_remove_every(call, call->target, (size_t)place.start, (size_t)place.step, place.count);
    return BROOD_OK;
}

/* ---- adding and removing ---- */

static brood_status list_append(bri_invocation *call)
{
    const brood_value *item;
    BROOD_TRY(take(call, 1, 1, &item));
    return bri_in_insert(call, call->target, SIZE_MAX, bri_move_argument(item));
}

static brood_status list_extend(bri_invocation *call)
{
    const brood_value *iterable;
    brood_value items;
    BROOD_TRY(take(call, 1, 1, &iterable));
    BROOD_TRY(bri_list_of(call, iterable, &items));
    return bri_in_splice(call, call->target, SIZE_MAX, SIZE_MAX, items);
}

static brood_status list_insert(bri_invocation *call)
{
    const brood_value *out[2];
    int64_t index;
    BROOD_TRY(take(call, 2, 2, out));
    BROOD_TRY(bri_integer_argument(call, out[0], &index));
    int64_t length = (int64_t)brood_value_length(call->target);
    if (index < 0)
        index = index < -length ? 0 : index + length;
    return bri_in_insert(call, call->target, (size_t)index, bri_move_argument(out[1]));
}

static brood_status list_pop(bri_invocation *call)
{
    const brood_value *out[1];
    int64_t index = -1;
    brood_value item;
    size_t length = brood_value_length(call->target);
    BROOD_TRY(take(call, 1, 0, out));
    if (out[0] != NULL)
        BROOD_TRY(bri_integer_argument(call, out[0], &index));
    if (length == 0)
        return bri_raise(call, "IndexError", "pop from empty list");
    if (index < 0)
        index += (int64_t)length;
    if (index < 0 || (uint64_t)index >= length)
        return bri_raise(call, "IndexError", "pop index out of range");
    BROOD_TRY(bri_in_pop(call, call->target, (size_t)index, &item));
    return bri_return(call, item);
}

static brood_status list_remove(bri_invocation *call)
{
    const brood_value *item;
    BROOD_TRY(take(call, 1, 1, &item));
    size_t index = brood_index_of(call->target, item);
    if (index == SIZE_MAX)
        return bri_raise(call, "ValueError", "list.remove(x): x not in list");
    return remove_items(call, index, 1);
}

static brood_status list_clear(bri_invocation *call)
{
    BROOD_TRY(take(call, 0, 0, NULL));
    return remove_items(call, 0, brood_value_length(call->target));
}

/* ---- asking ---- */

static brood_status list_len(bri_invocation *call)
{
    BROOD_TRY(take(call, 0, 0, NULL));
    return bri_return(call, brood_int((int64_t)brood_value_length(call->target)));
}

static brood_status list_contains(bri_invocation *call)
{
    const brood_value *item;
    BROOD_TRY(take(call, 1, 1, &item));
    return bri_return(call, brood_bool(brood_index_of(call->target, item) != SIZE_MAX));
}

static brood_status list_count(bri_invocation *call)
{
    const brood_value *item;
    int64_t count = 0;
    BROOD_TRY(take(call, 1, 1, &item));
    for (size_t i = 0; i < brood_value_length(call->target); i++)
        count += brood_value_equal(brood_item(call->target, i), item);
    return bri_return(call, brood_int(count));
}

static brood_status raise_absent(bri_invocation *call, const brood_value *item)
{
    enum { SHOWN = 200 };
    bri_buffer text = {0};
    brood_status status = bri_repr(item, SHOWN, &text);
    if (status == BROOD_OK)
        status = bri_raise(call, "ValueError", "%.*s is not in list", (int)text.length,
                           (const char *)text.data);
    bri_buffer_fini(&text);
    return status;
}

static brood_status list_index(bri_invocation *call)
{
    const brood_value *out[3];
    int64_t bounds[2] = {0, INT64_MAX};
    int64_t length = (int64_t)brood_value_length(call->target);
    BROOD_TRY(take(call, 3, 1, out));
    for (int i = 0; i < 2; i++) {
        if (out[i + 1] != NULL && brood_value_kind(out[i + 1]) == BROOD_NONE)
            return bri_raise(call, "TypeError", "slice indices must be integers");
        if (out[i + 1] != NULL)
            BROOD_TRY(bri_slice_number(call, out[i + 1], 0, &bounds[i]));
        if (bounds[i] < 0)
            bounds[i] = bounds[i] < -length ? 0 : bounds[i] + length;
    }
    for (int64_t i = bounds[0]; i < length && i < bounds[1]; i++)
        if (brood_value_equal(brood_item(call->target, (size_t)i), out[0]))
            return bri_return(call, brood_int(i));
    return raise_absent(call, out[0]);
}

/* ---- order ---- */

static brood_status list_reverse(bri_invocation *call)
{
    BROOD_TRY(take(call, 0, 0, NULL));
    size_t n = brood_value_length(call->target);
    for (size_t i = 0; i < n / 2; i++) {
        brood_value a, b;
        BROOD_TRY(brood_take_item(call->target, i, &a));
        BROOD_TRY(brood_take_item(call->target, n - 1 - i, &b));
        BROOD_TRY(brood_set_item(call->target, i, b));
        BROOD_TRY(brood_set_item(call->target, n - 1 - i, a));
    }
    return BROOD_OK;
}

static brood_status list_sort(bri_invocation *call)
{
    static const char *const names[] = {"key", "reverse"};
    const brood_value *out[2];
    bool reverse = false;
    if (brood_value_length(&call->args) != 0)
        return bri_raise(call, "TypeError", "sort() takes no positional arguments");
    BROOD_TRY(bri_take_arguments(call, names, 2, 0, out));
    if (out[0] != NULL && brood_value_kind(out[0]) != BROOD_NONE)
        return bri_raise(call, "TypeError", "this server cannot call a key function");
    if (out[1] != NULL) {
        int64_t flag;
        BROOD_TRY(bri_integer_argument(call, out[1], &flag));
        reverse = flag != 0;
    }
    return bri_sort(call, call->target, reverse);
}

/* A list_reverseiterator. */
static brood_status list_reversed(bri_invocation *call)
{
    brood_value copy;
    BROOD_TRY(take(call, 0, 0, NULL));
    BROOD_TRY(brood_value_copy(call->target, &copy));
    return bri_return(call, bri_opaque_call("builtins", "reversed", brood_pack("(v)", copy)));
}

/* ---- sums and products ---- */

static brood_status list_add(bri_invocation *call)
{
    const brood_value *other;
    brood_value sum;
    BROOD_TRY(take(call, 1, 1, &other));
    if (brood_value_kind(other) != BROOD_LIST)
        return bri_raise(call, "TypeError", "can only concatenate list (not \"%s\") to list",
                         bri_type_name(other));
    BROOD_TRY(brood_value_copy(call->target, &sum));
    brood_status status = brood_list_extend(&sum, bri_move_argument(other));
    if (status != BROOD_OK) {
        brood_value_clear(&sum);
        return status;
    }
    return bri_return(call, sum);
}

enum { MOST_PRODUCT = 1 << 29 /* bytes that a product, which is asked for with a few, may have */ };

static brood_status repeat(bri_invocation *call, brood_value *product)
{
    const brood_value *factor;
    int64_t times;
    size_t length = brood_value_length(call->target);
    BROOD_TRY(take(call, 1, 1, &factor));
    if (brood_value_kind(factor) != BROOD_INT && brood_value_kind(factor) != BROOD_BOOL &&
        brood_value_kind(factor) != BROOD_BIGINT)
        return bri_raise(call, "TypeError", "can't multiply sequence by non-int of type '%s'",
                         bri_type_name(factor));
    BROOD_TRY(bri_integer_argument(call, factor, &times));
    if (times < 0 || length == 0)
        times = 0;
    if ((uint64_t)times > MOST_PRODUCT / bri_weigh(call->target))
        return bri_raise(call, "MemoryError", "the product is too long");
    brood_value made = brood_list();
    brood_status status = BROOD_OK;
    for (int64_t i = 0; i < times && status == BROOD_OK; i++) {
        brood_value copy;
        status = brood_value_copy(call->target, &copy);
        if (status == BROOD_OK)
            status = brood_list_extend(&made, copy);
    }
    if (status == BROOD_OK)
        *product = made;
    else
        brood_value_clear(&made);
    return status;
}

static brood_status list_mul(bri_invocation *call)
{
    brood_value product;
    BROOD_TRY(repeat(call, &product));
    return bri_return(call, product);
}

/* The reply is not looked at, but must be one. */
static brood_status list_imul(bri_invocation *call)
{
    brood_value product;
    BROOD_TRY(repeat(call, &product));
    BROOD_TRY(bri_in_replace(call, call->target, product));
    return bri_return_copy(call, call->target);
}

static const bri_method methods[] = {
    {.name = "__add__", .run = list_add},
    {.name = "__contains__", .run = list_contains},
    {.name = "__delitem__", .run = list_delitem},
    {.name = "__getitem__", .run = list_getitem},
    {.name = "__len__", .run = list_len},
    {.name = "__mul__", .run = list_mul},
    {.name = "__reversed__", .run = list_reversed},
    {.name = "__rmul__", .run = list_mul},
    {.name = "__setitem__", .run = list_setitem},
    {.name = "append", .run = list_append},
    {.name = "count", .run = list_count},
    {.name = "extend", .run = list_extend},
    {.name = "index", .run = list_index},
    {.name = "insert", .run = list_insert},
    {.name = "pop", .run = list_pop},
    {.name = "remove", .run = list_remove},
    {.name = "reverse", .run = list_reverse},
    {.name = "sort", .run = list_sort},
    {.name = "__imul__", .run = list_imul},
    {.name = "clear", .run = list_clear},
};

/* clear is for #AT alone, where the whole table counts: Python's proxy has none. */
const bri_managed_type bri_list_type = {
    .typeid = "list",
    .methods = methods,
    .n_methods = sizeof methods / sizeof *methods,
    .create = create_list,
    .destroy = bri_content_destroy,
    .weigh = bri_content_weigh,
    .value = bri_content_copy,
    .content = bri_content_of,
};
