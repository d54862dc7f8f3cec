/* core/registry.c - see the header. */
#include "core/registry.h"

#include <string.h>

#include "base/memory.h"
#include "core/runtime.h"
#include "data/text.h"
#include "platform/module.h"

typedef struct entry {
    char *name;
    brood_function function;
} entry;

/* Under the runtime's lock. Short lists that are read rarely: searched one by one. */
struct bri_registry {
    size_t n, capacity;
    entry *entries;
};

static const entry *find_name(const char *name)
{
    const struct bri_registry *registry = bri_the_runtime.registry;
    for (size_t i = 0; registry != NULL && i < registry->n; i++)
        if (strcmp(registry->entries[i].name, name) == 0)
            return &registry->entries[i];
    return NULL;
}

static const entry *find_function(brood_function function)
{
    const struct bri_registry *registry = bri_the_runtime.registry;
    for (size_t i = 0; registry != NULL && i < registry->n; i++)
        if (registry->entries[i].function == function)
            return &registry->entries[i];
    return NULL;
}

static brood_status make_room(void)
{
    struct bri_registry *registry = bri_the_runtime.registry;
    if (registry == NULL) {
        registry = bri_calloc(1, sizeof *registry);
        if (registry == NULL)
            return BROOD_ENOMEM;
        bri_the_runtime.registry = registry;
    }
    entry *entries =
        bri_grown(registry->entries, registry->n, &registry->capacity, sizeof *entries);
    if (entries == NULL)
        return BROOD_ENOMEM;
    registry->entries = entries;
    return BROOD_OK;
}

static brood_status add(const char *name, brood_function function)
{
    const entry *there = find_name(name);
    if (there != NULL && there->function == function)
        return BROOD_OK;
    if (there != NULL)
        return bri_fail(BROOD_EEXIST,
                        "could not register the function \"%s\": another one has this name", name);
    BROOD_TRY(make_room());
    char *copy = bri_strdup(name);
    if (copy == NULL)
        return BROOD_ENOMEM;
    struct bri_registry *registry = bri_the_runtime.registry;
    registry->entries[registry->n++] = (entry){copy, function};
    return BROOD_OK;
}

brood_status bri_function_register(const char *name, brood_function function)
{
    BROOD_TRY(bri_runtime_start());
    brp_mutex_lock(bri_the_runtime.lock);
    brood_status status = add(name, function);
    brp_mutex_unlock(bri_the_runtime.lock);
    return status;
}

brood_status brood_register(const char *name, brood_function function)
{
    if (name == NULL || name[0] == '\0' || function == NULL)
        return bri_fail(BROOD_EINVALID, "could not register a function: it needs a name and a "
                                        "function");
    if (strncmp(name, "brood.", 6) == 0)
        return bri_fail(BROOD_EINVALID,
                        "could not register the function \"%s\": names that begin with \"brood.\" "
                        "are the library's own",
                        name);
    BROOD_TRY(bri_utf8_check_name("register a function", name));
    return bri_function_register(name, function);
}

brood_status bri_function_named(const char *name, brood_function *function)
{
    brp_mutex_lock(bri_the_runtime.lock);
    const entry *found = find_name(name);
    if (found != NULL)
        *function = found->function;
    brp_mutex_unlock(bri_the_runtime.lock);
    if (found == NULL)
        return bri_fail(BROOD_ENOTFOUND,
                        "could not find the function \"%s\": it was not registered in this process "
                        "before brood_init()",
                        name);
    return BROOD_OK;
}

/* ISO C has no cast between the two kinds of pointers. */
static const void *address_of(brood_function function)
{
    void *address;
    _Static_assert(sizeof address == sizeof function, "code and data pointers have one size");
    memcpy(&address, &function, sizeof address);
    return address;
}

brood_value bri_function_refer_name(const char *name)
{
    return brood_pack("(s)", name);
}

brood_status bri_function_refer(brood_function function, brood_value *reference)
{
    brp_mutex_lock(bri_the_runtime.lock);
    const entry *found = find_function(function);
    const char *name = found == NULL ? NULL : found->name; /* names stay for ever */
    brp_mutex_unlock(bri_the_runtime.lock);

    brood_value made;
    if (name != NULL) {
        made = bri_function_refer_name(name);
    } else {
        brp_module module;
        BROOD_TRY(brp_module_of_address(address_of(function), &module));
        made = brood_pack("(yly)", module.path, strlen(module.path), (int64_t)module.offset,
                          module.build_id, sizeof module.build_id);
        bri_free(module.path);
    }
    if (brood_value_kind(&made) == BROOD_INVALID)
        return brood_last_error()->status;
    *reference = made;
    return BROOD_OK;
}

static brood_status fail_form(void)
{
    return bri_fail(BROOD_EFORMAT, "could not find a function: its reference is malformed");
}

/* (path, offset, build id) */
static brood_status resolve_place(const brood_value *reference, brood_function *function)
{
    const void *bytes, *build_id;
    size_t size, build_id_size;
    int64_t offset;
    if (brood_unpack(reference, "(yly)", &bytes, &size, &offset, &build_id, &build_id_size) !=
            BROOD_OK ||
        offset < 0 || build_id_size != BRP_BUILD_ID_SIZE || memchr(bytes, '\0', size) != NULL)
        return fail_form();
    char *path = bri_strndup(bytes, size);
    if (path == NULL)
        return BROOD_ENOMEM;
    void *address;
    brood_status status = brp_module_address(path, (uint64_t)offset, build_id, &address);
    if (status == BROOD_OK)
        memcpy(function, &address, sizeof address);
    bri_free(path);
    return status;
}

brood_status bri_function_resolve(const brood_value *reference, bool own_tree,
                                  brood_function *function)
{
    if (brood_value_kind(reference) != BROOD_TUPLE)
        return fail_form();
    if (brood_value_length(reference) == 1) {
        const char *name;
        if (brood_unpack(reference, "(s)", &name) != BROOD_OK)
            return fail_form();
        return bri_function_named(name, function);
    }
    if (brood_value_length(reference) != 3)
        return fail_form();
    if (!own_tree)
        return bri_fail(BROOD_EAUTH,
                        "could not find a function: only registered names are accepted "
                        "from outside the process tree");
    return resolve_place(reference, function);
}
