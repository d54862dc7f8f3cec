/*
 * brood/event.h - a flag that processes wait for. Python: multiprocessing.Event.
 *
 * It can go to any process of the tree, like a lock: see brood/lock.h. Nobody holds an event, so a
 * death changes nothing in it: it stays set or clear, and who waits goes on waiting.
 */
#ifndef BROOD_EVENT_H
#define BROOD_EVENT_H

#include <stdbool.h>

#include <brood/time.h>
#include <brood/value.h>

BROOD_BEGIN_DECLS

typedef struct brood_event brood_event;

/*
 * Makes an event that is clear.
 *
 * Errors:  BROOD_ENOINIT; BROOD_ENOMEM out of memory, also of that which the tree shares.
 * Blocks:  no.
 * Threads: safe.
 * Fork:    the child has the event too, under the same pointer.
 * Python:  multiprocessing.Event().
 */
BROOD_API brood_status brood_event_create(brood_event **event);

/*
 * Waits until the event is set. One that is set and cleared again at once still ends the wait of
 * everybody who waited before.
 *
 * Errors:  BROOD_ETIMEDOUT it was not set (time-out 0: looks once); BROOD_ECLOSED it ended while
 *          this process was forked; BROOD_EINVALID.
 * Blocks:  up to `timeout` milliseconds.
 * Threads: safe; any number of threads and processes at once.
 * Python:  Event.wait(timeout), which may miss an event that is cleared again at once.
 */
BROOD_API brood_status brood_event_wait(brood_event *event, brood_ms timeout);

/*
 * Sets the event, which wakes everybody who waits, or clears it.
 *
 * Errors:  BROOD_ECLOSED, BROOD_EINVALID as above.
 * Blocks:  no.
 * Threads: safe. Who is killed inside has either set it, and then all are woken, or not.
 * Python:  Event.set(), Event.clear().
 */
BROOD_API brood_status brood_event_set(brood_event *event);
BROOD_API brood_status brood_event_clear(brood_event *event);

/*
 * Whether the event is set now.
 *
 * Errors:  none; false for NULL.
 * Blocks:  no.
 * Threads: safe.
 * Python:  Event.is_set().
 */
BROOD_API bool brood_event_is_set(brood_event *event);

/*
 * Ends one use of the event by this process: as many as it was created, and received, times. The
 * last use of the last process frees it. NULL is ignored.
 *
 * Blocks:  no.
 * Threads: safe, but not while another thread uses the same pointer.
 */
BROOD_API void brood_event_destroy(brood_event *event);

/*
 * The event as a value, as brood_lock_value; the invalid value on failure.
 *
 * Errors:  BROOD_EINVALID, BROOD_ENOMEM, to be seen in brood_last_error().
 * Threads: safe.
 */
BROOD_API brood_value brood_event_value(brood_event *event);

/*
 * The event in a value, borrowed: valid as long as the value is.
 *
 * Errors:  BROOD_ETYPE the value is something else.
 * Threads: as the value.
 */
BROOD_API brood_status brood_get_event(const brood_value *value, brood_event **event);

BROOD_END_DECLS

#endif /* BROOD_EVENT_H */
