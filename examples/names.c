/*
 * names.c - who is who: the names of processes, this process, its parent, its children, and the
 * number of CPUs.
 *
 * Python: current_process(), parent_process(), active_children(), cpu_count()
 */
#include <string.h>

#include "check.h"

/* Runs until its pipe ends, and knows its own name and its parent's. */
static brood_status be_somebody(brood_call *call)
{
    const brood_value *argument;
    brood_connection *until;
    const char *name, *parent;
    BROOD_TRY(brood_call_args(call, "vss", &argument, &name, &parent));
    BROOD_TRY(brood_get_connection(argument, &until));

    EXPECT(strcmp(brood_process_name(brood_current_process()), name) == 0);
    EXPECT(strcmp(brood_process_name(brood_parent_process()), parent) == 0);
    printf("%s, child of %s\n", name, parent);
    fflush(stdout);

    brood_value nothing;
    EXPECT(brood_connection_recv(until, &nothing, BROOD_FOREVER) == BROOD_EEOF);
    return BROOD_OK;
}

/* A child with a child of its own: names show the way. */
static brood_status be_a_parent(brood_call *call)
{
    const char *name = brood_process_name(brood_current_process());
    const brood_value *argument;
    brood_connection *until;
    brood_process *grandchild;
    int code;
    BROOD_TRY(brood_call_args(call, "v", &argument));
    BROOD_TRY(brood_get_connection(argument, &until));
    EXPECT(strcmp(name, "Process-2") == 0);

    brood_value args =
        brood_pack("(vss)", brood_connection_value(until), "Process-2:1", "Process-2");
    BROOD_TRY(brood_process_create(&grandchild, be_somebody, args, NULL));
    BROOD_TRY(brood_process_start(grandchild));
    BROOD_TRY(brood_process_join(grandchild, BROOD_FOREVER));
    BROOD_TRY(brood_process_exitcode(grandchild, &code));
    EXPECT(code == 0);
    brood_process_destroy(grandchild);
    return BROOD_OK;
}

static brood_process *start(brood_function function, brood_value args, const char *name)
{
    brood_process_options options = {.name = name};
    brood_process *process;
    BROOD_CHECK(brood_process_create(&process, function, args, &options));
    BROOD_CHECK(brood_process_start(process));
    return process;
}

static void expect_active(size_t expected)
{
    brood_process *active[8];
    size_t n;
    BROOD_CHECK(brood_active_children(active, 8, &n));
    printf("active:");
    for (size_t i = 0; i < n && i < 8; i++)
        printf(" %s (%lld)", brood_process_name(active[i]),
               (long long)brood_process_pid(active[i]));
    printf("\n");
    fflush(stdout);
    EXPECT(n == expected);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    const char *self = brood_process_name(brood_current_process());
    printf("%s on %d CPUs\n", self, brood_cpu_count());
    fflush(stdout);
    EXPECT(strcmp(self, "MainProcess") == 0);
    EXPECT(brood_parent_process() == NULL);
    EXPECT(brood_cpu_count() >= 1);

    brood_connection *until, *end;
    BROOD_CHECK(brood_pipe(&until, &end, false));
    expect_active(0);

    brood_process *children[3];
    children[0] = start(
        be_somebody, brood_pack("(vss)", brood_connection_value(until), "Process-1", self), NULL);
    children[1] = start(be_a_parent, brood_pack("(v)", brood_connection_value(until)), NULL);
    children[2] = start(be_somebody,
                        brood_pack("(vss)", brood_connection_value(until), "carol", self), "carol");
    expect_active(3);

    brood_connection_close(end);
    for (int i = 0; i < 3; i++) {
        int code;
        BROOD_CHECK(brood_process_join(children[i], BROOD_FOREVER));
        BROOD_CHECK(brood_process_exitcode(children[i], &code));
        EXPECT(code == 0);
    }
    expect_active(0);
    for (int i = 0; i < 3; i++)
        brood_process_destroy(children[i]);
    brood_connection_close(until);
    return 0;
}
