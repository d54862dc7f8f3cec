/*
 * manager_nested.c - containers in containers of a manager, changed by 10 processes: what is nested
 * by value changes only when it is assigned, what is nested by proxy shows every change.
 *
 * Python: manager.list([[], manager.list()])
 */
#include "check.h"

enum { PROCESSES = 10 };

/* Changes a copy, and the shared list. */
static brood_status change(brood_call *call)
{
    const brood_value *value;
    int64_t number;
    brood_proxy *outer, *inner;
    brood_value copy, nested;
    BROOD_TRY(brood_call_args(call, "vi", &value, &number));
    BROOD_TRY(brood_get_proxy(value, &outer));

    BROOD_TRY(brood_proxy_get_item(outer, brood_int(0), &copy));
    brood_status status = brood_append(&copy, brood_int(number)); /* nobody will see this */
    brood_value_clear(&copy);
    BROOD_TRY(status);

    BROOD_TRY(brood_proxy_get_item(outer, brood_int(1), &nested));
    BROOD_TRY(brood_get_proxy(&nested, &inner));
    status = brood_proxy_append(inner, brood_int(number));
    brood_value_clear(&nested);
    return status;
}

int main(int argc, char **argv)
{
    brood_manager *manager;
    brood_proxy *inner, *outer;
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    BROOD_CHECK(brood_manager_start(&manager, NULL));
    BROOD_CHECK(brood_manager_object(manager, "list", (brood_value){0}, &inner));
    BROOD_CHECK(brood_manager_object(manager, "list",
                                     brood_pack("([[]v])", brood_proxy_value(inner)), &outer));
    brood_proxy_close(inner); /* the outer list keeps it */

    for (int i = 0; i < PROCESSES; i++) {
        brood_process *process;
        int code;
        BROOD_CHECK(brood_process_create(&process, change,
                                         brood_pack("(vi)", brood_proxy_value(outer), i), NULL));
        BROOD_CHECK(brood_process_start(process));
        BROOD_CHECK(brood_process_join(process, BROOD_FOREVER));
        BROOD_CHECK(brood_process_exitcode(process, &code));
        EXPECT(code == 0);
        brood_process_destroy(process);
    }

    brood_value value;
    BROOD_CHECK(brood_proxy_get_item(outer, brood_int(0), &value));
    printf("by value: ");
    brood_value_print(&value, stdout);
    EXPECT(brood_value_length(&value) == 0);
    brood_value_clear(&value);

    /* Assigning changes it, and so does a method that is called where it is. */
    BROOD_CHECK(brood_proxy_set_item(outer, brood_int(0), brood_pack("[i]", 1)));
    BROOD_CHECK(
        brood_proxy_call_at(outer, brood_pack("(i)", 0), "append", brood_pack("(i)", 2), NULL));
    BROOD_CHECK(brood_proxy_get_path(outer, brood_pack("(i)", 0), &value));
    printf("assigned: ");
    brood_value_print(&value, stdout);
    EXPECT(brood_value_length(&value) == 2);
    brood_value_clear(&value);

    BROOD_CHECK(brood_proxy_get_item(outer, brood_int(1), &value));
    BROOD_CHECK(brood_get_proxy(&value, &inner));
    brood_value numbers;
    BROOD_CHECK(brood_proxy_snapshot(inner, &numbers));
    printf("by proxy: ");
    brood_value_print(&numbers, stdout);
    EXPECT(brood_value_length(&numbers) == PROCESSES);
    brood_value_clear(&numbers);
    brood_value_clear(&value);

    brood_proxy_close(outer);
    brood_manager_close(manager);
    return 0;
}
