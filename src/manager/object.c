/*
 * manager/object.c - the table of a server's objects, and how they stand in values.
 *
 * An object lives while clients have references, values of the server contain it, or a call or a
 * reply on its way pins it. Counts may go down anywhere; whether the object is still wanted is
 * looked at in one place, between requests.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/opaque.h"
#include "manager/session.h"

enum { SLOT_BITS = 24, NO_SLOT = (1 << SLOT_BITS) - 1 };

/* ---- the table ---- */

static uint64_t hex_number(const char *text, bool *ok)
{
    uint64_t number = 0;
    size_t digits = strlen(text);
    *ok = digits > 0 && digits <= 16 && text[0] != '0';
    for (; *ok && *text != '\0'; text++) {
        const char *at = strchr("0123456789abcdef", *text);
        if (at == NULL)
            *ok = false;
        else
            number = number << 4 | (uint64_t)(at - "0123456789abcdef");
    }
    return number;
}

static bri_managed *find_id(const bri_server *server, uint64_t id)
{
    size_t slot = (size_t)(id & NO_SLOT);
    if (slot >= server->n_used || server->slots[slot].object == NULL ||
        server->slots[slot].object->id != id)
        return NULL;
    return server->slots[slot].object;
}

bri_managed *bri_managed_find(bri_server *server, const char *ident)
{
    bool ok;
    size_t prefix = strlen(server->prefix);
    if (ident == NULL || strncmp(ident, server->prefix, prefix) != 0)
        return NULL;
    uint64_t id = hex_number(ident + prefix, &ok);
    return ok ? find_id(server, id) : NULL;
}

static brood_status take_slot(bri_server *server, size_t *slot)
{
    if (server->n_objects >= server->options.max_objects || server->n_objects >= NO_SLOT - 1)
        return bri_fail(BROOD_ELIMIT, "could not create an object: the server has %zu, the most",
                        server->n_objects);
    if (server->free_slot != NO_SLOT) {
        *slot = server->free_slot;
        server->free_slot = server->slots[*slot].next_free;
        return BROOD_OK;
    }
    bri_slot *slots =
        bri_grown(server->slots, server->n_used, &server->object_capacity, sizeof *slots);
    if (slots == NULL)
        return BROOD_ENOMEM;
    server->slots = slots;
    *slot = server->n_used++;
    server->slots[*slot] = (bri_slot){.generation = 0};
    return BROOD_OK;
}

brood_status bri_managed_add(bri_server *server, const bri_managed_type *type, void *state,
                             bri_managed **object)
{
    size_t slot = 0;
    bri_managed *made = bri_calloc(1, sizeof *made);
    brood_status status = made == NULL ? BROOD_ENOMEM : take_slot(server, &slot);
    if (status != BROOD_OK) {
        bri_free(made);
        if (type->destroy != NULL)
            type->destroy(state);
        return status;
    }
    bri_slot *entry = &server->slots[slot];
    entry->object = made;
    entry->generation++;
    made->server = server;
    made->type = type;
    made->state = state;
    made->id = entry->generation << SLOT_BITS | slot;
    atomic_init(&made->stored, 0);
    snprintf(made->ident, sizeof made->ident, "%s%" PRIx64, server->prefix, made->id);
    server->n_objects++;
    *object = made;
    return BROOD_OK;
}

bri_managed *bri_managed_of_state(bri_server *server, const bri_managed_type *type,
                                  const void *state)
{
    for (size_t i = 0; i < server->n_used; i++) {
        bri_managed *object = server->slots[i].object;
        if (object != NULL && object->type == type && object->state == state)
            return object;
    }
    return NULL;
}

size_t bri_managed_count(const bri_server *server)
{
    size_t count = 0;
    for (size_t i = 0; i < server->n_used; i++)
        count += server->slots[i].object != NULL && server->slots[i].object->references > 0;
    return count;
}

/* ---- the end of objects ---- */

static brood_status list_suspect(bri_managed *object)
{
    bri_server *server = object->server;
    bri_managed **suspects = bri_grown(server->suspects, server->n_suspects,
                                       &server->suspects_capacity, sizeof(bri_managed *));
    if (suspects == NULL)
        return BROOD_ENOMEM;
    server->suspects = suspects;
    server->suspects[server->n_suspects++] = object;
    object->suspect = true;
    atomic_store(&server->has_suspects, true);
    return BROOD_OK;
}

void bri_managed_suspect(bri_managed *object)
{
    brp_mutex_lock(object->server->lock);
    if (!object->suspect)
        list_suspect(object); /* without memory it stays until it is suspected again */
    brp_mutex_unlock(object->server->lock);
}

void bri_managed_pin(bri_managed *object)
{
    object->pins++;
}

void bri_managed_unpin(bri_managed *object)
{
    if (--object->pins == 0 && object->references <= 0)
        bri_managed_suspect(object);
}

static void free_object(bri_server *server, bri_managed *object)
{
    size_t slot = (size_t)(object->id & NO_SLOT);
    server->slots[slot].object = NULL;
    server->slots[slot].next_free = server->free_slot;
    server->free_slot = slot;
    server->n_objects--;
    if (object->held)
        server->n_held--;
    bri_unaccount(object);
    if (object->type->destroy != NULL)
        object->type->destroy(object->state);
    bri_free(object);
}

static bri_managed *next_suspect(bri_server *server)
{
    bri_managed *object = NULL;
    brp_mutex_lock(server->lock);
    if (server->n_suspects != 0) {
        object = server->suspects[--server->n_suspects];
        object->suspect = false;
    } else {
        atomic_store(&server->has_suspects, false);
    }
    brp_mutex_unlock(server->lock);
    return object;
}

void bri_managed_sweep(bri_server *server)
{
    bri_managed *object;
    if (!atomic_load_explicit(&server->has_suspects, memory_order_relaxed))
        return;
    /* What an object contained may be suspected while it is freed: it comes in a later turn. */
    while ((object = next_suspect(server)) != NULL)
        if (object->references <= 0 && object->pins == 0 && atomic_load(&object->stored) == 0)
            free_object(server, object);
}

void bri_managed_stop(bri_server *server)
{
    for (size_t i = 0; i < server->n_used; i++) {
        bri_managed *object = server->slots[i].object;
        if (object != NULL && object->type->stop != NULL)
            object->type->stop(object->state);
    }
}

void bri_managed_clear(bri_server *server)
{
    /* Contents may refer to one another: first all states, then all objects. */
    for (size_t i = 0; i < server->n_used; i++) {
        bri_managed *object = server->slots[i].object;
        if (object == NULL)
            continue;
        bri_unaccount(object);
        if (object->type->destroy != NULL)
            object->type->destroy(object->state);
    }
    for (size_t i = 0; i < server->n_used; i++)
        bri_free(server->slots[i].object);
    bri_free(server->slots);
    bri_free(server->suspects);
}

/* ---- in values ---- */

bri_managed *bri_managed_in(const brood_value *value)
{
    void *object;
    if (brood_value_kind(value) != BROOD_OBJECT ||
        bri_object_get(value, &bri_managed_class, &object) != BROOD_OK)
        return NULL;
    return object;
}

static brood_status retain_managed(void *object)
{
    atomic_fetch_add(&((bri_managed *)object)->stored, 1);
    return BROOD_OK;
}

static void release_managed(void *object)
{
    bri_managed *managed = object;
    if (atomic_fetch_sub(&managed->stored, 1) == 1)
        bri_managed_suspect(managed);
}

static brood_status refuse_reduce(void *object, bri_transfer *transfer, brood_value *arguments)
{
    (void)object, (void)transfer, (void)arguments;
    return bri_fail(BROOD_ENOTSUP, "could not send an object of a manager's server: only its "
                                   "clients can");
}

static brood_status refuse_rebuild(const brood_value *arguments, bri_transfer *transfer,
                                   void **object)
{
    (void)arguments, (void)transfer, (void)object;
    return bri_fail(BROOD_ENOTSUP, "could not read an object of a manager's server");
}

/* Keeps the object until the client has had time to take a reference: until its next request. */
static brood_status pin_for_reply(bri_session *session, bri_managed *object)
{
    bri_managed **pins =
        bri_grown(session->pins, session->n_pins, &session->pins_capacity, sizeof(bri_managed *));
    if (pins == NULL)
        return BROOD_ENOMEM;
    session->pins = pins;
    session->pins[session->n_pins++] = object;
    bri_managed_pin(object);
    return BROOD_OK;
}

static brood_status write_managed(void *object, void *context, bri_buffer *out)
{
    enum { MOST = 64 };
    bri_managed *managed = object;
    const bri_managed_type *type = managed->type;
    const char *names[MOST];
    size_t n = 0;
    for (size_t i = 0; i < type->n_methods && n < MOST; i++)
        names[n++] = type->methods[i].name;
    bri_proxy_form form = {
        bri_proxy_class(type->typeid),
        {type->typeid, bri_session_address(context, managed->server), managed->ident},
        names,
        n};
    if (context != NULL)
        BROOD_TRY(pin_for_reply(context, managed));
    return bri_proxy_write(&form, out);
}

const bri_object_class bri_managed_class = {
    .name = "ManagedObject",
    .retain = retain_managed,
    .release = release_managed,
    .reduce = refuse_reduce,
    .rebuild = refuse_rebuild,
    .write_foreign = write_managed,
};

/* RebuildProxy(class, token, ...) in what a client sends: our own objects become references to
 * them, those of other servers stay what they are. */
static brood_status read_proxy(void *context, const char *name, const brood_value *arguments,
                               brood_value *made)
{
    const bri_session *session = context;
    brood_value state;
    bri_token token;
    if (strcmp(name, "RebuildProxy") != 0 || brood_value_length(arguments) < 2)
        return BROOD_OK;
    if (bri_token_open(brood_item(arguments, 1), &state, &token) != BROOD_OK)
        return BROOD_OK;
    bri_managed *object = bri_managed_find(session->server, token.ident);
    brood_value_clear(&state);
    if (object == NULL)
        return BROOD_OK;
    *made = bri_object_value(&bri_managed_class, object);
    return made->kind == BROOD_INVALID ? brood_last_error()->status : BROOD_OK;
}

bri_pickle_options bri_reading_options(bri_session *session)
{
    return (bri_pickle_options){.foreign_objects = true,
                                .foreign_module = BRI_MANAGERS_MODULE,
                                .foreign = read_proxy,
                                .foreign_context = session};
}
