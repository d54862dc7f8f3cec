/* core/time.c - the public clock and sleep. */
#include <brood/time.h>

#include <apr_time.h>

#include "base/deadline.h"
#include "platform/clock.h"

brood_ms brood_now(void)
{
    return brp_clock_now() / 1000000;
}

void brood_sleep(brood_ms duration)
{
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), duration > 0 ? duration : 0);
    int64_t left;
    /* APR sleeps on the wall clock and a signal ends it, hence the loop and the slices. */
    while ((left = bri_deadline_left(deadline, brp_clock_now())) != 0)
        apr_sleep((left > 0 && left < 1000000000 ? left : 1000000000) / 1000 + 1);
}
