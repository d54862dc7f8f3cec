/*
 * ipc/lend.h - handles that travel in tasks and messages. Python: resource_sharer.py.
 *
 * A handle in a message is a ticket; whoever reads it borrows the handle from a thread of the
 * sender's, which has what the tickets stand for. The tickets of a message are a loan. Those of a
 * task's arguments can be used as often as the task is tried; others can be used once. Who has sent
 * the message ends the loan when he learns that nobody reads it any more.
 */
#ifndef BRI_LEND_H
#define BRI_LEND_H

#include <stdint.h>

#include <brood/status.h>

/* Makes the lender known; called when the layer starts. */
brood_status bri_lender_start(void);

/* Ends all tickets of a loan; 0: there are none. Any thread. */
void bri_loan_end(uint64_t loan);

#endif /* BRI_LEND_H */
