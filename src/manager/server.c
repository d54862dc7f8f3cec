/* manager/server.c - the loop of a server, and its start and end. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "manager/proxy.h"
#include "manager/session.h"
#include "platform/clock.h"
#include "platform/ident.h"

enum { NO_SLOT = (1 << 24) - 1 };

/* ---- types ---- */

static const bri_managed_type *const built_in[] = {
    &bri_list_type,      &bri_dict_type,         &bri_set_type,       &bri_namespace_type,
    &bri_lock_type,      &bri_rlock_type,        &bri_semaphore_type, &bri_bounded_type,
    &bri_condition_type, &bri_event_type,        &bri_barrier_type,   &bri_queue_type,
    &bri_joinable_type,  &bri_value_type,        &bri_array_type,     &bri_iterator_type,
    &bri_pool_type,      &bri_async_result_type,
};

const bri_managed_type *bri_type_find(const bri_server *server, const char *typeid)
{
    const bri_managed_type *const *own = server->options.types;
    for (; own != NULL && *own != NULL; own++)
        if (strcmp((*own)->typeid, typeid) == 0)
            return *own;
    for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++)
        if (strcmp(built_in[i]->typeid, typeid) == 0)
            return built_in[i];
    return NULL;
}

/* ---- start and end ---- */

static void set_defaults(bri_server_options *options)
{
    static const uint64_t gib = UINT64_C(1) << 30;
    if (options->max_sessions == 0)
        options->max_sessions = 4096;
    if (options->max_message == 0)
        options->max_message = gib;
    if (options->max_unread == 0)
        options->max_unread = gib;
    if (options->max_objects == 0)
        options->max_objects = 1 << 20;
}

static brood_status init_server(bri_server *server)
{
    uint64_t random;
    BROOD_TRY(brp_random(&random, sizeof random));
    snprintf(server->prefix, sizeof server->prefix, "%012" PRIx64, random >> 16);
    server->free_slot = NO_SLOT;
    BROOD_TRY(brp_mutex_create(&server->lock));
    return brp_poller_create(&server->poller);
}

brood_status bri_server_create(bri_server **server, const bri_server_options *options)
{
    bri_server *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->options = *options;
    set_defaults(&made->options);
    made->is_everywhere = bri_address_is_wildcard(&made->options.address);
    atomic_init(&made->stopping, false);
    atomic_init(&made->has_suspects, false);
    atomic_init(&made->has_finished_jobs, false);
    brood_status status = init_server(made);
    if (status != BROOD_OK)
        bri_server_destroy(made);
    else
        *server = made;
    return status;
}

/* One that is still listed as runnable is freed in a later round. */
static void free_dead(bri_server *server)
{
    for (bri_session **at = &server->dead; *at != NULL;) {
        bri_session *session = *at;
        if (session->runnable) {
            at = &session->next_dead;
            continue;
        }
        *at = session->next_dead;
        bri_session_free(session);
    }
}

void bri_server_destroy(bri_server *server)
{
    if (server == NULL)
        return;
    for (size_t i = 0; i < server->n_slots; i++)
        if (server->sessions[i] != NULL)
            bri_session_end(server->sessions[i]);
    for (size_t i = 0; i < server->n_adopted; i++)
        brood_connection_close(server->adopted[i]);
    bri_managed_stop(server);
    bri_end_slow(server);
    for (bri_session *session = server->runnable; session != NULL; session = session->next_runnable)
        session->runnable = false;
    free_dead(server);
    bri_clients_clear(server);
    bri_managed_clear(server);
    bri_free(server->sessions);
    bri_free(server->adopted);
    bri_free(server->heap);
    brp_poller_destroy(server->poller);
    brp_mutex_destroy(server->lock);
    brood_value_clear(&server->options.address);
    bri_free(server);
}

/* ---- from other threads ---- */

void bri_server_stop(bri_server *server)
{
    atomic_store(&server->stopping, true);
    brp_poller_wake(server->poller);
}

static brood_status list_adopted(bri_server *server, brood_connection *connection)
{
    brood_connection **adopted = bri_grown(server->adopted, server->n_adopted,
                                           &server->adopted_capacity, sizeof(brood_connection *));
    if (adopted == NULL)
        return BROOD_ENOMEM;
    server->adopted = adopted;
    server->adopted[server->n_adopted++] = connection;
    return BROOD_OK;
}

brood_status bri_server_adopt(bri_server *server, brood_connection *connection)
{
    brp_mutex_lock(server->lock);
    brood_status status = list_adopted(server, connection);
    brp_mutex_unlock(server->lock);
    if (status != BROOD_OK)
        brood_connection_close(connection);
    brp_poller_wake(server->poller);
    return status;
}

static void take_adopted(bri_server *server)
{
    for (;;) {
        brp_mutex_lock(server->lock);
        brood_connection *connection =
            server->n_adopted == 0 ? NULL : server->adopted[--server->n_adopted];
        brp_mutex_unlock(server->lock);
        if (connection == NULL)
            return;
        bri_session_create(server, connection); /* a failure has closed it */
    }
}

/* ---- the loop ---- */

static void serve_key(bri_server *server, uint64_t key)
{
    size_t slot = (size_t)(key & UINT32_MAX);
    if (slot == UINT32_MAX) {
        bri_client_ended(server, key);
        return;
    }
    bri_session *session = slot < server->n_slots ? server->sessions[slot] : NULL;
    if (session != NULL && session->generation == (uint32_t)(key >> 32))
        bri_session_serve(session);
}

static void serve_runnable(bri_server *server)
{
    bri_session *session = server->runnable;
    server->runnable = server->last_runnable = NULL;
    while (session != NULL) {
        bri_session *next = session->next_runnable;
        session->runnable = false;
        if (!session->dead)
            bri_session_serve(session);
        session = next;
    }
}

static void retry_stalled(bri_server *server, int64_t now)
{
    for (bri_session *session = server->stalled, *next; session != NULL; session = next) {
        next = session->next_stalled;
        if (session->retry <= now)
            bri_session_flush(session);
    }
}

/* What is done between two waits. Sessions that ended are freed last: lists may name them until
 * then. */
static void run_round(bri_server *server, const uint64_t *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        serve_key(server, keys[i]);
        bri_managed_sweep(server);
    }
    if (server->n_heap != 0 || server->stalled != NULL) {
        int64_t now = brp_clock_now();
        bri_expire(server, now);
        retry_stalled(server, now);
    }
    serve_runnable(server);
    bri_managed_sweep(server);
    free_dead(server);
}

brood_status bri_server_run(bri_server *server)
{
    enum { AT_ONCE = 64 };
    uint64_t keys[AT_ONCE];
    brood_status status = BROOD_OK;
    while (!atomic_load(&server->stopping) && !server->shut_down) {
        size_t n = 0;
        bri_deadline deadline = server->runnable != NULL ? 0 : bri_next_deadline(server);
        status = brp_poller_wait(server->poller, keys, AT_ONCE, &n, deadline);
        if (status == BROOD_ETIMEDOUT)
            status = BROOD_OK;
        if (status != BROOD_OK)
            break;
        take_adopted(server);
        bri_finish_slow(server);
        run_round(server, keys, n);
    }
    return status;
}
