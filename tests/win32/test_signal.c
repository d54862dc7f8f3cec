/* Console events, as the system brings them: on a thread that runs kernel32's CtrlRoutine. A real
 * console would send them to the runner of the tests as well. */
#include "win32_test.h"

#include <stdatomic.h>

#include "platform/signal.h"

static atomic_int n_calls, last_count, n_former;
static HANDLE called; /* auto-reset */
static bool gives_back;

static void on_interrupt(void *context, int count)
{
    assert_ptr_equal(context, &n_calls);
    atomic_fetch_add(&n_calls, 1);
    atomic_store(&last_count, count);
    if (gives_back)
        brp_interrupt_give_back();
    SetEvent(called);
}

/* A handler of the program's own, from before. */
static BOOL WINAPI former(DWORD event)
{
    (void)event;
    atomic_fetch_add(&n_former, 1);
    SetEvent(called);
    return TRUE;
}

static HANDLE raise_event(DWORD event)
{
    FARPROC found = GetProcAddress(GetModuleHandleW(L"kernel32"), "CtrlRoutine");
    if (found == NULL)
        found = GetProcAddress(GetModuleHandleW(L"kernelbase"), "CtrlRoutine");
    assert_non_null(found);
    LPTHREAD_START_ROUTINE routine;
    memcpy(&routine, &found, sizeof routine);
    HANDLE thread = CreateThread(NULL, 0, routine, (void *)(uintptr_t)event, 0, NULL);
    assert_non_null(thread);
    return thread;
}

static void await_call(void)
{
    assert_int_equal(WaitForSingleObject(called, 20000), WAIT_OBJECT_0);
}

static void raise_and_await(DWORD event)
{
    HANDLE thread = raise_event(event);
    await_call();
    assert_int_equal(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
    CloseHandle(thread);
}

static int set_up(void **state)
{
    (void)state;
    called = CreateEventW(NULL, FALSE, FALSE, NULL);
    atomic_store(&n_calls, 0);
    atomic_store(&n_former, 0);
    gives_back = false;
    return called != NULL && SetConsoleCtrlHandler(former, TRUE) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    brp_interrupt_give_back();
    CloseHandle(called);
    return SetConsoleCtrlHandler(former, FALSE) ? 0 : -1;
}

static void test_events_are_counted_and_kept_from_the_others(void **state)
{
    (void)state;
    expect_ok(brp_interrupt_take(on_interrupt, &n_calls));
    const DWORD events[] = {CTRL_C_EVENT, CTRL_C_EVENT, CTRL_BREAK_EVENT};
    for (int i = 0; i < 3; i++) {
        raise_and_await(events[i]);
        assert_int_equal(atomic_load(&last_count), i + 1);
    }
    assert_int_equal(atomic_load(&n_former), 0);
    expect_fails(brp_interrupt_take(on_interrupt, &n_calls), BROOD_ESTATE);
}

/* A service is told of everybody's end of a session. */
static void test_somebody_who_logs_off_interrupts_nothing(void **state)
{
    (void)state;
    expect_ok(brp_interrupt_take(on_interrupt, &n_calls));
    raise_and_await(CTRL_LOGOFF_EVENT);
    assert_int_equal(atomic_load(&n_former), 1);
    assert_int_equal(atomic_load(&n_calls), 0);
}

static void test_the_former_handlers_stand_again(void **state)
{
    (void)state;
    for (int round = 1; round <= 5; round++) {
        expect_ok(brp_interrupt_take(on_interrupt, &n_calls));
        raise_and_await(CTRL_C_EVENT);
        assert_int_equal(atomic_load(&last_count), 1);
        brp_interrupt_give_back();
        brp_interrupt_give_back();
        raise_and_await(CTRL_C_EVENT);
        assert_int_equal(atomic_load(&n_former), round);
        assert_int_equal(atomic_load(&n_calls), round);
    }
}

static void test_the_handler_itself_may_give_back(void **state)
{
    (void)state;
    gives_back = true;
    expect_ok(brp_interrupt_take(on_interrupt, &n_calls));
    raise_and_await(CTRL_C_EVENT);
    raise_and_await(CTRL_C_EVENT);
    assert_int_equal(atomic_load(&n_calls), 1);
    assert_int_equal(atomic_load(&n_former), 1);
}

static HANDLE entered, proceed;

static BOOL WINAPI slow(DWORD event)
{
    (void)event;
    SetEvent(entered);
    WaitForSingleObject(proceed, 20000);
    return TRUE;
}

static DWORD WINAPI give_back(void *unused)
{
    (void)unused;
    brp_interrupt_give_back();
    return 0;
}

/* Whoever changes the system's list of handlers waits for those that run. */
static void test_giving_back_waits_for_no_other_handler(void **state)
{
    (void)state;
    entered = CreateEventW(NULL, TRUE, FALSE, NULL);
    proceed = CreateEventW(NULL, TRUE, FALSE, NULL);
    expect_ok(brp_interrupt_take(on_interrupt, &n_calls));
    assert_true(SetConsoleCtrlHandler(slow, TRUE));
    HANDLE event = raise_event(CTRL_C_EVENT);
    assert_int_equal(WaitForSingleObject(entered, 20000), WAIT_OBJECT_0);
    HANDLE thread = CreateThread(NULL, 0, give_back, NULL, 0, NULL);
    DWORD result = WaitForSingleObject(thread, 5000);
    SetEvent(proceed);
    assert_int_equal(WaitForSingleObject(event, 20000), WAIT_OBJECT_0);
    assert_int_equal(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
    assert_true(SetConsoleCtrlHandler(slow, FALSE));
    CloseHandle(event);
    CloseHandle(thread);
    CloseHandle(entered);
    CloseHandle(proceed);
    assert_int_equal(result, WAIT_OBJECT_0);
}

/* The system ends the process when the handler returns, so it does not: the program has its time to
 * end by itself, which this one does behind its last test. */
static void test_a_closing_event_leaves_the_program_its_time(void **state)
{
    (void)state;
    expect_ok(brp_interrupt_take(on_interrupt, &n_calls));
    HANDLE thread = raise_event(CTRL_CLOSE_EVENT);
    await_call();
    assert_int_equal(atomic_load(&last_count), 1);
    brp_interrupt_give_back();
    assert_int_equal(WaitForSingleObject(thread, 50), WAIT_TIMEOUT);
    CloseHandle(thread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events_are_counted_and_kept_from_the_others, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_somebody_who_logs_off_interrupts_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_former_handlers_stand_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_handler_itself_may_give_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_giving_back_waits_for_no_other_handler, set_up,
                                        tear_down),
        cmocka_unit_test_setup(test_a_closing_event_leaves_the_program_its_time, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
