/* data/object.c - values that hold something living, or something foreign. */
#include "data/object.h"

#include "base/error.h"
#include "base/memory.h"
#include "data/heap.h"

brood_value bri_object_adopt(const bri_object_class *type, void *object)
{
    bri_box *box = bri_alloc(sizeof *box);
    if (box == NULL) {
        type->release(object);
        return bri_invalid(BROOD_ENOMEM);
    }
    atomic_init(&box->references, 1);
    box->type = type;
    box->object = object;
    return bri_value_of(BROOD_OBJECT, box);
}

brood_value bri_object_value(const bri_object_class *type, void *object)
{
    if (object == NULL)
        return bri_invalid(
            bri_fail(BROOD_EINVALID, "could not make a value of a %s: NULL is none", type->name));
    brood_status status = type->retain(object);
    return status == BROOD_OK ? bri_object_adopt(type, object) : bri_invalid(status);
}

brood_status bri_object_get(const brood_value *value, const bri_object_class *type, void **object)
{
    value = bri_given(value);
    if (value->kind == BROOD_INVALID)
        return bri_fail_invalid(value);
    const char *kind = value->kind == BROOD_OBJECT ? bri_box_of(value)->type->name
                                                   : brood_kind_name((brood_kind)value->kind);
    if (value->kind != BROOD_OBJECT || bri_box_of(value)->type != type)
        return bri_fail(BROOD_ETYPE, "could not read a %s: the value is of kind \"%s\"", type->name,
                        kind);
    *object = bri_box_of(value)->object;
    return BROOD_OK;
}

const char *brood_object_name(const brood_value *value)
{
    value = bri_given(value);
    return value->kind == BROOD_OBJECT ? bri_box_of(value)->type->name : "";
}

const char *brood_opaque_module(const brood_value *value)
{
    value = bri_given(value);
    return value->kind == BROOD_OPAQUE ? bri_opaque_of(value)->module : "";
}

const char *brood_opaque_name(const brood_value *value)
{
    value = bri_given(value);
    return value->kind == BROOD_OPAQUE ? bri_opaque_of(value)->name : "";
}
