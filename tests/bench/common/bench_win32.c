/* bench_win32.c - the clock and the CPUs on Windows. */
#include "bench.h"

#include <windows.h>

#include <psapi.h>

int64_t bench_now(void)
{
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    return (int64_t)((double)now.QuadPart * 1e9 / (double)frequency.QuadPart);
}

long bench_private_kb(int64_t pid)
{
    PROCESS_MEMORY_COUNTERS_EX counters;
    HANDLE process = pid == 0 ? GetCurrentProcess()
                              : OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)pid);
    if (!GetProcessMemoryInfo(process, (PROCESS_MEMORY_COUNTERS *)&counters, sizeof counters)) {
        fprintf(stderr, "this system does not tell a process's own memory\n");
        exit(BENCH_SKIP);
    }
    if (pid != 0)
        CloseHandle(process);
    return (long)(counters.PrivateUsage >> 10);
}

static DWORD_PTR usable_cpus(void)
{
    DWORD_PTR process, system;
    BENCH_REQUIRE(GetProcessAffinityMask(GetCurrentProcess(), &process, &system));
    return process;
}

void bench_need_cpus(int n)
{
    for (DWORD_PTR usable = usable_cpus(); usable != 0; usable &= usable - 1)
        n--;
    if (n <= 0)
        return;
    fprintf(stderr, "there are not enough CPUs\n");
    exit(BENCH_SKIP);
}

void bench_pin(int nth)
{
    DWORD_PTR usable = usable_cpus();
    for (; nth > 0; nth--)
        usable &= usable - 1; /* without its lowest bit */
    BENCH_REQUIRE(usable != 0);
    BENCH_REQUIRE(SetThreadAffinityMask(GetCurrentThread(), usable & (~usable + 1)) != 0);
}
