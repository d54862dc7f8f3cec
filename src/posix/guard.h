/*
 * posix/guard.h - a process of its own that removes this process's names when it is dead.
 */
#ifndef BRP_POSIX_GUARD_H
#define BRP_POSIX_GUARD_H

#include <sys/stat.h>

#include "platform/named.h"

/* Before a name is made: starts the guard if there is none. Were this process killed now, a name
 * that is empty still is removed. */
brood_status brp_guard_expect(const char *name);

/* It has come, or will not. */
void brp_guard_expect_no_more(const char *name);

/* The name is this object's: when this process dies it is removed; or, with BRP_NAMED_HOLDERS, if
 * nobody has it locked. */
brood_status brp_guard_add(const char *name, brp_named_policy policy, const struct stat *object);

/* The name is no more this process's, or once less: as often as it was added. The last one ends the
 * guard. */
void brp_guard_forget(const char *name, const struct stat *object);

/* Held across a fork, so that what is noted of the guard is whole in the child. Before the locks of
 * posix/watch.c. */
void brp_guard_lock(void);
void brp_guard_unlock(void);

/* Removes the name if it is that object's. With `unless_held` only if nobody has it locked. */
void brp_name_remove(const char *name, const struct stat *object, bool unless_held);

#endif /* BRP_POSIX_GUARD_H */
