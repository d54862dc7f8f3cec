/*
 * brood/manager.h - objects that live in a server process and are used by many. Python:
 * multiprocessing.managers, whose protocol this is: a Python process can be at either end.
 *
 *     brood_manager *manager;
 *     brood_proxy *list;
 *     BROOD_CHECK(brood_manager_start(&manager, NULL));
 *     BROOD_CHECK(brood_manager_object(manager, "list", brood_pack("([ii])", 1, 2), &list));
 *     BROOD_CHECK(brood_proxy_append(list, brood_int(3)));
 *     ...
 *     brood_proxy_close(list);
 *     brood_manager_close(manager);
 *
 * The server keeps the objects; clients hold *proxies* and call methods by name, with values as
 * arguments and results. What a method returns is a copy. A proxy can be put into a value
 * (brood_proxy_value) and so into another object of the same server, which then refers to it; and
 * it can be an argument of a process or a task, which uses the object from there.
 *
 * Types: list, dict, set, Namespace, Lock, RLock, Semaphore, BoundedSemaphore, Condition, Event,
 * Barrier, Queue, JoinableQueue, Value, Array, Pool, and those of brood_manager_register.
 * Methods have Python's names, "append" and "__getitem__" alike.
 *
 * A call that waits (a lock's acquire, a queue's get) keeps nobody else waiting. When a client dies
 * its locks and semaphores are released, a call of it that waits takes nothing, and its references
 * are dropped (Python's server keeps all of it for ever). An item that was on its way to it is
 * lost. A client that is not brood's is known by its process, on the same machine; over TCP by its
 * host and the process's name, and there its references stay: nothing in Python's protocol tells
 * whose they are, nor that he lives. max_client_objects bounds what a host can leave behind.
 *
 * What fails here has the status in which C sees it:
 *   BROOD_EEMPTY, BROOD_EFULL  queue.Empty, queue.Full        BROOD_ERANGE     IndexError
 *   BROOD_ENOTFOUND            KeyError, AttributeError       BROOD_ETIMEDOUT  a TimeoutError
 *   BROOD_EBROKEN              BrokenBarrierError             BROOD_EEOF       StopIteration
 *   BROOD_ELIMIT               MemoryError: no room           BROOD_ETASK      any other exception
 * brood_manager_failure gives the exception itself, with its kind, message and arguments. The last
 * error (brood_last_error) describes it too, an empty queue as well.
 *
 * What holds for all functions that talk to a server:
 *
 * Errors:  BROOD_EEOF the server has ended, is gone, or lets nobody else in; BROOD_EAUTH it has
 *          another key; BROOD_ETIMEDOUT it does not answer; BROOD_ELIMIT it lets this client have
 *          no more sessions; BROOD_ECLOSED the manager was shut down or closed; BROOD_ETYPE the
 *          arguments are no tuple or list, or the keywords no dict, or the answer is of another
 *          kind than asked for; BROOD_ENOTSUP a lock or queue of the process tree is among the
 *          arguments; BROOD_ENOMEM; BROOD_EINVALID.
 * Blocks:  until the server answers; a method that waits there waits here.
 * Threads: safe; each thread has a session of its own with the server, and RLocks and Conditions
 *          are owned by sessions.
 * Fork:    a child of brood's can go on using proxies that it got as arguments.
 */
#ifndef BROOD_MANAGER_H
#define BROOD_MANAGER_H

#include <brood/connection.h>
#include <brood/function.h>
#include <brood/time.h>
#include <brood/value.h>

BROOD_BEGIN_DECLS

typedef struct brood_manager brood_manager;
typedef struct brood_proxy brood_proxy;

typedef struct brood_manager_options {
    const char *address; /* as of brood_listener_create; NULL: a new local one */
    const void *authkey; /* NULL: that of this process */
    size_t authkey_size;
    brood_ms timeout; /* for connecting and for starting; 0: 20 s */
    /* of a server: */
    size_t max_clients;   /* sessions at once; 0: 4096. A client more is not let in */
    size_t max_objects;   /* 0: 1 Mi. One more is refused */
    uint64_t max_message; /* bytes of one request, and of replies that a session leaves unread; 0: 1
                             GiB. A session that goes beyond is ended */
    uint64_t max_bytes;   /* of all requests that are on their way or wait, and of all replies that
                             are not read; 0: no limit. A session that goes beyond is ended; 4 KiB
                             may always be sent */
    uint64_t max_stored;  /* of what all objects contain; 0: no limit. What would go beyond it is
                             refused with a MemoryError, and the object stays as it is. Counted is
                             each value with its 16 bytes, its text and its container, as if no two
                             shared a text; the memory taken is at most twice as much, four times
                             after much was removed. What objects of the program's own types have,
                             and tasks of Pools, is not counted */
    /* The same for one client; 0: no limit of its own. A client is a process; of others than
     * brood's over TCP what has the host's and the process's name (each connection that is no
     * session is one by itself). What those make counts for all of a host together. */
    size_t max_client_sessions; /* one more is refused; each has one request at a time */
    size_t max_client_objects;  /* that it has references to; one more is refused. Whose references
                                   others than brood's have over TCP is not known: those of a host
                                   make so many, as long as these are there */
    uint64_t max_client_bytes;  /* as max_bytes */
    uint64_t max_client_stored; /* of what the objects contain that it made, whoever fills them */
} brood_manager_options;

/* ---- types of the program's own ---- */

enum {
    BROOD_METHOD_SLOW = 1 /* runs on a thread of its own, beside other calls, and may block; the
                             object then has to be safe for that. All others run one after the
                             other and keep everybody waiting: they must not block */
};

typedef struct brood_method {
    const char *name;
    brood_function
        run;        /* brood_call_object is the object; arguments and result as of any function */
    unsigned flags; /* BROOD_METHOD_... */
} brood_method;

/* A type. The struct and what it points at must stay as they are while the program runs. */
typedef struct brood_manager_type {
    const char *type_id;
    /* Makes an object from the call's arguments, or gives one that exists: the same pointer is the
     * same object to all clients. If another type gives it too, that is another object, which has
     * that type's methods and is destroyed by itself. */
    brood_status (*create)(brood_call *call, void **object);
    void (*destroy)(void *object); /* when nobody refers to it any more; NULL: nothing is done */
    const brood_method *methods;
    size_t n_methods;
} brood_manager_type;

/*
 * Makes a type known to the servers that this process and its children run from now on: call it
 * before brood_init, in every process alike, as brood_register. A built-in type of the same name is
 * replaced. Python's clients know its objects by AutoProxy.
 *
 * Errors:  BROOD_EEXIST another type has the name; BROOD_EINVALID; BROOD_ELIMIT more than 128.
 * Blocks:  no.
 * Threads: call it before others are started.
 * Python:  BaseManager.register(typeid, callable, exposed=...).
 */
BROOD_API brood_status brood_manager_register(const brood_manager_type *type);

/* The object whose method this is. NULL in any other function. Errors: none. */
BROOD_API void *brood_call_object(brood_call *call);

/*
 * Gives a name to one object of a built-in type, which the server makes once: a client that makes
 * an object of the type `name` gets that one. `args` (a tuple; a zero value: none) is moved in,
 * also on failure. To be called before brood_manager_get_server, in the process that serves.
 *
 * Errors:  BROOD_EEXIST; BROOD_EINVALID; BROOD_ETYPE `args` is no tuple; BROOD_ELIMIT more than
 *          128. Whether there is such a type shows when a client asks for the object.
 * Blocks:  no.
 * Threads: call it before others are started.
 * Python:  register("get_task_queue", callable=lambda: task_queue).
 */
BROOD_API brood_status brood_manager_share(const char *name, const char *type_id, brood_value args);

/* ---- servers ---- */

/*
 * Starts a server in a child process and connects to it. It ends with brood_manager_shutdown, with
 * brood_manager_close, and at the latest with this process.
 *
 * Errors:  as above, and those of brood_process_start and brood_listener_create.
 * Python:  SyncManager().start().
 */
BROOD_API brood_status brood_manager_start(brood_manager **manager,
                                           const brood_manager_options *options);

/*
 * Serves in this process, in this thread, until a client calls shutdown or another thread
 * brood_manager_server_stop. `ready` (may be NULL) is called once with the address, when clients
 * can connect.
 *
 * Python:  get_server().serve_forever().
 */
typedef struct brood_manager_server brood_manager_server;
BROOD_API brood_status brood_manager_get_server(brood_manager_server **server,
                                                const brood_manager_options *options);
BROOD_API const char *brood_manager_server_address(const brood_manager_server *server);
BROOD_API brood_status brood_manager_serve_forever(brood_manager_server *server);
/* Makes serve_forever return soon. From any thread. */
BROOD_API void brood_manager_server_stop(brood_manager_server *server);
/* Frees it and all its objects. Not while it serves. NULL is ignored. */
BROOD_API void brood_manager_server_close(brood_manager_server *server);

/* ---- clients ---- */

/* Connects to a server, brood's or Python's. Errors: as above; BROOD_ENOTFOUND nobody listens
 * there. Python: connect(). */
BROOD_API brood_status brood_manager_connect(brood_manager **manager, const char *address,
                                             const brood_manager_options *options);

/* Ends the server, whoever started it; waits for its process if it is this one's child. Proxies are
 * of no use afterwards. Python: shutdown(). */
BROOD_API brood_status brood_manager_shutdown(brood_manager *manager);

/* Gives the manager back; a server that it started is shut down. Proxies that are left keep the
 * connection, not the server. NULL is ignored. */
BROOD_API void brood_manager_close(brood_manager *manager);

/* What clients connect to; valid as long as the manager. Python: address. */
BROOD_API const char *brood_manager_address(const brood_manager *manager);

/*
 * The exception that the calling thread's last call on this manager (or a proxy of it) raised:
 * borrowed until the thread's next call. For a failure of the server itself (an object that is not
 * there, a method that is not exposed) it is a RemoteError with the server's text.
 *
 * Errors:  BROOD_ESTATE the last call raised none.
 * Python:  the exception.
 */
BROOD_API brood_status brood_manager_failure(brood_manager *manager, const brood_value **error);

/* How many objects have references. Python: _number_of_objects(). */
BROOD_API brood_status brood_manager_number_of_objects(brood_manager *manager, int64_t *n);

/* Text about all objects, for people; for brood_free. Python: _debug_info(). */
BROOD_API brood_status brood_manager_debug_info(brood_manager *manager, char **text);

/* ---- objects ---- */

/*
 * Makes an object of a type, with the arguments of its constructor: a tuple (a zero value: none),
 * moved in, also on failure; the second form takes keywords too. The proxy ends with
 * brood_proxy_close.
 *
 * Errors:  as above; BROOD_ETASK the server refused: no such type, wrong arguments.
 * Python:  manager.list([...]), manager.Queue(maxsize=3), ...
 */
BROOD_API brood_status brood_manager_object(brood_manager *manager, const char *type_id,
                                            brood_value args, brood_proxy **proxy);
BROOD_API brood_status brood_manager_object_with(brood_manager *manager, const char *type_id,
                                                 brood_value args, brood_value kwargs,
                                                 brood_proxy **proxy);

/* Gives the proxy back. When values of this process do not refer to it either, the server is told,
 * and frees the object if nobody else wants it. NULL is ignored. */
BROOD_API void brood_proxy_close(brood_proxy *proxy);

/*
 * Calls a method. `args` (a tuple; a zero value: none) is moved in, also on failure. `result` may
 * be NULL; it is invalid when the method makes a new object (an iterator): brood_proxy_call_object
 * gets those.
 *
 * Python:  proxy.method(*args), _callmethod.
 */
BROOD_API brood_status brood_proxy_call(brood_proxy *proxy, const char *method, brood_value args,
                                        brood_value *result);
BROOD_API brood_status brood_proxy_call_with(brood_proxy *proxy, const char *method,
                                             brood_value args, brood_value kwargs,
                                             brood_value *result);
BROOD_API brood_status brood_proxy_call_object(brood_proxy *proxy, const char *method,
                                               brood_value args, brood_proxy **made);

/* The proxy as a value: for arguments, containers, processes and tasks. Invalid on failure. */
BROOD_API brood_value brood_proxy_value(brood_proxy *proxy);
/* The proxy in a value, borrowed: valid as long as the value is. BROOD_ETYPE for another kind. */
BROOD_API brood_status brood_get_proxy(const brood_value *value, brood_proxy **proxy);

/* What it is, "list"; and the names of the methods that it has, a tuple. Borrowed from the proxy.
 * Threads: safe. */
BROOD_API const char *brood_proxy_typeid(const brood_proxy *proxy);
BROOD_API const brood_value *brood_proxy_exposed(const brood_proxy *proxy);
BROOD_API brood_manager *brood_proxy_manager(const brood_proxy *proxy);

BROOD_END_DECLS

#endif /* BROOD_MANAGER_H */
