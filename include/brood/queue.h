/*
 * brood/queue.h - messages from any number of processes to any number of processes. Python:
 * multiprocessing.Queue, without a feeder thread.
 *
 * A message is in the queue when put returns, whatever becomes of its sender afterwards, and the
 * messages of one sender come out in the order in which it put them. A process that is killed while
 * it puts or gets loses the one message that it had in hand at most; it never blocks the others and
 * nobody sees half a message.
 *
 * A queue can go to any process of the tree: as an argument of a process, through a connection,
 * another queue, a pool's task (brood_queue_value). It is kept on its way by nobody but its sender:
 * destroy it only when the receiver has it. Arguments of a process are kept until it has started.
 * The same holds for locks and queues inside of messages.
 */
#ifndef BROOD_QUEUE_H
#define BROOD_QUEUE_H

#include <stdbool.h>

#include <brood/time.h>
#include <brood/value.h>

BROOD_BEGIN_DECLS

typedef struct brood_queue brood_queue;

typedef struct brood_queue_options {
    size_t maxsize;      /* messages that may wait; 0: no bound but memory */
    size_t memory_limit; /* bytes that waiting messages may take, with about 8 bytes more for each
                            (a page for one of over 4 KiB is not counted): 0 is 64 MiB. A put beyond
                            it waits. A single message may be larger. */
} brood_queue_options;

/*
 * Makes an empty queue. NULL options mean all defaults.
 *
 * Errors:  BROOD_ENOINIT; BROOD_ENOMEM out of memory, also of that which the tree shares.
 * Blocks:  no.
 * Threads: safe.
 * Fork:    the child has the queue too, under the same pointer.
 * Python:  multiprocessing.Queue(maxsize).
 */
BROOD_API brood_status brood_queue_create(brood_queue **queue, const brood_queue_options *options);

/*
 * Puts a value, which is moved in, also on failure. It is pickled at once.
 *
 * Errors:  BROOD_EFULL no room, with time-out 0; BROOD_ETIMEDOUT no room in time; BROOD_ECLOSED;
 *          BROOD_ENOMEM; BROOD_ENOTSUP something in it cannot travel (a connection);
 *          BROOD_EINVALID.
 * Blocks:  while there is no room, up to `timeout` milliseconds. (A process that is stopped, not
 *          dead, in the middle of its own put can hold others up for 1 s longer.)
 * Threads: safe; any number of threads and processes at once.
 * Python:  Queue.put(obj, block, timeout); there, pickling errors show later, on stderr.
 */
BROOD_API brood_status brood_queue_put(brood_queue *queue, brood_value value, brood_ms timeout);

/*
 * Takes the first message. One that was put as bytes comes as a bytes value. When what is in it
 * cannot be read or has ended, the call fails and the message is gone.
 *
 * Errors:  BROOD_EEMPTY nothing there, with time-out 0; BROOD_ETIMEDOUT nothing in time;
 *          BROOD_ECLOSED closed and drained; BROOD_ENOMEM; BROOD_EFORMAT.
 * Blocks:  while the queue is empty, up to `timeout` milliseconds.
 * Threads: safe; a message goes to exactly one taker. Waiters are served in no order.
 * Python:  Queue.get(block, timeout).
 */
BROOD_API brood_status brood_queue_get(brood_queue *queue, brood_value *value, brood_ms timeout);

/*
 * Puts bytes as they are, without pickling; 0 bytes are a message too. Otherwise as
 * brood_queue_put.
 */
BROOD_API brood_status brood_queue_put_bytes(brood_queue *queue, const void *data, size_t size,
                                             brood_ms timeout);

/*
 * Takes the first message, which was put as bytes, into new memory for brood_free. If it was put as
 * a value, the call fails with BROOD_ETYPE and the message stays the first; so it does with
 * BROOD_ENOMEM. Otherwise as brood_queue_get.
 */
BROOD_API brood_status brood_queue_get_bytes(brood_queue *queue, void **data, size_t *size,
                                             brood_ms timeout);

/*
 * Takes the first message, which was put as bytes, into the caller's memory. When it does not fit,
 * BROOD_ETOOLONG: *size then tells the message's size, and it stays the first. Otherwise as
 * brood_queue_get_bytes.
 */
BROOD_API brood_status brood_queue_get_bytes_into(brood_queue *queue, void *data, size_t room,
                                                  size_t *size, brood_ms timeout);

/*
 * Messages that wait now. Exact; by the time of the answer it may have changed.
 *
 * Errors:  none; 0 for NULL.
 * Blocks:  no.
 * Threads: safe.
 * Python:  Queue.qsize(), on every system.
 */
BROOD_API size_t brood_queue_size(brood_queue *queue);

/* Whether no message waits, and whether a put would wait. As brood_queue_size. Python: empty(),
 * full(). */
BROOD_API bool brood_queue_is_empty(brood_queue *queue);
BROOD_API bool brood_queue_is_full(brood_queue *queue);

/*
 * Closes the queue for all processes: nobody may put any more, and who waits to put is told.
 * Getters drain what is there, then get BROOD_ECLOSED. Closing again does nothing.
 *
 * Errors:  none.
 * Blocks:  no.
 * Threads: safe.
 * Python:  Queue.shutdown() of 3.13; not Queue.close(), which concerns one process only.
 */
BROOD_API void brood_queue_close(brood_queue *queue);

/*
 * Ends one use of the queue by this process: as many as it was created, and received, times. The
 * last use of the last process frees it, with the messages in it. Nothing has to be flushed. NULL
 * is ignored.
 *
 * Blocks:  no.
 * Threads: safe, but not while another thread uses the same pointer.
 * Python:  close() and join_thread(); there is no feeder thread to join or cancel.
 */
BROOD_API void brood_queue_destroy(brood_queue *queue);

/*
 * The queue as a value that can be put into arguments, messages and tasks. The value is one more
 * use of the queue in this process, ended by clearing it or by moving it into a call. The invalid
 * value on failure.
 *
 * Errors:  BROOD_EINVALID, BROOD_ENOMEM, to be seen in brood_last_error().
 * Threads: safe.
 */
BROOD_API brood_value brood_queue_value(brood_queue *queue);

/*
 * The queue in a value, borrowed: valid as long as the value is. To keep it longer make a value of
 * it (brood_queue_value) and keep that.
 *
 * Errors:  BROOD_ETYPE the value is something else.
 * Threads: as the value.
 */
BROOD_API brood_status brood_get_queue(const brood_value *value, brood_queue **queue);

BROOD_END_DECLS

#endif /* BROOD_QUEUE_H */
