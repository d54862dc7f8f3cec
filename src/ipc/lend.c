/* ipc/lend.c - see the header. */
#include "ipc/lend.h"

#include <brood/listener.h>

#include "base/memory.h"
#include "core/log.h"
#include "core/runtime.h"
#include "core/thread.h"
#include "core/transfer.h"
#include "platform/ident.h"

enum { KEY_SIZE = 32, PATIENCE = 10000 };

typedef struct ticket {
    int64_t number;
    uint64_t loan;
    bool is_once; /* for one borrower */
    int uses;     /* the list's and those of who gives it away; under the mutex */
    bri_lent what;
    struct ticket *next;
} ticket;

/* Its thread lasts as long as the process. It is not ended at exit: libcrypto has cleaned up by
 * then, and would no longer free what it keeps for a thread. */
static struct {
    brp_mutex *mutex;
    brood_listener *listener; /* NULL: nothing was lent yet */
    bri_thread *thread;
    unsigned char key[KEY_SIZE];
    ticket *first;
    int64_t last_number;
    uint64_t last_loan;
} lender;

/* ---- tickets; not under the mutex ---- */

static void free_ticket(ticket *gone)
{
    gone->what.release(gone->what.object);
    bri_free(gone);
}

static void leave_ticket(ticket *used)
{
    brp_mutex_lock(lender.mutex);
    bool is_last = --used->uses == 0;
    brp_mutex_unlock(lender.mutex);
    if (is_last)
        free_ticket(used);
}

/* To be left after use; NULL when there is none. One that is for one borrower is taken out. */
static ticket *use_ticket(int64_t number)
{
    brp_mutex_lock(lender.mutex);
    ticket **at = &lender.first;
    while (*at != NULL && (*at)->number != number)
        at = &(*at)->next;
    ticket *found = *at;
    if (found != NULL && found->is_once)
        *at = found->next; /* the list's use is the caller's */
    else if (found != NULL)
        found->uses++;
    brp_mutex_unlock(lender.mutex);
    return found;
}

void bri_loan_end(uint64_t loan)
{
    ticket *gone = NULL;
    if (loan == 0)
        return;
    brp_mutex_lock(lender.mutex);
    for (ticket **at = &lender.first; *at != NULL;) {
        ticket *one = *at;
        if (one->loan != loan) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        if (--one->uses == 0) {
            one->next = gone;
            gone = one;
        }
    }
    brp_mutex_unlock(lender.mutex);
    while (gone != NULL) {
        ticket *next = gone->next;
        free_ticket(gone);
        gone = next;
    }
}

/* ---- the thread ---- */

static brood_status give(brood_connection *connection, const bri_lent *what)
{
    return what->is_socket
               ? brood_connection_send_socket(connection, what->handle.value, 0, PATIENCE)
               : brood_connection_send_handle(connection, what->handle.value, 0, PATIENCE);
}

static void serve(brood_connection *connection)
{
    brood_value number;
    int64_t wanted;
    brood_status status = brood_connection_recv(connection, &number, PATIENCE);
    if (status != BROOD_OK)
        return;
    status = brood_get_int(&number, &wanted);
    brood_value_clear(&number);
    ticket *found = status == BROOD_OK ? use_ticket(wanted) : NULL;
    if (found == NULL)
        return; /* the end of the connection says so */
    if (give(connection, &found->what) != BROOD_OK)
        bri_log(BROOD_LOG_WARNING, "could not lend a handle: %s", brood_last_error()->message);
    leave_ticket(found);
}

static void run_lender(void *context)
{
    brood_listener *listener = context;
    for (;;) {
        brood_connection *connection;
        brood_status status = brood_listener_accept(listener, &connection, BROOD_FOREVER);
        if (status == BROOD_ECLOSED)
            return;
        if (status != BROOD_OK) {
            if (status == BROOD_ELIMIT || status == BROOD_ENOMEM)
                brood_sleep(10); /* until something is closed; nothing tells of it */
            continue;
        }
        serve(connection);
        brood_connection_close(connection);
    }
}

/* Forgets what its parent lends. */
static void after_fork_child(void)
{
    bri_thread_forget(lender.thread);
    lender.thread = NULL;
    if (lender.listener != NULL) /* its handle is closed in this process already */
        brood_listener_close(lender.listener);
    lender.listener = NULL;
    while (lender.first != NULL) {
        ticket *next = lender.first->next;
        free_ticket(lender.first);
        lender.first = next;
    }
    lender.mutex = brp_mutex_renew(lender.mutex); /* another thread may have held it */
}

static const bri_hooks hooks = {.name = "lender", .after_fork_child = after_fork_child};

/* Under the mutex. */
static brood_status start_lending(void)
{
    if (lender.listener != NULL)
        return BROOD_OK;
    BROOD_TRY(bri_runtime_hook(&hooks));
    BROOD_TRY(brp_random(lender.key, sizeof lender.key));
    brood_listener_options options = {.authkey = lender.key, .authkey_size = sizeof lender.key};
    BROOD_TRY(brood_listener_create(&lender.listener, NULL, &options));
    brood_status status = bri_thread_start(&lender.thread, run_lender, lender.listener);
    if (status != BROOD_OK) {
        brood_listener_close(lender.listener);
        lender.listener = NULL;
    }
    return status;
}

/* ---- in messages ---- */

/* (address, key, number) */
static brood_status write_ticket(brood_value *made)
{
    BROOD_TRY(start_lending());
    *made = brood_pack("(svl)", brood_listener_address(lender.listener),
                       brood_bytes(lender.key, sizeof lender.key), lender.last_number + 1);
    return brood_value_kind(made) == BROOD_INVALID ? brood_last_error()->status : BROOD_OK;
}

static brood_status lend(bri_transfer *transfer, const bri_lent *what, brood_value *written)
{
    ticket *made = bri_calloc(1, sizeof *made);
    if (made == NULL) {
        what->release(what->object);
        return BROOD_ENOMEM;
    }
    *made = (ticket){.uses = 1, .what = *what};
    brp_mutex_lock(lender.mutex);
    brood_status status = write_ticket(written);
    if (status == BROOD_OK) {
        if (transfer->loan == 0)
            transfer->loan = ++lender.last_loan;
        made->number = ++lender.last_number;
        made->loan = transfer->loan;
        made->is_once = !transfer->keeps;
        made->next = lender.first;
        lender.first = made;
    }
    brp_mutex_unlock(lender.mutex);
    if (status != BROOD_OK)
        free_ticket(made);
    return status;
}

static brood_status fetch(brood_connection *connection, int64_t number, bool is_socket,
                          intptr_t *handle)
{
    BROOD_TRY(brood_connection_send(connection, brood_int(number), PATIENCE));
    brood_status status = is_socket ? brood_connection_recv_socket(connection, handle, PATIENCE)
                                    : brood_connection_recv_handle(connection, handle, PATIENCE);
    if (status == BROOD_EEOF)
        return bri_fail(BROOD_ECLOSED, "could not get a %s: its sender has it no more",
                        is_socket ? "socket" : "handle");
    return status;
}

static brood_status borrow(const brood_value *written, bool is_socket, brp_handle *handle)
{
    const char *address;
    const brood_value *key;
    const void *bytes;
    int64_t number;
    BROOD_TRY(brood_unpack(written, "(svl)", &address, &key, &number));
    brood_connect_options options = {0};
    BROOD_TRY(brood_get_bytes(key, &bytes, &options.authkey_size));
    options.authkey = bytes;
    brood_connection *connection;
    BROOD_TRY(brood_connect(&connection, address, &options, PATIENCE));
    brood_status status = fetch(connection, number, is_socket, &handle->value);
    brood_connection_close(connection);
    return status;
}

static const bri_lender the_lender = {.lend = lend, .borrow = borrow};

brood_status bri_lender_start(void)
{
    bri_lender_set(&the_lender);
    return lender.mutex != NULL ? BROOD_OK : brp_mutex_create(&lender.mutex);
}
