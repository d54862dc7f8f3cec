/*
 * manager/session.c - one connection of a server: its requests in, its replies out, nothing waited
 * for.
 *
 * A session is served only while its replies are read: as long as some are unwritten no further
 * request is taken. So what one client can make the server keep is one request and its replies.
 */
#include "manager/session.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "ipc/connection.h"
#include "manager/proxy.h"
#include "platform/clock.h"

enum { KEPT_OUT = 64 << 10, FIRST_PATIENCE = 1, MOST_PATIENCE = 50, AT_ONCE = 64 };

static uint64_t key_of(const bri_session *session)
{
    return (uint64_t)session->generation << 32 | session->slot;
}

/* ---- watching ---- */

static brood_status watch(bri_session *session)
{
    brp_watch what;
    bool is_ready;
    if (session->watched)
        return BROOD_OK;
    BROOD_TRY(bri_connection_watch(session->connection, &what, &is_ready));
    BROOD_TRY(brp_poller_add(session->server->poller, what.handle, what.kind, key_of(session)));
    session->watched = true;
    return BROOD_OK;
}

static void unwatch(bri_session *session)
{
    brp_watch what;
    bool is_ready;
    if (session->watched && bri_connection_watch(session->connection, &what, &is_ready) == BROOD_OK)
        brp_poller_remove(session->server->poller, what.handle, key_of(session));
    session->watched = false;
}

/* ---- making and ending ---- */

static brood_status take_slot(bri_server *server, bri_session *session)
{
    for (size_t i = 0; i < server->n_slots; i++) {
        if (server->sessions[i] == NULL) {
            session->slot = i;
            server->sessions[i] = session;
            return BROOD_OK;
        }
    }
    size_t n = server->n_slots == 0 ? 16 : server->n_slots * 2;
    bri_session **grown = bri_realloc(server->sessions, n * sizeof(bri_session *));
    if (grown == NULL)
        return BROOD_ENOMEM;
    memset(grown + server->n_slots, 0, (n - server->n_slots) * sizeof(bri_session *));
    server->sessions = grown;
    session->slot = server->n_slots;
    server->sessions[session->slot] = session;
    server->n_slots = n;
    return BROOD_OK;
}

brood_status bri_session_create(bri_server *server, brood_connection *connection)
{
    brood_status status = BROOD_OK;
    bri_session *session = NULL;
    if (server->n_sessions >= server->options.max_sessions)
        status = bri_fail(BROOD_ELIMIT, "could not serve another client: %zu is the most",
                          server->options.max_sessions);
    if (status == BROOD_OK) {
        session = bri_calloc(1, sizeof *session);
        status = session == NULL ? BROOD_ENOMEM : take_slot(server, session);
    }
    if (status != BROOD_OK) {
        bri_free(session);
        brood_connection_close(connection);
        return status;
    }
    session->server = server;
    if (server->is_everywhere)
        session->address = bri_end_address(connection, true);
    session->generation = server->next_generation++;
    session->connection = connection;
    session->patience = FIRST_PATIENCE;
    server->n_sessions++;
    status = watch(session);
    if (status != BROOD_OK)
        bri_session_end(session);
    else
        bri_session_wake(session); /* something may have been read ahead */
    return status;
}

/* Tells the objects of which something is held that the session is gone. */
static void tell_objects(bri_session *session)
{
    bri_server *server = session->server;
    size_t held = server->n_held;
    for (size_t i = 0; i < server->n_used && held > 0; i++) {
        bri_managed *object = server->slots[i].object;
        if (object == NULL || !object->held)
            continue;
        held--;
        if (object->type->session_gone != NULL)
            object->type->session_gone(object, session);
    }
}

static void drop_pins(bri_session *session)
{
    for (size_t i = 0; i < session->n_pins; i++)
        bri_managed_unpin(session->pins[i]);
    session->n_pins = 0;
}

static void leave_stalled(bri_session *session)
{
    if (!session->stalled)
        return;
    for (bri_session **at = &session->server->stalled; *at != NULL; at = &(*at)->next_stalled) {
        if (*at == session) {
            *at = session->next_stalled;
            break;
        }
    }
    session->stalled = false;
}

/* Gives back what it had. */
static void finish(bri_session *session)
{
    tell_objects(session);
    bri_client_charge(session);
    bri_client_leave(session);
    drop_pins(session);
}

/* Who gets what it had may turn out to have ended too, and so on with thousands: those that end
 * meanwhile are finished here one after the other, and not each inside of the one before. */
void bri_session_end(bri_session *session)
{
    bri_server *server = session->server;
    if (session->dead)
        return;
    session->dead = true;
    unwatch(session);
    brood_connection_close(session->connection);
    session->connection = NULL;
    bri_waiter_cancel(&session->waiter);
    leave_stalled(session);
    server->sessions[session->slot] = NULL;
    server->n_sessions--;
    session->next_dead = server->ending;
    server->ending = session;
    if (server->is_ending)
        return;
    server->is_ending = true;
    while ((session = server->ending) != NULL) {
        server->ending = session->next_dead;
        finish(session);
        session->next_dead = server->dead;
        server->dead = session;
    }
    server->is_ending = false;
}

const brood_value *bri_session_address(const bri_session *session, const bri_server *server)
{
    bool has_own = session != NULL && session->address.kind != BROOD_INVALID;
    return has_own ? &session->address : &server->options.address;
}

void bri_session_free(bri_session *session)
{
    brood_value_clear(&session->address);
    bri_buffer_fini(&session->out);
    bri_free(session->pins);
    bri_free(session);
}

void bri_session_wake(bri_session *session)
{
    bri_server *server = session->server;
    if (session->runnable || session->dead)
        return;
    session->runnable = true;
    session->next_runnable = NULL;
    if (server->last_runnable != NULL)
        server->last_runnable->next_runnable = session;
    else
        server->runnable = session;
    server->last_runnable = session;
}

/* ---- replies ---- */

static void stall(bri_session *session)
{
    bri_server *server = session->server;
    session->retry = bri_deadline_after(brp_clock_now(), session->patience);
    session->patience =
        session->patience * 2 < MOST_PATIENCE ? session->patience * 2 : MOST_PATIENCE;
    if (session->stalled)
        return;
    session->stalled = true;
    session->next_stalled = server->stalled;
    server->stalled = session;
    unwatch(session);
}

void bri_session_flush(bri_session *session)
{
    bri_buffer *out = &session->out;
    if (session->dead || session->sent == out->length)
        return;
    size_t written = 0;
    brood_status status = bri_connection_write_some(session->connection, out->data + session->sent,
                                                    out->length - session->sent, &written);
    session->sent += written;
    if (status == BROOD_ETIMEDOUT) {
        if (written != 0)
            session->patience = FIRST_PATIENCE;
        stall(session);
        return;
    }
    if (status != BROOD_OK || session->closing) {
        bri_session_end(session);
        return;
    }
    session->sent = 0;
    if (out->capacity > KEPT_OUT)
        bri_buffer_fini(out);
    else
        bri_buffer_reset(out);
    session->patience = FIRST_PATIENCE;
    if (session->stalled) {
        leave_stalled(session);
        if (watch(session) != BROOD_OK)
            bri_session_end(session);
        else
            bri_session_wake(session);
    }
}

/* What is written when a value cannot be. */
static brood_status write_unserializable(bri_session *session)
{
    static const bri_pickle_options options;
    const char *message = brood_last_error()->message;
    brood_value text = brood_str_escaped(message, strlen(message));
    brood_status status = bri_reply_write(BRI_REPLY_UNSERIALIZABLE, &text, &options, &session->out);
    brood_value_clear(&text);
    return status;
}

void bri_session_reply(bri_session *session, bri_reply_kind kind, brood_value value)
{
    bri_pickle_options options = {.foreign_objects = true, .foreign_context = session};
    if (!session->dead) {
        brood_status status = bri_reply_write(kind, &value, &options, &session->out);
        if (status != BROOD_OK)
            status = write_unserializable(session);
        if (status == BROOD_OK &&
            session->out.length - session->sent > session->server->options.max_unread)
            status = BROOD_ELIMIT;
        if (status == BROOD_OK)
            bri_session_flush(session);
        if (!session->dead &&
            (status != BROOD_OK || session->out.length - session->sent > bri_client_room(session)))
            bri_session_end(session);
    }
    brood_value_clear(&value);
}

/* ---- requests ---- */

/* Whether the session may take another request now. */
static bool is_idle(const bri_session *session)
{
    return !session->dead && !session->closing && session->waiter.session == NULL &&
           session->out.length == session->sent;
}

static uint64_t most_to_read(const bri_session *session)
{
    uint64_t room = bri_client_room(session);
    return room < session->server->options.max_message ? room
                                                       : session->server->options.max_message;
}

/* Somebody writes to a session that is parked: as long as no whole request is there it is only
 * read, so that the end is seen; then it is left alone until the call is settled. */
static void look_at_parked(bri_session *session)
{
    const void *data;
    size_t size;
    brood_status status =
        bri_connection_next(session->connection, most_to_read(session), &data, &size);
    if (status == BROOD_OK)
        unwatch(session);
    else if (status != BROOD_ETIMEDOUT)
        bri_session_end(session);
}

/* Handles what there is, until others have a turn, or nothing is left. */
static void handle_requests(bri_session *session)
{
    int handled = 0;
    while (is_idle(session)) {
        const void *data;
        size_t size;
        if (handled++ == AT_ONCE) { /* others come first */
            bri_session_wake(session);
            return;
        }
        brood_status status =
            bri_connection_next(session->connection, most_to_read(session), &data, &size);
        if (status == BROOD_ETIMEDOUT)
            break;
        if (status != BROOD_OK) {
            bri_session_end(session);
            return;
        }
        drop_pins(session);
        session->parked = size;
        bri_dispatch(session, data, size);
        if (!session->dead)
            bri_connection_done(session->connection);
        if (!session->dead && !bri_connection_pending(session->connection))
            break;
    }
}

void bri_session_serve(bri_session *session)
{
    if (session->dead)
        return;
    if (session->waiter.session != NULL) {
        look_at_parked(session);
        bri_client_charge(session);
        return;
    }
    handle_requests(session);
    if (session->dead)
        return;
    bri_client_charge(session);
    bool wants = !session->stalled && !session->closing && !session->runnable &&
                 !bri_connection_pending(session->connection);
    if (wants && watch(session) != BROOD_OK)
        bri_session_end(session);
}
