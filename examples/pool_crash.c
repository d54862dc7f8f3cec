/*
 * pool_crash.c - a task that crashes its worker, one that hangs, one that fails: only they are
 * lost, all others are done. The one that crashes once only is tried again.
 *
 * Python: none; multiprocessing.Pool waits for ever for a task whose worker was killed.
 */
#include <signal.h>
#include <string.h>

#include "check.h"

static brood_status crash(brood_call *call)
{
    (void)call;
    signal(SIGSEGV, SIG_DFL); /* a sanitizer would make an exit of it */
    raise(SIGSEGV);
    return BROOD_OK;
}

static brood_status crash_once(brood_call *call)
{
    return brood_call_attempt(call) == 1 ? crash(call) : brood_call_return(call, brood_int(1));
}

static brood_status hang(brood_call *call)
{
    (void)call;
    brood_sleep(600000);
    return BROOD_OK;
}

static brood_status fail(brood_call *call)
{
    return brood_call_raise(call, "ValueError", "nothing is right");
}

static brood_status square(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "l", &n));
    return brood_call_return(call, brood_int(n * n));
}

static brood_future *submit(brood_pool *pool, brood_function function, brood_task_policy policy)
{
    brood_future *future;
    brood_apply_options options = {.policy = policy};
    BROOD_CHECK(brood_pool_apply_async(pool, function, (brood_value){0}, &options, &future));
    return future;
}

static void expect_failure(brood_future *future, const char *what, brood_status status,
                           const char *kind)
{
    brood_failure failure;
    const brood_value *value;
    EXPECT(brood_future_get(future, &value, BROOD_FOREVER) == status);
    BROOD_CHECK(brood_future_failure(future, &failure, 0));
    printf("%-6s %s: %s\n", what, failure.kind, failure.message);
    EXPECT(strcmp(failure.kind, kind) == 0);
    EXPECT((failure.exitcode != 0) == (strcmp(what, "failed") != 0));
    brood_future_destroy(future);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    enum { GOOD = 100 };
    brood_pool *pool;
    brood_future *good[GOOD];
    brood_value value;
    BROOD_CHECK(brood_pool_create(&pool, &(brood_pool_options){.workers = 2}));
    brood_future *crashed = submit(pool, crash, (brood_task_policy){0});
    brood_future *hung = submit(pool, hang, (brood_task_policy){.hard_deadline = 200});
    brood_future *failed = submit(pool, fail, (brood_task_policy){0});
    brood_future *healed = submit(pool, crash_once, (brood_task_policy){.retries = 3});
    for (int i = 0; i < GOOD; i++)
        BROOD_CHECK(brood_pool_apply_async(pool, square, brood_pack("(i)", i), NULL, &good[i]));

    for (int64_t i = 0; i < GOOD; i++) {
        int64_t n;
        BROOD_CHECK(brood_future_take(good[i], &value, BROOD_FOREVER));
        BROOD_CHECK(brood_get_int(&value, &n));
        EXPECT(n == i * i);
        brood_future_destroy(good[i]);
    }
    expect_failure(crashed, "crashed", BROOD_EWORKERDIED, "multiprocessing.context.ProcessError");
    expect_failure(hung, "hung", BROOD_ETASK, "TimeoutError");
    expect_failure(failed, "failed", BROOD_ETASK, "ValueError");
    BROOD_CHECK(brood_future_take(healed, &value, BROOD_FOREVER));
    brood_future_destroy(healed);
    printf("%d others and a second attempt went well\n", GOOD);
    BROOD_CHECK(brood_pool_close(pool));
    BROOD_CHECK(brood_pool_join(pool, BROOD_FOREVER));
    brood_pool_destroy(pool);
    return 0;
}
