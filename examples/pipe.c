/*
 * pipe.c - parent and child exchange values through pipes, in both directions through one and in
 * one direction only.
 *
 * Python: Pipe(), Pipe(duplex=False)
 */
#include "check.h"

/* Duplex: receives a list, answers its sum, until the pipe ends. */
static brood_status sum_lists(brood_call *call)
{
    const brood_value *argument;
    brood_connection *pipe;
    BROOD_TRY(brood_call_args(call, "v", &argument));
    BROOD_TRY(brood_get_connection(argument, &pipe));
    for (;;) {
        brood_value list;
        brood_status status = brood_connection_recv(pipe, &list, BROOD_FOREVER);
        if (status == BROOD_EEOF)
            return BROOD_OK;
        BROOD_TRY(status);

        int64_t sum = 0, n;
        for (size_t i = 0; i < brood_value_length(&list); i++) {
            BROOD_TRY(brood_get_int(brood_item(&list, i), &n));
            sum += n;
        }
        brood_value_clear(&list);
        BROOD_TRY(brood_connection_send(pipe, brood_int(sum), BROOD_FOREVER));
    }
}

/* One way: only sends. */
static brood_status send_list(brood_call *call)
{
    const brood_value *argument;
    brood_connection *pipe;
    BROOD_TRY(brood_call_args(call, "v", &argument));
    BROOD_TRY(brood_get_connection(argument, &pipe));
    EXPECT(brood_connection_is_writable(pipe) && !brood_connection_is_readable(pipe));
    return brood_connection_send(pipe, brood_pack("[inis]", 42, -1, "hello"), BROOD_FOREVER);
}

/* Starts a child with one end of a pipe, which it then has alone. */
static brood_process *start(brood_function function, brood_connection *end)
{
    brood_process *child;
    BROOD_CHECK(brood_process_create(&child, function,
                                     brood_pack("(v)", brood_connection_value(end)), NULL));
    BROOD_CHECK(brood_process_start(child));
    brood_connection_close(end);
    return child;
}

static void join(brood_process *child)
{
    int code;
    BROOD_CHECK(brood_process_join(child, BROOD_FOREVER));
    BROOD_CHECK(brood_process_exitcode(child, &code));
    EXPECT(code == 0);
    brood_process_destroy(child);
}

static void ask(brood_connection *pipe, brood_value list, int64_t expected)
{
    brood_value answer;
    int64_t sum;
    BROOD_CHECK(brood_connection_send(pipe, list, BROOD_FOREVER));
    BROOD_CHECK(brood_connection_recv(pipe, &answer, BROOD_FOREVER));
    BROOD_CHECK(brood_get_int(&answer, &sum));
    printf("the sum is %lld\n", (long long)sum);
    EXPECT(sum == expected);
    brood_value_clear(&answer);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    brood_connection *ours, *theirs;

    BROOD_CHECK(brood_pipe(&ours, &theirs, true));
    brood_process *child = start(sum_lists, theirs);
    ask(ours, brood_pack("[iii]", 1, 2, 3), 6);
    ask(ours, brood_list(), 0);
    brood_connection_close(ours);
    join(child);

    BROOD_CHECK(brood_pipe(&ours, &theirs, false));
    child = start(send_list, theirs);
    brood_value list;
    BROOD_CHECK(brood_connection_recv(ours, &list, BROOD_FOREVER));
    printf("received ");
    BROOD_CHECK(brood_value_print(&list, stdout));
    EXPECT(brood_value_length(&list) == 4);
    brood_value_clear(&list);
    EXPECT(brood_connection_recv(ours, &list, BROOD_FOREVER) == BROOD_EEOF);
    brood_connection_close(ours);
    join(child);
    return 0;
}
