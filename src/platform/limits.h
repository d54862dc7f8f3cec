/*
 * platform/limits.h - what a process may have: CPUs and memory. Of the calling process, and for its
 * whole life; its own children inherit both.
 *
 * APR has no affinity; its apr_procattr_limit_set is for a process that is about to be started, and
 * does nothing on Windows.
 */
#ifndef BRP_LIMITS_H
#define BRP_LIMITS_H

#include <stdint.h>

#include "platform/error.h"

/* Binds this process to one of the CPUs that it may use: the n-th, modulo their number. POSIX:
 * sched_setaffinity where it exists, else BROOD_ENOTSUP; the process affinity mask. */
brood_status brp_bind_cpu(uint32_t n);

/* Has the system refuse memory of its own to this process beyond so many bytes: then allocations
 * fail. Memory that processes share does not count. POSIX: RLIMIT_DATA; a job object. */
brood_status brp_limit_memory(uint64_t bytes);

#endif /* BRP_LIMITS_H */
