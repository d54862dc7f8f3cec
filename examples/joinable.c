/*
 * joinable.c - five producers put work into a joinable queue, five daemons do it. Joined means
 * done: not only taken. task_done once too often is an error.
 *
 * Python: JoinableQueue, task_done, join; ValueError.
 */
#include "check.h"

enum { PRODUCERS = 5, CONSUMERS = 5, EACH = 4 };

/* produce(queue) */
static brood_status produce(brood_call *call)
{
    const brood_value *argument;
    brood_queue *queue;
    BROOD_TRY(brood_call_args(call, "v", &argument));
    BROOD_TRY(brood_get_queue(argument, &queue));
    for (int i = 0; i < EACH; i++)
        BROOD_TRY(brood_queue_put(queue, brood_int(i), BROOD_FOREVER));
    return BROOD_OK;
}

/* work(queue, done): for ever. What is done is counted by messages. */
static brood_status work(brood_call *call)
{
    const brood_value *one, *other;
    brood_queue *queue, *done;
    BROOD_TRY(brood_call_args(call, "vv", &one, &other));
    BROOD_TRY(brood_get_queue(one, &queue));
    BROOD_TRY(brood_get_queue(other, &done));
    for (;;) {
        brood_value item;
        BROOD_TRY(brood_queue_get(queue, &item, BROOD_FOREVER));
        brood_sleep(2);
        BROOD_TRY(brood_queue_put(done, item, BROOD_FOREVER));
        BROOD_TRY(brood_queue_task_done(queue));
    }
}

static brood_process *start(brood_function function, brood_value arguments, brood_daemon daemon)
{
    brood_process *process;
    brood_process_options options = {.daemon = daemon};
    BROOD_CHECK(brood_process_create(&process, function, arguments, &options));
    BROOD_CHECK(brood_process_start(process));
    return process;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    brood_queue *queue, *done;
    brood_process *producers[PRODUCERS], *consumers[CONSUMERS];
    BROOD_CHECK(brood_joinable_queue_create(&queue, 0));
    BROOD_CHECK(brood_queue_create(&done, NULL));
    for (int i = 0; i < CONSUMERS; i++)
        consumers[i] =
            start(work, brood_pack("(vv)", brood_queue_value(queue), brood_queue_value(done)),
                  BROOD_DAEMON_YES);
    for (int i = 0; i < PRODUCERS; i++)
        producers[i] = start(produce, brood_pack("(v)", brood_queue_value(queue)), BROOD_DAEMON_NO);
    for (int i = 0; i < PRODUCERS; i++) {
        BROOD_CHECK(brood_process_join(producers[i], BROOD_FOREVER));
        brood_process_destroy(producers[i]);
    }

    BROOD_CHECK(brood_queue_join(queue, BROOD_FOREVER));
    printf("all %zu are done\n", brood_queue_size(done));
    EXPECT(brood_queue_size(done) == PRODUCERS * EACH && brood_queue_unfinished(queue) == 0);
    EXPECT(brood_queue_task_done(queue) == BROOD_ESTATE);
    printf("once more: %s\n", brood_last_error()->message);

    for (int i = 0; i < CONSUMERS; i++)
        brood_process_destroy(consumers[i]); /* daemons: they end with this process */
    brood_queue_destroy(done);
    brood_queue_destroy(queue);
    return 0;
}
