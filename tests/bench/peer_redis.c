/*
 * peer_redis.c - the same with Redis over a unix socket: GET, SET, RPUSH and LPOP, SETNX and DEL.
 *
 *     --what dict_get|dict_set|queue|lock  --clients N  --count N
 */
/* brood-bench: pkg-config hiredis */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "bench.h"

static redisContext *open_client(const char *path)
{
    const struct timespec moment = {0, 10000000};
    for (int i = 0; i < 500; i++) {
        redisContext *client = redisConnectUnix(path);
        if (client != NULL && client->err == 0)
            return client;
        redisFree(client);
        nanosleep(&moment, NULL); /* the server has not begun to listen */
    }
    fprintf(stderr, "redis-server does not answer\n");
    exit(BENCH_SKIP);
}

static void command(redisContext *client, const char *text)
{
    redisReply *reply = redisCommand(client, text);
    BENCH_REQUIRE(reply != NULL && reply->type != REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

static void use(redisContext *client, const char *what, long count)
{
    static const char *const commands[][3] = {{"dict_get", "GET key", NULL},
                                              {"dict_set", "SET key 5", NULL},
                                              {"queue", "RPUSH queue 5", "LPOP queue"},
                                              {"lock", "SETNX lock 1", "DEL lock"}};
    int which = 0;
    while (strcmp(commands[which][0], what) != 0)
        BENCH_REQUIRE(++which < 4);
    for (long i = 0; i < count; i++) {
        command(client, commands[which][1]);
        if (commands[which][2] != NULL && ++i < count)
            command(client, commands[which][2]);
    }
}

int main(int argc, char **argv)
{
    char directory[] = "/tmp/brood-bench-XXXXXX", path[64];
    const char *what = bench_word(argc, argv, "what", "dict_get");
    int clients = (int)bench_number(argc, argv, "clients", 1);
    long count = bench_number(argc, argv, "count", 20000);
    BENCH_REQUIRE(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/redis", directory);
    pid_t server = fork();
    if (server == 0) {
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path, "--save", "",
               "--appendonly", "no", "--logfile", "/dev/null", (char *)NULL);
        _exit(BENCH_SKIP);
    }
    redisContext *first = open_client(path);
    command(first, "SET key 1");
    int gate[2];
    BENCH_REQUIRE(pipe(gate) == 0);
    for (int i = 0; i < clients; i++) {
        if (fork() != 0)
            continue;
        char go;
        close(gate[1]);
        redisContext *mine = open_client(path);
        BENCH_REQUIRE(read(gate[0], &go, 1) == 0);
        use(mine, what, count / clients);
        _exit(0);
    }
    close(gate[0]);
    int64_t begin = bench_now();
    close(gate[1]);
    for (int i = 0; i < clients; i++) {
        int status;
        BENCH_REQUIRE(wait(&status) > 0 && status == 0);
    }
    int64_t elapsed = bench_now() - begin;
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    unlink(path);
    rmdir(directory);
    redisFree(first);
    bench_print_rate(elapsed, count / clients * clients);
    return 0;
}
