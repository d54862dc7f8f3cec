/*
 * pool/socket.h - sockets and other handles as values.
 */
#ifndef BRI_SOCKET_H
#define BRI_SOCKET_H

#include <brood/socket.h>

/* Makes the classes known; called when the layer starts. */
brood_status bri_sockets_start(void);

#endif /* BRI_SOCKET_H */
