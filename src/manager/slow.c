/*
 * manager/slow.c - methods of a program's own types that may take long: each call on a thread of
 * its own, its session parked meanwhile.
 *
 * The thread has all it needs in its job and touches nothing else of the server. When the session
 * ends before the method does, the job loses its waiter and its result is dropped.
 */
#include <brood/manager.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/thread.h"
#include "manager/session.h"
#include "manager/types.h"
#include "proc/call.h"

enum { MOST_JOBS = 256 };

typedef struct job {
    bri_job_link link;
    bri_server *server;
    bri_managed *object; /* pinned */
    bri_waiter *waiter;  /* NULL: the session has ended */
    bri_thread *thread;
    brood_function run;
    void *state;
    brood_value args, kwds;
    bri_outcome outcome;
} job;

static void run_job(void *context)
{
    job *j = context;
    bri_server *server = j->server;
    bri_call_run_on(j->run, j->state, brood_value_take(&j->args), brood_value_take(&j->kwds),
                    &j->outcome);
    brp_mutex_lock(server->lock);
    j->link.finished = true;
    atomic_store(&server->has_finished_jobs, true);
    brp_mutex_unlock(server->lock);
    brp_poller_wake(server->poller);
}

static void abandon_job(bri_waiter *waiter)
{
    for (bri_job_link *at = waiter->session->server->jobs; at != NULL; at = at->next)
        if (((job *)(void *)at)->waiter == waiter)
            ((job *)(void *)at)->waiter = NULL;
}

/* Never happens: such calls have no deadline. */
static void expire_job(bri_waiter *waiter)
{
    (void)waiter;
}

static void free_job(job *j)
{
    bri_managed_unpin(j->object);
    brood_value_clear(&j->args);
    brood_value_clear(&j->kwds);
    bri_outcome_clear(&j->outcome);
    bri_free(j);
}

brood_status bri_run_slow(bri_invocation *call)
{
    bri_server *server = call->server;
    const brood_method *method = call->method->extra;
    if (server->n_jobs >= MOST_JOBS)
        return bri_raise(call, "RuntimeError", "the server runs %d slow methods, the most",
                         MOST_JOBS);
    job *j = bri_calloc(1, sizeof *j);
    if (j == NULL)
        return BROOD_ENOMEM;
    brood_status status = bri_park_call(call, &server->slow, BRI_NEVER, expire_job);
    if (status != BROOD_OK) {
        bri_free(j);
        return status;
    }
    brood_value kwds = brood_value_take(&call->kwds);
    bri_managed_pin(call->object);
    j->server = server;
    j->object = call->object;
    j->waiter = &call->session->waiter;
    j->waiter->abandon = abandon_job;
    j->run = method->run;
    j->state = call->state;
    j->args = brood_value_take(&call->args);
    j->kwds = kwds.kind == BROOD_DICT ? kwds : brood_dict();
    status = bri_thread_start(&j->thread, run_job, j);
    if (status != BROOD_OK) {
        free_job(j);
        bri_settle_error(&call->session->waiter, "RuntimeError", brood_last_error()->message);
        return BROOD_OK;
    }
    j->link.next = server->jobs;
    server->jobs = &j->link;
    server->n_jobs++;
    return BROOD_OK;
}

/* The next one that has finished, taken out of the list. */
static job *take_finished(bri_server *server)
{
    job *found = NULL;
    brp_mutex_lock(server->lock);
    for (bri_job_link **at = &server->jobs; *at != NULL && found == NULL;) {
        if ((*at)->finished) {
            found = (job *)(void *)*at;
            *at = found->link.next;
        } else {
            at = &(*at)->next;
        }
    }
    if (found == NULL)
        atomic_store(&server->has_finished_jobs, false);
    brp_mutex_unlock(server->lock);
    return found;
}

static void finish(bri_server *server, job *j)
{
    bri_thread_join(j->thread);
    server->n_jobs--;
    if (j->waiter != NULL && j->outcome.failed)
        bri_settle_failure(j->waiter, brood_value_take(&j->outcome.error));
    else if (j->waiter != NULL)
        bri_settle(j->waiter, brood_value_take(&j->outcome.result));
    free_job(j);
}

void bri_finish_slow(bri_server *server)
{
    if (!atomic_load_explicit(&server->has_finished_jobs, memory_order_relaxed))
        return;
    for (job *j; (j = take_finished(server)) != NULL;)
        finish(server, j);
}

void bri_end_slow(bri_server *server)
{
    while (server->jobs != NULL) {
        job *j = (job *)(void *)server->jobs;
        server->jobs = j->link.next;
        j->waiter = NULL;
        finish(server, j);
    }
}
