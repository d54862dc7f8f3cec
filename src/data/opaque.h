/*
 * data/opaque.h - foreign objects taken apart and made: for those few whose meaning a layer above
 * knows (slices, ranges, tokens of managers).
 */
#ifndef BRI_DATA_OPAQUE_H
#define BRI_DATA_OPAQUE_H

#include "data/pickle.h"

typedef enum bri_opaque_form {
    BRI_OPAQUE_GLOBAL, /* module.name itself */
    BRI_OPAQUE_CALL,   /* module.name(*arguments): REDUCE, or an old-style instance */
    BRI_OPAQUE_NEW     /* module.name.__new__(module.name, *arguments) */
} bri_opaque_form;

/* An opaque's first level. What it owns is freed by bri_opaque_close. */
typedef struct bri_opaque_parts {
    bri_opaque_form form;
    char *module;
    char *name;
    brood_value arguments; /* a tuple; empty for a global */
    brood_value state;     /* what BUILD was given; invalid if nothing */
    bool has_items;        /* items were put in afterwards (a subclass of list, an OrderedDict) */
    brood_value items;     /* those, as a list: of items, or of (key, item) */
} bri_opaque_parts;

/* Errors: BROOD_ETYPE it is no opaque, or made in a way that is none of these; BROOD_ENOMEM, and
 * those of reading a pickle. */
brood_status bri_opaque_open(const brood_value *opaque, bri_opaque_parts *parts);
/* The same with options of reading: its parts may have objects in them. */
brood_status bri_opaque_open_with(const brood_value *opaque, const bri_pickle_options *options,
                                  bri_opaque_parts *parts);
void bri_opaque_close(bri_opaque_parts *parts);

/* Whether an opaque is an instance of (or is) this global; it is not taken apart. */
bool bri_opaque_is(const brood_value *value, const char *module, const char *name);

/* The opaque module.name(*arguments); the tuple is moved in, also on failure. Invalid on failure.
 */
brood_value bri_opaque_call(const char *module, const char *name, brood_value arguments);

/* The opaque module.name.__new__(module.name) with that state; moved in, also on failure. */
brood_value bri_opaque_new(const char *module, const char *name, brood_value state);

/* The opaque that is the global itself. */
brood_value bri_opaque_global(const char *module, const char *name);

#endif /* BRI_DATA_OPAQUE_H */
