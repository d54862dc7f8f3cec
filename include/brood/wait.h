/*
 * brood/wait.h - waits for any of many connections, processes, queues, events, sockets and handles.
 * Python: multiprocessing.connection.wait.
 */
#ifndef BROOD_WAIT_H
#define BROOD_WAIT_H

#include <brood/connection.h>
#include <brood/event.h>
#include <brood/process.h>
#include <brood/queue.h>

BROOD_BEGIN_DECLS

/* One thing to wait for: exactly one of the pointers is set. */
typedef struct brood_wait_item {
    brood_connection *connection; /* is ready when brood_connection_poll would say so */
    brood_process *process;       /* is ready when it has ended */
    brood_queue *queue;           /* is ready when a get would not wait: a message, or its end */
    brood_event *event;           /* is ready while it is set */
    const intptr_t *socket;       /* a descriptor, or a SOCKET: ready when there is something to
                                     receive or accept, or it is at its end */
    const intptr_t *handle; /* POSIX: any descriptor that poll takes, ready when it can be read;
                               Windows: a HANDLE, ready when it is signalled; the wait that
                               tells so takes the signal of one that resets itself (an auto-reset
                               event, a semaphore) */
    bool ready;             /* out */
} brood_wait_item;

/*
 * Waits until at least one item is ready and marks all that are; nothing is received, taken or
 * collected, and what is ready may be so no more when others use it too. Any number of items,
 * hundreds too, in any mixture and on every system. On failure the marks are as before.
 *
 * To wait for queues or events together with anything else, brood starts one helper thread in this
 * process on first use.
 *
 * Errors:  BROOD_ETIMEDOUT none is ready, and none is marked; BROOD_EINVALID an item names nothing
 *          or two things, or there is none at all and no time-out; BROOD_ESTATE a connection that
 *          only sends, a process that was not started; BROOD_ECLOSED; BROOD_ENOINIT; BROOD_ENOMEM;
 *          BROOD_EOS a socket or handle that is none.
 * Blocks:  up to `timeout` milliseconds.
 * Threads: safe; the things waited for must not be closed meanwhile.
 * Python:  multiprocessing.connection.wait(), which returns the ready ones. Python cannot wait for
 *          queues but through their private pipes, nor for events.
 */
BROOD_API brood_status brood_wait(brood_wait_item *items, size_t n, brood_ms timeout);

BROOD_END_DECLS

#endif /* BROOD_WAIT_H */
