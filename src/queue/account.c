/* queue/account.c - see the header. */
#include "queue/account.h"

#include "core/killpoint.h"

/* The word `held` of a holder: messages in hand, and the process's part in a queue that ends. */
#define IN_HAND ((UINT32_C(1) << 30) - 1)
#define MAY_PUT (UINT32_C(1) << 30) /* it has the queue and has not said otherwise */
#define HAS_PUT (UINT32_C(1) << 31)

static bool is_producer(uint32_t held)
{
    return (held & (MAY_PUT | HAS_PUT)) != 0;
}

/* ---- changing ---- */

/* All words of the account with those of one process. */
typedef struct balance {
    uint64_t done;
    uint32_t producers, abandoned, held;
} balance;

static balance read_balance(bri_ring *ring, bri_holder *holder)
{
    bri_balance *now = &ring->account.now;
    return (balance){atomic_load(&now->done), atomic_load(&now->producers),
                     atomic_load(&now->abandoned), atomic_load(&holder->held)};
}

/* The change becomes true when the head comes to `count`. */
static void prepare(bri_arena *arena, bri_ring *ring, bri_holder *holder, const balance *next,
                    uint64_t count)
{
    bri_account *account = &ring->account;
    atomic_store_explicit(&account->next.done, next->done, memory_order_relaxed);
    atomic_store_explicit(&account->next.producers, next->producers, memory_order_relaxed);
    atomic_store_explicit(&account->next.abandoned, next->abandoned, memory_order_relaxed);
    atomic_store_explicit(&account->next.held, next->held, memory_order_relaxed);
    atomic_store_explicit(&account->count, count, memory_order_relaxed);
    BRI_KILL_POINT("account-written");
    atomic_store_explicit(&account->holder, bri_arena_offset(arena, holder), memory_order_release);
    BRI_KILL_POINT("account-true");
}

void bri_account_settle(bri_arena *arena, bri_ring *ring)
{
    bri_account *account = &ring->account;
    uint64_t offset = atomic_load_explicit(&account->holder, memory_order_acquire);
    if (offset == 0)
        return;
    if (bri_count_of(&ring->head) >= atomic_load_explicit(&account->count, memory_order_relaxed)) {
        bri_holder *holder = bri_arena_at(arena, offset);
        const bri_balance *next = &account->next;
        atomic_store_explicit(&holder->held, atomic_load(&next->held), memory_order_release);
        BRI_KILL_POINT("account-held");
        atomic_store_explicit(&account->now.done, atomic_load(&next->done), memory_order_release);
        atomic_store_explicit(&account->now.abandoned, atomic_load(&next->abandoned),
                              memory_order_release);
        BRI_KILL_POINT("account-done");
        atomic_store(&account->now.producers, atomic_load(&next->producers));
        BRI_KILL_POINT("account-producers");
    }
    atomic_store(&account->holder, 0);
    /* What is prepared next stays behind this. */
    atomic_signal_fence(memory_order_seq_cst);
    BRI_KILL_POINT("account-settled");
}

static void change(bri_arena *arena, bri_ring *ring, bri_holder *holder, const balance *next)
{
    prepare(arena, ring, holder, next, bri_count_of(&ring->head));
    bri_account_settle(arena, ring);
}

/* ---- under the latch ---- */

static brood_status lock_head(bri_arena *arena, bri_ring *ring, bri_patience *patience)
{
    bri_spin_place place = 0;
    return bri_end_lock(arena, ring, &ring->head, &place, patience);
}

void bri_account_unlock_head(bri_ring *ring)
{
    bool all_done = ring->is_joinable && bri_ring_unfinished(ring) == 0;
    bool ended = ring->ends && atomic_load(&ring->account.now.producers) == 0;
    if (all_done)
        atomic_fetch_add(&ring->account.rounds, 1);
    bri_latch_unlock(&ring->head.latch);
    BRI_KILL_POINT("account-unlocked");
    if (all_done)
        bri_bell_ring(&ring->account.all_done, INT32_MAX);
    if (ended)
        bri_ring_tell_closed(ring);
}

void bri_account_take(bri_ring_view *view, uint64_t count, uint64_t n, bool are_done)
{
    balance next = read_balance(view->ring, view->holder);
    if (are_done)
        next.done += n;
    else
        next.held += (uint32_t)n;
    prepare(view->arena, view->ring, view->holder, &next, count);
}

/* ---- processes come and go ---- */

void bri_account_enter(bri_ring_view *view)
{
    bri_ring *ring = view->ring;
    bri_patience patience = {.timeout = BROOD_FOREVER};
    if (!ring->ends || lock_head(view->arena, ring, &patience) != BROOD_OK)
        return;
    balance next = read_balance(ring, view->holder);
    /* After the last producer nobody becomes one; the first of all is its maker. */
    bool is_first = !ring->has_begun;
    if ((is_first || next.producers != 0) && !is_producer(next.held)) {
        next.producers++;
        next.held |= MAY_PUT;
        change(view->arena, ring, view->holder, &next);
        ring->has_begun = true;
    }
    bri_latch_unlock(&ring->head.latch);
}

/* Under the latch: what the process has in hand counts as done, and it puts no more. Others may
 * have said of messages that it took that they are done. */
static void give_up(bri_arena *arena, bri_ring *ring, bri_holder *holder)
{
    balance next = read_balance(ring, holder);
    uint64_t count = bri_count_of(&ring->tail);
    if (next.held == 0)
        return;
    next.done += next.held & IN_HAND;
    next.done = next.done > count ? count : next.done;
    next.abandoned += next.held & IN_HAND;
    next.producers -= is_producer(next.held);
    next.held = 0;
    change(arena, ring, holder, &next);
}

void bri_account_leave(bri_ring_view *view)
{
    bri_account_sweep(view->arena, view->ring, view->holder, BRI_NEVER);
}

brood_status bri_account_sweep(bri_arena *arena, bri_ring *ring, bri_holder *holder,
                               bri_deadline deadline)
{
    if (!(ring->is_joinable || ring->ends))
        return BROOD_OK;
    BROOD_TRY(bri_head_lock_until(arena, ring, deadline));
    give_up(arena, ring, holder);
    bri_account_unlock_head(ring);
    return BROOD_OK;
}

/* ---- producers ---- */

brood_status bri_account_produce(bri_ring_view *view)
{
    bri_ring *ring = view->ring;
    bri_patience patience = {.timeout = BROOD_FOREVER};
    if ((atomic_load_explicit(&view->holder->held, memory_order_relaxed) & HAS_PUT) != 0)
        return BROOD_OK;
    BROOD_TRY(lock_head(view->arena, ring, &patience));
    balance next = read_balance(ring, view->holder);
    bool has_ended = next.producers == 0;
    if (!has_ended && (next.held & HAS_PUT) == 0) {
        next.producers += !is_producer(next.held);
        next.held = (next.held & IN_HAND) | HAS_PUT;
        change(view->arena, ring, view->holder, &next);
    }
    bri_account_unlock_head(ring);
    return has_ended ? BROOD_ECLOSED : BROOD_OK;
}

/* It may put no more, if its part is one of these. */
static void renounce(bri_ring_view *view, uint32_t parts)
{
    bri_ring *ring = view->ring;
    bri_patience patience = {.timeout = BROOD_FOREVER};
    if (!ring->ends || (atomic_load(&view->holder->held) & parts) == 0 ||
        lock_head(view->arena, ring, &patience) != BROOD_OK)
        return;
    balance next = read_balance(ring, view->holder);
    if ((next.held & parts) != 0) {
        next.producers--;
        next.held &= IN_HAND;
        change(view->arena, ring, view->holder, &next);
    }
    bri_account_unlock_head(ring);
}

void bri_account_consume(bri_ring_view *view)
{
    renounce(view, MAY_PUT);
}

void bri_account_finish(bri_ring_view *view)
{
    renounce(view, MAY_PUT | HAS_PUT);
}

/* ---- joining ---- */

uint64_t bri_ring_unfinished(const bri_ring *ring)
{
    uint64_t done = atomic_load(&ring->account.now.done);
    return bri_count_of(&ring->tail) - done;
}

brood_status bri_account_task_done(bri_ring_view *view)
{
    bri_ring *ring = view->ring;
    bri_patience patience = {.timeout = BROOD_FOREVER};
    BROOD_TRY(lock_head(view->arena, ring, &patience));
    balance next = read_balance(ring, view->holder);
    bool is_too_many = next.done >= bri_count_of(&ring->tail);
    if (!is_too_many) {
        next.done++;
        next.held -= (next.held & IN_HAND) != 0;
        change(view->arena, ring, view->holder, &next);
    }
    bri_account_unlock_head(ring);
    return is_too_many ? BROOD_ESTATE : BROOD_OK;
}

/* Whether messages were abandoned that nobody has been told of. */
static bool take_abandoned(bri_ring_view *view)
{
    bri_ring *ring = view->ring;
    bri_patience patience = {.timeout = BROOD_FOREVER};
    if (atomic_load(&ring->account.now.abandoned) == 0 ||
        lock_head(view->arena, ring, &patience) != BROOD_OK)
        return false;
    balance next = read_balance(ring, view->holder);
    bool any = next.abandoned != 0;
    next.abandoned = 0;
    if (any)
        change(view->arena, ring, view->holder, &next);
    bri_latch_unlock(&ring->head.latch);
    return any;
}

/* `weight` is the number of rounds before. */
static bool is_all_done(const bri_ring *ring, uint64_t weight)
{
    return bri_ring_unfinished(ring) == 0 || atomic_load(&ring->account.rounds) != weight;
}

brood_status bri_account_join(bri_ring_view *view, bri_patience *patience)
{
    bri_ring *ring = view->ring;
    bri_spin_place place = 0;
    bool slept = false;
    uint32_t rounds = atomic_load(&ring->account.rounds);
    if (!is_all_done(ring, rounds)) {
        if (patience->timeout == 0)
            return BROOD_ETIMEDOUT;
        BROOD_TRY(bri_ring_wait(ring, &ring->account.all_done, &place, is_all_done, rounds,
                                patience, &slept));
    }
    return take_abandoned(view) ? BROOD_EOWNERDIED : BROOD_OK;
}
