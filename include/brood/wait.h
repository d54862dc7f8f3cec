/*
 * brood/wait.h - waits for any of many connections and processes. Python:
 * multiprocessing.connection.wait.
 */
#ifndef BROOD_WAIT_H
#define BROOD_WAIT_H

#include <brood/connection.h>
#include <brood/process.h>

BROOD_BEGIN_DECLS

/* One thing to wait for: exactly one of the pointers is set. */
typedef struct brood_wait_item {
    brood_connection *connection; /* is ready when brood_connection_poll would say so */
    brood_process *process;       /* is ready when it has ended */
    bool ready;                   /* out */
} brood_wait_item;

/*
 * Waits until at least one item is ready and marks all that are; nothing is received or collected.
 * Any number of items, hundreds too, and on every system. On failure the marks are as before.
 *
 * Errors:  BROOD_ETIMEDOUT none is ready, and none is marked; BROOD_EINVALID an item names nothing
 *          or two things, or there is none at all and no time-out; BROOD_ESTATE a connection that
 *          only sends, a process that was not started; BROOD_ECLOSED; BROOD_ENOINIT; BROOD_ENOMEM.
 * Blocks:  up to `timeout` milliseconds.
 * Threads: safe; the things waited for must not be closed meanwhile.
 * Python:  multiprocessing.connection.wait(), which returns the ready ones.
 */
BROOD_API brood_status brood_wait(brood_wait_item *items, size_t n, brood_ms timeout);

BROOD_END_DECLS

#endif /* BROOD_WAIT_H */
