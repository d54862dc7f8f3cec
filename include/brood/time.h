/*
 * brood/time.h - durations, the clock they are measured with, and sleeping: what C11 lacks on some
 * systems.
 */
#ifndef BROOD_TIME_H
#define BROOD_TIME_H

#include <stdint.h>

#include <brood/api.h>

BROOD_BEGIN_DECLS

/* A duration in milliseconds. Time-outs take 0 (do not wait) and BROOD_FOREVER as well. */
typedef int64_t brood_ms;

/* Wait as long as it takes. Any negative time-out means the same. */
#define BROOD_FOREVER ((brood_ms)-1)

/*
 * Milliseconds of a clock that never goes back, the same in all processes of this machine; its zero
 * means nothing.
 *
 * Errors:  none.
 * Blocks:  no.
 * Threads: safe. Works before brood_init.
 * Python:  time.monotonic().
 */
BROOD_API brood_ms brood_now(void);

/*
 * Lets the calling thread sleep for at least that long; not at all for 0 and less. To wait for
 * something, use the time-out of what is waited for instead.
 *
 * Errors:  none.
 * Blocks:  yes. A signal does not end it early.
 * Threads: safe. Works before brood_init.
 * Python:  time.sleep().
 */
BROOD_API void brood_sleep(brood_ms duration);

BROOD_END_DECLS

#endif /* BROOD_TIME_H */
