/* posix/section.c - memfd, or a shared memory object whose name is gone at once. */
#define _GNU_SOURCE
#include "platform/section.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/ident.h"
#include "posix/cgroup.h"
#include "posix/fd.h"
#include "posix/valgrind.h"

#if !defined(__linux__) && !defined(BROOD_NO_MEMFD)
#define BROOD_NO_MEMFD
#endif

/* A commit is done in steps: a signal makes the kernel undo the step that it interrupts, so a
 * smaller one has to follow. */
enum { LARGEST_STEP = 16 << 20, SMALLEST_STEP = 64 << 10 };

/* From this size on a commit asks first whether the machine has the memory: reading that takes as
 * long as backing about this much. */
enum { CHECKED_COMMIT = 1 << 20 };

static uint64_t page_size(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

#ifdef BROOD_NO_MEMFD
static int make_object(void)
{
    sigset_t all, before;
    uint64_t token[2];
    if (brp_random(token, sizeof token) != BROOD_OK) {
        errno = EIO;
        return -1;
    }
    char name[48]; /* macOS takes 31 characters */
    snprintf(name, sizeof name, "/brood%08" PRIx32 "%016" PRIx64, (uint32_t)token[0], token[1]);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* only SIGKILL can leave the name behind */
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    int saved = errno;
    if (fd >= 0)
        shm_unlink(name);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return fd;
}

static int back_range(int fd, off_t offset, off_t size)
{
    return posix_fallocate(fd, offset, size);
}
#else
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static int make_object(void)
{
    int fd = memfd_create("brood", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
        fd = memfd_create("brood", MFD_CLOEXEC);
    return fd;
}

static int back_range(int fd, off_t offset, off_t size)
{
    return fallocate(fd, 0, offset, size) == 0 ? 0 : errno;
}
#endif

static brood_status map_range(brp_section *section, int fd, uint64_t reserve)
{
    void *base =
        mmap(NULL, (size_t)reserve, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (base == MAP_FAILED)
        return brp_fail(errno, "could not reserve %" PRIu64 " bytes of addresses", reserve);
    section->handle = brp_handle_of(fd);
    section->base = base;
    section->reserved = reserve;
    brp_valgrind_add(section);
    return BROOD_OK;
}

brood_status brp_section_create(brp_section *section, uint64_t reserve, uint64_t least)
{
    uint64_t page = page_size();
    reserve = (reserve + page - 1) / page * page;
    least = (least + page - 1) / page * page;
    if (reserve == 0 || least > reserve)
        return bri_fail(BROOD_EINVALID, "could not reserve %" PRIu64 " bytes, at least %" PRIu64,
                        reserve, least);
    int fd = brp_above_stdio(make_object());
    if (fd < 0)
        return brp_fail(errno, "could not make shared memory");
    for (;;) {
        brood_status status = map_range(section, fd, reserve);
        if (status == BROOD_OK)
            return BROOD_OK;
        uint64_t half = reserve / 2 / page * page;
        if (status != BROOD_ENOMEM || reserve == least || half == 0) {
            close(fd);
            return status;
        }
        reserve = half > least ? half : least;
    }
}

brood_status brp_section_open(brp_section *section, brp_handle handle, uint64_t reserved)
{
    brood_status status = map_range(section, brp_fd(handle), reserved);
    if (status != BROOD_OK)
        brp_handle_close(&handle);
    return status;
}

static brood_status refuse(long code, uint64_t offset, uint64_t size, uint64_t have,
                           const char *what)
{
    char text[160];
    brp_error_text(code, text, sizeof text);
    return bri_fail(BROOD_ENOMEM,
                    "could not back %" PRIu64 " bytes at %" PRIu64
                    " of shared memory: %s (%s: %" PRIu64 " bytes)",
                    size, offset, text, what, have);
}

/* Growing past RLIMIT_FSIZE would raise SIGXFSZ, which ends the process; so this asks before. */
static brood_status check_file_limit(int fd, uint64_t offset, uint64_t size)
{
    struct rlimit limit;
    struct stat now;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        offset + size <= limit.rlim_cur)
        return BROOD_OK;
    if (fstat(fd, &now) == 0 && (uint64_t)now.st_size >= offset + size)
        return BROOD_OK;
    return refuse(EFBIG, offset, size, (uint64_t)limit.rlim_cur, "the limit of file sizes is");
}

brood_status brp_section_commit(brp_section *section, uint64_t offset, uint64_t size)
{
    uint64_t page = page_size();
    if (offset > section->reserved || size > section->reserved - offset)
        return bri_fail(BROOD_ERANGE,
                        "could not back %" PRIu64 " bytes at %" PRIu64 " of %" PRIu64 " reserved",
                        size, offset, section->reserved);
    uint64_t end = (offset + size + page - 1) / page * page;
    offset = offset / page * page;
    BROOD_TRY(check_file_limit(brp_fd(section->handle), offset, end - offset));
    if (end - offset >= CHECKED_COMMIT) {
        uint64_t left = brp_memory_left("", end - offset);
        if (end - offset > left)
            return refuse(ENOMEM, offset, end - offset, left, "free memory is");
    }
    uint64_t step = LARGEST_STEP;
    while (offset < end) {
        uint64_t now = end - offset < step ? end - offset : step;
        int code = back_range(brp_fd(section->handle), (off_t)offset, (off_t)now);
        if (code == 0)
            offset += now;
        else if (code == EINTR)
            step = step / 2 > SMALLEST_STEP ? step / 2 : SMALLEST_STEP;
        else
            return refuse(code, offset, end - offset, section->reserved, "reserved are");
    }
    return BROOD_OK;
}

void brp_section_discard(brp_section *section, uint64_t offset, uint64_t size)
{
    uint64_t page = page_size();
    uint64_t begin = (offset + page - 1) / page * page;
    uint64_t end = (offset + size) / page * page;
    if (end <= begin || end > section->reserved)
        return;
#ifndef BROOD_NO_MEMFD
    fallocate(brp_fd(section->handle), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)begin,
              (off_t)(end - begin));
#elif defined(MADV_REMOVE)
    madvise(section->base + begin, (size_t)(end - begin), MADV_REMOVE);
#endif
}

void brp_section_close(brp_section *section)
{
    if (section->base == NULL)
        return;
    brp_valgrind_remove(section);
    munmap(section->base, (size_t)section->reserved);
    brp_handle_close(&section->handle);
    *section = (brp_section){.handle = BRP_NO_HANDLE};
}
