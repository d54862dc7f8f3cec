/*
 * sync/barrier.c - an account of those who are in: the value is the barrier's state and how many
 * have come and not yet gone on; each process's holder record says how many of them are its own.
 *
 *     filling -> (acting ->) draining -> filling       all came, all went on
 *     filling -> broken -> (resetting ->) filling      some did not come; it was reset
 *
 * As in Python's, nobody comes in while others of the last round are still going out: so each of
 * these finds by the state how its round ended.
 */
#include <brood/barrier.h>

#include <string.h>

#include "core/killpoint.h"
#include "core/registry.h"
#include "data/pickle.h"
#include "sync/account.h"
#include "sync/sync.h"

enum { FILLING, ACTING, DRAINING, RESETTING, BROKEN };

/* The value: state | BREAKS | number in << 8. BREAKS: the round is complete, and when all have gone
 * the barrier is broken. */
enum { STATE_MASK = 7, BREAKS = 8, COUNT_SHIFT = 8, ACTION_ROOM = 1024 };

/* In a holder's `held`: the process counts as a party; it runs the action; the rest is how many of
 * its threads are in. */
#define PARTY (UINT32_C(1) << 31)
#define ACTOR (UINT32_C(1) << 30)

/* In the arena. */
typedef struct barrier_body {
    bri_account account;
    uint32_t parties;
    uint32_t action_size; /* of the pickled reference behind the body; 0: none */
    brood_ms timeout;
} barrier_body;

struct brood_barrier {
    bri_shared shared;
    bri_spin_place latch_spin, spin;
};

/* For the making. */
typedef struct plan {
    uint32_t parties;
    brood_ms timeout;
    bri_buffer action;
} plan;

static brood_status rebuild_barrier(const brood_value *arguments, bri_transfer *transfer,
                                    void **object);
static brood_status become_party(bri_shared *object);
static brood_status break_for_dead(bri_arena *arena, void *body, bri_owner dead, bri_holder *holder,
                                   bri_deadline deadline);

const bri_shared_class bri_barrier_class = {
    .type = {.name = "Barrier",
             .retain = bri_shared_retain,
             .release = bri_shared_release,
             .reduce = bri_shared_reduce,
             .rebuild = rebuild_barrier},
    .kind = BRI_BARRIER_KIND,
    .local_size = sizeof(brood_barrier),
    .open = become_party,
    .holder_died = break_for_dead,
};

/* ---- the object ---- */

static barrier_body *body_of(const brood_barrier *barrier)
{
    return barrier->shared.body;
}

static brood_status rebuild_barrier(const brood_value *arguments, bri_transfer *transfer,
                                    void **object)
{
    return bri_shared_rebuild(&bri_barrier_class, arguments, transfer, object);
}

static brood_status become_party(bri_shared *object)
{
    if (!object->inherited)
        atomic_fetch_or(&object->holder->held, PARTY);
    return BROOD_OK;
}

static brood_status fill_barrier(bri_arena *arena, void *body, const void *context)
{
    const plan *wanted = context;
    barrier_body *made = body;
    (void)arena;
    made->parties = wanted->parties;
    made->timeout = wanted->timeout;
    made->action_size = (uint32_t)wanted->action.length;
    if (made->action_size != 0)
        memcpy(made + 1, wanted->action.data, made->action_size);
    return BROOD_OK;
}

static brood_status write_action(brood_barrier_action action, bri_buffer *buffer)
{
    brood_value reference;
    bri_pickle_options options = {0};
    BROOD_TRY(bri_function_refer((brood_function)(void (*)(void))action, &reference));
    brood_status status = bri_pickle_write(&reference, &options, buffer);
    brood_value_clear(&reference);
    if (status == BROOD_OK && buffer->length > ACTION_ROOM)
        status = bri_fail(BROOD_ETOOLONG, "the path of its module is too long");
    return status;
}

brood_status brood_barrier_create(brood_barrier **barrier, uint32_t parties,
                                  const brood_barrier_options *options)
{
    static const brood_barrier_options defaults;
    options = options == NULL ? &defaults : options;
    plan wanted = {.parties = parties, .timeout = options->timeout};
    bri_shared *made;
    brood_status status = BROOD_OK;
    if (parties == 0 || parties >= ACTOR)
        return bri_fail(BROOD_EINVALID, "could not create a barrier of %lu parties",
                        (unsigned long)parties);
    if (options->action != NULL && write_action(options->action, &wanted.action) != BROOD_OK)
        status = bri_fail_within("could not create a barrier with that action");
    if (status == BROOD_OK)
        status = bri_shared_create(&bri_barrier_class, sizeof(barrier_body) + wanted.action.length,
                                   "create a barrier", fill_barrier, &wanted, &made);
    bri_buffer_fini(&wanted.action);
    if (status == BROOD_OK)
        *barrier = (brood_barrier *)made;
    return status;
}

/* ---- its states ---- */

static uint32_t state_of(uint64_t value)
{
    return (uint32_t)value & STATE_MASK;
}

static uint32_t count_of(uint64_t value)
{
    return (uint32_t)(value >> COUNT_SHIFT);
}

static uint64_t value_of(uint32_t state, uint32_t count)
{
    return (uint64_t)count << COUNT_SHIFT | state;
}

static bool is_complete(uint64_t value)
{
    return state_of(value) == ACTING || state_of(value) == DRAINING;
}

static uint64_t broken(uint64_t value)
{
    return is_complete(value) ? value | BREAKS : value_of(BROKEN, count_of(value));
}

static uint64_t reset(uint64_t value)
{
    if (is_complete(value))
        return value & ~(uint64_t)BREAKS;
    return value_of(count_of(value) == 0 ? FILLING : RESETTING, count_of(value));
}

/* With so many fewer in. */
static uint64_t left(uint64_t value, uint32_t n)
{
    uint32_t count = count_of(value) - n;
    if (count > 0 || state_of(value) == BROKEN)
        return value_of((uint32_t)value & (STATE_MASK | BREAKS), count);
    return value_of((value & BREAKS) != 0 ? BROKEN : FILLING, 0);
}

static bool is_broken(uint64_t value)
{
    return state_of(value) == BROKEN || (value & BREAKS) != 0;
}

static uint64_t look(const brood_barrier *barrier)
{
    return atomic_load(&body_of(barrier)->account.value);
}

/* Under the latch. This process has `in` more inside, or fewer. */
static void change(brood_barrier *barrier, uint64_t value, int in, bool acts)
{
    bri_holder *holder = barrier->shared.holder;
    uint32_t held = atomic_load(&holder->held);
    uint32_t actor = state_of(value) != ACTING ? 0 : acts ? ACTOR : held & ACTOR;
    held = (((held & ~ACTOR) + (uint32_t)in) & ~PARTY) | PARTY | actor;
    bri_account_change(&body_of(barrier)->account, value, holder, held);
}

static uint64_t lock(brood_barrier *barrier)
{
    bri_account_lock(&body_of(barrier)->account, &barrier->latch_spin, BRI_NEVER);
    return look(barrier);
}

/* `was` is the value before the change. */
static void unlock(brood_barrier *barrier, uint64_t was, uint64_t value)
{
    bri_account *account = &body_of(barrier)->account;
    bri_account_unlock(account);
    if (state_of(was) != state_of(value) || is_broken(was) != is_broken(value))
        bri_bell_ring(&account->bell, INT32_MAX);
}

static void change_and_unlock(brood_barrier *barrier, uint64_t was, uint64_t value, int in)
{
    change(barrier, value, in, false);
    unlock(barrier, was, value);
}

static bool is_among(const brood_barrier *barrier, uint32_t states)
{
    return (states >> state_of(look(barrier)) & 1) != 0;
}

#define STATE(state) (UINT32_C(1) << (state))

/* Waits while the state is among these; BROOD_ETIMEDOUT. */
static brood_status wait_while(brood_barrier *barrier, uint32_t states, bri_deadline deadline)
{
    bri_bell *bell = &body_of(barrier)->account.bell;
    bri_spin spin = bri_spin_begin(&barrier->spin);
    while (is_among(barrier, states) && bri_spin_next(&spin)) {
    }
    bri_spin_end(&barrier->spin, &spin, !is_among(barrier, states));
    bri_parking parking = bri_parking_until(deadline);
    bri_park_end end = BRI_PARK_WOKEN;
    while (is_among(barrier, states)) {
        if (end == BRI_PARK_TIMED_OUT)
            return BROOD_ETIMEDOUT;
        bri_parking_look(&parking);
        uint32_t heard = bri_bell_listen(bell);
        BRI_KILL_POINT("barrier-listen");
        if (is_among(barrier, states))
            end = bri_bell_wait(bell, &parking, heard);
    }
    return BROOD_OK;
}

/* ---- waiting ---- */

static brood_status fail_broken(void)
{
    return bri_fail(BROOD_EBROKEN, "could not wait at a barrier: it is broken");
}

/* The time is up before this one has come in. */
static brood_status stay_out(brood_barrier *barrier)
{
    uint64_t value = lock(barrier);
    change_and_unlock(barrier, value, broken(value), 0);
    return BROOD_ETIMEDOUT;
}

/* Comes in: BROOD_OK, and the number of those that were in before. */
static brood_status enter(brood_barrier *barrier, bri_deadline deadline, uint32_t *before)
{
    barrier_body *body = body_of(barrier);
    for (;;) {
        uint64_t value = lock(barrier);
        if (state_of(value) == FILLING) {
            *before = count_of(value);
            uint32_t full = body->action_size != 0 ? ACTING : DRAINING;
            bool is_last = *before + 1 == body->parties;
            uint64_t next = value_of(is_last ? full : FILLING, *before + 1);
            change(barrier, next, 1, is_last);
            unlock(barrier, value, next);
            BRI_KILL_POINT("barrier-entered");
            return BROOD_OK;
        }
        bri_account_unlock(&body->account);
        if (is_broken(value))
            return fail_broken();
        if (wait_while(barrier, STATE(ACTING) | STATE(DRAINING) | STATE(RESETTING), deadline) !=
            BROOD_OK)
            return stay_out(barrier);
    }
}

/* Goes on, or out. Tells how the round ended. */
static brood_status leave(brood_barrier *barrier)
{
    uint64_t value = lock(barrier);
    change_and_unlock(barrier, value, left(value, 1), -1);
    BRI_KILL_POINT("barrier-left");
    return state_of(value) == DRAINING ? BROOD_OK : fail_broken();
}

static brood_status run_action(brood_barrier *barrier)
{
    barrier_body *body = body_of(barrier);
    brood_value reference;
    brood_function function;
    bri_pickle_options options = {0};
    BROOD_TRY(bri_pickle_read(body + 1, body->action_size, &options, &reference, NULL));
    brood_status status = bri_function_resolve(&reference, true, &function);
    brood_value_clear(&reference);
    BROOD_TRY(status);
    return ((brood_barrier_action)(void (*)(void))function)(barrier);
}

/* The last one, when there is an action. */
static brood_status act(brood_barrier *barrier)
{
    BRI_KILL_POINT("barrier-action");
    brood_status status = run_action(barrier);
    BRI_KILL_POINT("barrier-acted");
    uint64_t value = lock(barrier), next = value_of(BROKEN, count_of(value));
    if (status == BROOD_OK)
        next = value_of(DRAINING | ((uint32_t)value & BREAKS), count_of(value));
    change_and_unlock(barrier, value, next, 0);
    brood_status ended = leave(barrier);
    return status == BROOD_OK ? ended : status;
}

/* The time is up while this one is in: that breaks the barrier, unless all have come meanwhile. */
static bool give_up(brood_barrier *barrier)
{
    uint64_t value = lock(barrier);
    bool is_late = state_of(value) == FILLING;
    if (is_late)
        change_and_unlock(barrier, value, left(broken(value), 1), -1);
    else
        bri_account_unlock(&body_of(barrier)->account);
    return is_late;
}

static brood_status wait_inside(brood_barrier *barrier, bri_deadline deadline)
{
    uint32_t undecided = STATE(FILLING) | STATE(ACTING);
    if (wait_while(barrier, undecided, deadline) != BROOD_OK) {
        if (give_up(barrier))
            return BROOD_ETIMEDOUT;
        wait_while(barrier, STATE(ACTING), BRI_NEVER);
    }
    return leave(barrier);
}

brood_status brood_barrier_wait(brood_barrier *barrier, brood_ms timeout, uint32_t *index)
{
    BROOD_TRY(bri_shared_check(barrier, "wait at a barrier"));
    barrier_body *body = body_of(barrier);
    uint32_t before = 0;
    if (timeout < 0 && body->timeout > 0)
        timeout = body->timeout;
    bri_deadline deadline = bri_deadline_from_now(timeout);
    BROOD_TRY(enter(barrier, deadline, &before));
    brood_status status;
    if (before + 1 < body->parties)
        status = wait_inside(barrier, deadline);
    else
        status = body->action_size != 0 ? act(barrier) : leave(barrier);
    if (status == BROOD_OK && index != NULL)
        *index = before;
    return status;
}

/* May be called again: then none of it is in, and it counts no more. */
static brood_status break_for_dead(bri_arena *arena, void *body, bri_owner dead, bri_holder *holder,
                                   bri_deadline deadline)
{
    bri_account *account = &((barrier_body *)body)->account;
    (void)arena;
    BROOD_TRY(bri_account_lock_until(account, deadline));
    uint64_t value = atomic_load(&account->value);
    uint32_t held = atomic_load(&holder->held), in = held & ~(PARTY | ACTOR);
    uint64_t next = value;
    if ((held & ACTOR) != 0)
        next = value_of(BROKEN, count_of(value));
    else if ((held != 0 && !bri_owner_has_ended(dead)) || (in != 0 && state_of(value) == FILLING))
        next = broken(value);
    if (held != 0)
        bri_account_change(account, in == 0 ? next : left(next, in), holder, 0);
    bri_account_unlock(account);
    bri_bell_ring(&account->bell, INT32_MAX);
    return BROOD_OK;
}

/* ---- the rest ---- */

static brood_status change_state(brood_barrier *barrier, const char *what,
                                 uint64_t (*next)(uint64_t))
{
    BROOD_TRY(bri_shared_check(barrier, what));
    uint64_t value = lock(barrier);
    change_and_unlock(barrier, value, next(value), 0);
    return BROOD_OK;
}

brood_status brood_barrier_abort(brood_barrier *barrier)
{
    return change_state(barrier, "abort a barrier", broken);
}

brood_status brood_barrier_reset(brood_barrier *barrier)
{
    return change_state(barrier, "reset a barrier", reset);
}

static bool is_usable(const brood_barrier *barrier)
{
    return barrier != NULL && barrier->shared.body != NULL;
}

uint32_t brood_barrier_parties(brood_barrier *barrier)
{
    return is_usable(barrier) ? body_of(barrier)->parties : 0;
}

uint32_t brood_barrier_n_waiting(brood_barrier *barrier)
{
    if (!is_usable(barrier) || state_of(look(barrier)) != FILLING)
        return 0;
    return count_of(look(barrier));
}

bool brood_barrier_is_broken(brood_barrier *barrier)
{
    return !is_usable(barrier) || is_broken(look(barrier));
}

void brood_barrier_destroy(brood_barrier *barrier)
{
    bri_shared_release(barrier);
}

brood_value brood_barrier_value(brood_barrier *barrier)
{
    return bri_shared_value(barrier);
}

brood_status brood_get_barrier(const brood_value *value, brood_barrier **barrier)
{
    bri_shared *object;
    BROOD_TRY(bri_shared_get(&bri_barrier_class, value, &object));
    *barrier = (brood_barrier *)object;
    return BROOD_OK;
}
