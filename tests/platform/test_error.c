/* test_error.c - platform/error.h: the system's codes as statuses with its text. */
#include "expect.h"

#include <errno.h>

#include "platform/error.h"

#ifdef _WIN32
#include <windows.h>
enum {
    CODE_NOMEM = ERROR_NOT_ENOUGH_MEMORY,
    CODE_ACCESS = ERROR_ACCESS_DENIED,
    CODE_MISSING = ERROR_FILE_NOT_FOUND,
    CODE_EXISTS = ERROR_ALREADY_EXISTS,
    CODE_LIMIT = ERROR_TOO_MANY_OPEN_FILES,
    CODE_PIPE = ERROR_BROKEN_PIPE,
    CODE_OTHER = ERROR_INVALID_FUNCTION
};
#else
enum {
    CODE_NOMEM = ENOMEM,
    CODE_ACCESS = EACCES,
    CODE_MISSING = ENOENT,
    CODE_EXISTS = EEXIST,
    CODE_LIMIT = EMFILE,
    CODE_PIPE = EPIPE,
    CODE_OTHER = ENOTTY
};
#endif

static void test_the_codes_of_the_system_have_statuses(void **state)
{
    (void)state;
    assert_int_equal(brp_status_of(CODE_NOMEM), BROOD_ENOMEM);
    assert_int_equal(brp_status_of(CODE_ACCESS), BROOD_EACCESS);
    assert_int_equal(brp_status_of(CODE_MISSING), BROOD_ENOTFOUND);
    assert_int_equal(brp_status_of(CODE_EXISTS), BROOD_EEXIST);
    assert_int_equal(brp_status_of(CODE_LIMIT), BROOD_ELIMIT);
    assert_int_equal(brp_status_of(CODE_PIPE), BROOD_EEOF);
    assert_int_equal(brp_status_of(CODE_OTHER), BROOD_EOS);
    assert_int_equal(brp_status_of(123456), BROOD_EOS);
}

static void test_a_failure_names_the_object_and_the_reason(void **state)
{
    (void)state;
    char reason[200], wanted[300];
    brp_error_text(CODE_MISSING, reason, sizeof reason);
    assert_true(strlen(reason) > 5);
    assert_int_equal(brp_fail(CODE_MISSING, "could not open \"%s\"", "x"), BROOD_ENOTFOUND);
    snprintf(wanted, sizeof wanted, "could not open \"x\": %s", reason);
    assert_string_equal(brood_last_error()->message, wanted);
    assert_int_equal(brood_last_error()->status, BROOD_ENOTFOUND);
    assert_int_equal(brood_last_error()->system_code, CODE_MISSING);
}

static void test_every_code_has_a_text_without_an_end_of_sentence(void **state)
{
    (void)state;
    for (long code = 0; code < 2000; code++) {
        char text[300];
        brp_error_text(code, text, sizeof text);
        size_t length = strlen(text);
        assert_true(length > 0 && length < sizeof text);
        char end = text[length - 1];
        assert_true(end != '\n' && end != '\r' && end != '.' && end != ' ');
    }
}

static void test_a_text_is_cut_to_its_room(void **state)
{
    (void)state;
    char text[16];
    for (size_t size = 1; size <= 8; size++) {
        memset(text, 'x', sizeof text);
        brp_error_text(CODE_MISSING, text, size);
        assert_true(strlen(text) < size);
        for (size_t i = size; i < sizeof text; i++)
            assert_int_equal(text[i], 'x');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_the_codes_of_the_system_have_statuses),
        pt_test(test_a_failure_names_the_object_and_the_reason),
        pt_test(test_every_code_has_a_text_without_an_end_of_sentence),
        pt_test(test_a_text_is_cut_to_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
