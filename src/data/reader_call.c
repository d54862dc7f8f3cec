/*
 * data/reader_call.c - globals, and what a pickle wants to be called.
 *
 * Nothing is ever called. The few calls that make plain values are done here, brood's own objects
 * are handed to their class, and every other call is kept.
 */
#include "base/error.h"
#include "data/exceptions.h"
#include "data/opcodes.h"
#include "data/reader.h"
#include "data/text.h"

/* ---- calls as arrays ---- */

int bri_call_opcode(const brood_value *call)
{
    return (int)bri_array_of(call)->items[0].as.integer;
}

const brood_value *bri_call_part(const brood_value *call, size_t i)
{
    return &bri_array_of(call)->items[i];
}

size_t bri_call_head(const brood_value *call)
{
    return bri_call_opcode(call) == OP_NEWOBJ_EX ? 4 : 3;
}

bool bri_is_global(const brood_value *call, const char **module, const char **name)
{
    if (call->kind != BRI_KIND_CALL || bri_call_opcode(call) != OP_GLOBAL)
        return false;
    *module = bri_text_of(bri_call_part(call, 1))->data;
    *name = bri_text_of(bri_call_part(call, 2))->data;
    return true;
}

/* Makes a call of the topmost `n` values, which are popped, and pushes it. */
static brood_status push_call(bri_reader *r, int opcode, size_t n)
{
    brood_value call = bri_value_of(BRI_KIND_CALL, NULL);
    BROOD_TRY(bri_reader_charge(r, sizeof(bri_array) + (n + 1) * sizeof(brood_value)));
    brood_status status = bri_array_reserve(&call, n + 1);
    if (status == BROOD_OK)
        status = bri_array_append(&call, brood_int(opcode));
    if (status == BROOD_OK)
        status = bri_reader_extend(r, &call, r->stack.count - n);
    if (status != BROOD_OK) {
        brood_value_clear(&call);
        return status;
    }
    r->unresolved++;
    return bri_reader_push(r, call);
}

static brood_status append_pair(bri_reader *r, brood_value *array, int opcode, brood_value operand)
{
    brood_status status = bri_reader_charge(r, 3 * sizeof(brood_value));
    if (status == BROOD_OK)
        status = bri_array_append(array, brood_int(opcode));
    if (status != BROOD_OK) {
        brood_value_clear(&operand);
        return status;
    }
    return bri_array_append(array, operand);
}

brood_status bri_call_extend(bri_reader *r, brood_value *call, int opcode, brood_value operand)
{
    if (call->kind == BRI_KIND_REF) {
        bri_registered *entry = &r->registry[call->as.integer];
        if (entry->later.kind == BROOD_INVALID)
            entry->later = bri_value_of(BROOD_TUPLE, NULL);
        return append_pair(r, &entry->later, opcode, operand);
    }
    brood_status status = append_pair(r, call, opcode, operand);
    bri_reader_moved(r, call);
    if (status == BROOD_OK && bri_depth(call) > r->max_depth)
        status = bri_reader_fail(r, BROOD_ELIMIT, "it is nested too deep");
    return status;
}

/* ---- globals ---- */

static brood_status push_str(bri_reader *r, const char *text, size_t size)
{
    brood_value value;
    BROOD_TRY(bri_reader_text(r, BROOD_STR, size, &value));
    memcpy(bri_text_of(&value)->data, text, size);
    return bri_reader_push(r, value);
}

/* Replaces the two names on top, which are Python 2's, by today's. */
static brood_status modernise(bri_reader *r)
{
    const brood_value *names = &r->stack.items[r->stack.count - 2];
    const char *module = bri_text_of(&names[0])->data;
    const char *name = bri_text_of(&names[1])->data;
    const char *new_module = module;
    const char *new_name = name;
    bri_modernise(&new_module, &new_name);
    if (new_module == module && new_name == name)
        return BROOD_OK;
    BROOD_TRY(push_str(r, new_module, strlen(new_module)));
    BROOD_TRY(push_str(r, new_name, strlen(new_name)));
    brood_value *four = &r->stack.items[r->stack.count - 4];
    brood_value old[2] = {four[0], four[1]};
    memcpy(four, four + 2, sizeof old);
    memcpy(four + 2, old, sizeof old);
    return bri_reader_drop(r, 2);
}

/* Replaces the two names on top by the global they stand for. */
static brood_status make_global(bri_reader *r)
{
    const brood_value *names = &r->stack.items[r->stack.count - 2];
    for (int i = 0; i < 2; i++) {
        const bri_text *text = bri_text_of(&names[i]);
        if (text->size == 0 || memchr(text->data, 0, text->size) != NULL)
            return bri_reader_fail(r, BROOD_EFORMAT, "a global has no name");
    }
    if (r->protocol < 3)
        BROOD_TRY(modernise(r));
    return push_call(r, OP_GLOBAL, 2);
}

static brood_status push_name_line(bri_reader *r)
{
    const char *line;
    size_t size;
    BROOD_TRY(bri_reader_line(r, &line, &size));
    if (bri_utf8_valid(line, size) != size)
        return bri_reader_fail(r, BROOD_EFORMAT, "a global's name is not UTF-8");
    return push_str(r, line, size);
}

brood_status bri_read_global(bri_reader *r)
{
    BROOD_TRY(push_name_line(r));
    BROOD_TRY(push_name_line(r));
    return make_global(r);
}

brood_status bri_read_stack_global(bri_reader *r)
{
    const brood_value *below = bri_reader_peek(r, 1);
    if (below == NULL)
        return BROOD_EFORMAT;
    if (below[0].kind != BROOD_STR || below[1].kind != BROOD_STR)
        return bri_reader_fail(r, BROOD_EFORMAT, "a global's name is no str");
    return make_global(r);
}

/* ---- calls that make plain values: operands are the global and its arguments, on top of the stack
 * ---- */

/* Drops global and arguments, which are used up, and pushes what they made. */
static brood_status replace_call(bri_reader *r, brood_value made)
{
    const brood_value *callable = &r->stack.items[r->stack.count - 2];
    r->unresolved -=
        1 + (size_t)(callable[1].kind == BRI_KIND_REF); /* the global, or a reference to it */
    brood_status status = bri_reader_drop(r, 2);
    if (status != BROOD_OK) {
        brood_value_clear(&made);
        return status;
    }
    return bri_reader_push(r, made);
}

/* Pushes aliases of all items of an array behind the operands; they stay where they are. */
static brood_status push_aliases(bri_reader *r, const brood_value *array)
{
    for (size_t i = 0; i < bri_array_count(array); i++) {
        brood_value alias;
        BROOD_TRY(bri_reader_alias(r, &bri_array_of(array)->items[i], &alias));
        BROOD_TRY(bri_reader_push(r, alias));
    }
    return BROOD_OK;
}

/* set([...]), frozenset((...)), list([...]) */
static brood_status call_container(bri_reader *r, unsigned kind, const brood_value *items)
{
    brood_value made = bri_value_of(kind, NULL);
    size_t from = r->stack.count;
    brood_status status = items == NULL ? BROOD_OK : push_aliases(r, items);
    if (status == BROOD_OK)
        status = kind == BROOD_LIST ? bri_reader_extend(r, &made, from)
                                    : bri_reader_fill(r, &made, from);
    if (status != BROOD_OK) {
        brood_value_clear(&made);
        return status;
    }
    return replace_call(r, made);
}

static bool names_latin1(const brood_value *encoding)
{
    if (encoding->kind != BROOD_STR)
        return false;
    const char *name = bri_text_of(encoding)->data;
    return strcmp(name, "latin1") == 0 || strcmp(name, "latin-1") == 0 ||
           strcmp(name, "iso-8859-1") == 0;
}

/* bytes(), bytearray(), bytearray(b"..."), and str with an encoding, as _codecs.encode gets it too.
 */
static brood_status call_bytes(bri_reader *r, bool mutable_bytes, const brood_value *source)
{
    brood_value made;
    if (source == NULL) {
        BROOD_TRY(bri_reader_text(r, BROOD_BYTES, 0, &made));
    } else if (source->kind == BROOD_BYTES) { /* a bytearray of its own: it may be referred to */
        const bri_text *text = bri_text_of(source);
        BROOD_TRY(bri_reader_text(r, BROOD_BYTES, text->size, &made));
        memcpy(bri_text_of(&made)->data, text->data, text->size);
    } else {
        BROOD_TRY(bri_reader_latin1(r, source, &made));
    }
    made.reserved[0] = mutable_bytes ? BRI_MUTABLE_BYTES : 0;
    return replace_call(r, made);
}

/* Does the call if it is one of those; `*done` tells. */
static brood_status call_plain(bri_reader *r, const char *module, const char *name,
                               const brood_value *arguments, bool *done)
{
    size_t count = bri_array_count(arguments);
    brood_value none = brood_none();
    brood_value first = count > 0 ? bri_reader_follow(r, &bri_array_of(arguments)->items[0]) : none;
    const brood_value *second = count == 2 ? &bri_array_of(arguments)->items[1] : &none;
    bool latin1 = count == 2 && first.kind == BROOD_STR && names_latin1(second);
    *done = true;
    if ((strcmp(module, "_codecs") == 0 || strcmp(module, "codecs") == 0) &&
        strcmp(name, "encode") == 0 && latin1)
        return call_bytes(r, false, &first);
    if (strcmp(module, "builtins") == 0) {
        bool of_array = count == 1 && bri_is_array(&first);
        unsigned kind = strcmp(name, "set") == 0         ? BROOD_SET
                        : strcmp(name, "frozenset") == 0 ? BROOD_FROZENSET
                        : strcmp(name, "list") == 0      ? BROOD_LIST
                                                         : BROOD_INVALID;
        if (kind != BROOD_INVALID && (count == 0 || of_array))
            return call_container(r, kind, of_array ? &first : NULL);
        if (strcmp(name, "bytes") == 0 && count == 0)
            return call_bytes(r, false, NULL);
        if (strcmp(name, "bytearray") == 0 && count == 0)
            return call_bytes(r, true, NULL);
        if (strcmp(name, "bytearray") == 0 && (latin1 || (count == 1 && first.kind == BROOD_BYTES)))
            return call_bytes(r, true, &first);
    }
    *done = false;
    return BROOD_OK;
}

/* brood.Lock(...): the class makes the object. */
static brood_status call_object(bri_reader *r, const char *name, const brood_value *arguments)
{
    const bri_object_class *type =
        r->options->find_class == NULL ? NULL : r->options->find_class(name);
    if (type == NULL)
        return bri_fail(BROOD_ENOTSUP,
                        "could not read a pickle: there is no place for a brood %s here", name);
    brood_value tree;
    void *object;
    BROOD_TRY(bri_reader_resolve(r, arguments, &tree));
    brood_status status = type->rebuild(&tree, r->options->transfer, &object);
    brood_value_clear(&tree);
    BROOD_TRY(status);
    brood_value made = bri_object_adopt(type, object);
    return made.kind == BROOD_INVALID ? BROOD_ENOMEM : replace_call(r, made);
}

/* A call that the reader's user knows; `*done` tells. */
static brood_status call_foreign(bri_reader *r, const char *name, const brood_value *arguments,
                                 bool *done)
{
    brood_value tree;
    brood_value made = {.kind = BROOD_INVALID};
    BROOD_TRY(bri_reader_resolve(r, arguments, &tree));
    brood_status status = r->options->foreign(r->options->foreign_context, name, &tree, &made);
    brood_value_clear(&tree);
    BROOD_TRY(status);
    *done = made.kind != BROOD_INVALID;
    return *done ? replace_call(r, made) : BROOD_OK;
}

brood_status bri_read_reduce(bri_reader *r)
{
    const brood_value *operands = bri_reader_peek(r, 1);
    const char *module;
    const char *name;
    if (operands == NULL)
        return BROOD_EFORMAT;
    brood_value callable = bri_reader_follow(r, &operands[0]);
    brood_value arguments = bri_reader_follow(r, &operands[1]);
    if (callable.kind != BRI_KIND_CALL)
        return bri_reader_fail(r, BROOD_EFORMAT, "what shall be called is no global");
    if (arguments.kind != BROOD_TUPLE)
        return bri_reader_fail(r, BROOD_EFORMAT, "the arguments of a call are no tuple");
    if (bri_is_global(&callable, &module, &name)) {
        if (strcmp(module, "brood") == 0)
            return call_object(r, name, &arguments);
        bool done = false;
        if (r->options->foreign != NULL && strcmp(module, r->options->foreign_module) == 0)
            BROOD_TRY(call_foreign(r, name, &arguments, &done));
        if (done)
            return BROOD_OK;
        brood_status status = call_plain(r, module, name, &arguments, &done);
        if (status != BROOD_OK || done)
            return status;
    }
    return push_call(r, OP_REDUCE, 2);
}

/* ---- other ways to make an object ---- */

static brood_status check_class(bri_reader *r, const brood_value *value)
{
    if (bri_reader_follow(r, value).kind != BRI_KIND_CALL)
        return bri_reader_fail(r, BROOD_EFORMAT, "the class of an object is no global");
    return BROOD_OK;
}

static brood_status make_new(bri_reader *r, int opcode, size_t n)
{
    const brood_value *operands = bri_reader_peek(r, n - 1);
    if (operands == NULL)
        return BROOD_EFORMAT;
    BROOD_TRY(check_class(r, &operands[0]));
    if (bri_reader_follow(r, &operands[1]).kind != BROOD_TUPLE)
        return bri_reader_fail(r, BROOD_EFORMAT, "the arguments of a call are no tuple");
    if (n == 3 && bri_reader_follow(r, &operands[2]).kind != BROOD_DICT)
        return bri_reader_fail(r, BROOD_EFORMAT, "the named arguments of a call are no dict");
    return push_call(r, opcode, n);
}

brood_status bri_read_newobj(bri_reader *r)
{
    return make_new(r, OP_NEWOBJ, 2);
}

brood_status bri_read_newobj_ex(bri_reader *r)
{
    return make_new(r, OP_NEWOBJ_EX, 3);
}

/* The class is on top of the stack, its arguments from `from` on below it: makes OBJ of both. */
static brood_status push_obj(bri_reader *r, size_t from)
{
    brood_value type = r->stack.items[--r->stack.count];
    brood_value arguments;
    brood_status status = bri_reader_collect(r, BROOD_TUPLE, from, &arguments);
    if (status != BROOD_OK) {
        brood_value_clear(&type);
        return status;
    }
    status = bri_reader_push(r, type);
    if (status != BROOD_OK) {
        brood_value_clear(&arguments);
        return status;
    }
    BROOD_TRY(bri_reader_push(r, arguments));
    return push_call(r, OP_OBJ, 2);
}

brood_status bri_read_inst(bri_reader *r)
{
    size_t from;
    BROOD_TRY(bri_read_global(r));
    BROOD_TRY(bri_reader_unmark(r, &from));
    return push_obj(r, from);
}

brood_status bri_read_obj(bri_reader *r)
{
    size_t from;
    if (bri_reader_peek(r, 0) == NULL)
        return BROOD_EFORMAT;
    BROOD_TRY(bri_reader_unmark(r, &from));
    BROOD_TRY(check_class(r, &r->stack.items[from]));
    /* The class stands in front of its arguments: rotate it to the top. */
    brood_value *items = &r->stack.items[from];
    brood_value type = items[0];
    size_t n = r->stack.count - from - 1;
    memmove(&items[0], &items[1], n * sizeof(brood_value));
    items[n] = type;
    return push_obj(r, from);
}

brood_status bri_read_build(bri_reader *r)
{
    brood_value *operands = bri_reader_peek(r, 1);
    if (operands == NULL)
        return BROOD_EFORMAT;
    if (bri_reader_follow(r, &operands[0]).kind != BRI_KIND_CALL)
        return bri_reader_fail(r, BROOD_EFORMAT, "a state is for what is no object");
    r->stack.count--;
    return bri_call_extend(r, &operands[0], OP_BUILD, operands[1]);
}
