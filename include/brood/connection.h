/*
 * brood/connection.h - messages between two processes. Python: multiprocessing.Pipe and Connection,
 * the same framing.
 */
#ifndef BROOD_CONNECTION_H
#define BROOD_CONNECTION_H

#include <stdbool.h>

#include <brood/time.h>
#include <brood/value.h>

BROOD_BEGIN_DECLS

typedef struct brood_connection brood_connection;

/*
 * Two connected ends. Duplex, or with `duplex` false `first` only receives and `second` only sends,
 * as in Python.
 *
 * Fork: a child has the connections among its arguments; all others are closed in it, as under the
 *       other start methods. (Python's fork keeps them open, and nobody sees their end.)
 */
BROOD_API brood_status brood_pipe(brood_connection **first, brood_connection **second, bool duplex);

/* Sends a value (moved in). */
BROOD_API brood_status brood_connection_send(brood_connection *connection, brood_value value,
                                             brood_ms timeout);
/* Receives a value. BROOD_EEOF when the other end is closed or its process died. */
BROOD_API brood_status brood_connection_recv(brood_connection *connection, brood_value *value,
                                             brood_ms timeout);

BROOD_API brood_status brood_connection_send_bytes(brood_connection *connection, const void *data,
                                                   size_t size, brood_ms timeout);
/* New memory for brood_free. A message of more than `limit` bytes (0: 1 GiB) is BROOD_ETOOLONG and
 * the connection can no longer be read. */
BROOD_API brood_status brood_connection_recv_bytes(brood_connection *connection, size_t limit,
                                                   void **data, size_t *size, brood_ms timeout);
/* Into the caller's memory. Too short: BROOD_ETOOLONG, *size tells the message's size, and the
 * message is kept for the next call. */
BROOD_API brood_status brood_connection_recv_bytes_into(brood_connection *connection, void *data,
                                                        size_t room, size_t *size,
                                                        brood_ms timeout);
/* BROOD_OK when a receive would find a message (or the end); BROOD_ETIMEDOUT. */
BROOD_API brood_status brood_connection_poll(brood_connection *connection, brood_ms timeout);

/* The descriptor or HANDLE; still owned by the connection. Python: fileno(). */
BROOD_API intptr_t brood_connection_fileno(const brood_connection *connection);
BROOD_API bool brood_connection_is_readable(const brood_connection *connection);
BROOD_API bool brood_connection_is_writable(const brood_connection *connection);
BROOD_API void brood_connection_close(brood_connection *connection);

/* The connection as a value (retained), for a process's arguments; and the connection in a value
 * (borrowed from it). */
BROOD_API brood_value brood_connection_value(brood_connection *connection);
BROOD_API brood_status brood_get_connection(const brood_value *value,
                                            brood_connection **connection);

BROOD_END_DECLS

#endif /* BROOD_CONNECTION_H */
