/* test_wordwait.c - platform/wordwait.h: no wake is lost, and the dead take none with them. */
#define _GNU_SOURCE
#include "expect.h"

#include "memory_layout.h"
#include "threads.h"

#ifndef _WIN32
#include <signal.h>
#endif

static pt_shared make_shared(void)
{
    pt_shared shared;
    pt_ok(brp_section_create(&shared.section, 4 << 20, 4 << 20));
    assert_true(brp_words_size() <= PT_LAYOUT_AT);
    pt_ok(brp_section_commit(&shared.section, 0, PT_LAYOUT_AT + PT_LAYOUT_SIZE));
    pt_ok(brp_words_create(&shared.words, shared.section.base, shared.section.base, 1));
    shared.at = pt_layout_of(&shared.section);
    return shared;
}

static void drop_shared(pt_shared *shared)
{
    brp_words_close(shared->words);
    brp_section_close(&shared->section);
}

static void start_role(pt_process *process, const char *role, const pt_shared *shared,
                       uint32_t owner, uint64_t argument)
{
    char texts[3][24];
    snprintf(texts[0], sizeof texts[0], "%" PRIu64, shared->section.reserved);
    snprintf(texts[1], sizeof texts[1], "%u", (unsigned)owner);
    snprintf(texts[2], sizeof texts[2], "%" PRIu64, argument);
    const char *arguments[] = {"memory", texts[0], texts[1], texts[2], NULL};
    pt_start_with(process, "memory", role, &shared->section.handle, 1,
                  &(brp_spawn_options){.arguments = arguments});
}

static void test_a_wait_for_another_value_returns_at_once(void **state)
{
    (void)state;
    pt_shared shared = make_shared();
    atomic_store(&shared.at->words[0], 5);
    pt_ok(brp_word_wait(shared.words, &shared.at->words[0], 4, BRI_NEVER));
    pt_ok(brp_word_wait(shared.words, &shared.at->words[0], 4, 0));
    drop_shared(&shared);
}

static void test_a_wait_ends_at_its_deadline_without_a_message(void **state)
{
    (void)state;
    pt_shared shared = make_shared();
    _Atomic uint32_t *word = &shared.at->words[0];
    bri_fail(BROOD_EOS, "an older message");
    pt_fails(brp_word_wait(shared.words, word, 0, 0), BROOD_ETIMEDOUT);
    pt_fails(brp_word_wait(shared.words, word, 0, pt_in(0)), BROOD_ETIMEDOUT);
    int64_t before = brp_clock_now();
    bri_deadline deadline = pt_in(250);
    while (brp_word_wait(shared.words, word, 0, deadline) == BROOD_OK)
        assert_true(brp_clock_now() < deadline);
    assert_true(brp_clock_now() - before >= 250 * 1000000);
    pt_message_has("an older message");
    drop_shared(&shared);
}

/* ---- threads ---- */

typedef struct sleeper {
    pt_shared *shared;
    _Atomic uint32_t *word;
    atomic_int *awake;
    bool once; /* one wait, whatever the word says; else until it is not 0 */
} sleeper;

static void sleep_on(void *context)
{
    sleeper *s = context;
    do
        brp_word_wait(s->shared->words, s->word, 0, BRI_NEVER);
    while (!s->once && atomic_load(s->word) == 0);
    atomic_fetch_add(s->awake, 1);
}

static bool await_count(atomic_int *count, int wanted, brood_ms limit)
{
    bri_deadline end = pt_in(limit);
    while (atomic_load(count) < wanted) {
        if (brp_clock_now() > end)
            return false;
        brp_watch nothing = {.handle = BRP_NO_HANDLE, .kind = BRP_WATCH_STREAM};
        brp_wait_any(&nothing, 1, pt_in(1), NULL);
    }
    return true;
}

static void test_all_sleepers_of_a_word_wake_however_many(void **state)
{
    enum { N = 150 };
    (void)state;
    static pt_thread threads[N];
    static sleeper sleepers[N];
    atomic_int awake = 0;
    pt_shared shared = make_shared();
    for (int i = 0; i < N; i++) {
        sleepers[i] = (sleeper){.shared = &shared, .word = &shared.at->words[3], .awake = &awake};
        pt_thread_start(&threads[i], sleep_on, &sleepers[i]);
    }
    atomic_store(&shared.at->words[3], 1);
    brp_word_wake(shared.words, &shared.at->words[3], INT32_MAX);
    bool all = await_count(&awake, N, PT_HANG_MS);
    for (int i = 0; i < N; i++)
        pt_thread_join(&threads[i]);
    drop_shared(&shared);
    assert_true(all);
}

static void test_each_wake_ends_a_sleep_though_the_word_stays(void **state)
{
    enum { N = 12 };
    (void)state;
    pt_thread threads[N];
    sleeper sleepers[N];
    atomic_int awake = 0;
    pt_shared shared = make_shared();
    _Atomic uint32_t *word = &shared.at->words[9];
    for (int i = 0; i < N; i++) {
        sleepers[i] = (sleeper){.shared = &shared, .word = word, .awake = &awake, .once = true};
        pt_thread_start(&threads[i], sleep_on, &sleepers[i]);
    }
    /* Not all may sleep yet, so it takes at least one wake for each. */
    bri_deadline limit = pt_hang();
    while (atomic_load(&awake) < N && brp_clock_now() < limit) {
        int before = atomic_load(&awake);
        brp_word_wake(shared.words, word, 2);
        await_count(&awake, before + 1, 20);
    }
    int count = atomic_load(&awake);
    for (int i = 0; i < N; i++)
        pt_thread_join(&threads[i]);
    drop_shared(&shared);
    assert_int_equal(count, N);
}

static void test_a_wake_of_one_word_is_none_of_another(void **state)
{
    (void)state;
    pt_shared shared = make_shared();
    atomic_int awake = 0;
    pt_thread threads[40];
    sleeper sleepers[40];
    for (int i = 0; i < 40; i++) {
        sleepers[i] = (sleeper){.shared = &shared, .word = &shared.at->words[i], .awake = &awake};
        pt_thread_start(&threads[i], sleep_on, &sleepers[i]);
    }
    atomic_store(&shared.at->words[17], 1);
    brp_word_wake(shared.words, &shared.at->words[17], 1);
    bool one = await_count(&awake, 1, PT_HANG_MS);
    bool more = await_count(&awake, 2, 150);
    for (int i = 0; i < 40; i++) {
        atomic_store(&shared.at->words[i], 1);
        brp_word_wake(shared.words, &shared.at->words[i], INT32_MAX);
    }
    for (int i = 0; i < 40; i++)
        pt_thread_join(&threads[i]);
    drop_shared(&shared);
    assert_true(one);
    assert_false(more);
}

/* ---- processes ---- */

static void test_processes_wake_each_other_in_turn(void **state)
{
    enum { TURNS = 2000 };
    (void)state;
    pt_shared shared = make_shared();
    pt_process child;
    start_role(&child, "answer", &shared, 2, TURNS);
    bool all = true;
    for (uint32_t turn = 0; turn < 2 * TURNS && all; turn += 2)
        all = pt_take_turn(&shared, &shared.at->words[0], turn);
    assert_int_equal(pt_join(&child), 0);
    drop_shared(&shared);
    assert_true(all);
}

static void test_no_wake_is_lost_among_processes_and_threads(void **state)
{
    enum { CHILDREN = 3, ITEMS = 30000 };
    (void)state;
    pt_shared shared = make_shared();
    pt_process children[CHILDREN];
    pt_consumer own = {.shared = &shared};
    pt_thread thread;
    _Atomic uint32_t *counter = &shared.at->counter;
    for (uint32_t i = 0; i < CHILDREN; i++)
        start_role(&children[i], "consume", &shared, 2 + i, 0);
    pt_thread_start(&thread, pt_consume, &own);
    for (int i = 0; i < ITEMS; i++) {
        atomic_fetch_add(counter, 1);
        brp_word_wake(shared.words, counter, 1);
    }
    /* Whoever wakes last finds it empty; a lost wake leaves items with everybody asleep. */
    bri_deadline limit = pt_hang();
    while (atomic_load(counter) != 0 && brp_clock_now() < limit)
        brp_cpu_relax();
    uint32_t left = atomic_load(counter);
    atomic_store(counter, PT_CLOSED);
    brp_word_wake(shared.words, counter, INT32_MAX);
    pt_thread_join(&thread);
    int taken = own.taken;
    for (int i = 0; i < CHILDREN; i++) {
        char *report = pt_report(&children[i]);
        taken += atoi(report);
        bri_free(report);
    }
    drop_shared(&shared);
    assert_int_equal(left, 0);
    assert_int_equal(taken, ITEMS);
}

/* ---- the dead ---- */

static void pause_for(brood_ms time)
{
    brp_watch nothing = {.handle = BRP_NO_HANDLE, .kind = BRP_WATCH_STREAM};
    brp_wait_any(&nothing, 1, pt_in(time), NULL);
}

static void test_a_sweep_passes_on_the_wake_of_a_killed_sleeper(void **state)
{
    (void)state;
#ifdef _WIN32
    pt_skip_on(PT_SYSTEM, "a process cannot be stopped there, between its wake and its death");
#else
    pt_shared shared = make_shared();
    pt_process first, second;
    start_role(&first, "sleep", &shared, 2, 0);
    assert_true(pt_await_byte(first.report, PT_HANG_MS));
    pause_for(100); /* likely asleep now; if not, the test proves less but holds */
    kill((pid_t)first.child.pid, SIGSTOP);
    start_role(&second, "sleep", &shared, 3, 0);
    assert_true(pt_await_byte(second.report, PT_HANG_MS));
    pause_for(100);
    atomic_store(&shared.at->words[0], 1);
    brp_word_wake(shared.words, &shared.at->words[0], 1); /* goes to the first, which cannot act */
    pt_ok(brp_child_signal(&first.child, BRP_KILL));
    pt_join(&first);
    brp_words_sweep(shared.words, 2);
    bool woken = pt_await_byte(second.report, 2000);
    pt_kill(&second);
    drop_shared(&shared);
    assert_true(woken);
#endif
}

static void test_killed_sleepers_block_nobody(void **state)
{
    enum { ROUNDS = 25 };
    (void)state;
    pt_shared shared = make_shared();
    for (int i = 0; i < ROUNDS; i++) {
        pt_process children[2];
        for (uint32_t j = 0; j < 2; j++)
            start_role(&children[j], "churn", &shared, 2 + j, 0);
        for (int j = 0; j < 2; j++)
            assert_true(pt_await_byte(children[j].report, PT_HANG_MS));
        /* We take part, so that wakers meet the dead, and then outlive them. */
        for (int j = 0; j < 40 + i; j++) {
            _Atomic uint32_t *word = &shared.at->words[j % 4];
            atomic_fetch_add(word, 1);
            brp_word_wake(shared.words, word, 1 + j % 2);
            brp_word_wait(shared.words, word, atomic_load(word), pt_in(1));
        }
        for (uint32_t j = 0; j < 2; j++) {
            pt_ok(brp_child_signal(&children[j].child, BRP_KILL));
            for (int k = 0; k < 20; k++)
                brp_word_wake(shared.words, &shared.at->words[k % 4], INT32_MAX);
            assert_int_equal(pt_join(&children[j]), -9);
            brp_words_sweep(shared.words, 2 + j);
        }
    }
    /* All still works, as long as a kill more cost nothing that stays. */
    for (int i = 0; i < 64; i++)
        atomic_store(&shared.at->words[i], 0);
    pt_process child;
    start_role(&child, "answer", &shared, 2, 200);
    bool all = true;
    for (uint32_t turn = 0; turn < 400 && all; turn += 2)
        all = pt_take_turn(&shared, &shared.at->words[0], turn);
    assert_int_equal(pt_join(&child), 0);
    drop_shared(&shared);
    assert_true(all);
}

static void test_unswept_dead_only_slow_down_their_own_word(void **state)
{
    enum { DEAD = 40 };
    (void)state;
    pt_shared shared = make_shared();
    for (uint32_t i = 0; i < DEAD; i++) { /* more than a bucket of the fallback has room for */
        pt_process child;
        start_role(&child, "sleep", &shared, 2 + i, 0);
        assert_true(pt_await_byte(child.report, PT_HANG_MS));
        pause_for(5);
        pt_ok(brp_child_signal(&child.child, BRP_KILL));
        pt_join(&child);
    }
    pt_process child;
    start_role(&child, "sleep", &shared, 100, 0);
    assert_true(pt_await_byte(child.report, PT_HANG_MS));
    atomic_store(&shared.at->words[0], 1);
    brp_word_wake(shared.words, &shared.at->words[0], INT32_MAX);
    bool woken = pt_await_byte(child.report, 2000);
    pt_join(&child);
    for (uint32_t i = 0; i < DEAD; i++)
        brp_words_sweep(shared.words, 2 + i);
    drop_shared(&shared);
    assert_true(woken);
}

static void test_a_forked_child_waits_under_its_own_number(void **state)
{
    (void)state;
#ifdef _WIN32
    pt_skip_on(PT_SYSTEM, "there is no fork there");
#else
    pt_shared shared = make_shared();
    brp_child child;
    bool in_child = false;
    /* The parent has slept before, so that there is something to inherit. */
    brp_word_wait(shared.words, &shared.at->words[0], 0, pt_in(1));
    pt_ok(brp_fork(&child, &in_child));
    if (in_child) {
        if (brp_words_after_fork(shared.words, 9) != BROOD_OK)
            brp_exit_now(1);
        for (uint32_t turn = 1; turn < 400; turn += 2)
            if (!pt_take_turn(&shared, &shared.at->words[0], turn))
                brp_exit_now(2);
        brp_exit_now(0);
    }
    bool all = true;
    for (uint32_t turn = 0; turn < 400 && all; turn += 2)
        all = pt_take_turn(&shared, &shared.at->words[0], turn);
    pt_ok(brp_child_wait(&child, pt_hang()));
    brp_child_close(&child);
    brp_words_sweep(shared.words, 9);
    drop_shared(&shared);
    assert_true(all);
    assert_int_equal(child.code, 0);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_a_wait_for_another_value_returns_at_once),
        pt_test(test_a_wait_ends_at_its_deadline_without_a_message),
        pt_test(test_all_sleepers_of_a_word_wake_however_many),
        pt_test(test_each_wake_ends_a_sleep_though_the_word_stays),
        pt_test(test_a_wake_of_one_word_is_none_of_another),
        pt_test(test_processes_wake_each_other_in_turn),
        pt_test(test_no_wake_is_lost_among_processes_and_threads),
        pt_test(test_a_sweep_passes_on_the_wake_of_a_killed_sleeper),
        pt_test(test_killed_sleepers_block_nobody),
        pt_test(test_unswept_dead_only_slow_down_their_own_word),
        pt_test(test_a_forked_child_waits_under_its_own_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
