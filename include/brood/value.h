/*
 * brood/value.h - the values that travel between processes: Python's plain data in C.
 *
 * A brood_value is 16 bytes and passed by value. Scalars need no freeing; strings, bytes and
 * containers own their content, which brood_value_clear frees. A brood_value argument that is not
 * const is *moved in*, also when the call fails: afterwards the caller must not use or clear it.
 * There is no hidden sharing: copying is brood_value_copy.
 */
#ifndef BROOD_VALUE_H
#define BROOD_VALUE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <brood/api.h>
#include <brood/status.h>

BROOD_BEGIN_DECLS

typedef enum brood_kind {
    BROOD_INVALID = 0, /* an empty value: nothing was put here, or making it failed (see below) */
    BROOD_NONE,
    BROOD_BOOL,
    BROOD_INT,    /* -2^63 .. 2^63-1 */
    BROOD_BIGINT, /* any larger integer, little-endian two's complement */
    BROOD_FLOAT,
    BROOD_STR,   /* UTF-8; lone surrogates as three bytes each, as Python's "surrogatepass" writes
                    them */
    BROOD_BYTES, /* also Python's bytearray, see brood_value_is_mutable_bytes */
    BROOD_LIST,
    BROOD_TUPLE,
    BROOD_DICT, /* insertion order, Python's key equality (1 == 1.0 == True) */
    BROOD_SET,
    BROOD_FROZENSET,
    BROOD_OBJECT, /* a brood lock, queue, connection, ... by reference */
    BROOD_OPAQUE, /* a foreign pickled object, kept whole */
    BROOD_ERROR   /* an exception: kind ("ValueError", or "module.Name" outside builtins) and an
                     arguments tuple */
} brood_kind;

struct bri_heap; /* what a value that does not fit into 8 bytes points at */

typedef struct brood_value {
    uint8_t kind; /* a brood_kind */
    uint8_t reserved[7];
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct bri_heap *heap;
    } as;
} brood_value;

/* ---- making ---- (a failed maker returns BROOD_INVALID; packing or putting an invalid value fails
 * with the error that is already set, so that makers can be nested and only the outermost call has
 * to be checked) */
BROOD_API brood_value brood_none(void);
BROOD_API brood_value brood_bool(bool value);
BROOD_API brood_value brood_int(int64_t value);
BROOD_API brood_value brood_uint(uint64_t value);
BROOD_API brood_value brood_float(double value);
BROOD_API brood_value brood_str(const char *text); /* NUL-terminated UTF-8 */
BROOD_API brood_value brood_str_n(const char *text, size_t size);
BROOD_API brood_value brood_bytes(const void *data, size_t size);
BROOD_API brood_value brood_list(void);
BROOD_API brood_value brood_tuple(size_t n); /* n times none, to be set */
BROOD_API brood_value brood_dict(void);
BROOD_API brood_value brood_set(void);
BROOD_API brood_value brood_frozenset(void);
BROOD_API brood_value brood_error_value(const char *kind, const char *message);

BROOD_API void brood_value_clear(brood_value *value);
BROOD_API brood_status brood_value_copy(const brood_value *value, brood_value *copy);
BROOD_API bool brood_value_equal(const brood_value *a, const brood_value *b); /* Python's == */
BROOD_API brood_kind brood_value_kind(const brood_value *value);
BROOD_API const char *brood_kind_name(brood_kind kind); /* "list" */

/* Writes Python's repr to a stream, with a newline; for people. */
BROOD_API brood_status brood_value_print(const brood_value *value, FILE *stream);
/* Python's repr as a new NUL-terminated string, to be freed with brood_free. */
BROOD_API brood_status brood_value_repr(const brood_value *value, char **text);
BROOD_API void brood_free(void *memory);

/* ---- packing: formats b bool(int), i int64_t (C int is promoted: see the manual), f double, s
 * str, y bytes (pointer, size_t), n none, v brood_value (moved in), [..] list, (..) tuple, {k:v,..}
 * dict ---- */
BROOD_API brood_value brood_pack(const char *format, ...);
BROOD_API brood_value brood_pack_va(const char *format, va_list arguments);
BROOD_API brood_status brood_unpack(const brood_value *value, const char *format, ...);
BROOD_API brood_status brood_unpack_va(const brood_value *value, const char *format,
                                       va_list arguments);

/* ---- reading ---- */
BROOD_API brood_status brood_get_bool(const brood_value *value, bool *out);
BROOD_API brood_status brood_get_int(const brood_value *value, int64_t *out);
BROOD_API brood_status brood_get_uint(const brood_value *value, uint64_t *out);
BROOD_API brood_status brood_get_float(const brood_value *value, double *out);
BROOD_API brood_status brood_get_str(const brood_value *value, const char **text, size_t *size);
BROOD_API brood_status brood_get_bytes(const brood_value *value, const void **data, size_t *size);
BROOD_API size_t brood_value_length(const brood_value *value);

/* ---- containers ---- */
BROOD_API const brood_value *brood_item(const brood_value *sequence, size_t index);
BROOD_API brood_status brood_append(brood_value *list, brood_value item);
BROOD_API brood_status brood_set_item(brood_value *sequence, size_t index, brood_value item);
BROOD_API brood_status brood_take_item(brood_value *sequence, size_t index, brood_value *item);
BROOD_API const brood_value *brood_dict_get(const brood_value *dict, const brood_value *key);
BROOD_API const brood_value *brood_dict_get_str(const brood_value *dict, const char *key);
BROOD_API brood_status brood_dict_put(brood_value *dict, brood_value key, brood_value item);
BROOD_API brood_status brood_dict_put_str(brood_value *dict, const char *key, brood_value item);
BROOD_API bool brood_dict_remove(brood_value *dict, const brood_value *key);
BROOD_API bool brood_dict_next(const brood_value *dict, size_t *position, const brood_value **key,
                               const brood_value **item);
BROOD_API brood_status brood_set_add(brood_value *set, brood_value item);
BROOD_API bool brood_set_has(const brood_value *set, const brood_value *item);
BROOD_API bool brood_set_remove(brood_value *set, const brood_value *item);
BROOD_API bool brood_set_next(const brood_value *set, size_t *position, const brood_value **item);

/* ---- errors as data ---- */
BROOD_API const char *brood_error_kind(const brood_value *error); /* "ValueError" */
BROOD_API const char *
brood_error_message(const brood_value *error); /* str of its first argument, or "" */
BROOD_API const brood_value *brood_error_arguments(const brood_value *error);

BROOD_END_DECLS

#endif /* BROOD_VALUE_H */
