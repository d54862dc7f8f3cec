/*
 * brood/listener.h - connections between processes that did not start one another. Python:
 * multiprocessing.connection.Listener and Client, whose protocol this is: a Python process can be
 * at either end.
 *
 * An address is text:
 *   "HOST:PORT", "[::1]:PORT"   TCP; the host is a name or a number, port 0 lets the system choose
 *   "/path", "path"             a local socket (POSIX); text with a colon and without a slash is
 *                               TCP, so write "./a:1" for such a file
 *   "@name"                     one in Linux's abstract namespace (Python: "\0name")
 *   "\\\\.\\pipe\\name"         a named pipe (Windows), as a C string: \\.\pipe\name
 *
 * With a key each side proves to the other that it has the key, before anything else is read: an
 * HMAC challenge both ways, SHA-256 where the other side can, MD5 for Python before 3.12. The key
 * itself does not travel, and the messages that follow are neither encrypted nor signed: whoever
 * can read or change the network's packets can read or change them.
 */
#ifndef BROOD_LISTENER_H
#define BROOD_LISTENER_H

#include <brood/connection.h>

BROOD_BEGIN_DECLS

typedef struct brood_listener brood_listener;

typedef struct brood_listener_options {
    const void *authkey;   /* NULL: everybody who can connect is let in; copied */
    size_t authkey_size;   /* may be 0 with a key that is not NULL */
    bool refuse_md5;       /* only peers that know SHA-256: brood, Python 3.12 and later */
    int backlog;           /* clients that the system keeps waiting; 0: 128 */
    int max_pending;       /* clients in the middle of proving the key; with one more the one that
                              has taken longest is dropped; 0: 512 */
    brood_ms auth_timeout; /* a client that takes longer is dropped; 0: 10 s */
    uint64_t max_message;  /* of the connections: see brood_connection_set_limit; 0: 1 GiB */
    bool same_user;        /* local: only processes of this process's own user (and root) */
} brood_listener_options;

/*
 * Begins to listen. Without an address (NULL) at a new local one, which nobody has to know before:
 * on Linux an abstract one, of which nothing is left when this process is killed, on Windows a
 * named pipe; it is then for this user only, as with `same_user`. brood_listener_address tells it.
 *
 * A file made for a local socket has the permissions that the umask leaves; it is removed with the
 * end of the listening, and stays when the process is killed.
 *
 * Errors:  BROOD_EEXIST the address is taken; BROOD_ENOTFOUND no such host, interface or directory,
 *          or with a key the library with the digests (libcrypto) cannot be loaded;
 *          BROOD_EACCESS; BROOD_ETOOLONG a local address of more than about 100 bytes;
 *          BROOD_ENOTSUP a kind of address that this system has not; BROOD_EINVALID; BROOD_ENOINIT;
 *          BROOD_ELIMIT; BROOD_ENOMEM.
 * Blocks:  while the system looks up a host's name.
 * Threads: safe.
 * Fork:    a child of brood's has no listener: the parent's are closed in it.
 * Python:  Listener(address, family, backlog, authkey).
 */
BROOD_API brood_status brood_listener_create(brood_listener **listener, const char *address,
                                             const brood_listener_options *options);

/*
 * Waits for a client that has proved the key. All clients are served beside each other, so silent
 * and slow ones keep nobody waiting; but only while a thread is in here. A client that goes away or
 * takes too long is dropped without a word.
 *
 * Errors:  BROOD_ETIMEDOUT; BROOD_EAUTH one client answered wrongly, or was no user of ours: it was
 *          told and dropped, call again; BROOD_ECLOSED after brood_listener_shutdown; BROOD_ELIMIT
 *          this process has no handle left, so wait until something is closed; BROOD_EINVALID;
 *          BROOD_ENOMEM.
 * Blocks:  up to `timeout` milliseconds.
 * Threads: safe; each client goes to one of the threads that wait.
 * Python:  Listener.accept(), which serves one client after the other and raises
 *          AuthenticationError, EOFError and OSError for what clients do wrong.
 */
BROOD_API brood_status brood_listener_accept(brood_listener *listener,
                                             brood_connection **connection, brood_ms timeout);

/* The address that clients connect to, with the port that the system chose; valid as long as the
 * listener. A host that was given as a name is in it as it was given. Threads: safe. Python:
 * address. */
BROOD_API const char *brood_listener_address(const brood_listener *listener);

/* Who connected last, as text: "127.0.0.1:51324"; for local clients "pid 1234"; "" when nobody has
 * or it is not known. Writes at most `room` bytes with the NUL and gives the length of the whole.
 * Threads: safe. Python: last_accepted, which is '' for local sockets. */
BROOD_API size_t brood_listener_last_accepted(brood_listener *listener, char *text, size_t room);

/* Stops listening: every brood_listener_accept that waits, and every later one, gives
 * BROOD_ECLOSED. The address is free then, or as soon as those that wait have returned; clients
 * that nobody has accepted see the end of their connection. To be called by any thread, before the
 * listener is closed. NULL is ignored. */
BROOD_API void brood_listener_shutdown(brood_listener *listener);

/* Stops listening and gives the pointer back. Connections that were accepted stay. Not while
 * another thread uses the listener. NULL is ignored. Python: close(). */
BROOD_API void brood_listener_close(brood_listener *listener);

typedef struct brood_connect_options {
    const void *authkey; /* NULL: the listener must want none */
    size_t authkey_size;
    bool refuse_md5;      /* as of a listener */
    uint64_t max_message; /* as of a listener */
} brood_connect_options;

/*
 * Connects to a listener, and proves the key.
 *
 * Errors:  BROOD_ENOTFOUND nobody listens there, or no such host; BROOD_EAUTH the listener refused
 *          our key, or did not have it itself, or is no listener of this kind; BROOD_ETIMEDOUT;
 *          BROOD_EEOF it closed the connection (without a key on one side, or it is busy);
 *          BROOD_EACCESS; BROOD_ENOTSUP; BROOD_EINVALID; BROOD_ENOINIT; BROOD_ELIMIT; BROOD_ENOMEM.
 * Blocks:  up to `timeout` milliseconds, and while the system looks up a host's name.
 * Threads: safe.
 * Python:  Client(address, family, authkey).
 */
BROOD_API brood_status brood_connect(brood_connection **connection, const char *address,
                                     const brood_connect_options *options, brood_ms timeout);

BROOD_END_DECLS

#endif /* BROOD_LISTENER_H */
