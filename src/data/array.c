/* data/array.c - lists and tuples. */
#include <brood/value.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/heap.h"

brood_status bri_array_reserve(brood_value *array, size_t capacity)
{
    bri_array *block = bri_array_of(array);
    if (capacity == 0 || (block != NULL && capacity <= block->capacity))
        return BROOD_OK;
    if (capacity > (SIZE_MAX / 2 - sizeof *block) / sizeof(brood_value))
        return bri_fail(BROOD_ENOMEM, "could not allocate %zu values", capacity);
    bool fresh = block == NULL;
    block = bri_realloc(block, sizeof *block + capacity * sizeof(brood_value));
    if (block == NULL)
        return BROOD_ENOMEM;
    if (fresh)
        *block = (bri_array){.depth = 1};
    block->capacity = capacity;
    array->as.heap = (struct bri_heap *)(void *)block;
    return BROOD_OK;
}

/* Makes room for one more. */
static brood_status grow(brood_value *array)
{
    const bri_array *block = bri_array_of(array);
    if (block == NULL)
        return bri_array_reserve(array, 4);
    if (block->count < block->capacity)
        return BROOD_OK;
    return bri_array_reserve(array, block->capacity + block->capacity / 2 + 4);
}

brood_status bri_array_append(brood_value *array, brood_value item)
{
    uint32_t depth = bri_depth(array);
    brood_status status = bri_nest(&depth, &item);
    if (status == BROOD_OK)
        status = grow(array);
    if (status != BROOD_OK) {
        brood_value_clear(&item);
        return status;
    }
    bri_array *block = bri_array_of(array);
    block->items[block->count++] = item;
    block->depth = depth;
    block->owning = block->owning || !bri_is_scalar(&item);
    return BROOD_OK;
}

void bri_array_trim(brood_value *array, size_t capacity)
{
    bri_array *block = bri_array_of(array);
    if (capacity == 0) {
        bri_free(block);
        array->as.heap = NULL;
        return;
    }
    bri_array *smaller = bri_realloc(block, sizeof *block + capacity * sizeof(brood_value));
    if (smaller == NULL)
        return;
    smaller->capacity = capacity;
    array->as.heap = (struct bri_heap *)(void *)smaller;
}

brood_value brood_list(void)
{
    return bri_value_of(BROOD_LIST, NULL);
}

brood_value brood_tuple(size_t n)
{
    brood_value tuple = bri_value_of(BROOD_TUPLE, NULL);
    if (n == 0)
        return tuple;
    brood_status status = bri_array_reserve(&tuple, n);
    if (status != BROOD_OK)
        return bri_invalid(status);
    bri_array *block = bri_array_of(&tuple);
    for (size_t i = 0; i < n; i++)
        block->items[i] = brood_none();
    block->count = n;
    return tuple;
}

/* ---- checks that the functions below share; those which take an item clear it on failure ---- */

static brood_status refuse(brood_value *item, brood_status status)
{
    brood_value_clear(item);
    return status;
}

static brood_status check_list(const char *what, const brood_value *value)
{
    return value->kind == BROOD_LIST ? BROOD_OK : bri_fail_kind(what, value);
}

static brood_status check_index(const char *what, const brood_value *sequence, size_t index)
{
    if (!bri_is_array(sequence))
        return bri_fail_kind(what, sequence);
    if (index >= bri_array_count(sequence))
        return bri_fail(BROOD_ERANGE, "could not %s: there is no item %zu among %zu", what, index,
                        bri_array_count(sequence));
    return BROOD_OK;
}

/* ---- the public functions ---- */

const brood_value *brood_item(const brood_value *sequence, size_t index)
{
    sequence = bri_given(sequence);
    if (!bri_is_array(sequence) || index >= bri_array_count(sequence))
        return NULL;
    return &bri_array_of(sequence)->items[index];
}

brood_status brood_append(brood_value *list, brood_value item)
{
    brood_status status = check_list("append to a list", list);
    if (status == BROOD_OK && item.kind == BROOD_INVALID)
        status = bri_fail_invalid(&item);
    if (status != BROOD_OK)
        return refuse(&item, status);
    return bri_array_append(list, item);
}

brood_status brood_insert(brood_value *list, size_t index, brood_value item)
{
    brood_status status = check_list("insert into a list", list);
    if (status != BROOD_OK)
        return refuse(&item, status);
    BROOD_TRY(brood_append(list, item));
    bri_array *block = bri_array_of(list);
    size_t last = block->count - 1;
    if (index >= last)
        return BROOD_OK;
    item = block->items[last];
    memmove(&block->items[index + 1], &block->items[index], (last - index) * sizeof(brood_value));
    block->items[index] = item;
    return BROOD_OK;
}

brood_status brood_set_item(brood_value *sequence, size_t index, brood_value item)
{
    brood_status status = check_index("set an item", sequence, index);
    if (status == BROOD_OK && item.kind == BROOD_INVALID)
        status = bri_fail_invalid(&item);
    if (status == BROOD_OK)
        status = bri_nest(&bri_array_of(sequence)->depth, &item);
    if (status != BROOD_OK)
        return refuse(&item, status);
    bri_array *block = bri_array_of(sequence);
    brood_value_clear(&block->items[index]);
    block->items[index] = item;
    block->owning = block->owning || !bri_is_scalar(&item);
    return BROOD_OK;
}

brood_status brood_take_item(brood_value *sequence, size_t index, brood_value *item)
{
    BROOD_TRY(check_index("take an item", sequence, index));
    brood_value *place = &bri_array_of(sequence)->items[index];
    *item = *place;
    *place = brood_none();
    return BROOD_OK;
}

brood_status brood_list_pop(brood_value *list, size_t index, brood_value *item)
{
    BROOD_TRY(check_list("pop from a list", list));
    BROOD_TRY(check_index("pop from a list", list, index));
    bri_array *block = bri_array_of(list);
    *item = block->items[index];
    block->count--;
    memmove(&block->items[index], &block->items[index + 1],
            (block->count - index) * sizeof(brood_value));
    return BROOD_OK;
}

brood_status brood_list_remove(brood_value *list, size_t start, size_t stop)
{
    BROOD_TRY(check_list("remove from a list", list));
    size_t count = bri_array_count(list);
    stop = stop < count ? stop : count;
    if (start >= stop)
        return BROOD_OK;
    bri_array *block = bri_array_of(list);
    for (size_t i = start; i < stop; i++)
        brood_value_clear(&block->items[i]);
    memmove(&block->items[start], &block->items[stop], (count - stop) * sizeof(brood_value));
    block->count -= stop - start;
    return BROOD_OK;
}

brood_status brood_list_reserve(brood_value *list, size_t n)
{
    BROOD_TRY(check_list("make room in a list", list));
    return bri_array_reserve(list, n);
}

/* Moves all items of `items` behind those of `list`; room and depth are there. */
static void move_items(brood_value *list, brood_value *items)
{
    bri_array *to = bri_array_of(list);
    bri_array *from = bri_array_of(items);
    memcpy(&to->items[to->count], from->items, from->count * sizeof(brood_value));
    to->count += from->count;
    if (from->depth > to->depth)
        to->depth = from->depth;
    to->owning = to->owning || from->owning;
    from->count = 0;
}

brood_status brood_list_extend(brood_value *list, brood_value items)
{
    brood_status status = check_list("extend a list", list);
    if (status == BROOD_OK && !bri_is_array(&items))
        status = bri_fail_kind("extend a list by what is no list or tuple", &items);
    size_t count = status == BROOD_OK ? bri_array_count(&items) : 0;
    if (count != 0) {
        status = bri_array_reserve(list, bri_array_count(list) + count);
        if (status == BROOD_OK)
            move_items(list, &items);
    }
    brood_value_clear(&items);
    return status;
}

brood_status brood_slice(const brood_value *sequence, size_t start, size_t stop, brood_value *slice)
{
    sequence = bri_given(sequence);
    if (!bri_is_array(sequence))
        return bri_fail_kind("slice a list or tuple", sequence);
    size_t count = bri_array_count(sequence);
    stop = stop < count ? stop : count;
    brood_value made = bri_value_of(sequence->kind, NULL);
    brood_status status = BROOD_OK;
    if (start < stop)
        status = bri_array_reserve(&made, stop - start);
    for (size_t i = start; status == BROOD_OK && i < stop; i++) {
        brood_value item;
        status = brood_value_copy(&bri_array_of(sequence)->items[i], &item);
        if (status == BROOD_OK)
            status = bri_array_append(&made, item);
    }
    if (status != BROOD_OK)
        return refuse(&made, status);
    *slice = made;
    return BROOD_OK;
}

size_t brood_index_of(const brood_value *sequence, const brood_value *item)
{
    sequence = bri_given(sequence);
    item = bri_given(item);
    if (bri_is_array(sequence))
        for (size_t i = 0; i < bri_array_count(sequence); i++)
            if (brood_value_equal(&bri_array_of(sequence)->items[i], item))
                return i;
    return SIZE_MAX;
}
