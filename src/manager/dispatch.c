/* manager/dispatch.c - one request: the object, its method, the arguments, the answer. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/text.h"
#include "manager/session.h"
#include "platform/clock.h"
#include "proc/call.h"

/* ---- errors ---- */

brood_value bri_error_of_status(brood_status status)
{
    return brood_error_value(bri_status_exception(status), brood_status_message(status));
}

brood_status bri_raise_value(bri_invocation *call, brood_value error)
{
    brood_value_clear(&call->error);
    call->error = error;
    return BROOD_ETASK;
}

brood_status bri_raise(bri_invocation *call, const char *kind, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return bri_raise_value(call, brood_error_value(kind, text[0] == '\0' ? NULL : text));
}

/* ---- arguments ---- */

static brood_status take_keyword(bri_invocation *call, const char *const *names, size_t n_names,
                                 const brood_value *key, const brood_value *item,
                                 const brood_value **out)
{
    const char *text;
    const char *name = call->method == NULL ? "create" : call->method->name;
    if (brood_get_str(key, &text, NULL) != BROOD_OK)
        return bri_raise(call, "TypeError", "keywords must be strings");
    for (size_t i = 0; i < n_names; i++) {
        if (strcmp(names[i], text) != 0)
            continue;
        if (out[i] != NULL)
            return bri_raise(call, "TypeError", "%s() got multiple values for argument '%s'", name,
                             text);
        out[i] = item;
        return BROOD_OK;
    }
    return bri_raise(call, "TypeError", "%s() got an unexpected keyword argument '%.100s'", name,
                     text);
}

brood_status bri_take_arguments(bri_invocation *call, const char *const *names, size_t n_names,
                                size_t n_required, const brood_value **out)
{
    size_t n = brood_value_length(&call->args);
    const char *name = call->method == NULL ? "create" : call->method->name;
    if (n > n_names)
        return bri_raise(call, "TypeError", "%s() takes at most %zu arguments (%zu given)", name,
                         n_names, n);
    for (size_t i = 0; i < n_names; i++)
        out[i] = brood_item(&call->args, i);
    const brood_value *key, *item;
    if (call->kwds.kind == BROOD_DICT)
        for (size_t at = 0; brood_dict_next(&call->kwds, &at, &key, &item);)
            BROOD_TRY(take_keyword(call, names, n_names, key, item, out));
    for (size_t i = 0; i < n_required; i++)
        if (out[i] == NULL)
            return bri_raise(call, "TypeError", "%s() missing required argument: '%s'", name,
                             names[i]);
    return BROOD_OK;
}

brood_value bri_move_argument(const brood_value *value)
{
    /* The call owns its arguments; it only sees them as constant while they are looked at. */
    return brood_value_take((brood_value *)(uintptr_t)value);
}

brood_status bri_timeout_argument(bri_invocation *call, const brood_value *value,
                                  bri_deadline *deadline)
{
    double seconds;
    *deadline = BRI_NEVER;
    if (value == NULL || brood_value_kind(value) == BROOD_NONE)
        return BROOD_OK;
    if (brood_get_float(value, &seconds) != BROOD_OK)
        return bri_raise(call, "TypeError", "a time-out must be a number or None");
    if (!(seconds < 9e9)) /* nan as well: for ever */
        return BROOD_OK;
    double nanoseconds = seconds <= 0 ? 0 : seconds * 1e9;
    *deadline = brp_clock_now() + (int64_t)nanoseconds;
    return BROOD_OK;
}

/* ---- methods ---- */

const bri_method *bri_method_find(const bri_managed_type *type, const char *name)
{
    for (size_t i = 0; i < type->n_methods; i++)
        if (strcmp(type->methods[i].name, name) == 0)
            return &type->methods[i];
    return NULL;
}

brood_status bri_invoke(bri_invocation *call)
{
    call->state = call->object->state;
    call->holder = call->object;
    if (call->object->type->content != NULL)
        call->target = call->object->type->content(call->object);
    return call->method->run(call);
}

static void clear_call(bri_invocation *call)
{
    brood_value_clear(&call->args);
    brood_value_clear(&call->kwds);
    brood_value_clear(&call->result);
    brood_value_clear(&call->error);
}

/* The result becomes an object of its own: (exposed, token). */
static brood_status make_proxy(bri_invocation *call, brood_value *answer)
{
    const bri_managed_type *type = call->made_type != NULL
                                       ? call->made_type
                                       : bri_type_find(call->server, call->method->typeid);
    bri_managed *object;
    BROOD_TRY(bri_managed_add(call->server, type, call->made, &object));
    brood_status status = bri_account_for(call, object);
    if (status == BROOD_OK)
        status = bri_take_reference(call->session, object);
    if (status != BROOD_OK) {
        bri_managed_suspect(object);
        return status;
    }
    *answer = brood_pack("(vv)", bri_exposed_value(type), bri_managed_token(call->session, object));
    return answer->kind == BROOD_TUPLE ? BROOD_OK : brood_last_error()->status;
}

/* Answers a call that has ended (not parked), and clears it. */
static void finish_call(bri_invocation *call, brood_status status)
{
    bri_session *session = call->session;
    if (status == BROOD_OK && call->parked) {
        clear_call(call);
        return;
    }
    if (status == BROOD_OK && call->method->typeid != NULL) {
        brood_value answer;
        status = make_proxy(call, &answer);
        if (status == BROOD_OK)
            bri_session_reply(session, BRI_REPLY_PROXY, answer);
    } else if (status == BROOD_OK) {
        brood_value result = brood_value_take(&call->result);
        bri_session_reply(session, BRI_REPLY_RETURN,
                          result.kind == BROOD_INVALID ? brood_none() : result);
    }
    if (status != BROOD_OK) {
        brood_value error = call->error.kind == BROOD_ERROR ? brood_value_take(&call->error)
                                                            : bri_error_of_status(status);
        bri_session_reply(session, BRI_REPLY_ERROR, error);
    }
    clear_call(call);
}

/* ---- the three that always work ---- */

brood_status bri_describe_object(bri_managed *object, brood_value *text)
{
    bri_buffer out = {0};
    brood_status status;
    if (object->type->repr != NULL) {
        status = object->type->repr(object, &out);
    } else if (object->type->content != NULL) {
        status = bri_repr(object->type->content(object), 0, &out);
    } else {
        char plain[200];
        int n =
            snprintf(plain, sizeof plain, "<%s object %s>", object->type->typeid, object->ident);
        status = bri_buffer_append(&out, plain, (size_t)n);
    }
    if (status == BROOD_OK)
        *text = brood_str_escaped((const char *)out.data, out.length);
    bri_buffer_fini(&out);
    return status;
}

/* True: the name is one of those, and the reply was sent. */
static bool answer_fallback(bri_session *session, bri_managed *object, const char *name)
{
    brood_value value = brood_none();
    brood_status status;
    if (strcmp(name, "__str__") == 0 || strcmp(name, "__repr__") == 0) {
        status = bri_describe_object(object, &value);
    } else if (strcmp(name, "#GETVALUE") == 0) {
        if (object->type->value == NULL) {
            bri_session_reply(session, BRI_REPLY_UNSERIALIZABLE,
                              brood_str("the object cannot be pickled"));
            return true;
        }
        status = object->type->value(object, &value);
    } else {
        return false;
    }
    if (status == BROOD_OK)
        bri_session_reply(session, BRI_REPLY_RETURN, value);
    else
        bri_session_reply(session, BRI_REPLY_TRACEBACK, brood_str(brood_last_error()->message));
    return true;
}

/* ---- requests ---- */

static void reply_traceback(bri_session *session, const char *format, ...) BROOD_PRINTF(2, 3);
static void reply_traceback(bri_session *session, const char *format, ...)
{
    char text[BRI_MESSAGE_SIZE + 200];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t size = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    bri_session_reply(session, BRI_REPLY_TRACEBACK, brood_str_escaped(text, size));
}

static void call_method(bri_session *session, bri_manager_request *request)
{
    bri_server *server = session->server;
    bri_managed *object = bri_managed_find(server, request->ident);
    if (object == NULL) {
        reply_traceback(session, "KeyError: there is no object '%.100s'", request->ident);
        return;
    }
    const bri_method *method = bri_method_find(object->type, request->name);
    if (method == NULL && answer_fallback(session, object, request->name))
        return;
    if (method == NULL && request->name[0] == '#')
        method = bri_extra_method(request->name);
    if (method == NULL) {
        reply_traceback(session, "AttributeError: method '%.100s' of '%s' object is not exposed",
                        request->name, object->type->typeid);
        return;
    }
    bri_invocation call = {.server = server,
                           .session = session,
                           .object = object,
                           .method = method,
                           .args = brood_value_take(&request->args),
                           .kwds = brood_value_take(&request->kwds)};
    bri_managed_pin(object);
    finish_call(&call, bri_invoke(&call));
    bri_managed_unpin(object);
}

/* A pickle of 300 bytes can say that 2^40 items are in it, by naming the same list again and again.
 * What a request becomes has to be in proportion to what came, or the loop would be busy with it,
 * and the memory full. */
static brood_pickle_limits limits_of(size_t size)
{
    static const size_t room = (size_t)32 << 20, most = (size_t)1 << 30;
    enum { NODES = 1 << 20, NODES_A_BYTE = 8, BYTES_A_BYTE = 256 };
    brood_pickle_limits limits = {.max_nodes = NODES + NODES_A_BYTE * (size < most ? size : most),
                                  .max_bytes = most};
    if (size < (most - room) / BYTES_A_BYTE)
        limits.max_bytes = room + BYTES_A_BYTE * size;
    if (size > most / NODES_A_BYTE) /* one long text, most likely */
        limits.max_bytes = NODES_A_BYTE * size;
    return limits;
}

void bri_dispatch(bri_session *session, const void *data, size_t size)
{
    bri_pickle_options options = bri_reading_options(session);
    options.limits = limits_of(size);
    bri_manager_request request;
    brood_status status = bri_manager_request_read(data, size, &options, &request);
    if (status != BROOD_OK) {
        if (!session->is_session)
            session->closing = true;
        reply_traceback(session, "%s: %s", bri_status_exception(status),
                        brood_last_error()->message);
        return;
    }
    if (request.ident == NULL)
        bri_control(session, &request);
    else if (session->is_session)
        call_method(session, &request);
    else
        reply_traceback(session, "a connection begins with accept_connection");
    bri_manager_request_clear(&request);
}
