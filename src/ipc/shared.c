/*
 * ipc/shared.c - see the header.
 *
 * An object's life (generation and number of holders) and the state of the holder's record change
 * together, under a latch of the arena, with what they were noted before: who takes the latch from
 * a dead process puts them back, then the sweep of that process drops the record in order. So the
 * number is exact whenever nobody is inside.
 */
#include "ipc/shared.h"

#include <string.h>

#include "base/memory.h"
#include "core/killpoint.h"
#include "core/transfer.h"
#include "data/heap.h"
#include "ipc/latch.h"

enum { MAX_KINDS = 32, LEAST_BUCKETS = 16, HOLDER_BITS = 24, PAYLOAD = 16 };

#define HOLDERS_MASK ((UINT64_C(1) << HOLDER_BITS) - 1)

/* Between a block's header and the body, so that the body begins at a line. */
typedef struct shared_head {
    _Atomic uint64_t size;
    _Atomic uint32_t kind;
    uint32_t unused[9];
} shared_head;

/* The objects of this process by offset, in chains. */
typedef struct bri_shared_table {
    bri_mutex *lock;
    bri_shared **buckets;
    size_t n_buckets;
    size_t n_objects;
    uint64_t free_holders; /* offset of the first free record of this process */
} shared_table;

/* Kinds go from NULL to a class once, so readers need no lock. */
static _Atomic(const bri_shared_class *) classes[MAX_KINDS];

brood_status bri_shared_class_add(const bri_shared_class *class)
{
    atomic_store(&classes[class->kind % MAX_KINDS], class);
    return bri_class_add(&class->type);
}

/* ---- the arena's side ---- */

static shared_head *head_at(const bri_arena *arena, uint64_t offset)
{
    return bri_arena_at(arena, offset);
}

static void *body_at(const bri_arena *arena, uint64_t offset)
{
    return head_at(arena, offset) + 1;
}

static bri_holder *holder_at(const bri_arena *arena, uint64_t offset)
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
    atomic_store(&holder_at(arena, atomic_load(&note->holder))->state, atomic_load(&note->state));
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

/* One holder more, with a free record of this process. */
static brood_status join(bri_arena *arena, const bri_shared_class *class, uint64_t object,
                         uint64_t generation, bri_holder *holder)
{
    _Atomic uint64_t *word = bri_arena_life(arena, object);
    if (word == NULL)
        return fail_ended(class);
    atomic_store(&holder->object, object);
    atomic_store(&holder->generation, generation);
    atomic_store(&holder->held, 0);
    for (int i = 0; i < BRI_LOOSE; i++)
        atomic_store(&holder->loose[i], 0);
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
    const bri_shared_class *class = atomic_load(&classes[atomic_load(&head->kind) % MAX_KINDS]);
    if (class != NULL && class->destroy != NULL)
        class->destroy(arena, head + 1);
    BRI_KILL_POINT("shared-destroyed");
    atomic_store(&holder->state, BRI_HOLDER_FREE);
    BRI_KILL_POINT("shared-ended");
    bri_arena_free(arena, object);
}

/* One holder less; by the holder, or for a dead one. */
static void leave(bri_arena *arena, bri_holder *holder)
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

static brood_status tell_class(bri_arena *arena, bri_owner dead, bri_holder *holder,
                               bri_deadline deadline)
{
    uint64_t object = atomic_load(&holder->object);
    uint64_t life = atomic_load(bri_arena_life(arena, object));
    if (life >> HOLDER_BITS != atomic_load(&holder->generation))
        return BROOD_OK;
    uint32_t kind = atomic_load(&head_at(arena, object)->kind) % MAX_KINDS;
    const bri_shared_class *class = atomic_load(&classes[kind]);
    if (class == NULL || class->holder_died == NULL)
        return BROOD_OK;
    return class->holder_died(arena, body_at(arena, object), dead, holder, deadline);
}

/* False: the record has to stay for now. */
static bool sweep_holder(bri_arena *arena, bri_owner dead, bri_holder *holder,
                         bri_deadline deadline)
{
    if (atomic_load(&holder->state) == BRI_HOLDER_HELD) {
        if (tell_class(arena, dead, holder, deadline) != BROOD_OK)
            return false;
        BRI_KILL_POINT("shared-sweep-told");
        leave(arena, holder);
    } else if (atomic_load(&holder->state) == BRI_HOLDER_ENDING) {
        end_object(arena, holder, atomic_load(&holder->object));
    }
    BRI_KILL_POINT("shared-sweep-left");
    return true;
}

bool bri_shared_sweep(bri_arena *arena, bri_owner dead, bri_deadline deadline)
{
    _Atomic uint64_t *link = &bri_slot_at(arena, bri_owner_slot(dead))->holders;
    uint64_t offset;
    bool all = true;
    /* A change that the dead one did not finish is undone before its records are read. */
    lock_lives(arena);
    unlock_lives(arena);
    while ((offset = atomic_load(link)) != 0) {
        bri_holder *holder = holder_at(arena, offset);
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

/* ---- this process's side ---- */

static size_t bucket_of(uint64_t offset, size_t n_buckets)
{
    return (size_t)((offset / BRI_LINE * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % n_buckets;
}

static bri_shared **place_of(shared_table *table, uint64_t offset, uint64_t generation)
{
    bri_shared **place = &table->buckets[bucket_of(offset, table->n_buckets)];
    while (*place != NULL && ((*place)->offset != offset || (*place)->generation != generation))
        place = &(*place)->next;
    return place;
}

static brood_status grow_table(shared_table *table)
{
    if (table->n_objects < table->n_buckets)
        return BROOD_OK;
    size_t n = table->n_buckets == 0 ? LEAST_BUCKETS : table->n_buckets * 2;
    bri_shared **buckets = bri_calloc(n, sizeof(bri_shared *));
    if (buckets == NULL)
        return BROOD_ENOMEM;
    for (size_t i = 0; i < table->n_buckets; i++) {
        for (bri_shared *object = table->buckets[i], *next; object != NULL; object = next) {
            bri_shared **first = &buckets[bucket_of(object->offset, n)];
            next = object->next;
            object->next = *first;
            *first = object;
        }
    }
    bri_free(table->buckets);
    table->buckets = buckets;
    table->n_buckets = n;
    return BROOD_OK;
}

/* A free record of this process; linked for the sweep, in state free. */
static brood_status take_holder(bri_arena *arena, shared_table *table, bri_holder **holder)
{
    uint64_t offset = table->free_holders;
    if (offset != 0) {
        *holder = holder_at(arena, offset);
        table->free_holders = atomic_load(&(*holder)->object);
        return BROOD_OK;
    }
    bri_slot *slot = bri_slot_at(arena, bri_owner_slot(arena->me));
    BROOD_TRY(bri_arena_alloc(arena, sizeof **holder, &offset));
    *holder = holder_at(arena, offset);
    atomic_store(&(*holder)->state, BRI_HOLDER_FREE);
    atomic_store(&(*holder)->next, atomic_load(&slot->holders));
    BRI_KILL_POINT("shared-holder");
    atomic_store(&slot->holders, offset);
    BRI_KILL_POINT("shared-holder-linked");
    return BROOD_OK;
}

static void put_holder_back(bri_arena *arena, shared_table *table, bri_holder *holder)
{
    atomic_store(&holder->object, table->free_holders);
    table->free_holders = bri_arena_offset(arena, holder);
}

static void forget_local(bri_shared *object)
{
    if (object == NULL)
        return;
    if (object->class->close != NULL && object->body != NULL)
        object->class->close(object);
    bri_free(object);
}

/* A local struct that is in no table yet and holds nothing. */
static brood_status new_local(const bri_shared_class *class, bri_shared **object)
{
    bri_shared *made = bri_calloc(1, class->local_size);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->class = class;
    made->uses = 1;
    *object = made;
    return BROOD_OK;
}

static brood_status open_local(bri_arena *arena, bri_shared *object, uint64_t offset,
                               uint64_t generation, bri_holder *holder)
{
    object->offset = offset;
    object->generation = generation;
    object->holder = holder;
    object->body = body_at(arena, offset);
    brood_status status = object->class->open == NULL ? BROOD_OK : object->class->open(object);
    if (status != BROOD_OK)
        object->body = NULL;
    return status;
}

/* An empty table takes no memory. */
static void trim_table(shared_table *table)
{
    if (table->n_objects != 0)
        return;
    bri_free(table->buckets);
    table->buckets = NULL;
    table->n_buckets = 0;
}

static void remove_local(shared_table *table, bri_shared *object)
{
    *place_of(table, object->offset, object->generation) = object->next;
    table->n_objects--;
    trim_table(table);
}

static void add_local(shared_table *table, bri_shared *object)
{
    bri_shared **first = &table->buckets[bucket_of(object->offset, table->n_buckets)];
    object->next = *first;
    *first = object;
    table->n_objects++;
}

/* The record says "held" before the life begins: cut off in between, the sweep finds a life of
 * another generation and only the block stays unused. */
static uint64_t begin_life(bri_arena *arena, uint64_t offset, bri_holder *holder)
{
    uint64_t generation = atomic_fetch_add(&arena->head->generation, 1) + 1;
    atomic_store(&holder->object, offset);
    atomic_store(&holder->generation, generation);
    atomic_store(&holder->held, 0);
    for (int i = 0; i < BRI_LOOSE; i++)
        atomic_store(&holder->loose[i], 0);
    BRI_KILL_POINT("shared-begin");
    atomic_store(&holder->state, BRI_HOLDER_HELD);
    BRI_KILL_POINT("shared-begin-held");
    atomic_store(bri_arena_life(arena, offset), generation << HOLDER_BITS | 1);
    BRI_KILL_POINT("shared-begin-life");
    return generation;
}

static brood_status make_body(bri_arena *arena, const bri_shared_class *class, size_t size,
                              uint64_t *offset)
{
    BROOD_TRY(bri_arena_alloc(arena, sizeof(shared_head) + size, offset));
    shared_head *head = head_at(arena, *offset);
    atomic_store(&head->size, size);
    atomic_store(&head->kind, class->kind);
    memset(head + 1, 0, size);
    return BROOD_OK;
}

/* Under the table's lock. The body is filled when it has a holder already, so that what it takes is
 * not lost with this process. */
static brood_status create_locked(bri_arena *arena, shared_table *table, bri_shared *object,
                                  size_t size, bri_shared_fill fill, const void *context)
{
    bri_holder *holder;
    uint64_t offset;
    BROOD_TRY(grow_table(table));
    BROOD_TRY(take_holder(arena, table, &holder));
    brood_status status = make_body(arena, object->class, size, &offset);
    if (status == BROOD_OK) {
        uint64_t generation = begin_life(arena, offset, holder);
        if (fill != NULL)
            status = fill(arena, body_at(arena, offset), context);
        if (status == BROOD_OK)
            status = open_local(arena, object, offset, generation, holder);
        if (status != BROOD_OK)
            leave(arena, holder);
    }
    if (status == BROOD_OK)
        add_local(table, object);
    else
        put_holder_back(arena, table, holder);
    return status;
}

brood_status bri_shared_create(const bri_shared_class *class, size_t size, const char *what,
                               bri_shared_fill fill, const void *context, bri_shared **object)
{
    bri_arena *arena;
    bri_shared *made = NULL;
    BROOD_TRY(bri_runtime_check(what));
    shared_table *table = bri_the_runtime.shared;
    brood_status status = bri_arena_get(&arena);
    if (status == BROOD_OK)
        status = new_local(class, &made);
    if (status == BROOD_OK) {
        bri_mutex_lock(table->lock);
        status = create_locked(arena, table, made, size, fill, context);
        trim_table(table);
        bri_mutex_unlock(table->lock);
    }
    if (status == BROOD_OK) {
        bri_runtime_shares();
        *object = made;
        return BROOD_OK;
    }
    forget_local(made);
    return bri_fail_within("could not %s", what);
}

/* Under the table's lock. */
static brood_status attach_locked(bri_arena *arena, shared_table *table, bri_shared *object,
                                  uint64_t offset, uint64_t generation)
{
    bri_holder *holder;
    BROOD_TRY(grow_table(table));
    BROOD_TRY(take_holder(arena, table, &holder));
    brood_status status = join(arena, object->class, offset, generation, holder);
    if (status == BROOD_OK) {
        status = open_local(arena, object, offset, generation, holder);
        if (status != BROOD_OK)
            leave(arena, holder);
    }
    if (status == BROOD_OK)
        add_local(table, object);
    else
        put_holder_back(arena, table, holder);
    return status;
}

brood_status bri_shared_attach(const bri_shared_class *class, uint64_t offset, uint64_t generation,
                               bri_shared **object)
{
    bri_arena *arena;
    shared_table *table = bri_the_runtime.shared;
    bri_shared *made = NULL;
    BROOD_TRY(bri_arena_get(&arena));
    BROOD_TRY(new_local(class, &made));
    bri_mutex_lock(table->lock);
    bri_shared *there = table->n_buckets == 0 ? NULL : *place_of(table, offset, generation);
    brood_status status = BROOD_OK;
    if (there != NULL && there->class == class)
        there->uses++;
    else
        status = attach_locked(arena, table, made, offset, generation);
    trim_table(table);
    bri_mutex_unlock(table->lock);
    if (status != BROOD_OK || there != NULL)
        forget_local(made);
    if (status != BROOD_OK)
        return status;
    bri_runtime_shares();
    *object = there != NULL ? there : made;
    return BROOD_OK;
}

brood_status bri_shared_retain(void *object)
{
    shared_table *table = bri_the_runtime.shared;
    bri_mutex_lock(table->lock);
    ((bri_shared *)object)->uses++;
    bri_mutex_unlock(table->lock);
    return BROOD_OK;
}

/* The local struct ends before the share does: `close` may still use the body. */
void bri_shared_release(void *handle)
{
    bri_shared *object = handle;
    if (object == NULL)
        return;
    bri_arena *arena = bri_the_runtime.arena;
    shared_table *table = bri_the_runtime.shared;
    bri_mutex_lock(table->lock);
    bri_holder *holder = object->holder;
    bool owes = object->class->keeps_debtors && holder != NULL && atomic_load(&holder->held) != 0;
    bool last = --object->uses == 0 && !owes;
    if (last)
        remove_local(table, object);
    bri_mutex_unlock(table->lock);
    if (!last)
        return;
    forget_local(object);
    if (holder == NULL)
        return;
    leave(arena, holder);
    bri_mutex_lock(table->lock);
    put_holder_back(arena, table, holder);
    bri_mutex_unlock(table->lock);
}

brood_status bri_shared_check(const void *handle, const char *what)
{
    const bri_shared *object = handle;
    if (object == NULL)
        return bri_fail(BROOD_EINVALID, "could not %s: NULL is none", what);
    if (object->body == NULL)
        return bri_fail(BROOD_ECLOSED, "could not %s: it ended while this process was forked",
                        what);
    return BROOD_OK;
}

/* ---- fork ---- */

/* The child's own record and attachment; without one the object stays unusable here. */
static void take_over(bri_arena *arena, shared_table *table, bri_shared *object)
{
    bool was_usable = object->body != NULL;
    object->inherited = !object->passed;
    object->passed = false;
    object->holder = NULL;
    object->body = NULL;
    bri_holder *holder;
    if (!was_usable || take_holder(arena, table, &holder) != BROOD_OK)
        return;
    brood_status status = join(arena, object->class, object->offset, object->generation, holder);
    if (status == BROOD_OK) {
        status = open_local(arena, object, object->offset, object->generation, holder);
        if (status != BROOD_OK)
            leave(arena, holder);
    }
    if (status != BROOD_OK) {
        object->holder = NULL;
        put_holder_back(arena, table, holder);
    }
}

void bri_shared_pass(const brood_value *value)
{
    const char *name = brood_object_name(value);
    for (int i = 0; i < MAX_KINDS; i++) {
        const bri_shared_class *class = atomic_load(&classes[i]);
        bri_shared *object;
        if (class != NULL && strcmp(class->type.name, name) == 0 &&
            bri_shared_get(class, value, &object) == BROOD_OK)
            object->passed = true;
    }
}

static void after_fork_child(void)
{
    bri_arena *arena = bri_the_runtime.arena;
    shared_table *table = bri_the_runtime.shared;
    if (arena == NULL)
        return;
    table->free_holders = 0;
    for (size_t i = 0; i < table->n_buckets; i++)
        for (bri_shared *object = table->buckets[i]; object != NULL; object = object->next)
            take_over(arena, table, object);
}

brood_status bri_shared_start(void)
{
    static const bri_hooks hooks = {.name = "shared objects",
                                    .before_exit = bri_proctable_leave,
                                    .after_fork_child = after_fork_child};
    if (bri_the_runtime.shared != NULL)
        return BROOD_OK;
    shared_table *table = bri_calloc(1, sizeof *table);
    if (table == NULL)
        return BROOD_ENOMEM;
    brood_status status = bri_mutex_create(&table->lock);
    if (status == BROOD_OK)
        status = bri_runtime_hook(&hooks);
    if (status != BROOD_OK) {
        bri_mutex_destroy(table->lock);
        bri_free(table);
        return status;
    }
    bri_the_runtime.shared = table;
    return BROOD_OK;
}

/* ---- values ---- */

brood_value bri_shared_value(void *handle)
{
    bri_shared *object = handle;
    if (object == NULL) {
        bri_fail(BROOD_EINVALID, "could not make a value of an object: NULL is none");
        return (brood_value){0};
    }
    return bri_object_value(&object->class->type, object);
}

brood_status bri_shared_get(const bri_shared_class *class, const brood_value *value,
                            bri_shared **object)
{
    void *found;
    BROOD_TRY(bri_object_get(value, &class->type, &found));
    *object = found;
    return BROOD_OK;
}

brood_status bri_shared_reduce(void *handle, bri_transfer *transfer, brood_value *arguments)
{
    const bri_shared *object = handle;
    (void)transfer; /* the arena is there for every way that a transfer can go */
    brood_value tuple = brood_pack("(uu)", object->offset, object->generation);
    if (tuple.kind == BROOD_INVALID)
        return bri_fail_invalid(&tuple);
    *arguments = tuple;
    return BROOD_OK;
}

brood_status bri_shared_rebuild(const bri_shared_class *class, const brood_value *arguments,
                                bri_transfer *transfer, void **object)
{
    uint64_t offset, generation;
    (void)transfer;
    BROOD_TRY(brood_unpack(arguments, "(uu)", &offset, &generation));
    bri_shared *made;
    BROOD_TRY(bri_shared_attach(class, offset, generation, &made));
    *object = made;
    return BROOD_OK;
}
