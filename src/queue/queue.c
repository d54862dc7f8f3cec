/*
 * queue/queue.c - the public queue: the object, values to and from a ring of the arena, closing.
 *
 * Values are pickled before the ring's latch is taken, and read after it was given back, so that
 * nobody waits for another's pickling.
 */
#include "queue/queue.h"

#include <string.h>

#include "base/memory.h"
#include "core/transfer.h"
#include "data/heap.h"
#include "data/pickle.h"
#include "ipc/lend.h"
#include "queue/account.h"
#include "queue/local.h"

enum {
    QUEUE_KIND = 8,
    KEPT_SCRATCH = 64 << 10, /* bytes that a handle keeps for its next pickle */
    BATCH = 64,              /* messages that are put or taken in one step, and their bytes */
    BATCH_ROOM = 64 << 10
};

#define DEFAULT_LIMIT (UINT64_C(64) << 20)

/* ---- the object ---- */

static brood_status rebuild_queue(const brood_value *arguments, bri_transfer *transfer,
                                  void **object);

static brood_status open_queue(bri_shared *object)
{
    brood_queue *queue = (brood_queue *)object;
    queue->view = (bri_ring_view){
        .arena = bri_the_runtime.arena, .ring = object->body, .holder = object->holder};
    atomic_store(&queue->hint, BRI_LEAST_HINT);
    atomic_flag_clear(&queue->is_scratch_used);
    bri_account_enter(&queue->view);
    return BROOD_OK;
}

static void close_queue(bri_shared *object)
{
    brood_queue *queue = (brood_queue *)object;
    bri_account_leave(&queue->view);
    bri_parcels_leave(&queue->view);
    bri_buffer_fini(&queue->scratch);
}

static void destroy_body(bri_arena *arena, void *body)
{
    bri_ring_destroy(arena, body);
}

static brood_status sweep_holder(bri_arena *arena, void *body, bri_owner dead, bri_holder *holder,
                                 bri_deadline deadline)
{
    BROOD_TRY(bri_account_sweep(arena, body, holder, deadline));
    return bri_parcels_sweep(arena, body, dead, holder, deadline);
}

static _Atomic uint32_t *watched_word(bri_shared *object)
{
    return &((brood_queue *)object)->view.ring->not_empty;
}

static bool is_ready(bri_shared *object)
{
    return bri_ring_listen(&((brood_queue *)object)->view);
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
    .watched_word = watched_word,
    .is_ready = is_ready,
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
    bri_ring *ring = body;
    ring->maxsize = options->maxsize == 0 ? UINT64_MAX : options->maxsize;
    ring->memory_limit = options->memory_limit == 0 ? DEFAULT_LIMIT : options->memory_limit;
    ring->is_joinable = options->joinable;
    ring->ends = options->ends_with_producers;
    return bri_ring_fill(arena, ring);
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

brood_status brood_joinable_queue_create(brood_queue **queue, size_t maxsize)
{
    return brood_queue_create(queue, &(brood_queue_options){.maxsize = maxsize, .joinable = true});
}

brood_status brood_simple_queue_create(brood_queue **queue)
{
    return brood_queue_create(queue, NULL);
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

brood_status bri_queue_describe(brood_status status, const char *what)
{
    if (status == BROOD_ECLOSED)
        return bri_fail(status, "could not %s a queue: it is closed", what);
    if (status == BROOD_ENOMEM)
        return bri_fail_within("could not %s a queue", what);
    return status;
}

/* ---- putting ---- */

brood_status bri_queue_put_letters(brood_queue *queue, const bri_letter *letters, size_t n,
                                   size_t *n_put, bri_patience *patience)
{
    return bri_queue_describe(bri_ring_put(&queue->view, letters, n, n_put, patience), "put into");
}

brood_status bri_queue_put_one(brood_queue *queue, uint32_t kind, const void *data, size_t size,
                               bri_patience *patience)
{
    bri_letter letter;
    size_t n;
    if (size <= BRI_INLINE_MOST) {
        bri_letter_write(&letter, kind, data, size);
        return bri_queue_put_letters(queue, &letter, 1, &n, patience);
    }
    uint64_t block;
    BROOD_TRY(bri_queue_describe(bri_parcel_make(&queue->view, data, size, &block), "put into"));
    bri_letter_label(&letter, kind, block, size);
    brood_status status = bri_queue_put_letters(queue, &letter, 1, &n, patience);
    if (status == BROOD_OK)
        bri_parcel_posted(&queue->view, block);
    else
        bri_parcel_end(&queue->view, block);
    return status;
}

/* Appends a pickle to the buffer; on failure it is as before. The loan of handles in it is to be
 * ended if it is not put. */
static brood_status write_value(const brood_value *value, bri_buffer *buffer, uint64_t *loan)
{
    struct bri_transfer transfer = {.way = BRI_TRANSFER_TREE};
    bri_pickle_options options = {.transfer = &transfer, .find_class = bri_class_find};
    size_t before = buffer->length;
    brood_status status = bri_pickle_write(value, &options, buffer);
    *loan = transfer.loan;
    if (status == BROOD_OK)
        return status;
    buffer->length = before;
    bri_loan_end(transfer.loan);
    return status;
}

/* The handle's own memory, unless another thread uses it. */
static bri_buffer *borrow_scratch(brood_queue *queue, bri_buffer *own)
{
    bri_buffer *buffer = atomic_flag_test_and_set(&queue->is_scratch_used) ? own : &queue->scratch;
    buffer->length = 0;
    return buffer;
}

static void return_scratch(brood_queue *queue, bri_buffer *buffer)
{
    bool is_own = buffer != &queue->scratch;
    if (is_own || buffer->capacity > KEPT_SCRATCH)
        bri_buffer_fini(buffer);
    if (!is_own)
        atomic_flag_clear(&queue->is_scratch_used);
}

brood_status brood_queue_put(brood_queue *queue, brood_value value, brood_ms timeout)
{
    bri_patience patience = {.timeout = timeout};
    brood_status status = bri_queue_check(queue, "put into a queue");
    if (status == BROOD_OK) {
        bri_buffer own = {0}, *buffer = borrow_scratch(queue, &own);
        uint64_t loan;
        status = write_value(&value, buffer, &loan);
        if (status == BROOD_OK) {
            status = bri_queue_put_one(queue, BRI_MESSAGE_VALUE, buffer->data, buffer->length,
                                       &patience);
            if (status != BROOD_OK)
                bri_loan_end(loan);
        }
        return_scratch(queue, buffer);
    }
    brood_value_clear(&value);
    return status;
}

/* Pickles of some values, up to BATCH and about BATCH_ROOM: where each ends in the buffer. */
typedef struct batch {
    bri_buffer *buffer;
    size_t ends[BATCH];
    uint64_t loans[BATCH];
    size_t n;
} batch;

/* Long ones stay alone. */
static brood_status fill_batch(batch *all, const brood_value *values, size_t n)
{
    all->n = 0;
    all->buffer->length = 0;
    while (all->n < n && all->n < BATCH && all->buffer->length < BATCH_ROOM) {
        size_t start = all->buffer->length;
        uint64_t loan;
        BROOD_TRY(write_value(&values[all->n], all->buffer, &loan));
        bool is_long = all->buffer->length - start > BRI_INLINE_MOST;
        if (is_long && all->n != 0) {
            bri_loan_end(loan);
            return BROOD_OK;
        }
        all->loans[all->n] = loan;
        all->ends[all->n++] = all->buffer->length;
        if (is_long)
            return BROOD_OK;
    }
    return BROOD_OK;
}

static brood_status put_batch(brood_queue *queue, const batch *all, size_t *n_put,
                              bri_patience *patience)
{
    bri_letter letters[BATCH];
    *n_put = 0;
    if (all->ends[0] > BRI_INLINE_MOST) {
        brood_status status =
            bri_queue_put_one(queue, BRI_MESSAGE_VALUE, all->buffer->data, all->ends[0], patience);
        *n_put = status == BROOD_OK;
        return status;
    }
    for (size_t i = 0, start = 0; i < all->n; start = all->ends[i++])
        bri_letter_write(&letters[i], BRI_MESSAGE_VALUE, all->buffer->data + start,
                         all->ends[i] - start);
    return bri_queue_put_letters(queue, letters, all->n, n_put, patience);
}

static brood_status put_values(brood_queue *queue, const brood_value *values, size_t n,
                               size_t *n_put, bri_patience *patience)
{
    bri_buffer own = {0};
    batch all = {.buffer = borrow_scratch(queue, &own)};
    brood_status status = BROOD_OK;
    while (*n_put < n && status == BROOD_OK) {
        size_t k = 0;
        brood_status filled = fill_batch(&all, values + *n_put, n - *n_put);
        if (all.n != 0)
            status = put_batch(queue, &all, &k, patience);
        for (size_t i = k; i < all.n; i++)
            bri_loan_end(all.loans[i]);
        *n_put += k;
        if (status == BROOD_OK && filled != BROOD_OK)
            status = filled;
    }
    return_scratch(queue, all.buffer);
    return status;
}

brood_status brood_queue_put_many(brood_queue *queue, brood_value *values, size_t n,
                                  brood_ms timeout, size_t *n_put)
{
    size_t put = 0;
    bri_patience patience = {.timeout = timeout};
    brood_status status = bri_queue_check(queue, "put into a queue");
    if (status == BROOD_OK)
        status = put_values(queue, values, n, &put, &patience);
    if (n_put != NULL)
        *n_put = put;
    for (size_t i = 0; i < n; i++)
        brood_value_clear(&values[i]);
    return status;
}

/* ---- taking ---- */

static brood_status decode(const brood_queue *queue, const void *data, const bri_message *message,
                           brood_value *value)
{
    if (message->block != 0)
        data = bri_parcel_data(queue->view.arena, message->block);
    if ((message->kind & BRI_MESSAGE_VALUE) != 0) {
        struct bri_transfer transfer = {.way = BRI_TRANSFER_TREE};
        bri_pickle_options options = {.transfer = &transfer, .find_class = bri_class_find};
        return bri_pickle_read(data, (size_t)message->size, &options, value, NULL);
    }
    brood_value bytes = brood_bytes(data, (size_t)message->size);
    if (bytes.kind == BROOD_INVALID)
        return bri_fail_invalid(&bytes);
    *value = bytes;
    return BROOD_OK;
}

brood_status bri_queue_take_one(brood_queue *queue, const bri_wish *wish, bri_message *message,
                                bri_patience *patience)
{
    size_t n;
    return bri_ring_take(&queue->view, wish, message, 1, &n, patience);
}

brood_status brood_queue_get(brood_queue *queue, brood_value *value, brood_ms timeout)
{
    unsigned char data[BRI_INLINE_MOST];
    bri_message message;
    bri_patience patience = {.timeout = timeout};
    bri_wish wish = {
        .bytes = true, .value = true, .data = data, .room = sizeof data, .block_room = SIZE_MAX};
    BROOD_TRY(bri_queue_check(queue, "get from a queue"));
    BROOD_TRY(
        bri_queue_describe(bri_queue_take_one(queue, &wish, &message, &patience), "get from"));
    brood_status status = decode(queue, data, &message, value);
    if (message.block != 0)
        bri_parcel_end(&queue->view, message.block);
    return status;
}

/* One of several messages cannot be given back: when it cannot be read, an error stands in its
 * place. */
static void decode_or_tell(brood_queue *queue, const void *data, const bri_message *message,
                           brood_value *value)
{
    brood_status status = decode(queue, data, message, value);
    if (status != BROOD_OK)
        *value = brood_error_value(brood_status_name(status), brood_status_message(status));
    if (message->block != 0)
        bri_parcel_end(&queue->view, message->block);
}

brood_status brood_queue_get_many(brood_queue *queue, brood_value *values, size_t room, size_t *n,
                                  brood_ms timeout)
{
    bri_message messages[BATCH];
    bri_patience patience = {.timeout = timeout};
    BROOD_TRY(bri_queue_check(queue, "get from a queue"));
    if (room == 0)
        return bri_fail(BROOD_EINVALID, "could not get from a queue: there is room for 0 messages");
    unsigned char *data = bri_alloc(BATCH_ROOM);
    if (data == NULL)
        return BROOD_ENOMEM;
    bri_wish wish = {
        .bytes = true, .value = true, .data = data, .room = BATCH_ROOM, .block_room = SIZE_MAX};
    size_t got = 0, used = 0;
    brood_status status = bri_queue_describe(
        bri_ring_take(&queue->view, &wish, messages, room < BATCH ? room : BATCH, &got, &patience),
        "get from");
    for (size_t i = 0; i < got; i++) {
        decode_or_tell(queue, data + used, &messages[i], &values[i]);
        used += messages[i].block == 0 ? (size_t)messages[i].size : 0;
    }
    bri_free(data);
    if (status == BROOD_OK)
        *n = got;
    return status;
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

void brood_queue_finish(brood_queue *queue)
{
    if (queue != NULL && queue->shared.body != NULL)
        bri_account_finish(&queue->view);
}

brood_status brood_queue_discard(brood_queue *queue, size_t *n_discarded)
{
    bri_message messages[BATCH];
    bri_patience patience = {.timeout = 0};
    bri_wish wish = {.nothing = true};
    BROOD_TRY(bri_queue_check(queue, "discard the messages of a queue"));
    size_t left = (size_t)bri_ring_size(queue->view.ring), all = 0, n = 0;
    /* Those that are there now: others may be putting all the time. */
    while (left > 0 && bri_ring_take(&queue->view, &wish, messages, left < BATCH ? left : BATCH, &n,
                                     &patience) == BROOD_OK) {
        for (size_t i = 0; i < n; i++)
            if (messages[i].block != 0)
                bri_parcel_end(&queue->view, messages[i].block);
        all += n;
        left -= n;
    }
    if (n_discarded != NULL)
        *n_discarded = all;
    return BROOD_OK;
}

/* ---- joining ---- */

static brood_status check_joinable(brood_queue *queue, const char *what)
{
    BROOD_TRY(bri_queue_check(queue, what));
    if (queue->view.ring->is_joinable)
        return BROOD_OK;
    return bri_fail(BROOD_ESTATE, "could not %s: it was not created as joinable", what);
}

brood_status brood_queue_task_done(brood_queue *queue)
{
    BROOD_TRY(check_joinable(queue, "finish a task of a queue"));
    brood_status status = bri_account_task_done(&queue->view);
    if (status == BROOD_ESTATE)
        return bri_fail(status, "could not finish a task of a queue: there are no more than were "
                                "finished already");
    return status;
}

brood_status brood_queue_join(brood_queue *queue, brood_ms timeout)
{
    bri_patience patience = {.timeout = timeout};
    BROOD_TRY(check_joinable(queue, "join a queue"));
    brood_status status = bri_account_join(&queue->view, &patience);
    if (status == BROOD_EOWNERDIED)
        return bri_fail(status, "joined a queue, but processes that had taken messages are gone "
                                "without having finished them");
    return status;
}

size_t brood_queue_unfinished(brood_queue *queue)
{
    return queue == NULL || queue->shared.body == NULL || !queue->view.ring->is_joinable
               ? 0
               : (size_t)bri_ring_unfinished(queue->view.ring);
}
