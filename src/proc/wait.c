/* proc/wait.c - waiting for any of many things: connections, processes, objects, handles. */
#include <brood/wait.h>

#include "base/memory.h"
#include "ipc/connection.h"
#include "ipc/watch.h"
#include "platform/clock.h"
#include "proc/process.h"

/* The items, sorted into what waits in the arena and what waits in the system. An item has one
 * place in either. */
typedef struct sorted {
    bri_watching all;
    size_t *object_of; /* by item: place among the objects, or SIZE_MAX */
    size_t *handle_of;
    bool *is_ready; /* by item: it was so at once */
    bool any;
} sorted;

static size_t count_names(const brood_wait_item *item)
{
    return (size_t)(item->connection != NULL) + (item->process != NULL) + (item->queue != NULL) +
           (item->event != NULL) + (item->socket != NULL) + (item->handle != NULL);
}

/* What one item waits for in the system; *is_ready when it need not. */
static brood_status watch_handle(const brood_wait_item *item, brp_watch *watch, bool *is_ready)
{
    if (item->connection != NULL)
        return bri_connection_watch(item->connection, watch, is_ready);
    if (item->process != NULL) {
        BROOD_TRY(bri_process_sentinel(item->process, watch));
        *is_ready = watch->ready;
        return BROOD_OK;
    }
    const intptr_t *number = item->socket != NULL ? item->socket : item->handle;
    if (*number == -1)
        return bri_fail(BROOD_EINVALID, "could not wait: -1 is no handle");
    watch->handle = (brp_handle){*number};
    watch->kind = item->socket != NULL ? BRP_WATCH_SOCKET : BRP_WATCH_EVENT;
    return BROOD_OK;
}

/* Queues and events are shared objects, whose local side begins with a bri_shared. */
static bri_shared *object_of(const brood_wait_item *item)
{
    return item->queue != NULL ? (bri_shared *)(void *)item->queue
                               : (bri_shared *)(void *)item->event;
}

static brood_status sort_item(sorted *to, const brood_wait_item *items, size_t i)
{
    const brood_wait_item *item = &items[i];
    bri_watching *all = &to->all;
    to->object_of[i] = to->handle_of[i] = SIZE_MAX;
    if (count_names(item) != 1)
        return bri_fail(BROOD_EINVALID, "could not wait: an item has to name one thing");
    bri_shared *object = object_of(item);
    if (object == NULL) {
        to->handle_of[i] = all->n_handles;
        return watch_handle(item, &all->handles[all->n_handles++], &to->is_ready[i]);
    }
    BROOD_TRY(bri_shared_check(object, "wait"));
    if (!bri_watch_can(object))
        return bri_fail(BROOD_EINVALID, "could not wait for a %s", object->class->type.name);
    to->object_of[i] = all->n_objects;
    all->objects[all->n_objects++] = object;
    return BROOD_OK;
}

static void free_sorted(sorted *items)
{
    bri_free(items->all.objects);
    bri_free(items->all.objects_ready);
    bri_free(items->all.handles);
    bri_free(items->object_of);
    bri_free(items->handle_of);
    bri_free(items->is_ready);
}

static brood_status sort_items(sorted *to, const brood_wait_item *items, size_t n)
{
    size_t room = n == 0 ? 1 : n;
    to->all.objects = bri_calloc(room, sizeof *to->all.objects);
    to->all.objects_ready = bri_calloc(room, sizeof *to->all.objects_ready);
    to->all.handles = bri_calloc(room, sizeof *to->all.handles);
    to->object_of = bri_calloc(room, sizeof *to->object_of);
    to->handle_of = bri_calloc(room, sizeof *to->handle_of);
    to->is_ready = bri_calloc(room, sizeof *to->is_ready);
    if (to->all.objects == NULL || to->all.objects_ready == NULL || to->all.handles == NULL ||
        to->object_of == NULL || to->handle_of == NULL || to->is_ready == NULL)
        return BROOD_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        BROOD_TRY(sort_item(to, items, i));
        to->any = to->any || to->is_ready[i];
    }
    return BROOD_OK;
}

static bool is_ready(const sorted *all, size_t i)
{
    if (all->object_of[i] != SIZE_MAX)
        return all->all.objects_ready[all->object_of[i]];
    return all->is_ready[i] || all->all.handles[all->handle_of[i]].ready;
}

static brood_status wait_for_sorted(const sorted *all, brood_ms timeout)
{
    /* With some ready the others are only looked at. */
    bri_deadline deadline = all->any      ? 0
                            : timeout < 0 ? BRI_NEVER
                                          : bri_deadline_after(brp_clock_now(), timeout);
    brood_status status = all->all.n_objects != 0
                              ? bri_watch_wait(&all->all, deadline)
                              : brp_wait_any(all->all.handles, all->all.n_handles, deadline, NULL);
    return all->any && status == BROOD_ETIMEDOUT ? BROOD_OK : status;
}

/* Waiting for a pipe of messages takes an empty one, on Windows. */
static void keep_empty_messages(const sorted *all, const brood_wait_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (all->handle_of != NULL && items[i].connection != NULL &&
            all->handle_of[i] != SIZE_MAX && all->all.handles[all->handle_of[i]].took_empty)
            bri_connection_put_empty(items[i].connection);
}

brood_status brood_wait(brood_wait_item *items, size_t n, brood_ms timeout)
{
    sorted all = {0};
    BROOD_TRY(bri_runtime_check("wait"));
    brood_status status = sort_items(&all, items, n);
    if (status == BROOD_OK)
        status = wait_for_sorted(&all, timeout);
    keep_empty_messages(&all, items, n);
    if (status == BROOD_OK || status == BROOD_ETIMEDOUT)
        for (size_t i = 0; i < n; i++)
            items[i].ready = is_ready(&all, i);
    free_sorted(&all);
    return status;
}
