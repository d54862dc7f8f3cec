/* test_threads.c - one value read by many threads, and copies that share texts cleared by many. */
#include "support.h"

#include "core/runtime.h"
#include "core/thread.h"

enum { THREADS = 4, ROUNDS = 500 };

static brood_value shared;

static int start_runtime(void **state)
{
    (void)state;
    return bri_runtime_start() == BROOD_OK ? 0 : -1;
}

static void use_shared(void *context)
{
    int *done = context;
    for (int i = 0; i < ROUNDS; i++) {
        brood_value copy;
        brood_value back;
        void *data;
        size_t size;
        int64_t number = 0;
        if (brood_value_copy(&shared, &copy) != BROOD_OK ||
            brood_pickle_dumps(&shared, &data, &size) != BROOD_OK)
            return;
        bool fine = brood_pickle_loads(data, size, NULL, &back) == BROOD_OK &&
                    brood_value_equal(&copy, &back) &&
                    brood_dict_get_int(&shared, "number", &number) == BROOD_OK &&
                    brood_dict_put_str(&copy, "own", brood_int(i)) == BROOD_OK;
        brood_free(data);
        brood_value_clear(&copy);
        brood_value_clear(&back);
        if (!fine)
            return;
        ++*done;
    }
}

static void test_threads_share_texts(void **state)
{
    (void)state;
    static const char opaque[] = "cm\nn\n(S'text'\ntR.";
    brood_value foreign;
    dt_ok(brood_pickle_loads(opaque, sizeof opaque - 1, NULL, &foreign));
    shared = brood_pack("{s:i,s:[ssy],s:v,s:v,s:v}", "number", 5, "list", "a", "b", "c", (size_t)1,
                        "big", brood_uint(UINT64_MAX), "error",
                        brood_error_value("ValueError", "x"), "opaque", foreign);
    assert_int_equal(shared.kind, BROOD_DICT);
    bri_thread *threads[THREADS];
    int done[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        dt_ok(bri_thread_start(&threads[i], use_shared, &done[i]));
    for (int i = 0; i < THREADS; i++)
        bri_thread_join(threads[i]);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(done[i], ROUNDS);
    brood_value_clear(&shared);
}

static void fail_alone(void *context)
{
    *(bool *)context = brood_last_error()->status == BROOD_OK;
    brood_value_kind(&(brood_value){0});
    brood_value bad = brood_str("\xff");
    *(bool *)context = *(bool *)context && bad.kind == BROOD_INVALID &&
                       brood_last_error()->status == BROOD_EFORMAT;
}

static void test_each_thread_has_its_own_last_error(void **state)
{
    (void)state;
    bri_fail(BROOD_EAUTH, "could not log in");
    bool fine = false;
    bri_thread *thread;
    dt_ok(bri_thread_start(&thread, fail_alone, &fine));
    bri_thread_join(thread);
    assert_true(fine);
    assert_int_equal(brood_last_error()->status, BROOD_EAUTH);
    dt_message("could not log in");
}

int main(void)
{
    const struct CMUnitTest tests[] = {dt_test(test_threads_share_texts),
                                       dt_test(test_each_thread_has_its_own_last_error)};
    return cmocka_run_group_tests(tests, start_runtime, NULL);
}
