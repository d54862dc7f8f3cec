/* pool/payload.c - see the header. */
#include "pool/payload.h"

#include <string.h>

#include "base/error.h"
#include "core/transfer.h"
#include "data/pickle.h"
#include "ipc/lend.h"

enum {
    HEAD = sizeof(uint64_t),
    KIND_SHIFT = 56,
    MANY = 32 << 10, /* bytes that are worth not being copied twice */
    KEPT = 1 << 20
};

#define LENGTH_MASK ((UINT64_C(1) << KIND_SHIFT) - 1)

/* Objects of the arena may be in tasks and results. */
static bri_pickle_options options_for(struct bri_transfer *transfer)
{
    transfer->way = BRI_TRANSFER_TASK;
    transfer->keeps = false;
    transfer->loan = 0;
    transfer->refers = NULL;
    transfer->n = 0;
    return (bri_pickle_options){.transfer = transfer, .find_class = bri_class_find};
}

static uint64_t head_of(int kind, size_t size)
{
    return (uint64_t)size | (uint64_t)kind << KIND_SHIFT;
}

/* ---- writing ---- */

/* Keeps an object that the frame names. */
static brood_status note_object(struct bri_transfer *transfer, void *object)
{
    bri_buffer *references = transfer->context;
    BROOD_TRY(bri_buffer_append(references, &object, sizeof object));
    brood_status status = bri_shared_retain(object);
    if (status != BROOD_OK)
        references->length -= sizeof object;
    return status;
}

void bri_references_clear(bri_buffer *references)
{
    for (size_t at = 0; at < references->length; at += sizeof(void *)) {
        void *object;
        memcpy(&object, references->data + at, sizeof object);
        bri_shared_release(object);
    }
    bri_buffer_fini(references);
}

brood_status bri_payload_hold(const bri_payload *frame, bri_arena *arena, _Atomic uint64_t *chain)
{
    for (size_t at = 0; at < frame->refers.length; at += sizeof(void *)) {
        bri_shared *object;
        memcpy(&object, frame->refers.data + at, sizeof object);
        BROOD_TRY(bri_shared_hold(arena, chain, object));
    }
    return BROOD_OK;
}

static brood_status append_pickle(bri_payload *frame, int kind, const brood_value *value)
{
    bri_buffer *bytes = &frame->bytes;
    size_t start = bytes->length;
    BROOD_TRY(bri_buffer_reserve(bytes, HEAD));
    bytes->length += HEAD;
    struct bri_transfer transfer;
    bri_pickle_options options = options_for(&transfer);
    transfer.keeps = frame->lends;
    transfer.loan = frame->loan;
    transfer.refers = note_object;
    transfer.context = &frame->refers;
    brood_status status = bri_pickle_write(value, &options, bytes);
    if (status != BROOD_OK) {
        bytes->length = start;
        if (frame->loan == 0)
            bri_loan_end(transfer.loan);
        return status;
    }
    frame->loan = transfer.loan;
    uint64_t head = head_of(kind, bytes->length - start - HEAD);
    memcpy(bytes->data + start, &head, HEAD);
    return BROOD_OK;
}

static brood_status append_scalar(bri_buffer *bytes, brood_kind kind, uint64_t bits)
{
    uint64_t pair[2] = {head_of(BRI_ITEM_SCALAR + (int)kind, sizeof bits), bits};
    if (bytes->capacity - bytes->length < sizeof pair)
        BROOD_TRY(bri_buffer_reserve(bytes, sizeof pair));
    memcpy(bytes->data + bytes->length, pair, sizeof pair);
    bytes->length += sizeof pair;
    return BROOD_OK;
}

/* Puts the tail where the next entry can follow it. */
static brood_status fold_tail(bri_payload *frame)
{
    BROOD_TRY(bri_buffer_append(&frame->bytes, frame->tail, frame->tail_size));
    frame->tail = NULL;
    frame->tail_size = 0;
    brood_value_clear(&frame->kept);
    return BROOD_OK;
}

static brood_status append_bytes(bri_payload *frame, const brood_value *value)
{
    const void *data;
    size_t size;
    BROOD_TRY(brood_get_bytes(value, &data, &size));
    uint64_t head = head_of(BRI_ITEM_BYTES, size);
    if (size < MANY) {
        BROOD_TRY(bri_buffer_reserve(&frame->bytes, HEAD + size));
        bri_buffer_append(&frame->bytes, &head, HEAD);
        return bri_buffer_append(&frame->bytes, data, size);
    }
    BROOD_TRY(bri_buffer_append(&frame->bytes, &head, HEAD));
    frame->tail = data;
    frame->tail_size = size;
    return BROOD_OK;
}

brood_status bri_payload_append(bri_payload *frame, const brood_value *value)
{
    brood_kind kind = brood_value_kind(value);
    uint64_t bits = 0;
    if (frame->tail_size != 0)
        BROOD_TRY(fold_tail(frame));
    switch (kind) {
    case BROOD_NONE:
        break;
    case BROOD_BOOL:
        bits = value->as.boolean ? 1 : 0;
        break;
    case BROOD_INT:
    case BROOD_FLOAT:
        memcpy(&bits, &value->as, sizeof bits);
        break;
    case BROOD_BYTES:
        if (!brood_value_is_mutable_bytes(value))
            return append_bytes(frame, value);
        return append_pickle(frame, BRI_ITEM_VALUE, value);
    default:
        return append_pickle(frame, BRI_ITEM_VALUE, value);
    }
    return append_scalar(&frame->bytes, kind, bits);
}

static brood_status append_failure(bri_payload *frame, bri_outcome *outcome)
{
    brood_value failure;
    if (frame->tail_size != 0)
        BROOD_TRY(fold_tail(frame));
    BROOD_TRY(bri_outcome_reduce(outcome, &failure));
    brood_status status = append_pickle(frame, BRI_ITEM_FAILURE, &failure);
    brood_value_clear(&failure);
    return status;
}

brood_status bri_payload_append_outcome(bri_payload *frame, bri_outcome *outcome)
{
    brood_status status = BROOD_OK;
    if (!outcome->failed)
        status = bri_payload_append(frame, &outcome->result);
    if (outcome->failed || status != BROOD_OK) {
        if (!outcome->failed) {
            bri_outcome_clear(outcome);
            bri_fail_within("could not send the result of a task");
            bri_outcome_fail(outcome, status);
        }
        status = append_failure(frame, outcome);
        if (status != BROOD_OK) { /* an exception's arguments may be anything */
            bri_outcome_clear(outcome);
            bri_outcome_fail(outcome, status);
            status = append_failure(frame, outcome);
        }
    } else if (frame->tail_size != 0) {
        frame->kept = brood_value_take(&outcome->result);
    }
    bri_outcome_clear(outcome);
    return status;
}

void bri_payload_copy(const bri_payload *frame, void *to)
{
    if (frame->bytes.length != 0)
        memcpy(to, frame->bytes.data, frame->bytes.length);
    if (frame->tail_size != 0)
        memcpy((unsigned char *)to + frame->bytes.length, frame->tail, frame->tail_size);
}

void bri_payload_reset(bri_payload *frame)
{
    frame->tail = NULL;
    frame->tail_size = 0;
    brood_value_clear(&frame->kept);
    bri_loan_end(frame->loan);
    frame->loan = 0;
    if (frame->refers.length != 0)
        bri_references_clear(&frame->refers);
    if (frame->bytes.capacity > KEPT)
        bri_buffer_fini(&frame->bytes);
    bri_buffer_reset(&frame->bytes);
}

void bri_payload_fini(bri_payload *frame)
{
    bri_payload_reset(frame);
    bri_buffer_fini(&frame->bytes);
    bri_buffer_fini(&frame->refers);
}

/* ---- reading ---- */

brood_status bri_payload_next(bri_payload_reader *reader, bri_item *item)
{
    uint64_t head = 0;
    if (reader->size >= HEAD)
        memcpy(&head, reader->data, HEAD);
    if (reader->size < HEAD || (head & LENGTH_MASK) > reader->size - HEAD)
        return bri_fail(BROOD_EFORMAT, "could not read a task: it is cut off");
    *item = (bri_item){.kind = (int)(head >> KIND_SHIFT),
                       .data = reader->data + HEAD,
                       .size = (size_t)(head & LENGTH_MASK)};
    reader->data += HEAD + item->size;
    reader->size -= HEAD + item->size;
    return BROOD_OK;
}

static brood_status scalar_value(const bri_item *item, brood_value *value)
{
    uint64_t bits;
    int64_t integer;
    double real;
    if (item->size == sizeof bits) {
        memcpy(&bits, item->data, sizeof bits);
        memcpy(&integer, &bits, sizeof bits);
        memcpy(&real, &bits, sizeof bits);
        switch (item->kind - BRI_ITEM_SCALAR) {
        case BROOD_NONE:
            *value = brood_none();
            return BROOD_OK;
        case BROOD_BOOL:
            *value = brood_bool(bits != 0);
            return BROOD_OK;
        case BROOD_INT:
            *value = brood_int(integer);
            return BROOD_OK;
        case BROOD_FLOAT:
            *value = brood_float(real);
            return BROOD_OK;
        default:
            break;
        }
    }
    return bri_fail(BROOD_EFORMAT, "could not read a task: it is malformed");
}

brood_status bri_payload_value(const bri_item *item, brood_value *value)
{
    if (item->kind >= BRI_ITEM_SCALAR)
        return scalar_value(item, value);
    if (item->kind == BRI_ITEM_BYTES) {
        *value = brood_bytes(item->data, item->size);
        return brood_value_kind(value) == BROOD_BYTES ? BROOD_OK : brood_last_error()->status;
    }
    struct bri_transfer transfer;
    bri_pickle_options options = options_for(&transfer);
    return bri_pickle_read(item->data, item->size, &options, value, NULL);
}
