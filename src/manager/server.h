/*
 * manager/server.h - a manager's server: objects, sessions, and one loop that serves them.
 *
 * Everything is done by the thread that runs the loop, so objects need no locks and each request is
 * atomic. Nothing in the loop waits for a client: what a client sends is taken as it comes, what it
 * does not read stays in its session, and a call that has to wait (lock.acquire, queue.get, ...) is
 * parked in its session until another request, a deadline or the session's end settles it. Methods
 * of a program's own types that may take long run on helper threads.
 *
 * Glossary: an *object* is what clients have proxies for; its *references* are those that clients
 * hold, its *stored* count is how often it is inside values of the server; a *client* is a process
 * with its sessions, as far as the server can know; a *session* is one connection; a *waiter* is
 * its parked call.
 */
#ifndef BRI_MANAGER_SERVER_H
#define BRI_MANAGER_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include <brood/connection.h>

#include "base/deadline.h"
#include "manager/wire.h"
#include "platform/waitmany.h"

typedef struct bri_server bri_server;
typedef struct bri_session bri_session;
typedef struct bri_client bri_client;
typedef struct bri_managed bri_managed;
typedef struct bri_invocation bri_invocation;
typedef struct bri_waiter bri_waiter;
typedef struct bri_purse bri_purse;

/* ---- types and their methods ---- */

/* One call of a method. BROOD_OK: `result` is the answer (none when it was not set), or the call
 * was parked. Any other status: the exception is `error`, or else made of the last error. */
typedef brood_status bri_method_run(bri_invocation *call);

typedef struct bri_method {
    const char *name;
    bri_method_run *run;
    const char *typeid; /* the result becomes a new object of this type; NULL: it is a value */
    const void *extra;  /* the method's own */
} bri_method;

typedef struct bri_managed_type {
    const char *typeid;
    const bri_method *methods;
    size_t n_methods;
    /* Makes the state from call->args and call->kwds. */
    brood_status (*create)(bri_invocation *call, void **state);
    void (*destroy)(void *state);
    /* Bytes of its contents when it is new; what changes them keeps account (content.h). NULL: none
     * that count. */
    uint64_t (*weigh)(const void *state);
    /* The server ends: calls that wait in threads have to return. NULL: there are none. */
    void (*stop)(void *state);
    /* The object as a value, for #GETVALUE; NULL: it cannot be one. */
    brood_status (*value)(bri_managed *object, brood_value *value);
    /* Python's repr; NULL: <Type object>. */
    brood_status (*repr)(bri_managed *object, bri_buffer *out);
    /* A session, or the last one of a client, has ended: gives back what it held. Either may be
     * NULL. */
    void (*session_gone)(bri_managed *object, bri_session *session);
    void (*client_gone)(bri_managed *object, bri_client *client);
    /* The value inside that #AT and others work on; NULL: there is none. */
    brood_value *(*content)(bri_managed *object);
    const void *extra; /* a program's own type */
} bri_managed_type;

/* ---- objects ---- */

struct bri_managed {
    bri_server *server;
    const bri_managed_type *type;
    void *state;
    uint64_t id; /* slot and generation: what the ident says */
    char ident[40];
    int64_t references; /* by clients */
    int64_t untracked;  /* of them: by clients that do not say who they are */
    atomic_int stored;  /* in values of the server */
    int pins;           /* calls that run or are parked, replies that are on their way */
    uint64_t weight;    /* of its contents */
    bri_purse *purse;   /* of the client that made it; NULL: of nobody known */
    bool suspect;       /* listed as one that nobody may want any more */
    bool held;          /* somebody has a lock of it: it is asked when sessions end */
};

/* Finds an object by its ident; NULL. */
bri_managed *bri_managed_find(bri_server *server, const char *ident);

/* Adds an object; its state is moved in, also on failure. It has no reference yet. */
brood_status bri_managed_add(bri_server *server, const bri_managed_type *type, void *state,
                             bri_managed **object);

/* The object of this type that has this state, if it is there already: a callable may give the same
 * thing again. */
bri_managed *bri_managed_of_state(bri_server *server, const bri_managed_type *type,
                                  const void *state);

/* Says that one count has gone down: the object goes when all are 0, at the end of the request. */
void bri_managed_suspect(bri_managed *object);

/* Takes or gives back a pin. */
void bri_managed_pin(bri_managed *object);
void bri_managed_unpin(bri_managed *object);

/* Frees what nobody wants any more; at the server's end stops all, then frees all. */
void bri_managed_sweep(bri_server *server);
void bri_managed_stop(bri_server *server);
void bri_managed_clear(bri_server *server);

/* The object as it stands in values of the server; and the one that stands there, NULL in others.
 */
extern const bri_object_class bri_managed_class;
bri_managed *bri_managed_in(const brood_value *value);

size_t bri_managed_count(const bri_server *server); /* with references */

/* ---- parked calls ---- */

/* Those that wait for one thing, first come first served. */
typedef struct bri_line {
    bri_waiter *first, *last;
} bri_line;

struct bri_waiter {
    bri_waiter *previous, *next;
    bri_line *line;       /* NULL: in none */
    bri_session *session; /* NULL: nothing is parked here */
    bri_managed *object;  /* pinned */
    bri_deadline deadline;
    size_t heap_place;                   /* in the server's heap of deadlines + 1; 0: not in it */
    brood_value item;                    /* what the call brings along (queue.put), owned */
    int64_t number;                      /* of the method's own */
    void (*expire)(bri_waiter *waiter);  /* the time is up: settles the call */
    void (*abandon)(bri_waiter *waiter); /* the session has ended: undoes; may be NULL */
};

/* Parks the call at the end of a line. BROOD_OK: the method returns with that. */
brood_status bri_park_call(bri_invocation *call, bri_line *line, bri_deadline deadline,
                           void (*expire)(bri_waiter *));

/* Moves a waiter to another line (a condition's waiter that now wants its lock). */
void bri_waiter_move(bri_waiter *waiter, bri_line *line);
void bri_waiter_set_deadline(bri_waiter *waiter, bri_deadline deadline);

/* Settles a parked call: takes the waiter out of its line and answers. The value is moved in. */
void bri_settle(bri_waiter *waiter, brood_value result);
void bri_settle_failure(bri_waiter *waiter, brood_value error); /* an error value, moved in */
void bri_settle_error(bri_waiter *waiter, const char *kind, const char *message);

void bri_line_remove(bri_waiter *waiter);

/* ---- calls ---- */

struct bri_invocation {
    bri_server *server;
    bri_session *session;
    bri_managed *object;          /* NULL while one is created */
    void *state;                  /* of the object */
    brood_value *target;          /* what methods of containers work on */
    bri_managed *holder;          /* the object that has `target` inside */
    const bri_managed_type *type; /* of an object that is created */
    const bri_method *method;
    brood_value args; /* a tuple; methods may take items out */
    brood_value kwds; /* a dict, or invalid */
    brood_value result;
    void *made;                        /* the state of a new object, for methods with a typeid */
    const bri_managed_type *made_type; /* its type; NULL: that of the typeid */
    brood_value error;
    bool parked;
    bool alone; /* may not park: part of a batch */
};

/* Raises an exception: sets the error and returns BROOD_ETASK. */
brood_status bri_raise(bri_invocation *call, const char *kind, const char *format, ...)
    BROOD_PRINTF(3, 4);
brood_status bri_raise_value(bri_invocation *call, brood_value error);

/*
 * Takes the arguments, positional and by name, into out[0..n_names): borrowed from the call, NULL
 * for those that are missing. TypeError when one of the first `n_required` is missing, or there is
 * one too many or of an unknown name.
 */
brood_status bri_take_arguments(bri_invocation *call, const char *const *names, size_t n_names,
                                size_t n_required, const brood_value **out);

/* Moves an argument out of the call: `value` is one that bri_take_arguments gave. */
brood_value bri_move_argument(const brood_value *value);

/* A time-out argument: missing or none is for ever; seconds as int or float. ValueError-free:
 * negative ones are 0. */
brood_status bri_timeout_argument(bri_invocation *call, const brood_value *value,
                                  bri_deadline *deadline);

/* Makes an error value of a status and the thread's last error. */
brood_value bri_error_of_status(brood_status status);

/* ---- the built-in types ---- */

extern const bri_managed_type bri_list_type, bri_dict_type, bri_set_type, bri_namespace_type,
    bri_iterator_type, bri_lock_type, bri_rlock_type, bri_semaphore_type, bri_bounded_type,
    bri_condition_type, bri_event_type, bri_barrier_type, bri_queue_type, bri_joinable_type,
    bri_value_type, bri_array_type, bri_pool_type, bri_async_result_type;

/* Finds a type by its typeid; NULL. */
const bri_managed_type *bri_type_find(const bri_server *server, const char *typeid);

/* The method of that name of a type; NULL. */
const bri_method *bri_method_find(const bri_managed_type *type, const char *name);

/* What runs #AT and its kind on any content. */
const bri_method *bri_extra_method(const char *name);

/* ---- the server ---- */

typedef struct bri_server_options {
    size_t max_sessions;  /* 0: 4096 */
    uint64_t max_message; /* bytes of a request: 0: 1 GiB */
    uint64_t max_unread;  /* bytes of replies that a session may leave unread: 0: 1 GiB */
    size_t max_objects;   /* 0: 1 Mi */
    uint64_t max_bytes;   /* of all requests on their way and replies unread; 0: no limit */
    uint64_t max_stored;  /* of what all objects contain; 0: no limit */
    /* of one client; 0: no limit of its own */
    size_t max_client_sessions; /* each has one request at a time */
    size_t max_client_objects;  /* that it refers to */
    uint64_t max_client_bytes;  /* of its requests on their way and replies unread */
    uint64_t max_client_stored; /* of what the objects contain that it made */
    brood_value address;        /* what tokens say, moved in */
    const bri_managed_type *const
        *types; /* beside the built-in ones; NULL at the end; may be NULL */
} bri_server_options;

/* Makes a server with no sessions. */
brood_status bri_server_create(bri_server **server, const bri_server_options *options);

/* Serves until bri_server_stop or `shutdown`. */
brood_status bri_server_run(bri_server *server);

/* Ends the loop soon; from any thread, also before it runs. */
void bri_server_stop(bri_server *server);

/* Ends all sessions and frees everything. Not while it runs. */
void bri_server_destroy(bri_server *server);

/* Gives the server a connection that has proved its key (moved in, also on failure); from any
 * thread. */
brood_status bri_server_adopt(bri_server *server, brood_connection *connection);

#endif /* BRI_MANAGER_SERVER_H */
