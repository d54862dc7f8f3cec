/* sync/shared_memory.c - the public named memory. Python: multiprocessing/shared_memory.py. */
#include "sync/shared_memory.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "core/runtime.h"
#include "core/transfer.h"
#include "data/heap.h"
#include "platform/ident.h"
#include "platform/named.h"

enum { NAME_TRIES = 8 };

struct brood_shared_memory {
    brp_named named;
    uint32_t uses; /* under the lock, as the list */
    brood_shared_memory *next;
};

/* What this process has open. */
struct bri_memories {
    brp_mutex *lock;
    brood_shared_memory *first;
};

static struct bri_memories *memories(void)
{
    return bri_the_runtime.memories;
}

static brood_status retain_memory(void *object)
{
    brood_shared_memory *memory = object;
    brp_mutex_lock(memories()->lock);
    memory->uses++;
    brp_mutex_unlock(memories()->lock);
    return BROOD_OK;
}

static void release_memory(void *memory)
{
    brood_shared_memory_close(memory);
}

static brood_status reduce_memory(void *object, bri_transfer *transfer, brood_value *arguments)
{
    const brood_shared_memory *memory = object;
    (void)transfer; /* a name goes any way */
    brood_value tuple = brood_pack("(s)", memory->named.name);
    if (tuple.kind == BROOD_INVALID)
        return bri_fail_invalid(&tuple);
    *arguments = tuple;
    return BROOD_OK;
}

static brood_status rebuild_memory(const brood_value *arguments, bri_transfer *transfer,
                                   void **object)
{
    const char *name;
    brood_shared_memory *memory;
    (void)transfer;
    BROOD_TRY(brood_unpack(arguments, "(s)", &name));
    BROOD_TRY(brood_shared_memory_open(&memory, name));
    *object = memory;
    return BROOD_OK;
}

static const bri_object_class memory_class = {.name = "SharedMemory",
                                              .retain = retain_memory,
                                              .release = release_memory,
                                              .reduce = reduce_memory,
                                              .rebuild = rebuild_memory};

/* ---- making and opening ---- */

static brood_status new_memory(brood_shared_memory **memory)
{
    brood_shared_memory *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->uses = 1;
    *memory = made;
    return BROOD_OK;
}

static void link_memory(brood_shared_memory *memory)
{
    brp_mutex_lock(memories()->lock);
    memory->next = memories()->first;
    memories()->first = memory;
    brp_mutex_unlock(memories()->lock);
}

/* A random name that nobody has. */
static brood_status create_unnamed(brp_named *named, size_t size, brp_named_policy policy)
{
    brood_status status = BROOD_EEXIST;
    for (int i = 0; i < NAME_TRIES && status == BROOD_EEXIST; i++) {
        uint64_t token;
        char name[32];
        BROOD_TRY(brp_random(&token, sizeof token));
        snprintf(name, sizeof name, "brood-%016" PRIx64, token);
        status = brp_named_create(named, name, size, policy);
    }
    return status;
}

static const brp_named_policy policies[] = {
    [BROOD_LIFETIME_OWNER] = BRP_NAMED_OWNER,
    [BROOD_LIFETIME_HOLDERS] = BRP_NAMED_HOLDERS,
    [BROOD_LIFETIME_PERSISTENT] = BRP_NAMED_PERSISTENT,
};

brood_status brood_shared_memory_create(brood_shared_memory **memory, const char *name, size_t size,
                                        brood_lifetime lifetime)
{
    brood_shared_memory *made;
    BROOD_TRY(bri_runtime_check("create shared memory"));
    if ((unsigned)lifetime > BROOD_LIFETIME_PERSISTENT)
        return bri_fail(BROOD_EINVALID, "could not create shared memory: there is no lifetime %d",
                        (int)lifetime);
    BROOD_TRY(new_memory(&made));
    brood_status status = name == NULL
                              ? create_unnamed(&made->named, size, policies[lifetime])
                              : brp_named_create(&made->named, name, size, policies[lifetime]);
    if (status != BROOD_OK) {
        bri_free(made);
        return status;
    }
    link_memory(made);
    *memory = made;
    return BROOD_OK;
}

brood_status brood_shared_memory_open(brood_shared_memory **memory, const char *name)
{
    brood_shared_memory *made;
    BROOD_TRY(bri_runtime_check("open shared memory"));
    BROOD_TRY(new_memory(&made));
    brood_status status = brp_named_open(&made->named, name);
    if (status != BROOD_OK) {
        bri_free(made);
        return status;
    }
    link_memory(made);
    *memory = made;
    return BROOD_OK;
}

brood_status brood_shared_memory_unlink(const char *name)
{
    return brp_named_unlink(name);
}

/* ---- using ---- */

void *brood_shared_memory_data(brood_shared_memory *memory)
{
    return memory == NULL ? NULL : memory->named.section.base;
}

size_t brood_shared_memory_size(const brood_shared_memory *memory)
{
    return memory == NULL ? 0 : (size_t)memory->named.section.reserved;
}

const char *brood_shared_memory_name(const brood_shared_memory *memory)
{
    return memory == NULL ? "" : memory->named.name;
}

/* Under the lock. */
static bool end_use(brood_shared_memory *memory)
{
    if (--memory->uses != 0)
        return false;
    brood_shared_memory **place = &memories()->first;
    while (*place != memory)
        place = &(*place)->next;
    *place = memory->next;
    return true;
}

void brood_shared_memory_close(brood_shared_memory *memory)
{
    if (memory == NULL)
        return;
    brp_mutex_lock(memories()->lock);
    bool is_last = end_use(memory);
    brp_mutex_unlock(memories()->lock);
    if (!is_last)
        return;
    brp_named_close(&memory->named);
    bri_free(memory);
}

brood_value brood_shared_memory_value(brood_shared_memory *memory)
{
    return bri_object_value(&memory_class, memory);
}

brood_status brood_get_shared_memory(const brood_value *value, brood_shared_memory **memory)
{
    void *found;
    BROOD_TRY(bri_object_get(value, &memory_class, &found));
    *memory = found;
    return BROOD_OK;
}

/* ---- start and end ---- */

void bri_memories_lock(void)
{
    brp_mutex_lock(memories()->lock);
}

void bri_memories_unlock(void)
{
    brp_mutex_unlock(memories()->lock);
}

static void take_over(void)
{
    for (brood_shared_memory *memory = memories()->first; memory != NULL; memory = memory->next)
        brp_named_after_fork(&memory->named);
}

/* What was left open; its data may still be in use by others at exit. */
static void leave_names(void)
{
    brp_mutex_lock(memories()->lock);
    for (brood_shared_memory *memory = memories()->first; memory != NULL; memory = memory->next)
        brp_named_leave(&memory->named);
    brp_mutex_unlock(memories()->lock);
}

brood_status bri_shared_memory_start(void)
{
    static const bri_hooks hooks = {
        .name = "shared memory", .before_exit = leave_names, .after_fork_child = take_over};
    if (memories() != NULL)
        return BROOD_OK;
    BROOD_TRY(bri_class_add(&memory_class));
    BROOD_TRY(bri_class_add(&bri_shareable_list_class));
    struct bri_memories *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    brood_status status = brp_mutex_create(&made->lock);
    if (status == BROOD_OK)
        status = bri_runtime_hook(&hooks);
    if (status != BROOD_OK) {
        brp_mutex_destroy(made->lock);
        bri_free(made);
        return status;
    }
    bri_the_runtime.memories = made;
    return BROOD_OK;
}
