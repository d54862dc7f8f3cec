/* posix/clock.c - CLOCK_MONOTONIC, which all processes of a machine share. */
#define _GNU_SOURCE
#include "platform/clock.h"

#include <sched.h>
#include <time.h>

int64_t brp_clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void brp_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#else
    sched_yield();
#endif
}
