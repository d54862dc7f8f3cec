/*
 * data/island.c - an opaque from a call in a pickle: the call and all that hangs on it, written
 * anew.
 *
 * The fragment stands for itself: what it refers to by the memo is in it, and its memo slots count
 * from 0, each put before it is got. So it can be copied into any pickle. Identity and circles
 * within it are kept as they were, because whatever was referred to is written once and got from
 * the memo afterwards.
 */
#include "base/error.h"
#include "base/memory.h"
#include "data/fragment_memo.h"
#include "data/opcodes.h"
#include "data/reader.h"
#include "data/writer.h"

typedef struct island {
    bri_reader *r;
    bri_writer w;
    uint32_t number; /* of this island, in bri_registered.island */
    uint32_t depth;
    bool got;         /* the last `make` found its container made */
    brood_value held; /* a list: objects that were written */
    bri_fragment_memo memo;
} island;

static brood_status emit(island *is, const brood_value *value);

/* ---- the memo ---- */

static bool is_noted(const island *is, uint32_t number)
{
    return number != 0 && is->r->registry[number].island == is->number;
}

static brood_status get_noted(island *is, uint32_t number)
{
    return bri_fragment_get(&is->memo, is->w.out->length, is->r->registry[number].slot);
}

/* After the instruction that makes a container: notes it, if anything refers to it. */
static brood_status note(island *is, uint32_t number)
{
    if (number == 0 || !is->r->registry[number].referenced)
        return BROOD_OK;
    bri_registered *entry = &is->r->registry[number];
    entry->island = is->number;
    return bri_fragment_put(&is->memo, is->w.out->length, &entry->slot);
}

/* ---- texts ---- */

/* A shorter one is written again sooner than got. */
enum { SHORT_TEXT = 4 };

static brood_status emit_text(island *is, const brood_value *value)
{
    if (bri_text_of(value)->size < SHORT_TEXT && !brood_value_is_mutable_bytes(value))
        return bri_write_text(&is->w, value);
    bri_noted_text *place = NULL;
    BROOD_TRY(bri_fragment_text(&is->memo, value, &place));
    if (place->text != NULL)
        return bri_fragment_get(&is->memo, is->w.out->length, place->slot);
    uint32_t slot = 0;
    BROOD_TRY(bri_write_text(&is->w, value));
    BROOD_TRY(bri_fragment_put(&is->memo, is->w.out->length, &slot));
    bri_fragment_keep(&is->memo, place, value, slot);
    return BROOD_OK;
}

/* ---- containers ---- */

static brood_status emit_items(island *is, const brood_value *array)
{
    for (size_t i = 0; i < bri_array_count(array); i++)
        BROOD_TRY(emit(is, &bri_array_of(array)->items[i]));
    return BROOD_OK;
}

static brood_status emit_entries(island *is, const brood_value *table)
{
    size_t position = 0;
    for (bri_entry *entry; (entry = bri_table_next(table, &position)) != NULL;) {
        BROOD_TRY(emit(is, &entry->key));
        if (table->kind == BROOD_DICT)
            BROOD_TRY(emit(is, bri_entry_item(entry)));
    }
    return BROOD_OK;
}

/* Whatever is in a container, between a mark and the instruction that takes it. */
static brood_status emit_group(island *is, const brood_value *value, int opcode)
{
    BROOD_TRY(bri_write_op(&is->w, OP_MARK));
    BROOD_TRY(bri_is_table(value) ? emit_entries(is, value) : emit_items(is, value));
    return bri_write_op(&is->w, opcode);
}

/* A container that is filled after it was made, and noted in between. */
static brood_status emit_filled(island *is, const brood_value *value, uint32_t number, int empty,
                                int fill)
{
    bool any = (bri_is_table(value) ? bri_table_count(value) : bri_array_count(value)) != 0;
    BROOD_TRY(bri_write_op(&is->w, empty));
    BROOD_TRY(note(is, number));
    return any ? emit_group(is, value, fill) : BROOD_OK;
}

/*
 * Ends what is made of operands that are on the stack already. If it was made meanwhile, by way of
 * a circle through its own operands, they are dropped and it is got: as CPython does.
 */
static brood_status make(island *is, uint32_t number, int opcode, size_t operands, bool marked)
{
    is->got = is_noted(is, number);
    if (!is->got) {
        BROOD_TRY(bri_write_op(&is->w, opcode));
        return note(is, number);
    }
    if (marked)
        BROOD_TRY(bri_write_op(&is->w, OP_POP_MARK));
    for (; !marked && operands > 0; operands--)
        BROOD_TRY(bri_write_op(&is->w, OP_POP));
    return get_noted(is, number);
}

static brood_status emit_tuple(island *is, const brood_value *tuple, uint32_t number)
{
    static const unsigned char codes[] = {OP_EMPTY_TUPLE, OP_TUPLE1, OP_TUPLE2, OP_TUPLE3};
    size_t count = bri_array_count(tuple);
    bool marked = count > 3;
    if (marked)
        BROOD_TRY(bri_write_op(&is->w, OP_MARK));
    BROOD_TRY(emit_items(is, tuple));
    return make(is, number, marked ? OP_TUPLE : codes[count], count, marked);
}

static brood_status emit_frozenset(island *is, const brood_value *set, uint32_t number)
{
    BROOD_TRY(bri_write_op(&is->w, OP_MARK));
    BROOD_TRY(bri_is_table(set) ? emit_entries(is, set) : emit_items(is, set));
    return make(is, number, OP_FROZENSET, 0, true);
}

/* ---- calls ---- */

static brood_status emit_global(island *is, const brood_value *call, uint32_t number)
{
    if (strcmp(bri_text_of(bri_call_part(call, 1))->data, "brood") == 0)
        return bri_reader_fail(is->r, BROOD_ENOTSUP, "a brood object is inside a foreign one");
    BROOD_TRY(emit(is, bri_call_part(call, 1)));
    BROOD_TRY(emit(is, bri_call_part(call, 2)));
    return make(is, number, OP_STACK_GLOBAL, 2, false);
}

/* OBJ takes its arguments one by one from a mark on. */
static brood_status emit_obj(island *is, const brood_value *call, uint32_t number)
{
    brood_value arguments = bri_reader_follow(is->r, bri_call_part(call, 2));
    BROOD_TRY(bri_write_op(&is->w, OP_MARK));
    BROOD_TRY(emit(is, bri_call_part(call, 1)));
    BROOD_TRY(emit_items(is, &arguments));
    return make(is, number, OP_OBJ, 0, true);
}

static brood_status emit_operation(island *is, int opcode, const brood_value *operand)
{
    if (opcode != OP_BUILD)
        return emit_group(is, operand, opcode);
    BROOD_TRY(emit(is, operand));
    return bri_write_op(&is->w, opcode);
}

/* The instructions that filled the object after it was made: pairs from `first` on. */
static brood_status emit_operations(island *is, const brood_value *array, size_t first)
{
    for (size_t i = first; i + 1 < bri_array_count(array); i += 2)
        BROOD_TRY(emit_operation(is, (int)bri_call_part(array, i)->as.integer,
                                 bri_call_part(array, i + 1)));
    return BROOD_OK;
}

static brood_status emit_making(island *is, const brood_value *call, uint32_t number)
{
    int opcode = bri_call_opcode(call);
    if (opcode == OP_GLOBAL)
        return emit_global(is, call, number);
    if (opcode == OP_OBJ)
        return emit_obj(is, call, number);
    size_t head = bri_call_head(call);
    for (size_t i = 1; i < head; i++)
        BROOD_TRY(emit(is, bri_call_part(call, i)));
    return make(is, number, opcode, head - 1, false);
}

static brood_status emit_call(island *is, const brood_value *call, uint32_t number)
{
    BROOD_TRY(emit_making(is, call, number));
    if (is->got) /* it was made, and filled, by way of its own operands */
        return BROOD_OK;
    BROOD_TRY(emit_operations(is, call, bri_call_head(call)));
    if (number == 0 || is->r->registry[number].later.kind == BROOD_INVALID)
        return BROOD_OK;
    return emit_operations(is, &is->r->registry[number].later, 0);
}

/* ---- the walk ---- */

static brood_status emit_container(island *is, const brood_value *value, uint32_t number)
{
    switch (value->kind) {
    case BROOD_LIST:
        return emit_filled(is, value, number, OP_EMPTY_LIST, OP_APPENDS);
    case BROOD_DICT:
    case BRI_KIND_RAW_DICT:
        return emit_filled(is, value, number, OP_EMPTY_DICT, OP_SETITEMS);
    case BROOD_SET:
    case BRI_KIND_RAW_SET:
        return emit_filled(is, value, number, OP_EMPTY_SET, OP_ADDITEMS);
    case BROOD_TUPLE:
        return emit_tuple(is, value, number);
    case BROOD_FROZENSET:
    case BRI_KIND_RAW_FROZEN:
        return emit_frozenset(is, value, number);
    default:
        return emit_call(is, value, number);
    }
}

static brood_status emit_scalar(island *is, const brood_value *value)
{
    unsigned char *p = bri_writer_room(&is->w, BRI_SCALAR_SIZE);
    if (p == NULL)
        return BROOD_ENOMEM;
    is->w.out->length += (size_t)(bri_put_scalar(p, value) - p);
    return BROOD_OK;
}

/* An object that came in a foreign form goes back into it, and stays alive with it. */
static brood_status emit_object(island *is, const brood_value *value)
{
    const bri_box *box = bri_box_of(value);
    if (box->type->write_foreign == NULL || !is->r->options->foreign_objects)
        return bri_reader_fail(is->r, BROOD_ENOTSUP, "a brood object is inside a foreign one");
    BROOD_TRY(box->type->write_foreign(box->object, NULL, is->w.out));
    return bri_array_append(&is->held, bri_share(value));
}

static brood_status emit(island *is, const brood_value *value)
{
    brood_value followed = bri_reader_follow(is->r, value);
    if (bri_is_scalar(&followed))
        return emit_scalar(is, &followed);
    if (followed.kind == BROOD_STR || followed.kind == BROOD_BYTES || followed.kind == BROOD_BIGINT)
        return emit_text(is, &followed);
    if (followed.kind == BROOD_OBJECT)
        return emit_object(is, &followed);
    uint32_t number = bri_reader_number(&followed);
    if (is_noted(is, number))
        return get_noted(is, number);
    if (is->depth >= is->r->max_depth)
        return bri_reader_fail(is->r, BROOD_ELIMIT, "it is nested too deep");
    is->depth++;
    BROOD_TRY(emit_container(is, &followed, number));
    is->depth--;
    return BROOD_OK;
}

/* ---- the opaque ---- */

/* The names of what a call makes: of its class, which private helpers such as
 * copyreg._reconstructor have as their first argument. */
static void find_names(const bri_reader *r, const brood_value *call, const char **module,
                       const char **name)
{
    brood_value next = *call;
    *module = *name = "?";
    for (uint32_t i = 0; i < r->max_depth && next.kind == BRI_KIND_CALL; i++) {
        if (bri_is_global(&next, module, name))
            return;
        brood_value callable = bri_reader_follow(r, bri_call_part(&next, 1));
        brood_value arguments = bri_reader_follow(r, bri_call_part(&next, 2));
        if (bri_is_global(&callable, module, name) && **name == '_' &&
            bri_array_count(&arguments) > 0) {
            brood_value type = bri_reader_follow(r, &bri_array_of(&arguments)->items[0]);
            if (bri_is_global(&type, module, name))
                return;
        }
        next = callable;
    }
}

/* `held` is moved in. */
static bri_opaque *create_opaque(const bri_buffer *fragment, const char *module, const char *name,
                                 brood_value *held)
{
    size_t module_size = strlen(module) + 1;
    size_t name_size = strlen(name) + 1;
    bri_opaque *opaque = bri_alloc(sizeof *opaque + fragment->length + module_size + name_size);
    if (opaque == NULL)
        return NULL;
    atomic_init(&opaque->references, 1);
    opaque->size = fragment->length;
    opaque->held = brood_value_take(held);
    memcpy(opaque->data, fragment->data, fragment->length);
    char *names = (char *)opaque->data + fragment->length;
    memcpy(names, module, module_size);
    memcpy(names + module_size, name, name_size);
    opaque->module = names;
    opaque->name = names + module_size;
    return opaque;
}

brood_status bri_island_write(bri_reader *r, const brood_value *call, brood_value *opaque)
{
    static const bri_pickle_options options;
    bri_buffer raw = {0};
    bri_buffer out = {0};
    island is = {
        .r = r, .w = {.out = &raw, .options = &options, .protocol = 4}, .held = brood_list()};
    is.number = ++r->islands;
    const char *module;
    const char *name;
    bri_opaque *block = NULL;
    brood_status status = emit(&is, call);
    if (status == BROOD_OK)
        status = bri_fragment_assemble(&is.memo, &raw, &out);
    if (status == BROOD_OK)
        status = bri_reader_charge(r, sizeof *block + out.length);
    if (status == BROOD_OK) {
        find_names(r, call, &module, &name);
        block = create_opaque(&out, module, name, &is.held);
        status = block == NULL ? BROOD_ENOMEM : BROOD_OK;
    }
    bri_fragment_fini(&is.memo);
    brood_value_clear(&is.held);
    bri_buffer_fini(&raw);
    bri_buffer_fini(&out);
    if (status == BROOD_OK)
        *opaque = bri_value_of(BROOD_OPAQUE, block);
    return status;
}
