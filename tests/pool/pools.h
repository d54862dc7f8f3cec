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

static inline brood_status square(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "l", &n));
    return brood_call_return(call, brood_int(n * n));
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

#endif /* TESTS_POOL_POOLS_H */
