/* test_error.c - base/error.h and the public status functions. */
#include "../data/support.h"

#include "base/error.h"

static void test_every_status_has_a_name_and_a_text(void **state)
{
    (void)state;
    assert_string_equal(brood_status_name(BROOD_OK), "OK");
    assert_string_equal(brood_status_name(BROOD_EBROKEN), "EBROKEN");
    assert_string_equal(brood_status_text(BROOD_ETIMEDOUT), "the time is up");
    for (int i = 0; i <= (int)BROOD_EBROKEN; i++) {
        assert_true(strlen(brood_status_name((brood_status)i)) >= 2);
        assert_true(strlen(brood_status_text((brood_status)i)) >= 4);
    }
    assert_string_equal(brood_status_name((brood_status)4711), "?");
    assert_string_equal(brood_status_text((brood_status)4711), "unknown status");
    assert_string_equal(brood_status_name((brood_status)-1), "?");
}

static void test_the_last_failure_is_described(void **state)
{
    (void)state;
    assert_int_equal(bri_fail(BROOD_ENOTFOUND, "could not find \"%s\"", "x"), BROOD_ENOTFOUND);
    const brood_error *error = brood_last_error();
    assert_int_equal(error->status, BROOD_ENOTFOUND);
    assert_int_equal(error->system_code, 0);
    assert_string_equal(error->message, "could not find \"x\"");
}

static void test_the_outer_place_is_put_in_front(void **state)
{
    (void)state;
    bri_fail(BROOD_ETYPE, "could not read an int");
    assert_int_equal(bri_fail_within("could not unpack \"%s\"", "i"), BROOD_ETYPE);
    dt_message("could not unpack \"i\": could not read an int");
    assert_int_equal(brood_last_error()->status, BROOD_ETYPE);
}

static brood_status fail_as_system(long code, const char *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    brood_status status = bri_fail_system(BROOD_EOS, code, reason, format, arguments);
    va_end(arguments);
    return status;
}

static void test_the_system_adds_its_reason(void **state)
{
    (void)state;
    assert_int_equal(fail_as_system(2, "No such file", "could not start \"%s\"", "/x"), BROOD_EOS);
    dt_message("could not start \"/x\": No such file");
    assert_int_equal(brood_last_error()->system_code, 2);
    fail_as_system(3, NULL, "could not wait");
    dt_message("could not wait");
}

static void test_a_long_message_is_cut_between_characters(void **state)
{
    (void)state;
    char text[3 * BRI_MESSAGE_SIZE];
    for (size_t shift = 0; shift < 2; shift++) {
        size_t n = 0;
        memset(text, 'a', shift);
        for (n = shift; n + 2 < sizeof text; n += 2)
            memcpy(text + n, "\xc3\xa9", 2);
        text[n] = '\0';
        bri_fail(BROOD_EINVALID, "%s", text);
        const char *message = brood_last_error()->message;
        size_t size = strlen(message);
        assert_true(size < BRI_MESSAGE_SIZE && size > BRI_MESSAGE_SIZE - 8);
        assert_string_equal(message + size - 3, "...");
        assert_int_equal((size - 3 - shift) % 2, 0);
        assert_memory_equal(message, text, size - 3);
    }
    memset(text, 'b', BRI_MESSAGE_SIZE - 1);
    text[BRI_MESSAGE_SIZE - 1] = '\0';
    bri_fail(BROOD_EINVALID, "%s", text);
    dt_message(text);
}

static void test_a_saved_error_comes_back(void **state)
{
    (void)state;
    bri_saved_error saved;
    bri_fail(BROOD_EAUTH, "could not log in");
    bri_error_save(&saved);
    bri_fail(BROOD_EOS, "could not close");
    bri_error_restore(&saved);
    assert_int_equal(brood_last_error()->status, BROOD_EAUTH);
    dt_message("could not log in");
}

static void test_an_outcome_is_not_told_by_the_message_of_another_failure(void **state)
{
    (void)state;
    bri_fail(BROOD_EINVALID, "could not use a queue: NULL is none");
    assert_string_equal(brood_status_message(BROOD_EINVALID),
                        "could not use a queue: NULL is none");
    assert_string_equal(brood_status_message(BROOD_EEMPTY), "nothing is there");
    assert_string_equal(brood_status_message((brood_status)777), "unknown status");
    bri_fail(BROOD_EEOF, "%s", "");
    assert_string_equal(brood_status_message(BROOD_EEOF), "the other end is closed");
}

static brood_status try_twice(brood_status first, int *calls)
{
    BROOD_TRY(first);
    ++*calls;
    return BROOD_OK;
}

static void test_try_returns_the_first_failure(void **state)
{
    (void)state;
    int calls = 0;
    assert_int_equal(try_twice(BROOD_EFULL, &calls), BROOD_EFULL);
    assert_int_equal(calls, 0);
    assert_int_equal(try_twice(BROOD_OK, &calls), BROOD_OK);
    assert_int_equal(calls, 1);
}

dt_main(dt_test(test_every_status_has_a_name_and_a_text),
        dt_test(test_the_last_failure_is_described), dt_test(test_the_outer_place_is_put_in_front),
        dt_test(test_the_system_adds_its_reason),
        dt_test(test_a_long_message_is_cut_between_characters),
        dt_test(test_a_saved_error_comes_back),
        dt_test(test_an_outcome_is_not_told_by_the_message_of_another_failure),
        dt_test(test_try_returns_the_first_failure))
