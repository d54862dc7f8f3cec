/*
 * manager/clients.c - who is at the other end: processes, what they refer to, and what they may.
 *
 * brood's clients say who they are, and use one session for what they refer to: when their last
 * connection is closed they are gone. CPython's do not: each incref comes over a connection of its
 * own. On this machine the system tells their process, whose end the loop waits for. Over TCP
 * nothing tells it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "ipc/connection.h"
#include "manager/session.h"
#include "platform/ident.h"

/* ---- references ---- */

static int64_t references_of(const bri_client *client, const bri_managed *object)
{
    brood_value key = brood_int((int64_t)object->id);
    const brood_value *there = brood_dict_get(&client->references, &key);
    return there == NULL ? 0 : there->as.integer;
}

static brood_status set_references(bri_client *client, const bri_managed *object, int64_t count)
{
    brood_value key = brood_int((int64_t)object->id);
    if (count != 0)
        return brood_dict_put(&client->references, key, brood_int(count));
    brood_dict_remove(&client->references, &key);
    return BROOD_OK;
}

brood_status bri_take_reference(bri_session *session, bri_managed *object)
{
    bri_client *client = session->client;
    if (client != NULL && client->tracked) {
        int64_t before = references_of(client, object);
        size_t most = object->server->options.max_client_objects;
        if (before == 0 && most != 0 && brood_value_length(&client->references) >= most)
            return bri_fail(BROOD_ELIMIT,
                            "could not refer to another object: a client has %zu at "
                            "most",
                            most);
        BROOD_TRY(set_references(client, object, before + 1));
    } else {
        object->untracked++;
    }
    object->references++;
    return BROOD_OK;
}

bool bri_drop_reference(bri_session *session, bri_managed *object)
{
    bri_client *client = session->client;
    if (client != NULL && client->tracked) {
        int64_t before = references_of(client, object);
        if (before == 0)
            return false;
        set_references(client, object, before - 1);
    } else {
        if (object->untracked <= 0)
            return false;
        object->untracked--;
    }
    if (--object->references == 0)
        bri_managed_suspect(object);
    return true;
}

/* ---- the end of a client ---- */

static void free_client(bri_server *server, bri_client *client)
{
    for (bri_client **at = &server->clients; *at != NULL; at = &(*at)->next) {
        if (*at == client) {
            *at = client->next;
            break;
        }
    }
    if (brp_handle_is_set(client->process.sentinel) && !client->ended)
        brp_poller_remove(server->poller, client->process.sentinel, bri_client_key(client));
    brp_child_close(&client->process);
    brood_value_clear(&client->references);
    bri_purse_leave(client->purse);
    bri_free(client);
}

/* Gives back what it held and referred to. */
static void drop_client(bri_server *server, bri_client *client)
{
    const brood_value *key, *count;
    for (size_t i = 0, held = server->n_held; i < server->n_used && held > 0; i++) {
        bri_managed *object = server->slots[i].object;
        if (object == NULL || !object->held)
            continue;
        held--;
        if (object->type->client_gone != NULL)
            object->type->client_gone(object, client);
    }
    for (size_t at = 0; brood_dict_next(&client->references, &at, &key, &count);) {
        size_t slot = (size_t)((uint64_t)key->as.integer & 0xffffff);
        bri_managed *object = server->slots[slot].object;
        if (object == NULL || object->id != (uint64_t)key->as.integer)
            continue;
        object->references -= count->as.integer;
        if (object->references <= 0)
            bri_managed_suspect(object);
    }
    free_client(server, client);
}

/* One whose process lives has its locks, references and objects for the next connection; if it has
 * none it is forgotten. */
static void settle_client(bri_server *server, bri_client *client)
{
    bool lives_on = brp_handle_is_set(client->process.sentinel) && !client->ended;
    if (client->sessions != 0)
        return;
    if (!lives_on)
        drop_client(server, client);
    else if (server->n_held == 0 && brood_value_length(&client->references) == 0 &&
             (client->purse == NULL || client->purse->users == 1))
        free_client(server, client);
}

void bri_client_leave(bri_session *session)
{
    bri_client *client = session->client;
    session->client = NULL;
    if (client == NULL)
        return;
    client->sessions--;
    settle_client(session->server, client);
}

void bri_client_ended(bri_server *server, uint64_t key)
{
    for (bri_client *client = server->clients; client != NULL; client = client->next) {
        if (bri_client_key(client) != key || client->ended)
            continue;
        brp_poller_remove(server->poller, client->process.sentinel, key);
        client->ended = true;
        settle_client(server, client); /* or with its last connection */
        return;
    }
}

void bri_clients_clear(bri_server *server)
{
    while (server->clients != NULL)
        free_client(server, server->clients);
}

/* ---- the beginning ---- */

/* Waits for the end of the process. One that is not to be waited for is not tracked: its references
 * stay, as in CPython. */
static void watch_process(bri_server *server, bri_client *client, int64_t pid)
{
    brood_status status = brp_child_adopt(&client->process, pid);
    if (status == BROOD_ENOTFOUND) {
        client->ended = client->tracked = true; /* only its connection is left */
        return;
    }
    if (status != BROOD_OK || !brp_handle_is_set(client->process.sentinel))
        return;
    if (brp_poller_add(server->poller, client->process.sentinel, BRP_WATCH_SENTINEL,
                       bri_client_key(client)) == BROOD_OK)
        client->tracked = true;
    else
        brp_child_close(&client->process);
}

static bri_client *make_client(bri_server *server, const char *name)
{
    bri_client *client = bri_calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    brp_child_init(&client->process);
    snprintf(client->name, sizeof client->name, "%s", name);
    client->number = server->next_client++;
    client->references = brood_dict();
    client->next = server->clients;
    server->clients = client;
    return client;
}

/* The client of that name, made if it is new; without a name one of its own. */
static brood_status enter_client(bri_session *session, const char *name, bool is_ours, int64_t pid)
{
    bri_server *server = session->server;
    bri_client *client = server->clients;
    for (; client != NULL; client = client->next)
        if (name[0] != '\0' && strcmp(client->name, name) == 0)
            break;
    if (client == NULL) {
        client = make_client(server, name);
        if (client == NULL)
            return BROOD_ENOMEM;
        client->tracked = is_ours;
        if (pid > 0)
            watch_process(server, client, pid);
    }
    client->sessions++;
    client->bytes += session->charged;
    session->client = client;
    return BROOD_OK;
}

/* The process that the system knows at the other end, as a name; 0: none. */
static int64_t local_process(const bri_session *session, char *name, size_t room)
{
    int64_t pid = 0;
    if (brood_connection_peer(session->connection, &pid, NULL, 0) != BROOD_OK || pid <= 0)
        return 0;
    snprintf(name, room, "pid:%" PRId64 ":%" PRIu64, pid, brp_start_time(pid));
    return pid;
}

brood_status bri_client_enter_plain(bri_session *session)
{
    char name[sizeof session->client->name];
    if (session->client != NULL)
        return BROOD_OK;
    int64_t pid = local_process(session, name, sizeof name);
    return pid == 0 ? BROOD_OK : enter_client(session, name, false, pid);
}

static brood_status check_sessions(const bri_session *session)
{
    size_t most = session->server->options.max_client_sessions;
    if (most == 0 || (size_t)session->client->sessions <= most)
        return BROOD_OK;
    return bri_fail(BROOD_ELIMIT, "could not begin a session: a client has %zu at most", most);
}

/*
 * brood's clients say who they are ("brood:<random id>"). Over TCP the others are the host and the
 * process's name, which stands in front of the thread's: two processes that look like one keep each
 * other's locks from being released, one that looks like two would lose locks that its threads
 * share; better the first.
 */
brood_status bri_client_enter(bri_session *session, const char *name)
{
    char process[sizeof session->client->name] = "", host[48] = "";
    bool is_ours = strncmp(name, "brood:", 6) == 0;
    int64_t pid = 0;
    if (session->is_session)
        return BROOD_OK;
    if (is_ours) {
        snprintf(process, sizeof process, "%s", name);
    } else if ((pid = local_process(session, process, sizeof process)) == 0) {
        bri_connection_host(session->connection, host, sizeof host);
        size_t length = strcspn(name, "|");
        if (host[0] != '\0' && length < 40)
            snprintf(process, sizeof process, "%s/%.*s", host, (int)length, name);
    }
    if (session->client == NULL)
        BROOD_TRY(enter_client(session, process, is_ours, pid));
    return check_sessions(session);
}

/* ---- bytes on their way ---- */

void bri_client_charge(bri_session *session)
{
    uint64_t held = 0;
    if (!session->dead)
        held = bri_connection_held(session->connection) + (session->out.length - session->sent) +
               (session->waiter.session != NULL ? session->parked : 0);
    bri_client *client = session->client;
    session->server->bytes += held - session->charged;
    if (client != NULL)
        client->bytes += held - session->charged;
    session->charged = held;
}

/* What is left of a limit beside what others have; something small always goes through. */
static uint64_t left_of(uint64_t limit, uint64_t all, uint64_t own)
{
    enum { SMALL = 4096 };
    uint64_t others = all - own;
    if (limit == 0)
        return UINT64_MAX;
    return limit > others + SMALL ? limit - others : SMALL;
}

uint64_t bri_client_room(const bri_session *session)
{
    const bri_server *server = session->server;
    const bri_client *client = session->client;
    uint64_t room = left_of(server->options.max_bytes, server->bytes, session->charged);
    if (client != NULL) {
        uint64_t own = left_of(server->options.max_client_bytes, client->bytes, session->charged);
        room = own < room ? own : room;
    } else if (server->options.max_client_bytes != 0 && server->options.max_client_bytes < room) {
        room = server->options.max_client_bytes;
    }
    return room;
}
