/* data/pickle_write.c - values as pickles of protocol 4 or 5. */
#include "data/pickle.h"

#include "base/error.h"
#include "base/memory.h"
#include "data/opcodes.h"
#include "data/writer.h"

static brood_status write_value(bri_writer *w, const brood_value *value);

/* ---- containers ---- */

/* Runs of scalars, such as the numbers of a long list, are written without a call each. */
static brood_status write_items(bri_writer *w, const brood_value *items, size_t count)
{
    size_t i = 0;
    while (i < count) {
        if (bri_is_scalar(&items[i]) && items[i].kind != BROOD_INVALID) {
            size_t run = count - i < 64 ? count - i : 64;
            unsigned char *start = bri_writer_room(w, run * BRI_SCALAR_SIZE);
            if (start == NULL)
                return BROOD_ENOMEM;
            unsigned char *p = start;
            for (; run > 0 && bri_is_scalar(&items[i]) && items[i].kind != BROOD_INVALID; run--)
                p = bri_put_scalar(p, &items[i++]);
            w->out->length += (size_t)(p - start);
        } else {
            BROOD_TRY(write_value(w, &items[i++]));
        }
        BROOD_TRY(bri_next_frame(w));
    }
    return BROOD_OK;
}

static brood_status write_list(bri_writer *w, const brood_value *list)
{
    size_t count = bri_array_count(list);
    BROOD_TRY(bri_write_op(w, OP_EMPTY_LIST));
    if (count == 0)
        return BROOD_OK;
    if (count > 1)
        BROOD_TRY(bri_write_op(w, OP_MARK));
    BROOD_TRY(write_items(w, bri_array_of(list)->items, count));
    return bri_write_op(w, count > 1 ? OP_APPENDS : OP_APPEND);
}

static brood_status write_tuple(bri_writer *w, const brood_value *tuple)
{
    static const unsigned char codes[] = {OP_EMPTY_TUPLE, OP_TUPLE1, OP_TUPLE2, OP_TUPLE3};
    size_t count = bri_array_count(tuple);
    if (count > 3)
        BROOD_TRY(bri_write_op(w, OP_MARK));
    if (count > 0)
        BROOD_TRY(write_items(w, bri_array_of(tuple)->items, count));
    return bri_write_op(w, count > 3 ? OP_TUPLE : codes[count]);
}

static brood_status write_entries(bri_writer *w, const brood_value *table)
{
    size_t position = 0;
    for (bri_entry *entry; (entry = bri_table_next(table, &position)) != NULL;) {
        BROOD_TRY(write_value(w, &entry->key));
        if (table->kind == BROOD_DICT)
            BROOD_TRY(write_value(w, bri_entry_item(entry)));
        BROOD_TRY(bri_next_frame(w));
    }
    return BROOD_OK;
}

static brood_status write_dict(bri_writer *w, const brood_value *dict)
{
    size_t count = bri_table_count(dict);
    BROOD_TRY(bri_write_op(w, OP_EMPTY_DICT));
    if (count == 0)
        return BROOD_OK;
    if (count > 1)
        BROOD_TRY(bri_write_op(w, OP_MARK));
    BROOD_TRY(write_entries(w, dict));
    return bri_write_op(w, count > 1 ? OP_SETITEMS : OP_SETITEM);
}

static brood_status write_set(bri_writer *w, const brood_value *set)
{
    bool frozen = set->kind == BROOD_FROZENSET;
    if (!frozen)
        BROOD_TRY(bri_write_op(w, OP_EMPTY_SET));
    if (!frozen && bri_table_count(set) == 0)
        return BROOD_OK;
    BROOD_TRY(bri_write_op(w, OP_MARK));
    BROOD_TRY(write_entries(w, set));
    return bri_write_op(w, frozen ? OP_FROZENSET : OP_ADDITEMS);
}

/* ---- calls ---- */

static brood_status write_error(bri_writer *w, const bri_failure *failure)
{
    bool builtin = failure->module_size == 0;
    BROOD_TRY(bri_write_global(w, builtin ? "builtins" : failure->text,
                               builtin ? 8 : failure->module_size, bri_error_name(failure)));
    BROOD_TRY(write_value(w, &failure->arguments));
    BROOD_TRY(bri_write_op(w, OP_REDUCE));
    if (failure->state.kind == BROOD_INVALID)
        return BROOD_OK;
    BROOD_TRY(write_value(w, &failure->state));
    return bri_write_op(w, OP_BUILD);
}

static brood_status write_object(bri_writer *w, const bri_box *box)
{
    const char *name = box->type->name;
    if (w->options->foreign_objects && box->type->write_foreign != NULL)
        return box->type->write_foreign(box->object, w->options->foreign_context, w->out);
    if (w->options->transfer == NULL)
        return bri_fail(BROOD_ENOTSUP, "could not pickle a %s: it cannot go there", name);
    brood_value arguments = {.kind = BROOD_INVALID};
    BROOD_TRY(box->type->reduce(box->object, w->options->transfer, &arguments));
    brood_status status = arguments.kind == BROOD_TUPLE
                              ? bri_write_global(w, "brood", 5, name)
                              : bri_fail_kind("pickle an object by what is no tuple", &arguments);
    if (status == BROOD_OK)
        status = write_value(w, &arguments);
    if (status == BROOD_OK)
        status = bri_write_op(w, OP_REDUCE);
    brood_value_clear(&arguments);
    return status;
}

/* The objects in it go to the peer too: they are told by being written, and that is thrown away. */
static brood_status write_opaque(bri_writer *w, const bri_opaque *opaque)
{
    size_t before = w->out->length;
    for (size_t i = 0; w->options->foreign_objects && i < bri_array_count(&opaque->held); i++) {
        BROOD_TRY(write_object(w, bri_box_of(brood_item(&opaque->held, i))));
        w->out->length = before;
    }
    return bri_buffer_append(w->out, opaque->data, opaque->size);
}

static brood_status write_value(bri_writer *w, const brood_value *value)
{
    unsigned char *p;
    switch (value->kind) {
    case BROOD_NONE:
    case BROOD_BOOL:
    case BROOD_INT:
    case BROOD_FLOAT:
        p = bri_writer_room(w, BRI_SCALAR_SIZE);
        if (p == NULL)
            return BROOD_ENOMEM;
        w->out->length += (size_t)(bri_put_scalar(p, value) - p);
        return BROOD_OK;
    case BROOD_BIGINT:
    case BROOD_STR:
    case BROOD_BYTES:
        return bri_write_text(w, value);
    case BROOD_LIST:
        return write_list(w, value);
    case BROOD_TUPLE:
        return write_tuple(w, value);
    case BROOD_DICT:
        return write_dict(w, value);
    case BROOD_SET:
    case BROOD_FROZENSET:
        return write_set(w, value);
    case BROOD_OBJECT:
        return write_object(w, bri_box_of(value));
    case BROOD_OPAQUE:
        return write_opaque(w, bri_opaque_of(value));
    case BROOD_ERROR:
        return write_error(w, bri_failure_of(value));
    default:
        return bri_fail_invalid(value);
    }
}

/* ---- whole pickles ---- */

brood_status bri_pickle_write_bare(bri_writer *w, const brood_value *value)
{
    return write_value(w, value);
}

static brood_status write_pickle(bri_writer *w, const brood_value *value)
{
    unsigned char *p = bri_writer_room(w, 2);
    if (p == NULL)
        return BROOD_ENOMEM;
    p[0] = OP_PROTO;
    p[1] = (unsigned char)w->protocol;
    w->out->length += 2;
    BROOD_TRY(bri_begin_frame(w));
    BROOD_TRY(write_value(w, value));
    BROOD_TRY(bri_write_op(w, OP_STOP));
    bri_end_frame(w);
    return BROOD_OK;
}

brood_status bri_pickle_write(const brood_value *value, const bri_pickle_options *options,
                              bri_buffer *out)
{
    static const bri_pickle_options defaults;
    if (options == NULL)
        options = &defaults;
    int protocol = options->protocol == 0 ? 4 : options->protocol;
    if (protocol != 4 && protocol != 5)
        return bri_fail(BROOD_EINVALID, "could not pickle in protocol %d: only 4 and 5 are written",
                        protocol);
    size_t before = out->length;
    bri_writer w = {.out = out, .options = options, .protocol = protocol, .framed = true};
    brood_status status = write_pickle(&w, value);
    if (status != BROOD_OK)
        out->length = before;
    return status;
}

brood_status brood_pickle_dumps(const brood_value *value, void **data, size_t *size)
{
    bri_buffer out = {0};
    brood_status status = bri_pickle_write(bri_given(value), NULL, &out);
    if (status != BROOD_OK) {
        bri_buffer_fini(&out);
        return status;
    }
    *data = out.data;
    *size = out.length;
    return BROOD_OK;
}
