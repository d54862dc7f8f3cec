/*
 * platform/ident.h - who and where this process is, and random bytes.
 */
#ifndef BRP_IDENT_H
#define BRP_IDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/error.h"

int64_t brp_pid(void);
int64_t brp_parent_pid(void);

/* A process's start time in the system's own units: pid and start together are never reused. 0
 * where the system does not tell. */
uint64_t brp_start_time(int64_t pid);

/* Whether that very process still runs (a zombie does not). */
bool brp_is_alive(int64_t pid, uint64_t start_time);

/* CPUs this process may use: affinity, cgroup quota (v1 and v2, rounded up), job limits; at
 * least 1. */
int brp_usable_cpus(void);

/* Threads of this process without those that src/posix and src/win32 start for themselves (between
 * their calls they hold no lock and allocate nothing, so fork need not mind them); 0 where the
 * system does not tell. */
int brp_thread_count(void);

/* A number for the calling thread, unique in this process while it lives. */
uint64_t brp_thread_id(void);

/* Bytes from the system's cryptographic generator. */
brood_status brp_random(void *bytes, size_t size);

/* Resident memory of this process in bytes that no other process shares; 0 where the system does
 * not tell. Takes as long as it has pages: 50 us for a small process, milliseconds for a gigabyte.
 */
uint64_t brp_private_memory(void);

#endif /* BRP_IDENT_H */
