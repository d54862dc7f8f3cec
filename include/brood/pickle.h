/*
 * brood/pickle.h - values as bytes, in Python's pickle format; data only, nothing in it is ever
 * run.
 */
#ifndef BROOD_PICKLE_H
#define BROOD_PICKLE_H

#include <brood/value.h>

BROOD_BEGIN_DECLS

/* Bounds for reading; zero means the default named here. */
typedef struct brood_pickle_limits {
    size_t max_depth; /* nesting of containers: 500 */
    size_t max_nodes; /* values made, a memo reference counting as what it copies: 64 Mi */
    size_t max_bytes; /* memory taken for the result: 1 GiB */
} brood_pickle_limits;

/* Writes protocol 4. `*data` is new memory to be freed with brood_free. */
BROOD_API brood_status brood_pickle_dumps(const brood_value *value, void **data, size_t *size);

/* Reads protocols 0 to 5. NULL limits mean the defaults. Bytes after STOP are an error. */
BROOD_API brood_status brood_pickle_loads(const void *data, size_t size,
                                          const brood_pickle_limits *limits, brood_value *value);

BROOD_END_DECLS

#endif /* BROOD_PICKLE_H */
