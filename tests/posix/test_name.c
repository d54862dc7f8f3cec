/* test_name.c - children have this program's name, not the one of the link by which they start. */
#include "harness.h"

#if defined(__linux__)
/* The name that top and pkill go by; the system keeps 15 bytes of it. */
static brood_status tell_name(brood_call *call)
{
    char name[32] = "";
    FILE *file = fopen("/proc/self/comm", "r");
    bt_check(call, file != NULL);
    bool read = fgets(name, sizeof name, file) != NULL;
    fclose(file);
    bt_check(call, read);
    bt_check(call, strcmp(name, "test_posix_name\n") == 0);
    return BROOD_OK;
}

static void test_a_child_has_the_name_of_its_program(void **state)
{
    (void)state;
    assert_int_equal(bt_join(bt_process(tell_name, (brood_value){0})), 0);
}
#else
static void test_a_child_has_the_name_of_its_program(void **state)
{
    (void)state;
    bt_skip("only Linux starts a program by a link of another name");
}
#endif

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_a_child_has_the_name_of_its_program));
}
