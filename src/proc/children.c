/* proc/children.c - see the header. */
#include "proc/children.h"

#include <stdatomic.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/log.h"
#include "core/runtime.h"
#include "core/thread.h"
#include "ipc/lend.h"
#include "platform/clock.h"
#include "platform/ident.h"
#include "proc/note.h"
#include "proc/start.h"

enum {
    COLLECT_NS = 100000000, /* between the sentinel and the exit code nothing much can happen */
    DAEMON_GRACE_MS = 2000, /* after terminate a daemon has this long until it is killed */
    EVENTS = 32
};

struct bri_children {
    brp_mutex *lock;
    brp_mutex *starts;
    atomic_bool used;     /* there has been a child, or the supervisor */
    brood_process *first; /* running */
    brood_process *starting;
    brood_process *garbage; /* to be freed when the lock is given back */

    brp_poller *poller; /* NULL: no supervisor */
    bri_thread *supervisor;
    uint64_t supervisor_id; /* thread number */
    bool stopping;
    size_t n_supervised;
    brood_process *due;     /* ended before they were watched */
    brood_process *telling; /* whose `ended` runs now */
    brp_condition *told;    /* `telling` has changed */
};

static struct bri_children *children(void)
{
    return bri_the_runtime.children;
}

void bri_children_lock(void)
{
    brp_mutex_lock(children()->lock);
}

void bri_children_unlock(void)
{
    brood_process *garbage = children()->garbage;
    children()->garbage = NULL;
    brp_mutex_unlock(children()->lock);
    while (garbage != NULL) {
        brood_process *next = garbage->next;
        bri_process_free(garbage);
        garbage = next;
    }
}

void bri_children_lock_starts(void)
{
    brp_mutex_lock(children()->starts);
}

void bri_children_unlock_starts(void)
{
    brp_mutex_unlock(children()->starts);
}

static void drop(brood_process *process)
{
    if (--process->references != 0)
        return;
    process->next = children()->garbage;
    children()->garbage = process;
}

void bri_children_release(brood_process *process)
{
    bri_children_lock();
    drop(process);
    bri_children_unlock();
}

/* ---- the list ---- */

/* Under the lock. Does nothing when it runs. */
static brood_status start_supervisor(void);

static void unlist(brood_process *process)
{
    if (!process->is_listed)
        return;
    if (process->previous != NULL)
        process->previous->next = process->next;
    else
        children()->first = process->next;
    if (process->next != NULL)
        process->next->previous = process->previous;
    process->next = process->previous = NULL;
    process->is_listed = false;
    drop(process);
}

/* The poller reports it until it is taken out; the reference keeps its handle open. */
static brood_status supervise(brood_process *process)
{
    brp_watch watch = {0};
    if (process->is_supervised || children()->poller == NULL)
        return BROOD_OK;
    process->method->sentinel(process, &watch);
    BROOD_TRY(
        brp_poller_add(children()->poller, watch.handle, watch.kind, (uint64_t)(uintptr_t)process));
    process->is_supervised = true;
    children()->n_supervised++;
    process->references++;
    return BROOD_OK;
}

void bri_children_begin_start(brood_process *process)
{
    process->next = children()->starting;
    children()->starting = process;
}

void bri_children_end_start(brood_process *process)
{
    brood_process **place = &children()->starting;
    while (*place != NULL && *place != process)
        place = &(*place)->next;
    if (*place == NULL)
        return;
    *place = process->next;
    process->next = NULL;
}

void bri_children_add(brood_process *process)
{
    atomic_store(&children()->used, true);
    process->next = children()->first;
    process->previous = NULL;
    if (process->next != NULL)
        process->next->previous = process;
    children()->first = process;
    process->is_listed = true;
    process->references++;
    if (atomic_load(&bri_the_runtime.shares))
        (void)start_supervisor();
    if (supervise(process) != BROOD_OK)
        bri_log(BROOD_LOG_WARNING, "the end of \"%s\" may be noticed late: %s", process->name,
                brood_last_error()->message);
}

size_t bri_children_count(void)
{
    bri_children_lock();
    size_t n = 0;
    for (brood_process *process = children()->first; process != NULL; process = process->next)
        n += !process->is_hidden;
    bri_children_unlock();
    return n;
}

size_t bri_children_held(void)
{
    bri_children_lock();
    size_t n = children()->n_supervised;
    for (brood_process *process = children()->first; process != NULL; process = process->next)
        n = n + !process->is_hidden - process->is_supervised;
    bri_children_unlock();
    return n;
}

/* ---- the end of a child ---- */

static void read_failure(brood_process *process)
{
    bri_note note;
    if (!brp_handle_is_set(process->stream) ||
        bri_note_receive(process->stream, &note, brp_clock_now()) != BROOD_OK)
        return; /* it ended without a word, or another reads it */
    if (note.kind == BRI_NOTE_FAILURE)
        (void)bri_outcome_rebuild(&note.value, &process->outcome);
    brood_value_clear(&note.value);
}

bool bri_children_finish(brood_process *process, bri_deadline deadline)
{
    if (process->state != BRI_PROCESS_RUNNING)
        return process->state == BRI_PROCESS_ENDED;
    int64_t soon = brp_clock_now() + COLLECT_NS;
    int code = 255;
    brood_status status =
        process->method->collect(process, &code, deadline < soon ? deadline : soon);
    if (status == BROOD_ETIMEDOUT)
        return false;
    process->exitcode = code;
    process->state = BRI_PROCESS_ENDED;
    if (code == 1)
        read_failure(process);
    brp_handle_close(&process->stream);
    brp_handle_close(&process->lifeline);
    if (process->slot != 0)
        bri_proctable_died(process->slot);
    bri_loan_end(process->loan);
    process->loan = 0;
    unlist(process);
    return true;
}

bool bri_children_collect(brood_process *process)
{
    brp_watch watch = {0};
    if (process->state != BRI_PROCESS_RUNNING)
        return process->state == BRI_PROCESS_ENDED;
    process->method->sentinel(process, &watch);
    return brp_wait_any(&watch, 1, 0, NULL) == BROOD_OK && bri_children_finish(process, BRI_NEVER);
}

void bri_children_cleanup(void)
{
    bri_children_lock();
    brood_process *next;
    for (brood_process *process = children()->first; process != NULL; process = next) {
        next = process->next;
        bri_children_collect(process);
    }
    bri_children_unlock();
}

brood_status brood_active_children(brood_process **processes, size_t room, size_t *n)
{
    BROOD_TRY(bri_runtime_check("list the children"));
    bri_children_cleanup();
    size_t found = 0;
    bri_children_lock();
    for (brood_process *process = children()->first; process != NULL; process = process->next) {
        if (process->is_destroyed || process->is_hidden)
            continue;
        if (found < room)
            processes[found] = process;
        found++;
    }
    bri_children_unlock();
    *n = found;
    return BROOD_OK;
}

/* ---- the supervisor ---- */

/* Calls `ended` once. The lock is given back meanwhile; the caller has a reference. */
static void tell(brood_process *process)
{
    if (process->ended == NULL || process->end_is_told)
        return;
    process->end_is_told = true;
    children()->telling = process;
    void (*ended)(void *, brood_process *) = process->ended;
    void *context = process->context;
    bri_children_unlock();
    ended(context, process);
    bri_children_lock();
    children()->telling = NULL;
    brp_condition_broadcast(children()->told);
}

/* Unless it was unwatched and forgotten meanwhile, the process has ended. */
static void handle_event(brood_process *process)
{
    if (!bri_children_finish(process, BRI_NEVER))
        return; /* reported again */
    brp_watch watch = {0};
    process->method->sentinel(process, &watch);
    brp_poller_remove(children()->poller, watch.handle, (uint64_t)(uintptr_t)process);
    process->is_supervised = false;
    tell(process);
    children()->n_supervised--;
    drop(process);
}

static void tell_due(void)
{
    brood_process *process;
    while ((process = children()->due) != NULL) {
        children()->due = process->next_due;
        tell(process);
        drop(process);
    }
}

static void run_supervisor(void *context)
{
    (void)context;
    struct bri_children *all = children();
    bool stopping = false, stop = false;
    bri_children_lock();
    all->supervisor_id = brp_thread_id();
    bri_children_unlock();
    while (!stop) {
        uint64_t keys[EVENTS];
        size_t n = 0;
        (void)brp_poller_wait(all->poller, keys, EVENTS, &n, stopping ? 0 : BRI_NEVER);
        bri_gate_enter();
        bri_children_lock();
        for (size_t i = 0; i < n; i++)
            handle_event((brood_process *)(uintptr_t)keys[i]);
        tell_due();
        stopping = all->stopping;
        stop =
            stopping && (n == 0 || all->n_supervised == 0); /* all ends that are there are seen */
        bri_children_unlock();
        bri_gate_leave();
    }
}

static brood_status start_supervisor(void)
{
    struct bri_children *all = children();
    if (all->poller != NULL)
        return BROOD_OK;
    atomic_store(&all->used, true);
    BROOD_TRY(brp_poller_create(&all->poller));
    all->stopping = false;
    brood_status status = bri_thread_start(&all->supervisor, run_supervisor, NULL);
    if (status != BROOD_OK) {
        brp_poller_destroy(all->poller);
        all->poller = NULL;
        return status;
    }
    for (brood_process *process = all->first; process != NULL; process = process->next)
        BROOD_TRY(supervise(process));
    return BROOD_OK;
}

brood_status bri_children_supervise(void)
{
    bri_children_lock();
    brood_status status = start_supervisor();
    bri_children_unlock();
    return status;
}

static void stop_supervisor(void)
{
    struct bri_children *all = children();
    bri_children_lock();
    bri_thread *supervisor = all->supervisor;
    all->supervisor = NULL;
    all->stopping = true;
    if (supervisor != NULL)
        brp_poller_wake(all->poller);
    bri_children_unlock();
    if (supervisor == NULL)
        return;
    bri_thread_join(supervisor);
    brp_poller_destroy(all->poller);
    all->poller = NULL;
}

brood_status bri_children_watch(brood_process *process,
                                void (*ended)(void *context, brood_process *process), void *context)
{
    bri_children_lock();
    brood_status status = BROOD_OK;
    if (process->ended != NULL)
        status =
            bri_fail(BROOD_ESTATE, "could not watch \"%s\": it is watched already", process->name);
    if (status == BROOD_OK)
        status = start_supervisor();
    bool due = process->state == BRI_PROCESS_ENDED && !process->is_supervised;
    if (status == BROOD_OK && !due)
        status = supervise(process);
    if (status == BROOD_OK) {
        process->ended = ended;
        process->context = context;
    }
    if (status == BROOD_OK && due) {
        process->references++;
        process->next_due = children()->due;
        children()->due = process;
        brp_poller_wake(children()->poller);
    }
    bri_children_unlock();
    return status;
}

void bri_children_unwatch(brood_process *process)
{
    bri_children_lock();
    process->end_is_told = true;
    while (children()->telling == process && children()->supervisor_id != brp_thread_id())
        brp_condition_wait(children()->told, children()->lock, BRI_NEVER);
    process->ended = NULL;
    process->end_is_told = false;
    bri_children_unlock();
}

/* ---- the end of this process, and fork ---- */

typedef enum rank { DAEMON, OTHER, HIDDEN } rank;

static rank rank_of(const brood_process *process)
{
    return process->is_hidden ? HIDDEN : process->daemon ? DAEMON : OTHER;
}

/* A running child of that kind, with a reference; NULL: none is left. */
static brood_process *next_running(rank wanted)
{
    bri_children_lock();
    brood_process *process = children()->first;
    while (process != NULL && rank_of(process) != wanted)
        process = process->next;
    if (process != NULL)
        process->references++;
    bri_children_unlock();
    return process;
}

static void signal_daemons(void)
{
    bri_children_lock();
    for (brood_process *process = children()->first; process != NULL; process = process->next)
        if (rank_of(process) == DAEMON)
            (void)process->method->signal(process, BRP_TERMINATE);
    bri_children_unlock();
}

/* What a child holds in the arena has to be given back as soon as it dies. */
static void begin_sharing(void)
{
    bri_children_lock();
    if (children()->first != NULL && start_supervisor() != BROOD_OK)
        bri_log(BROOD_LOG_WARNING, "the ends of children may be noticed late: %s",
                brood_last_error()->message);
    bri_children_unlock();
}

/* As Python: daemons are terminated, the others joined. A daemon that does not mind is killed. The
 * library's own come last: a forkserver tells how the others ended. */
static void before_exit(void)
{
    if (!atomic_load(&children()->used))
        return;
    bri_children_cleanup();
    signal_daemons();
    bri_deadline grace = bri_deadline_after(brp_clock_now(), DAEMON_GRACE_MS);
    brood_process *process;
    while ((process = next_running(DAEMON)) != NULL) {
        brood_ms left = bri_deadline_left_ms(grace, brp_clock_now());
        if (brood_process_join(process, left) != BROOD_OK) {
            brood_process_kill(process);
            brood_process_join(process, BROOD_FOREVER);
        }
        bri_children_release(process);
    }
    while ((process = next_running(OTHER)) != NULL) {
        brood_process_join(process, BROOD_FOREVER);
        bri_children_release(process);
    }
    while ((process = next_running(HIDDEN)) != NULL) {
        brood_process_kill(process);
        brood_process_join(process, BROOD_FOREVER);
        bri_children_release(process);
    }
    stop_supervisor();
}

static void close_in_child(brood_process *first)
{
    brood_process *next;
    for (brood_process *process = first; process != NULL; process = next) {
        next = process->next;
        brp_handle_close(&process->stream);
        brp_handle_close(&process->lifeline);
        brp_handle_close(&process->status);
        brp_child_close(&process->child);
        process->is_listed = process->is_supervised = false;
    }
}

/* The parent's children are none of ours: what was kept for them is closed, so that it does not
 * outlive the parent here. The lock is held by the thread that forked, which is this one. */
static void after_fork_child(void)
{
    struct bri_children *all = children();
    close_in_child(all->first);
    close_in_child(all->starting);
    atomic_store(&all->used, false);
    all->first = all->starting = NULL;
    all->n_supervised = 0;
    all->due = all->telling = NULL;
    brp_poller_destroy(all->poller);
    all->poller = NULL;
    bri_thread_forget(all->supervisor);
    all->supervisor = NULL;
}

brood_status bri_children_start(void)
{
    static const bri_hooks hooks = {.name = "children",
                                    .before_exit = before_exit,
                                    .shares = begin_sharing,
                                    .after_fork_child = after_fork_child};
    if (children() != NULL)
        return BROOD_OK;
    struct bri_children *all = bri_calloc(1, sizeof *all);
    if (all == NULL)
        return BROOD_ENOMEM;
    brood_status status = brp_mutex_create(&all->lock);
    if (status == BROOD_OK)
        status = brp_mutex_create(&all->starts);
    if (status == BROOD_OK)
        status = brp_condition_create(&all->told);
    if (status == BROOD_OK)
        status = bri_runtime_hook(&hooks);
    if (status != BROOD_OK) {
        brp_mutex_destroy(all->lock);
        brp_mutex_destroy(all->starts);
        brp_condition_destroy(all->told);
        bri_free(all);
        return status;
    }
    bri_the_runtime.children = all;
    return BROOD_OK;
}
