/*
 * data/table.c - the hash table of dicts and sets: entries in insertion order, an index of their
 * numbers behind them.
 *
 * Up to SMALL entries there is no index: comparing a few hashes is faster than computing a place. A
 * removed entry stays as one with an invalid key, and its index slot with it, until the table is
 * rebuilt.
 */
#include "base/error.h"
#include "base/memory.h"
#include "data/hash.h"
#include "data/heap.h"

enum { SMALL = 8 };

/* A free slot. Entry numbers are below it: MAX_ENTRIES. */
#define FREE_SLOT UINT32_MAX
#define MAX_ENTRIES ((size_t)UINT32_MAX / 4)

static uint32_t *index_of(const brood_value *table)
{
    return (uint32_t *)(void *)bri_entry_at(table, bri_table_of(table)->capacity);
}

/* At least half as many slots again as entries. */
static size_t index_size(size_t capacity)
{
    if (capacity <= SMALL)
        return 0;
    size_t size = 16;
    while (size < capacity + capacity / 2)
        size *= 2;
    return size;
}

static void index_entry(const brood_value *table, size_t number, uint64_t hash)
{
    size_t mask = bri_table_of(table)->mask;
    if (mask == 0)
        return;
    uint32_t *slots = index_of(table);
    size_t i = (size_t)hash & mask;
    while (slots[i] != FREE_SLOT)
        i = (i + 1) & mask;
    slots[i] = (uint32_t)number;
}

/* An empty block with room for `capacity` entries. */
static bri_table *create_block(const brood_value *table, size_t capacity)
{
    size_t slots = index_size(capacity);
    size_t entries = capacity * bri_entry_size(table);
    bri_table *block = bri_alloc(sizeof *block + entries + slots * sizeof(uint32_t));
    if (block == NULL)
        return NULL;
    *block = (bri_table){.capacity = capacity, .mask = slots == 0 ? 0 : slots - 1, .depth = 1};
    if (slots != 0)
        memset((char *)(block + 1) + entries, 0xFF, slots * sizeof(uint32_t));
    return block;
}

/* Moves the entries in use to a new block; frees the old one. */
static brood_status rebuild(brood_value *table, size_t capacity)
{
    if (capacity > MAX_ENTRIES)
        return bri_fail(BROOD_ELIMIT, "could not make a %s of %zu entries",
                        brood_kind_name((brood_kind)table->kind), capacity);
    bri_table *block = create_block(table, capacity);
    if (block == NULL)
        return BROOD_ENOMEM;
    brood_value made = *table;
    made.as.heap = (struct bri_heap *)(void *)block;
    bri_table *old = bri_table_of(table);
    size_t position = 0;
    for (bri_entry *entry; (entry = bri_table_next(table, &position)) != NULL;) {
        memcpy(bri_entry_at(&made, block->used), entry, bri_entry_size(table));
        index_entry(&made, block->used++, entry->hash);
    }
    block->count = block->used;
    if (old != NULL) {
        block->depth = old->depth;
        block->salted = old->salted;
        block->on_path = old->on_path;
        bri_free(old);
    }
    *table = made;
    return BROOD_OK;
}

brood_status bri_table_reserve(brood_value *table, size_t n)
{
    const bri_table *block = bri_table_of(table);
    if (n == 0 || (block != NULL && n <= block->capacity - (block->used - block->count)))
        return BROOD_OK;
    return rebuild(table, n);
}

void bri_table_trim(brood_value *table, size_t capacity)
{
    if (capacity != 0) {
        rebuild(table, capacity); /* without memory it stays as it is */
        return;
    }
    bri_free(bri_table_of(table));
    table->as.heap = NULL;
}

/* Makes room for one more entry. */
static brood_status grow(brood_value *table)
{
    const bri_table *block = bri_table_of(table);
    if (block == NULL)
        return rebuild(table, 4);
    if (block->used < block->capacity)
        return BROOD_OK;
    /* When a third or more was removed, the same room will do. */
    bool crowded = block->count > block->capacity - block->capacity / 3;
    return rebuild(table, crowded || block->capacity < 4 ? block->capacity * 2 : block->capacity);
}

bri_entry *bri_table_next(const brood_value *table, size_t *position)
{
    const bri_table *block = bri_table_of(table);
    while (block != NULL && *position < block->used) {
        bri_entry *entry = bri_entry_at(table, (*position)++);
        if (entry->key.kind != BROOD_INVALID)
            return entry;
    }
    return NULL;
}

/* Frees the index slot of the last entry. All others found their places while it was free, so the
 * way to none of them leads over it. */
static void unindex_last(const brood_value *table, size_t number)
{
    size_t mask = bri_table_of(table)->mask;
    if (mask == 0)
        return;
    uint32_t *slots = index_of(table);
    size_t i = (size_t)bri_entry_at(table, number)->hash & mask;
    while (slots[i] != number)
        i = (i + 1) & mask;
    slots[i] = FREE_SLOT;
}

bri_entry *bri_table_last(brood_value *table)
{
    bri_table *block = bri_table_of(table);
    if (block == NULL || block->count == 0)
        return NULL;
    while (bri_entry_at(table, block->used - 1)->key.kind == BROOD_INVALID)
        unindex_last(table, --block->used);
    return bri_entry_at(table, block->used - 1);
}

/* What is looked for: a key, or when it is NULL the str of these bytes. */
typedef struct probe {
    const brood_value *key;
    const char *text;
    size_t size;
    uint64_t hash;
} probe;

static bool entry_matches(const bri_entry *entry, const probe *wanted)
{
    if (entry->hash != wanted->hash || entry->key.kind == BROOD_INVALID)
        return false;
    if (wanted->key != NULL)
        return brood_value_equal(&entry->key, wanted->key);
    return entry->key.kind == BROOD_STR && bri_text_of(&entry->key)->size == wanted->size &&
           memcmp(bri_text_of(&entry->key)->data, wanted->text, wanted->size) == 0;
}

static bri_entry *find(const brood_value *table, const probe *wanted)
{
    const bri_table *block = bri_table_of(table);
    if (block == NULL)
        return NULL;
    if (block->mask == 0) {
        for (size_t i = 0; i < block->used; i++) {
            bri_entry *entry = bri_entry_at(table, i);
            if (entry_matches(entry, wanted))
                return entry;
        }
        return NULL;
    }
    const uint32_t *slots = index_of(table);
    size_t i = (size_t)wanted->hash & block->mask;
    for (; slots[i] != FREE_SLOT; i = (i + 1) & block->mask) {
        bri_entry *entry = bri_entry_at(table, slots[i]);
        if (entry_matches(entry, wanted))
            return entry;
    }
    return NULL;
}

bri_entry *bri_table_find_hashed(const brood_value *table, const brood_value *key, uint64_t hash)
{
    return find(table, &(probe){.key = key, .hash = hash});
}

bri_entry *bri_table_find_str(const brood_value *table, const char *text, size_t size)
{
    return find(table, &(probe){.text = text, .size = size, .hash = bri_hash_bytes(text, size)});
}

bri_entry *bri_table_find(const brood_value *table, const brood_value *key)
{
    uint64_t hash;
    bool salted = false;
    key = bri_given(key);
    if (bri_table_count(table) == 0 || !bri_hash(key, 0, &hash, &salted))
        return NULL;
    return bri_table_find_hashed(table, key, hash);
}

brood_status bri_table_put_new(brood_value *table, uint64_t hash, brood_value key, brood_value item)
{
    const bri_table *old = bri_table_of(table);
    uint32_t depth = old == NULL ? 1 : old->depth;
    BROOD_TRY(bri_nest(&depth, &key));
    if (table->kind == BROOD_DICT)
        BROOD_TRY(bri_nest(&depth, &item));
    BROOD_TRY(grow(table));
    bri_table *block = bri_table_of(table);
    bri_entry *entry = bri_entry_at(table, block->used);
    entry->hash = hash;
    entry->key = key;
    if (table->kind == BROOD_DICT)
        *bri_entry_item(entry) = item;
    index_entry(table, block->used, hash);
    block->used++;
    block->count++;
    block->depth = depth;
    return BROOD_OK;
}

brood_status bri_table_put(brood_value *table, brood_value key, brood_value item,
                           bri_replaced *replaced)
{
    const bri_table *block = bri_table_of(table);
    uint64_t hash;
    bool salted = false;
    if (!bri_hash(&key, block == NULL ? 0 : block->used, &hash, &salted))
        return bri_fail_key(&key);
    *replaced = (bri_replaced){.key = {.kind = BROOD_INVALID}};
    bri_entry *entry = bri_table_find_hashed(table, &key, hash);
    if (entry == NULL) {
        BROOD_TRY(bri_table_put_new(table, hash, key, item));
        if (salted)
            bri_table_of(table)->salted = true;
        return BROOD_OK;
    }
    if (table->kind == BROOD_DICT) {
        BROOD_TRY(bri_nest(&bri_table_of(table)->depth, &item));
        replaced->item = *bri_entry_item(entry);
        *bri_entry_item(entry) = item;
    }
    replaced->key = key;
    return BROOD_OK;
}

void bri_table_take(brood_value *table, bri_entry *entry, bri_replaced *taken)
{
    *taken = (bri_replaced){.key = entry->key};
    if (table->kind == BROOD_DICT)
        taken->item = *bri_entry_item(entry);
    entry->key = (brood_value){.kind = BROOD_INVALID};
    bri_table *block = bri_table_of(table);
    if (--block->count == 0) { /* nothing to keep: start over, with a clean index */
        block->used = 0;
        block->salted = false;
        block->depth = 1;
        if (block->mask != 0)
            memset(index_of(table), 0xFF, (block->mask + 1) * sizeof(uint32_t));
    }
}
