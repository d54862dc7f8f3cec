/*
 * ipc/connection_state.h - what a connection is made of, for the files that implement it.
 */
#ifndef BRI_CONNECTION_STATE_H
#define BRI_CONNECTION_STATE_H

#include <stdatomic.h>

#include "ipc/connection.h"
#include "platform/lock.h"

struct brood_connection {
    bri_open_thing thing;
    bool kept; /* by bri_connections_keep_only */
    atomic_int references;
    brp_channel channel;    /* BRP_NO_CHANNEL when closed */
    bool is_foreign;        /* the other end may be anybody who has the key */
    _Atomic uint64_t limit; /* of a message's bytes */
    bool readable;
    bool writable;
    brp_mutex *read_lock;
    bri_frame_reader reader; /* under read_lock */
    brp_mutex *write_lock;
    bri_buffer scratch; /* under write_lock */
    brp_sender *sender; /* of bri_connection_write_some, on a channel of messages */
    bool cut_off;       /* a message went out in part; under write_lock */
};

/* Makes one of a channel, which is moved in, also on failure. */
brood_status bri_connection_make(brood_connection **connection, brp_channel channel, bool readable,
                                 bool writable);
brood_status bri_connection_retain(void *connection);
void bri_connection_release(void *connection);

/* Fails when the connection is closed or not `able`; "could not <what> a connection". */
brood_status bri_connection_check(const brood_connection *connection, bool able, const char *what);
brood_status bri_connection_check_read(const brood_connection *connection);
brood_status bri_connection_check_write(const brood_connection *connection);

/* The channel's handle in a message, and out of it (connection_pass.c). */
brood_status bri_connection_give_handle(const brood_connection *connection, bri_transfer *transfer,
                                        brood_value *given);
brood_status bri_connection_get_handle(const brood_value *given, bri_transfer *transfer,
                                       brp_channel *channel);

#endif /* BRI_CONNECTION_STATE_H */
