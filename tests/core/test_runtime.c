/* The small parts of core: the log, the handles that travel with a pickle, classes, hooks. */
#include "harness.h"

#include "core/log.h"
#include "core/runtime.h"
#include "core/transfer.h"
#include "platform/stream.h"

/* ---- the log ---- */

static struct {
    int n;
    brood_log_level level;
    char message[200];
} logged;

static void keep_message(void *context, brood_log_level level, const char *message)
{
    assert_ptr_equal(context, &logged);
    logged.n++;
    logged.level = level;
    snprintf(logged.message, sizeof logged.message, "%s", message);
}

static void test_messages_go_where_the_program_says(void **state)
{
    (void)state;
    logged.n = 0;
    bri_log(BROOD_LOG_ERROR, "nobody hears %d", 1);
    assert_int_equal(logged.n, 0);
    brood_set_log(BROOD_LOG_WARNING, keep_message, &logged);
    bri_log(BROOD_LOG_INFO, "too fine");
    assert_int_equal(logged.n, 0);
    bri_log(BROOD_LOG_WARNING, "number %d", 7);
    assert_int_equal(logged.n, 1);
    assert_int_equal(logged.level, BROOD_LOG_WARNING);
    assert_string_equal(logged.message, "number 7");
    brood_set_log(BROOD_LOG_OFF, NULL, NULL);
    bri_log(BROOD_LOG_ERROR, "nobody hears");
    assert_int_equal(logged.n, 1);
}

static brood_status check_level(brood_call *call)
{
    bt_check(call, bri_log_level() == BROOD_LOG_INFO);
    return BROOD_OK;
}

static void test_children_inherit_the_level(void **state)
{
    (void)state;
    brood_set_log(BROOD_LOG_INFO, NULL, NULL);
    brood_process *process = bt_process(check_level, brood_tuple(0));
    brood_set_log(BROOD_LOG_OFF, NULL, NULL);
    assert_int_equal(bt_join(process), 0);
}

/* ---- handles ---- */

static void test_each_handle_is_taken_once(void **state)
{
    (void)state;
    brp_handle ends[2], taken;
    int64_t first, second;
    struct bri_transfer transfer = {.way = BRI_TRANSFER_START};
    bt_ok(brp_stream_pair(ends));
    bt_ok(bri_transfer_add(&transfer, ends[0], &first));
    bt_ok(bri_transfer_add(&transfer, ends[1], &second));
    assert_int_equal(first, 0);
    assert_int_equal(second, 1);
    bt_fails(bri_transfer_take(&transfer, -1, &taken), BROOD_EFORMAT);
    bt_fails(bri_transfer_take(&transfer, 2, &taken), BROOD_EFORMAT);
    bt_ok(bri_transfer_take(&transfer, second, &taken));
    assert_int_equal(taken.value, ends[1].value);
    bt_fails(bri_transfer_take(&transfer, second, &taken), BROOD_EFORMAT);
    bt_message_has("it names the handle 1, which did not come with it");
    bri_transfer_close_rest(&transfer); /* the first; the ledger sees it */
    brp_handle_close(&taken);
}

static void test_handles_have_a_limit_and_a_way(void **state)
{
    (void)state;
    int64_t number;
    struct bri_transfer transfer = {.way = BRI_TRANSFER_TREE};
    bt_fails(bri_transfer_add(&transfer, BRP_NO_HANDLE, &number), BROOD_ENOTSUP);
    transfer.way = BRI_TRANSFER_START;
    for (int i = 0; i < BRI_TRANSFER_MAX; i++)
        bt_ok(bri_transfer_add(&transfer, BRP_NO_HANDLE, &number));
    bt_fails(bri_transfer_add(&transfer, BRP_NO_HANDLE, &number), BROOD_ELIMIT);
}

/* ---- classes and hooks ---- */

static void test_a_class_is_found_by_its_name(void **state)
{
    (void)state;
    static const bri_object_class type = {.name = "TestClass"};
    assert_null(bri_class_find("TestClass"));
    bt_ok(bri_class_add(&type));
    bt_ok(bri_class_add(&type)); /* again is once */
    assert_ptr_equal(bri_class_find("TestClass"), &type);
    assert_null(bri_class_find("TestClas"));
}

static void test_hooks_are_added_once(void **state)
{
    (void)state;
    static const bri_hooks hooks = {.name = "test"};
    int before = bri_the_runtime.n_hooks;
    bt_ok(bri_runtime_hook(&hooks));
    bt_ok(bri_runtime_hook(&hooks));
    assert_int_equal(bri_the_runtime.n_hooks, before + 1);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_messages_go_where_the_program_says),
                   bt_test(test_children_inherit_the_level),
                   bt_test(test_each_handle_is_taken_once),
                   bt_test(test_handles_have_a_limit_and_a_way),
                   bt_test(test_a_class_is_found_by_its_name), bt_test(test_hooks_are_added_once));
}
