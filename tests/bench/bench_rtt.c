/*
 * bench_rtt.c - 8 bytes to another process and back.
 *
 *     --through pipe|connection|queue  --cpus 1|2  the two processes on one CPU or on two  --count
 * N
 *
 * connection: of a listener, at an address of this machine, with a key.
 */
#include <string.h>

#include <brood/brood.h>

#include "bench.h"

/* Sends each number back, one more than it was, until the pipe ends. */
static brood_status answer_all(brood_connection *pipe, int64_t cpu)
{
    int64_t number;
    size_t size;
    brood_status status;
    bench_pin((int)cpu);
    while ((status = brood_connection_recv_bytes_into(pipe, &number, sizeof number, &size,
                                                      BROOD_FOREVER)) == BROOD_OK) {
        BENCH_REQUIRE(size == sizeof number);
        number++;
        BROOD_TRY(brood_connection_send_bytes(pipe, &number, sizeof number, BROOD_FOREVER));
    }
    return status == BROOD_EEOF ? BROOD_OK : status;
}

/* echo(pipe, cpu) */
static brood_status echo(brood_call *call)
{
    const brood_value *argument;
    brood_connection *pipe;
    int64_t cpu;
    BROOD_TRY(brood_call_args(call, "vi", &argument, &cpu));
    BROOD_TRY(brood_get_connection(argument, &pipe));
    return answer_all(pipe, cpu);
}

/* connect(address, cpu): a client of the listener. */
static brood_status connect_and_echo(brood_call *call)
{
    const char *address;
    int64_t cpu;
    brood_connect_options options = {0};
    brood_connection *connection;
    BROOD_TRY(brood_call_args(call, "si", &address, &cpu));
    BROOD_TRY(
        brood_process_authkey(brood_current_process(), &options.authkey, &options.authkey_size));
    BROOD_TRY(brood_connect(&connection, address, &options, BROOD_FOREVER));
    brood_status status = answer_all(connection, cpu);
    brood_connection_close(connection);
    return status;
}

/* answer(there, back, cpu): the same through two queues. */
static brood_status answer(brood_call *call)
{
    const brood_value *one, *other;
    brood_queue *there, *back;
    int64_t cpu, number;
    size_t size;
    brood_status status;
    BROOD_TRY(brood_call_args(call, "vvi", &one, &other, &cpu));
    BROOD_TRY(brood_get_queue(one, &there));
    BROOD_TRY(brood_get_queue(other, &back));
    bench_pin((int)cpu);
    while ((status = brood_queue_get_bytes_into(there, &number, sizeof number, &size,
                                                BROOD_FOREVER)) == BROOD_OK) {
        number++;
        BROOD_TRY(brood_queue_put_bytes(back, &number, sizeof number, BROOD_FOREVER));
    }
    return status == BROOD_ECLOSED ? BROOD_OK : status;
}

static void ask(brood_queue *there, brood_queue *back, long count)
{
    size_t size;
    for (int64_t i = 0; i < count; i++) {
        int64_t number;
        BROOD_CHECK(brood_queue_put_bytes(there, &i, sizeof i, BROOD_FOREVER));
        BROOD_CHECK(brood_queue_get_bytes_into(back, &number, sizeof number, &size, BROOD_FOREVER));
        BENCH_REQUIRE(size == sizeof number && number == i + 1);
    }
}

static void finish(brood_process *process)
{
    int code;
    BROOD_CHECK(brood_process_join(process, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(process, &code));
    BENCH_REQUIRE(code == 0);
    brood_process_destroy(process);
}

static void through_queues(long count, long cpus)
{
    brood_queue *there, *back;
    brood_process *process;
    BROOD_CHECK(brood_queue_create(&there, NULL));
    BROOD_CHECK(brood_queue_create(&back, NULL));
    brood_value args =
        brood_pack("(vvi)", brood_queue_value(there), brood_queue_value(back), (int)cpus - 1);
    BROOD_CHECK(brood_process_create(&process, answer, args, NULL));
    BROOD_CHECK(brood_process_start(process));
    bench_pin(0);
    ask(there, back, count / 10 + 1);
    int64_t begin = bench_now();
    ask(there, back, count);
    int64_t end = bench_now();
    brood_queue_close(there);
    finish(process);
    brood_queue_destroy(there);
    brood_queue_destroy(back);
    bench_print_us(end - begin, count);
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

static void measure(brood_connection *ours, brood_process *process, long count)
{
    bench_pin(0);
    exchange(ours, count / 10 + 1);
    int64_t begin = bench_now();
    exchange(ours, count);
    int64_t end = bench_now();
    brood_connection_close(ours);
    finish(process);
    bench_print_us(end - begin, count);
}

static void through_pipe(long count, long cpus)
{
    brood_connection *ours, *theirs;
    brood_process *process;
    BROOD_CHECK(brood_pipe(&ours, &theirs, true));
    brood_value args = brood_pack("(vi)", brood_connection_value(theirs), (int)cpus - 1);
    BROOD_CHECK(brood_process_create(&process, echo, args, NULL));
    BROOD_CHECK(brood_process_start(process));
    brood_connection_close(theirs);
    measure(ours, process, count);
}

static void through_connection(long count, long cpus)
{
    brood_listener_options options = {0};
    brood_listener *listener;
    brood_connection *ours;
    brood_process *process;
    BROOD_CHECK(
        brood_process_authkey(brood_current_process(), &options.authkey, &options.authkey_size));
    BROOD_CHECK(brood_listener_create(&listener, NULL, &options));
    brood_value args = brood_pack("(si)", brood_listener_address(listener), (int)cpus - 1);
    BROOD_CHECK(brood_process_create(&process, connect_and_echo, args, NULL));
    BROOD_CHECK(brood_process_start(process));
    BROOD_CHECK(brood_listener_accept(listener, &ours, BROOD_FOREVER));
    measure(ours, process, count);
    brood_listener_close(listener);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    long count = bench_number(argc, argv, "count", 10000);
    long cpus = bench_number(argc, argv, "cpus", 1);
    const char *through = bench_word(argc, argv, "through", "pipe");
    bench_need_cpus((int)cpus);
    if (strcmp(through, "queue") == 0) {
        through_queues(count, cpus);
    } else if (strcmp(through, "connection") == 0) {
        through_connection(count, cpus);
    } else {
        BENCH_REQUIRE(strcmp(through, "pipe") == 0);
        through_pipe(count, cpus);
    }
    return 0;
}
