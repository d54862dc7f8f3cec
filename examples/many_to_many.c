/*
 * many_to_many.c - ten producers put ten items each, ten consumers take what comes. When the last
 * producer has ended the queue is closed, and every consumer ends by itself when it is empty.
 *
 * Python: needs a sentinel for each consumer, put when all producers have been joined.
 */
#include "check.h"

enum { PRODUCERS = 10, CONSUMERS = 10, EACH = 10 };

/* produce(queue, id) */
static brood_status produce(brood_call *call)
{
    const brood_value *argument;
    brood_queue *queue;
    int64_t id;
    BROOD_TRY(brood_call_args(call, "vi", &argument, &id));
    BROOD_TRY(brood_get_queue(argument, &queue));
    for (int64_t i = 0; i < EACH; i++)
        BROOD_TRY(brood_queue_put(queue, brood_int(id * EACH + i), BROOD_FOREVER));
    return BROOD_OK;
}

/* consume(queue, seen): passes on what it has taken, for the check. */
static brood_status consume(brood_call *call)
{
    const brood_value *one, *other;
    brood_queue *queue, *seen;
    brood_value item;
    brood_status status;
    BROOD_TRY(brood_call_args(call, "vv", &one, &other));
    BROOD_TRY(brood_get_queue(one, &queue));
    BROOD_TRY(brood_get_queue(other, &seen));
    while ((status = brood_queue_get(queue, &item, BROOD_FOREVER)) == BROOD_OK)
        BROOD_TRY(brood_queue_put(seen, item, BROOD_FOREVER));
    return status == BROOD_ECLOSED ? BROOD_OK : status;
}

static brood_process *start(brood_function function, brood_value arguments)
{
    brood_process *process;
    BROOD_CHECK(brood_process_create(&process, function, arguments, NULL));
    BROOD_CHECK(brood_process_start(process));
    return process;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    brood_queue *queue, *seen;
    brood_process *processes[PRODUCERS + CONSUMERS];
    brood_value item;
    int times[PRODUCERS * EACH] = {0};
    BROOD_CHECK(brood_queue_create(&queue, &(brood_queue_options){.ends_with_producers = true}));
    BROOD_CHECK(brood_queue_create(&seen, NULL));

    for (int i = 0; i < PRODUCERS; i++)
        processes[i] = start(produce, brood_pack("(vi)", brood_queue_value(queue), i));
    for (int i = PRODUCERS; i < PRODUCERS + CONSUMERS; i++)
        processes[i] =
            start(consume, brood_pack("(vv)", brood_queue_value(queue), brood_queue_value(seen)));
    brood_queue_finish(queue); /* this process puts nothing */

    for (int i = 0; i < PRODUCERS + CONSUMERS; i++) {
        int code;
        BROOD_CHECK(brood_process_join(processes[i], BROOD_FOREVER));
        BROOD_CHECK(brood_process_exitcode(processes[i], &code));
        EXPECT(code == 0);
        brood_process_destroy(processes[i]);
    }
    EXPECT(brood_queue_get(queue, &item, 0) == BROOD_ECLOSED);
    EXPECT(brood_queue_size(seen) == PRODUCERS * EACH);
    while (brood_queue_get(seen, &item, 0) == BROOD_OK) {
        int64_t number;
        BROOD_CHECK(brood_get_int(&item, &number));
        times[number]++;
    }
    for (int i = 0; i < PRODUCERS * EACH; i++)
        EXPECT(times[i] == 1);
    printf("%d items, each taken once\n", PRODUCERS * EACH);
    brood_queue_destroy(seen);
    brood_queue_destroy(queue);
    return 0;
}
