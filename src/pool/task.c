/* pool/task.c - a task's arguments into its slot, its results out of it. */
#include <stdio.h>

#include "pool/pool.h"

/* The arguments into the slot, or a block, with a hold of each object that they name. */
static brood_status store_arguments(brood_pool *pool, uint32_t index, const bri_payload *frame,
                                    bool in_block)
{
    bri_task_slot *slot = bri_tasks_slot(pool->table, index);
    size_t size = bri_payload_size(frame);
    void *to = slot->bytes;
    brood_status status = BROOD_OK;
    if (frame->refers.length != 0)
        status = bri_payload_hold(frame, pool->arena, bri_tasks_holds(pool->table, index));
    if (status == BROOD_OK && (size > BRI_SLOT_INLINE || in_block)) {
        uint64_t block;
        status = bri_arena_alloc(pool->arena, size, &block);
        if (status == BROOD_OK) {
            atomic_store_explicit(&slot->arguments, block, memory_order_relaxed);
            to = bri_arena_at(pool->arena, block);
        }
    }
    if (status == BROOD_OK)
        bri_payload_copy(frame, to);
    else
        bri_shared_drop_holds(pool->arena, bri_tasks_holds(pool->table, index));
    return status;
}

brood_status bri_task_fill(brood_pool *pool, uint32_t index, bri_payload *frame,
                           const bri_task_shape *shape, size_t item, uint32_t n)
{
    bri_task_slot *slot = bri_tasks_slot(pool->table, index);
    size_t size = bri_payload_size(frame);
    BROOD_TRY(store_arguments(pool, index, frame, shape->in_block));
    slot->function = shape->function;
    slot->n = n;
    slot->size = size;
    slot->attempt = 1;
    slot->style = (uint8_t)shape->style;
    slot->level = shape->level;
    slot->soft_ms = shape->soft_ms;
    atomic_store_explicit(&slot->asked, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->started, shape->is_timed ? 0 : -1, memory_order_relaxed);
    bri_task *task = &pool->tasks[index];
    task->item = item;
    task->n_bytes = size;
    task->loan = frame->loan;
    frame->loan = 0;
    task->request->n_bytes += size;
    return BROOD_OK;
}

void bri_item_failed_here(const bri_sink *sink, size_t item, brood_status status)
{
    bri_outcome outcome = {0};
    bri_outcome_fail(&outcome, status);
    sink->failed(sink, item, BROOD_ETASK, &outcome, 0);
}

/* What ended a task together with its worker. */
static brood_status describe_loss(const bri_task *task, char *message, size_t room,
                                  const char **kind)
{
    char how[80];
    switch (task->fate) {
    case BRI_FATE_CANCELLED:
        *kind = "concurrent.futures._base.CancelledError";
        snprintf(message, room, "the worker %lld was killed because the task was cancelled",
                 (long long)task->worker);
        return BROOD_ECANCELLED;
    case BRI_FATE_DEADLINE:
        *kind = "TimeoutError";
        snprintf(message, room, "the worker %lld was killed at the task's hard deadline",
                 (long long)task->worker);
        return BROOD_ETASK;
    default:
        break;
    }
    if (task->exitcode < 0)
        snprintf(how, sizeof how, "was killed by signal %d", -task->exitcode);
    else
        snprintf(how, sizeof how, "exited with code %d", task->exitcode);
    *kind = "multiprocessing.context.ProcessError";
    if (task->deaths > 1)
        snprintf(message, room,
                 "the worker %lld %s while it ran the task, the %d%s that died with it%s",
                 (long long)task->worker, how, task->deaths,
                 task->deaths == 2   ? "nd"
                 : task->deaths == 3 ? "rd"
                                     : "th",
                 task->deaths >= BRI_QUARANTINE ? "; it is not tried again" : "");
    else
        snprintf(message, room, "the worker %lld %s while it ran the task", (long long)task->worker,
                 how);
    return BROOD_EWORKERDIED;
}

static void read_loss(const bri_task *task, uint32_t n, const bri_sink *sink)
{
    char message[240];
    const char *kind;
    brood_status status = describe_loss(task, message, sizeof message, &kind);
    for (uint32_t i = 0; i < n; i++) {
        bri_outcome outcome = {.failed = true, .pid = task->worker};
        outcome.error = brood_error_value(kind, message);
        sink->failed(sink, task->item + i, status, &outcome, task->exitcode);
    }
}

/* One result: a value or why there is none. `*is_read` becomes false when it cannot be decoded. */
static brood_status read_result(bri_payload_reader *reader, size_t item, const bri_sink *sink,
                                bool *is_read)
{
    bri_item entry;
    brood_value value;
    BROOD_TRY(bri_payload_next(reader, &entry));
    brood_status status = bri_payload_value(&entry, &value);
    if (status != BROOD_OK) {
        bri_fail_within("could not read the result of a task");
        bri_item_failed_here(sink, item, status);
        *is_read = false;
        return BROOD_OK;
    }
    if (entry.kind != BRI_ITEM_FAILURE) {
        sink->value(sink, item, value);
        return BROOD_OK;
    }
    bri_outcome outcome = {0};
    status = bri_outcome_rebuild(&value, &outcome);
    brood_value_clear(&value);
    if (status == BROOD_OK)
        sink->failed(sink, item, BROOD_ETASK, &outcome, 0);
    else
        bri_item_failed_here(sink, item, status);
    return BROOD_OK;
}

static bri_payload_reader reader_of(brood_pool *pool, const bri_task_slot *slot)
{
    uint64_t block = atomic_load_explicit(&slot->result, memory_order_relaxed);
    bri_payload_reader reader = {slot->bytes, (size_t)slot->size};
    if (block != 0)
        reader.data = bri_arena_at(pool->arena, block);
    return reader;
}

void bri_task_read(brood_pool *pool, uint32_t index, const bri_sink *sink)
{
    bri_task *task = &pool->tasks[index];
    bri_task_slot *slot = bri_tasks_slot(pool->table, index);
    if (task->lost) {
        read_loss(task, slot->n, sink);
        return;
    }
    bri_payload_reader reader = reader_of(pool, slot);
    brood_status status = BROOD_OK;
    if (slot->size == 0) /* not even a failure could be written */
        status = bri_fail(BROOD_ENOMEM, "could not send the result of a task: out of memory");
    bool is_read = true;
    for (uint32_t i = 0; i < slot->n; i++) {
        if (status == BROOD_OK)
            status = read_result(&reader, task->item + i, sink, &is_read);
        if (status != BROOD_OK)
            bri_item_failed_here(sink, task->item + i, status);
    }
    task->is_read = is_read && status == BROOD_OK;
}

bool bri_task_has_failed(brood_pool *pool, uint32_t index)
{
    const bri_task_slot *slot = bri_tasks_slot(pool->table, index);
    bri_payload_reader reader = reader_of(pool, slot);
    bri_item entry;
    return !pool->tasks[index].lost && bri_payload_next(&reader, &entry) == BROOD_OK &&
           entry.kind == BRI_ITEM_FAILURE;
}
