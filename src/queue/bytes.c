/* queue/bytes.c - bytes to and from a queue without pickling, and in place. */
#include <string.h>

#include "base/memory.h"
#include "queue/local.h"

enum { BATCH = 64 /* messages that are put or taken in one step */ };

/* ---- putting ---- */

brood_status brood_queue_put_bytes(brood_queue *queue, const void *data, size_t size,
                                   brood_ms timeout)
{
    BROOD_TRY(bri_queue_check(queue, "put into a queue"));
    bri_patience patience = {.timeout = timeout};
    return bri_queue_put_one(queue, BRI_MESSAGE_BYTES, data, size, &patience);
}

/* Puts the first of them: short ones together, a long one alone. */
static brood_status put_some(brood_queue *queue, const brood_span *spans, size_t n, size_t *n_put,
                             bri_patience *patience)
{
    bri_letter letters[BATCH];
    size_t k = 0;
    for (; k < n && k < BATCH && spans[k].size <= BRI_INLINE_MOST; k++)
        bri_letter_write(&letters[k], BRI_MESSAGE_BYTES, spans[k].data, spans[k].size);
    if (k != 0)
        return bri_queue_put_letters(queue, letters, k, n_put, patience);
    brood_status status =
        bri_queue_put_one(queue, BRI_MESSAGE_BYTES, spans->data, spans->size, patience);
    *n_put = status == BROOD_OK;
    return status;
}

brood_status brood_queue_put_bytes_many(brood_queue *queue, const brood_span *spans, size_t n,
                                        brood_ms timeout, size_t *n_put)
{
    bri_patience patience = {.timeout = timeout};
    size_t all = 0;
    brood_status status = bri_queue_check(queue, "put into a queue");
    while (all < n && status == BROOD_OK) {
        size_t k = 0;
        status = put_some(queue, spans + all, n - all, &k, &patience);
        all += k;
    }
    if (n_put != NULL)
        *n_put = all;
    return status;
}

brood_status brood_queue_reserve(brood_queue *queue, size_t size, void **data)
{
    uint64_t block;
    BROOD_TRY(bri_queue_check(queue, "reserve a message of a queue"));
    brood_status status = bri_parcel_reserve(&queue->view, size, &block);
    if (status != BROOD_OK)
        return bri_fail_within("could not reserve a message of a queue");
    *data = bri_parcel_data(queue->view.arena, block);
    return BROOD_OK;
}

static brood_status find_reserved(brood_queue *queue, const void *data, size_t size,
                                  uint64_t *block)
{
    uint64_t reserved;
    BROOD_TRY(bri_queue_check(queue, "commit a message to a queue"));
    *block = bri_parcel_reserved(&queue->view, data, &reserved);
    if (*block == 0)
        return bri_fail(BROOD_EINVALID, "could not commit a message to a queue: this process has "
                                        "not reserved it from that queue");
    if (size > reserved)
        return bri_fail(BROOD_EINVALID,
                        "could not commit a message to a queue: it has %zu bytes, %llu are "
                        "reserved",
                        size, (unsigned long long)reserved);
    return BROOD_OK;
}

brood_status brood_queue_commit(brood_queue *queue, void *data, size_t size, brood_ms timeout)
{
    bri_patience patience = {.timeout = timeout};
    bri_letter letter;
    uint64_t block;
    size_t n;
    BROOD_TRY(find_reserved(queue, data, size, &block));
    bri_letter_label(&letter, BRI_MESSAGE_BYTES, block, size);
    BROOD_TRY(bri_queue_put_letters(queue, &letter, 1, &n, &patience));
    bri_parcel_posted(&queue->view, block);
    return BROOD_OK;
}

/* ---- taking ---- */

/* Memory of about the right size is taken before the message is, so that it is not lost when there
 * is none: as the last message was, then as this one turns out to be. A message in a block of more
 * than `block_room` bytes, or of more than there is memory, is ETOOLONG first. */
static brood_status take_bytes(brood_queue *queue, void **memory, bri_message *message,
                               bool in_place, bri_patience *patience)
{
    size_t room = atomic_load_explicit(&queue->hint, memory_order_relaxed);
    for (;;) {
        void *moved = bri_realloc(*memory, room);
        if (moved == NULL)
            return BROOD_ENOMEM;
        *memory = moved;
        bri_wish wish = {.bytes = true,
                         .data = *memory,
                         .room = room,
                         .block_room = in_place ? UINT64_MAX : room};
        brood_status status = bri_queue_take_one(queue, &wish, message, patience);
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
    return bri_queue_describe(status, "get from");
}

/* The bytes of a message that came in a block. */
static void copy_parcel(brood_queue *queue, void *data, const bri_message *message)
{
    memcpy(data, bri_parcel_data(queue->view.arena, message->block), (size_t)message->size);
    bri_parcel_end(&queue->view, message->block);
}

static void remember_size(brood_queue *queue, uint64_t size)
{
    size_t hint = size < BRI_LEAST_HINT ? BRI_LEAST_HINT : (size_t)size;
    if (hint <= BRI_INLINE_MOST && hint != atomic_load_explicit(&queue->hint, memory_order_relaxed))
        atomic_store_explicit(&queue->hint, hint, memory_order_relaxed);
}

brood_status brood_queue_get_bytes(brood_queue *queue, void **data, size_t *size, brood_ms timeout)
{
    void *memory = NULL;
    bri_message message;
    bri_patience patience = {.timeout = timeout};
    BROOD_TRY(bri_queue_check(queue, "get from a queue"));
    brood_status status = take_bytes(queue, &memory, &message, false, &patience);
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
    BROOD_TRY(bri_queue_check(queue, "get from a queue"));
    bri_message message;
    bri_patience patience = {.timeout = timeout};
    bri_wish wish = {.bytes = true, .data = data, .room = room, .block_room = room};
    brood_status status = bri_queue_take_one(queue, &wish, &message, &patience);
    if (status == BROOD_OK || status == BROOD_ETOOLONG)
        *size = (size_t)message.size;
    if (status != BROOD_OK)
        return describe_take(status, &message, room);
    if (message.block != 0)
        copy_parcel(queue, data, &message);
    return BROOD_OK;
}

brood_status brood_queue_get_bytes_many(brood_queue *queue, void *data, size_t room, size_t *sizes,
                                        size_t most, size_t *n, brood_ms timeout)
{
    bri_message messages[BATCH];
    bri_patience patience = {.timeout = timeout};
    bri_wish wish = {.bytes = true, .data = data, .room = room, .is_packed = true};
    BROOD_TRY(bri_queue_check(queue, "get from a queue"));
    if (most == 0)
        return bri_fail(BROOD_EINVALID, "could not get from a queue: there is room for 0 messages");
    size_t got = 0;
    brood_status status =
        bri_ring_take(&queue->view, &wish, messages, most < BATCH ? most : BATCH, &got, &patience);
    if (status == BROOD_ETOOLONG)
        sizes[0] = (size_t)messages[0].size;
    if (status != BROOD_OK)
        return describe_take(status, messages, room);
    unsigned char *at = data;
    for (size_t i = 0; i < got; i++) {
        if (messages[i].block != 0)
            copy_parcel(queue, at, &messages[i]);
        sizes[i] = (size_t)messages[i].size;
        at += sizes[i];
    }
    *n = got;
    return BROOD_OK;
}

brood_status brood_queue_peek(brood_queue *queue, const void **data, size_t *size, brood_ms timeout)
{
    void *memory = NULL;
    bri_message message;
    bri_patience patience = {.timeout = timeout};
    BROOD_TRY(bri_queue_check(queue, "peek into a queue"));
    brood_status status = take_bytes(queue, &memory, &message, true, &patience);
    if (status != BROOD_OK || message.block != 0) {
        bri_free(memory);
        memory = NULL;
    }
    if (status != BROOD_OK)
        return describe_take(status, &message, 0);
    if (message.block == 0)
        remember_size(queue, message.size);
    *data = message.block == 0 ? memory : bri_parcel_data(queue->view.arena, message.block);
    *size = (size_t)message.size;
    return BROOD_OK;
}

static bool is_in_arena(const brood_queue *queue, const void *data)
{
    const bri_arena *arena = queue->view.arena;
    const unsigned char *at = data;
    return at >= arena->base && at < arena->base + arena->head->reserved;
}

void brood_queue_release(brood_queue *queue, const void *data)
{
    if (queue == NULL || queue->shared.body == NULL || data == NULL)
        return;
    uint64_t size;
    uint64_t block = bri_parcel_taken(&queue->view, data);
    if (block == 0)
        block = bri_parcel_reserved(&queue->view, data, &size);
    if (block != 0)
        bri_parcel_end(&queue->view, block);
    else if (!is_in_arena(queue, data))
        bri_free((void *)(uintptr_t)data);
}
