/* bench.c - the portable part of bench.h. */
#include "bench.h"

#include <string.h>

const char *bench_word(int argc, char **argv, const char *name, const char *fallback)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0)
            fallback = argv[i + 1];
    return fallback;
}

long bench_number(int argc, char **argv, const char *name, long fallback)
{
    const char *text = bench_word(argc, argv, name, NULL);
    if (text == NULL)
        return fallback;
    char *end;
    long number = strtol(text, &end, 10);
    BENCH_REQUIRE(end != text && *end == '\0');
    return number;
}

void bench_resident(long mb)
{
    if (mb <= 0)
        return;
    size_t size = (size_t)mb << 20;
    volatile char *memory = malloc(size);
    BENCH_REQUIRE(memory != NULL);
    for (size_t i = 0; i < size; i += 4096)
        memory[i] = 1;
}

void bench_print_us(int64_t elapsed, long count)
{
    printf("metric=us value=%.6g\n", (double)elapsed / 1e3 / (double)count);
}

void bench_print_rate(int64_t elapsed, long count)
{
    printf("metric=ops/s value=%.6g\n", (double)count * 1e9 / (double)elapsed);
}
