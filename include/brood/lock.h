/*
 * brood/lock.h - a mutual-exclusion lock shared by processes. Python: multiprocessing.Lock, with
 * one addition: when the process that holds it dies, the next to acquire it is told.
 */
#ifndef BROOD_LOCK_H
#define BROOD_LOCK_H

#include <stdbool.h>

#include <brood/time.h>
#include <brood/value.h>

BROOD_BEGIN_DECLS

typedef struct brood_lock brood_lock;

BROOD_API brood_status brood_lock_create(brood_lock **lock);

/* BROOD_OK and BROOD_EOWNERDIED both mean: held now. BROOD_EOWNERDIED, once a death: what it
 * protects may be half-written. BROOD_ETIMEDOUT. */
BROOD_API brood_status brood_lock_acquire(brood_lock *lock, brood_ms timeout);
/* By any process or thread, as in Python. BROOD_ESTATE when it is free. */
BROOD_API brood_status brood_lock_release(brood_lock *lock);
BROOD_API bool brood_lock_is_locked(brood_lock *lock);
/* Ends this process's use; the last one frees it. */
BROOD_API void brood_lock_destroy(brood_lock *lock);

BROOD_API brood_value brood_lock_value(brood_lock *lock);
BROOD_API brood_status brood_get_lock(const brood_value *value, brood_lock **lock);

BROOD_END_DECLS

#endif /* BROOD_LOCK_H */
