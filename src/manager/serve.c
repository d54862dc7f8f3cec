/*
 * manager/serve.c - a server with a listener: in this process, or in a child of it.
 *
 * One thread takes clients that have proved the key from the listener and gives them to the loop.
 */
#include "manager/serve.h"

#include <string.h>

#include <brood/listener.h>
#include <brood/process.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/registry.h"
#include "core/runtime.h"
#include "core/thread.h"
#include "manager/proxy.h"
#include "manager/server.h"
#include "manager/types.h"
#include "platform/clock.h"

struct brood_manager_server {
    brood_listener *listener;
    bri_server *server;
    bri_thread *acceptor;
    brp_mutex *lock;
    brp_condition *pause; /* for when there are no handles */
    atomic_bool closing;
};

/* ---- accepting ---- */

/* No handles are left: somebody has to go first. */
static void wait_a_moment(brood_manager_server *server)
{
    enum { MOMENT = 20 };
    brp_mutex_lock(server->lock);
    if (!atomic_load(&server->closing))
        brp_condition_wait(server->pause, server->lock,
                           bri_deadline_after(brp_clock_now(), MOMENT));
    brp_mutex_unlock(server->lock);
}

static void accept_clients(void *context)
{
    brood_manager_server *server = context;
    while (!atomic_load(&server->closing)) {
        brood_connection *connection;
        brood_status status = brood_listener_accept(server->listener, &connection, BROOD_FOREVER);
        if (status == BROOD_OK)
            bri_server_adopt(server->server, connection);
        else if (status == BROOD_ECLOSED)
            return;
        else if (status != BROOD_EAUTH)
            wait_a_moment(server);
    }
}

/* ---- in this process ---- */

static brood_status own_key(const brood_manager_options *options, const void **key, size_t *size)
{
    if (options->authkey == NULL)
        return brood_process_authkey(brood_current_process(), key, size);
    *key = options->authkey;
    *size = options->authkey_size;
    return BROOD_OK;
}

static brood_status open_listener(brood_manager_server *server,
                                  const brood_manager_options *options)
{
    brood_listener_options listening = {.max_message = options->max_message};
    BROOD_TRY(own_key(options, &listening.authkey, &listening.authkey_size));
    return brood_listener_create(&server->listener, options->address, &listening);
}

static brood_status open_server(brood_manager_server *server, const brood_manager_options *options)
{
    BROOD_TRY(brp_mutex_create(&server->lock));
    BROOD_TRY(brp_condition_create(&server->pause));
    BROOD_TRY(open_listener(server, options));
    bri_server_options serving = {.max_sessions = options->max_clients,
                                  .max_objects = options->max_objects,
                                  .max_message = options->max_message,
                                  .max_unread = options->max_message,
                                  .max_bytes = options->max_bytes,
                                  .max_stored = options->max_stored,
                                  .max_client_sessions = options->max_client_sessions,
                                  .max_client_objects = options->max_client_objects,
                                  .max_client_bytes = options->max_client_bytes,
                                  .max_client_stored = options->max_client_stored,
                                  .address =
                                      bri_wire_address(brood_listener_address(server->listener)),
                                  .types = bri_registered_types()};
    BROOD_TRY(bri_server_create(&server->server, &serving));
    return bri_thread_start(&server->acceptor, accept_clients, server);
}

brood_status brood_manager_get_server(brood_manager_server **server,
                                      const brood_manager_options *options)
{
    static const brood_manager_options defaults;
    if (server == NULL)
        return bri_fail(BROOD_EINVALID, "could not make a server: NULL is no place for it");
    BROOD_TRY(bri_runtime_check("make a manager's server"));
    brood_manager_server *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    atomic_init(&made->closing, false);
    brood_status status = open_server(made, options == NULL ? &defaults : options);
    if (status != BROOD_OK)
        brood_manager_server_close(made);
    else
        *server = made;
    return status;
}

const char *brood_manager_server_address(const brood_manager_server *server)
{
    return server == NULL ? "" : brood_listener_address(server->listener);
}

brood_status brood_manager_serve_forever(brood_manager_server *server)
{
    if (server == NULL)
        return bri_fail(BROOD_EINVALID, "could not serve: NULL is no server");
    return bri_server_run(server->server);
}

void brood_manager_server_stop(brood_manager_server *server)
{
    if (server != NULL)
        bri_server_stop(server->server);
}

static void end_acceptor(brood_manager_server *server)
{
    if (server->acceptor == NULL)
        return;
    brp_mutex_lock(server->lock);
    atomic_store(&server->closing, true);
    brp_condition_broadcast(server->pause);
    brp_mutex_unlock(server->lock);
    brood_listener_shutdown(server->listener);
    bri_thread_join(server->acceptor);
}

void brood_manager_server_close(brood_manager_server *server)
{
    bri_saved_error saved;
    if (server == NULL)
        return;
    bri_error_save(&saved);
    end_acceptor(server);
    brood_listener_close(server->listener);
    bri_server_destroy(server->server);
    brp_condition_destroy(server->pause);
    brp_mutex_destroy(server->lock);
    bri_free(server);
    bri_error_restore(&saved);
}

/* ---- in a child ---- */

static brood_value pack_limits(const brood_manager_options *options)
{
    return brood_pack("(uuuuuuuuu)", (uint64_t)options->max_clients, (uint64_t)options->max_objects,
                      options->max_message, options->max_bytes,
                      (uint64_t)options->max_client_sessions, (uint64_t)options->max_client_objects,
                      options->max_client_bytes, options->max_stored, options->max_client_stored);
}

static brood_status unpack_limits(const brood_value *limits, brood_manager_options *options)
{
    uint64_t clients, objects, sessions, own;
    BROOD_TRY(brood_unpack(limits, "(uuuuuuuuu)", &clients, &objects, &options->max_message,
                           &options->max_bytes, &sessions, &own, &options->max_client_bytes,
                           &options->max_stored, &options->max_client_stored));
    options->max_clients = (size_t)clients;
    options->max_objects = (size_t)objects;
    options->max_client_sessions = (size_t)sessions;
    options->max_client_objects = (size_t)own;
    return BROOD_OK;
}

/* The child's function: (address or none, key, limits, the connection on which to tell the
 * address).
 */
static brood_status serve_child(brood_call *call)
{
    const brood_value *told, *limits;
    const void *key;
    brood_connection *connection;
    brood_manager_options options = {0};
    brood_manager_server *server;
    BROOD_TRY(brood_call_args(call, "zyvv", &options.address, &key, &options.authkey_size, &limits,
                              &told));
    BROOD_TRY(unpack_limits(limits, &options));
    BROOD_TRY(brood_get_connection(told, &connection));
    options.authkey = key;
    brood_status status = brood_manager_get_server(&server, &options);
    if (status != BROOD_OK) {
        brood_connection_send(connection, brood_pack("(is)", status, brood_last_error()->message),
                              BROOD_FOREVER);
        return status;
    }
    const char *address = brood_manager_server_address(server);
    status =
        brood_connection_send(connection, brood_pack("(is)", BROOD_OK, address), BROOD_FOREVER);
    if (status == BROOD_OK)
        status = brood_manager_serve_forever(server);
    brood_manager_server_close(server);
    return status;
}

static brood_status start_child(brood_process **process, const brood_manager_options *options,
                                const void *key, size_t key_size, brood_connection *theirs)
{
    brood_value args = brood_pack("(zyvv)", options->address, key, key_size, pack_limits(options),
                                  brood_connection_value(theirs));
    brood_process_options how = {
        .function_name = "brood.manager.serve", .name = "brood-manager", .daemon = BROOD_DAEMON_NO};
    brood_process *made;
    BROOD_TRY(brood_process_create(&made, NULL, args, &how));
    brood_status status = brood_process_start(made);
    if (status != BROOD_OK)
        brood_process_destroy(made);
    else
        *process = made;
    return status;
}

/* What the child says: where it listens, or why it does not. */
static brood_status hear_address(brood_connection *ours, brood_ms timeout, brood_value *address)
{
    brood_value told;
    int64_t status;
    const char *text;
    brood_status received = brood_connection_recv(ours, &told, timeout);
    if (received == BROOD_EEOF)
        return bri_fail(BROOD_ESTART, "could not start a manager: its process ended");
    BROOD_TRY(received);
    brood_status result = brood_unpack(&told, "(is)", &status, &text);
    if (result == BROOD_OK && status != BROOD_OK)
        result = bri_fail((brood_status)status, "%s", text);
    if (result == BROOD_OK)
        result = brood_take_item(&told, 1, address);
    brood_value_clear(&told);
    return result;
}

brood_status bri_serve_in_child(const brood_manager_options *options, const void *key,
                                size_t key_size, brood_ms timeout, brood_process **process,
                                brood_value *address)
{
    brood_connection *ours, *theirs;
    brood_process *made = NULL;
    BROOD_TRY(brood_pipe(&ours, &theirs, false));
    brood_status status = start_child(&made, options, key, key_size, theirs);
    brood_connection_close(theirs);
    if (status == BROOD_OK)
        status = hear_address(ours, timeout, address);
    brood_connection_close(ours);
    if (status != BROOD_OK && made != NULL) {
        bri_saved_error saved;
        bri_error_save(&saved);
        brood_process_kill(made);
        brood_process_join(made, timeout);
        brood_process_destroy(made);
        bri_error_restore(&saved);
        return status;
    }
    *process = made;
    return status;
}

brood_status bri_serve_start(void)
{
    return bri_function_register("brood.manager.serve", serve_child);
}
