/* data/pickle_read.c - the instructions of pickle and the loop that runs them. See reader.h. */
#include "data/pickle.h"

#include "base/error.h"
#include "base/memory.h"
#include "data/opcodes.h"
#include "data/reader.h"
#include "data/text.h"

/* ---- instructions: the stack and the memo ---- */

static brood_status run_pop(bri_reader *r)
{
    /* With nothing above the mark it takes the mark, as in CPython. */
    if (r->stack.count > r->fence)
        return bri_reader_drop(r, 1);
    size_t from = 0;
    return bri_reader_unmark(r, &from);
}

static brood_status run_pop_mark(bri_reader *r)
{
    size_t from = 0;
    BROOD_TRY(bri_reader_unmark(r, &from));
    return bri_reader_drop(r, r->stack.count - from);
}

static brood_status run_dup(bri_reader *r)
{
    brood_value *top = bri_reader_peek(r, 0);
    brood_value copy;
    if (top == NULL)
        return BROOD_EFORMAT;
    BROOD_TRY(bri_reader_alias(r, top, &copy));
    return bri_reader_push(r, copy);
}

static brood_status run_memoize(bri_reader *r)
{
    return bri_reader_put(r, r->memoized);
}

static brood_status put_number(bri_reader *r, size_t width)
{
    uint64_t slot = 0;
    BROOD_TRY(bri_reader_take_number(r, width, &slot));
    return bri_reader_put(r, (size_t)slot);
}

static brood_status get_number(bri_reader *r, size_t width)
{
    uint64_t slot = 0;
    BROOD_TRY(bri_reader_take_number(r, width, &slot));
    return bri_reader_get(r, (size_t)slot);
}

static brood_status run_binput(bri_reader *r)
{
    return put_number(r, 1);
}

static brood_status run_long_binput(bri_reader *r)
{
    return put_number(r, 4);
}

static brood_status run_binget(bri_reader *r)
{
    return get_number(r, 1);
}

static brood_status run_long_binget(bri_reader *r)
{
    return get_number(r, 4);
}

static brood_status run_put(bri_reader *r)
{
    size_t slot = 0;
    BROOD_TRY(bri_read_index_line(r, &slot));
    return bri_reader_put(r, slot);
}

static brood_status run_get(bri_reader *r)
{
    size_t slot = 0;
    BROOD_TRY(bri_read_index_line(r, &slot));
    return bri_reader_get(r, slot);
}

/* ---- instructions: containers ---- */

static brood_status run_empty_tuple(bri_reader *r)
{
    return bri_reader_push(r, brood_tuple(0));
}

static brood_status run_empty_list(bri_reader *r)
{
    return bri_reader_push(r, brood_list());
}

static brood_status run_empty_dict(bri_reader *r)
{
    return bri_reader_push(r, brood_dict());
}

static brood_status run_empty_set(bri_reader *r)
{
    return bri_reader_push(r, brood_set());
}

static brood_status push_array(bri_reader *r, brood_kind kind, size_t from)
{
    brood_value array;
    BROOD_TRY(bri_reader_collect(r, kind, from, &array));
    return bri_reader_push(r, array);
}

static brood_status push_tuple(bri_reader *r, size_t n)
{
    if (bri_reader_peek(r, n - 1) == NULL)
        return BROOD_EFORMAT;
    return push_array(r, BROOD_TUPLE, r->stack.count - n);
}

static brood_status run_tuple1(bri_reader *r)
{
    return push_tuple(r, 1);
}

static brood_status run_tuple2(bri_reader *r)
{
    return push_tuple(r, 2);
}

static brood_status run_tuple3(bri_reader *r)
{
    return push_tuple(r, 3);
}

static brood_status run_tuple(bri_reader *r)
{
    size_t from = 0;
    BROOD_TRY(bri_reader_unmark(r, &from));
    return push_array(r, BROOD_TUPLE, from);
}

static brood_status run_list(bri_reader *r)
{
    size_t from = 0;
    BROOD_TRY(bri_reader_unmark(r, &from));
    return push_array(r, BROOD_LIST, from);
}

static brood_status push_table(bri_reader *r, brood_kind kind, size_t from)
{
    brood_value table = bri_value_of(kind, NULL);
    brood_status status = bri_reader_fill(r, &table, from);
    if (status == BROOD_OK)
        return bri_reader_push(r, table);
    brood_value_clear(&table);
    return status;
}

static brood_status run_dict(bri_reader *r)
{
    size_t from = 0;
    BROOD_TRY(bri_reader_unmark(r, &from));
    return push_table(r, BROOD_DICT, from);
}

static brood_status run_frozenset(bri_reader *r)
{
    size_t from = 0;
    BROOD_TRY(bri_reader_unmark(r, &from));
    return push_table(r, BROOD_FROZENSET, from);
}

/* The container below the operands from `from` on, and whether the instruction can fill its kind.
 */
static brood_status extend_call(bri_reader *r, size_t from, int opcode)
{
    brood_value operand;
    BROOD_TRY(bri_reader_collect(r, BROOD_TUPLE, from, &operand));
    return bri_call_extend(r, &r->stack.items[from - 1], opcode, operand);
}

static brood_status fill(bri_reader *r, size_t from, int opcode, brood_kind kind, int raw_kind)
{
    if (from == 0 || from <= r->fence)
        return bri_reader_fail(r, BROOD_EFORMAT, "an instruction lacks its operands");
    brood_value *target = &r->stack.items[from - 1];
    if (target->kind == kind || target->kind == raw_kind)
        return kind == BROOD_LIST ? bri_reader_extend(r, target, from)
                                  : bri_reader_fill(r, target, from);
    brood_value followed = bri_reader_follow(r, target);
    if (followed.kind == BRI_KIND_CALL)
        return extend_call(r, from, opcode);
    return bri_reader_fail(r, BROOD_EFORMAT,
                           followed.kind == kind ? "a container is filled by way of the memo"
                                                 : "what shall be filled is of another kind");
}

static brood_status run_append(bri_reader *r)
{
    if (bri_reader_peek(r, 0) == NULL)
        return BROOD_EFORMAT;
    return fill(r, r->stack.count - 1, OP_APPENDS, BROOD_LIST, BROOD_LIST);
}

static brood_status run_appends(bri_reader *r)
{
    size_t from = 0;
    BROOD_TRY(bri_reader_unmark(r, &from));
    return fill(r, from, OP_APPENDS, BROOD_LIST, BROOD_LIST);
}

static brood_status run_setitem(bri_reader *r)
{
    if (bri_reader_peek(r, 1) == NULL)
        return BROOD_EFORMAT;
    return fill(r, r->stack.count - 2, OP_SETITEMS, BROOD_DICT, BRI_KIND_RAW_DICT);
}

static brood_status run_setitems(bri_reader *r)
{
    size_t from = 0;
    BROOD_TRY(bri_reader_unmark(r, &from));
    return fill(r, from, OP_SETITEMS, BROOD_DICT, BRI_KIND_RAW_DICT);
}

static brood_status run_additems(bri_reader *r)
{
    size_t from = 0;
    BROOD_TRY(bri_reader_unmark(r, &from));
    return fill(r, from, OP_ADDITEMS, BROOD_SET, BRI_KIND_RAW_SET);
}

/* ---- instructions: the rest ---- */

static brood_status run_proto(bri_reader *r)
{
    uint64_t protocol = 0;
    BROOD_TRY(bri_reader_take_number(r, 1, &protocol));
    if (protocol > 5)
        return bri_reader_fail(r, BROOD_EVERSION, "its protocol is newer than 5");
    r->protocol = (int)protocol;
    return BROOD_OK;
}

static brood_status run_frame(bri_reader *r)
{
    uint64_t size = 0;
    BROOD_TRY(bri_reader_take_number(r, 8, &size));
    return size > bri_reader_left(r) ? bri_reader_fail_truncated(r) : BROOD_OK;
}

static brood_status refuse_persistent(bri_reader *r)
{
    return bri_reader_fail(r, BROOD_ENOTSUP, "it has a persistent id, which only its writer knows");
}

static brood_status refuse_extension(bri_reader *r)
{
    return bri_reader_fail(r, BROOD_ENOTSUP,
                           "it has an extension code, which only its writer knows");
}

static bri_instruction *const instructions[256] = {
    [OP_MARK] = bri_reader_mark,
    [OP_POP] = run_pop,
    [OP_POP_MARK] = run_pop_mark,
    [OP_DUP] = run_dup,
    [OP_PERSID] = refuse_persistent,
    [OP_BINPERSID] = refuse_persistent,
    [OP_REDUCE] = bri_read_reduce,
    [OP_APPEND] = run_append,
    [OP_BUILD] = bri_read_build,
    [OP_GLOBAL] = bri_read_global,
    [OP_DICT] = run_dict,
    [OP_EMPTY_DICT] = run_empty_dict,
    [OP_APPENDS] = run_appends,
    [OP_GET] = run_get,
    [OP_BINGET] = run_binget,
    [OP_INST] = bri_read_inst,
    [OP_LONG_BINGET] = run_long_binget,
    [OP_LIST] = run_list,
    [OP_EMPTY_LIST] = run_empty_list,
    [OP_OBJ] = bri_read_obj,
    [OP_PUT] = run_put,
    [OP_BINPUT] = run_binput,
    [OP_LONG_BINPUT] = run_long_binput,
    [OP_SETITEM] = run_setitem,
    [OP_TUPLE] = run_tuple,
    [OP_EMPTY_TUPLE] = run_empty_tuple,
    [OP_SETITEMS] = run_setitems,
    [OP_PROTO] = run_proto,
    [OP_NEWOBJ] = bri_read_newobj,
    [OP_EXT1] = refuse_extension,
    [OP_EXT2] = refuse_extension,
    [OP_EXT4] = refuse_extension,
    [OP_TUPLE1] = run_tuple1,
    [OP_TUPLE2] = run_tuple2,
    [OP_TUPLE3] = run_tuple3,
    [OP_EMPTY_SET] = run_empty_set,
    [OP_ADDITEMS] = run_additems,
    [OP_FROZENSET] = run_frozenset,
    [OP_NEWOBJ_EX] = bri_read_newobj_ex,
    [OP_STACK_GLOBAL] = bri_read_stack_global,
    [OP_MEMOIZE] = run_memoize,
    [OP_FRAME] = run_frame,
};

/* The longest instruction below, so that a row of them is read without looking for the end each
 * time. */
enum { LONGEST_INTEGER = 5 };

/*
 * Runs a row of the small integers that long lists are made of, as many as there is room for,
 * without a call each.
 */
static void run_integers(bri_reader *r)
{
    static const brood_value blank = {.kind = BROOD_INT};
    size_t room = r->stack.capacity - r->stack.count;
    size_t allowed = r->max_nodes - r->nodes;
    size_t most = room < allowed ? room : allowed;
    brood_value *top = &r->stack.items[r->stack.count];
    brood_value *begin = top;
    const brood_value *limit = top + most;
    const unsigned char *p = r->p;
    while (top < limit && (size_t)(r->end - p) >= LONGEST_INTEGER) {
        int64_t integer;
        if (*p == OP_BININT1) {
            integer = p[1];
            p += 2;
        } else if (*p == OP_BININT2) {
            integer = p[1] | p[2] << 8;
            p += 3;
        } else if (*p == OP_BININT) {
            uint32_t bits =
                p[1] | (uint32_t)p[2] << 8 | (uint32_t)p[3] << 16 | (uint32_t)p[4] << 24;
            integer = (int64_t)(bits ^ 0x80000000u) - 0x80000000;
            p += 5;
        } else {
            break;
        }
        /* Into its place in two stores. A whole value, put together elsewhere from parts and copied
         * in one, makes the processor wait for the parts each time: half the time of this loop. */
        memcpy(top, &blank, offsetof(brood_value, as));
        top->as.integer = integer;
        top++;
    }
    size_t made = (size_t)(top - begin);
    r->stack.count += made;
    r->nodes += made;
    r->p = p;
}

/* Runs up to STOP, behind which r->p is then; a fragment ends with its bytes. */
static brood_status run(bri_reader *r)
{
    for (;;) {
        run_integers(r);
        r->op = r->p;
        if (r->p == r->end)
            return r->fragment ? BROOD_OK : bri_reader_fail_truncated(r);
        unsigned char opcode = *r->p++;
        if (opcode == OP_STOP)
            return BROOD_OK;
        bri_instruction *instruction = instructions[opcode];
        if (instruction == NULL)
            instruction = bri_scalar_instructions[opcode];
        if (instruction == NULL)
            return bri_reader_fail(r, BROOD_EFORMAT, "an instruction is unknown");
        BROOD_TRY(instruction(r));
    }
}

static brood_status finish(bri_reader *r, brood_value *value)
{
    brood_value *top = bri_reader_peek(r, 0);
    if (top == NULL)
        return BROOD_EFORMAT;
    if (r->unresolved != 0) {
        r->finishing = true;
        r->nodes = 0; /* counted anew: the tree may be larger than the graph */
        return bri_reader_resolve(r, top, value);
    }
    *value = brood_value_take(top);
    return BROOD_OK;
}

brood_status bri_pickle_read(const void *data, size_t size, const bri_pickle_options *options,
                             brood_value *value, size_t *used)
{
    static const bri_pickle_options defaults;
    bri_reader r;
    brood_value made;
    bri_reader_init(&r, data, size, options == NULL ? &defaults : options);
    brood_status status = run(&r);
    if (status == BROOD_OK && used == NULL && r.p != r.end)
        status = bri_reader_fail(&r, BROOD_EFORMAT, "something follows its end");
    if (status == BROOD_OK)
        status = finish(&r, &made);
    bri_reader_fini(&r);
    if (status != BROOD_OK)
        return status;
    *value = made;
    if (used != NULL)
        *used = (size_t)(r.p - r.begin);
    return BROOD_OK;
}

brood_status brood_pickle_loads(const void *data, size_t size, const brood_pickle_limits *limits,
                                brood_value *value)
{
    bri_pickle_options options = {0};
    if (limits != NULL)
        options.limits = *limits;
    return bri_pickle_read(data, size, &options, value, NULL);
}

brood_status bri_fragment_read(bri_reader *r, const brood_value *opaque,
                               const bri_pickle_options *options, brood_value **top)
{
    static const bri_pickle_options defaults;
    bri_reader_init(r, bri_opaque_of(opaque)->data, bri_opaque_of(opaque)->size,
                    options == NULL ? &defaults : options);
    r->protocol = 4;
    r->fragment = true;
    BROOD_TRY(run(r));
    *top = bri_reader_peek(r, 0);
    r->finishing = true;
    return *top == NULL ? BROOD_EFORMAT : BROOD_OK;
}
