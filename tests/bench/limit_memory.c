/* limit_memory.c - memory of its own that a process has which does nothing: this one, started anew.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

int main(int argc, char **argv)
{
    int ready[2];
    char byte;
    if (strcmp(bench_word(argc, argv, "as", "parent"), "child") == 0) {
        BENCH_REQUIRE(write(1, "", 1) == 1);
        for (;;)
            pause();
    }
    BENCH_REQUIRE(pipe(ready) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ready[1], 1);
        execl("/proc/self/exe", argv[0], "--as", "child", (char *)NULL);
        _exit(BENCH_SKIP);
    }
    close(ready[1]);
    bool began = read(ready[0], &byte, 1) == 1;
    long kb = began ? bench_private_kb(pid) : 0;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (!began)
        return BENCH_SKIP;
    printf("metric=KB value=%ld\n", kb);
    return 0;
}
