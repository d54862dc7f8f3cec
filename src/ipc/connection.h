/*
 * ipc/connection.h - what the layers above need of a connection.
 */
#ifndef BRI_CONNECTION_H
#define BRI_CONNECTION_H

#include <brood/connection.h>

#include "base/deadline.h"
#include "data/object.h"
#include "ipc/frame.h"
#include "platform/waitmany.h"

/* Makes a duplex connection of a channel whose beginning was read with `reader`; both are moved in,
 * also on failure. Objects of this process tree do not go through it: who is at the other end is
 * not known to be of the tree. `limit`: of messages; 0: 1 GiB. */
brood_status bri_connection_adopt(brood_connection **connection, brp_channel channel,
                                  bri_frame_reader *reader, uint64_t limit);

/* What to wait for. True: a message (or the end) is there already, no wait is needed. Fails when
 * the connection is closed or cannot be read. */
brood_status bri_connection_watch(brood_connection *connection, brp_watch *watch, bool *is_ready);

/* A wait took an empty message from it (`took_empty` of its watch): the next receive gives that. */
void bri_connection_put_empty(brood_connection *connection);

/* The number of the host at the other end of TCP, "127.0.0.1"; "" elsewhere. */
void bri_connection_host(const brood_connection *connection, char *text, size_t room);

/* The two ends of TCP as numbers, "127.0.0.1:80": this one (`ours`) or the other; "" elsewhere. */
void bri_connection_end(const brood_connection *connection, bool ours, char *text, size_t room);

/*
 * For loops that serve many connections and never wait for one. Whoever uses these is the only user
 * of the connection.
 *
 * next: the next message, which stays current until bri_connection_done; BROOD_ETIMEDOUT when it
 * has not come whole, what has come is kept. pending: whether next would find something without
 * reading. write_some: frames with their headers, as far as they go without waiting;
 * BROOD_ETIMEDOUT when that is not all.
 */
brood_status bri_connection_next(brood_connection *connection, uint64_t limit, const void **data,
                                 size_t *size);
void bri_connection_done(brood_connection *connection);
bool bri_connection_pending(const brood_connection *connection);
/* Bytes that are there of a long message. */
size_t bri_connection_held(const brood_connection *connection);
brood_status bri_connection_write_some(brood_connection *connection, const void *data, size_t size,
                                       size_t *written);

/*
 * For fork, which copies the descriptors of all connections and listeners: closes those that are in
 * none of the values (arguments of the child), so that the other ends learn of an end as they do
 * under every other start method. In the child, before anything else; the lock is held across the
 * fork.
 */
void bri_connections_lock(void);
void bri_connections_unlock(void);
void bri_connections_keep_only(const brood_value *arguments, const brood_value *keywords);

/* What has handles that a forked child must not keep: `close_in_child` is called there for each
 * that is linked. One that was never linked may be unlinked. */
typedef struct bri_open_thing {
    struct bri_open_thing *previous, *next;
    void (*close_in_child)(struct bri_open_thing *thing);
} bri_open_thing;
void bri_open_things_link(bri_open_thing *thing);
void bri_open_things_unlink(bri_open_thing *thing);

extern const bri_object_class bri_connection_class;

#endif /* BRI_CONNECTION_H */
