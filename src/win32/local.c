/*
 * win32/local.c - named pipes of messages, as Python's: one instance waits for a client, and the
 * next is made before that client is given out, so that the name is always there.
 */
#include "platform/local.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/memory.h"
#include "platform/clock.h"
#include "platform/ident.h"
#include "win32/security.h"
#include "win32/socket.h"
#include "win32/utf16.h"
#include "win32/win32.h"

enum { PIPE_BUFFER = 64 * 1024 };

static const char PREFIX[] = "\\\\.\\pipe\\";

/* ---- who ---- */

static DWORD user_of(HANDLE process, char user[BRP_USER_TEXT])
{
    char *sid = NULL;
    DWORD error = bri_w32_user_of(process, &sid);
    if (error == ERROR_SUCCESS)
        snprintf(user, BRP_USER_TEXT, "%s", sid);
    LocalFree(sid);
    return error;
}

brood_status brp_own_user(char user[BRP_USER_TEXT])
{
    DWORD error = user_of(GetCurrentProcess(), user);
    return error == ERROR_SUCCESS ? BROOD_OK
                                  : brp_fail((long)error, "could not learn this process's user");
}

brood_status brp_channel_peer(brp_channel channel, brp_peer *peer)
{
    HANDLE pipe = bri_w32_handle(channel.handle);
    ULONG pid = 0;
    DWORD flags = 0;
    *peer = (brp_peer){0};
    if (channel.kind == BRP_CHANNEL_SOCKET)
        return bri_fail(BROOD_ENOTSUP,
                        "could not learn who is at the other end of a connection: it "
                        "leads out of this machine");
    if (!GetNamedPipeInfo(pipe, &flags, NULL, NULL, NULL) ||
        !((flags & PIPE_SERVER_END) != 0 ? GetNamedPipeClientProcessId(pipe, &pid)
                                         : GetNamedPipeServerProcessId(pipe, &pid)))
        return brp_fail(bri_w32_error(), "could not learn who is at the other end of a pipe");
    peer->pid = (int64_t)pid;
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
    if (process != NULL) {
        if (user_of(process, peer->user) != ERROR_SUCCESS)
            peer->user[0] = '\0';
        CloseHandle(process);
    }
    return BROOD_OK;
}

/* ---- servers ---- */

/* Wine takes FILE_FLAG_FIRST_PIPE_INSTANCE and does not mind others. */
static bool has_server(const wchar_t *name)
{
    return WaitNamedPipeW(name, 1) || GetLastError() == ERROR_SEM_TIMEOUT;
}

/* Room for a client: an instance of the pipe. */
static brood_status add_instance(brp_server *server, bool is_first)
{
    SECURITY_ATTRIBUTES *own = bri_w32_own_user_only();
    wchar_t *name = own != NULL ? bri_w32_wide(server->address) : NULL;
    if (name == NULL)
        return brood_last_error()->status;
    if (is_first && has_server(name)) {
        bri_free(name);
        return brp_fail(ERROR_ALREADY_EXISTS, "could not listen at \"%s\"", server->address);
    }
    server->pipe = CreateNamedPipeW(
        name,
        PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | (is_first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0),
        PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
        PIPE_UNLIMITED_INSTANCES, PIPE_BUFFER, PIPE_BUFFER, 0, own);
    DWORD error = GetLastError();
    bri_free(name);
    if (server->pipe != INVALID_HANDLE_VALUE)
        return BROOD_OK;
    server->pipe = NULL;
    if (is_first && error == ERROR_ACCESS_DENIED) /* of FILE_FLAG_FIRST_PIPE_INSTANCE */
        error = ERROR_ALREADY_EXISTS;
    return brp_fail((long)error, "could not listen at \"%s\"", server->address);
}

/* Waits in the background for a client of the instance; the event tells when it is there. */
static brood_status begin_connect(brp_server *server)
{
    ResetEvent(server->event);
    server->connecting = (OVERLAPPED){.hEvent = server->event};
    BOOL done = ConnectNamedPipe(server->pipe, &server->connecting);
    DWORD error = done ? ERROR_SUCCESS : GetLastError();
    server->is_connecting = error == ERROR_IO_PENDING;
    if (error == ERROR_IO_PENDING || error == ERROR_SUCCESS)
        return BROOD_OK;
    if (error != ERROR_PIPE_CONNECTED && error != ERROR_NO_DATA)
        return brp_fail((long)error, "could not listen at \"%s\"", server->address);
    SetEvent(server->event); /* it was there before; perhaps it has gone again */
    return BROOD_OK;
}

/* Without an instance the event stays set, so that the next accept tries again. */
static brood_status connect_or_give_up(brp_server *server, brood_status status)
{
    if (status == BROOD_OK)
        status = begin_connect(server);
    if (status != BROOD_OK) {
        bri_w32_close(server->pipe);
        server->pipe = NULL;
        SetEvent(server->event);
    }
    return status;
}

/* The next instance, and the wait for its client. */
static brood_status prepare_next(brp_server *server, bool is_first)
{
    return connect_or_give_up(server, add_instance(server, is_first));
}

static brood_status copy_address(brp_server *server, const char *address)
{
    char text[80];
    uint64_t random[2];
    if (address == NULL) {
        BROOD_TRY(brp_random(random, sizeof random));
        snprintf(text, sizeof text, "%sbrood-%016" PRIx64 "%016" PRIx64, PREFIX, random[0],
                 random[1]);
        address = text;
    }
    if (strncmp(address, PREFIX, sizeof PREFIX - 1) != 0)
        return bri_fail(BROOD_ENOTSUP,
                        "could not use \"%s\" as a local address: on Windows it begins with %s",
                        address, PREFIX);
    if (strlen(address) > 256)
        return bri_fail(BROOD_ETOOLONG,
                        "could not use \"%s\" as a local address: 256 bytes are the most", address);
    server->address = bri_strdup(address);
    return server->address == NULL ? BROOD_ENOMEM : BROOD_OK;
}

brood_status brp_local_listen(brp_server **server, const char *address, int backlog)
{
    (void)backlog; /* clients that find no instance free wait by themselves */
    brp_server *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->kind = BRP_CHANNEL_MESSAGES;
    made->socket = INVALID_SOCKET;
    brood_status status = copy_address(made, address);
    if (status == BROOD_OK) {
        made->event = CreateEventW(NULL, TRUE, FALSE, NULL);
        if (made->event == NULL)
            status = brp_fail(bri_w32_error(), "could not listen at \"%s\"", made->address);
    }
    if (status == BROOD_OK)
        status = prepare_next(made, true);
    if (status == BROOD_OK)
        *server = made;
    else
        brp_server_close(made);
    return status;
}

const char *brp_server_address(const brp_server *server)
{
    return server->address == NULL ? "" : server->address;
}

brp_watch brp_server_watch(const brp_server *server)
{
    if (server->kind == BRP_CHANNEL_SOCKET)
        return (brp_watch){.handle = {(intptr_t)server->socket}, .kind = BRP_WATCH_SOCKET};
    return (brp_watch){.handle = bri_w32_value(server->event), .kind = BRP_WATCH_EVENT};
}

/* The background wait for a client has ended: ERROR_SUCCESS when one is there. */
static DWORD end_connect(brp_server *server)
{
    DWORD moved;
    if (!server->is_connecting)
        return ERROR_SUCCESS;
    server->is_connecting = false;
    if (GetOverlappedResult(server->pipe, &server->connecting, &moved, TRUE) ||
        GetLastError() == ERROR_PIPE_CONNECTED)
        return ERROR_SUCCESS;
    return GetLastError();
}

brood_status brp_server_accept(brp_server *server, brp_channel *channel)
{
    if (server->kind == BRP_CHANNEL_SOCKET)
        return bri_w32_socket_accept(server, channel);
    for (;;) {
        if (server->pipe == NULL) /* no handle was left for it the last time */
            BROOD_TRY(prepare_next(server, false));
        if (WaitForSingleObject(server->event, 0) != WAIT_OBJECT_0)
            return BROOD_ETIMEDOUT;
        HANDLE client = server->pipe;
        DWORD error = end_connect(server);
        if (error == ERROR_OPERATION_ABORTED) {
            /* The system takes a request back when the thread that made it ends; a client may have
             * come since. */
            BROOD_TRY(connect_or_give_up(server, BROOD_OK));
            continue;
        }
        server->pipe = NULL;
        brood_status status = prepare_next(server, false);
        if (error == ERROR_SUCCESS) {
            *channel = (brp_channel){bri_w32_value(client), BRP_CHANNEL_MESSAGES};
            return BROOD_OK; /* the next call tells what is wrong with the next instance */
        }
        CloseHandle(client);
        BROOD_TRY(status);
    }
}

void brp_server_close(brp_server *server)
{
    if (server == NULL)
        return;
    DWORD moved;
    if (server->is_connecting) {
        CancelIoEx(server->pipe, &server->connecting);
        GetOverlappedResult(server->pipe, &server->connecting, &moved, TRUE);
    }
    bri_w32_close(server->pipe);
    bri_w32_close(server->event);
    if (server->socket != INVALID_SOCKET)
        closesocket(server->socket);
    bri_free(server->address);
    bri_free(server);
}

void brp_server_forget(brp_server *server)
{
    (void)server; /* there is no fork */
}

/* ---- clients ---- */

static DWORD open_pipe(const wchar_t *name, HANDLE *opened)
{
    DWORD mode = PIPE_READMODE_MESSAGE;
    /* SECURITY_IDENTIFICATION: the server cannot act as this user. */
    HANDLE made =
        CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                    FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
    if (made == INVALID_HANDLE_VALUE)
        return GetLastError();
    if (!SetNamedPipeHandleState(made, &mode, NULL, NULL)) {
        DWORD error = GetLastError();
        CloseHandle(made);
        return error;
    }
    *opened = made;
    return ERROR_SUCCESS;
}

/* With all instances taken, waits for one: some milliseconds at a time, because the wait of the
 * system has no other end than its own. */
static DWORD open_until(const wchar_t *name, HANDLE *opened, bri_deadline deadline)
{
    for (;;) {
        DWORD error = open_pipe(name, opened);
        if (error != ERROR_PIPE_BUSY)
            return error;
        brood_ms left = bri_deadline_left_ms(deadline, brp_clock_now());
        if (left == 0)
            return WAIT_TIMEOUT;
        WaitNamedPipeW(name, left < 0 || left > 50 ? 50 : (DWORD)left);
    }
}

brood_status brp_local_connect(brp_channel *channel, const char *address, bri_deadline deadline)
{
    HANDLE opened = NULL;
    if (strncmp(address, PREFIX, sizeof PREFIX - 1) != 0)
        return bri_fail(BROOD_ENOTSUP,
                        "could not use \"%s\" as a local address: on Windows it begins with %s",
                        address, PREFIX);
    wchar_t *name = bri_w32_wide(address);
    if (name == NULL)
        return brood_last_error()->status;
    DWORD error = open_until(name, &opened, deadline);
    bri_free(name);
    if (error == WAIT_TIMEOUT)
        return bri_fail(BROOD_ETIMEDOUT, "could not connect to \"%s\": the time is up", address);
    if (error != ERROR_SUCCESS)
        return brp_fail((long)error, "could not connect to \"%s\"", address);
    *channel = (brp_channel){bri_w32_value(opened), BRP_CHANNEL_MESSAGES};
    return BROOD_OK;
}
