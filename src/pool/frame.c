/* pool/frame.c - see the header. */
#include "pool/frame.h"

#include <string.h>

#include "base/error.h"
#include "core/transfer.h"
#include "data/pickle.h"

enum { HEAD = sizeof(uint64_t), KIND_SHIFT = 56 };

#define LENGTH_MASK ((UINT64_C(1) << KIND_SHIFT) - 1)

/* Objects of the arena may be in tasks and results. */
static bri_pickle_options options_for(struct bri_transfer *transfer)
{
    transfer->way = BRI_TRANSFER_TREE;
    transfer->n = 0;
    return (bri_pickle_options){.transfer = transfer, .find_class = bri_class_find};
}

brood_status bri_frame_append(bri_buffer *frame, bri_entry_kind kind, const brood_value *value)
{
    size_t start = frame->length;
    BROOD_TRY(bri_buffer_reserve(frame, HEAD));
    frame->length += HEAD;
    struct bri_transfer transfer;
    bri_pickle_options options = options_for(&transfer);
    brood_status status = bri_pickle_write(value, &options, frame);
    if (status != BROOD_OK) {
        frame->length = start;
        return status;
    }
    uint64_t head = (frame->length - start - HEAD) | (uint64_t)kind << KIND_SHIFT;
    memcpy(frame->data + start, &head, HEAD);
    return BROOD_OK;
}

/* The failure of an outcome, as an entry. */
static brood_status append_failure(bri_buffer *frame, bri_outcome *outcome)
{
    brood_value failure;
    BROOD_TRY(bri_outcome_reduce(outcome, &failure));
    brood_status status = bri_frame_append(frame, BRI_ENTRY_FAILURE, &failure);
    brood_value_clear(&failure);
    return status;
}

brood_status bri_frame_append_outcome(bri_buffer *frame, bri_outcome *outcome)
{
    brood_status status = BROOD_OK;
    if (!outcome->failed)
        status = bri_frame_append(frame, BRI_ENTRY_VALUE, &outcome->result);
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
    }
    bri_outcome_clear(outcome);
    return status;
}

brood_status bri_frame_next(bri_frame_reader *reader, bri_entry *entry)
{
    uint64_t head = 0;
    if (reader->size >= HEAD)
        memcpy(&head, reader->data, HEAD);
    size_t kind = (size_t)(head >> KIND_SHIFT);
    if (reader->size < HEAD || (kind != BRI_ENTRY_VALUE && kind != BRI_ENTRY_FAILURE) ||
        (head & LENGTH_MASK) > reader->size - HEAD)
        return bri_fail(BROOD_EFORMAT, "could not read a task: it is cut off");
    *entry = (bri_entry){.kind = kind == BRI_ENTRY_VALUE ? BRI_ENTRY_VALUE : BRI_ENTRY_FAILURE,
                         .data = reader->data + HEAD,
                         .size = (size_t)(head & LENGTH_MASK)};
    reader->data += HEAD + entry->size;
    reader->size -= HEAD + entry->size;
    return BROOD_OK;
}

brood_status bri_entry_value(const bri_entry *entry, brood_value *value)
{
    struct bri_transfer transfer;
    bri_pickle_options options = options_for(&transfer);
    return bri_pickle_read(entry->data, entry->size, &options, value, NULL);
}
