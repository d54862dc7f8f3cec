/*
 * brood/connection.h - messages between two processes. Python: multiprocessing.Pipe and Connection,
 * the same framing.
 *
 * A connection goes to another process as an argument of that process, or as an argument or result
 * of a pool's task (brood_connection_value); it cannot be put into a message. Each end belongs to
 * one process: close the ends that you do not use yourself, or nobody sees the end of the other.
 *
 * Threads: one thread may receive while another sends; a second receiver waits for the first, a
 * second sender likewise. Closing must not meet another call on the same connection.
 */
#ifndef BROOD_CONNECTION_H
#define BROOD_CONNECTION_H

#include <stdbool.h>

#include <brood/time.h>
#include <brood/value.h>

BROOD_BEGIN_DECLS

typedef struct brood_connection brood_connection;

/*
 * Makes two connected ends. With `duplex` both send and receive; without, `first` only receives and
 * `second` only sends.
 *
 * Errors:  BROOD_ENOINIT; BROOD_ELIMIT out of handles; BROOD_ENOMEM.
 * Blocks:  no.
 * Threads: safe.
 * Fork:    a child has the connections among its arguments; all others are closed in it, as under
 *          the other start methods. (Python's fork keeps them open, and nobody sees their end.)
 * Python:  multiprocessing.Pipe(duplex), in the same order.
 */
BROOD_API brood_status brood_pipe(brood_connection **first, brood_connection **second, bool duplex);

/*
 * Sends a value, which is moved in, also on failure.
 *
 * Errors:  BROOD_EEOF nobody can receive it any more; BROOD_ETIMEDOUT; BROOD_EBROKEN an earlier
 *          message went out in part; BROOD_ESTATE it only receives; BROOD_ECLOSED; BROOD_ENOTSUP
 *          something in the value cannot travel; BROOD_ENOMEM; BROOD_EINVALID.
 * Blocks:  while the other end does not read and the system's buffer is full. When the time is up
 *          in the middle of a message the connection is broken for sending.
 * Python:  Connection.send().
 */
BROOD_API brood_status brood_connection_send(brood_connection *connection, brood_value value,
                                             brood_ms timeout);

/*
 * Receives a value. When the time is up in the middle of a message nothing is lost: a later call
 * goes on.
 *
 * Errors:  BROOD_EEOF the other end is closed or its process died, and everything sent before was
 *          received (no message text); BROOD_ETIMEDOUT; BROOD_EFORMAT the message is no pickle (it
 *          is gone, the connection goes on; so it is with the other errors of brood_pickle_loads),
 *          or what came is no message (it is broken); BROOD_EBROKEN the end came inside of a
 *          message; BROOD_ETOOLONG over the connection's limit (1 GiB), broken; BROOD_ECLOSED
 *          something in the message has ended, or the connection is closed; BROOD_ENOTFOUND named
 *          memory in the message has; BROOD_ESTATE it only sends, or (POSIX) a handle comes first,
 *          it stays; BROOD_ENOMEM; BROOD_EINVALID.
 * Blocks:  up to `timeout` milliseconds.
 * Python:  Connection.recv(), which raises EOFError at the end.
 */
BROOD_API brood_status brood_connection_recv(brood_connection *connection, brood_value *value,
                                             brood_ms timeout);

/* Sends bytes as they are, without pickling; 0 bytes are a message too. Otherwise as
 * brood_connection_send. Python: send_bytes(). */
BROOD_API brood_status brood_connection_send_bytes(brood_connection *connection, const void *data,
                                                   size_t size, brood_ms timeout);

/*
 * Receives a message as it is into new memory for brood_free. A message of more than `limit` bytes
 * (0: the connection's limit) is BROOD_ETOOLONG and the connection can no longer be read; it can
 * still be written. Memory is taken as bytes arrive, not because a message says how long it is.
 *
 * Otherwise as brood_connection_recv. Python: recv_bytes(maxlength).
 */
BROOD_API brood_status brood_connection_recv_bytes(brood_connection *connection, size_t limit,
                                                   void **data, size_t *size, brood_ms timeout);

/*
 * Receives a message into the caller's memory. When it does not fit, BROOD_ETOOLONG: *size then
 * tells the message's size, and the message is kept for the next call.
 *
 * Otherwise as brood_connection_recv. Python: recv_bytes_into(), whose BufferTooShort takes such a
 * message along.
 */
BROOD_API brood_status brood_connection_recv_bytes_into(brood_connection *connection, void *data,
                                                        size_t room, size_t *size,
                                                        brood_ms timeout);

/*
 * Waits until a receive finds a message, the rest or beginning of one, or the end.
 *
 * Errors:  BROOD_ETIMEDOUT nothing came; BROOD_ESTATE it only sends; BROOD_ECLOSED; BROOD_EINVALID.
 * Blocks:  up to `timeout` milliseconds.
 * Python:  poll(timeout).
 */
BROOD_API brood_status brood_connection_poll(brood_connection *connection, brood_ms timeout);

/*
 * Sets the most bytes that a received message may have, 0 for 1 GiB, the size that a new connection
 * has. The limit that brood_connection_recv_bytes is given stands in its place.
 *
 * Messages of any size can be sent and, where this allows it, received: those of 2 GiB and more
 * have Python's long header.
 *
 * Threads: safe.
 */
BROOD_API void brood_connection_set_limit(brood_connection *connection, uint64_t limit);

/* The descriptor, HANDLE or SOCKET; still owned by the connection, which may have read ahead of
 * what it has given out. -1 when it is closed. Python: fileno(). */
BROOD_API intptr_t brood_connection_fileno(const brood_connection *connection);

/*
 * Tells who is at the other end of a connection of this machine: the process, and its user, as the
 * system saw them when the two ends were connected (for a pipe: who made it). `user` becomes the
 * user's id in digits on POSIX and the SID ("S-1-5-...") on Windows, cut to `room` bytes with the
 * NUL; 200 are enough. What the system does not know is 0 or "". Either output may be NULL (with a
 * `room` of 0).
 *
 * Errors:  BROOD_ENOTSUP it leads to another machine (TCP); BROOD_EOS; BROOD_ECLOSED;
 *          BROOD_EINVALID.
 * Blocks:  no.
 * Threads: safe.
 * Python:  none.
 */
BROOD_API brood_status brood_connection_peer(const brood_connection *connection, int64_t *pid,
                                             char *user, size_t room);

/*
 * Gives the process at the other end a duplicate of a handle: a descriptor, on Windows a HANDLE.
 * `handle` stays the caller's. The receiver calls brood_connection_recv_handle in place of a
 * receive: handles and messages keep their order.
 *
 * `pid` is the receiver's on Windows, which has to know it; 0: the process that the system knows at
 * the other end of a connection made by brood_connect and brood_listener_accept (an end of
 * brood_pipe was made by this process, so there it has to be told). POSIX does without.
 *
 * Errors:  BROOD_ENOTSUP over TCP on POSIX, and to another machine; BROOD_EACCESS the system does
 *          not let this process give handles to that one; otherwise as brood_connection_send_bytes.
 * Blocks:  as brood_connection_send_bytes.
 * Python:  reduction.send_handle(connection, handle, pid), on POSIX with the same bytes.
 */
BROOD_API brood_status brood_connection_send_handle(brood_connection *connection, intptr_t handle,
                                                    int64_t pid, brood_ms timeout);

/*
 * Receives a handle, which is then the caller's to close, and which children do not inherit.
 *
 * Errors:  BROOD_ESTATE (POSIX) a message comes first, it stays; BROOD_EFORMAT what came is no
 *          handle; BROOD_ELIMIT; otherwise as brood_connection_recv_bytes.
 * Blocks:  up to `timeout` milliseconds.
 * Python:  reduction.recv_handle(connection).
 */
BROOD_API brood_status brood_connection_recv_handle(brood_connection *connection, intptr_t *handle,
                                                    brood_ms timeout);

/* The same for sockets, which on Windows are not like other handles (WSADuplicateSocket); on POSIX
 * they are, and either function can receive what either has sent. */
BROOD_API brood_status brood_connection_send_socket(brood_connection *connection, intptr_t handle,
                                                    int64_t pid, brood_ms timeout);
BROOD_API brood_status brood_connection_recv_socket(brood_connection *connection, intptr_t *handle,
                                                    brood_ms timeout);

/* The directions. They stay as they were after closing. Python: readable, writable. */
BROOD_API bool brood_connection_is_readable(const brood_connection *connection);
BROOD_API bool brood_connection_is_writable(const brood_connection *connection);

/*
 * Closes this end and gives the pointer back. The other end receives what was sent, then
 * BROOD_EEOF. The handle is closed at once, also when values still refer to the connection: using
 * those gives BROOD_ECLOSED. NULL is ignored.
 */
BROOD_API void brood_connection_close(brood_connection *connection);

/*
 * The connection as a value, for arguments of processes and tasks and results of tasks. The value
 * is another reference; the pointer still has to be closed. The receiver gets a duplicate of the
 * handle, with what was read ahead, so close it here when it was given away. The invalid value on
 * failure.
 *
 * Errors:  BROOD_EINVALID, BROOD_ENOMEM, to be seen in brood_last_error().
 */
BROOD_API brood_value brood_connection_value(brood_connection *connection);

/*
 * The same, but the value takes the pointer over: the connection is closed with the value's last
 * copy. So a task gives one back that it has made, and nothing of it stays open in the worker:
 *
 *     return brood_call_return(call, brood_connection_hand_over(theirs));
 *
 * Errors:  BROOD_EINVALID, BROOD_ENOMEM, to be seen in brood_last_error(); it is closed then.
 */
BROOD_API brood_value brood_connection_hand_over(brood_connection *connection);

/* The connection in a value, borrowed: valid as long as the value is. BROOD_ETYPE for another kind
 * of value. */
BROOD_API brood_status brood_get_connection(const brood_value *value,
                                            brood_connection **connection);

BROOD_END_DECLS

#endif /* BROOD_CONNECTION_H */
