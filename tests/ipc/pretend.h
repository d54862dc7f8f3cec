/*
 * pretend.h - lets one process act as two, so that a test can let the second one die at leisure.
 */
#ifndef BT_PRETEND_H
#define BT_PRETEND_H

#include "harness.h"

#include "ipc/arena.h"
#include "ipc/proctable.h"
#include "platform/ident.h"

/* Acts as the process that has this slot from now on; the one before. */
static inline bri_owner act_as(bri_owner owner)
{
    bri_arena *arena = bri_the_runtime.arena;
    bri_owner before = arena->me;
    arena->me = owner;
    return before;
}

/* A process that exists in the table only: as if `pid` had entered it. */
static inline brood_status pretend_process(bri_owner *made, int64_t pid, uint64_t start_time)
{
    bri_arena *arena;
    BROOD_TRY(bri_arena_get(&arena));
    bri_owner me = bri_owner_me();
    BROOD_TRY(bri_proctable_claim(made));
    brood_status status = bri_proctable_enter(*made, pid, start_time);
    act_as(me);
    return status;
}

/* One that lives as long as this process, if nobody says otherwise. */
static inline brood_status pretend_living(bri_owner *made)
{
    return pretend_process(made, brp_pid(), brp_start_time(brp_pid()));
}

static inline brood_status pretend_do_nothing(brood_call *call)
{
    (void)call;
    return BROOD_OK;
}

/* One that is dead although nobody has said so: the pid of a process that was collected. */
static inline bri_owner pretend_dead(void)
{
    brood_process *process = bt_process(pretend_do_nothing, (brood_value){0});
    int64_t pid = brood_process_pid(process);
    bri_owner made;
    assert_int_equal(bt_join(process), 0);
    bt_ok(pretend_process(&made, pid, 1));
    return made;
}

#endif /* BT_PRETEND_H */
