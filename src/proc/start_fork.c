/* proc/start_fork.c - the child is a copy of this process. POSIX; elsewhere brp_fork says no.
 * Python: popen_fork.py. */
#include "core/thread.h"
#include "proc/start.h"

#include <stdio.h>

#include "base/error.h"
#include "core/registry.h"
#include "core/runtime.h"
#include "ipc/connection.h"
#include "ipc/shared.h"
#include "platform/ident.h"
#include "proc/bootstrap.h"
#include "proc/children.h"
#include "proc/context.h"
#include "sync/shared_memory.h"

enum { PATIENCE_MS = 20 };

static int count_others(void)
{
    return brp_thread_count() - bri_thread_count() - 1;
}

/* fork() copies one thread only. What the others held would stay held for ever in the child. */
static brood_status check_threads(bool *alone)
{
    int others = count_others();
    /* A thread that has just ended is still counted for a moment. */
    for (int i = 0; others > 0 && i < PATIENCE_MS && !bri_context_get()->fork_with_threads; i++) {
        brood_sleep(1);
        others = count_others();
    }
    *alone = others <= 0;
    if (*alone || bri_context_get()->fork_with_threads)
        return BROOD_OK;
    return bri_fail(BROOD_ESTATE,
                    "fork would copy this process with %d other thread%s running "
                    "(brood_allow_fork_with_threads)",
                    others, others == 1 ? "" : "s");
}

/* What has to be whole in the child, also where a thread of brood's that calls back into the
 * program is at work in it. */
static void lock_structures(void)
{
    bri_children_lock();
    bri_connections_lock();
    bri_shared_lock();
    bri_memories_lock();
    brp_mutex_lock(bri_the_runtime.lock);
}

static void unlock_structures(void)
{
    brp_mutex_unlock(bri_the_runtime.lock);
    bri_memories_unlock();
    bri_shared_unlock();
    bri_connections_unlock();
    bri_children_unlock();
}

/* In the child. Values, names and keys are used where they are: all is a copy. */
static void be_child(bri_launch *launch, bool alone)
{
    brood_process *process = launch->process;
    brp_input_from_nothing();
    static bri_start_block block; /* reachable for ever, as its content is */
    bri_context_describe(process, &block);
    block.pointer = process->function;
    block.arguments = process->arguments;
    block.keywords = process->keywords;
    process->arguments = process->keywords = (brood_value){0};
    bri_connections_keep_only(&block.arguments, &block.keywords);
    bri_birth birth = {
        .stream = launch->stream, .lifeline = launch->lifeline, .forked = true, .alone = alone};
    brp_handle_close(&process->stream);
    brp_handle_close(&process->lifeline);
    unlock_structures();
    bri_children_unlock_starts();
    bri_bootstrap_forked(&birth, &block, process->slot);
}

static brood_status launch_child(bri_launch *launch)
{
    brood_process *process = launch->process;
    bool alone, in_child = false;
    BROOD_TRY(check_threads(&alone));
    if (process->function_name != NULL)
        BROOD_TRY(bri_function_named(process->function_name, &process->function));
    /* Else the child would write again what waits in the streams. */
    fflush(stdout);
    fflush(stderr);
    if (alone)
        fflush(NULL);
    bri_gate_close();
    lock_structures();
    bri_threads_lock();
    brood_status status = brp_fork(&process->child, &in_child);
    bri_threads_unlock();
    if (in_child) {
        bri_gate_reset();
        be_child(launch, alone);
    }
    unlock_structures();
    bri_gate_open();
    if (status == BROOD_OK)
        process->pid = process->child.pid;
    return status;
}

const bri_start_method bri_start_fork = {.number = BROOD_START_FORK,
                                         .is_supported = brp_can_fork,
                                         .launch = launch_child,
                                         .sentinel = bri_own_sentinel,
                                         .collect = bri_own_collect,
                                         .signal = bri_own_signal,
                                         .kill_tree = bri_own_kill_tree};
