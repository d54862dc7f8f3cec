/*
 * core/runtime.h - the one struct of globals, its start and its end.
 *
 * Glossary of what hangs on it: the arena (ipc/arena.h) is the section that a process tree shares;
 * a slot (ipc/proctable.h) is this process's entry in it; processes (proc/children.h) are the
 * children and their supervisor; functions (core/registry.h) are names of functions.
 */
#ifndef BRI_RUNTIME_H
#define BRI_RUNTIME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "platform/lock.h"

/* Hooks of the layers above, run in order of registration at fork and in reverse order at the end.
 * Any may be NULL. */
typedef struct bri_hooks {
    const char *name;
    void (*before_exit)(
        void);            /* at exit, before main's objects are gone: end daemons, join children */
    void (*shares)(void); /* this process has its first object in the arena; no lock is held */
    void (*after_fork_child)(void); /* in the child of a fork: forget what belongs to the parent */
} bri_hooks;

enum { BRI_MAX_HOOKS = 16 };

typedef struct bri_runtime {
    bool started;     /* bri_runtime_start has run; false: only values and pickles work */
    bool initialised; /* brood_init has returned in this process (or runs the child's function) */
    bool is_child;
    int64_t pid;     /* of this process, to tell a fork that was not brood's from ourselves */
    int depth;       /* 0 in the root */
    brp_mutex *lock; /* for the members below and lazy creation of the parts */
    const bri_hooks *hooks[BRI_MAX_HOOKS];
    int n_hooks;

    /* parts of the layers above, made on first use under `lock`, each owned by the file that
     * defines it */
    struct bri_registry *registry;
    uint64_t arena_size; /* wanted, before it is made; 0: the default */
    struct bri_arena *arena;
    atomic_bool shares;                  /* it has had an object in the arena */
    struct bri_arena *promised_arena;    /* a child's until it is used: not mapped, not entered */
    struct bri_shared_table *shared;     /* objects of the arena that this process holds */
    struct bri_watchers *watchers;       /* those who wait for objects and handles together */
    struct bri_memories *memories;       /* named memory that it has open */
    struct bri_connections *connections; /* and listeners that this process has open */
    struct bri_children *children;
    struct bri_forkserver *forkserver;
    struct bri_pools *pools;
    struct bri_context
        *context; /* proc: name, daemon, authkey, start method, settings of this process */
} bri_runtime;

extern bri_runtime bri_the_runtime;

/* Makes the runtime ready: APR, locks. Once; called by brood_init and by what must work before it
 * (brood_register). Registers the exit hook. */
brood_status bri_runtime_start(void);

/* BROOD_ENOINIT with "could not <what>: brood_init() has not been called ..." unless brood_init was
 * called. */
brood_status bri_runtime_check(const char *what);

/* Adds hooks; the same pointer twice is once. Under `lock` not held. */
brood_status bri_runtime_hook(const bri_hooks *hooks);

/* Runs the before_exit hooks, once; brood_init registers it with atexit and children call it before
 * they exit. Does nothing in a process that the program has forked by itself. */
void bri_runtime_before_exit(void);

/* Called, without locks, when this process has made or attached an object in the arena: from the
 * first time on, deaths of its children have to be noticed at once (the `shares` hooks). */
void bri_runtime_shares(void);

/* In the child of a fork. */
void bri_runtime_after_fork_child(void);

#endif /* BRI_RUNTIME_H */
