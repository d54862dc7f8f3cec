/* test_paths.c - a program starts itself wherever it lies: in paths that are long, and of letters
 * that no code page has. */
#include "harness.h"
#include "platform/files.h"

/* Copies prog_start there, whose child writes too, and runs it with each start method. */
static void run_in(const char *directory)
{
    char output[256];
    char *path = pt_join_path(directory, "pr\xC3\xB6g\xE2\x82\xAC" PT_EXE);
    pt_copy_program(bt_prog("prog_start"), path);
    for (int method = BROOD_START_SPAWN; method <= BROOD_START_FORKSERVER; method++) {
        if (!brood_start_method_is_supported((brood_start_method)method))
            continue;
        const char *name = brood_start_method_name((brood_start_method)method);
        const char *arguments[] = {"output", name, NULL};
        int code = bt_run_prog(path, arguments, output, sizeof output);
        if (code != 0)
            print_error("%s by %s: %d: %s\n", path, name, code, output);
        assert_int_equal(code, 0);
        /* A fork's parent has written what stood before. */
        assert_string_equal(output, method == BROOD_START_FORK ? "[before][child][after]"
                                                               : "[child][before][after]");
    }
    bri_free(path);
}

static void test_a_program_may_lie_anywhere(void **state)
{
    (void)state;
    static const char *const names[] = {"with space", "na\xC3\xAFve",
                                        "\xE2\x82\xAC\xF0\x9F\x90\xA3"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *directory = pt_make_directory(names[i]);
        run_in(directory);
        pt_remove_tree(directory);
        bri_free(directory);
    }
}

static void test_a_programs_path_may_be_long(void **state)
{
    (void)state;
    char *directory = pt_make_directory("long");
    char *deepest = pt_make_deep_directory(directory);
    run_in(deepest);
    pt_remove_tree(directory);
    bri_free(deepest);
    bri_free(directory);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_program_may_lie_anywhere),
                   bt_test(test_a_programs_path_may_be_long));
}
