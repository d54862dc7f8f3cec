/*
 * manager/extras.c - what a brood server can do beyond Python's: atomic changes, several calls in
 * one request, calls on what is nested inside an object.
 *
 * The methods are called like others, by names that begin with '#', on any object; Python's proxies
 * reach them by _callmethod.
 *
 *   #INCR(by, *path)                 adds to the number at the path, and gives the sum; a missing
 *                                    key of a dict counts as 0
 *   #CAS(expected, new, *path)       sets the place if it equals `expected`; whether it did
 *   #SET(value, *path), #GET(*path), #DEL(*path)
 *   #AT(path, method, args, kwds)    calls a list's, dict's or set's method on what is at the path
 *   #BATCH([(ident, method, args, kwds), ...])  all calls in a row, nothing in between:
 *                                    [(kind, value), ...]; it ends with the first that fails
 *
 * A path is a row of keys and indices that leads into containers within containers; where it comes
 * to another object of the server it goes on inside of that. An empty path is the object's own
 * value.
 */
#include <string.h>

#include "base/error.h"
#include "data/heap.h"
#include "data/weight.h"
#include "manager/sequence.h"
#include "manager/session.h"

/* ---- paths ---- */

/* The container of an object of this server, to be changed, and the object is its holder; NULL for
 * others. */
static brood_value *inside(bri_invocation *call, const brood_value *value)
{
    bri_managed *managed = bri_managed_in(value);
    if (managed == NULL || managed->type->content == NULL)
        return NULL;
    call->holder = managed;
    return managed->type->content(managed);
}

/* One step: what is at the key or index. NULL: nothing, and an error is raised unless it is a
 * dict's missing key and `missing` is given, which is then set. */
static brood_value *step(bri_invocation *call, brood_value *from, const brood_value *key,
                         bool *missing)
{
    bri_place place;
    const brood_value *found = NULL;
    brood_kind kind = brood_value_kind(from);
    if (kind == BROOD_DICT) {
        found = brood_dict_get(from, key);
        if (found == NULL && missing != NULL && bri_check_key(call, key) == BROOD_OK) {
            *missing = true;
            return NULL;
        }
        if (found == NULL) {
            brood_value copy;
            if (brood_value_copy(key, &copy) == BROOD_OK)
                bri_raise_value(call, brood_error_from("KeyError", brood_pack("(v)", copy)));
        }
    } else if (kind == BROOD_LIST || kind == BROOD_TUPLE) {
        if (bri_find_place(call, key, brood_value_length(from), brood_kind_name(kind), &place) ==
            BROOD_OK) {
            if (place.is_slice)
                bri_raise(call, "TypeError", "a slice cannot be part of a path");
            else
                found = brood_item(from, place.index);
        }
    } else {
        bri_raise(call, "TypeError", "'%s' object is no container to look into",
                  bri_type_name(from));
    }
    return (brood_value *)(uintptr_t)found; /* the containers are the server's own */
}

/* Goes along the path, all but its last `keep` steps. NULL: an error is raised. */
static brood_value *walk(bri_invocation *call, const brood_value *path, size_t first, size_t keep)
{
    enum { MOST_STEPS = 64 };
    brood_value *at = call->target;
    size_t n = brood_value_length(path);
    /* What is put into a nested container is not known to those around it, so their bounds of
     * depth say too little: the number of steps keeps the true depth below BROOD_MAX_DEPTH. */
    if (n > first + MOST_STEPS) {
        bri_raise(call, "ValueError", "a path has at most %d steps", MOST_STEPS);
        return NULL;
    }
    if (at != NULL && call->object->type == &bri_value_type)
        at = (brood_value *)(uintptr_t)brood_item(at, 1); /* the content is a pair */
    if (at == NULL) {
        bri_raise(call, "TypeError", "'%s' object has no value to look into",
                  call->object->type->typeid);
        return NULL;
    }
    for (size_t i = first; i + keep < n; i++) {
        at = step(call, at, brood_item(path, i), NULL);
        if (at == NULL)
            return NULL;
        brood_value *deeper = inside(call, at);
        at = deeper == NULL ? at : deeper;
    }
    return at;
}

/* The place that a path with at least one step names. */
typedef struct spot {
    brood_value *container; /* what is to be changed; a path without steps: the value itself */
    const brood_value *key; /* NULL: without steps */
    brood_value *item;      /* what is there; NULL: a dict's missing key */
} spot;

static brood_status find_spot(bri_invocation *call, size_t first, spot *found)
{
    size_t n = brood_value_length(&call->args);
    bool missing = false;
    bool bare = n <= first;
    *found = (spot){0};
    found->container = walk(call, &call->args, first, bare ? 0 : 1);
    if (found->container == NULL)
        return BROOD_ETASK;
    if (bare) {
        found->item = found->container;
        return BROOD_OK;
    }
    found->key = brood_item(&call->args, n - 1);
    found->item = step(call, found->container, found->key, &missing);
    return found->item == NULL && !missing ? BROOD_ETASK : BROOD_OK;
}

/* A container that keeps its kind: the value of a list stays a list. */
static brood_status check_whole(bri_invocation *call, const spot *at, const brood_value *value)
{
    if (at->key != NULL || call->object->type == &bri_value_type ||
        brood_value_kind(value) == brood_value_kind(at->item))
        return BROOD_OK;
    return bri_raise(call, "TypeError", "a %s cannot become a %s", call->object->type->typeid,
                     bri_type_name(value));
}

/* Puts a value, which is moved in, in the place. */
static brood_status set_spot(bri_invocation *call, const spot *at, brood_value value)
{
    bri_place place;
    brood_status status = check_whole(call, at, &value);
    if (status == BROOD_OK && at->key != NULL && brood_value_kind(at->container) == BROOD_TUPLE)
        status = bri_raise(call, "TypeError", "a tuple cannot be changed");
    if (status == BROOD_OK && at->key == NULL) {
        if (call->object->type == &bri_value_type)
            return bri_in_set_item(call, call->target, 1, value);
        return bri_in_replace(call, at->item, value);
    }
    if (status == BROOD_OK && brood_value_kind(at->container) == BROOD_DICT) {
        brood_value key;
        status = brood_value_copy(at->key, &key);
        if (status == BROOD_OK)
            return bri_in_dict_put(call, at->container, key, value);
    } else if (status == BROOD_OK) {
        status = bri_find_place(call, at->key, brood_value_length(at->container), "list", &place);
        if (status == BROOD_OK)
            return bri_in_set_item(call, at->container, place.index, value);
    }
    brood_value_clear(&value);
    return status;
}

/* ---- one place ---- */

/* The sum of two numbers. */
static brood_status add(bri_invocation *call, const brood_value *a, const brood_value *b,
                        brood_value *sum)
{
    int64_t x, y;
    double p, q;
    brood_kind ka = brood_value_kind(a), kb = brood_value_kind(b);
    if (ka == BROOD_FLOAT || kb == BROOD_FLOAT) {
        if (brood_get_float(a, &p) != BROOD_OK || brood_get_float(b, &q) != BROOD_OK)
            return bri_raise(call, "TypeError", "can only add numbers, not '%s' and '%s'",
                             bri_type_name(a), bri_type_name(b));
        *sum = brood_float(p + q);
        return BROOD_OK;
    }
    if (ka == BROOD_BIGINT || kb == BROOD_BIGINT)
        return bri_raise(call, "OverflowError", "the sum is too large");
    if (brood_get_int(a, &x) != BROOD_OK || brood_get_int(b, &y) != BROOD_OK)
        return bri_raise(call, "TypeError", "can only add numbers, not '%s' and '%s'",
                         bri_type_name(a), bri_type_name(b));
    if ((y > 0 && x > INT64_MAX - y) || (y < 0 && x < INT64_MIN - y))
        return bri_raise(call, "OverflowError", "the sum is too large");
    *sum = brood_int(x + y);
    return BROOD_OK;
}

static brood_status check_count(bri_invocation *call, size_t least)
{
    size_t n = brood_value_length(&call->args);
    if (n >= least)
        return BROOD_OK;
    return bri_raise(call, "TypeError", "%s() takes at least %zu arguments (%zu given)",
                     call->method->name, least, n);
}

static brood_status extra_incr(bri_invocation *call)
{
    static const brood_value zero = {.kind = BROOD_INT};
    spot at;
    brood_value sum;
    BROOD_TRY(check_count(call, 1));
    BROOD_TRY(find_spot(call, 1, &at));
    BROOD_TRY(add(call, at.item == NULL ? &zero : at.item, brood_item(&call->args, 0), &sum));
    BROOD_TRY(set_spot(call, &at, sum));
    return bri_return(call, sum);
}

static brood_status extra_cas(bri_invocation *call)
{
    spot at;
    brood_value value;
    BROOD_TRY(check_count(call, 2));
    BROOD_TRY(find_spot(call, 2, &at));
    /* None stands for a missing key too: so a key can be put if nobody has. */
    const brood_value *expected = brood_item(&call->args, 0);
    bool equal = at.item == NULL ? brood_value_kind(expected) == BROOD_NONE
                                 : brood_value_equal(at.item, expected);
    if (!equal)
        return bri_return(call, brood_bool(false));
    BROOD_TRY(brood_take_item(&call->args, 1, &value));
    BROOD_TRY(set_spot(call, &at, value));
    return bri_return(call, brood_bool(true));
}

static brood_status extra_set(bri_invocation *call)
{
    spot at;
    brood_value value;
    BROOD_TRY(check_count(call, 1));
    BROOD_TRY(find_spot(call, 1, &at));
    BROOD_TRY(brood_take_item(&call->args, 0, &value));
    return set_spot(call, &at, value);
}

static brood_status extra_get(bri_invocation *call)
{
    brood_value *at = walk(call, &call->args, 0, 0);
    return at == NULL ? BROOD_ETASK : bri_return_copy(call, at);
}

static brood_status extra_del(bri_invocation *call)
{
    spot at;
    bri_place place;
    BROOD_TRY(check_count(call, 1));
    BROOD_TRY(find_spot(call, 0, &at));
    if (at.item == NULL || brood_value_kind(at.container) == BROOD_TUPLE)
        return bri_raise(call, at.item == NULL ? "KeyError" : "TypeError",
                         "there is nothing to delete");
    if (brood_value_kind(at.container) == BROOD_DICT) {
        bri_in_take(call, at.container, at.key, NULL);
        return BROOD_OK;
    }
    BROOD_TRY(bri_find_place(call, at.key, brood_value_length(at.container), "list", &place));
    return bri_in_splice(call, at.container, place.index, place.index + 1, (brood_value){0});
}

/* ---- methods of what is nested ---- */

/* The methods of a plain container; NULL for others. */
static const bri_managed_type *type_of_kind(brood_kind kind)
{
    return kind == BROOD_LIST   ? &bri_list_type
           : kind == BROOD_DICT ? &bri_dict_type
           : kind == BROOD_SET  ? &bri_set_type
                                : NULL;
}

static brood_status extra_at(bri_invocation *call)
{
    const brood_value *path, *args = NULL, *kwds = NULL;
    const char *name;
    if (brood_unpack(&call->args, "(vs|vv)", &path, &name, &args, &kwds) != BROOD_OK ||
        !bri_is_array(path))
        return bri_raise(call, "TypeError", "#AT takes a path, a method, arguments and keywords");
    brood_value *target = walk(call, path, 0, 0);
    if (target == NULL)
        return BROOD_ETASK;
    const bri_managed_type *type = type_of_kind(brood_value_kind(target));
    const bri_method *method = type == NULL ? NULL : bri_method_find(type, name);
    if (method == NULL || method->typeid != NULL)
        return bri_raise(call, "AttributeError", "'%s' object has no method '%.100s' here",
                         bri_type_name(target), name);
    bri_invocation inner = *call;
    inner.target = target;
    inner.method = method;
    inner.result = inner.error = (brood_value){0};
    inner.args = args == NULL ? brood_tuple(0) : bri_move_argument(args);
    inner.kwds = kwds == NULL ? brood_dict() : bri_move_argument(kwds);
    inner.args.kind = inner.args.kind == BROOD_LIST ? BROOD_TUPLE : inner.args.kind;
    brood_status status =
        inner.args.kind == BROOD_TUPLE && inner.kwds.kind == BROOD_DICT
            ? method->run(&inner)
            : bri_raise(&inner, "TypeError", "arguments must be a tuple and a dict");
    brood_value_clear(&inner.args);
    brood_value_clear(&inner.kwds);
    call->result = inner.result;
    call->error = inner.error;
    return status;
}

/* ---- several calls ---- */

/* One of them; its answer goes into the list. False: it failed, and the others are not done. */
static brood_status batch_one(bri_invocation *call, brood_value *item, brood_value *answers,
                              bool *good)
{
    bri_manager_request request;
    brood_value whole = brood_value_take(item);
    *good = false;
    BROOD_TRY(bri_manager_request_open(whole, &request));
    bri_managed *object =
        request.ident == NULL ? call->object : bri_managed_find(call->server, request.ident);
    const bri_method *method = object == NULL ? NULL : bri_method_find(object->type, request.name);
    if (object != NULL && method == NULL && strcmp(request.name, "#BATCH") != 0)
        method = bri_extra_method(request.name);
    bri_invocation inner = {.server = call->server,
                            .session = call->session,
                            .object = object,
                            .method = method,
                            .alone = true,
                            .args = brood_value_take(&request.args),
                            .kwds = brood_value_take(&request.kwds)};
    brood_status status =
        object == NULL ? bri_raise(&inner, "KeyError", "there is no such object")
        : method == NULL || method->typeid != NULL
            ? bri_raise(&inner, "AttributeError", "method '%.100s' is not exposed", request.name)
            : bri_invoke(&inner);
    *good = status == BROOD_OK;
    brood_value answer;
    if (status == BROOD_OK)
        answer = brood_pack("(sv)", "#RETURN",
                            inner.result.kind == BROOD_INVALID ? brood_none()
                                                               : brood_value_take(&inner.result));
    else
        answer = brood_pack("(sv)", "#ERROR",
                            inner.error.kind == BROOD_ERROR ? brood_value_take(&inner.error)
                                                            : bri_error_of_status(status));
    brood_value_clear(&inner.args);
    brood_value_clear(&inner.kwds);
    brood_value_clear(&inner.result);
    brood_value_clear(&inner.error);
    bri_manager_request_clear(&request);
    return brood_append(answers, answer);
}

static brood_status extra_batch(bri_invocation *call)
{
    const brood_value *calls;
    static const char *const names[] = {"calls"};
    BROOD_TRY(bri_take_arguments(call, names, 1, 1, &calls));
    if (brood_value_kind(calls) != BROOD_LIST)
        return bri_raise(call, "TypeError", "#BATCH takes a list of requests");
    if (call->alone)
        return bri_raise(call, "RuntimeError", "a batch cannot be in a batch");
    brood_value answers = brood_list();
    brood_value list = bri_move_argument(calls);
    brood_status status = BROOD_OK;
    bool good = true;
    uint64_t weight = 0; /* a few bytes each may ask for much, again and again */
    for (size_t i = 0; i < brood_value_length(&list) && status == BROOD_OK && good; i++) {
        brood_value item;
        status = brood_take_item(&list, i, &item);
        if (status == BROOD_OK)
            status = batch_one(call, &item, &answers, &good);
        if (status == BROOD_OK)
            weight += bri_weigh(brood_item(&answers, i));
        if (weight > call->server->options.max_unread)
            status = bri_raise(call, "MemoryError", "the answers are too long");
    }
    brood_value_clear(&list);
    if (status != BROOD_OK) {
        brood_value_clear(&answers);
        return status;
    }
    return bri_return(call, answers);
}

static const bri_method extras[] = {
    {.name = "#INCR", .run = extra_incr},   {.name = "#CAS", .run = extra_cas},
    {.name = "#SET", .run = extra_set},     {.name = "#GET", .run = extra_get},
    {.name = "#DEL", .run = extra_del},     {.name = "#AT", .run = extra_at},
    {.name = "#BATCH", .run = extra_batch},
};

const bri_method *bri_extra_method(const char *name)
{
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++)
        if (strcmp(extras[i].name, name) == 0)
            return &extras[i];
    return NULL;
}
