/* ipc/shared.c - this process's side of shared objects; the arena's side is in lives.c. */
#include "ipc/shared.h"

#include <string.h>

#include "base/memory.h"
#include "core/killpoint.h"
#include "core/transfer.h"
#include "data/heap.h"
#include "ipc/lives.h"
#include "ipc/proctable.h"

enum { LEAST_BUCKETS = 16 };

/* The objects of this process by offset, in chains. */
typedef struct bri_shared_table {
    brp_mutex *lock;
    bri_shared **buckets;
    size_t n_buckets;
    size_t n_objects;
    uint64_t free_holders; /* offset of the first free record of this process */
} shared_table;

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
        *holder = bri_holder_at(arena, offset);
        table->free_holders = atomic_load(&(*holder)->object);
        return BROOD_OK;
    }
    bri_slot *slot = bri_slot_at(arena, bri_owner_slot(arena->me));
    BROOD_TRY(bri_arena_alloc(arena, sizeof **holder, &offset));
    *holder = bri_holder_at(arena, offset);
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
    object->body = bri_body_at(arena, offset);
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

/* Under the table's lock. The body is filled when it has a holder already, so that what it takes is
 * not lost with this process. */
static brood_status create_locked(bri_arena *arena, shared_table *table, bri_shared *object,
                                  size_t size, bri_shared_fill fill, const void *context)
{
    bri_holder *holder;
    uint64_t offset;
    BROOD_TRY(grow_table(table));
    BROOD_TRY(take_holder(arena, table, &holder));
    brood_status status = bri_body_make(arena, object->class, size, &offset);
    if (status == BROOD_OK) {
        uint64_t generation = bri_life_begin(arena, offset, holder);
        if (fill != NULL)
            status = fill(arena, bri_body_at(arena, offset), context);
        if (status == BROOD_OK)
            status = open_local(arena, object, offset, generation, holder);
        if (status != BROOD_OK)
            bri_life_leave(arena, holder);
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
        brp_mutex_lock(table->lock);
        status = create_locked(arena, table, made, size, fill, context);
        trim_table(table);
        brp_mutex_unlock(table->lock);
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
    brood_status status = bri_life_join(arena, object->class, offset, generation, holder);
    if (status == BROOD_OK) {
        status = open_local(arena, object, offset, generation, holder);
        if (status != BROOD_OK)
            bri_life_leave(arena, holder);
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
    brp_mutex_lock(table->lock);
    bri_shared *there = table->n_buckets == 0 ? NULL : *place_of(table, offset, generation);
    brood_status status = BROOD_OK;
    if (there != NULL && there->class == class)
        there->uses++;
    else
        status = attach_locked(arena, table, made, offset, generation);
    trim_table(table);
    brp_mutex_unlock(table->lock);
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
    brp_mutex_lock(table->lock);
    ((bri_shared *)object)->uses++;
    brp_mutex_unlock(table->lock);
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
    brp_mutex_lock(table->lock);
    bri_holder *holder = object->holder;
    bool owes = object->class->keeps_debtors && holder != NULL && atomic_load(&holder->held) != 0;
    bool last = --object->uses == 0 && !owes;
    if (last)
        remove_local(table, object);
    brp_mutex_unlock(table->lock);
    if (!last)
        return;
    forget_local(object);
    if (holder == NULL)
        return;
    bri_life_leave(arena, holder);
    brp_mutex_lock(table->lock);
    put_holder_back(arena, table, holder);
    brp_mutex_unlock(table->lock);
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

void bri_shared_lock(void)
{
    brp_mutex_lock(bri_the_runtime.shared->lock);
}

void bri_shared_unlock(void)
{
    brp_mutex_unlock(bri_the_runtime.shared->lock);
}

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
    brood_status status =
        bri_life_join(arena, object->class, object->offset, object->generation, holder);
    if (status == BROOD_OK) {
        status = open_local(arena, object, object->offset, object->generation, holder);
        if (status != BROOD_OK)
            bri_life_leave(arena, holder);
    }
    if (status != BROOD_OK) {
        object->holder = NULL;
        put_holder_back(arena, table, holder);
    }
}

void bri_shared_pass(const brood_value *value)
{
    const char *name = brood_object_name(value);
    for (int i = 0; i < BRI_MAX_KINDS; i++) {
        const bri_shared_class *class = bri_shared_class_of((uint32_t)i);
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
    brood_status status = brp_mutex_create(&table->lock);
    if (status == BROOD_OK)
        status = bri_runtime_hook(&hooks);
    if (status != BROOD_OK) {
        brp_mutex_destroy(table->lock);
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
    if (object == NULL)
        return bri_invalid(
            bri_fail(BROOD_EINVALID, "could not make a value of an object: NULL is none"));
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
    if (transfer != NULL && transfer->refers != NULL)
        BROOD_TRY(transfer->refers(transfer, handle));
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
