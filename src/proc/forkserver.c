/* proc/forkserver.c - the server: one thread that forks on request, collects its children and
 * reports their exits. Python: forkserver.py. */
#include "proc/forkserver.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/registry.h"
#include "platform/child.h"
#include "platform/clock.h"
#include "platform/pass.h"
#include "platform/signal.h"
#include "platform/stream.h"
#include "platform/waitmany.h"
#include "proc/bootstrap.h"
#include "proc/call.h"
#include "proc/note.h"

enum { EVENTS = 32, REPORT_MS = 1000 };

/* A child that runs. */
typedef struct served {
    brp_child child;
    brp_handle status; /* for its exit code */
    struct served *next, *previous;
} served;

typedef struct server {
    brp_handle requests;
    brp_poller *poller;
    served *first;
} server;

static void forget(server *all, served *one)
{
    if (one->previous != NULL)
        one->previous->next = one->next;
    else if (all->first == one)
        all->first = one->next;
    if (one->next != NULL)
        one->next->previous = one->previous;
    brp_handle_close(&one->status);
    brp_child_close(&one->child);
    bri_free(one);
}

static void report(server *all, served *one)
{
    (void)brp_child_kill_tree(&one->child);
    if (brp_child_wait(&one->child, bri_deadline_after(brp_clock_now(), REPORT_MS)) != BROOD_OK)
        return; /* reported again by the poller */
    brp_poller_remove(all->poller, one->child.sentinel, (uint64_t)(uintptr_t)one);
    bri_note note = {.kind = BRI_NOTE_EXIT, .value = brood_int(one->child.code)};
    (void)bri_note_send(one->status, &note, bri_deadline_after(brp_clock_now(), REPORT_MS));
    forget(all, one);
}

/* ---- a request ---- */

/* In the new child: nothing of the server's is for it. */
static void be_child(server *all, const bri_fork_request *request, const brp_handle *handles)
{
    static struct bri_transfer transfer = {.way = BRI_TRANSFER_START};
    bri_birth birth = {
        .stream = handles[0], .lifeline = BRP_NO_HANDLE, .forked = true, .alone = true};
    brp_handle status = handles[1];
    signal(SIGINT, SIG_DFL);
    brp_signal_reset_child();
    brp_handle_close(&status);
    brp_handle_close(&all->requests);
    brp_poller_destroy(all->poller);
    for (served *other = all->first; other != NULL; other = other->next) { /* never freed here */
        brp_handle_close(&other->status);
        brp_child_close(&other->child);
    }
    transfer.n = request->n_handles - 2;
    for (size_t i = 0; i < transfer.n; i++)
        transfer.handles[i] = handles[2 + i];
    bri_bootstrap_served(&birth, request->token, &transfer);
}

static brood_status fork_child(server *all, const bri_fork_request *request,
                               const brp_handle *handles)
{
    bool in_child = false;
    served *one = bri_calloc(1, sizeof *one);
    if (one == NULL)
        return BROOD_ENOMEM;
    brp_child_init(&one->child);
    one->status = BRP_NO_HANDLE;
    brood_status status = brp_fork(&one->child, &in_child);
    if (in_child)
        be_child(all, request, handles);
    if (status == BROOD_OK)
        status = brp_poller_add(all->poller, one->child.sentinel, BRP_WATCH_SENTINEL,
                                (uint64_t)(uintptr_t)one);
    if (status != BROOD_OK) {
        if (one->child.pid != 0) {
            (void)brp_child_kill_tree(&one->child);
            (void)brp_child_wait(&one->child, BRI_NEVER);
        }
        brp_child_close(&one->child);
        bri_free(one);
        return status;
    }
    one->status = handles[1];
    one->next = all->first;
    if (one->next != NULL)
        one->next->previous = one;
    all->first = one;
    return BROOD_OK;
}

/* BROOD_EEOF: the client has gone. */
static brood_status serve(server *all)
{
    bri_fork_request request;
    brp_handle handles[BRP_PASS_MAX];
    size_t got;
    BROOD_TRY(brp_stream_read_all(all->requests, &request, sizeof request, &got, BRI_NEVER));
    if (request.n_handles < 2 || request.n_handles > BRP_PASS_MAX)
        return bri_fail(BROOD_EFORMAT, "could not read a request: it is malformed");
    brood_status status = brp_pass_receive(all->requests, handles, request.n_handles, BRI_NEVER);
    if (status == BROOD_ELIMIT) /* they are closed: that tells the client, and the others live on */
        return BROOD_OK;
    BROOD_TRY(status);
    status = fork_child(all, &request, handles);
    if (status != BROOD_OK) {
        /* The status first: the refusal is of this process, and as long as that is open the client
         * would take its number for a living child's, and kill it. */
        brp_handle_close(&handles[1]);
        bri_bootstrap_send_refusal(handles[0]);
    }
    for (uint32_t i = 0; i < request.n_handles; i++)
        if (i != 1)
            brp_handle_close(&handles[i]);
    return BROOD_OK;
}

static brood_status serve_for_ever(server *all)
{
    BROOD_TRY(brp_poller_add(all->poller, all->requests, BRP_WATCH_STREAM, 0));
    for (;;) {
        uint64_t keys[EVENTS];
        size_t n = 0;
        BROOD_TRY(brp_poller_wait(all->poller, keys, EVENTS, &n, BRI_NEVER));
        bool asked = false;
        for (size_t i = 0; i < n; i++) {
            if (keys[i] == 0)
                asked = true;
            else
                report(all, (served *)(uintptr_t)keys[i]);
        }
        brood_status status = asked ? serve(all) : BROOD_OK;
        if (status != BROOD_OK)
            return status == BROOD_EEOF ? BROOD_OK : status;
    }
}

/* ---- the start ---- */

static brood_status run_preload(brood_call *call)
{
    const brood_value *arguments = brood_call_arguments(call);
    brood_function function;
    brood_value copy;
    bri_outcome outcome;
    if (brood_value_length(arguments) == 0)
        return BROOD_OK;
    BROOD_TRY(bri_function_resolve(brood_item(arguments, 0), true, &function));
    BROOD_TRY(brood_value_copy(brood_item(arguments, 1), &copy));
    bri_call_run(function, copy, (brood_value){0}, &outcome);
    brood_status status = BROOD_OK;
    if (outcome.failed)
        status = bri_call_fail_as(call, &outcome);
    bri_outcome_clear(&outcome);
    return status;
}

brood_status bri_forkserver_run(brood_call *call)
{
    server all = {.requests = bri_bootstrap_stream()};
    bri_note ready = {.kind = BRI_NOTE_HELLO};
    signal(SIGINT, SIG_IGN);
    BROOD_TRY(run_preload(call));
    fflush(NULL); /* else every child would write again what main() or the preload left there */
    BROOD_TRY(brp_poller_create(&all.poller));
    brood_status status = bri_note_send(all.requests, &ready, BRI_NEVER);
    if (status == BROOD_OK)
        status = serve_for_ever(&all);
    brp_poller_destroy(all.poller);
    while (all.first != NULL)
        forget(&all, all.first);
    return status;
}
