/*
 * bench_queue.c - messages through a queue.
 *
 *     --what bytes|value|many  --bytes N  --producers N  --consumers N  --count N
 *
 *     --limit N  bytes that may wait (0: the default)
 *
 * value: pickled small tuples. many: bytes in batches of 32.
 */
#include <string.h>

#include <brood/brood.h>

#include "bench.h"

enum { BATCH = 32 };

typedef struct job {
    brood_queue *queue, *sums;
    int64_t count, bytes;
    const char *what;
} job;

static brood_status take_job(brood_call *call, job *out)
{
    const brood_value *queue, *sums;
    int64_t cpu;
    BROOD_TRY(
        brood_call_args(call, "vviisi", &queue, &sums, &out->count, &out->bytes, &out->what, &cpu));
    if (cpu >= 0)
        bench_pin((int)cpu);
    BROOD_TRY(brood_get_queue(sums, &out->sums));
    return brood_get_queue(queue, &out->queue);
}

static brood_status put_values(const job *all)
{
    for (int64_t i = 0; i < all->count; i++)
        BROOD_TRY(brood_queue_put(all->queue, brood_pack("(ils)", 1, i, "value"), BROOD_FOREVER));
    return BROOD_OK;
}

static brood_status put_batches(const job *all, unsigned char *bytes)
{
    for (int64_t i = 0; i < all->count; i += BATCH) {
        brood_span spans[BATCH];
        size_t n = all->count - i < BATCH ? (size_t)(all->count - i) : BATCH;
        for (size_t j = 0; j < n; j++) {
            unsigned char *at = bytes + j * (size_t)all->bytes;
            int64_t number = i + (int64_t)j;
            memcpy(at, &number, sizeof number);
            spans[j] = (brood_span){at, (size_t)all->bytes};
        }
        BROOD_TRY(brood_queue_put_bytes_many(all->queue, spans, n, BROOD_FOREVER, NULL));
    }
    return BROOD_OK;
}

static brood_status put_all(brood_call *call)
{
    job all;
    BROOD_TRY(take_job(call, &all));
    unsigned char *bytes = calloc(BATCH, (size_t)all.bytes);
    BENCH_REQUIRE(bytes != NULL);
    brood_status status = BROOD_OK;
    if (strcmp(all.what, "value") == 0)
        status = put_values(&all);
    else if (strcmp(all.what, "many") == 0)
        status = put_batches(&all, bytes);
    else
        for (int64_t i = 0; i < all.count && status == BROOD_OK; i++) {
            memcpy(bytes, &i, sizeof i);
            status = brood_queue_put_bytes(all.queue, bytes, (size_t)all.bytes, BROOD_FOREVER);
        }
    free(bytes);
    return status;
}

/* One message, or some; how many, and the sum of their numbers. */
static brood_status get_some(const job *all, unsigned char *bytes, int64_t *n, int64_t *sum)
{
    size_t room = (size_t)all->bytes * BATCH, sizes[BATCH], got = 1;
    if (strcmp(all->what, "value") == 0) {
        brood_value value;
        const char *text;
        int64_t one, number;
        BROOD_TRY(brood_queue_get(all->queue, &value, BROOD_FOREVER));
        BROOD_TRY(brood_unpack(&value, "ils", &one, &number, &text));
        brood_value_clear(&value);
        *sum += number;
        *n = 1;
        return BROOD_OK;
    }
    if (strcmp(all->what, "many") == 0)
        BROOD_TRY(
            brood_queue_get_bytes_many(all->queue, bytes, room, sizes, BATCH, &got, BROOD_FOREVER));
    else
        BROOD_TRY(brood_queue_get_bytes_into(all->queue, bytes, room, sizes, BROOD_FOREVER));
    for (size_t i = 0; i < got; i++) {
        int64_t number;
        memcpy(&number, bytes + i * (size_t)all->bytes, sizeof number);
        *sum += number;
    }
    *n = (int64_t)got;
    return BROOD_OK;
}

static brood_status get_all(brood_call *call)
{
    job all;
    int64_t sum = 0;
    BROOD_TRY(take_job(call, &all));
    unsigned char *bytes = calloc(BATCH, (size_t)all.bytes);
    BENCH_REQUIRE(bytes != NULL);
    for (;;) {
        int64_t n;
        brood_status status = get_some(&all, bytes, &n, &sum);
        if (status == BROOD_ECLOSED)
            break;
        BROOD_TRY(status);
        all.count += n;
    }
    free(bytes);
    return brood_queue_put(all.sums, brood_pack("(ll)", all.count, sum), BROOD_FOREVER);
}

static brood_process *start(brood_function function, const job *all, int cpu)
{
    brood_process *process;
    brood_value arguments =
        brood_pack("(vvllsi)", brood_queue_value(all->queue), brood_queue_value(all->sums),
                   all->count, all->bytes, all->what, cpu);
    BROOD_CHECK(brood_process_create(&process, function, arguments, NULL));
    BROOD_CHECK(brood_process_start(process));
    return process;
}

static void finish(brood_process *process)
{
    int code;
    BROOD_CHECK(brood_process_join(process, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(process, &code));
    BENCH_REQUIRE(code == 0);
    brood_process_destroy(process);
}

static void check_sums(const job *all, int producers, int consumers)
{
    int64_t count = 0, sum = 0, wanted = all->count * (all->count - 1) / 2 * producers;
    for (int i = 0; i < consumers; i++) {
        brood_value value;
        int64_t n, part;
        BROOD_CHECK(brood_queue_get(all->sums, &value, 0));
        BROOD_CHECK(brood_unpack(&value, "(ll)", &n, &part));
        brood_value_clear(&value);
        count += n;
        sum += part;
    }
    BENCH_REQUIRE(count == all->count * producers && sum == wanted);
}

int main(int argc, char **argv)
{
    enum { MOST = 16 };
    BROOD_CHECK(brood_init(&argc, &argv));
    int producers = (int)bench_number(argc, argv, "producers", 1);
    int consumers = (int)bench_number(argc, argv, "consumers", 1);
    BENCH_REQUIRE(producers <= MOST && consumers <= MOST);
    job all = {.count = bench_number(argc, argv, "count", 1000000) / producers,
               .bytes = bench_number(argc, argv, "bytes", 64),
               .what = bench_word(argc, argv, "what", "bytes")};
    /* On two CPUs when there is one on each side. */
    int cpus = producers + consumers == 2 ? 0 : -1000;
    if (cpus == 0)
        bench_need_cpus(2);
    brood_process *putters[MOST], *getters[MOST];
    job getting = all;
    brood_queue_options options = {.memory_limit = (uint64_t)bench_number(argc, argv, "limit", 0)};
    BROOD_CHECK(brood_queue_create(&all.queue, &options));
    BROOD_CHECK(brood_queue_create(&all.sums, NULL));
    getting.queue = all.queue;
    getting.sums = all.sums;
    getting.count = 0;
    for (int i = 0; i < consumers; i++)
        getters[i] = start(get_all, &getting, cpus + 1 + i);
    int64_t before = bench_now();
    for (int i = 0; i < producers; i++)
        putters[i] = start(put_all, &all, cpus + i);
    for (int i = 0; i < producers; i++)
        finish(putters[i]);
    brood_queue_close(all.queue);
    for (int i = 0; i < consumers; i++)
        finish(getters[i]);
    int64_t after = bench_now();
    check_sums(&all, producers, consumers);
    brood_queue_destroy(all.queue);
    brood_queue_destroy(all.sums);
    bench_print_rate(after - before, (long)all.count * producers);
    return 0;
}
