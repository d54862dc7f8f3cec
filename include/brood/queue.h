/*
 * brood/queue.h - messages from any number of processes to any number of processes. Python:
 * multiprocessing.Queue, JoinableQueue and SimpleQueue, without a feeder thread.
 *
 * A message is in the queue when put returns, whatever becomes of its sender afterwards, and the
 * messages of one sender come out in the order in which it put them. A process that is killed while
 * it puts or gets loses at most what that call had in hand: one message, or those of one put_many
 * or get_many; it never blocks the others and nobody sees half a message.
 *
 * There is nothing to flush: Python's close() and join_thread() at a sender's end have no
 * counterpart but brood_queue_destroy, and a process that ends with messages unread never hangs. To
 * leave what nobody reads behind (cancel_join_thread()) just end; to throw it away,
 * brood_queue_discard.
 *
 * A queue can go to any process of the tree: as an argument of a process, through a connection,
 * another queue, a pool's task (brood_queue_value). It is kept on its way by nobody but its sender:
 * destroy it only when the receiver has it. Arguments of a process are kept until it has started.
 * The same holds for locks and queues inside of messages. brood_wait waits for messages of many
 * queues, and for other things with them.
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
    bool joinable;       /* getters say brood_queue_task_done, so that brood_queue_join can wait */
    bool ends_with_producers; /* the queue closes when the last producer is gone, see
                                 brood_queue_finish */
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
 * The same by Python's names: JoinableQueue(maxsize), which is a queue with the option `joinable`;
 * and SimpleQueue(), which here is any queue without options.
 */
BROOD_API brood_status brood_joinable_queue_create(brood_queue **queue, size_t maxsize);
BROOD_API brood_status brood_simple_queue_create(brood_queue **queue);

/*
 * Puts a value, which is moved in, also on failure. It is pickled at once.
 *
 * Errors:  BROOD_EFULL no room, with time-out 0; BROOD_ETIMEDOUT no room in time; BROOD_ECLOSED;
 *          BROOD_ENOMEM; BROOD_ENOTSUP something in it cannot travel (a connection);
 *          BROOD_EINVALID.
 * Blocks:  while there is no room, up to `timeout` milliseconds. (A process that is stopped, not
 *          dead, in the middle of its own put can hold others up for 1 s longer.)
 * Threads: safe; any number of threads and processes at once.
 * Python:  Queue.put(obj, block, timeout), put_nowait(obj) with time-out 0; there, pickling errors
 *          show later, on stderr.
 */
BROOD_API brood_status brood_queue_put(brood_queue *queue, brood_value value, brood_ms timeout);

/*
 * Takes the first message. One that was put as bytes comes as a bytes value. When what is in it
 * cannot be read or has ended, the call fails and the message is gone.
 *
 * Errors:  BROOD_EEMPTY nothing there, with time-out 0; BROOD_ETIMEDOUT nothing in time;
 *          BROOD_ECLOSED closed and drained, or an object in the message has ended (then
 *          brood_queue_size may still be more than 0, and the next get goes on);
 *          BROOD_ENOTFOUND named memory in the message has; BROOD_ENOMEM; BROOD_EFORMAT;
 *          BROOD_EINVALID.
 * Blocks:  while the queue is empty, up to `timeout` milliseconds.
 * Threads: safe; a message goes to exactly one taker. Waiters are served in no order.
 * Python:  Queue.get(block, timeout), get_nowait() with time-out 0.
 */
BROOD_API brood_status brood_queue_get(brood_queue *queue, brood_value *value, brood_ms timeout);

/*
 * Puts values in their order, as many at a time as there is room for. All are moved in, also on
 * failure; *n_put (may be NULL) tells how many are in the queue then.
 *
 * Errors:  as brood_queue_put, also when some were put.
 * Blocks:  until all are in, up to `timeout` milliseconds.
 * Threads: safe; others' messages may come in between.
 * Python:  none.
 */
BROOD_API brood_status brood_queue_put_many(brood_queue *queue, brood_value *values, size_t n,
                                            brood_ms timeout, size_t *n_put);

/*
 * Takes up to `room` messages at once (64 at most), at least one; *n tells how many. A message that
 * cannot be read comes as an error value, whose kind is the name of the status, "EFORMAT".
 *
 * Errors:  as brood_queue_get.
 * Blocks:  while the queue is empty, up to `timeout` milliseconds; not for a second message.
 * Threads: safe.
 * Python:  none.
 */
BROOD_API brood_status brood_queue_get_many(brood_queue *queue, brood_value *values, size_t room,
                                            size_t *n, brood_ms timeout);

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

/* Bytes of somebody's, borrowed. */
typedef struct brood_span {
    const void *data;
    size_t size;
} brood_span;

/* Puts several messages of bytes, otherwise as brood_queue_put_many. */
BROOD_API brood_status brood_queue_put_bytes_many(brood_queue *queue, const brood_span *spans,
                                                  size_t n, brood_ms timeout, size_t *n_put);

/*
 * Takes up to `most` messages of bytes at once (64 at most), at least one, as far as they fit into
 * `room` bytes: one after the other without gaps, sizes[i] tells the size of each. When not even
 * the first fits, BROOD_ETOOLONG, and sizes[0] is its size. Otherwise as
 * brood_queue_get_bytes_into.
 */
BROOD_API brood_status brood_queue_get_bytes_many(brood_queue *queue, void *data, size_t room,
                                                  size_t *sizes, size_t most, size_t *n,
                                                  brood_ms timeout);

/*
 * Gives memory to write a message to, in place: it is not copied any more. It begins at a multiple
 * of 64. The message has no place in the order yet, and nobody waits for it. When the process dies
 * before the commit, the memory is given back and nothing else has happened.
 *
 * Errors:  BROOD_ENOMEM; BROOD_EINVALID, BROOD_ECLOSED (ended while this process was forked).
 * Blocks:  no.
 * Threads: safe.
 * Fork:    what the parent has reserved is the parent's alone.
 * Python:  none.
 */
BROOD_API brood_status brood_queue_reserve(brood_queue *queue, size_t size, void **data);

/*
 * Puts the message that was written to reserved memory, its first `size` bytes. Afterwards the
 * memory is no longer the caller's. On failure it still is: commit again, or release.
 *
 * Errors:  as brood_queue_put_bytes; BROOD_EINVALID `data` was not reserved by this process from
 *          this queue, or is shorter.
 */
BROOD_API brood_status brood_queue_commit(brood_queue *queue, void *data, size_t size,
                                          brood_ms timeout);

/*
 * Takes the first message, which was put as bytes, and shows it in place, without a copy when it is
 * longer than 4 KiB or was reserved. It is out of the queue: nobody else gets it, and others go on
 * with the next. It is there until brood_queue_release, also after the queue was closed. When the
 * process dies before the release, the message is lost with it, as any that was taken.
 *
 * Errors:  as brood_queue_get_bytes.
 * Blocks:  while the queue is empty, up to `timeout` milliseconds.
 * Threads: safe.
 * Fork:    what the parent has taken is the parent's alone.
 * Python:  none.
 */
BROOD_API brood_status brood_queue_peek(brood_queue *queue, const void **data, size_t *size,
                                        brood_ms timeout);

/* Ends what brood_queue_peek has shown, or gives reserved memory back without a commit. NULL is
 * ignored, and so is what another queue has shown in place or reserved. Threads: safe. */
BROOD_API void brood_queue_release(brood_queue *queue, const void *data);

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
 * Blocks:  no. (For 1 s, if a process is stopped, not dead, in the middle of its put; that message
 *          may come into the queue when the process goes on.)
 * Threads: safe.
 * Python:  Queue.shutdown() of 3.13; not Queue.close(), which concerns one process only.
 */
BROOD_API void brood_queue_close(brood_queue *queue);

/*
 * Throws the messages away that wait now; *n_discarded (may be NULL) tells how many. Those of a
 * joinable queue are done with. With brood_queue_close before it the queue is empty for good.
 *
 * Errors:  BROOD_EINVALID, BROOD_ECLOSED (ended while this process was forked).
 * Blocks:  no.
 * Threads: safe.
 * Python:  Queue.shutdown(immediate=True) of 3.13 with the close.
 */
BROOD_API brood_status brood_queue_discard(brood_queue *queue, size_t *n_discarded);

/*
 * This process puts no more into a queue with the option `ends_with_producers`; does nothing with
 * others. When nobody is left who might put, the queue is closed by itself, as by
 * brood_queue_close.
 *
 * A process that has such a queue may put, until it calls this, destroys the queue, ends in
 * whatever way, or gets a message before it has put one. So pure consumers need not say anything,
 * and a process that only hands the queue on says this when those who put have it (when they have
 * started, for arguments). A put makes the process a producer again, unless the queue is closed.
 *
 * Errors:  none.
 * Blocks:  no.
 * Threads: safe; it holds for all threads of the process.
 * Python:  none; the end of a pipe whose writers are gone.
 */
BROOD_API void brood_queue_finish(brood_queue *queue);

/*
 * Says that a message that was taken from a joinable queue is done with. Call it in the process
 * that has taken the message: what a process has taken and not finished counts as done when it dies
 * or destroys the queue, and brood_queue_join tells so.
 *
 * Errors:  BROOD_ESTATE more often than there were messages, or the queue is not joinable;
 *          BROOD_EINVALID, BROOD_ECLOSED (ended while this process was forked).
 * Blocks:  no.
 * Threads: safe.
 * Python:  JoinableQueue.task_done(), ValueError.
 */
BROOD_API brood_status brood_queue_task_done(brood_queue *queue);

/*
 * Waits until every message that was put into a joinable queue has been taken and done with.
 *
 * Errors:  BROOD_ETIMEDOUT; BROOD_ESTATE the queue is not joinable; BROOD_EOWNERDIED it is joined,
 *          but processes died (or destroyed the queue) with messages in hand, which may not have
 *          been worked on: said once, to one of those who join; BROOD_EINVALID, BROOD_ECLOSED as
 *          above.
 * Blocks:  up to `timeout` milliseconds.
 * Threads: safe.
 * Python:  JoinableQueue.join(), which waits for ever when a consumer dies.
 */
BROOD_API brood_status brood_queue_join(brood_queue *queue, brood_ms timeout);

/* Messages that a join would still wait for: those in the queue and those in hand. 0 when the queue
 * is not joinable. As brood_queue_size. */
BROOD_API size_t brood_queue_unfinished(brood_queue *queue);

/*
 * Ends one use of the queue by this process: as many as it was created, and received, times. With
 * its last use goes what it has reserved or peeked at; the last use of the last process frees the
 * queue, with the messages in it. Nothing has to be flushed. NULL is ignored.
 *
 * Blocks:  no, but for another process that is just taking a message.
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
