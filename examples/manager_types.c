/*
 * manager_types.c - every type of a manager, used by a child through proxies.
 *
 * Python: SyncManager's list, dict, Namespace, Lock, Queue, ...
 */
#include <string.h>

#include "check.h"

/* The objects, in the order in which the child gets them. */
enum {
    LIST,
    DICT,
    SET,
    NAMES,
    LOCK,
    RLOCK,
    SEM,
    BOUNDED,
    COND,
    EVENT,
    BARRIER,
    QUEUE,
    VALUE,
    ARRAY
};

static const char *const types[] = {
    "list",      "dict",  "set",     "Namespace", "Lock",  "RLock", "Semaphore", "BoundedSemaphore",
    "Condition", "Event", "Barrier", "Queue",     "Value", "Array"};

enum { TYPES = sizeof types / sizeof *types };

/* Fills the containers under the locks, and meets the parent at the barrier. */
static brood_status child(brood_call *call)
{
    brood_proxy *p[TYPES];
    const brood_value *arguments = brood_call_arguments(call);
    for (size_t i = 0; i < TYPES; i++)
        BROOD_TRY(brood_get_proxy(brood_item(arguments, i), &p[i]));

    BROOD_TRY(brood_proxy_append(p[LIST], brood_str("from the child")));
    BROOD_TRY(brood_proxy_set_item(p[DICT], brood_pack("(ii)", 1, 2), brood_float(0.5)));
    BROOD_TRY(brood_proxy_add(p[SET], brood_int(3)));
    BROOD_TRY(brood_proxy_set_attr(p[NAMES], "job", brood_str("baker")));
    for (int i = LOCK; i <= COND; i++) {
        BROOD_TRY(brood_proxy_acquire(p[i], BROOD_FOREVER));
        if (i == COND)
            BROOD_TRY(brood_proxy_notify_all(p[i]));
        BROOD_TRY(brood_proxy_release(p[i]));
    }
    BROOD_TRY(brood_proxy_wait(p[EVENT], BROOD_FOREVER));
    BROOD_TRY(brood_proxy_put(p[QUEUE], brood_pack("[is]", 7, "seven"), BROOD_FOREVER));
    BROOD_TRY(brood_proxy_set_value(p[VALUE], brood_int(888)));
    BROOD_TRY(brood_proxy_set_item(p[ARRAY], brood_int(0), brood_int(9)));
    return brood_proxy_meet(p[BARRIER], NULL, BROOD_FOREVER);
}

static brood_value constructor_arguments(int type)
{
    switch (type) {
    case BARRIER:
        return brood_pack("(i)", 2);
    case VALUE:
        return brood_pack("(si)", "i", 666);
    case ARRAY:
        return brood_pack("(s[iii])", "i", 1, 2, 3);
    default:
        return (brood_value){0};
    }
}

static void show(brood_proxy *proxy, const char *expected)
{
    brood_value text;
    const char *repr;
    BROOD_CHECK(brood_proxy_call(proxy, "__repr__", (brood_value){0}, &text));
    BROOD_CHECK(brood_get_str(&text, &repr, NULL));
    printf("%-10s %s\n", brood_proxy_typeid(proxy), repr);
    EXPECT(strcmp(repr, expected) == 0);
    brood_value_clear(&text);
}

int main(int argc, char **argv)
{
    brood_manager *manager;
    brood_proxy *p[TYPES];
    brood_process *process;
    brood_value item, arguments = brood_list();
    int code;
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    BROOD_CHECK(brood_manager_start(&manager, NULL));
    for (int i = 0; i < TYPES; i++) {
        BROOD_CHECK(brood_manager_object(manager, types[i], constructor_arguments(i), &p[i]));
        BROOD_CHECK(brood_append(&arguments, brood_proxy_value(p[i])));
    }
    BROOD_CHECK(brood_process_create(&process, child, arguments, NULL));
    BROOD_CHECK(brood_process_start(process));

    BROOD_CHECK(brood_proxy_set(p[EVENT]));
    BROOD_CHECK(brood_proxy_meet(p[BARRIER], NULL, BROOD_FOREVER)); /* all is done */

    show(p[LIST], "['from the child']");
    show(p[DICT], "{(1, 2): 0.5}");
    show(p[SET], "{3}");
    show(p[NAMES], "Namespace(job='baker')");
    show(p[VALUE], "Value('i', 888)");
    show(p[ARRAY], "array('i', [9, 2, 3])");
    BROOD_CHECK(brood_proxy_get(p[QUEUE], &item, BROOD_FOREVER));
    printf("%-10s ", "Queue");
    brood_value_print(&item, stdout);
    EXPECT(brood_value_length(&item) == 2);
    brood_value_clear(&item);

    BROOD_CHECK(brood_process_join(process, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(process, &code));
    EXPECT(code == 0);
    brood_process_destroy(process);
    for (int i = 0; i < TYPES; i++)
        brood_proxy_close(p[i]);
    brood_manager_close(manager);
    return 0;
}
