/* Running a function: results, failures, and how failures travel. */
#include "harness.h"

#include "base/error.h"
#include "base/memory.h"
#include "proc/call.h"

static brood_status return_sum(brood_call *call)
{
    int64_t a, b;
    BROOD_TRY(brood_call_args(call, "ii", &a, &b));
    return brood_call_return(call, brood_int(a + b));
}

static brood_status return_nothing(brood_call *call)
{
    (void)call;
    return BROOD_OK;
}

static brood_status return_twice(brood_call *call)
{
    BROOD_TRY(brood_call_return(call, brood_str("first")));
    return brood_call_return(call, brood_str("second"));
}

static brood_status return_what_failed(brood_call *call)
{
    return brood_call_return(call, brood_pack("(?"));
}

static brood_status return_nothing_after_a_failure(brood_call *call)
{
    int64_t n;
    assert_int_equal(brood_get_int(brood_call_arguments(call), &n), BROOD_ETYPE);
    assert_int_equal(brood_call_return(call, (brood_value){0}), BROOD_EINVALID);
    brood_value failed = brood_str("\xff");
    assert_int_equal(brood_get_int(brood_call_arguments(call), &n), BROOD_ETYPE);
    return brood_call_return(call, failed);
}

static brood_status raise_key_error(brood_call *call)
{
    return brood_call_raise(call, "KeyError", "no %s", "key");
}

static brood_status raise_and_go_on(brood_call *call)
{
    (void)brood_call_raise(call, "KeyError", "ignored");
    return BROOD_OK;
}

static brood_status raise_something_long(brood_call *call)
{
    char text[20000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    return brood_call_raise(call, "test.Special", "%s", text);
}

static brood_status fail_with(brood_call *call)
{
    int64_t status;
    BROOD_TRY(brood_call_args(call, "i", &status));
    return bri_fail((brood_status)status, "could not do \"it\"");
}

static brood_status fail_without_a_word(brood_call *call)
{
    (void)call;
    return BROOD_ECANCELLED;
}

static brood_status raise_nothing_known(brood_call *call)
{
    static const char *const kinds[] = {"", ".", "a.", ".a", "\xff", NULL};
    int64_t which;
    BROOD_TRY(brood_call_args(call, "i", &which));
    brood_status status = brood_call_raise(call, kinds[which], "number %d", (int)which);
    bt_message_has("RuntimeError: number");
    return status;
}

static bri_outcome run(brood_function function, brood_value arguments)
{
    bri_outcome outcome;
    bri_call_run(function, arguments, (brood_value){0}, &outcome);
    return outcome;
}

static void test_results(void **state)
{
    (void)state;
    int64_t sum;
    const char *text;
    size_t size;
    bri_outcome outcome = run(return_sum, brood_pack("(ii)", 3, 4));
    assert_false(outcome.failed);
    bt_ok(brood_get_int(&outcome.result, &sum));
    assert_int_equal(sum, 7);
    bri_outcome_clear(&outcome);
    outcome = run(return_nothing, (brood_value){0});
    assert_int_equal(brood_value_kind(&outcome.result), BROOD_NONE);
    bri_outcome_clear(&outcome);
    outcome = run(return_twice, (brood_value){0});
    bt_ok(brood_get_str(&outcome.result, &text, &size));
    assert_string_equal(text, "second");
    bri_outcome_clear(&outcome);
}

static void expect_failure(brood_function function, brood_value arguments, const char *kind,
                           const char *message)
{
    brood_failure failure;
    bri_outcome outcome = run(function, arguments);
    assert_true(outcome.failed);
    bri_outcome_describe(&outcome, &failure);
    assert_string_equal(failure.kind, kind);
    assert_non_null(strstr(failure.message, message));
    assert_true(failure.pid > 0);
    bri_outcome_clear(&outcome);
}

static void test_failures(void **state)
{
    (void)state;
    expect_failure(raise_key_error, brood_tuple(0), "KeyError", "no key");
    expect_failure(return_sum, brood_pack("(is)", 3, "4"), "TypeError", "could not");
    expect_failure(return_what_failed, brood_tuple(0), "ValueError", "could not pack");
    expect_failure(return_nothing_after_a_failure, brood_tuple(0), "ValueError",
                   "making it failed");
    expect_failure(fail_without_a_word, brood_tuple(0), "RuntimeError",
                   brood_status_text(BROOD_ECANCELLED));
    for (int i = 0; i < 6; i++)
        expect_failure(raise_nothing_known, brood_pack("(i)", i), "RuntimeError", "number");
    bri_outcome outcome = run(raise_and_go_on, brood_tuple(0));
    assert_false(outcome.failed);
    bri_outcome_clear(&outcome);
}

static void test_statuses_stand_for_pythons_exceptions(void **state)
{
    (void)state;
    static const struct {
        brood_status status;
        const char *kind;
    } kinds[] = {{BROOD_ETYPE, "TypeError"},         {BROOD_EINVALID, "ValueError"},
                 {BROOD_ENOMEM, "MemoryError"},      {BROOD_ETIMEDOUT, "TimeoutError"},
                 {BROOD_EEOF, "EOFError"},           {BROOD_EOS, "OSError"},
                 {BROOD_ENOTFOUND, "LookupError"},   {BROOD_ERANGE, "OverflowError"},
                 {BROOD_EACCESS, "PermissionError"}, {BROOD_EEMPTY, "queue.Empty"},
                 {BROOD_ESTATE, "RuntimeError"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        expect_failure(fail_with, brood_pack("(i)", (int)kinds[i].status), kinds[i].kind,
                       "could not do \"it\"");
}

static void test_a_failure_travels_whole(void **state)
{
    (void)state;
    brood_value value;
    bri_outcome there;
    brood_failure failure;
    bri_outcome outcome = run(raise_key_error, brood_tuple(0));
    int line = outcome.line;
    int64_t pid = outcome.pid;
    bt_ok(bri_outcome_reduce(&outcome, &value));
    bt_ok(bri_outcome_rebuild(&value, &there));
    brood_value_clear(&value);
    bri_outcome_describe(&there, &failure);
    assert_string_equal(failure.kind, "KeyError");
    assert_string_equal(failure.message, "no key");
    assert_non_null(strstr(failure.file, "test_call.c"));
    assert_int_equal(failure.line, line);
    assert_int_equal(failure.pid, pid);
    bri_outcome_clear(&there);
}

static void test_long_messages_are_cut(void **state)
{
    (void)state;
    brood_failure failure;
    bri_outcome outcome = run(raise_something_long, brood_tuple(0));
    bri_outcome_describe(&outcome, &failure);
    assert_string_equal(failure.kind, "test.Special");
    assert_true(strlen(failure.message) >= 1000 && strlen(failure.message) <= 4000);
    bri_outcome_clear(&outcome);
}

static void test_malformed_failures_are_refused(void **state)
{
    (void)state;
    bri_outcome outcome;
    brood_value bad[] = {brood_none(), brood_tuple(5), brood_pack("(s)", "x"),
                         brood_pack("(sisii)", "x", 1, "f", 2, 3),
                         brood_pack("(s()sii)", "", "f", 2, 3)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_not_equal(bri_outcome_rebuild(&bad[i], &outcome), BROOD_OK);
        brood_value_clear(&bad[i]);
    }
}

static void test_without_memory_there_is_still_an_outcome(void **state)
{
    (void)state;
    for (long n = 1; n < 20; n++) {
        brood_failure failure;
        brood_value arguments = brood_tuple(0);
        bri_memory_fail_at(n, 1);
        bri_outcome outcome = run(raise_key_error, arguments);
        assert_true(outcome.failed);
        bri_outcome_describe(&outcome, &failure);
        assert_true(strcmp(failure.kind, "KeyError") == 0 ||
                    strcmp(failure.kind, "MemoryError") == 0);
        bri_memory_fail_at(0, 0);
        bri_outcome_clear(&outcome);
    }
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_results), bt_test(test_failures),
                   bt_test(test_statuses_stand_for_pythons_exceptions),
                   bt_test(test_a_failure_travels_whole), bt_test(test_long_messages_are_cut),
                   bt_test(test_malformed_failures_are_refused),
                   bt_test(test_without_memory_there_is_still_an_outcome));
}
