/*
 * pool/supervisor.h - decides which workers are to be started, and when a pool is broken. Pure: it
 * is told what happened and when, and is asked for the next step.
 *
 * A pool has room for a number of seats, of which the first `n_wanted` are to be filled. A seat
 * goes round: empty -> starting -> working -> empty. A worker that leaves by itself is replaced at
 * once; one that leaves because nothing is to do leaves its seat resting, until there is work
 * again. One that dies is a crash:
 *
 *   - with a task, or after one: replaced at once, for the next task may be all right;
 *   - without any: replaced too, but after a delay that grows as long as it goes on in this seat.
 *
 * More than `max_restarts` crashes within `window`, with no task ended in between, break the pool:
 * nothing is getting done any more.
 */
#ifndef BRI_SUPERVISOR_H
#define BRI_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/error.h"

enum { BRI_RESTARTS = 10, BRI_RESTARTS_MOST = 1000 };

typedef enum bri_seat_state {
    BRI_SEAT_EMPTY = 0,
    BRI_SEAT_STARTING, /* somebody is starting a process for it */
    BRI_SEAT_WORKING,
    BRI_SEAT_RESTING /* empty, until bri_supervisor_wake */
} bri_seat_state;

typedef enum bri_end {
    BRI_END_LEFT,   /* it ended by itself, as it had to */
    BRI_END_WORKED, /* it died with a task */
    BRI_END_IDLE,   /* it died without: idle, or while it started */
    BRI_END_UNBORN, /* it could not be started */
    BRI_END_RESTED  /* it ended by itself because nothing was to do */
} bri_end;

typedef struct bri_supervised_seat {
    bri_seat_state state;
    int fruitless;     /* ends without a task, one after the other */
    bri_deadline when; /* EMPTY: not before */
} bri_supervised_seat;

typedef struct bri_supervisor {
    bri_supervised_seat *seats;
    uint32_t n_seats;   /* that there is room for */
    uint32_t n_wanted;  /* the first of them */
    uint32_t n_working; /* or starting */
    uint32_t n_resting;
    int max_restarts; /* negative: no bound */
    int64_t window;   /* nanoseconds */
    int64_t *crashes; /* when; the last max_restarts + 1, a ring */
    int n_crashes;    /* in a row, no task ended in between; counted up to max_restarts + 1 */
    int next_crash;
    bool stopped; /* nothing is started any more */
    bool broken;
} bri_supervisor;

/* `max_restarts`: 0 is the default, at most BRI_RESTARTS_MOST; negative: no bound. `window` 0: 60
 * s.
 */
brood_status bri_supervisor_init(bri_supervisor *supervisor, uint32_t n_seats, int max_restarts,
                                 brood_ms window);
void bri_supervisor_fini(bri_supervisor *supervisor);

/* So many of the seats are to be filled from now on. */
void bri_supervisor_resize(bri_supervisor *supervisor, uint32_t n_wanted);
/* There is work: up to `n` seats that rest want a worker. */
void bri_supervisor_wake(bri_supervisor *supervisor, uint32_t n);
/* A seat that wants a worker now, which is STARTING then; false when none does. `*when`: when one
 * will (BRI_NEVER: none waits). */
bool bri_supervisor_next(bri_supervisor *supervisor, int64_t now, uint32_t *seat,
                         bri_deadline *when);
/* The worker of a STARTING seat runs. */
void bri_supervisor_started(bri_supervisor *supervisor, uint32_t seat);
/* It has ended, or could not be started. */
void bri_supervisor_ended(bri_supervisor *supervisor, uint32_t seat, bri_end end, int64_t now);
/* A worker has ended a task, well or not. */
void bri_supervisor_progress(bri_supervisor *supervisor);
/* Nothing shall be started any more. */
void bri_supervisor_stop(bri_supervisor *supervisor);

#endif /* BRI_SUPERVISOR_H */
