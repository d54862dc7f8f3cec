/*
 * brood/wait.h - waits for any of many connections and processes. Python:
 * multiprocessing.connection.wait.
 */
#ifndef BROOD_WAIT_H
#define BROOD_WAIT_H

#include <brood/connection.h>
#include <brood/process.h>

BROOD_BEGIN_DECLS

/* One thing to wait for: exactly one of the members is set. */
typedef struct brood_wait_item {
    brood_connection *connection; /* a message or its end */
    brood_process *process;       /* has ended */
    bool ready;                   /* out */
} brood_wait_item;

/* Waits until at least one is ready, marks all that are. BROOD_ETIMEDOUT: none is. Any number,
 * hundreds too. */
BROOD_API brood_status brood_wait(brood_wait_item *items, size_t n, brood_ms timeout);

BROOD_END_DECLS

#endif /* BROOD_WAIT_H */
