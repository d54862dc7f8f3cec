/* test_signal.c - platform/signal.h: Ctrl-C as a count, taken over only when asked for. */
#define _GNU_SOURCE
#include "expect.h"

#include <stdatomic.h>

#include "platform/signal.h"

#ifndef _WIN32
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the handler tells the test: a byte a call. */
typedef struct told {
    brp_handle ends[2];
    atomic_int count;
    atomic_bool elsewhere; /* it ran on another thread than the signal */
    pthread_t raiser;
    bool give_back; /* at the second call */
} told;

static void on_interrupt(void *context, int count)
{
    told *t = context;
    atomic_store(&t->count, count);
    atomic_store(&t->elsewhere, !pthread_equal(t->raiser, pthread_self()));
    if (t->give_back && count == 2)
        brp_interrupt_give_back();
    pt_say(t->ends[1], "i");
}

static void open_told(told *t)
{
    memset(t, 0, sizeof *t);
    t->raiser = pthread_self();
    pt_ok(brp_stream_pair(t->ends));
}

static void close_told(told *t)
{
    brp_handle_close(&t->ends[0]);
    brp_handle_close(&t->ends[1]);
}

static void do_nothing(int number)
{
    (void)number;
}

static void *current_handler(int number)
{
    struct sigaction action;
    void *handler;
    assert_int_equal(sigaction(number, NULL, &action), 0);
    memcpy(&handler, &action.sa_handler, sizeof handler);
    return handler;
}
#endif

#define SKIP_ON_WINDOWS() \
    pt_skip_on(PT_SYSTEM, "a console event would reach the runner of the tests as well")

static void test_interrupts_are_counted_on_a_thread_of_their_own(void **state)
{
    (void)state;
#ifdef _WIN32
    SKIP_ON_WINDOWS();
#else
    told t;
    open_told(&t);
    pt_ok(brp_interrupt_take(on_interrupt, &t));
    const int numbers[] = {SIGINT, SIGINT, SIGTERM, SIGINT};
    for (int i = 0; i < 4; i++) {
        raise(numbers[i]);
        assert_true(pt_await_byte(t.ends[0], PT_HANG_MS));
        assert_int_equal(atomic_load(&t.count), i + 1);
        assert_true(atomic_load(&t.elsewhere));
    }
    brp_interrupt_give_back();
    close_told(&t);
#endif
}

static void test_the_count_begins_again_after_giving_back(void **state)
{
    (void)state;
#ifdef _WIN32
    SKIP_ON_WINDOWS();
#else
    for (int round = 0; round < 20; round++) {
        told t;
        open_told(&t);
        pt_ok(brp_interrupt_take(on_interrupt, &t));
        raise(SIGINT);
        assert_true(pt_await_byte(t.ends[0], PT_HANG_MS));
        assert_int_equal(atomic_load(&t.count), 1);
        brp_interrupt_give_back();
        close_told(&t);
    }
#endif
}

static void test_the_former_handlers_stand_again(void **state)
{
    (void)state;
#ifdef _WIN32
    SKIP_ON_WINDOWS();
#else
    told t;
    open_told(&t);
    signal(SIGINT, do_nothing);
    signal(SIGTERM, SIG_IGN);
    void *before[2] = {current_handler(SIGINT), current_handler(SIGTERM)};
    pt_ok(brp_interrupt_take(on_interrupt, &t));
    void *between = current_handler(SIGINT);
    brp_interrupt_give_back();
    brp_interrupt_give_back();
    void *after[2] = {current_handler(SIGINT), current_handler(SIGTERM)};
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    close_told(&t);
    assert_ptr_not_equal(between, before[0]);
    assert_ptr_equal(after[0], before[0]);
    assert_ptr_equal(after[1], before[1]);
#endif
}

static void test_interrupts_are_taken_once_a_process(void **state)
{
    (void)state;
#ifdef _WIN32
    SKIP_ON_WINDOWS();
#else
    told t;
    open_told(&t);
    pt_ok(brp_interrupt_take(on_interrupt, &t));
    brood_status status = brp_interrupt_take(on_interrupt, &t);
    brp_interrupt_give_back();
    close_told(&t);
    assert_int_equal(status, BROOD_ESTATE);
#endif
}

static void test_the_handler_itself_may_give_back(void **state)
{
    (void)state;
#ifdef _WIN32
    SKIP_ON_WINDOWS();
#else
    told t;
    open_told(&t);
    t.give_back = true;
    pt_ok(brp_interrupt_take(on_interrupt, &t));
    for (int i = 0; i < 2; i++) {
        raise(SIGINT);
        assert_true(pt_await_byte(t.ends[0], PT_HANG_MS));
    }
    bool restored = current_handler(SIGINT) == NULL;
    close_told(&t);
    assert_true(restored);
#endif
}

/* Its thread may not have ended yet. */
static void test_what_the_handler_gave_back_can_be_taken_at_once(void **state)
{
    (void)state;
#ifdef _WIN32
    SKIP_ON_WINDOWS();
#else
    for (int round = 0; round < 200; round++) {
        told t;
        open_told(&t);
        t.give_back = true;
        pt_ok(brp_interrupt_take(on_interrupt, &t));
        for (int i = 0; i < 2; i++) {
            raise(SIGINT);
            assert_true(pt_await_byte(t.ends[0], PT_HANG_MS));
        }
        brood_status status = brp_interrupt_take(on_interrupt, &t);
        brp_interrupt_give_back();
        close_told(&t);
        assert_int_equal(status, BROOD_OK);
    }
#endif
}

#ifndef _WIN32
/* Takes and gives back twice; says how often that succeeded. */
static void *take_twice(void *context)
{
    told *t = context;
    for (int i = 0; i < 2; i++) {
        if (brp_interrupt_take(on_interrupt, t) == BROOD_OK)
            t->count++;
        brp_interrupt_give_back();
    }
    return NULL;
}

/* A stack of the size that the one that counted had, so that it likely gets the same one. */
static void run_on_small_thread(void *(*routine)(void *), void *context)
{
    pthread_attr_t attributes;
    pthread_t thread;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    pthread_attr_setstacksize(&attributes, 128 << 10);
    assert_int_equal(pthread_create(&thread, &attributes, routine, context), 0);
    pthread_attr_destroy(&attributes);
    assert_int_equal(pthread_join(thread, NULL), 0);
}
#endif

/* POSIX: the identifier of a thread that has ended may be given to another. */
static void test_a_new_thread_is_not_taken_for_the_one_that_counted(void **state)
{
    (void)state;
#ifdef _WIN32
    SKIP_ON_WINDOWS();
#else
    for (int round = 0; round < 50; round++) {
        told t;
        open_told(&t);
        pt_ok(brp_interrupt_take(on_interrupt, &t));
        brp_interrupt_give_back();
        run_on_small_thread(take_twice, &t);
        int count = t.count;
        close_told(&t);
        assert_int_equal(count, 2);
    }
#endif
}

static void test_a_forked_child_has_taken_nothing(void **state)
{
    (void)state;
#ifdef _WIN32
    SKIP_ON_WINDOWS();
#else
    told t;
    brp_child child;
    bool in_child = false;
    open_told(&t);
    signal(SIGPIPE, SIG_IGN);
    pt_ok(brp_interrupt_take(on_interrupt, &t));
    size_t open = brp_handle_count();
    pt_ok(brp_fork(&child, &in_child));
    if (in_child) {
        sigset_t mask;
        brp_signal_reset_child();
        if (current_handler(SIGINT) != NULL || current_handler(SIGTERM) != NULL ||
            current_handler(SIGPIPE) != NULL || current_handler(SIGCHLD) != NULL)
            brp_exit_now(1);
        pthread_sigmask(SIG_SETMASK, NULL, &mask);
        for (int number = 1; number < 32; number++)
            if (sigismember(&mask, number) == 1)
                brp_exit_now(2);
        if (brp_handle_count() != open - 2)
            brp_exit_now(3);
        if (brp_interrupt_take(on_interrupt, &t) != BROOD_OK)
            brp_exit_now(4);
        brp_interrupt_give_back();
        raise(SIGTERM); /* of the default now */
        brp_exit_now(5);
    }
    pt_ok(brp_child_wait(&child, pt_hang()));
    brp_child_close(&child);
    raise(SIGINT); /* and ours still counts */
    bool counts = pt_await_byte(t.ends[0], PT_HANG_MS);
    brp_interrupt_give_back();
    signal(SIGPIPE, SIG_DFL);
    close_told(&t);
    assert_int_equal(child.code, -15);
    assert_true(counts);
#endif
}

/* Not even one that resets nothing, because it goes on where its parent was. */
static void test_a_signal_to_a_forked_child_is_its_own(void **state)
{
    (void)state;
#ifdef _WIN32
    SKIP_ON_WINDOWS();
#else
    told t;
    brp_child child;
    bool in_child = false;
    open_told(&t);
    pt_ok(brp_interrupt_take(on_interrupt, &t));
    size_t open = brp_handle_count();
    pt_ok(brp_fork(&child, &in_child));
    if (in_child) {
        if (brp_handle_count() != open - 2)
            brp_exit_now(1);
        if (brp_interrupt_take(on_interrupt, &t) != BROOD_OK)
            brp_exit_now(2);
        brp_interrupt_give_back();
        raise(SIGTERM);
        brp_exit_now(3);
    }
    pt_ok(brp_child_wait(&child, pt_hang()));
    brp_child_close(&child);
    brp_interrupt_give_back();
    int count = t.count;
    close_told(&t);
    assert_int_equal(child.code, -15);
    assert_int_equal(count, 0);
#endif
}

static void test_a_child_that_the_program_forks_neither_tells_nor_holds_up(void **state)
{
    (void)state;
#ifdef _WIN32
    SKIP_ON_WINDOWS();
#else
    told t;
    brp_handle ends[2];
    int result = 0;
    if (PT_THREAD_SANITIZER)
        pt_skip_on("the thread sanitizer", "it holds back what is handled in a child of fork()");
    open_told(&t);
    pt_ok(brp_stream_pair(ends));
    pt_ok(brp_interrupt_take(on_interrupt, &t));
    pid_t pid = fork();
    if (pid == 0) {
        if (!pt_await_byte(ends[1], PT_HANG_MS))
            brp_exit_now(1);
        raise(SIGTERM);
        brp_exit_now(2);
    }
    assert_true(pid > 0);
    brp_interrupt_give_back();
    pt_say(ends[0], "g");
    assert_int_equal(waitpid(pid, &result, 0), pid);
    int count = t.count;
    brp_handle_close(&ends[0]);
    brp_handle_close(&ends[1]);
    close_told(&t);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGTERM);
    assert_int_equal(count, 0);
#endif
}

static void test_nothing_is_installed_unless_asked_for(void **state)
{
    (void)state;
#ifdef _WIN32
    SKIP_ON_WINDOWS();
#else
    for (int number = 1; number < 32; number++) {
        pt_process child;
        void *before = current_handler(number);
        pt_start(&child, "child", "kill_itself", NULL, 0);
        assert_int_equal(pt_join(&child), -9);
        assert_ptr_equal(current_handler(number), before);
    }
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_interrupts_are_counted_on_a_thread_of_their_own),
        pt_test(test_the_count_begins_again_after_giving_back),
        pt_test(test_the_former_handlers_stand_again),
        pt_test(test_interrupts_are_taken_once_a_process),
        pt_test(test_the_handler_itself_may_give_back),
        pt_test(test_what_the_handler_gave_back_can_be_taken_at_once),
        pt_test(test_a_new_thread_is_not_taken_for_the_one_that_counted),
        pt_test(test_a_forked_child_has_taken_nothing),
        pt_test(test_a_signal_to_a_forked_child_is_its_own),
        pt_test(test_a_child_that_the_program_forks_neither_tells_nor_holds_up),
        pt_test(test_nothing_is_installed_unless_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
