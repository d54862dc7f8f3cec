/*
 * manager/control.c - requests about objects instead of to them: create, incref, decref, ...
 *
 * CPython sends them on connections of their own, one each; brood's clients on their first session.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/heap.h"
#include "manager/session.h"

/* ---- values of replies ---- */

brood_value bri_exposed_value(const bri_managed_type *type)
{
    brood_value names = brood_tuple(type->n_methods);
    for (size_t i = 0; i < type->n_methods; i++) {
        brood_status status = brood_set_item(&names, i, brood_str(type->methods[i].name));
        if (status != BROOD_OK) {
            brood_value_clear(&names);
            return bri_invalid(status);
        }
    }
    return names;
}

brood_value bri_managed_token(const bri_session *session, const bri_managed *object)
{
    bri_token token = {object->type->typeid, bri_session_address(session, object->server),
                       object->ident};
    return bri_token_value(&token);
}

/* ---- the requests ---- */

/* What one request is answered with: a value, or a failure, of which `error` or the last error
 * tells. */
typedef struct control_call {
    bri_session *session;
    bri_manager_request *request;
    brood_value result;
    brood_value error;
} control_call;

typedef brood_status control_function(control_call *call);

/* Creates an object: what `create` does. */
static brood_status create_object(bri_session *session, const char *typeid, brood_value args,
                                  brood_value kwds, bri_managed **object, brood_value *error);

/* The object of that name, which is made when it is wanted first. NULL: there is no such name, or
 * an error. */
static bri_managed *find_shared(bri_session *session, const char *name, brood_value *error)
{
    bri_server *server = session->server;
    for (size_t i = 0; bri_shared_at(i) != NULL; i++) {
        const bri_shared_object *shared = bri_shared_at(i);
        brood_value args;
        if (strcmp(shared->name, name) != 0)
            continue;
        if (server->shared[i] != NULL)
            return server->shared[i];
        if (brood_value_copy(&shared->args, &args) != BROOD_OK ||
            create_object(session, shared->typeid, args, (brood_value){0}, &server->shared[i],
                          error) != BROOD_OK)
            return NULL;
        bri_disown(server->shared[i]);
        bri_managed_pin(server->shared[i]);
        bri_drop_reference(session, server->shared[i]);
        return server->shared[i];
    }
    return NULL;
}

static brood_status create_object(bri_session *session, const char *typeid, brood_value args,
                                  brood_value kwds, bri_managed **object, brood_value *error)
{
    bri_server *server = session->server;
    const bri_managed_type *type = bri_type_find(server, typeid);
    bri_invocation call = {
        .server = server, .session = session, .type = type, .args = args, .kwds = kwds};
    void *state = NULL;
    brood_status status = BROOD_OK;
    bri_managed *made = NULL,
                *named = type == NULL ? find_shared(session, typeid, &call.error) : NULL;
    if (named != NULL) {
        made = named;
    } else if (brood_value_kind(&call.error) == BROOD_ERROR) {
        status = BROOD_ETASK;
    } else if (type == NULL || type->create == NULL)
        status = bri_raise(&call, "KeyError", "there is no type '%.100s'", typeid);
    if (status == BROOD_OK && made == NULL)
        status = type->create(&call, &state);
    if (status == BROOD_OK && made == NULL) {
        made = type->extra == NULL ? NULL : bri_managed_of_state(server, type, state);
        if (made == NULL) {
            status = bri_managed_add(server, type, state, &made);
            if (status == BROOD_OK)
                status = bri_account_for(&call, made);
        }
    }
    if (status == BROOD_OK)
        status = bri_take_reference(session, made);
    if (status == BROOD_OK) {
        *object = made;
    } else {
        if (made != NULL)
            bri_managed_suspect(made);
        *error = call.error.kind == BROOD_ERROR ? brood_value_take(&call.error)
                                                : bri_error_of_status(status);
    }
    brood_value_clear(&call.args);
    brood_value_clear(&call.kwds);
    brood_value_clear(&call.result);
    brood_value_clear(&call.error);
    return status;
}

static brood_status control_create(control_call *call)
{
    bri_manager_request *request = call->request;
    bri_managed *object;
    const char *typeid;
    brood_value first;
    if (brood_value_length(&request->args) == 0)
        return bri_fail(BROOD_ETYPE, "could not create an object: its type is missing");
    BROOD_TRY(bri_client_enter_plain(call->session));
    request->args.kind = BROOD_LIST; /* inside a list and a tuple are the same */
    brood_status status = brood_list_pop(&request->args, 0, &first);
    request->args.kind = BROOD_TUPLE;
    BROOD_TRY(status);
    status = brood_get_str(&first, &typeid, NULL);
    if (status == BROOD_OK)
        status = create_object(call->session, typeid, brood_value_take(&request->args),
                               brood_value_take(&request->kwds), &object, &call->error);
    brood_value_clear(&first);
    if (status == BROOD_OK)
        call->result = brood_pack("(sv)", object->ident, bri_exposed_value(object->type));
    return status;
}

/* The object that the only argument names. */
static brood_status named_object(control_call *call, bri_managed **object)
{
    const char *ident;
    BROOD_TRY(brood_unpack_items(&call->request->args, "s", &ident));
    *object = bri_managed_find(call->session->server, ident);
    if (*object == NULL)
        return bri_fail(BROOD_ENOTFOUND, "there is no object '%.100s'", ident);
    return BROOD_OK;
}

static brood_status control_incref(control_call *call)
{
    bri_managed *object;
    BROOD_TRY(named_object(call, &object));
    BROOD_TRY(bri_client_enter_plain(call->session));
    return bri_take_reference(call->session, object);
}

static brood_status control_decref(control_call *call)
{
    bri_managed *object;
    BROOD_TRY(named_object(call, &object));
    BROOD_TRY(bri_client_enter_plain(call->session));
    if (!bri_drop_reference(call->session, object) && atomic_load(&object->stored) == 0)
        return bri_fail(BROOD_ESTATE, "the client has no reference to '%s'", object->ident);
    return BROOD_OK;
}

static brood_status control_get_methods(control_call *call)
{
    brood_value state;
    bri_token token;
    if (brood_value_length(&call->request->args) != 1)
        return bri_fail(BROOD_ETYPE, "get_methods() takes a token");
    BROOD_TRY(bri_token_open(brood_item(&call->request->args, 0), &state, &token));
    bri_managed *object = bri_managed_find(call->session->server, token.ident);
    brood_value_clear(&state);
    if (object == NULL)
        return bri_fail(BROOD_ENOTFOUND, "there is no such object");
    call->result = bri_exposed_value(object->type);
    return BROOD_OK;
}

static brood_status control_number_of_objects(control_call *call)
{
    call->result = brood_int((int64_t)bri_managed_count(call->session->server));
    return BROOD_OK;
}

static brood_status control_dummy(control_call *call)
{
    (void)call;
    return BROOD_OK;
}

static brood_status control_accept_connection(control_call *call)
{
    const char *name;
    BROOD_TRY(brood_unpack_items(&call->request->args, "s", &name));
    BROOD_TRY(bri_client_enter(call->session, name));
    call->session->is_session = true;
    return BROOD_OK;
}

static brood_status control_shutdown(control_call *call)
{
    bri_session *session = call->session;
    session->closing = false; /* the second of two replies closes */
    bri_session_reply(session, BRI_REPLY_RETURN, brood_none());
    session->server->shut_down = true;
    session->closing = true;
    return BROOD_OK;
}

static brood_status describe_object(bri_managed *object, bri_buffer *out)
{
    brood_value text = {0};
    char line[120];
    int n = snprintf(line, sizeof line, "%s  %s:       refcount=%" PRId64 "\n    ",
                     out->length == 0 ? "" : "\n", object->ident, object->references);
    BROOD_TRY(bri_buffer_append(out, line, (size_t)n));
    BROOD_TRY(bri_describe_object(object, &text));
    const char *shown;
    size_t size;
    brood_status status = brood_get_str(&text, &shown, &size);
    if (status == BROOD_OK) {
        size_t cut = size < 75 ? size : 75;
        while (cut > 0 && cut < size && ((unsigned char)shown[cut] & 0xc0) == 0x80)
            cut--;
        status = bri_buffer_append(out, shown, cut);
    }
    brood_value_clear(&text);
    return status;
}

static int order_of_idents(const void *a, const void *b)
{
    return strcmp((*(bri_managed *const *)a)->ident, (*(bri_managed *const *)b)->ident);
}

static brood_status control_debug_info(control_call *call)
{
    bri_server *server = call->session->server;
    bri_buffer out = {0};
    size_t n = 0;
    brood_status status = BROOD_OK;
    bri_managed **objects = bri_calloc(server->n_used + 1, sizeof(bri_managed *));
    if (objects == NULL)
        return BROOD_ENOMEM;
    for (size_t i = 0; i < server->n_used; i++)
        if (server->slots[i].object != NULL && server->slots[i].object->references > 0)
            objects[n++] = server->slots[i].object;
    qsort(objects, n, sizeof *objects, order_of_idents);
    for (size_t i = 0; i < n && status == BROOD_OK; i++)
        status = describe_object(objects[i], &out);
    if (status == BROOD_OK)
        call->result = brood_str_escaped((const char *)out.data, out.length);
    bri_free(objects);
    bri_buffer_fini(&out);
    return status;
}

/* What this server can do beyond Python's, which does not know the question. */
static brood_status control_features(control_call *call)
{
    call->result = brood_pack("{sisb}", "brood", 1, "references", true);
    return BROOD_OK;
}

static const struct control {
    const char *name;
    control_function *run;
} controls[] = {
    {"dummy", control_dummy},
    {"create", control_create},
    {"incref", control_incref},
    {"decref", control_decref},
    {"get_methods", control_get_methods},
    {"number_of_objects", control_number_of_objects},
    {"debug_info", control_debug_info},
    {"shutdown", control_shutdown},
    {"accept_connection", control_accept_connection},
    {"#FEATURES", control_features},
};

static brood_status run_control(control_call *call)
{
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
        if (strcmp(controls[i].name, call->request->name) == 0)
            return controls[i].run(call);
    return bri_fail(BROOD_ENOTFOUND, "there is no function '%.100s'", call->request->name);
}

/* Failures are always told as text, as CPython does. */
static brood_value failure_text(const control_call *call)
{
    char text[BRI_MESSAGE_SIZE];
    const brood_value *error = &call->error;
    int n = error->kind == BROOD_ERROR
                ? snprintf(text, sizeof text, "%s: %s", brood_error_kind(error),
                           brood_error_message(error))
                : snprintf(text, sizeof text, "%s", brood_last_error()->message);
    size_t size = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    return brood_str_escaped(text, size);
}

void bri_control(bri_session *session, bri_manager_request *request)
{
    control_call call = {.session = session, .request = request, .result = brood_none()};
    if (!session->is_session)
        session->closing = true; /* one request, one reply */
    brood_status status = run_control(&call);
    if (status == BROOD_OK && call.result.kind == BROOD_INVALID)
        status = brood_last_error()->status;
    if (session->is_session)
        session->closing = session->server->shut_down;
    if (status == BROOD_OK) {
        bri_session_reply(session, BRI_REPLY_RETURN, brood_value_take(&call.result));
    } else {
        bri_session_reply(session, BRI_REPLY_TRACEBACK, failure_text(&call));
    }
    brood_value_clear(&call.result);
    brood_value_clear(&call.error);
}
