/*
 * manager/client.h - inside of a manager's client: sessions, control calls, proxies.
 *
 * A thread's session is found by the thread's number. What is about objects and not to them
 * (create, incref, decref) goes to a brood server over one connection of the process, its *main*
 * session: the server counts references by it and drops them when it ends. A Python server gets a
 * connection for each such call, as it wants it.
 */
#ifndef BRI_MANAGER_CLIENT_H
#define BRI_MANAGER_CLIENT_H

#include <stdatomic.h>

#include <brood/manager.h>
#include <brood/process.h>

#include "manager/wire.h"
#include "platform/lock.h"

typedef struct bri_call_session bri_call_session;

/* How a client gets a connection that has proved the key. */
typedef brood_status bri_connector(void *context, brood_connection **connection);

struct brood_manager {
    atomic_int references;
    brood_manager *next; /* of all in this process */
    int64_t pid;         /* of the process that the connections belong to */
    char *address;
    brood_value wire_address; /* as tokens have it */
    brood_value peer_address; /* the same in numbers, under the lock; invalid: not TCP, or nothing
                                 was connected yet */
    unsigned char *authkey;
    size_t authkey_size;
    brood_ms timeout;
    bri_connector *connector;
    void *connector_context;
    brood_process *process; /* the server, if it is ours */
    bool owner;             /* close shuts the server down */
    atomic_bool down;
    atomic_bool was_there; /* a session with it has begun */
    char client[48];       /* "brood:..." */

    brp_mutex *lock; /* for what follows */
    bri_call_session *sessions;
    brp_mutex *main_lock; /* of the main session's requests */
    brood_connection *main;
    bool is_brood; /* valid when `asked` */
    bool asked;
};

/* A manager that connects by `connector`; for tests, and below. The address is copied. */
brood_status bri_manager_make(brood_manager **manager, const char *address, const void *authkey,
                              size_t authkey_size, brood_ms timeout, bri_connector *connector,
                              void *context);

/* Whether a token's address is that of the manager's server, by whatever name. */
bool bri_manager_is_at(brood_manager *manager, const brood_value *wire_address);

/* The address for tokens that go to the server: in numbers, because CPython's compares the text. */
const brood_value *bri_manager_tokens_address(brood_manager *manager);

/* One request without an object; the value is the caller's. Failures of the server are
 * BROOD_ETASK, and the text is the failure of the thread. */
brood_status bri_control_call(brood_manager *manager, const char *name, const brood_value *args,
                              const brood_value *kwds, brood_value *result);

/* One request to an object. */
brood_status bri_method_call(const brood_proxy *proxy, const char *name, const brood_value *args,
                             const brood_value *kwds, bri_reply_kind *kind, brood_value *result);

/* Whether what `acquire` of this type takes belongs to the session. Locks and semaphores belong to
 * the whole client; of an unknown type it may be either. */
bool bri_owned_by_sessions(const char *typeid);

/* The manager of an address in this process, retained; made when there is none. */
brood_status bri_manager_at(const brood_value *wire_address, const void *authkey,
                            size_t authkey_size, brood_manager **manager);

brood_manager *bri_manager_retain(brood_manager *manager);
void bri_manager_release(brood_manager *manager);

/* Notes what a call of this thread raised; the error is moved in. Gives the status for it. */
brood_status bri_note_failure(brood_manager *manager, brood_value error);

extern const bri_object_class bri_proxy_object_class;

/* In manager.c: makes types and classes known. */
brood_status bri_manager_start(void);

#endif /* BRI_MANAGER_CLIENT_H */
