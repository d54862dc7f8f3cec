/* Functions of shared libraries: loaded by the parent, found by the child, also by brood-host. */
/* brood-test: start-methods */
#include "harness.h"

#include <apr_dso.h>
#include <apr_file_io.h>
#include <apr_general.h>

#include "core/registry.h"
#include "platform/module.h"

static apr_pool_t *pool;

/* The modules stay loaded until the end, as plug-ins do. */
static brood_function load(const char *path, const char *symbol)
{
    apr_dso_handle_t *module;
    apr_dso_handle_sym_t address;
    brood_function function;
    char reason[200];
    assert_int_equal(apr_initialize(), APR_SUCCESS);
    if (pool == NULL)
        assert_int_equal(apr_pool_create(&pool, NULL), APR_SUCCESS);
    if (apr_dso_load(&module, path, pool) != APR_SUCCESS) {
        print_error("%s: %s\n", path, apr_dso_error(module, reason, sizeof reason));
        fail();
    }
    assert_int_equal(apr_dso_sym(&address, module, symbol), APR_SUCCESS);
    memcpy(&function, &address, sizeof function);
    return function;
}

static void test_a_function_of_a_plug_in_runs_in_a_child(void **state)
{
    (void)state;
    brood_function function = load(bt_module("module_functions"), "module_exit_with_33");
    assert_int_equal(bt_join(bt_process(function, brood_tuple(0))), 33);
}

static void test_a_plug_ins_failure_arrives(void **state)
{
    (void)state;
    brood_failure failure;
    brood_process *process =
        bt_process(load(bt_module("module_functions"), "module_fail"), brood_tuple(0));
    bt_ok(brood_process_join(process, 20000));
    bt_ok(brood_process_failure(process, &failure));
    assert_string_equal(failure.kind, "OverflowError");
    assert_int_equal(failure.exitcode, 1);
    brood_process_destroy(process);
}

static void test_brood_host_runs_a_plug_ins_function(void **state)
{
    (void)state;
    brood_function function = load(bt_module("module_functions"), "module_exit_with_33");
    brood_process_options options = {.method = BROOD_START_SPAWN};
    brood_process *process;
    bt_ok(brood_process_create(&process, function, brood_tuple(0), &options));
    bt_ok(brood_set_executable(BROOD_TEST_HOST));
    brood_status status = brood_process_start(process);
    bt_ok(brood_set_executable(NULL));
    bt_ok(status);
    assert_int_equal(bt_join(process), 33);
}

/* ---- a module that is gone or has changed when the child looks for it ---- */

static void copy_file(const char *from, const char *to)
{
    apr_pool_t *scratch;
    assert_int_equal(apr_initialize(), APR_SUCCESS);
    assert_int_equal(apr_pool_create(&scratch, NULL), APR_SUCCESS);
    assert_int_equal(apr_file_copy(from, to, APR_FPROT_FILE_SOURCE_PERMS, scratch), APR_SUCCESS);
    apr_pool_destroy(scratch);
}

static void rename_file(const char *from, const char *to)
{
    assert_int_equal(rename(from, to), 0);
}

/* The parent has the plug-in loaded; its file is moved away, and `other` (if any) takes its place.
 */
static void start_after_change(const char *name, const char *other, brood_status wanted,
                               const char *message)
{
    char path[1024], moved[1100];
    snprintf(path, sizeof path, "%s", bt_module(name));
    snprintf(moved, sizeof moved, "%s.moved", path);
    remove(path);
    remove(moved);
    copy_file(bt_module("module_functions"), path);
    brood_function function = load(path, "module_exit_with_33");
    rename_file(path, moved);
    if (other != NULL)
        copy_file(bt_module(other), path);
    brood_process *process;
    bt_ok(brood_process_create(&process, function, brood_tuple(0), NULL));
    brood_status status = brood_process_start(process);
    char told[512];
    snprintf(told, sizeof told, "%s", brood_last_error()->message);
    brood_process_destroy(process);
    remove(path);
    remove(moved);
    bt_expect_status(status, wanted, "starting a function of a changed plug-in", __FILE__,
                     __LINE__);
    if (strstr(told, message) == NULL)
        print_error("the message was \"%s\"\n", told);
    assert_non_null(strstr(told, message));
}

static void test_a_plug_in_that_is_gone(void **state)
{
    (void)state;
    if (bt_method_is(BROOD_START_FORK))
        bt_skip("a fork has the module already");
    start_after_change("module_gone", NULL, BROOD_ENOTFOUND, "module_gone");
}

static void test_a_plug_in_that_was_replaced(void **state)
{
    (void)state;
    if (bt_method_is(BROOD_START_FORK))
        bt_skip("a fork has the module already");
    start_after_change("module_replaced", "module_other", BROOD_EVERSION, "module_replaced");
}

/* ---- references ---- */

static brood_status do_nothing(brood_call *call)
{
    (void)call;
    return BROOD_OK;
}

static brood_value refer(brood_function function)
{
    brood_value reference;
    bt_ok(bri_function_refer(function, &reference));
    return reference;
}

static void test_a_reference_by_place_leads_back(void **state)
{
    (void)state;
    brood_function found = NULL;
    brood_value reference = refer(do_nothing);
    assert_int_equal(brood_value_length(&reference), 3);
    bt_ok(bri_function_resolve(&reference, true, &found));
    assert_true(found == do_nothing);
    bt_fails(bri_function_resolve(&reference, false, &found), BROOD_EAUTH);
    bt_message_has("only registered names are accepted from outside the process tree");
    brood_value_clear(&reference);
}

static void test_an_offset_outside_of_the_code_is_refused(void **state)
{
    (void)state;
    brood_function found = NULL;
    brood_value reference = refer(do_nothing);
    static const int64_t offsets[] = {INT64_MAX, -1, INT64_C(1) << 40};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        bt_ok(brood_set_item(&reference, 1, brood_int(offsets[i])));
        brood_status status = bri_function_resolve(&reference, true, &found);
        assert_int_equal(status, offsets[i] < 0 ? BROOD_EFORMAT : BROOD_ERANGE);
    }
    brood_value_clear(&reference);
}

static void test_another_build_is_refused(void **state)
{
    (void)state;
    unsigned char build_id[BRP_BUILD_ID_SIZE] = {1, 2, 3};
    brood_function found = NULL;
    brood_value reference = refer(do_nothing);
    bt_ok(brood_set_item(&reference, 2, brood_bytes(build_id, sizeof build_id)));
    bt_fails(bri_function_resolve(&reference, true, &found), BROOD_EVERSION);
    brood_value_clear(&reference);
}

static void expect_malformed(brood_value reference)
{
    brood_function found = NULL;
    bt_fails(bri_function_resolve(&reference, true, &found), BROOD_EFORMAT);
    brood_value_clear(&reference);
}

static void test_malformed_references_are_refused(void **state)
{
    (void)state;
    unsigned char build_id[BRP_BUILD_ID_SIZE] = {0};
    expect_malformed(brood_none());
    expect_malformed(brood_tuple(0));
    expect_malformed(brood_pack("[s]", "name"));
    expect_malformed(brood_pack("(i)", 1));
    expect_malformed(brood_pack("(ss)", "a", "b"));
    expect_malformed(brood_pack("(t)", "a\0b", (size_t)3));
    expect_malformed(brood_pack("(siy)", "", 0, build_id, sizeof build_id));
    expect_malformed(brood_pack("(yiy)", "", (size_t)0, 0, build_id, sizeof build_id - 1));
    expect_malformed(brood_pack("(yiy)", "a\0b", (size_t)3, 0, build_id, sizeof build_id));
}

static void test_an_address_of_no_module_is_refused(void **state)
{
    (void)state;
    static brood_function nowhere;
    void *heap = malloc(64);
    brood_value reference;
    memcpy(&nowhere, &heap, sizeof heap);
    bt_fails(bri_function_refer(nowhere, &reference), BROOD_ENOTFOUND);
    free(heap);
}

/* ---- names ---- */

static void test_registered_functions_are_referred_to_by_name(void **state)
{
    (void)state;
    brood_function found = NULL;
    brood_value reference = bri_function_refer_name("test.named");
    bt_ok(bri_function_resolve(&reference, false, &found));
    brood_value again = refer(found);
    assert_true(brood_value_equal(&reference, &again));
    brood_value_clear(&again);
    brood_value_clear(&reference);
    bt_fails(bri_function_named("test.other", &found), BROOD_ENOTFOUND);
    bt_message_has("could not find the function \"test.other\": it was not registered");
}

static brood_status named(brood_call *call)
{
    return do_nothing(call);
}

static void test_a_name_stands_for_one_function(void **state)
{
    (void)state;
    bt_ok(brood_register("test.named", named));
    bt_fails(brood_register("test.named", do_nothing), BROOD_EEXIST);
    bt_message_has("could not register the function \"test.named\": another one has this name");
    bt_fails(brood_register("", named), BROOD_EINVALID);
    bt_fails(brood_register(NULL, named), BROOD_EINVALID);
    bt_fails(brood_register("test.null", NULL), BROOD_EINVALID);
    bt_fails(brood_register("brood.x", named), BROOD_EINVALID);
}

int main(int argc, char **argv)
{
    brood_register("test.named", named);
    return bt_main(
        argc, argv, bt_test(test_a_function_of_a_plug_in_runs_in_a_child),
        bt_test(test_a_plug_ins_failure_arrives), bt_test(test_brood_host_runs_a_plug_ins_function),
        bt_test(test_a_plug_in_that_is_gone), bt_test(test_a_plug_in_that_was_replaced),
        bt_test(test_a_reference_by_place_leads_back),
        bt_test(test_an_offset_outside_of_the_code_is_refused),
        bt_test(test_another_build_is_refused), bt_test(test_malformed_references_are_refused),
        bt_test(test_an_address_of_no_module_is_refused),
        bt_test(test_registered_functions_are_referred_to_by_name),
        bt_test(test_a_name_stands_for_one_function));
}
