/*
 * core/parts.h - the layers that brood_init starts, in order.
 *
 * The table is defined at the right end (remote/parts.c), which may name every layer; so core and
 * proc can start what lies to the right of them without knowing it.
 */
#ifndef BRI_PARTS_H
#define BRI_PARTS_H

#include "base/error.h"

typedef struct bri_part {
    const char *name;
    brood_status (*start)(void); /* makes classes and hooks known; cheap; once a process */
} bri_part;

/* Ends with a NULL name. */
extern const bri_part bri_parts[];

#endif /* BRI_PARTS_H */
