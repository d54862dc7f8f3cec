/*
 * test_wordwait.c - waiting for words, with a death at every step.
 *
 * This test compiles the source itself, with a counter before each atomic operation and each
 * signal: a child dies at the n-th, for every n, and the others must go on.
 */
#include "win32_test.h"

#include <stdatomic.h>

#include <process.h>

#include "platform/spawn.h"
#include "win32/exitcode.h"

static void take_step(void);

#undef atomic_load
#undef atomic_store
#undef atomic_fetch_add
#undef atomic_fetch_sub
#undef atomic_compare_exchange_strong
#define atomic_load(object) (take_step(), atomic_load_explicit(object, memory_order_seq_cst))
#define atomic_store(object, value) \
    (take_step(), atomic_store_explicit(object, value, memory_order_seq_cst))
#define atomic_fetch_add(object, value) \
    (take_step(), atomic_fetch_add_explicit(object, value, memory_order_seq_cst))
#define atomic_fetch_sub(object, value) \
    (take_step(), atomic_fetch_sub_explicit(object, value, memory_order_seq_cst))
#define atomic_compare_exchange_strong(object, expected, value) \
    (take_step(), atomic_compare_exchange_strong_explicit(      \
                      object, expected, value, memory_order_seq_cst, memory_order_seq_cst))
#define SetEvent(event) (take_step(), SetEvent(event))

#include "../../src/win32/wordwait.c"

enum {
    TREE_BYTES = 1 << 20,
    WORDS_AT = 65536,
    ALL = INT32_MAX,
    FINISHED = 7,
    OWN = 1,
    OTHER = 2,
    DEAD = 3
};

/* 0: none are counted. */
static int steps_left;

static void take_step(void)
{
    if (steps_left != 0 && --steps_left == 0)
        TerminateProcess(GetCurrentProcess(), BRI_W32_EXIT_KILLED);
}

typedef struct tree {
    brp_section section;
    brp_words *words;
    _Atomic uint32_t *word;
} tree;

static tree own; /* of this process */

static shared_words *shared_of(const tree *it)
{
    return it->words->shared;
}

/* ---- children ---- */

/* "H0;ROLE STEPS OWNER" */
static int play(char *marker)
{
    char role[16];
    int steps;
    unsigned owner;
    tree it;
    brp_handle handle;
    char *suffix = strchr(marker, ';');
    *suffix++ = '\0';
    if (sscanf(suffix, "%15s %d %u", role, &steps, &owner) != 3 ||
        brp_handle_parse(marker, &handle) != BROOD_OK ||
        brp_section_open(&it.section, handle, TREE_BYTES) != BROOD_OK ||
        brp_words_open(&it.words, it.section.base + WORDS_AT, it.section.base, owner) != BROOD_OK)
        return 1;
    it.word = (_Atomic uint32_t *)(void *)it.section.base;
    steps_left = steps;
    if (strcmp(role, "wait") == 0) {
        if (brp_word_wait(it.words, it.word, 0, soon()) != BROOD_OK)
            return 2;
    } else if (strcmp(role, "wake") == 0) {
        brp_word_wake(it.words, it.word, 1);
    } else if (strcmp(role, "sweep") == 0) {
        brp_words_sweep(it.words, DEAD);
    } else if (strcmp(role, "relay") == 0) {
        /* Answers each change of the word in the next one. */
        _Atomic uint32_t *answer = it.word + 16;
        for (uint32_t i = 0; i < (uint32_t)owner * 1000; i++) {
            while (atomic_load_explicit(it.word, memory_order_seq_cst) == i)
                brp_word_wait(it.words, it.word, i, BRI_NEVER);
            atomic_store_explicit(answer, i + 1, memory_order_seq_cst);
            brp_word_wake(it.words, answer, 1);
        }
    }
    steps_left = 0;
    return FINISHED;
}

static void start(brp_child *child, const char *role, int steps, unsigned owner)
{
    char suffix[64];
    static const char *const arguments[] = {"x", NULL};
    snprintf(suffix, sizeof suffix, "%s %d %u", role, steps, owner);
    brp_spawn_options options = {.arguments = arguments,
                                 .stdio = {{.kind = BRP_STDIO_NULL}, {0}, {0}},
                                 .handles = &own.section.handle,
                                 .n_handles = 1,
                                 .marker = "BROOD_TEST_ROLE",
                                 .marker_suffix = suffix};
    expect_ok(brp_spawn(child, &options));
    expect_ok(brp_child_let_go(child));
}

static int end_of(brp_child *child)
{
    expect_ok(brp_child_wait(child, soon()));
    int code = child->code;
    brp_child_close(child);
    assert_true(code == FINISHED || code == -9);
    return code;
}

/* ---- a waiter of this process ---- */

static unsigned __stdcall wait_here(void *argument)
{
    brood_status *status = argument;
    *status = brp_word_wait(own.words, own.word, 0, soon());
    return 0;
}

typedef struct waiter {
    HANDLE thread;
    brood_status status;
} waiter;

static size_t count_phase(uint32_t phase, uint32_t owner)
{
    size_t n = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        uint64_t state = shared_of(&own)->slots[i].state;
        n += phase_of(state) == phase && owner_of(state) == owner;
    }
    return n;
}

/* Nothing tells when a thread has begun to wait. */
static void await_waiting(uint32_t owner, size_t n, HANDLE or_ended)
{
    bri_deadline limit = soon();
    while (count_phase(WAITING, owner) < n && brp_clock_now() < limit) {
        if (or_ended != NULL && WaitForSingleObject(or_ended, 1) == WAIT_OBJECT_0)
            return;
        if (or_ended == NULL)
            SwitchToThread();
    }
    assert_true(count_phase(WAITING, owner) >= n);
}

static void start_waiter(waiter *it)
{
    it->thread = (HANDLE)_beginthreadex(NULL, 0, wait_here, &it->status, 0, NULL);
    assert_non_null(it->thread);
    await_waiting(OWN, 1, NULL);
}

/* Its look once a second must not be what wakes it: 400 ms are far less, and far more than a wake
 * takes. */
static bool is_awake(const waiter *it)
{
    return WaitForSingleObject(it->thread, 400) == WAIT_OBJECT_0;
}

static void end_waiter(waiter *it)
{
    brp_word_wake(own.words, own.word, ALL);
    assert_int_equal(WaitForSingleObject(it->thread, 10000), WAIT_OBJECT_0);
    CloseHandle(it->thread);
    assert_int_equal(it->status, BROOD_OK);
}

/* ---- set-up ---- */

static int make_tree(void **state)
{
    (void)state;
    if (brp_section_create(&own.section, TREE_BYTES, TREE_BYTES) != BROOD_OK ||
        brp_section_commit(&own.section, 0, TREE_BYTES) != BROOD_OK ||
        brp_words_create(&own.words, own.section.base + WORDS_AT, own.section.base, OWN) !=
            BROOD_OK)
        return -1;
    own.word = (_Atomic uint32_t *)(void *)own.section.base;
    return 0;
}

static int drop_tree(void **state)
{
    (void)state;
    brp_words_close(own.words);
    brp_section_close(&own.section);
    return 0;
}

/* No slot is lost, and the counters are too high by what a death explains at most. */
static void check_clean(uint32_t n_deaths)
{
    uint32_t n = 0;
    for (size_t i = 0; i < SLOTS; i++)
        assert_int_equal(phase_of(shared_of(&own)->slots[i].state), FREE);
    for (size_t i = 0; i < BUCKETS; i++)
        n += shared_of(&own)->sleepers[i];
    assert_true(n <= n_deaths);
}

/* ---- tests ---- */

static void test_a_wait_ends_by_wake_change_or_time(void **state)
{
    (void)state;
    waiter one;
    int64_t begin = brp_clock_now();
    assert_int_equal(brp_word_wait(own.words, own.word, 0, begin + 50000000), BROOD_ETIMEDOUT);
    assert_true(brp_clock_now() - begin >= 50000000);
    assert_int_equal(brp_word_wait(own.words, own.word, 0, 0), BROOD_ETIMEDOUT);
    assert_int_equal(brp_word_wait(own.words, own.word, 1, BRI_NEVER), BROOD_OK);
    start_waiter(&one);
    brp_word_wake(own.words, own.word + 1, ALL); /* another word */
    assert_false(is_awake(&one));
    brp_word_wake(own.words, own.word, 1);
    assert_true(is_awake(&one));
    end_waiter(&one);
    check_clean(0);
}

static void test_a_late_signal_wakes_nobody_wrongly(void **state)
{
    (void)state;
    waiter one;
    SetEvent(event_of(own.words, 0)); /* as for the slot's last user */
    start_waiter(&one);
    assert_false(is_awake(&one));
    end_waiter(&one);
    check_clean(0);
}

/* A waiter dies at each of its steps, before and after it is woken. */
static void test_waiters_may_die_anywhere(void **state)
{
    (void)state;
    int code = -9;
    for (int steps = 1; code != FINISHED; steps++) {
        brp_child child;
        waiter one;
        start(&child, "wait", steps, OTHER);
        await_waiting(OTHER, 1, bri_w32_handle(child.sentinel));
        start_waiter(&one);
        shared_of(&own)->next = 0; /* the child has the first slot */
        brp_word_wake(own.words, own.word, 1);
        bool has_ended = WaitForSingleObject(bri_w32_handle(child.sentinel), 3000) == WAIT_OBJECT_0;
        assert_true(has_ended);
        code = end_of(&child);
        size_t unused = count_phase(WOKEN, OTHER);
        brp_words_sweep(own.words, OTHER);
        /* What the dead one did not take is the other's. */
        if (unused != 0)
            assert_true(is_awake(&one));
        end_waiter(&one);
        check_clean((uint32_t)steps);
    }
}

/* A waker dies at each of its steps. */
static void test_wakers_may_die_anywhere(void **state)
{
    (void)state;
    int code = -9;
    for (int steps = 1; code != FINISHED; steps++) {
        brp_child child;
        waiter one;
        start_waiter(&one);
        start(&child, "wake", steps, OTHER);
        code = end_of(&child);
        bool was_reached = count_phase(WAITING, OWN) == 0;
        brp_words_sweep(own.words, OTHER);
        if (!was_reached)
            brp_word_wake(own.words, own.word, 1);
        assert_true(is_awake(&one));
        end_waiter(&one);
        check_clean((uint32_t)steps);
    }
}

/* Who sweeps after a dead waiter that had a wake dies at each of its steps, and is swept after. */
static void test_sweepers_may_die_anywhere(void **state)
{
    (void)state;
    int code = -9;
    for (int steps = 1; code != FINISHED; steps++) {
        brp_child dead, sweeper;
        waiter one;
        start(&dead, "wait", 0, DEAD);
        await_waiting(DEAD, 1, NULL);
        expect_ok(brp_child_signal(&dead, BRP_KILL));
        assert_int_equal(end_of(&dead), -9);
        start_waiter(&one);
        shared_of(&own)->next = 0;
        brp_word_wake(own.words, own.word, 1); /* the dead one's */
        assert_int_equal(count_phase(WOKEN, DEAD), 1);
        start(&sweeper, "sweep", steps, OTHER);
        code = end_of(&sweeper);
        brp_words_sweep(own.words, steps % 2 == 0 ? OTHER : DEAD);
        brp_words_sweep(own.words, steps % 2 == 0 ? DEAD : OTHER);
        assert_true(is_awake(&one));
        end_waiter(&one);
        check_clean((uint32_t)steps);
    }
}

static void test_without_a_slot_waiting_goes_on(void **state)
{
    (void)state;
    shared_words *shared = shared_of(&own);
    for (size_t i = 0; i < SLOTS; i++)
        shared->slots[i].state = make_state(DEAD, 1, CLAIMED);
    int64_t begin = brp_clock_now();
    assert_int_equal(brp_word_wait(own.words, own.word, 0, BRI_NEVER), BROOD_OK);
    assert_int_equal(brp_word_wait(own.words, own.word, 0, begin), BROOD_ETIMEDOUT);
    brp_words_sweep(own.words, DEAD);
    shared->used = SLOTS;
    brp_words_sweep(own.words, DEAD);
    check_clean(0);
}

static void test_a_pair_passes_every_change(void **state)
{
    (void)state;
    enum { THOUSANDS = 5 };
    brp_child child;
    _Atomic uint32_t *answer = own.word + 16;
    start(&child, "relay", 0, THOUSANDS);
    int64_t begin = 0;
    for (uint32_t i = 0; i < THOUSANDS * 1000; i++) {
        if (i == 100)
            begin = brp_clock_now();
        atomic_store_explicit(own.word, i + 1, memory_order_seq_cst);
        brp_word_wake(own.words, own.word, 1);
        while (atomic_load_explicit(answer, memory_order_seq_cst) == i)
            assert_int_equal(brp_word_wait(own.words, answer, i, soon()), BROOD_OK);
    }
    print_message("a change and its answer: %.1f us\n",
                  (double)(brp_clock_now() - begin) / 1000 / (THOUSANDS * 1000 - 100));
    assert_int_equal(end_of(&child), FINISHED);
    check_clean(0);
}

int main(void)
{
    char *role = getenv("BROOD_TEST_ROLE");
    if (role != NULL)
        return play(role);
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_tree, drop_tree)
    static const struct CMUnitTest tests[] = {
        TEST(test_a_wait_ends_by_wake_change_or_time),
        TEST(test_a_late_signal_wakes_nobody_wrongly),
        TEST(test_waiters_may_die_anywhere),
        TEST(test_wakers_may_die_anywhere),
        TEST(test_sweepers_may_die_anywhere),
        TEST(test_without_a_slot_waiting_goes_on),
        TEST(test_a_pair_passes_every_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
