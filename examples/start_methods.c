/*
 * start_methods.c - the same task under spawn, fork and forkserver: the same result; a method that
 * the system lacks is an error that says so.
 *
 * Python: set_start_method(name), and get_context(name).Process(...) for one process.
 */
#include <string.h>

#include "check.h"

static const brood_start_method methods[] = {BROOD_START_SPAWN, BROOD_START_FORK,
                                             BROOD_START_FORKSERVER};
enum { METHODS = sizeof methods / sizeof *methods };

/* square(answer, n): sends n * n. */
static brood_status square(brood_call *call)
{
    const brood_value *argument;
    brood_connection *answer;
    int64_t n;
    BROOD_TRY(brood_call_args(call, "vi", &argument, &n));
    BROOD_TRY(brood_get_connection(argument, &answer));
    return brood_connection_send(answer, brood_int(n * n), BROOD_FOREVER);
}

/* Starts square(n) in a child; *answer is where its result arrives. */
static brood_status start_square(brood_start_method method, int64_t n, brood_process **child,
                                 brood_connection **answer)
{
    brood_process_options options = {.method = method};
    brood_connection *sender;
    BROOD_CHECK(brood_pipe(answer, &sender, false));
    BROOD_CHECK(brood_process_create(
        child, square, brood_pack("(vl)", brood_connection_value(sender), n), &options));
    brood_status status = brood_process_start(*child);
    brood_connection_close(sender); /* the child has its own */
    return status;
}

static void finish_square(brood_process *child, brood_connection *answer, int64_t expected)
{
    brood_value value;
    int64_t result;
    BROOD_CHECK(brood_connection_recv(answer, &value, BROOD_FOREVER));
    BROOD_CHECK(brood_get_int(&value, &result));
    brood_value_clear(&value);
    BROOD_CHECK(brood_process_join(child, BROOD_FOREVER));
    brood_process_destroy(child);
    brood_connection_close(answer);
    EXPECT(result == expected);
}

/* Python: set_start_method(), then plain Process. */
static void run_as_default(brood_start_method method)
{
    const char *name = brood_start_method_name(method);
    brood_process *child;
    brood_connection *answer;
    brood_start_method before = brood_get_start_method();

    if (!brood_start_method_is_supported(method)) {
        EXPECT(brood_set_start_method(method) == BROOD_ENOTSUP);
        EXPECT(brood_get_start_method() == before);
        EXPECT(strstr(brood_last_error()->message, name) != NULL);
        printf("%s: %s\n", name, brood_last_error()->message);

        EXPECT(start_square(method, 7, &child, &answer) == BROOD_ENOTSUP);
        brood_process_destroy(child);
        brood_connection_close(answer);
        return;
    }
    BROOD_CHECK(brood_set_start_method(method));
    EXPECT(brood_get_start_method() == method);
    BROOD_CHECK(start_square(BROOD_START_DEFAULT, 7, &child, &answer));
    finish_square(child, answer, 49);
    printf("%s: 49\n", name);
    BROOD_CHECK(brood_set_start_method(before));
}

/* Python: get_context(name), several at the same time. */
static void run_side_by_side(void)
{
    brood_process *children[METHODS];
    brood_connection *answers[METHODS];
    for (int i = 0; i < METHODS; i++)
        if (brood_start_method_is_supported(methods[i]))
            BROOD_CHECK(start_square(methods[i], i + 10, &children[i], &answers[i]));
    for (int i = 0; i < METHODS; i++)
        if (brood_start_method_is_supported(methods[i]))
            finish_square(children[i], answers[i], (i + 10) * (i + 10));
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);

    for (int i = 0; i < METHODS; i++)
        run_as_default(methods[i]);
    run_side_by_side();

    brood_start_method method;
    EXPECT(brood_start_method_parse("thread", &method) == BROOD_EINVALID);
    printf("thread: %s\n", brood_last_error()->message);
    return 0;
}
