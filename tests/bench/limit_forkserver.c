/*
 * limit_forkserver.c - a fork server with nothing in it: one byte asks for a child, the pid comes
 * back, then the wait status.
 *
 *     --mb N  memory of the parent  --count N
 */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static void send_all(int fd, const void *data, size_t size)
{
    BENCH_REQUIRE(write(fd, data, size) == (ssize_t)size);
}

static void receive_all(int fd, void *data, size_t size)
{
    BENCH_REQUIRE(read(fd, data, size) == (ssize_t)size);
}

static void serve(int fd)
{
    char request;
    int status;
    while (read(fd, &request, 1) == 1) {
        pid_t pid = fork();
        BENCH_REQUIRE(pid >= 0);
        if (pid == 0)
            _exit(request);
        send_all(fd, &pid, sizeof pid);
        BENCH_REQUIRE(waitpid(pid, &status, 0) == pid);
        send_all(fd, &status, sizeof status);
    }
    _exit(0);
}

static void run_once(int fd, char exitcode)
{
    pid_t pid;
    int status;
    send_all(fd, &exitcode, 1);
    receive_all(fd, &pid, sizeof pid);
    receive_all(fd, &status, sizeof status);
    BENCH_REQUIRE(pid > 0);
    BENCH_REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == exitcode);
}

int main(int argc, char **argv)
{
    long count = bench_number(argc, argv, "count", 100);
    int ends[2], status;
    BENCH_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    pid_t server = fork(); /* before the memory is taken: that is the point of it */
    BENCH_REQUIRE(server >= 0);
    if (server == 0) {
        close(ends[0]);
        serve(ends[1]);
    }
    close(ends[1]);
    bench_resident(bench_number(argc, argv, "mb", 0));

    for (int i = 0; i < 3; i++)
        run_once(ends[0], (char)i);
    int64_t begin = bench_now();
    for (long i = 0; i < count; i++)
        run_once(ends[0], 0);
    int64_t end = bench_now();
    close(ends[0]);
    BENCH_REQUIRE(waitpid(server, &status, 0) == server && status == 0);
    bench_print_us(end - begin, count);
    return 0;
}
