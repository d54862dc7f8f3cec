/* manager/content.c - see the header. */
#include "manager/content.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/heap.h"
#include "data/weight.h"
#include "ipc/connection.h"
#include "manager/session.h"

/* ---- states ---- */

brood_status bri_content_create(brood_value value, void **state)
{
    if (brood_value_kind(&value) == BROOD_INVALID)
        return bri_fail_invalid(&value);
    bri_content *content = bri_alloc(sizeof *content);
    if (content == NULL) {
        brood_value_clear(&value);
        return BROOD_ENOMEM;
    }
    content->value = value;
    *state = content;
    return BROOD_OK;
}

void bri_content_destroy(void *state)
{
    bri_content *content = state;
    brood_value_clear(&content->value);
    bri_free(content);
}

uint64_t bri_content_weigh(const void *state)
{
    return bri_weigh(&((const bri_content *)state)->value);
}

brood_value *bri_content_of(bri_managed *object)
{
    return &((bri_content *)object->state)->value;
}

brood_status bri_content_copy(bri_managed *object, brood_value *value)
{
    return brood_value_copy(bri_content_of(object), value);
}

/* ---- the account ---- */

static bool weighs(const bri_server *server)
{
    return server->options.max_stored != 0 || server->options.max_client_stored != 0;
}

uint64_t bri_weight_of(const bri_server *server, const brood_value *value)
{
    return weighs(server) ? bri_weigh(value) : 0;
}

static bool fits(uint64_t limit, uint64_t stored, uint64_t more)
{
    return limit == 0 || (stored <= limit && more <= limit - stored);
}

brood_status bri_check_room(bri_invocation *call, uint64_t added, uint64_t removed)
{
    const bri_server *server = call->server;
    uint64_t more = added - removed;
    if (added <= removed || call->holder == NULL)
        return BROOD_OK;
    const bri_purse *purse = call->holder->purse;
    if (!fits(server->options.max_stored, server->stored, more))
        return bri_raise(call, "MemoryError",
                         "there is no room for %" PRIu64 " bytes: all objects have %" PRIu64
                         " of %" PRIu64,
                         more, server->stored, server->options.max_stored);
    if (purse != NULL && !fits(server->options.max_client_stored, purse->bytes, more))
        return bri_raise(call, "MemoryError",
                         "there is no room for %" PRIu64 " bytes: the objects of one client have "
                         "%" PRIu64 " of %" PRIu64,
                         more, purse->bytes, server->options.max_client_stored);
    return BROOD_OK;
}

void bri_account(bri_managed *holder, uint64_t added, uint64_t removed)
{
    uint64_t more = added - removed; /* unsigned: it may wrap, and then subtracts */
    if (holder == NULL)
        return;
    holder->weight += more;
    holder->server->stored += more;
    if (holder->purse != NULL)
        holder->purse->bytes += more;
}

void bri_purse_leave(bri_purse *purse)
{
    if (purse == NULL || --purse->users != 0)
        return;
    if (purse->server != NULL) {
        bri_purse **at = &purse->server->hosts;
        while (*at != purse)
            at = &(*at)->next;
        *at = purse->next;
    }
    bri_free(purse);
}

static brood_status client_purse(bri_client *client, bri_purse **purse)
{
    if (client->purse == NULL) {
        client->purse = bri_calloc(1, sizeof *client->purse);
        if (client->purse == NULL)
            return BROOD_ENOMEM;
        client->purse->users = 1;
    }
    *purse = client->purse;
    return BROOD_OK;
}

static brood_status host_purse(const bri_session *session, bri_purse **purse)
{
    bri_server *server = session->server;
    char host[sizeof(*purse)->host];
    bri_connection_host(session->connection, host, sizeof host);
    bri_purse *found = server->hosts;
    while (found != NULL && strcmp(found->host, host) != 0)
        found = found->next;
    if (found == NULL) {
        found = bri_calloc(1, sizeof *found);
        if (found == NULL)
            return BROOD_ENOMEM;
        found->server = server;
        snprintf(found->host, sizeof found->host, "%s", host);
        found->next = server->hosts;
        server->hosts = found;
    }
    size_t most = server->options.max_client_objects;
    if (most != 0 && found->users >= most)
        return bri_fail(BROOD_ELIMIT,
                        "could not create an object: the clients of \"%s\" have made %zu, the most",
                        host, found->users);
    *purse = found;
    return BROOD_OK;
}

/* Puts a new object into the purse of the session's client, if there are limits for clients. */
static brood_status enter_purse(const bri_session *session, bri_managed *object)
{
    const bri_server_options *options = &session->server->options;
    bool known = session->client != NULL && session->client->tracked;
    bri_purse *purse = NULL;
    if (options->max_client_stored == 0 && (known || options->max_client_objects == 0))
        return BROOD_OK; /* how many objects a known one has, its references tell */
    BROOD_TRY(known ? client_purse(session->client, &purse) : host_purse(session, &purse));
    purse->users++;
    object->purse = purse;
    return BROOD_OK;
}

brood_status bri_account_for(bri_invocation *call, bri_managed *object)
{
    BROOD_TRY(enter_purse(call->session, object));
    if (!weighs(call->server) || object->type->weigh == NULL)
        return BROOD_OK;
    uint64_t weight = object->type->weigh(object->state);
    call->holder = object;
    BROOD_TRY(bri_check_room(call, weight, 0));
    bri_account(object, weight, 0);
    return BROOD_OK;
}

void bri_disown(bri_managed *object)
{
    if (object->purse != NULL)
        object->purse->bytes -= object->weight;
    bri_purse_leave(object->purse);
    object->purse = NULL;
}

void bri_unaccount(bri_managed *object)
{
    bri_disown(object);
    bri_account(object, 0, object->weight);
}

/* After a change: it is accounted for unless it failed. */
static brood_status account(bri_invocation *call, brood_status status, uint64_t added,
                            uint64_t removed)
{
    if (status == BROOD_OK)
        bri_account(call->holder, added, removed);
    return status;
}

/* ---- changes ---- */

brood_status bri_in_insert(bri_invocation *call, brood_value *in, size_t index, brood_value item)
{
    uint64_t added = bri_weight_of(call->server, &item);
    brood_status status = bri_check_room(call, added, 0);
    if (status != BROOD_OK) {
        brood_value_clear(&item);
        return status;
    }
    return account(call, brood_insert(in, index, item), added, 0);
}

brood_status bri_in_set_item(bri_invocation *call, brood_value *in, size_t index, brood_value item)
{
    const brood_value *old = brood_item(in, index);
    uint64_t added = bri_weight_of(call->server, &item);
    uint64_t removed = old == NULL ? 0 : bri_weight_of(call->server, old);
    brood_status status = bri_check_room(call, added, removed);
    if (status != BROOD_OK) {
        brood_value_clear(&item);
        return status;
    }
    return account(call, brood_set_item(in, index, item), added, removed);
}

brood_status bri_in_pop(bri_invocation *call, brood_value *in, size_t index, brood_value *item)
{
    BROOD_TRY(brood_list_pop(in, index, item));
    bri_account(call->holder, 0, bri_weight_of(call->server, item));
    bri_trim(in);
    return BROOD_OK;
}

static uint64_t entry_weight(const bri_server *server, const brood_value *key,
                             const brood_value *item)
{
    if (!weighs(server))
        return 0;
    return BRI_ENTRY_WEIGHT + bri_weigh(key) + (item == NULL ? 0 : bri_weigh(item));
}

/* What a key and its item would add, and what is there instead. */
static void weigh_put(const bri_invocation *call, const brood_value *in, const brood_value *key,
                      const brood_value *item, uint64_t *added, uint64_t *removed)
{
    const bri_server *server = call->server;
    bri_entry *there = weighs(server) ? bri_table_find(in, key) : NULL;
    *added = *removed = 0;
    if (there == NULL)
        *added = entry_weight(server, key, item);
    else if (item != NULL) { /* the old key stays */
        *added = bri_weigh(item);
        *removed = bri_weigh(bri_entry_item(there));
    }
}

brood_status bri_in_dict_put(bri_invocation *call, brood_value *in, brood_value key,
                             brood_value item)
{
    uint64_t added, removed;
    weigh_put(call, in, &key, &item, &added, &removed);
    brood_status status = bri_check_room(call, added, removed);
    if (status != BROOD_OK) {
        brood_value_clear(&key);
        brood_value_clear(&item);
        return status;
    }
    return account(call, brood_dict_put(in, key, item), added, removed);
}

brood_status bri_in_dict_update(bri_invocation *call, brood_value *in, brood_value other)
{
    const brood_value *key, *item;
    uint64_t added = 0, removed = 0, more, less;
    for (size_t at = 0; weighs(call->server) && brood_dict_next(&other, &at, &key, &item);) {
        weigh_put(call, in, key, item, &more, &less);
        added += more;
        removed += less;
    }
    brood_status status = bri_check_room(call, added, removed);
    bri_replaced taken;
    bri_entry *entry;
    for (size_t at = 0; status == BROOD_OK && (entry = bri_table_next(&other, &at)) != NULL;) {
        bri_table_take(&other, entry, &taken);
        weigh_put(call, in, &taken.key, &taken.item, &added, &removed);
        status = account(call, brood_dict_put(in, taken.key, taken.item), added, removed);
    }
    brood_value_clear(&other);
    return status;
}

brood_status bri_in_set_add(bri_invocation *call, brood_value *in, brood_value item)
{
    uint64_t added, removed;
    weigh_put(call, in, &item, NULL, &added, &removed);
    brood_status status = bri_check_room(call, added, removed);
    if (status != BROOD_OK) {
        brood_value_clear(&item);
        return status;
    }
    return account(call, brood_set_add(in, item), added, removed);
}

static void take_entry(bri_invocation *call, brood_value *in, bri_entry *entry, bri_replaced *taken)
{
    bri_table_take(in, entry, taken);
    bool is_dict = brood_value_kind(in) == BROOD_DICT;
    bri_account(call->holder, 0,
                entry_weight(call->server, &taken->key, is_dict ? &taken->item : NULL));
    bri_trim(in);
}

bool bri_in_take(bri_invocation *call, brood_value *in, const brood_value *key, brood_value *item)
{
    bri_replaced taken;
    bri_entry *there = bri_table_find(in, key);
    if (there == NULL)
        return false;
    take_entry(call, in, there, &taken);
    brood_value_clear(&taken.key);
    if (item != NULL)
        *item = taken.item;
    else
        brood_value_clear(&taken.item);
    return true;
}

bool bri_in_take_last(bri_invocation *call, brood_value *in, brood_value *key, brood_value *item)
{
    bri_replaced taken;
    bri_entry *last = bri_table_last(in);
    if (last == NULL)
        return false;
    take_entry(call, in, last, &taken);
    *key = taken.key;
    if (item != NULL)
        *item = taken.item;
    return true;
}

/* The list anew: its beginning, `items` (moved in), its end. All of it or nothing is done. */
static brood_status splice(brood_value *list, size_t start, size_t stop, brood_value items)
{
    brood_value tail = {0};
    size_t length = brood_value_length(list);
    brood_status status =
        brood_list_reserve(list, length - (stop - start) + brood_value_length(&items));
    if (status == BROOD_OK && stop < length)
        status = brood_slice(list, stop, length, &tail);
    if (status != BROOD_OK) {
        brood_value_clear(&items);
        return status;
    }
    brood_list_remove(list, start, length);
    brood_list_extend(list, items); /* there is room */
    return tail.kind == BROOD_INVALID ? BROOD_OK : brood_list_extend(list, tail);
}

brood_status bri_in_splice(bri_invocation *call, brood_value *in, size_t start, size_t stop,
                           brood_value items)
{
    uint64_t added = 0, removed = 0;
    size_t length = brood_value_length(in);
    stop = stop < length ? stop : length;
    start = start < stop ? start : stop;
    if (weighs(call->server)) {
        for (size_t i = 0; i < brood_value_length(&items); i++)
            added += bri_weigh(brood_item(&items, i));
        for (size_t i = start; i < stop; i++)
            removed += bri_weigh(brood_item(in, i));
    }
    brood_status status = bri_check_room(call, added, removed);
    if (status != BROOD_OK) {
        brood_value_clear(&items);
        return status;
    }
    if (items.kind == BROOD_INVALID)
        status = brood_list_remove(in, start, stop);
    else
        status = splice(in, start, stop, items);
    bri_trim(in);
    return account(call, status, added, removed);
}

static size_t nth_place(size_t start, int64_t step, size_t n)
{
    return (size_t)((int64_t)start + (int64_t)n * step);
}

brood_status bri_in_set_every(bri_invocation *call, brood_value *in, size_t start, int64_t step,
                              brood_value items)
{
    const bri_server *server = call->server;
    size_t count = brood_value_length(&items);
    uint64_t added = 0, removed = 0;
    for (size_t i = 0; i < count; i++) {
        added += bri_weight_of(server, brood_item(&items, i));
        removed += bri_weight_of(server, brood_item(in, nth_place(start, step, i)));
    }
    brood_status status = bri_check_room(call, added, removed);
    for (size_t i = 0; i < count && status == BROOD_OK; i++) {
        brood_value item;
        size_t at = nth_place(start, step, i);
        brood_take_item(&items, i, &item);
        added = bri_weight_of(server, &item);
        removed = bri_weight_of(server, brood_item(in, at));
        status = account(call, brood_set_item(in, at, item), added, removed);
    }
    brood_value_clear(&items);
    return status;
}

void bri_in_remove_every(bri_invocation *call, brood_value *in, size_t start, size_t step,
                         size_t count)
{
    bri_array *array = bri_array_of(in);
    uint64_t removed = 0;
    size_t next = start, to = start;
    if (count == 0)
        return;
    for (size_t i = start; i < array->count; i++) {
        if (count == 0 || i != next) {
            array->items[to++] = array->items[i];
            continue;
        }
        removed += bri_weight_of(call->server, &array->items[i]);
        brood_value_clear(&array->items[i]);
        if (--count != 0)
            next += step;
    }
    array->count = to;
    bri_trim(in);
    bri_account(call->holder, 0, removed);
}

brood_status bri_in_replace(bri_invocation *call, brood_value *in, brood_value value)
{
    if (value.kind == BROOD_INVALID)
        return bri_fail_invalid(&value);
    uint64_t added = bri_weight_of(call->server, &value);
    uint64_t removed = bri_weight_of(call->server, in);
    brood_status status = bri_check_room(call, added, removed);
    if (status != BROOD_OK) {
        brood_value_clear(&value);
        return status;
    }
    brood_value_clear(in);
    *in = value;
    return account(call, BROOD_OK, added, removed);
}
