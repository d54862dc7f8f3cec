/*
 * brood/handle.h - sockets and open files as values: arguments and results of tasks, arguments of
 * processes, items of messages. Python: sockets can be pickled there, by multiprocessing.reduction
 * and resource_sharer; other descriptors as DupFd.
 *
 * The process that has sent one keeps it open until the receiver has fetched its own duplicate,
 * over a private local connection that both prove a key on; so the sender has to live until then.
 *
 *   - Among a task's arguments it is kept until the task has ended, however it ends: every attempt
 *     of a task that is tried again gets it, and of a task that is cancelled nothing is left open.
 *   - In the result of a task it can be fetched once. When nobody will read the result any more (it
 *     came too late for its map, or cannot be decoded), the worker closes it: at once if it is
 *     idle, else when its task has ended.
 *   - Among a process's arguments it is kept until it was fetched, or the process has ended.
 *   - In a message it can be fetched once. A message that cannot be sent keeps nothing; what is in
 *     one that was sent and that nobody ever receives stays open until the sender's end.
 */
#ifndef BROOD_HANDLE_H
#define BROOD_HANDLE_H

#include <stdint.h>

#include <brood/value.h>

BROOD_BEGIN_DECLS

/*
 * A value that owns the socket: a descriptor, on Windows a SOCKET. It is closed with the last copy
 * of the value, unless brood_take_socket has taken it out. The invalid value on failure; the socket
 * is closed then.
 *
 * Errors:  BROOD_ENOINIT, BROOD_EINVALID for -1, BROOD_ENOMEM, to be seen in brood_last_error().
 * Blocks:  no.
 * Threads: safe.
 * Fork:    the child of a fork has the socket too, as all of its parent's descriptors.
 * Python:  the socket itself.
 */
BROOD_API brood_value brood_socket_value(intptr_t socket);

/*
 * The socket in a value: borrowed, as long as the value lives; or taken over from it, to be closed
 * by the caller.
 *
 * Errors:  BROOD_ETYPE the value is something else; BROOD_ESTATE it was taken before.
 * Blocks:  no.
 * Threads: as the value.
 */
BROOD_API brood_status brood_get_socket(const brood_value *value, intptr_t *socket);
BROOD_API brood_status brood_take_socket(const brood_value *value, intptr_t *socket);

/*
 * The same for an open file and any other handle: a descriptor, on Windows a HANDLE that can be
 * duplicated (of a file, a pipe, an event, ...). The receiver's is a duplicate: both share the
 * place in the file. On POSIX a socket may go either way.
 *
 * Errors:  as those for sockets.
 * Blocks:  no.
 * Threads: as those for sockets.
 * Fork:    as brood_socket_value.
 * Python:  reduction.DupFd, reduction.DupHandle.
 */
BROOD_API brood_value brood_handle_value(intptr_t handle);
BROOD_API brood_status brood_get_handle(const brood_value *value, intptr_t *handle);
BROOD_API brood_status brood_take_handle(const brood_value *value, intptr_t *handle);

BROOD_END_DECLS

#endif /* BROOD_HANDLE_H */
