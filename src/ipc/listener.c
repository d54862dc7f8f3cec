/*
 * ipc/listener.c - the public listener and client.
 *
 * The thread that is in brood_listener_accept drives: it waits for the server and for all clients
 * that are in the middle of proving the key, and takes each a step further. So a silent client
 * costs a slot, never time. Further threads wait for what the first one finishes.
 */
#include <brood/listener.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "core/runtime.h"
#include "ipc/address.h"
#include "ipc/connection.h"
#include "ipc/handshake.h"
#include "platform/clock.h"
#include "platform/socket.h"

enum {
    BACKLOG = 128,
    MOST_PENDING = 512,
    PENDING_LIMIT = 1 << 20, /* more handles than any process has */
    AUTH_TIMEOUT = 10000,
    EVENTS = 32,        /* taken at once */
    TAKEN_AT_ONCE = 64, /* clients, before the others have a turn again */
    LAST_TEXT = 64,
    SERVER_KEY = 0
};

/* A client: first on the list of those that prove the key, then on that of what is finished. */
typedef struct client {
    struct client *previous, *next;
    uint64_t key; /* in the poller: its slot, and which user of the slot it is */
    bri_handshake handshake;
    bri_deadline deadline;
    char from[LAST_TEXT];
    brood_connection *connection; /* finished: with this, or with the failure */
    bri_saved_error *failure;
} client;

typedef struct client_list {
    client *first, *last;
} client_list;

struct brood_listener {
    bri_open_thing thing;
    atomic_bool is_shut;
    char *address;
    unsigned char *key_bytes;
    bri_auth_key key;
    brood_ms auth_timeout;
    uint64_t max_message;
    bool same_user;
    size_t max_pending;
    brp_server *server;
    brp_poller *poller;

    bri_mutex *lock;
    bri_condition *changed;
    bool is_driven;       /* by a thread */
    client_list finished; /* in the order in which they became so */
    char last[LAST_TEXT]; /* where the last one came from */

    /* of the thread that drives */
    client_list pending; /* in the order of their deadlines */
    client **slots;
    uint32_t *uses; /* how often each slot was used */
    size_t n_pending;
    bool has_server; /* it is in the poller */
};

/* ---- lists and slots ---- */

static void append(client_list *list, client *one)
{
    one->next = NULL;
    one->previous = list->last;
    if (list->last != NULL)
        list->last->next = one;
    else
        list->first = one;
    list->last = one;
}

static void take_out(client_list *list, client *one)
{
    if (one->next != NULL)
        one->next->previous = one->previous;
    else
        list->last = one->previous;
    if (one->previous != NULL)
        one->previous->next = one->next;
    else
        list->first = one->next;
    one->next = one->previous = NULL;
}

static void free_client(client *one)
{
    bri_handshake_fini(&one->handshake);
    brood_connection_close(one->connection);
    bri_free(one->failure);
    bri_free(one);
}

/* The pending client of this key; NULL when it has gone since. */
static client *find_client(const brood_listener *listener, uint64_t key)
{
    size_t slot = (size_t)(key & UINT32_MAX) - 1;
    client *one = slot < listener->max_pending ? listener->slots[slot] : NULL;
    return one != NULL && one->key == key ? one : NULL;
}

static void enter(brood_listener *listener, client *one)
{
    size_t slot = 0;
    while (listener->slots[slot] != NULL)
        slot++;
    one->key = (uint64_t)++listener->uses[slot] << 32 | (uint64_t)(slot + 1);
    listener->slots[slot] = one;
    listener->n_pending++;
    append(&listener->pending, one);
}

static void leave(brood_listener *listener, client *one)
{
    if (listener->poller != NULL) /* NULL in a forked child */
        brp_poller_remove(listener->poller, one->handshake.channel.handle, one->key);
    listener->slots[(one->key & UINT32_MAX) - 1] = NULL;
    listener->n_pending--;
    take_out(&listener->pending, one);
}

static void drop(brood_listener *listener, client *one)
{
    leave(listener, one);
    free_client(one);
}

/* ---- finishing ---- */

static void put_finished(brood_listener *listener, client *one)
{
    bri_mutex_lock(listener->lock);
    append(&listener->finished, one);
    bri_mutex_unlock(listener->lock);
}

/* With the last error, for brood_listener_accept to give. */
static void finish_failed(brood_listener *listener, client *one)
{
    bri_handshake_fini(&one->handshake);
    one->handshake.channel = BRP_NO_CHANNEL;
    bri_saved_error now;
    bri_error_save(&now);
    one->failure = bri_alloc(sizeof *one->failure);
    if (one->failure == NULL) {
        free_client(one);
        return;
    }
    *one->failure = now;
    put_finished(listener, one);
}

/* The key is proved. */
static void finish_well(brood_listener *listener, client *one)
{
    brp_channel channel = one->handshake.channel;
    one->handshake.channel = BRP_NO_CHANNEL;
    if (bri_connection_adopt(&one->connection, channel, &one->handshake.reader,
                             listener->max_message) != BROOD_OK)
        finish_failed(listener, one);
    else
        put_finished(listener, one);
}

/* ---- clients ---- */

/* Takes a pending client as far as its bytes go. */
static void go_on(brood_listener *listener, client *one)
{
    brood_status status = bri_handshake_run(&one->handshake, 0);
    if (status == BROOD_ETIMEDOUT)
        return;
    leave(listener, one);
    if (status == BROOD_OK)
        finish_well(listener, one);
    else if (status == BROOD_EAUTH || status == BROOD_ENOMEM)
        finish_failed(listener, one);
    else
        free_client(one); /* it has gone */
}

static brood_status check_user(const brood_listener *listener, const client *one)
{
    brp_peer peer;
    char own[BRP_USER_TEXT];
    if (!listener->same_user)
        return BROOD_OK;
    BROOD_TRY(brp_channel_peer(one->handshake.channel, &peer));
    BROOD_TRY(brp_own_user(own));
    if (strcmp(peer.user, own) == 0 || strcmp(peer.user, "0") == 0 ||
        strcmp(peer.user, "S-1-5-18") == 0)
        return BROOD_OK;
    return bri_fail(BROOD_EAUTH, "could not let process %lld in: its user is %s, not %s",
                    (long long)peer.pid, peer.user[0] == '\0' ? "unknown" : peer.user, own);
}

static void note_origin(client *one)
{
    brp_channel channel = one->handshake.channel;
    brp_peer peer;
    if (channel.kind == BRP_CHANNEL_SOCKET)
        brp_tcp_remote(channel, one->from);
    else if (brp_channel_peer(channel, &peer) == BROOD_OK && peer.pid != 0)
        snprintf(one->from, sizeof one->from, "pid %lld", (long long)peer.pid);
}

/* A new client, whose challenge goes out. The channel is moved in, also on failure. */
static brood_status begin_client(brood_listener *listener, brp_channel channel)
{
    client *one = bri_calloc(1, sizeof *one);
    if (one == NULL) {
        brp_channel_close(&channel);
        return BROOD_ENOMEM;
    }
    one->handshake.channel = channel;
    note_origin(one);
    brood_status status = check_user(listener, one);
    if (status == BROOD_OK)
        status = bri_handshake_begin(&one->handshake, channel, &listener->key, true, 0);
    if (status == BROOD_OK && one->handshake.auth.step == BRI_AUTH_DONE) {
        finish_well(listener, one);
        return BROOD_OK;
    }
    if (status == BROOD_EAUTH) {
        finish_failed(listener, one);
        return BROOD_OK;
    }
    if (status != BROOD_OK) { /* it has gone already */
        free_client(one);
        return status == BROOD_ENOMEM ? status : BROOD_OK;
    }
    one->deadline = bri_deadline_after(brp_clock_now(), listener->auth_timeout);
    enter(listener, one);
    status =
        brp_poller_add(listener->poller, channel.handle, brp_channel_watch_kind(channel), one->key);
    if (status != BROOD_OK)
        drop(listener, one);
    return status;
}

/* Takes the clients that wait. With no slot or no handle left, the one that has taken longest makes
 * room. */
static brood_status take_clients(brood_listener *listener)
{
    for (int i = 0; i < TAKEN_AT_ONCE; i++) {
        brp_channel channel;
        if (listener->n_pending == listener->max_pending)
            drop(listener, listener->pending.first);
        brood_status status = brp_server_accept(listener->server, &channel);
        if (status == BROOD_ETIMEDOUT)
            return BROOD_OK;
        if (status == BROOD_OK)
            status = begin_client(listener, channel);
        else if (status == BROOD_ELIMIT && listener->pending.first != NULL)
            drop(listener, listener->pending.first);
        else
            return status;
        if (status != BROOD_OK && status != BROOD_ELIMIT)
            return status;
    }
    return BROOD_OK;
}

/* Those whose time is up have a last chance with what has arrived. */
static void drop_late(brood_listener *listener)
{
    int64_t now = brp_clock_now();
    while (listener->pending.first != NULL && listener->pending.first->deadline <= now) {
        client *late = listener->pending.first;
        go_on(listener, late);
        if (late == listener->pending.first)
            drop(listener, late);
    }
}

/* ---- driving ---- */

static brood_status watch_server(brood_listener *listener)
{
    if (listener->has_server)
        return BROOD_OK;
    brp_watch watch = brp_server_watch(listener->server);
    BROOD_TRY(brp_poller_add(listener->poller, watch.handle, watch.kind, SERVER_KEY));
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
        client *one = keys[i] == SERVER_KEY ? NULL : find_client(listener, keys[i]);
        if (one != NULL)
            go_on(listener, one);
        else if (keys[i] == SERVER_KEY)
            status = take_clients(listener);
    }
    drop_late(listener);
    return status == BROOD_OK && is_over ? BROOD_ETIMEDOUT : status;
}

/* Under the lock: gives the next result, if there is one. */
static bool take_finished(brood_listener *listener, brood_connection **connection,
                          brood_status *status)
{
    client *one = listener->finished.first;
    if (one == NULL)
        return false;
    take_out(&listener->finished, one);
    if (one->connection != NULL) {
        *connection = one->connection;
        one->connection = NULL;
        memcpy(listener->last, one->from, sizeof one->from);
        *status = BROOD_OK;
    } else {
        bri_error_restore(one->failure);
        *status = one->failure->status;
    }
    free_client(one);
    return true;
}

static brood_status fail_shut(void)
{
    return bri_fail(BROOD_ECLOSED, "could not accept a connection: the listener is shut down");
}

/* Under the lock, with nothing finished: drives, or waits for the thread that does. */
static brood_status wait_or_drive(brood_listener *listener, bri_deadline deadline)
{
    if (listener->is_driven)
        return bri_condition_wait(listener->changed, listener->lock, deadline);
    listener->is_driven = true;
    bri_mutex_unlock(listener->lock);
    brood_status status = drive(listener, deadline);
    bri_mutex_lock(listener->lock);
    listener->is_driven = false;
    bri_condition_broadcast(listener->changed);
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
    bri_mutex_lock(listener->lock);
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
    bri_mutex_unlock(listener->lock);
    return is_there || result != BROOD_OK ? result : status;
}

size_t brood_listener_last_accepted(brood_listener *listener, char *text, size_t room)
{
    if (listener == NULL)
        return 0;
    bri_mutex_lock(listener->lock);
    size_t length = strlen(listener->last);
    if (room != 0)
        snprintf(text, room, "%s", listener->last);
    bri_mutex_unlock(listener->lock);
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
    return BROOD_OK;
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
    BROOD_TRY(bri_mutex_create(&listener->lock));
    BROOD_TRY(bri_condition_create(&listener->changed));
    BROOD_TRY(brp_poller_create(&listener->poller));
    return listen_at(listener, address, options->backlog == 0 ? BACKLOG : options->backlog);
}

static void free_clients(client_list *list)
{
    while (list->first != NULL) {
        client *one = list->first;
        take_out(list, one);
        free_client(one);
    }
}

static void free_listener(brood_listener *listener)
{
    while (listener->pending.first != NULL)
        drop(listener, listener->pending.first);
    free_clients(&listener->finished);
    if (listener->has_server && listener->poller != NULL)
        brp_poller_remove(listener->poller, brp_server_watch(listener->server).handle, SERVER_KEY);
    brp_poller_destroy(listener->poller);
    brp_server_close(listener->server);
    bri_condition_destroy(listener->changed);
    bri_mutex_destroy(listener->lock);
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
    bri_mutex_lock(listener->lock);
    atomic_store(&listener->is_shut, true);
    brp_poller_wake(listener->poller);
    bri_condition_broadcast(listener->changed);
    bri_mutex_unlock(listener->lock);
}

void brood_listener_close(brood_listener *listener)
{
    if (listener == NULL)
        return;
    bri_open_things_unlink(&listener->thing);
    free_listener(listener);
}

/* ---- clients ---- */

static brood_status open_channel(brp_channel *channel, const char *text, bri_deadline deadline)
{
    bri_address address;
    BROOD_TRY(bri_address_parse(text, &address));
    if (address.kind == BRI_ADDRESS_TCP)
        return brp_tcp_connect(channel, address.host, address.port, deadline);
    return brp_local_connect(channel, text, deadline);
}

static brood_status fail_connect(brood_status status, const char *address)
{
    if (status == BROOD_EEOF)
        return bri_fail(status, "could not connect to \"%s\": the listener closed the connection",
                        address);
    if (status == BROOD_ETIMEDOUT)
        return bri_fail(status,
                        "could not connect to \"%s\": the time is up, and the key is not proved",
                        address);
    return bri_fail_within("could not connect to \"%s\"", address);
}

brood_status brood_connect(brood_connection **connection, const char *address,
                           const brood_connect_options *options, brood_ms timeout)
{
    static const brood_connect_options defaults = {0};
    BROOD_TRY(bri_runtime_check("connect"));
    if (options == NULL)
        options = &defaults;
    bri_deadline deadline = timeout < 0 ? BRI_NEVER : bri_deadline_after(brp_clock_now(), timeout);
    const bri_auth_key key = {options->authkey, options->authkey_size, options->refuse_md5};
    brp_channel channel;
    bri_handshake handshake;
    BROOD_TRY(open_channel(&channel, address, deadline));
    brood_status status = bri_handshake_begin(&handshake, channel, &key, false, deadline);
    if (status == BROOD_OK)
        status = bri_handshake_run(&handshake, deadline);
    if (status != BROOD_OK) {
        bri_handshake_fini(&handshake);
        return fail_connect(status, address);
    }
    return bri_connection_adopt(connection, handshake.channel, &handshake.reader,
                                options->max_message);
}
