/* manager/wire.c - see the header. */
#include "manager/wire.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/opaque.h"
#include "data/opcodes.h"
#include "data/writer.h"
#include "ipc/frame.h"

static const char *const reply_names[] = {"#RETURN",    "#ERROR",          "#PROXY",
                                          "#TRACEBACK", "#UNSERIALIZABLE", "?"};

/* ---- frames ---- */

typedef struct frame {
    bri_writer w;
    size_t start; /* of the header in the buffer */
} frame;

/* Leaves room for the short header; a longer one makes room for itself. */
static brood_status begin(frame *f, const bri_pickle_options *options, bri_buffer *out)
{
    static const unsigned char head[] = {0, 0, 0, 0, OP_PROTO, 4};
    f->w = (bri_writer){.out = out, .options = options, .protocol = 4};
    f->start = out->length;
    return bri_buffer_append(out, head, sizeof head);
}

enum { SHORT_HEADER = 4 };

static brood_status end(frame *f)
{
    bri_buffer *out = f->w.out;
    BROOD_TRY(bri_write_op(&f->w, OP_STOP));
    unsigned char header[BRI_FRAME_HEADER];
    size_t body = out->length - f->start - SHORT_HEADER;
    size_t size = bri_frame_header(body, header);
    if (size > SHORT_HEADER) {
        BROOD_TRY(bri_buffer_reserve(out, size - SHORT_HEADER));
        memmove(out->data + f->start + size, out->data + f->start + SHORT_HEADER, body);
        out->length += size - SHORT_HEADER;
    }
    memcpy(out->data + f->start, header, size);
    return BROOD_OK;
}

static brood_status write_reply(frame *f, bri_reply_kind kind, const brood_value *value,
                                const bri_pickle_options *options, bri_buffer *out)
{
    const char *name = reply_names[kind];
    BROOD_TRY(begin(f, options, out));
    BROOD_TRY(bri_write_name(&f->w, name, strlen(name)));
    BROOD_TRY(bri_pickle_write_bare(&f->w, value));
    BROOD_TRY(bri_write_op(&f->w, OP_TUPLE2));
    return end(f);
}

brood_status bri_reply_write(bri_reply_kind kind, const brood_value *value,
                             const bri_pickle_options *options, bri_buffer *out)
{
    frame f;
    size_t before = out->length;
    brood_status status = write_reply(&f, kind, value, options, out);
    if (status != BROOD_OK)
        out->length = before;
    return status;
}

static brood_status write_request(frame *f, const char *ident, const char *name,
                                  const brood_value *args, const brood_value *kwds)
{
    BROOD_TRY(bri_write_op(&f->w, OP_MARK));
    BROOD_TRY(ident == NULL ? bri_write_op(&f->w, OP_NONE)
                            : bri_write_name(&f->w, ident, strlen(ident)));
    BROOD_TRY(bri_write_name(&f->w, name, strlen(name)));
    BROOD_TRY(args == NULL || args->kind == BROOD_INVALID ? bri_write_op(&f->w, OP_EMPTY_TUPLE)
                                                          : bri_pickle_write_bare(&f->w, args));
    BROOD_TRY(kwds == NULL || kwds->kind == BROOD_INVALID ? bri_write_op(&f->w, OP_EMPTY_DICT)
                                                          : bri_pickle_write_bare(&f->w, kwds));
    return bri_write_op(&f->w, OP_TUPLE);
}

brood_status bri_manager_request_write(const char *ident, const char *name, const brood_value *args,
                                       const brood_value *kwds, const bri_pickle_options *options,
                                       bri_buffer *out)
{
    frame f;
    size_t before = out->length;
    brood_status status = begin(&f, options, out);
    if (status == BROOD_OK)
        status = write_request(&f, ident, name, args, kwds);
    if (status == BROOD_OK)
        status = end(&f);
    if (status != BROOD_OK)
        out->length = before;
    return status;
}

/* ---- reading ---- */

static bri_reply_kind kind_of(const brood_value *name)
{
    const char *text;
    if (brood_value_kind(name) == BROOD_STR && brood_get_str(name, &text, NULL) == BROOD_OK)
        for (int i = 0; i < BRI_REPLY_UNKNOWN; i++)
            if (strcmp(text, reply_names[i]) == 0)
                return (bri_reply_kind)i;
    return BRI_REPLY_UNKNOWN;
}

brood_status bri_reply_read(const void *data, size_t size, const bri_pickle_options *options,
                            bri_reply_kind *kind, brood_value *value)
{
    brood_value whole;
    BROOD_TRY(bri_pickle_read(data, size, options, &whole, NULL));
    if (brood_value_kind(&whole) != BROOD_TUPLE || brood_value_length(&whole) != 2) {
        brood_value_clear(&whole);
        return bri_fail(BROOD_EFORMAT, "could not read a manager's reply: it is no pair");
    }
    *kind = kind_of(brood_item(&whole, 0));
    brood_status status = brood_take_item(&whole, 1, value);
    brood_value_clear(&whole);
    return status;
}

static brood_status fail_request(const char *why)
{
    return bri_fail(BROOD_ETYPE, "could not read a request: %s", why);
}

static brood_status open_request(bri_manager_request *request)
{
    brood_value *whole = &request->whole;
    brood_kind kind = brood_value_kind(whole);
    if ((kind != BROOD_TUPLE && kind != BROOD_LIST) || brood_value_length(whole) != 4)
        return fail_request("it is no tuple of four");
    const brood_value *ident = brood_item(whole, 0);
    request->ident = NULL;
    if (brood_value_kind(ident) != BROOD_NONE &&
        brood_get_str(ident, &request->ident, NULL) != BROOD_OK)
        return fail_request("the object's name is no str");
    if (brood_get_str(brood_item(whole, 1), &request->name, NULL) != BROOD_OK)
        return fail_request("the method's name is no str");
    brood_kind args = brood_value_kind(brood_item(whole, 2));
    brood_kind kwds = brood_value_kind(brood_item(whole, 3));
    if ((args != BROOD_TUPLE && args != BROOD_LIST) || kwds != BROOD_DICT)
        return fail_request("the arguments are no tuple and dict");
    BROOD_TRY(brood_take_item(whole, 2, &request->args));
    request->args.kind = BROOD_TUPLE; /* lists and tuples are the same inside */
    return brood_take_item(whole, 3, &request->kwds);
}

brood_status bri_manager_request_read(const void *data, size_t size,
                                      const bri_pickle_options *options,
                                      bri_manager_request *request)
{
    brood_value whole;
    BROOD_TRY(bri_pickle_read(data, size, options, &whole, NULL));
    return bri_manager_request_open(whole, request);
}

brood_status bri_manager_request_open(brood_value whole, bri_manager_request *request)
{
    *request = (bri_manager_request){.whole = whole};
    brood_status status = open_request(request);
    if (status != BROOD_OK)
        bri_manager_request_clear(request);
    return status;
}

void bri_manager_request_clear(bri_manager_request *request)
{
    brood_value_clear(&request->args);
    brood_value_clear(&request->kwds);
    brood_value_clear(&request->whole);
}

/* ---- tokens and proxies ---- */

/* (typeid, address, ident) */
static brood_value token_state(const bri_token *token)
{
    brood_value address;
    if (brood_value_copy(token->address, &address) != BROOD_OK)
        address = bri_invalid(BROOD_ENOMEM);
    return brood_pack("(svs)", token->typeid, address, token->ident);
}

brood_value bri_token_value(const bri_token *token)
{
    return bri_opaque_new(BRI_MANAGERS_MODULE, "Token", token_state(token));
}

brood_status bri_token_open(const brood_value *opaque, brood_value *state, bri_token *token)
{
    bri_opaque_parts parts;
    if (!bri_opaque_is(opaque, BRI_MANAGERS_MODULE, "Token"))
        return bri_fail(BROOD_ETYPE, "could not read a token: it is none");
    BROOD_TRY(bri_opaque_open(opaque, &parts));
    brood_value found = brood_value_take(&parts.state);
    bri_opaque_close(&parts);
    brood_status status =
        found.kind == BROOD_TUPLE
            ? brood_unpack(&found, "(svs)", &token->typeid, &token->address, &token->ident)
            : bri_fail(BROOD_ETYPE, "could not read a token: it is empty");
    if (status == BROOD_OK)
        *state = found;
    else
        brood_value_clear(&found);
    return status;
}

static brood_value names_value(const char *const *names, size_t n)
{
    brood_value tuple = brood_tuple(n);
    for (size_t i = 0; i < n && tuple.kind == BROOD_TUPLE; i++) {
        brood_status status = brood_set_item(&tuple, i, brood_str(names[i]));
        if (status != BROOD_OK) {
            brood_value_clear(&tuple);
            return bri_invalid(status);
        }
    }
    return tuple;
}

/* {} or {'exposed': (names)} */
static brood_value keywords_of(const bri_proxy_form *form)
{
    if (form->proxy != NULL || form->exposed == NULL)
        return brood_dict();
    return brood_pack("{sv}", "exposed", names_value(form->exposed, form->n_exposed));
}

/* RebuildProxy(proxy class, Token, 'pickle', keywords) */
static brood_status write_proxy(bri_writer *w, const bri_proxy_form *form, const brood_value *state,
                                const brood_value *keywords)
{
    static const unsigned char new_object[] = {OP_EMPTY_TUPLE, OP_NEWOBJ};
    static const char module[] = BRI_MANAGERS_MODULE;
    const char *proxy = form->proxy == NULL ? "AutoProxy" : form->proxy;
    BROOD_TRY(bri_write_global(w, module, sizeof module - 1, "RebuildProxy"));
    BROOD_TRY(bri_write_op(w, OP_MARK));
    BROOD_TRY(bri_write_global(w, module, sizeof module - 1, proxy));
    BROOD_TRY(bri_write_global(w, module, sizeof module - 1, "Token"));
    BROOD_TRY(bri_buffer_append(w->out, new_object, sizeof new_object));
    BROOD_TRY(bri_pickle_write_bare(w, state));
    BROOD_TRY(bri_write_op(w, OP_BUILD));
    BROOD_TRY(bri_write_name(w, "pickle", 6));
    BROOD_TRY(bri_pickle_write_bare(w, keywords));
    BROOD_TRY(bri_write_op(w, OP_TUPLE));
    return bri_write_op(w, OP_REDUCE);
}

brood_status bri_proxy_write(const bri_proxy_form *form, bri_buffer *out)
{
    static const bri_pickle_options options;
    bri_writer w = {.out = out, .options = &options, .protocol = 4};
    brood_value state = token_state(&form->token);
    brood_value keywords = keywords_of(form);
    brood_status status = write_proxy(&w, form, &state, &keywords);
    brood_value_clear(&state);
    brood_value_clear(&keywords);
    return status;
}

const char *bri_proxy_class(const char *typeid)
{
    static const char *const classes[][2] = {
        {"list", "ListProxy"},           {"dict", "DictProxy"},
        {"Namespace", "NamespaceProxy"}, {"Lock", "AcquirerProxy"},
        {"RLock", "AcquirerProxy"},      {"Semaphore", "AcquirerProxy"},
        {"Condition", "ConditionProxy"}, {"BoundedSemaphore", "AcquirerProxy"},
        {"Event", "EventProxy"},         {"Barrier", "BarrierProxy"},
        {"Value", "ValueProxy"},         {"Array", "ArrayProxy"},
        {"Pool", "PoolProxy"},           {"Iterator", "IteratorProxy"},
    };
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i][0], typeid) == 0)
            return classes[i][1];
    return NULL;
}
