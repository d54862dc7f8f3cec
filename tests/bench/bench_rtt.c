/*
 * bench_rtt.c - 8 bytes to another process and back.
 *
 *     --through pipe  --cpus 1|2  the two processes on one CPU or on two  --count N
 */
#include <string.h>

#include <brood/brood.h>

#include "bench.h"

/* echo(pipe, cpu): sends each number back, one more than it was, until the pipe ends. */
static brood_status echo(brood_call *call)
{
    const brood_value *argument;
    brood_connection *pipe;
    int64_t cpu, number;
    size_t size;
    brood_status status;
    BROOD_TRY(brood_call_args(call, "vi", &argument, &cpu));
    BROOD_TRY(brood_get_connection(argument, &pipe));
    bench_pin((int)cpu);
    while ((status = brood_connection_recv_bytes_into(pipe, &number, sizeof number, &size,
                                                      BROOD_FOREVER)) == BROOD_OK) {
        BENCH_REQUIRE(size == sizeof number);
        number++;
        BROOD_TRY(brood_connection_send_bytes(pipe, &number, sizeof number, BROOD_FOREVER));
    }
    return status == BROOD_EEOF ? BROOD_OK : status;
}

static void exchange(brood_connection *pipe, long count)
{
    size_t size;
    for (int64_t i = 0; i < count; i++) {
        int64_t answer;
        BROOD_CHECK(brood_connection_send_bytes(pipe, &i, sizeof i, BROOD_FOREVER));
        BROOD_CHECK(
            brood_connection_recv_bytes_into(pipe, &answer, sizeof answer, &size, BROOD_FOREVER));
        BENCH_REQUIRE(size == sizeof answer && answer == i + 1);
    }
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    long count = bench_number(argc, argv, "count", 10000);
    long cpus = bench_number(argc, argv, "cpus", 1);
    BENCH_REQUIRE(strcmp(bench_word(argc, argv, "through", "pipe"), "pipe") == 0);
    bench_need_cpus((int)cpus);

    brood_connection *ours, *theirs;
    brood_process *process;
    int code;
    BROOD_CHECK(brood_pipe(&ours, &theirs, true));
    brood_value args = brood_pack("(vi)", brood_connection_value(theirs), (int)cpus - 1);
    BROOD_CHECK(brood_process_create(&process, echo, args, NULL));
    BROOD_CHECK(brood_process_start(process));
    brood_connection_close(theirs);
    bench_pin(0);

    exchange(ours, count / 10 + 1);
    int64_t begin = bench_now();
    exchange(ours, count);
    int64_t end = bench_now();

    brood_connection_close(ours);
    BROOD_CHECK(brood_process_join(process, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(process, &code));
    BENCH_REQUIRE(code == 0);
    brood_process_destroy(process);
    bench_print_us(end - begin, count);
    return 0;
}
