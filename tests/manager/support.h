/* support.h - a server in a thread of the test, and clients of it. */
#ifndef MANAGER_SUPPORT_H
#define MANAGER_SUPPORT_H

#include "harness.h"

#include "base/error.h"
#include "core/thread.h"
#include "manager/proxy.h"
#include "manager/server.h"

typedef struct rig {
    brood_manager_server *server;
    bri_thread *thread;
    brood_status end; /* of the loop */
} rig;

static inline void serve(void *context)
{
    rig *r = context;
    r->end = brood_manager_serve_forever(r->server);
}

static inline brood_status connect_rig(rig *r, brood_connection **connection)
{
    return brood_connect(connection, brood_manager_server_address(r->server),
                         &(brood_connect_options){.authkey = "key", .authkey_size = 3}, 10000);
}

static inline void rig_open_with(rig *r, brood_manager_options options)
{
    *r = (rig){0};
    options.authkey = "key";
    options.authkey_size = 3;
    bt_ok(brood_manager_get_server(&r->server, &options));
    bt_ok(bri_thread_start(&r->thread, serve, r));
}

static inline void rig_open(rig *r)
{
    rig_open_with(r, (brood_manager_options){0});
}

static inline void rig_close(rig *r)
{
    brood_manager_server_stop(r->server);
    bri_thread_join(r->thread);
    bt_ok(r->end);
    brood_manager_server_close(r->server);
}

static inline brood_manager *rig_client(rig *r)
{
    brood_manager *manager;
    bt_ok(brood_manager_connect(&manager, brood_manager_server_address(r->server),
                                &(brood_manager_options){.authkey = "key", .authkey_size = 3}));
    return manager;
}

static inline brood_proxy *make(brood_manager *manager, const char *typeid, brood_value args)
{
    brood_proxy *proxy;
    bt_ok(brood_manager_object(manager, typeid, args, &proxy));
    return proxy;
}

/* Calls and compares the result with the repr. */
#define expect(proxy, method, args, repr) \
    expect_at((proxy), (method), (args), (repr), __FILE__, __LINE__)
static inline void expect_at(brood_proxy *proxy, const char *method, brood_value args,
                             const char *repr, const char *file, int line)
{
    brood_value result = {0};
    char *text;
    bt_expect_status(brood_proxy_call(proxy, method, args, &result), BROOD_OK, method, file, line);
    bt_ok(brood_value_repr(&result, &text));
    if (strcmp(text, repr) != 0)
        print_error("%s:%d: %s gave %s, not %s\n", file, line, method, text, repr);
    assert_string_equal(text, repr);
    brood_free(text);
    brood_value_clear(&result);
}

/* Calls and expects an exception. */
#define expect_raise(proxy, method, args, kind, message) \
    expect_raise_at((proxy), (method), (args), (kind), (message), __FILE__, __LINE__)
static inline void expect_raise_at(brood_proxy *proxy, const char *method, brood_value args,
                                   const char *kind, const char *message, const char *file,
                                   int line)
{
    const brood_value *error;
    brood_status status = brood_proxy_call(proxy, method, args, NULL);
    if (status == BROOD_OK)
        print_error("%s:%d: %s raised nothing\n", file, line, method);
    assert_int_not_equal(status, BROOD_OK);
    bt_ok(brood_manager_failure(brood_proxy_manager(proxy), &error));
    if (strcmp(brood_error_kind(error), kind) != 0)
        print_error("%s:%d: %s raised %s: %s\n", file, line, method, brood_error_kind(error),
                    brood_error_message(error));
    assert_string_equal(brood_error_kind(error), kind);
    if (message != NULL)
        assert_string_equal(brood_error_message(error), message);
}

#define NONE      \
    (brood_value) \
    {             \
        0         \
    }

#endif /* MANAGER_SUPPORT_H */
