/*
 * brood/value.h - the values that travel between processes: Python's plain data in C.
 *
 * A brood_value is 16 bytes and passed by value. Scalars need no freeing; strings, bytes and
 * containers own their content, which brood_value_clear frees. A brood_value argument that is not a
 * pointer is *moved in*, also when the call fails: afterwards the caller must not use or clear it.
 * Copying is brood_value_copy; assigning a brood_value moves it.
 *
 * Pointers that are got from a value (items, texts) are borrowed. A text lives as long as the value
 * that owns it, also when that is moved; a `const brood_value *` into a container lives until the
 * container is changed or cleared.
 *
 * What is only read may be NULL, and is then as an invalid value. So what a lookup has given
 * (brood_item, brood_dict_get) can be passed on unchecked, and fails there with BROOD_EINVALID:
 *
 *     BROOD_TRY(brood_get_int(brood_item(brood_dict_get_str(&reply, "sizes"), 3), &size));
 *
 * What holds for every function here unless it says otherwise:
 * Errors:  outputs are untouched on failure; BROOD_ENOMEM is possible wherever something is made.
 * Blocks:  no.
 * Threads: safe for different values; one value may be read by many threads as long as none
 *          changes it.
 * Fork:    values are plain memory; the child has its own.
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
    BROOD_BIGINT, /* any other integer; never one that an int can hold */
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
    BROOD_ERROR   /* an exception: kind ("ValueError", or "module.Name" outside builtins) and
                     arguments */
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

/* How deep containers may be nested: making a deeper value fails with BROOD_ELIMIT. So whatever
 * walks through values, clearing included, needs a bounded stack: less than 512 KiB at full depth.
 */
#define BROOD_MAX_DEPTH 1000

/*
 * ---- Making values ----
 *
 * A maker that fails returns a value of kind BROOD_INVALID, and the last error says why. Putting an
 * invalid value anywhere (brood_append, brood_pack "v", brood_call_return, ...) fails with the
 * status of the maker, so makers can be nested and only the outermost call has to be checked.
 * Clearing an invalid value does nothing. A zero-initialised brood_value is invalid as well; using
 * it fails with BROOD_EINVALID.
 */

BROOD_API brood_value brood_none(void);
BROOD_API brood_value brood_bool(bool value);
BROOD_API brood_value brood_int(int64_t value);

/* An int, or a bigint from 2^63 on. */
BROOD_API brood_value brood_uint(uint64_t value);
BROOD_API brood_value brood_float(double value);

/* An integer of any size from little-endian two's complement, the form of Python's int.to_bytes(n,
 * "little", signed=True). No bytes at all are 0. */
BROOD_API brood_value brood_bigint(const void *little_endian, size_t size);

/*
 * An integer of any size from text: what Python's int(text, 0) takes ("-12", "0xff", "1_000").
 *
 * Errors: BROOD_EFORMAT  the text is no integer.
 *         BROOD_ELIMIT   it has more than 20,000 digits.
 */
BROOD_API brood_value brood_int_text(const char *text);

/*
 * A str from NUL-terminated UTF-8; the second form takes a size, and the text may contain NULs.
 *
 * Text of doubtful origin, such as file names on POSIX: brood_str_escaped.
 *
 * Errors: BROOD_EFORMAT   not UTF-8.
 *         BROOD_EINVALID  the text is NULL.
 */
BROOD_API brood_value brood_str(const char *text);
BROOD_API brood_value brood_str_n(const char *text, size_t size);

/* A str from any bytes: each byte b that is not part of UTF-8 becomes the lone surrogate U+DC00+b;
 * so does each byte of what would be a surrogate itself. Never refuses. Python:
 * bytes.decode("utf-8", "surrogateescape"), as os.fsdecode does. */
BROOD_API brood_value brood_str_escaped(const char *text, size_t size);

BROOD_API brood_value brood_bytes(const void *data, size_t size);

/* Bytes that Python will see as a bytearray. To C there is no difference, except that they cannot
 * be a key. */
BROOD_API brood_value brood_bytearray(const void *data, size_t size);

/* Empty containers; they take no memory until something is put in. */
BROOD_API brood_value brood_list(void);
BROOD_API brood_value brood_dict(void);
BROOD_API brood_value brood_set(void);
BROOD_API brood_value brood_frozenset(void);

/* A tuple of `n` times none, to be filled by brood_set_item. */
BROOD_API brood_value brood_tuple(size_t n);

/*
 * An error with one argument, the message (none if it is NULL; made a str as brood_str_escaped
 * does). The kind is the name of an exception class: "ValueError" for those of Python's builtins,
 * "package.module.Name" for others.
 *
 * Errors: BROOD_EINVALID  the kind is no name.
 */
BROOD_API brood_value brood_error_value(const char *kind, const char *message);

/* An error with a tuple of arguments, which is moved in. Errors: as above; BROOD_ETYPE if it is no
 * tuple; BROOD_ELIMIT if the error gets deeper than BROOD_MAX_DEPTH. */
BROOD_API brood_value brood_error_from(const char *kind, brood_value arguments);

/* ---- Whole values ---- */

/* Frees what the value owns and leaves an invalid value. NULL, scalars and invalid values are fine.
 */
BROOD_API void brood_value_clear(brood_value *value);

/* Moves a value out of a variable, which is invalid afterwards. */
BROOD_API brood_value brood_value_take(brood_value *value);

/* Makes an independent copy. Texts, errors and opaques cannot change and are shared inside; objects
 * are referred to. Errors: those of an invalid value. Python: copy.deepcopy. */
BROOD_API brood_status brood_value_copy(const brood_value *value, brood_value *copy);

/*
 * Whether two values are equal as Python's == has it: numbers by value whatever their kinds are
 * (True == 1 == 1.0, exact also for big ones), a list never equals a tuple, a set may equal a
 * frozenset, bytes a bytearray; dicts and sets in any order.
 *
 * Python: nan equals nothing, also not itself: there is no identity of values. Errors are compared
 * by kind, arguments and attributes, where Python compares identity; opaques by their pickled form.
 */
BROOD_API bool brood_value_equal(const brood_value *a, const brood_value *b);

BROOD_API brood_kind brood_value_kind(const brood_value *value);

/* "list" for BROOD_LIST; "int" also for BROOD_BIGINT; "?" for a number that is none. */
BROOD_API const char *brood_kind_name(brood_kind kind);

/* Items of a container, entries of a dict, bytes of a str or bytes; else 0. Python: len, but for
 * str. */
BROOD_API size_t brood_value_length(const brood_value *value);

/*
 * Python's repr as new NUL-terminated UTF-8, to be freed with brood_free. It does not depend on the
 * locale. Opaques are shown as <opaque module.Name>, objects as <brood Name>; an integer of more
 * than 20,000 digits in hexadecimal.
 */
BROOD_API brood_status brood_value_repr(const brood_value *value, char **text);

/* Writes the same to a stream, with a newline; for people. On Windows the stream has to be one of
 * the C library that brood is linked with. Errors: BROOD_EOS the stream takes no more. */
BROOD_API brood_status brood_value_print(const brood_value *value, FILE *stream);

/* Frees memory that a brood function gave to be freed. NULL is ignored. */
BROOD_API void brood_free(void *memory);

/*
 * ---- Packing: a value from a format and C arguments ----
 *
 *   letter   argument                    makes
 *   b        int (or bool)               bool
 *   i        int                         int
 *   l        int64_t                     int
 *   u        uint64_t                    int, or bigint
 *   f        double                      float
 *   s        const char *                str, NUL-terminated UTF-8
 *   z        const char *                the same, none if it is NULL
 *   t        const char *, size_t        str
 *   y        const void *, size_t        bytes
 *   n        nothing                     none
 *   v        brood_value, moved in       that value
 *   [...]    its items                   list
 *   (...)    its items                   tuple
 *   <...>    its items                   set
 *   {k:v..}  keys and items in turns     dict; a key may be anything that can be one
 *
 * Blanks, commas and colons between items are for the reader only. A format of several items
 * outside of brackets makes a tuple of them: "is" is "(is)".
 *
 * Mind `i`: what is passed must be an int, as literals are. An int64_t needs `l`, a size_t needs
 * `u` and a cast to uint64_t: the compiler cannot check this. (brood_unpack has no such trap: there
 * `i` always stores an int64_t.)
 *
 * A failure returns an invalid value; all `v` arguments are cleared then, also those behind the
 * place that failed. Only a format that is malformed itself may leave those behind the malformed
 * place alone. The last error is that of the first failure.
 *
 * Errors: BROOD_EINVALID  the format is malformed.
 *         BROOD_EFORMAT   a text is not UTF-8.
 *         BROOD_ETYPE     a key cannot be one.
 *         BROOD_ELIMIT    nested too deep.
 *         and that of an invalid value among the arguments.
 * Python: the C API's Py_BuildValue.
 */
BROOD_API brood_value brood_pack(const char *format, ...);

/* The same with a va_list, which is left as it was. */
BROOD_API brood_value brood_pack_va(const char *format, va_list arguments);

/*
 * ---- Unpacking: a value taken apart into C variables ----
 *
 *   letter   argument                      the value must be
 *   b        bool *                        a bool
 *   i, l     int64_t *                     an int that fits (or a bool)
 *   u        uint64_t *                    an int that fits
 *   f        double *                      a float or an int
 *   s        const char **                 a str without NULs
 *   z        const char **                 the same, or none, which stores NULL
 *   t        const char **, size_t *       a str
 *   y        const void **, size_t *       bytes
 *   n        nothing                       none
 *   v        const brood_value **          anything
 *   x        nothing                       anything; it is passed over
 *   [...]    its items                     a list
 *   (...)    its items                     a tuple or a list
 *   {s:..}   const char *, its items       a dict with this key; other keys do not matter
 *   {i:..}   int, its items                the same with an int as key
 *   {s?:..}                                the key may be missing: its outputs are untouched
 *
 * Among items `|` begins those that may be missing at the end (their outputs are untouched), and a
 * `*` at the end lets any more follow. A format of several items outside of brackets takes a tuple
 * or list. Any output pointer may be NULL: then it is only checked. Pointers to values, texts and
 * bytes are borrowed from the value.
 *
 * On failure nothing at all was stored, and the last error tells the place in the format.
 *
 * Errors: BROOD_ETYPE      a value is of another kind, or there are more or fewer items.
 *         BROOD_ERANGE     an int does not fit.
 *         BROOD_EFORMAT    a str for `s` or `z` contains a NUL.
 *         BROOD_ENOTFOUND  a key is missing.
 *         BROOD_EINVALID   the format is malformed, or the value is invalid.
 * Python: the C API's PyArg_ParseTuple.
 */
BROOD_API brood_status brood_unpack(const brood_value *value, const char *format, ...);

/* The same with a va_list, which is left as it was. */
BROOD_API brood_status brood_unpack_va(const brood_value *value, const char *format,
                                       va_list arguments);

/* As brood_unpack, but the format is always that of the items of a list or tuple: "i" takes one of
 * exactly one int. */
BROOD_API brood_status brood_unpack_items(const brood_value *sequence, const char *format, ...);
BROOD_API brood_status brood_unpack_items_va(const brood_value *sequence, const char *format,
                                             va_list arguments);

/*
 * ---- Reading scalars ----
 *
 * Errors: BROOD_ETYPE     the value is of another kind, which the message names.
 *         BROOD_ERANGE    the number does not fit.
 *         BROOD_EINVALID  the value is invalid.
 */
BROOD_API brood_status brood_get_bool(const brood_value *value, bool *out);

/* An int or a bool. */
BROOD_API brood_status brood_get_int(const brood_value *value, int64_t *out);
BROOD_API brood_status brood_get_uint(const brood_value *value, uint64_t *out);

/* A float; also an int of any size, rounded to the nearest double. */
BROOD_API brood_status brood_get_float(const brood_value *value, double *out);

/* An integer of any size as little-endian two's complement, sign-extended to all `size` bytes.
 * BROOD_ERANGE if it needs more; brood_bigint_size is always enough. Decimal digits:
 * brood_value_repr. */
BROOD_API brood_status brood_get_bigint(const brood_value *value, void *little_endian, size_t size);

/* The bytes that brood_get_bigint needs at most; 0 if the value is no integer. */
BROOD_API size_t brood_bigint_size(const brood_value *value);

/* A str: NUL-terminated, `*size` without the NUL. With a NULL `size` a str that contains NULs is
 * refused with BROOD_EFORMAT, because the caller would see only its beginning. */
BROOD_API brood_status brood_get_str(const brood_value *value, const char **text, size_t *size);

/* Bytes; never a NULL pointer, and a NUL (which does not count) follows them. `size` may be NULL.
 */
BROOD_API brood_status brood_get_bytes(const brood_value *value, const void **data, size_t *size);

/* Whether bytes are a bytearray to Python. */
BROOD_API bool brood_value_is_mutable_bytes(const brood_value *value);

/*
 * ---- Lists and tuples ---- (`sequence` is either, `list` only a list)
 *
 * Errors: BROOD_ETYPE   the container is of another kind.
 *         BROOD_ERANGE  there is no such index.
 *         BROOD_ELIMIT  the container gets deeper than BROOD_MAX_DEPTH.
 *         and those of an invalid item.
 */

/* Borrows an item; NULL if there is none at the index, or the value is no list or tuple. Never sets
 * the last error. */
BROOD_API const brood_value *brood_item(const brood_value *sequence, size_t index);

BROOD_API brood_status brood_append(brood_value *list, brood_value item);

/* Puts an item before the one at `index`; behind the last one if there is none. Python:
 * list.insert. */
BROOD_API brood_status brood_insert(brood_value *list, size_t index, brood_value item);

/* Replaces an item. Tuples may be changed too: they are being built. */
BROOD_API brood_status brood_set_item(brood_value *sequence, size_t index, brood_value item);

/* Moves an item out; none stays in its place. */
BROOD_API brood_status brood_take_item(brood_value *sequence, size_t index, brood_value *item);

/* Moves an item out; those behind it move up. Python: list.pop. */
BROOD_API brood_status brood_list_pop(brood_value *list, size_t index, brood_value *item);

/* Removes the items from `start` up to, without, `stop`; indices behind the end mean the end.
 * Python: del list[a:b]. */
BROOD_API brood_status brood_list_remove(brood_value *list, size_t start, size_t stop);

/* Appends the items of a list or tuple, which is moved in. Python: list.extend. */
BROOD_API brood_status brood_list_extend(brood_value *list, brood_value items);

/* Makes room for `n` items in all, so that appending up to there cannot fail for lack of memory. */
BROOD_API brood_status brood_list_reserve(brood_value *list, size_t n);

/* Copies the items from `start` up to, without, `stop` into a new list or tuple; indices behind the
 * end mean the end. Python: sequence[a:b]. */
BROOD_API brood_status brood_slice(const brood_value *sequence, size_t start, size_t stop,
                                   brood_value *slice);

/* The index of the first item that equals `item`; SIZE_MAX if there is none. */
BROOD_API size_t brood_index_of(const brood_value *sequence, const brood_value *item);

/*
 * ---- Dicts ----
 *
 * Keys may be none, numbers, str, bytes, objects, opaques, errors, and tuples and frozensets of
 * such. Looking up, putting and removing take constant time, with keys chosen by an enemy too. A
 * nan can be put, but never found.
 *
 * Errors: BROOD_ETYPE      the value is no dict; or the key can change, and so cannot be one.
 *         BROOD_ENOTFOUND  the key is not there.
 *         BROOD_ELIMIT     the dict gets deeper than BROOD_MAX_DEPTH.
 *         and those of an invalid key or item.
 */

/* Borrows the item of a key; NULL if it is not there, cannot be one, or the value is no dict. */
BROOD_API const brood_value *brood_dict_get(const brood_value *dict, const brood_value *key);
BROOD_API const brood_value *brood_dict_get_str(const brood_value *dict, const char *key);

/* Sets the item of a key. A key that is there already keeps its place, and is itself kept, as in
 * Python. */
BROOD_API brood_status brood_dict_put(brood_value *dict, brood_value key, brood_value item);
BROOD_API brood_status brood_dict_put_str(brood_value *dict, const char *key, brood_value item);

/* Removes a key; whether it was there. */
BROOD_API bool brood_dict_remove(brood_value *dict, const brood_value *key);
BROOD_API bool brood_dict_remove_str(brood_value *dict, const char *key);

/* Moves an item out and removes its key. Python: dict.pop. */
BROOD_API brood_status brood_dict_take(brood_value *dict, const brood_value *key,
                                       brood_value *item);

/* Puts all of another dict, which is moved in. On failure some may be there. Python: dict.update.
 */
BROOD_API brood_status brood_dict_update(brood_value *dict, brood_value other);

/*
 * Steps through a dict in insertion order:
 *
 *     size_t position = 0;
 *     const brood_value *key, *item;
 *     while (brood_dict_next(&dict, &position, &key, &item))
 *         ...
 *
 * `key` and `item` may be NULL. The entry just got may be removed meanwhile; nothing may be put.
 */
BROOD_API bool brood_dict_next(const brood_value *dict, size_t *position, const brood_value **key,
                               const brood_value **item);

/* The item of a str key as a C value, with an error that names the key: BROOD_ENOTFOUND, or what
 * brood_get_... says. */
BROOD_API brood_status brood_dict_get_bool(const brood_value *dict, const char *key, bool *out);
BROOD_API brood_status brood_dict_get_int(const brood_value *dict, const char *key, int64_t *out);
BROOD_API brood_status brood_dict_get_float(const brood_value *dict, const char *key, double *out);
BROOD_API brood_status brood_dict_get_text(const brood_value *dict, const char *key,
                                           const char **text, size_t *size);
BROOD_API brood_status brood_dict_get_bytes(const brood_value *dict, const char *key,
                                            const void **data, size_t *size);

/*
 * ---- Sets and frozensets ---- (a frozenset may be added to: it is being built)
 *
 * Errors: BROOD_ETYPE   the value is no set; the item is of a kind that can change (see dicts).
 *         BROOD_ELIMIT  the set gets deeper than BROOD_MAX_DEPTH.
 *         and those of an invalid item.
 */

/* Adds an item; BROOD_OK as well if an equal one is there, which stays. */
BROOD_API brood_status brood_set_add(brood_value *set, brood_value item);
BROOD_API bool brood_set_has(const brood_value *set, const brood_value *item);

/* Removes an item; whether it was there. Python: set.discard. */
BROOD_API bool brood_set_remove(brood_value *set, const brood_value *item);

/* Steps through a set in insertion order, as brood_dict_next; `item` may be NULL. (Python's own
 * order is another.) */
BROOD_API bool brood_set_next(const brood_value *set, size_t *position, const brood_value **item);

/* ---- Errors as data ---- (all borrowed from the value, valid as long as it) */

/* "ValueError", or "module.Name" outside builtins; "" if the value is no error. */
BROOD_API const char *brood_error_kind(const brood_value *error);

/* The text of its only argument; of more, what Python's str() shows; "" without any. Cut after
 * about 1,000 bytes unless the only argument is a str. */
BROOD_API const char *brood_error_message(const brood_value *error);

/* The tuple of arguments; NULL if the value is no error. */
BROOD_API const brood_value *brood_error_arguments(const brood_value *error);

/* The dict of attributes that were set on the exception; NULL if there are none. */
BROOD_API const brood_value *brood_error_attributes(const brood_value *error);

/* ---- Objects and opaques ---- (borrowed, valid as long as the value) */

/* What an object is, "Lock"; "" if the value is none. */
BROOD_API const char *brood_object_name(const brood_value *value);

/* The Python class of an opaque (or the global itself): "collections" and "deque"; "" if the value
 * is none. */
BROOD_API const char *brood_opaque_module(const brood_value *value);
BROOD_API const char *brood_opaque_name(const brood_value *value);

/*
 * Makes an error of an opaque that is an exception, though its class has no name that tells: for
 * places where Python sends nothing but exceptions.
 *
 * Errors: BROOD_ETYPE  it is no opaque, or not the call of a class with arguments.
 */
BROOD_API brood_status brood_opaque_as_error(const brood_value *value, brood_value *error);

BROOD_END_DECLS

#endif /* BROOD_VALUE_H */
