/* posix/handle.c - file descriptors. */
#define _GNU_SOURCE
#include "platform/handle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "posix/fd.h"

void brp_handle_close(brp_handle *handle)
{
    if (!brp_handle_is_set(*handle))
        return;
    int saved = errno;
    close(brp_fd(*handle)); /* not again after EINTR: Linux has closed it then */
    errno = saved;
    *handle = BRP_NO_HANDLE;
}

brood_status brp_handle_duplicate(brp_handle handle, brp_handle *copy)
{
    int fd = fcntl(brp_fd(handle), F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return brp_fail(errno, "could not duplicate handle %d", brp_fd(handle));
    *copy = brp_handle_of(fd);
    return BROOD_OK;
}

void brp_handle_format(brp_handle handle, char text[BRP_HANDLE_TEXT])
{
    snprintf(text, BRP_HANDLE_TEXT, "%d", brp_fd(handle));
}

brood_status brp_handle_parse(const char *text, brp_handle *handle)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > INT_MAX)
        return bri_fail(BROOD_EINVALID, "could not read \"%s\" as a handle", text);
    int flags = fcntl((int)value, F_GETFD);
    if (flags < 0 || fcntl((int)value, F_SETFD, flags | FD_CLOEXEC) != 0)
        return brp_fail(errno, "could not use handle %ld", value);
    *handle = brp_handle_of((int)value);
    return BROOD_OK;
}

bool brp_handle_is_inheritable(brp_handle handle)
{
    int flags = fcntl(brp_fd(handle), F_GETFD);
    return flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

static size_t count_by_number(void)
{
    long limit = sysconf(_SC_OPEN_MAX);
    if (limit < 0 || limit > 65536)
        return 0;
    size_t n = 0;
    for (int fd = 0; fd < limit; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

size_t brp_handle_count(void)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return count_by_number();
    size_t n = 0;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
        n += entry->d_name[0] != '.';
    closedir(directory);
    return n - 1; /* the directory itself */
}

brood_status brp_handle_open_null(brp_handle *handle)
{
    int fd = brp_above_stdio(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (fd < 0)
        return brp_fail(errno, "could not open \"/dev/null\"");
    *handle = brp_handle_of(fd);
    return BROOD_OK;
}
