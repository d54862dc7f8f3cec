/* data/reader.c - the pickle reader's stack, memo and registry of containers. See reader.h. */
#include "data/reader.h"

#include "base/error.h"
#include "base/memory.h"

enum { DEFAULT_DEPTH = 500, DEFAULT_NODES = 64 * 1024 * 1024, DEFAULT_BYTES = 1024 * 1024 * 1024 };

brood_status bri_reader_fail(const bri_reader *r, brood_status status, const char *reason)
{
    return bri_fail(status, "could not read a pickle: %s, at byte %zu", reason,
                    (size_t)(r->op - r->begin));
}

static brood_status fail_underflow(const bri_reader *r)
{
    return bri_reader_fail(r, BROOD_EFORMAT, "an instruction lacks its operands");
}

brood_status bri_reader_charge(bri_reader *r, size_t bytes)
{
    if (bytes > r->max_bytes - r->bytes)
        return bri_reader_fail(r, BROOD_ELIMIT, "it takes too much memory");
    r->bytes += bytes;
    return BROOD_OK;
}

/* ---- growing arrays ---- */

static brood_status grow_values(bri_values *values, size_t capacity)
{
    size_t size = capacity * sizeof(brood_value);
    brood_value *items = bri_realloc(values->allocated ? values->items : NULL, size);
    if (items == NULL)
        return BROOD_ENOMEM;
    if (!values->allocated && values->count != 0)
        memcpy(items, values->items, values->count * sizeof(brood_value));
    values->items = items;
    values->capacity = capacity;
    values->allocated = true;
    return BROOD_OK;
}

/* Room for what the rest of the input may push, within reason, so that long lists do not grow it
 * again and again. */
static brood_status grow_stack(bri_reader *r)
{
    size_t left = (size_t)(r->end - r->p) / 2;
    size_t more = left < 4096 ? left : 4096;
    return grow_values(&r->stack, r->stack.capacity * 2 + more);
}

brood_status bri_reader_push_slow(bri_reader *r, brood_value value)
{
    brood_status status = BROOD_OK;
    if (r->nodes > r->max_nodes)
        status = bri_reader_fail(r, BROOD_ELIMIT, "it makes too many values");
    else if (r->stack.count == r->stack.capacity)
        status = grow_stack(r);
    if (status == BROOD_OK)
        r->stack.items[r->stack.count++] = value;
    else
        brood_value_clear(&value);
    return status;
}

brood_value *bri_reader_peek(bri_reader *r, size_t depth)
{
    if (r->stack.count - r->fence <= depth) {
        fail_underflow(r);
        return NULL;
    }
    return &r->stack.items[r->stack.count - 1 - depth];
}

brood_status bri_reader_discard(bri_reader *r, brood_value value)
{
    if (bri_is_scalar(&value) || value.kind == BRI_KIND_REF)
        return BROOD_OK;
    if (r->trash.count == r->trash.capacity) {
        brood_status status = grow_values(&r->trash, r->trash.capacity * 2 + 16);
        if (status != BROOD_OK) {
            /* Nothing will be read from the memo any more. */
            brood_value_clear(&value);
            return status;
        }
    }
    r->trash.items[r->trash.count++] = value;
    return BROOD_OK;
}

brood_status bri_reader_drop(bri_reader *r, size_t n)
{
    brood_status status = BROOD_OK;
    for (; n > 0; n--) {
        brood_status dropped = bri_reader_discard(r, r->stack.items[--r->stack.count]);
        status = status == BROOD_OK ? dropped : status;
    }
    return status;
}

brood_status bri_reader_text(bri_reader *r, brood_kind kind, size_t size, brood_value *text)
{
    BROOD_TRY(bri_reader_charge(r, sizeof(bri_text) + size + 1));
    bri_text *block = bri_text_create(size);
    if (block == NULL)
        return BROOD_ENOMEM;
    *text = bri_value_of(kind, block);
    return BROOD_OK;
}

/* ---- registered containers ---- */

uint32_t bri_reader_number(const brood_value *value)
{
    uint32_t number;
    memcpy(&number, value->reserved + 3, sizeof number);
    return number;
}

brood_value bri_reader_follow(const bri_reader *r, const brood_value *value)
{
    if (value->kind == BRI_KIND_REF)
        return r->registry[value->as.integer].handle;
    return *value;
}

static bool is_container(const brood_value *value)
{
    return bri_is_array(value) || bri_is_table(value) || value->kind > BRI_KIND_REF;
}

/* Gives a container its number; 0 is nobody's. */
static brood_status register_container(bri_reader *r, brood_value *value)
{
    if (bri_reader_number(value) != 0)
        return BROOD_OK;
    if (r->n_registered == r->registry_capacity) {
        size_t capacity = r->registry_capacity == 0 ? 16 : r->registry_capacity * 2;
        if (capacity > UINT32_MAX)
            return bri_reader_fail(r, BROOD_ELIMIT, "it refers to too many containers");
        bri_registered *grown = bri_realloc(r->registry, capacity * sizeof *grown);
        if (grown == NULL)
            return BROOD_ENOMEM;
        r->registry = grown;
        r->registry_capacity = capacity;
        if (r->n_registered == 0)
            r->n_registered = 1;
    }
    uint32_t number = (uint32_t)r->n_registered++;
    memcpy(value->reserved + 3, &number, sizeof number);
    r->registry[number] = (bri_registered){.handle = *value};
    return BROOD_OK;
}

/* After a container on the stack may have moved its block, or changed its kind. */
void bri_reader_moved(bri_reader *r, const brood_value *value)
{
    uint32_t number = bri_reader_number(value);
    if (number != 0)
        r->registry[number].handle = *value;
}

static brood_value make_reference(uint32_t number)
{
    brood_value reference = {.kind = BRI_KIND_REF};
    reference.as.integer = number;
    return reference;
}

brood_status bri_reader_alias(bri_reader *r, brood_value *value, brood_value *alias)
{
    if (bri_is_scalar(value)) {
        *alias = *value;
        return BROOD_OK;
    }
    if (value->kind != BRI_KIND_REF && !is_container(value)) {
        *alias = bri_share(value);
        return BROOD_OK;
    }
    if (value->kind == BRI_KIND_REF) {
        *alias = *value;
    } else {
        BROOD_TRY(register_container(r, value));
        *alias = make_reference(bri_reader_number(value));
    }
    r->registry[alias->as.integer].referenced = true;
    r->unresolved++;
    return BROOD_OK;
}

/* ---- the memo ---- */

/* Writers number slots one by one, so no slot can be beyond the number of bytes. */
brood_status bri_reader_put(bri_reader *r, size_t slot)
{
    brood_value *top = bri_reader_peek(r, 0);
    if (top == NULL)
        return BROOD_EFORMAT;
    if (slot >= (size_t)(r->end - r->begin))
        return bri_reader_fail(r, BROOD_ELIMIT, "it uses a memo slot that is too high");
    if (slot >= r->memo.capacity) {
        size_t capacity = slot < r->memo.capacity * 2 ? r->memo.capacity * 2 : slot + 1;
        BROOD_TRY(bri_reader_charge(r, (capacity - r->memo.capacity) * sizeof(brood_value)));
        BROOD_TRY(grow_values(&r->memo, capacity));
    }
    while (r->memo.count <= slot)
        r->memo.items[r->memo.count++] = (brood_value){.kind = BROOD_INVALID};
    brood_value noted = *top;
    if (is_container(top)) {
        BROOD_TRY(register_container(r, top));
        noted = make_reference(bri_reader_number(top));
    }
    r->memoized += r->memo.items[slot].kind == BROOD_INVALID;
    r->memo.items[slot] = noted;
    return BROOD_OK;
}

brood_status bri_reader_get(bri_reader *r, size_t slot)
{
    if (slot >= r->memo.count || r->memo.items[slot].kind == BROOD_INVALID)
        return bri_reader_fail(r, BROOD_EFORMAT, "it refers to a memo slot that is empty");
    brood_value value;
    BROOD_TRY(bri_reader_alias(r, &r->memo.items[slot], &value));
    return bri_reader_push(r, value);
}

/* ---- the stack and its marks ---- */

brood_status bri_reader_mark(bri_reader *r)
{
    if (r->n_marks == r->marks_capacity) {
        bool inlined = r->marks == r->inline_marks;
        size_t capacity = r->marks_capacity * 2;
        size_t *marks = bri_realloc(inlined ? NULL : r->marks, capacity * sizeof *marks);
        if (marks == NULL)
            return BROOD_ENOMEM;
        if (inlined)
            memcpy(marks, r->inline_marks, sizeof r->inline_marks);
        r->marks = marks;
        r->marks_capacity = capacity;
    }
    r->marks[r->n_marks++] = r->fence;
    r->fence = r->stack.count;
    return BROOD_OK;
}

brood_status bri_reader_unmark(bri_reader *r, size_t *from)
{
    if (r->n_marks == 0)
        return bri_reader_fail(r, BROOD_EFORMAT, "a mark is missing");
    *from = r->fence;
    r->fence = r->marks[--r->n_marks];
    return BROOD_OK;
}

/* Notes what goes into an array that bypasses bri_array_append. */
static brood_status note_items(bri_reader *r, bri_array *array, const brood_value *items, size_t n)
{
    uint32_t kinds = 0;
    for (size_t i = 0; i < n; i++)
        kinds |= 1u << items[i].kind;
    for (size_t i = 0; (kinds & ~(uint32_t)BRI_FLAT_KINDS) != 0 && i < n; i++)
        BROOD_TRY(bri_nest(&array->depth, &items[i]));
    array->owning = array->owning || (kinds & ~(uint32_t)BRI_SCALAR_KINDS) != 0;
    if (array->depth > r->max_depth)
        return bri_reader_fail(r, BROOD_ELIMIT, "it is nested too deep");
    return BROOD_OK;
}

brood_status bri_reader_extend(bri_reader *r, brood_value *array, size_t from)
{
    size_t n = r->stack.count - from;
    size_t count = bri_array_count(array);
    const bri_array *block = bri_array_of(array);
    size_t capacity = block == NULL ? 0 : block->capacity;
    if (count + n > capacity) {
        size_t wanted = count + n < count + count / 2 ? count + count / 2 : count + n;
        BROOD_TRY(bri_reader_charge(r, (wanted - capacity) * sizeof(brood_value) +
                                           (capacity == 0 ? sizeof(bri_array) : 0)));
        BROOD_TRY(bri_array_reserve(array, wanted));
        bri_reader_moved(r, array);
    }
    if (n == 0)
        return BROOD_OK;
    bri_array *grown = bri_array_of(array);
    const brood_value *items = &r->stack.items[from];
    BROOD_TRY(note_items(r, grown, items, n));
    memcpy(&grown->items[count], items, n * sizeof(brood_value));
    grown->count += n;
    r->stack.count = from;
    return BROOD_OK;
}

brood_status bri_reader_collect(bri_reader *r, unsigned kind, size_t from, brood_value *array)
{
    brood_value made = bri_value_of(kind, NULL);
    brood_status status = bri_reader_extend(r, &made, from);
    if (status != BROOD_OK) {
        brood_value_clear(&made);
        return status;
    }
    *array = made;
    return BROOD_OK;
}

/* ---- beginning and end ---- */

/* What a process of the tree could make and write can be read again: it is no deeper than any
 * value, has no more nodes than bytes, and each of those takes a few. So what comes from elsewhere
 * by the same way still cannot grow without bounds. */
static brood_pickle_limits limits_of(const bri_pickle_options *options, size_t size)
{
    enum { BYTES_A_BYTE = 256 };
    brood_pickle_limits limits = options->limits;
    if (options->find_class != NULL) {
        size_t most = size < SIZE_MAX / BYTES_A_BYTE ? BYTES_A_BYTE * size : SIZE_MAX;
        limits.max_depth = BROOD_MAX_DEPTH;
        limits.max_nodes = size < DEFAULT_NODES ? DEFAULT_NODES : size;
        limits.max_bytes = most < DEFAULT_BYTES ? DEFAULT_BYTES : most;
    }
    return limits;
}

void bri_reader_init(bri_reader *r, const void *data, size_t size,
                     const bri_pickle_options *options)
{
    brood_pickle_limits limits = limits_of(options, size);
    size_t depth = limits.max_depth == 0 ? DEFAULT_DEPTH : limits.max_depth;
    memset(r, 0, offsetof(bri_reader, inline_stack));
    if (size == 0)
        data = ""; /* C11 6.5.6: to NULL not even 0 may be added */
    r->begin = r->p = r->op = data;
    r->end = r->begin + size;
    r->options = options;
    r->max_depth = (uint32_t)(depth < BROOD_MAX_DEPTH ? depth : BROOD_MAX_DEPTH);
    r->max_nodes = limits.max_nodes == 0 ? DEFAULT_NODES : limits.max_nodes;
    r->max_bytes = limits.max_bytes == 0 ? DEFAULT_BYTES : limits.max_bytes;
    r->stack = (bri_values){.items = r->inline_stack, .capacity = BRI_INLINE_STACK};
    r->memo = (bri_values){.items = r->inline_memo, .capacity = BRI_INLINE_MEMO};
    r->marks = r->inline_marks;
    r->marks_capacity = BRI_INLINE_MARKS;
}

static void clear_values(bri_values *values)
{
    for (size_t i = 0; i < values->count; i++)
        brood_value_clear(&values->items[i]);
    if (values->allocated)
        bri_free(values->items);
}

void bri_reader_fini(bri_reader *r)
{
    clear_values(&r->stack);
    clear_values(&r->trash);
    if (r->memo.allocated) /* it owns nothing */
        bri_free(r->memo.items);
    for (size_t i = 1; i < r->n_registered; i++) {
        brood_value_clear(&r->registry[i].later);
        brood_value_clear(&r->registry[i].opaque);
    }
    bri_free(r->registry);
    if (r->marks != r->inline_marks)
        bri_free(r->marks);
}
