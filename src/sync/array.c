/*
 * sync/array.c - the public array: items in the arena, beside the body or in a block of their own.
 */
#include <brood/array.h>

#include <string.h>

#include "base/buffer.h"
#include "core/killpoint.h"
#include "data/heap.h"
#include "sync/item.h"
#include "sync/recursive.h"
#include "sync/sync.h"

enum { INLINE_MOST = 256 << 10 };

/* In the arena. */
typedef struct array_body {
    bri_recursive lock;
    uint64_t length;
    uint64_t item_size;
    _Atomic uint64_t block; /* offset of the items; 0: they are behind the body */
    char type[2];
    bool unlocked;
} array_body;

struct brood_array {
    bri_shared shared;
    const bri_item_type *type; /* NULL: structs */
    unsigned char *items;
    bri_spin_place spin;
};

static brood_status rebuild_array(const brood_value *arguments, bri_transfer *transfer,
                                  void **object);
static brood_status open_array(bri_shared *object);
static void free_items(bri_arena *arena, void *body);

const bri_shared_class bri_array_class = {
    .type = {.name = "Array",
             .retain = bri_shared_retain,
             .release = bri_shared_release,
             .reduce = bri_shared_reduce,
             .rebuild = rebuild_array},
    .kind = BRI_ARRAY_KIND,
    .local_size = sizeof(brood_array),
    .open = open_array,
    .destroy = free_items,
};

/* ---- the object ---- */

/* Items behind the body begin at a line. */
static size_t body_size(void)
{
    return (sizeof(array_body) + BRI_LINE - 1) / BRI_LINE * BRI_LINE;
}

static array_body *body_of(const brood_array *array)
{
    return array->shared.body;
}

static brood_status rebuild_array(const brood_value *arguments, bri_transfer *transfer,
                                  void **object)
{
    return bri_shared_rebuild(&bri_array_class, arguments, transfer, object);
}

static brood_status open_array(bri_shared *object)
{
    brood_array *array = (brood_array *)object;
    array_body *body = object->body;
    uint64_t block = atomic_load(&body->block);
    array->type = bri_item_type_of(body->type);
    array->items = block != 0 ? bri_arena_at(bri_the_runtime.arena, block)
                              : (unsigned char *)body + body_size();
    return BROOD_OK;
}

static void free_items(bri_arena *arena, void *body)
{
    uint64_t block = atomic_exchange(&((array_body *)body)->block, 0);
    BRI_KILL_POINT("array-destroy");
    bri_arena_free(arena, block);
}

static brood_status fill_array(bri_arena *arena, void *body, const void *context)
{
    const array_body *wanted = context;
    array_body *made = body;
    uint64_t size = wanted->length * wanted->item_size, block;
    made->length = wanted->length;
    made->item_size = wanted->item_size;
    made->unlocked = wanted->unlocked;
    memcpy(made->type, wanted->type, sizeof made->type);
    if (size <= INLINE_MOST)
        return BROOD_OK;
    BROOD_TRY(bri_arena_alloc(arena, size, &block));
    BRI_KILL_POINT("array-block");
    atomic_store(&made->block, block);
    memset(bri_arena_at(arena, block), 0, (size_t)size);
    return BROOD_OK;
}

static brood_status create_array(brood_array **array, const char *type, size_t item_size, size_t n,
                                 const brood_array_options *options)
{
    array_body wanted = {.length = n, .item_size = item_size};
    bri_shared *made;
    if (item_size == 0)
        return bri_fail(BROOD_EINVALID, "could not create an array of items without a size");
    if (n > SIZE_MAX / 2 / item_size)
        return bri_fail(BROOD_ENOMEM, "could not create an array of %zu items of %zu bytes", n,
                        item_size);
    memcpy(wanted.type, type, strlen(type) + 1);
    wanted.unlocked = options != NULL && options->unlocked;
    size_t size = n * item_size <= INLINE_MOST ? n * item_size : 0;
    BROOD_TRY(bri_shared_create(&bri_array_class, body_size() + size, "create an array", fill_array,
                                &wanted, &made));
    *array = (brood_array *)made;
    return BROOD_OK;
}

brood_status brood_array_create(brood_array **array, const char *type, size_t n,
                                const brood_array_options *options)
{
    const bri_item_type *known = type == NULL ? NULL : bri_item_type_of(type);
    if (known == NULL)
        return bri_fail(BROOD_EINVALID, "could not create an array: \"%s\" is no type code",
                        type == NULL ? "" : type);
    return create_array(array, known->code, known->size, n, options);
}

brood_status brood_array_create_of(brood_array **array, size_t item_size, size_t n,
                                   const brood_array_options *options)
{
    return create_array(array, "", item_size, n, options);
}

static bool is_usable(const brood_array *array)
{
    return array != NULL && array->shared.body != NULL;
}

size_t brood_array_length(const brood_array *array)
{
    return is_usable(array) ? (size_t)body_of(array)->length : 0;
}

size_t brood_array_item_size(const brood_array *array)
{
    return is_usable(array) ? (size_t)body_of(array)->item_size : 0;
}

const char *brood_array_type(const brood_array *array)
{
    return is_usable(array) ? body_of(array)->type : "";
}

void *brood_array_data(brood_array *array)
{
    return is_usable(array) ? array->items : NULL;
}

/* ---- items ---- */

/* Whether there are so many from there on, and of a type that has values. */
static brood_status check(const brood_array *array, size_t position, size_t n, const char *what)
{
    BROOD_TRY(bri_shared_check(array, what));
    size_t length = (size_t)body_of(array)->length;
    if (position > length || n > length - position)
        return bri_fail(BROOD_ERANGE, "could not %s: position %zu is not among its %zu items", what,
                        n == 0 ? position : position + n - 1, length);
    if (array->type == NULL)
        return bri_fail(BROOD_ETYPE, "could not %s: its items are structs (brood_array_data)",
                        what);
    return BROOD_OK;
}

static void *item_at(const brood_array *array, size_t position)
{
    return array->items + position * array->type->size;
}

static brood_status check_kind(const brood_array *array, bool fits, const char *what)
{
    if (fits)
        return BROOD_OK;
    return bri_fail(BROOD_ETYPE, "could not %s: its items are of type \"%s\"", what,
                    array->type->code);
}

static brood_status check_integer(const brood_array *array, size_t position, const char *what)
{
    BROOD_TRY(check(array, position, 1, what));
    return check_kind(
        array, array->type->kind == BRI_ITEM_SIGNED || array->type->kind == BRI_ITEM_UNSIGNED,
        what);
}

brood_status brood_array_get(brood_array *array, size_t position, brood_value *value)
{
    BROOD_TRY(check(array, position, 1, "read an item of an array"));
    brood_value made =
        bri_item_value(array->type, bri_item_load(array->type, item_at(array, position)));
    if (made.kind == BROOD_INVALID)
        return bri_fail_invalid(&made);
    *value = made;
    return BROOD_OK;
}

brood_status brood_array_set(brood_array *array, size_t position, brood_value value)
{
    uint64_t bits = 0;
    brood_status status = check(array, position, 1, "write an item of an array");
    if (status == BROOD_OK) {
        status = bri_item_bits(array->type, &value, &bits);
        if (status != BROOD_OK)
            bri_fail_within("could not write an item of an array");
    }
    if (status == BROOD_OK)
        bri_item_store(array->type, item_at(array, position), bits);
    brood_value_clear(&value);
    return status;
}

brood_status brood_array_add(brood_array *array, size_t position, int64_t number, int64_t *after)
{
    static const char what[] = "add to an item of an array";
    BROOD_TRY(check_integer(array, position, what));
    void *item = item_at(array, position);
    uint64_t seen = bri_item_load(array->type, item), sum;
    do {
        if (bri_item_sum(array->type, seen, number, &sum) != BROOD_OK)
            return bri_fail_within("could not %s", what);
    } while (!bri_item_swap(array->type, item, &seen, sum));
    if (after != NULL)
        *after = bri_item_integer(array->type, sum);
    return BROOD_OK;
}

brood_status brood_array_add_float(brood_array *array, size_t position, double number,
                                   double *after)
{
    static const char what[] = "add to an item of an array";
    BROOD_TRY(check(array, position, 1, what));
    BROOD_TRY(check_kind(array, array->type->kind == BRI_ITEM_REAL, what));
    void *item = item_at(array, position);
    uint64_t seen = bri_item_load(array->type, item), sum;
    do
        sum = bri_item_real_bits(array->type, bri_item_real(array->type, seen) + number);
    while (!bri_item_swap(array->type, item, &seen, sum));
    if (after != NULL)
        *after = bri_item_real(array->type, sum);
    return BROOD_OK;
}

brood_status brood_array_compare_and_set(brood_array *array, size_t position, int64_t *expected,
                                         int64_t wanted, bool *done)
{
    static const char what[] = "change an item of an array";
    BROOD_TRY(check_integer(array, position, what));
    void *item = item_at(array, position);
    uint64_t seen, bits;
    if (bri_item_integer_bits(array->type, wanted, &bits) != BROOD_OK)
        return bri_fail_within("could not %s", what);
    bool is_done = false;
    if (bri_item_integer_bits(array->type, *expected, &seen) == BROOD_OK)
        is_done = bri_item_swap(array->type, item, &seen, bits);
    else /* which it can never be */
        seen = bri_item_load(array->type, item);
    if (!is_done)
        *expected = bri_item_integer(array->type, seen);
    *done = is_done;
    return BROOD_OK;
}

/* ---- many items ---- */

static brood_status make_list(brood_array *array, size_t position, size_t n, brood_value *items)
{
    brood_value list = brood_list();
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = bri_item_load(array->type, item_at(array, position + i));
        brood_status status = brood_append(&list, bri_item_value(array->type, bits));
        if (status != BROOD_OK) {
            brood_value_clear(&list);
            return status;
        }
    }
    *items = list;
    return BROOD_OK;
}

/* Characters go together. */
static brood_status join_text(brood_value *items)
{
    bri_buffer text = {0};
    brood_status status = BROOD_OK;
    for (size_t i = 0; status == BROOD_OK && i < brood_value_length(items); i++) {
        const char *piece;
        size_t size;
        status = brood_get_str(brood_item(items, i), &piece, &size);
        if (status == BROOD_OK)
            status = bri_buffer_append(&text, piece, size);
    }
    if (status == BROOD_OK) {
        brood_value made =
            brood_str_n(text.length == 0 ? "" : (const char *)text.data, text.length);
        status = made.kind == BROOD_INVALID ? bri_fail_invalid(&made) : BROOD_OK;
        if (status == BROOD_OK) {
            brood_value_clear(items);
            *items = made;
        }
    }
    bri_buffer_fini(&text);
    return status;
}

brood_status brood_array_slice(brood_array *array, size_t position, size_t n, brood_value *items)
{
    brood_value made;
    BROOD_TRY(check(array, position, n, "read items of an array"));
    if (array->type->kind == BRI_ITEM_CHAR) {
        made = brood_bytes(item_at(array, position), n);
        if (made.kind == BROOD_INVALID)
            return bri_fail_invalid(&made);
        *items = made;
        return BROOD_OK;
    }
    BROOD_TRY(make_list(array, position, n, &made));
    brood_status status = BROOD_OK;
    if (array->type->kind == BRI_ITEM_WIDE)
        status = join_text(&made);
    if (status == BROOD_OK)
        *items = made;
    else
        brood_value_clear(&made);
    return status;
}

/* Twice: to check all, then to write. */
static brood_status assign_list(brood_array *array, size_t position, const brood_value *items)
{
    size_t n = brood_value_length(items);
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++)
        BROOD_TRY(bri_item_bits(array->type, brood_item(items, i), &bits));
    for (size_t i = 0; i < n; i++) {
        BROOD_TRY(bri_item_bits(array->type, brood_item(items, i), &bits));
        bri_item_store(array->type, item_at(array, position + i), bits);
    }
    return BROOD_OK;
}

/* A str as the characters it is made of; written from position on, when `writes`. */
static size_t walk_text(brood_array *array, size_t position, const char *text, size_t size,
                        bool writes)
{
    size_t n = 0;
    for (size_t i = 0; i < size; n++) {
        size_t next = i + 1;
        while (next < size && ((unsigned char)text[next] & 0xC0) == 0x80)
            next++;
        if (writes) {
            brood_value one = brood_str_n(text + i, next - i);
            uint64_t bits = 0;
            bri_item_bits(array->type, &one, &bits);
            brood_value_clear(&one);
            bri_item_store(array->type, item_at(array, position + n), bits);
        }
        i = next;
    }
    return n;
}

static brood_status assign(brood_array *array, size_t position, const brood_value *items)
{
    static const char what[] = "write items of an array";
    const void *data;
    const char *text;
    size_t size;
    BROOD_TRY(bri_value_check(items));
    BROOD_TRY(check(array, position, 0, what));
    if (items->kind == BROOD_BYTES && array->type->kind == BRI_ITEM_CHAR) {
        BROOD_TRY(brood_get_bytes(items, &data, &size));
        BROOD_TRY(check(array, position, size, what));
        memcpy(item_at(array, position), data, size);
        return BROOD_OK;
    }
    if (items->kind == BROOD_STR && array->type->kind == BRI_ITEM_WIDE) {
        BROOD_TRY(brood_get_str(items, &text, &size));
        BROOD_TRY(check(array, position, walk_text(array, 0, text, size, false), what));
        walk_text(array, position, text, size, true);
        return BROOD_OK;
    }
    if (items->kind != BROOD_LIST && items->kind != BROOD_TUPLE)
        return bri_fail(BROOD_ETYPE, "could not %s: it takes a list", what);
    BROOD_TRY(check(array, position, brood_value_length(items), what));
    if (assign_list(array, position, items) != BROOD_OK)
        return bri_fail_within("could not %s", what);
    return BROOD_OK;
}

brood_status brood_array_assign(brood_array *array, size_t position, brood_value items)
{
    brood_status status = assign(array, position, &items);
    brood_value_clear(&items);
    return status;
}

/* ---- the lock ---- */

static brood_status check_lock(const brood_array *array, const char *what)
{
    BROOD_TRY(bri_shared_check(array, what));
    if (body_of(array)->unlocked)
        return bri_fail(BROOD_ESTATE, "could not %s: it has none", what);
    return BROOD_OK;
}

brood_status brood_array_acquire(brood_array *array, brood_ms timeout)
{
    BROOD_TRY(check_lock(array, "acquire the lock of an array"));
    return bri_recursive_acquire(&body_of(array)->lock, &array->spin, timeout);
}

brood_status brood_array_release(brood_array *array)
{
    BROOD_TRY(check_lock(array, "release the lock of an array"));
    if (!bri_recursive_release(&body_of(array)->lock))
        return bri_fail(BROOD_ESTATE,
                        "could not release the lock of an array: this thread does not hold it");
    return BROOD_OK;
}

/* ---- the rest ---- */

void brood_array_destroy(brood_array *array)
{
    bri_shared_release(array);
}

brood_value brood_array_value(brood_array *array)
{
    return bri_shared_value(array);
}

brood_status brood_get_array(const brood_value *value, brood_array **array)
{
    bri_shared *object;
    BROOD_TRY(bri_shared_get(&bri_array_class, value, &object));
    *array = (brood_array *)object;
    return BROOD_OK;
}
