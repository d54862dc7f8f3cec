/*
 * executor.c - the same calls on processes and on threads: submit, map, callbacks, as_completed,
 * wait, shutdown. Only the engine's name differs.
 *
 * Python: concurrent.futures.ProcessPoolExecutor, ThreadPoolExecutor
 */
#include "check.h"

enum { N = 8 };

static brood_status square(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "l", &n));
    return brood_call_return(call, brood_int(n * n));
}

static void count_done(void *context, brood_future *future)
{
    EXPECT(brood_future_is_done(future));
    ++*(int *)context; /* by one thread at a time: there is one worker thread in this example */
}

static int64_t int_of(const brood_value *value)
{
    int64_t n;
    BROOD_CHECK(brood_get_int(value, &n));
    return n;
}

static int64_t sum_of_submitted(brood_executor *executor, int *n_done)
{
    brood_future *futures[N], *next;
    brood_completed *completed;
    int64_t sum = 0;
    size_t n;
    for (int i = 0; i < N; i++) {
        BROOD_CHECK(
            brood_executor_submit(executor, square, brood_pack("(i)", i), NULL, &futures[i]));
        BROOD_CHECK(brood_future_add_callback(futures[i], count_done, n_done));
    }
    BROOD_CHECK(brood_wait_futures(futures, N, BROOD_WAIT_FIRST, BROOD_FOREVER, &n));
    EXPECT(n >= 1);
    BROOD_CHECK(brood_as_completed(&completed, futures, N));
    while (brood_completed_next(completed, &next, BROOD_FOREVER) == BROOD_OK) {
        const brood_value *value;
        BROOD_CHECK(brood_future_get(next, &value, 0));
        sum += int_of(value);
    }
    brood_completed_destroy(completed);
    for (int i = 0; i < N; i++)
        brood_future_destroy(futures[i]);
    return sum;
}

static int64_t sum_of_map(brood_executor *executor)
{
    brood_value items = brood_list(), value;
    brood_results *results;
    int64_t sum = 0, i = 0;
    for (int n = 0; n < N; n++)
        BROOD_CHECK(brood_append(&items, brood_int(n)));
    BROOD_CHECK(brood_executor_map(executor, square, items, NULL, &results));
    for (; brood_results_next(results, &value) == BROOD_OK; i++) {
        EXPECT(int_of(&value) == i * i);
        sum += int_of(&value);
    }
    EXPECT(i == N);
    brood_results_destroy(results);
    return sum;
}

static int64_t run(const char *engine)
{
    brood_executor *executor;
    int n_done = 0;
    BROOD_CHECK(brood_executor_create(&executor,
                                      &(brood_executor_options){.engine = engine, .workers = 1}));
    int64_t sum = sum_of_submitted(executor, &n_done) + sum_of_map(executor);
    BROOD_CHECK(brood_executor_shutdown(executor, BROOD_SHUTDOWN_WAIT));
    EXPECT(n_done == N);
    brood_executor_destroy(executor);
    printf("%-10s %lld\n", engine, (long long)sum);
    return sum;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    EXPECT(run("processes") == 2 * 140);
    EXPECT(run("threads") == 2 * 140);
    return 0;
}
