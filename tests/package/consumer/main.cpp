// The same as main.c, in C++.
#include <brood/brood.h>

#include <cstdio>
#include <cstdlib>

static brood_status square(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "i", &n));
    return brood_call_return(call, brood_int(n * n));
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv)); // a child runs its function in here and exits

    brood_pool *pool;
    brood_value squares;
    brood_pool_options options = {};
    options.workers = 4;
    BROOD_CHECK(brood_pool_create(&pool, &options));
    BROOD_CHECK(brood_pool_map(pool, square, brood_pack("[iii]", 1, 2, 3), nullptr, &squares));
    brood_value_print(&squares, stdout); // [1, 4, 9]
    brood_value_clear(&squares);
    brood_pool_destroy(pool);
    return 0;
}
