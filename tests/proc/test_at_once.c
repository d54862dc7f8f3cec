/* Very many children at once, and starts from several threads at once. */
/* brood-test: start-methods */
#include "harness.h"

#include "core/thread.h"

enum { MANY = 200, STARTERS = 4, MOST_OF_EACH = 12, LIMIT_MS = 60000 };

/* Says that it is there, stays until all are, and ends with a code of its own. Its parent's end is
 * its own, so it may wait for ever: Wine starts a process in half a second on a busy machine. */
static brood_status arrive_and_stay(brood_call *call)
{
    const brood_value *v[2];
    int64_t code;
    brood_queue *arrived;
    brood_event *leave;
    BROOD_TRY(brood_call_args(call, "vvi", &v[0], &v[1], &code));
    BROOD_TRY(brood_get_queue(v[0], &arrived));
    BROOD_TRY(brood_get_event(v[1], &leave));
    BROOD_TRY(brood_queue_put(arrived, brood_none(), LIMIT_MS));
    BROOD_TRY(brood_event_wait(leave, BROOD_FOREVER));
    brood_exit((int)code);
    return BROOD_OK;
}

static void test_200_children_are_alive_at_once(void **state)
{
    (void)state;
    static brood_process *processes[MANY];
    static brood_wait_item items[MANY];
    brood_queue *arrived;
    brood_event *leave;
    brood_value message;
    size_t n = 0;
    bt_ok(brood_queue_create(&arrived, NULL));
    bt_ok(brood_event_create(&leave));
    for (int i = 0; i < MANY; i++) {
        processes[i] = bt_process(arrive_and_stay, brood_pack("(vvi)", brood_queue_value(arrived),
                                                              brood_event_value(leave), i));
        items[i] = (brood_wait_item){.process = processes[i]};
    }
    for (int i = 0; i < MANY; i++)
        bt_ok(brood_queue_get(arrived, &message, LIMIT_MS));
    bt_ok(brood_active_children(NULL, 0, &n));
    assert_int_equal(n, MANY);
    assert_int_equal(brood_wait(items, MANY, 0), BROOD_ETIMEDOUT);
    bt_ok(brood_process_kill(processes[MANY / 2]));
    bt_ok(brood_wait(items, MANY, LIMIT_MS));
    for (int i = 0; i < MANY; i++)
        assert_int_equal(items[i].ready, i == MANY / 2);
    bt_ok(brood_event_set(leave));
    for (int i = 0; i < MANY; i++)
        assert_int_equal(bt_join(processes[i]), i == MANY / 2 ? -9 : i);
    brood_event_destroy(leave);
    brood_queue_destroy(arrived);
}

/* ---- threads that start children ---- */

static brood_status exit_with(brood_call *call)
{
    int64_t code;
    BROOD_TRY(brood_call_args(call, "i", &code));
    brood_exit((int)code);
    return BROOD_OK;
}

typedef struct starter {
    bri_thread *thread;
    int first; /* exit code */
    int n;
    int right;
} starter;

/* No assertions here: they belong to the test's own thread. */
static void start_and_join(void *context)
{
    starter *self = context;
    brood_process *processes[MOST_OF_EACH] = {NULL};
    for (int i = 0; i < self->n; i++)
        if (brood_process_create(&processes[i], exit_with, brood_pack("(i)", self->first + i),
                                 NULL) != BROOD_OK ||
            brood_process_start(processes[i]) != BROOD_OK)
            return;
    for (int i = 0; i < self->n; i++) {
        int code = -1;
        if (brood_process_join(processes[i], LIMIT_MS) == BROOD_OK &&
            brood_process_exitcode(processes[i], &code) == BROOD_OK)
            self->right += code == self->first + i;
        brood_process_destroy(processes[i]);
    }
}

static void test_several_threads_start_children_at_once(void **state)
{
    (void)state;
    starter starters[STARTERS] = {{0}};
    int n = bt_is_windows() ? 3 : MOST_OF_EACH;
    for (int i = 0; i < STARTERS; i++) {
        starters[i].first = i * n;
        starters[i].n = n;
        bt_ok(bri_thread_start(&starters[i].thread, start_and_join, &starters[i]));
    }
    for (int i = 0; i < STARTERS; i++)
        bri_thread_join(starters[i].thread);
    for (int i = 0; i < STARTERS; i++)
        assert_int_equal(starters[i].right, n);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_200_children_are_alive_at_once),
                   bt_test(test_several_threads_start_children_at_once));
}
