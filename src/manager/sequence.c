/* manager/sequence.c - see the header. */
#include "manager/sequence.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/hash.h"
#include "data/heap.h"
#include "data/opaque.h"
#include "data/text.h"
#include "manager/session.h"

brood_status bri_return(bri_invocation *call, brood_value value)
{
    if (value.kind == BROOD_INVALID)
        return bri_fail_invalid(&value);
    brood_value_clear(&call->result);
    call->result = value;
    return BROOD_OK;
}

brood_status bri_return_copy(bri_invocation *call, const brood_value *value)
{
    brood_value copy;
    BROOD_TRY(brood_value_copy(value, &copy));
    return bri_return(call, copy);
}

const char *bri_type_name(const brood_value *value)
{
    switch (brood_value_kind(value)) {
    case BROOD_NONE:
        return "NoneType";
    case BROOD_OPAQUE:
        return brood_opaque_name(value);
    case BROOD_ERROR:
        return brood_error_kind(value);
    default:
        return brood_kind_name(brood_value_kind(value));
    }
}

brood_status bri_check_key(bri_invocation *call, const brood_value *key)
{
    uint64_t hash;
    bool salted;
    if (bri_hash(key, 0, &hash, &salted))
        return BROOD_OK;
    return bri_raise(call, "TypeError", "unhashable type: '%s'", bri_type_name(key));
}

/* ---- indices and slices ---- */

brood_status bri_integer_argument(bri_invocation *call, const brood_value *value, int64_t *number)
{
    if (brood_value_kind(value) == BROOD_BIGINT)
        return bri_raise(call, "OverflowError", "the number is too large");
    if (brood_get_int(value, number) != BROOD_OK)
        return bri_raise(call, "TypeError", "'%s' object cannot be interpreted as an integer",
                         bri_type_name(value));
    return BROOD_OK;
}

brood_status bri_slice_number(bri_invocation *call, const brood_value *value, int64_t otherwise,
                              int64_t *number)
{
    *number = otherwise;
    if (brood_value_kind(value) == BROOD_NONE)
        return BROOD_OK;
    if (brood_value_kind(value) == BROOD_BIGINT) {
        const bri_text *bytes = bri_text_of(value);
        *number = bytes->data[bytes->size - 1] & 0x80 ? -INT64_MAX : INT64_MAX;
        return BROOD_OK;
    }
    if (brood_get_int(value, number) != BROOD_OK)
        return bri_raise(call, "TypeError", "slice indices must be integers or None");
    return BROOD_OK;
}

static int64_t clamp(int64_t number, int64_t length, int64_t low, int64_t high)
{
    if (number < 0)
        number = number < -length ? low : number + length;
    return number < low ? low : number > high ? high : number;
}

static brood_status fit_slice(bri_invocation *call, const brood_value *arguments, int64_t length,
                              bri_place *place)
{
    const brood_value *start, *stop, *step;
    BROOD_TRY(brood_unpack(arguments, "(vvv)", &start, &stop, &step));
    BROOD_TRY(bri_slice_number(call, step, 1, &place->step));
    if (place->step == 0)
        return bri_raise(call, "ValueError", "slice step cannot be zero");
    if (place->step < -INT64_MAX)
        place->step = -INT64_MAX;
    bool up = place->step > 0;
    int64_t low = up ? 0 : -1, high = up ? length : length - 1;
    BROOD_TRY(bri_slice_number(call, start, 0, &place->start));
    BROOD_TRY(bri_slice_number(call, stop, 0, &place->stop));
    bool no_start = brood_value_kind(start) == BROOD_NONE;
    bool no_stop = brood_value_kind(stop) == BROOD_NONE;
    place->start = no_start ? (up ? 0 : length - 1) : clamp(place->start, length, low, high);
    place->stop = no_stop ? (up ? length : -1) : clamp(place->stop, length, low, high);
    int64_t span = up ? place->stop - place->start : place->start - place->stop;
    uint64_t stride = (uint64_t)(up ? place->step : -place->step);
    place->count = span <= 0 ? 0 : (size_t)(((uint64_t)span - 1) / stride + 1);
    return BROOD_OK;
}

brood_status bri_find_place(bri_invocation *call, const brood_value *index, size_t length,
                            const char *what, bri_place *place)
{
    int64_t number;
    *place = (bri_place){0};
    if (bri_opaque_is(index, "builtins", "slice")) {
        bri_opaque_parts parts;
        BROOD_TRY(bri_opaque_open(index, &parts));
        brood_status status = fit_slice(call, &parts.arguments, (int64_t)length, place);
        bri_opaque_close(&parts);
        place->is_slice = true;
        return status;
    }
    if (brood_value_kind(index) == BROOD_BIGINT)
        return bri_raise(call, "IndexError", "cannot fit 'int' into an index-sized integer");
    if (brood_get_int(index, &number) != BROOD_OK)
        return bri_raise(call, "TypeError", "%s indices must be integers or slices, not %s", what,
                         bri_type_name(index));
    if (number < 0)
        number += (int64_t)length;
    if (number < 0 || (uint64_t)number >= length)
        return bri_raise(call, "IndexError", "%s index out of range", what);
    place->index = (size_t)number;
    return BROOD_OK;
}

/* ---- iterables ---- */

enum { MOST_RANGE = 1 << 24 /* items that a range, a few bytes, may become */ };

static brood_status list_of_range(bri_invocation *call, const brood_value *range, brood_value *list)
{
    bri_opaque_parts parts;
    int64_t start, stop, step;
    BROOD_TRY(bri_opaque_open(range, &parts));
    brood_status status = brood_unpack(&parts.arguments, "(iii)", &start, &stop, &step);
    bri_opaque_close(&parts);
    BROOD_TRY(status);
    if (step == 0)
        return bri_raise(call, "ValueError", "range() arg 3 must not be zero");
    uint64_t span = 0;
    if (step > 0 ? start < stop : start > stop)
        span = step > 0 ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
    uint64_t stride = step > 0 ? (uint64_t)step : (uint64_t)0 - (uint64_t)step;
    uint64_t count = span == 0 ? 0 : (span - 1) / stride + 1;
    if (count > MOST_RANGE)
        return bri_raise(call, "MemoryError", "a range of %llu items is too long",
                         (unsigned long long)count);
    *list = brood_list();
    for (uint64_t i = 0; i < count && status == BROOD_OK; i++)
        status = brood_append(list, brood_int((int64_t)((uint64_t)start + i * (uint64_t)step)));
    if (status != BROOD_OK)
        brood_value_clear(list);
    return status;
}

/* Characters, bytes, keys, items. */
static brood_status append_parts(const brood_value *value, brood_value *list)
{
    const brood_value *part;
    const char *text;
    const void *bytes;
    size_t size;
    brood_value copy;
    switch (brood_value_kind(value)) {
    case BROOD_LIST:
    case BROOD_TUPLE:
        BROOD_TRY(brood_value_copy(value, &copy));
        return brood_list_extend(list, copy);
    case BROOD_STR:
        BROOD_TRY(brood_get_str(value, &text, &size));
        for (const char *end = text + size, *next; text < end; text = next) {
            next = text;
            bri_utf8_next(&next);
            BROOD_TRY(brood_append(list, brood_str_n(text, (size_t)(next - text))));
        }
        return BROOD_OK;
    case BROOD_BYTES:
        BROOD_TRY(brood_get_bytes(value, &bytes, &size));
        for (size_t i = 0; i < size; i++)
            BROOD_TRY(brood_append(list, brood_int(((const unsigned char *)bytes)[i])));
        return BROOD_OK;
    case BROOD_DICT:
        for (size_t at = 0; brood_dict_next(value, &at, &part, NULL);) {
            BROOD_TRY(brood_value_copy(part, &copy));
            BROOD_TRY(brood_append(list, copy));
        }
        return BROOD_OK;
    default:
        for (size_t at = 0; brood_set_next(value, &at, &part);) {
            BROOD_TRY(brood_value_copy(part, &copy));
            BROOD_TRY(brood_append(list, copy));
        }
        return BROOD_OK;
    }
}

static brood_status fail_iterable(bri_invocation *call, const brood_value *value)
{
    return bri_raise(call, "TypeError", "'%s' object is not iterable", bri_type_name(value));
}

/* Foreign containers that are made empty and then filled: a deque, an OrderedDict, ... */
static brood_status open_items(bri_invocation *call, const brood_value *value, brood_value *items)
{
    bri_opaque_parts parts;
    bri_pickle_options options = bri_reading_options(call->session);
    if (bri_opaque_open_with(value, &options, &parts) != BROOD_OK)
        return fail_iterable(call, value);
    bool fits = parts.has_items;
    if (fits)
        *items = brood_value_take(&parts.items);
    bri_opaque_close(&parts);
    return fits ? BROOD_OK : fail_iterable(call, value);
}

/* The value inside an object of this server, if it has one. */
static const brood_value *look_inside(const brood_value *value)
{
    bri_managed *managed = bri_managed_in(value);
    return managed == NULL || managed->type->content == NULL ? value
                                                             : managed->type->content(managed);
}

static bool is_mapping(const brood_value *value)
{
    return bri_opaque_is(value, "collections", "OrderedDict") ||
           bri_opaque_is(value, "collections", "defaultdict") ||
           bri_opaque_is(value, "collections", "Counter");
}

brood_status bri_list_of(bri_invocation *call, const brood_value *iterable, brood_value *list)
{
    const brood_value *value = look_inside(iterable);
    brood_value made = brood_list();
    brood_status status = BROOD_OK;
    if (bri_opaque_is(value, "builtins", "range")) {
        return list_of_range(call, value, list);
    } else if (brood_value_kind(value) == BROOD_OPAQUE) {
        BROOD_TRY(open_items(call, value, &made));
        if (is_mapping(value))
            for (size_t i = 0; i < brood_value_length(&made) && status == BROOD_OK; i++) {
                brood_value key;
                status = brood_value_copy(brood_item(brood_item(&made, i), 0), &key);
                if (status == BROOD_OK)
                    status = brood_set_item(&made, i, key);
            }
    } else if (brood_value_kind(value) >= BROOD_STR && brood_value_kind(value) <= BROOD_FROZENSET) {
        status = append_parts(value, &made);
    } else {
        return fail_iterable(call, value);
    }
    if (status == BROOD_OK)
        *list = made;
    else
        brood_value_clear(&made);
    return status;
}

static brood_status pairs_of_dict(const brood_value *dict, brood_value *pairs)
{
    const brood_value *key, *item;
    for (size_t at = 0; brood_dict_next(dict, &at, &key, &item);) {
        brood_value key_copy, item_copy;
        BROOD_TRY(brood_value_copy(key, &key_copy));
        brood_status status = brood_value_copy(item, &item_copy);
        if (status != BROOD_OK) {
            brood_value_clear(&key_copy);
            return status;
        }
        BROOD_TRY(brood_append(pairs, brood_pack("(vv)", key_copy, item_copy)));
    }
    return BROOD_OK;
}

/* Each item must be an iterable of two. */
static brood_status make_pairs(bri_invocation *call, brood_value *pairs)
{
    for (size_t i = 0; i < brood_value_length(pairs); i++) {
        const brood_value *item = brood_item(pairs, i);
        brood_kind kind = brood_value_kind(item);
        brood_value two;
        if (kind == BROOD_TUPLE || kind == BROOD_LIST) {
            if (brood_value_length(item) == 2)
                continue;
            return bri_raise(
                call, "ValueError",
                "dictionary update sequence element #%zu has length %zu; 2 is required", i,
                brood_value_length(item));
        }
        if (bri_list_of(call, item, &two) != BROOD_OK)
            return bri_raise(call, "TypeError",
                             "cannot convert dictionary update sequence element #%zu to a sequence",
                             i);
        size_t length = brood_value_length(&two);
        BROOD_TRY(brood_set_item(pairs, i, two));
        if (length != 2)
            return bri_raise(
                call, "ValueError",
                "dictionary update sequence element #%zu has length %zu; 2 is required", i, length);
    }
    return BROOD_OK;
}

brood_status bri_pairs_of(bri_invocation *call, const brood_value *mapping, brood_value *pairs)
{
    const brood_value *value = look_inside(mapping);
    brood_value made = brood_list();
    brood_status status;
    if (brood_value_kind(value) == BROOD_DICT)
        status = pairs_of_dict(value, &made);
    else if (is_mapping(value))
        status = open_items(call, value, &made);
    else
        status = bri_list_of(call, value, &made);
    if (status == BROOD_OK)
        status = make_pairs(call, &made);
    if (status == BROOD_OK)
        *pairs = made;
    else
        brood_value_clear(&made);
    return status;
}
