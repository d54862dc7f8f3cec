/* win32/ident.c - this process, its limits, and random bytes. */
#include "platform/ident.h"

#include "win32/win32.h"

#include <bcrypt.h>
#include <psapi.h>
#include <tlhelp32.h>
#include <winternl.h>

int64_t brp_pid(void)
{
    return GetCurrentProcessId();
}

int64_t brp_parent_pid(void)
{
    /* winternl.h calls the last field Reserved3; it is InheritedFromUniqueProcessId. */
    struct {
        PVOID reserved1, peb, reserved2[2];
        ULONG_PTR pid, parent;
    } information = {0};
    NTSTATUS status = NtQueryInformationProcess(GetCurrentProcess(), ProcessBasicInformation,
                                                &information, sizeof information, NULL);
    return status >= 0 ? (int64_t)information.parent : 0;
}

static HANDLE open_process(int64_t pid)
{
    if (pid <= 0 || pid > UINT32_MAX) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    HANDLE process =
        OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, (DWORD)pid);
    if (process != NULL &&
        GetProcessId(process) != (DWORD)pid) { /* it rounds down to multiples of 4 */
        CloseHandle(process);
        process = NULL;
        SetLastError(ERROR_INVALID_PARAMETER);
    }
    return process;
}

static uint64_t creation_time(HANDLE process)
{
    FILETIME created, ended, kernel, user;
    if (!GetProcessTimes(process, &created, &ended, &kernel, &user))
        return 0;
    return (uint64_t)created.dwHighDateTime << 32 | created.dwLowDateTime;
}

uint64_t brp_start_time(int64_t pid)
{
    if (pid == brp_pid())
        return creation_time(GetCurrentProcess());
    HANDLE process = open_process(pid);
    if (process == NULL)
        return 0;
    uint64_t time = creation_time(process);
    CloseHandle(process);
    return time;
}

bool brp_is_alive(int64_t pid, uint64_t start_time)
{
    HANDLE process = open_process(pid);
    if (process == NULL)
        return GetLastError() == ERROR_ACCESS_DENIED; /* somebody runs there; who, is not told */
    bool alive = WaitForSingleObject(process, 0) == WAIT_TIMEOUT;
    if (alive && start_time != 0)
        alive = creation_time(process) == start_time;
    CloseHandle(process);
    return alive;
}

static int count_bits(ULONG_PTR mask)
{
    int n = 0;
    for (; mask != 0; mask &= mask - 1)
        n++;
    return n;
}

/* Processors of the affinity mask or, where the process has several groups, of all of them. The
 * mask is of one group of at most 64: 0 for both when threads are in several, and on Windows 11,
 * where that is the default, the group that the process began in ("Processor Groups"). */
static int affinity_cpus(void)
{
    DWORD_PTR process_mask = 0, system_mask = 0;
    USHORT groups[64], n_groups = 64;
    if (!GetProcessGroupAffinity(GetCurrentProcess(), &n_groups, groups))
        n_groups = 0;
    if (GetProcessAffinityMask(GetCurrentProcess(), &process_mask, &system_mask) &&
        process_mask != 0 && (n_groups < 2 || process_mask != system_mask))
        return count_bits(process_mask);
    if (n_groups == 0)
        return (int)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    int n = 0;
    for (USHORT i = 0; i < n_groups; i++)
        n += (int)GetActiveProcessorCount(groups[i]);
    return n;
}

/* What a job's hard cap on processor time leaves, rounded up; `cpus` when there is none. */
static int capped_by_job(int cpus)
{
    enum {
        MIN_MAX_RATE = 0x10
    }; /* then the upper half of CpuRate is the most; mingw's header lacks it */
    JOBOBJECT_CPU_RATE_CONTROL_INFORMATION control = {0};
    const DWORD hard = JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP;
    if (!QueryInformationJobObject(NULL, JobObjectCpuRateControlInformation, &control,
                                   sizeof control, NULL))
        return cpus;
    DWORD rate = 0; /* of 10,000, of all processors of the system */
    if ((control.ControlFlags & hard) == hard)
        rate = control.CpuRate;
    else if (control.ControlFlags & MIN_MAX_RATE)
        rate = control.CpuRate >> 16;
    if (rate == 0)
        return cpus;
    uint64_t whole = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    int cap = (int)((whole * rate + 9999) / 10000);
    return cap < cpus ? cap : cpus;
}

int brp_usable_cpus(void)
{
    int cpus = capped_by_job(affinity_cpus());
    return cpus > 0 ? cpus : 1;
}

int brp_thread_count(void)
{
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    if (snapshot == INVALID_HANDLE_VALUE)
        return 0;
    THREADENTRY32 entry = {.dwSize = sizeof entry};
    int n = 0;
    for (BOOL more = Thread32First(snapshot, &entry); more; more = Thread32Next(snapshot, &entry)) {
        if (entry.th32OwnerProcessID == GetCurrentProcessId())
            n++;
    }
    CloseHandle(snapshot);
    return n - bri_w32_thread_count();
}

uint64_t brp_thread_id(void)
{
    return GetCurrentThreadId();
}

brood_status brp_random(void *bytes, size_t size)
{
    unsigned char *at = bytes;
    while (size > 0) {
        ULONG step = size < 0x10000000 ? (ULONG)size : 0x10000000;
        NTSTATUS status = BCryptGenRandom(NULL, at, step, BCRYPT_USE_SYSTEM_PREFERRED_RNG);
        if (status < 0)
            return bri_fail(BROOD_EOS, "could not get random bytes: NTSTATUS 0x%08lx",
                            (unsigned long)status);
        at += step;
        size -= step;
    }
    return BROOD_OK;
}

/* The counter is of committed memory, which is what a limit would count; Windows 10 counts no
 * resident private memory. */
uint64_t brp_private_memory(void)
{
    PROCESS_MEMORY_COUNTERS_EX counters = {.cb = sizeof counters};
    if (!GetProcessMemoryInfo(GetCurrentProcess(), (PROCESS_MEMORY_COUNTERS *)&counters,
                              sizeof counters))
        return 0;
    return counters.PrivateUsage != 0 ? counters.PrivateUsage : counters.PagefileUsage;
}
