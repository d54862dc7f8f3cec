/* proc/context.c - see the header. */
#include "proc/context.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/log.h"
#include "core/runtime.h"
#include "platform/guard.h"
#include "platform/ident.h"
#include "proc/children.h"
#include "proc/start.h"

bri_context *bri_context_get(void)
{
    return bri_the_runtime.context;
}

brood_status bri_context_start(void)
{
    if (bri_the_runtime.context != NULL)
        return BROOD_OK;
    bri_context *context = bri_calloc(1, sizeof *context);
    if (context == NULL)
        return BROOD_ENOMEM;
    brood_status status = bri_process_make(&context->self, BRI_PROCESS_SELF, "MainProcess", "");
    if (status != BROOD_OK) {
        bri_free(context);
        return status;
    }
    context->self->pid = brp_pid();
    context->self->state = BRI_PROCESS_RUNNING;
    context->method = BROOD_START_SPAWN;
    context->start_timeout = BRI_DEFAULT_START_TIMEOUT;
    context->max_depth = BRI_DEFAULT_MAX_DEPTH;
    bri_the_runtime.context = context;
    return BROOD_OK;
}

static brood_status replace_text(char **text, const char *by)
{
    char *copy = bri_strdup(by);
    if (copy == NULL)
        return BROOD_ENOMEM;
    bri_free(*text);
    *text = copy;
    return BROOD_OK;
}

static brood_status become_self(bri_context *context, const bri_start_block *block)
{
    brood_process *self = context->self;
    BROOD_TRY(replace_text(&self->name, block->name));
    BROOD_TRY(replace_text(&self->identity, block->identity));
    if (block->authkey_size != 0)
        BROOD_TRY(bri_process_set_key(self, block->authkey, block->authkey_size));
    self->daemon = (block->flags & BRI_BLOCK_DAEMON) != 0;
    self->pid = self->owner = brp_pid();
    return BROOD_OK;
}

static brood_status become_child_of(bri_context *context, const bri_start_block *block)
{
    brood_process *parent;
    BROOD_TRY(
        bri_process_make(&parent, BRI_PROCESS_PARENT, block->parent_name, block->parent_identity));
    parent->pid = block->parent_pid;
    parent->state = BRI_PROCESS_RUNNING;
    /* After a fork the former parent's object may be in somebody's hands: it stays as it is. */
    parent->next = context->parent;
    context->parent = parent;
    return BROOD_OK;
}

brood_status bri_context_become(const bri_start_block *block)
{
    bri_context *context = bri_the_runtime.context;
    /* In this order: after a fork the parent's name in the block is that which self has until now.
     */
    BROOD_TRY(become_child_of(context, block));
    BROOD_TRY(become_self(context, block));
    if (block->executable[0] != '\0')
        BROOD_TRY(replace_text(&context->executable, block->executable));
    context->counter = 0;
    context->method = block->default_method;
    context->start_timeout = block->start_timeout;
    context->max_depth = block->max_depth;
    context->fork_with_threads = (block->flags & BRI_BLOCK_FORK_WITH_THREADS) != 0;
    bri_the_runtime.is_child = true;
    bri_the_runtime.depth = block->depth;
    bri_log_set_level(block->log_level);
    return BROOD_OK;
}

void bri_context_describe(const brood_process *process, bri_start_block *block)
{
    const bri_context *context = bri_the_runtime.context;
    block->name = process->name;
    block->identity = process->identity;
    block->flags = (process->daemon ? BRI_BLOCK_DAEMON : 0u) |
                   (context->fork_with_threads ? BRI_BLOCK_FORK_WITH_THREADS : 0u);
    block->authkey = process->authkey;
    block->authkey_size = process->authkey_size;
    block->log_level = bri_log_level();
    block->method = process->start_number;
    block->default_method = context->method;
    block->depth = bri_the_runtime.depth + 1;
    block->max_depth = context->max_depth;
    block->start_timeout = context->start_timeout;
    block->executable = context->executable == NULL ? "" : context->executable;
    block->parent_pid = context->self->pid;
    block->parent_name = context->self->name;
    block->parent_identity = context->self->identity;
    block->directory = "";
}

brood_status bri_context_key(void)
{
    brood_process *self = bri_the_runtime.context->self;
    unsigned char key[BRI_AUTHKEY_SIZE];
    if (self->authkey != NULL)
        return BROOD_OK;
    BROOD_TRY(brp_random(key, sizeof key));
    return bri_process_set_key(self, key, sizeof key);
}

/* ---- settings ---- */

static const struct {
    brood_start_method number;
    const char *name;
} methods[] = {{BROOD_START_SPAWN, "spawn"},
               {BROOD_START_FORK, "fork"},
               {BROOD_START_FORKSERVER, "forkserver"}};

const char *brood_start_method_name(brood_start_method method)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (methods[i].number == method)
            return methods[i].name;
    return method == BROOD_START_DEFAULT ? "default" : "?";
}

brood_status brood_start_method_parse(const char *name, brood_start_method *method)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].name, name) == 0) {
            *method = methods[i].number;
            return BROOD_OK;
        }
    return bri_fail(BROOD_EINVALID,
                    "could not find the start method \"%s\": there are spawn, fork and forkserver",
                    name);
}

brood_status brood_set_start_method(brood_start_method method)
{
    const struct bri_start_method *found;
    BROOD_TRY(bri_runtime_check("set the start method"));
    if (method == BROOD_START_DEFAULT)
        method = BROOD_START_SPAWN;
    BROOD_TRY(bri_start_find(method, &found));
    bri_children_lock();
    bri_the_runtime.context->method = method;
    bri_children_unlock();
    return BROOD_OK;
}

brood_start_method brood_get_start_method(void)
{
    return bri_the_runtime.context == NULL ? BROOD_START_SPAWN : bri_the_runtime.context->method;
}

void brood_allow_fork_with_threads(bool allow)
{
    if (bri_the_runtime.context != NULL)
        bri_the_runtime.context->fork_with_threads = allow;
}

brood_status brood_set_executable(const char *path)
{
    BROOD_TRY(bri_runtime_check("set the executable"));
    char *copy = NULL;
    if (path != NULL && path[0] == '\0')
        return bri_fail(BROOD_EINVALID, "could not set the executable: the path is empty");
    if (path != NULL && (copy = bri_strdup(path)) == NULL)
        return BROOD_ENOMEM;
    bri_children_lock();
    char *former = bri_the_runtime.context->executable;
    bri_the_runtime.context->executable = copy;
    bri_children_unlock();
    bri_free(former);
    brp_guard_set_executable(path);
    return BROOD_OK;
}

brood_status brood_set_max_depth(int depth)
{
    BROOD_TRY(bri_runtime_check("set the greatest depth"));
    if (depth < 0)
        return bri_fail(BROOD_EINVALID, "could not set the greatest depth: %d is negative", depth);
    bri_children_lock();
    bri_the_runtime.context->max_depth = depth;
    bri_children_unlock();
    return BROOD_OK;
}

void brood_set_start_timeout(brood_ms timeout)
{
    if (bri_the_runtime.context == NULL)
        return;
    bri_children_lock();
    bri_the_runtime.context->start_timeout = timeout == 0 ? BRI_DEFAULT_START_TIMEOUT : timeout;
    bri_children_unlock();
}

int brood_cpu_count(void)
{
    return brp_usable_cpus();
}
