/* What waiting takes away on Windows, and is told: signals of objects that reset themselves, and
 * empty messages. */
#include "win32_test.h"

#include "platform/local.h"
#include "platform/waitmany.h"

enum { MANY = 100 };

static HANDLE make_event(bool resets_itself)
{
    HANDLE event = CreateEventW(NULL, !resets_itself, FALSE, NULL);
    assert_non_null(event);
    return event;
}

static bool is_set(HANDLE event)
{
    return WaitForSingleObject(event, 0) == WAIT_OBJECT_0;
}

/* `n` watches of events, the last of which resets itself. */
static void make_watches(brp_watch *watches, size_t n)
{
    for (size_t i = 0; i < n; i++)
        watches[i] =
            (brp_watch){.handle = bri_w32_value(make_event(i == n - 1)), .kind = BRP_WATCH_EVENT};
}

static void close_watches(brp_watch *watches, size_t n)
{
    for (size_t i = 0; i < n; i++)
        brp_handle_close(&watches[i].handle);
}

static DWORD WINAPI set_soon(void *event)
{
    Sleep(30); /* most likely the others sleep by then; either way the signal must arrive */
    SetEvent(event);
    return 0;
}

static void set_in_background(HANDLE event, HANDLE *thread)
{
    *thread = CreateThread(NULL, 0, set_soon, event, 0, NULL);
    assert_non_null(*thread);
}

static void join(HANDLE thread)
{
    assert_int_equal(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
    CloseHandle(thread);
}

static void wait_for_the_last(brp_watch *watches, size_t n)
{
    HANDLE thread, event = bri_w32_handle(watches[n - 1].handle);
    size_t n_ready = 0;
    set_in_background(event, &thread);
    expect_ok(brp_wait_any(watches, n, soon(), &n_ready));
    assert_int_equal(n_ready, 1);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(watches[i].ready, i == n - 1);
    join(thread);
    assert_false(is_set(event));
    expect_fails(brp_wait_any(watches, n, 0, NULL), BROOD_ETIMEDOUT);
}

static void test_the_signal_of_an_event_that_resets_itself_is_told(void **state)
{
    (void)state;
    brp_watch watches[3];
    make_watches(watches, 3);
    for (int round = 0; round < 5; round++)
        wait_for_the_last(watches, 3);
    /* One that is set already is told as well. */
    SetEvent(bri_w32_handle(watches[2].handle));
    SetEvent(bri_w32_handle(watches[0].handle));
    expect_ok(brp_wait_any(watches, 3, 0, NULL));
    assert_true(watches[0].ready && !watches[1].ready && watches[2].ready);
    close_watches(watches, 3);
}

static void test_the_same_among_many(void **state)
{
    (void)state;
    brp_watch watches[MANY];
    make_watches(watches, MANY);
    for (int round = 0; round < 5; round++)
        wait_for_the_last(watches, MANY);
    close_watches(watches, MANY);
}

static void test_a_poller_tells_such_a_signal_once(void **state)
{
    (void)state;
    brp_poller *poller;
    brp_watch watches[MANY];
    make_watches(watches, MANY);
    expect_ok(brp_poller_create(&poller));
    for (size_t i = 0; i < MANY; i++)
        expect_ok(brp_poller_add(poller, watches[i].handle, BRP_WATCH_EVENT, i));
    for (int round = 0; round < 5; round++) {
        HANDLE thread;
        uint64_t keys[4] = {0};
        size_t n = 0;
        set_in_background(bri_w32_handle(watches[MANY - 1].handle), &thread);
        while (n == 0)
            expect_ok(brp_poller_wait(poller, keys, 4, &n, soon()));
        assert_int_equal(n, 1);
        assert_int_equal(keys[0], MANY - 1);
        join(thread);
        expect_fails(brp_poller_wait(poller, keys, 4, &n, 0), BROOD_ETIMEDOUT);
    }
    brp_poller_end(poller, watches, MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_false(watches[i].ready);
    close_watches(watches, MANY);
}

static void test_a_unit_of_a_semaphore_is_taken_by_the_wait_that_tells_it(void **state)
{
    (void)state;
    HANDLE units = CreateSemaphoreW(NULL, 2, 10, NULL);
    assert_non_null(units);
    brp_watch watch = {.handle = bri_w32_value(units), .kind = BRP_WATCH_EVENT};
    expect_ok(brp_wait_any(&watch, 1, 0, NULL));
    expect_ok(brp_wait_any(&watch, 1, soon(), NULL));
    expect_fails(brp_wait_any(&watch, 1, 0, NULL), BROOD_ETIMEDOUT);
    CloseHandle(units);
}

/* ---- empty messages ---- */

typedef struct met {
    brp_server *server;
    brp_channel client, accepted;
} met;

static met meet(void)
{
    met made;
    brp_watch watch;
    expect_ok(brp_local_listen(&made.server, NULL, 8));
    expect_ok(brp_local_connect(&made.client, brp_server_address(made.server), soon()));
    watch = brp_server_watch(made.server);
    expect_ok(brp_wait_any(&watch, 1, soon(), NULL));
    expect_ok(brp_server_accept(made.server, &made.accepted));
    return made;
}

static void part(met *made)
{
    brp_channel_close(&made->client);
    brp_channel_close(&made->accepted);
    brp_server_close(made->server);
}

static void send_message(brp_channel channel, const char *text)
{
    brp_bytes bytes = {text, strlen(text)};
    size_t written;
    expect_ok(brp_channel_write_all(channel, &bytes, 1, &written, soon()));
}

static DWORD WINAPI send_empty_soon(void *context)
{
    Sleep(30);
    send_message(*(brp_channel *)context, "");
    return 0;
}

static brp_watch watch_of(brp_channel channel)
{
    return (brp_watch){.handle = channel.handle, .kind = brp_channel_watch_kind(channel)};
}

/* The next message is that one. */
static void expect_text(brp_channel channel, const char *text)
{
    char got[16] = "";
    size_t n, left;
    expect_ok(brp_channel_read(channel, got, sizeof got - 1, &n, &left, soon()));
    assert_string_equal(got, text);
}

static void test_an_empty_message_is_told_to_who_waits(void **state)
{
    (void)state;
    met made = meet();
    brp_watch watch = watch_of(made.accepted);
    for (int round = 0; round < 5; round++) {
        HANDLE thread = CreateThread(NULL, 0, send_empty_soon, &made.client, 0, NULL);
        expect_ok(brp_wait_any(&watch, 1, soon(), NULL));
        assert_true(watch.ready && watch.took_empty);
        join(thread);
        expect_fails(brp_wait_any(&watch, 1, 0, NULL), BROOD_ETIMEDOUT);
        assert_true(!watch.ready && !watch.took_empty);
    }
    send_message(made.client, "");
    send_message(made.client, "full");
    expect_ok(brp_wait_any(&watch, 1, 0, NULL));
    /* With bytes behind it, it may be there still; then it is the first to be read. */
    if (!watch.took_empty)
        expect_text(made.accepted, "");
    expect_ok(brp_wait_any(&watch, 1, 0, NULL));
    assert_true(watch.ready && !watch.took_empty);
    expect_text(made.accepted, "full");
    part(&made);
}

static void test_an_empty_message_is_told_among_many(void **state)
{
    (void)state;
    met made = meet();
    brp_watch watches[MANY];
    make_watches(watches, MANY - 1);
    watches[MANY - 1] = watch_of(made.accepted);
    for (int round = 0; round < 5; round++) {
        HANDLE thread = CreateThread(NULL, 0, send_empty_soon, &made.client, 0, NULL);
        expect_ok(brp_wait_any(watches, MANY, soon(), NULL));
        assert_true(watches[MANY - 1].ready && watches[MANY - 1].took_empty);
        join(thread);
        expect_fails(brp_wait_any(watches, MANY, 0, NULL), BROOD_ETIMEDOUT);
    }
    close_watches(watches, MANY - 1);
    part(&made);
}

static void test_a_poller_tells_an_empty_message_at_its_end(void **state)
{
    (void)state;
    met made = meet();
    brp_watch watch = watch_of(made.accepted);
    for (int waits = 0; waits < 2; waits++) {
        brp_poller *poller;
        uint64_t key;
        size_t n = 0;
        expect_ok(brp_poller_create(&poller));
        expect_ok(brp_poller_add(poller, watch.handle, watch.kind, 7));
        expect_fails(brp_poller_wait(poller, &key, 1, &n, 0), BROOD_ETIMEDOUT);
        send_message(made.client, "");
        while (waits != 0 && n == 0)
            expect_ok(brp_poller_wait(poller, &key, 1, &n, soon()));
        watch.ready = watch.took_empty = false;
        brp_poller_end(poller, &watch, 1);
        assert_true(watch.ready && watch.took_empty);
    }
    part(&made);
}

/* Requests end with the thread that made them; the poller makes them again. */

static DWORD WINAPI wait_once(void *poller)
{
    uint64_t key;
    size_t n;
    expect_fails(brp_poller_wait(poller, &key, 1, &n, 0), BROOD_ETIMEDOUT);
    return 0;
}

static void test_a_poller_outlives_a_thread_that_waited(void **state)
{
    (void)state;
    met made = meet();
    brp_poller *poller;
    uint64_t key;
    size_t n = 0;
    expect_ok(brp_poller_create(&poller));
    expect_ok(brp_poller_add(poller, made.accepted.handle, BRP_WATCH_MESSAGES, 7));
    join(CreateThread(NULL, 0, wait_once, poller, 0, NULL));
    expect_fails(brp_poller_wait(poller, &key, 1, &n, 0), BROOD_ETIMEDOUT);
    join(CreateThread(NULL, 0, wait_once, poller, 0, NULL));
    send_message(made.client, "still there");
    while (n == 0)
        expect_ok(brp_poller_wait(poller, &key, 1, &n, soon()));
    assert_int_equal(key, 7);
    brp_poller_destroy(poller);
    expect_text(made.accepted, "still there");
    part(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_signal_of_an_event_that_resets_itself_is_told),
        cmocka_unit_test(test_the_same_among_many),
        cmocka_unit_test(test_a_poller_tells_such_a_signal_once),
        cmocka_unit_test(test_a_unit_of_a_semaphore_is_taken_by_the_wait_that_tells_it),
        cmocka_unit_test(test_an_empty_message_is_told_to_who_waits),
        cmocka_unit_test(test_an_empty_message_is_told_among_many),
        cmocka_unit_test(test_a_poller_tells_an_empty_message_at_its_end),
        cmocka_unit_test(test_a_poller_outlives_a_thread_that_waited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
