/*
 * data/resolve.c - the second step of reading a pickle: a tree from the graph that the machine has
 * made.
 *
 * References become copies of what they refer to, raw tables are hashed, exceptions become errors
 * and other calls opaques. A container that is met again inside itself has no tree.
 */
#include "base/error.h"
#include "data/exceptions.h"
#include "data/opcodes.h"
#include "data/reader.h"

static brood_status resolve(bri_reader *r, const brood_value *value, brood_value *tree);

/* ---- containers ---- */

static brood_status resolve_array(bri_reader *r, const brood_value *value, brood_value *tree)
{
    size_t count = bri_array_count(value);
    BROOD_TRY(bri_reader_charge(r, sizeof(bri_array) + count * sizeof(brood_value)));
    BROOD_TRY(bri_array_reserve(tree, count));
    for (size_t i = 0; i < count; i++) {
        brood_value item;
        BROOD_TRY(resolve(r, &bri_array_of(value)->items[i], &item));
        BROOD_TRY(bri_array_append(tree, item));
    }
    return BROOD_OK;
}

static brood_status reserve_table(bri_reader *r, brood_value *tree, size_t count)
{
    BROOD_TRY(bri_reader_charge(r, sizeof(bri_table) + count * (bri_entry_size(tree) + 6)));
    return bri_table_reserve(tree, count);
}

/* A key and, in a dict, an item; both are put into the tree, or cleared. */
static brood_status resolve_pair(bri_reader *r, const brood_value *key, const brood_value *item,
                                 brood_value *tree)
{
    brood_value new_key;
    brood_value new_item = {.kind = BROOD_INVALID};
    BROOD_TRY(resolve(r, key, &new_key));
    brood_status status = item == NULL ? BROOD_OK : resolve(r, item, &new_item);
    if (status == BROOD_OK) {
        status =
            item == NULL ? brood_set_add(tree, new_key) : brood_dict_put(tree, new_key, new_item);
        if (status == BROOD_ETYPE)
            bri_fail_within("could not read a pickle");
        return status;
    }
    brood_value_clear(&new_key);
    return status;
}

static brood_status resolve_table(bri_reader *r, const brood_value *value, brood_value *tree)
{
    BROOD_TRY(reserve_table(r, tree, bri_table_count(value)));
    size_t position = 0;
    bri_entry *entry;
    while ((entry = bri_table_next(value, &position)) != NULL)
        BROOD_TRY(resolve_pair(r, &entry->key,
                               value->kind == BROOD_DICT ? bri_entry_item(entry) : NULL, tree));
    return BROOD_OK;
}

static brood_status resolve_raw(bri_reader *r, const brood_value *value, brood_value *tree)
{
    size_t width = value->kind == BRI_KIND_RAW_DICT ? 2 : 1;
    size_t count = bri_array_count(value);
    tree->kind = value->kind == BRI_KIND_RAW_DICT  ? BROOD_DICT
                 : value->kind == BRI_KIND_RAW_SET ? BROOD_SET
                                                   : BROOD_FROZENSET;
    BROOD_TRY(reserve_table(r, tree, count / width));
    for (size_t i = 0; i < count; i += width) {
        const brood_value *key = &bri_array_of(value)->items[i];
        BROOD_TRY(resolve_pair(r, key, width == 2 ? key + 1 : NULL, tree));
    }
    return BROOD_OK;
}

/* ---- calls ---- */

typedef struct exception_parts {
    const char *module;
    const char *name;
    const brood_value *arguments;
    const brood_value *state; /* NULL: none */
} exception_parts;

/* Whether a call has the form of an exception: class(*arguments), and perhaps a dict of attributes.
 */
static bool looks_like_exception(const bri_reader *r, const brood_value *call,
                                 exception_parts *parts)
{
    if (bri_call_opcode(call) != OP_REDUCE)
        return false;
    uint32_t number = bri_reader_number(call);
    if (number != 0 && r->registry[number].later.kind != BROOD_INVALID)
        return false;
    brood_value callable = bri_reader_follow(r, bri_call_part(call, 1));
    if (!bri_is_global(&callable, &parts->module, &parts->name))
        return false;
    parts->arguments = bri_call_part(call, 2);
    parts->state = NULL;
    size_t head = bri_call_head(call);
    if (bri_array_count(call) == head)
        return true;
    if (bri_array_count(call) != head + 2 || bri_call_part(call, head)->as.integer != OP_BUILD)
        return false;
    parts->state = bri_call_part(call, head + 1);
    int kind = bri_reader_follow(r, parts->state).kind;
    return kind == BROOD_DICT || kind == BRI_KIND_RAW_DICT;
}

static brood_status resolve_exception(bri_reader *r, const exception_parts *parts,
                                      brood_value *tree)
{
    brood_value arguments;
    brood_value state = {.kind = BROOD_INVALID};
    BROOD_TRY(resolve(r, parts->arguments, &arguments));
    brood_status status = parts->state == NULL ? BROOD_OK : resolve(r, parts->state, &state);
    if (status == BROOD_OK)
        status = bri_reader_charge(r, sizeof(bri_failure) + strlen(parts->module) +
                                          strlen(parts->name) + 2);
    if (status != BROOD_OK) {
        brood_value_clear(&arguments);
        brood_value_clear(&state);
        return status;
    }
    bool builtin = strcmp(parts->module, "builtins") == 0;
    *tree = bri_error_make(parts->module, builtin ? 0 : strlen(parts->module), parts->name,
                           strlen(parts->name), arguments, state);
    return tree->kind == BROOD_INVALID ? bri_fail_invalid(tree) : BROOD_OK;
}

static brood_status resolve_call(bri_reader *r, const brood_value *call, brood_value *tree)
{
    exception_parts parts;
    tree->kind = BROOD_INVALID; /* until there is something to clear */
    if (looks_like_exception(r, call, &parts) && bri_is_exception(parts.module, parts.name))
        return resolve_exception(r, &parts, tree);
    uint32_t number = bri_reader_number(call);
    bri_registered *entry = number == 0 ? NULL : &r->registry[number];
    if (entry != NULL && entry->opaque.kind == BROOD_OPAQUE) {
        *tree = bri_share(&entry->opaque);
        return BROOD_OK;
    }
    brood_value opaque;
    BROOD_TRY(bri_island_write(r, call, &opaque));
    if (entry != NULL && r->finishing)
        entry->opaque = bri_share(&opaque);
    *tree = opaque;
    return BROOD_OK;
}

/* ---- the walk ---- */

static bool *path_mark(const brood_value *value)
{
    if (value->as.heap == NULL)
        return NULL;
    return bri_is_table(value) ? &bri_table_of(value)->on_path : &bri_array_of(value)->on_path;
}

static brood_status resolve_container(bri_reader *r, const brood_value *value, brood_value *tree)
{
    switch (value->kind) {
    case BROOD_LIST:
    case BROOD_TUPLE:
        return resolve_array(r, value, tree);
    case BROOD_DICT:
    case BROOD_SET:
    case BROOD_FROZENSET:
        return resolve_table(r, value, tree);
    case BRI_KIND_CALL:
        return resolve_call(r, value, tree);
    default:
        return resolve_raw(r, value, tree);
    }
}

/* Keeps track of the way down to here. */
static brood_status descend(bri_reader *r, const brood_value *value, brood_value *tree)
{
    bool *on_path = path_mark(value);
    if (on_path != NULL && *on_path)
        return bri_reader_fail(r, BROOD_EFORMAT, "a container contains itself");
    if (r->depth >= r->max_depth)
        return bri_reader_fail(r, BROOD_ELIMIT, "it is nested too deep");
    r->depth++;
    if (on_path != NULL)
        *on_path = true;
    brood_value made = bri_value_of(value->kind, NULL);
    brood_status status = resolve_container(r, value, &made);
    if (on_path != NULL)
        *on_path = false;
    r->depth--;
    if (status == BROOD_OK)
        *tree = made;
    else
        brood_value_clear(&made);
    return status;
}

static brood_status resolve(bri_reader *r, const brood_value *value, brood_value *tree)
{
    if (++r->nodes > r->max_nodes)
        return bri_reader_fail(r, BROOD_ELIMIT, "it makes too many values");
    brood_value followed = bri_reader_follow(r, value);
    if (bri_is_scalar(&followed)) {
        *tree = followed;
        return BROOD_OK;
    }
    if (bri_is_array(&followed) || bri_is_table(&followed) || followed.kind > BRI_KIND_REF)
        return descend(r, &followed, tree);
    *tree = bri_share(&followed);
    return BROOD_OK;
}

brood_status bri_reader_resolve(bri_reader *r, const brood_value *value, brood_value *tree)
{
    return resolve(r, value, tree);
}

brood_status bri_reader_resolve_error(bri_reader *r, const brood_value *call, brood_value *error)
{
    exception_parts parts;
    brood_value followed = bri_reader_follow(r, call);
    if (followed.kind != BRI_KIND_CALL || !looks_like_exception(r, &followed, &parts))
        return bri_fail(BROOD_ETYPE, "could not make an error of an opaque: it is none");
    brood_value made = {.kind = BROOD_INVALID};
    BROOD_TRY(resolve_exception(r, &parts, &made));
    *error = made;
    return BROOD_OK;
}
