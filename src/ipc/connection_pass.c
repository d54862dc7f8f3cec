/*
 * ipc/connection_pass.c - handles and sockets given to the process at the other end, and a
 * connection's own handle in a message. Python: multiprocessing.reduction's send_handle and
 * recv_handle, and how it pickles connections.
 *
 * POSIX: beside one byte in the stream, which the frame reader sets apart. Windows: as a message.
 */
#include "base/memory.h"
#include "core/transfer.h"
#include "ipc/connection_state.h"
#include "platform/clock.h"
#include "platform/local.h"
#include "platform/pass.h"

static bri_deadline deadline_of(brood_ms timeout)
{
    return timeout < 0 ? BRI_NEVER : bri_deadline_after(brp_clock_now(), timeout);
}

/* ---- sending ---- */

/* Under write_lock. */
static brood_status send_beside(brood_connection *connection, brp_handle handle,
                                bri_deadline deadline)
{
    if (connection->cut_off)
        return bri_fail(BROOD_EBROKEN, "could not write to a connection: an earlier message went "
                                       "out in part");
    if (connection->channel.kind != BRP_CHANNEL_STREAM)
        return bri_fail(BROOD_ENOTSUP,
                        "could not send a handle: it goes over local connections only");
    return brp_pass_send(connection->channel.handle, 0, &handle, 1, deadline);
}

/* The receiver: as told, or as the system knows it. */
static brood_status find_receiver(const brood_connection *connection, int64_t *pid)
{
    brp_peer peer;
    if (*pid != 0)
        return BROOD_OK;
    BROOD_TRY(brp_channel_peer(connection->channel, &peer));
    *pid = peer.pid;
    return BROOD_OK;
}

static brood_status send_as_message(brood_connection *connection, brp_handle handle, bool is_socket,
                                    int64_t pid, brood_ms timeout)
{
    unsigned char bytes[BRP_PASS_BYTES];
    size_t size;
    BROOD_TRY(find_receiver(connection, &pid));
    BROOD_TRY(brp_pass_export(handle, is_socket, pid, bytes, &size));
    brood_status status = brood_connection_send_bytes(connection, bytes, size, timeout);
    if (status != BROOD_OK)
        brp_pass_withdraw(bytes, size);
    return status;
}

static brood_status send_one(brood_connection *connection, intptr_t handle, bool is_socket,
                             int64_t pid, brood_ms timeout)
{
    brp_handle given = {handle};
    BROOD_TRY(bri_connection_check_write(connection));
    if (!brp_handle_is_set(given))
        return bri_fail(BROOD_EINVALID, "could not send a handle: -1 is none");
    if (!brp_pass_is_beside())
        return send_as_message(connection, given, is_socket, pid, timeout);
    bri_deadline deadline = deadline_of(timeout);
    brp_mutex_lock(connection->write_lock);
    brood_status status = send_beside(connection, given, deadline);
    brp_mutex_unlock(connection->write_lock);
    return status;
}

brood_status brood_connection_send_handle(brood_connection *connection, intptr_t handle,
                                          int64_t pid, brood_ms timeout)
{
    return send_one(connection, handle, false, pid, timeout);
}

brood_status brood_connection_send_socket(brood_connection *connection, intptr_t handle,
                                          int64_t pid, brood_ms timeout)
{
    return send_one(connection, handle, true, pid, timeout);
}

/* ---- receiving ---- */

/* Under read_lock. */
static brood_status receive_as_message(brood_connection *connection, brp_handle *handle,
                                       bool is_socket, bri_deadline deadline)
{
    const void *data;
    size_t size;
    BROOD_TRY(bri_frame_read(&connection->reader, connection->channel, connection->limit, &data,
                             &size, deadline));
    brood_status status = brp_pass_import(data, size, is_socket, handle);
    bri_frame_done(&connection->reader);
    return status;
}

static brood_status receive_one(brood_connection *connection, intptr_t *handle, bool is_socket,
                                brood_ms timeout)
{
    brp_handle got = BRP_NO_HANDLE;
    BROOD_TRY(bri_connection_check_read(connection));
    bri_deadline deadline = deadline_of(timeout);
    if (brp_pass_is_beside() && connection->channel.kind != BRP_CHANNEL_STREAM)
        return bri_fail(BROOD_ENOTSUP,
                        "could not receive a handle: it comes over local connections only");
    brp_mutex_lock(connection->read_lock);
    brood_status status =
        brp_pass_is_beside()
            ? bri_frame_read_handles(&connection->reader, connection->channel, &got, 1, deadline)
            : receive_as_message(connection, &got, is_socket, deadline);
    brp_mutex_unlock(connection->read_lock);
    if (status == BROOD_OK)
        *handle = got.value;
    return status;
}

brood_status brood_connection_recv_handle(brood_connection *connection, intptr_t *handle,
                                          brood_ms timeout)
{
    return receive_one(connection, handle, false, timeout);
}

brood_status brood_connection_recv_socket(brood_connection *connection, intptr_t *handle,
                                          brood_ms timeout)
{
    return receive_one(connection, handle, true, timeout);
}

/* ---- the own handle in a message ---- */

static void release_lent(void *object)
{
    brp_channel *channel = object;
    brp_channel_close(channel);
    bri_free(channel);
}

/* A duplicate, because the connection may be closed before somebody borrows it. */
static brood_status lend(brp_channel channel, bri_transfer *transfer, brood_value *ticket)
{
    brp_channel *copy = bri_alloc(sizeof *copy);
    if (copy == NULL)
        return BROOD_ENOMEM;
    *copy = (brp_channel){BRP_NO_HANDLE, channel.kind};
    brood_status status = brp_handle_duplicate(channel.handle, &copy->handle);
    if (status == BROOD_OK)
        status = brp_channel_adopt(copy);
    if (status != BROOD_OK) {
        release_lent(copy);
        return status;
    }
    bri_lent what = {copy->handle, copy->kind == BRP_CHANNEL_SOCKET, copy, release_lent};
    return bri_transfer_lend(transfer, &what, ticket);
}

brood_status bri_connection_give_handle(const brood_connection *connection, bri_transfer *transfer,
                                        brood_value *given)
{
    int64_t number;
    if (transfer->way == BRI_TRANSFER_TASK)
        return lend(connection->channel, transfer, given);
    BROOD_TRY(bri_transfer_add(transfer, connection->channel.handle, &number));
    *given = brood_int(number);
    return BROOD_OK;
}

brood_status bri_connection_get_handle(const brood_value *given, bri_transfer *transfer,
                                       brp_channel *channel)
{
    int64_t number;
    if (brood_value_kind(given) != BROOD_INT)
        return bri_transfer_borrow(given, channel->kind == BRP_CHANNEL_SOCKET, &channel->handle);
    BROOD_TRY(brood_get_int(given, &number));
    return bri_transfer_take(transfer, number, &channel->handle);
}
