/* brood-test: start-methods */
/*
 * The matrix of failures: a worker that is killed, crashes, exits or is stopped, at each step of a
 * task's way; memory that runs out; what cannot be sent or read. Every task ends exactly once, in
 * time, and at most one is lost.
 */
#include "harness.h"

#include <signal.h>

#include "core/killpoint.h"
#include "platform/child.h"

enum { HANG = 20000, TASKS = 30, LARGE = 150000, DEADLINE = 400 };

/* ---- a worker ends at a step ---- */

typedef enum way { KILL, CRASH, EXIT, STOP, WAYS } way;

static const char *const way_names[] = {"kill", "crash", "exit", "stop"};
static const char *const steps[] = {
    "pool-worker-ready",   "pool-take-taken",     "pool-task-begin",  "in the function",
    "pool-result-writing", "pool-finish-written", "pool-finish-done", "pool-finish-pushed"};

enum { STEPS = sizeof steps / sizeof steps[0] };

/* Of a worker. */
static const char *armed;
static way armed_way;

static void end_as(way how)
{
    switch (how) {
    case KILL:
        brp_kill_self();
        break;
    case CRASH:
        signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would make an exit of it */
        raise(SIGSEGV);
        break;
    case EXIT:
        brp_exit_now(3);
        break;
    default:
#ifdef SIGSTOP
        raise(SIGSTOP);
#endif
        break;
    }
}

static void end_when_armed(const char *step)
{
    if (armed == NULL || strcmp(step, armed) != 0)
        return;
    armed = NULL;
    end_as(armed_way);
}

/* (queue with one token, step, way): whoever gets the token ends at that step. */
static brood_status arm(brood_call *call)
{
    const brood_value *value;
    brood_queue *token;
    brood_value got;
    int64_t step, how;
    BROOD_TRY(brood_call_args(call, "vll", &value, &step, &how));
    BROOD_TRY(brood_get_queue(value, &token));
    if (brood_queue_get(token, &got, 0) != BROOD_OK)
        return BROOD_OK;
    armed = steps[step];
    armed_way = (way)how;
    bri_kill_watch(end_when_armed);
    return BROOD_OK;
}

static brood_status give_large(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "l", &n));
    end_when_armed("in the function");
    char *data = malloc(LARGE);
    bt_check(call, data != NULL);
    memset(data, (int)n, LARGE);
    brood_value bytes = brood_bytes(data, LARGE);
    free(data);
    return brood_call_return(call, bytes);
}

static void expect_large(const brood_value *value, int n)
{
    const void *data;
    size_t size;
    bt_ok(brood_get_bytes(value, &data, &size));
    assert_int_equal(size, LARGE);
    assert_int_equal(((const char *)data)[0], n);
    assert_int_equal(((const char *)data)[LARGE - 1], n);
}

/* How the lost task tells of its end. */
static void expect_loss(brood_future *future, way how)
{
    brood_failure failure;
    bt_ok(brood_future_failure(future, &failure, 0));
    assert_string_equal(failure.kind,
                        how == STOP ? "TimeoutError" : "multiprocessing.context.ProcessError");
    if (how == EXIT)
        assert_int_equal(failure.exitcode, 3);
    else if (how != CRASH || bt_is_windows())
        assert_true(failure.exitcode != 0);
    else
        assert_int_equal(failure.exitcode, -SIGSEGV);
}

static void run_cell(int step, way how)
{
    brood_pool *pool;
    brood_queue *token;
    brood_future *futures[TASKS];
    int lost = 0;
    bt_ok(brood_queue_create(&token, NULL));
    bt_ok(brood_queue_put(token, brood_none(), HANG));
    brood_pool_options options = {
        .workers = 2,
        .initializer = arm,
        .initargs = brood_pack("(vll)", brood_queue_value(token), (int64_t)step, (int64_t)how)};
    bt_ok(brood_pool_create(&pool, &options));
    brood_apply_options limited = {.policy.hard_deadline = how == STOP ? DEADLINE : 0};
    for (int i = 0; i < TASKS; i++)
        bt_ok(
            brood_pool_apply_async(pool, give_large, brood_pack("(i)", i), &limited, &futures[i]));
    for (int i = 0; i < TASKS; i++) {
        const brood_value *value;
        brood_status status = brood_future_get(futures[i], &value, HANG);
        if (status == BROOD_OK) {
            expect_large(value, i);
        } else {
            assert_int_equal(status, how == STOP ? BROOD_ETASK : BROOD_EWORKERDIED);
            expect_loss(futures[i], how);
            lost++;
        }
        brood_future_destroy(futures[i]);
    }
    assert_in_range(lost, 0, 1);
    bt_ok(brood_pool_terminate(pool)); /* a stopped worker without a task would never end */
    bt_ok(brood_pool_join(pool, HANG));
    brood_pool_destroy(pool);
    brood_queue_destroy(token);
}

static void run_row(way how)
{
    for (int step = 0; step < STEPS; step++) {
        print_message("%s: %s\n", way_names[how], steps[step]);
        run_cell(step, how);
    }
}

static void test_a_killed_worker_costs_one_task_at_most(void **state)
{
    (void)state;
    run_row(KILL);
}

static void test_a_crashed_worker_costs_one_task_at_most(void **state)
{
    (void)state;
    run_row(CRASH);
}

static void test_a_worker_that_exits_costs_one_task_at_most(void **state)
{
    (void)state;
    run_row(EXIT);
}

static void test_a_stopped_worker_costs_one_task_at_most(void **state)
{
    (void)state;
    if (bt_is_windows())
        bt_skip("processes cannot be stopped there");
    run_row(STOP);
}

/* ---- memory ---- */

static brood_status give_huge(brood_call *call)
{
    size_t size = (size_t)600 << 20;
    void *data = malloc(size);
    if (data == NULL)
        return BROOD_ENOMEM;
    free(data);
    return brood_call_return(call, brood_none());
}

static brood_status get_pid(brood_call *call)
{
    return brood_call_return(call, brood_int(brood_process_pid(brood_current_process())));
}

static int64_t pid_of(brood_pool *pool)
{
    brood_value result;
    int64_t pid;
    bt_ok(brood_pool_apply(pool, get_pid, (brood_value){0}, NULL, &result));
    bt_ok(brood_get_int(&result, &pid));
    return pid;
}

static void test_memory_that_runs_out_fails_the_task_alone(void **state)
{
    (void)state;
    if (bt_has_address_sanitizer() || bt_has_thread_sanitizer() || bt_is_windows())
        bt_skip("the system's limit cannot be relied on here");
    brood_pool *pool;
    brood_value result;
    bt_ok(brood_pool_create(&pool, &(brood_pool_options){.workers = 1, .memory_limit = 300 << 20}));
    int64_t pid = pid_of(pool);
    bt_fails(brood_pool_apply(pool, give_huge, (brood_value){0}, NULL, &result), BROOD_ETASK);
    bt_message_has("MemoryError");
    assert_int_equal(pid_of(pool), pid);
    bt_ok(brood_pool_close(pool));
    bt_ok(brood_pool_join(pool, HANG));
    brood_pool_destroy(pool);
}

/* ---- what cannot be sent or read ---- */

static brood_status give_none(brood_call *call)
{
    (void)call;
    return BROOD_OK;
}

/* (told, awaited) */
static brood_status hold(brood_call *call)
{
    const brood_value *first, *second;
    brood_queue *told, *awaited;
    brood_value got;
    BROOD_TRY(brood_call_args(call, "vv", &first, &second));
    BROOD_TRY(brood_get_queue(first, &told));
    BROOD_TRY(brood_get_queue(second, &awaited));
    BROOD_TRY(brood_queue_put(told, brood_none(), HANG));
    BROOD_TRY(brood_queue_get(awaited, &got, HANG));
    return BROOD_OK;
}

/* The queue among the arguments ends before a worker can read them. */
static void test_arguments_that_cannot_be_read_fail_the_task(void **state)
{
    (void)state;
    brood_pool *pool;
    brood_queue *told, *awaited, *gone;
    brood_future *holder, *future;
    brood_value value;
    bt_ok(brood_queue_create(&told, NULL));
    bt_ok(brood_queue_create(&awaited, NULL));
    bt_ok(brood_pool_create(&pool, &(brood_pool_options){.workers = 1}));
    bt_ok(brood_queue_create(&gone, NULL)); /* not before: a forked worker would have it too */
    bt_ok(brood_pool_apply_async(
        pool, hold, brood_pack("(vv)", brood_queue_value(told), brood_queue_value(awaited)), NULL,
        &holder));
    bt_ok(brood_queue_get(told, &value, HANG));
    bt_ok(brood_pool_apply_async(pool, give_none, brood_pack("(v)", brood_queue_value(gone)), NULL,
                                 &future));
    brood_queue_destroy(gone);
    bt_ok(brood_queue_put(awaited, brood_none(), HANG));
    bt_fails(brood_future_take(future, &value, HANG), BROOD_ETASK);
    bt_message_has("could not read the arguments of a task");
    bt_ok(brood_future_wait(holder, HANG));
    brood_future_destroy(future);
    brood_future_destroy(holder);
    bt_ok(brood_pool_close(pool));
    bt_ok(brood_pool_join(pool, HANG));
    brood_pool_destroy(pool);
    brood_queue_destroy(told);
    brood_queue_destroy(awaited);
}

static brood_status give_connection(brood_call *call)
{
    brood_connection *first, *second;
    BROOD_TRY(brood_pipe(&first, &second, true));
    brood_value value = brood_connection_value(first);
    brood_connection_close(first);
    brood_connection_close(second);
    return brood_call_return(call, value);
}

/* Nobody has it any more when the result is read. */
static brood_status give_short_lived_queue(brood_call *call)
{
    brood_queue *queue;
    BROOD_TRY(brood_queue_create(&queue, NULL));
    brood_value value = brood_queue_value(queue);
    brood_queue_destroy(queue);
    return brood_call_return(call, value);
}

static void test_results_that_cannot_be_sent_or_read_fail_the_task(void **state)
{
    (void)state;
    brood_pool *pool;
    brood_value result;
    bt_ok(brood_pool_create(&pool, &(brood_pool_options){.workers = 1}));
    bt_fails(brood_pool_apply(pool, give_connection, (brood_value){0}, NULL, &result), BROOD_ETASK);
    bt_message_has("could not send the result of a task");
    bt_fails(brood_pool_apply(pool, give_short_lived_queue, (brood_value){0}, NULL, &result),
             BROOD_ETASK);
    bt_message_has("could not read the result of a task");
    assert_true(pid_of(pool) > 0);
    bt_ok(brood_pool_close(pool));
    bt_ok(brood_pool_join(pool, HANG));
    brood_pool_destroy(pool);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_killed_worker_costs_one_task_at_most),
                   bt_test(test_a_crashed_worker_costs_one_task_at_most),
                   bt_test(test_a_worker_that_exits_costs_one_task_at_most),
                   bt_test(test_a_stopped_worker_costs_one_task_at_most),
                   bt_test(test_memory_that_runs_out_fails_the_task_alone),
                   bt_test(test_arguments_that_cannot_be_read_fail_the_task),
                   bt_test(test_results_that_cannot_be_sent_or_read_fail_the_task));
}
