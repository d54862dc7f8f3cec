/* test_handle.c - platform/handle.h: handles as values, non-inheritable from birth. */
#include "expect.h"

#include "platform/parent.h"
#include "platform/section.h"

static void test_a_closed_handle_is_no_handle(void **state)
{
    (void)state;
    brp_handle handle = BRP_NO_HANDLE;
    brp_handle_close(&handle);
    assert_false(brp_handle_is_set(handle));
    pt_ok(brp_handle_open_null(&handle));
    assert_true(brp_handle_is_set(handle));
    brp_handle_close(&handle);
    assert_false(brp_handle_is_set(handle));
    brp_handle_close(&handle);
}

static void test_a_duplicate_is_the_same_thing_with_a_life_of_its_own(void **state)
{
    (void)state;
    brp_handle ends[2], copy = BRP_NO_HANDLE;
    char byte = 0;
    size_t got = 0;
    pt_ok(brp_stream_pair(ends));
    pt_ok(brp_handle_duplicate(ends[1], &copy));
    assert_true(copy.value != ends[1].value);
    brp_handle_close(&ends[1]);
    pt_ok(pt_say(copy, "x"));
    pt_ok(brp_stream_read(ends[0], &byte, 1, &got, pt_hang()));
    assert_int_equal(byte, 'x');
    brp_handle_close(&copy);
    pt_fails(brp_stream_read(ends[0], &byte, 1, &got, pt_hang()), BROOD_EEOF);
    brp_handle_close(&ends[0]);
}

static void test_every_handle_is_made_non_inheritable(void **state)
{
    (void)state;
    brp_handle made[16];
    size_t n = 0;
    pt_ok(brp_handle_open_null(&made[n++]));
    pt_ok(brp_handle_duplicate(made[0], &made[n++]));
    pt_ok(brp_stream_pair(&made[n]));
    n += 2;
    pt_ok(brp_stream_pair_one_way(&made[n]));
    n += 2;
    pt_ok(brp_pipe_pair(&made[n], &made[n + 1], true));
    n += 2;
    pt_ok(brp_pipe_pair(&made[n], &made[n + 1], false));
    n += 2;
    pt_ok(brp_lifeline_create(&made[n], &made[n + 1]));
    n += 2;
    brp_section section;
    pt_ok(brp_section_create(&section, 1 << 20, 1 << 20));
    pt_process child;
    pt_start(&child, "child", "sit", NULL, 0);
    int inheritable =
        brp_handle_is_inheritable(section.handle) + brp_handle_is_inheritable(child.child.sentinel);
    for (size_t i = 0; i < n; i++)
        if (brp_handle_is_set(made[i]))
            inheritable += brp_handle_is_inheritable(made[i]);
    assert_true(pt_await_byte(child.report, PT_HANG_MS));
    brp_handle_close(&child.report);
    assert_int_equal(pt_join(&child), 0);
    brp_section_close(&section);
    for (size_t i = 0; i < n; i++)
        brp_handle_close(&made[i]);
    assert_int_equal(inheritable, 0);
}

static void test_a_handle_survives_its_text(void **state)
{
    (void)state;
    brp_handle handle, again = BRP_NO_HANDLE;
    char text[BRP_HANDLE_TEXT];
    pt_ok(brp_handle_open_null(&handle));
    brp_handle_format(handle, text);
    pt_ok(brp_handle_parse(text, &again));
    assert_true(again.value == handle.value);
    brp_handle_close(&handle);
    again = BRP_NO_HANDLE;
    assert_int_not_equal(brp_handle_parse(text, &again), BROOD_OK);
    assert_false(brp_handle_is_set(again));
    pt_message_has(text);
}

static void test_what_is_no_handle_is_refused(void **state)
{
    (void)state;
    const char *const texts[] = {"",   "x",  "-1",       "3x",
                                 " 3", "+3", "99999999", "99999999999999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        brp_handle handle = {1234};
        assert_int_not_equal(brp_handle_parse(texts[i], &handle), BROOD_OK);
        assert_true(handle.value == 1234);
        pt_message_has("could not");
    }
}

static void test_the_count_follows_what_is_open(void **state)
{
    (void)state;
    brp_handle made[20];
    size_t before = brp_handle_count();
    if (before == 0)
        pt_skip_on(PT_SYSTEM, "it does not tell how many handles are open");
    for (size_t i = 0; i < 20; i++)
        pt_ok(brp_handle_open_null(&made[i]));
    size_t between = brp_handle_count();
    for (size_t i = 0; i < 20; i++)
        brp_handle_close(&made[i]);
    assert_int_equal(between, before + 20);
    assert_int_equal(brp_handle_count(), before);
}

static void test_the_null_device_is_the_childs_empty_input(void **state)
{
    (void)state;
    pt_process child;
    brp_handle null_device, ours, theirs;
    pt_ok(brp_handle_open_null(&null_device));
    pt_ok(brp_pipe_pair(&ours, &theirs, true));
    brp_spawn_options options = {.stdio = {{BRP_STDIO_HANDLE, null_device},
                                           {BRP_STDIO_HANDLE, theirs},
                                           {BRP_STDIO_INHERIT, BRP_NO_HANDLE}}};
    pt_start_with(&child, "child", "copy", NULL, 0, &options);
    brp_handle_close(&theirs);
    brp_handle_close(&null_device);
    size_t size = 1;
    char *output = pt_read_all(ours, &size);
    brp_handle_close(&ours);
    bri_free(output);
    assert_int_equal(pt_join(&child), 0);
    assert_int_equal(size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_a_closed_handle_is_no_handle),
        pt_test(test_a_duplicate_is_the_same_thing_with_a_life_of_its_own),
        pt_test(test_every_handle_is_made_non_inheritable),
        pt_test(test_a_handle_survives_its_text),
        pt_test(test_what_is_no_handle_is_refused),
        pt_test(test_the_count_follows_what_is_open),
        pt_test(test_the_null_device_is_the_childs_empty_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
