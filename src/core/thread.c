/* core/thread.c - see the header. */
#include "core/thread.h"

#include <stdatomic.h>
#include <stdbool.h>

#include <apr_allocator.h>
#include <apr_general.h>
#include <apr_thread_proc.h>

#include "base/memory.h"
#include "platform/clock.h"

struct bri_thread {
    apr_thread_t *apr;
    apr_pool_t *pool; /* APR destroys what a thread has with its pool, so each has its own */
    apr_allocator_t *allocator;
    void (*run)(void *context);
    void *context;
};

static struct {
    brp_mutex *mutex; /* for its start */
    bool started;
} portable;

static atomic_int own_threads;

/* The gate: helpers inside are counted; a closed gate lets nobody in. */
static struct {
    brp_mutex *mutex;
    brp_condition *changed;
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
    if (gate.changed != NULL)
        return BROOD_OK;
    if (portable.mutex == NULL)
        BROOD_TRY(brp_mutex_create(&portable.mutex));
    if (gate.mutex == NULL)
        BROOD_TRY(brp_mutex_create(&gate.mutex));
    return brp_condition_create(&gate.changed);
}

brood_status bri_apr_start(void)
{
    brp_mutex_lock(portable.mutex);
    apr_status_t code = portable.started ? APR_SUCCESS : apr_initialize();
    portable.started = code == APR_SUCCESS;
    brp_mutex_unlock(portable.mutex);
    return code == APR_SUCCESS ? BROOD_OK : fail_apr(code, "the portable runtime ready");
}

/* A thread that is being made counts as inside the gate: the C library, and more so a sanitizer,
 * has locks of its own while it begins. Not by bri_gate_enter, because its maker may be inside. */
static void count_beginning(int change)
{
    brp_mutex_lock(gate.mutex);
    gate.inside += change;
    brp_condition_broadcast(gate.changed);
    brp_mutex_unlock(gate.mutex);
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
    BROOD_TRY(bri_apr_start());
    bri_thread *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->run = run;
    made->context = context;
    apr_status_t code = apr_pool_create_unmanaged_ex(&made->pool, NULL, NULL);
    if (code == APR_SUCCESS) {
        made->allocator = apr_pool_allocator_get(made->pool);
        atomic_fetch_add(&own_threads, 1);
        count_beginning(1);
        code = apr_thread_create(&made->apr, NULL, run_thread, made, made->pool);
        if (code != APR_SUCCESS) {
            count_beginning(-1);
            atomic_fetch_sub(&own_threads, 1);
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
    atomic_fetch_sub(&own_threads, 1); /* not before: the system counts it until it is quite gone */
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
    return atomic_load(&own_threads);
}

/* Inside a closed gate there are only threads that begin; these need nothing but its mutex for it.
 */
void bri_threads_lock(void)
{
    brp_mutex_lock(gate.mutex);
    while (gate.inside != 0)
        brp_condition_wait(gate.changed, gate.mutex, BRI_NEVER);
    brp_mutex_lock(portable.mutex);
}

void bri_threads_unlock(void)
{
    brp_mutex_unlock(portable.mutex);
    brp_mutex_unlock(gate.mutex);
}

void bri_gate_enter(void)
{
    brp_mutex_lock(gate.mutex);
    while (gate.closed)
        brp_condition_wait(gate.changed, gate.mutex, BRI_NEVER);
    gate.inside++;
    brp_mutex_unlock(gate.mutex);
}

void bri_gate_leave(void)
{
    brp_mutex_lock(gate.mutex);
    gate.inside--;
    brp_condition_broadcast(gate.changed);
    brp_mutex_unlock(gate.mutex);
}

/* The mutex is not kept: who starts a thread takes it below other locks. */
void bri_gate_close(void)
{
    brp_mutex_lock(gate.mutex);
    gate.closed = true;
    while (gate.inside != 0)
        brp_condition_wait(gate.changed, gate.mutex, BRI_NEVER);
    brp_mutex_unlock(gate.mutex);
}

void bri_gate_open(void)
{
    brp_mutex_lock(gate.mutex);
    gate.closed = false;
    brp_condition_broadcast(gate.changed);
    brp_mutex_unlock(gate.mutex);
}

void bri_gate_reset(void)
{
    atomic_store(&own_threads, 0);
    brp_condition_reset(gate.changed);
    gate.closed = false;
    gate.inside = 0;
}
