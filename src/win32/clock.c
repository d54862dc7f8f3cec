/* win32/clock.c - the performance counter, which all processes share. */
#include "platform/clock.h"

#include "win32/win32.h"

int64_t brp_clock_now(void)
{
    static LONG64 volatile cached_frequency; /* fixed at boot; every thread finds the same */
    LARGE_INTEGER number;
    int64_t frequency = cached_frequency;
    if (frequency == 0) {
        QueryPerformanceFrequency(&number);
        frequency = cached_frequency = number.QuadPart;
    }
    QueryPerformanceCounter(&number);
    int64_t seconds = number.QuadPart / frequency, ticks = number.QuadPart % frequency;
    return seconds * 1000000000 + ticks * 1000000000 / frequency;
}

void brp_cpu_relax(void)
{
    YieldProcessor();
}
