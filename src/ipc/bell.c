/* ipc/bell.c - see the header. */
#include "ipc/bell.h"

#include "core/killpoint.h"

void bri_bell_wake(bri_bell *bell, int n)
{
    uint32_t seen = atomic_load(bell);
    do {
        if ((seen & BRI_BELL_WAITED) == 0)
            return;
    } while (!atomic_compare_exchange_weak(bell, &seen, seen + 1)); /* clears the bit, counts */
    BRI_KILL_POINT("bell-rung");
    bri_unpark(bell, n);
}

uint32_t bri_bell_listen(bri_bell *bell)
{
    return atomic_fetch_or(bell, BRI_BELL_WAITED) | BRI_BELL_WAITED;
}

bri_park_end bri_bell_wait(bri_bell *bell, bri_parking *parking, uint32_t heard)
{
    bri_park_end end = bri_park(parking, bell, heard);
    BRI_KILL_POINT("bell-heard");
    atomic_fetch_or(bell, BRI_BELL_WAITED);
    if (end == BRI_PARK_SLICE)
        bri_proctable_look();
    return end;
}
