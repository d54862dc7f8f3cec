/*
 * sync/item.h - the types that items of shared arrays can have: their sizes, their numbers as
 * values, and reading and writing them whole.
 */
#ifndef BRI_ITEM_H
#define BRI_ITEM_H

#include <brood/value.h>

typedef enum bri_item_kind {
    BRI_ITEM_CHAR,
    BRI_ITEM_WIDE,
    BRI_ITEM_SIGNED,
    BRI_ITEM_UNSIGNED,
    BRI_ITEM_REAL
} bri_item_kind;

typedef struct bri_item_type {
    char code[2];
    uint8_t size; /* 1, 2, 4 or 8 */
    bri_item_kind kind;
} bri_item_type;

/* By its code; NULL when there is none. */
const bri_item_type *bri_item_type_of(const char *code);

/* The bits of an item at a multiple of its size, as one atomic step. */
uint64_t bri_item_load(const bri_item_type *type, const void *item);
void bri_item_store(const bri_item_type *type, void *item, uint64_t bits);
bool bri_item_swap(const bri_item_type *type, void *item, uint64_t *expected, uint64_t wanted);

/* Bits as a value, and back: BROOD_ETYPE, BROOD_ERANGE. */
brood_value bri_item_value(const bri_item_type *type, uint64_t bits);
brood_status bri_item_bits(const bri_item_type *type, const brood_value *value, uint64_t *bits);

/* An integer that is the item's, from its bits, and back: BROOD_ERANGE. 64 bits without a sign are
 * taken as they are. */
int64_t bri_item_integer(const bri_item_type *type, uint64_t bits);
brood_status bri_item_integer_bits(const bri_item_type *type, int64_t integer, uint64_t *bits);

/* The sum of an item and a number, as bits: BROOD_ERANGE. */
brood_status bri_item_sum(const bri_item_type *type, uint64_t item, int64_t number, uint64_t *sum);

/* Of floats and doubles. */
double bri_item_real(const bri_item_type *type, uint64_t bits);
uint64_t bri_item_real_bits(const bri_item_type *type, double real);

#endif /* BRI_ITEM_H */
