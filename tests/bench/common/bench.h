/*
 * bench.h - what the programs of a benchmark share, brood's and the raw limits alike.
 *
 * A program takes "--option value" pairs, of which --count N tells how often to do it; checks what
 * it did; and prints its figure as one line, "metric=us value=12.5". tools/bench runs it, in turns
 * with its peers.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program with a message unless the condition holds: a figure is worth nothing when the
 * work was not done. */
#define BENCH_REQUIRE(condition)                                                      \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

/* The exit code of a program that cannot measure on this machine, after it said why on stderr. */
enum { BENCH_SKIP = 77 };

/* What follows "--name" on the command line, the last one of several; or the fallback. */
const char *bench_word(int argc, char **argv, const char *name, const char *fallback);
long bench_number(int argc, char **argv, const char *name, long fallback);

/* Takes that many MB of memory and touches every page. It is never given back. */
void bench_resident(long mb);

/* Prints nanoseconds for `count` operations: as microseconds each, or as operations a second. */
void bench_print_us(int64_t elapsed, long count);
void bench_print_rate(int64_t elapsed, long count);

/* ---- bench_posix.c, bench_win32.c ---- */

/* Nanoseconds of a clock that never goes back. */
int64_t bench_now(void);

/* Memory in KB that process `pid` (0: this one) has for itself: all but the pages of files and what
 * processes share. Skips the benchmark where the system does not tell. */
long bench_private_kb(int64_t pid);

/* Skips the benchmark unless threads can be bound to that many different CPUs. */
void bench_need_cpus(int n);

/* Binds the calling thread to the nth of the CPUs that it may use now. Children inherit it. */
void bench_pin(int nth);

#endif /* BENCH_H */
