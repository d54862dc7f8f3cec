/* What a thread has by its session with the server stays its own, however many other threads call.
 */
#include "core/thread.h"
#include "platform/lock.h"
#include "support.h"

enum { OTHERS = 40 /* more than the sessions that a client keeps for threads that are idle */ };

/* Threads that are all there at once: their numbers differ. */
typedef struct crowd {
    brood_proxy *list;
    brp_mutex *lock;
    brp_condition *come;
    int n;
} crowd;

static void ask_length(void *context)
{
    crowd *c = context;
    int64_t n;
    bt_ok(brood_proxy_length(c->list, &n));
    brp_mutex_lock(c->lock);
    c->n++;
    brp_condition_broadcast(c->come);
    while (c->n < OTHERS)
        brp_condition_wait(c->come, c->lock, BRI_NEVER);
    brp_mutex_unlock(c->lock);
}

static void call_from_many_threads(brood_proxy *list)
{
    bri_thread *threads[OTHERS];
    crowd c = {.list = list};
    bt_ok(brp_mutex_create(&c.lock));
    bt_ok(brp_condition_create(&c.come));
    for (int i = 0; i < OTHERS; i++)
        bt_ok(bri_thread_start(&threads[i], ask_length, &c));
    for (int i = 0; i < OTHERS; i++)
        bri_thread_join(threads[i]);
    brp_condition_destroy(c.come);
    brp_mutex_destroy(c.lock);
}

/* In a batch of another object. */
static brood_status call_in_batch(brood_proxy *other, brood_proxy *lock, const char *method)
{
    brood_value calls = brood_list();
    bt_ok(brood_append(&calls, brood_batch_call(other, "append", brood_pack("(i)", 1))));
    bt_ok(brood_append(&calls, brood_batch_call(lock, method, NONE)));
    return brood_proxy_batch(other, calls, NULL);
}

static void check_stays_locked(brood_manager *manager, const char *typeid, bool in_batch)
{
    brood_proxy *list = make(manager, "list", NONE);
    brood_proxy *lock = make(manager, typeid, NONE);
    bt_ok(in_batch ? call_in_batch(list, lock, "acquire")
                   : brood_proxy_acquire(lock, BROOD_FOREVER));
    call_from_many_threads(list);
    bt_ok(in_batch ? call_in_batch(list, lock, "release") : brood_proxy_release(lock));
    expect_raise(lock, "release", NONE, "RuntimeError", NULL);
    brood_proxy_close(lock);
    brood_proxy_close(list);
}

static void test_an_rlock_stays_with_its_thread(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    check_stays_locked(manager, "RLock", false);
    check_stays_locked(manager, "Condition", false);
    check_stays_locked(manager, "RLock", true);
    check_stays_locked(manager, "Condition", true);
    brood_manager_close(manager);
    rig_close(&r);
}

static void test_a_failure_stays_until_the_threads_next_call(void **state)
{
    (void)state;
    rig r;
    rig_open(&r);
    brood_manager *manager = rig_client(&r);
    brood_proxy *list = make(manager, "list", NONE);
    const brood_value *error, *again;
    bt_fails(brood_proxy_pop(list, NONE, NULL), BROOD_ERANGE);
    bt_ok(brood_manager_failure(manager, &error));
    call_from_many_threads(list);
    bt_ok(brood_manager_failure(manager, &again));
    assert_ptr_equal(again, error);
    assert_string_equal(brood_error_kind(error), "IndexError");
    brood_proxy_close(list);
    brood_manager_close(manager);
    rig_close(&r);
}

int main(int argc, char **argv)
{
    return bt_main(argc, argv, bt_test(test_an_rlock_stays_with_its_thread),
                   bt_test(test_a_failure_stays_until_the_threads_next_call));
}
