/* listener_rig.h - what the tests of listeners share: listeners, callers, raw clients. */
#ifndef IPC_LISTENER_RIG_H
#define IPC_LISTENER_RIG_H

#include "harness.h"

#include "core/thread.h"
#include "ipc/address.h"
#include "platform/clock.h"
#include "platform/socket.h"

static const char KEY[] = "a secret of the tests";

/* One of each kind that this system has. */
static const char *const ADDRESSES[] = {NULL, "127.0.0.1:0", "[::1]:0"};
enum { N_ADDRESSES = 3, PATIENCE = 20000 };

/* ---- helpers ---- */

typedef struct caller {
    bri_thread *thread;
    const char *address;
    brood_connect_options options;
    brood_connection *connection;
    brood_status status;
    char message[512];
} caller;

static inline void run_caller(void *context)
{
    caller *one = context;
    one->status = brood_connect(&one->connection, one->address, &one->options, PATIENCE);
    snprintf(one->message, sizeof one->message, "%s", brood_last_error()->message);
}

static inline void call_with(caller *one, const brood_listener *listener,
                             brood_connect_options options)
{
    *one = (caller){.address = brood_listener_address(listener), .options = options};
    bt_ok(bri_thread_start(&one->thread, run_caller, one));
}

static inline void call(caller *one, const brood_listener *listener)
{
    call_with(one, listener, (brood_connect_options){.authkey = KEY, .authkey_size = sizeof KEY});
}

static inline brood_listener *listen_with(const char *address, brood_listener_options options)
{
    brood_listener *listener;
    bt_ok(brood_listener_create(&listener, address, &options));
    return listener;
}

static inline brood_listener *listen_with_key(const char *address)
{
    return listen_with(address,
                       (brood_listener_options){.authkey = KEY, .authkey_size = sizeof KEY});
}

/* A connected pair, both with the key. */
static inline brood_connection *meet(brood_listener *listener, caller *one)
{
    brood_connection *accepted;
    call(one, listener);
    bt_ok(brood_listener_accept(listener, &accepted, PATIENCE));
    bri_thread_join(one->thread);
    bt_ok(one->status);
    return accepted;
}

static inline void part(brood_listener *listener, brood_connection *accepted, caller *one)
{
    brood_connection_close(accepted);
    brood_connection_close(one->connection);
    brood_listener_close(listener);
}

static inline bool has_address(size_t i)
{
    brood_listener *listener;
    brood_status status = brood_listener_create(&listener, ADDRESSES[i], NULL);
    if (status == BROOD_OK)
        brood_listener_close(listener);
    return status == BROOD_OK;
}

/* A client that speaks for itself. */
static inline brp_channel raw_client(const brood_listener *listener)
{
    brp_channel channel;
    bri_address address;
    const char *text = brood_listener_address(listener);
    bri_deadline deadline = bri_deadline_after(brp_clock_now(), PATIENCE);
    bt_ok(bri_address_parse(text, &address));
    bt_ok(address.kind == BRI_ADDRESS_TCP
              ? brp_tcp_connect(&channel, address.host, address.port, deadline)
              : brp_local_connect(&channel, text, deadline));
    return channel;
}

static inline void raw_write(brp_channel channel, const void *data, size_t size)
{
    brp_bytes bytes = {data, size};
    size_t written;
    bt_ok(brp_channel_write_all(channel, &bytes, 1, &written,
                                bri_deadline_after(brp_clock_now(), PATIENCE)));
}

/* Whether the channel comes to its end; what it says before does not matter. */
static inline bool raw_ends(brp_channel channel)
{
    char data[512];
    size_t got, left;
    brood_status status;
    do
        status = brp_channel_read(channel, data, sizeof data, &got, &left,
                                  bri_deadline_after(brp_clock_now(), PATIENCE));
    while (status == BROOD_OK);
    return status == BROOD_EEOF;
}

#endif /* IPC_LISTENER_RIG_H */
