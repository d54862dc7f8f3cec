/*
 * manager/session.h - inside of the server: sessions, clients, and the server's own fields; for
 * src/manager only.
 */
#ifndef BRI_MANAGER_SESSION_H
#define BRI_MANAGER_SESSION_H

#include "manager/content.h"
#include "manager/server.h"
#include "manager/types.h"
#include "platform/child.h"
#include "platform/lock.h"

/* A process at the other end. Sessions that do not say whose they are have a client each. */
struct bri_client {
    bri_client *next;
    uint32_t number;        /* in the poller */
    char name[96];          /* empty: nobody else belongs to it */
    int sessions;           /* and other connections */
    uint64_t bytes;         /* of requests on their way in and of replies that were not read */
    brood_value references; /* dict: id of an object -> references of this client */
    bri_purse *purse;       /* NULL: nothing was put in */
    bool tracked;           /* its references are known to be its own: they end with it */
    brp_child process;      /* its sentinel, while its end is waited for */
    bool ended;             /* the process has */
};

struct bri_session {
    bri_server *server;
    size_t slot;
    uint32_t generation;
    brood_connection *connection;
    bri_client *client;
    brood_value address; /* of the server, as this client knows it; invalid: as in the options */
    bool is_session;     /* accept_connection was called; before that, one request */
    bool watched;        /* in the poller */
    bool closing;        /* to be closed as soon as everything is written */
    bool dead;           /* to be freed at the end of the round */
    bool runnable;       /* listed: it may have a request that was read and not handled */
    bri_session *next_runnable;
    bri_session *next_dead;
    bri_buffer out;            /* framed replies */
    size_t sent;               /* of them */
    bri_session *next_stalled; /* the peer does not read */
    bool stalled;
    brood_ms patience; /* until the next try to write */
    bri_deadline retry;
    bri_waiter waiter;
    uint64_t parked;    /* bytes of the parked call's request */
    uint64_t charged;   /* what it has of the client's and the server's bytes */
    bri_managed **pins; /* objects in the last reply, until the next request */
    size_t n_pins, pins_capacity;
};

/* A method that runs on a thread of its own: the beginning of what slow.c keeps. */
typedef struct bri_job_link {
    struct bri_job_link *next;
    bool finished; /* under the server's lock */
} bri_job_link;

typedef struct bri_slot {
    bri_managed *object; /* NULL: free */
    uint64_t generation;
    size_t next_free;
} bri_slot;

struct bri_server {
    bri_server_options options;
    bool is_everywhere; /* listens at every address of the host, so each session has its own */
    char prefix[16];    /* that all its idents begin with */
    brp_poller *poller;
    atomic_bool stopping;
    bool shut_down; /* by request */

    bri_session **sessions; /* by slot */
    size_t n_slots, n_sessions;
    uint32_t next_generation;
    bri_session *runnable, *last_runnable;
    bri_session *stalled;
    bri_session *dead;
    bri_session *ending; /* dead, and has yet to give back what it had */
    bool is_ending;      /* somebody sees to those */
    bri_client *clients;
    uint32_t next_client;
    bri_purse *hosts;  /* of those with clients that nothing is known of */
    uint64_t bytes;    /* of all requests on their way in and all replies that were not read */
    uint64_t stored;   /* of what all objects contain */
    bri_waiter **heap; /* parked calls by deadline */
    size_t n_heap, heap_capacity;

    bri_slot *slots; /* of objects */
    size_t n_objects, n_used, object_capacity, free_slot;
    size_t n_held;                       /* objects that have something held */
    bri_managed *shared[BRI_MOST_TYPES]; /* those with a name, once somebody wanted them; pinned */

    bri_line slow; /* calls that run on threads */
    bri_job_link *jobs;
    size_t n_jobs;
    atomic_bool has_finished_jobs;

    brp_mutex *lock; /* for what follows */
    bri_managed **suspects;
    size_t n_suspects, suspects_capacity;
    atomic_bool has_suspects;
    brood_connection **adopted;
    size_t n_adopted, adopted_capacity;
};

/* ---- session.c ---- */

brood_status bri_session_create(bri_server *server, brood_connection *connection);

/* Reads and handles what there is. */
void bri_session_serve(bri_session *session);

/* Writes what is left. */
void bri_session_flush(bri_session *session);

/* Says goodbye: it is freed at the end of the round. */
void bri_session_end(bri_session *session);
void bri_session_free(bri_session *session);

/* Notes that a request may be waiting in its buffer. */
void bri_session_wake(bri_session *session);

/* Writes a reply; the value is moved in. */
void bri_session_reply(bri_session *session, bri_reply_kind kind, brood_value value);

/* ---- dispatch.c ---- */

/* Handles one request. */
void bri_dispatch(bri_session *session, const void *data, size_t size);

/* Runs a method: BROOD_OK with the result, or parked. */
brood_status bri_invoke(bri_invocation *call);

/* An object's repr. */
brood_status bri_describe_object(bri_managed *object, brood_value *text);

/* ---- control.c ---- */

/* A request without an object. True: it was one and `kind`, `value` are the reply. */
void bri_control(bri_session *session, bri_manager_request *request);

brood_value bri_exposed_value(const bri_managed_type *type);
brood_value bri_managed_token(const bri_session *session, const bri_managed *object);

/* The server's address in what goes to this session; to none: NULL. */
const brood_value *bri_session_address(const bri_session *session, const bri_server *server);

/* ---- clients.c ---- */

/* References of a session's client, tracked or not. BROOD_ELIMIT: it has too many; false: it had
 * none to give back. */
brood_status bri_take_reference(bri_session *session, bri_managed *object);
bool bri_drop_reference(bri_session *session, bri_managed *object);

/* Finds or makes the session's client: from the name that accept_connection is given, and for
 * other requests from what the system knows, if anything. BROOD_ELIMIT: the client has too many
 * sessions. */
brood_status bri_client_enter(bri_session *session, const char *name);
brood_status bri_client_enter_plain(bri_session *session);

/* The session ends; with a client's last one, and with its process, its locks and references are
 * given back. */
void bri_client_leave(bri_session *session);

/* The key of a client's process in the poller; its half of a session's is no slot. */
static inline uint64_t bri_client_key(const bri_client *client)
{
    return (uint64_t)client->number << 32 | UINT32_MAX;
}

/* The process behind this key of the poller has ended. */
void bri_client_ended(bri_server *server, uint64_t key);
void bri_clients_clear(bri_server *server);

/* Counts anew what the session has of its client's and the server's bytes; and how many it may
 * have. */
void bri_client_charge(bri_session *session);
uint64_t bri_client_room(const bri_session *session);

/* ---- waiting.c ---- */
void bri_waiter_cancel(bri_waiter *waiter); /* the session has ended */
bri_deadline bri_next_deadline(const bri_server *server);
void bri_expire(bri_server *server, int64_t now);

/* ---- object.c ---- */

/* How what the session sends is read: with this server's objects in it. */
bri_pickle_options bri_reading_options(bri_session *session);

#endif /* BRI_MANAGER_SESSION_H */
