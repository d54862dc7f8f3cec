/* ipc/latch.c - waiting for a latch. */
#include "ipc/latch.h"

#include "core/killpoint.h"

void bri_latch_wake(bri_latch *latch)
{
    bri_unpark(latch, 1);
    bri_proctable_sweep_rest();
}

static bool try_while_spinning(bri_latch *latch, bri_owner me, bri_spin_place *place)
{
    bool taken = false;
    bri_spin spin = bri_spin_begin(place);
    while (!taken && bri_spin_next(&spin))
        taken = atomic_load_explicit(latch, memory_order_relaxed) == 0 && bri_latch_try(latch, me);
    bri_spin_end(place, &spin, taken);
    return taken;
}

/* Takes it marked as waited for: others may sleep, and nobody knows whether they do. */
static bool take_over(bri_latch *latch, uint32_t seen, bri_owner me)
{
    return atomic_compare_exchange_strong(latch, &seen, me | BRI_LATCH_WAITED);
}

/* The time is up. This sleeper may have been given the only wake, at the last moment: then whoever
 * has the latch now has to wake another. */
static brood_status leave(bri_latch *latch, bri_owner me)
{
    uint32_t seen = atomic_load(latch);
    for (;;) {
        uint32_t next = seen == 0 ? me | BRI_LATCH_WAITED : seen | BRI_LATCH_WAITED;
        if (next == seen || atomic_compare_exchange_weak(latch, &seen, next))
            return seen == 0 ? BROOD_OK : BROOD_ETIMEDOUT;
    }
}

brood_status bri_latch_wait(bri_latch *latch, bri_spin_place *place, bri_deadline deadline)
{
    bri_owner me = bri_owner_me();
    if (try_while_spinning(latch, me, place))
        return BROOD_OK;
    bri_parking parking = bri_parking_until(deadline);
    for (;;) {
        bri_parking_look(&parking);
        uint32_t seen = atomic_load(latch);
        if (seen == 0) {
            if (take_over(latch, seen, me))
                return BROOD_OK;
            continue;
        }
        if (bri_owner_is_dead(seen)) {
            BRI_KILL_POINT("latch-take-over");
            if (take_over(latch, seen, me))
                return BROOD_EOWNERDIED;
            continue;
        }
        uint32_t waited = seen | BRI_LATCH_WAITED;
        if (seen != waited && !atomic_compare_exchange_strong(latch, &seen, waited))
            continue;
        BRI_KILL_POINT("latch-announced");
        bri_park_end end = bri_park(&parking, latch, waited);
        if (end == BRI_PARK_SLICE)
            bri_owner_check(seen);
        else if (end == BRI_PARK_TIMED_OUT)
            return leave(latch, me);
    }
}

brood_status bri_latch_try_dead(bri_latch *latch)
{
    bri_owner me = bri_owner_me();
    uint32_t seen = atomic_load(latch);
    if (seen == 0)
        return bri_latch_try(latch, me) ? BROOD_OK : BROOD_ETIMEDOUT;
    if (!bri_owner_is_dead(seen) && !bri_owner_check_sometimes(seen))
        return BROOD_ETIMEDOUT;
    return take_over(latch, seen, me) ? BROOD_EOWNERDIED : BROOD_ETIMEDOUT;
}
