/*
 * posix/rights.h - descriptors beside the bytes of a local socket (SCM_RIGHTS).
 */
#ifndef BRP_POSIX_RIGHTS_H
#define BRP_POSIX_RIGHTS_H

#include <sys/socket.h>

#include "platform/handle.h"

enum { BRP_RIGHTS_MOST = 64 }; /* of one message */

/* Room for them in a message. */
typedef union brp_rights {
    struct cmsghdr header; /* for its alignment */
    char bytes[CMSG_SPACE(BRP_RIGHTS_MOST * sizeof(int))];
} brp_rights;

/* Takes the descriptors out of a message; those beyond `room` are closed, and one that cannot be
 * moved above the standard streams is no handle. How many there were. */
size_t brp_rights_take(struct msghdr *message, brp_handle *handles, size_t room);

#endif /* BRP_POSIX_RIGHTS_H */
