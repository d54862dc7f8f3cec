/*
 * core/thread.h - brood's own helper threads, which are APR's.
 *
 * fork() copies only the calling thread, so no helper thread may be inside brood's data at that
 * moment. Each therefore works only between bri_gate_enter and bri_gate_leave and waits only
 * outside; fork closes the gate first (bri_gate_close).
 */
#ifndef BRI_THREAD_H
#define BRI_THREAD_H

#include "base/deadline.h"
#include "base/error.h"
#include "platform/lock.h"

/* Starts APR, where it is needed first: threads and directories. Not in brood_init: see
 * platform/lock.h. */
brood_status bri_apr_start(void);

/* A helper thread. `run` starts outside of the gate. */
typedef struct bri_thread bri_thread;
brood_status bri_thread_start(bri_thread **thread, void (*run)(void *context), void *context);
/* Waits for its end and frees it. NULL is ignored. */
void bri_thread_join(bri_thread *thread);
/* Frees it without waiting: in a forked child, where the thread does not exist. */
void bri_thread_forget(bri_thread *thread);
/* Helper threads of brood's that were started and not yet joined. */
int bri_thread_count(void);

/* The gate, see above. enter blocks while a fork is under way; not recursive. */
void bri_gate_enter(void);
void bri_gate_leave(void);
/* Waits until no helper is inside and keeps them out; then open again (parent), or reset (child: no
 * helper exists any more). The caller must not be inside. */
void bri_gate_close(void);
void bri_gate_open(void);
void bri_gate_reset(void);

/* With the gate closed: keeps everybody out of the making of threads, and out of the gate's own
 * code, for the moment of a fork. Taken last, after the locks that may be held while one is made;
 * the child gives it back before it resets the gate. */
void bri_threads_lock(void);
void bri_threads_unlock(void);

/* Called by the runtime. */
brood_status bri_threads_init(void);

#endif /* BRI_THREAD_H */
