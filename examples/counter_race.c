/*
 * counter_race.c - 20 processes increment a shared number 1,000 times each: without its lock some
 * steps get lost, with it, or with the atomic sum, none. They begin together, so that they meet.
 *
 * Python: a Value, and value.get_lock().
 */
#include "check.h"

enum { N = 20, STEPS = 1000 };
enum { BARE, LOCKED, ATOMIC };

/* count(array, begin, how): reads and writes apart, unless how says better. */
static brood_status count(brood_call *call)
{
    const brood_value *first, *second;
    brood_array *array;
    brood_event *begin;
    brood_value item;
    int64_t how;
    BROOD_TRY(brood_call_args(call, "vvi", &first, &second, &how));
    BROOD_TRY(brood_get_array(first, &array));
    BROOD_TRY(brood_get_event(second, &begin));
    BROOD_TRY(brood_event_wait(begin, BROOD_FOREVER));
    for (int i = 0; i < STEPS; i++) {
        if (how == ATOMIC) {
            BROOD_TRY(brood_array_add(array, 0, 1, NULL));
            continue;
        }
        if (how == LOCKED)
            BROOD_TRY(brood_array_acquire(array, BROOD_FOREVER));
        BROOD_TRY(brood_array_get(array, 0, &item));
        BROOD_TRY(brood_array_set(array, 0, brood_int(item.as.integer + 1)));
        if (how == LOCKED)
            BROOD_TRY(brood_array_release(array));
    }
    return BROOD_OK;
}

static int64_t race(int how)
{
    brood_array *array;
    brood_event *begin;
    brood_process *processes[N];
    brood_value sum;
    BROOD_CHECK(brood_array_create(&array, "i", 1, NULL));
    BROOD_CHECK(brood_event_create(&begin));
    for (int i = 0; i < N; i++) {
        BROOD_CHECK(brood_process_create(
            &processes[i], count,
            brood_pack("vvi", brood_array_value(array), brood_event_value(begin), how), NULL));
        BROOD_CHECK(brood_process_start(processes[i]));
    }
    BROOD_CHECK(brood_event_set(begin));
    for (int i = 0; i < N; i++) {
        BROOD_CHECK(brood_process_join(processes[i], BROOD_FOREVER));
        brood_process_destroy(processes[i]);
    }
    BROOD_CHECK(brood_array_get(array, 0, &sum));
    brood_event_destroy(begin);
    brood_array_destroy(array);
    return sum.as.integer;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    int64_t bare = race(BARE), locked = race(LOCKED), atomic = race(ATOMIC);
    printf("without the lock: %d, with it: %d, by atomic sums: %d\n", (int)bare, (int)locked,
           (int)atomic);
    EXPECT(bare <= N * STEPS);
    EXPECT(locked == N * STEPS);
    EXPECT(atomic == N * STEPS);
    return 0;
}
