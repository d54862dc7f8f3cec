/* manager/address.c - addresses as Python's tokens have them, and the managers of this process by
 * address. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/runtime.h"
#include "data/heap.h"
#include "ipc/address.h"
#include "ipc/connection.h"
#include "manager/proxy.h"

brood_value bri_wire_address(const char *address)
{
    bri_address parsed;
    brood_status status = bri_address_parse(address, &parsed);
    if (status != BROOD_OK)
        return bri_invalid(status);
    if (parsed.kind == BRI_ADDRESS_TCP)
        return brood_pack("(sl)", parsed.host, (int64_t)parsed.port);
    size_t size = strlen(address);
    if (address[0] != '@')
        return brood_str_escaped(address, size);
    /* The abstract namespace: Python has a NUL in front. */
    brood_value text = {0};
    char *copy = bri_strdup(address);
    if (copy == NULL)
        return bri_invalid(BROOD_ENOMEM);
    copy[0] = '\0';
    text = brood_str_n(copy, size);
    bri_free(copy);
    return text;
}

/* And back, for bri_free; NULL on failure. */
static char *text_of_address(const brood_value *wire_address)
{
    const char *text;
    size_t size;
    int64_t port;
    if (brood_value_kind(wire_address) == BROOD_TUPLE) {
        if (brood_unpack(wire_address, "(si)", &text, &port) != BROOD_OK)
            return NULL;
        size = strlen(text) + 32;
        char *made = bri_alloc(size);
        if (made != NULL)
            snprintf(made, size, strchr(text, ':') != NULL ? "[%s]:%" PRId64 : "%s:%" PRId64, text,
                     port);
        return made;
    }
    const void *bytes;
    if (brood_value_kind(wire_address) == BROOD_BYTES) {
        if (brood_get_bytes(wire_address, &bytes, &size) != BROOD_OK)
            return NULL;
        text = bytes;
    } else if (brood_get_str(wire_address, &text, &size) != BROOD_OK) {
        return NULL;
    }
    char *made = bri_strndup(text, size);
    if (made != NULL && size > 0 && made[0] == '\0')
        made[0] = '@';
    return made;
}

bool bri_address_is_wildcard(const brood_value *wire_address)
{
    const char *host;
    if (brood_value_kind(wire_address) != BROOD_TUPLE ||
        brood_get_str(brood_item(wire_address, 0), &host, NULL) != BROOD_OK)
        return false;
    return host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

brood_value bri_end_address(const brood_connection *connection, bool ours)
{
    char text[80];
    bri_connection_end(connection, ours, text, sizeof text);
    return text[0] == '\0' ? (brood_value){0} : bri_wire_address(text);
}

/* ---- all managers of this process ---- */

static brood_manager *managers; /* under the runtime's lock; not retained */

void bri_manager_list(brood_manager *manager)
{
    brp_mutex_lock(bri_the_runtime.lock);
    manager->next = managers;
    managers = manager;
    brp_mutex_unlock(bri_the_runtime.lock);
}

void bri_manager_unlist(brood_manager *manager)
{
    brp_mutex_lock(bri_the_runtime.lock);
    for (brood_manager **at = &managers; *at != NULL; at = &(*at)->next) {
        if (*at == manager) {
            *at = manager->next;
            break;
        }
    }
    brp_mutex_unlock(bri_the_runtime.lock);
}

/* Another thread may have held them, the second one for as long as a request takes. */
void bri_managers_after_fork(void)
{
    for (brood_manager *m = managers; m != NULL; m = m->next) {
        m->lock = brp_mutex_renew(m->lock);
        m->main_lock = brp_mutex_renew(m->main_lock);
    }
}

void bri_managers_shut_down(void)
{
    for (;;) {
        brood_manager *found = NULL;
        brp_mutex_lock(bri_the_runtime.lock);
        for (brood_manager *m = managers; m != NULL && found == NULL; m = m->next)
            if (m->owner && m->pid == bri_the_runtime.pid && !atomic_load(&m->down))
                found = bri_manager_retain(m);
        brp_mutex_unlock(bri_the_runtime.lock);
        if (found == NULL)
            return;
        if (brood_manager_shutdown(found) != BROOD_OK)
            brood_process_terminate(found->process);
        atomic_store(&found->down, true);
        bri_manager_release(found);
    }
}

/* One that is on its way to be freed does not count. */
static bool retain_if_alive(brood_manager *manager)
{
    int references = atomic_load(&manager->references);
    while (references > 0)
        if (atomic_compare_exchange_weak(&manager->references, &references, references + 1))
            return true;
    return false;
}

static brood_manager *find_manager(const brood_value *wire_address)
{
    brood_manager *found = NULL;
    brp_mutex_lock(bri_the_runtime.lock);
    for (brood_manager *m = managers; m != NULL && found == NULL; m = m->next)
        if (brood_value_equal(&m->wire_address, wire_address) && !atomic_load(&m->down) &&
            retain_if_alive(m))
            found = m;
    brp_mutex_unlock(bri_the_runtime.lock);
    return found;
}

brood_status bri_manager_at(const brood_value *wire_address, const void *authkey,
                            size_t authkey_size, brood_manager **manager)
{
    const void *own = NULL;
    size_t own_size = 0;
    brood_manager *made = find_manager(wire_address);
    if (made != NULL) {
        *manager = made;
        return BROOD_OK;
    }
    if (authkey == NULL) {
        BROOD_TRY(brood_process_authkey(brood_current_process(), &own, &own_size));
        authkey = own;
        authkey_size = own_size;
    }
    char *text = text_of_address(wire_address);
    if (text == NULL)
        return bri_fail(BROOD_EFORMAT, "could not read a proxy: its address is none");
    brood_status status =
        bri_manager_make(&made, text, authkey, authkey_size, 0, bri_connect_manager, NULL);
    bri_free(text);
    if (status != BROOD_OK)
        return status;
    bri_manager_list(made);
    *manager = made;
    return BROOD_OK;
}
