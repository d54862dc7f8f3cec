/* manager/manager.c - managers as users have them: started, connected, shut down. */
#include <string.h>

#include <brood/listener.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/runtime.h"
#include "core/transfer.h"
#include "manager/proxy.h"
#include "manager/serve.h"

/* ---- connecting ---- */

brood_status bri_connect_manager(void *context, brood_connection **connection)
{
    const brood_manager *manager = context;
    brood_connect_options options = {.authkey = manager->authkey,
                                     .authkey_size = manager->authkey_size};
    return brood_connect(connection, manager->address, &options, manager->timeout);
}

static brood_status own_key(const brood_manager_options *options, const void **key, size_t *size)
{
    if (options->authkey == NULL)
        return brood_process_authkey(brood_current_process(), key, size);
    *key = options->authkey;
    *size = options->authkey_size;
    return BROOD_OK;
}

static const brood_manager_options defaults;

brood_status brood_manager_connect(brood_manager **manager, const char *address,
                                   const brood_manager_options *options)
{
    const void *key;
    size_t size;
    brood_manager *made;
    if (manager == NULL || address == NULL)
        return bri_fail(BROOD_EINVALID, "could not connect to a manager: NULL is none");
    BROOD_TRY(bri_runtime_check("connect to a manager"));
    options = options == NULL ? &defaults : options;
    BROOD_TRY(own_key(options, &key, &size));
    BROOD_TRY(
        bri_manager_make(&made, address, key, size, options->timeout, bri_connect_manager, NULL));
    bri_manager_list(made);
    brood_status status = bri_control_call(made, "dummy", NULL, NULL, NULL);
    if (status != BROOD_OK)
        bri_manager_release(made);
    else
        *manager = made;
    return status;
}

/* ---- starting and ending ---- */

static brood_status start_server(brood_manager **manager, const brood_manager_options *options)
{
    const void *key;
    size_t size;
    brood_value address = {0};
    const char *text;
    brood_process *process = NULL;
    brood_manager *made = NULL;
    brood_ms timeout = options->timeout == 0 ? 20000 : options->timeout;
    BROOD_TRY(own_key(options, &key, &size));
    BROOD_TRY(bri_serve_in_child(options, key, size, timeout, &process, &address));
    brood_status status = brood_get_str(&address, &text, NULL);
    if (status == BROOD_OK)
        status =
            bri_manager_make(&made, text, key, size, options->timeout, bri_connect_manager, NULL);
    brood_value_clear(&address);
    if (status != BROOD_OK) {
        brood_process_kill(process);
        brood_process_join(process, timeout);
        brood_process_destroy(process);
        return status;
    }
    made->process = process;
    made->owner = true;
    bri_manager_list(made);
    *manager = made;
    return BROOD_OK;
}

brood_status brood_manager_start(brood_manager **manager, const brood_manager_options *options)
{
    brood_manager *made;
    if (manager == NULL)
        return bri_fail(BROOD_EINVALID, "could not start a manager: NULL is no place for it");
    BROOD_TRY(bri_runtime_check("start a manager"));
    BROOD_TRY(start_server(&made, options == NULL ? &defaults : options));
    brood_status status = bri_control_call(made, "dummy", NULL, NULL, NULL);
    if (status != BROOD_OK)
        brood_manager_close(made);
    else
        *manager = made;
    return status;
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
    if (status == BROOD_OK && manager->owner && manager->pid == bri_the_runtime.pid)
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
    BROOD_TRY(bri_class_add(&bri_proxy_object_class));
    return bri_serve_start();
}
