/*
 * win32/afd.h - waiting for a socket without changing it.
 *
 * The documented ways change the socket (WSAEventSelect makes it non-blocking and takes its only
 * event association) or do not know listening ones (a read of no bytes). So this asks the driver
 * that Winsock itself stands on, as libuv, mio and wepoll do: request IOCTL_AFD_POLL on a handle of
 * \Device\Afd.
 */
#ifndef BRI_W32_AFD_H
#define BRI_W32_AFD_H

#include "win32/win32.h"

#include <winternl.h>

typedef struct bri_w32_afd_info {
    LARGE_INTEGER timeout;
    ULONG n_handles;
    ULONG exclusive;
    struct {
        HANDLE handle;
        ULONG events;
        NTSTATUS status;
    } handles[1];
} bri_w32_afd_info;

/* One request; the system writes into it until bri_w32_afd_end has returned. */
typedef struct bri_w32_afd_poll {
    HANDLE device;
    HANDLE event; /* the caller's */
    IO_STATUS_BLOCK block;
    bri_w32_afd_info info;
} bri_w32_afd_poll;

typedef enum bri_w32_afd_wanted {
    BRI_W32_AFD_READABLE, /* it has bytes, a connection, or its end */
    BRI_W32_AFD_WRITABLE,
    BRI_W32_AFD_CONNECTED /* or could not be */
} bri_w32_afd_wanted;

/* Signals `event` when the socket has what is wanted, or has broken. ERROR_SUCCESS, or the system's
 * error. */
DWORD bri_w32_afd_begin(bri_w32_afd_poll *poll, SOCKET socket, bri_w32_afd_wanted wanted,
                        HANDLE event);

/* Takes the request back, if it is still there, and waits until it is done. Not needed once the
 * event has been signalled. */
void bri_w32_afd_end(bri_w32_afd_poll *poll);

#endif /* BRI_W32_AFD_H */
