/* manager/proxy.c - proxies: references to objects of a server, and how they travel. */
#include "manager/proxy.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "core/runtime.h"
#include "core/transfer.h"
#include "data/heap.h"
#include "data/opaque.h"
#include "platform/ident.h"

/* ---- references at the server ---- */

static brood_status tell_server(brood_manager *manager, const char *what, const char *ident)
{
    brood_value args = brood_pack("(s)", ident);
    brood_status status = bri_control_call(manager, what, &args, NULL, NULL);
    brood_value_clear(&args);
    return status;
}

/* In a forked child the reference is the parent's: takes one of its own. */
static brood_status own_reference(brood_proxy *proxy)
{
    if (proxy->pid == brp_pid())
        return BROOD_OK;
    BROOD_TRY(tell_server(proxy->manager, "incref", proxy->ident));
    proxy->pid = brp_pid();
    return BROOD_OK;
}

static void free_proxy(brood_proxy *proxy)
{
    bri_manager_release(proxy->manager);
    bri_free(proxy->typeid);
    bri_free(proxy->ident);
    bri_free(proxy->proxy_class);
    brood_value_clear(&proxy->exposed);
    bri_free(proxy);
}

/* A proxy of an object of which this process has a reference, or is to take one (`incref`). */
static brood_status make_proxy(brood_manager *manager, const char *typeid, const char *ident,
                               brood_value exposed, bool incref, brood_proxy **proxy)
{
    brood_proxy *made = bri_calloc(1, sizeof *made);
    if (made == NULL) {
        brood_value_clear(&exposed);
        return BROOD_ENOMEM;
    }
    atomic_init(&made->references, 1);
    made->manager = bri_manager_retain(manager);
    made->exposed = exposed;
    made->typeid = bri_strdup(typeid);
    made->ident = bri_strdup(ident);
    made->pid = brp_pid();
    brood_status status = made->typeid == NULL || made->ident == NULL ? BROOD_ENOMEM : BROOD_OK;
    if (status == BROOD_OK && incref)
        status = tell_server(manager, "incref", ident);
    if (status != BROOD_OK)
        free_proxy(made);
    else
        *proxy = made;
    return status;
}

void brood_proxy_close(brood_proxy *proxy)
{
    if (proxy == NULL || atomic_fetch_sub(&proxy->references, 1) != 1)
        return;
    if (proxy->pid == brp_pid() && !atomic_load(&proxy->manager->down)) {
        bri_saved_error saved;
        bri_error_save(&saved);
        tell_server(proxy->manager, "decref", proxy->ident);
        bri_error_restore(&saved);
    }
    free_proxy(proxy);
}

/* ---- calls ---- */

static brood_status check_proxy(const brood_proxy *proxy, const char *method)
{
    return proxy == NULL || method == NULL
               ? bri_fail(BROOD_EINVALID, "could not call a method: NULL is none")
               : BROOD_OK;
}

/* Arguments may be a list, or nothing. */
static brood_status check_values(const brood_value *args, const brood_value *kwargs)
{
    BROOD_TRY(bri_value_check(args));
    BROOD_TRY(bri_value_check(kwargs));
    brood_kind kind = brood_value_kind(args);
    if (kind != BROOD_INVALID && kind != BROOD_TUPLE && kind != BROOD_LIST)
        return bri_fail_kind("call with arguments that are", args);
    if (brood_value_kind(kwargs) != BROOD_INVALID && brood_value_kind(kwargs) != BROOD_DICT)
        return bri_fail_kind("call with keywords that are", kwargs);
    return BROOD_OK;
}

/* (exposed, token) of an object that a method has made. */
static brood_status open_made(brood_manager *manager, brood_value *answer, brood_proxy **made)
{
    const brood_value *exposed, *opaque;
    brood_value state, names;
    bri_token token;
    BROOD_TRY(brood_unpack(answer, "(vv)", &exposed, &opaque));
    BROOD_TRY(brood_value_copy(exposed, &names));
    brood_status status = bri_token_open(opaque, &state, &token);
    if (status != BROOD_OK) {
        brood_value_clear(&names);
        return status;
    }
    status = make_proxy(manager, token.typeid, token.ident, names, false, made);
    brood_value_clear(&state);
    return status;
}

/* A call whose values are the caller's; the result is one of both. */
static brood_status call_method(brood_proxy *proxy, const char *method, brood_value args,
                                brood_value kwargs, brood_value *result, brood_proxy **made)
{
    bri_reply_kind kind = BRI_REPLY_RETURN;
    brood_value value = {0};
    *made = NULL;
    brood_status status = check_proxy(proxy, method);
    if (status == BROOD_OK)
        status = check_values(&args, &kwargs);
    if (status == BROOD_OK)
        status = own_reference(proxy);
    if (status == BROOD_OK)
        status = bri_method_call(proxy, method, &args, &kwargs, &kind, &value);
    if (status == BROOD_OK && kind == BRI_REPLY_PROXY)
        status = open_made(proxy->manager, &value, made);
    brood_value_clear(&args);
    brood_value_clear(&kwargs);
    if (status == BROOD_OK && kind == BRI_REPLY_RETURN && result != NULL)
        *result = value;
    else
        brood_value_clear(&value);
    return status;
}

brood_status brood_proxy_call_with(brood_proxy *proxy, const char *method, brood_value args,
                                   brood_value kwargs, brood_value *result)
{
    brood_proxy *made;
    brood_value value = {0};
    brood_status status = call_method(proxy, method, args, kwargs, &value, &made);
    brood_proxy_close(made);
    if (status == BROOD_OK && result != NULL)
        *result = value;
    else
        brood_value_clear(&value);
    return status;
}

brood_status brood_proxy_call(brood_proxy *proxy, const char *method, brood_value args,
                              brood_value *result)
{
    return brood_proxy_call_with(proxy, method, args, (brood_value){0}, result);
}

brood_status brood_proxy_call_object(brood_proxy *proxy, const char *method, brood_value args,
                                     brood_proxy **made)
{
    brood_proxy *answer;
    BROOD_TRY(call_method(proxy, method, args, (brood_value){0}, NULL, &answer));
    if (answer == NULL)
        return bri_fail(BROOD_ETYPE, "could not get an object from \"%s\": it gave a value",
                        method);
    *made = answer;
    return BROOD_OK;
}

/* ---- making objects ---- */

/* (typeid, *args) */
static brood_status put_typeid(const char *typeid, brood_value *args)
{
    if (args->kind == BROOD_INVALID)
        *args = brood_tuple(0);
    args->kind = BROOD_LIST; /* inside a list and a tuple are the same */
    brood_status status = brood_insert(args, 0, brood_str(typeid));
    args->kind = BROOD_TUPLE;
    return status;
}

static brood_status make_object(brood_manager *manager, const char *typeid, brood_value *args,
                                brood_value *kwargs, brood_proxy **proxy)
{
    brood_value answer = {0}, names;
    const char *ident;
    const brood_value *exposed;
    if (manager == NULL || typeid == NULL)
        return bri_fail(BROOD_EINVALID, "could not make an object: NULL is none");
    BROOD_TRY(check_values(args, kwargs));
    BROOD_TRY(put_typeid(typeid, args));
    BROOD_TRY(bri_control_call(manager, "create", args, kwargs, &answer));
    brood_status status = brood_unpack(&answer, "(sv)", &ident, &exposed);
    if (status == BROOD_OK)
        status = brood_value_copy(exposed, &names);
    if (status == BROOD_OK)
        status = make_proxy(manager, typeid, ident, names, false, proxy);
    brood_value_clear(&answer);
    return status;
}

brood_status brood_manager_object_with(brood_manager *manager, const char *typeid, brood_value args,
                                       brood_value kwargs, brood_proxy **proxy)
{
    brood_status status = make_object(manager, typeid, &args, &kwargs, proxy);
    brood_value_clear(&args);
    brood_value_clear(&kwargs);
    return status;
}

brood_status brood_manager_object(brood_manager *manager, const char *typeid, brood_value args,
                                  brood_proxy **proxy)
{
    return brood_manager_object_with(manager, typeid, args, (brood_value){0}, proxy);
}

/* ---- as values ---- */

static brood_status retain_proxy(void *object)
{
    atomic_fetch_add(&((brood_proxy *)object)->references, 1);
    return BROOD_OK;
}

static void release_proxy(void *object)
{
    brood_proxy_close(object);
}

/* (address, typeid, ident, exposed, class, key): the key only goes to a child of ours. */
static brood_status reduce_proxy(void *object, bri_transfer *transfer, brood_value *arguments)
{
    brood_proxy *proxy = object;
    const brood_manager *manager = proxy->manager;
    brood_value address, exposed = brood_none();
    BROOD_TRY(brood_value_copy(&manager->wire_address, &address));
    if (proxy->exposed.kind != BROOD_INVALID &&
        brood_value_copy(&proxy->exposed, &exposed) != BROOD_OK)
        exposed = bri_invalid(BROOD_ENOMEM);
    bool goes_to_child = transfer != NULL && transfer->way == BRI_TRANSFER_START;
    brood_value key =
        goes_to_child ? brood_bytes(manager->authkey, manager->authkey_size) : brood_none();
    brood_value made = brood_pack("(vssvzv)", address, proxy->typeid, proxy->ident, exposed,
                                  proxy->proxy_class, key);
    if (made.kind == BROOD_INVALID)
        return bri_fail_invalid(&made);
    *arguments = made;
    return BROOD_OK;
}

static brood_status rebuild_proxy(const brood_value *arguments, bri_transfer *transfer,
                                  void **object)
{
    const brood_value *address, *exposed, *key;
    const char *typeid, *ident, *proxy_class;
    const void *authkey = NULL;
    size_t size = 0;
    brood_manager *manager;
    brood_proxy *proxy = NULL;
    (void)transfer;
    BROOD_TRY(brood_unpack(arguments, "(vssvzv)", &address, &typeid, &ident, &exposed, &proxy_class,
                           &key));
    if (brood_value_kind(key) == BROOD_BYTES)
        BROOD_TRY(brood_get_bytes(key, &authkey, &size));
    BROOD_TRY(bri_manager_at(address, authkey, size, &manager));
    brood_value names = {0};
    brood_status status =
        brood_value_kind(exposed) == BROOD_TUPLE ? brood_value_copy(exposed, &names) : BROOD_OK;
    if (status == BROOD_OK)
        status = make_proxy(manager, typeid, ident, names, true, &proxy);
    bri_manager_release(manager);
    if (status == BROOD_OK && proxy_class != NULL)
        proxy->proxy_class = bri_strdup(proxy_class);
    if (status == BROOD_OK)
        *object = proxy;
    return status;
}

static brood_status write_proxy(void *object, void *context, bri_buffer *out)
{
    enum { MOST = 128 };
    const brood_proxy *proxy = object;
    const char *names[MOST];
    size_t n = 0;
    (void)context;
    for (; n < MOST && n < brood_value_length(&proxy->exposed); n++)
        BROOD_TRY(brood_get_str(brood_item(&proxy->exposed, n), &names[n], NULL));
    const char *by_type = bri_proxy_class(proxy->typeid);
    bri_proxy_form form = {
        proxy->proxy_class != NULL ? proxy->proxy_class : by_type,
        {proxy->typeid, bri_manager_tokens_address(proxy->manager), proxy->ident},
        proxy->exposed.kind == BROOD_TUPLE ? names : NULL,
        n};
    if (form.proxy != NULL && strcmp(form.proxy, "AutoProxy") == 0)
        form.proxy = NULL;
    return bri_proxy_write(&form, out);
}

const bri_object_class bri_proxy_object_class = {
    .name = "Proxy",
    .retain = retain_proxy,
    .release = release_proxy,
    .reduce = reduce_proxy,
    .rebuild = rebuild_proxy,
    .write_foreign = write_proxy,
};

brood_value brood_proxy_value(brood_proxy *proxy)
{
    return bri_object_value(&bri_proxy_object_class, proxy);
}

brood_status brood_get_proxy(const brood_value *value, brood_proxy **proxy)
{
    void *object;
    BROOD_TRY(bri_object_get(value, &bri_proxy_object_class, &object));
    *proxy = object;
    return BROOD_OK;
}

const char *brood_proxy_typeid(const brood_proxy *proxy)
{
    return proxy == NULL ? "" : proxy->typeid;
}

const brood_value *brood_proxy_exposed(const brood_proxy *proxy)
{
    static const brood_value unknown = {.kind = BROOD_INVALID};
    return proxy == NULL ? &unknown : &proxy->exposed;
}

brood_manager *brood_proxy_manager(const brood_proxy *proxy)
{
    return proxy == NULL ? NULL : proxy->manager;
}

/* ---- proxies in replies ---- */

/* The names in RebuildProxy's keywords, if there are any. */
static brood_status exposed_of(const brood_value *keywords, brood_value *names)
{
    const brood_value *exposed = brood_dict_get_str(keywords, "exposed");
    *names = (brood_value){0};
    if (exposed == NULL)
        return BROOD_OK;
    BROOD_TRY(brood_value_copy(exposed, names));
    if (names->kind == BROOD_LIST)
        names->kind = BROOD_TUPLE;
    if (names->kind != BROOD_TUPLE)
        brood_value_clear(names);
    return BROOD_OK;
}

brood_status bri_proxy_read(brood_manager *manager, const char *name, const brood_value *arguments,
                            brood_value *made)
{
    brood_value state, names;
    bri_token token;
    brood_proxy *proxy;
    if (strcmp(name, "RebuildProxy") != 0 || brood_value_length(arguments) != 4 ||
        bri_token_open(brood_item(arguments, 1), &state, &token) != BROOD_OK)
        return BROOD_OK;
    brood_status status = BROOD_OK;
    /* A token of another server stays an opaque: its key is another one's affair. */
    if (bri_manager_is_at(manager, token.address)) {
        status = exposed_of(brood_item(arguments, 3), &names);
        if (status == BROOD_OK)
            status = make_proxy(manager, token.typeid, token.ident, names, true, &proxy);
        if (status == BROOD_OK) {
            const brood_value *function = brood_item(arguments, 0);
            proxy->proxy_class = bri_strdup(brood_opaque_name(function));
            *made = bri_object_adopt(&bri_proxy_object_class, proxy);
            status = made->kind == BROOD_INVALID ? BROOD_ENOMEM : BROOD_OK;
        }
    }
    brood_value_clear(&state);
    return status;
}
