/*
 * peer_zmq.c - messages through ZeroMQ over a unix socket: PUSH to PULL.
 *
 *     --bytes N  --producers N  --consumers N  --count N
 *
 * With several on both sides each consumer has an address, and each producer a socket to each of
 * them, which it takes in turn: one socket to all of them passes over whoever is not there yet, and
 * then some get more than they wait for and others wait for ever.
 */
/* brood-bench: pkg-config libzmq */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zmq.h>

#include "bench.h"

enum { MOST = 64, ROOM = 120 };

static void address_of(char *text, const char *directory, long consumer)
{
    snprintf(text, ROOM, "ipc://%s/%ld", directory, consumer);
}

static void put_all(const char *directory, long consumers, size_t bytes, int64_t count)
{
    char address[ROOM];
    void *context = zmq_ctx_new(), *sockets[MOST];
    unsigned char *message = calloc(1, bytes);
    BENCH_REQUIRE(message != NULL);
    for (long i = 0; i < consumers; i++) {
        address_of(address, directory, i);
        sockets[i] = zmq_socket(context, ZMQ_PUSH);
        BENCH_REQUIRE(zmq_connect(sockets[i], address) == 0);
    }
    for (int64_t i = 0; i < count; i++) {
        memcpy(message, &i, sizeof i);
        BENCH_REQUIRE(zmq_send(sockets[i % consumers], message, bytes, 0) == (int)bytes);
    }
    free(message);
    for (long i = 0; i < consumers; i++)
        zmq_close(sockets[i]);
    zmq_ctx_term(context); /* when all is written */
}

static void get_all(const char *directory, long consumer, size_t bytes, int64_t count, int64_t *sum)
{
    char address[ROOM];
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_PULL);
    unsigned char *message = calloc(1, bytes);
    BENCH_REQUIRE(message != NULL);
    address_of(address, directory, consumer);
    BENCH_REQUIRE(zmq_bind(socket, address) == 0);
    for (int64_t i = 0, number; i < count; i++) {
        int size = zmq_recv(socket, message, bytes, 0);
        BENCH_REQUIRE(size == (int)bytes);
        memcpy(&number, message, sizeof number);
        *sum += number;
    }
    free(message);
    zmq_close(socket);
    zmq_ctx_term(context);
}

int main(int argc, char **argv)
{
    char directory[] = "/tmp/brood-bench-XXXXXX", path[ROOM];
    long producers = bench_number(argc, argv, "producers", 1);
    long consumers = bench_number(argc, argv, "consumers", 1);
    long count = bench_number(argc, argv, "count", 1000000);
    size_t bytes = (size_t)bench_number(argc, argv, "bytes", 64);
    int64_t each = count / (producers * consumers) * consumers; /* the same for each consumer */
    bool is_pinned = producers + consumers == 2;
    BENCH_REQUIRE(consumers <= MOST && mkdtemp(directory) != NULL);
    if (is_pinned)
        bench_need_cpus(2);
    if (each == 0)
        each = consumers;
    int64_t *sums =
        mmap(NULL, MOST * sizeof *sums, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BENCH_REQUIRE(sums != MAP_FAILED);
    int64_t begin = bench_now();
    for (long i = 0; i < producers + consumers; i++) {
        pid_t pid = fork();
        BENCH_REQUIRE(pid >= 0);
        if (pid != 0)
            continue;
        if (is_pinned)
            bench_pin((int)i);
        if (i < producers)
            put_all(directory, consumers, bytes, each);
        else
            get_all(directory, i - producers, bytes, each * producers / consumers,
                    &sums[i - producers]);
        _exit(0);
    }
    for (long i = 0; i < producers + consumers; i++) {
        int status;
        BENCH_REQUIRE(wait(&status) > 0 && status == 0);
    }
    int64_t elapsed = bench_now() - begin, sum = 0;
    for (long i = 0; i < consumers; i++) {
        snprintf(path, sizeof path, "%s/%ld", directory, i);
        unlink(path);
        sum += sums[i];
    }
    rmdir(directory);
    BENCH_REQUIRE(sum == each * (each - 1) / 2 * producers);
    bench_print_rate(elapsed, (long)(each * producers));
    return 0;
}
