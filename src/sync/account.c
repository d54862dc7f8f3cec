/* sync/account.c - see the header. */
#include "sync/account.h"

#include "core/killpoint.h"
#include "platform/clock.h"

enum { GRACE_MS = 1000 };

static void finish_change(bri_account *account, bri_holder *holder)
{
    atomic_store(&account->value, atomic_load(&account->new_value));
    BRI_KILL_POINT("account-value");
    atomic_store(&holder->held, atomic_load(&account->new_held));
    BRI_KILL_POINT("account-held");
    atomic_store(&account->holder, 0);
}

static void finish_for_dead(bri_account *account)
{
    uint64_t holder = atomic_load(&account->holder);
    if (holder != 0)
        finish_change(account, bri_arena_at(bri_the_runtime.arena, holder));
}

static brood_status lock_slowly(bri_account *account, bri_spin_place *place, bri_deadline deadline)
{
    brood_status status = bri_latch_wait(&account->latch, place, deadline);
    if (status != BROOD_EOWNERDIED)
        return status;
    finish_for_dead(account);
    return BROOD_OK;
}

brood_status bri_account_lock(bri_account *account, bri_spin_place *place, bri_deadline deadline)
{
    if (bri_latch_try(&account->latch, bri_owner_me()))
        return BROOD_OK;
    bri_deadline grace = bri_deadline_after(brp_clock_now(), GRACE_MS);
    return lock_slowly(account, place, deadline > grace ? deadline : grace);
}

brood_status bri_account_lock_until(bri_account *account, bri_deadline deadline)
{
    bri_spin_place place = 0;
    if (bri_latch_try(&account->latch, bri_owner_me()))
        return BROOD_OK;
    return lock_slowly(account, &place, deadline);
}

void bri_account_unlock(bri_account *account)
{
    bri_latch_unlock(&account->latch);
    BRI_KILL_POINT("account-unlocked");
}

void bri_account_change(bri_account *account, uint64_t value, bri_holder *holder, uint32_t held)
{
    BRI_KILL_POINT("account-locked");
    atomic_store(&account->new_value, value);
    atomic_store(&account->new_held, held);
    BRI_KILL_POINT("account-note");
    atomic_store(&account->holder, bri_arena_offset(bri_the_runtime.arena, holder));
    BRI_KILL_POINT("account-noted");
    finish_change(account, holder);
    BRI_KILL_POINT("account-changed");
}
