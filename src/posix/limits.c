/* posix/limits.c - sched_setaffinity and setrlimit. */
#define _GNU_SOURCE
#include "platform/limits.h"

#include <errno.h>
#include <sys/resource.h>
#if defined(__linux__)
#include <sched.h>
#endif

#if defined(__linux__)
brood_status brp_bind_cpu(uint32_t n)
{
    cpu_set_t usable, one;
    if (sched_getaffinity(0, sizeof usable, &usable) != 0)
        return brp_fail(errno, "could not tell the CPUs of this process");
    uint32_t left = n % (uint32_t)CPU_COUNT(&usable);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &usable) && left-- == 0) {
            CPU_SET(cpu, &one);
            break;
        }
    if (sched_setaffinity(0, sizeof one, &one) != 0)
        return brp_fail(errno, "could not bind this process to a CPU");
    return BROOD_OK;
}
#else
brood_status brp_bind_cpu(uint32_t n)
{
    (void)n;
    return bri_fail(BROOD_ENOTSUP, "could not bind this process to a CPU: not on this system");
}
#endif

brood_status brp_limit_memory(uint64_t bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_DATA, &limit) != 0)
        return brp_fail(errno, "could not tell the memory limit");
    rlim_t wanted = bytes > (uint64_t)RLIM_INFINITY ? RLIM_INFINITY : (rlim_t)bytes;
    if (limit.rlim_max == RLIM_INFINITY || wanted < limit.rlim_max)
        limit.rlim_max = wanted;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_DATA, &limit) != 0)
        return brp_fail(errno, "could not limit the memory");
    return BROOD_OK;
}
