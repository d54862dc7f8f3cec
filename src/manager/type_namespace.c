/* manager/type_namespace.c - Namespace and Value. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/opaque.h"
#include "data/text.h"
#include "manager/sequence.h"

/* ---- Namespace ---- */

static brood_status create_namespace(bri_invocation *call, void **state)
{
    if (brood_value_length(&call->args) != 0)
        return bri_raise(call, "TypeError", "Namespace() takes keyword arguments only");
    brood_value names = brood_value_take(&call->kwds);
    return bri_content_create(names.kind == BROOD_DICT ? names : brood_dict(), state);
}

static brood_status attribute_name(bri_invocation *call, const brood_value *value,
                                   const char **name)
{
    if (brood_get_str(value, name, NULL) == BROOD_OK)
        return BROOD_OK;
    return bri_raise(call, "TypeError", "attribute name must be string, not '%s'",
                     bri_type_name(value));
}

static brood_status raise_missing(bri_invocation *call, const char *name)
{
    return bri_raise(call, "AttributeError", "'Namespace' object has no attribute '%.200s'", name);
}

static brood_status namespace_get(bri_invocation *call)
{
    static const char *const names[] = {"name"};
    const brood_value *value;
    const char *name;
    BROOD_TRY(bri_take_arguments(call, names, 1, 1, &value));
    BROOD_TRY(attribute_name(call, value, &name));
    const brood_value *item = brood_dict_get(call->target, value);
    return item == NULL ? raise_missing(call, name) : bri_return_copy(call, item);
}

static brood_status namespace_set(bri_invocation *call)
{
    static const char *const names[] = {"name", "value"};
    const brood_value *out[2];
    const char *name;
    BROOD_TRY(bri_take_arguments(call, names, 2, 2, out));
    BROOD_TRY(attribute_name(call, out[0], &name));
    brood_value key = bri_move_argument(out[0]);
    return bri_in_dict_put(call, call->target, key, bri_move_argument(out[1]));
}

static brood_status namespace_del(bri_invocation *call)
{
    static const char *const names[] = {"name"};
    const brood_value *value;
    const char *name;
    BROOD_TRY(bri_take_arguments(call, names, 1, 1, &value));
    BROOD_TRY(attribute_name(call, value, &name));
    return bri_in_take(call, call->target, value, NULL) ? BROOD_OK : raise_missing(call, name);
}

static brood_status namespace_value(bri_managed *object, brood_value *value)
{
    brood_value names;
    BROOD_TRY(brood_value_copy(bri_content_of(object), &names));
    *value = bri_opaque_new(BRI_MANAGERS_MODULE, "Namespace", names);
    return value->kind == BROOD_OPAQUE ? BROOD_OK : brood_last_error()->status;
}

/* Namespace(a=1, b=2), sorted, without names that begin with '_'. */
static brood_status write_attributes(const brood_value *names, const brood_value *sorted,
                                     bri_buffer *out)
{
    bool any = false;
    for (size_t i = 0; i < brood_value_length(sorted); i++) {
        const char *name;
        size_t size;
        const brood_value *key = brood_item(sorted, i);
        if (brood_get_str(key, &name, &size) != BROOD_OK || name[0] == '_')
            continue;
        if (any)
            BROOD_TRY(bri_buffer_append(out, ", ", 2));
        any = true;
        BROOD_TRY(bri_buffer_append(out, name, size));
        BROOD_TRY(bri_buffer_append(out, "=", 1));
        BROOD_TRY(bri_repr(brood_dict_get(names, key), 0, out));
    }
    return BROOD_OK;
}

static brood_status namespace_repr(bri_managed *object, bri_buffer *out)
{
    bri_invocation none = {0};
    brood_value sorted;
    BROOD_TRY(bri_list_of(&none, bri_content_of(object), &sorted));
    bri_sort(&none, &sorted, false);
    brood_status status = bri_buffer_append(out, "Namespace(", 10);
    if (status == BROOD_OK)
        status = write_attributes(bri_content_of(object), &sorted, out);
    if (status == BROOD_OK)
        status = bri_buffer_append(out, ")", 1);
    brood_value_clear(&sorted);
    brood_value_clear(&none.error);
    return status;
}

static const bri_method namespace_methods[] = {
    {.name = "__getattribute__", .run = namespace_get},
    {.name = "__setattr__", .run = namespace_set},
    {.name = "__delattr__", .run = namespace_del},
};

const bri_managed_type bri_namespace_type = {
    .typeid = "Namespace",
    .methods = namespace_methods,
    .n_methods = 3,
    .create = create_namespace,
    .destroy = bri_content_destroy,
    .weigh = bri_content_weigh,
    .value = namespace_value,
    .repr = namespace_repr,
    .content = bri_content_of,
};

/* ---- Value: the content is (typecode, value) ---- */

static brood_status create_value(bri_invocation *call, void **state)
{
    static const char *const names[] = {"typecode", "value", "lock"};
    const brood_value *out[3];
    BROOD_TRY(bri_take_arguments(call, names, 3, 2, out));
    brood_value typecode = bri_move_argument(out[0]);
    return bri_content_create(brood_pack("(vv)", typecode, bri_move_argument(out[1])), state);
}

static brood_status value_get(bri_invocation *call)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    return bri_return_copy(call, brood_item(call->target, 1));
}

static brood_status value_set(bri_invocation *call)
{
    static const char *const names[] = {"value"};
    const brood_value *value;
    BROOD_TRY(bri_take_arguments(call, names, 1, 1, &value));
    return bri_in_set_item(call, call->target, 1, bri_move_argument(value));
}

static brood_status value_value(bri_managed *object, brood_value *value)
{
    brood_value pair, typecode, content;
    BROOD_TRY(brood_value_copy(bri_content_of(object), &pair));
    brood_status status = brood_take_item(&pair, 0, &typecode);
    if (status == BROOD_OK)
        status = brood_take_item(&pair, 1, &content);
    brood_value_clear(&pair);
    BROOD_TRY(status);
    *value = bri_opaque_new(BRI_MANAGERS_MODULE, "Value",
                            brood_pack("{s:v,s:v}", "_typecode", typecode, "_value", content));
    return value->kind == BROOD_OPAQUE ? BROOD_OK : brood_last_error()->status;
}

static brood_status value_repr(bri_managed *object, bri_buffer *out)
{
    BROOD_TRY(bri_buffer_append(out, "Value", 5));
    return bri_repr(bri_content_of(object), 0, out);
}

static const bri_method value_methods[] = {
    {.name = "get", .run = value_get},
    {.name = "set", .run = value_set},
};

const bri_managed_type bri_value_type = {
    .typeid = "Value",
    .methods = value_methods,
    .n_methods = 2,
    .create = create_value,
    .destroy = bri_content_destroy,
    .weigh = bri_content_weigh,
    .value = value_value,
    .repr = value_repr,
    .content = bri_content_of,
};
