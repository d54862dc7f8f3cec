/*
 * data/pickle.h - the pickle writer and reader below brood/pickle.h, with transfer context and
 * buffers.
 */
#ifndef BRI_PICKLE_H
#define BRI_PICKLE_H

#include <brood/pickle.h>

#include "base/buffer.h"
#include "data/object.h"

typedef struct bri_pickle_options {
    bri_transfer *transfer;       /* NULL: objects are refused */
    bri_object_finder find_class; /* NULL: brood.* globals are refused */
    /* Writing: objects take the form that foreign peers know (`write_foreign`). Reading: calls of
     * globals of `foreign_module` are shown to `foreign` with their arguments; it makes a value (a
     * scalar, text, object or opaque) of those it knows and leaves *made invalid for others. */
    bool foreign_objects;
    const char *foreign_module;
    brood_status (*foreign)(void *context, const char *name, const brood_value *arguments,
                            brood_value *made);
    void *foreign_context;
    brood_pickle_limits limits; /* reading only */
    int protocol;               /* writing: 4 (default when 0) or 5 */
    /* Out-of-band buffers of protocol 5. Writing: bytes of at least `buffer_threshold` (0: never)
     * are not copied but handed to `add_buffer` in order. Reading: `buffers` in that order. */
    size_t buffer_threshold;
    brood_status (*add_buffer)(void *context, const void *data, size_t size);
    void *context;
    const struct bri_span {
        const void *data;
        size_t size;
    } * buffers;
    size_t n_buffers;
} bri_pickle_options;

/* Appends the pickle of `value` to `out`; on failure `out` is as before. NULL options: all
 * defaults. */
brood_status bri_pickle_write(const brood_value *value, const bri_pickle_options *options,
                              bri_buffer *out);

/* Reads one pickle from the start of the bytes; `*used` (may be NULL) tells how many it took;
 * without it, bytes after STOP are an error. */
brood_status bri_pickle_read(const void *data, size_t size, const bri_pickle_options *options,
                             brood_value *value, size_t *used);

#endif /* BRI_PICKLE_H */
