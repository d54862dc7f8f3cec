/*
 * sync/shareable_list.c - a list in named memory, as Python's ShareableList has it:
 *
 *     n | n + 1 offsets into the items | items | n formats of 8 characters | n bytes of kinds
 *
 * All numbers are 64-bit and little-endian here, as on every system that brood runs on.
 *
 * Anybody may write at any time, and die there. What has 8 bytes, a number, an offset, or a format,
 * is written at once, so it is the old or the new one. An item is its content, its format and its
 * kind, written in this order: whoever dies between leaves the new content under the old format or
 * kind, which is a value too (bytes, when they do not go together).
 */
#include <brood/shared_memory.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/killpoint.h"
#include "data/heap.h"
#include "sync/shared_memory.h"

enum { CELL = 8, KIND_NUMBER = 0, KIND_STR, KIND_BYTES, KIND_NONE };

struct brood_shareable_list {
    _Atomic uint32_t uses;
    brood_shared_memory *memory;
    size_t length;
    unsigned char *offsets, *items, *formats, *kinds;
    uint64_t items_size;
};

/* Cells are aligned: the memory is, and offsets that are not are refused. */
static uint64_t read_number(const unsigned char *at)
{
    return atomic_load_explicit((const _Atomic uint64_t *)(const void *)at, memory_order_relaxed);
}

static void write_number(unsigned char *at, uint64_t number)
{
    atomic_store_explicit((_Atomic uint64_t *)(void *)at, number, memory_order_relaxed);
}

/* ---- what an item is ---- */

/* The bytes of a str or bytes, NULL for others. */
static const void *bytes_of(const brood_value *value, size_t *size)
{
    const char *text;
    const void *data;
    if (value->kind == BROOD_STR && brood_get_str(value, &text, size) == BROOD_OK)
        return text;
    if (value->kind == BROOD_BYTES && brood_get_bytes(value, &data, size) == BROOD_OK)
        return data;
    *size = 0;
    return NULL;
}

/* Python's rule, for the bytes: there a str of other characters than ASCII may find no room. */
static uint64_t room_for(const brood_value *value)
{
    size_t size = 0;
    return bytes_of(value, &size) == NULL ? CELL : CELL * (size / CELL + 1);
}

static brood_status check_item(const brood_value *value)
{
    switch (value->kind) {
    case BROOD_NONE:
    case BROOD_BOOL:
    case BROOD_INT:
    case BROOD_FLOAT:
    case BROOD_STR:
    case BROOD_BYTES:
        return BROOD_OK;
    case BROOD_BIGINT:
        return bri_fail(BROOD_ERANGE, "an item of a shareable list has 64 bits");
    default:
        return bri_fail(BROOD_ETYPE, "a shareable list takes no items of that type");
    }
}

static void write_format(unsigned char *format, const brood_value *value, uint64_t room)
{
    char text[24];
    size_t size = 0;
    if (bytes_of(value, &size) != NULL)
        snprintf(text, sizeof text, "%llus", (unsigned long long)room);
    else
        snprintf(text, sizeof text, "%s",
                 value->kind == BROOD_NONE    ? "xxxxxx?x"
                 : value->kind == BROOD_BOOL  ? "xxxxxxx?"
                 : value->kind == BROOD_FLOAT ? "d"
                                              : "q");
    uint64_t cell = 0;
    memcpy(&cell, text, strlen(text) < CELL ? strlen(text) : CELL);
    write_number(format, cell);
}

/* The 8 bytes of anything but a str or bytes. */
static uint64_t cell_of(const brood_value *value)
{
    uint64_t cell = 0;
    if (value->kind == BROOD_INT)
        cell = (uint64_t)value->as.integer;
    else if (value->kind == BROOD_FLOAT)
        memcpy(&cell, &value->as.real, sizeof cell);
    else if (value->kind == BROOD_BOOL)
        ((unsigned char *)&cell)[7] = value->as.boolean;
    return cell;
}

static void write_content(unsigned char *at, const brood_value *value, uint64_t room)
{
    size_t size = 0;
    const void *bytes = bytes_of(value, &size);
    if (bytes == NULL) {
        write_number(at, cell_of(value));
        return;
    }
    memcpy(at, bytes, size);
    memset(at + size, 0, (size_t)room - size);
}

static unsigned char kind_of(const brood_value *value)
{
    return value->kind == BROOD_STR     ? KIND_STR
           : value->kind == BROOD_BYTES ? KIND_BYTES
           : value->kind == BROOD_NONE  ? KIND_NONE
                                        : KIND_NUMBER;
}

/* The item's place and room, from what stands there. */
static brood_status find_item(const brood_shareable_list *list, size_t position, const char *what,
                              unsigned char **at, uint64_t *room)
{
    if (list == NULL)
        return bri_fail(BROOD_EINVALID, "could not %s: NULL is none", what);
    if (position >= list->length)
        return bri_fail(BROOD_ERANGE, "could not %s: position %zu is not among its %zu items", what,
                        position, list->length);
    uint64_t begin = read_number(list->offsets + position * CELL);
    uint64_t end = read_number(list->offsets + (position + 1) * CELL);
    if (begin > end || end > list->items_size || end - begin < CELL || begin % CELL != 0)
        return bri_fail(BROOD_EFORMAT, "could not %s: its offsets are damaged", what);
    *at = list->items + begin;
    *room = end - begin;
    return BROOD_OK;
}

/* Items keep the format that their place has got, also when they are shorter. */
static void write_item(brood_shareable_list *list, size_t position, unsigned char *at,
                       uint64_t room, const brood_value *value)
{
    write_content(at, value, room);
    BRI_KILL_POINT("list-content");
    write_format(list->formats + position * CELL, value, room);
    BRI_KILL_POINT("list-format");
    list->kinds[position] = kind_of(value);
}

/* ---- making and opening ---- */

/* Where its parts are, in memory whose length has been checked. */
static void lay_out(brood_shareable_list *list, uint64_t length, uint64_t items_size)
{
    unsigned char *base = brood_shared_memory_data(list->memory);
    list->length = (size_t)length;
    list->items_size = items_size;
    list->offsets = base + CELL;
    list->items = list->offsets + (length + 1) * CELL;
    list->formats = list->items + items_size;
    list->kinds = list->formats + length * CELL;
}

static brood_shareable_list *new_list(brood_shared_memory *memory)
{
    brood_shareable_list *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    atomic_store(&made->uses, 1);
    made->memory = memory;
    return made;
}

static brood_status measure(const brood_value *items, uint64_t *size)
{
    BROOD_TRY(bri_value_check(items));
    if (items->kind != BROOD_LIST && items->kind != BROOD_TUPLE)
        return bri_fail(BROOD_ETYPE, "it takes a list of items");
    *size = 0;
    for (size_t i = 0; i < brood_value_length(items); i++) {
        BROOD_TRY(check_item(brood_item(items, i)));
        *size += room_for(brood_item(items, i));
    }
    return BROOD_OK;
}

static void write_all(brood_shareable_list *list, const brood_value *items)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < list->length; i++) {
        uint64_t room = room_for(brood_item(items, i));
        write_number(list->offsets + i * CELL, offset);
        write_item(list, i, list->items + offset, room, brood_item(items, i));
        offset += room;
    }
    write_number(list->offsets + list->length * CELL, offset);
    write_number(list->offsets - CELL, list->length);
}

static brood_status create_list(brood_shareable_list **list, const char *name,
                                const brood_value *items, brood_lifetime lifetime)
{
    uint64_t size = 0;
    brood_shared_memory *memory;
    if (measure(items, &size) != BROOD_OK)
        return bri_fail_within("could not create a shareable list");
    size_t n = brood_value_length(items);
    BROOD_TRY(brood_shared_memory_create(
        &memory, name, (size_t)(CELL * (2 * (uint64_t)n + 2) + size + n), lifetime));
    brood_shareable_list *made = new_list(memory);
    if (made == NULL) {
        brood_shared_memory_close(memory);
        return BROOD_ENOMEM;
    }
    lay_out(made, n, size);
    write_all(made, items);
    *list = made;
    return BROOD_OK;
}

brood_status brood_shareable_list_create(brood_shareable_list **list, const char *name,
                                         brood_value items, brood_lifetime lifetime)
{
    brood_status status = create_list(list, name, &items, lifetime);
    brood_value_clear(&items);
    return status;
}

/* The memory comes from outside. */
static bool is_list(brood_shared_memory *memory, uint64_t *length, uint64_t *items_size)
{
    const unsigned char *base = brood_shared_memory_data(memory);
    uint64_t size = brood_shared_memory_size(memory);
    if (size < 2 * CELL)
        return false;
    *length = read_number(base);
    if (*length > (size - 2 * CELL) / (2 * CELL + 1))
        return false;
    uint64_t left = size - 2 * CELL - *length * (2 * CELL + 1);
    *items_size = read_number(base + (*length + 1) * CELL);
    return *items_size <= left && *items_size % CELL == 0;
}

brood_status brood_shareable_list_open(brood_shareable_list **list, const char *name)
{
    brood_shared_memory *memory;
    uint64_t length, items_size;
    BROOD_TRY(brood_shared_memory_open(&memory, name));
    brood_status status = BROOD_OK;
    brood_shareable_list *made = NULL;
    if (!is_list(memory, &length, &items_size))
        status = bri_fail(BROOD_EFORMAT,
                          "could not open the shareable list \"%s\": what is there is none", name);
    else if ((made = new_list(memory)) == NULL)
        status = BROOD_ENOMEM;
    if (status != BROOD_OK) {
        brood_shared_memory_close(memory);
        return status;
    }
    lay_out(made, length, items_size);
    *list = made;
    return BROOD_OK;
}

void brood_shareable_list_close(brood_shareable_list *list)
{
    if (list == NULL || atomic_fetch_sub(&list->uses, 1) != 1)
        return;
    brood_shared_memory_close(list->memory);
    bri_free(list);
}

brood_shared_memory *brood_shareable_list_memory(brood_shareable_list *list)
{
    return list == NULL ? NULL : list->memory;
}

size_t brood_shareable_list_length(const brood_shareable_list *list)
{
    return list == NULL ? 0 : list->length;
}

/* ---- items ---- */

/* What can be read gives a value, and without a format that fits an invalid one. */
static brood_value read_cell(const unsigned char *at, const char *format)
{
    uint64_t cell = read_number(at);
    double real;
    if (strcmp(format, "q") == 0)
        return brood_int((int64_t)cell);
    if (strcmp(format, "xxxxxxx?") == 0)
        return brood_bool(((const unsigned char *)&cell)[7] != 0);
    if (strcmp(format, "xxxxxx?x") == 0)
        return brood_none();
    memcpy(&real, &cell, sizeof real);
    return strcmp(format, "d") == 0 ? brood_float(real) : (brood_value){0};
}

/* A str or bytes: what its format says, without the NULs at its end. */
static brood_value read_bytes(const unsigned char *at, const char *format, uint64_t room,
                              bool is_text)
{
    unsigned long long size = strtoull(format, NULL, 10);
    if (size > room)
        return (brood_value){0};
    while (size > 0 && at[size - 1] == 0)
        size--;
    return is_text ? brood_str_n((const char *)at, (size_t)size) : brood_bytes(at, (size_t)size);
}

/* By its format; its kind only tells what a format leaves open. */
brood_status brood_shareable_list_get(brood_shareable_list *list, size_t position,
                                      brood_value *value)
{
    unsigned char *at = NULL;
    uint64_t room = 0;
    char format[CELL + 1] = {0};
    BROOD_TRY(find_item(list, position, "read an item of a shareable list", &at, &room));
    uint64_t cell = read_number(list->formats + position * CELL);
    memcpy(format, &cell, CELL);
    size_t digits = strspn(format, "0123456789");
    bool is_bytes = digits > 0 && strcmp(format + digits, "s") == 0;
    brood_value made = is_bytes ? read_bytes(at, format, room, list->kinds[position] == KIND_STR)
                                : read_cell(at, format);
    if (made.kind == BROOD_INVALID && made.reserved[0] == BROOD_OK)
        return bri_fail(BROOD_EFORMAT, "could not read an item of a shareable list: it is damaged");
    if (made.kind == BROOD_INVALID)
        return bri_fail_invalid(&made);
    *value = made;
    return BROOD_OK;
}

static brood_status set_item(brood_shareable_list *list, size_t position, const brood_value *value)
{
    static const char what[] = "write an item of a shareable list";
    unsigned char *at = NULL;
    uint64_t room = 0;
    size_t size = 0;
    BROOD_TRY(find_item(list, position, what, &at, &room));
    BROOD_TRY(bri_value_check(value));
    if (check_item(value) != BROOD_OK)
        return bri_fail_within("could not %s", what);
    if (bytes_of(value, &size) != NULL && size > room)
        return bri_fail(BROOD_ETOOLONG, "could not %s: it has %zu bytes, there is room for %llu",
                        what, size, (unsigned long long)room);
    write_item(list, position, at, room, value);
    return BROOD_OK;
}

brood_status brood_shareable_list_set(brood_shareable_list *list, size_t position,
                                      brood_value value)
{
    brood_status status = set_item(list, position, &value);
    brood_value_clear(&value);
    return status;
}

/* ---- values ---- */

static brood_status retain_list(void *list)
{
    atomic_fetch_add(&((brood_shareable_list *)list)->uses, 1);
    return BROOD_OK;
}

static void release_list(void *list)
{
    brood_shareable_list_close(list);
}

static brood_status reduce_list(void *list, bri_transfer *transfer, brood_value *arguments)
{
    (void)transfer; /* a name goes any way */
    brood_value tuple =
        brood_pack("(s)", brood_shared_memory_name(((brood_shareable_list *)list)->memory));
    if (tuple.kind == BROOD_INVALID)
        return bri_fail_invalid(&tuple);
    *arguments = tuple;
    return BROOD_OK;
}

static brood_status rebuild_list(const brood_value *arguments, bri_transfer *transfer,
                                 void **object)
{
    const char *name;
    brood_shareable_list *list;
    (void)transfer;
    BROOD_TRY(brood_unpack(arguments, "(s)", &name));
    BROOD_TRY(brood_shareable_list_open(&list, name));
    *object = list;
    return BROOD_OK;
}

const bri_object_class bri_shareable_list_class = {.name = "ShareableList",
                                                   .retain = retain_list,
                                                   .release = release_list,
                                                   .reduce = reduce_list,
                                                   .rebuild = rebuild_list};

brood_value brood_shareable_list_value(brood_shareable_list *list)
{
    return bri_object_value(&bri_shareable_list_class, list);
}

brood_status brood_get_shareable_list(const brood_value *value, brood_shareable_list **list)
{
    void *found;
    BROOD_TRY(bri_object_get(value, &bri_shareable_list_class, &found));
    *list = found;
    return BROOD_OK;
}
