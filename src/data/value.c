/* data/value.c - making, copying, clearing and reading values; containers have files of their own.
 */
#include <brood/value.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/heap.h"
#include "data/text.h"

const char *brood_kind_name(brood_kind kind)
{
    static const char *const names[] = {"invalid",   "none",   "bool",   "int",   "int",  "float",
                                        "str",       "bytes",  "list",   "tuple", "dict", "set",
                                        "frozenset", "object", "opaque", "error"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

brood_kind brood_value_kind(const brood_value *value)
{
    return (brood_kind)bri_given(value)->kind;
}

brood_status bri_fail_invalid(const brood_value *value)
{
    brood_status status = (brood_status)value->reserved[0];
    if (status == BROOD_OK)
        return bri_fail(BROOD_EINVALID, "could not use a value: it is empty");
    if (brood_last_error()->status != status)
        return bri_fail(status, "could not use a value: making it failed");
    return status;
}

brood_status bri_value_check(const brood_value *value)
{
    bool failed = value->kind == BROOD_INVALID && value->reserved[0] != BROOD_OK;
    return failed ? bri_fail_invalid(value) : BROOD_OK;
}

brood_status bri_fail_kind(const char *what, const brood_value *value)
{
    if (value->kind == BROOD_INVALID)
        return bri_fail_invalid(value);
    return bri_fail(BROOD_ETYPE, "could not %s: the value is of kind \"%s\"", what,
                    brood_kind_name((brood_kind)value->kind));
}

/* ---- scalars ---- */

brood_value brood_none(void)
{
    return (brood_value){.kind = BROOD_NONE};
}

brood_value brood_bool(bool value)
{
    brood_value result = {.kind = BROOD_BOOL};
    result.as.boolean = value;
    return result;
}

brood_value brood_int(int64_t value)
{
    brood_value result = {.kind = BROOD_INT};
    result.as.integer = value;
    return result;
}

brood_value brood_uint(uint64_t value)
{
    if (value <= INT64_MAX)
        return brood_int((int64_t)value);
    unsigned char bytes[9] = {0};
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    return bri_integer(bytes, sizeof bytes);
}

brood_value brood_float(double value)
{
    brood_value result = {.kind = BROOD_FLOAT};
    result.as.real = value;
    return result;
}

/* ---- str and bytes ---- */

bri_text *bri_text_create(size_t size)
{
    if (size > SIZE_MAX / 2) {
        bri_fail(BROOD_ENOMEM, "could not allocate %zu bytes", size);
        return NULL;
    }
    bri_text *text = bri_alloc(sizeof *text + size + 1);
    if (text == NULL)
        return NULL;
    atomic_init(&text->references, 1);
    text->size = size;
    text->data[size] = '\0';
    return text;
}

static brood_value make_text(brood_kind kind, const void *data, size_t size)
{
    bri_text *text = bri_text_create(size);
    if (text == NULL)
        return bri_invalid(BROOD_ENOMEM);
    if (size != 0)
        memcpy(text->data, data, size);
    return bri_value_of(kind, text);
}

brood_value brood_str(const char *text)
{
    if (text == NULL)
        return bri_invalid(bri_fail(BROOD_EINVALID, "could not make a str: the text is NULL"));
    return brood_str_n(text, strlen(text));
}

brood_value brood_str_n(const char *text, size_t size)
{
    size_t valid = bri_utf8_valid(text, size);
    if (valid != size)
        return bri_invalid(
            bri_fail(BROOD_EFORMAT, "could not make a str: byte %zu is not UTF-8", valid));
    return make_text(BROOD_STR, text, size);
}

/* Each byte that is not part of well-formed UTF-8 becomes the surrogate U+DC80 .. U+DCFF. So do
 * those of a surrogate, or other bytes would become the same str. */
static size_t escape_bytes(const char *text, size_t size, char *out)
{
    size_t written = 0;
    for (size_t i = 0; i < size;) {
        size_t valid = bri_utf8_strict(text + i, size - i);
        if (out != NULL)
            memcpy(out + written, text + i, valid);
        written += valid;
        i += valid;
        if (i < size) {
            char escaped[4];
            size_t length = bri_utf8_put(escaped, 0xDC00u + (unsigned char)text[i]);
            if (out != NULL)
                memcpy(out + written, escaped, length);
            written += length;
            i++;
        }
    }
    return written;
}

brood_value brood_str_escaped(const char *text, size_t size)
{
    bri_text *block = bri_text_create(escape_bytes(text, size, NULL));
    if (block == NULL)
        return bri_invalid(BROOD_ENOMEM);
    escape_bytes(text, size, block->data);
    return bri_value_of(BROOD_STR, block);
}

brood_value brood_bytes(const void *data, size_t size)
{
    return make_text(BROOD_BYTES, data, size);
}

brood_value brood_bytearray(const void *data, size_t size)
{
    brood_value value = make_text(BROOD_BYTES, data, size);
    if (value.kind == BROOD_BYTES)
        value.reserved[0] = BRI_MUTABLE_BYTES;
    return value;
}

bool brood_value_is_mutable_bytes(const brood_value *value)
{
    value = bri_given(value);
    return value->kind == BROOD_BYTES && value->reserved[0] == BRI_MUTABLE_BYTES;
}

/* ---- references ---- */

/* The counter of a kind that is shared; all four blocks start with it. */
static atomic_uint *references_of(const brood_value *value)
{
    return (atomic_uint *)(void *)value->as.heap;
}

brood_value bri_share(const brood_value *value)
{
    atomic_fetch_add_explicit(references_of(value), 1, memory_order_relaxed);
    return *value;
}

/* Whether this was the last reference. One holder needs no atomic change: nobody else can get at
 * the block. */
static bool drop_reference(const brood_value *value)
{
    atomic_uint *references = references_of(value);
    if (atomic_load_explicit(references, memory_order_acquire) == 1)
        return true;
    return atomic_fetch_sub_explicit(references, 1, memory_order_acq_rel) == 1;
}

/* ---- clearing ---- */

static void clear_heap(brood_value *value);

static inline void clear_one(brood_value *value)
{
    if (!bri_is_scalar(value))
        clear_heap(value);
}

static void clear_array(const brood_value *value)
{
    bri_array *array = bri_array_of(value);
    if (array == NULL)
        return;
    for (size_t i = 0; array->owning && i < array->count; i++)
        clear_one(&array->items[i]);
    bri_free(array);
}

static void clear_table(const brood_value *value)
{
    size_t position = 0;
    for (bri_entry *entry; (entry = bri_table_next(value, &position)) != NULL;) {
        clear_one(&entry->key);
        if (value->kind == BROOD_DICT)
            clear_one(bri_entry_item(entry));
    }
    bri_free(bri_table_of(value));
}

static void clear_failure(const brood_value *value)
{
    bri_failure *failure = bri_failure_of(value);
    if (!drop_reference(value))
        return;
    clear_one(&failure->arguments);
    clear_one(&failure->state);
    bri_free(failure);
}

static void clear_opaque(const brood_value *value)
{
    bri_opaque *opaque = bri_opaque_of(value);
    if (!drop_reference(value))
        return;
    clear_one(&opaque->held);
    bri_free(opaque);
}

static void clear_box(const brood_value *value)
{
    bri_box *box = bri_box_of(value);
    if (!drop_reference(value))
        return;
    box->type->release(box->object);
    bri_free(box);
}

static void clear_heap(brood_value *value)
{
    switch (value->kind) {
    case BROOD_BIGINT:
    case BROOD_STR:
    case BROOD_BYTES:
        if (drop_reference(value))
            bri_free(value->as.heap);
        break;
    case BROOD_OPAQUE:
        clear_opaque(value);
        break;
    case BROOD_LIST:
    case BROOD_TUPLE:
    case BRI_KIND_CALL:
    case BRI_KIND_RAW_DICT:
    case BRI_KIND_RAW_SET:
    case BRI_KIND_RAW_FROZEN:
        clear_array(value);
        break;
    case BROOD_DICT:
    case BROOD_SET:
    case BROOD_FROZENSET:
        clear_table(value);
        break;
    case BROOD_ERROR:
        clear_failure(value);
        break;
    case BROOD_OBJECT:
        clear_box(value);
        break;
    default: /* BRI_KIND_REF owns nothing */
        break;
    }
}

void brood_value_clear(brood_value *value)
{
    if (value == NULL)
        return;
    clear_one(value);
    *value = (brood_value){.kind = BROOD_INVALID};
}

brood_value brood_value_take(brood_value *value)
{
    brood_value taken = *value;
    *value = (brood_value){.kind = BROOD_INVALID};
    return taken;
}

/* ---- copying ---- */

static brood_status copy_array(const brood_value *value, brood_value *copy)
{
    size_t count = bri_array_count(value);
    *copy = bri_value_of(value->kind, NULL);
    BROOD_TRY(bri_array_reserve(copy, count));
    for (size_t i = 0; i < count; i++) {
        brood_value item;
        BROOD_TRY(brood_value_copy(&bri_array_of(value)->items[i], &item));
        BROOD_TRY(bri_array_append(copy, item));
    }
    return BROOD_OK;
}

static brood_status copy_table(const brood_value *value, brood_value *copy)
{
    *copy = bri_value_of(value->kind, NULL);
    BROOD_TRY(bri_table_reserve(copy, bri_table_count(value)));
    size_t position = 0;
    for (bri_entry *entry; (entry = bri_table_next(value, &position)) != NULL;) {
        brood_value key;
        brood_value item = {.kind = BROOD_INVALID};
        BROOD_TRY(brood_value_copy(&entry->key, &key));
        brood_status status = BROOD_OK;
        if (value->kind == BROOD_DICT)
            status = brood_value_copy(bri_entry_item(entry), &item);
        if (status == BROOD_OK)
            status = bri_table_put_new(copy, entry->hash, key, item);
        if (status != BROOD_OK) {
            brood_value_clear(&key);
            brood_value_clear(&item);
            return status;
        }
    }
    if (copy->as.heap != NULL)
        bri_table_of(copy)->salted = bri_table_of(value)->salted;
    return BROOD_OK;
}

brood_status brood_value_copy(const brood_value *value, brood_value *copy)
{
    value = bri_given(value);
    if (value->kind == BROOD_INVALID)
        return bri_fail_invalid(value);
    if (bri_is_scalar(value)) {
        *copy = *value;
        return BROOD_OK;
    }
    if (!bri_is_array(value) && !bri_is_table(value)) {
        *copy = bri_share(value);
        return BROOD_OK;
    }
    brood_value made;
    brood_status status = bri_is_array(value) ? copy_array(value, &made) : copy_table(value, &made);
    if (status != BROOD_OK) {
        brood_value_clear(&made);
        return status;
    }
    *copy = made;
    return BROOD_OK;
}

/* ---- depth ---- */

uint32_t bri_depth(const brood_value *value)
{
    switch (value->kind) {
    case BROOD_LIST:
    case BROOD_TUPLE:
    case BRI_KIND_CALL:
    case BRI_KIND_RAW_DICT:
    case BRI_KIND_RAW_SET:
    case BRI_KIND_RAW_FROZEN:
        return value->as.heap == NULL ? 1 : bri_array_of(value)->depth;
    case BROOD_DICT:
    case BROOD_SET:
    case BROOD_FROZENSET:
        return value->as.heap == NULL ? 1 : bri_table_of(value)->depth;
    case BROOD_ERROR:
        return bri_failure_of(value)->depth;
    default:
        return 0;
    }
}

brood_status bri_nest(uint32_t *depth, const brood_value *item)
{
    uint32_t needed = bri_depth(item) + 1;
    if (needed <= *depth)
        return BROOD_OK;
    if (needed > BROOD_MAX_DEPTH)
        return bri_fail(BROOD_ELIMIT, "could not nest a value deeper than %d levels",
                        (int)BROOD_MAX_DEPTH);
    *depth = needed;
    return BROOD_OK;
}

/* ---- reading ---- */

brood_status brood_get_bool(const brood_value *value, bool *out)
{
    value = bri_given(value);
    if (value->kind != BROOD_BOOL)
        return bri_fail_kind("read a bool", value);
    *out = value->as.boolean;
    return BROOD_OK;
}

brood_status brood_get_int(const brood_value *value, int64_t *out)
{
    value = bri_given(value);
    switch (value->kind) {
    case BROOD_INT:
        *out = value->as.integer;
        return BROOD_OK;
    case BROOD_BOOL:
        *out = value->as.boolean;
        return BROOD_OK;
    case BROOD_BIGINT:
        return bri_fail(BROOD_ERANGE, "could not read an int: it does not fit into 64 bits");
    default:
        return bri_fail_kind("read an int", value);
    }
}

/* A bigint of at most 64 bits without its sign. */
static bool fits_uint(const bri_text *number, uint64_t *out)
{
    const unsigned char *bytes = (const unsigned char *)number->data;
    if (number->size != 9 || bytes[8] != 0)
        return false;
    *out = 0;
    for (size_t i = 0; i < 8; i++)
        *out |= (uint64_t)bytes[i] << (8 * i);
    return true;
}

brood_status brood_get_uint(const brood_value *value, uint64_t *out)
{
    value = bri_given(value);
    uint64_t big;
    if (value->kind == BROOD_BIGINT && fits_uint(bri_text_of(value), &big)) {
        *out = big;
        return BROOD_OK;
    }
    int64_t number = 0;
    if (value->kind == BROOD_BIGINT || (brood_get_int(value, &number) == BROOD_OK && number < 0))
        return bri_fail(BROOD_ERANGE,
                        "could not read an unsigned int: it does not fit into 64 bits");
    if (value->kind != BROOD_INT && value->kind != BROOD_BOOL)
        return bri_fail_kind("read an unsigned int", value);
    *out = (uint64_t)number;
    return BROOD_OK;
}

brood_status brood_get_float(const brood_value *value, double *out)
{
    value = bri_given(value);
    switch (value->kind) {
    case BROOD_FLOAT:
        *out = value->as.real;
        return BROOD_OK;
    case BROOD_INT:
        *out = (double)value->as.integer;
        return BROOD_OK;
    case BROOD_BOOL:
        *out = value->as.boolean;
        return BROOD_OK;
    case BROOD_BIGINT:
        return bri_integer_to_double(value, out);
    default:
        return bri_fail_kind("read a float", value);
    }
}

brood_status brood_get_str(const brood_value *value, const char **text, size_t *size)
{
    value = bri_given(value);
    if (value->kind != BROOD_STR)
        return bri_fail_kind("read a str", value);
    const bri_text *block = bri_text_of(value);
    if (size == NULL && memchr(block->data, 0, block->size) != NULL)
        return bri_fail(BROOD_EFORMAT, "could not read a str: it contains a NUL");
    *text = block->data;
    if (size != NULL)
        *size = block->size;
    return BROOD_OK;
}

brood_status brood_get_bytes(const brood_value *value, const void **data, size_t *size)
{
    value = bri_given(value);
    if (value->kind != BROOD_BYTES)
        return bri_fail_kind("read bytes", value);
    const bri_text *block = bri_text_of(value);
    *data = block->data;
    if (size != NULL)
        *size = block->size;
    return BROOD_OK;
}

size_t brood_value_length(const brood_value *value)
{
    value = bri_given(value);
    switch (value->kind) {
    case BROOD_STR:
    case BROOD_BYTES:
        return bri_text_of(value)->size;
    case BROOD_LIST:
    case BROOD_TUPLE:
        return bri_array_count(value);
    case BROOD_DICT:
    case BROOD_SET:
    case BROOD_FROZENSET:
        return bri_table_count(value);
    default:
        return 0;
    }
}

void brood_free(void *memory)
{
    bri_free(memory);
}
