/*
 * proc/context.h - this process in the tree: who it is, who started it, and the settings that it
 * hands on to its children.
 */
#ifndef BRI_CONTEXT_H
#define BRI_CONTEXT_H

#include "base/deadline.h"
#include "proc/block.h"
#include "proc/process.h"

enum { BRI_DEFAULT_MAX_DEPTH = 8, BRI_DEFAULT_START_TIMEOUT = 10000 };

typedef struct bri_context {
    brood_process *self;
    brood_process *parent; /* NULL in the root */
    int64_t counter;       /* children that were made: for their names; under the children's lock */

    /* settings, under the children's lock */
    brood_start_method method; /* never DEFAULT */
    brood_ms start_timeout;
    int max_depth;
    char *executable; /* NULL: its own */
    bool fork_with_threads;
    brood_value preload_function; /* of the forkserver: a reference, or invalid */
    brood_value preload_arguments;
} bri_context;

/* Makes the context of a root. */
brood_status bri_context_start(void);

/* Child: becomes the process that the block describes; after fork over the parent's context. */
brood_status bri_context_become(const bri_start_block *block);

/* This process's; NULL before brood_init. */
bri_context *bri_context_get(void);

/* Fills the members of a block that come from the context and from the process to be started: all
 * but function, values and directory. Texts are borrowed from both. Under the children's lock. */
void bri_context_describe(const brood_process *process, bri_start_block *block);

/* Gives this process an authkey if it has none yet: 32 random bytes. */
brood_status bri_context_key(void);

#endif /* BRI_CONTEXT_H */
