/*
 * data/weight.h - what a value takes of memory, as a number that depends on the value alone.
 */
#ifndef BRI_WEIGHT_H
#define BRI_WEIGHT_H

#include <brood/value.h>

/*
 * Bytes of the value with all that is in it, as if none of it was shared. It is the sum over the
 * parts: a container that gets an item weighs that much more (and BRI_ENTRY_WEIGHT for each key),
 * and as much less when it is gone. The memory taken is at most about twice that, because
 * containers grow ahead; what bri_trim leaves after items went is at most four times that.
 */
uint64_t bri_weigh(const brood_value *value);

enum { BRI_ENTRY_WEIGHT = 24 };

/* Gives back room in a container when more than three quarters of it are unused. */
void bri_trim(brood_value *container);

#endif /* BRI_WEIGHT_H */
