/* manager/typed.c - the methods of built-in types with C's types. */
#include <brood/proxy.h>

#include "base/error.h"
#include "data/heap.h"
#include "manager/proxy.h"

/* ---- results ---- */

/* A method without a result. */
static brood_status call(brood_proxy *proxy, const char *method, brood_value args)
{
    return brood_proxy_call(proxy, method, args, NULL);
}

static brood_status call_bool(brood_proxy *proxy, const char *method, brood_value args,
                              bool *answer)
{
    brood_value value = {0};
    bool got = false;
    BROOD_TRY(brood_proxy_call(proxy, method, args, &value));
    brood_status status = brood_get_bool(&value, &got);
    brood_value_clear(&value);
    if (status == BROOD_OK && answer != NULL)
        *answer = got;
    return status;
}

static brood_status call_int(brood_proxy *proxy, const char *method, brood_value args,
                             int64_t *answer)
{
    brood_value value = {0};
    int64_t got = 0;
    BROOD_TRY(brood_proxy_call(proxy, method, args, &value));
    brood_status status = brood_get_int(&value, &got);
    brood_value_clear(&value);
    if (status == BROOD_OK && answer != NULL)
        *answer = got;
    return status;
}

/* False becomes BROOD_ETIMEDOUT. */
static brood_status call_wait(brood_proxy *proxy, const char *method, brood_value args)
{
    bool done = false;
    BROOD_TRY(call_bool(proxy, method, args, &done));
    return done ? BROOD_OK : BROOD_ETIMEDOUT;
}

/* ---- time-outs: Python has seconds ---- */

static brood_value seconds(brood_ms timeout)
{
    return timeout < 0 ? brood_none() : brood_float((double)timeout / 1000);
}

/* (block, timeout) */
static brood_value block_and_timeout(brood_ms timeout)
{
    if (timeout <= 0) /* a Lock of Python's takes no None */
        return brood_pack("(b)", timeout != 0);
    return brood_pack("(bv)", true, seconds(timeout));
}

/* ---- list, dict, set, Array ---- */

brood_status brood_proxy_length(brood_proxy *proxy, int64_t *length)
{
    return call_int(proxy, "__len__", (brood_value){0}, length);
}

brood_status brood_proxy_contains(brood_proxy *proxy, brood_value item, bool *contains)
{
    return call_bool(proxy, "__contains__", brood_pack("(v)", item), contains);
}

brood_status brood_proxy_get_item(brood_proxy *proxy, brood_value key, brood_value *item)
{
    return brood_proxy_call(proxy, "__getitem__", brood_pack("(v)", key), item);
}

brood_status brood_proxy_set_item(brood_proxy *proxy, brood_value key, brood_value item)
{
    return call(proxy, "__setitem__", brood_pack("(vv)", key, item));
}

brood_status brood_proxy_del_item(brood_proxy *proxy, brood_value key)
{
    return call(proxy, "__delitem__", brood_pack("(v)", key));
}

brood_status brood_proxy_append(brood_proxy *list, brood_value item)
{
    return call(list, "append", brood_pack("(v)", item));
}

brood_status brood_proxy_extend(brood_proxy *list, brood_value items)
{
    return call(list, "extend", brood_pack("(v)", items));
}

brood_status brood_proxy_insert(brood_proxy *list, int64_t index, brood_value item)
{
    return call(list, "insert", brood_pack("(lv)", index, item));
}

brood_status brood_proxy_pop(brood_proxy *proxy, brood_value key, brood_value *item)
{
    bool none = key.kind == BROOD_INVALID && bri_value_check(&key) == BROOD_OK;
    return brood_proxy_call(proxy, "pop", none ? brood_tuple(0) : brood_pack("(v)", key), item);
}

brood_status brood_proxy_update(brood_proxy *proxy, brood_value other)
{
    return call(proxy, "update", brood_pack("(v)", other));
}

brood_status brood_proxy_keys(brood_proxy *dict, brood_value *keys)
{
    return brood_proxy_call(dict, "keys", (brood_value){0}, keys);
}

brood_status brood_proxy_values(brood_proxy *dict, brood_value *values)
{
    return brood_proxy_call(dict, "values", (brood_value){0}, values);
}

brood_status brood_proxy_items(brood_proxy *dict, brood_value *items)
{
    return brood_proxy_call(dict, "items", (brood_value){0}, items);
}

brood_status brood_proxy_add(brood_proxy *set, brood_value item)
{
    return call(set, "add", brood_pack("(v)", item));
}

brood_status brood_proxy_discard(brood_proxy *set, brood_value item)
{
    return call(set, "discard", brood_pack("(v)", item));
}

brood_status brood_proxy_clear(brood_proxy *proxy)
{
    return call(proxy, "clear", (brood_value){0});
}

brood_status brood_proxy_snapshot(brood_proxy *proxy, brood_value *value)
{
    return brood_proxy_call(proxy, "#GETVALUE", (brood_value){0}, value);
}

/* ---- Namespace, Value ---- */

brood_status brood_proxy_get_attr(brood_proxy *names, const char *name, brood_value *value)
{
    return brood_proxy_call(names, "__getattribute__", brood_pack("(s)", name), value);
}

brood_status brood_proxy_set_attr(brood_proxy *names, const char *name, brood_value value)
{
    return call(names, "__setattr__", brood_pack("(sv)", name, value));
}

brood_status brood_proxy_del_attr(brood_proxy *names, const char *name)
{
    return call(names, "__delattr__", brood_pack("(s)", name));
}

brood_status brood_proxy_get_value(brood_proxy *proxy, brood_value *value)
{
    return brood_proxy_call(proxy, "get", (brood_value){0}, value);
}

brood_status brood_proxy_set_value(brood_proxy *proxy, brood_value value)
{
    return call(proxy, "set", brood_pack("(v)", value));
}

/* ---- locks, conditions, events, barriers ---- */

brood_status brood_proxy_acquire(brood_proxy *lock, brood_ms timeout)
{
    return call_wait(lock, "acquire", block_and_timeout(timeout));
}

brood_status brood_proxy_release(brood_proxy *lock)
{
    return call(lock, "release", (brood_value){0});
}

brood_status brood_proxy_wait(brood_proxy *proxy, brood_ms timeout)
{
    return call_wait(proxy, "wait", brood_pack("(v)", seconds(timeout)));
}

brood_status brood_proxy_notify(brood_proxy *condition, int64_t n)
{
    return call(condition, "notify", brood_pack("(l)", n));
}

brood_status brood_proxy_notify_all(brood_proxy *condition)
{
    return call(condition, "notify_all", (brood_value){0});
}

brood_status brood_proxy_set(brood_proxy *event)
{
    return call(event, "set", (brood_value){0});
}

brood_status brood_proxy_is_set(brood_proxy *event, bool *is_set)
{
    return call_bool(event, "is_set", (brood_value){0}, is_set);
}

brood_status brood_proxy_meet(brood_proxy *barrier, int64_t *index, brood_ms timeout)
{
    return call_int(barrier, "wait", brood_pack("(v)", seconds(timeout)), index);
}

brood_status brood_proxy_abort(brood_proxy *barrier)
{
    return call(barrier, "abort", (brood_value){0});
}

brood_status brood_proxy_reset(brood_proxy *barrier)
{
    return call(barrier, "reset", (brood_value){0});
}

/* ---- queues ---- */

brood_status brood_proxy_put(brood_proxy *queue, brood_value item, brood_ms timeout)
{
    return call(queue, "put",
                timeout == 0 ? brood_pack("(vb)", item, false)
                             : brood_pack("(vbv)", item, true, seconds(timeout)));
}

brood_status brood_proxy_get(brood_proxy *queue, brood_value *item, brood_ms timeout)
{
    return brood_proxy_call(queue, "get", block_and_timeout(timeout), item);
}

brood_status brood_proxy_qsize(brood_proxy *queue, int64_t *size)
{
    return call_int(queue, "qsize", (brood_value){0}, size);
}

brood_status brood_proxy_task_done(brood_proxy *queue)
{
    return call(queue, "task_done", (brood_value){0});
}

brood_status brood_proxy_join(brood_proxy *queue)
{
    return call(queue, "join", (brood_value){0});
}

/* ---- beyond Python ---- */

/* (first..., *path): the arguments, followed by the path's steps. Both are moved in. */
static brood_value with_path(brood_value args, brood_value path)
{
    brood_status status = bri_value_check(&args);
    if (status == BROOD_OK)
        status = bri_value_check(&path);
    if (status != BROOD_OK) {
        brood_value_clear(&path);
        brood_value_clear(&args);
        return bri_invalid(status);
    }
    if (path.kind == BROOD_INVALID)
        return args;
    args.kind = BROOD_LIST; /* inside a list and a tuple are the same */
    status = brood_list_extend(&args, path);
    args.kind = BROOD_TUPLE;
    if (status == BROOD_OK)
        return args;
    brood_value_clear(&args);
    return bri_invalid(status);
}

brood_status brood_proxy_incr(brood_proxy *proxy, int64_t by, brood_value path, int64_t *sum)
{
    return call_int(proxy, "#INCR", with_path(brood_pack("(l)", by), path), sum);
}

brood_status brood_proxy_compare_and_set(brood_proxy *proxy, brood_value path, brood_value expected,
                                         brood_value value, bool *done)
{
    return call_bool(proxy, "#CAS", with_path(brood_pack("(vv)", expected, value), path), done);
}

brood_status brood_proxy_get_path(brood_proxy *proxy, brood_value path, brood_value *value)
{
    return brood_proxy_call(proxy, "#GET", with_path(brood_tuple(0), path), value);
}

brood_status brood_proxy_set_path(brood_proxy *proxy, brood_value path, brood_value value)
{
    return call(proxy, "#SET", with_path(brood_pack("(v)", value), path));
}

brood_status brood_proxy_del_path(brood_proxy *proxy, brood_value path)
{
    return call(proxy, "#DEL", with_path(brood_tuple(0), path));
}

/* A zero value becomes an empty tuple; a failed one stays what it is. */
static brood_value or_empty(brood_value value)
{
    return value.kind == BROOD_INVALID && bri_value_check(&value) == BROOD_OK ? brood_tuple(0)
                                                                              : value;
}

brood_status brood_proxy_call_at(brood_proxy *proxy, brood_value path, const char *method,
                                 brood_value args, brood_value *result)
{
    return brood_proxy_call(proxy, "#AT",
                            brood_pack("(vsv)", or_empty(path), method, or_empty(args)), result);
}

brood_value brood_batch_call(const brood_proxy *proxy, const char *method, brood_value args)
{
    if (proxy == NULL || method == NULL) {
        bri_fail(BROOD_EINVALID, "could not make a call of a batch: NULL is none");
        brood_value_clear(&args);
        return bri_invalid(BROOD_EINVALID);
    }
    brood_value made = brood_pack("(ssv{})", proxy->ident, method, or_empty(args));
    /* Servers take lists as well; so the client knows the calls of what sessions own by them. */
    if (made.kind == BROOD_TUPLE && bri_owned_by_sessions(proxy->typeid))
        made.kind = BROOD_LIST; /* inside a list and a tuple are the same */
    return made;
}

/* Takes the results out of [(kind, value), ...]. */
static brood_status open_answers(brood_proxy *proxy, brood_value *answers)
{
    for (size_t i = 0; i < brood_value_length(answers); i++) {
        brood_value answer, value;
        const char *kind;
        BROOD_TRY(brood_take_item(answers, i, &answer));
        brood_status status = brood_unpack(&answer, "(sx)", &kind);
        bool failed = status == BROOD_OK && kind[1] != 'R'; /* #ERROR, not #RETURN */
        if (status == BROOD_OK)
            status = brood_take_item(&answer, 1, &value);
        brood_value_clear(&answer);
        BROOD_TRY(status);
        if (failed)
            return bri_note_failure(proxy->manager, value);
        BROOD_TRY(brood_set_item(answers, i, value));
    }
    return BROOD_OK;
}

brood_status brood_proxy_batch(brood_proxy *proxy, brood_value calls, brood_value *results)
{
    brood_value answers = {0};
    BROOD_TRY(brood_proxy_call(proxy, "#BATCH", brood_pack("(v)", calls), &answers));
    brood_status status = open_answers(proxy, &answers);
    if (status == BROOD_OK && results != NULL)
        *results = answers;
    else
        brood_value_clear(&answers);
    return status;
}
