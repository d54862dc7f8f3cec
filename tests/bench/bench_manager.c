/*
 * bench_manager.c - calls of a manager's objects by several client processes at once.
 *
 *     --what dict_get|dict_set|queue|lock|connect  --clients N  --count N
 *
 * queue: a put and a get are two operations; lock: so are acquire and release. connect: connections
 * that prove the key.
 */
#include <string.h>

#include <brood/brood.h>

#include "bench.h"

static void use(brood_proxy *object, const char *what, long count, const char *address)
{
    for (long i = 0; i < count; i++) {
        brood_value value = {0};
        if (strcmp(what, "dict_get") == 0) {
            BROOD_CHECK(brood_proxy_get_item(object, brood_str("key"), &value));
        } else if (strcmp(what, "dict_set") == 0) {
            BROOD_CHECK(brood_proxy_set_item(object, brood_str("key"), brood_int(i)));
        } else if (strcmp(what, "queue") == 0) {
            BROOD_CHECK(brood_proxy_put(object, brood_int(i), BROOD_FOREVER));
            BROOD_CHECK(brood_proxy_get(object, &value, BROOD_FOREVER));
            i++;
        } else if (strcmp(what, "lock") == 0) {
            BROOD_CHECK(brood_proxy_acquire(object, BROOD_FOREVER));
            BROOD_CHECK(brood_proxy_release(object));
            i++;
        } else {
            const void *key;
            brood_connect_options options = {0};
            brood_connection *connection;
            BROOD_CHECK(
                brood_process_authkey(brood_current_process(), &key, &options.authkey_size));
            options.authkey = key;
            BROOD_CHECK(brood_connect(&connection, address, &options, 20000));
            brood_connection_close(connection);
        }
        brood_value_clear(&value);
    }
}

/* A client: says that it is there, waits for the start, works. */
static brood_status client(brood_call *call)
{
    const brood_value *values[3];
    const char *what, *address;
    int64_t count;
    brood_proxy *object, *ready, *start;
    BROOD_TRY(brood_call_args(call, "vvvsis", &values[0], &values[1], &values[2], &what, &count,
                              &address));
    BROOD_TRY(brood_get_proxy(values[0], &object));
    BROOD_TRY(brood_get_proxy(values[1], &ready));
    BROOD_TRY(brood_get_proxy(values[2], &start));
    BROOD_TRY(brood_proxy_release(ready));
    BROOD_TRY(brood_proxy_wait(start, BROOD_FOREVER));
    use(object, what, (long)count, address);
    return BROOD_OK;
}

static brood_proxy *make(brood_manager *manager, const char *type_id, brood_value args)
{
    brood_proxy *proxy;
    BROOD_CHECK(brood_manager_object(manager, type_id, args, &proxy));
    return proxy;
}

static int64_t run(brood_manager *manager, brood_proxy *object, const char *what, int clients,
                   long count)
{
    enum { MOST = 64 };
    brood_process *processes[MOST];
    BENCH_REQUIRE(clients >= 1 && clients <= MOST);
    brood_proxy *ready = make(manager, "Semaphore", brood_pack("(i)", 0));
    brood_proxy *start = make(manager, "Event", (brood_value){0});
    for (int i = 0; i < clients; i++) {
        BROOD_CHECK(brood_process_create(
            &processes[i], client,
            brood_pack("(vvvsls)", brood_proxy_value(object), brood_proxy_value(ready),
                       brood_proxy_value(start), what, (int64_t)(count / clients),
                       brood_manager_address(manager)),
            NULL));
        BROOD_CHECK(brood_process_start(processes[i]));
    }
    for (int i = 0; i < clients; i++)
        BROOD_CHECK(brood_proxy_acquire(ready, BROOD_FOREVER));
    int64_t begin = bench_now();
    BROOD_CHECK(brood_proxy_set(start));
    for (int i = 0; i < clients; i++) {
        int code;
        BROOD_CHECK(brood_process_join(processes[i], BROOD_FOREVER));
        BROOD_CHECK(brood_process_exitcode(processes[i], &code));
        BENCH_REQUIRE(code == 0);
        brood_process_destroy(processes[i]);
    }
    int64_t elapsed = bench_now() - begin;
    brood_proxy_close(ready);
    brood_proxy_close(start);
    return elapsed;
}

int main(int argc, char **argv)
{
    brood_manager *manager;
    BROOD_CHECK(brood_init(&argc, &argv));
    const char *what = bench_word(argc, argv, "what", "dict_get");
    int clients = (int)bench_number(argc, argv, "clients", 1);
    long count = bench_number(argc, argv, "count", 20000);
    BROOD_CHECK(brood_manager_start(&manager, NULL));
    brood_proxy *object = strcmp(what, "queue") == 0 ? make(manager, "Queue", (brood_value){0})
                          : strcmp(what, "lock") == 0
                              ? make(manager, "Lock", (brood_value){0})
                              : make(manager, "dict", brood_pack("({si})", "key", 1));
    int64_t elapsed = run(manager, object, what, clients, count);
    bench_print_rate(elapsed, count / clients * clients);
    brood_proxy_close(object);
    brood_manager_close(manager);
    return 0;
}
