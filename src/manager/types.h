/*
 * manager/types.h - types of the program's own, made known by brood_manager_register, and objects
 * that have a name.
 */
#ifndef BRI_MANAGER_TYPES_H
#define BRI_MANAGER_TYPES_H

#include "manager/server.h"

enum { BRI_MOST_TYPES = 128 };

/* All of them, NULL at the end. */
const bri_managed_type *const *bri_registered_types(void);

/* An object with a name: each server makes its own, once. */
typedef struct bri_shared_object {
    char *name;
    char *typeid;
    brood_value args;
} bri_shared_object;

/* By index, NULL behind the last. */
const bri_shared_object *bri_shared_at(size_t index);

/* ---- slow.c ---- */

/* Runs a method on a thread of its own, and parks the call meanwhile. */
brood_status bri_run_slow(bri_invocation *call);

/* Settles the calls of threads that have finished. */
void bri_finish_slow(bri_server *server);

/* Waits for all threads and drops their results. */
void bri_end_slow(bri_server *server);

#endif /* BRI_MANAGER_TYPES_H */
