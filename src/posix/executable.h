/*
 * posix/executable.h - which file this program is.
 */
#ifndef BRP_POSIX_EXECUTABLE_H
#define BRP_POSIX_EXECUTABLE_H

/* What to execute to get this program again, and what to stat: on Linux "/proc/self/exe", which is
 * right even when the file was deleted or replaced. But where another program runs this one
 * (valgrind, qemu, the dynamic linker called by name) that link is the other program; then it is
 * the path of the file that this one is loaded from. NULL where the system does not tell. */
const char *brp_own_executable(void);

#endif /* BRP_POSIX_EXECUTABLE_H */
