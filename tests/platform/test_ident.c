/* test_ident.c - platform/ident.h: who and where this process is. */
#include "expect.h"

#include "threads.h"

#ifndef _WIN32
#include <sys/resource.h>
#endif

static void test_a_child_knows_itself_and_its_parent(void **state)
{
    (void)state;
    pt_process child;
    int64_t pid = 0, parent = 0, now;
    uint64_t start = 0;
    pt_start(&child, "child", "pid", NULL, 0);
    int64_t known = child.child.pid;
    char *report = pt_report(&child);
    int fields =
        sscanf(report, "%" SCNd64 " %" SCNd64 " %" SCNu64 " %" SCNd64, &pid, &parent, &start, &now);
    bri_free(report);
    assert_int_equal(fields, 4);
    assert_int_equal(pid, known);
    assert_int_equal(parent, brp_pid());
    assert_true(start >= brp_start_time(brp_pid()));
}

static void test_a_start_time_stays_and_tells_processes_apart(void **state)
{
    (void)state;
    uint64_t start = brp_start_time(brp_pid());
    assert_true(start != 0);
    assert_true(brp_start_time(brp_pid()) == start);
    assert_true(brp_is_alive(brp_pid(), start));
    assert_false(brp_is_alive(brp_pid(), start + 1));
    assert_false(brp_is_alive(brp_pid(), start - 1));
    assert_true(brp_is_alive(brp_pid(), 0)); /* unknown: the number alone counts */
    assert_true(brp_start_time(0x7FFFFFF0) == 0);
    assert_false(brp_is_alive(0x7FFFFFF0, 0));
    assert_false(brp_is_alive(0, 0));
    assert_false(brp_is_alive(-1, 0));
}

static void test_without_a_handle_left_the_living_are_not_taken_for_dead(void **state)
{
    (void)state;
#ifdef _WIN32
    pt_skip_on(PT_SYSTEM, "there is no limit of handles to reach");
#else
    struct rlimit before, none;
    uint64_t start = brp_start_time(brp_pid());
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    bool alive = brp_is_alive(brp_pid(), start);
    bool dead_alive = brp_is_alive(0x7FFFFFF0, 0);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_true(alive);
    assert_false(dead_alive);
#endif
}

static void test_cpus_follow_the_affinity(void **state)
{
    (void)state;
    pt_process child;
    int cpus = brp_usable_cpus();
    assert_true(cpus >= 1 && cpus < 100000);
    pt_start(&child, "channel", "cpus", NULL, 0);
    assert_int_equal(pt_join(&child), 1);
}

typedef struct thread_fact {
    uint64_t id;
    int count;
} thread_fact;

static void tell_thread(void *context)
{
    thread_fact *fact = context;
    fact->id = brp_thread_id();
    fact->count = brp_thread_count();
}

/* A thread that was joined may be counted for a moment: the system takes it out after it has told.
 */
static int count_without_the_ended(int most)
{
    bri_deadline until = pt_in(1000);
    int n;
    while ((n = brp_thread_count()) > most && brp_clock_now() < until)
        ;
    return n;
}

static void test_threads_are_counted_and_told_apart(void **state)
{
    (void)state;
    thread_fact fact = {0};
    pt_thread thread;
    int first = brp_thread_count();
    pt_thread_start(&thread, tell_thread, &fact); /* a sanitizer starts its own with the first */
    pt_thread_join(&thread);
    int before = count_without_the_ended(first);
    pt_thread_start(&thread, tell_thread, &fact);
    pt_thread_join(&thread);
    assert_true(fact.id != brp_thread_id());
    assert_true(brp_thread_id() == brp_thread_id());
    if (before != 0)
        assert_int_equal(fact.count, before + 1);
}

static void test_helpers_of_the_platform_are_not_counted(void **state)
{
    (void)state;
    int before = brp_thread_count();
    pt_process child;
    pt_start(&child, "child", "sit", NULL, 0);
    assert_true(pt_await_byte(child.report, PT_HANG_MS));
    int between = brp_thread_count();
    brp_handle_close(&child.report);
    assert_int_equal(pt_join(&child), 0);
    if (!PT_IS_WINDOWS)                 /* the system's own pools of threads come and go there */
        assert_true(between <= before); /* before: maybe with one of a former test that ends */
}

static void test_random_bytes_differ_and_fill_any_size(void **state)
{
    (void)state;
    unsigned char a[32], b[32];
    pt_ok(brp_random(a, sizeof a));
    pt_ok(brp_random(b, sizeof b));
    assert_true(memcmp(a, b, sizeof a) != 0);
    pt_ok(brp_random(NULL, 0));
    size_t size = 100003, counts[256] = {0};
    unsigned char *many = bri_calloc(1, size + 1);
    pt_ok(brp_random(many, size));
    for (size_t i = 0; i < size; i++)
        counts[many[i]]++;
    int behind = many[size];
    bri_free(many);
    assert_int_equal(behind, 0);
    for (int i = 0; i < 256; i++) /* 390 are expected of each */
        assert_true(counts[i] > 200 && counts[i] < 600);
}

static void test_private_memory_grows_with_what_is_touched(void **state)
{
    (void)state;
    enum { SIZE = 32 << 20 };
    uint64_t before = brp_private_memory();
    if (before == 0)
        pt_skip_on(PT_SYSTEM, "it does not tell");
    unsigned char *block = bri_alloc(SIZE);
    memset(block, 1, SIZE);
    uint64_t between = brp_private_memory();
    bri_free(block);
    assert_true(between >= before + SIZE / 10 * 9);
    assert_true(between < before + 2 * (uint64_t)SIZE || PT_SANITIZED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_a_child_knows_itself_and_its_parent),
        pt_test(test_a_start_time_stays_and_tells_processes_apart),
        pt_test(test_without_a_handle_left_the_living_are_not_taken_for_dead),
        pt_test(test_cpus_follow_the_affinity),
        pt_test(test_threads_are_counted_and_told_apart),
        pt_test(test_helpers_of_the_platform_are_not_counted),
        pt_test(test_random_bytes_differ_and_fill_any_size),
        pt_test(test_private_memory_grows_with_what_is_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
