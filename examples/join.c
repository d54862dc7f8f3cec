/*
 * join.c - start does not wait for a child, join does, and join with a time-out gives up without
 * touching the child.
 *
 * Python: Process.join(timeout)
 */
#include "check.h"

enum { WORK = 1000, CHILDREN = 2 };

static brood_status work(brood_call *call)
{
    (void)call;
    brood_sleep(WORK);
    return BROOD_OK;
}

static void start_children(brood_process **children)
{
    for (int i = 0; i < CHILDREN; i++) {
        BROOD_CHECK(brood_process_create(&children[i], work, brood_tuple(0), NULL));
        BROOD_CHECK(brood_process_start(children[i]));
    }
}

static void join_children(brood_process **children)
{
    for (int i = 0; i < CHILDREN; i++) {
        BROOD_CHECK(brood_process_join(children[i], BROOD_FOREVER));
        EXPECT(!brood_process_is_alive(children[i]));
        brood_process_destroy(children[i]);
    }
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    brood_process *children[CHILDREN];

    /* Starts the forkserver, where that is the method, so that it is not measured below. */
    start_children(children);
    join_children(children);

    brood_ms begin = brood_now();
    start_children(children);
    brood_ms without_join = brood_now() - begin;
    join_children(children);
    brood_ms with_join = brood_now() - begin;
    printf("two children that sleep %d ms: %lld ms without join, %lld ms with join\n", WORK,
           (long long)without_join, (long long)with_join);
    /* Some milliseconds, on a machine with nothing else to do. So both sleep at the same time. */
    EXPECT(without_join < WORK);
    EXPECT(with_join >= WORK);

    start_children(children);
    begin = brood_now();
    EXPECT(brood_process_join(children[1], WORK / 10) == BROOD_ETIMEDOUT);
    EXPECT(brood_process_is_alive(children[1]));
    printf("join gave up after %lld ms, the child goes on\n", (long long)(brood_now() - begin));
    join_children(children);
    return 0;
}
