/*
 * queue_bounded.c - a queue of 15: five writers put three letters each without waiting, one more is
 * refused; then five readers take three each, and nothing is left.
 *
 * Python: Queue(15) with put_nowait and get_nowait, Full and Empty.
 */
#include "check.h"

enum { WRITERS = 5, READERS = 5, EACH = 3, ROOM = WRITERS * EACH };

/* write(queue, first): puts three numbers. */
static brood_status write_letters(brood_call *call)
{
    const brood_value *argument;
    brood_queue *queue;
    int64_t first;
    BROOD_TRY(brood_call_args(call, "vi", &argument, &first));
    BROOD_TRY(brood_get_queue(argument, &queue));
    for (int64_t i = 0; i < EACH; i++)
        BROOD_TRY(brood_queue_put(queue, brood_int(first + i), 0));
    return BROOD_OK;
}

/* read(queue, seen): takes three, and passes them on. */
static brood_status read_letters(brood_call *call)
{
    const brood_value *one, *other;
    brood_queue *queue, *seen;
    BROOD_TRY(brood_call_args(call, "vv", &one, &other));
    BROOD_TRY(brood_get_queue(one, &queue));
    BROOD_TRY(brood_get_queue(other, &seen));
    for (int i = 0; i < EACH; i++) {
        brood_value letter;
        BROOD_TRY(brood_queue_get(queue, &letter, 0));
        BROOD_TRY(brood_queue_put(seen, letter, BROOD_FOREVER));
    }
    return BROOD_OK;
}

static void run_all(brood_function function, brood_queue *queue, brood_queue *seen, int n)
{
    brood_process *processes[WRITERS];
    for (int i = 0; i < n; i++) {
        brood_value arguments =
            seen == NULL ? brood_pack("(vi)", brood_queue_value(queue), i * EACH)
                         : brood_pack("(vv)", brood_queue_value(queue), brood_queue_value(seen));
        BROOD_CHECK(brood_process_create(&processes[i], function, arguments, NULL));
        BROOD_CHECK(brood_process_start(processes[i]));
    }
    for (int i = 0; i < n; i++) {
        int code;
        BROOD_CHECK(brood_process_join(processes[i], BROOD_FOREVER));
        BROOD_CHECK(brood_process_exitcode(processes[i], &code));
        EXPECT(code == 0);
        brood_process_destroy(processes[i]);
    }
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    brood_queue *queue, *seen;
    brood_value letter;
    int times[ROOM] = {0};
    BROOD_CHECK(brood_queue_create(&queue, &(brood_queue_options){.maxsize = ROOM}));
    BROOD_CHECK(brood_queue_create(&seen, NULL));

    run_all(write_letters, queue, NULL, WRITERS);
    printf("%zu letters wait\n", brood_queue_size(queue));
    EXPECT(brood_queue_size(queue) == ROOM && brood_queue_is_full(queue));
    EXPECT(brood_queue_put(queue, brood_int(99), 0) == BROOD_EFULL);
    printf("one more does not fit\n");

    run_all(read_letters, queue, seen, READERS);
    EXPECT(brood_queue_size(queue) == 0 && brood_queue_is_empty(queue));
    EXPECT(brood_queue_get(queue, &letter, 0) == BROOD_EEMPTY);
    printf("all have been read\n");

    while (brood_queue_get(seen, &letter, 0) == BROOD_OK) {
        int64_t number;
        BROOD_CHECK(brood_get_int(&letter, &number));
        EXPECT(number >= 0 && number < ROOM);
        times[number]++;
    }
    for (int i = 0; i < ROOM; i++)
        EXPECT(times[i] == 1);
    brood_queue_destroy(seen);
    brood_queue_destroy(queue);
    return 0;
}
