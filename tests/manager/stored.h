/* stored.h - a server whose objects may contain so much, and how much still fits into them. */
#ifndef MANAGER_STORED_H
#define MANAGER_STORED_H

#include <brood/proxy.h>

#include "support.h"

#include "data/opaque.h"

enum { LIMIT = 100000 };

static inline brood_value text(size_t size)
{
    static char filling[LIMIT];
    if (filling[0] == '\0')
        memset(filling, 'x', sizeof filling);
    return brood_str_n(filling, size);
}

typedef struct stage {
    rig r;
    brood_manager *manager;
    brood_proxy *probe; /* an empty list */
    size_t free;        /* what fits into it */
} stage;

/* The longest text that can be appended. */
static inline size_t room(brood_proxy *probe)
{
    size_t fits = 0, fails = LIMIT;
    while (fails - fits > 1) {
        size_t size = fits + (fails - fits) / 2;
        if (brood_proxy_append(probe, text(size)) == BROOD_OK) {
            bt_ok(brood_proxy_call(probe, "pop", NONE, NULL));
            fits = size;
        } else {
            fails = size;
        }
    }
    return fits;
}

static inline void open_stage(stage *s, brood_manager_options options)
{
    rig_open_with(&s->r, options);
    s->manager = rig_client(&s->r);
    s->probe = make(s->manager, "list", NONE);
    s->free = room(s->probe);
}

static inline void close_stage(stage *s)
{
    brood_proxy_close(s->probe);
    brood_manager_close(s->manager);
    rig_close(&s->r);
}

static inline void expect_all_back(stage *s, const char *what)
{
    size_t now = room(s->probe);
    if (now != s->free)
        print_error("%s: there is room for %zu instead of %zu\n", what, now, s->free);
    assert_int_equal(now, s->free);
}

/* What the object is, as text. */
static inline char *repr_of(brood_proxy *proxy)
{
    brood_value result;
    char *shown;
    bt_ok(brood_proxy_call(proxy, "__repr__", NONE, &result));
    bt_ok(brood_value_repr(&result, &shown));
    brood_value_clear(&result);
    return shown;
}

static inline void refused(brood_proxy *proxy, const char *method, brood_value args)
{
    const brood_value *error;
    char *before = repr_of(proxy);
    bt_expect_status(brood_proxy_call(proxy, method, args, NULL), BROOD_ELIMIT, method, __FILE__,
                     __LINE__);
    bt_message_has("MemoryError: there is no room for ");
    bt_ok(brood_manager_failure(brood_proxy_manager(proxy), &error));
    assert_string_equal(brood_error_kind(error), "MemoryError");
    char *after = repr_of(proxy);
    assert_string_equal(after, before);
    brood_free(before);
    brood_free(after);
}

static inline brood_value slice(int64_t start, int64_t stop, int64_t step)
{
    return bri_opaque_call("builtins", "slice", brood_pack("(iii)", start, stop, step));
}

#endif /* MANAGER_STORED_H */
