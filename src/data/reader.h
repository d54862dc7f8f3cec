/*
 * data/reader.h - the pickle reader's state, shared by its parts; for src/data only.
 *
 * A pickle is a program for a stack machine, and what it makes is a graph: objects may refer to one
 * another by the memo, in circles too. Values are trees. So reading goes in two steps:
 *
 * 1. The machine (pickle_read.c, reader_*.c) runs the program. A container is owned by one place,
 * the stack or the container it was put into; every other place gets a reference to it
 * (BRI_KIND_REF) by its number. What is to be called is kept as a call (BRI_KIND_CALL), unless it
 * is one of the few that make plain values.
 * 2. If references or calls are left in the result, resolve.c makes a tree of it: references become
 * copies, calls become errors or opaques (island.c). Most pickles have none, and the first step's
 * result is taken as it is.
 *
 * During the first step nothing is freed: the memo may still borrow it. What is no longer wanted
 * goes to `trash`.
 *
 * Bounds: every value made counts against max_nodes, every block against max_bytes before it is
 * allocated, and sizes in the input are compared with what is left of it first.
 */
#ifndef BRI_READER_H
#define BRI_READER_H

#include "data/heap.h"
#include "data/pickle.h"

/* A growing array of values, or of marks; the first ones have their room in the reader. */
typedef struct bri_values {
    brood_value *items;
    size_t count;
    size_t capacity;
    bool allocated;
} bri_values;

/* A container that something may refer to. `handle` follows the owner's when the block moves. */
typedef struct bri_registered {
    brood_value handle;
    brood_value
        later; /* of a call: instructions that reached it by a reference; an array or invalid */
    brood_value opaque; /* of a call: what it has been made already; invalid before */
    bool referenced;    /* something does refer to it */
    uint32_t island;    /* the last island that it was written to, */
    uint32_t slot;      /* and its memo slot there */
} bri_registered;

enum { BRI_INLINE_STACK = 48, BRI_INLINE_MEMO = 48, BRI_INLINE_MARKS = 16 };

typedef struct bri_reader {
    const unsigned char *begin, *end;
    const unsigned char *p;  /* the next byte */
    const unsigned char *op; /* the instruction being run, for messages */
    const bri_pickle_options *options;
    int protocol;
    size_t next_buffer;

    bri_values stack;
    size_t fence; /* the stack's count at the last mark: instructions do not reach below it */
    size_t *marks;
    size_t n_marks, marks_capacity;
    size_t memoized; /* slots filled, which is the number that MEMOIZE takes */
    bri_values memo; /* borrowed texts, scalars and references; invalid where nothing was put */
    bri_registered *registry;
    size_t n_registered, registry_capacity;
    bri_values trash;
    size_t unresolved; /* references, calls and raw tables made and not used up */

    size_t nodes, max_nodes;
    size_t bytes, max_bytes;
    uint32_t depth, max_depth; /* depth: of the walk of the second step */
    uint32_t islands;          /* written so far */
    bool fragment;             /* of an opaque: there is no STOP */
    bool finishing;            /* the second step: nothing changes any more */

    brood_value inline_stack[BRI_INLINE_STACK];
    brood_value inline_memo[BRI_INLINE_MEMO];
    size_t inline_marks[BRI_INLINE_MARKS];
} bri_reader;

/* ---- reader.c: what all parts need ---- */

void bri_reader_init(bri_reader *r, const void *data, size_t size,
                     const bri_pickle_options *options);
void bri_reader_fini(bri_reader *r);

/* could not read a pickle: <reason>, at byte <n>. */
brood_status bri_reader_fail(const bri_reader *r, brood_status status, const char *reason);

/* Counts memory about to be taken. */
brood_status bri_reader_charge(bri_reader *r, size_t bytes);

/* Pushes a value, which is moved in. */
brood_status bri_reader_push_slow(bri_reader *r, brood_value value);

static inline brood_status bri_reader_push(bri_reader *r, brood_value value)
{
    if (++r->nodes > r->max_nodes || r->stack.count == r->stack.capacity)
        return bri_reader_push_slow(r, value);
    r->stack.items[r->stack.count++] = value;
    return BROOD_OK;
}

/* Begins a group of operands; ends it, which gives the stack's count at its beginning. */
brood_status bri_reader_mark(bri_reader *r);
brood_status bri_reader_unmark(bri_reader *r, size_t *from);

/* Notes the top in a memo slot; pushes what a slot has. */
brood_status bri_reader_put(bri_reader *r, size_t slot);
brood_status bri_reader_get(bri_reader *r, size_t slot);

/* The value `depth` below the top of what the instruction may reach; NULL after failing. */
brood_value *bri_reader_peek(bri_reader *r, size_t depth);

/* Puts away what is no longer wanted. */
brood_status bri_reader_discard(bri_reader *r, brood_value value);

/* Pops the topmost `n` values, which are there, into the trash. */
brood_status bri_reader_drop(bri_reader *r, size_t n);

/* What a value stands for: the container if it is a reference, else itself. */
brood_value bri_reader_follow(const bri_reader *r, const brood_value *value);

/* The number of a container that was registered, else 0. */
uint32_t bri_reader_number(const brood_value *value);

/* Another value for the same thing: a shared text, or a reference to the container, which gets a
 * number. */
brood_status bri_reader_alias(bri_reader *r, brood_value *value, brood_value *alias);

/* A text value with room for `size` bytes, charged. */
brood_status bri_reader_text(bri_reader *r, brood_kind kind, size_t size, brood_value *text);

/* Tells the registry that the block of a container has moved, or its kind has changed. */
void bri_reader_moved(bri_reader *r, const brood_value *value);

/* Moves the topmost values down to `from` into an array that is on the stack below them, or in
 * nothing yet. */
brood_status bri_reader_extend(bri_reader *r, brood_value *array, size_t from);

/* An array of the topmost values down to `from`, which are popped. */
brood_status bri_reader_collect(bri_reader *r, unsigned kind, size_t from, brood_value *array);

/* ---- reader_scalar.c ---- */

typedef brood_status bri_instruction(bri_reader *r);

/* By opcode; NULL where it is not one of these. */
extern bri_instruction *const bri_scalar_instructions[256];

static inline size_t bri_reader_left(const bri_reader *r)
{
    return (size_t)(r->end - r->p);
}

brood_status bri_reader_fail_truncated(const bri_reader *r);

/* Takes a number of `size` bytes, and a line without its newline. */
brood_status bri_reader_take_number(bri_reader *r, size_t size, uint64_t *number);
brood_status bri_reader_line(bri_reader *r, const char **line, size_t *size);

/* ---- reader_table.c ---- */

/* Puts the topmost values down to `from` into a dict or set at `table`, which may become a raw one.
 */
brood_status bri_reader_fill(bri_reader *r, brood_value *table, size_t from);

/* ---- reader_text.c: the text instructions ---- */
brood_status bri_read_int_line(bri_reader *r);
brood_status bri_read_long_line(bri_reader *r);
brood_status bri_read_float_line(bri_reader *r);
brood_status bri_read_string_line(bri_reader *r);
brood_status bri_read_unicode_line(bri_reader *r);
brood_status bri_reader_push_ascii(bri_reader *r, const unsigned char *bytes, size_t size);
brood_status bri_read_index_line(bri_reader *r, size_t *index);

/* Latin-1 of a str: BROOD_EFORMAT if it has other characters. */
brood_status bri_reader_latin1(bri_reader *r, const brood_value *str, brood_value *bytes);

/* ---- reader_call.c: globals and calls ---- */
brood_status bri_read_global(bri_reader *r);
brood_status bri_read_stack_global(bri_reader *r);
brood_status bri_read_reduce(bri_reader *r);
brood_status bri_read_newobj(bri_reader *r);
brood_status bri_read_newobj_ex(bri_reader *r);
brood_status bri_read_inst(bri_reader *r);
brood_status bri_read_obj(bri_reader *r);
brood_status bri_read_build(bri_reader *r);

/* Adds an instruction with its operand (moved in) to a call: BUILD, APPENDS, ... */
brood_status bri_call_extend(bri_reader *r, brood_value *call, int opcode, brood_value operand);

/* The parts of a call: [0] its opcode, then what it calls and the arguments, then pairs of
 * instruction and operand. */
int bri_call_opcode(const brood_value *call);
const brood_value *bri_call_part(const brood_value *call, size_t i);
size_t bri_call_head(const brood_value *call);

/* Whether a value (followed) is a global, and which. */
bool bri_is_global(const brood_value *call, const char **module, const char **name);

/* ---- pickle_read.c ---- */

/* Runs an opaque's fragment, NULL options: all defaults; *top is what it made. The reader is to be
 * ended by bri_reader_fini also on failure. */
brood_status bri_fragment_read(bri_reader *r, const brood_value *opaque,
                               const bri_pickle_options *options, brood_value **top);

/* ---- resolve.c ---- */
brood_status bri_reader_resolve(bri_reader *r, const brood_value *value, brood_value *tree);

/* An error from a call of any class, if the call looks like that of an exception; else BROOD_ETYPE.
 */
brood_status bri_reader_resolve_error(bri_reader *r, const brood_value *call, brood_value *error);

/* ---- island.c ---- */

/* Makes an opaque of a call and all that hangs on it. */
brood_status bri_island_write(bri_reader *r, const brood_value *call, brood_value *opaque);

#endif /* BRI_READER_H */
