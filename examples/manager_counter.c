/*
 * manager_counter.c - 20 processes add 1 to an item of a manager's dict: by reading and writing,
 * which loses some, and by the manager's atomic operation, which loses none.
 * They begin together, so that they meet.
 *
 * Python: d[1] += 1, which is two calls
 */
#include "check.h"

enum { PROCESSES = 20 };

/* (dict, begin): gives the dict when all may begin. */
static brood_status get_dict(brood_call *call, brood_proxy **dict)
{
    const brood_value *first, *second;
    brood_event *begin;
    BROOD_TRY(brood_call_args(call, "vv", &first, &second));
    BROOD_TRY(brood_get_proxy(first, dict));
    BROOD_TRY(brood_get_event(second, &begin));
    return brood_event_wait(begin, BROOD_FOREVER);
}

static brood_status add_in_two_calls(brood_call *call)
{
    brood_proxy *dict;
    brood_value item;
    int64_t n;
    BROOD_TRY(get_dict(call, &dict));
    BROOD_TRY(brood_proxy_get_item(dict, brood_int(1), &item));
    BROOD_TRY(brood_get_int(&item, &n));
    return brood_proxy_set_item(dict, brood_int(1), brood_int(n + 1));
}

static brood_status add_at_once(brood_call *call)
{
    brood_proxy *dict;
    BROOD_TRY(get_dict(call, &dict));
    return brood_proxy_incr(dict, 1, brood_pack("(i)", 1), NULL);
}

static int64_t run(brood_manager *manager, brood_function function)
{
    brood_process *processes[PROCESSES];
    brood_proxy *dict;
    brood_event *begin;
    brood_value item;
    int64_t n;
    int code;
    BROOD_CHECK(brood_manager_object(manager, "dict", brood_pack("({ii})", 1, 0), &dict));
    BROOD_CHECK(brood_event_create(&begin));
    for (int i = 0; i < PROCESSES; i++) {
        BROOD_CHECK(brood_process_create(
            &processes[i], function,
            brood_pack("(vv)", brood_proxy_value(dict), brood_event_value(begin)), NULL));
        BROOD_CHECK(brood_process_start(processes[i]));
    }
    BROOD_CHECK(brood_event_set(begin));
    for (int i = 0; i < PROCESSES; i++) {
        BROOD_CHECK(brood_process_join(processes[i], BROOD_FOREVER));
        BROOD_CHECK(brood_process_exitcode(processes[i], &code));
        EXPECT(code == 0);
        brood_process_destroy(processes[i]);
    }
    BROOD_CHECK(brood_proxy_get_item(dict, brood_int(1), &item));
    BROOD_CHECK(brood_get_int(&item, &n));
    brood_proxy_close(dict);
    brood_event_destroy(begin);
    return n;
}

int main(int argc, char **argv)
{
    brood_manager *manager;
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    BROOD_CHECK(brood_manager_start(&manager, NULL));

    int64_t lossy = run(manager, add_in_two_calls);
    printf("in two calls: %d of %d\n", (int)lossy, PROCESSES);
    EXPECT(lossy >= 1 && lossy <= PROCESSES);

    int64_t exact = run(manager, add_at_once);
    printf("at once:      %d of %d\n", (int)exact, PROCESSES);
    EXPECT(exact == PROCESSES);

    brood_manager_close(manager);
    return 0;
}
