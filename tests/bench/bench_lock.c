/*
 * bench_lock.c - a brood_lock that is acquired and released again and again.
 *
 *     --processes N  (1: nobody else wants it)  --count N  in all
 *
 * What the lock guards is a number that nobody else changes: it has to be right at the end.
 */
#include <string.h>

#include <brood/brood.h>

#include "bench.h"

static void use(brood_lock *lock, int64_t *number, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        BROOD_CHECK(brood_lock_acquire(lock, BROOD_FOREVER));
        *number += 1;
        BROOD_CHECK(brood_lock_release(lock));
    }
}

/* worker(lock, number, ready, go, count) */
static brood_status worker(brood_call *call)
{
    const brood_value *values[4];
    brood_lock *lock;
    brood_array *number;
    brood_semaphore *ready;
    brood_event *go;
    int64_t count;
    BROOD_TRY(
        brood_call_args(call, "vvvvi", &values[0], &values[1], &values[2], &values[3], &count));
    BROOD_TRY(brood_get_lock(values[0], &lock));
    BROOD_TRY(brood_get_array(values[1], &number));
    BROOD_TRY(brood_get_semaphore(values[2], &ready));
    BROOD_TRY(brood_get_event(values[3], &go));
    BROOD_TRY(brood_semaphore_release(ready));
    BROOD_TRY(brood_event_wait(go, BROOD_FOREVER));
    use(lock, brood_array_data(number), count);
    return BROOD_OK;
}

static int64_t run_many(brood_lock *lock, brood_array *number, int processes, int64_t each)
{
    enum { MOST = 64 };
    brood_process *workers[MOST];
    brood_semaphore *ready;
    brood_event *go;
    BENCH_REQUIRE(processes <= MOST);
    BROOD_CHECK(brood_semaphore_create(&ready, 0));
    BROOD_CHECK(brood_event_create(&go));
    for (int i = 0; i < processes; i++) {
        brood_value args = brood_pack("(vvvvl)", brood_lock_value(lock), brood_array_value(number),
                                      brood_semaphore_value(ready), brood_event_value(go), each);
        BROOD_CHECK(brood_process_create(&workers[i], worker, args, NULL));
        BROOD_CHECK(brood_process_start(workers[i]));
    }
    for (int i = 0; i < processes; i++)
        BROOD_CHECK(brood_semaphore_acquire(ready, BROOD_FOREVER));
    int64_t begin = bench_now();
    BROOD_CHECK(brood_event_set(go));
    for (int i = 0; i < processes; i++) {
        int code;
        BROOD_CHECK(brood_process_join(workers[i], BROOD_FOREVER));
        BROOD_CHECK(brood_process_exitcode(workers[i], &code));
        BENCH_REQUIRE(code == 0);
        brood_process_destroy(workers[i]);
    }
    int64_t elapsed = bench_now() - begin;
    brood_semaphore_destroy(ready);
    brood_event_destroy(go);
    return elapsed;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    int processes = (int)bench_number(argc, argv, "processes", 1);
    long count = bench_number(argc, argv, "count", 10000000);
    int64_t each = count / processes, elapsed, total;
    brood_lock *lock;
    brood_array *number;
    BROOD_CHECK(brood_lock_create(&lock));
    BROOD_CHECK(brood_array_create(&number, "q", 1, &(brood_array_options){.unlocked = true}));
    if (processes == 1) {
        int64_t begin = bench_now();
        use(lock, brood_array_data(number), each);
        elapsed = bench_now() - begin;
    } else {
        elapsed = run_many(lock, number, processes, each);
    }
    memcpy(&total, brood_array_data(number), sizeof total);
    BENCH_REQUIRE(total == each * processes);
    brood_array_destroy(number);
    brood_lock_destroy(lock);
    bench_print_rate(elapsed, (long)total);
    return 0;
}
