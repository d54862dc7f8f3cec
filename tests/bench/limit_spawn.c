/*
 * limit_spawn.c - the least that a start and a wait cost.
 *
 *     --how posix_spawn  of the executable --executable PATH, told to return from main at once
 *     --how fork_exit    fork and _exit
 *     --mb N  memory of the parent  --count N
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

extern char **environ;

static pid_t start_posix_spawn(const char *executable)
{
    char *arguments[] = {(char *)(uintptr_t)executable, (char *)(uintptr_t) "--return", NULL};
    pid_t pid;
    BENCH_REQUIRE(posix_spawn(&pid, executable, NULL, NULL, arguments, environ) == 0);
    return pid;
}

static pid_t start_fork(const char *executable)
{
    (void)executable;
    pid_t pid = fork();
    BENCH_REQUIRE(pid >= 0);
    if (pid == 0)
        _exit(0);
    return pid;
}

static void run_once(pid_t (*start)(const char *), const char *executable)
{
    int status;
    pid_t pid = start(executable);
    BENCH_REQUIRE(waitpid(pid, &status, 0) == pid);
    BENCH_REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv)
{
    const char *how = bench_word(argc, argv, "how", "posix_spawn");
    const char *executable = bench_word(argc, argv, "executable", "");
    long count = bench_number(argc, argv, "count", 100);
    pid_t (*start)(const char *) = strcmp(how, "fork_exit") == 0 ? start_fork : start_posix_spawn;
    bench_resident(bench_number(argc, argv, "mb", 0));

    for (int i = 0; i < 3; i++)
        run_once(start, executable);
    int64_t begin = bench_now();
    for (long i = 0; i < count; i++)
        run_once(start, executable);
    bench_print_us(bench_now() - begin, count);
    return 0;
}
