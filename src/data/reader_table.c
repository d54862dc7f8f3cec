/*
 * data/reader_table.c - filling dicts and sets while a pickle is read.
 *
 * A key that is a reference or a call cannot be hashed before the second step. A table that gets
 * such a key becomes a raw one, which only lists its keys and items; resolve.c hashes them, or
 * refuses them.
 */
#include "base/error.h"
#include "data/hash.h"
#include "data/reader.h"

static bool is_key(const brood_value *value)
{
    uint64_t hash;
    bool salted;
    switch (value->kind) {
    case BROOD_TUPLE:
        return bri_hash(value, 0, &hash, &salted);
    case BROOD_BYTES:
        return !brood_value_is_mutable_bytes(value);
    default:
        return (value->kind >= BROOD_NONE && value->kind <= BROOD_STR) ||
               value->kind == BROOD_FROZENSET || value->kind == BROOD_OBJECT;
    }
}

static unsigned raw_kind_of(unsigned kind)
{
    return kind == BROOD_DICT  ? BRI_KIND_RAW_DICT
           : kind == BROOD_SET ? BRI_KIND_RAW_SET
                               : BRI_KIND_RAW_FROZEN;
}

/* Moves all entries into an array. The table's own block goes, nothing in it does. */
static brood_status make_raw(bri_reader *r, brood_value *table)
{
    brood_value raw = *table; /* with its number */
    raw.kind = (uint8_t)raw_kind_of(table->kind);
    raw.as.heap = NULL;
    size_t width = table->kind == BROOD_DICT ? 2 : 1;
    size_t count = bri_table_count(table) * width;
    if (count != 0) {
        BROOD_TRY(bri_reader_charge(r, sizeof(bri_array) + count * sizeof(brood_value)));
        BROOD_TRY(bri_array_reserve(&raw, count));
        bri_array *array = bri_array_of(&raw);
        array->depth = bri_table_of(table)->depth;
        array->owning = true;
        size_t position = 0;
        bri_entry *entry;
        while ((entry = bri_table_next(table, &position)) != NULL) {
            array->items[array->count++] = entry->key;
            entry->key = (brood_value){.kind = BROOD_INVALID};
            if (width == 2)
                array->items[array->count++] = *bri_entry_item(entry);
        }
    }
    brood_value_clear(table); /* only the block is left */
    *table = raw;
    r->unresolved++;
    return BROOD_OK;
}

static bool is_raw(const brood_value *value)
{
    return value->kind >= BRI_KIND_RAW_DICT;
}

static brood_status reserve(bri_reader *r, brood_value *table, size_t n)
{
    size_t entry = bri_entry_size(table) + 6; /* its share of the index */
    const bri_table *block = bri_table_of(table);
    size_t used = block == NULL ? 0 : block->used;
    size_t capacity = block == NULL ? 0 : block->capacity;
    if (used + n <= capacity)
        return BROOD_OK;
    size_t wanted = used + n < 2 * capacity ? 2 * capacity : used + n;
    BROOD_TRY(bri_reader_charge(r, (wanted - capacity) * entry +
                                       (capacity == 0 ? sizeof(bri_table) : 0)));
    return bri_table_reserve(table, wanted);
}

/* Puts one key and item, which are on the stack; false in `*done` if the key cannot be hashed yet.
 */
static brood_status put_one(bri_reader *r, brood_value *table, brood_value *key, bool *done)
{
    static const brood_value nothing = {.kind = BROOD_INVALID};
    bri_replaced replaced;
    *done = is_key(key);
    if (!*done)
        return BROOD_OK;
    BROOD_TRY(bri_table_put(table, *key, table->kind == BROOD_DICT ? key[1] : nothing, &replaced));
    *key = nothing;
    if (table->kind == BROOD_DICT)
        key[1] = nothing;
    BROOD_TRY(bri_reader_discard(r, replaced.key));
    return bri_reader_discard(r, replaced.item);
}

static brood_status check_depth(const bri_reader *r, const brood_value *table)
{
    if (bri_depth(table) > r->max_depth)
        return bri_reader_fail(r, BROOD_ELIMIT, "it is nested too deep");
    return BROOD_OK;
}

/* Appends the rest of the operands to a raw table. */
static brood_status fill_raw(bri_reader *r, brood_value *table, size_t begin, size_t from)
{
    brood_status status = bri_reader_extend(r, table, begin);
    bri_reader_moved(r, table);
    if (status == BROOD_OK)
        r->stack.count = from;
    return status;
}

brood_status bri_reader_fill(bri_reader *r, brood_value *table, size_t from)
{
    size_t width = table->kind == BROOD_DICT || table->kind == BRI_KIND_RAW_DICT ? 2 : 1;
    size_t count = r->stack.count - from;
    if (count % width != 0)
        return bri_reader_fail(r, BROOD_EFORMAT, "a key has no item");
    if (is_raw(table))
        return fill_raw(r, table, from, from);
    BROOD_TRY(reserve(r, table, count / width));
    bri_reader_moved(r, table);
    for (size_t i = from; i < from + count; i += width) {
        bool done;
        BROOD_TRY(put_one(r, table, &r->stack.items[i], &done));
        if (!done) {
            BROOD_TRY(make_raw(r, table));
            return fill_raw(r, table, i, from);
        }
    }
    r->stack.count = from;
    return check_depth(r, table);
}
