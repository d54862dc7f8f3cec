/* data/opaque.c - see the header; and opaques as errors. */
#include "data/opaque.h"

#include "base/error.h"
#include "base/memory.h"
#include "data/opcodes.h"
#include "data/reader.h"
#include "data/writer.h"

/* ---- apart ---- */

static brood_status fail_form(void)
{
    return bri_fail(BROOD_ETYPE, "could not take an opaque apart: it is made in another way");
}

static brood_status take_names(const bri_reader *r, const brood_value *callable,
                               bri_opaque_parts *parts)
{
    const char *module, *name;
    brood_value followed = bri_reader_follow(r, callable);
    if (!bri_is_global(&followed, &module, &name))
        return fail_form();
    parts->module = bri_strdup(module);
    parts->name = bri_strdup(name);
    return parts->module == NULL || parts->name == NULL ? BROOD_ENOMEM : BROOD_OK;
}

/* APPENDS and SETITEMS: their operand is an array of what was put in. */
static brood_status take_items(bri_reader *r, int opcode, const brood_value *operand,
                               bri_opaque_parts *parts)
{
    size_t width = opcode == OP_SETITEMS ? 2 : 1;
    brood_value flat = bri_reader_follow(r, operand);
    parts->has_items = true;
    if (parts->items.kind == BROOD_INVALID)
        parts->items = brood_list();
    for (size_t i = 0; i + width <= bri_array_count(&flat); i += width) {
        brood_value key, item;
        BROOD_TRY(bri_reader_resolve(r, &bri_array_of(&flat)->items[i], &key));
        if (width == 2) {
            brood_status status = bri_reader_resolve(r, &bri_array_of(&flat)->items[i + 1], &item);
            if (status != BROOD_OK) {
                brood_value_clear(&key);
                return status;
            }
            key = brood_pack("(vv)", key, item);
        }
        BROOD_TRY(brood_append(&parts->items, key));
    }
    return BROOD_OK;
}

/* The pairs of instruction and operand that follow the making. */
static brood_status take_operations(bri_reader *r, const brood_value *array, size_t first,
                                    bri_opaque_parts *parts)
{
    for (size_t i = first; i + 1 < bri_array_count(array); i += 2) {
        int opcode = (int)bri_call_part(array, i)->as.integer;
        const brood_value *operand = bri_call_part(array, i + 1);
        if (opcode == OP_BUILD) {
            if (parts->state.kind != BROOD_INVALID)
                return fail_form();
            BROOD_TRY(bri_reader_resolve(r, operand, &parts->state));
        } else if (opcode == OP_APPENDS || opcode == OP_SETITEMS || opcode == OP_ADDITEMS) {
            BROOD_TRY(take_items(r, opcode, operand, parts));
        } else {
            return fail_form();
        }
    }
    return BROOD_OK;
}

static brood_status take_call(bri_reader *r, const brood_value *call, bri_opaque_parts *parts)
{
    int opcode = bri_call_opcode(call);
    if (opcode == OP_GLOBAL) {
        parts->form = BRI_OPAQUE_GLOBAL;
        parts->arguments = brood_tuple(0);
        return take_names(r, call, parts);
    }
    if (opcode != OP_REDUCE && opcode != OP_NEWOBJ && opcode != OP_OBJ)
        return fail_form();
    parts->form = opcode == OP_NEWOBJ ? BRI_OPAQUE_NEW : BRI_OPAQUE_CALL;
    BROOD_TRY(take_names(r, bri_call_part(call, 1), parts));
    BROOD_TRY(bri_reader_resolve(r, bri_call_part(call, 2), &parts->arguments));
    BROOD_TRY(take_operations(r, call, bri_call_head(call), parts));
    uint32_t number = bri_reader_number(call);
    if (number == 0 || r->registry[number].later.kind == BROOD_INVALID)
        return BROOD_OK;
    brood_value later = r->registry[number].later;
    return take_operations(r, &later, 0, parts);
}

brood_status bri_opaque_open(const brood_value *opaque, bri_opaque_parts *parts)
{
    return bri_opaque_open_with(opaque, NULL, parts);
}

brood_status bri_opaque_open_with(const brood_value *opaque, const bri_pickle_options *options,
                                  bri_opaque_parts *parts)
{
    bri_reader r;
    brood_value *top;
    bri_opaque_parts made = {0};
    if (opaque->kind != BROOD_OPAQUE)
        return bri_fail_kind("take apart as an opaque", opaque);
    brood_status status = bri_fragment_read(&r, opaque, options, &top);
    if (status == BROOD_OK) {
        brood_value followed = bri_reader_follow(&r, top);
        status = followed.kind == BRI_KIND_CALL ? take_call(&r, &followed, &made) : fail_form();
    }
    bri_reader_fini(&r);
    if (status == BROOD_OK)
        *parts = made;
    else
        bri_opaque_close(&made);
    return status;
}

void bri_opaque_close(bri_opaque_parts *parts)
{
    bri_free(parts->module);
    bri_free(parts->name);
    brood_value_clear(&parts->arguments);
    brood_value_clear(&parts->state);
    brood_value_clear(&parts->items);
    *parts = (bri_opaque_parts){0};
}

bool bri_opaque_is(const brood_value *value, const char *module, const char *name)
{
    return value->kind == BROOD_OPAQUE && strcmp(bri_opaque_of(value)->module, module) == 0 &&
           strcmp(bri_opaque_of(value)->name, name) == 0;
}

brood_status brood_opaque_as_error(const brood_value *value, brood_value *error)
{
    value = bri_given(value);
    bri_reader r;
    brood_value *top;
    brood_value made;
    if (value->kind != BROOD_OPAQUE)
        return bri_fail_kind("make an error of what is no opaque", value);
    brood_status status = bri_fragment_read(&r, value, NULL, &top);
    if (status == BROOD_OK)
        status = bri_reader_resolve_error(&r, top, &made);
    bri_reader_fini(&r);
    if (status == BROOD_OK)
        *error = made;
    return status;
}

/* ---- made ---- */

/* Writes a pickle and reads it: so equal opaques have equal fragments, however they were made. */
static brood_value make_opaque(const char *module, const char *name, int opcode,
                               brood_value operand)
{
    static const bri_pickle_options options = {.foreign_objects = true};
    bri_buffer out = {0};
    bri_writer w = {.out = &out, .options = &options, .protocol = 4};
    brood_value made = {.kind = BROOD_INVALID};
    brood_status status = bri_write_op(&w, OP_PROTO);
    if (status == BROOD_OK)
        status = bri_write_op(&w, 4);
    if (status == BROOD_OK)
        status = bri_write_global(&w, module, strlen(module), name);
    if (status == BROOD_OK && opcode == OP_BUILD) {
        static const unsigned char new_object[] = {OP_EMPTY_TUPLE, OP_NEWOBJ};
        status = bri_buffer_append(&out, new_object, sizeof new_object);
    }
    if (status == BROOD_OK && opcode != OP_STOP) {
        status = bri_pickle_write_bare(&w, &operand);
        if (status == BROOD_OK)
            status = bri_write_op(&w, opcode);
    }
    if (status == BROOD_OK)
        status = bri_write_op(&w, OP_STOP);
    if (status == BROOD_OK)
        status = bri_pickle_read(out.data, out.length, NULL, &made, NULL);
    bri_buffer_fini(&out);
    brood_value_clear(&operand);
    return status == BROOD_OK ? made : bri_invalid(status);
}

brood_value bri_opaque_call(const char *module, const char *name, brood_value arguments)
{
    return make_opaque(module, name, OP_REDUCE, arguments);
}

brood_value bri_opaque_new(const char *module, const char *name, brood_value state)
{
    return make_opaque(module, name, OP_BUILD, state);
}

brood_value bri_opaque_global(const char *module, const char *name)
{
    return make_opaque(module, name, OP_STOP, brood_none());
}
