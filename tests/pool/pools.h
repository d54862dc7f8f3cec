/* pools.h - what the tests of pools share: pools, items, tasks. */
#ifndef TESTS_POOL_POOLS_H
#define TESTS_POOL_POOLS_H

#include "harness.h"

#include "platform/ident.h"

enum { HANG = 20000 };

static inline brood_pool *make_pool_with(const brood_pool_options *options)
{
    brood_pool *pool;
    bt_ok(brood_pool_create(&pool, options));
    return pool;
}

static inline brood_pool *make_pool(int workers)
{
    return make_pool_with(&(brood_pool_options){.workers = workers});
}

/* Lets the workers go, as a good program does. */
static inline void end_pool(brood_pool *pool)
{
    bt_ok(brood_pool_close(pool));
    bt_ok(brood_pool_join(pool, HANG));
    brood_pool_destroy(pool);
}

static inline int64_t int_of(const brood_value *value)
{
    int64_t number = -1;
    bt_ok(brood_get_int(value, &number));
    return number;
}

static inline brood_value numbers(int64_t n)
{
    brood_value list = brood_list();
    for (int64_t i = 0; i < n; i++)
        bt_ok(brood_append(&list, brood_int(i)));
    return list;
}

/* Those of numbers(n). */
static inline void expect_squares(const brood_value *results, int64_t n)
{
    assert_int_equal(brood_value_kind(results), BROOD_LIST);
    assert_int_equal(brood_value_length(results), n);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(int_of(brood_item(results, (size_t)i)), i * i);
}

static inline void take_squares(brood_value *results, int64_t n)
{
    expect_squares(results, n);
    brood_value_clear(results);
}

static inline brood_status square(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "l", &n));
    return brood_call_return(call, brood_int(n * n));
}

/* (a, b=10) */
static inline brood_status subtract(brood_call *call)
{
    const brood_value *args = brood_call_arguments(call), *keywords = brood_call_keywords(call);
    int64_t a = 0, b = 10;
    if (brood_value_length(args) > 0)
        BROOD_TRY(brood_get_int(brood_item(args, 0), &a));
    if (brood_value_length(args) > 1)
        BROOD_TRY(brood_get_int(brood_item(args, 1), &b));
    const brood_value *named = brood_dict_get_str(keywords, "b");
    if (named != NULL)
        BROOD_TRY(brood_get_int(named, &b));
    return brood_call_return(call, brood_int(a - b));
}

/* (n): fails at the first n attempts, then gives the attempt. */
static inline brood_status fail_at_first(brood_call *call)
{
    int64_t failures;
    BROOD_TRY(brood_call_args(call, "l", &failures));
    if (brood_call_attempt(call) <= failures)
        return brood_call_raise(call, "ValueError", "attempt %d", brood_call_attempt(call));
    return brood_call_return(call, brood_int(brood_call_attempt(call)));
}

static inline brood_status refuse(brood_call *call)
{
    return brood_call_raise(call, "ValueError", "no");
}

static inline brood_status fail_odd(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "l", &n));
    if (n % 2 == 1)
        return brood_call_raise(call, "ValueError", "%d is odd", (int)n);
    return brood_call_return(call, brood_int(n));
}

static inline brood_status get_pid(brood_call *call)
{
    return brood_call_return(call, brood_int(brp_pid()));
}

/* (told, awaited): tells its pid, then waits for a word. */
static inline brood_status hold(brood_call *call)
{
    const brood_value *first, *second;
    brood_queue *told, *awaited;
    brood_value got;
    BROOD_TRY(brood_call_args(call, "vv", &first, &second));
    BROOD_TRY(brood_get_queue(first, &told));
    BROOD_TRY(brood_get_queue(second, &awaited));
    BROOD_TRY(brood_queue_put(told, brood_int(brp_pid()), HANG));
    BROOD_TRY(brood_queue_get(awaited, &got, HANG));
    return brood_call_return(call, got);
}

/* A task that holds its worker until it is let go. */
typedef struct holder {
    brood_queue *told, *awaited;
    brood_future *future;
    int64_t pid; /* of its worker, once it was awaited */
} holder;

static inline holder submit_holder(brood_pool *pool, const brood_apply_options *options)
{
    holder h = {0};
    bt_ok(brood_queue_create(&h.told, NULL));
    bt_ok(brood_queue_create(&h.awaited, NULL));
    bt_ok(brood_pool_apply_async(
        pool, hold, brood_pack("(vv)", brood_queue_value(h.told), brood_queue_value(h.awaited)),
        options, &h.future));
    return h;
}

static inline void await_holder(holder *h)
{
    brood_value told;
    bt_ok(brood_queue_get(h->told, &told, HANG));
    h->pid = int_of(&told);
}

static inline holder start_holder(brood_pool *pool, const brood_apply_options *options)
{
    holder h = submit_holder(pool, options);
    await_holder(&h);
    return h;
}

static inline void let_go(holder *h)
{
    bt_ok(brood_queue_put(h->awaited, brood_int(7), HANG));
}

static inline void end_holder(holder *h)
{
    brood_future_destroy(h->future);
    brood_queue_destroy(h->told);
    brood_queue_destroy(h->awaited);
}

#endif /* TESTS_POOL_POOLS_H */
