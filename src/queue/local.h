/*
 * queue/local.h - one process's side of a queue, for the files of this folder.
 */
#ifndef BRI_QUEUE_LOCAL_H
#define BRI_QUEUE_LOCAL_H

#include <brood/queue.h>

#include "base/buffer.h"
#include "queue/parcel.h"
#include "queue/ring.h"

enum { BRI_LEAST_HINT = 64 };

struct brood_queue {
    bri_shared shared;
    bri_ring_view view;
    _Atomic size_t hint;         /* bytes of the last message taken */
    atomic_flag is_scratch_used; /* by a thread */
    bri_buffer scratch;
};

/* BROOD_EINVALID, BROOD_ECLOSED: it cannot be used. */
static inline brood_status bri_queue_check(const brood_queue *queue, const char *what)
{
    if (queue == NULL || queue->shared.body == NULL)
        return bri_shared_check(queue, what);
    return BROOD_OK;
}

/* Puts one message, through a block when it is long. */
brood_status bri_queue_put_one(brood_queue *queue, uint32_t kind, const void *data, size_t size,
                               bri_patience *patience);

/* Puts letters; *n_put tells how many were. */
brood_status bri_queue_put_letters(brood_queue *queue, const bri_letter *letters, size_t n,
                                   size_t *n_put, bri_patience *patience);

/* Takes one message. */
brood_status bri_queue_take_one(brood_queue *queue, const bri_wish *wish, bri_message *message,
                                bri_patience *patience);

/* The outcomes that are no failures have no message; the others get theirs here: "could not <what>
 * a queue". */
brood_status bri_queue_describe(brood_status status, const char *what);

#endif /* BRI_QUEUE_LOCAL_H */
