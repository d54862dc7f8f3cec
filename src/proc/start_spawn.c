/* proc/start_spawn.c - the start method of every system: the executable anew. Python:
 * popen_spawn_posix.py, popen_spawn_win32.py. */
#include "proc/start.h"

#include "base/error.h"
#include "base/memory.h"
#include "platform/module.h"
#include "platform/spawn.h"
#include "proc/bootstrap.h"
#include "proc/context.h"

static bool is_supported(void)
{
    return true;
}

static void format_token(const unsigned char token[BRI_TOKEN_SIZE],
                         char text[2 * BRI_TOKEN_SIZE + 1])
{
    for (int i = 0; i < BRI_TOKEN_SIZE; i++) {
        text[2 * i] = "0123456789abcdef"[token[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[token[i] & 15];
    }
    text[2 * BRI_TOKEN_SIZE] = '\0';
}

/* The stream first, then the handles of the start block in their order. */
static brood_status spawn(bri_launch *launch, const char *executable,
                          const struct bri_transfer *transfer)
{
    brp_handle handles[1 + BRI_TRANSFER_MAX];
    char token[2 * BRI_TOKEN_SIZE + 1];
    const char *arguments[] = {executable == NULL ? bri_bootstrap_argv0() : executable, NULL};
    handles[0] = launch->stream;
    for (size_t i = 0; i < transfer->n; i++)
        handles[i + 1] = transfer->handles[i];
    format_token(launch->token, token);
    return brp_spawn(&launch->process->child, &(brp_spawn_options){
                                                  .path = executable,
                                                  .search_path = true,
                                                  .arguments = arguments,
                                                  .stdio[0].kind = BRP_STDIO_NULL,
                                                  .handles = handles,
                                                  .n_handles = 1 + transfer->n,
                                                  .marker = BRI_MARKER,
                                                  .marker_suffix = token,
                                              });
}

static brood_status launch_child(bri_launch *launch)
{
    struct bri_transfer transfer = {.way = BRI_TRANSFER_START};
    brood_process *process = launch->process;
    BROOD_TRY(bri_start_write_block(launch, true, &transfer));
    BROOD_TRY(spawn(launch, bri_context_get()->executable, &transfer));
    process->pid = process->child.pid;
    return brp_child_let_go(&process->child);
}

const bri_start_method bri_start_spawn = {.number = BROOD_START_SPAWN,
                                          .is_supported = is_supported,
                                          .launch = launch_child,
                                          .sentinel = bri_own_sentinel,
                                          .collect = bri_own_collect,
                                          .signal = bri_own_signal,
                                          .kill_tree = bri_own_kill_tree};
