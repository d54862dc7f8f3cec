/* brood-test: start-methods */
/*
 * The matrix of failures: a worker that is killed, crashes, exits or is stopped, at each step of
 * its life and of a task's way; memory that runs out, here and there; what cannot be sent or read.
 * Every task ends exactly once, in time, with the status that its cell says.
 */
#include "pools.h"

#include <signal.h>
#include <stdatomic.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/killpoint.h"
#include "core/thread.h"
#include "core/transfer.h"
#include "platform/child.h"

enum { TASKS = 30, LARGE = 150000, DEADLINE = 1000 };

/* ---- a worker ends at a step ---- */

typedef enum way { KILL, CRASH, EXIT, STOP, WAYS } way;

static const char *const way_names[] = {"kill", "crash", "exit", "stop"};

/* Large results do not fit into a slot. `lost`: how many tasks it costs. */
static const struct {
    const char *name;
    bool has_task;
    int lost;
} steps[] = {
    {"starting", false, 0},
    {"pool-worker-ready", false, 0},
    {"idle", false, 0},
    {"pool-take-taken", true, 1},
    {"pool-task-begin", true, 1},
    {"decoding", true, 1},
    {"running", true, 1},
    {"encoding", true, 1},
    {"pool-result-writing", true, 1},
    {"pool-finish-written", true, 1},
    {"pool-finish-done", true, 0},
    {"pool-finish-pushed", false, 0},
};

enum { STEPS = sizeof steps / sizeof steps[0] };

/* Of a worker. Two of its threads look when it is to end while it is idle. */
static const char *_Atomic armed;
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
    const char *at = atomic_load(&armed);
    if (at == NULL || strcmp(step, at) != 0)
        return;
    atomic_store(&armed, NULL);
    end_as(armed_way);
}

/* An object in arguments and results: reading and writing it is decoding and encoding. */
static int the_trap;

static brood_status retain_trap(void *object)
{
    (void)object;
    return BROOD_OK;
}

static void release_trap(void *object)
{
    (void)object;
}

static brood_status reduce_trap(void *object, bri_transfer *transfer, brood_value *arguments)
{
    (void)object, (void)transfer;
    end_when_armed("encoding");
    *arguments = brood_tuple(0);
    return BROOD_OK;
}

static brood_status rebuild_trap(const brood_value *arguments, bri_transfer *transfer,
                                 void **object)
{
    (void)arguments, (void)transfer;
    end_when_armed("decoding");
    *object = &the_trap;
    return BROOD_OK;
}

static const bri_object_class trap_class = {.name = "Trap",
                                            .retain = retain_trap,
                                            .release = release_trap,
                                            .reduce = reduce_trap,
                                            .rebuild = rebuild_trap};

static brood_value kept_word; /* of an armed worker */

/* Beside the worker's own thread, which is idle then. */
static void end_at_the_word(void *context)
{
    brood_queue *word;
    brood_value got;
    (void)context;
    if (brood_get_queue(&kept_word, &word) == BROOD_OK &&
        brood_queue_get(word, &got, BROOD_FOREVER) == BROOD_OK)
        end_when_armed("idle");
}

/* (queue with one token, queue for a word, step, way): whoever gets the token ends at that step. */
static brood_status arm(brood_call *call)
{
    const brood_value *value, *word;
    brood_queue *token;
    brood_value got;
    int64_t step, how;
    BROOD_TRY(brood_call_args(call, "vvll", &value, &word, &step, &how));
    BROOD_TRY(brood_get_queue(value, &token));
    if (brood_queue_get(token, &got, 0) != BROOD_OK)
        return BROOD_OK;
    armed_way = (way)how;
    atomic_store(&armed, steps[step].name);
    bri_kill_watch(end_when_armed);
    end_when_armed("starting");
    if (strcmp(steps[step].name, "idle") == 0) {
        bri_thread *thread;
        BROOD_TRY(brood_value_copy(word, &kept_word));
        BROOD_TRY(bri_thread_start(&thread, end_at_the_word, NULL));
    }
    return BROOD_OK;
}

/* (n, trap): many bytes and the trap. */
static brood_status give_large(brood_call *call)
{
    int64_t n;
    const brood_value *trap;
    brood_value copy;
    BROOD_TRY(brood_call_args(call, "lv", &n, &trap));
    end_when_armed("running");
    char *data = malloc(LARGE);
    bt_check(call, data != NULL);
    memset(data, (int)n, LARGE);
    brood_value bytes = brood_bytes(data, LARGE);
    free(data);
    BROOD_TRY(brood_value_copy(trap, &copy));
    return brood_call_return(call, brood_pack("(vv)", bytes, copy));
}

static void expect_large(const brood_value *value, int n)
{
    const void *data;
    size_t size;
    bt_ok(brood_get_bytes(brood_item(value, 0), &data, &size));
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

/* The first `n_limited` tasks have a deadline; the others may take any time on a busy machine. */
static int run_tasks(brood_pool *pool, way how, int n_limited)
{
    brood_future *futures[TASKS];
    int lost = 0;
    for (int i = 0; i < TASKS; i++) {
        brood_apply_options limited = {.policy.hard_deadline = i < n_limited ? DEADLINE : 0};
        brood_value args = brood_pack("(iv)", i, bri_object_value(&trap_class, &the_trap));
        bt_ok(brood_pool_apply_async(pool, give_large, args, &limited, &futures[i]));
    }
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
    return lost;
}

static bool all_are_idle(void *context)
{
    brood_pool_stats stats;
    brood_worker_stats workers[2];
    size_t n;
    bt_ok(brood_pool_get_stats(context, &stats, workers, 2, &n));
    for (size_t i = 0; i < n; i++)
        if (workers[i].state != BROOD_WORKER_IDLE)
            return false;
    return true;
}

static bool one_has_died(void *context)
{
    brood_pool_stats stats;
    int64_t pid;
    size_t n;
    bt_ok(brood_pool_pids(context, &pid, 1, &n));
    bt_ok(brood_pool_get_stats(context, &stats, NULL, 0, NULL));
    return stats.deaths == 1;
}

/* A stopped worker without a task hurts nobody, but does nothing either: then there is a second. */
static void run_cell(int step, way how)
{
    bool is_idle = strcmp(steps[step].name, "idle") == 0;
    brood_queue *token, *word;
    brood_pool_stats stats;
    bt_ok(brood_queue_create(&token, NULL));
    bt_ok(brood_queue_create(&word, NULL));
    bt_ok(brood_queue_put(token, brood_none(), HANG));
    brood_pool *pool = make_pool_with(&(brood_pool_options){
        .workers = how == STOP && !steps[step].has_task ? 2 : 1,
        .initializer = arm,
        .initargs = brood_pack("(vvll)", brood_queue_value(token), brood_queue_value(word),
                               (int64_t)step, (int64_t)how)});
    int lost = 0;
    if (is_idle) {
        assert_true(bt_await(all_are_idle, pool, HANG));
        bt_ok(brood_queue_put(word, brood_none(), HANG));
        if (how != STOP)
            assert_true(bt_await(one_has_died, pool, HANG));
    }
    /* Of a single worker's tasks the first is the one with which it stops. */
    lost += run_tasks(pool, how, how != STOP ? 0 : is_idle ? TASKS : steps[step].has_task);
    /* Whether a stop comes before the task is begun nobody knows. */
    if (!(is_idle && how == STOP))
        assert_int_equal(lost, steps[step].lost);
    if (how != STOP)
        assert_true(bt_await(one_has_died, pool, HANG));
    bt_ok(brood_pool_drain(pool, HANG)); /* counted, too */
    bt_ok(brood_pool_get_stats(pool, &stats, NULL, 0, NULL));
    assert_int_equal(stats.ended, TASKS);
    assert_int_equal(stats.failed, lost);
    if (how == STOP && steps[step].has_task)
        assert_int_equal(stats.started, 2); /* it was replaced */
    bt_ok(brood_pool_terminate(pool));      /* a stopped worker without a task would never end */
    bt_ok(brood_pool_join(pool, HANG));
    brood_pool_destroy(pool);
    brood_queue_destroy(token);
    brood_queue_destroy(word);
}

static void run_row(way how)
{
    for (int step = 0; step < STEPS; step++) {
        print_message("%s: %s\n", way_names[how], steps[step].name);
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

/* (n, inner list, text): what has to be decoded and encoded with allocations. */
static brood_status give_back(brood_call *call)
{
    brood_value copy;
    BROOD_TRY(brood_value_copy(brood_call_arguments(call), &copy));
    return brood_call_return(call, copy);
}

/* (n): the n-th allocation from now on fails in this worker: that is in the next task. */
static brood_status starve(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "l", &n));
    bri_memory_fail_at((long)n, 0);
    return BROOD_OK;
}

static brood_value some_arguments(void)
{
    return brood_pack("(i[s[i]]s)", 1, "two", 3, "a text that is too long for an inline value");
}

/* While it decodes, runs, encodes, ends: the task fails, or does not need that allocation. */
static void test_a_worker_without_memory_fails_its_task_alone(void **state)
{
    (void)state;
    enum { MOST = 60 };
    brood_pool *pool = make_pool(1);
    brood_value result;
    int failed = 0;
    int64_t pid = pid_of(pool);
    for (int n = 1; n <= MOST; n++) {
        bt_ok(brood_pool_apply(pool, starve, brood_pack("(i)", n), NULL, &result));
        brood_status status = brood_pool_apply(pool, give_back, some_arguments(), NULL, &result);
        if (status == BROOD_OK) {
            assert_int_equal(brood_value_length(&result), 3);
            brood_value_clear(&result);
        } else {
            assert_int_equal(status, BROOD_ETASK);
            bt_message_has("emory");
            failed++;
        }
    }
    bt_ok(brood_pool_apply(pool, starve, brood_pack("(i)", 0), NULL, &result));
    assert_in_range(failed, 3, MOST - 1); /* the last ones had all that they wanted */
    assert_int_equal(pid_of(pool), pid);
    end_pool(pool);
}

static int64_t n_told;

static void count_value(void *context, const brood_value *value)
{
    (void)context, (void)value;
    n_told++;
}

static void count_failure(void *context, brood_status status, const brood_failure *failure)
{
    (void)context, (void)failure;
    n_told += status == BROOD_ETASK || status == BROOD_ENOMEM;
}

/* The parent runs out of memory while it submits, collects and tells: a call that was refused has
 * not begun, one that was taken ends once. */
static void test_a_parent_without_memory_loses_no_task(void **state)
{
    (void)state;
    enum { MOST = 60 };
    brood_pool *pool = make_pool(1);
    brood_apply_options options = {.callback = count_value, .error_callback = count_failure};
    brood_value result;
    int64_t n_taken = 0;
    n_told = 0;
    (void)pid_of(pool); /* the collector runs */
    for (int n = 1; n <= MOST; n++) {
        brood_value args = some_arguments();
        brood_future *future = NULL;
        bri_memory_fail_at(n, 0);
        brood_status status = brood_pool_apply_async(pool, give_back, args, &options, &future);
        if (status == BROOD_OK)
            bt_ok(brood_future_wait(future, HANG));
        bri_memory_fail_at(0, 0);
        n_taken += status == BROOD_OK;
        if (status != BROOD_OK)
            assert_int_equal(status, BROOD_ENOMEM);
        brood_future_destroy(future);
        brood_value items = numbers(20), results;
        bri_memory_fail_at(n, 0);
        status = brood_pool_map(pool, square, items, NULL, &results);
        bri_memory_fail_at(0, 0);
        if (status == BROOD_OK) {
            assert_int_equal(brood_value_length(&results), 20);
            brood_value_clear(&results);
        } else {
            assert_true(status == BROOD_ENOMEM || status == BROOD_ETASK);
        }
    }
    bt_ok(brood_pool_drain(pool, HANG));
    assert_int_equal(n_told, n_taken);
    bt_ok(brood_pool_apply(pool, square, brood_pack("(i)", 3), NULL, &result));
    end_pool(pool);
}

/* ---- what cannot be sent or read ---- */

/* An object that can be written, and not be read. */
static brood_status reduce_riddle(void *object, bri_transfer *transfer, brood_value *arguments)
{
    (void)object, (void)transfer;
    *arguments = brood_tuple(0);
    return BROOD_OK;
}

static brood_status rebuild_riddle(const brood_value *arguments, bri_transfer *transfer,
                                   void **object)
{
    (void)arguments, (void)transfer, (void)object;
    return bri_fail(BROOD_EFORMAT, "could not make sense of it");
}

static const bri_object_class riddle_class = {.name = "Riddle",
                                              .retain = retain_trap,
                                              .release = release_trap,
                                              .reduce = reduce_riddle,
                                              .rebuild = rebuild_riddle};

static brood_value riddle(void)
{
    return bri_object_value(&riddle_class, &the_trap);
}

static brood_status give_none(brood_call *call)
{
    (void)call;
    return BROOD_OK;
}

static void test_arguments_that_cannot_be_read_fail_the_task(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value value;
    bt_fails(brood_pool_apply(pool, give_none, brood_pack("(v)", riddle()), NULL, &value),
             BROOD_ETASK);
    bt_message_has("could not read the arguments of a task: could not make sense of it");
    bt_ok(brood_pool_apply(pool, give_none, (brood_value){0}, NULL, &value));
    end_pool(pool);
}

static brood_status give_riddle(brood_call *call)
{
    return brood_call_return(call, riddle());
}

static brood_status give_closed_connection(brood_call *call)
{
    brood_connection *first, *second;
    BROOD_TRY(brood_pipe(&first, &second, true));
    brood_value value = brood_connection_value(first);
    brood_connection_close(first);
    brood_connection_close(second);
    return brood_call_return(call, value);
}

static void test_results_that_cannot_be_sent_or_read_fail_the_task(void **state)
{
    (void)state;
    brood_pool *pool = make_pool(1);
    brood_value result;
    bt_fails(brood_pool_apply(pool, give_closed_connection, (brood_value){0}, NULL, &result),
             BROOD_ETASK);
    bt_message_has("could not send the result of a task");
    bt_fails(brood_pool_apply(pool, give_riddle, (brood_value){0}, NULL, &result), BROOD_ETASK);
    bt_message_has("could not read the result of a task: could not make sense of it");
    assert_true(pid_of(pool) > 0);
    end_pool(pool);
}

int main(int argc, char **argv)
{
    if (bri_class_add(&trap_class) != BROOD_OK || bri_class_add(&riddle_class) != BROOD_OK)
        return 1;
    return bt_main(argc, argv, bt_test(test_a_killed_worker_costs_one_task_at_most),
                   bt_test(test_a_crashed_worker_costs_one_task_at_most),
                   bt_test(test_a_worker_that_exits_costs_one_task_at_most),
                   bt_test(test_a_stopped_worker_costs_one_task_at_most),
                   bt_test(test_memory_that_runs_out_fails_the_task_alone),
                   bt_test(test_a_worker_without_memory_fails_its_task_alone),
                   bt_test(test_a_parent_without_memory_loses_no_task),
                   bt_test(test_arguments_that_cannot_be_read_fail_the_task),
                   bt_test(test_results_that_cannot_be_sent_or_read_fail_the_task));
}
