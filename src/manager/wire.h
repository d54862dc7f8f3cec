/*
 * manager/wire.h - requests, replies and tokens as CPython's managers.py writes them.
 *
 * A request is the pickled tuple (ident, name, args, kwds), a reply the tuple (kind, value).
 */
#ifndef BRI_MANAGER_WIRE_H
#define BRI_MANAGER_WIRE_H

#include "base/buffer.h"
#include "data/pickle.h"

typedef enum bri_reply_kind {
    BRI_REPLY_RETURN,
    BRI_REPLY_ERROR, /* the method raised this exception */
    BRI_REPLY_PROXY, /* (exposed names, token) of a new object */
    BRI_REPLY_TRACEBACK,
    BRI_REPLY_UNSERIALIZABLE,
    BRI_REPLY_UNKNOWN
} bri_reply_kind;

/* Appends a reply as a frame. The value is borrowed. On failure `out` is as before. */
brood_status bri_reply_write(bri_reply_kind kind, const brood_value *value,
                             const bri_pickle_options *options, bri_buffer *out);

/* Appends a request as a frame. `ident` NULL is none; args and kwds are borrowed, invalid ones are
 * empty. */
brood_status bri_manager_request_write(const char *ident, const char *name, const brood_value *args,
                                       const brood_value *kwds, const bri_pickle_options *options,
                                       bri_buffer *out);

/* Reads a reply; the value is the caller's. */
brood_status bri_reply_read(const void *data, size_t size, const bri_pickle_options *options,
                            bri_reply_kind *kind, brood_value *value);

/* A request taken apart: it owns args (a tuple) and kwds (a dict or invalid), the rest is borrowed
 * from `whole`. */
typedef struct bri_manager_request {
    brood_value whole;
    const char *ident; /* NULL: none */
    const char *name;
    brood_value args;
    brood_value kwds;
} bri_manager_request;

/* BROOD_ETYPE for what is no request. On failure nothing is kept. */
brood_status bri_manager_request_read(const void *data, size_t size,
                                      const bri_pickle_options *options,
                                      bri_manager_request *request);
/* The same of a value that was read, which is moved in, also on failure. */
brood_status bri_manager_request_open(brood_value whole, bri_manager_request *request);
void bri_manager_request_clear(bri_manager_request *request);

/* ---- tokens and proxies ---- */

#define BRI_MANAGERS_MODULE "multiprocessing.managers"

/* What names an object of a server: all borrowed. */
typedef struct bri_token {
    const char *typeid;
    const brood_value *address; /* a str, bytes, or (host, port) */
    const char *ident;
} bri_token;

/* The Token as a value, an opaque. Invalid on failure. */
brood_value bri_token_value(const bri_token *token);

/* A token's state (typeid, address, ident) as a value that owns it: a tuple. BROOD_ETYPE for what
 * is no token. */
brood_status bri_token_open(const brood_value *opaque, brood_value *state, bri_token *token);

/* A proxy as it stands in values: what RebuildProxy is called with. */
typedef struct bri_proxy_form {
    const char *proxy; /* the class in multiprocessing.managers; NULL: AutoProxy */
    bri_token token;
    const char *const *exposed; /* of an AutoProxy; may be NULL */
    size_t n_exposed;
} bri_proxy_form;

/* Appends the instructions that make the proxy at the other end. */
brood_status bri_proxy_write(const bri_proxy_form *form, bri_buffer *out);

/* The name of the proxy class that CPython registers for a type; NULL: AutoProxy. */
const char *bri_proxy_class(const char *typeid);

#endif /* BRI_MANAGER_WIRE_H */
