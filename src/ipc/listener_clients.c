/*
 * ipc/listener_clients.c - the clients of a listener that are in the middle of proving the key.
 */
#include "ipc/listener_state.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "platform/clock.h"
#include "platform/socket.h"

enum { TAKEN_AT_ONCE = 64 /* clients, before the others have a turn again */ };

/* ---- lists and slots ---- */

static void append(bri_arrival_list *list, bri_arrival *one)
{
    one->next = NULL;
    one->previous = list->last;
    if (list->last != NULL)
        list->last->next = one;
    else
        list->first = one;
    list->last = one;
}

static void take_out(bri_arrival_list *list, bri_arrival *one)
{
    if (one->next != NULL)
        one->next->previous = one->previous;
    else
        list->last = one->previous;
    if (one->previous != NULL)
        one->previous->next = one->next;
    else
        list->first = one->next;
    one->next = one->previous = NULL;
}

bri_arrival *bri_arrivals_shift(bri_arrival_list *list)
{
    bri_arrival *one = list->first;
    if (one != NULL)
        take_out(list, one);
    return one;
}

void bri_arrival_free(bri_arrival *one)
{
    bri_handshake_fini(&one->handshake);
    brood_connection_close(one->connection);
    bri_free(one->failure);
    bri_free(one);
}

/* The pending client of this key; NULL when it has gone since. */
bri_arrival *bri_arrival_find(const brood_listener *listener, uint64_t key)
{
    size_t slot = (size_t)(key & UINT32_MAX) - 1;
    bri_arrival *one = slot < listener->max_pending ? listener->slots[slot] : NULL;
    return one != NULL && one->key == key ? one : NULL;
}

static void enter(brood_listener *listener, bri_arrival *one)
{
    size_t slot = 0;
    while (listener->slots[slot] != NULL)
        slot++;
    one->key = (uint64_t)++listener->uses[slot] << 32 | (uint64_t)(slot + 1);
    listener->slots[slot] = one;
    listener->n_pending++;
    append(&listener->pending, one);
}

static void leave(brood_listener *listener, bri_arrival *one)
{
    if (listener->poller != NULL) /* NULL in a forked child */
        brp_poller_remove(listener->poller, one->handshake.channel.handle, one->key);
    listener->slots[(one->key & UINT32_MAX) - 1] = NULL;
    listener->n_pending--;
    take_out(&listener->pending, one);
}

void bri_arrival_drop(brood_listener *listener, bri_arrival *one)
{
    leave(listener, one);
    bri_arrival_free(one);
}

/* ---- finishing ---- */

static void put_finished(brood_listener *listener, bri_arrival *one)
{
    brp_mutex_lock(listener->lock);
    append(&listener->finished, one);
    brp_mutex_unlock(listener->lock);
}

/* With the last error, for brood_listener_accept to give. */
static void finish_failed(brood_listener *listener, bri_arrival *one)
{
    bri_handshake_fini(&one->handshake);
    one->handshake.channel = BRP_NO_CHANNEL;
    bri_saved_error now;
    bri_error_save(&now);
    one->failure = bri_alloc(sizeof *one->failure);
    if (one->failure == NULL) {
        bri_arrival_free(one);
        return;
    }
    *one->failure = now;
    put_finished(listener, one);
}

/* The key is proved. */
static void finish_well(brood_listener *listener, bri_arrival *one)
{
    brp_channel channel = one->handshake.channel;
    one->handshake.channel = BRP_NO_CHANNEL;
    if (bri_connection_adopt(&one->connection, channel, &one->handshake.reader,
                             listener->max_message) != BROOD_OK)
        finish_failed(listener, one);
    else
        put_finished(listener, one);
}

/* ---- clients ---- */

/* Takes a pending client as far as its bytes go. */
void bri_arrival_go_on(brood_listener *listener, bri_arrival *one)
{
    brood_status status = bri_handshake_run(&one->handshake, 0);
    if (status == BROOD_ETIMEDOUT)
        return;
    leave(listener, one);
    if (status == BROOD_OK)
        finish_well(listener, one);
    else if (status == BROOD_EAUTH || status == BROOD_ENOMEM)
        finish_failed(listener, one);
    else
        bri_arrival_free(one); /* it has gone */
}

static brood_status check_user(const brood_listener *listener, const bri_arrival *one)
{
    brp_peer peer;
    char own[BRP_USER_TEXT];
    if (!listener->same_user)
        return BROOD_OK;
    BROOD_TRY(brp_channel_peer(one->handshake.channel, &peer));
    BROOD_TRY(brp_own_user(own));
    if (strcmp(peer.user, own) == 0 || strcmp(peer.user, "0") == 0 ||
        strcmp(peer.user, "S-1-5-18") == 0)
        return BROOD_OK;
    return bri_fail(BROOD_EAUTH, "could not let process %lld in: its user is %s, not %s",
                    (long long)peer.pid, peer.user[0] == '\0' ? "unknown" : peer.user, own);
}

static void note_origin(bri_arrival *one)
{
    brp_channel channel = one->handshake.channel;
    brp_peer peer;
    if (channel.kind == BRP_CHANNEL_SOCKET)
        brp_tcp_remote(channel, one->from);
    else if (brp_channel_peer(channel, &peer) == BROOD_OK && peer.pid != 0)
        snprintf(one->from, sizeof one->from, "pid %lld", (long long)peer.pid);
}

/* A new client, whose challenge goes out. The channel is moved in, also on failure. */
static brood_status begin_client(brood_listener *listener, brp_channel channel)
{
    bri_arrival *one = bri_calloc(1, sizeof *one);
    if (one == NULL) {
        brp_channel_close(&channel);
        return BROOD_ENOMEM;
    }
    one->handshake.channel = channel;
    note_origin(one);
    brood_status status = check_user(listener, one);
    if (status == BROOD_OK)
        status = bri_handshake_begin(&one->handshake, channel, &listener->key, true, 0);
    if (status == BROOD_OK && one->handshake.auth.step == BRI_AUTH_DONE) {
        finish_well(listener, one);
        return BROOD_OK;
    }
    if (status == BROOD_EAUTH) {
        finish_failed(listener, one);
        return BROOD_OK;
    }
    if (status != BROOD_OK) { /* it has gone already */
        bri_arrival_free(one);
        return status == BROOD_ENOMEM ? status : BROOD_OK;
    }
    one->deadline = bri_deadline_after(brp_clock_now(), listener->auth_timeout);
    enter(listener, one);
    status =
        brp_poller_add(listener->poller, channel.handle, brp_channel_watch_kind(channel), one->key);
    if (status != BROOD_OK)
        bri_arrival_drop(listener, one);
    return status;
}

/* Takes the clients that wait. With no slot or no handle left, the one that has taken longest makes
 * room. */
brood_status bri_arrivals_take(brood_listener *listener)
{
    for (int i = 0; i < TAKEN_AT_ONCE; i++) {
        brp_channel channel;
        if (listener->n_pending == listener->max_pending)
            bri_arrival_drop(listener, listener->pending.first);
        brood_status status = brp_server_accept(listener->server, &channel);
        if (status == BROOD_ETIMEDOUT)
            return BROOD_OK;
        if (status == BROOD_OK)
            status = begin_client(listener, channel);
        else if (status == BROOD_ELIMIT && listener->pending.first != NULL)
            bri_arrival_drop(listener, listener->pending.first);
        else
            return status;
        if (status != BROOD_OK && status != BROOD_ELIMIT)
            return status;
    }
    return BROOD_OK;
}

/* Those whose time is up have a last chance with what has arrived. */
void bri_arrivals_drop_late(brood_listener *listener)
{
    int64_t now = brp_clock_now();
    while (listener->pending.first != NULL && listener->pending.first->deadline <= now) {
        bri_arrival *late = listener->pending.first;
        bri_arrival_go_on(listener, late);
        if (late == listener->pending.first)
            bri_arrival_drop(listener, late);
    }
}
