/*
 * daemon.c - at its end a process waits for its children, but ends those that are daemons; and a
 * daemon may not have children.
 *
 * Python: Process(..., daemon=True)
 */
#include "check.h"

/* Sends its text after a while, through a pipe that is closed when the process ends. */
static brood_status say_later(brood_call *call)
{
    const brood_value *argument;
    brood_connection *to;
    const char *text;
    int64_t delay;
    BROOD_TRY(brood_call_args(call, "vsi", &argument, &text, &delay));
    BROOD_TRY(brood_get_connection(argument, &to));
    brood_sleep(delay);
    return brood_connection_send(to, brood_str(text), BROOD_FOREVER);
}

static brood_status start_speaker(brood_connection *to, const char *text, int64_t delay,
                                  brood_daemon daemon)
{
    brood_process_options options = {.daemon = daemon};
    brood_process *process;
    brood_value args = brood_pack("(vsl)", brood_connection_value(to), text, delay);
    BROOD_TRY(brood_process_create(&process, say_later, args, &options));
    brood_status status = brood_process_start(process);
    brood_process_destroy(process); /* the object, not the process */
    return status;
}

/* Starts a daemon and another child, and ends at once. */
static brood_status start_both(brood_call *call)
{
    const brood_value *argument;
    brood_connection *to;
    BROOD_TRY(brood_call_args(call, "v", &argument));
    BROOD_TRY(brood_get_connection(argument, &to));
    BROOD_TRY(start_speaker(to, "daemon", 600000, BROOD_DAEMON_YES));
    return start_speaker(to, "child", 300, BROOD_DAEMON_NO);
}

/* Tries to start a child; sends what came of it. */
static brood_status try_to_start(brood_call *call)
{
    const brood_value *argument;
    brood_connection *to;
    BROOD_TRY(brood_call_args(call, "v", &argument));
    BROOD_TRY(brood_get_connection(argument, &to));
    brood_status status = start_speaker(to, "grandchild", 0, BROOD_DAEMON_NO);
    const char *message = status == BROOD_OK ? "started" : brood_last_error()->message;
    return brood_connection_send(to, brood_pack("(is)", (int)status, message), BROOD_FOREVER);
}

/* Starts a process with the sending end of a pipe; gives the receiving end. */
static brood_connection *start_with_pipe(brood_function function, brood_daemon daemon,
                                         brood_process **process)
{
    brood_process_options options = {.daemon = daemon};
    brood_connection *receiver, *sender;
    BROOD_CHECK(brood_pipe(&receiver, &sender, false));
    BROOD_CHECK(brood_process_create(process, function,
                                     brood_pack("(v)", brood_connection_value(sender)), &options));
    BROOD_CHECK(brood_process_start(*process));
    brood_connection_close(sender);
    return receiver;
}

static void show_who_is_waited_for(void)
{
    brood_process *process;
    brood_connection *receiver = start_with_pipe(start_both, BROOD_DAEMON_NO, &process);
    BROOD_CHECK(brood_process_join(process, BROOD_FOREVER));
    brood_process_destroy(process);

    /* The child was waited for, so its text is there. The daemon would have sent its own in ten
     * minutes; it has been ended, so the pipe is at its end: nobody holds it open. */
    brood_value value;
    const char *text;
    BROOD_CHECK(brood_connection_recv(receiver, &value, 10000));
    BROOD_CHECK(brood_get_str(&value, &text, NULL));
    printf("waited for: %s\n", text);
    EXPECT(text[0] == 'c');
    brood_value_clear(&value);
    EXPECT(brood_connection_recv(receiver, &value, 10000) == BROOD_EEOF);
    printf("ended with its parent: daemon\n");
    brood_connection_close(receiver);
}

static void show_that_daemons_have_no_children(void)
{
    brood_process *process;
    brood_connection *receiver = start_with_pipe(try_to_start, BROOD_DAEMON_YES, &process);
    EXPECT(brood_process_is_daemon(process));

    brood_value value;
    const char *message;
    int64_t status;
    BROOD_CHECK(brood_connection_recv(receiver, &value, BROOD_FOREVER));
    BROOD_CHECK(brood_unpack(&value, "(is)", &status, &message));
    printf("a daemon that starts a child: %s\n", message);
    EXPECT(status == BROOD_ESTATE);
    brood_value_clear(&value);
    BROOD_CHECK(brood_process_join(process, BROOD_FOREVER));
    brood_process_destroy(process);
    brood_connection_close(receiver);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    show_who_is_waited_for();
    show_that_daemons_have_no_children();
    return 0;
}
