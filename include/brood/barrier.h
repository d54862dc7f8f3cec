/*
 * brood/barrier.h - a place where a number of parties wait until all have come. Python:
 * multiprocessing.Barrier.
 *
 * Death: a barrier breaks when a process dies that has it, waiting or not, because nobody can
 * know whether it would have come: by a signal, a kill or a crash. A process that ends in order, or
 * has destroyed its handle, only leaves; unless one of its threads waits there. Under the start
 * method fork a child has all barriers of its parent: those count that are among its arguments,
 * and those that it uses. Waiters learn within 1 s, normally within 50 ms.
 *
 * It can go to any process of the tree, like a lock: see brood/lock.h.
 */
#ifndef BROOD_BARRIER_H
#define BROOD_BARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include <brood/time.h>
#include <brood/value.h>

BROOD_BEGIN_DECLS

typedef struct brood_barrier brood_barrier;

/* What one of the parties, the last to come, does before they go on. */
typedef brood_status (*brood_barrier_action)(brood_barrier *barrier);

typedef struct brood_barrier_options {
    brood_barrier_action action; /* a function of this program, or of a module; NULL: none */
    brood_ms timeout;            /* of waits without one of their own; 0: none */
} brood_barrier_options;

/*
 * Makes a barrier for that many parties. NULL options mean all defaults.
 *
 * Errors:  BROOD_EINVALID no parties, or 2^30 and more; BROOD_ENOTFOUND the action is in no module;
 *          BROOD_ETOOLONG the path of its module has over 900 bytes; BROOD_ENOINIT; BROOD_ENOMEM
 *          out of memory, also of that which the tree shares.
 * Blocks:  no.
 * Threads: safe.
 * Fork:    the child has the barrier too, under the same pointer.
 * Python:  multiprocessing.Barrier(parties, action, timeout).
 */
BROOD_API brood_status brood_barrier_create(brood_barrier **barrier, uint32_t parties,
                                            const brood_barrier_options *options);

/*
 * Waits until all parties have come. Then each has an index of its own, from 0 in the order in
 * which they came; `index` may be NULL. BROOD_FOREVER means the barrier's own time-out, if it has
 * one.
 *
 * Once all have come a round is decided, unless the action fails or its process dies: time-outs
 * do not count while it runs. The next round begins when all have gone on.
 *
 * Errors:  BROOD_ETIMEDOUT not all came in time, which breaks the barrier (time-out 0: unless this
 *          is the last); BROOD_EBROKEN it is broken: by another's time-out, by abort, by a death,
 *          by its action, or it was reset meanwhile (Python: BrokenBarrierError, for a time-out
 *          too); what the action answered, to its process, or why it was not found there
 *          (BROOD_ENOTFOUND, another build); BROOD_ECLOSED it ended while this process was forked;
 *          BROOD_EINVALID.
 * Blocks:  yes.
 * Threads: safe; a party is any call, of threads and processes alike.
 * Python:  Barrier.wait(timeout).
 */
BROOD_API brood_status brood_barrier_wait(brood_barrier *barrier, brood_ms timeout,
                                          uint32_t *index);

/*
 * Breaks the barrier: who waits, and who comes, gets BROOD_EBROKEN until it is reset. A round that
 * is complete already goes on.
 *
 * Errors:  BROOD_ECLOSED, BROOD_EINVALID as above.
 * Blocks:  no.
 * Threads: safe.
 * Python:  Barrier.abort().
 */
BROOD_API brood_status brood_barrier_abort(brood_barrier *barrier);

/*
 * Makes the barrier whole and empty: who waits gets BROOD_EBROKEN.
 *
 * Errors:  BROOD_ECLOSED, BROOD_EINVALID as above.
 * Blocks:  no.
 * Threads: safe.
 * Python:  Barrier.reset().
 */
BROOD_API brood_status brood_barrier_reset(brood_barrier *barrier);

/*
 * For how many it is, how many of them wait now, and whether it is broken. By the time of the
 * answer the last two may have changed.
 *
 * Errors:  none; 0 and true for NULL.
 * Blocks:  no.
 * Threads: safe.
 * Python:  Barrier.parties, Barrier.n_waiting, Barrier.broken.
 */
BROOD_API uint32_t brood_barrier_parties(brood_barrier *barrier);
BROOD_API uint32_t brood_barrier_n_waiting(brood_barrier *barrier);
BROOD_API bool brood_barrier_is_broken(brood_barrier *barrier);

/*
 * Ends one use of the barrier by this process: as many as it was created, and received, times. The
 * last use of the last process frees it. NULL is ignored.
 *
 * Blocks:  no.
 * Threads: safe, but not while another thread uses the same pointer.
 */
BROOD_API void brood_barrier_destroy(brood_barrier *barrier);

/*
 * The barrier as a value, as brood_lock_value; the invalid value on failure.
 *
 * Errors:  BROOD_EINVALID, BROOD_ENOMEM, to be seen in brood_last_error().
 * Threads: safe.
 */
BROOD_API brood_value brood_barrier_value(brood_barrier *barrier);

/*
 * The barrier in a value, borrowed: valid as long as the value is.
 *
 * Errors:  BROOD_ETYPE the value is something else.
 * Threads: as the value.
 */
BROOD_API brood_status brood_get_barrier(const brood_value *value, brood_barrier **barrier);

BROOD_END_DECLS

#endif /* BROOD_BARRIER_H */
