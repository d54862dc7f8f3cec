/*
 * manager/waiting.c - parked calls: lines of those that wait for one thing, and a heap of
 * deadlines.
 */
#include "base/error.h"
#include "base/memory.h"
#include "manager/session.h"
#include "platform/clock.h"

/* ---- lines ---- */

void bri_line_remove(bri_waiter *waiter)
{
    bri_line *line = waiter->line;
    if (line == NULL)
        return;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    else
        line->last = waiter->previous;
    if (waiter->previous != NULL)
        waiter->previous->next = waiter->next;
    else
        line->first = waiter->next;
    waiter->line = NULL;
    waiter->previous = waiter->next = NULL;
}

static void add_to_line(bri_waiter *waiter, bri_line *line)
{
    waiter->line = line;
    waiter->next = NULL;
    waiter->previous = line->last;
    if (line->last != NULL)
        line->last->next = waiter;
    else
        line->first = waiter;
    line->last = waiter;
}

void bri_waiter_move(bri_waiter *waiter, bri_line *line)
{
    bri_line_remove(waiter);
    add_to_line(waiter, line);
}

/* ---- the heap of deadlines: the earliest is at 0 ---- */

static void put_at(bri_server *server, size_t place, bri_waiter *waiter)
{
    server->heap[place] = waiter;
    waiter->heap_place = place + 1;
}

static void sift_up(bri_server *server, size_t place)
{
    bri_waiter *waiter = server->heap[place];
    while (place > 0 && server->heap[(place - 1) / 2]->deadline > waiter->deadline) {
        put_at(server, place, server->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put_at(server, place, waiter);
}

static void sift_down(bri_server *server, size_t place)
{
    bri_waiter *waiter = server->heap[place];
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= server->n_heap)
            break;
        if (child + 1 < server->n_heap &&
            server->heap[child + 1]->deadline < server->heap[child]->deadline)
            child++;
        if (server->heap[child]->deadline >= waiter->deadline)
            break;
        put_at(server, place, server->heap[child]);
        place = child;
    }
    put_at(server, place, waiter);
}

static void leave_heap(bri_server *server, bri_waiter *waiter)
{
    if (waiter->heap_place == 0)
        return;
    size_t place = waiter->heap_place - 1;
    waiter->heap_place = 0;
    bri_waiter *last = server->heap[--server->n_heap];
    if (last == waiter)
        return;
    put_at(server, place, last);
    sift_up(server, place);
    sift_down(server, last->heap_place - 1);
}

static brood_status enter_heap(bri_server *server, bri_waiter *waiter)
{
    if (waiter->deadline == BRI_NEVER)
        return BROOD_OK;
    bri_waiter **heap =
        bri_grown(server->heap, server->n_heap, &server->heap_capacity, sizeof(bri_waiter *));
    if (heap == NULL)
        return BROOD_ENOMEM;
    server->heap = heap;
    put_at(server, server->n_heap++, waiter);
    sift_up(server, server->n_heap - 1);
    return BROOD_OK;
}

bri_deadline bri_next_deadline(const bri_server *server)
{
    bri_deadline next = server->n_heap == 0 ? BRI_NEVER : server->heap[0]->deadline;
    for (const bri_session *s = server->stalled; s != NULL; s = s->next_stalled)
        if (s->retry < next)
            next = s->retry;
    return next;
}

void bri_expire(bri_server *server, int64_t now)
{
    while (server->n_heap != 0 && server->heap[0]->deadline <= now) {
        bri_waiter *waiter = server->heap[0];
        leave_heap(server, waiter);
        waiter->deadline = BRI_NEVER;
        waiter->expire(waiter);
    }
}

/* ---- parking and settling ---- */

brood_status bri_park_call(bri_invocation *call, bri_line *line, bri_deadline deadline,
                           void (*expire)(bri_waiter *))
{
    bri_waiter *waiter = &call->session->waiter;
    if (call->alone)
        return bri_raise(call, "RuntimeError",
                         "a call that has to wait cannot be one of several in a request");
    *waiter = (bri_waiter){
        .session = call->session, .object = call->object, .deadline = deadline, .expire = expire};
    brood_status status = enter_heap(call->server, waiter);
    if (status != BROOD_OK) {
        waiter->session = NULL;
        return status;
    }
    bri_managed_pin(call->object);
    add_to_line(waiter, line);
    call->parked = true;
    return BROOD_OK;
}

void bri_waiter_set_deadline(bri_waiter *waiter, bri_deadline deadline)
{
    leave_heap(waiter->session->server, waiter);
    waiter->deadline = deadline;
    enter_heap(waiter->session->server, waiter);
}

/* Empties a waiter; what it kept is given back. */
static bri_session *release(bri_waiter *waiter)
{
    bri_session *session = waiter->session;
    bri_line_remove(waiter);
    leave_heap(session->server, waiter);
    brood_value_clear(&waiter->item);
    bri_managed_unpin(waiter->object);
    *waiter = (bri_waiter){0};
    return session;
}

void bri_settle(bri_waiter *waiter, brood_value result)
{
    bri_session *session = release(waiter);
    bri_session_reply(session, BRI_REPLY_RETURN, result);
    bri_session_wake(session);
}

void bri_settle_failure(bri_waiter *waiter, brood_value error)
{
    bri_session *session = release(waiter);
    bri_session_reply(session, BRI_REPLY_ERROR, error);
    bri_session_wake(session);
}

void bri_settle_error(bri_waiter *waiter, const char *kind, const char *message)
{
    bri_settle_failure(waiter, brood_error_value(kind, message));
}

void bri_waiter_cancel(bri_waiter *waiter)
{
    if (waiter->session == NULL)
        return;
    if (waiter->abandon != NULL)
        waiter->abandon(waiter);
    if (waiter->session != NULL)
        release(waiter);
}
