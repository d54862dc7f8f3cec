/*
 * pool_callback.c - results and failures are told to callbacks, in the process that submitted the
 * tasks.
 *
 * Python: Pool.apply_async(func, args, callback=..., error_callback=...)
 */
#include <string.h>

#include "check.h"

/* What the callbacks saw. They all run on one thread, and have ended when the pool is joined. */
typedef struct seen {
    int64_t pid; /* of the process in which they ran */
    int64_t sum;
    int results, failures;
} seen;

static brood_status halve(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "l", &n));
    if (n % 2 != 0)
        return brood_call_raise(call, "ValueError", "%lld is odd", (long long)n);
    return brood_call_return(call, brood_int(n / 2));
}

static void on_result(void *context, const brood_value *result)
{
    seen *s = context;
    int64_t n;
    BROOD_CHECK(brood_get_int(result, &n));
    s->pid = brood_process_pid(brood_current_process());
    s->sum += n;
    s->results++;
}

static void on_failure(void *context, brood_status status, const brood_failure *failure)
{
    seen *s = context;
    EXPECT(status == BROOD_ETASK && strcmp(failure->kind, "ValueError") == 0);
    EXPECT(failure->pid != brood_process_pid(brood_current_process()));
    printf("failed in process %lld: %s: %s\n", (long long)failure->pid, failure->kind,
           failure->message);
    s->failures++;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    brood_pool *pool;
    seen s = {0};
    brood_apply_options options = {
        .callback = on_result, .error_callback = on_failure, .context = &s};
    BROOD_CHECK(brood_pool_create(&pool, &(brood_pool_options){.workers = 3}));
    for (int i = 0; i < 10; i++)
        BROOD_CHECK(brood_pool_apply_async(pool, halve, brood_pack("(i)", i), &options, NULL));
    BROOD_CHECK(brood_pool_close(pool));
    BROOD_CHECK(brood_pool_join(pool, BROOD_FOREVER));
    brood_pool_destroy(pool);

    printf("%d results, their sum is %lld; %d failures\n", s.results, (long long)s.sum, s.failures);
    EXPECT(s.results == 5 && s.failures == 5);
    EXPECT(s.sum == 0 + 1 + 2 + 3 + 4);
    EXPECT(s.pid == brood_process_pid(brood_current_process()));
    return 0;
}
