/* proc/start.c - starting a child: what all start methods share. */
#include "proc/start.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/registry.h"
#include "core/runtime.h"
#include "ipc/arena.h"
#include "ipc/lend.h"
#include "platform/clock.h"
#include "platform/ident.h"
#include "platform/parent.h"
#include "platform/stream.h"
#include "proc/children.h"
#include "proc/context.h"
#include "proc/note.h"

enum {
    LAST_WORDS_MS = 1000, /* between the end of its stream and the end of the child */
    ABANDON_MS = 5000     /* from a kill to the exit */
};

brood_status bri_start_find(brood_start_method number, const bri_start_method **method)
{
    static const bri_start_method *const methods[] = {&bri_start_spawn, &bri_start_fork,
                                                      &bri_start_forkserver};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (methods[i]->number != number)
            continue;
        if (!methods[i]->is_supported())
            return bri_fail(BROOD_ENOTSUP,
                            "could not use the start method \"%s\": this system lacks it",
                            brood_start_method_name(number));
        *method = methods[i];
        return BROOD_OK;
    }
    return bri_fail(BROOD_EINVALID, "could not find the start method %d", (int)number);
}

bool brood_start_method_is_supported(brood_start_method method)
{
    bri_saved_error saved;
    const bri_start_method *found;
    bri_error_save(&saved);
    bool supported = method == BROOD_START_DEFAULT || bri_start_find(method, &found) == BROOD_OK;
    bri_error_restore(&saved);
    return supported;
}

/* ---- children of our own ---- */

void bri_own_sentinel(brood_process *process, brp_watch *watch)
{
    *watch = (brp_watch){.handle = process->child.sentinel, .kind = BRP_WATCH_SENTINEL};
}

/* First what is left of its tree: as long as the child is not collected, its group's number is its
 * own. */
brood_status bri_own_collect(brood_process *process, int *exitcode, bri_deadline deadline)
{
    (void)brp_child_kill_tree(&process->child);
    brood_status status = brp_child_wait(&process->child, deadline);
    if (status == BROOD_OK)
        *exitcode = process->child.code;
    return status;
}

brood_status bri_own_signal(brood_process *process, brp_signal signal)
{
    return brp_child_signal(&process->child, signal);
}

brood_status bri_own_kill_tree(brood_process *process)
{
    return brp_child_kill_tree(&process->child);
}

/* ---- the start block ---- */

static brood_status refer_to_function(const brood_process *process, brood_value *reference)
{
    if (process->function_name == NULL)
        return bri_function_refer(process->function, reference);
    *reference = bri_function_refer_name(process->function_name);
    return brood_value_kind(reference) == BROOD_INVALID ? brood_last_error()->status : BROOD_OK;
}

static brood_status fill_tree(bri_launch *launch, bool with_arena, struct bri_transfer *transfer,
                              bri_start_tree *tree)
{
    int64_t number;
    *tree = (bri_start_tree){.lifeline = -1, .arena = -1, .owner = launch->process->slot};
    if (brp_handle_is_set(launch->lifeline)) {
        BROOD_TRY(bri_transfer_add(transfer, launch->lifeline, &number));
        tree->lifeline = (int)number;
    }
    if (!with_arena)
        return BROOD_OK;
    bri_arena *arena;
    BROOD_TRY(bri_arena_get(&arena));
    BROOD_TRY(bri_transfer_add(transfer, bri_arena_handle(arena), &number));
    tree->arena = (int)number;
    tree->reserved = bri_arena_reserved(arena);
    return BROOD_OK;
}

brood_status bri_start_write_block(bri_launch *launch, bool with_arena,
                                   struct bri_transfer *transfer)
{
    brood_process *process = launch->process;
    bri_start_tree tree;
    bri_start_block block = {0};
    unsigned char build_id[BRP_BUILD_ID_SIZE] = {0};
    BROOD_TRY(fill_tree(launch, with_arena, transfer, &tree));
    BROOD_TRY(brp_random(launch->token, sizeof launch->token));
    BROOD_TRY(refer_to_function(process, &block.function));
    bri_children_lock();
    bri_context_describe(process, &block);
    brood_status status =
        block.executable[0] == '\0' ? brp_module_own_build_id(build_id) : BROOD_OK;
    if (launch->directory != NULL)
        block.directory = launch->directory;
    block.arguments = process->arguments;
    block.keywords = process->keywords;
    process->arguments = process->keywords = (brood_value){0};
    if (brood_value_kind(&block.arguments) == BROOD_INVALID)
        block.arguments = brood_tuple(0);
    if (brood_value_kind(&block.keywords) == BROOD_INVALID)
        block.keywords = brood_none();
    if (status == BROOD_OK)
        status = bri_block_write(&block, &tree, launch->token, build_id, transfer, &launch->block);
    process->loan = transfer->loan;
    process->arguments = block.arguments;
    process->keywords = block.keywords;
    if (brood_value_kind(&process->keywords) == BROOD_NONE)
        process->keywords = (brood_value){0};
    bri_children_unlock();
    brood_value_clear(&block.function);
    return status;
}

/* ---- hello ---- */

static brood_status repeat_refusal(const brood_value *value)
{
    int64_t status = 0, system_code = 0;
    const char *message;
    size_t size;
    if (brood_value_kind(value) != BROOD_TUPLE || brood_value_length(value) != 3 ||
        brood_get_int(brood_item(value, 0), &status) != BROOD_OK ||
        brood_get_int(brood_item(value, 1), &system_code) != BROOD_OK ||
        brood_get_str(brood_item(value, 2), &message, &size) != BROOD_OK || status <= BROOD_OK ||
        status > BROOD_EBROKEN)
        return bri_fail(BROOD_EFORMAT, "could not read why the child did not start");
    return bri_fail((brood_status)status, "%s", message);
}

/* Without hello the stream ended: usually because the child did. */
static brood_status fail_silent_end(brood_process *process)
{
    brp_watch watch = {0};
    int code;
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), LAST_WORDS_MS);
    process->method->sentinel(process, &watch);
    if (brp_wait_any(&watch, 1, deadline, NULL) != BROOD_OK ||
        process->method->collect(process, &code, deadline) != BROOD_OK)
        return bri_fail(BROOD_ESTART, "the child's main() did not call brood_init() first (it "
                                      "closed what it had inherited)");
    process->exitcode = code;
    process->state = BRI_PROCESS_ENDED;
    if (process->start_number != BROOD_START_SPAWN)
        return bri_fail(BROOD_ESTART, "the child ended before it was ready, with exit code %d",
                        code);
    return bri_fail(BROOD_ESTART,
                    "the child's main() did not call brood_init() first (it ended with exit code "
                    "%d)",
                    code);
}

/* Waits for the child's hello; a refusal's status and message become ours. */
static brood_status await_hello(brood_process *process, bri_deadline deadline)
{
    bri_note note;
    brood_status status = bri_note_receive(process->stream, &note, deadline);
    if (status == BROOD_EEOF)
        return fail_silent_end(process);
    if (status == BROOD_ETIMEDOUT)
        return bri_fail(BROOD_ESTART, "the child's main() did not call brood_init() first (it was "
                                      "silent until the start time-out)");
    if (status != BROOD_OK)
        return status;
    process->pid = note.pid;
    if (note.kind == BRI_NOTE_REFUSAL)
        status = repeat_refusal(&note.value);
    else if (note.kind != BRI_NOTE_HELLO)
        status = bri_fail(BROOD_EFORMAT, "could not read the child's hello: it is malformed");
    brood_value_clear(&note.value);
    return status;
}

/* ---- the steps ---- */

/* Under the lock. */
static brood_status check_start(const brood_process *process)
{
    const bri_context *context = bri_context_get();
    if (process->kind != BRI_PROCESS_CHILD || process->owner != brp_pid())
        return bri_fail(BROOD_ESTATE, "it was not made by this process");
    if (process->state != BRI_PROCESS_CREATED)
        return bri_fail(BROOD_ESTATE, "cannot start a process twice");
    if (context->self->daemon)
        return bri_fail(BROOD_ESTATE, "daemonic processes are not allowed to have children");
    if (bri_the_runtime.depth >= context->max_depth)
        return bri_fail(BROOD_ELIMIT,
                        "this process is %d starts below the root, and that is the limit "
                        "(brood_set_max_depth)",
                        bri_the_runtime.depth);
    return BROOD_OK;
}

static brood_status begin(brood_process *process, bri_deadline *deadline)
{
    const bri_context *context = bri_context_get();
    bri_children_lock();
    brood_status status = check_start(process);
    const bri_start_method *method = NULL;
    if (status == BROOD_OK && process->start_number == BROOD_START_DEFAULT)
        process->start_number = context->method;
    if (status == BROOD_OK)
        status = bri_start_find(process->start_number, &method);
    if (status == BROOD_OK) {
        process->method = method;
        process->state = BRI_PROCESS_STARTING;
        *deadline = bri_deadline_after(brp_clock_now(), context->start_timeout);
    }
    bri_children_unlock();
    return status;
}

/* What the child needs of ours, before it exists. */
static brood_status prepare(bri_launch *launch)
{
    brood_process *process = launch->process;
    bri_arena *arena;
    brp_handle ends[2];
    BROOD_TRY(bri_arena_get(&arena));
    BROOD_TRY(bri_proctable_claim(&process->slot));
    BROOD_TRY(brp_stream_pair(ends));
    process->stream = ends[0];
    launch->stream = ends[1];
    return brp_lifeline_create(&process->lifeline, &launch->lifeline);
}

/* One at a time: until the child's ends are closed here, a fork would copy them, and then their
 * end would not be seen. */
static brood_status launch_one(bri_launch *launch)
{
    bri_children_lock_starts();
    brood_status status = prepare(launch);
    if (status == BROOD_OK)
        status = launch->process->method->launch(launch);
    launch->process->is_launched = status == BROOD_OK;
    brp_handle_close(&launch->stream);
    brp_handle_close(&launch->lifeline);
    bri_children_lock();
    bri_children_begin_start(launch->process);
    bri_children_unlock();
    bri_children_unlock_starts();
    return status;
}

static brood_status send_block(const bri_launch *launch)
{
    brp_bytes part = {launch->block.data, launch->block.length};
    size_t written;
    if (part.size == 0)
        return BROOD_OK;
    brood_status status =
        brp_stream_write_all(launch->process->stream, &part, 1, &written, launch->deadline);
    /* Whoever did not read it to its end has said why, or fails the hello. */
    return status == BROOD_EEOF || status == BROOD_ETIMEDOUT ? BROOD_OK : status;
}

/* Ends what was begun, and leaves the object as it was before. */
static void abandon(brood_process *process)
{
    bri_saved_error saved;
    bri_error_save(&saved);
    bool is_left = process->is_launched && process->state != BRI_PROCESS_ENDED;
    bri_children_lock();
    bri_children_end_start(process);
    if (is_left)
        (void)process->method->kill_tree(process);
    bri_children_unlock();
    if (is_left) {
        brp_watch watch = {0};
        int code;
        bri_deadline deadline = bri_deadline_after(brp_clock_now(), ABANDON_MS);
        process->method->sentinel(process, &watch);
        if (brp_wait_any(&watch, 1, deadline, NULL) == BROOD_OK)
            (void)process->method->collect(process, &code, deadline);
    }
    if (process->slot != 0 && process->is_launched)
        bri_proctable_died(process->slot);
    else if (process->slot != 0)
        bri_proctable_release(process->slot);
    process->slot = 0;
    bri_loan_end(process->loan);
    process->loan = 0;
    brp_handle_close(&process->stream);
    brp_handle_close(&process->lifeline);
    brp_handle_close(&process->status);
    brp_child_close(&process->child);
    brp_child_init(&process->child);
    process->is_launched = false;
    process->pid = 0;
    process->exitcode = 0;
    bri_children_lock();
    process->state = BRI_PROCESS_CREATED;
    bri_children_unlock();
    bri_error_restore(&saved);
}

static void finish(brood_process *process)
{
    bri_children_lock();
    brood_value arguments = process->arguments, keywords = process->keywords;
    process->arguments = process->keywords = (brood_value){0};
    process->state = BRI_PROCESS_RUNNING;
    bri_children_end_start(process);
    bri_children_add(process);
    bri_children_unlock();
    brood_value_clear(&arguments);
    brood_value_clear(&keywords);
}

static brood_status run_steps(brood_process *process)
{
    bri_launch launch = {.process = process, .stream = BRP_NO_HANDLE, .lifeline = BRP_NO_HANDLE};
    BROOD_TRY(begin(process, &launch.deadline));
    brood_status status = BROOD_OK;
    if (process->method->prepare != NULL)
        status = process->method->prepare(&launch);
    if (status == BROOD_OK)
        status = launch_one(&launch);
    if (status == BROOD_OK)
        status = send_block(&launch);
    if (status == BROOD_OK)
        status = await_hello(process, launch.deadline);
    bri_buffer_fini(&launch.block);
    bri_free(launch.directory);
    if (status == BROOD_OK)
        finish(process);
    else
        abandon(process);
    return status;
}

brood_status brood_process_start(brood_process *process)
{
    BROOD_TRY(bri_runtime_check("start a process"));
    if (process == NULL)
        return bri_fail(BROOD_EINVALID, "could not start a process: there is none");
    bri_children_cleanup();
    brood_status status = run_steps(process);
    if (status == BROOD_ESTART && process->method->was_late != NULL &&
        process->method->was_late(process))
        status = run_steps(process);
    return status == BROOD_OK ? BROOD_OK : bri_fail_within("could not start \"%s\"", process->name);
}
