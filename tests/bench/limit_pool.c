/*
 * limit_pool.c - what a pool could reach: forked workers that square the ints of a shared array,
 * which they take one by one from a shared counter; or bytes that are copied into a shared place,
 * there to another one, and out of it.
 *
 *     --workers N  --count N  --bytes N (0: ints; else each item's size)
 *     --results new|touched (memory that was never used, as the results of a map are; or was)
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

typedef struct shared {
    _Alignas(64) _Atomic long taken; /* the next task */
    _Alignas(64) _Atomic long done;
    _Alignas(64) _Atomic int begin;
} shared;

enum { IN_FLIGHT = 8 }; /* places for bytes */

static void *share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BENCH_REQUIRE(memory != MAP_FAILED);
    return memory;
}

static void square_all(shared *s, int64_t *items, long count)
{
    while (atomic_load(&s->begin) == 0)
        usleep(10);
    for (long i; (i = atomic_fetch_add(&s->taken, 1)) < count;)
        items[i] *= items[i];
}

static int64_t run_ints(long workers, long count)
{
    shared *s = share(sizeof *s);
    int64_t *items = share((size_t)count * sizeof *items);
    for (long w = 0; w < workers; w++)
        if (fork() == 0) {
            square_all(s, items, count);
            _exit(0);
        }
    int64_t *mine = malloc((size_t)count * sizeof *mine),
            *results = malloc((size_t)count * sizeof *mine);
    BENCH_REQUIRE(mine != NULL && results != NULL);
    for (long i = 0; i < count; i++)
        mine[i] = i;
    int64_t begin = bench_now();
    memcpy(items, mine, (size_t)count * sizeof *mine);
    atomic_store(&s->begin, 1);
    while (wait(NULL) > 0)
        ;
    memcpy(results, items, (size_t)count * sizeof *mine);
    int64_t elapsed = bench_now() - begin;
    for (long i = 0; i < count; i++)
        BENCH_REQUIRE(results[i] == (int64_t)i * i);
    return elapsed;
}

/* One process copies as three would, one after the other: a machine with few CPUs does no better.
 * The caller keeps what a map gives him, so each result stands in memory of its own. */
static int64_t run_bytes(long count, long bytes, bool touched)
{
    size_t size = (size_t)bytes;
    char *places = share(2 * IN_FLIGHT * size), *item = malloc(size);
    char **results = malloc((size_t)count * sizeof *results);
    BENCH_REQUIRE(item != NULL && results != NULL);
    memset(item, 'x', size);
    memset(places, 1, 2 * IN_FLIGHT * size);
    for (long i = 0; touched && i < count; i++) {
        results[i] = malloc(size);
        BENCH_REQUIRE(results[i] != NULL);
        memset(results[i], 1, size);
    }
    int64_t begin = bench_now();
    for (long i = 0; i < count; i++) {
        if (!touched)
            results[i] = malloc(size);
        BENCH_REQUIRE(results[i] != NULL);
        char *in = places + (size_t)(i % IN_FLIGHT) * size, *out = in + IN_FLIGHT * size;
        memcpy(in, item, size);
        memcpy(out, in, size);
        memcpy(results[i], out, size);
    }
    int64_t elapsed = bench_now() - begin;
    for (long i = 0; i < count; i++)
        BENCH_REQUIRE(results[i][size - 1] == 'x');
    return elapsed;
}

int main(int argc, char **argv)
{
    long workers = bench_number(argc, argv, "workers", 2);
    long count = bench_number(argc, argv, "count", 100000);
    long bytes = bench_number(argc, argv, "bytes", 0);
    bool touched = strcmp(bench_word(argc, argv, "results", "new"), "touched") == 0;
    bench_print_rate(bytes == 0 ? run_ints(workers, count) : run_bytes(count, bytes, touched),
                     count);
    return 0;
}
