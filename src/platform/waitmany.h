/*
 * platform/waitmany.h - waits for any of many handles, without Windows' limit of 64.
 *
 * POSIX: poll (one-shot) and epoll (poller; poll in the fallback). Windows: threads that wait for
 * 63 objects each; reads of no bytes for pipes, poll requests to the socket driver.
 */
#ifndef BRP_WAITMANY_H
#define BRP_WAITMANY_H

#include "base/deadline.h"
#include "platform/handle.h"

typedef enum brp_watch_kind {
    BRP_WATCH_STREAM,   /* readable or at its end: brp_stream and brp_pipe ends */
    BRP_WATCH_SENTINEL, /* a process has ended: brp_child.sentinel */
    BRP_WATCH_SOCKET,   /* a socket is readable, has a connection to accept, or is at its end */
    BRP_WATCH_EVENT,    /* a waitable object: Windows event; POSIX eventfd or pipe, readable */
    BRP_WATCH_MESSAGES  /* as STREAM; on Windows a pipe that keeps the bounds of messages */
} brp_watch_kind;

typedef struct brp_watch {
    brp_handle handle;
    brp_watch_kind kind;
    bool ready;      /* out */
    bool took_empty; /* out, Windows, MESSAGES: the next message was empty, and is taken now */
} brp_watch;

/* Waits until at least one is ready, marks all that are, and counts them in *n_ready (may be NULL).
 * BROOD_ETIMEDOUT: none, and all are marked so. Takes nothing away: a ready stream still has its
 * bytes. On Windows two things are taken by waiting for them, and told: an empty message, and the
 * signal of an object that resets itself (an auto-reset event, a semaphore). BRP_NO_HANDLE is never
 * ready; nothing at all with BRI_NEVER is BROOD_EINVALID. */
brood_status brp_wait_any(brp_watch *watches, size_t n, bri_deadline deadline, size_t *n_ready);

/* A set that is waited on again and again by one thread, changed and woken by any. Level-triggered.
 * A handle is in it once, and is removed before it is closed. After fork the child must not use a
 * poller of its parent, only destroy it. */
typedef struct brp_poller brp_poller;

brood_status brp_poller_create(brp_poller **poller);
void brp_poller_destroy(brp_poller *poller);
/* Destroys it. What its last wait, or waiting for nothing, has taken from the handles of these `n`
 * watches is marked there as by brp_wait_any; the rest of the marks is left as it is. */
void brp_poller_end(brp_poller *poller, brp_watch *watches, size_t n);
/* `key` is the caller's own; UINT64_MAX is not allowed. A wait that is going on sees the new
 * handle. */
brood_status brp_poller_add(brp_poller *poller, brp_handle handle, brp_watch_kind kind,
                            uint64_t key);
/* After it returns no event for `key` is reported by a wait that begins later. */
void brp_poller_remove(brp_poller *poller, brp_handle handle, uint64_t key);
/* Fills up to `room` keys that are ready. BROOD_OK with *n == 0 when woken by brp_poller_wake;
 * BROOD_ETIMEDOUT. */
brood_status brp_poller_wait(brp_poller *poller, uint64_t *keys, size_t room, size_t *n,
                             bri_deadline deadline);
/* The wait that is going on, or else the next one, returns; several wakes before it count as one.
 */
void brp_poller_wake(brp_poller *poller);

#endif /* BRP_WAITMANY_H */
