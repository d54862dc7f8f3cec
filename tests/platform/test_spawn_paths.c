/* test_spawn_paths.c - platform/spawn.h: directories, executables of any path, and what is none. */
#include "files.h"

static void test_a_child_starts_in_the_directory(void **state)
{
    (void)state;
    char *directory = pt_make_directory("d\xC3\xADr \xE2\x82\xAC");
    pt_process child;
    pt_start_with(&child, "child", "directory", NULL, 0,
                  &(brp_spawn_options){.directory = directory});
    char *report = pt_report(&child);
    bool same = pt_same_path(report, directory);
    if (!same)
        print_error("it is \"%s\", not \"%s\"\n", report, directory);
    bri_free(report);
    pt_remove(directory);
    bri_free(directory);
    assert_true(same);
}

static void test_executables_have_any_path(void **state)
{
    (void)state;
    /* Each name of a directory may have 255 units, the whole path less than 4096 on POSIX. */
    static const char *const names[] = {
        "plain", "with space", "quo'te", "na\xC3\xAFve", "\xE2\x82\xAC\xF0\x9F\x90\xA3", "long",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *directory = pt_make_directory(names[i]);
        char *deepest = strcmp(names[i], "long") == 0 ? pt_make_deep_directory(directory)
                                                      : bri_strdup(directory);
        char *path = pt_join_path(deepest, "pr\xC3\xB6g" PT_EXE);
        pt_copy_program(pt_prog("child"), path);
        pt_process child;
        const char *arguments[] = {path, "x y", NULL};
        pt_start_with(&child, "child", "arguments", NULL, 0,
                      &(brp_spawn_options){.path = path, .arguments = arguments});
        char *report = pt_report(&child), *at = report;
        assert_string_equal(pt_next_text(&at), "x y");
        bri_free(report);
        pt_remove_tree(directory);
        bri_free(path);
        bri_free(deepest);
        bri_free(directory);
    }
}

static void test_a_relative_path_means_our_directory_not_the_childs(void **state)
{
    (void)state;
    char *directory = pt_make_directory("relative");
    char *path = pt_join_path(directory, "prog" PT_EXE);
    char *elsewhere = pt_join_path(directory, "elsewhere");
    pt_copy_program(pt_prog("child"), path);
    pt_make_plain_directory(elsewhere);
    char *before = pt_enter_directory(directory);
    pt_process child;
    pt_start_with(&child, "child", "directory", NULL, 0,
                  &(brp_spawn_options){.path = "." PT_SLASH "prog" PT_EXE, .directory = elsewhere});
    char *report = pt_report(&child);
    bool same = pt_same_path(report, elsewhere);
    bri_free(report);
    bri_free(pt_enter_directory(before));
    bri_free(before);
    pt_remove_tree(directory);
    bri_free(elsewhere);
    bri_free(path);
    bri_free(directory);
    assert_true(same);
}

static void test_the_own_executable_starts_after_its_file_is_gone(void **state)
{
    (void)state;
    if (PT_IS_WINDOWS)
        pt_skip_on(PT_SYSTEM, "a program that runs cannot be deleted there");
    char *directory = pt_make_directory("gone");
    char *path = pt_join_path(directory, "prog" PT_EXE);
    pt_copy_program(pt_prog("child"), path);
    pt_process child;
    pt_start_with(&child, "child", "start_itself", NULL, 0, &(brp_spawn_options){.path = path});
    assert_true(pt_await_byte(child.report, PT_HANG_MS));
    pt_remove(path);
    pt_ok(pt_say(child.report, "g"));
    assert_int_equal(pt_join(&child), 23);
    pt_remove_tree(directory);
    bri_free(path);
    bri_free(directory);
}

/* ---- failures ---- */

static brood_status start_path(const char *path, const char *directory)
{
    brp_child child;
    const char *const arguments[] = {"x", NULL};
    brp_child_init(&child);
    brood_status status = brp_spawn(
        &child, &(brp_spawn_options){.path = path, .directory = directory, .arguments = arguments});
    assert_false(brp_handle_is_set(child.sentinel));
    return status;
}

static void test_a_missing_executable_is_not_found(void **state)
{
    (void)state;
    const char *missing = BROOD_TEST_BINDIR "/no such prog\xE2\x82\xAC";
    pt_fails(start_path(missing, NULL), BROOD_ENOTFOUND);
    pt_message_has("could not start");
    pt_message_has(missing);
    brp_child child;
    const char *const arguments[] = {"x", NULL};
    pt_fails(brp_spawn(&child, &(brp_spawn_options){.path = "brood-no-such-program",
                                                    .search_path = true,
                                                    .arguments = arguments}),
             BROOD_ENOTFOUND);
    pt_message_has("brood-no-such-program");
}

static void test_a_missing_directory_is_told_apart_from_a_missing_executable(void **state)
{
    (void)state;
    const char *missing = BROOD_TEST_BINDIR "/no such directory";
    pt_fails(start_path(pt_prog("child"), missing), BROOD_ENOTFOUND);
    pt_message_has(missing);
    pt_message_has(pt_prog("child"));
    const char *file = pt_prog("child");
    assert_int_not_equal(start_path(pt_prog("child"), file), BROOD_OK);
}

static void test_what_is_no_program_is_refused(void **state)
{
    (void)state;
    char *directory = pt_make_directory("noprog");
    char *path = pt_join_path(directory, "text" PT_EXE);
    pt_write_file(path, "this is no program", 18);
    brood_status status = start_path(path, NULL);
    pt_message_has(path);
    brood_status of_directory = start_path(directory, NULL);
    pt_message_has(directory);
    pt_remove_tree(directory);
    bri_free(path);
    bri_free(directory);
    assert_int_equal(status, PT_IS_WINDOWS ? BROOD_EOS : BROOD_EACCESS);
    assert_int_equal(of_directory, BROOD_EACCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pt_test(test_a_child_starts_in_the_directory),
        pt_test(test_executables_have_any_path),
        pt_test(test_a_relative_path_means_our_directory_not_the_childs),
        pt_test(test_the_own_executable_starts_after_its_file_is_gone),
        pt_test(test_a_missing_executable_is_not_found),
        pt_test(test_a_missing_directory_is_told_apart_from_a_missing_executable),
        pt_test(test_what_is_no_program_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
