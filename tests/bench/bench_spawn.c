/*
 * bench_spawn.c - a process from start to joined, whose task returns at once.
 *
 *     --method spawn|fork|forkserver  --mb N  memory of the parent  --count N
 *
 * "bench_spawn --return" only returns 0 from main: what limit_spawn.c starts to know what a start
 * of the same executable costs at least.
 */
#include <string.h>

#include <brood/brood.h>

#include "bench.h"

static brood_status return_at_once(brood_call *call)
{
    (void)call;
    return BROOD_OK;
}

static void run_once(const brood_process_options *options)
{
    brood_process *process;
    int code;
    BROOD_CHECK(brood_process_create(&process, return_at_once, brood_tuple(0), options));
    BROOD_CHECK(brood_process_start(process));
    BROOD_CHECK(brood_process_join(process, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(process, &code));
    BENCH_REQUIRE(code == 0);
    brood_process_destroy(process);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--return") == 0)
        return 0;
    BROOD_CHECK(brood_init(&argc, &argv));
    brood_process_options options = {0};
    long count = bench_number(argc, argv, "count", 100);
    BROOD_CHECK(
        brood_start_method_parse(bench_word(argc, argv, "method", "spawn"), &options.method));
    bench_resident(bench_number(argc, argv, "mb", 0));

    for (int i = 0; i < 3; i++) /* what is made once is not measured: the forkserver, the arena */
        run_once(&options);
    int64_t begin = bench_now();
    for (long i = 0; i < count; i++)
        run_once(&options);
    bench_print_us(bench_now() - begin, count);
    return 0;
}
