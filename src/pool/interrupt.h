/*
 * pool/interrupt.h - what Ctrl-C does to pools, when it was asked for.
 */
#ifndef BRI_INTERRUPT_H
#define BRI_INTERRUPT_H

#include "pool/pool.h"

/* All pools of this process: no more tasks are accepted or begun; with `kill` they are terminated.
 * In pool.c. */
void bri_pools_interrupt(bool kill);

#endif /* BRI_INTERRUPT_H */
