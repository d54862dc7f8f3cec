/* proc/start_forkserver.c - a server forks the child on demand: this process's side. The server is
 * in forkserver.c. POSIX. Python: popen_forkserver.py. */
#include "core/thread.h"
#include "proc/start.h"

#include <string.h>

#include <apr_file_info.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/registry.h"
#include "core/runtime.h"
#include "data/object.h"
#include "platform/child.h"
#include "platform/clock.h"
#include "platform/pass.h"
#include "platform/stream.h"
#include "proc/children.h"
#include "proc/context.h"
#include "proc/forkserver.h"
#include "proc/note.h"

enum { DYING_MS = 1000 };

struct bri_forkserver {
    brp_mutex *lock; /* for the members below; taken before all other locks */
    /* These three change under that lock and the starts', and are read under either. */
    brood_process *process; /* NULL: not started */
    brp_handle stream;      /* to it: not in the process object, whose end closes it at any time */
    uint32_t number;        /* of the last one that was started: 1, 2, ... */
    _Atomic uint32_t lost;  /* number of the one that seems to have died; without the lock */
    apr_pool_t *scratch;
    char *directory; /* where it is: where this process was when it started */
};

/* ---- starting the server ---- */

/* Until here whoever looks after children may have seen its end, and read what it said. From here
 * on the stream is not in the process object. */
static brp_handle take_stream(brood_process *server)
{
    bri_children_lock();
    brp_handle stream = server->stream;
    server->stream = BRP_NO_HANDLE;
    bri_children_unlock();
    return stream;
}

static brood_status fail_preload(const bri_outcome *outcome)
{
    brood_failure failure;
    if (!outcome->failed)
        return bri_fail(BROOD_ESTART, "it ended while it ran the preload function");
    bri_outcome_describe(outcome, &failure);
    return bri_fail(BROOD_ETASK, "its preload function failed: %s: %s", failure.kind,
                    failure.message);
}

/* After the hello it has run the preload function: it says so, or why not. */
static brood_status await_ready(const brood_process *server, brp_handle stream)
{
    bri_note note;
    bri_outcome outcome = {0};
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), bri_context_get()->start_timeout);
    if (!brp_handle_is_set(stream))
        return fail_preload(&server->outcome);
    brood_status status = bri_note_receive(stream, &note, deadline);
    if (status == BROOD_EEOF)
        return fail_preload(&outcome);
    if (status == BROOD_ETIMEDOUT)
        return bri_fail(BROOD_ESTART, "its preload function took longer than the start time-out");
    if (status != BROOD_OK)
        return status;
    if (note.kind == BRI_NOTE_FAILURE) {
        status = bri_outcome_rebuild(&note.value, &outcome);
        if (status == BROOD_OK)
            status = fail_preload(&outcome);
        bri_outcome_clear(&outcome);
    } else if (note.kind != BRI_NOTE_HELLO) {
        status = bri_fail(BROOD_EFORMAT, "it is not ready, and does not say why");
    }
    brood_value_clear(&note.value);
    return status;
}

static brood_status describe_server(brood_process *server)
{
    const bri_context *context = bri_context_get();
    brood_value function, arguments;
    if (brood_value_kind(&context->preload_function) == BROOD_INVALID) {
        server->arguments = brood_tuple(0);
    } else {
        BROOD_TRY(brood_value_copy(&context->preload_function, &function));
        BROOD_TRY(brood_value_copy(&context->preload_arguments, &arguments));
        server->arguments = brood_pack("(vv)", function, arguments);
    }
    if (brood_value_kind(&server->arguments) == BROOD_INVALID)
        return brood_last_error()->status;
    server->function_name = bri_strdup(BRI_FORKSERVER_FUNCTION);
    server->start_number = BROOD_START_SPAWN;
    server->daemon = true;
    server->is_hidden = true;
    return server->function_name == NULL ? BROOD_ENOMEM : BROOD_OK;
}

static brood_status start_server(brood_process **server, brp_handle *stream)
{
    brood_process *made;
    brp_handle taken = BRP_NO_HANDLE;
    BROOD_TRY(bri_process_make(&made, BRI_PROCESS_CHILD, "forkserver", ""));
    brood_status status = describe_server(made);
    if (status == BROOD_OK)
        status = brood_process_start(made);
    if (status == BROOD_OK) {
        taken = take_stream(made);
        status = await_ready(made, taken);
        if (status != BROOD_OK) {
            (void)brood_process_kill(made);
            (void)brood_process_join(made, BROOD_FOREVER);
            bri_fail_within("could not start the forkserver");
        }
    }
    if (status != BROOD_OK) {
        bri_saved_error saved;
        bri_error_save(&saved);
        brp_handle_close(&taken);
        brood_process_destroy(made);
        bri_error_restore(&saved);
        return status;
    }
    *server = made;
    *stream = taken;
    return BROOD_OK;
}

static void after_fork_child(void)
{
    if (bri_the_runtime.forkserver != NULL)
        brp_handle_close(&bri_the_runtime.forkserver->stream);
    bri_the_runtime.forkserver = NULL; /* it is the parent's */
}

static void free_state(struct bri_forkserver *state)
{
    if (state->scratch != NULL)
        apr_pool_destroy(state->scratch);
    brp_mutex_destroy(state->lock);
    bri_free(state);
}

static brood_status make_state(struct bri_forkserver **state)
{
    static const bri_hooks hooks = {.name = "forkserver", .after_fork_child = after_fork_child};
    BROOD_TRY(bri_runtime_hook(&hooks));
    struct bri_forkserver *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->stream = BRP_NO_HANDLE;
    brood_status status = bri_apr_start();
    if (status == BROOD_OK)
        status = brp_mutex_create(&made->lock);
    if (status == BROOD_OK && apr_pool_create(&made->scratch, NULL) != APR_SUCCESS)
        status = bri_fail(BROOD_ENOMEM, "could not make a memory pool");
    if (status != BROOD_OK) {
        free_state(made);
        return status;
    }
    brp_mutex_lock(bri_the_runtime.lock);
    if (bri_the_runtime.forkserver == NULL)
        bri_the_runtime.forkserver = made;
    struct bri_forkserver *there = bri_the_runtime.forkserver;
    brp_mutex_unlock(bri_the_runtime.lock);
    if (there != made)
        free_state(made);
    *state = there;
    return BROOD_OK;
}

/* Where this process is, in the scratch pool; "" when that directory was removed. */
static const char *this_directory(struct bri_forkserver *state)
{
    char *found = NULL;
    apr_pool_clear(state->scratch);
    return apr_filepath_get(&found, APR_FILEPATH_NATIVE, state->scratch) == APR_SUCCESS ? found
                                                                                        : "";
}

static void publish_server(struct bri_forkserver *state, brood_process *server, brp_handle stream,
                           uint32_t number)
{
    bri_children_lock_starts();
    state->process = server;
    state->stream = stream;
    state->number = number;
    bri_children_unlock_starts();
}

static void bury_server(struct bri_forkserver *state)
{
    brood_process *server = state->process;
    brp_handle stream = state->stream;
    publish_server(state, NULL, BRP_NO_HANDLE, state->number);
    brp_handle_close(&stream);
    (void)brood_process_kill(server);
    (void)brood_process_join(server, BROOD_FOREVER);
    brood_process_destroy(server);
}

static brood_status start_server_here(struct bri_forkserver *state)
{
    char *here = bri_strdup(this_directory(state));
    if (here == NULL)
        return BROOD_ENOMEM;
    brood_process *server;
    brp_handle stream;
    brood_status status = start_server(&server, &stream);
    bri_free(status == BROOD_OK ? state->directory : here);
    if (status == BROOD_OK) {
        state->directory = here;
        publish_server(state, server, stream, state->number + 1);
    }
    return status;
}

/* Where the child has to go; NULL where the server is there already, or nobody knows. */
static brood_status find_directory(struct bri_forkserver *state, char **directory)
{
    const char *here = this_directory(state);
    if (here[0] == '\0' || strcmp(here, state->directory) == 0)
        return BROOD_OK;
    *directory = bri_strdup(here);
    return *directory == NULL ? BROOD_ENOMEM : BROOD_OK;
}

/* Its stream ends a moment before the system tells of its end; it says nothing on it once it is
 * ready. And a child's may end a moment before that one, when the server dies; or because the
 * server could not fork. */
static bool is_gone(struct bri_forkserver *state)
{
    brood_process *server = state->process;
    bri_deadline until = 0;
    if (atomic_exchange(&state->lost, 0) == state->number)
        until = bri_deadline_after(brp_clock_now(), DYING_MS);
    return !brood_process_is_alive(server) || brp_stream_poll(state->stream, until) == BROOD_OK;
}

/* The end of a child's status without a word. One that was forked by an earlier server may be
 * looked at after the loss of a later one was noted. */
static void lose_server(brood_process *process)
{
    struct bri_forkserver *state = bri_the_runtime.forkserver;
    atomic_store(&process->lost_server, true);
    if (state == NULL)
        return;
    uint32_t lost = atomic_load(&state->lost);
    while (lost < process->server &&
           !atomic_compare_exchange_weak(&state->lost, &lost, process->server)) {
    }
}

/* A server that is killed lives on for a moment. */
static bool was_late(brood_process *process)
{
    return atomic_load(&process->lost_server);
}

/* Before the start: a server that runs. One that died is replaced. */
static brood_status prepare(bri_launch *launch)
{
    struct bri_forkserver *state = bri_the_runtime.forkserver;
    atomic_store(&launch->process->lost_server, false);
    if (state == NULL)
        BROOD_TRY(make_state(&state));
    brp_mutex_lock(state->lock);
    brood_status status = BROOD_OK;
    if (state->process != NULL && is_gone(state))
        bury_server(state);
    if (state->process == NULL)
        status = start_server_here(state);
    if (status == BROOD_OK)
        status = find_directory(state, &launch->directory);
    brp_mutex_unlock(state->lock);
    return status;
}

/* Moves both in. */
static brood_status set_preload(brood_value function, brood_value arguments)
{
    struct bri_forkserver *state = bri_the_runtime.forkserver;
    bri_context *context = bri_context_get();
    if (state != NULL)
        brp_mutex_lock(state->lock);
    bool runs = state != NULL && state->process != NULL;
    brood_value former[2] = {function, arguments};
    if (!runs) {
        former[0] = context->preload_function;
        former[1] = context->preload_arguments;
        context->preload_function = function;
        context->preload_arguments = arguments;
    }
    if (state != NULL)
        brp_mutex_unlock(state->lock);
    brood_value_clear(&former[0]);
    brood_value_clear(&former[1]);
    return runs ? bri_fail(BROOD_ESTATE,
                           "could not set the preload function: the forkserver runs already")
                : BROOD_OK;
}

brood_status brood_set_forkserver_preload(brood_function function, brood_value args)
{
    brood_value reference = {0};
    brood_status status = bri_runtime_check("set the preload function");
    if (status == BROOD_OK)
        status = bri_value_check(&args);
    brood_kind kind = brood_value_kind(&args);
    if (status == BROOD_OK && kind != BROOD_INVALID && kind != BROOD_TUPLE && kind != BROOD_LIST)
        status = bri_fail(BROOD_ETYPE,
                          "could not set the preload function: its arguments are a tuple or a "
                          "list, not %s",
                          brood_kind_name(kind));
    if (status == BROOD_OK && function != NULL)
        status = bri_function_refer(function, &reference);
    if (status != BROOD_OK) {
        brood_value_clear(&args);
        return status;
    }
    return set_preload(reference, brood_value_kind(&args) == BROOD_INVALID ? brood_tuple(0) : args);
}

/* ---- starting a child ---- */

/* The stream, where the server reports the exit, and what the block refers to. */
static brood_status send_request(bri_launch *launch, brp_handle status_end,
                                 const struct bri_transfer *transfer)
{
    const struct bri_forkserver *server = bri_the_runtime.forkserver;
    brp_handle handles[2 + BRI_TRANSFER_MAX];
    bri_fork_request request = {.n_handles = (uint32_t)(2 + transfer->n)};
    size_t written;
    memcpy(request.token, launch->token, sizeof request.token);
    handles[0] = launch->stream;
    handles[1] = status_end;
    for (size_t i = 0; i < transfer->n; i++)
        handles[2 + i] = transfer->handles[i];
    brp_bytes part = {&request, sizeof request};
    BROOD_TRY(brp_stream_write_all(server->stream, &part, 1, &written, launch->deadline));
    return brp_pass_send(server->stream, server->process->pid, handles, request.n_handles,
                         launch->deadline);
}

static brood_status launch_child(bri_launch *launch)
{
    struct bri_transfer transfer = {.way = BRI_TRANSFER_START};
    brp_handle ends[2];
    BROOD_TRY(bri_start_write_block(launch, false, &transfer));
    if (transfer.n > BRP_PASS_MAX - 2)
        return bri_fail(BROOD_ELIMIT, "could not send %zu system handles: %d is the most",
                        transfer.n, BRP_PASS_MAX - 2);
    BROOD_TRY(brp_stream_pair_one_way(ends));
    launch->process->status = ends[0];
    launch->process->server = bri_the_runtime.forkserver->number;
    brood_status status = bri_the_runtime.forkserver->process == NULL
                              ? BROOD_EEOF /* another thread is replacing it */
                              : send_request(launch, ends[1], &transfer);
    brp_handle_close(&ends[1]);
    if (status == BROOD_EEOF) {
        lose_server(launch->process);
        status = bri_fail(BROOD_ESTART, "the forkserver has died");
    }
    return status;
}

/* ---- what becomes of it ---- */

static void sentinel(brood_process *process, brp_watch *watch)
{
    *watch = (brp_watch){.handle = process->status, .kind = BRP_WATCH_STREAM};
}

/* The server has killed what was left of the tree. Without its word it has died itself: then the
 * closing of the lifeline ends the child, whose exit code nobody knows; 255, as in Python. */
static brood_status collect(brood_process *process, int *exitcode, bri_deadline deadline)
{
    bri_note note;
    int64_t code = 255;
    brood_status status = bri_note_receive(process->status, &note, deadline);
    if (status == BROOD_ETIMEDOUT)
        return status;
    if (status == BROOD_OK) {
        if (note.kind != BRI_NOTE_EXIT || brood_get_int(&note.value, &code) != BROOD_OK)
            code = 255;
        brood_value_clear(&note.value);
    } else {
        lose_server(process);
        brp_handle_close(&process->lifeline);
    }
    *exitcode = (int)code;
    return BROOD_OK;
}

static bool has_ended(brood_process *process)
{
    return brp_stream_poll(process->status, 0) == BROOD_OK;
}

/* The server reports an exit only after it has collected the child, so the number is the child's as
 * long as nothing was reported - also after the handle to it was opened. */
static brood_status adopt(brood_process *process, bool *ended)
{
    *ended = has_ended(process);
    if (*ended || process->child.pid != 0)
        return BROOD_OK;
    brood_status status = brp_child_adopt(&process->child, process->pid);
    *ended = has_ended(process);
    return *ended ? BROOD_OK : status;
}

static brood_status signal_child(brood_process *process, brp_signal signal)
{
    bool ended;
    BROOD_TRY(adopt(process, &ended));
    return ended ? BROOD_OK : brp_child_signal(&process->child, signal);
}

static brood_status kill_tree(brood_process *process)
{
    bool ended;
    if (process->pid ==
        0) { /* it never said hello: it waits for its block, or holds its lifeline */
        brp_handle_close(&process->stream);
        brp_handle_close(&process->lifeline);
        return BROOD_OK;
    }
    BROOD_TRY(adopt(process, &ended));
    return ended ? BROOD_OK : brp_child_kill_tree(&process->child);
}

const bri_start_method bri_start_forkserver = {.number = BROOD_START_FORKSERVER,
                                               .is_supported = brp_can_fork,
                                               .prepare = prepare,
                                               .launch = launch_child,
                                               .was_late = was_late,
                                               .sentinel = sentinel,
                                               .collect = collect,
                                               .signal = signal_child,
                                               .kill_tree = kill_tree};
