/*
 * sync/account.h - a number in the arena that changes together with what each process has of it.
 *
 * Both change under a latch, after the new ones were noted: whoever takes the latch from a dead
 * process finishes its change. So a death finds exactly what the dead process has, and gives it
 * back in the same way.
 */
#ifndef BRI_ACCOUNT_H
#define BRI_ACCOUNT_H

#include "ipc/bell.h"
#include "ipc/latch.h"
#include "ipc/shared.h"

typedef struct bri_account {
    bri_latch latch;
    bri_bell bell; /* rung by who makes something possible for others */
    _Atomic uint64_t value;
    /* The change under way. `holder` is the offset of the record that changes; 0: none is. Written
     * last, cleared first. */
    _Atomic uint64_t holder;
    _Atomic uint64_t new_value;
    _Atomic uint32_t new_held;
} bri_account;

/* BROOD_OK; BROOD_ETIMEDOUT when a process that is stopped, or very slow, has the latch. It is
 * waited for a second in any case: normally it is held for an instant. */
brood_status bri_account_lock(bri_account *account, bri_spin_place *place, bri_deadline deadline);
/* The same, for no longer than it says. */
brood_status bri_account_lock_until(bri_account *account, bri_deadline deadline);
void bri_account_unlock(bri_account *account);

/* Under the latch: the value and what the holder has become these, as one. */
void bri_account_change(bri_account *account, uint64_t value, bri_holder *holder, uint32_t held);

#endif /* BRI_ACCOUNT_H */
