/*
 * base/deadline.h - deadlines as points of a monotonic clock; arithmetic only, the clock is
 * platform/clock.h.
 */
#ifndef BRI_DEADLINE_H
#define BRI_DEADLINE_H

#include <stdint.h>

#include <brood/time.h>

/* Nanoseconds of brp_clock_now(); INT64_MAX is never. */
typedef int64_t bri_deadline;

#define BRI_NEVER INT64_MAX

/* The point `timeout` after `now`. Negative means never; so does a time-out that leaves the clock's
 * range. */
static inline bri_deadline bri_deadline_after(int64_t now, brood_ms timeout)
{
    if (timeout < 0 || timeout > (INT64_MAX - now) / 1000000)
        return BRI_NEVER;
    return now + timeout * 1000000;
}

/* What is left in nanoseconds: -1 for never, 0 when it has passed. */
static inline int64_t bri_deadline_left(bri_deadline deadline, int64_t now)
{
    if (deadline == BRI_NEVER)
        return -1;
    return deadline > now ? deadline - now : 0;
}

/* The same in milliseconds, rounded up, so that waiting for it never ends too early. */
static inline brood_ms bri_deadline_left_ms(bri_deadline deadline, int64_t now)
{
    int64_t left = bri_deadline_left(deadline, now);
    return left < 0 ? BROOD_FOREVER : left / 1000000 + (left % 1000000 != 0);
}

#endif /* BRI_DEADLINE_H */
