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
#include "data/pickle.h"
#include "ipc/frame.h"
#include "ipc/lend.h"
#include "platform/clock.h"
#include "platform/local.h"
#include "platform/socket.h"

enum { KEPT_SCRATCH = 64 << 10 /* bytes that a connection keeps for its next pickle */ };

static const uint64_t DEFAULT_LIMIT = UINT64_C(1) << 30;

/* ---- making and ending ---- */

static void free_connection(brood_connection *connection)
{
    bri_open_things_unlink(&connection->thing);
    brp_sender_close(&connection->sender);
    brp_channel_close(&connection->channel);
    brp_mutex_destroy(connection->read_lock);
    brp_mutex_destroy(connection->write_lock);
    bri_frame_fini(&connection->reader);
    bri_buffer_fini(&connection->scratch);
    bri_free(connection);
}

/* In a forked child: unless it is among what the child was given. Another thread of the parent may
 * be waiting in it. */
static void close_in_child(bri_open_thing *thing)
{
    brood_connection *connection = (brood_connection *)thing; /* its first member */
    if (connection->kept) {
        connection->read_lock = brp_mutex_renew(connection->read_lock);
        connection->write_lock = brp_mutex_renew(connection->write_lock);
    } else {
        brp_channel_close(&connection->channel);
    }
    connection->kept = false;
}

brood_status bri_connection_make(brood_connection **connection, brp_channel channel, bool readable,
                                 bool writable)
{
    brood_connection *made = bri_calloc(1, sizeof *made);
    if (made == NULL) {
        brp_channel_close(&channel);
        return BROOD_ENOMEM;
    }
    atomic_init(&made->references, 1);
    atomic_init(&made->limit, DEFAULT_LIMIT);
    made->channel = channel;
    made->thing.close_in_child = close_in_child;
    bri_open_things_link(&made->thing);
    made->reader.takes_handles = channel.kind == BRP_CHANNEL_STREAM;
    made->readable = readable;
    made->writable = writable;
    brood_status status = brp_mutex_create(&made->read_lock);
    if (status == BROOD_OK)
        status = brp_mutex_create(&made->write_lock);
    if (status != BROOD_OK)
        free_connection(made);
    else
        *connection = made;
    return status;
}

/* The handle is moved in, also on failure. */
static brood_status make_of_stream(brood_connection **connection, brp_handle stream, bool readable,
                                   bool writable)
{
    return bri_connection_make(connection, (brp_channel){stream, BRP_CHANNEL_STREAM}, readable,
                               writable);
}

brood_status bri_connection_adopt(brood_connection **connection, brp_channel channel,
                                  bri_frame_reader *reader, uint64_t limit)
{
    brood_connection *made;
    brood_status status = bri_connection_make(&made, channel, true, true);
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
    brood_status status = make_of_stream(&one, ends[0], true, duplex);
    if (status != BROOD_OK) {
        brp_handle_close(&ends[1]);
        return status;
    }
    status = make_of_stream(&other, ends[1], duplex, true);
    if (status != BROOD_OK) {
        brood_connection_close(one);
        return status;
    }
    *first = one;
    *second = other;
    return BROOD_OK;
}

brood_status bri_connection_retain(void *object)
{
    atomic_fetch_add(&((brood_connection *)object)->references, 1);
    return BROOD_OK;
}

void bri_connection_release(void *object)
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
    bri_connection_release(connection);
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
    brp_mutex_lock(connection->write_lock);
    brood_status status = write_message(connection, data, size, deadline);
    brp_mutex_unlock(connection->write_lock);
    return status;
}

static brood_status send_value(brood_connection *connection, const brood_value *value,
                               bri_deadline deadline)
{
    BROOD_TRY(bri_connection_check_write(connection));
    struct bri_transfer transfer = {.way = BRI_TRANSFER_TREE};
    bri_pickle_options options = pickle_options(connection, &transfer);
    brp_mutex_lock(connection->write_lock);
    bri_buffer *buffer = &connection->scratch;
    bri_buffer_reset(buffer);
    brood_status status = bri_pickle_write(value, &options, buffer);
    if (status == BROOD_OK)
        status = write_message(connection, buffer->data, buffer->length, deadline);
    if (status != BROOD_OK)
        bri_loan_end(transfer.loan);
    if (buffer->capacity > KEPT_SCRATCH)
        bri_buffer_fini(buffer);
    brp_mutex_unlock(connection->write_lock);
    return status;
}

brood_status brood_connection_send(brood_connection *connection, brood_value value,
                                   brood_ms timeout)
{
    brood_status status = send_value(connection, &value, deadline_of(timeout));
    brood_value_clear(&value);
    return status;
}

/* ---- receiving ---- */

brood_status brood_connection_recv(brood_connection *connection, brood_value *value,
                                   brood_ms timeout)
{
    const void *data;
    size_t size;
    BROOD_TRY(bri_connection_check_read(connection));
    bri_deadline deadline = deadline_of(timeout);
    struct bri_transfer transfer = {.way = BRI_TRANSFER_TREE};
    bri_pickle_options options = pickle_options(connection, &transfer);
    brp_mutex_lock(connection->read_lock);
    brood_status status = bri_frame_read(&connection->reader, connection->channel,
                                         connection->limit, &data, &size, deadline);
    if (status == BROOD_OK) {
        status = bri_pickle_read(data, size, &options, value, NULL);
        bri_frame_done(&connection->reader);
    }
    brp_mutex_unlock(connection->read_lock);
    return status;
}

brood_status brood_connection_recv_bytes(brood_connection *connection, size_t limit, void **data,
                                         size_t *size, brood_ms timeout)
{
    const void *there;
    size_t length;
    BROOD_TRY(bri_connection_check_read(connection));
    bri_deadline deadline = deadline_of(timeout);
    brp_mutex_lock(connection->read_lock);
    brood_status status =
        bri_frame_read(&connection->reader, connection->channel,
                       limit == 0 ? connection->limit : limit, &there, &length, deadline);
    if (status == BROOD_OK)
        status = bri_frame_take(&connection->reader, data);
    if (status == BROOD_OK)
        *size = length;
    brp_mutex_unlock(connection->read_lock);
    return status;
}

brood_status brood_connection_recv_bytes_into(brood_connection *connection, void *data, size_t room,
                                              size_t *size, brood_ms timeout)
{
    const void *there;
    size_t length;
    BROOD_TRY(bri_connection_check_read(connection));
    bri_deadline deadline = deadline_of(timeout);
    brp_mutex_lock(connection->read_lock);
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
    brp_mutex_unlock(connection->read_lock);
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

size_t bri_connection_held(const brood_connection *connection)
{
    return connection->reader.body.length;
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
    brp_mutex_lock(connection->read_lock);
    *is_ready = bri_frame_is_ready(&connection->reader);
    brp_mutex_unlock(connection->read_lock);
    *watch = (brp_watch){.handle = connection->channel.handle,
                         .kind = brp_channel_watch_kind(connection->channel)};
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
    brp_mutex_lock(connection->read_lock);
    brood_status status = bri_frame_poll(&connection->reader, connection->channel, deadline);
    brp_mutex_unlock(connection->read_lock);
    return status;
}

void bri_connection_put_empty(brood_connection *connection)
{
    brp_mutex_lock(connection->read_lock);
    bri_frame_put_empty(&connection->reader);
    brp_mutex_unlock(connection->read_lock);
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

void bri_connection_end(const brood_connection *connection, bool ours, char *text, size_t room)
{
    char end[BRP_REMOTE_TEXT] = "";
    if (brp_handle_is_set(connection->channel.handle) && ours)
        brp_tcp_local(connection->channel, end);
    else if (brp_handle_is_set(connection->channel.handle))
        brp_tcp_remote(connection->channel, end);
    snprintf(text, room, "%s", end);
}

void bri_connection_host(const brood_connection *connection, char *text, size_t room)
{
    char remote[BRP_REMOTE_TEXT];
    bri_connection_end(connection, false, remote, sizeof remote);
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
