/*
 * ipc/proctable.c - see the header.
 *
 * A death is declared by one step on the slot's life, without a lock, so that latches of the dead
 * can be taken over, the table's own among them. Sweeping is done under that latch, for all slots
 * that are dead and not yet free: so a sweep that was cut off is finished by the next one.
 */
#include "ipc/proctable.h"

#include "core/killpoint.h"
#include "ipc/latch.h"
#include "ipc/shared.h"
#include "platform/clock.h"
#include "platform/ident.h"

enum {
    FIRST_SLOT = 1, /* so that an owner is never 0 */
    PID_BITS = 46,
    LOOK_AT = 4,          /* processes that one look asks the system about */
    SWEEP_GRACE_MS = 100, /* that a sweep waits for those who are in the middle of a change */
    CHECK_EVERY = 100 * 1000000
};

#define PID_MASK ((UINT64_C(1) << PID_BITS) - 1)
#define MOST_USES ((UINT32_C(1) << (BRI_OWNER_BITS - BRI_OWNER_SLOT_BITS)) - 1)

/* ---- words ---- */

static uint32_t life_word(uint32_t use, uint32_t state)
{
    return use << 2 | state;
}

static uint32_t state_of(uint32_t life)
{
    return life & 3;
}

static uint32_t use_of(uint32_t life)
{
    return life >> 2;
}

static bri_owner owner_of(uint32_t slot, uint32_t life)
{
    return use_of(life) << BRI_OWNER_SLOT_BITS | slot;
}

static uint64_t pid_word(uint32_t use, uint64_t pid)
{
    return (uint64_t)use << PID_BITS | pid;
}

static bri_slot *slot_of(const bri_arena *arena, bri_owner owner)
{
    return bri_slot_at(arena, bri_owner_slot(owner));
}

/* The life of an owner's slot, or 0 (free, never used) when the slot is another's by now. */
static uint32_t life_of(const bri_arena *arena, bri_owner owner)
{
    if (bri_owner_slot(owner) >= atomic_load(&arena->head->n_slots))
        return 0;
    uint32_t life = atomic_load(&slot_of(arena, owner)->life);
    return use_of(life) == bri_owner_use(owner) ? life : 0;
}

/* ---- asking ---- */

bool bri_owner_is_dead(bri_owner owner)
{
    uint32_t state = state_of(life_of(bri_the_runtime.arena, owner));
    return state == BRI_SLOT_FREE || state == BRI_SLOT_DEAD;
}

bool bri_owner_has_ended(bri_owner owner)
{
    return atomic_load(&slot_of(bri_the_runtime.arena, owner)->ended) != 0;
}

static bool runs_no_more(const bri_slot *slot)
{
    uint64_t pid = atomic_load(&slot->pid) & PID_MASK;
    return pid != 0 && pid != PID_MASK &&
           !brp_is_alive((int64_t)pid, atomic_load(&slot->start_time));
}

bool bri_owner_check(bri_owner owner)
{
    bri_arena *arena = bri_the_runtime.arena;
    owner &= BRI_OWNER_MASK;
    if (bri_owner_is_dead(owner))
        return true;
    if (owner == arena->me || !runs_no_more(slot_of(arena, owner)))
        return false;
    bri_proctable_died(owner);
    return true;
}

/* Whether it is time to ask the system again; for one of those who ask. */
static bool is_check_due(bri_arena *arena)
{
    int64_t now = brp_clock_now(), due = atomic_load(&arena->next_check);
    return now >= due &&
           atomic_compare_exchange_strong(&arena->next_check, &due, now + CHECK_EVERY);
}

bool bri_owner_check_sometimes(bri_owner owner)
{
    return is_check_due(bri_the_runtime.arena) && bri_owner_check(owner);
}

void bri_proctable_look(void)
{
    bri_arena *arena = bri_the_runtime.arena;
    uint32_t n = atomic_load(&arena->head->n_slots);
    uint32_t asked = 0;
    for (uint32_t i = 0; i < n && asked < LOOK_AT; i++) {
        uint32_t slot = atomic_fetch_add(&arena->head->next_look, 1) % n;
        uint32_t life = atomic_load(&bri_slot_at(arena, slot)->life);
        if (state_of(life) == BRI_SLOT_FREE || owner_of(slot, life) == arena->me)
            continue;
        asked++;
        bool was_left = state_of(life) == BRI_SLOT_DEAD && atomic_load(&arena->head->unswept) != 0;
        if (was_left)
            continue;
        if (state_of(life) == BRI_SLOT_DEAD || runs_no_more(bri_slot_at(arena, slot)))
            bri_proctable_died(owner_of(slot, life));
    }
}

void bri_proctable_look_sometimes(void)
{
    if (is_check_due(bri_the_runtime.arena))
        bri_proctable_look();
}

int64_t bri_owner_pid(bri_owner owner)
{
    bri_arena *arena = bri_the_runtime.arena;
    if (arena == NULL || state_of(life_of(arena, owner)) != BRI_SLOT_RUNNING)
        return 0;
    return (int64_t)(atomic_load(&slot_of(arena, owner)->pid) & PID_MASK);
}

/* ---- dying ---- */

/* True when this call made it dead. */
static bool declare(bri_arena *arena, bri_owner owner)
{
    bri_slot *slot = slot_of(arena, owner);
    uint32_t life = life_of(arena, owner), use = use_of(life);
    while (state_of(life) == BRI_SLOT_CLAIMED || state_of(life) == BRI_SLOT_RUNNING) {
        if (atomic_compare_exchange_weak(&slot->life, &life, life_word(use, BRI_SLOT_DEAD))) {
            BRI_KILL_POINT("proctable-dead");
            atomic_fetch_add(&arena->head->deaths, 1);
            return true;
        }
        if (use_of(life) != use)
            return false;
    }
    return false;
}

/* Whether a process whose parent is dead is so too. One that was only claimed is kept out, if a
 * sweeper that was killed has not done that already. */
static bool is_lost(bri_slot *slot, uint32_t life)
{
    if (state_of(life) == BRI_SLOT_CLAIMED) {
        uint64_t pid = pid_word(use_of(life), 0), kept_out = pid_word(use_of(life), PID_MASK);
        if (atomic_compare_exchange_strong(&slot->pid, &pid, kept_out) || pid == kept_out)
            return true;
    }
    return runs_no_more(slot);
}

/* Declares descendants of dead processes that are dead too; true when there were new ones. A child
 * that still runs will be ended by its lifeline, and is found by the next sweep or look. */
static bool declare_descendants(bri_arena *arena)
{
    uint32_t n = atomic_load(&arena->head->n_slots);
    bool any = false;
    for (uint32_t i = FIRST_SLOT; i < n; i++) {
        bri_slot *slot = bri_slot_at(arena, i);
        uint32_t life = atomic_load(&slot->life);
        bool lives = state_of(life) == BRI_SLOT_CLAIMED || state_of(life) == BRI_SLOT_RUNNING;
        bri_owner parent = atomic_load(&slot->parent);
        if (lives && parent != 0 && parent != arena->me && bri_owner_is_dead(parent) &&
            is_lost(slot, life))
            any = declare(arena, owner_of(i, life)) || any;
    }
    return any;
}

/* What a stopped process is in the middle of changing is left to it, and the slot stays dead: the
 * try has marked the latch as waited for, so the process will look at `unswept` when it goes on.
 * The second try is for one that has freed the latch before it could see that. */
static void sweep_slot(bri_arena *arena, bri_owner dead, bri_deadline deadline)
{
    bri_slot *slot = slot_of(arena, dead);
    BRI_KILL_POINT("sweep-begin");
    bri_park_sweep(arena, dead);
    BRI_KILL_POINT("sweep-parks");
    brp_words_sweep(arena->words, bri_owner_slot(dead));
    BRI_KILL_POINT("sweep-words");
    if (!bri_shared_sweep(arena, dead, deadline)) {
        atomic_store(&arena->head->unswept, 1);
        BRI_KILL_POINT("sweep-unswept");
        if (!bri_shared_sweep(arena, dead, 0))
            return;
    }
    BRI_KILL_POINT("sweep-shared");
    uint32_t use = bri_owner_use(dead) == MOST_USES ? 1 : bri_owner_use(dead) + 1;
    atomic_store(&slot->life, life_word(use, BRI_SLOT_FREE));
    BRI_KILL_POINT("sweep-end");
}

/* Under the latch. Again while somebody was declared dead meanwhile, maybe by this very thread. */
static void sweep_all(bri_arena *arena, bri_deadline deadline)
{
    uint32_t deaths;
    atomic_store(&arena->head->unswept, 0);
    BRI_KILL_POINT("sweep-all");
    do {
        deaths = atomic_load(&arena->head->deaths);
        uint32_t n = atomic_load(&arena->head->n_slots);
        for (uint32_t i = FIRST_SLOT; i < n; i++) {
            bri_slot *slot = bri_slot_at(arena, i);
            uint32_t life = atomic_load_explicit(&slot->life, memory_order_acquire);
            if (state_of(life) == BRI_SLOT_DEAD)
                sweep_slot(arena, owner_of(i, life), deadline);
        }
    } while (declare_descendants(arena) || atomic_load(&arena->head->deaths) != deaths);
}

/* A sweeper may have to wait for a latch of one who is dead too, and find that out by itself: then
 * it declares that death inside of its sweep. */
static _Thread_local bool has_table;

static void lock_table(bri_arena *arena)
{
    bri_spin_place place = 0;
    bri_latch_lock(&arena->head->table_latch, arena->me, &place, BRI_NEVER);
    has_table = true;
}

static void unlock_table(bri_arena *arena)
{
    bri_latch_unlock(&arena->head->table_latch);
    has_table = false;
}

void bri_proctable_sweep_rest(void)
{
    bri_arena *arena = bri_the_runtime.arena;
    if (has_table || atomic_load(&arena->head->unswept) == 0)
        return;
    lock_table(arena);
    sweep_all(arena, 0);
    unlock_table(arena);
}

void bri_proctable_died(bri_owner dead)
{
    bri_arena *arena = bri_the_runtime.arena;
    dead &= BRI_OWNER_MASK;
    if (arena == NULL || dead == 0 || life_of(arena, dead) == 0)
        return;
    declare(arena, dead);
    /* First of all those who can go on now, this process's wait for the latch among them. */
    bri_unpark_everybody(arena);
    if (has_table)
        return;
    lock_table(arena);
    sweep_all(arena, bri_deadline_after(brp_clock_now(), SWEEP_GRACE_MS));
    unlock_table(arena);
    bri_unpark_everybody(arena);
}

/* ---- coming ---- */

/* Under the latch: a free slot, as long unused as possible. */
static brood_status find_free(bri_arena *arena, uint32_t *found)
{
    bri_arena_head *head = arena->head;
    uint32_t n = atomic_load(&head->n_slots);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t slot = atomic_fetch_add(&head->next_slot, 1) % n;
        if (slot >= FIRST_SLOT &&
            state_of(atomic_load(&bri_slot_at(arena, slot)->life)) == BRI_SLOT_FREE) {
            *found = slot;
            return BROOD_OK;
        }
    }
    if (n == BRI_MAX_SLOTS)
        return bri_fail(BROOD_ELIMIT, "could not start a process: the tree has %d already",
                        BRI_MAX_PROCESSES);
    BROOD_TRY(brp_section_commit(&arena->section, head->slots + n * sizeof(bri_slot),
                                 BRI_SLOTS_STEP * sizeof(bri_slot)));
    BRI_KILL_POINT("proctable-grow");
    atomic_store(&head->n_slots, n + BRI_SLOTS_STEP);
    *found = n;
    return BROOD_OK;
}

/* A slot that is still free is prepared and becomes claimed by the last step. */
static bri_owner claim_slot(bri_arena *arena, uint32_t index)
{
    bri_slot *slot = bri_slot_at(arena, index);
    uint32_t use = use_of(atomic_load(&slot->life));
    use = use == 0 ? 1 : use;
    atomic_store(&slot->parent, arena->me);
    atomic_store(&slot->pid, pid_word(use, 0));
    atomic_store(&slot->start_time, 0);
    atomic_store(&slot->holders, 0);
    atomic_store(&slot->ended, 0);
    BRI_KILL_POINT("proctable-claim");
    atomic_store(&slot->life, life_word(use, BRI_SLOT_CLAIMED));
    return use << BRI_OWNER_SLOT_BITS | index;
}

brood_status bri_proctable_claim(bri_owner *child)
{
    bri_arena *arena;
    uint32_t slot = 0;
    BROOD_TRY(bri_arena_get(&arena));
    lock_table(arena);
    sweep_all(arena, 0);
    brood_status status = find_free(arena, &slot);
    if (status == BROOD_OK)
        *child = claim_slot(arena, slot);
    unlock_table(arena);
    return status;
}

static brood_status fail_entering(void)
{
    return bri_fail(BROOD_ESTATE, "could not enter the process tree: the parent does not wait for "
                                  "this process any more");
}

brood_status bri_proctable_enter(bri_owner self, int64_t pid, uint64_t start_time)
{
    bri_arena *arena = bri_the_runtime.arena;
    if (state_of(life_of(arena, self)) != BRI_SLOT_CLAIMED)
        return fail_entering();
    bri_slot *slot = slot_of(arena, self);
    uint32_t use = bri_owner_use(self);
    uint64_t nobody = pid_word(use, 0);
    if (!atomic_compare_exchange_strong(&slot->pid, &nobody, pid_word(use, (uint64_t)pid)))
        return fail_entering();
    BRI_KILL_POINT("proctable-enter-pid");
    atomic_store(&slot->start_time, start_time);
    BRI_KILL_POINT("proctable-enter-start");
    uint32_t claimed = life_word(use, BRI_SLOT_CLAIMED);
    if (!atomic_compare_exchange_strong(&slot->life, &claimed, life_word(use, BRI_SLOT_RUNNING)))
        return fail_entering();
    arena->me = self;
    if (arena->words != NULL)
        return BROOD_OK;
    return brp_words_open(&arena->words, bri_arena_at(arena, arena->head->words), arena->base,
                          bri_owner_slot(self));
}

brood_status bri_proctable_enter_root(bri_arena *arena)
{
    int64_t pid = brp_pid();
    bri_owner self = claim_slot(arena, FIRST_SLOT);
    bri_slot *slot = slot_of(arena, self);
    atomic_store(&slot->pid, pid_word(1, (uint64_t)pid));
    atomic_store(&slot->start_time, brp_start_time(pid));
    atomic_store(&slot->life, life_word(1, BRI_SLOT_RUNNING));
    atomic_store(&arena->head->next_slot, FIRST_SLOT + 1);
    arena->me = self;
    return BROOD_OK;
}

void bri_proctable_leave(void)
{
    bri_arena *arena = bri_the_runtime.arena;
    if (arena != NULL && arena->me != 0)
        atomic_store(&slot_of(arena, arena->me)->ended, 1);
}

void bri_proctable_release(bri_owner child)
{
    bri_proctable_died(child);
}
