/* proc/bootstrap.c - brood_init() and what a child does in it. Python: freeze_support(),
 * spawn_main(), Process._bootstrap(). */
#include "proc/bootstrap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_info.h>

#include <brood/version.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/parts.h"
#include "core/registry.h"
#include "core/runtime.h"
#include "core/thread.h"
#include "ipc/arena.h"
#include "platform/child.h"
#include "platform/clock.h"
#include "platform/guard.h"
#include "platform/ident.h"
#include "platform/parent.h"
#include "platform/signal.h"
#include "platform/spawn.h"
#include "platform/stream.h"
#include "proc/children.h"
#include "proc/context.h"
#include "proc/forkserver.h"
#include "proc/note.h"

enum { BLOCK_TIMEOUT_MS = 30000, LAST_WORDS_MS = 5000 };

static const char *argv0 = "";

const char *bri_bootstrap_argv0(void)
{
    return argv0;
}

const char *brood_version(void)
{
    return BROOD_VERSION;
}

/* ---- telling the parent ---- */

void bri_bootstrap_send_refusal(brp_handle stream)
{
    const brood_error *last = brood_last_error();
    bri_note note = {.kind = BRI_NOTE_REFUSAL,
                     .value = brood_pack("(lls)", (int64_t)last->status, (int64_t)last->system_code,
                                         last->message)};
    (void)bri_note_send(stream, &note, bri_deadline_after(brp_clock_now(), LAST_WORDS_MS));
    brood_value_clear(&note.value);
}

static void send_failure(brp_handle stream, bri_outcome *outcome)
{
    bri_note note = {.kind = BRI_NOTE_FAILURE};
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), LAST_WORDS_MS);
    brood_status status = bri_outcome_reduce(outcome, &note.value);
    if (status == BROOD_OK)
        status = bri_note_send(stream, &note, deadline);
    brood_value_clear(&note.value);
    if (status == BROOD_OK || status == BROOD_EEOF)
        return;
    /* Too long, or something in it cannot travel: at least say so. */
    bri_outcome_fail(outcome, status);
    if (bri_outcome_reduce(outcome, &note.value) == BROOD_OK)
        (void)bri_note_send(stream, &note, deadline);
    brood_value_clear(&note.value);
}

/* ---- the end ---- */

static _Noreturn void leave(const bri_birth *birth, int code)
{
    bri_runtime_before_exit();
    if (!birth->forked)
        exit(code);
    /* What the parent's program does at exit is not for us; and what its streams still held, it has
     * flushed before, unless its other threads were using them. */
    if (birth->alone) {
        fflush(NULL);
    } else {
        fflush(stdout);
        fflush(stderr);
    }
    brp_exit_now(code);
    abort();
}

static bri_birth this_birth;

brp_handle bri_bootstrap_stream(void)
{
    return this_birth.stream;
}

void brood_exit(int code)
{
    leave(&this_birth, code);
}

/* ---- the child ---- */

static brood_status change_directory(const char *directory)
{
    if (directory[0] == '\0')
        return BROOD_OK;
    apr_pool_t *pool;
    BROOD_TRY(bri_apr_start());
    apr_status_t code = apr_pool_create(&pool, NULL);
    if (code == APR_SUCCESS) {
        code = apr_filepath_set(directory, pool);
        apr_pool_destroy(pool);
    }
    if (code == APR_SUCCESS)
        return BROOD_OK;
    char reason[120];
    apr_strerror(code, reason, sizeof reason);
    return bri_fail(BROOD_EOS, "could not change to the directory \"%s\": %s", directory, reason);
}

/* Everything is there: says hello, runs the function, ends. */
static _Noreturn void run(const bri_birth *birth, bri_start_block *block, brood_function function)
{
    bri_note hello = {.kind = BRI_NOTE_HELLO};
    this_birth = *birth;
    bri_the_runtime.initialised = true; /* after fork nothing was read */
    if (bri_note_send(birth->stream, &hello, BRI_NEVER) != BROOD_OK)
        leave(birth, 1); /* the parent has given up */
    brood_value arguments = block->arguments, keywords = block->keywords;
    block->arguments = block->keywords = (brood_value){0};
    bri_block_clear(block); /* the context has its own copies */
    bri_outcome outcome;
    bri_call_run(function, arguments, keywords, &outcome);
    bool failed = outcome.failed;
    if (failed)
        send_failure(birth->stream, &outcome);
    bri_outcome_clear(&outcome);
    leave(birth, failed ? 1 : 0);
}

static _Noreturn void refuse(const bri_birth *birth)
{
    bri_bootstrap_send_refusal(birth->stream);
    leave(birth, 1);
}

/* What the payload tells, after the child is in the tree. */
static brood_status prepare(bri_start_block *block, brood_function *function)
{
    BROOD_TRY(bri_context_become(block));
    BROOD_TRY(change_directory(block->directory));
    if (block->pointer == NULL)
        return bri_function_resolve(&block->function, true, function);
    *function = block->pointer;
    return BROOD_OK;
}

void bri_bootstrap_forked(const bri_birth *birth, bri_start_block *block, bri_owner owner)
{
    brood_function function = NULL;
    brood_status status = brp_lifeline_hold(birth->lifeline);
    if (status == BROOD_OK)
        status = bri_arena_after_fork(owner);
    if (status == BROOD_OK) {
        bri_runtime_after_fork_child();
        status = prepare(block, &function);
    }
    if (status != BROOD_OK)
        refuse(birth);
    run(birth, block, function);
}

/* Takes the handle that the block names; none is fine. */
static brood_status take_handle(struct bri_transfer *transfer, int number, brp_handle *handle)
{
    *handle = BRP_NO_HANDLE;
    return number < 0 ? BROOD_OK : bri_transfer_take(transfer, number, handle);
}

static brood_status join_tree(const bri_birth *birth, const bri_start_tree *tree,
                              struct bri_transfer *transfer)
{
    brp_handle lifeline, section;
    BROOD_TRY(take_handle(transfer, tree->lifeline, &lifeline));
    BROOD_TRY(brp_lifeline_hold(lifeline));
    if (birth->forked) {
        BROOD_TRY(bri_arena_after_fork(tree->owner));
        bri_runtime_after_fork_child();
        return BROOD_OK;
    }
    BROOD_TRY(take_handle(transfer, tree->arena, &section));
    if (!brp_handle_is_set(section))
        return BROOD_OK;
    return bri_arena_promise(section, tree->reserved, tree->owner);
}

static brood_status read_block(const bri_birth *birth, const unsigned char *token,
                               struct bri_transfer *transfer, bri_start_block *block)
{
    bri_start_tree tree;
    bri_buffer payload = {0};
    /* A forked child looks at no clock: what it does not touch it need not copy. Its parent either
     * writes or ends it. */
    bri_deadline deadline =
        birth->forked ? BRI_NEVER : bri_deadline_after(brp_clock_now(), BLOCK_TIMEOUT_MS);
    brood_status status = bri_block_receive(birth->stream, token, deadline, &tree, &payload);
    if (status == BROOD_OK)
        status = join_tree(birth, &tree, transfer);
    if (status == BROOD_OK) {
        bri_the_runtime.initialised = true; /* proxies among the arguments connect */
        status = bri_block_read(&payload, transfer, block);
    }
    bri_buffer_fini(&payload);
    bri_transfer_close_rest(transfer);
    return status;
}

static bri_start_block this_block;

void bri_bootstrap_served(const bri_birth *birth, const unsigned char token[BRI_TOKEN_SIZE],
                          struct bri_transfer *transfer)
{
    brood_function function = NULL;
    brood_status status = read_block(birth, token, transfer, &this_block);
    if (status == BROOD_OK)
        status = prepare(&this_block, &function);
    if (status != BROOD_OK)
        refuse(birth);
    run(birth, &this_block, function);
}

/* ---- the marker ---- */

static brood_status fail_marker(void)
{
    return bri_fail(BROOD_EFORMAT,
                    "could not join the parent: the environment variable %s is "
                    "malformed or stale",
                    BRI_MARKER);
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static brood_status parse_token(const char *text, unsigned char token[BRI_TOKEN_SIZE])
{
    if (strlen(text) != 2 * BRI_TOKEN_SIZE)
        return fail_marker();
    for (int i = 0; i < BRI_TOKEN_SIZE; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return fail_marker();
        token[i] = (unsigned char)(high << 4 | low);
    }
    return BROOD_OK;
}

/* "3,4,5": the stream, then the handles of the block. Changes the text. */
static brood_status parse_handles(char *text, brp_handle *stream, struct bri_transfer *transfer)
{
    bool first = true;
    for (char *next = text; next != NULL; first = false) {
        char *item = next;
        brp_handle handle;
        next = strchr(item, ',');
        if (next != NULL)
            *next++ = '\0';
        if (transfer->n == BRI_TRANSFER_MAX || brp_handle_parse(item, &handle) != BROOD_OK)
            return fail_marker();
        if (first)
            *stream = handle;
        else
            transfer->handles[transfer->n++] = handle;
    }
    return BROOD_OK;
}

/* The text is ours; the handles are not, until the stream has shown the token: closing a handle
 * that some stranger's number names would be wrong. */
static brood_status parse_marker(char *text, brp_handle *stream, struct bri_transfer *transfer,
                                 unsigned char token[BRI_TOKEN_SIZE])
{
    char *end = strchr(text, ';');
    if (end == NULL)
        return fail_marker();
    *end = '\0';
    BROOD_TRY(parse_token(end + 1, token));
    return parse_handles(text, stream, transfer);
}

/* Returns only when this is no child of ours after all. */
static brood_status be_child(char *marker)
{
    static struct bri_transfer transfer = {.way = BRI_TRANSFER_START};
    bri_birth birth = {.stream = BRP_NO_HANDLE, .lifeline = BRP_NO_HANDLE};
    unsigned char token[BRI_TOKEN_SIZE];
    brood_function function = NULL;
    BROOD_TRY(parse_marker(marker, &birth.stream, &transfer, token));
    brp_signal_reset_child();
    brood_status status = read_block(&birth, token, &transfer, &this_block);
    if (status == BROOD_EAUTH)
        return status;
    if (status == BROOD_OK)
        status = prepare(&this_block, &function);
    if (status != BROOD_OK)
        refuse(&birth);
    run(&birth, &this_block, function);
}

/* ---- brood_init ---- */

static brood_status start_parts(void)
{
    BROOD_TRY(bri_children_start());
    BROOD_TRY(bri_function_register(BRI_FORKSERVER_FUNCTION, bri_forkserver_run));
    BROOD_TRY(bri_context_start());
    for (const bri_part *part = bri_parts; part->name != NULL; part++)
        BROOD_TRY(part->start());
    return BROOD_OK;
}

brood_status brood_init_with_exit(int *argc, char ***argv, int (*at_exit)(void (*)(void)))
{
    if (bri_the_runtime.initialised)
        return BROOD_OK;
    brp_guard_run();
    if (argc != NULL && argv != NULL && *argc > 0 && *argv != NULL)
        argv0 = (*argv)[0];
    BROOD_TRY(bri_runtime_start());
    BROOD_TRY(start_parts());
    BROOD_TRY(brp_at_exit(at_exit, bri_runtime_before_exit));
    char *marker = NULL;
    brood_status status = brp_marker_take(BRI_MARKER, &marker);
    if (status == BROOD_OK && marker != NULL)
        status = be_child(marker);
    else
        bri_the_runtime.initialised = status == BROOD_OK;
    bri_free(marker);
    return status;
}

/* Not the macro. */
brood_status(brood_init)(int *argc, char ***argv)
{
    return brood_init_with_exit(argc, argv, atexit);
}
