/*
 * brood/queue.h - messages from any number of processes to any number of processes. Python:
 * multiprocessing.Queue, without a feeder thread.
 */
#ifndef BROOD_QUEUE_H
#define BROOD_QUEUE_H

#include <stdbool.h>

#include <brood/time.h>
#include <brood/value.h>

BROOD_BEGIN_DECLS

typedef struct brood_queue brood_queue;

typedef struct brood_queue_options {
    size_t maxsize;      /* messages; 0: no bound but memory */
    size_t memory_limit; /* bytes of messages that wait: default 64 MiB; a put beyond it waits */
} brood_queue_options;

BROOD_API brood_status brood_queue_create(brood_queue **queue, const brood_queue_options *options);

/* Puts a value (moved in, also on failure). BROOD_EFULL with time-out 0, else BROOD_ETIMEDOUT;
 * BROOD_ECLOSED. */
BROOD_API brood_status brood_queue_put(brood_queue *queue, brood_value value, brood_ms timeout);
/* BROOD_EEMPTY with time-out 0, else BROOD_ETIMEDOUT; BROOD_ECLOSED when closed and drained. */
BROOD_API brood_status brood_queue_get(brood_queue *queue, brood_value *value, brood_ms timeout);

BROOD_API brood_status brood_queue_put_bytes(brood_queue *queue, const void *data, size_t size,
                                             brood_ms timeout);
/* New memory for brood_free. */
BROOD_API brood_status brood_queue_get_bytes(brood_queue *queue, void **data, size_t *size,
                                             brood_ms timeout);

BROOD_API size_t brood_queue_size(brood_queue *queue); /* Python: qsize() */
BROOD_API bool brood_queue_is_empty(brood_queue *queue);
BROOD_API bool brood_queue_is_full(brood_queue *queue);
/* Nobody may put any more; getters drain, then get BROOD_ECLOSED. For all processes. */
BROOD_API void brood_queue_close(brood_queue *queue);
/* Ends this process's use; the last one frees it. */
BROOD_API void brood_queue_destroy(brood_queue *queue);

BROOD_API brood_value brood_queue_value(brood_queue *queue);
BROOD_API brood_status brood_get_queue(const brood_value *value, brood_queue **queue);

BROOD_END_DECLS

#endif /* BROOD_QUEUE_H */
