/*
 * ipc/connection.c - the public connection: a stream with frames, and values as pickles in them.
 *
 * One lock a direction, so that a thread may read while another writes. Closing ends the handle at
 * once, whoever else still has a reference: the other end has to see it.
 */
#include "ipc/connection_state.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "core/runtime.h"
#include "core/transfer.h"
#include "data/heap.h"
#include "data/pickle.h"
#include "ipc/frame.h"
#include "ipc/shared.h"
#include "platform/clock.h"
#include "platform/local.h"
#include "platform/socket.h"

enum { KEPT_SCRATCH = 64 << 10 /* bytes that a connection keeps for its next pickle */ };

static const uint64_t DEFAULT_LIMIT = UINT64_C(1) << 30;

/* All connections of this process. */
struct bri_connections {
    bri_mutex *lock;
    brood_connection *first;
    bri_open_thing *things;
};

/* ---- making and ending ---- */

static void link_connection(brood_connection *connection)
{
    struct bri_connections *all = bri_the_runtime.connections;
    bri_mutex_lock(all->lock);
    connection->next = all->first;
    if (all->first != NULL)
        all->first->previous = connection;
    all->first = connection;
    bri_mutex_unlock(all->lock);
}

static void unlink_connection(brood_connection *connection)
{
    struct bri_connections *all = bri_the_runtime.connections;
    bri_mutex_lock(all->lock);
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else if (all->first == connection)
        all->first = connection->next;
    bri_mutex_unlock(all->lock);
}

static void free_connection(brood_connection *connection)
{
    unlink_connection(connection);
    brp_sender_close(&connection->sender);
    brp_channel_close(&connection->channel);
    bri_mutex_destroy(connection->read_lock);
    bri_mutex_destroy(connection->write_lock);
    bri_frame_fini(&connection->reader);
    bri_buffer_fini(&connection->scratch);
    bri_free(connection);
}

static brood_status create_connection(brood_connection **connection, brp_channel channel,
                                      bool readable, bool writable)
{
    brood_connection *made = bri_calloc(1, sizeof *made);
    if (made == NULL) {
        brp_channel_close(&channel);
        return BROOD_ENOMEM;
    }
    atomic_init(&made->references, 1);
    atomic_init(&made->limit, DEFAULT_LIMIT);
    made->channel = channel;
    link_connection(made);
    made->reader.takes_handles = channel.kind == BRP_CHANNEL_STREAM;
    made->readable = readable;
    made->writable = writable;
    brood_status status = bri_mutex_create(&made->read_lock);
    if (status == BROOD_OK)
        status = bri_mutex_create(&made->write_lock);
    if (status != BROOD_OK)
        free_connection(made);
    else
        *connection = made;
    return status;
}

brood_status bri_connection_create(brood_connection **connection, brp_handle stream, bool readable,
                                   bool writable)
{
    return create_connection(connection, (brp_channel){stream, BRP_CHANNEL_STREAM}, readable,
                             writable);
}

brood_status bri_connection_adopt(brood_connection **connection, brp_channel channel,
                                  bri_frame_reader *reader, uint64_t limit)
{
    brood_connection *made;
    brood_status status = create_connection(&made, channel, true, true);
    if (status != BROOD_OK) {
        bri_frame_fini(reader);
        return status;
    }
    bool takes_handles = made->reader.takes_handles;
    made->reader = *reader;
    made->reader.takes_handles = takes_handles;
    made->is_foreign = true;
    brood_connection_set_limit(made, limit);
    *reader = (bri_frame_reader){0};
    *connection = made;
    return BROOD_OK;
}

brood_status brood_pipe(brood_connection **first, brood_connection **second, bool duplex)
{
    brp_handle ends[2];
    BROOD_TRY(bri_runtime_check("make a pipe"));
    BROOD_TRY(duplex ? brp_stream_pair(ends) : brp_stream_pair_one_way(ends));
    brood_connection *one, *other;
    brood_status status = bri_connection_create(&one, ends[0], true, duplex);
    if (status != BROOD_OK) {
        brp_handle_close(&ends[1]);
        return status;
    }
    status = bri_connection_create(&other, ends[1], duplex, true);
    if (status != BROOD_OK) {
        brood_connection_close(one);
        return status;
    }
    *first = one;
    *second = other;
    return BROOD_OK;
}

static brood_status retain_connection(void *object)
{
    atomic_fetch_add(&((brood_connection *)object)->references, 1);
    return BROOD_OK;
}

static void release_connection(void *object)
{
    brood_connection *connection = object;
    if (atomic_fetch_sub(&connection->references, 1) == 1)
        free_connection(connection);
}

void brood_connection_close(brood_connection *connection)
{
    if (connection == NULL)
        return;
    brp_sender_close(&connection->sender);
    brp_channel_close(&connection->channel);
    release_connection(connection);
}

/* ---- checks ---- */

brood_status bri_connection_check(const brood_connection *connection, bool able, const char *what)
{
    if (connection == NULL)
        return bri_fail(BROOD_EINVALID, "could not %s a connection: NULL is none", what);
    if (!brp_handle_is_set(connection->channel.handle))
        return bri_fail(BROOD_ECLOSED, "could not %s a connection: it is closed", what);
    if (!able)
        return bri_fail(BROOD_ESTATE, "could not %s a connection: it goes the other way only",
                        what);
    return BROOD_OK;
}

brood_status bri_connection_check_read(const brood_connection *connection)
{
    return bri_connection_check(connection, connection != NULL && connection->readable,
                                "read from");
}

brood_status bri_connection_check_write(const brood_connection *connection)
{
    return bri_connection_check(connection, connection != NULL && connection->writable, "write to");
}

static bri_deadline deadline_of(brood_ms timeout)
{
    return timeout < 0 ? BRI_NEVER : bri_deadline_after(brp_clock_now(), timeout);
}

/* Objects of the tree go to processes of the tree only. */
static bri_pickle_options pickle_options(const brood_connection *connection, bri_transfer *transfer)
{
    if (connection->is_foreign)
        return (bri_pickle_options){0};
    return (bri_pickle_options){.transfer = transfer, .find_class = bri_class_find};
}

/* ---- sending ---- */

/* Under write_lock: header and message in one go. */
static brood_status write_message(brood_connection *connection, const void *data, size_t size,
                                  bri_deadline deadline)
{
    if (connection->cut_off)
        return bri_fail(BROOD_EBROKEN, "could not write to a connection: an earlier message went "
                                       "out in part");
    size_t written = 0;
    brood_status status = bri_frame_write(connection->channel, data, size, &written, deadline);
    if (status != BROOD_OK && written != 0)
        connection->cut_off = true;
    return status;
}

brood_status brood_connection_send_bytes(brood_connection *connection, const void *data,
                                         size_t size, brood_ms timeout)
{
    BROOD_TRY(bri_connection_check_write(connection));
    bri_deadline deadline = deadline_of(timeout);
    bri_mutex_lock(connection->write_lock);
    brood_status status = write_message(connection, data, size, deadline);
    bri_mutex_unlock(connection->write_lock);
    return status;
}

brood_status bri_connection_send(brood_connection *connection, const brood_value *value,
                                 bri_deadline deadline)
{
    BROOD_TRY(bri_connection_check_write(connection));
    struct bri_transfer transfer = {.way = BRI_TRANSFER_TREE};
    bri_pickle_options options = pickle_options(connection, &transfer);
    bri_mutex_lock(connection->write_lock);
    bri_buffer *buffer = &connection->scratch;
    bri_buffer_reset(buffer);
    brood_status status = bri_pickle_write(value, &options, buffer);
    if (status == BROOD_OK)
        status = write_message(connection, buffer->data, buffer->length, deadline);
    if (buffer->capacity > KEPT_SCRATCH)
        bri_buffer_fini(buffer);
    bri_mutex_unlock(connection->write_lock);
    return status;
}

brood_status brood_connection_send(brood_connection *connection, brood_value value,
                                   brood_ms timeout)
{
    brood_status status = bri_connection_send(connection, &value, deadline_of(timeout));
    brood_value_clear(&value);
    return status;
}

/* ---- receiving ---- */

brood_status bri_connection_recv(brood_connection *connection, brood_value *value,
                                 bri_deadline deadline)
{
    const void *data;
    size_t size;
    BROOD_TRY(bri_connection_check_read(connection));
    struct bri_transfer transfer = {.way = BRI_TRANSFER_TREE};
    bri_pickle_options options = pickle_options(connection, &transfer);
    bri_mutex_lock(connection->read_lock);
    brood_status status = bri_frame_read(&connection->reader, connection->channel,
                                         connection->limit, &data, &size, deadline);
    if (status == BROOD_OK) {
        status = bri_pickle_read(data, size, &options, value, NULL);
        bri_frame_done(&connection->reader);
    }
    bri_mutex_unlock(connection->read_lock);
    return status;
}

brood_status brood_connection_recv(brood_connection *connection, brood_value *value,
                                   brood_ms timeout)
{
    return bri_connection_recv(connection, value, deadline_of(timeout));
}

brood_status brood_connection_recv_bytes(brood_connection *connection, size_t limit, void **data,
                                         size_t *size, brood_ms timeout)
{
    const void *there;
    size_t length;
    BROOD_TRY(bri_connection_check_read(connection));
    bri_deadline deadline = deadline_of(timeout);
    bri_mutex_lock(connection->read_lock);
    brood_status status =
        bri_frame_read(&connection->reader, connection->channel,
                       limit == 0 ? connection->limit : limit, &there, &length, deadline);
    if (status == BROOD_OK)
        status = bri_frame_take(&connection->reader, data);
    if (status == BROOD_OK)
        *size = length;
    bri_mutex_unlock(connection->read_lock);
    return status;
}

brood_status brood_connection_recv_bytes_into(brood_connection *connection, void *data, size_t room,
                                              size_t *size, brood_ms timeout)
{
    const void *there;
    size_t length;
    BROOD_TRY(bri_connection_check_read(connection));
    bri_deadline deadline = deadline_of(timeout);
    bri_mutex_lock(connection->read_lock);
    brood_status status = bri_frame_read(&connection->reader, connection->channel,
                                         connection->limit, &there, &length, deadline);
    if (status == BROOD_OK) {
        *size = length;
        if (length > room) {
            status = bri_fail(BROOD_ETOOLONG,
                              "could not read from a connection: the message has %zu bytes, there "
                              "is room for %zu",
                              length, room);
        } else {
            if (length != 0)
                memcpy(data, there, length);
            bri_frame_done(&connection->reader);
        }
    }
    bri_mutex_unlock(connection->read_lock);
    return status;
}

/* ---- without waiting ---- */

/* A deadline that has passed, whatever the clock says. */
static const bri_deadline AT_ONCE = 0;

brood_status bri_connection_next(brood_connection *connection, uint64_t limit, const void **data,
                                 size_t *size)
{
    return bri_frame_read(&connection->reader, connection->channel, limit, data, size, AT_ONCE);
}

void bri_connection_done(brood_connection *connection)
{
    bri_frame_done(&connection->reader);
}

bool bri_connection_pending(const brood_connection *connection)
{
    return bri_frame_is_ready(&connection->reader);
}

/* A channel of messages keeps their bounds: each frame goes alone, without its header, and in the
 * background, because a write that is cancelled may have been read in part. */
static brood_status write_messages(brood_connection *connection, const unsigned char *data,
                                   size_t size, size_t *written)
{
    while (*written < size) {
        uint64_t length;
        size_t header = bri_frame_read_header(data + *written, size - *written, &length);
        if (header == 0 || length > size - *written - header)
            return bri_fail(BROOD_EINVALID, "could not write a part of a message to a pipe");
        BROOD_TRY(brp_sender_write(&connection->sender, connection->channel,
                                   data + *written + header, (size_t)length));
        *written += header + (size_t)length;
    }
    return BROOD_OK;
}

brood_status bri_connection_write_some(brood_connection *connection, const void *data, size_t size,
                                       size_t *written)
{
    brp_bytes part = {data, size};
    *written = 0;
    if (connection->channel.kind == BRP_CHANNEL_MESSAGES)
        return write_messages(connection, data, size, written);
    return brp_channel_write_all(connection->channel, &part, 1, written, AT_ONCE);
}

/* ---- asking ---- */

brood_status bri_connection_watch(brood_connection *connection, brp_watch *watch, bool *is_ready)
{
    BROOD_TRY(bri_connection_check_read(connection));
    bri_mutex_lock(connection->read_lock);
    *is_ready = bri_frame_is_ready(&connection->reader);
    bri_mutex_unlock(connection->read_lock);
    *watch =
        (brp_watch){connection->channel.handle, brp_channel_watch_kind(connection->channel), false};
    return BROOD_OK;
}

brood_status brood_connection_poll(brood_connection *connection, brood_ms timeout)
{
    brp_watch watch;
    bool is_ready;
    bri_deadline deadline = deadline_of(timeout);
    BROOD_TRY(bri_connection_watch(connection, &watch, &is_ready));
    if (is_ready || connection->channel.kind != BRP_CHANNEL_MESSAGES)
        return is_ready ? BROOD_OK : brp_channel_poll(connection->channel, deadline);
    bri_mutex_lock(connection->read_lock);
    brood_status status = bri_frame_poll(&connection->reader, connection->channel, deadline);
    bri_mutex_unlock(connection->read_lock);
    return status;
}

void brood_connection_set_limit(brood_connection *connection, uint64_t limit)
{
    if (connection != NULL)
        atomic_store(&connection->limit, limit == 0 ? DEFAULT_LIMIT : limit);
}

intptr_t brood_connection_fileno(const brood_connection *connection)
{
    return connection == NULL ? BRP_NO_HANDLE.value : connection->channel.handle.value;
}

brood_status brood_connection_peer(const brood_connection *connection, int64_t *pid, char *user,
                                   size_t room)
{
    brp_peer peer;
    BROOD_TRY(bri_connection_check(connection, true, "ask"));
    BROOD_TRY(brp_channel_peer(connection->channel, &peer));
    if (pid != NULL)
        *pid = peer.pid;
    if (room != 0)
        snprintf(user, room, "%s", peer.user);
    return BROOD_OK;
}

void bri_connection_host(const brood_connection *connection, char *text, size_t room)
{
    char remote[BRP_REMOTE_TEXT] = "";
    if (brp_handle_is_set(connection->channel.handle))
        brp_tcp_remote(connection->channel, remote);
    char *port = strrchr(remote, ':');
    if (port != NULL)
        *port = '\0';
    snprintf(text, room, "%s", remote);
}

bool brood_connection_is_readable(const brood_connection *connection)
{
    return connection != NULL && connection->readable;
}

bool brood_connection_is_writable(const brood_connection *connection)
{
    return connection != NULL && connection->writable;
}

/* ---- values ---- */

/* The handle's number, the directions, what it is and whose, and the bytes that were read and
 * belong to messages that nobody has taken yet. */
static brood_status reduce_connection(void *object, bri_transfer *transfer, brood_value *arguments)
{
    brood_connection *connection = object;
    int64_t number;
    BROOD_TRY(bri_connection_check(connection, true, "send"));
    bri_mutex_lock(connection->read_lock);
    const bri_frame_reader *reader = &connection->reader;
    brood_status status =
        reader->has_header || reader->beside != NULL
            ? bri_fail(BROOD_ESTATE,
                       "could not send a connection: a part of a message was received from it")
            : bri_transfer_add(transfer, connection->channel.handle, &number);
    brood_value tuple = {0};
    if (status == BROOD_OK) {
        const void *ahead =
            reader->ahead == NULL ? (const void *)"" : reader->ahead + reader->begin;
        tuple = brood_pack("(lbbibuy)", number, connection->readable, connection->writable,
                           (int)connection->channel.kind, connection->is_foreign,
                           (uint64_t)connection->limit, ahead, reader->end - reader->begin);
        if (tuple.kind == BROOD_INVALID)
            status = bri_fail_invalid(&tuple);
    }
    bri_mutex_unlock(connection->read_lock);
    if (status == BROOD_OK)
        *arguments = tuple;
    return status;
}

static brood_status put_ahead(brood_connection *connection, const void *data, size_t size)
{
    return size == 0 ? BROOD_OK : bri_frame_put_ahead(&connection->reader, data, size);
}

static brood_status rebuild_connection(const brood_value *arguments, bri_transfer *transfer,
                                       void **object)
{
    int64_t number, kind;
    uint64_t limit;
    bool readable, writable, is_foreign;
    const void *ahead;
    size_t size;
    brp_handle handle;
    brood_connection *made;
    BROOD_TRY(brood_unpack(arguments, "(ibbibuy)", &number, &readable, &writable, &kind,
                           &is_foreign, &limit, &ahead, &size));
    if (kind < 0 || kind >= BRP_CHANNEL_KINDS)
        return bri_fail(BROOD_EFORMAT, "could not use a connection: its kind is unknown");
    BROOD_TRY(bri_transfer_take(transfer, number, &handle));
    brp_channel channel = {handle, (brp_channel_kind)kind};
    BROOD_TRY(create_connection(&made, channel, readable, writable));
    made->is_foreign = is_foreign;
    atomic_store(&made->limit, limit);
    brood_status status = brp_channel_adopt(&made->channel);
    if (status == BROOD_OK)
        status = put_ahead(made, ahead, size);
    if (status != BROOD_OK)
        brood_connection_close(made);
    else
        *object = made;
    return status;
}

const bri_object_class bri_connection_class = {
    .name = "Connection",
    .retain = retain_connection,
    .release = release_connection,
    .reduce = reduce_connection,
    .rebuild = rebuild_connection,
};

/* ---- fork ---- */

void bri_connections_lock(void)
{
    bri_mutex_lock(bri_the_runtime.connections->lock);
}

void bri_connections_unlock(void)
{
    bri_mutex_unlock(bri_the_runtime.connections->lock);
}

/* Marks the connections in a value. */
static void keep(const brood_value *value)
{
    const brood_value *key, *item;
    switch (brood_value_kind(value)) {
    case BROOD_LIST:
    case BROOD_TUPLE:
        for (size_t i = 0; i < brood_value_length(value); i++)
            keep(brood_item(value, i));
        break;
    case BROOD_DICT:
        for (size_t position = 0; brood_dict_next(value, &position, &key, &item);) {
            keep(key);
            keep(item);
        }
        break;
    case BROOD_SET:
    case BROOD_FROZENSET:
        for (size_t position = 0; brood_set_next(value, &position, &item);)
            keep(item);
        break;
    case BROOD_ERROR:
        keep(brood_error_arguments(value));
        break;
    case BROOD_OBJECT:
        if (strcmp(brood_object_name(value), bri_connection_class.name) == 0) {
            brood_connection *connection;
            if (brood_get_connection(value, &connection) == BROOD_OK)
                connection->kept = true;
        } else {
            bri_shared_pass(value);
        }
        break;
    default:
        break;
    }
}

void bri_connections_keep_only(const brood_value *arguments, const brood_value *keywords)
{
    struct bri_connections *all = bri_the_runtime.connections;
    keep(arguments);
    keep(keywords);
    for (brood_connection *one = all->first; one != NULL; one = one->next) {
        if (!one->kept)
            brp_channel_close(&one->channel);
        one->kept = false;
    }
    for (bri_open_thing *thing = all->things; thing != NULL; thing = thing->next)
        thing->close_in_child(thing);
}

void bri_open_things_link(bri_open_thing *thing)
{
    struct bri_connections *all = bri_the_runtime.connections;
    bri_mutex_lock(all->lock);
    thing->previous = NULL;
    thing->next = all->things;
    if (all->things != NULL)
        all->things->previous = thing;
    all->things = thing;
    bri_mutex_unlock(all->lock);
}

void bri_open_things_unlink(bri_open_thing *thing)
{
    struct bri_connections *all = bri_the_runtime.connections;
    bri_mutex_lock(all->lock);
    if (thing->next != NULL)
        thing->next->previous = thing->previous;
    if (thing->previous != NULL)
        thing->previous->next = thing->next;
    else if (all->things == thing)
        all->things = thing->next;
    thing->next = thing->previous = NULL;
    bri_mutex_unlock(all->lock);
}

static brood_status start_connections(void)
{
    if (bri_the_runtime.connections != NULL)
        return BROOD_OK;
    struct bri_connections *all = bri_calloc(1, sizeof *all);
    if (all == NULL)
        return BROOD_ENOMEM;
    brood_status status = bri_mutex_create(&all->lock);
    if (status == BROOD_OK)
        bri_the_runtime.connections = all;
    else
        bri_free(all);
    return status;
}

brood_status bri_ipc_start(void)
{
    BROOD_TRY(start_connections());
    BROOD_TRY(bri_class_add(&bri_connection_class));
    return bri_shared_start();
}

brood_value brood_connection_value(brood_connection *connection)
{
    if (connection == NULL) {
        bri_fail(BROOD_EINVALID, "could not make a value of a connection: NULL is none");
        return (brood_value){0};
    }
    return bri_object_value(&bri_connection_class, connection);
}

brood_status brood_get_connection(const brood_value *value, brood_connection **connection)
{
    void *found;
    BROOD_TRY(bri_object_get(value, &bri_connection_class, &found));
    *connection = found;
    return BROOD_OK;
}
