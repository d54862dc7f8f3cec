/*
 * posix/cgroup.h - what the control groups of this process (Linux, v1 and v2) leave to it.
 *
 * `root` is put before every path: "", or a test's own tree.
 */
#ifndef BRP_POSIX_CGROUP_H
#define BRP_POSIX_CGROUP_H

#include <stdint.h>

/* CPUs that they grant, rounded up; 0 without a limit. */
int brp_cgroup_cpus(const char *root);

/* Bytes of memory that they and the machine still have; UINT64_MAX when unknown. Exact only when
 * that is less than `enough`. */
uint64_t brp_memory_left(const char *root, uint64_t enough);

#endif /* BRP_POSIX_CGROUP_H */
