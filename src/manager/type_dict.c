/* manager/type_dict.c - Python's dict, as DictProxy exposes it, and the iterator over its keys. */
#include "base/error.h"
#include "base/memory.h"
#include "data/weight.h"
#include "manager/sequence.h"

static brood_status take(bri_invocation *call, size_t n, size_t n_required, const brood_value **out)
{
    static const char *const names[] = {"key", "default"};
    if (call->kwds.kind == BROOD_DICT && brood_value_length(&call->kwds) != 0)
        return bri_raise(call, "TypeError", "%s() takes no keyword arguments", call->method->name);
    return bri_take_arguments(call, names, n, n_required, out);
}

/* KeyError(key) */
static brood_status raise_key(bri_invocation *call, const brood_value *key)
{
    brood_value copy;
    BROOD_TRY(bri_check_key(call, key));
    BROOD_TRY(brood_value_copy(key, &copy));
    return bri_raise_value(call, brood_error_from("KeyError", brood_pack("(v)", copy)));
}

/* A new dict of a mapping (or pairs, or nothing) and keywords. */
static brood_status collect(bri_invocation *call, brood_value *dict)
{
    size_t n = brood_value_length(&call->args);
    brood_value pairs = brood_list();
    if (n > 1)
        return bri_raise(call, "TypeError", "expected at most 1 argument, got %zu", n);
    if (n == 1)
        BROOD_TRY(bri_pairs_of(call, brood_item(&call->args, 0), &pairs));
    *dict = brood_dict();
    brood_status status = BROOD_OK;
    for (size_t i = 0; i < brood_value_length(&pairs) && status == BROOD_OK; i++) {
        brood_value pair, key, item;
        status = brood_take_item(&pairs, i, &pair);
        if (status == BROOD_OK)
            status = bri_check_key(call, brood_item(&pair, 0));
        if (status == BROOD_OK)
            status = brood_take_item(&pair, 0, &key);
        if (status == BROOD_OK && brood_take_item(&pair, 1, &item) == BROOD_OK)
            status = brood_dict_put(dict, key, item);
        brood_value_clear(&pair);
    }
    brood_value_clear(&pairs);
    if (status == BROOD_OK && call->kwds.kind == BROOD_DICT)
        status = brood_dict_update(dict, brood_value_take(&call->kwds));
    if (status != BROOD_OK)
        brood_value_clear(dict);
    return status;
}

static brood_status create_dict(bri_invocation *call, void **state)
{
    brood_value dict;
    BROOD_TRY(collect(call, &dict));
    return bri_content_create(dict, state);
}

/* ---- items ---- */

static brood_status dict_getitem(bri_invocation *call)
{
    const brood_value *key;
    BROOD_TRY(take(call, 1, 1, &key));
    const brood_value *item = brood_dict_get(call->target, key);
    return item == NULL ? raise_key(call, key) : bri_return_copy(call, item);
}

static brood_status dict_setitem(bri_invocation *call)
{
    const brood_value *out[2];
    BROOD_TRY(take(call, 2, 2, out));
    BROOD_TRY(bri_check_key(call, out[0]));
    brood_value key = bri_move_argument(out[0]);
    return bri_in_dict_put(call, call->target, key, bri_move_argument(out[1]));
}

static brood_status dict_delitem(bri_invocation *call)
{
    const brood_value *key;
    BROOD_TRY(take(call, 1, 1, &key));
    return bri_in_take(call, call->target, key, NULL) ? BROOD_OK : raise_key(call, key);
}

static brood_status dict_get(bri_invocation *call)
{
    const brood_value *out[2];
    BROOD_TRY(take(call, 2, 1, out));
    const brood_value *item = brood_dict_get(call->target, out[0]);
    if (item != NULL)
        return bri_return_copy(call, item);
    BROOD_TRY(bri_check_key(call, out[0]));
    return out[1] == NULL ? BROOD_OK : bri_return(call, bri_move_argument(out[1]));
}

static brood_status dict_pop(bri_invocation *call)
{
    const brood_value *out[2];
    brood_value item;
    BROOD_TRY(take(call, 2, 1, out));
    if (bri_in_take(call, call->target, out[0], &item))
        return bri_return(call, item);
    if (out[1] == NULL)
        return raise_key(call, out[0]);
    BROOD_TRY(bri_check_key(call, out[0]));
    return bri_return(call, bri_move_argument(out[1]));
}

static brood_status dict_setdefault(bri_invocation *call)
{
    const brood_value *out[2];
    brood_value copy;
    BROOD_TRY(take(call, 2, 1, out));
    const brood_value *item = brood_dict_get(call->target, out[0]);
    if (item != NULL)
        return bri_return_copy(call, item);
    BROOD_TRY(bri_check_key(call, out[0]));
    brood_value made = out[1] == NULL ? brood_none() : bri_move_argument(out[1]);
    brood_status status = brood_value_copy(&made, &copy);
    if (status != BROOD_OK) {
        brood_value_clear(&made);
        return status;
    }
    BROOD_TRY(bri_return(call, copy));
    return bri_in_dict_put(call, call->target, bri_move_argument(out[0]), made);
}

/* The last one. */
static brood_status dict_popitem(bri_invocation *call)
{
    brood_value key, item;
    BROOD_TRY(take(call, 0, 0, NULL));
    if (!bri_in_take_last(call, call->target, &key, &item))
        return bri_raise(call, "KeyError", "popitem(): dictionary is empty");
    return bri_return(call, brood_pack("(vv)", key, item));
}

static brood_status dict_update(bri_invocation *call)
{
    brood_value other;
    BROOD_TRY(collect(call, &other));
    return bri_in_dict_update(call, call->target, other);
}

static brood_status dict_clear(bri_invocation *call)
{
    BROOD_TRY(take(call, 0, 0, NULL));
    return bri_in_replace(call, call->target, brood_dict());
}

/* ---- asking ---- */

static brood_status dict_contains(bri_invocation *call)
{
    const brood_value *key;
    BROOD_TRY(take(call, 1, 1, &key));
    if (brood_dict_get(call->target, key) != NULL)
        return bri_return(call, brood_bool(true));
    BROOD_TRY(bri_check_key(call, key));
    return bri_return(call, brood_bool(false));
}

static brood_status dict_len(bri_invocation *call)
{
    BROOD_TRY(take(call, 0, 0, NULL));
    return bri_return(call, brood_int((int64_t)brood_value_length(call->target)));
}

static brood_status dict_copy(bri_invocation *call)
{
    BROOD_TRY(take(call, 0, 0, NULL));
    return bri_return_copy(call, call->target);
}

static brood_status dict_keys(bri_invocation *call)
{
    brood_value keys;
    BROOD_TRY(take(call, 0, 0, NULL));
    BROOD_TRY(bri_list_of(call, call->target, &keys));
    return bri_return(call, keys);
}

static brood_status dict_items(bri_invocation *call)
{
    brood_value pairs;
    BROOD_TRY(take(call, 0, 0, NULL));
    BROOD_TRY(bri_pairs_of(call, call->target, &pairs));
    return bri_return(call, pairs);
}

static brood_status dict_values(bri_invocation *call)
{
    const brood_value *item;
    brood_value values = brood_list();
    brood_status status = take(call, 0, 0, NULL);
    for (size_t at = 0; status == BROOD_OK && brood_dict_next(call->target, &at, NULL, &item);) {
        brood_value copy;
        status = brood_value_copy(item, &copy);
        if (status == BROOD_OK)
            status = brood_append(&values, copy);
    }
    if (status == BROOD_OK)
        return bri_return(call, values);
    brood_value_clear(&values);
    return status;
}

/* ---- the iterator ---- */

typedef struct iterator {
    brood_value source; /* the dict's object, so that it lives as long */
    brood_value keys;
    size_t next;
} iterator;

static void destroy_iterator(void *state)
{
    iterator *made = state;
    brood_value_clear(&made->source);
    brood_value_clear(&made->keys);
    bri_free(made);
}

static uint64_t weigh_iterator(const void *state)
{
    return bri_weigh(&((const iterator *)state)->keys);
}

static brood_status dict_iter(bri_invocation *call)
{
    BROOD_TRY(take(call, 0, 0, NULL));
    if (call->target != bri_content_of(call->object))
        return bri_raise(call, "TypeError", "only a whole dict can be iterated over");
    iterator *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    brood_status status = bri_list_of(call, call->target, &made->keys);
    if (status == BROOD_OK) {
        made->source = bri_object_value(&bri_managed_class, call->object);
        status = made->source.kind == BROOD_OBJECT ? BROOD_OK : brood_last_error()->status;
    }
    if (status != BROOD_OK) {
        destroy_iterator(made);
        return status;
    }
    call->made = made;
    return BROOD_OK;
}

static brood_status iterator_next(bri_invocation *call)
{
    iterator *it = call->state;
    brood_value key;
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    bri_managed *source = bri_managed_in(&it->source);
    if (source == NULL)
        return bri_raise(call, "StopIteration", "%s", "");
    size_t length = brood_value_length(&it->keys);
    if (brood_value_length(bri_content_of(source)) != length)
        return bri_raise(call, "RuntimeError", "dictionary changed size during iteration");
    if (it->next == length) {
        brood_value_clear(&it->source);
        return bri_raise(call, "StopIteration", "%s", "");
    }
    BROOD_TRY(brood_take_item(&it->keys, it->next++, &key));
    return bri_return(call, key);
}

static brood_status iterator_close(bri_invocation *call)
{
    iterator *it = call->state;
    brood_value_clear(&it->source);
    return BROOD_OK;
}

/* send and throw are generators': Python's server has no iterators with them either. */
static const bri_method iterator_methods[] = {
    {.name = "__next__", .run = iterator_next},
    {.name = "close", .run = iterator_close},
};

const bri_managed_type bri_iterator_type = {
    .typeid = "Iterator",
    .methods = iterator_methods,
    .n_methods = sizeof iterator_methods / sizeof *iterator_methods,
    .destroy = destroy_iterator,
    .weigh = weigh_iterator,
};

static const bri_method methods[] = {
    {.name = "__contains__", .run = dict_contains},
    {.name = "__delitem__", .run = dict_delitem},
    {.name = "__getitem__", .run = dict_getitem},
    {.name = "__iter__", .run = dict_iter, .typeid = "Iterator"},
    {.name = "__len__", .run = dict_len},
    {.name = "__setitem__", .run = dict_setitem},
    {.name = "clear", .run = dict_clear},
    {.name = "copy", .run = dict_copy},
    {.name = "get", .run = dict_get},
    {.name = "items", .run = dict_items},
    {.name = "keys", .run = dict_keys},
    {.name = "pop", .run = dict_pop},
    {.name = "popitem", .run = dict_popitem},
    {.name = "setdefault", .run = dict_setdefault},
    {.name = "update", .run = dict_update},
    {.name = "values", .run = dict_values},
};

const bri_managed_type bri_dict_type = {
    .typeid = "dict",
    .methods = methods,
    .n_methods = sizeof methods / sizeof *methods,
    .create = create_dict,
    .destroy = bri_content_destroy,
    .weigh = bri_content_weigh,
    .value = bri_content_copy,
    .content = bri_content_of,
};
