/*
 * traffic_lights.c - a light is an event that one process toggles: 10 cars wait for green, 5 police
 * cars wait 0.1 s at most and pass on red.
 *
 * Python: multiprocessing.Event with set, clear and wait.
 */
#include "check.h"

enum { CARS = 10, POLICE = 5, PATIENCE = 100 };

/* The light is red while the cars come, and then green for all that are left. */
static brood_status toggle(brood_call *call)
{
    const brood_value *value;
    brood_event *green;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_event(value, &green));
    brood_sleep(5 * PATIENCE);
    return brood_event_set(green);
}

/* drive(green, passed_on_red, is_police) */
static brood_status drive(brood_call *call)
{
    const brood_value *green_value, *red_value;
    brood_event *green;
    brood_array *on_red;
    bool is_police;
    BROOD_TRY(brood_call_args(call, "vvb", &green_value, &red_value, &is_police));
    BROOD_TRY(brood_get_event(green_value, &green));
    BROOD_TRY(brood_get_array(red_value, &on_red));
    brood_status status = brood_event_wait(green, is_police ? PATIENCE : BROOD_FOREVER);
    if (status == BROOD_ETIMEDOUT)
        return brood_array_add(on_red, is_police ? 1 : 0, 1, NULL);
    BROOD_TRY(status);
    EXPECT(brood_event_is_set(green));
    return BROOD_OK;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    brood_event *green;
    brood_array *on_red;
    brood_process *drivers[CARS + POLICE + 1];
    brood_value count;
    BROOD_CHECK(brood_event_create(&green));
    BROOD_CHECK(brood_array_create(&on_red, "i", 2, NULL));
    for (int i = 0; i <= CARS + POLICE; i++) {
        bool is_light = i == CARS + POLICE;
        BROOD_CHECK(brood_process_create(
            &drivers[i], is_light ? toggle : drive,
            is_light
                ? brood_pack("(v)", brood_event_value(green))
                : brood_pack("vvb", brood_event_value(green), brood_array_value(on_red), i >= CARS),
            NULL));
        BROOD_CHECK(brood_process_start(drivers[i]));
    }
    for (int i = 0; i <= CARS + POLICE; i++) {
        int code;
        BROOD_CHECK(brood_process_join(drivers[i], BROOD_FOREVER));
        BROOD_CHECK(brood_process_exitcode(drivers[i], &code));
        EXPECT(code == 0);
        brood_process_destroy(drivers[i]);
    }
    BROOD_CHECK(brood_array_get(on_red, 0, &count));
    EXPECT(count.as.integer == 0);
    BROOD_CHECK(brood_array_get(on_red, 1, &count));
    printf("%d of %d police cars passed on red, and nobody else\n", (int)count.as.integer, POLICE);
    brood_array_destroy(on_red);
    brood_event_destroy(green);
    return 0;
}
