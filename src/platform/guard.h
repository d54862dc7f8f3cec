/*
 * platform/guard.h - the small process that removes what the system would leave behind of a process
 * that is killed: names of shared memory (platform/named.h).
 *
 * POSIX: this program again. Windows needs none.
 */
#ifndef BRP_GUARD_H
#define BRP_GUARD_H

/* First thing in a program: does not return when this process was started as a guard. */
void brp_guard_run(void);

/* The program that guards are started from; NULL: this process's own executable. Copied. */
void brp_guard_set_executable(const char *path);

#endif /* BRP_GUARD_H */
