/*
 * events.c - one process waits for an event without a time-out, one with too short a one.
 *
 * Python: Event.is_set, wait, set, clear.
 */
#include "check.h"

/* wait_for(event, ready, timeout): exits with 0 when it was set, with 3 when it was not. */
static brood_status wait_for(brood_call *call)
{
    const brood_value *event_value, *ready_value;
    brood_event *event;
    brood_semaphore *ready;
    int64_t timeout;
    BROOD_TRY(brood_call_args(call, "vvi", &event_value, &ready_value, &timeout));
    BROOD_TRY(brood_get_event(event_value, &event));
    BROOD_TRY(brood_get_semaphore(ready_value, &ready));
    EXPECT(!brood_event_is_set(event));
    BROOD_TRY(brood_semaphore_release(ready));
    brood_status status = brood_event_wait(event, timeout);
    if (status == BROOD_ETIMEDOUT)
        brood_exit(3);
    return status;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    static const int timeouts[2] = {BROOD_FOREVER, 50}, codes[2] = {0, 3};
    brood_event *event;
    brood_semaphore *ready;
    brood_process *waiters[2];
    BROOD_CHECK(brood_event_create(&event));
    BROOD_CHECK(brood_semaphore_create(&ready, 0));
    for (int i = 0; i < 2; i++) {
        BROOD_CHECK(brood_process_create(
            &waiters[i], wait_for,
            brood_pack("vvi", brood_event_value(event), brood_semaphore_value(ready), timeouts[i]),
            NULL));
        BROOD_CHECK(brood_process_start(waiters[i]));
    }
    for (int i = 0; i < 2; i++)
        BROOD_CHECK(brood_semaphore_acquire(ready, BROOD_FOREVER));
    BROOD_CHECK(brood_process_join(waiters[1], BROOD_FOREVER)); /* its time is up */
    EXPECT(brood_process_is_alive(waiters[0]));
    BROOD_CHECK(brood_event_set(event));
    for (int i = 0; i < 2; i++) {
        int code;
        BROOD_CHECK(brood_process_join(waiters[i], BROOD_FOREVER));
        BROOD_CHECK(brood_process_exitcode(waiters[i], &code));
        printf("waiting %d ms: %s\n", timeouts[i], code == 0 ? "it was set" : "it was not set");
        EXPECT(code == codes[i]);
        brood_process_destroy(waiters[i]);
    }
    BROOD_CHECK(brood_event_clear(event));
    EXPECT(!brood_event_is_set(event));
    brood_event_destroy(event);
    brood_semaphore_destroy(ready);
    return 0;
}
