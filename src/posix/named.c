/*
 * posix/named.c - shm_open, with owners.
 *
 * Whoever has an object open has it locked (flock, shared), so that the last one can be told. That
 * it goes with its last holder stands in its mode, as the owner's right to execute it.
 */
#define _GNU_SOURCE
#include "platform/named.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "platform/ident.h"
#include "posix/cgroup.h"
#include "posix/fd.h"
#include "posix/guard.h"

enum { STEP = 16 << 20, SMALLEST_STEP = 64 << 10 };

static brood_status check_name(const char *name, char path[BRP_NAMED_MOST + 3])
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t size = name == NULL ? 0 : strlen(name);
    if (size == 0 || size > BRP_NAMED_MOST || name[0] == '.' || strspn(name, allowed) != size)
        return bri_fail(
            BROOD_EINVALID,
            "could not use \"%s\" as a name of shared memory: it takes 1 to %d letters, "
            "digits, \"_\", \".\" and \"-\"",
            name == NULL ? "" : name, BRP_NAMED_MOST);
    snprintf(path, BRP_NAMED_MOST + 3, "/%s", name);
    return BROOD_OK;
}

/* ---- backing ---- */

static brood_status refuse(const char *name, uint64_t size, const char *what, uint64_t have)
{
    return bri_fail(BROOD_ENOMEM,
                    "could not back %" PRIu64 " bytes of shared memory \"%s\": %s %" PRIu64
                    " bytes",
                    size, name, what, have);
}

static brood_status refuse_full(int fd, const char *name, uint64_t size, int code)
{
    struct statvfs room;
    if (code == ENOSPC && fstatvfs(fd, &room) == 0)
        return refuse(name, size, "where it is there are free",
                      (uint64_t)room.f_bavail * room.f_frsize);
    return brp_fail(code, "could not back %" PRIu64 " bytes of shared memory \"%s\"", size, name);
}

/* Growing past RLIMIT_FSIZE would raise SIGXFSZ. */
static brood_status check_limits(int fd, const char *name, uint64_t size)
{
    struct rlimit limit;
    struct statvfs room;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        size > limit.rlim_cur)
        return refuse(name, size, "the limit of file sizes is", (uint64_t)limit.rlim_cur);
    if (fstatvfs(fd, &room) == 0 && size > (uint64_t)room.f_bavail * room.f_frsize)
        return refuse_full(fd, name, size, ENOSPC);
    uint64_t left = brp_memory_left("", size);
    return size > left ? refuse(name, size, "free memory is", left) : BROOD_OK;
}

/* Gives every page memory, so that using it never faults. A signal makes the kernel undo the step
 * that it interrupts, so a smaller one follows. */
static brood_status back(int fd, const char *name, uint64_t size)
{
    uint64_t step = STEP, done = 0;
    while (done < size) {
        uint64_t now = size - done < step ? size - done : step;
        int code = posix_fallocate(fd, (off_t)done, (off_t)now);
        if (code == 0)
            done += now;
        else if (code == EINTR)
            step = step / 2 > SMALLEST_STEP ? step / 2 : SMALLEST_STEP;
        else
            return refuse_full(fd, name, size, code);
    }
    return BROOD_OK;
}

/* It waits where another has the lock alone for a moment, to remove what nobody holds. */
static int lock_shared(int fd)
{
    int result;
    do {
        result = flock(fd, LOCK_SH);
    } while (result != 0 && errno == EINTR);
    return result;
}

/* ---- making ---- */

/* Somebody was killed while he made it. */
static void remove_half_made(const char *path)
{
    struct stat object;
    int fd = shm_open(path, O_RDWR, 0);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &object) == 0 && object.st_size == 0)
        shm_unlink(path);
    close(fd);
}

static int make_object(const char *path)
{
    for (int tries = 0; tries < 2; tries++) {
        int fd = brp_above_stdio(shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600));
        if (fd >= 0 || errno != EEXIST)
            return fd;
        remove_half_made(path);
    }
    errno = EEXIST;
    return -1;
}

static void fill(brp_named *named, const char *name, brp_named_policy policy)
{
    *named = (brp_named){.policy = policy, .marker = BRP_NO_HANDLE};
    named->section.handle = BRP_NO_HANDLE;
    snprintf(named->name, sizeof named->name, "%s", name);
}

/* The name is there and empty; it becomes whole. */
static brood_status complete(brp_named *named, int fd, uint64_t size, struct stat *object)
{
    if (lock_shared(fd) != 0 || fstat(fd, object) != 0 ||
        fchmod(fd, named->policy == BRP_NAMED_HOLDERS ? 0700 : 0600) != 0)
        return brp_fail(errno, "could not lock shared memory \"%s\"", named->name);
    if (named->policy != BRP_NAMED_PERSISTENT)
        BROOD_TRY(brp_guard_add(named->name, named->policy, object));
    brood_status status = check_limits(fd, named->name, size);
    if (status == BROOD_OK)
        status = back(fd, named->name, size);
    if (status != BROOD_OK && named->policy != BRP_NAMED_PERSISTENT)
        brp_guard_forget(named->name, object);
    return status;
}

static brood_status create(brp_named *named, const char *path, uint64_t size)
{
    struct stat object;
    int fd = make_object(path);
    if (fd < 0)
        return brp_fail(errno, "could not create shared memory \"%s\"", named->name);
    brood_status status = complete(named, fd, size, &object);
    if (status != BROOD_OK) {
        shm_unlink(path);
        close(fd);
        return status;
    }
    status = brp_section_open(&named->section, brp_handle_of(fd), size);
    if (status != BROOD_OK) {
        shm_unlink(path);
        if (named->policy != BRP_NAMED_PERSISTENT)
            brp_guard_forget(named->name, &object);
    }
    return status;
}

brood_status brp_named_create(brp_named *named, const char *name, uint64_t size,
                              brp_named_policy policy)
{
    char path[BRP_NAMED_MOST + 3];
    brp_named made;
    BROOD_TRY(check_name(name, path));
    if (size == 0 || size > INT64_MAX)
        return bri_fail(BROOD_EINVALID,
                        "could not create shared memory \"%s\" of %" PRIu64 " bytes", name, size);
    fill(&made, name, policy);
    if (policy != BRP_NAMED_PERSISTENT)
        BROOD_TRY(brp_guard_expect(name));
    brood_status status = create(&made, path, size);
    if (policy != BRP_NAMED_PERSISTENT)
        brp_guard_expect_no_more(name);
    if (status != BROOD_OK)
        return status;
    made.made_by = brp_pid();
    *named = made;
    return BROOD_OK;
}

/* ---- opening ---- */

static brood_status fail_missing(const char *name)
{
    return bri_fail(BROOD_ENOTFOUND, "could not open shared memory \"%s\": there is none", name);
}

/* Locked, so that it is not removed by its last holder meanwhile. */
static brood_status hold(brp_named *named, int fd, struct stat *object)
{
    if (lock_shared(fd) != 0 || fstat(fd, object) != 0)
        return brp_fail(errno, "could not lock shared memory \"%s\"", named->name);
    if (object->st_nlink == 0 || object->st_size == 0)
        return fail_missing(named->name);
    named->policy = (object->st_mode & S_IXUSR) != 0 ? BRP_NAMED_HOLDERS : BRP_NAMED_PERSISTENT;
    named->section.reserved = (uint64_t)object->st_size;
    /* One of a foreign maker may have no memory yet. */
    return back(fd, named->name, (uint64_t)object->st_size);
}

/* The descriptor is moved in. */
static brood_status open_object(brp_named *named, int fd)
{
    struct stat object;
    brood_status status = hold(named, fd, &object);
    if (status == BROOD_OK && named->policy == BRP_NAMED_HOLDERS)
        status = brp_guard_add(named->name, named->policy, &object);
    if (status != BROOD_OK) {
        close(fd);
        return status;
    }
    status = brp_section_open(&named->section, brp_handle_of(fd), named->section.reserved);
    if (status != BROOD_OK && named->policy == BRP_NAMED_HOLDERS)
        brp_guard_forget(named->name, &object);
    return status;
}

brood_status brp_named_open(brp_named *named, const char *name)
{
    char path[BRP_NAMED_MOST + 3];
    brp_named made;
    BROOD_TRY(check_name(name, path));
    fill(&made, name, BRP_NAMED_PERSISTENT);
    int fd = brp_above_stdio(shm_open(path, O_RDWR, 0));
    if (fd < 0)
        return errno == ENOENT ? fail_missing(name)
                               : brp_fail(errno, "could not open shared memory \"%s\"", name);
    BROOD_TRY(open_object(&made, fd));
    *named = made;
    return BROOD_OK;
}

/* ---- ending ---- */

brood_status brp_named_unlink(const char *name)
{
    char path[BRP_NAMED_MOST + 3];
    BROOD_TRY(check_name(name, path));
    if (shm_unlink(path) == 0)
        return BROOD_OK;
    return errno == ENOENT ? bri_fail(BROOD_ENOTFOUND,
                                      "could not unlink shared memory \"%s\": there is none", name)
                           : brp_fail(errno, "could not unlink shared memory \"%s\"", name);
}

/* The mapping stays, and would keep the lock. The copy that a child of fork has of another's
 * descriptor shares its lock, which is not the child's to give back. */
void brp_named_leave(brp_named *named)
{
    struct stat object;
    bool is_owner = named->policy == BRP_NAMED_OWNER && named->made_by == brp_pid();
    bool is_holder = named->policy == BRP_NAMED_HOLDERS;
    if (named->section.base == NULL || fstat(brp_fd(named->section.handle), &object) != 0)
        return;
    if (is_owner)
        brp_name_remove(named->name, &object, false);
    if (is_owner || is_holder)
        (void)flock(brp_fd(named->section.handle), LOCK_UN);
    brp_handle_close(&named->section.handle);
    if (is_holder)
        brp_name_remove(named->name, &object, true);
    if (is_owner || is_holder)
        brp_guard_forget(named->name, &object);
}

void brp_named_close(brp_named *named)
{
    brp_named_leave(named);
    brp_section_close(&named->section);
    *named = (brp_named){.marker = BRP_NO_HANDLE};
    named->section.handle = BRP_NO_HANDLE;
}

static bool hold_anew(brp_named *named)
{
    char path[BRP_NAMED_MOST + 3];
    struct stat object, now;
    if (check_name(named->name, path) != BROOD_OK ||
        fstat(brp_fd(named->section.handle), &object) != 0)
        return false;
    int fd = brp_above_stdio(shm_open(path, O_RDWR, 0));
    if (fd < 0)
        return false;
    if (fstat(fd, &now) != 0 || now.st_ino != object.st_ino || now.st_dev != object.st_dev ||
        lock_shared(fd) != 0) {
        close(fd);
        return false;
    }
    brp_handle_close(&named->section.handle);
    named->section.handle = brp_handle_of(fd);
    (void)brp_guard_add(named->name, named->policy, &object);
    return true;
}

/* The child's descriptor shares the parent's lock, which the parent gives back for both: so the
 * child opens the object anew. When it cannot (the name may be gone already), the parent holds it
 * and the child does not. */
void brp_named_after_fork(brp_named *named)
{
    named->made_by = 0;
    if (named->section.base != NULL && named->policy == BRP_NAMED_HOLDERS && !hold_anew(named))
        named->policy = BRP_NAMED_PERSISTENT;
}
