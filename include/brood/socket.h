/*
 * brood/socket.h - sockets as values: arguments of tasks and processes, items of messages. Python:
 * sockets can be pickled there, by multiprocessing.reduction and resource_sharer.
 *
 * The process that has sent one keeps it open until the receiver has fetched its own, over a
 * private local connection that both prove a key on; so the sender has to live until then. A value
 * that is read twice (by a task that is tried again) has its socket the first time only. What
 * nobody ever reads (a task that was cancelled) stays open until the sender's end.
 */
#ifndef BROOD_SOCKET_H
#define BROOD_SOCKET_H

#include <stdint.h>

#include <brood/value.h>

BROOD_BEGIN_DECLS

/*
 * A value that owns the socket: a descriptor, on Windows a SOCKET. It is closed with the last copy
 * of the value, unless brood_take_socket has taken it out. The invalid value on failure; the socket
 * is closed then.
 *
 * Errors:  BROOD_ENOINIT, BROOD_ENOMEM, to be seen in brood_last_error().
 * Blocks:  no.
 * Threads: safe.
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

BROOD_END_DECLS

#endif /* BROOD_SOCKET_H */
