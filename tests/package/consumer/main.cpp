// The same as main.c, in C++: failures are exceptions, and destructors free what was made.
#include <brood/brood.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>

static void check(brood_status status)
{
    if (status != BROOD_OK)
        throw std::runtime_error(brood_status_message(status));
}

struct destroy {
    void operator()(brood_pool *pool) const { brood_pool_destroy(pool); }
};

// No exception may leave a task: it becomes the task's failure.
static brood_status square(brood_call *call)
try {
    int64_t n;
    check(brood_call_args(call, "i", &n));
    return brood_call_return(call, brood_int(n * n));
} catch (const std::exception &e) {
    return brood_call_raise(call, "RuntimeError", "%s", e.what());
}

int main(int argc, char **argv)
try {
    check(brood_init(&argc, &argv)); // a child runs its function in here and exits

    brood_pool *made;
    brood_pool_options options = {};
    options.workers = 4;
    check(brood_pool_create(&made, &options));
    std::unique_ptr<brood_pool, destroy> pool(made);

    brood_value squares;
    check(brood_pool_map(pool.get(), square, brood_pack("[iii]", 1, 2, 3), nullptr, &squares));
    check(brood_value_print(&squares, stdout)); // [1, 4, 9]
    brood_value_clear(&squares);
    return 0;
} catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
