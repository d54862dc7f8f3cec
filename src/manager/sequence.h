/*
 * manager/sequence.h - what Python's containers do with indices, slices, iterables and order.
 */
#ifndef BRI_MANAGER_SEQUENCE_H
#define BRI_MANAGER_SEQUENCE_H

#include "manager/content.h"

/* What an index argument means for a sequence of `length` items: an index, or a slice that was made
 * fit. */
typedef struct bri_place {
    bool is_slice;
    size_t index;
    int64_t start, stop, step; /* of a slice */
    size_t count;              /* items in it */
} bri_place;

/* `what` is the sequence in messages ("list"), `verb` what is done ("index", "assignment index").
 */
brood_status bri_find_place(bri_invocation *call, const brood_value *index, size_t length,
                            const char *what, bri_place *place);

/* A new list of what an iterable gives; the value is borrowed. TypeError. */
brood_status bri_list_of(bri_invocation *call, const brood_value *iterable, brood_value *list);

/* A new list of the pairs of a mapping, or of an iterable of pairs. */
brood_status bri_pairs_of(bri_invocation *call, const brood_value *mapping, brood_value *pairs);

/* An integer argument, for lengths and counts. */
brood_status bri_integer_argument(bri_invocation *call, const brood_value *value, int64_t *number);

/* A member of a slice: none is the default; whatever is out of range goes to its end. */
brood_status bri_slice_number(bri_invocation *call, const brood_value *value, int64_t otherwise,
                              int64_t *number);

/* Sorts a list, stable. On failure its items are all there, in some order. */
brood_status bri_sort(bri_invocation *call, brood_value *list, bool reverse);

/* TypeError when the value cannot be a key. */
brood_status bri_check_key(bri_invocation *call, const brood_value *key);

/* The Python name of a value's type, for messages. */
const char *bri_type_name(const brood_value *value);

/* Copies a value into a call's result. */
brood_status bri_return_copy(bri_invocation *call, const brood_value *value);
brood_status bri_return(bri_invocation *call, brood_value value);

#endif /* BRI_MANAGER_SEQUENCE_H */
