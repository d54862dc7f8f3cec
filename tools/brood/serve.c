/*
 * brood serve - a manager's server as a program of its own.
 *
 * Named queues and dicts live as long as the server and are got by calling create with
 * "get_NAME", which is what Python's register("get_NAME") leads to.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brood/brood.h>

#include "brood.h"

typedef struct serve_options {
    brood_manager_options manager;
    char *key; /* read from a file */
    bool has_key;
} serve_options;

static void end_server(void *context, int count)
{
    (void)count;
    brood_manager_server_stop(context);
}

static int help(void)
{
    printf(
        "usage: brood serve --address ADDRESS (--authkey-file FILE | --authkey KEY) [OPTION]...\n"
        "\n"
        "Serves lists, dicts, queues, locks and other objects to brood's and Python's clients.\n"
        "\n"
        "  --address ADDRESS   HOST:PORT ([::1]:PORT for IPv6; port 0: any), a socket's path, or\n"
        "                      \\\\.\\pipe\\NAME\n"
        "  --authkey-file FILE the key that clients have to prove: the file's first line, up to\n"
        "                      1000 bytes. A file that others can read is refused, as by ssh; on\n"
        "                      Windows access control lists are not judged\n"
        "  --authkey KEY       the same, for tests: others can see it in the list of processes\n"
        "  --queue NAME        a queue that clients get by get_NAME(); may be repeated\n"
        "  --dict NAME         a dict, the same way\n"
        "  --max-clients N     sessions at once; 4096 without\n"
        "  --max-objects N     objects at once; 1048576 without\n"
        "  --max-message N     bytes of one request, and of replies that a session leaves unread;\n"
        "                      1 GiB without\n"
        "  --max-bytes N       bytes of all requests on their way and of all replies unread\n"
        "  --max-stored N      bytes of what the objects contain\n"
        "  --max-client-sessions N, --max-client-objects N, --max-client-bytes N,\n"
        "  --max-client-stored N\n"
        "                      the same for each client\n"
        "\n"
        "Prints the address when clients can connect. Ends by Ctrl-C, SIGTERM (on Windows: "
        "Ctrl-Break),\n"
        "and a client's shutdown().\n");
    return 0;
}

static int complain(const char *what, const char *on)
{
    fprintf(stderr, "brood serve: %s%s%s\n", what, on == NULL ? "" : ": ", on == NULL ? "" : on);
    return 2;
}

static int read_key(const char *path, serve_options *options)
{
    enum { LONGEST = 1000 };
    char line[LONGEST + 1];
    const char *trouble;
    FILE *file = brood_tool_open_key(path, &trouble);
    if (file == NULL)
        return complain(trouble == NULL ? "could not open the key's file" : trouble, path);
    size_t n = fread(line, 1, sizeof line, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed)
        return complain("could not read the key's file", path);
    size_t size = 0;
    while (size < n && line[size] != '\n' && line[size] != '\r')
        size++;
    if (size == 0)
        return complain("the first line of the key's file is empty", path);
    if (size > LONGEST)
        return complain("the key's file has no key: its first line is longer than 1000 bytes",
                        path);
    options->key = malloc(size);
    if (options->key == NULL)
        return complain("out of memory", NULL);
    memcpy(options->key, line, size);
    options->manager.authkey = options->key;
    options->manager.authkey_size = size;
    options->has_key = true;
    return 0;
}

static int read_number(const char *text, uint64_t *number)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < 1 || errno == ERANGE)
        return complain("this is no positive number", text);
    *number = (uint64_t)value;
    return 0;
}

static int take_limit(const char *name, const char *value, brood_manager_options *options)
{
    const struct {
        const char *name;
        size_t *count; /* one of the two */
        uint64_t *bytes;
    } limits[] = {
        {"--max-clients", &options->max_clients, NULL},
        {"--max-objects", &options->max_objects, NULL},
        {"--max-message", NULL, &options->max_message},
        {"--max-bytes", NULL, &options->max_bytes},
        {"--max-client-sessions", &options->max_client_sessions, NULL},
        {"--max-client-objects", &options->max_client_objects, NULL},
        {"--max-client-bytes", NULL, &options->max_client_bytes},
        {"--max-stored", NULL, &options->max_stored},
        {"--max-client-stored", NULL, &options->max_client_stored},
    };
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        if (strcmp(limits[i].name, name) != 0)
            continue;
        int failed = read_number(value, &number);
        if (limits[i].count != NULL)
            *limits[i].count = (size_t)number;
        else
            *limits[i].bytes = number;
        return failed;
    }
    return complain("there is no such option", name);
}

static int share(const char *typeid, const char *name)
{
    char callable[200];
    snprintf(callable, sizeof callable, "get_%s", name);
    if (brood_manager_share(callable, typeid, (brood_value){0}) == BROOD_OK)
        return 0;
    return complain(brood_last_error()->message, NULL);
}

static int take_option(const char *name, const char *value, serve_options *options)
{
    int failed = 0;
    if (strcmp(name, "--address") == 0) {
        options->manager.address = value;
    } else if (strcmp(name, "--authkey-file") == 0) {
        failed = read_key(value, options);
    } else if (strcmp(name, "--authkey") == 0) {
        options->manager.authkey = value;
        options->manager.authkey_size = strlen(value);
        options->has_key = true;
    } else if (strcmp(name, "--queue") == 0) {
        failed = share("Queue", value);
    } else if (strcmp(name, "--dict") == 0) {
        failed = share("dict", value);
    } else {
        failed = take_limit(name, value, &options->manager);
    }
    return failed;
}

static brood_status run_server(brood_manager_server *server)
{
    BROOD_TRY(brood_handle_interrupt(end_server, server));
    printf("%s\n", brood_manager_server_address(server));
    fflush(stdout);
    brood_status status = brood_manager_serve_forever(server);
    brood_unhandle_interrupt();
    return status;
}

static int serve(const serve_options *options)
{
    brood_manager_server *server;
    brood_status status = brood_manager_get_server(&server, &options->manager);
    if (status != BROOD_OK)
        return complain(brood_last_error()->message, NULL);
    /* What stands again when the server has ended: more of the same do not end us half-way. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    status = run_server(server);
    int code = status == BROOD_OK ? 0 : complain(brood_last_error()->message, NULL);
    brood_manager_server_close(server);
    return code;
}

int brood_tool_serve(int argc, char **argv)
{
    serve_options options = {0};
    int failed = 0;
    for (int i = 1; i < argc && failed == 0; i += 2) {
        if (strcmp(argv[i], "--help") == 0)
            return help();
        if (i + 1 == argc)
            failed = complain("an option lacks its value, or there is no such option", argv[i]);
        else
            failed = take_option(argv[i], argv[i + 1], &options);
    }
    if (failed == 0 && options.manager.address == NULL)
        failed = complain("--address is missing; see brood serve --help", NULL);
    if (failed == 0 && !options.has_key)
        failed = complain("--authkey-file is missing; see brood serve --help", NULL);
    if (failed == 0)
        failed = serve(&options);
    free(options.key);
    return failed;
}
