/* manager/manager.c - managers as users have them: started, connected, shut down. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/runtime.h"
#include "core/transfer.h"
#include "manager/proxy.h"
#include "manager/server.h"

brood_status bri_connect_manager(void *context, brood_connection **connection)
{
    brood_manager *manager = context;
    (void)connection;
    return bri_fail(BROOD_ENOTSUP, "could not connect to \"%s\"", manager->address);
}

const char *brood_manager_address(const brood_manager *manager)
{
    return manager == NULL ? "" : manager->address;
}

brood_status brood_manager_number_of_objects(brood_manager *manager, int64_t *n)
{
    brood_value value = {0};
    if (manager == NULL || n == NULL)
        return bri_fail(BROOD_EINVALID, "could not count a manager's objects: NULL is none");
    BROOD_TRY(bri_control_call(manager, "number_of_objects", NULL, NULL, &value));
    brood_status status = brood_get_int(&value, n);
    brood_value_clear(&value);
    return status;
}

brood_status brood_manager_debug_info(brood_manager *manager, char **text)
{
    brood_value value = {0};
    const char *shown;
    size_t size;
    if (manager == NULL || text == NULL)
        return bri_fail(BROOD_EINVALID, "could not describe a manager's objects: NULL is none");
    BROOD_TRY(bri_control_call(manager, "debug_info", NULL, NULL, &value));
    brood_status status = brood_get_str(&value, &shown, &size);
    char *copy = status == BROOD_OK ? bri_strndup(shown, size) : NULL;
    brood_value_clear(&value);
    BROOD_TRY(status);
    if (copy == NULL)
        return BROOD_ENOMEM;
    *text = copy;
    return BROOD_OK;
}

brood_status brood_manager_shutdown(brood_manager *manager)
{
    if (manager == NULL)
        return bri_fail(BROOD_EINVALID, "could not shut a manager down: NULL is none");
    if (atomic_load(&manager->down))
        return BROOD_OK;
    brood_status status = bri_control_call(manager, "shutdown", NULL, NULL, NULL);
    if (status == BROOD_OK || status == BROOD_EEOF)
        atomic_store(&manager->down, true);
    if (status == BROOD_OK && manager->process != NULL && manager->pid == bri_the_runtime.pid)
        status = brood_process_join(manager->process, manager->timeout);
    return status == BROOD_EEOF ? BROOD_OK : status;
}

void brood_manager_close(brood_manager *manager)
{
    if (manager == NULL)
        return;
    if (manager->owner && manager->pid == bri_the_runtime.pid)
        brood_manager_shutdown(manager);
    bri_manager_release(manager);
}

brood_status bri_manager_start(void)
{
    return bri_class_add(&bri_proxy_object_class);
}
