/*
 * pipe_eof.c - a producer and a consumer share a pipe; each has only the end that it uses, so when
 * the producer closes its end the consumer sees the end of the stream.
 *
 * Python: Pipe(), close(), EOFError
 */
#include "check.h"

enum { ITEMS = 10 };

/* Doubles what comes and sends it on, until nothing can come any more. */
static brood_status consume(brood_call *call)
{
    const brood_value *in, *out;
    brood_connection *input, *output;
    BROOD_TRY(brood_call_args(call, "vv", &in, &out));
    BROOD_TRY(brood_get_connection(in, &input));
    BROOD_TRY(brood_get_connection(out, &output));
    for (;;) {
        brood_value item;
        int64_t n;
        brood_status status = brood_connection_recv(input, &item, BROOD_FOREVER);
        if (status == BROOD_EEOF)
            return BROOD_OK; /* the producer has closed its end, and no copy of it is left */
        BROOD_TRY(status);
        BROOD_TRY(brood_get_int(&item, &n));
        BROOD_TRY(brood_connection_send(output, brood_int(2 * n), BROOD_FOREVER));
    }
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    brood_connection *to_read, *to_write, *results, *to_answer;
    BROOD_CHECK(brood_pipe(&to_read, &to_write, false));
    BROOD_CHECK(brood_pipe(&results, &to_answer, false));

    brood_process *consumer;
    BROOD_CHECK(brood_process_create(
        &consumer, consume,
        brood_pack("(vv)", brood_connection_value(to_read), brood_connection_value(to_answer)),
        NULL));
    BROOD_CHECK(brood_process_start(consumer));
    brood_connection_close(to_read); /* the ends that are the consumer's now */
    brood_connection_close(to_answer);

    for (int i = 0; i < ITEMS; i++)
        BROOD_CHECK(brood_connection_send(to_write, brood_int(i), BROOD_FOREVER));
    brood_connection_close(to_write); /* nothing more to come */

    int n_results = 0;
    brood_value result;
    brood_status status;
    while ((status = brood_connection_recv(results, &result, BROOD_FOREVER)) == BROOD_OK) {
        int64_t n;
        BROOD_CHECK(brood_get_int(&result, &n));
        EXPECT(n == 2 * n_results);
        n_results++;
    }
    EXPECT(status == BROOD_EEOF); /* the consumer has ended, and with it its end of the pipe */
    EXPECT(n_results == ITEMS);
    printf("%d results, then the end\n", n_results);

    int code;
    BROOD_CHECK(brood_process_join(consumer, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(consumer, &code));
    EXPECT(code == 0);
    brood_process_destroy(consumer);
    brood_connection_close(results);
    return 0;
}
