/*
 * pool/engine.h - what an executor needs of an engine. No engine is known by name above its table:
 * a new one is a file with such a struct, and a line in executor.c.
 */
#ifndef BRI_ENGINE_H
#define BRI_ENGINE_H

#include <brood/executor.h>

typedef struct bri_engine {
    const char *name;
    /* Makes it; takes options->initargs over, also on failure. */
    brood_status (*create)(void **self, brood_executor_options *options);
    /* As brood_executor_submit; takes args and options->kwargs over, also on failure. */
    brood_status (*submit)(void *self, brood_function function, brood_value args,
                           const brood_apply_options *options, brood_future **future);
    /* As brood_executor_shutdown; more than once. */
    brood_status (*shutdown)(void *self, bool wait, bool cancel);
    /* Frees it, after a shutdown that has waited. */
    void (*destroy)(void *self);
} bri_engine;

extern const bri_engine bri_engine_processes, bri_engine_threads;

#endif /* BRI_ENGINE_H */
