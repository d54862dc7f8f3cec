/*
 * brood/time.h - durations.
 */
#ifndef BROOD_TIME_H
#define BROOD_TIME_H

#include <stdint.h>

/* A duration in milliseconds. Time-outs take 0 (do not wait) and BROOD_FOREVER as well. */
typedef int64_t brood_ms;

/* Wait as long as it takes. Any negative time-out means the same. */
#define BROOD_FOREVER ((brood_ms)-1)

#endif /* BROOD_TIME_H */
