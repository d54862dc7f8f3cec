/*
 * hello_process.c - a child runs a function of this program, with arguments.
 *
 * Python:
 *     p = Process(target=hello, args=("bob", 42))
 *     p.start()
 *     p.join()
 */
#include "check.h"

static void print_pids(const char *who)
{
    brood_process *parent = brood_parent_process();
    printf("%s: process %lld", who, (long long)brood_process_pid(brood_current_process()));
    if (parent != NULL)
        printf(", child of %lld", (long long)brood_process_pid(parent));
    printf("\n");
    fflush(stdout);
}

static brood_status hello(brood_call *call)
{
    const char *name;
    int64_t number, parent;
    BROOD_TRY(brood_call_args(call, "sii", &name, &number, &parent));

    print_pids("the child");
    printf("hello %s, %lld\n", name, (long long)number);

    EXPECT(brood_parent_process() != NULL);
    EXPECT(brood_process_pid(brood_parent_process()) == parent);
    EXPECT(brood_process_pid(brood_current_process()) != parent);
    return BROOD_OK;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    print_pids("the parent");

    int64_t pid = brood_process_pid(brood_current_process());
    brood_process *child;
    int code;
    BROOD_CHECK(brood_process_create(&child, hello, brood_pack("(sil)", "bob", 42, pid), NULL));
    BROOD_CHECK(brood_process_start(child));
    BROOD_CHECK(brood_process_join(child, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(child, &code));
    EXPECT(code == 0);
    brood_process_destroy(child);
    return 0;
}
