/*
 * support.h - what the tests of sync share: processes that do something with an object and then
 * wait to be killed, and threads that tell how their wait ended.
 */
#ifndef BT_SYNC_SUPPORT_H
#define BT_SYNC_SUPPORT_H

#include "harness.h"
#include "kills.h"

enum { LONG = 20000 }; /* milliseconds that are taken for a hang */

/* A process that works with an object and tells when it has come so far. */
typedef struct actor {
    brood_process *process;
    brood_connection *told;
} actor;

/* In the process: the object's value and the connection. */
static inline brood_status actor_begin(brood_call *call, const brood_value **object,
                                       brood_connection **told)
{
    const brood_value *value;
    BROOD_TRY(brood_call_args(call, "vv", object, &value));
    return brood_get_connection(value, told);
}

/* "So far"; then waits for the word to go on, or for the kill. */
static inline brood_status actor_pause(brood_connection *told)
{
    brood_value word;
    BROOD_TRY(brood_connection_send(told, brood_none(), -1));
    BROOD_TRY(brood_connection_recv(told, &word, -1));
    brood_value_clear(&word);
    return BROOD_OK;
}

/* In the test. The object is moved in. Comes back before the process has come so far. */
static inline actor actor_start(brood_function run, brood_value object)
{
    actor made;
    brood_connection *theirs;
    bt_ok(brood_pipe(&made.told, &theirs, true));
    made.process = bt_process(run, brood_pack("vv", object, brood_connection_value(theirs)));
    brood_connection_close(theirs);
    return made;
}

/* Waits until it has come so far; lets it go on. */
static inline void actor_await(const actor *self)
{
    brood_value word;
    bt_ok(brood_connection_recv(self->told, &word, LONG));
    brood_value_clear(&word);
}

static inline void actor_go_on(const actor *self)
{
    bt_ok(brood_connection_send(self->told, brood_none(), LONG));
}

static inline void actor_kill(actor *self)
{
    bt_ok(brood_process_kill(self->process));
    assert_int_equal(bt_join(self->process), -9);
    brood_connection_close(self->told);
}

static inline void actor_end(actor *self)
{
    int code = bt_join(self->process);
    brood_connection_close(self->told);
    assert_int_equal(code, 0);
}

/* Whether a wait of the call takes less than the bound of the promise: a death is noticed within
 * a second. */
#define BT_WITHIN_A_SECOND(call)                  \
    do {                                          \
        brood_ms begun_ = brood_now();            \
        call;                                     \
        assert_true(brood_now() - begun_ < 1000); \
    } while (0)

#endif /* BT_SYNC_SUPPORT_H */
