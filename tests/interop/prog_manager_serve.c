/*
 * prog_manager_serve.c - a manager's server for tests: prog_manager_serve ADDRESS KEY. Prints its
 * address; ends by a client's shutdown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brood/brood.h>

/* A counter as a program's own type. */
typedef struct counter {
    int64_t value;
} counter;

static counter the_counter;

static brood_status create_counter(brood_call *call, void **object)
{
    int64_t start = 0;
    BROOD_TRY(brood_call_args(call, "|i", &start));
    if (start < 0)
        return brood_call_raise(call, "ValueError", "a counter starts at 0 or above");
    counter *made = malloc(sizeof *made);
    if (made == NULL)
        return brood_call_raise(call, "MemoryError", "no memory for a counter");
    made->value = start;
    *object = made;
    return BROOD_OK;
}

static brood_status get_counter(brood_call *call, void **object)
{
    (void)call;
    *object = &the_counter;
    return BROOD_OK;
}

static brood_status counter_add(brood_call *call)
{
    counter *self = brood_call_object(call);
    int64_t by = 1;
    BROOD_TRY(brood_call_args(call, "|i", &by));
    self->value += by;
    return brood_call_return(call, brood_int(self->value));
}

static brood_status counter_fail(brood_call *call)
{
    return brood_call_raise(call, "shop.SaleError", "sold out");
}

static brood_status counter_echo(brood_call *call)
{
    brood_value args, kwds;
    BROOD_TRY(brood_value_copy(brood_call_arguments(call), &args));
    BROOD_TRY(brood_value_copy(brood_call_keywords(call), &kwds));
    return brood_call_return(call, brood_pack("(vv)", args, kwds));
}

/* Reads until the other end of a pipe is closed: as slow as somebody wants. */
static brood_status counter_slow(brood_call *call)
{
    brood_connection *first, *second;
    int64_t ms;
    BROOD_TRY(brood_call_args(call, "i", &ms));
    BROOD_TRY(brood_pipe(&first, &second, true));
    brood_status status = brood_connection_poll(first, ms);
    brood_connection_close(first);
    brood_connection_close(second);
    return status == BROOD_ETIMEDOUT ? brood_call_return(call, brood_str("slow")) : status;
}

static const brood_method methods[] = {
    {.name = "add", .run = counter_add},
    {.name = "fail", .run = counter_fail},
    {.name = "echo", .run = counter_echo},
    {.name = "slow", .run = counter_slow, .flags = BROOD_METHOD_SLOW},
};

static const brood_manager_type counter_type = {"Counter", create_counter, free, methods, 4};
static const brood_manager_type shared_type = {"get_counter", get_counter, NULL, methods, 4};

/* ---- tasks of pools ---- */

static brood_status square(brood_call *call)
{
    int64_t n;
    BROOD_TRY(brood_call_args(call, "i", &n));
    if (n < 0)
        return brood_call_raise(call, "ValueError", "%d is no good", (int)n);
    return brood_call_return(call, brood_int(n * n));
}

static brood_status add(brood_call *call)
{
    int64_t a, b;
    BROOD_TRY(brood_call_args(call, "ii", &a, &b));
    return brood_call_return(call, brood_int(a + b));
}

/* What the listener says. */
static brood_status wait_for(brood_call *call)
{
    const char *address;
    brood_connection *connection;
    brood_value said;
    BROOD_TRY(brood_call_args(call, "s", &address));
    BROOD_TRY(brood_connect(&connection, address, NULL, 20000));
    brood_status status = brood_connection_recv(connection, &said, 20000);
    brood_connection_close(connection);
    return status == BROOD_OK ? brood_call_return(call, said) : status;
}

int main(int argc, char **argv)
{
    brood_manager_server *server;
    BROOD_CHECK(BROOD_FUNCTION(square));
    BROOD_CHECK(BROOD_FUNCTION(add));
    BROOD_CHECK(BROOD_FUNCTION(wait_for));
    BROOD_CHECK(brood_manager_register(&counter_type));
    BROOD_CHECK(brood_manager_register(&shared_type));
    BROOD_CHECK(brood_manager_share("get_tasks", "Queue", (brood_value){0}));
    BROOD_CHECK(brood_manager_share("get_table", "dict", brood_pack("({si})", "a", 1)));
    BROOD_CHECK(brood_init(&argc, &argv));
    if (argc != 3)
        return 2;
    BROOD_CHECK(brood_manager_get_server(
        &server, &(brood_manager_options){
                     .address = argv[1], .authkey = argv[2], .authkey_size = strlen(argv[2])}));
    printf("%s\n", brood_manager_server_address(server));
    fflush(stdout);
    BROOD_CHECK(brood_manager_serve_forever(server));
    brood_manager_server_close(server);
    return 0;
}
