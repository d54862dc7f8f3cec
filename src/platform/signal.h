/*
 * platform/signal.h - Ctrl-C. Nothing is installed unless asked for.
 */
#ifndef BRP_SIGNAL_H
#define BRP_SIGNAL_H

#include "platform/error.h"

/* Called on a thread of brood's, never inside a signal handler; `count` is 1 at the first Ctrl-C,
 * then 2, ... */
typedef void (*brp_interrupt_handler)(void *context, int count);

/* Takes over SIGINT and SIGTERM (POSIX: handler that writes to a pipe, read by a thread) or console
 * events (Windows). One a process: a second call is BROOD_ESTATE. POSIX: waits for a handler that
 * has given back itself, until it has returned. */
brood_status brp_interrupt_take(brp_interrupt_handler handler, void *context);

/* Gives it back: the former handlers stand again. */
void brp_interrupt_give_back(void);

/* Child of brood, before its function runs: default dispositions where the parent's leaked through
 * exec or fork (SIGPIPE, SIGINT, SIGTERM, SIGCHLD), empty mask. */
void brp_signal_reset_child(void);

#endif /* BRP_SIGNAL_H */
