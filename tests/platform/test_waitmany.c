/* test_waitmany.c - platform/waitmany.h: any of many handles, once or again and again. */
#include "expect.h"

#include "threads.h"

enum { MANY = 300 };

static brp_handle pairs[MANY][2];

static void make_pairs(void)
{
    for (int i = 0; i < MANY; i++)
        pt_ok(brp_stream_pair(pairs[i]));
}

static void drop_pairs(void)
{
    for (int i = 0; i < MANY; i++) {
        brp_handle_close(&pairs[i][0]);
        brp_handle_close(&pairs[i][1]);
    }
}

/* ---- one wait ---- */

static brp_watch watches[MANY];

static void watch_pairs(void)
{
    for (int i = 0; i < MANY; i++)
        watches[i] = (brp_watch){.handle = pairs[i][0], .kind = BRP_WATCH_STREAM, .ready = true};
}

static void test_any_of_300_streams_is_found(void **state)
{
    (void)state;
    size_t n_ready = 0;
    make_pairs();
    watch_pairs();
    pt_fails(brp_wait_any(watches, MANY, 0, &n_ready), BROOD_ETIMEDOUT);
    for (int i = 0; i < MANY; i++)
        assert_false(watches[i].ready);
    pt_fails(brp_wait_any(watches, MANY, pt_in(30), NULL), BROOD_ETIMEDOUT);
    const int chosen[] = {0, 63, 64, 65, 128, 299};
    for (size_t i = 0; i < 6; i++) {
        char byte;
        size_t got;
        pt_ok(pt_say(pairs[chosen[i]][1], "x"));
        pt_ok(brp_wait_any(watches, MANY, pt_hang(), &n_ready));
        assert_int_equal(n_ready, 1);
        for (int j = 0; j < MANY; j++)
            assert_int_equal(watches[j].ready, j == chosen[i]);
        pt_ok(brp_wait_any(watches, MANY, BRI_NEVER, NULL)); /* nothing was taken away */
        pt_ok(brp_stream_read(pairs[chosen[i]][0], &byte, 1, &got, 0));
    }
    drop_pairs();
}

static void test_all_that_are_ready_are_marked(void **state)
{
    (void)state;
    size_t n_ready = 0;
    make_pairs();
    watch_pairs();
    for (int i = 0; i < MANY; i += 2)
        pt_ok(pt_say(pairs[i][1], "x"));
    /* Each is there already, so a single wait sees them all. */
    pt_ok(brp_wait_any(watches, MANY, pt_hang(), &n_ready));
    int marked = 0;
    for (int i = 0; i < MANY; i++) {
        marked += watches[i].ready;
        assert_false(watches[i].ready && i % 2 != 0);
    }
    drop_pairs();
    assert_int_equal(n_ready, marked);
    assert_int_equal(marked, MANY / 2);
}

static void test_a_stream_at_its_end_is_ready(void **state)
{
    (void)state;
    brp_handle ends[2];
    brp_watch watch = {.kind = BRP_WATCH_STREAM};
    pt_ok(brp_stream_pair(ends));
    brp_handle_close(&ends[1]);
    watch.handle = ends[0];
    pt_ok(brp_wait_any(&watch, 1, pt_hang(), NULL));
    assert_true(watch.ready);
    brp_handle_close(&ends[0]);
    pt_ok(brp_pipe_pair(&ends[0], &ends[1], true));
    watch.handle = ends[0];
    pt_fails(brp_wait_any(&watch, 1, 0, NULL), BROOD_ETIMEDOUT);
    brp_handle_close(&ends[1]);
    pt_ok(brp_wait_any(&watch, 1, pt_hang(), NULL));
    brp_handle_close(&ends[0]);
}

static void test_no_handle_is_never_ready_and_nothing_cannot_be_awaited(void **state)
{
    (void)state;
    brp_watch nothing[2] = {{.handle = BRP_NO_HANDLE, .kind = BRP_WATCH_STREAM},
                            {.handle = BRP_NO_HANDLE, .kind = BRP_WATCH_SENTINEL}};
    pt_fails(brp_wait_any(nothing, 2, pt_in(20), NULL), BROOD_ETIMEDOUT);
    pt_fails(brp_wait_any(NULL, 0, pt_in(20), NULL), BROOD_ETIMEDOUT);
    pt_fails(brp_wait_any(NULL, 0, BRI_NEVER, NULL), BROOD_EINVALID);
}

static void test_streams_and_children_are_awaited_together(void **state)
{
    enum { CHILDREN = 70 };
    (void)state;
    static pt_process children[CHILDREN];
    static brp_watch all[2 * CHILDREN];
    size_t n_ready = 0;
    for (int i = 0; i < CHILDREN; i++) {
        pt_start(&children[i], "child", "sit", NULL, 0);
        assert_true(pt_await_byte(children[i].report, PT_HANG_MS));
        all[2 * i] = (brp_watch){.handle = children[i].report, .kind = BRP_WATCH_STREAM};
        all[2 * i + 1] =
            (brp_watch){.handle = children[i].child.sentinel, .kind = BRP_WATCH_SENTINEL};
    }
    pt_fails(brp_wait_any(all, 2 * CHILDREN, pt_in(20), NULL), BROOD_ETIMEDOUT);
    const int chosen[] = {69, 31, 0};
    for (int i = 0; i < 3; i++) {
        pt_ok(pt_say(children[chosen[i]].report, "g"));
        pt_ok(brp_child_await_end(&children[chosen[i]].child, pt_hang()));
        pt_ok(brp_wait_any(all, 2 * CHILDREN, pt_hang(), &n_ready));
        for (int j = 0; j < 2 * CHILDREN; j++)
            assert_int_equal(all[j].ready, j / 2 == chosen[i]);
        assert_int_equal(n_ready, 2);
        all[2 * chosen[i]].handle = BRP_NO_HANDLE;
        all[2 * chosen[i] + 1].handle = BRP_NO_HANDLE;
    }
    for (int i = 0; i < CHILDREN; i++) {
        brp_handle_close(&children[i].report);
        assert_int_equal(pt_join(&children[i]), 0);
    }
}

/* ---- pollers ---- */

static void test_a_poller_reports_keys_as_long_as_they_are_ready(void **state)
{
    (void)state;
    brp_poller *poller;
    uint64_t keys[8];
    size_t n = 77;
    brp_handle ends[2];
    char byte;
    pt_ok(brp_poller_create(&poller));
    pt_ok(brp_stream_pair(ends));
    pt_fails(brp_poller_wait(poller, keys, 8, &n, 0), BROOD_ETIMEDOUT);
    pt_ok(brp_poller_add(poller, ends[0], BRP_WATCH_STREAM, UINT64_C(0xFEDCBA9876543210)));
    pt_fails(brp_poller_wait(poller, keys, 8, &n, pt_in(30)), BROOD_ETIMEDOUT);
    assert_int_equal(n, 77);
    pt_ok(pt_say(ends[1], "ab"));
    for (int i = 0; i < 3; i++) {
        pt_ok(brp_poller_wait(poller, keys, 8, &n, pt_hang()));
        assert_int_equal(n, 1);
        assert_true(keys[0] == UINT64_C(0xFEDCBA9876543210));
    }
    size_t got;
    pt_ok(brp_stream_read(ends[0], &byte, 1, &got, 0));
    pt_ok(brp_poller_wait(poller, keys, 8, &n, pt_hang()));
    assert_int_equal(n, 1);
    pt_ok(brp_stream_read(ends[0], &byte, 1, &got, 0));
    pt_fails(brp_poller_wait(poller, keys, 8, &n, pt_in(20)), BROOD_ETIMEDOUT);
    brp_handle_close(&ends[1]);
    pt_ok(brp_poller_wait(poller, keys, 8, &n, pt_hang()));
    assert_int_equal(n, 1);
    brp_poller_remove(poller, ends[0], UINT64_C(0xFEDCBA9876543210));
    pt_fails(brp_poller_wait(poller, keys, 8, &n, pt_in(20)), BROOD_ETIMEDOUT);
    brp_handle_close(&ends[0]);
    brp_poller_destroy(poller);
    brp_poller_destroy(NULL);
}

static void test_a_poller_reports_all_of_300_in_turns_of_little_room(void **state)
{
    (void)state;
    brp_poller *poller;
    static int seen[MANY];
    int missing = MANY;
    pt_ok(brp_poller_create(&poller));
    make_pairs();
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < MANY; i++) {
        pt_ok(brp_poller_add(poller, pairs[i][0], BRP_WATCH_STREAM, (uint64_t)i));
        pt_ok(pt_say(pairs[i][1], "x"));
    }
    bri_deadline limit = pt_hang();
    while (missing > 0 && brp_clock_now() < limit) {
        uint64_t keys[3];
        size_t n = 0;
        pt_ok(brp_poller_wait(poller, keys, 3, &n, limit));
        assert_true(n > 0 && n <= 3);
        for (size_t i = 0; i < n; i++) {
            assert_true(keys[i] < MANY);
            missing -= seen[keys[i]]++ == 0; /* their bytes stay: each may come again */
        }
    }
    for (int i = 0; i < MANY; i++)
        brp_poller_remove(poller, pairs[i][0], (uint64_t)i);
    brp_poller_destroy(poller);
    drop_pairs();
    assert_int_equal(missing, 0);
}

static void test_a_poller_learns_of_ended_children(void **state)
{
    enum { CHILDREN = 70 };
    (void)state;
    static pt_process children[CHILDREN];
    brp_poller *poller;
    bool ended[CHILDREN] = {false};
    int left = CHILDREN;
    pt_ok(brp_poller_create(&poller));
    for (int i = 0; i < CHILDREN; i++) {
        pt_start(&children[i], "child", "sit", NULL, 0);
        pt_ok(brp_poller_add(poller, children[i].child.sentinel, BRP_WATCH_SENTINEL, (uint64_t)i));
    }
    for (int i = 0; i < CHILDREN; i++) {
        assert_true(pt_await_byte(children[i].report, PT_HANG_MS));
        brp_handle_close(&children[i].report);
    }
    bri_deadline limit = pt_hang();
    while (left > 0) {
        uint64_t keys[16];
        size_t n = 0;
        pt_ok(brp_poller_wait(poller, keys, 16, &n, limit));
        for (size_t i = 0; i < n; i++) {
            pt_process *child = &children[keys[i]];
            assert_false(ended[keys[i]]);
            ended[keys[i]] = true;
            pt_ok(brp_child_wait(&child->child, 0));
            brp_poller_remove(poller, child->child.sentinel, keys[i]);
            assert_int_equal(pt_join(child), 0);
            left--;
        }
    }
    brp_poller_destroy(poller);
}

static void test_a_handle_is_in_a_poller_once(void **state)
{
    (void)state;
    brp_poller *poller;
    brp_handle ends[2];
    pt_ok(brp_poller_create(&poller));
    pt_ok(brp_stream_pair(ends));
    pt_ok(brp_poller_add(poller, ends[0], BRP_WATCH_STREAM, 1));
    assert_int_not_equal(brp_poller_add(poller, ends[0], BRP_WATCH_STREAM, 2), BROOD_OK);
    pt_fails(brp_poller_add(poller, ends[1], BRP_WATCH_STREAM, UINT64_MAX), BROOD_EINVALID);
    brp_poller_remove(poller, ends[0], 1);
    pt_ok(brp_poller_add(poller, ends[0], BRP_WATCH_STREAM, 2));
    pt_ok(pt_say(ends[1], "x"));
    uint64_t key = 0;
    size_t n = 0;
    pt_ok(brp_poller_wait(poller, &key, 1, &n, pt_hang()));
    assert_int_equal(key, 2);
    brp_poller_remove(poller, ends[0], 2);
    brp_poller_destroy(poller);
    brp_handle_close(&ends[0]);
    brp_handle_close(&ends[1]);
}

static void test_a_wake_before_the_wait_counts_once(void **state)
{
    (void)state;
    brp_poller *poller;
    uint64_t keys[4];
    size_t n = 9;
    pt_ok(brp_poller_create(&poller));
    brp_poller_wake(poller);
    brp_poller_wake(poller);
    pt_ok(brp_poller_wait(poller, keys, 4, &n, pt_hang()));
    assert_int_equal(n, 0);
    pt_fails(brp_poller_wait(poller, keys, 4, &n, pt_in(20)), BROOD_ETIMEDOUT);
    brp_poller_destroy(poller);
}

typedef struct poll_call {
    brp_poller *poller;
    brp_handle handle;
    brp_handle ready; /* written to just before the wait */
    brood_status status;
    uint64_t key;
    size_t n;
} poll_call;

static void wait_in_thread(void *context)
{
    poll_call *call = context;
    pt_say(call->ready, "r");
    call->status = brp_poller_wait(call->poller, &call->key, 1, &call->n, pt_hang());
}

static void test_a_wake_and_an_addition_reach_a_wait_that_goes_on(void **state)
{
    (void)state;
    brp_handle ends[2], ready[2];
    poll_call call = {.key = 0};
    pt_thread thread;
    pt_ok(brp_poller_create(&call.poller));
    pt_ok(brp_stream_pair(ends));
    pt_ok(brp_stream_pair(ready));
    pt_ok(pt_say(ends[1], "x"));
    call.ready = ready[1];
    for (int round = 0; round < 50; round++) {
        call.n = 5;
        pt_thread_start(&thread, wait_in_thread, &call);
        assert_true(pt_await_byte(ready[0], PT_HANG_MS));
        if (round % 2 == 0)
            brp_poller_wake(call.poller);
        else
            pt_ok(brp_poller_add(call.poller, ends[0], BRP_WATCH_STREAM, 42));
        pt_thread_join(&thread);
        assert_int_equal(call.status, BROOD_OK);
        assert_int_equal(call.n, round % 2);
        if (round % 2 != 0) {
            assert_int_equal(call.key, 42);
            brp_poller_remove(call.poller, ends[0], 42);
        }
    }
    brp_poller_destroy(call.poller);
    for (int i = 0; i < 2; i++) {
        brp_handle_close(&ends[i]);
        brp_handle_close(&ready[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_any_of_300_streams_is_found),
        pt_test(test_all_that_are_ready_are_marked),
        pt_test(test_a_stream_at_its_end_is_ready),
        pt_test(test_no_handle_is_never_ready_and_nothing_cannot_be_awaited),
        pt_test(test_streams_and_children_are_awaited_together),
        pt_test(test_a_poller_reports_keys_as_long_as_they_are_ready),
        pt_test(test_a_poller_reports_all_of_300_in_turns_of_little_room),
        pt_test(test_a_poller_learns_of_ended_children),
        pt_test(test_a_handle_is_in_a_poller_once),
        pt_test(test_a_wake_before_the_wait_counts_once),
        pt_test(test_a_wake_and_an_addition_reach_a_wait_that_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
