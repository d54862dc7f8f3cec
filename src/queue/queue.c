/*
 * queue/queue.c - the public queue: values and bytes to and from a ring of the arena.
 *
 * Values are pickled before the ring's latch is taken, and read after it was given back, so that
 * nobody waits for another's pickling.
 */
#include "queue/queue.h"

#include <brood/queue.h>

#include <string.h>

#include "base/memory.h"
#include "core/transfer.h"
#include "data/heap.h"
#include "data/pickle.h"
#include "queue/parcel.h"

enum {
    QUEUE_KIND = 8,
    LEAST_HINT = 64,
    KEPT_SCRATCH = 64 << 10 /* bytes that a handle keeps for its next pickle */
};

#define DEFAULT_LIMIT (UINT64_C(64) << 20)

struct brood_queue {
    bri_shared shared;
    bri_ring_view view;
    _Atomic size_t hint;         /* bytes of the last message taken */
    atomic_flag is_scratch_used; /* by a thread */
    bri_buffer scratch;
};

/* ---- the object ---- */

static brood_status rebuild_queue(const brood_value *arguments, bri_transfer *transfer,
                                  void **object);

static brood_status open_queue(bri_shared *object)
{
    brood_queue *queue = (brood_queue *)object;
    queue->view = (bri_ring_view){
        .arena = bri_the_runtime.arena, .ring = object->body, .holder = object->holder};
    atomic_store(&queue->hint, LEAST_HINT);
    atomic_flag_clear(&queue->is_scratch_used);
    return BROOD_OK;
}

static void close_queue(bri_shared *object)
{
    bri_buffer_fini(&((brood_queue *)object)->scratch);
}

static void destroy_body(bri_arena *arena, void *body)
{
    bri_ring_destroy(arena, body);
}

static void sweep_holder(bri_arena *arena, void *body, bri_owner dead, bri_holder *holder)
{
    bri_parcels_sweep(arena, body, dead, holder);
}

static const bri_shared_class queue_class = {
    .type = {.name = "Queue",
             .retain = bri_shared_retain,
             .release = bri_shared_release,
             .reduce = bri_shared_reduce,
             .rebuild = rebuild_queue},
    .kind = QUEUE_KIND,
    .local_size = sizeof(brood_queue),
    .open = open_queue,
    .close = close_queue,
    .destroy = destroy_body,
    .holder_died = sweep_holder,
};

brood_status bri_queue_start(void)
{
    return bri_shared_class_add(&queue_class);
}

static brood_status rebuild_queue(const brood_value *arguments, bri_transfer *transfer,
                                  void **object)
{
    return bri_shared_rebuild(&queue_class, arguments, transfer, object);
}

static brood_status fill_body(bri_arena *arena, void *body, const void *context)
{
    const brood_queue_options *options = context;
    uint64_t maxsize = options->maxsize == 0 ? UINT64_MAX : options->maxsize;
    uint64_t limit = options->memory_limit == 0 ? DEFAULT_LIMIT : options->memory_limit;
    return bri_ring_fill(arena, body, maxsize, limit);
}

brood_status brood_queue_create(brood_queue **queue, const brood_queue_options *options)
{
    static const brood_queue_options defaults;
    bri_shared *made;
    BROOD_TRY(bri_shared_create(&queue_class, sizeof(bri_ring), "create a queue", fill_body,
                                options == NULL ? &defaults : options, &made));
    *queue = (brood_queue *)made;
    return BROOD_OK;
}

void brood_queue_destroy(brood_queue *queue)
{
    bri_shared_release(queue);
}

brood_value brood_queue_value(brood_queue *queue)
{
    return bri_shared_value(queue);
}

brood_status brood_get_queue(const brood_value *value, brood_queue **queue)
{
    bri_shared *object;
    BROOD_TRY(bri_shared_get(&queue_class, value, &object));
    *queue = (brood_queue *)object;
    return BROOD_OK;
}

/* The outcomes that are no failures have no message; the others get theirs here. */
static brood_status describe(brood_status status, const char *what)
{
    if (status == BROOD_ECLOSED)
        return bri_fail(status, "could not %s a queue: it is closed", what);
    if (status == BROOD_ENOMEM)
        return bri_fail_within("could not %s a queue", what);
    return status;
}

/* ---- putting ---- */

brood_status brood_queue_put_bytes(brood_queue *queue, const void *data, size_t size,
                                   brood_ms timeout)
{
    if (queue == NULL || queue->shared.body == NULL)
        return bri_shared_check(queue, "put into a queue");
    bri_patience patience = {.timeout = timeout};
    return describe(bri_ring_put(&queue->view, BRI_MESSAGE_BYTES, data, size, &patience),
                    "put into");
}

static brood_status put_pickle(brood_queue *queue, const brood_value *value, bri_buffer *buffer,
                               bri_patience *patience)
{
    struct bri_transfer transfer = {.way = BRI_TRANSFER_TREE};
    bri_pickle_options options = {.transfer = &transfer, .find_class = bri_class_find};
    buffer->length = 0;
    BROOD_TRY(bri_pickle_write(value, &options, buffer));
    return describe(
        bri_ring_put(&queue->view, BRI_MESSAGE_VALUE, buffer->data, buffer->length, patience),
        "put into");
}

/* Into the handle's own memory, unless another thread uses it. */
static brood_status put_value(brood_queue *queue, const brood_value *value, bri_patience *patience)
{
    bri_buffer own = {0};
    bool is_free = !atomic_flag_test_and_set(&queue->is_scratch_used);
    bri_buffer *buffer = is_free ? &queue->scratch : &own;
    brood_status status = put_pickle(queue, value, buffer, patience);
    if (buffer->capacity > KEPT_SCRATCH || !is_free)
        bri_buffer_fini(buffer);
    if (is_free)
        atomic_flag_clear(&queue->is_scratch_used);
    return status;
}

brood_status brood_queue_put(brood_queue *queue, brood_value value, brood_ms timeout)
{
    bri_patience patience = {.timeout = timeout};
    brood_status status = bri_shared_check(queue, "put into a queue");
    if (status == BROOD_OK)
        status = put_value(queue, &value, &patience);
    brood_value_clear(&value);
    return status;
}

/* ---- taking ---- */

static brood_status read_value(const void *data, uint64_t size, brood_value *value)
{
    struct bri_transfer transfer = {.way = BRI_TRANSFER_TREE};
    bri_pickle_options options = {.transfer = &transfer, .find_class = bri_class_find};
    return bri_pickle_read(data, (size_t)size, &options, value, NULL);
}

static brood_status decode(const void *data, const bri_message *message, brood_value *value)
{
    if ((message->kind & BRI_MESSAGE_VALUE) != 0)
        return read_value(data, message->size, value);
    brood_value bytes = brood_bytes(data, (size_t)message->size);
    if (bytes.kind == BROOD_INVALID)
        return bri_fail_invalid(&bytes);
    *value = bytes;
    return BROOD_OK;
}

brood_status brood_queue_get(brood_queue *queue, brood_value *value, brood_ms timeout)
{
    unsigned char data[BRI_INLINE_MOST];
    bri_message message;
    bri_patience patience = {.timeout = timeout};
    bri_wish wish = {true, true, data, sizeof data, SIZE_MAX};
    BROOD_TRY(bri_shared_check(queue, "get from a queue"));
    BROOD_TRY(describe(bri_ring_take(&queue->view, &wish, &message, &patience), "get from"));
    if (message.block == 0)
        return decode(data, &message, value);
    const void *there = bri_parcel_data(queue->view.arena, message.block);
    brood_status status = decode(there, &message, value);
    bri_parcel_end(&queue->view, message.block);
    return status;
}

/* Memory of about the right size is taken before the message is, so that it is not lost when there
 * is none: as the last message was, then as this one turns out to be. */
static brood_status take_bytes(brood_queue *queue, void **memory, bri_message *message,
                               bri_patience *patience)
{
    bri_ring_view *view = &queue->view;
    size_t room = atomic_load_explicit(&queue->hint, memory_order_relaxed);
    for (;;) {
        void *moved = bri_realloc(*memory, room);
        if (moved == NULL)
            return BROOD_ENOMEM;
        *memory = moved;
        bri_wish wish = {true, false, *memory, room, room};
        brood_status status = bri_ring_take(view, &wish, message, patience);
        if (status != BROOD_ETOOLONG)
            return status;
        if (message->size > SIZE_MAX)
            return bri_fail(BROOD_ENOMEM, "could not allocate %llu bytes",
                            (unsigned long long)message->size);
        room = (size_t)message->size;
    }
}

static brood_status describe_take(brood_status status, const bri_message *message, size_t room)
{
    if (status == BROOD_ETYPE)
        return bri_fail(status, "could not get bytes from a queue: the first message is a value");
    if (status == BROOD_ETOOLONG)
        return bri_fail(status,
                        "could not get bytes from a queue: the first message has %llu, there is "
                        "room for %zu",
                        (unsigned long long)message->size, room);
    return describe(status, "get from");
}

/* The bytes of a message that came in a block. */
static void copy_parcel(brood_queue *queue, void *data, const bri_message *message)
{
    memcpy(data, bri_parcel_data(queue->view.arena, message->block), (size_t)message->size);
    bri_parcel_end(&queue->view, message->block);
}

static void remember_size(brood_queue *queue, uint64_t size)
{
    size_t hint = size < LEAST_HINT ? LEAST_HINT : (size_t)size;
    if (hint <= BRI_INLINE_MOST && hint != atomic_load_explicit(&queue->hint, memory_order_relaxed))
        atomic_store_explicit(&queue->hint, hint, memory_order_relaxed);
}

brood_status brood_queue_get_bytes(brood_queue *queue, void **data, size_t *size, brood_ms timeout)
{
    if (queue == NULL || queue->shared.body == NULL)
        return bri_shared_check(queue, "get from a queue");
    void *memory = NULL;
    bri_message message;
    bri_patience patience = {.timeout = timeout};
    brood_status status = take_bytes(queue, &memory, &message, &patience);
    if (status != BROOD_OK) {
        bri_free(memory);
        return describe_take(status, &message, 0);
    }
    if (message.block != 0)
        copy_parcel(queue, memory, &message);
    remember_size(queue, message.size);
    *data = memory;
    *size = (size_t)message.size;
    return BROOD_OK;
}

brood_status brood_queue_get_bytes_into(brood_queue *queue, void *data, size_t room, size_t *size,
                                        brood_ms timeout)
{
    if (queue == NULL || queue->shared.body == NULL)
        return bri_shared_check(queue, "get from a queue");
    bri_message message;
    bri_patience patience = {.timeout = timeout};
    bri_wish wish = {true, false, data, room, room};
    brood_status status = bri_ring_take(&queue->view, &wish, &message, &patience);
    if (status == BROOD_OK || status == BROOD_ETOOLONG)
        *size = (size_t)message.size;
    if (status != BROOD_OK)
        return describe_take(status, &message, room);
    if (message.block != 0)
        copy_parcel(queue, data, &message);
    return BROOD_OK;
}

/* ---- asking and closing ---- */

size_t brood_queue_size(brood_queue *queue)
{
    return queue == NULL || queue->shared.body == NULL ? 0
                                                       : (size_t)bri_ring_size(queue->view.ring);
}

bool brood_queue_is_empty(brood_queue *queue)
{
    return brood_queue_size(queue) == 0;
}

bool brood_queue_is_full(brood_queue *queue)
{
    return queue != NULL && queue->shared.body != NULL && bri_ring_is_full(queue->view.ring);
}

void brood_queue_close(brood_queue *queue)
{
    if (queue != NULL && queue->shared.body != NULL)
        bri_ring_close(&queue->view);
}
