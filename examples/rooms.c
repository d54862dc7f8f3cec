/*
 * rooms.c - 13 guests and 4 rooms: a semaphore lets in as many as there are rooms.
 *
 * Python: multiprocessing.Semaphore(4).
 */
#include "check.h"

enum { GUESTS = 13, ROOMS = 4 };

/* stay(semaphore, counters): counters are how many are inside, and how many were at most. */
static brood_status stay(brood_call *call)
{
    const brood_value *rooms_value, *counters_value;
    brood_semaphore *rooms;
    brood_array *counters;
    int64_t inside, most = 0;
    bool done = false;
    BROOD_TRY(brood_call_args(call, "vv", &rooms_value, &counters_value));
    BROOD_TRY(brood_get_semaphore(rooms_value, &rooms));
    BROOD_TRY(brood_get_array(counters_value, &counters));
    BROOD_TRY(brood_semaphore_acquire(rooms, BROOD_FOREVER));
    BROOD_TRY(brood_array_add(counters, 0, 1, &inside));
    while (!done && most < inside)
        BROOD_TRY(brood_array_compare_and_set(counters, 1, &most, inside, &done));
    brood_sleep(20);
    BROOD_TRY(brood_array_add(counters, 0, -1, NULL));
    return brood_semaphore_release(rooms);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    brood_semaphore *rooms;
    brood_array *counters;
    brood_process *guests[GUESTS];
    brood_value most;
    BROOD_CHECK(brood_semaphore_create(&rooms, ROOMS));
    BROOD_CHECK(brood_array_create(&counters, "i", 2, NULL));
    for (int i = 0; i < GUESTS; i++) {
        BROOD_CHECK(brood_process_create(
            &guests[i], stay,
            brood_pack("vv", brood_semaphore_value(rooms), brood_array_value(counters)), NULL));
        BROOD_CHECK(brood_process_start(guests[i]));
    }
    for (int i = 0; i < GUESTS; i++) {
        int code;
        BROOD_CHECK(brood_process_join(guests[i], BROOD_FOREVER));
        BROOD_CHECK(brood_process_exitcode(guests[i], &code));
        EXPECT(code == 0);
        brood_process_destroy(guests[i]);
    }
    BROOD_CHECK(brood_array_get(counters, 1, &most));
    printf("%d guests, at most %d at once in %d rooms\n", GUESTS, (int)most.as.integer, ROOMS);
    EXPECT(most.as.integer >= 1 && most.as.integer <= ROOMS);
    EXPECT(brood_semaphore_units(rooms) == ROOMS);
    brood_array_destroy(counters);
    brood_semaphore_destroy(rooms);
    return 0;
}
