/*
 * brood/proxy.h - the built-in types of managers with C's types: what brood_proxy_call can do too.
 *
 * All functions call one method of the object at the server, and have the errors that
 * brood/manager.h tells; BROOD_ENOTFOUND and BROOD_ETASK when the object is not of a type that has
 * the method. Values are moved in, also on failure. Results that are given out belong to the
 * caller.
 *
 * Blocks:  until the server answers; those with a time-out up to so many milliseconds more.
 * Threads: safe.
 */
#ifndef BROOD_PROXY_H
#define BROOD_PROXY_H

#include <brood/manager.h>

BROOD_BEGIN_DECLS

/* ---- list, dict, set, Array ---- */

/* len(object) */
BROOD_API brood_status brood_proxy_length(brood_proxy *proxy, int64_t *length);
/* item in object */
BROOD_API brood_status brood_proxy_contains(brood_proxy *proxy, brood_value item, bool *contains);

/* object[key]: BROOD_ENOTFOUND (dict) or BROOD_ERANGE (list) if it is not there. Negative indices
 * count from the end. */
BROOD_API brood_status brood_proxy_get_item(brood_proxy *proxy, brood_value key, brood_value *item);
BROOD_API brood_status brood_proxy_set_item(brood_proxy *proxy, brood_value key, brood_value item);
BROOD_API brood_status brood_proxy_del_item(brood_proxy *proxy, brood_value key);

BROOD_API brood_status brood_proxy_append(brood_proxy *list, brood_value item);
BROOD_API brood_status brood_proxy_extend(brood_proxy *list, brood_value items);
BROOD_API brood_status brood_proxy_insert(brood_proxy *list, int64_t index, brood_value item);
/* pop(key): an index of a list, a key of a dict; a zero value: list.pop(), set.pop(). */
BROOD_API brood_status brood_proxy_pop(brood_proxy *proxy, brood_value key, brood_value *item);

/* dict.update, set.update */
BROOD_API brood_status brood_proxy_update(brood_proxy *proxy, brood_value other);
/* Lists of the keys, the items, and of (key, item) of a dict. */
BROOD_API brood_status brood_proxy_keys(brood_proxy *dict, brood_value *keys);
BROOD_API brood_status brood_proxy_values(brood_proxy *dict, brood_value *values);
BROOD_API brood_status brood_proxy_items(brood_proxy *dict, brood_value *items);
BROOD_API brood_status brood_proxy_add(brood_proxy *set, brood_value item);
BROOD_API brood_status brood_proxy_discard(brood_proxy *set, brood_value item);

/* dict.clear(), set.clear(), Event.clear() */
BROOD_API brood_status brood_proxy_clear(brood_proxy *proxy);

/* The whole object as it is at one moment: a list, a dict, a set; of other types what Python would
 * unpickle. Python: _getvalue(). */
BROOD_API brood_status brood_proxy_snapshot(brood_proxy *proxy, brood_value *value);

/* ---- Namespace, Value ---- */

/* BROOD_ENOTFOUND if there is no such attribute. */
BROOD_API brood_status brood_proxy_get_attr(brood_proxy *names, const char *name,
                                            brood_value *value);
BROOD_API brood_status brood_proxy_set_attr(brood_proxy *names, const char *name,
                                            brood_value value);
BROOD_API brood_status brood_proxy_del_attr(brood_proxy *names, const char *name);

/* Value.get(), Value.set() */
BROOD_API brood_status brood_proxy_get_value(brood_proxy *proxy, brood_value *value);
BROOD_API brood_status brood_proxy_set_value(brood_proxy *proxy, brood_value value);

/* ---- Lock, RLock, Semaphore, BoundedSemaphore, Condition ---- */

/* BROOD_ETIMEDOUT if it was not free in time; a time-out of 0 does not wait. */
BROOD_API brood_status brood_proxy_acquire(brood_proxy *lock, brood_ms timeout);
BROOD_API brood_status brood_proxy_release(brood_proxy *lock);

/* Condition.wait(): BROOD_ETIMEDOUT if nobody notified; the lock is held again in both cases.
 * Event.wait(): BROOD_ETIMEDOUT if it was not set. */
BROOD_API brood_status brood_proxy_wait(brood_proxy *proxy, brood_ms timeout);
BROOD_API brood_status brood_proxy_notify(brood_proxy *condition, int64_t n);
BROOD_API brood_status brood_proxy_notify_all(brood_proxy *condition);

/* ---- Event, Barrier ---- */

BROOD_API brood_status brood_proxy_set(brood_proxy *event);
BROOD_API brood_status brood_proxy_is_set(brood_proxy *event, bool *is_set);

/* Barrier.wait(): `index` (may be NULL) is 0 for the first that came. BROOD_EBROKEN when it is
 * broken, or gets so while this party waits; a time-out breaks it for all. */
BROOD_API brood_status brood_proxy_meet(brood_proxy *barrier, int64_t *index, brood_ms timeout);
BROOD_API brood_status brood_proxy_abort(brood_proxy *barrier);
BROOD_API brood_status brood_proxy_reset(brood_proxy *barrier);

/* ---- Queue, JoinableQueue ---- */

/* BROOD_EFULL and BROOD_EEMPTY when the time is up. */
BROOD_API brood_status brood_proxy_put(brood_proxy *queue, brood_value item, brood_ms timeout);
BROOD_API brood_status brood_proxy_get(brood_proxy *queue, brood_value *item, brood_ms timeout);
BROOD_API brood_status brood_proxy_qsize(brood_proxy *queue, int64_t *size);
BROOD_API brood_status brood_proxy_task_done(brood_proxy *queue);
/* Waits until all items are done. */
BROOD_API brood_status brood_proxy_join(brood_proxy *queue);

/*
 * ---- Beyond Python ---- (brood's servers only: elsewhere BROOD_ETASK)
 *
 * A path is a tuple or list of keys and indices that leads into containers within containers, and
 * on into other objects of the server; a zero value is the object's own value. At most 64 steps.
 */

/* Adds to the number at the path, in one step; a missing key of a dict counts as 0. `sum` may be
 * NULL. */
BROOD_API brood_status brood_proxy_incr(brood_proxy *proxy, int64_t by, brood_value path,
                                        int64_t *sum);

/* Puts `value` in the place if what is there equals `expected`; none as `expected` stands for a
 * missing key too. `done` tells. */
BROOD_API brood_status brood_proxy_compare_and_set(brood_proxy *proxy, brood_value path,
                                                   brood_value expected, brood_value value,
                                                   bool *done);

BROOD_API brood_status brood_proxy_get_path(brood_proxy *proxy, brood_value path,
                                            brood_value *value);
BROOD_API brood_status brood_proxy_set_path(brood_proxy *proxy, brood_value path,
                                            brood_value value);
BROOD_API brood_status brood_proxy_del_path(brood_proxy *proxy, brood_value path);

/* Calls a method of the list, dict or set at the path, where it is: d["a"]["b"].append(1). `result`
 * may be NULL. */
BROOD_API brood_status brood_proxy_call_at(brood_proxy *proxy, brood_value path, const char *method,
                                           brood_value args, brood_value *result);

/* One call of a batch: a value for the list of brood_proxy_batch. Invalid on failure. */
BROOD_API brood_value brood_batch_call(const brood_proxy *proxy, const char *method,
                                       brood_value args);

/*
 * Does several calls, of any objects of the server, in one request, with nothing in between:
 * `calls` is a list of what brood_batch_call gives. `results` gets the list of their results; the
 * first that raises ends it, and its exception is the function's: BROOD_ETASK and so on, with
 * nothing stored. What was done before it stays done. Calls that would wait raise RuntimeError.
 */
BROOD_API brood_status brood_proxy_batch(brood_proxy *proxy, brood_value calls,
                                         brood_value *results);

BROOD_END_DECLS

#endif /* BROOD_PROXY_H */
