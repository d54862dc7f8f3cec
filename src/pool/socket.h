/*
 * pool/socket.h - sockets that travel. Python: resource_sharer.py.
 */
#ifndef BRI_SOCKET_H
#define BRI_SOCKET_H

#include <brood/socket.h>

/* Makes the class known; called when the layer starts. */
brood_status bri_sockets_start(void);

/* In the child of a fork: forgets the sharer, which is its parent's. */
void bri_sockets_after_fork(void);

#endif /* BRI_SOCKET_H */
