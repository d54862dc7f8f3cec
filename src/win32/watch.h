/*
 * win32/watch.h - readiness of one thing: looking now, and an object to wait for.
 *
 * What is armed: a read of no bytes for a pipe, a poll request to the socket driver for a socket
 * (WSAEventSelect would make the user's socket non-blocking), the thing itself for processes and
 * events. It takes nothing away but an empty message, which since Windows 8 is taken by a read of
 * no bytes, and the signal of an object that resets itself. Both are kept in the watch, as
 * CPython's connection.wait does.
 */
#ifndef BRI_W32_WATCH_H
#define BRI_W32_WATCH_H

#include "platform/waitmany.h"
#include "win32/afd.h"
#include "win32/win32.h"

/* Stays at its address while it is armed: the system writes into it. */
typedef struct bri_w32_watch {
    HANDLE handle;
    brp_watch_kind kind;
    bool armed;
    HANDLE object;   /* while armed: signalled when bri_w32_watch_is_ready is worth a look */
    HANDLE event;    /* `object` where it is ours */
    bool has_read;   /* `request.read` has been the system's since it was armed */
    bool took_empty; /* an empty message was taken; until the user of the watch clears it */
    bool took;       /* a wait took the signal of `object`; the same */
    union {
        OVERLAPPED read;
        bri_w32_afd_poll poll;
    } request;
} bri_w32_watch;

void bri_w32_watch_init(bri_w32_watch *watch, brp_handle handle, brp_watch_kind kind);

/* Whether a read (an accept, a wait) would not wait. A handle that cannot be watched counts as
 * ready: using it tells why. Looking at an object that resets itself takes its signal. */
bool bri_w32_watch_is_ready(const bri_w32_watch *watch);

/* A wait has returned for `object`. */
void bri_w32_watch_note(bri_w32_watch *watch);

/* Begins; afterwards `object` is signalled at once or later. */
brood_status bri_w32_watch_arm(bri_w32_watch *watch);

/* Takes the request back and waits until the system has let go of it. Nothing happens when it is
 * not armed. */
void bri_w32_watch_disarm(bri_w32_watch *watch);

#endif /* BRI_W32_WATCH_H */
