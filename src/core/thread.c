/* core/thread.c - see the header. */
#include "core/thread.h"

#include <stdatomic.h>
#include <stdbool.h>

#include <apr_allocator.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "base/memory.h"
#include "platform/clock.h"

struct bri_mutex {
    apr_thread_mutex_t *apr;
    bri_mutex *next; /* while on the free list */
};

struct bri_condition {
    apr_thread_cond_t *apr;
    bri_condition *next;
};

struct bri_thread {
    apr_thread_t *apr;
    apr_pool_t *pool; /* APR destroys what a thread has with its pool, so each has its own */
    apr_allocator_t *allocator;
    void (*run)(void *context);
    void *context;
};

/* Everything here but `own` is guarded by `guard`. A pool's allocator is known here too because the
 * pool itself is in memory where leak checkers do not look for pointers. */
static struct {
    apr_pool_t *pool;
    apr_allocator_t *allocator;
    apr_thread_mutex_t *guard;
    bri_mutex *free_mutexes;
    bri_condition *free_conditions;
    size_t n_free_conditions;
    atomic_int own;
} threads;

/* The gate: helpers inside are counted; a closed gate lets nobody in. */
static struct {
    bri_mutex *mutex;
    bri_condition *changed;
    int inside;
    bool closed;
} gate;

static brood_status fail_apr(apr_status_t code, const char *what)
{
    char reason[120];
    apr_strerror(code, reason, sizeof reason);
    return bri_fail(APR_STATUS_IS_ENOMEM(code) ? BROOD_ENOMEM : BROOD_EOS, "could not make %s: %s",
                    what, reason);
}

brood_status bri_threads_init(void)
{
    if (threads.pool != NULL)
        return BROOD_OK;
    apr_pool_t *pool;
    apr_status_t code = apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    if (code != APR_SUCCESS)
        return fail_apr(code, "a memory pool");
    code = apr_thread_mutex_create(&threads.guard, APR_THREAD_MUTEX_DEFAULT, pool);
    if (code != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return fail_apr(code, "a mutex");
    }
    threads.pool = pool;
    threads.allocator = apr_pool_allocator_get(pool);
    BROOD_TRY(bri_mutex_create(&gate.mutex));
    return bri_condition_create(&gate.changed);
}

brood_status bri_mutex_create(bri_mutex **mutex)
{
    apr_thread_mutex_lock(threads.guard);
    bri_mutex *made = threads.free_mutexes;
    apr_status_t code = APR_SUCCESS;
    if (made != NULL) {
        threads.free_mutexes = made->next;
    } else {
        made = apr_pcalloc(threads.pool, sizeof *made);
        code = made == NULL
                   ? APR_ENOMEM
                   : apr_thread_mutex_create(&made->apr, APR_THREAD_MUTEX_DEFAULT, threads.pool);
    }
    apr_thread_mutex_unlock(threads.guard);
    if (code != APR_SUCCESS)
        return fail_apr(code, "a mutex");
    *mutex = made;
    return BROOD_OK;
}

/* A checker of the order of locks takes a mutex that is used again for the same lock: in builds for
 * it (BROOD_FRESH_MUTEXES) each is used once, and what remains of it stays in the pool. */
void bri_mutex_destroy(bri_mutex *mutex)
{
    if (mutex == NULL)
        return;
    apr_thread_mutex_lock(threads.guard);
#ifdef BROOD_FRESH_MUTEXES
    apr_thread_mutex_destroy(mutex->apr);
#else
    mutex->next = threads.free_mutexes;
    threads.free_mutexes = mutex;
#endif
    apr_thread_mutex_unlock(threads.guard);
}

void bri_mutex_lock(bri_mutex *mutex)
{
    apr_thread_mutex_lock(mutex->apr);
}

void bri_mutex_unlock(bri_mutex *mutex)
{
    apr_thread_mutex_unlock(mutex->apr);
}

brood_status bri_condition_create(bri_condition **condition)
{
    apr_thread_mutex_lock(threads.guard);
    bri_condition *made = threads.free_conditions;
    apr_status_t code = APR_SUCCESS;
    if (made != NULL) {
        threads.free_conditions = made->next;
        threads.n_free_conditions--;
    } else {
        made = apr_pcalloc(threads.pool, sizeof *made);
        code = made == NULL ? APR_ENOMEM : apr_thread_cond_create(&made->apr, threads.pool);
    }
    apr_thread_mutex_unlock(threads.guard);
    if (code != APR_SUCCESS)
        return fail_apr(code, "a condition");
    *condition = made;
    return BROOD_OK;
}

void bri_condition_destroy(bri_condition *condition)
{
    if (condition == NULL)
        return;
    apr_thread_mutex_lock(threads.guard);
    condition->next = threads.free_conditions;
    threads.free_conditions = condition;
    threads.n_free_conditions++;
    apr_thread_mutex_unlock(threads.guard);
}

size_t bri_condition_spares(void)
{
    apr_thread_mutex_lock(threads.guard);
    size_t n = threads.n_free_conditions;
    apr_thread_mutex_unlock(threads.guard);
    return n;
}

brood_status bri_condition_wait(bri_condition *condition, bri_mutex *mutex, bri_deadline deadline)
{
    if (deadline == BRI_NEVER) {
        apr_thread_cond_wait(condition->apr, mutex->apr);
        return BROOD_OK;
    }
    int64_t left = bri_deadline_left(deadline, brp_clock_now());
    if (left == 0)
        return BROOD_ETIMEDOUT;
    /* A slice at a time: APR's deadline is on the wall clock, and a jump of it may cost one slice
     * at most. */
    int64_t slice = left < 1000000000 ? left : 1000000000;
    apr_status_t code = apr_thread_cond_timedwait(condition->apr, mutex->apr, slice / 1000 + 1);
    return APR_STATUS_IS_TIMEUP(code) && bri_deadline_left(deadline, brp_clock_now()) == 0
               ? BROOD_ETIMEDOUT
               : BROOD_OK;
}

void bri_condition_signal(bri_condition *condition)
{
    apr_thread_cond_signal(condition->apr);
}

void bri_condition_broadcast(bri_condition *condition)
{
    apr_thread_cond_broadcast(condition->apr);
}

/* A thread that is being made counts as inside the gate: the C library, and more so a sanitizer,
 * has locks of its own while it begins. Not by bri_gate_enter, because its maker may be inside. */
static void count_beginning(int change)
{
    bri_mutex_lock(gate.mutex);
    gate.inside += change;
    bri_condition_broadcast(gate.changed);
    bri_mutex_unlock(gate.mutex);
}

static void *APR_THREAD_FUNC run_thread(apr_thread_t *apr, void *argument)
{
    bri_thread *thread = argument;
    (void)apr;
    count_beginning(-1);
    /* With mingw-w64 the first use of a thread's own variables takes two handles. Now, not at the
     * first failure, where they would look like a leak. */
    (void)brood_last_error();
    thread->run(thread->context);
    return NULL;
}

brood_status bri_thread_start(bri_thread **thread, void (*run)(void *context), void *context)
{
    bri_thread *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->run = run;
    made->context = context;
    apr_status_t code = apr_pool_create_unmanaged_ex(&made->pool, NULL, NULL);
    if (code == APR_SUCCESS) {
        made->allocator = apr_pool_allocator_get(made->pool);
        atomic_fetch_add(&threads.own, 1);
        count_beginning(1);
        code = apr_thread_create(&made->apr, NULL, run_thread, made, made->pool);
        if (code != APR_SUCCESS) {
            count_beginning(-1);
            atomic_fetch_sub(&threads.own, 1);
        }
    }
    if (code != APR_SUCCESS) {
        bri_thread_forget(made);
        return fail_apr(code, "a thread");
    }
    *thread = made;
    return BROOD_OK;
}

void bri_thread_join(bri_thread *thread)
{
    if (thread == NULL)
        return;
    apr_status_t result;
    apr_thread_join(&result, thread->apr);
    atomic_fetch_sub(&threads.own, 1); /* not before: the system counts it until it is quite gone */
    bri_thread_forget(thread);
}

void bri_thread_forget(bri_thread *thread)
{
    if (thread == NULL)
        return;
    if (thread->pool != NULL)
        apr_pool_destroy(thread->pool);
    bri_free(thread);
}

int bri_thread_count(void)
{
    return atomic_load(&threads.own);
}

/* Inside a closed gate there are only threads that begin; these need nothing but its mutex for it.
 */
void bri_threads_lock(void)
{
    bri_mutex_lock(gate.mutex);
    while (gate.inside != 0)
        bri_condition_wait(gate.changed, gate.mutex, BRI_NEVER);
    apr_thread_mutex_lock(threads.guard);
}

void bri_threads_unlock(void)
{
    apr_thread_mutex_unlock(threads.guard);
    bri_mutex_unlock(gate.mutex);
}

void bri_gate_enter(void)
{
    bri_mutex_lock(gate.mutex);
    while (gate.closed)
        bri_condition_wait(gate.changed, gate.mutex, BRI_NEVER);
    gate.inside++;
    bri_mutex_unlock(gate.mutex);
}

void bri_gate_leave(void)
{
    bri_mutex_lock(gate.mutex);
    gate.inside--;
    bri_condition_broadcast(gate.changed);
    bri_mutex_unlock(gate.mutex);
}

/* The mutex is not kept: who starts a thread takes it below other locks. */
void bri_gate_close(void)
{
    bri_mutex_lock(gate.mutex);
    gate.closed = true;
    while (gate.inside != 0)
        bri_condition_wait(gate.changed, gate.mutex, BRI_NEVER);
    bri_mutex_unlock(gate.mutex);
}

void bri_gate_open(void)
{
    bri_mutex_lock(gate.mutex);
    gate.closed = false;
    bri_condition_broadcast(gate.changed);
    bri_mutex_unlock(gate.mutex);
}

void bri_gate_reset(void)
{
    atomic_store(&threads.own, 0);
    /* The condition may remember waiters that do not exist here: a fresh one takes its place. */
    bri_condition *fresh = NULL;
    if (bri_condition_create(&fresh) == BROOD_OK)
        gate.changed = fresh;
    gate.closed = false;
    gate.inside = 0;
}
