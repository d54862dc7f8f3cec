/*
 * A program that uses brood as any other does, for tests that need a whole process tree:
 *
 *     init            only calls brood_init; its error goes to standard output
 *     input METHOD    a child reads its standard input, then the parent a line of its own
 *     output METHOD   parent and child write to standard output without flushing
 *     tree METHOD N   a chain of N generations below it; each prints its pid, then all sleep
 *     stubborn METHOD takes interrupts over, tells of each, and lets its child go at the second
 *     daemons METHOD  leaves a daemon and another child behind and returns from main
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brood/brood.h>

static brood_status write_child(brood_call *call)
{
    (void)call;
    fputs("[child]", stdout);
    return BROOD_OK;
}

static brood_status read_input(brood_call *call)
{
    int c = getchar();
    if (c == EOF)
        fputs("[end]", stdout);
    else
        printf("[%c]", c);
    (void)call;
    return BROOD_OK;
}

static brood_status run(brood_function function, brood_value arguments, bool join)
{
    brood_process *process;
    BROOD_TRY(brood_process_create(&process, function, arguments, NULL));
    BROOD_TRY(brood_process_start(process));
    if (join)
        BROOD_TRY(brood_process_join(process, BROOD_FOREVER));
    brood_process_destroy(process);
    return BROOD_OK;
}

static void sleep_for_ever(void)
{
    for (;;)
        brood_sleep(60000);
}

static brood_status be_generation(brood_call *call)
{
    int64_t left;
    BROOD_TRY(brood_call_args(call, "i", &left));
    printf("%lld\n", (long long)brood_process_pid(brood_current_process()));
    fflush(stdout);
    if (left > 1)
        BROOD_TRY(run(be_generation, brood_pack("(l)", left - 1), false));
    sleep_for_ever();
    return BROOD_OK;
}

/* Ends with 7 when it is let go. */
static brood_status await_leave(brood_call *call)
{
    const brood_value *v;
    brood_event *leave;
    BROOD_TRY(brood_call_args(call, "v", &v));
    BROOD_TRY(brood_get_event(v, &leave));
    BROOD_TRY(brood_event_wait(leave, BROOD_FOREVER));
    brood_exit(7);
    return BROOD_OK;
}

static void tell_interrupt(void *leave, int count)
{
    printf("interrupt %d\n", count);
    fflush(stdout);
    if (count == 2)
        brood_event_set(leave);
}

static brood_status be_stubborn(void)
{
    brood_event *leave;
    brood_process *process;
    int code;
    BROOD_TRY(brood_event_create(&leave));
    BROOD_TRY(brood_process_create(&process, await_leave,
                                   brood_pack("(v)", brood_event_value(leave)), NULL));
    BROOD_TRY(brood_process_start(process));
    BROOD_TRY(brood_handle_interrupt(tell_interrupt, leave));
    printf("%lld\n", (long long)brood_process_pid(process));
    fflush(stdout);
    BROOD_TRY(brood_process_join(process, BROOD_FOREVER));
    BROOD_TRY(brood_process_exitcode(process, &code));
    brood_unhandle_interrupt();
    printf("the child ended with %d\n", code);
    brood_process_destroy(process);
    brood_event_destroy(leave);
    return BROOD_OK;
}

static brood_status stay(brood_call *call)
{
    (void)call;
    sleep_for_ever();
    return BROOD_OK;
}

static brood_status end_late(brood_call *call)
{
    (void)call;
    brood_sleep(200);
    fputs("[late]", stdout);
    return BROOD_OK;
}

static brood_status leave_children(void)
{
    brood_process *daemon;
    brood_process_options options = {.daemon = BROOD_DAEMON_YES};
    BROOD_TRY(brood_process_create(&daemon, stay, (brood_value){0}, &options));
    BROOD_TRY(brood_process_start(daemon));
    printf("%lld\n", (long long)brood_process_pid(daemon));
    fflush(stdout);
    brood_process_destroy(daemon);
    return run(end_late, (brood_value){0}, false);
}

int main(int argc, char **argv)
{
    brood_status status = brood_init(&argc, &argv);
    if (status != BROOD_OK) {
        printf("%s: %s\n", brood_status_name(status), brood_last_error()->message);
        return 1;
    }
    const char *what = argc > 1 ? argv[1] : "init";
    if (argc > 2) {
        brood_start_method method;
        BROOD_CHECK(brood_start_method_parse(argv[2], &method));
        BROOD_CHECK(brood_set_start_method(method));
    }
    if (strcmp(what, "input") == 0) {
        char line[64] = "";
        BROOD_CHECK(run(read_input, (brood_value){0}, true));
        if (fgets(line, sizeof line, stdin) == NULL)
            return 2;
        line[strcspn(line, "\r\n")] = '\0';
        printf("[%s]", line);
    } else if (strcmp(what, "output") == 0) {
        fputs("[before]", stdout);
        BROOD_CHECK(run(write_child, (brood_value){0}, true));
        fputs("[after]", stdout);
    } else if (strcmp(what, "tree") == 0) {
        BROOD_CHECK(run(be_generation, brood_pack("(i)", atoi(argv[3])), false));
        sleep_for_ever();
    } else if (strcmp(what, "stubborn") == 0) {
        BROOD_CHECK(be_stubborn());
    } else if (strcmp(what, "daemons") == 0) {
        BROOD_CHECK(leave_children());
    }
    return 0;
}
