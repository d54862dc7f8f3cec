/* The supervisor's decisions, alone and against a simple model with random events. */
#include "harness.h"

#include "pool/supervisor.h"

enum { SEATS = 3, MS = 1000000 };

static bri_supervisor make(int max_restarts, brood_ms window)
{
    bri_supervisor supervisor;
    bt_ok(bri_supervisor_init(&supervisor, SEATS, max_restarts, window));
    return supervisor;
}

/* Fills all seats that want a worker now; gives how many. */
static int fill(bri_supervisor *supervisor, int64_t now)
{
    uint32_t seat;
    bri_deadline when;
    int n = 0;
    while (bri_supervisor_next(supervisor, now, &seat, &when)) {
        bri_supervisor_started(supervisor, seat);
        n++;
    }
    return n;
}

static void test_every_seat_is_filled_once(void **state)
{
    (void)state;
    bri_supervisor supervisor = make(0, 0);
    uint32_t seat;
    bri_deadline when = 0;
    assert_int_equal(fill(&supervisor, 0), SEATS);
    assert_false(bri_supervisor_next(&supervisor, 0, &seat, &when));
    assert_true(when == BRI_NEVER);
    bri_supervisor_fini(&supervisor);
}

static void test_a_worker_that_leaves_is_replaced_and_counts_for_nothing(void **state)
{
    (void)state;
    bri_supervisor supervisor = make(1, 0);
    fill(&supervisor, 0);
    for (int i = 0; i < 100; i++) {
        bri_supervisor_ended(&supervisor, 1, BRI_END_LEFT, 0);
        assert_int_equal(fill(&supervisor, 0), 1);
    }
    assert_false(supervisor.broken);
    bri_supervisor_fini(&supervisor);
}

static void break_with_window(brood_ms window)
{
    bri_supervisor supervisor = make(0, window);
    fill(&supervisor, 0);
    for (int i = 0; i < BRI_RESTARTS; i++) {
        bri_supervisor_ended(&supervisor, 0, BRI_END_WORKED, i);
        assert_false(supervisor.broken);
        assert_int_equal(fill(&supervisor, i), 1);
    }
    bri_supervisor_ended(&supervisor, 0, BRI_END_WORKED, BRI_RESTARTS);
    assert_true(supervisor.broken);
    assert_int_equal(fill(&supervisor, BRI_RESTARTS), 0);
    bri_supervisor_fini(&supervisor);
}

static void test_crashes_in_a_row_break_the_pool(void **state)
{
    (void)state;
    break_with_window(0);
    break_with_window(INT64_MAX);
}

static void test_a_task_that_ends_begins_the_count_anew(void **state)
{
    (void)state;
    bri_supervisor supervisor = make(2, 0);
    fill(&supervisor, 0);
    for (int i = 0; i < 100; i++) {
        bri_supervisor_ended(&supervisor, 0, BRI_END_WORKED, i);
        fill(&supervisor, i);
        if (i % 2 == 1)
            bri_supervisor_progress(&supervisor);
    }
    assert_false(supervisor.broken);
    bri_supervisor_fini(&supervisor);
}

static void test_crashes_further_apart_than_the_window_do_not_break_it(void **state)
{
    (void)state;
    bri_supervisor supervisor = make(2, 10);
    fill(&supervisor, 0);
    int64_t now = 0;
    for (int i = 0; i < 100; i++, now += 6 * MS) {
        bri_supervisor_ended(&supervisor, 0, BRI_END_WORKED, now);
        fill(&supervisor, now);
    }
    assert_false(supervisor.broken);
    for (int i = 0; i < 2; i++, now += 2 * MS) {
        bri_supervisor_ended(&supervisor, 0, BRI_END_WORKED, now);
        fill(&supervisor, now);
    }
    assert_true(supervisor.broken);
    bri_supervisor_fini(&supervisor);
}

static void test_without_a_bound_it_never_breaks(void **state)
{
    (void)state;
    bri_supervisor supervisor = make(-1, 0);
    fill(&supervisor, 0);
    for (int i = 0; i < 1000; i++) {
        bri_supervisor_ended(&supervisor, 2, BRI_END_WORKED, 0);
        assert_int_equal(fill(&supervisor, 0), 1);
    }
    assert_false(supervisor.broken);
    bri_supervisor_fini(&supervisor);
}

static void test_a_seat_whose_workers_do_nothing_waits_longer_and_longer(void **state)
{
    (void)state;
    bri_supervisor supervisor = make(-1, 0);
    static const int delays[] = {0, 10, 20, 40, 80, 160, 320, 640, 1000, 1000};
    fill(&supervisor, 0);
    int64_t now = 0;
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        uint32_t seat;
        bri_deadline when;
        bri_supervisor_ended(&supervisor, 1, BRI_END_IDLE, now);
        if (delays[i] > 0) {
            assert_false(bri_supervisor_next(&supervisor, now, &seat, &when));
            assert_true(when == now + (int64_t)delays[i] * MS);
            now = when;
        }
        assert_true(bri_supervisor_next(&supervisor, now, &seat, &when));
        assert_int_equal(seat, 1);
        bri_supervisor_started(&supervisor, seat);
    }
    bri_supervisor_ended(&supervisor, 1, BRI_END_WORKED, now);
    assert_int_equal(fill(&supervisor, now), 1);
    bri_supervisor_fini(&supervisor);
}

static void test_unborn_workers_break_only_a_pool_that_has_none(void **state)
{
    (void)state;
    bri_supervisor supervisor = make(1, 60000);
    uint32_t seat;
    bri_deadline when;
    int64_t now = 0;
    fill(&supervisor, 0);
    bri_supervisor_ended(&supervisor, 0, BRI_END_LEFT, 0);
    for (int i = 0; i < 20; i++) {
        if (!bri_supervisor_next(&supervisor, now, &seat, &when)) {
            now = when;
            assert_true(bri_supervisor_next(&supervisor, now, &seat, &when));
        }
        bri_supervisor_ended(&supervisor, seat, BRI_END_UNBORN, now);
    }
    assert_false(supervisor.broken);
    bri_supervisor_ended(&supervisor, 1, BRI_END_LEFT, now);
    bri_supervisor_ended(&supervisor, 2, BRI_END_LEFT, now);
    for (int i = 0; i < 4 && !supervisor.broken; i++)
        if (bri_supervisor_next(&supervisor, now += 2000 * MS, &seat, &when))
            bri_supervisor_ended(&supervisor, seat, BRI_END_UNBORN, now);
    /* Only those with no other worker beside them count. */
    assert_true(supervisor.broken);
    bri_supervisor_fini(&supervisor);
}

static void test_a_stopped_supervisor_starts_nothing(void **state)
{
    (void)state;
    bri_supervisor supervisor = make(0, 0);
    fill(&supervisor, 0);
    bri_supervisor_stop(&supervisor);
    for (uint32_t i = 0; i < SEATS; i++)
        bri_supervisor_ended(&supervisor, i, BRI_END_IDLE, 0);
    assert_int_equal(fill(&supervisor, 1000000000), 0);
    assert_int_equal(supervisor.n_working, 0);
    bri_supervisor_fini(&supervisor);
}

/* ---- the model: sets of seats by state, and the times of the crashes in a row ---- */

typedef struct model {
    bri_seat_state seats[SEATS];
    int fruitless[SEATS];
    int64_t when[SEATS];
    int64_t crashes[100000];
    int n_crashes;
    bool broken, stopped;
    uint32_t n_wanted;
} model;

static bool has_worker(const model *m, uint32_t seat)
{
    return m->seats[seat] == BRI_SEAT_STARTING || m->seats[seat] == BRI_SEAT_WORKING;
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void model_ended(model *m, uint32_t seat, bri_end end, int64_t now, int most, int64_t window)
{
    int others = 0;
    for (uint32_t i = 0; i < SEATS; i++)
        others += i != seat && has_worker(m, i);
    bool rests = end == BRI_END_RESTED && seat < m->n_wanted;
    m->seats[seat] = rests ? BRI_SEAT_RESTING : BRI_SEAT_EMPTY;
    m->fruitless[seat] = end == BRI_END_IDLE || end == BRI_END_UNBORN ? m->fruitless[seat] + 1 : 0;
    int64_t delay = 0;
    if (m->fruitless[seat] > 1) {
        int doublings = m->fruitless[seat] - 2;
        delay = doublings >= 7 ? 1000 : 10 << doublings;
    }
    m->when[seat] = now + delay * MS;
    if (end == BRI_END_LEFT || end == BRI_END_RESTED || m->stopped ||
        (end == BRI_END_UNBORN && others > 0))
        return;
    m->crashes[m->n_crashes++] = now;
    if (m->n_crashes > most && now - m->crashes[m->n_crashes - 1 - most] <= window)
        m->broken = true;
}

static void check_next(bri_supervisor *supervisor, model *m, int64_t now)
{
    uint32_t seat = 99, wanted = 99;
    bri_deadline when = 0, earliest = BRI_NEVER;
    bool may = !m->broken && !m->stopped;
    for (uint32_t i = m->n_wanted; may && i-- > 0;)
        if (m->seats[i] == BRI_SEAT_EMPTY && m->when[i] <= now)
            wanted = i;
        else if (m->seats[i] == BRI_SEAT_EMPTY && m->when[i] < earliest)
            earliest = m->when[i];
    assert_int_equal(bri_supervisor_next(supervisor, now, &seat, &when), wanted != 99);
    assert_int_equal(seat, wanted);
    if (wanted != 99)
        m->seats[wanted] = BRI_SEAT_STARTING;
    else
        assert_true(when == earliest);
}

static void play(uint32_t seed, model *m)
{
    int most = (int)(next_random(&seed) % 5) + 1;
    bri_supervisor supervisor = make(most, 50);
    int64_t now = 0;
    memset(m, 0, sizeof *m);
    m->n_wanted = SEATS;
    for (int i = 0; i < 300; i++) {
        uint32_t event = next_random(&seed) % 100, seat = next_random(&seed) % SEATS;
        now += next_random(&seed) % (8 * MS);
        if (event < 50) {
            check_next(&supervisor, m, now);
        } else if (event < 70) {
            if (m->seats[seat] == BRI_SEAT_STARTING) {
                bri_supervisor_started(&supervisor, seat);
                m->seats[seat] = BRI_SEAT_WORKING;
            }
        } else if (event < 92) {
            if (has_worker(m, seat)) {
                bri_end end = (bri_end)(next_random(&seed) % 5);
                bri_supervisor_ended(&supervisor, seat, end, now);
                model_ended(m, seat, end, now, most, 50 * (int64_t)MS);
            }
        } else if (event < 95) {
            bri_supervisor_wake(&supervisor, seat);
            for (uint32_t k = 0, n = seat; k < SEATS && n > 0; k++)
                if (m->seats[k] == BRI_SEAT_RESTING) {
                    m->seats[k] = BRI_SEAT_EMPTY;
                    n--;
                }
        } else if (event < 97) {
            bri_supervisor_resize(&supervisor, seat + 1);
            m->n_wanted = seat + 1;
            for (uint32_t k = seat + 1; k < SEATS; k++)
                if (m->seats[k] == BRI_SEAT_RESTING)
                    m->seats[k] = BRI_SEAT_EMPTY;
        } else if (event < 99) {
            bri_supervisor_progress(&supervisor);
            m->n_crashes = 0;
        } else if (next_random(&seed) % 4 == 0) {
            bri_supervisor_stop(&supervisor);
            m->stopped = true;
        }
        assert_int_equal(supervisor.broken, m->broken);
    }
    bri_supervisor_fini(&supervisor);
}

/* The one that is being played; 0: none. */
static uint32_t playing;

/* With BROOD_TEST_SEED in the environment that one alone; else some that are always the same, and
 * some that are new each time. */
static void test_random_events_agree_with_the_model(void **state)
{
    (void)state;
    enum { ALWAYS = 1500, NEW = 1500 };
    const char *wanted = getenv("BROOD_TEST_SEED");
    uint32_t start = (uint32_t)brood_now();
    model *m = malloc(sizeof *m);
    assert_non_null(m);
    for (uint32_t i = 1; i <= ALWAYS + NEW; i++) {
        playing = wanted != NULL ? (uint32_t)strtoul(wanted, NULL, 10)
                  : i <= ALWAYS  ? i
                                 : start + i;
        play(playing, m);
    }
    playing = 0;
    free(m);
}

static int tell_seed(void **state)
{
    if (playing != 0)
        printf("seed %lu: BROOD_TEST_SEED=%lu plays it again\n", (unsigned long)playing,
               (unsigned long)playing);
    playing = 0;
    return bt_ledger_close(state);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_every_seat_is_filled_once),
                   bt_test(test_a_worker_that_leaves_is_replaced_and_counts_for_nothing),
                   bt_test(test_crashes_in_a_row_break_the_pool),
                   bt_test(test_a_task_that_ends_begins_the_count_anew),
                   bt_test(test_crashes_further_apart_than_the_window_do_not_break_it),
                   bt_test(test_without_a_bound_it_never_breaks),
                   bt_test(test_a_seat_whose_workers_do_nothing_waits_longer_and_longer),
                   bt_test(test_unborn_workers_break_only_a_pool_that_has_none),
                   bt_test(test_a_stopped_supervisor_starts_nothing),
                   cmocka_unit_test_setup_teardown(test_random_events_agree_with_the_model,
                                                   bt_ledger_open, tell_seed));
}
