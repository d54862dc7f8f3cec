/*
 * master_worker.c - a master serves a queue of tasks and a queue of results over TCP; workers
 * connect with the key, square what they get, and answer. Master and workers may be on different
 * machines, and either may be a Python program.
 *
 *     master_worker                        both, on this machine
 *     master_worker master ADDRESS KEY     the master alone: prints its address
 *     master_worker worker ADDRESS KEY     a worker alone
 *
 * Python: BaseManager.register("get_task_queue", callable=lambda: tasks)
 */
#include <string.h>

#include "check.h"

enum { TASKS = 10, WORKERS = 2 };

static brood_manager_options with_key(const char *address, const char *key)
{
    return (brood_manager_options){.address = address, .authkey = key, .authkey_size = strlen(key)};
}

/* Squares tasks until it gets none. */
static brood_status work(const char *address, const char *key)
{
    brood_manager *manager;
    brood_proxy *tasks, *results;
    brood_manager_options options = with_key(NULL, key);
    BROOD_TRY(brood_manager_connect(&manager, address, &options));
    BROOD_TRY(brood_manager_object(manager, "get_task_queue", (brood_value){0}, &tasks));
    BROOD_TRY(brood_manager_object(manager, "get_result_queue", (brood_value){0}, &results));
    for (;;) {
        brood_value task;
        int64_t n;
        BROOD_TRY(brood_proxy_get(tasks, &task, BROOD_FOREVER));
        if (brood_value_kind(&task) == BROOD_NONE)
            break;
        BROOD_TRY(brood_get_int(&task, &n));
        BROOD_TRY(brood_proxy_put(results, brood_pack("(ll)", n, n * n), BROOD_FOREVER));
    }
    brood_proxy_close(tasks);
    brood_proxy_close(results);
    brood_manager_close(manager);
    return BROOD_OK;
}

static brood_status worker(brood_call *call)
{
    const char *address, *key;
    BROOD_TRY(brood_call_args(call, "ss", &address, &key));
    return work(address, key);
}

/* Gives out the tasks, collects the answers, and ends the workers and the server. */
static void lead(const char *address, const char *key)
{
    brood_manager *manager;
    brood_proxy *tasks, *results;
    brood_manager_options options = with_key(NULL, key);
    int64_t sum = 0;
    BROOD_CHECK(brood_manager_connect(&manager, address, &options));
    BROOD_CHECK(brood_manager_object(manager, "get_task_queue", (brood_value){0}, &tasks));
    BROOD_CHECK(brood_manager_object(manager, "get_result_queue", (brood_value){0}, &results));
    for (int i = 0; i < TASKS; i++)
        BROOD_CHECK(brood_proxy_put(tasks, brood_int(i), BROOD_FOREVER));
    for (int i = 0; i < TASKS; i++) {
        brood_value answer;
        int64_t n, square;
        BROOD_CHECK(brood_proxy_get(results, &answer, 30000));
        BROOD_CHECK(brood_unpack(&answer, "(ii)", &n, &square));
        EXPECT(square == n * n);
        sum += square;
        brood_value_clear(&answer);
    }
    EXPECT(sum == 285);
    printf("%d answers, their sum is %d\n", TASKS, (int)sum);
    for (int i = 0; i < WORKERS; i++)
        BROOD_CHECK(brood_proxy_put(tasks, brood_none(), BROOD_FOREVER));
    brood_proxy_close(tasks);
    brood_proxy_close(results);
    brood_manager_close(manager);
}

static void refuse_wrong_key(const char *address)
{
    brood_manager *manager;
    brood_manager_options options = with_key(NULL, "wrong");
    EXPECT(brood_manager_connect(&manager, address, &options) == BROOD_EAUTH);
    printf("a wrong key: %s\n", brood_last_error()->message);
}

/* The server, in a process of its own: the parent is the master, its other children work. */
static void run_all(const char *key)
{
    brood_manager *manager;
    brood_process *workers[WORKERS];
    brood_manager_options options = with_key("127.0.0.1:0", key);
    BROOD_CHECK(brood_manager_start(&manager, &options));
    const char *address = brood_manager_address(manager);
    refuse_wrong_key(address);
    for (int i = 0; i < WORKERS; i++) {
        BROOD_CHECK(
            brood_process_create(&workers[i], worker, brood_pack("(ss)", address, key), NULL));
        BROOD_CHECK(brood_process_start(workers[i]));
    }
    lead(address, key);
    for (int i = 0; i < WORKERS; i++) {
        int code;
        BROOD_CHECK(brood_process_join(workers[i], BROOD_FOREVER));
        BROOD_CHECK(brood_process_exitcode(workers[i], &code));
        EXPECT(code == 0);
        brood_process_destroy(workers[i]);
    }
    brood_manager_close(manager);
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_manager_share("get_task_queue", "Queue", (brood_value){0}));
    BROOD_CHECK(brood_manager_share("get_result_queue", "Queue", (brood_value){0}));
    BROOD_CHECK(brood_init(&argc, &argv));
    if (argc == 4 && strcmp(argv[1], "worker") == 0) {
        BROOD_CHECK(work(argv[2], argv[3]));
    } else if (argc == 4 && strcmp(argv[1], "master") == 0) {
        brood_manager *manager;
        brood_manager_options options = with_key(argv[2], argv[3]);
        BROOD_CHECK(brood_manager_start(&manager, &options));
        printf("%s\n", brood_manager_address(manager));
        fflush(stdout);
        lead(brood_manager_address(manager), argv[3]);
        getchar(); /* whoever started it says when */
        brood_manager_close(manager);
    } else {
        use_start_method(argc, argv);
        run_all("a key that nobody guesses");
    }
    return 0;
}
