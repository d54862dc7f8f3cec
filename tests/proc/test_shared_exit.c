/*
 * The end of a program that links the shared library: when main returns, children are joined and
 * daemons ended, a pool too, before the program's own older exit handlers run.
 */
/* brood-test: start-methods */
/* brood-test: shared */
#include <brood/brood.h>

#include <stdio.h>
#include <stdlib.h>

static brood_process *ordinary, *daemonic;

static brood_status sleep_for(brood_call *call)
{
    int64_t duration;
    BROOD_TRY(brood_call_args(call, "i", &duration));
    brood_sleep(duration);
    return brood_call_return(call, brood_int(duration));
}

static void expect(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "not true: %s\n", what);
    fflush(NULL);
    _Exit(1);
}

/* Registered before brood_init, so it runs after what brood_init has registered. */
static void look_at_the_children(void)
{
    int code = -1;
    if (ordinary == NULL)
        return; /* a child: it has none */
    expect(brood_process_exitcode(ordinary, &code) == BROOD_OK && code == 0,
           "the child was joined");
    expect(brood_process_exitcode(daemonic, &code) == BROOD_OK && code == -15,
           "the daemon was ended");
    puts("children joined and daemons ended");
}

static brood_process *start(int duration, brood_daemon daemon)
{
    brood_process *process;
    brood_process_options options = {.daemon = daemon};
    BROOD_CHECK(brood_process_create(&process, sleep_for, brood_pack("(i)", duration), &options));
    BROOD_CHECK(brood_process_start(process));
    return process;
}

int main(int argc, char **argv)
{
    const char *name = getenv("BROOD_TEST_START_METHOD");
    brood_start_method method;
    brood_pool *left_open;
    brood_value results;
    expect(atexit(look_at_the_children) == 0, "atexit takes a handler");
    BROOD_CHECK(brood_init(&argc, &argv));
    if (name != NULL) {
        BROOD_CHECK(brood_start_method_parse(name, &method));
        BROOD_CHECK(brood_set_start_method(method));
    }
    brood_process *first = start(300, BROOD_DAEMON_NO);
    daemonic = start(600000, BROOD_DAEMON_YES);
    BROOD_CHECK(brood_pool_create(&left_open, &(brood_pool_options){.workers = 2}));
    BROOD_CHECK(brood_pool_map(left_open, sleep_for, brood_pack("[ii]", 0, 0), NULL, &results));
    brood_value_clear(&results);
    ordinary = first;
    return 0;
}
