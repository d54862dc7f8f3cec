/* A forkserver that runs out of descriptors refuses the start, and keeps the children it has. */
#include "harness.h"

#include <sys/resource.h>

#include "platform/handle.h"

enum { MOST = 64, LEFT = 12, PATIENCE = 20000 };

static brood_status leave_few_handles(brood_call *call)
{
    struct rlimit limit;
    brp_handle next;
    BROOD_TRY(brp_handle_open_null(&next));
    bt_check(call, getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = (rlim_t)next.value + LEFT;
    brp_handle_close(&next);
    bt_check(call, setrlimit(RLIMIT_NOFILE, &limit) == 0);
    return BROOD_OK;
}

static brood_status wait_for_event(brood_call *call)
{
    const brood_value *value;
    brood_event *event;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_event(value, &event));
    return brood_event_wait(event, PATIENCE);
}

static brood_process *make(brood_event *event)
{
    brood_process *process;
    bt_ok(brood_process_create(&process, wait_for_event,
                               brood_pack("(v)", brood_event_value(event)),
                               &(brood_process_options){.method = BROOD_START_FORKSERVER}));
    return process;
}

/* It stays, so this one is without the ledger. */
static void test_the_server_starts(void **state)
{
    (void)state;
    brood_event *event;
    bt_ok(brood_set_forkserver_preload(leave_few_handles, (brood_value){0}));
    bt_ok(brood_event_create(&event));
    bt_ok(brood_event_set(event));
    brood_process *process = make(event);
    bt_ok(brood_process_start(process));
    assert_int_equal(bt_join(process), 0);
    brood_event_destroy(event);
}

static void test_a_server_without_a_descriptor_left_keeps_its_children(void **state)
{
    (void)state;
    brood_event *event;
    brood_process *processes[MOST];
    int n = 0;
    brood_status status = BROOD_OK;
    bt_ok(brood_event_create(&event));
    while (status == BROOD_OK && n < MOST) {
        processes[n] = make(event);
        status = brood_process_start(processes[n++]);
    }
    brood_process_destroy(processes[--n]);
    bool live = true;
    for (int i = 0; i < n; i++)
        live = brood_process_is_alive(processes[i]) && live;
    bt_ok(brood_event_set(event));
    int codes = 0;
    for (int i = 0; i < n; i++)
        codes |= bt_join(processes[i]);
    brood_event_destroy(event);
    assert_true(live);
    assert_int_equal(codes, 0);
    assert_true(n > 0);
    assert_true(status == BROOD_ELIMIT || status == BROOD_ESTART);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, cmocka_unit_test(test_the_server_starts),
                   bt_test(test_a_server_without_a_descriptor_left_keeps_its_children));
}
