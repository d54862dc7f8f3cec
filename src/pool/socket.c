/*
 * pool/socket.c - a socket in a message is a ticket; whoever reads it fetches the socket from a
 * thread of the sender's, the sharer, which has what tickets stand for.
 */
#include "pool/socket.h"

#include <string.h>

#include <brood/listener.h>

#include "base/memory.h"
#include "core/log.h"
#include "core/runtime.h"
#include "core/thread.h"
#include "core/transfer.h"
#include "data/object.h"
#include "platform/channel.h"
#include "platform/ident.h"
#include "pool/pool.h"

enum { KEY_SIZE = 32, PATIENCE = 10000 };

/* The object in values. */
typedef struct bri_socket {
    atomic_int references;
    brp_handle handle;
} bri_socket;

typedef struct ticket {
    int64_t number;
    bri_socket *socket; /* retained */
    struct ticket *next;
} ticket;

/* Its thread lasts as long as the process. It is not ended at exit: libcrypto has cleaned up by
 * then, and would no longer free what it keeps for a thread. */
static struct {
    bri_mutex *mutex;
    brood_listener *listener; /* NULL: nothing was sent yet */
    bri_thread *thread;
    unsigned char key[KEY_SIZE];
    ticket *first;
    int64_t last_number;
} sharer;

/* ---- the object ---- */

static brood_status retain(void *object)
{
    atomic_fetch_add(&((bri_socket *)object)->references, 1);
    return BROOD_OK;
}

static void close_socket(brp_handle handle)
{
    brp_channel channel = {.handle = handle, .kind = BRP_CHANNEL_SOCKET};
    if (brp_handle_is_set(handle))
        brp_channel_close(&channel);
}

static void release(void *object)
{
    bri_socket *self = object;
    if (atomic_fetch_sub(&self->references, 1) != 1)
        return;
    close_socket(self->handle);
    bri_free(self);
}

static brood_status make(intptr_t handle, bri_socket **made)
{
    bri_socket *self = bri_calloc(1, sizeof *self);
    if (self == NULL) {
        close_socket((brp_handle){handle});
        return BROOD_ENOMEM;
    }
    atomic_init(&self->references, 1);
    self->handle = (brp_handle){handle};
    *made = self;
    return BROOD_OK;
}

/* ---- the sharer ---- */

/* Takes a ticket's socket out; NULL when there is none. */
static bri_socket *redeem(int64_t number)
{
    bri_socket *found = NULL;
    bri_mutex_lock(sharer.mutex);
    for (ticket **at = &sharer.first; *at != NULL; at = &(*at)->next)
        if ((*at)->number == number) {
            ticket *gone = *at;
            *at = gone->next;
            found = gone->socket;
            bri_free(gone);
            break;
        }
    bri_mutex_unlock(sharer.mutex);
    return found;
}

static void serve(brood_connection *connection)
{
    brood_value number;
    int64_t wanted;
    brood_status status = brood_connection_recv(connection, &number, PATIENCE);
    if (status != BROOD_OK)
        return;
    status = brood_get_int(&number, &wanted);
    brood_value_clear(&number);
    bri_socket *found = status == BROOD_OK ? redeem(wanted) : NULL;
    if (found == NULL)
        return; /* the end of the connection says so */
    if (brp_handle_is_set(found->handle) &&
        brood_connection_send_socket(connection, found->handle.value, 0, PATIENCE) != BROOD_OK)
        bri_log(BROOD_LOG_WARNING, "could not give a socket away: %s", brood_last_error()->message);
    release(found);
}

static void run_sharer(void *context)
{
    brood_listener *listener = context;
    for (;;) {
        brood_connection *connection;
        brood_status status = brood_listener_accept(listener, &connection, BROOD_FOREVER);
        if (status == BROOD_ECLOSED)
            return;
        if (status != BROOD_OK) {
            if (status == BROOD_ELIMIT || status == BROOD_ENOMEM)
                brood_sleep(10); /* until something is closed; nothing tells of it */
            continue;
        }
        serve(connection);
        brood_connection_close(connection);
    }
}

/* Under the mutex. */
static brood_status start_sharer(void)
{
    if (sharer.listener != NULL)
        return BROOD_OK;
    BROOD_TRY(bri_pool_hook());
    BROOD_TRY(brp_random(sharer.key, sizeof sharer.key));
    brood_listener_options options = {.authkey = sharer.key, .authkey_size = sizeof sharer.key};
    BROOD_TRY(brood_listener_create(&sharer.listener, NULL, &options));
    brood_status status = bri_thread_start(&sharer.thread, run_sharer, sharer.listener);
    if (status != BROOD_OK) {
        brood_listener_close(sharer.listener);
        sharer.listener = NULL;
    }
    return status;
}

static void forget_tickets(void)
{
    while (sharer.first != NULL) {
        ticket *next = sharer.first->next;
        release(sharer.first->socket);
        bri_free(sharer.first);
        sharer.first = next;
    }
}

void bri_sockets_after_fork(void)
{
    bri_thread_forget(sharer.thread);
    sharer.thread = NULL;
    if (sharer.listener != NULL) /* its handle is closed in this process already */
        brood_listener_close(sharer.listener);
    sharer.listener = NULL;
    forget_tickets();
    sharer.mutex = NULL; /* another thread may have held it */
    (void)bri_mutex_create(&sharer.mutex);
}

/* ---- in messages ---- */

/* (address, key, number) */
static brood_status reduce(void *object, bri_transfer *transfer, brood_value *arguments)
{
    (void)transfer;
    ticket *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    bri_mutex_lock(sharer.mutex);
    brood_status status = start_sharer();
    if (status == BROOD_OK) {
        *arguments = brood_pack("(svl)", brood_listener_address(sharer.listener),
                                brood_bytes(sharer.key, sizeof sharer.key), sharer.last_number + 1);
        if (brood_value_kind(arguments) == BROOD_INVALID)
            status = brood_last_error()->status;
    }
    if (status == BROOD_OK) {
        (void)retain(object);
        *made = (ticket){.number = ++sharer.last_number, .socket = object, .next = sharer.first};
        sharer.first = made;
    } else {
        bri_free(made);
    }
    bri_mutex_unlock(sharer.mutex);
    return status;
}

static brood_status fetch(brood_connection *connection, int64_t number, intptr_t *socket)
{
    BROOD_TRY(brood_connection_send(connection, brood_int(number), PATIENCE));
    brood_status status = brood_connection_recv_socket(connection, socket, PATIENCE);
    if (status == BROOD_EEOF)
        return bri_fail(BROOD_ECLOSED, "could not fetch a socket: its sender has it no more");
    return status;
}

static brood_status rebuild(const brood_value *arguments, bri_transfer *transfer, void **object)
{
    const char *address;
    const brood_value *key;
    const void *bytes;
    int64_t number;
    (void)transfer;
    BROOD_TRY(brood_unpack(arguments, "(svl)", &address, &key, &number));
    brood_connect_options options = {0};
    BROOD_TRY(brood_get_bytes(key, &bytes, &options.authkey_size));
    options.authkey = bytes;
    brood_connection *connection;
    intptr_t socket;
    BROOD_TRY(brood_connect(&connection, address, &options, PATIENCE));
    brood_status status = fetch(connection, number, &socket);
    brood_connection_close(connection);
    if (status != BROOD_OK)
        return status;
    bri_socket *made;
    BROOD_TRY(make(socket, &made));
    *object = made;
    return BROOD_OK;
}

static const bri_object_class socket_class = {
    .name = "Socket", .retain = retain, .release = release, .reduce = reduce, .rebuild = rebuild};

brood_status bri_sockets_start(void)
{
    if (sharer.mutex == NULL)
        BROOD_TRY(bri_mutex_create(&sharer.mutex));
    return bri_class_add(&socket_class);
}

/* ---- values ---- */

brood_value brood_socket_value(intptr_t socket)
{
    bri_socket *made;
    if (bri_runtime_check("make a value of a socket") != BROOD_OK) {
        close_socket((brp_handle){socket});
        return (brood_value){0};
    }
    if (make(socket, &made) != BROOD_OK)
        return (brood_value){0};
    return bri_object_adopt(&socket_class, made);
}

static brood_status find_socket(const brood_value *value, bri_socket **found)
{
    void *object;
    BROOD_TRY(bri_object_get(value, &socket_class, &object));
    *found = object;
    return brp_handle_is_set((*found)->handle)
               ? BROOD_OK
               : bri_fail(BROOD_ESTATE, "could not use a socket: it was taken out of the value");
}

brood_status brood_get_socket(const brood_value *value, intptr_t *socket)
{
    bri_socket *found;
    BROOD_TRY(find_socket(value, &found));
    *socket = found->handle.value;
    return BROOD_OK;
}

brood_status brood_take_socket(const brood_value *value, intptr_t *socket)
{
    bri_socket *found;
    BROOD_TRY(find_socket(value, &found));
    *socket = found->handle.value;
    found->handle = BRP_NO_HANDLE;
    return BROOD_OK;
}
