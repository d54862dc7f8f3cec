/* pool/supervisor.c - see the header. */
#include "pool/supervisor.h"

#include "base/memory.h"

enum { WINDOW = 60000, FIRST_DELAY = 10, LONGEST_DELAY = 1000, MS = 1000000 };

brood_status bri_supervisor_init(bri_supervisor *supervisor, uint32_t n_seats, int max_restarts,
                                 brood_ms window)
{
    int restarts = max_restarts == 0 ? BRI_RESTARTS : max_restarts;
    *supervisor =
        (bri_supervisor){.n_seats = n_seats, .n_wanted = n_seats, .max_restarts = restarts};
    supervisor->window = bri_deadline_after(0, window <= 0 ? WINDOW : window);
    supervisor->seats = bri_calloc(n_seats, sizeof *supervisor->seats);
    supervisor->crashes =
        bri_calloc(restarts < 0 ? 1 : (size_t)restarts + 1, sizeof *supervisor->crashes);
    if (supervisor->seats != NULL && supervisor->crashes != NULL)
        return BROOD_OK;
    bri_supervisor_fini(supervisor);
    return BROOD_ENOMEM;
}

void bri_supervisor_fini(bri_supervisor *supervisor)
{
    bri_free(supervisor->seats);
    bri_free(supervisor->crashes);
    supervisor->seats = NULL;
    supervisor->crashes = NULL;
    supervisor->n_seats = 0;
}

void bri_supervisor_wake(bri_supervisor *supervisor, uint32_t n)
{
    for (uint32_t i = 0; i < supervisor->n_seats && n > 0 && supervisor->n_resting > 0; i++)
        if (supervisor->seats[i].state == BRI_SEAT_RESTING) {
            supervisor->seats[i].state = BRI_SEAT_EMPTY;
            supervisor->n_resting--;
            n--;
        }
}

void bri_supervisor_resize(bri_supervisor *supervisor, uint32_t n_wanted)
{
    supervisor->n_wanted = n_wanted;
    for (uint32_t i = n_wanted; i < supervisor->n_seats; i++)
        if (supervisor->seats[i].state == BRI_SEAT_RESTING) {
            supervisor->seats[i].state = BRI_SEAT_EMPTY;
            supervisor->n_resting--;
        }
}

bool bri_supervisor_next(bri_supervisor *supervisor, int64_t now, uint32_t *seat,
                         bri_deadline *when)
{
    *when = BRI_NEVER;
    if (supervisor->stopped || supervisor->broken)
        return false;
    for (uint32_t i = 0; i < supervisor->n_wanted; i++) {
        bri_supervised_seat *at = &supervisor->seats[i];
        if (at->state != BRI_SEAT_EMPTY)
            continue;
        if (at->when <= now) {
            at->state = BRI_SEAT_STARTING;
            supervisor->n_working++;
            *seat = i;
            return true;
        }
        if (at->when < *when)
            *when = at->when;
    }
    return false;
}

void bri_supervisor_started(bri_supervisor *supervisor, uint32_t seat)
{
    supervisor->seats[seat].state = BRI_SEAT_WORKING;
}

/* Records a crash; the pool is broken when there are too many within the window. */
static void count_crash(bri_supervisor *supervisor, int64_t now)
{
    int most = supervisor->max_restarts;
    if (most < 0)
        return;
    supervisor->crashes[supervisor->next_crash] = now;
    supervisor->next_crash = (supervisor->next_crash + 1) % (most + 1);
    if (supervisor->n_crashes <= most)
        supervisor->n_crashes++;
    /* When the ring is full, its next place has the oldest. */
    if (supervisor->n_crashes > most &&
        now - supervisor->crashes[supervisor->next_crash] <= supervisor->window)
        supervisor->broken = true;
}

/* Until the seat's next start: nothing after the first fruitless end, then 10 ms doubled up to 1 s.
 */
static int64_t delay_of(const bri_supervised_seat *seat)
{
    if (seat->fruitless <= 1)
        return 0;
    int64_t delay = FIRST_DELAY;
    for (int i = 2; i < seat->fruitless && delay < LONGEST_DELAY; i++)
        delay *= 2;
    return (delay < LONGEST_DELAY ? delay : LONGEST_DELAY) * MS;
}

void bri_supervisor_ended(bri_supervisor *supervisor, uint32_t seat, bri_end end, int64_t now)
{
    bri_supervised_seat *at = &supervisor->seats[seat];
    at->state =
        end == BRI_END_RESTED && seat < supervisor->n_wanted ? BRI_SEAT_RESTING : BRI_SEAT_EMPTY;
    supervisor->n_resting += at->state == BRI_SEAT_RESTING;
    supervisor->n_working--;
    if (end == BRI_END_IDLE || end == BRI_END_UNBORN)
        at->fruitless++;
    else
        at->fruitless = 0;
    at->when = now + delay_of(at);
    /* Without room for more processes a pool goes on with those it has. */
    if (end != BRI_END_LEFT && end != BRI_END_RESTED && !supervisor->stopped &&
        (end != BRI_END_UNBORN || supervisor->n_working == 0))
        count_crash(supervisor, now);
}

void bri_supervisor_progress(bri_supervisor *supervisor)
{
    supervisor->n_crashes = 0;
    supervisor->next_crash = 0;
}

void bri_supervisor_stop(bri_supervisor *supervisor)
{
    supervisor->stopped = true;
}
