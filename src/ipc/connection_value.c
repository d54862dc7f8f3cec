/*
 * ipc/connection_value.c - connections in values: arguments of children, items of messages.
 */
#include "base/memory.h"
#include "core/transfer.h"
#include "data/heap.h"
#include "ipc/connection_state.h"

/* The handle's number, the directions, what it is and whose, and the bytes that were read and
 * belong to messages that nobody has taken yet. */
static brood_status reduce_connection(void *object, bri_transfer *transfer, brood_value *arguments)
{
    brood_connection *connection = object;
    brood_value given = {0};
    BROOD_TRY(bri_connection_check(connection, true, "send"));
    brp_mutex_lock(connection->read_lock);
    const bri_frame_reader *reader = &connection->reader;
    brood_status status =
        reader->has_header || reader->beside != NULL || reader->n_empty != 0
            ? bri_fail(BROOD_ESTATE,
                       "could not send a connection: a part of a message was received from it")
            : bri_connection_give_handle(connection, transfer, &given);
    brood_value tuple = {0};
    if (status == BROOD_OK) {
        const void *ahead =
            reader->ahead == NULL ? (const void *)"" : reader->ahead + reader->begin;
        tuple = brood_pack("(vbbibuy)", given, connection->readable, connection->writable,
                           (int)connection->channel.kind, connection->is_foreign,
                           (uint64_t)connection->limit, ahead, reader->end - reader->begin);
        if (tuple.kind == BROOD_INVALID)
            status = bri_fail_invalid(&tuple);
    }
    brp_mutex_unlock(connection->read_lock);
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
    const brood_value *given;
    int64_t kind;
    uint64_t limit;
    bool readable, writable, is_foreign;
    const void *ahead;
    size_t size;
    brood_connection *made;
    BROOD_TRY(brood_unpack(arguments, "(vbbibuy)", &given, &readable, &writable, &kind, &is_foreign,
                           &limit, &ahead, &size));
    if (kind < 0 || kind >= BRP_CHANNEL_KINDS)
        return bri_fail(BROOD_EFORMAT, "could not use a connection: its kind is unknown");
    brp_channel channel = {BRP_NO_HANDLE, (brp_channel_kind)kind};
    BROOD_TRY(bri_connection_get_handle(given, transfer, &channel));
    BROOD_TRY(bri_connection_make(&made, channel, readable, writable));
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
    .retain = bri_connection_retain,
    .release = bri_connection_release,
    .reduce = reduce_connection,
    .rebuild = rebuild_connection,
};

brood_value brood_connection_value(brood_connection *connection)
{
    return bri_object_value(&bri_connection_class, connection);
}

brood_value brood_connection_hand_over(brood_connection *connection)
{
    brood_value value = brood_connection_value(connection);
    if (brood_value_kind(&value) == BROOD_INVALID)
        brood_connection_close(connection);
    else
        bri_connection_release(connection);
    return value;
}

brood_status brood_get_connection(const brood_value *value, brood_connection **connection)
{
    void *found;
    BROOD_TRY(bri_object_get(value, &bri_connection_class, &found));
    *connection = found;
    return BROOD_OK;
}
