/* brood-test: start-methods */
/* The system gives no more memory while the arena and a queue grow: an error with sizes, and what
 * is there goes on. */
#include "harness.h"

#include <sys/resource.h>

enum { SIZE = 3000, LIMIT = 4 << 20 };

static void set_limit(rlim_t size)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size;
    setrlimit(RLIMIT_FSIZE, &limit);
}

/* The arena's memory is a file: it may not grow beyond the limit. */
static brood_status fill_under_limit(brood_call *call)
{
    static char bytes[SIZE];
    const brood_value *value;
    brood_queue *queue;
    brood_array *array;
    brood_status status;
    int64_t n = 0;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_queue(value, &queue));
    set_limit(LIMIT);
    while ((status = brood_queue_put_bytes(queue, bytes, sizeof bytes, 0)) == BROOD_OK)
        memcpy(bytes, &(int64_t){++n}, sizeof n);
    bt_check(call, status == BROOD_ENOMEM);
    bt_check(call, strstr(brood_last_error()->message, "4194304") != NULL);
    bt_check(call, brood_array_create(&array, "c", 100000, NULL) == BROOD_ENOMEM);
    bt_check(call, brood_queue_size(queue) == (size_t)n);
    bt_check(call, n > 100);
    return BROOD_OK;
}

static void test_a_queue_that_cannot_grow_is_whole(void **state)
{
    (void)state;
    static char bytes[SIZE];
    brood_queue *queue;
    void *data;
    size_t size;
    int64_t number;
    bt_ok(brood_queue_create(&queue, &(brood_queue_options){.memory_limit = SIZE_MAX}));
    assert_int_equal(
        bt_join(bt_process(fill_under_limit, brood_pack("(v)", brood_queue_value(queue)))), 0);
    int64_t n = (int64_t)brood_queue_size(queue);
    /* This process has no such limit. */
    for (int i = 0; i < 100; i++)
        bt_ok(brood_queue_put_bytes(queue, bytes, sizeof bytes, 0));
    for (int64_t i = 0; i < n + 100; i++) {
        bt_ok(brood_queue_get_bytes(queue, &data, &size, 0));
        memcpy(&number, data, sizeof number);
        assert_int_equal(size, SIZE);
        assert_int_equal(number, i < n ? i : 0);
        brood_free(data);
    }
    brood_queue_destroy(queue);
}

static void test_little_address_space_is_enough_or_an_error(void **state)
{
    (void)state;
    char output[4000];
    if (bt_has_address_sanitizer() || bt_has_thread_sanitizer())
        bt_skip("a sanitizer needs more addresses than the limit of this test");
    const char *arguments[] = {"-c", "ulimit -v 400000; exec \"$0\"", bt_prog("prog_limited"),
                               NULL};
    assert_int_equal(bt_run_prog("/bin/sh", arguments, output, sizeof output), 0);
    assert_non_null(strstr(output, "could not create an array"));
    assert_non_null(strstr(output, "8589934")); /* 8 bytes each */
    assert_non_null(strstr(output, "could not put into a queue"));
    assert_non_null(strstr(output, "bytes"));
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_queue_that_cannot_grow_is_whole),
                   bt_test(test_little_address_space_is_enough_or_an_error));
}
