/* data/weight.c - see the header. */
#include "data/weight.h"

#include "data/heap.h"

enum {
    BLOCK = 16, /* what an allocator takes for a block beside its bytes */
    SLACK = 64, /* room for so many is never given back */
};

/* What stands behind the 16 bytes. */
static uint64_t weigh_block(const brood_value *value);

static uint64_t weigh_array(const brood_value *array)
{
    uint64_t weight = BLOCK + sizeof(bri_array);
    size_t count = bri_array_count(array);
    if (count != 0 && !bri_array_of(array)->owning)
        return weight + count * sizeof(brood_value);
    for (size_t i = 0; i < count; i++)
        weight += bri_weigh(&bri_array_of(array)->items[i]);
    return weight;
}

static uint64_t weigh_table(const brood_value *table)
{
    uint64_t weight = BLOCK + sizeof(bri_table);
    size_t position = 0;
    for (bri_entry *entry; (entry = bri_table_next(table, &position)) != NULL;) {
        weight += BRI_ENTRY_WEIGHT + bri_weigh(&entry->key);
        if (table->kind == BROOD_DICT)
            weight += bri_weigh(bri_entry_item(entry));
    }
    return weight;
}

static uint64_t weigh_failure(const bri_failure *failure)
{
    return BLOCK + sizeof *failure + strlen(failure->text) + strlen(failure->message) + 2 +
           bri_weigh(&failure->arguments) + bri_weigh(&failure->state);
}

static uint64_t weigh_opaque(const bri_opaque *opaque)
{
    return BLOCK + sizeof *opaque + opaque->size + strlen(opaque->module) + strlen(opaque->name) +
           2 + weigh_block(&opaque->held);
}

static uint64_t weigh_block(const brood_value *value)
{
    switch (value->kind) {
    case BROOD_STR:
    case BROOD_BYTES:
    case BROOD_BIGINT:
        return BLOCK + sizeof(bri_text) + bri_text_of(value)->size + 1;
    case BROOD_LIST:
    case BROOD_TUPLE:
        return weigh_array(value);
    case BROOD_DICT:
    case BROOD_SET:
    case BROOD_FROZENSET:
        return weigh_table(value);
    case BROOD_ERROR:
        return weigh_failure(bri_failure_of(value));
    case BROOD_OPAQUE:
        return weigh_opaque(bri_opaque_of(value));
    case BROOD_OBJECT:
        return BLOCK + sizeof(bri_box);
    default:
        return 0;
    }
}

uint64_t bri_weigh(const brood_value *value)
{
    return sizeof *value + weigh_block(value);
}

void bri_trim(brood_value *container)
{
    if (container->as.heap == NULL)
        return;
    if (bri_is_array(container)) {
        const bri_array *array = bri_array_of(container);
        if (array->capacity > SLACK && array->count < array->capacity / 4)
            bri_array_trim(container, array->count * 2);
    } else if (bri_is_table(container)) {
        const bri_table *table = bri_table_of(container);
        if (table->capacity > SLACK && table->count < table->capacity / 4)
            bri_table_trim(container, table->count * 2);
    }
}
