/* posix/rights.c - see the header. */
#define _GNU_SOURCE
#include "posix/rights.h"

#include <string.h>
#include <unistd.h>

#include "posix/fd.h"

size_t brp_rights_take(struct msghdr *message, brp_handle *handles, size_t room)
{
    size_t n = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++, n++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            if (n < room)
                handles[n] = brp_handle_of(brp_above_stdio(fd));
            else
                close(fd);
        }
    }
    return n;
}
