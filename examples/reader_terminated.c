/*
 * reader_terminated.c - one process writes the letters A, B, C, another reads for ever until its
 * parent terminates it. The queue still works for all others.
 *
 * Python: the same with p.terminate(), after which its Queue may be corrupted.
 */
#include "check.h"

enum { LETTERS = 3 };

/* write(queue) */
static brood_status write_letters(brood_call *call)
{
    const brood_value *argument;
    brood_queue *queue;
    BROOD_TRY(brood_call_args(call, "v", &argument));
    BROOD_TRY(brood_get_queue(argument, &queue));
    for (int i = 0; i < LETTERS; i++)
        BROOD_TRY(
            brood_queue_put(queue, brood_str((char[]){(char)('A' + i), '\0'}), BROOD_FOREVER));
    return BROOD_OK;
}

/* read(queue, seen): for ever. */
static brood_status read_letters(brood_call *call)
{
    const brood_value *one, *other;
    brood_queue *queue, *seen;
    BROOD_TRY(brood_call_args(call, "vv", &one, &other));
    BROOD_TRY(brood_get_queue(one, &queue));
    BROOD_TRY(brood_get_queue(other, &seen));
    for (;;) {
        brood_value letter;
        BROOD_TRY(brood_queue_get(queue, &letter, BROOD_FOREVER));
        BROOD_TRY(brood_queue_put(seen, letter, BROOD_FOREVER));
    }
}

static brood_process *start(brood_function function, brood_value arguments)
{
    brood_process *process;
    BROOD_CHECK(brood_process_create(&process, function, arguments, NULL));
    BROOD_CHECK(brood_process_start(process));
    return process;
}

static int finish(brood_process *process)
{
    int code;
    BROOD_CHECK(brood_process_join(process, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(process, &code));
    brood_process_destroy(process);
    return code;
}

static void expect_letters(brood_queue *queue)
{
    for (int i = 0; i < LETTERS; i++) {
        brood_value letter;
        const char *text;
        size_t size;
        BROOD_CHECK(brood_queue_get(queue, &letter, BROOD_FOREVER));
        BROOD_CHECK(brood_get_str(&letter, &text, &size));
        printf("%s\n", text);
        EXPECT(size == 1 && text[0] == 'A' + i);
        brood_value_clear(&letter);
    }
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    brood_queue *queue, *seen;
    BROOD_CHECK(brood_queue_create(&queue, NULL));
    BROOD_CHECK(brood_queue_create(&seen, NULL));
    brood_process *reader =
        start(read_letters, brood_pack("(vv)", brood_queue_value(queue), brood_queue_value(seen)));
    brood_process *writer = start(write_letters, brood_pack("(v)", brood_queue_value(queue)));
    EXPECT(finish(writer) == 0);
    expect_letters(seen); /* all have been read; now the reader waits */
    BROOD_CHECK(brood_process_terminate(reader));
    int code = finish(reader);
    printf("the reader ended with %d\n", code);
    EXPECT(code == -15);

    writer = start(write_letters, brood_pack("(v)", brood_queue_value(queue)));
    expect_letters(queue);
    EXPECT(finish(writer) == 0);
    EXPECT(brood_queue_is_empty(queue));
    brood_queue_destroy(seen);
    brood_queue_destroy(queue);
    return 0;
}
