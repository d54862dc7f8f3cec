/* win32/limits.c - the affinity mask and a job object. */
#include "platform/limits.h"

#include "win32/win32.h"

brood_status brp_bind_cpu(uint32_t n)
{
    DWORD_PTR usable, all;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &usable, &all) || usable == 0)
        return brp_fail(bri_w32_error(), "could not tell the CPUs of this process");
    uint32_t count = 0;
    for (DWORD_PTR left = usable; left != 0; left &= left - 1)
        count++;
    for (n %= count; n > 0; n--)
        usable &= usable - 1;
    if (!SetProcessAffinityMask(GetCurrentProcess(), usable & ~(usable - 1)))
        return brp_fail(bri_w32_error(), "could not bind this process to a CPU");
    return BROOD_OK;
}

/* The job lives as long as the process does: nobody closes its handle. */
brood_status brp_limit_memory(uint64_t bytes)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limit = {0};
    HANDLE job = CreateJobObjectW(NULL, NULL);
    if (job == NULL)
        return brp_fail(bri_w32_error(), "could not make a job");
    limit.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_PROCESS_MEMORY;
    limit.ProcessMemoryLimit = bytes > SIZE_MAX ? SIZE_MAX : (SIZE_T)bytes;
    if (!SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limit, sizeof limit) ||
        !AssignProcessToJobObject(job, GetCurrentProcess())) {
        long code = bri_w32_error();
        CloseHandle(job);
        return brp_fail(code, "could not limit the memory");
    }
    return BROOD_OK;
}
