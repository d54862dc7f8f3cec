/*
 * fuzz_manager.c - libFuzzer: a session with a manager's server that sends any requests.
 *
 * The input is a row of messages, each with its size in front (2 bytes, little-endian). One that is
 * the pickle of (number, method, args, kwds) goes to the object of that number; any other goes out
 * as it is. The session then ends in whatever it was doing; another one is still served.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brood/brood.h>

#include "core/thread.h"
#include "data/pickle.h"
#include "manager/server.h"

#define REQUIRE(condition)                                                                  \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            fprintf(stderr, "not true: %s: %s\n", #condition, brood_last_error()->message); \
            abort();                                                                        \
        }                                                                                   \
    } while (0)

static bri_server *server;
static brood_connection *witness;

static const char *const types[] = {"list",      "dict",  "set",       "Namespace",
                                    "Lock",      "RLock", "Semaphore", "BoundedSemaphore",
                                    "Condition", "Event", "Queue",     "JoinableQueue",
                                    "Barrier",   "Value", "Array"};

enum { TYPES = sizeof types / sizeof *types };

static char idents[TYPES][64];

static void serve(void *context)
{
    (void)context;
    REQUIRE(bri_server_run(server) == BROOD_OK);
}

static brood_connection *open_session(void)
{
    brood_connection *ours, *theirs;
    REQUIRE(brood_pipe(&ours, &theirs, true) == BROOD_OK);
    REQUIRE(bri_server_adopt(server, theirs) == BROOD_OK);
    REQUIRE(brood_connection_send(ours, brood_pack("(ns(s){})", "accept_connection", "fuzz"),
                                  BROOD_FOREVER) == BROOD_OK);
    brood_value reply;
    REQUIRE(brood_connection_recv(ours, &reply, 10000) == BROOD_OK);
    brood_value_clear(&reply);
    return ours;
}

/* One request of the witness, and its result. */
static brood_value ask(brood_value request)
{
    brood_value reply, result;
    REQUIRE(brood_connection_send(witness, request, BROOD_FOREVER) == BROOD_OK);
    REQUIRE(brood_connection_recv(witness, &reply, 10000) == BROOD_OK);
    REQUIRE(brood_take_item(&reply, 1, &result) == BROOD_OK);
    brood_value_clear(&reply);
    return result;
}

static brood_value arguments_of(const char *type)
{
    if (strcmp(type, "Barrier") == 0)
        return brood_pack("(si)", type, 2);
    if (strcmp(type, "Value") == 0)
        return brood_pack("(ssi)", type, "i", 1);
    if (strcmp(type, "Array") == 0)
        return brood_pack("(ss[ii])", type, "i", 1, 2);
    return brood_pack("(s)", type);
}

static void start(void)
{
    static bri_thread *thread;
    int argc = 0;
    char **argv = NULL;
    bri_server_options options = {
        .max_message = 1 << 20, .max_objects = 1000, .max_unread = 1 << 24, .max_stored = 1 << 24};
    REQUIRE(brood_init(&argc, &argv) == BROOD_OK);
    options.address = brood_str("/fuzz");
    REQUIRE(bri_server_create(&server, &options) == BROOD_OK);
    REQUIRE(bri_thread_start(&thread, serve, NULL) == BROOD_OK);
    witness = open_session();
    for (size_t i = 0; i < TYPES; i++) {
        brood_value made = ask(brood_pack("(nsv{})", "create", arguments_of(types[i])));
        const char *ident;
        REQUIRE(brood_unpack(&made, "(sx)", &ident) == BROOD_OK);
        snprintf(idents[i], sizeof idents[i], "%s", ident);
        brood_value_clear(&made);
    }
}

static brood_status send_message(brood_connection *session, const unsigned char *data, size_t size)
{
    static const brood_pickle_limits limits = {
        .max_depth = 200, .max_nodes = 10000, .max_bytes = 1 << 20};
    brood_value request;
    int64_t number;
    if (brood_pickle_loads(data, size, &limits, &request) != BROOD_OK)
        return brood_connection_send_bytes(session, data, size, 0);
    if (brood_value_kind(&request) == BROOD_TUPLE && brood_value_length(&request) == 4 &&
        brood_get_int(brood_item(&request, 0), &number) == BROOD_OK && number >= 0 &&
        number < TYPES && brood_set_item(&request, 0, brood_str(idents[number])) == BROOD_OK)
        return brood_connection_send(session, request, 0);
    brood_value_clear(&request);
    return brood_connection_send_bytes(session, data, size, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (server == NULL)
        start();
    brood_connection *session = open_session();
    brood_status status = BROOD_OK;
    while (size > 2 && status == BROOD_OK) {
        size_t length = data[0] | (size_t)data[1] << 8;
        data += 2;
        size -= 2;
        length = length < size ? length : size;
        status = send_message(session, data, length);
        data += length;
        size -= length;
    }
    brood_connection_close(session);
    brood_value n = ask(brood_pack("(ns(){})", "number_of_objects"));
    REQUIRE(brood_value_kind(&n) == BROOD_INT);
    brood_value_clear(&n);
    return 0;
}
