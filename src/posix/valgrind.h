/*
 * posix/valgrind.h - ends a program under valgrind in time.
 *
 * When a program ends valgrind looks for leaks in all memory that can be written, and for addresses
 * without memory behind them each word costs it a signal: hours for the reserve of one section. So
 * before the end that part of each section is made inaccessible, for valgrind skips such.
 * (Read-only would not do: valgrind searches that for debug information.) Without valgrind nothing
 * is done.
 */
#ifndef BRP_POSIX_VALGRIND_H
#define BRP_POSIX_VALGRIND_H

#include "platform/section.h"

/* A section is mapped, and will be unmapped. */
void brp_valgrind_add(const brp_section *section);
void brp_valgrind_remove(const brp_section *section);

/* Called before _exit(); at exit() it is done by itself. */
void brp_valgrind_before_end(void);

#endif /* BRP_POSIX_VALGRIND_H */
