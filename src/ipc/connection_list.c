/*
 * ipc/connection_list.c - what this process has open and a forked child must not keep.
 */
#include <string.h>

#include "base/memory.h"
#include "core/runtime.h"
#include "core/transfer.h"
#include "ipc/connection_state.h"
#include "ipc/handle_value.h"
#include "ipc/lend.h"
#include "ipc/shared.h"

struct bri_connections {
    brp_mutex *lock;
    bri_open_thing *first;
};

void bri_open_things_link(bri_open_thing *thing)
{
    struct bri_connections *all = bri_the_runtime.connections;
    brp_mutex_lock(all->lock);
    thing->previous = NULL;
    thing->next = all->first;
    if (all->first != NULL)
        all->first->previous = thing;
    all->first = thing;
    brp_mutex_unlock(all->lock);
}

void bri_open_things_unlink(bri_open_thing *thing)
{
    struct bri_connections *all = bri_the_runtime.connections;
    brp_mutex_lock(all->lock);
    if (thing->next != NULL)
        thing->next->previous = thing->previous;
    if (thing->previous != NULL)
        thing->previous->next = thing->next;
    else if (all->first == thing)
        all->first = thing->next;
    thing->next = thing->previous = NULL;
    brp_mutex_unlock(all->lock);
}

/* ---- fork ---- */

void bri_connections_lock(void)
{
    brp_mutex_lock(bri_the_runtime.connections->lock);
}

void bri_connections_unlock(void)
{
    brp_mutex_unlock(bri_the_runtime.connections->lock);
}

/* Marks the connections in a value. */
static void keep(const brood_value *value)
{
    const brood_value *key, *item;
    switch (brood_value_kind(value)) {
    case BROOD_LIST:
    case BROOD_TUPLE:
        for (size_t i = 0; i < brood_value_length(value); i++)
            keep(brood_item(value, i));
        break;
    case BROOD_DICT:
        for (size_t position = 0; brood_dict_next(value, &position, &key, &item);) {
            keep(key);
            keep(item);
        }
        break;
    case BROOD_SET:
    case BROOD_FROZENSET:
        for (size_t position = 0; brood_set_next(value, &position, &item);)
            keep(item);
        break;
    case BROOD_ERROR:
        keep(brood_error_arguments(value));
        break;
    case BROOD_OBJECT:
        if (strcmp(brood_object_name(value), bri_connection_class.name) == 0) {
            brood_connection *connection;
            if (brood_get_connection(value, &connection) == BROOD_OK)
                connection->kept = true;
        } else {
            bri_shared_pass(value);
        }
        break;
    default:
        break;
    }
}

void bri_connections_keep_only(const brood_value *arguments, const brood_value *keywords)
{
    keep(arguments);
    keep(keywords);
    for (bri_open_thing *thing = bri_the_runtime.connections->first; thing != NULL;
         thing = thing->next)
        thing->close_in_child(thing);
}

/* ---- start ---- */

static brood_status start_connections(void)
{
    if (bri_the_runtime.connections != NULL)
        return BROOD_OK;
    struct bri_connections *all = bri_calloc(1, sizeof *all);
    if (all == NULL)
        return BROOD_ENOMEM;
    brood_status status = brp_mutex_create(&all->lock);
    if (status == BROOD_OK)
        bri_the_runtime.connections = all;
    else
        bri_free(all);
    return status;
}

brood_status bri_ipc_start(void)
{
    BROOD_TRY(start_connections());
    BROOD_TRY(bri_class_add(&bri_connection_class));
    BROOD_TRY(bri_handle_values_start());
    BROOD_TRY(bri_lender_start());
    return bri_shared_start();
}
