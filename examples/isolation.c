/*
 * isolation.c - processes share no memory: a child that appends to a list appends to its copy.
 *
 * Python: a global list and a Process that appends to it; the parent's stays empty.
 */
#include "check.h"

/* append(list): appends, and shows the list it has. */
static brood_status append(brood_call *call)
{
    const brood_value *argument;
    brood_value list;
    BROOD_TRY(brood_call_args(call, "v", &argument));
    BROOD_TRY(brood_value_copy(argument, &list));
    for (int64_t i = 0; i < 3; i++)
        BROOD_TRY(brood_append(&list, brood_int(i)));
    EXPECT(brood_value_length(&list) == 3);
    printf("the child's list:  ");
    BROOD_TRY(brood_value_print(&list, stdout));
    brood_value_clear(&list);
    return BROOD_OK;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    brood_value list = brood_list(), argument;
    brood_process *child;
    int code;
    BROOD_CHECK(brood_value_copy(&list, &argument));
    BROOD_CHECK(brood_process_create(&child, append, brood_pack("(v)", argument), NULL));
    BROOD_CHECK(brood_process_start(child));
    BROOD_CHECK(brood_process_join(child, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(child, &code));
    EXPECT(code == 0);
    brood_process_destroy(child);

    printf("the parent's list: ");
    BROOD_CHECK(brood_value_print(&list, stdout));
    EXPECT(brood_value_length(&list) == 0);
    brood_value_clear(&list);
    return 0;
}
