/*
 * limit_rtt.c - 8 bytes to another process and back, by plain read and write.
 *
 *     --through pipe|socketpair  --cpus 1|2  --count N
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

typedef struct end {
    int in, out;
} end;

static void make_ends(const char *through, end *ours, end *theirs)
{
    int there[2], back[2];
    if (strcmp(through, "socketpair") == 0) {
        BENCH_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, there) == 0);
        *ours = (end){there[0], there[0]};
        *theirs = (end){there[1], there[1]};
        return;
    }
    BENCH_REQUIRE(pipe2(there, O_CLOEXEC) == 0 && pipe2(back, O_CLOEXEC) == 0);
    *ours = (end){back[0], there[1]};
    *theirs = (end){there[0], back[1]};
}

static void close_end(end e)
{
    close(e.in);
    if (e.out != e.in)
        close(e.out);
}

static void echo(end e)
{
    int64_t number;
    while (read(e.in, &number, sizeof number) == (ssize_t)sizeof number) {
        number++;
        BENCH_REQUIRE(write(e.out, &number, sizeof number) == (ssize_t)sizeof number);
    }
    _exit(0);
}

static void exchange(end e, long count)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t answer;
        BENCH_REQUIRE(write(e.out, &i, sizeof i) == (ssize_t)sizeof i);
        BENCH_REQUIRE(read(e.in, &answer, sizeof answer) == (ssize_t)sizeof answer);
        BENCH_REQUIRE(answer == i + 1);
    }
}

int main(int argc, char **argv)
{
    long count = bench_number(argc, argv, "count", 10000);
    int cpus = (int)bench_number(argc, argv, "cpus", 1), status;
    end ours, theirs;
    bench_need_cpus(cpus);
    make_ends(bench_word(argc, argv, "through", "pipe"), &ours, &theirs);
    pid_t pid = fork();
    BENCH_REQUIRE(pid >= 0);
    if (pid == 0) {
        close_end(ours);
        bench_pin(cpus - 1);
        echo(theirs);
    }
    close_end(theirs);
    bench_pin(0);

    exchange(ours, count / 10 + 1);
    int64_t begin = bench_now();
    exchange(ours, count);
    int64_t finish = bench_now();
    close_end(ours);
    BENCH_REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
    bench_print_us(finish - begin, count);
    return 0;
}
