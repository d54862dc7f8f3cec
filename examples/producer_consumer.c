/*
 * producer_consumer.c - one process makes, the other uses up; none says that nothing more comes.
 *
 * Python: a Queue, and None as the sentinel.
 */
#include "check.h"

enum { ITEMS = 10 };

/* produce(queue) */
static brood_status produce(brood_call *call)
{
    const brood_value *argument;
    brood_queue *queue;
    BROOD_TRY(brood_call_args(call, "v", &argument));
    BROOD_TRY(brood_get_queue(argument, &queue));
    for (int i = 0; i < ITEMS; i++)
        BROOD_TRY(
            brood_queue_put(queue, brood_pack("(is)", i, "made by the producer"), BROOD_FOREVER));
    return brood_queue_put(queue, brood_none(), BROOD_FOREVER);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    brood_queue *queue;
    brood_process *producer;
    int n = 0, code;
    BROOD_CHECK(brood_queue_create(&queue, NULL));
    BROOD_CHECK(brood_process_create(&producer, produce,
                                     brood_pack("(v)", brood_queue_value(queue)), NULL));
    BROOD_CHECK(brood_process_start(producer));
    for (;;) {
        brood_value item;
        int64_t number;
        const char *text;
        BROOD_CHECK(brood_queue_get(queue, &item, BROOD_FOREVER));
        if (brood_value_kind(&item) == BROOD_NONE)
            break;
        BROOD_CHECK(brood_unpack(&item, "(is)", &number, &text));
        printf("item %d, %s\n", (int)number, text);
        EXPECT(number == n++);
        brood_value_clear(&item);
    }
    EXPECT(n == ITEMS && brood_queue_is_empty(queue));
    BROOD_CHECK(brood_process_join(producer, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(producer, &code));
    EXPECT(code == 0);
    brood_process_destroy(producer);
    brood_queue_destroy(queue);
    return 0;
}
