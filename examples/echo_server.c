/*
 * echo_server.c - the parent accepts TCP clients and passes their sockets to the workers of a pool,
 * which echo in upper case; six clients, three workers.
 *
 * Python: a Pool whose tasks get the accepted sockets
 */
#include <ctype.h>

#include "sockets.h"

enum { CLIENTS = 6, WORKERS = 3 };

/* (socket): until the client has said all. Gives the worker's pid. */
static brood_status serve(brood_call *call)
{
    const brood_value *value;
    intptr_t client;
    char data[256];
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_socket(value, &client)); /* closed with the call's arguments */
    start_sockets();
    for (size_t n; (n = receive_some(client, data, sizeof data)) != 0;) {
        for (size_t i = 0; i < n; i++)
            data[i] = (char)toupper((unsigned char)data[i]);
        if (!send_all(client, data, n))
            return brood_call_raise(call, "ConnectionError", "the client is gone");
    }
    return brood_call_return(call, brood_int(brood_process_pid(brood_current_process())));
}

/* (port, number): a client, in a process of its own. */
static brood_status talk(brood_call *call)
{
    int64_t port, number;
    char said[64], wanted[64], heard[64] = "";
    size_t size = 0;
    BROOD_TRY(brood_call_args(call, "ll", &port, &number));
    start_sockets();
    intptr_t server = connect_to((int)port);
    snprintf(said, sizeof said, "hello from client %d", (int)number);
    snprintf(wanted, sizeof wanted, "HELLO FROM CLIENT %d", (int)number);
    EXPECT(send_all(server, said, strlen(said)));
    while (size < strlen(wanted)) {
        size_t n = receive_some(server, heard + size, sizeof heard - 1 - size);
        EXPECT(n != 0);
        size += n;
    }
    close_socket(server);
    EXPECT(strcmp(heard, wanted) == 0);
    return BROOD_OK;
}

static brood_process *start_client(int port, int number)
{
    brood_process *client;
    BROOD_CHECK(brood_process_create(&client, talk, brood_pack("(ii)", port, number), NULL));
    BROOD_CHECK(brood_process_start(client));
    return client;
}

static size_t count_different(const int64_t *pids, size_t n)
{
    size_t different = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < i && pids[k] != pids[i])
            k++;
        different += k == i;
    }
    return different;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    start_sockets();

    int port, code;
    int64_t pids[CLIENTS];
    brood_pool *pool;
    brood_process *clients[CLIENTS];
    brood_future *served[CLIENTS];
    BROOD_CHECK(brood_pool_create(&pool, &(brood_pool_options){.workers = WORKERS}));
    intptr_t server = listen_on(&port);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = start_client(port, i);
    for (int i = 0; i < CLIENTS; i++) {
        brood_value client = brood_socket_value(accept_client(server));
        BROOD_CHECK(
            brood_pool_apply_async(pool, serve, brood_pack("(v)", client), NULL, &served[i]));
    }
    for (int i = 0; i < CLIENTS; i++) {
        brood_value pid;
        BROOD_CHECK(brood_future_take(served[i], &pid, BROOD_FOREVER));
        BROOD_CHECK(brood_get_int(&pid, &pids[i]));
        BROOD_CHECK(brood_process_join(clients[i], BROOD_FOREVER));
        BROOD_CHECK(brood_process_exitcode(clients[i], &code));
        EXPECT(code == 0);
        brood_future_destroy(served[i]);
        brood_process_destroy(clients[i]);
    }
    close_socket(server);
    printf("%d clients were served by %zu workers\n", CLIENTS, count_different(pids, CLIENTS));
    EXPECT(count_different(pids, CLIENTS) <= WORKERS);
    BROOD_CHECK(brood_pool_close(pool));
    BROOD_CHECK(brood_pool_join(pool, BROOD_FOREVER));
    brood_pool_destroy(pool);
    return 0;
}
