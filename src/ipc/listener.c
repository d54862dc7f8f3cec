/*
 * ipc/listener.c - the public listener and client.
 *
 * The thread that is in brood_listener_accept drives: it waits for the server and for all clients
 * that are in the middle of proving the key, and takes each a step further. So a silent client
 * costs a slot, never time. Further threads wait for what the first one finishes.
 */
#include "ipc/listener_state.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "core/runtime.h"
#include "ipc/address.h"
#include "platform/clock.h"
#include "platform/socket.h"

enum {
    BACKLOG = 128,
    MOST_PENDING = 512,
    PENDING_LIMIT = 1 << 20, /* more handles than any process has */
    AUTH_TIMEOUT = 10000,
    EVENTS = 32 /* taken at once */
};

/* ---- driving ---- */

static brood_status watch_server(brood_listener *listener)
{
    if (listener->has_server)
        return BROOD_OK;
    brp_watch watch = brp_server_watch(listener->server);
    BROOD_TRY(brp_poller_add(listener->poller, watch.handle, watch.kind, BRI_SERVER_KEY));
    listener->has_server = true;
    return BROOD_OK;
}

/* One round: waits for something to happen and deals with it. BROOD_ETIMEDOUT: `deadline` has
 * passed. */
static brood_status drive(brood_listener *listener, bri_deadline deadline)
{
    uint64_t keys[EVENTS];
    size_t n = 0;
    bri_deadline until = deadline;
    BROOD_TRY(watch_server(listener));
    if (listener->pending.first != NULL && listener->pending.first->deadline < until)
        until = listener->pending.first->deadline;
    brood_status status = brp_poller_wait(listener->poller, keys, EVENTS, &n, until);
    bool is_over = status == BROOD_ETIMEDOUT && until == deadline;
    if (status == BROOD_ETIMEDOUT) {
        status = BROOD_OK;
        n = 0;
    }
    BROOD_TRY(status);
    for (size_t i = 0; i < n && status == BROOD_OK; i++) {
        bri_arrival *one = keys[i] == BRI_SERVER_KEY ? NULL : bri_arrival_find(listener, keys[i]);
        if (one != NULL)
            bri_arrival_go_on(listener, one);
        else if (keys[i] == BRI_SERVER_KEY)
            status = bri_arrivals_take(listener);
    }
    bri_arrivals_drop_late(listener);
    return status == BROOD_OK && is_over ? BROOD_ETIMEDOUT : status;
}

/* Under the lock: gives the next result, if there is one. */
static bool take_finished(brood_listener *listener, brood_connection **connection,
                          brood_status *status)
{
    bri_arrival *one = bri_arrivals_shift(&listener->finished);
    if (one == NULL)
        return false;
    if (one->connection != NULL) {
        *connection = one->connection;
        one->connection = NULL;
        memcpy(listener->last, one->from, sizeof one->from);
        *status = BROOD_OK;
    } else {
        bri_error_restore(one->failure);
        *status = one->failure->status;
    }
    bri_arrival_free(one);
    return true;
}

static brood_status fail_shut(void)
{
    return bri_fail(BROOD_ECLOSED, "could not accept a connection: the listener is shut down");
}

/* Lets go of the address and of everybody whom no accept has given out: they see the end of their
 * connection. While nobody drives. */
static void stop_listening(brood_listener *listener)
{
    while (listener->pending.first != NULL)
        bri_arrival_drop(listener, listener->pending.first);
    for (bri_arrival *one; (one = bri_arrivals_shift(&listener->finished)) != NULL;)
        bri_arrival_free(one);
    if (listener->has_server && listener->poller != NULL)
        brp_poller_remove(listener->poller, brp_server_watch(listener->server).handle,
                          BRI_SERVER_KEY);
    listener->has_server = false;
    bri_connections_lock(); /* a fork finds the server whole, or none */
    brp_server_close(listener->server);
    listener->server = NULL;
    bri_connections_unlock();
}

/* Under the lock, with nothing finished: drives, or waits for the thread that does. */
static brood_status wait_or_drive(brood_listener *listener, bri_deadline deadline)
{
    if (listener->is_driven)
        return brp_condition_wait(listener->changed, listener->lock, deadline);
    listener->is_driven = true;
    brp_mutex_unlock(listener->lock);
    brood_status status = drive(listener, deadline);
    brp_mutex_lock(listener->lock);
    listener->is_driven = false;
    if (atomic_load(&listener->is_shut))
        stop_listening(listener);
    brp_condition_broadcast(listener->changed);
    return status;
}

brood_status brood_listener_accept(brood_listener *listener, brood_connection **connection,
                                   brood_ms timeout)
{
    if (listener == NULL)
        return bri_fail(BROOD_EINVALID, "could not accept a connection: there is no listener");
    if (atomic_load(&listener->is_shut))
        return fail_shut();
    bri_deadline deadline = timeout < 0 ? BRI_NEVER : bri_deadline_after(brp_clock_now(), timeout);
    brood_status status = BROOD_OK, result = BROOD_OK;
    bool is_there = false;
    brp_mutex_lock(listener->lock);
    for (;;) {
        if (atomic_load(&listener->is_shut)) {
            result = fail_shut();
            break;
        }
        is_there = take_finished(listener, connection, &result);
        if (is_there || status != BROOD_OK)
            break;
        status = wait_or_drive(listener, deadline);
    }
    brp_mutex_unlock(listener->lock);
    return is_there || result != BROOD_OK ? result : status;
}

size_t brood_listener_last_accepted(brood_listener *listener, char *text, size_t room)
{
    if (listener == NULL)
        return 0;
    brp_mutex_lock(listener->lock);
    size_t length = strlen(listener->last);
    if (room != 0)
        snprintf(text, room, "%s", listener->last);
    brp_mutex_unlock(listener->lock);
    return length;
}

/* ---- making and ending ---- */

static brood_status copy_key(brood_listener *listener, const brood_listener_options *options)
{
    if (options->authkey == NULL)
        return BROOD_OK;
    listener->key_bytes = bri_alloc(options->authkey_size);
    if (listener->key_bytes == NULL)
        return BROOD_ENOMEM;
    if (options->authkey_size != 0)
        memcpy(listener->key_bytes, options->authkey, options->authkey_size);
    listener->key = (bri_auth_key){listener->key_bytes, options->authkey_size, options->refuse_md5};
    return bri_auth_prepare(&listener->key);
}

static brood_status listen_at(brood_listener *listener, const char *text, int backlog)
{
    bri_address address = {.kind = BRI_ADDRESS_LOCAL};
    char formed[BRI_HOST_MOST + 16];
    if (text != NULL)
        BROOD_TRY(bri_address_parse(text, &address));
    if (address.kind == BRI_ADDRESS_TCP) {
        BROOD_TRY(
            brp_tcp_listen(&listener->server, address.host, address.port, backlog, &address.port));
        bri_address_format(&address, formed, sizeof formed);
        listener->address = bri_strdup(formed);
    } else {
        BROOD_TRY(brp_local_listen(&listener->server, text, backlog));
        listener->address = bri_strdup(brp_server_address(listener->server));
    }
    return listener->address == NULL ? BROOD_ENOMEM : BROOD_OK;
}

static brood_status prepare(brood_listener *listener, const char *address,
                            const brood_listener_options *options)
{
    BROOD_TRY(copy_key(listener, options));
    listener->auth_timeout = options->auth_timeout <= 0 ? AUTH_TIMEOUT : options->auth_timeout;
    listener->max_message = options->max_message;
    listener->same_user = options->same_user || address == NULL;
    listener->max_pending = options->max_pending == 0 ? MOST_PENDING : (size_t)options->max_pending;
    listener->slots = bri_calloc(listener->max_pending, sizeof *listener->slots);
    listener->uses = bri_calloc(listener->max_pending, sizeof *listener->uses);
    if (listener->slots == NULL || listener->uses == NULL)
        return BROOD_ENOMEM;
    BROOD_TRY(brp_mutex_create(&listener->lock));
    BROOD_TRY(brp_condition_create(&listener->changed));
    BROOD_TRY(brp_poller_create(&listener->poller));
    return listen_at(listener, address, options->backlog == 0 ? BACKLOG : options->backlog);
}

static void free_listener(brood_listener *listener)
{
    stop_listening(listener);
    brp_poller_destroy(listener->poller);
    brp_condition_destroy(listener->changed);
    brp_mutex_destroy(listener->lock);
    bri_free(listener->slots);
    bri_free(listener->uses);
    bri_free(listener->address);
    bri_free(listener->key_bytes);
    bri_free(listener);
}

/* In a forked child: only the handles. Another thread of the parent may have been at work in it. */
static void close_in_child(bri_open_thing *thing)
{
    brood_listener *listener = (brood_listener *)thing; /* its first member */
    atomic_store(&listener->is_shut, true);
    for (size_t i = 0; i < listener->max_pending; i++)
        if (listener->slots[i] != NULL)
            brp_channel_close(&listener->slots[i]->handshake.channel);
    if (listener->server != NULL)
        brp_server_forget(listener->server);
    brp_poller_destroy(listener->poller);
    listener->poller = NULL;
}

brood_status brood_listener_create(brood_listener **listener, const char *address,
                                   const brood_listener_options *options)
{
    static const brood_listener_options defaults = {0};
    BROOD_TRY(bri_runtime_check("listen"));
    if (options == NULL)
        options = &defaults;
    if (options->backlog < 0 || options->max_pending < 0 || options->max_pending > PENDING_LIMIT)
        return bri_fail(BROOD_EINVALID, "could not listen: a number in the options is negative or "
                                        "too large");
    brood_listener *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    brood_status status = prepare(made, address, options);
    if (status != BROOD_OK) {
        free_listener(made);
        return status;
    }
    made->thing.close_in_child = close_in_child;
    bri_open_things_link(&made->thing);
    *listener = made;
    return BROOD_OK;
}

const char *brood_listener_address(const brood_listener *listener)
{
    return listener == NULL ? "" : listener->address;
}

void brood_listener_shutdown(brood_listener *listener)
{
    if (listener == NULL || atomic_load(&listener->is_shut))
        return;
    brp_mutex_lock(listener->lock);
    atomic_store(&listener->is_shut, true);
    if (listener->is_driven)
        brp_poller_wake(listener->poller); /* that thread stops listening */
    else
        stop_listening(listener);
    brp_condition_broadcast(listener->changed);
    brp_mutex_unlock(listener->lock);
}

void brood_listener_close(brood_listener *listener)
{
    if (listener == NULL)
        return;
    bri_open_things_unlink(&listener->thing);
    free_listener(listener);
}
