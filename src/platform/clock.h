/*
 * platform/clock.h - the monotonic clock. APR has only the wall clock, which may jump.
 */
#ifndef BRP_CLOCK_H
#define BRP_CLOCK_H

#include "base/deadline.h"

/* Nanoseconds of a clock that never goes back; the same clock in all processes of this machine. */
int64_t brp_clock_now(void);

/* A pause inside a bounded spin: the processor's own instruction, no system call where there is
 * one. */
void brp_cpu_relax(void);

#endif /* BRP_CLOCK_H */
