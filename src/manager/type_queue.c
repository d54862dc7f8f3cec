/*
 * manager/type_queue.c - Queue and JoinableQueue.
 *
 * A getter that waits gets the item straight from the putter, and a putter that waits leaves its
 * item in its waiter until there is room. So an item is either in the queue, or in one waiter, or
 * in the one reply that takes it away: who dies while he waits has taken nothing. Items count as
 * the queue's contents in the first two places.
 */
#include "base/error.h"
#include "base/memory.h"
#include "manager/session.h"
#include "manager/types_sync.h"

typedef struct queue {
    brood_value *items; /* a ring */
    size_t first, count, capacity;
    int64_t most; /* <= 0: no bound */
    int64_t unfinished;
    bri_line getters, putters, joiners;
} queue;

/* ---- the ring ---- */

enum { SLACK = 64 /* room for so many items is never given back */ };

static brood_status resize(queue *q, size_t capacity)
{
    brood_value *items = bri_alloc(capacity * sizeof *items);
    if (items == NULL)
        return BROOD_ENOMEM;
    for (size_t i = 0; i < q->count; i++)
        items[i] = q->items[(q->first + i) % q->capacity];
    bri_free(q->items);
    q->items = items;
    q->first = 0;
    q->capacity = capacity;
    return BROOD_OK;
}

static brood_status push(queue *q, brood_value item)
{
    if (q->count == q->capacity && resize(q, q->capacity == 0 ? 16 : q->capacity * 2) != BROOD_OK) {
        brood_value_clear(&item);
        return BROOD_ENOMEM;
    }
    q->items[(q->first + q->count++) % q->capacity] = item;
    return BROOD_OK;
}

static brood_value shift(queue *q)
{
    brood_value item = q->items[q->first];
    q->first = (q->first + 1) % q->capacity;
    q->count--;
    if (q->capacity > SLACK && q->count < q->capacity / 4)
        resize(q, q->capacity / 2); /* without memory it stays as it is */
    return item;
}

static bool is_full(const queue *q)
{
    return q->most > 0 && q->count >= (uint64_t)q->most;
}

/* ---- making ---- */

static brood_status create_queue(bri_invocation *call, void **state)
{
    static const char *const names[] = {"maxsize"};
    const brood_value *out[1];
    int64_t most = 0;
    BROOD_TRY(bri_take_arguments(call, names, 1, 0, out));
    if (out[0] != NULL)
        BROOD_TRY(bri_integer_argument(call, out[0], &most));
    queue *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->most = most;
    *state = made;
    return BROOD_OK;
}

static void destroy_queue(void *state)
{
    queue *q = state;
    while (q->count != 0) {
        brood_value item = shift(q);
        brood_value_clear(&item);
    }
    bri_free(q->items);
    bri_free(q);
}

/* It is new, and empty. */
static uint64_t weigh_queue(const void *state)
{
    (void)state;
    return sizeof(queue);
}

/* ---- block and timeout ---- */

static brood_status block_arguments(bri_invocation *call, const brood_value *block,
                                    const brood_value *timeout, bri_deadline *deadline, bool *wait)
{
    int64_t flag = 1;
    double seconds;
    if (block != NULL && brood_value_kind(block) == BROOD_NONE)
        flag = 0;
    else if (block != NULL)
        BROOD_TRY(bri_integer_argument(call, block, &flag));
    *wait = flag != 0;
    BROOD_TRY(bri_timeout_argument(call, timeout, deadline));
    if (*wait && *deadline != BRI_NEVER && brood_get_float(timeout, &seconds) == BROOD_OK &&
        seconds < 0)
        return bri_raise(call, "ValueError", "'timeout' must be a non-negative number");
    return BROOD_OK;
}

/* ---- putting ---- */

/* An item into the queue, or straight to who waits for one. The item is moved in. */
static brood_status deliver(queue *q, brood_value item)
{
    if (q->getters.first == NULL)
        BROOD_TRY(push(q, item));
    else
        bri_settle(q->getters.first, item);
    q->unfinished++;
    return BROOD_OK;
}

/* An item has left the queue, or never came in. */
static void forget(bri_managed *object, const brood_value *item)
{
    bri_account(object, 0, bri_weight_of(object->server, item));
}

static void abandon_put(bri_waiter *waiter)
{
    forget(waiter->object, &waiter->item);
}

static void expire_put(bri_waiter *waiter)
{
    abandon_put(waiter);
    bri_settle_error(waiter, "queue.Full", NULL);
}

/* Leaves the item with the waiter until there is room. */
static brood_status park_put(bri_invocation *call, queue *q, const brood_value *item,
                             bri_deadline deadline)
{
    BROOD_TRY(bri_park_call(call, &q->putters, deadline, expire_put));
    call->session->waiter.item = bri_move_argument(item);
    call->session->waiter.abandon = abandon_put;
    return BROOD_OK;
}

static brood_status put(bri_invocation *call, const brood_value *item, const brood_value *block,
                        const brood_value *timeout)
{
    queue *q = call->state;
    bri_deadline deadline;
    bool wait = false;
    BROOD_TRY(block_arguments(call, block, timeout, &deadline, &wait));
    if (q->getters.first != NULL)
        return deliver(q, bri_move_argument(item));
    if (is_full(q) && !wait)
        return bri_raise(call, "queue.Full", "%s", "");
    uint64_t added = bri_weight_of(call->server, item);
    BROOD_TRY(bri_check_room(call, added, 0));
    brood_status status =
        is_full(q) ? park_put(call, q, item, deadline) : deliver(q, bri_move_argument(item));
    if (status == BROOD_OK)
        bri_account(call->object, added, 0);
    return status;
}

static brood_status queue_put(bri_invocation *call)
{
    static const char *const names[] = {"item", "block", "timeout"};
    const brood_value *out[3];
    BROOD_TRY(bri_take_arguments(call, names, 3, 1, out));
    return put(call, out[0], out[1], out[2]);
}

static brood_status queue_put_nowait(bri_invocation *call)
{
    static const char *const names[] = {"item"};
    static const brood_value no = {.kind = BROOD_BOOL};
    const brood_value *out[1];
    BROOD_TRY(bri_take_arguments(call, names, 1, 1, out));
    return put(call, out[0], &no, NULL);
}

/* ---- getting ---- */

/* There is room: the first putter's item comes in. */
static void admit_putters(queue *q)
{
    while (q->putters.first != NULL && !is_full(q)) {
        bri_waiter *waiter = q->putters.first;
        if (q->count < q->capacity || resize(q, q->capacity * 2) == BROOD_OK) {
            deliver(q, brood_value_take(&waiter->item));
            bri_settle(waiter, brood_none());
        } else {
            abandon_put(waiter);
            bri_settle_error(waiter, "MemoryError", "the server is out of memory");
        }
    }
}

static void expire_get(bri_waiter *waiter)
{
    bri_settle_error(waiter, "_queue.Empty", NULL);
}

static brood_status get(bri_invocation *call, const brood_value *block, const brood_value *timeout)
{
    queue *q = call->state;
    bri_deadline deadline;
    bool wait = false;
    BROOD_TRY(block_arguments(call, block, timeout, &deadline, &wait));
    if (q->count != 0) {
        BROOD_TRY(bri_return(call, shift(q)));
        forget(call->object, &call->result);
        admit_putters(q);
        return BROOD_OK;
    }
    if (!wait)
        return bri_raise(call, "_queue.Empty", "%s", "");
    return bri_park_call(call, &q->getters, deadline, expire_get);
}

static brood_status queue_get(bri_invocation *call)
{
    static const char *const names[] = {"block", "timeout"};
    const brood_value *out[2];
    BROOD_TRY(bri_take_arguments(call, names, 2, 0, out));
    return get(call, out[0], out[1]);
}

static brood_status queue_get_nowait(bri_invocation *call)
{
    static const brood_value no = {.kind = BROOD_BOOL};
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    return get(call, &no, NULL);
}

/* ---- asking ---- */

static brood_status queue_qsize(bri_invocation *call)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    return bri_return(call, brood_int((int64_t)((queue *)call->state)->count));
}

static brood_status queue_empty(bri_invocation *call)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    return bri_return(call, brood_bool(((queue *)call->state)->count == 0));
}

static brood_status queue_full(bri_invocation *call)
{
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    return bri_return(call, brood_bool(is_full(call->state)));
}

/* ---- joining ---- */

static brood_status queue_task_done(bri_invocation *call)
{
    queue *q = call->state;
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    if (q->unfinished <= 0)
        return bri_raise(call, "ValueError", "task_done() called too many times");
    if (--q->unfinished == 0)
        while (q->joiners.first != NULL)
            bri_settle(q->joiners.first, brood_none());
    return BROOD_OK;
}

static brood_status queue_join(bri_invocation *call)
{
    queue *q = call->state;
    BROOD_TRY(bri_take_arguments(call, NULL, 0, 0, NULL));
    return q->unfinished == 0 ? BROOD_OK : bri_park_call(call, &q->joiners, BRI_NEVER, expire_put);
}

static const bri_method methods[] = {
    {.name = "empty", .run = queue_empty},
    {.name = "full", .run = queue_full},
    {.name = "get", .run = queue_get},
    {.name = "get_nowait", .run = queue_get_nowait},
    {.name = "join", .run = queue_join},
    {.name = "put", .run = queue_put},
    {.name = "put_nowait", .run = queue_put_nowait},
    {.name = "qsize", .run = queue_qsize},
    {.name = "task_done", .run = queue_task_done},
};

const bri_managed_type bri_queue_type = {
    .typeid = "Queue",
    .methods = methods,
    .n_methods = sizeof methods / sizeof *methods,
    .create = create_queue,
    .destroy = destroy_queue,
    .weigh = weigh_queue,
};

const bri_managed_type bri_joinable_type = {
    .typeid = "JoinableQueue",
    .methods = methods,
    .n_methods = sizeof methods / sizeof *methods,
    .create = create_queue,
    .destroy = destroy_queue,
    .weigh = weigh_queue,
};
