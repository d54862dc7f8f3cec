/*
 * data/heap.h - how values look inside; for src/data only.
 *
 * text      str, bytes and bigint: one reference-counted block, never changed once two values share
 * it array     list and tuple: one block, grown geometrically; NULL while empty table     dict, set
 * and frozenset: one block of entries in insertion order, then their index; NULL while empty
 * failure   an error: one reference-counted block, never changed
 * opaque    a foreign object: one reference-counted block, never changed
 * box       an object: one reference-counted block that holds one reference to the object
 *
 * Every container knows an upper bound of its own depth, and none gets deeper than BROOD_MAX_DEPTH;
 * so the functions that walk down may recurse.
 */
#ifndef BRI_HEAP_H
#define BRI_HEAP_H

#include <stdatomic.h>
#include <string.h>

#include <brood/value.h>

#include "data/object.h"

/* Kinds that exist only inside the pickle reader, see pickle_reader.h. */
enum {
    BRI_KIND_REF = 16,       /* as.integer: number of a registered container */
    BRI_KIND_CALL = 17,      /* an array: what a pickle wants to be called */
    BRI_KIND_RAW_DICT = 18,  /* an array of key, item, key, item, ... */
    BRI_KIND_RAW_SET = 19,   /* an array of items */
    BRI_KIND_RAW_FROZEN = 20 /* an array of items */
};

/* brood_value.reserved[0]: of bytes, that it is a bytearray; of an invalid value, the status that
 * made it so. brood_value.reserved[3..6]: the reader's number of a container while a pickle is
 * read, else without meaning. */
enum { BRI_MUTABLE_BYTES = 1 };

typedef struct bri_text {
    atomic_uint references;
    size_t size;
    char data[]; /* `size` bytes and a NUL */
} bri_text;

typedef struct bri_array {
    size_t count;
    size_t capacity;
    uint32_t depth;
    bool on_path; /* the reader is inside it: meeting it again is a recursion */
    bool owning;  /* may have items that are no scalars, so that clearing it has to look at them */
    brood_value items[];
} bri_array;

/* One of a dict is followed by its item. A removed one has an invalid key. */
typedef struct bri_entry {
    uint64_t hash;
    brood_value key;
} bri_entry;

typedef struct bri_table {
    size_t count;    /* entries in use */
    size_t used;     /* entries in use and removed ones */
    size_t capacity; /* entries there is room for */
    size_t mask;     /* size of the index - 1; 0: no index, entries are searched one by one */
    uint32_t depth;
    bool on_path;
    bool salted; /* has a key that does not equal itself (nan): its hash says nothing */
} bri_table;

typedef struct bri_failure {
    atomic_uint references;
    uint32_t depth;
    brood_value arguments; /* a tuple */
    brood_value state;     /* the exception's own attributes: a dict, or invalid */
    size_t module_size;    /* of the part of the kind before the last dot that is the module; 0:
                              builtins */
    const char *message;   /* behind the kind in `text` */
    char text[];
} bri_failure;

typedef struct bri_opaque {
    atomic_uint references;
    size_t size;        /* of the fragment */
    const char *module; /* behind the fragment in `data`, as is the name */
    const char *name;
    brood_value held;     /* the objects in the fragment: a list, which keeps them alive */
    unsigned char data[]; /* opcodes that push exactly this object and use the memo from 0 on */
} bri_opaque;

typedef struct bri_box {
    atomic_uint references;
    const bri_object_class *type;
    void *object;
} bri_box;

static inline bri_text *bri_text_of(const brood_value *value)
{
    return (bri_text *)(void *)value->as.heap;
}

static inline bri_array *bri_array_of(const brood_value *value)
{
    return (bri_array *)(void *)value->as.heap;
}

static inline bri_table *bri_table_of(const brood_value *value)
{
    return (bri_table *)(void *)value->as.heap;
}

static inline bri_failure *bri_failure_of(const brood_value *value)
{
    return (bri_failure *)(void *)value->as.heap;
}

static inline bri_opaque *bri_opaque_of(const brood_value *value)
{
    return (bri_opaque *)(void *)value->as.heap;
}

static inline bri_box *bri_box_of(const brood_value *value)
{
    return (bri_box *)(void *)value->as.heap;
}

/* A value of a kind that points at `block`. */
static inline brood_value bri_value_of(unsigned kind, void *block)
{
    brood_value value = {.kind = (uint8_t)kind};
    value.as.heap = (struct bri_heap *)block;
    return value;
}

/* The invalid value that a failed maker returns. */
static inline brood_value bri_invalid(brood_status status)
{
    return (brood_value){.kind = BROOD_INVALID, .reserved = {(uint8_t)status}};
}

/* What a lookup gives for what is not there, NULL, is read as a value that is empty. */
static inline const brood_value *bri_given(const brood_value *value)
{
    static const brood_value nothing = {.kind = BROOD_INVALID};
    return value != NULL ? value : &nothing;
}

/* Sets of kinds, a bit each: those that own nothing, and those that values nest in. */
enum {
    BRI_SCALAR_KINDS = 1u << BROOD_INVALID | 1u << BROOD_NONE | 1u << BROOD_BOOL | 1u << BROOD_INT |
                       1u << BROOD_FLOAT,
    BRI_FLAT_KINDS = BRI_SCALAR_KINDS | 1u << BROOD_BIGINT | 1u << BROOD_STR | 1u << BROOD_BYTES |
                     1u << BROOD_OBJECT | 1u << BROOD_OPAQUE | 1u << BRI_KIND_REF
};

/* Whether the value owns nothing: true for none, bool, int, float and invalid. */
static inline bool bri_is_scalar(const brood_value *value)
{
    return (BRI_SCALAR_KINDS >> value->kind & 1) != 0;
}

static inline bool bri_is_array(const brood_value *value)
{
    return value->kind == BROOD_LIST || value->kind == BROOD_TUPLE;
}

static inline bool bri_is_table(const brood_value *value)
{
    return value->kind >= BROOD_DICT && value->kind <= BROOD_FROZENSET;
}

static inline size_t bri_array_count(const brood_value *value)
{
    return value->as.heap == NULL ? 0 : bri_array_of(value)->count;
}

static inline size_t bri_table_count(const brood_value *value)
{
    return value->as.heap == NULL ? 0 : bri_table_of(value)->count;
}

/* Whether a dict, which keeps an item behind each key. */
static inline size_t bri_entry_size(const brood_value *table)
{
    return table->kind == BROOD_DICT ? sizeof(bri_entry) + sizeof(brood_value) : sizeof(bri_entry);
}

static inline bri_entry *bri_entry_at(const brood_value *table, size_t i)
{
    return (bri_entry *)(void *)((char *)(bri_table_of(table) + 1) + i * bri_entry_size(table));
}

/* The item of a dict's entry. */
static inline brood_value *bri_entry_item(bri_entry *entry)
{
    return (brood_value *)(void *)(entry + 1);
}

/* How many containers are nested in the value, itself included; 0 for what is none. */
uint32_t bri_depth(const brood_value *value);

/* Notes in a container's `depth` that `item` goes into it. BROOD_ELIMIT if it gets too deep. */
brood_status bri_nest(uint32_t *depth, const brood_value *item);

/* The status of an invalid value that was to be used: that of the maker which failed, else
 * BROOD_EINVALID. */
brood_status bri_fail_invalid(const brood_value *value);

/* Fails with BROOD_ETYPE: could not <what> a <kind>. */
brood_status bri_fail_kind(const char *what, const brood_value *value);

/* A text block of `size` bytes, to be filled, and its NUL; NULL when memory is out. */
bri_text *bri_text_create(size_t size);

/* One more reference to what the value owns; only for text, errors, opaques and objects. */
brood_value bri_share(const brood_value *value);

/* ---- array.c ---- */

/* Makes room for exactly `capacity` items in all, if there is less. The value's pointer may change.
 */
brood_status bri_array_reserve(brood_value *array, size_t capacity);

/* Appends; room grows geometrically. The item is moved in. Works on the reader's kinds too. */
brood_status bri_array_append(brood_value *array, brood_value item);

/* Gives back room beyond `capacity`, which is at least the count; 0: all. */
void bri_array_trim(brood_value *array, size_t capacity);

/* ---- table.c ---- */

/* Makes room for `n` entries in all. */
brood_status bri_table_reserve(brood_value *table, size_t n);

/* As bri_array_trim. */
void bri_table_trim(brood_value *table, size_t capacity);

/* What bri_table_put has put out of a table; both invalid when the key was new. */
typedef struct bri_replaced {
    brood_value key;
    brood_value item;
} bri_replaced;

/* Puts a key, and an item into a dict. On failure nothing was moved. Python's rule: the old key
 * stays. */
brood_status bri_table_put(brood_value *table, brood_value key, brood_value item,
                           bri_replaced *replaced);

/* As bri_table_put of a key that is not there and has this hash. */
brood_status bri_table_put_new(brood_value *table, uint64_t hash, brood_value key,
                               brood_value item);

/* NULL if the key is not there or cannot be one. */
bri_entry *bri_table_find(const brood_value *table, const brood_value *key);
bri_entry *bri_table_find_hashed(const brood_value *table, const brood_value *key, uint64_t hash);
bri_entry *bri_table_find_str(const brood_value *table, const char *text, size_t size);

/* Takes an entry out; its key and item are the caller's then. */
void bri_table_take(brood_value *table, bri_entry *entry, bri_replaced *taken);

/* The last entry that was put; NULL: there is none. Whoever takes it and asks again, finds each at
 * once: removed ones at the end are given up. */
bri_entry *bri_table_last(brood_value *table);

/* The next entry from `*position` on, which starts at 0; NULL at the end. */
bri_entry *bri_table_next(const brood_value *table, size_t *position);

/* ---- bigint.c ---- */

/* The shortest size of a little-endian two's complement number. */
size_t bri_integer_trim(const unsigned char *bytes, size_t size);

/* An int if it fits into 64 bits, else a bigint. */
brood_value bri_integer(const unsigned char *bytes, size_t size);

/* The nearest double, BROOD_ERANGE if there is none; and an integral double as two's complement,
 * which returns the size, at most BRI_DOUBLE_BYTES. */
enum { BRI_DOUBLE_BYTES = 136 };
brood_status bri_integer_to_double(const brood_value *bigint, double *number);
size_t bri_integer_of_double(double number, unsigned char bytes[BRI_DOUBLE_BYTES]);

/* ---- failure.c ---- */

/* An error from its parts; arguments and state (may be invalid) are moved in. */
brood_value bri_error_make(const char *module, size_t module_size, const char *name,
                           size_t name_size, brood_value arguments, brood_value state);

/* Where the kind's name starts: behind the module and its dot. */
const char *bri_error_name(const bri_failure *failure);

#endif /* BRI_HEAP_H */
