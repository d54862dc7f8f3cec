/*
 * prog_connect.c - brood at one end of a connection, for test_connection.py at the other.
 *
 *   prog_connect listen ADDRESS KEY N [no-md5]     tells the address, then serves N clients in turn
 *   prog_connect connect ADDRESS KEY [no-md5]      connects, and serves what it is connected to
 *
 * KEY is text, "-" for none. Serving: each message is answered by itself; "bytes" by 3 MB, "handle"
 * by a handle (POSIX) through which "through the handle" can be read, "end" by the end. What
 * happens is told on standard output, a line each.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brood/brood.h>

#include "platform/handle.h"
#include "platform/stream.h"

enum { LARGE = 3000000, PATIENCE = 30000 };

static void tell(const char *what, brood_status status)
{
    if (status == BROOD_OK)
        printf("%s\n", what);
    else
        printf("%s %s %s\n", what, brood_status_name(status), brood_last_error()->message);
    fflush(stdout);
}

static brood_status send_large(brood_connection *connection)
{
    char *data = malloc(LARGE);
    for (int i = 0; i < LARGE; i++)
        data[i] = (char)(i % 251);
    brood_status status = brood_connection_send_bytes(connection, data, LARGE, PATIENCE);
    free(data);
    return status;
}

/* A handle of a channel in which a text waits. */
static brood_status send_handle(brood_connection *connection)
{
    brp_handle ends[2];
    size_t written;
    const brp_bytes text = {"through the handle", 18};
    BROOD_TRY(brp_stream_pair(ends));
    brood_status status = brp_stream_write_all(ends[1], &text, 1, &written, BRI_NEVER);
    if (status == BROOD_OK)
        status = brood_connection_send_handle(connection, ends[0].value, 0, PATIENCE);
    brp_handle_close(&ends[0]);
    brp_handle_close(&ends[1]);
    return status;
}

/* Receives a handle, reads a text from it and answers with that. */
static brood_status take_handle(brood_connection *connection)
{
    brp_handle got;
    char text[64];
    size_t size;
    BROOD_TRY(brood_connection_recv_handle(connection, &got.value, PATIENCE));
    brood_status status = brp_stream_read(got, text, sizeof text, &size, BRI_NEVER);
    brp_handle_close(&got);
    return status == BROOD_OK ? brood_connection_send_bytes(connection, text, size, PATIENCE)
                              : status;
}

/* Receives a message of any size and tells how long it was and its last byte. */
static brood_status take_giant(brood_connection *connection)
{
    void *data;
    size_t size;
    BROOD_TRY(brood_connection_recv_bytes(connection, SIZE_MAX / 2, &data, &size, 2 * PATIENCE));
    int last = size == 0 ? 0 : ((unsigned char *)data)[size - 1];
    brood_free(data);
    return brood_connection_send(connection, brood_pack("(ui)", (uint64_t)size, last), PATIENCE);
}

/* One message; BROOD_EEOF ends the serving. */
static brood_status serve_one(brood_connection *connection)
{
    brood_value value;
    const char *text = "";
    BROOD_TRY(brood_connection_recv(connection, &value, PATIENCE));
    if (brood_value_kind(&value) == BROOD_STR)
        brood_get_str(&value, &text, NULL);
    brood_status status;
    if (strcmp(text, "bytes") == 0)
        status = send_large(connection);
    else if (strcmp(text, "handle") == 0)
        status = send_handle(connection);
    else if (strcmp(text, "take handle") == 0)
        status = take_handle(connection);
    else if (strcmp(text, "giant") == 0)
        status = take_giant(connection);
    else if (strcmp(text, "end") == 0)
        status = BROOD_EEOF;
    else
        return brood_connection_send(connection, value, PATIENCE);
    brood_value_clear(&value);
    return status;
}

static void serve(brood_connection *connection)
{
    brood_status status;
    do
        status = serve_one(connection);
    while (status == BROOD_OK);
    tell(status == BROOD_EEOF ? "ended" : "failed", status == BROOD_EEOF ? BROOD_OK : status);
    brood_connection_close(connection);
}

static int run_listener(const char *address, const char *key, int n, bool refuse_md5)
{
    brood_listener *listener;
    brood_listener_options options = {
        .authkey = key, .authkey_size = key == NULL ? 0 : strlen(key), .refuse_md5 = refuse_md5};
    brood_status status =
        brood_listener_create(&listener, address[0] == '\0' ? NULL : address, &options);
    tell(status == BROOD_OK ? brood_listener_address(listener) : "failed", status);
    if (status != BROOD_OK)
        return 1;
    for (int i = 0; i < n; i++) {
        brood_connection *connection;
        status = brood_listener_accept(listener, &connection, PATIENCE);
        tell("accepted", status);
        if (status == BROOD_OK)
            serve(connection);
    }
    brood_listener_close(listener);
    return 0;
}

static int run_client(const char *address, const char *key, bool refuse_md5)
{
    brood_connection *connection;
    brood_connect_options options = {
        .authkey = key, .authkey_size = key == NULL ? 0 : strlen(key), .refuse_md5 = refuse_md5};
    brood_status status = brood_connect(&connection, address, &options, PATIENCE);
    tell("connected", status);
    if (status == BROOD_OK)
        serve(connection);
    return 0;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    if (argc < 4)
        return 2;
    const char *key = strcmp(argv[3], "-") == 0 ? NULL : argv[3];
    bool refuse_md5 = strcmp(argv[argc - 1], "no-md5") == 0;
    if (strcmp(argv[1], "listen") == 0)
        return run_listener(argv[2], key, argc > 4 ? atoi(argv[4]) : 1, refuse_md5);
    return run_client(argv[2], key, refuse_md5);
}
