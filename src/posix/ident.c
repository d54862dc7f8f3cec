/* posix/ident.c - /proc where there is one, else what POSIX tells. */
#define _GNU_SOURCE
#include "platform/ident.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include "posix/cgroup.h"
#include "posix/fd.h"
#include "posix/helper.h"

int64_t brp_pid(void)
{
    return getpid();
}

int64_t brp_parent_pid(void)
{
    return getppid();
}

/* Three fields of /proc/<pid>/stat. */
typedef struct process_stat {
    char state;
    long threads;
    uint64_t start;
} process_stat;

static bool read_stat(int64_t pid, process_stat *out)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    if (brp_read_small_file(path, text, sizeof text) <= 0)
        return false;
    char *at = strrchr(text, ')'); /* the name before it may hold anything */
    if (at == NULL || at[1] != ' ')
        return false;
    out->state = at[2];
    at += 2;
    for (int field = 3; field < 22 && at != NULL; field++) {
        at = strchr(at, ' ');
        if (at != NULL)
            at++;
        if (at != NULL && field + 1 == 20)
            out->threads = strtol(at, NULL, 10);
    }
    if (at == NULL)
        return false;
    out->start = strtoull(at, NULL, 10);
    return true;
}

uint64_t brp_start_time(int64_t pid)
{
    process_stat stat;
    return read_stat(pid, &stat) ? stat.start : 0;
}

bool brp_is_alive(int64_t pid, uint64_t start_time)
{
    process_stat stat;
    if (pid <= 0)
        return false;
    /* No /proc, one that hides the process, or no descriptor left to read it with: taking a living
     * process for a dead one would be worse than the other way round. */
    if (!read_stat(pid, &stat))
        return kill((pid_t)pid, 0) == 0 || errno == EPERM;
    if (start_time != 0 && stat.start != start_time)
        return false;
    if (stat.state == 'Z') /* a process whose first thread alone has ended looks like this too */
        return stat.threads > 1;
    return stat.state != 'X' && stat.state != 'x';
}

static int affinity_cpus(void)
{
#if defined(__linux__)
    for (int n = 1024; n <= 1 << 20;
         n *= 4) { /* the kernel refuses a set that is smaller than its own */
        cpu_set_t *set = CPU_ALLOC((size_t)n);
        if (set == NULL)
            break;
        size_t size = CPU_ALLOC_SIZE((size_t)n);
        int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return count;
    }
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 1;
}

int brp_usable_cpus(void)
{
    int cpus = affinity_cpus();
    int granted = brp_cgroup_cpus("");
    return granted > 0 && granted < cpus ? granted : cpus;
}

#if defined(__SANITIZE_THREAD__)
#define HAS_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_THREAD_SANITIZER 1
#endif
#endif

/* The thread sanitizer has a thread of its own where there is more than one, at times even where
 * there is not. One too few are counted where it has none. */
static int leave_out_sanitizer(int threads)
{
#ifdef HAS_THREAD_SANITIZER
    return threads > 1 ? threads - 1 : threads;
#else
    return threads;
#endif
}

int brp_thread_count(void)
{
    process_stat stat;
    if (!read_stat(getpid(), &stat))
        return 0;
    return leave_out_sanitizer((int)stat.threads) - brp_helper_count();
}

uint64_t brp_thread_id(void)
{
    return (uint64_t)(uintptr_t)pthread_self();
}

static brood_status read_random_device(unsigned char *bytes, size_t size)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return brp_fail(errno, "could not open \"/dev/urandom\"");
    while (size > 0) {
        ssize_t got = read(fd, bytes, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            brood_status status =
                brp_fail(got < 0 ? errno : EIO, "could not read \"/dev/urandom\"");
            close(fd);
            return status;
        }
        bytes += got;
        size -= (size_t)got;
    }
    close(fd);
    return BROOD_OK;
}

brood_status brp_random(void *bytes, size_t size)
{
    enum { MOST_AT_ONCE = 256 };
    unsigned char *at = bytes;
    while (size > 0) {
        size_t now = size < MOST_AT_ONCE ? size : MOST_AT_ONCE;
        if (getentropy(at, now) != 0) {
            if (errno == ENOSYS)
                return read_random_device(at, size);
            return brp_fail(errno, "could not get random bytes");
        }
        at += now;
        size -= now;
    }
    return BROOD_OK;
}

uint64_t brp_private_memory(void)
{
    char text[2048];
    if (brp_read_small_file("/proc/self/smaps_rollup", text, sizeof text) > 0) {
        uint64_t total = 0;
        const char *const keys[] = {"\nPrivate_Clean:", "\nPrivate_Dirty:"};
        for (int i = 0; i < 2; i++) {
            const char *at = strstr(text, keys[i]);
            if (at != NULL)
                total += strtoull(at + strlen(keys[i]), NULL, 10) * 1024;
        }
        return total;
    }
    uint64_t size, resident, shared;
    if (brp_read_small_file("/proc/self/statm", text, sizeof text) > 0 &&
        sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &size, &resident, &shared) == 3)
        return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}
