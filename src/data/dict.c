/* data/dict.c - dicts and sets: the public functions over the hash table. */
#include <brood/value.h>

#include "base/error.h"
#include "data/hash.h"
#include "data/heap.h"

brood_value brood_dict(void)
{
    return bri_value_of(BROOD_DICT, NULL);
}

brood_value brood_set(void)
{
    return bri_value_of(BROOD_SET, NULL);
}

brood_value brood_frozenset(void)
{
    return bri_value_of(BROOD_FROZENSET, NULL);
}

static bool is_set(const brood_value *value)
{
    return value->kind == BROOD_SET || value->kind == BROOD_FROZENSET;
}

/* ---- dicts ---- */

const brood_value *brood_dict_get(const brood_value *dict, const brood_value *key)
{
    dict = bri_given(dict);
    if (dict->kind != BROOD_DICT)
        return NULL;
    bri_entry *entry = bri_table_find(dict, key);
    return entry == NULL ? NULL : bri_entry_item(entry);
}

const brood_value *brood_dict_get_str(const brood_value *dict, const char *key)
{
    dict = bri_given(dict);
    if (dict->kind != BROOD_DICT)
        return NULL;
    bri_entry *entry = bri_table_find_str(dict, key, strlen(key));
    return entry == NULL ? NULL : bri_entry_item(entry);
}

/* What both kinds of table do on the way in: check, put, clear what was put out or could not be put
 * in. */
static brood_status put(brood_value *table, brood_value key, brood_value item, brood_status status)
{
    bri_replaced replaced = {.key = key, .item = item};
    if (status == BROOD_OK && key.kind == BROOD_INVALID)
        status = bri_fail_invalid(&key);
    if (status == BROOD_OK && table->kind == BROOD_DICT && item.kind == BROOD_INVALID)
        status = bri_fail_invalid(&item);
    if (status == BROOD_OK) {
        bri_replaced old;
        status = bri_table_put(table, key, item, &old);
        if (status == BROOD_OK)
            replaced = old;
    }
    brood_value_clear(&replaced.key);
    brood_value_clear(&replaced.item);
    return status;
}

brood_status brood_dict_put(brood_value *dict, brood_value key, brood_value item)
{
    brood_status status = BROOD_OK;
    if (dict->kind != BROOD_DICT)
        status = bri_fail_kind("put into a dict", dict);
    return put(dict, key, item, status);
}

brood_status brood_dict_put_str(brood_value *dict, const char *key, brood_value item)
{
    return brood_dict_put(dict, brood_str(key), item);
}

static bool remove_entry(brood_value *table, bri_entry *entry)
{
    if (entry == NULL)
        return false;
    bri_replaced taken;
    bri_table_take(table, entry, &taken);
    brood_value_clear(&taken.key);
    brood_value_clear(&taken.item);
    return true;
}

bool brood_dict_remove(brood_value *dict, const brood_value *key)
{
    return dict->kind == BROOD_DICT && remove_entry(dict, bri_table_find(dict, key));
}

bool brood_dict_remove_str(brood_value *dict, const char *key)
{
    return dict->kind == BROOD_DICT &&
           remove_entry(dict, bri_table_find_str(dict, key, strlen(key)));
}

brood_status brood_dict_take(brood_value *dict, const brood_value *key, brood_value *item)
{
    if (dict->kind != BROOD_DICT)
        return bri_fail_kind("take from a dict", dict);
    uint64_t hash;
    bool salted;
    key = bri_given(key);
    if (!bri_hash(key, 0, &hash, &salted))
        return bri_fail_key(key);
    bri_entry *entry = bri_table_find_hashed(dict, key, hash);
    if (entry == NULL)
        return bri_fail(BROOD_ENOTFOUND, "could not take from a dict: the key is not there");
    bri_replaced taken;
    bri_table_take(dict, entry, &taken);
    brood_value_clear(&taken.key);
    *item = taken.item;
    return BROOD_OK;
}

bool brood_dict_next(const brood_value *dict, size_t *position, const brood_value **key,
                     const brood_value **item)
{
    dict = bri_given(dict);
    if (dict->kind != BROOD_DICT)
        return false;
    bri_entry *entry = bri_table_next(dict, position);
    if (entry == NULL)
        return false;
    if (key != NULL)
        *key = &entry->key;
    if (item != NULL)
        *item = bri_entry_item(entry);
    return true;
}

brood_status brood_dict_update(brood_value *dict, brood_value other)
{
    brood_status status = BROOD_OK;
    if (dict->kind != BROOD_DICT)
        status = bri_fail_kind("update a dict", dict);
    else if (other.kind != BROOD_DICT)
        status = bri_fail_kind("update a dict by what is no dict", &other);
    size_t position = 0;
    bri_entry *entry;
    while (status == BROOD_OK && (entry = bri_table_next(&other, &position)) != NULL) {
        bri_replaced moved;
        bri_table_take(&other, entry, &moved);
        status = brood_dict_put(dict, moved.key, moved.item);
    }
    brood_value_clear(&other);
    return status;
}

/* ---- typed getters: a key that must be there, with a value of one kind ---- */

static brood_status find_item(const brood_value *dict, const char *key, const brood_value **item)
{
    dict = bri_given(dict);
    if (dict->kind != BROOD_DICT)
        return bri_fail_kind("read from a dict", dict);
    *item = brood_dict_get_str(dict, key);
    if (*item == NULL)
        return bri_fail(BROOD_ENOTFOUND, "could not read \"%s\": the dict has no such key", key);
    return BROOD_OK;
}

static brood_status within(const char *key, brood_status status)
{
    return status == BROOD_OK ? status : bri_fail_within("could not read \"%s\"", key);
}

brood_status brood_dict_get_bool(const brood_value *dict, const char *key, bool *out)
{
    const brood_value *item = NULL;
    BROOD_TRY(find_item(dict, key, &item));
    return within(key, brood_get_bool(item, out));
}

brood_status brood_dict_get_int(const brood_value *dict, const char *key, int64_t *out)
{
    const brood_value *item = NULL;
    BROOD_TRY(find_item(dict, key, &item));
    return within(key, brood_get_int(item, out));
}

brood_status brood_dict_get_float(const brood_value *dict, const char *key, double *out)
{
    const brood_value *item = NULL;
    BROOD_TRY(find_item(dict, key, &item));
    return within(key, brood_get_float(item, out));
}

brood_status brood_dict_get_text(const brood_value *dict, const char *key, const char **text,
                                 size_t *size)
{
    const brood_value *item = NULL;
    BROOD_TRY(find_item(dict, key, &item));
    return within(key, brood_get_str(item, text, size));
}

brood_status brood_dict_get_bytes(const brood_value *dict, const char *key, const void **data,
                                  size_t *size)
{
    const brood_value *item = NULL;
    BROOD_TRY(find_item(dict, key, &item));
    return within(key, brood_get_bytes(item, data, size));
}

/* ---- sets ---- */

brood_status brood_set_add(brood_value *set, brood_value item)
{
    brood_status status = BROOD_OK;
    if (!is_set(set))
        status = bri_fail_kind("add to a set", set);
    return put(set, item, (brood_value){.kind = BROOD_INVALID}, status);
}

bool brood_set_has(const brood_value *set, const brood_value *item)
{
    set = bri_given(set);
    return is_set(set) && bri_table_find(set, item) != NULL;
}

bool brood_set_remove(brood_value *set, const brood_value *item)
{
    return is_set(set) && remove_entry(set, bri_table_find(set, item));
}

bool brood_set_next(const brood_value *set, size_t *position, const brood_value **item)
{
    set = bri_given(set);
    if (!is_set(set))
        return false;
    bri_entry *entry = bri_table_next(set, position);
    if (entry == NULL)
        return false;
    if (item != NULL)
        *item = &entry->key;
    return true;
}
