/* manager/client.c - sessions of a manager's client, and the requests that go over them. */
#include "manager/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/runtime.h"
#include "data/heap.h"
#include "manager/proxy.h"
#include "platform/ident.h"

enum { DEFAULT_TIMEOUT = 20000, KEPT_SCRATCH = 64 << 10, MOST_IDLE = 32, MOST_KEPT = 1024 };

struct bri_call_session {
    bri_call_session *next;
    uint64_t thread;
    brood_connection *connection; /* NULL: not yet, or broken */
    bri_buffer scratch;
    brood_value failure; /* of the thread's last call */
    int users;           /* calls under way: 0 or 1 */
    int held;            /* how often it has acquired what sessions own */
    uint64_t used;       /* when, as a count of calls */
};

static atomic_uint_fast64_t calls_made;

/* ---- managers ---- */

/* A program that ends without closing its managers ends their servers all the same. */
static const bri_hooks hooks = {.name = "manager",
                                .before_exit = bri_managers_shut_down,
                                .after_fork_child = bri_managers_after_fork};

brood_status bri_manager_make(brood_manager **manager, const char *address, const void *authkey,
                              size_t authkey_size, brood_ms timeout, bri_connector *connector,
                              void *context)
{
    uint64_t random[2];
    BROOD_TRY(bri_runtime_hook(&hooks));
    brood_manager *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    atomic_init(&made->references, 1);
    atomic_init(&made->down, false);
    atomic_init(&made->was_there, false);
    made->pid = brp_pid();
    made->timeout = timeout == 0 ? DEFAULT_TIMEOUT : timeout;
    made->connector = connector;
    made->connector_context = context == NULL ? made : context;
    made->address = bri_strdup(address);
    made->authkey = bri_alloc(authkey_size + 1);
    brood_status status = made->address == NULL || made->authkey == NULL ? BROOD_ENOMEM : BROOD_OK;
    if (status == BROOD_OK) {
        if (authkey_size != 0)
            memcpy(made->authkey, authkey, authkey_size);
        made->authkey_size = authkey_size;
        made->wire_address = bri_wire_address(address);
        status = made->wire_address.kind == BROOD_INVALID ? brood_last_error()->status : BROOD_OK;
    }
    if (status == BROOD_OK)
        status = brp_random(random, sizeof random);
    if (status == BROOD_OK) {
        snprintf(made->client, sizeof made->client, "brood:%016" PRIx64 "%016" PRIx64, random[0],
                 random[1]);
        status = brp_mutex_create(&made->lock);
    }
    if (status == BROOD_OK)
        status = brp_mutex_create(&made->main_lock);
    if (status != BROOD_OK)
        bri_manager_release(made);
    else
        *manager = made;
    return status;
}

brood_manager *bri_manager_retain(brood_manager *manager)
{
    atomic_fetch_add(&manager->references, 1);
    return manager;
}

/* Without its connection a session is only the failure of its thread's last call. */
static void disconnect(bri_call_session *session)
{
    brood_connection_close(session->connection);
    session->connection = NULL;
    session->held = 0;
}

static void free_session(bri_call_session *session)
{
    disconnect(session);
    bri_buffer_fini(&session->scratch);
    brood_value_clear(&session->failure);
    bri_free(session);
}

static void free_sessions(brood_manager *manager)
{
    for (bri_call_session *session = manager->sessions, *next; session != NULL; session = next) {
        next = session->next;
        free_session(session);
    }
    manager->sessions = NULL;
}

void bri_manager_release(brood_manager *manager)
{
    if (atomic_fetch_sub(&manager->references, 1) != 1)
        return;
    bri_manager_unlist(manager);
    free_sessions(manager);
    brood_connection_close(manager->main);
    brood_process_destroy(manager->process);
    brp_mutex_destroy(manager->lock);
    brp_mutex_destroy(manager->main_lock);
    brood_value_clear(&manager->wire_address);
    brood_value_clear(&manager->peer_address);
    bri_free(manager->authkey);
    bri_free(manager->address);
    bri_free(manager);
}

/* ---- one request over a connection ---- */

static brood_status foreign_proxy(void *context, const char *name, const brood_value *arguments,
                                  brood_value *made)
{
    return bri_proxy_read(context, name, arguments, made);
}

/* Sends a request and receives the reply. The connection is broken when it fails with anything but
 * a failure to write the value. */
// NOLINTNEXTLINE(readability-function-size)
static brood_status exchange(brood_manager *manager, brood_connection *connection,
                             bri_buffer *scratch, const char *ident, const char *name,
                             const brood_value *args, const brood_value *kwds, brood_ms timeout,
                             bri_reply_kind *kind, brood_value *value, bool *broken)
{
    bri_pickle_options options = {.foreign_objects = true,
                                  .foreign_module = BRI_MANAGERS_MODULE,
                                  .foreign = ident == NULL ? NULL : foreign_proxy,
                                  .foreign_context = manager};
    void *data;
    size_t size;
    *broken = false;
    bri_buffer_reset(scratch);
    BROOD_TRY(bri_manager_request_write(ident, name, args, kwds, &options, scratch));
    *broken = true;
    size_t header = scratch->data[0] == 0xff ? 12 : 4;
    BROOD_TRY(brood_connection_send_bytes(connection, scratch->data + header,
                                          scratch->length - header, timeout));
    if (scratch->capacity > KEPT_SCRATCH)
        bri_buffer_fini(scratch);
    BROOD_TRY(brood_connection_recv_bytes(connection, SIZE_MAX / 2, &data, &size, timeout));
    *broken = false;
    brood_status status = bri_reply_read(data, size, &options, kind, value);
    brood_free(data);
    return status;
}

static brood_status check_up(const brood_manager *manager)
{
    if (atomic_load(&manager->down))
        return bri_fail(BROOD_ECLOSED, "could not call the manager at \"%s\": it was shut down",
                        manager->address);
    return BROOD_OK;
}

/* "the manager at ... has ended" in place of a connection's end. That nobody listens there any more
 * is the server's end too; of calls ENOTFOUND means something else. */
static brood_status explain(const brood_manager *manager, brood_status status)
{
    bool has_gone = status == BROOD_ENOTFOUND && atomic_load(&manager->was_there);
    if (has_gone || status == BROOD_EEOF || status == BROOD_EBROKEN)
        return bri_fail(BROOD_EEOF,
                        "could not call the manager at \"%s\": it has ended, or lets nobody else "
                        "in",
                        manager->address);
    return status;
}

/* ---- the sessions of threads ---- */

static bool is_note(const bri_call_session *session)
{
    return session->connection == NULL && session->failure.kind == BROOD_ERROR;
}

static void drop_session(brood_manager *manager, bri_call_session *session)
{
    bri_call_session **at = &manager->sessions;
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    free_session(session);
}

/* Nobody tells when a thread ends. So if there are many sessions, the one of the thread that has
 * not called for longest is closed. But the thread may live: then an RLock that it has and its last
 * failure stay, unless there are very many. Under the lock. */
static void close_idle(brood_manager *manager)
{
    int n = 0, open = 0;
    bri_call_session *oldest = NULL, *idle = NULL;
    for (bri_call_session *s = manager->sessions; s != NULL; s = s->next, n++) {
        if (s->users == 0 && (oldest == NULL || s->used < oldest->used))
            oldest = s;
        if (s->users == 0 && is_note(s)) /* what one in use has is its thread's */
            continue;
        open++;
        if (s->users == 0 && s->held == 0 && (idle == NULL || s->used < idle->used))
            idle = s;
    }
    if (n >= MOST_KEPT && oldest != NULL) {
        drop_session(manager, oldest);
    } else if (open >= MOST_IDLE && idle != NULL) {
        disconnect(idle);
        if (!is_note(idle))
            drop_session(manager, idle);
        else
            bri_buffer_fini(&idle->scratch);
    }
}

/* After a fork the parent's sessions are not ours. Under the lock. */
static void forget_parent(brood_manager *manager)
{
    if (manager->pid == brp_pid())
        return;
    free_sessions(manager);
    brood_connection_close(manager->main);
    manager->main = NULL;
    manager->asked = false;
    manager->owner = false;
    manager->pid = brp_pid();
    size_t used = strlen(manager->client);
    snprintf(manager->client + 6, sizeof manager->client - 6, "%016" PRIx64 "%08" PRIx64,
             (uint64_t)manager->pid, (uint64_t)used ^ brp_start_time(manager->pid));
}

static brood_status my_session(brood_manager *manager, bri_call_session **session)
{
    uint64_t thread = brp_thread_id();
    bri_call_session *found;
    brp_mutex_lock(manager->lock);
    forget_parent(manager);
    for (found = manager->sessions; found != NULL; found = found->next)
        if (found->thread == thread)
            break;
    if (found == NULL) {
        close_idle(manager);
        found = bri_calloc(1, sizeof *found);
        if (found != NULL) {
            found->thread = thread;
            found->next = manager->sessions;
            manager->sessions = found;
        }
    }
    if (found != NULL) {
        found->users++;
        found->used = atomic_fetch_add(&calls_made, 1);
    }
    brp_mutex_unlock(manager->lock);
    *session = found;
    return found == NULL ? BROOD_ENOMEM : BROOD_OK;
}

static void leave_session(brood_manager *manager, bri_call_session *session)
{
    brp_mutex_lock(manager->lock);
    session->users--;
    brp_mutex_unlock(manager->lock);
}

/* The status by which C sees an exception. */
static brood_status status_of(const brood_value *error)
{
    static const struct {
        const char *kind;
        brood_status status;
    } known[] = {
        {"_queue.Empty", BROOD_EEMPTY},
        {"queue.Empty", BROOD_EEMPTY},
        {"queue.Full", BROOD_EFULL},
        {"IndexError", BROOD_ERANGE},
        {"KeyError", BROOD_ENOTFOUND},
        {"AttributeError", BROOD_ENOTFOUND},
        {"TimeoutError", BROOD_ETIMEDOUT},
        {"multiprocessing.context.TimeoutError", BROOD_ETIMEDOUT},
        {"threading.BrokenBarrierError", BROOD_EBROKEN},
        {"MemoryError", BROOD_ELIMIT},
        {"StopIteration", BROOD_EEOF},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].kind, brood_error_kind(error)) == 0)
            return known[i].status;
    return BROOD_ETASK;
}

brood_status bri_note_failure(brood_manager *manager, brood_value error)
{
    bri_call_session *session;
    if (error.kind == BROOD_INVALID)
        return brood_last_error()->status;
    brood_status status = status_of(&error);
    bri_fail(status, "could not call the manager at \"%s\": %s: %s", manager->address,
             brood_error_kind(&error), brood_error_message(&error));
    if (my_session(manager, &session) != BROOD_OK) {
        brood_value_clear(&error);
        return status;
    }
    brood_value_clear(&session->failure);
    session->failure = error;
    leave_session(manager, session);
    return status;
}

brood_status brood_manager_failure(brood_manager *manager, const brood_value **error)
{
    bri_call_session *session;
    if (manager == NULL)
        return bri_fail(BROOD_EINVALID, "could not tell a manager's failure: NULL is none");
    BROOD_TRY(my_session(manager, &session));
    leave_session(manager, session);
    if (session->failure.kind != BROOD_ERROR)
        return bri_fail(BROOD_ESTATE, "could not tell a failure: the last call raised none");
    *error = &session->failure;
    return BROOD_OK;
}

/* ---- connecting ---- */

static brood_status begin_session(brood_manager *manager, brood_connection *connection,
                                  bri_buffer *scratch)
{
    bri_reply_kind kind;
    brood_value value;
    bool broken;
    brood_value args = brood_pack("(s)", manager->client);
    brood_status status = exchange(manager, connection, scratch, NULL, "accept_connection", &args,
                                   NULL, manager->timeout, &kind, &value, &broken);
    brood_value_clear(&args);
    if (status != BROOD_OK)
        return status;
    const char *reason = "it does not say why";
    if (brood_value_kind(&value) == BROOD_STR)
        brood_get_str(&value, &reason, NULL);
    if (kind != BRI_REPLY_RETURN)
        status = bri_fail(BROOD_ELIMIT, "could not begin a session with the manager at \"%s\": %s",
                          manager->address, reason);
    brood_value_clear(&value);
    return status;
}

static void note_peer(brood_manager *manager, const brood_connection *connection)
{
    brp_mutex_lock(manager->lock);
    if (manager->peer_address.kind == BROOD_INVALID)
        manager->peer_address = bri_end_address(connection, false);
    brp_mutex_unlock(manager->lock);
}

/* "localhost" is 127.0.0.1; and a server that says that it is at 0.0.0.0, as CPython's do, can only
 * be the one that we know, if the port is the same. */
bool bri_manager_is_at(brood_manager *manager, const brood_value *wire_address)
{
    if (brood_value_equal(wire_address, &manager->wire_address))
        return true;
    brp_mutex_lock(manager->lock);
    bool same = brood_value_equal(wire_address, &manager->peer_address);
    if (!same && bri_address_is_wildcard(wire_address) &&
        brood_value_kind(&manager->wire_address) == BROOD_TUPLE)
        same =
            brood_value_equal(brood_item(wire_address, 1), brood_item(&manager->wire_address, 1));
    brp_mutex_unlock(manager->lock);
    return same;
}

const brood_value *bri_manager_tokens_address(brood_manager *manager)
{
    brp_mutex_lock(manager->lock);
    bool has_numbers = manager->peer_address.kind != BROOD_INVALID; /* and stays as it is */
    brp_mutex_unlock(manager->lock);
    return has_numbers ? &manager->peer_address : &manager->wire_address;
}

static brood_status open_session(brood_manager *manager, bri_buffer *scratch,
                                 brood_connection **connection)
{
    brood_connection *made;
    BROOD_TRY(check_up(manager));
    brood_status status = manager->connector(manager->connector_context, &made);
    if (status != BROOD_OK)
        return explain(manager, status);
    note_peer(manager, made);
    status = begin_session(manager, made, scratch);
    if (status != BROOD_OK) {
        brood_connection_close(made);
        return explain(manager, status);
    }
    atomic_store(&manager->was_there, true);
    *connection = made;
    return BROOD_OK;
}

/* A reply that is no plain return, as a failure. The value is moved in. */
static brood_status fail_reply(brood_manager *manager, bri_reply_kind kind, brood_value value)
{
    brood_value error = {0};
    if (kind == BRI_REPLY_ERROR) {
        if (brood_value_kind(&value) == BROOD_ERROR)
            error = brood_value_take(&value);
        else if (brood_opaque_as_error(&value, &error) != BROOD_OK)
            error = brood_error_value(BRI_MANAGERS_MODULE ".RemoteError",
                                      "the server raised what is no exception");
    } else {
        const char *text = "the server's reply is of an unknown kind";
        if (kind != BRI_REPLY_UNKNOWN && brood_value_kind(&value) == BROOD_STR)
            brood_get_str(&value, &text, NULL);
        error = brood_error_value(BRI_MANAGERS_MODULE ".RemoteError", text);
    }
    brood_value_clear(&value);
    return bri_note_failure(manager, error);
}

bool bri_owned_by_sessions(const char *typeid)
{
    return strcmp(typeid, "Lock") != 0 && strcmp(typeid, "Semaphore") != 0 &&
           strcmp(typeid, "BoundedSemaphore") != 0;
}

/* Notes what the session owns now, of an object that sessions own. */
static void note_held(bri_call_session *session, const char *name, const brood_value *value)
{
    if (strcmp(name, "acquire") == 0 && value->kind == BROOD_BOOL && value->as.boolean)
        session->held++;
    else if (strcmp(name, "release") == 0 && session->held > 0)
        session->held--;
}

/* The same of a batch: the calls of such objects are its lists. */
static void note_batch(bri_call_session *session, const brood_value *args,
                       const brood_value *answers)
{
    const brood_value *calls = brood_item(args, 0);
    for (size_t i = 0; i < brood_value_length(answers); i++) {
        const brood_value *call = brood_item(calls, i);
        const brood_value *answer = brood_item(brood_item(answers, i), 1);
        const char *name;
        if (brood_value_kind(call) == BROOD_LIST && answer != NULL &&
            brood_get_str(brood_item(call, 1), &name, NULL) == BROOD_OK)
            note_held(session, name, answer);
    }
}

brood_status bri_method_call(const brood_proxy *proxy, const char *name, const brood_value *args,
                             const brood_value *kwds, bri_reply_kind *kind, brood_value *result)
{
    brood_manager *manager = proxy->manager;
    bri_call_session *session;
    bool broken;
    brood_value value = {0};
    BROOD_TRY(check_up(manager));
    BROOD_TRY(my_session(manager, &session));
    brood_value_clear(&session->failure);
    brood_status status = BROOD_OK;
    if (session->connection == NULL)
        status = open_session(manager, &session->scratch, &session->connection);
    if (status == BROOD_OK) {
        status = exchange(manager, session->connection, &session->scratch, proxy->ident, name, args,
                          kwds, BROOD_FOREVER, kind, &value, &broken);
        if (status != BROOD_OK && broken) {
            disconnect(session);
            status = explain(manager, status);
        } else if (status == BROOD_OK && *kind == BRI_REPLY_RETURN) {
            if (strcmp(name, "#BATCH") == 0)
                note_batch(session, args, &value);
            else if (bri_owned_by_sessions(proxy->typeid))
                note_held(session, name, &value);
        }
    }
    leave_session(manager, session);
    BROOD_TRY(status);
    if (*kind != BRI_REPLY_RETURN && *kind != BRI_REPLY_PROXY)
        return fail_reply(manager, *kind, value);
    *result = value;
    return BROOD_OK;
}

/* ---- control calls ---- */

/* Whether the server is brood's: it knows the question. Under main_lock. */
static brood_status ask_features(brood_manager *manager, bri_buffer *scratch)
{
    bri_reply_kind kind;
    brood_value value;
    bool broken;
    if (manager->main == NULL)
        BROOD_TRY(open_session(manager, scratch, &manager->main));
    BROOD_TRY(exchange(manager, manager->main, scratch, NULL, "#FEATURES", NULL, NULL,
                       manager->timeout, &kind, &value, &broken));
    brood_value_clear(&value);
    manager->is_brood = kind == BRI_REPLY_RETURN;
    manager->asked = true;
    if (!manager->is_brood) { /* it would only hold a thread of the server */
        brood_connection_close(manager->main);
        manager->main = NULL;
    }
    return BROOD_OK;
}

static brood_status control_exchange(brood_manager *manager, const char *name,
                                     const brood_value *args, const brood_value *kwds,
                                     bri_buffer *scratch, bri_reply_kind *kind, brood_value *value)
{
    brood_connection *connection;
    bool broken;
    if (!manager->asked)
        BROOD_TRY(ask_features(manager, scratch));
    if (manager->is_brood) {
        if (manager->main == NULL)
            BROOD_TRY(open_session(manager, scratch, &manager->main));
        brood_status status = exchange(manager, manager->main, scratch, NULL, name, args, kwds,
                                       manager->timeout, kind, value, &broken);
        if (status != BROOD_OK && broken) {
            brood_connection_close(manager->main);
            manager->main = NULL;
        }
        return status;
    }
    BROOD_TRY(manager->connector(manager->connector_context, &connection));
    brood_status status = exchange(manager, connection, scratch, NULL, name, args, kwds,
                                   manager->timeout, kind, value, &broken);
    brood_connection_close(connection);
    return status;
}

brood_status bri_control_call(brood_manager *manager, const char *name, const brood_value *args,
                              const brood_value *kwds, brood_value *result)
{
    bri_reply_kind kind;
    brood_value value = {0};
    bri_buffer scratch = {0};
    BROOD_TRY(check_up(manager));
    brp_mutex_lock(manager->lock);
    forget_parent(manager);
    brp_mutex_unlock(manager->lock);
    brp_mutex_lock(manager->main_lock);
    brood_status status = control_exchange(manager, name, args, kwds, &scratch, &kind, &value);
    brp_mutex_unlock(manager->main_lock);
    bri_buffer_fini(&scratch);
    if (status != BROOD_OK)
        return explain(manager, status);
    if (kind != BRI_REPLY_RETURN)
        return fail_reply(manager, kind, value);
    if (result != NULL)
        *result = value;
    else
        brood_value_clear(&value);
    return BROOD_OK;
}
