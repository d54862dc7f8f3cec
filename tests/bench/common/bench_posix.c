/* bench_posix.c - the clock and the CPUs on POSIX; CPUs can be chosen on Linux only. */
#define _GNU_SOURCE
#include "bench.h"

#include <sched.h>
#include <time.h>

int64_t bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#ifdef __linux__

long bench_private_kb(int64_t pid)
{
    char name[64] = "/proc/self/smaps_rollup", line[256];
    long sum = 0, kb;
    if (pid != 0)
        snprintf(name, sizeof name, "/proc/%lld/smaps_rollup", (long long)pid);
    FILE *file = fopen(name, "r");
    if (file == NULL) {
        fprintf(stderr, "%s cannot be read\n", name);
        exit(BENCH_SKIP);
    }
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Anonymous: %ld", &kb) == 1)
            sum += kb;
    fclose(file);
    return sum;
}

void bench_need_cpus(int n)
{
    cpu_set_t usable;
    BENCH_REQUIRE(sched_getaffinity(0, sizeof usable, &usable) == 0);
    if (CPU_COUNT(&usable) >= n)
        return;
    fprintf(stderr, "needs %d CPUs\n", n);
    exit(BENCH_SKIP);
}

void bench_pin(int nth)
{
    cpu_set_t usable, one;
    size_t cpu = 0;
    BENCH_REQUIRE(sched_getaffinity(0, sizeof usable, &usable) == 0);
    while (cpu < CPU_SETSIZE && (!CPU_ISSET(cpu, &usable) || nth-- != 0))
        cpu++;
    BENCH_REQUIRE(cpu < CPU_SETSIZE);
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    BENCH_REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
}

#else

long bench_private_kb(int64_t pid)
{
    (void)pid;
    fprintf(stderr, "this system does not tell a process's own memory\n");
    exit(BENCH_SKIP);
}

void bench_need_cpus(int n)
{
    (void)n;
    fprintf(stderr, "this system does not let a thread choose its CPU\n");
    exit(BENCH_SKIP);
}

void bench_pin(int nth)
{
    (void)nth;
    BENCH_REQUIRE(!"bench_need_cpus was not asked");
}

#endif
