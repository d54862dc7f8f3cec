/*
 * platform/named.h - shared memory that other processes find by its name, and who removes the name.
 *
 * POSIX: shm_open, which knows no owners: a small guard process, started with the first name,
 * removes the names of a process that is killed. Windows: named sections, which end with their
 * last handle; a persistent one is a file. Python's resource_tracker removes all names it has heard
 * of, also those that others still use; here who holds one has it locked.
 *
 * Names are 1 to 30 characters of [A-Za-z0-9_.-] and do not begin with a dot.
 */
#ifndef BRP_NAMED_H
#define BRP_NAMED_H

#include <stdint.h>

#include "platform/section.h"

enum { BRP_NAMED_MOST = 30 };

typedef enum brp_named_policy {
    BRP_NAMED_OWNER,     /* the name goes with the process that made it */
    BRP_NAMED_HOLDERS,   /* with the last one that has it open */
    BRP_NAMED_PERSISTENT /* stays until it is unlinked */
} brp_named_policy;

typedef struct brp_named {
    brp_section section; /* `reserved` is the size as it was asked for, or a page multiple */
    brp_named_policy policy;
    char name[BRP_NAMED_MOST + 2];
    int64_t made_by;   /* pid of the maker, if that is this process; else 0 */
    brp_handle marker; /* Windows: says who the owner is */
} brp_named;

/* Makes memory of that size, all zero and backed: it never faults. BROOD_EEXIST, BROOD_ENOMEM with
 * sizes, BROOD_EINVALID for a wrong name or no size. A kill at any point leaves nothing but, for a
 * persistent one, an empty name, which counts as none. */
brood_status brp_named_create(brp_named *named, const char *name, uint64_t size,
                              brp_named_policy policy);

/* BROOD_ENOTFOUND. */
brood_status brp_named_open(brp_named *named, const char *name);

/* Takes the name away; who has it open keeps the memory. BROOD_ENOTFOUND. */
brood_status brp_named_unlink(const char *name);

/* Unmaps, and removes the name when its policy says so. Accepts a zeroed struct. */
void brp_named_close(brp_named *named);

/* The process is about to end: does what close would do to the name, and leaves the memory. */
void brp_named_leave(brp_named *named);

/* In the child of a fork, which holds it now too. */
void brp_named_after_fork(brp_named *named);

#endif /* BRP_NAMED_H */
