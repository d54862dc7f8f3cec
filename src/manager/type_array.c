/* manager/type_array.c - Array: array.array of one C type, kept as bytes. */
#include <float.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/opaque.h"
#include "data/text.h"
#include "manager/sequence.h"

typedef struct array {
    char typecode;
    size_t size; /* of an item */
    size_t count;
    unsigned char *items;
} array;

/* ---- items ---- */

static const struct {
    char typecode;
    unsigned char size;
    bool is_signed;
    const char *name; /* in messages */
} item_types[] = {
    {'b', sizeof(signed char), true, "signed char"},
    {'B', sizeof(unsigned char), false, "unsigned byte integer"},
    {'h', sizeof(short), true, "signed short integer"},
    {'H', sizeof(unsigned short), false, "unsigned short"},
    {'i', sizeof(int), true, "signed integer"},
    {'I', sizeof(unsigned), false, "unsigned int"},
    {'l', sizeof(long), true, "C long"},
    {'L', sizeof(unsigned long), false, "unsigned long"},
    {'q', sizeof(long long), true, "C long long"},
    {'Q', sizeof(unsigned long long), false, "unsigned long long"},
    {'f', sizeof(float), true, "float"},
    {'d', sizeof(double), true, "double"},
    {'u', sizeof(wchar_t), false, "unicode character"},
};

enum { TYPES = sizeof item_types / sizeof *item_types };

static size_t type_of(char typecode)
{
    size_t i = 0;
    while (i < TYPES && item_types[i].typecode != typecode)
        i++;
    return i;
}

static void put_bytes(void *at, uint64_t bits, size_t size)
{
    uint8_t b8 = (uint8_t)bits;
    uint16_t b16 = (uint16_t)bits;
    uint32_t b32 = (uint32_t)bits;
    memcpy(at,
           size == 1   ? (void *)&b8
           : size == 2 ? (void *)&b16
           : size == 4 ? (void *)&b32
                       : &bits,
           size);
}

static uint64_t get_bytes(const void *at, size_t size, bool is_signed)
{
    uint8_t b8;
    uint16_t b16;
    uint32_t b32;
    uint64_t b64;
    switch (size) {
    case 1:
        memcpy(&b8, at, 1);
        return is_signed ? (uint64_t)(int64_t)(int8_t)b8 : b8;
    case 2:
        memcpy(&b16, at, 2);
        return is_signed ? (uint64_t)(int64_t)(int16_t)b16 : b16;
    case 4:
        memcpy(&b32, at, 4);
        return is_signed ? (uint64_t)(int64_t)(int32_t)b32 : b32;
    default:
        memcpy(&b64, at, 8);
        return b64;
    }
}

static brood_status put_real(bri_invocation *call, char typecode, const brood_value *value,
                             void *at)
{
    double real;
    if (brood_get_float(value, &real) != BROOD_OK)
        return bri_raise(call, "TypeError", "must be real number, not %s", bri_type_name(value));
    if (typecode == 'd') {
        memcpy(at, &real, sizeof real);
    } else {
        float narrow = real > FLT_MAX || real < -FLT_MAX ? (float)(real * 1e300) : (float)real;
        memcpy(at, &narrow, sizeof narrow);
    }
    return BROOD_OK;
}

static brood_status put_character(bri_invocation *call, const brood_value *value, size_t size,
                                  void *at)
{
    const char *text;
    size_t length;
    if (brood_value_kind(value) != BROOD_STR || brood_get_str(value, &text, &length) != BROOD_OK)
        return bri_raise(call, "TypeError", "array item must be a unicode character, not %s",
                         bri_type_name(value));
    const char *end = text;
    uint32_t code = length == 0 ? 0 : bri_utf8_next(&end);
    if (length == 0 || end != text + length || (size == 2 && code > 0xffff))
        return bri_raise(call, "TypeError", "array item must be a unicode character");
    put_bytes(at, code, size);
    return BROOD_OK;
}

static brood_status put_integer(bri_invocation *call, size_t type, const brood_value *value,
                                void *at)
{
    const char *name = item_types[type].name;
    unsigned bits = item_types[type].size * 8u;
    int64_t number = 0;
    uint64_t wide = 0;
    brood_kind kind = brood_value_kind(value);
    if (kind != BROOD_INT && kind != BROOD_BOOL && kind != BROOD_BIGINT)
        return bri_raise(call, "TypeError", "'%s' object cannot be interpreted as an integer",
                         bri_type_name(value));
    if (item_types[type].is_signed) {
        int64_t most = (int64_t)(UINT64_MAX >> 1 >> (64 - bits));
        if (brood_get_int(value, &number) != BROOD_OK || number > most)
            return bri_raise(call, "OverflowError", "%s is greater than maximum", name);
        if (number < -most - 1)
            return bri_raise(call, "OverflowError", "%s is less than minimum", name);
        wide = (uint64_t)number;
    } else {
        if (kind != BROOD_BIGINT && brood_get_int(value, &number) == BROOD_OK && number < 0)
            return bri_raise(call, "OverflowError", "%s is less than minimum", name);
        if (brood_get_uint(value, &wide) != BROOD_OK || wide > UINT64_MAX >> (64 - bits))
            return bri_raise(call, "OverflowError", "%s is greater than maximum", name);
    }
    put_bytes(at, wide, item_types[type].size);
    return BROOD_OK;
}

static brood_status put_item(bri_invocation *call, const array *a, const brood_value *value,
                             size_t index)
{
    void *at = a->items + index * a->size;
    if (a->typecode == 'f' || a->typecode == 'd')
        return put_real(call, a->typecode, value, at);
    if (a->typecode == 'u')
        return put_character(call, value, a->size, at);
    return put_integer(call, type_of(a->typecode), value, at);
}

static brood_value get_item(const array *a, size_t index)
{
    const void *at = a->items + index * a->size;
    double real;
    float narrow;
    char text[4];
    switch (a->typecode) {
    case 'd':
        memcpy(&real, at, sizeof real);
        return brood_float(real);
    case 'f':
        memcpy(&narrow, at, sizeof narrow);
        return brood_float((double)narrow);
    case 'u':
        return brood_str_n(text, bri_utf8_put(text, (uint32_t)get_bytes(at, a->size, false)));
    default:
        break;
    }
    bool is_signed = item_types[type_of(a->typecode)].is_signed;
    uint64_t bits = get_bytes(at, a->size, is_signed);
    return is_signed ? brood_int((int64_t)bits) : brood_uint(bits);
}

/* ---- making ---- */

static void destroy_array(void *state)
{
    bri_free(((array *)state)->items);
    bri_free(state);
}

static uint64_t weigh_array(const void *state)
{
    const array *a = state;
    return sizeof *a + a->count * a->size;
}

static brood_status fill(bri_invocation *call, array *a, const brood_value *initial)
{
    brood_value list;
    const void *bytes;
    size_t size;
    if (brood_value_kind(initial) == BROOD_BYTES) { /* the items' own bytes */
        BROOD_TRY(brood_get_bytes(initial, &bytes, &size));
        if (size % a->size != 0)
            return bri_raise(call, "ValueError", "bytes length not a multiple of item size");
        a->items = bri_alloc(size);
        if (a->items == NULL)
            return BROOD_ENOMEM;
        memcpy(a->items, bytes, size);
        a->count = size / a->size;
        return BROOD_OK;
    }
    BROOD_TRY(bri_list_of(call, initial, &list));
    a->count = brood_value_length(&list);
    a->items = bri_calloc(a->count + 1, a->size);
    brood_status status = a->items == NULL ? BROOD_ENOMEM : BROOD_OK;
    for (size_t i = 0; i < a->count && status == BROOD_OK; i++)
        status = put_item(call, a, brood_item(&list, i), i);
    brood_value_clear(&list);
    return status;
}

static brood_status create_array(bri_invocation *call, void **state)
{
    static const char *const names[] = {"typecode", "sequence", "lock"};
    const brood_value *out[3];
    const char *typecode;
    BROOD_TRY(bri_take_arguments(call, names, 3, 2, out));
    if (brood_get_str(out[0], &typecode, NULL) != BROOD_OK || typecode[0] == '\0' ||
        typecode[1] != '\0')
        return bri_raise(call, "TypeError", "array() argument 1 must be a unicode character");
    size_t type = type_of(typecode[0]);
    if (type == TYPES)
        return bri_raise(call, "ValueError",
                         "bad typecode (must be b, B, u, h, H, i, I, l, L, q, Q, f or d)");
    array *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->typecode = typecode[0];
    made->size = item_types[type].size;
    brood_status status = fill(call, made, out[1]);
    if (status != BROOD_OK)
        destroy_array(made);
    else
        *state = made;
    return status;
}

/* What Python calls machine formats: which bytes an item has. All are little-endian here. */
static const struct {
    unsigned char size;
    bool is_signed;
    char kind; /* i, f, u */
} formats[] = {{1, false, 'i'}, {1, true, 'i'},  {2, false, 'i'}, {0, false, 0},   {2, true, 'i'},
               {0, false, 0},   {4, false, 'i'}, {0, false, 0},   {4, true, 'i'},  {0, false, 0},
               {8, false, 'i'}, {0, false, 0},   {8, true, 'i'},  {0, false, 0},   {4, true, 'f'},
               {0, false, 0},   {8, true, 'f'},  {0, false, 0},   {2, false, 'u'}, {0, false, 0},
               {4, false, 'u'}, {0, false, 0}};

enum { FORMATS = sizeof formats / sizeof *formats };

static size_t format_of(const array *a)
{
    char kind = a->typecode == 'f' || a->typecode == 'd' ? 'f' : a->typecode == 'u' ? 'u' : 'i';
    bool is_signed = kind != 'u' && item_types[type_of(a->typecode)].is_signed;
    size_t i = 0;
    while (i + 1 < FORMATS && (formats[i].kind != kind || formats[i].size != a->size ||
                               formats[i].is_signed != is_signed))
        i++;
    return i;
}

/* array._array_reconstructor(array.array, typecode, format, bytes): a long may have another size at
 * the other end. */
static brood_value as_value(const array *a, const void *items, size_t count)
{
    char typecode[2] = {a->typecode, '\0'};
    return bri_opaque_call("array", "_array_reconstructor",
                           brood_pack("(vsly)", bri_opaque_global("array", "array"), typecode,
                                      (int64_t)format_of(a), count == 0 ? "" : items,
                                      count * a->size));
}

/* ---- methods ---- */

static brood_status array_len(bri_invocation *call)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    return bri_return(call, brood_int((int64_t)((array *)call->state)->count));
}

static brood_status array_getitem(bri_invocation *call)
{
    static const char *const names[] = {"index"};
    const array *a = call->state;
    const brood_value *index;
    bri_place place;
    BROOD_TRY(bri_take_arguments(call, names, 1, 1, &index));
    BROOD_TRY(bri_find_place(call, index, a->count, "array", &place));
    if (!place.is_slice)
        return bri_return(call, get_item(a, place.index));
    unsigned char *part = bri_alloc(place.count * a->size + 1);
    if (part == NULL)
        return BROOD_ENOMEM;
    for (size_t i = 0; i < place.count; i++)
        memcpy(part + i * a->size,
               a->items + (size_t)(place.start + (int64_t)i * place.step) * a->size, a->size);
    brood_value slice = as_value(a, part, place.count);
    bri_free(part);
    return bri_return(call, slice);
}

/* Items in some machine's format as values. */
static brood_status read_format(bri_invocation *call, int64_t code, const unsigned char *bytes,
                                size_t size, brood_value *list)
{
    size_t i = code >= 0 && code < FORMATS ? (size_t)code : 3;
    if (formats[i].kind == 0 || size % formats[i].size != 0)
        return bri_raise(call, "ValueError", "this server cannot read such an array");
    char typecode = formats[i].kind == 'u' ? 'u' : formats[i].size == 4 ? 'f' : 'd';
    array view = {.typecode = typecode, .size = formats[i].size};
    brood_status status = BROOD_OK;
    *list = brood_list();
    for (size_t at = 0; at < size && status == BROOD_OK; at += formats[i].size) {
        uint64_t bits = get_bytes(bytes + at, formats[i].size, formats[i].is_signed);
        if (formats[i].kind == 'i') {
            status = brood_append(list, formats[i].is_signed ? brood_int((int64_t)bits)
                                                             : brood_uint(bits));
        } else {
            view.items = (unsigned char *)(uintptr_t)(bytes + at);
            status = brood_append(list, get_item(&view, 0));
        }
    }
    if (status != BROOD_OK)
        brood_value_clear(list);
    return status;
}

/* The typecode and the items of an array.array in a request, in one of its two forms. */
static brood_status open_parts(bri_invocation *call, const bri_opaque_parts *parts, char *typecode,
                               brood_value *list)
{
    const char *code;
    const brood_value *items;
    const void *bytes;
    size_t size;
    int64_t format;
    if (strcmp(parts->name, "_array_reconstructor") == 0) {
        BROOD_TRY(brood_unpack(&parts->arguments, "(xsiy)", &code, &format, &bytes, &size));
        *typecode = code[0];
        return read_format(call, format, bytes, size, list);
    }
    BROOD_TRY(brood_unpack(&parts->arguments, "(sv)", &code, &items));
    *typecode = code[0];
    if (brood_value_kind(items) == BROOD_BYTES) /* as managers.py writes it: of its own machine */
        return brood_value_copy(items, list);
    return bri_list_of(call, items, list);
}

static brood_status open_array(bri_invocation *call, const brood_value *value, array *out)
{
    bri_opaque_parts parts;
    brood_value list = {0};
    *out = (array){0};
    if (brood_value_kind(value) != BROOD_OPAQUE || bri_opaque_open(value, &parts) != BROOD_OK)
        return bri_raise(call, "TypeError", "can only assign array (not \"%s\") to array slice",
                         bri_type_name(value));
    brood_status status = strcmp(parts.module, "array") == 0 && parts.form == BRI_OPAQUE_CALL
                              ? open_parts(call, &parts, &out->typecode, &list)
                              : BROOD_ETYPE;
    bri_opaque_close(&parts);
    if (status == BROOD_OK && type_of(out->typecode) != TYPES) {
        out->size = item_types[type_of(out->typecode)].size;
        status = fill(call, out, &list);
    } else {
        status = bri_raise(call, "TypeError", "can only assign array to array slice");
    }
    brood_value_clear(&list);
    return status;
}

static brood_status set_slice(bri_invocation *call, array *a, const bri_place *place,
                              const brood_value *value)
{
    array other;
    brood_status status = open_array(call, value, &other);
    if (status == BROOD_OK && other.typecode != a->typecode)
        status = bri_raise(call, "TypeError", "bad argument type for built-in operation");
    size_t start = (size_t)place->start, stop = start + place->count;
    if (status == BROOD_OK && place->step != 1) {
        if (other.count != place->count)
            status = bri_raise(call, "ValueError",
                               "attempt to assign array of size %zu to extended slice of size %zu",
                               other.count, place->count);
        for (size_t i = 0; i < place->count && status == BROOD_OK; i++)
            memcpy(a->items + (size_t)(place->start + (int64_t)i * place->step) * a->size,
                   other.items + i * a->size, a->size);
    } else if (status == BROOD_OK) {
        size_t count = a->count - place->count + other.count;
        uint64_t added = other.count * a->size, removed = place->count * a->size;
        unsigned char *made = NULL;
        status = bri_check_room(call, added, removed);
        if (status == BROOD_OK) {
            made = bri_alloc(count * a->size + 1);
            status = made == NULL ? BROOD_ENOMEM : BROOD_OK;
        }
        if (made != NULL) {
            bri_account(call->holder, added, removed);
            if (start != 0)
                memcpy(made, a->items, start * a->size);
            if (other.count != 0)
                memcpy(made + start * a->size, other.items, other.count * a->size);
            if (stop < a->count)
                memcpy(made + (start + other.count) * a->size, a->items + stop * a->size,
                       (a->count - stop) * a->size);
            bri_free(a->items);
            a->items = made;
            a->count = count;
        }
    }
    bri_free(other.items);
    return status;
}

static brood_status array_setitem(bri_invocation *call)
{
    static const char *const names[] = {"index", "value"};
    array *a = call->state;
    const brood_value *out[2];
    bri_place place;
    BROOD_TRY(bri_take_arguments(call, names, 2, 2, out));
    BROOD_TRY(bri_find_place(call, out[0], a->count, "array assignment", &place));
    return place.is_slice ? set_slice(call, a, &place, out[1])
                          : put_item(call, a, out[1], place.index);
}

static brood_status array_value(bri_managed *object, brood_value *value)
{
    const array *a = object->state;
    *value = as_value(a, a->items, a->count);
    return value->kind == BROOD_OPAQUE ? BROOD_OK : brood_last_error()->status;
}

/* array('i', [1, 2]) */
static brood_status array_repr(bri_managed *object, bri_buffer *out)
{
    const array *a = object->state;
    char head[32];
    int n =
        snprintf(head, sizeof head, a->count == 0 ? "array('%c'" : "array('%c', [", a->typecode);
    BROOD_TRY(bri_buffer_append(out, head, (size_t)n));
    for (size_t i = 0; i < a->count; i++) {
        brood_value item = get_item(a, i);
        if (i != 0)
            BROOD_TRY(bri_buffer_append(out, ", ", 2));
        brood_status status = bri_repr(&item, 0, out);
        brood_value_clear(&item);
        BROOD_TRY(status);
    }
    return bri_buffer_append(out, a->count == 0 ? ")" : "])", a->count == 0 ? 1 : 2);
}

static const bri_method methods[] = {
    {.name = "__len__", .run = array_len},
    {.name = "__getitem__", .run = array_getitem},
    {.name = "__setitem__", .run = array_setitem},
};

const bri_managed_type bri_array_type = {
    .typeid = "Array",
    .methods = methods,
    .n_methods = 3,
    .create = create_array,
    .destroy = destroy_array,
    .weigh = weigh_array,
    .value = array_value,
    .repr = array_repr,
};
