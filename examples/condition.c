/*
 * condition.c - consumers wait for work that a producer announces: no wake-up is lost.
 *
 * Python: multiprocessing.Condition with wait, wait_for, notify and notify_all.
 */
#include "check.h"

enum { CONSUMERS = 4, WORK = 40 };
enum { WAITING, DONE, IS_OVER, N_COUNTERS };

static bool is_ready(void *context)
{
    const int32_t *counters = context;
    return counters[WAITING] > 0 || counters[IS_OVER] != 0;
}

/* consume(condition, counters) until it is over. */
static brood_status consume(brood_call *call)
{
    const brood_value *condition_value, *counters_value;
    brood_condition *condition;
    brood_array *array;
    BROOD_TRY(brood_call_args(call, "vv", &condition_value, &counters_value));
    BROOD_TRY(brood_get_condition(condition_value, &condition));
    BROOD_TRY(brood_get_array(counters_value, &array));
    int32_t *counters = brood_array_data(array);
    BROOD_TRY(brood_condition_acquire(condition, BROOD_FOREVER));
    for (;;) {
        BROOD_TRY(brood_condition_wait_for(condition, is_ready, counters, BROOD_FOREVER));
        if (counters[WAITING] == 0)
            break;
        counters[WAITING]--;
        counters[DONE]++;
    }
    return brood_condition_release(condition);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    brood_condition *condition;
    brood_array *array;
    brood_process *consumers[CONSUMERS];
    BROOD_CHECK(brood_condition_create(&condition, NULL));
    BROOD_CHECK(brood_array_create(&array, "i", N_COUNTERS, NULL));
    int32_t *counters = brood_array_data(array);
    for (int i = 0; i < CONSUMERS; i++) {
        BROOD_CHECK(brood_process_create(
            &consumers[i], consume,
            brood_pack("vv", brood_condition_value(condition), brood_array_value(array)), NULL));
        BROOD_CHECK(brood_process_start(consumers[i]));
    }
    for (int i = 0; i <= WORK; i++) {
        BROOD_CHECK(brood_condition_acquire(condition, BROOD_FOREVER));
        if (i < WORK) {
            counters[WAITING]++;
            BROOD_CHECK(brood_condition_notify(condition, 1));
        } else {
            counters[IS_OVER] = 1;
            BROOD_CHECK(brood_condition_notify_all(condition));
        }
        BROOD_CHECK(brood_condition_release(condition));
    }
    for (int i = 0; i < CONSUMERS; i++) {
        BROOD_CHECK(brood_process_join(consumers[i], BROOD_FOREVER));
        brood_process_destroy(consumers[i]);
    }
    printf("%d of %d pieces of work done by %d consumers\n", (int)counters[DONE], WORK, CONSUMERS);
    EXPECT(counters[DONE] == WORK && counters[WAITING] == 0);
    brood_array_destroy(array);
    brood_condition_destroy(condition);
    return 0;
}
