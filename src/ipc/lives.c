/*
 * ipc/lives.c - see the header.
 *
 * An object's life (generation and number of holders) and the state of the holder's record change
 * together, under a latch of the arena, with what they were noted before: who takes the latch from
 * a dead process puts them back, then the sweep of that process drops the record in order. So the
 * number is exact whenever nobody is inside.
 */
#include "ipc/lives.h"

#include <string.h>

#include "core/killpoint.h"
#include "core/transfer.h"
#include "ipc/latch.h"

enum { HOLDER_BITS = 24 };

#define HOLDERS_MASK ((UINT64_C(1) << HOLDER_BITS) - 1)

/* Between a block's header and the body, so that the body begins at a line. */
typedef struct shared_head {
    _Atomic uint64_t size;
    _Atomic uint32_t kind;
    uint32_t unused[9];
} shared_head;

/* Kinds go from NULL to a class once, so readers need no lock. */
static _Atomic(const bri_shared_class *) classes[BRI_MAX_KINDS];

brood_status bri_shared_class_add(const bri_shared_class *class)
{
    atomic_store(&classes[class->kind % BRI_MAX_KINDS], class);
    return bri_class_add(&class->type);
}

const bri_shared_class *bri_shared_class_of(uint32_t kind)
{
    return atomic_load(&classes[kind % BRI_MAX_KINDS]);
}

static shared_head *head_at(const bri_arena *arena, uint64_t offset)
{
    return bri_arena_at(arena, offset);
}

void *bri_body_at(const bri_arena *arena, uint64_t offset)
{
    return head_at(arena, offset) + 1;
}

bri_holder *bri_holder_at(const bri_arena *arena, uint64_t offset)
{
    return bri_arena_at(arena, offset);
}

static void undo(bri_arena *arena)
{
    bri_undo *note = &arena->head->undo;
    uint64_t object = atomic_load(&note->object);
    if (object == 0)
        return;
    atomic_store(bri_arena_life(arena, object), atomic_load(&note->life));
    BRI_KILL_POINT("shared-undo");
    atomic_store(&bri_holder_at(arena, atomic_load(&note->holder))->state,
                 atomic_load(&note->state));
    BRI_KILL_POINT("shared-undo-state");
    atomic_store(&note->object, 0);
}

static void lock_lives(bri_arena *arena)
{
    bri_spin_place place = 0;
    brood_status status = bri_latch_lock(&arena->head->shared_latch, arena->me, &place, BRI_NEVER);
    if (status == BROOD_EOWNERDIED)
        undo(arena);
}

static void unlock_lives(bri_arena *arena)
{
    bri_latch_unlock(&arena->head->shared_latch);
}

/* A change that a dead process did not finish is undone, so its records can be read. */
static void undo_unfinished(bri_arena *arena)
{
    lock_lives(arena);
    unlock_lives(arena);
}

/* What a record says before it counts: that comes with its state. */
static void fill_holder(bri_holder *holder, uint64_t object, uint64_t generation)
{
    atomic_store(&holder->object, object);
    atomic_store(&holder->generation, generation);
    atomic_store(&holder->held, 0);
    for (int i = 0; i < BRI_LOOSE; i++)
        atomic_store(&holder->loose[i], 0);
}

/* Under the latch: the life and the record's state change as one. */
static void change(bri_arena *arena, uint64_t object, uint64_t life, bri_holder *holder,
                   bri_holder_state state)
{
    bri_undo *note = &arena->head->undo;
    _Atomic uint64_t *word = bri_arena_life(arena, object);
    atomic_store(&note->life, atomic_load(word));
    atomic_store(&note->holder, bri_arena_offset(arena, holder));
    atomic_store(&note->state, atomic_load(&holder->state));
    BRI_KILL_POINT("shared-note");
    atomic_store(&note->object, object);
    BRI_KILL_POINT("shared-noted");
    atomic_store(&holder->state, (uint32_t)state);
    BRI_KILL_POINT("shared-state");
    atomic_store(word, life);
    BRI_KILL_POINT("shared-life");
    atomic_store(&note->object, 0);
    BRI_KILL_POINT("shared-changed");
}

static brood_status fail_ended(const bri_shared_class *class)
{
    return bri_fail(BROOD_ECLOSED,
                    "could not use the %s of a message: it has ended; its sender has to keep it "
                    "until the receiver has it",
                    class->type.name);
}

brood_status bri_life_join(bri_arena *arena, const bri_shared_class *class, uint64_t object,
                           uint64_t generation, bri_holder *holder)
{
    _Atomic uint64_t *word = bri_arena_life(arena, object);
    if (word == NULL)
        return fail_ended(class);
    fill_holder(holder, object, generation);
    lock_lives(arena);
    uint64_t life = atomic_load(word);
    bool lives = life >> HOLDER_BITS == generation && (life & HOLDERS_MASK) != 0 &&
                 atomic_load(&head_at(arena, object)->kind) == class->kind;
    if (lives)
        change(arena, object, life + 1, holder, BRI_HOLDER_HELD);
    unlock_lives(arena);
    return lives ? BROOD_OK : fail_ended(class);
}

static void end_object(bri_arena *arena, bri_holder *holder, uint64_t object)
{
    shared_head *head = head_at(arena, object);
    const bri_shared_class *class = bri_shared_class_of(atomic_load(&head->kind));
    if (class != NULL && class->destroy != NULL)
        class->destroy(arena, head + 1);
    BRI_KILL_POINT("shared-destroyed");
    atomic_store(&holder->state, BRI_HOLDER_FREE);
    BRI_KILL_POINT("shared-ended");
    bri_arena_free(arena, object);
}

void bri_life_leave(bri_arena *arena, bri_holder *holder)
{
    uint64_t object = atomic_load(&holder->object);
    lock_lives(arena);
    uint64_t life = atomic_load(bri_arena_life(arena, object));
    bool mine = life >> HOLDER_BITS == atomic_load(&holder->generation) &&
                (life & HOLDERS_MASK) != 0 && atomic_load(&holder->state) == BRI_HOLDER_HELD;
    bool last = mine && (life & HOLDERS_MASK) == 1;
    if (mine)
        change(arena, object, life - 1, holder, last ? BRI_HOLDER_ENDING : BRI_HOLDER_FREE);
    unlock_lives(arena);
    if (last)
        end_object(arena, holder, object);
}

/* Gives back what a record stands for, from wherever its process was when it died. */
static void drop_share(bri_arena *arena, bri_holder *holder)
{
    if (atomic_load(&holder->state) == BRI_HOLDER_HELD)
        bri_life_leave(arena, holder);
    else if (atomic_load(&holder->state) == BRI_HOLDER_ENDING)
        end_object(arena, holder, atomic_load(&holder->object));
}

static brood_status tell_class(bri_arena *arena, bri_owner dead, bri_holder *holder,
                               bri_deadline deadline)
{
    uint64_t object = atomic_load(&holder->object);
    uint64_t life = atomic_load(bri_arena_life(arena, object));
    if (life >> HOLDER_BITS != atomic_load(&holder->generation))
        return BROOD_OK;
    const bri_shared_class *class = bri_shared_class_of(atomic_load(&head_at(arena, object)->kind));
    if (class == NULL || class->holder_died == NULL)
        return BROOD_OK;
    return class->holder_died(arena, bri_body_at(arena, object), dead, holder, deadline);
}

/* False: the record has to stay for now. */
static bool sweep_holder(bri_arena *arena, bri_owner dead, bri_holder *holder,
                         bri_deadline deadline)
{
    if (atomic_load(&holder->state) == BRI_HOLDER_HELD) {
        if (tell_class(arena, dead, holder, deadline) != BROOD_OK)
            return false;
        BRI_KILL_POINT("shared-sweep-told");
    }
    drop_share(arena, holder);
    BRI_KILL_POINT("shared-sweep-left");
    return true;
}

bool bri_shared_sweep(bri_arena *arena, bri_owner dead, bri_deadline deadline)
{
    _Atomic uint64_t *link = &bri_slot_at(arena, bri_owner_slot(dead))->holders;
    uint64_t offset;
    bool all = true;
    undo_unfinished(arena);
    while ((offset = atomic_load(link)) != 0) {
        bri_holder *holder = bri_holder_at(arena, offset);
        if (!sweep_holder(arena, dead, holder, deadline)) {
            all = false;
            link = &holder->next;
            continue;
        }
        atomic_store(link, atomic_load(&holder->next));
        BRI_KILL_POINT("shared-sweep-unlinked");
        bri_arena_free(arena, offset);
    }
    return all;
}

/* ---- holds of messages ---- */

brood_status bri_shared_hold(bri_arena *arena, _Atomic uint64_t *chain, const bri_shared *object)
{
    uint64_t offset;
    BROOD_TRY(bri_shared_check(object, "send an object"));
    BROOD_TRY(bri_arena_alloc(arena, sizeof(bri_holder), &offset));
    bri_holder *holder = bri_holder_at(arena, offset);
    atomic_store(&holder->state, BRI_HOLDER_FREE);
    atomic_store(&holder->next, atomic_load(chain));
    BRI_KILL_POINT("shared-hold");
    atomic_store(chain, offset);
    BRI_KILL_POINT("shared-hold-linked");
    return bri_life_join(arena, object->class, object->offset, object->generation, holder);
}

void bri_shared_drop_holds(bri_arena *arena, _Atomic uint64_t *chain)
{
    uint64_t offset;
    if (atomic_load(chain) == 0)
        return;
    undo_unfinished(arena);
    while ((offset = atomic_load(chain)) != 0) {
        bri_holder *holder = bri_holder_at(arena, offset);
        drop_share(arena, holder);
        BRI_KILL_POINT("shared-hold-left");
        atomic_store(chain, atomic_load(&holder->next));
        BRI_KILL_POINT("shared-hold-unlinked");
        bri_arena_free(arena, offset);
    }
}

/* The record says "held" before the life begins: cut off in between, the sweep finds a life of
 * another generation and only the block stays unused. */
uint64_t bri_life_begin(bri_arena *arena, uint64_t offset, bri_holder *holder)
{
    uint64_t generation = atomic_fetch_add(&arena->head->generation, 1) + 1;
    fill_holder(holder, offset, generation);
    BRI_KILL_POINT("shared-begin");
    atomic_store(&holder->state, BRI_HOLDER_HELD);
    BRI_KILL_POINT("shared-begin-held");
    atomic_store(bri_arena_life(arena, offset), generation << HOLDER_BITS | 1);
    BRI_KILL_POINT("shared-begin-life");
    return generation;
}

brood_status bri_body_make(bri_arena *arena, const bri_shared_class *class, size_t size,
                           uint64_t *offset)
{
    BROOD_TRY(bri_arena_alloc(arena, sizeof(shared_head) + size, offset));
    shared_head *head = head_at(arena, *offset);
    atomic_store(&head->size, size);
    atomic_store(&head->kind, class->kind);
    memset(head + 1, 0, size);
    return BROOD_OK;
}
