/*
 * win32/channel.c - three kinds of handles read and written: pipes of bytes (stream.c), pipes of
 * messages, sockets.
 */
#include "platform/channel.h"

#include <string.h>

#include "base/memory.h"
#include "win32/socket.h"
#include "win32/win32.h"

static SOCKET socket_of(brp_channel channel)
{
    return (SOCKET)channel.handle.value;
}

/* ---- messages ---- */

/* The result of an overlapped call on a pipe of messages: ERROR_SUCCESS, ERROR_MORE_DATA (with
 * *moved too), WAIT_TIMEOUT, or another error. */
static DWORD finish(HANDLE pipe, OVERLAPPED *overlapped, BOOL done, DWORD *moved,
                    bri_deadline deadline)
{
    DWORD error = done ? ERROR_SUCCESS : GetLastError();
    bool timed_out = false;
    if (error == ERROR_IO_PENDING) {
        timed_out = bri_w32_wait(overlapped->hEvent, deadline) != WAIT_OBJECT_0;
        if (timed_out)
            CancelIoEx(pipe, overlapped);
    }
    if (error == ERROR_SUCCESS || error == ERROR_IO_PENDING || error == ERROR_MORE_DATA)
        error = GetOverlappedResult(pipe, overlapped, moved, TRUE) ? ERROR_SUCCESS : GetLastError();
    return error == ERROR_OPERATION_ABORTED && timed_out ? WAIT_TIMEOUT : error;
}

static DWORD bounded(size_t size)
{
    return size < (1u << 30) ? (DWORD)size : 1u << 30;
}

static brood_status read_message(brp_channel channel, void *data, size_t size, size_t *got,
                                 size_t *left, bri_deadline deadline)
{
    HANDLE pipe = bri_w32_handle(channel.handle);
    OVERLAPPED overlapped = {.hEvent = bri_w32_event_take()};
    DWORD moved = 0, rest = 0;
    if (overlapped.hEvent == NULL)
        return brood_last_error()->status;
    BOOL done = ReadFile(pipe, data, bounded(size), NULL, &overlapped);
    DWORD error = finish(pipe, &overlapped, done, &moved, deadline);
    bri_w32_event_give(overlapped.hEvent);
    if (error == ERROR_MORE_DATA) {
        error = ERROR_SUCCESS;
        if (!PeekNamedPipe(pipe, NULL, 0, NULL, NULL, &rest))
            error = GetLastError();
    }
    if (error == WAIT_TIMEOUT)
        return bri_fail(BROOD_ETIMEDOUT, "could not read from a pipe: the time is up");
    if (error != ERROR_SUCCESS)
        return brp_fail((long)error, "could not read from a pipe");
    *got = moved;
    *left = rest;
    return BROOD_OK;
}

/* One system call is one message, so the parts are joined first. A write that was cancelled may
 * have been read in part. */
static brood_status write_message(brp_channel channel, const void *data, size_t size,
                                  size_t *written, bri_deadline deadline)
{
    HANDLE pipe = bri_w32_handle(channel.handle);
    OVERLAPPED overlapped = {.hEvent = bri_w32_event_take()};
    DWORD moved = 0;
    *written = 0;
    if (overlapped.hEvent == NULL)
        return brood_last_error()->status;
    BOOL done = WriteFile(pipe, data, (DWORD)size, NULL, &overlapped);
    DWORD error = finish(pipe, &overlapped, done, &moved, deadline);
    bri_w32_event_give(overlapped.hEvent);
    if (error == ERROR_SUCCESS) {
        *written = size;
        return BROOD_OK;
    }
    *written = error == WAIT_TIMEOUT ? 1 : moved;
    if (error == WAIT_TIMEOUT)
        return bri_fail(BROOD_ETIMEDOUT, "could not write to a pipe: the time is up");
    return brp_fail((long)error, "could not write to a pipe");
}

static brood_status write_parts(brp_channel channel, const brp_bytes *parts, size_t n_parts,
                                size_t *written, bri_deadline deadline)
{
    size_t size = 0, at = 0;
    *written = 0;
    for (size_t i = 0; i < n_parts; i++)
        size += parts[i].size;
    if (size > UINT32_MAX)
        return bri_fail(BROOD_ETOOLONG, "could not write to a pipe: a message of %zu bytes", size);
    if (n_parts == 1)
        return write_message(channel, parts[0].size == 0 ? "" : parts[0].data, size, written,
                             deadline);
    char *joined = bri_alloc(size);
    if (joined == NULL)
        return BROOD_ENOMEM;
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].size != 0)
            memcpy(joined + at, parts[i].data, parts[i].size);
        at += parts[i].size;
    }
    brood_status status = write_message(channel, joined, size, written, deadline);
    bri_free(joined);
    return status;
}

/* ---- any ---- */

brood_status brp_channel_read(brp_channel channel, void *data, size_t size, size_t *got,
                              size_t *left, bri_deadline deadline)
{
    if (channel.kind == BRP_CHANNEL_MESSAGES)
        return read_message(channel, data, size, got, left, deadline);
    if (channel.kind == BRP_CHANNEL_SOCKET)
        BROOD_TRY(bri_w32_socket_read(socket_of(channel), data, size, got, deadline));
    else
        BROOD_TRY(brp_stream_read(channel.handle, data, size, got, deadline));
    *left = 0;
    return BROOD_OK;
}

brood_status brp_channel_read_all(brp_channel channel, void *data, size_t size, size_t *got,
                                  bri_deadline deadline)
{
    size_t done = 0;
    brood_status status = BROOD_OK;
    while (done < size && status == BROOD_OK) {
        size_t more = 0, left;
        status =
            brp_channel_read(channel, (char *)data + done, size - done, &more, &left, deadline);
        done += more;
    }
    *got = done;
    return status;
}

brood_status brp_channel_write_all(brp_channel channel, const brp_bytes *parts, size_t n_parts,
                                   size_t *written, bri_deadline deadline)
{
    switch (channel.kind) {
    case BRP_CHANNEL_MESSAGES:
        return write_parts(channel, parts, n_parts, written, deadline);
    case BRP_CHANNEL_SOCKET:
        return bri_w32_socket_write_all(socket_of(channel), parts, n_parts, written, deadline);
    default:
        return brp_stream_write_all(channel.handle, parts, n_parts, written, deadline);
    }
}

brood_status brp_channel_poll(brp_channel channel, bri_deadline deadline)
{
    return channel.kind == BRP_CHANNEL_SOCKET ? bri_w32_socket_poll(socket_of(channel), deadline)
                                              : brp_stream_poll(channel.handle, deadline);
}

brp_watch_kind brp_channel_watch_kind(brp_channel channel)
{
    static const brp_watch_kind kinds[BRP_CHANNEL_KINDS] = {BRP_WATCH_STREAM, BRP_WATCH_SOCKET,
                                                            BRP_WATCH_MESSAGES};
    return kinds[channel.kind];
}

/* Winsock knows the sockets that it has made: one that came by inheritance is made anew. */
brood_status brp_channel_adopt(brp_channel *channel)
{
    WSAPROTOCOL_INFOW how;
    SOCKET made = INVALID_SOCKET;
    if (channel->kind != BRP_CHANNEL_SOCKET)
        return BROOD_OK;
    BROOD_TRY(bri_w32_sockets_start());
    if (WSADuplicateSocketW(socket_of(*channel), GetCurrentProcessId(), &how) == 0)
        made = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &how, 0,
                          WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (made != INVALID_SOCKET) {
        /* WSADuplicateSocket has made the old one known to Winsock, which then has to forget it;
         * Wine's Winsock knows only its own. */
        if (closesocket(socket_of(*channel)) != 0)
            CloseHandle(bri_w32_handle(channel->handle));
        channel->handle.value = (intptr_t)made;
    }
    return bri_w32_socket_set_up(socket_of(*channel));
}

void brp_channel_close(brp_channel *channel)
{
    if (channel->kind != BRP_CHANNEL_SOCKET) {
        brp_handle_close(&channel->handle);
    } else if (brp_handle_is_set(channel->handle)) {
        closesocket(socket_of(*channel));
        channel->handle = BRP_NO_HANDLE;
    }
}

brood_status brp_channel_read_with_handles(brp_channel channel, void *data, size_t size,
                                           size_t *got, brp_handle *handles, size_t room, size_t *n,
                                           bri_deadline deadline)
{
    size_t left;
    (void)handles;
    (void)room;
    BROOD_TRY(brp_channel_read(channel, data, size, got, &left, deadline));
    *n = 0;
    return BROOD_OK;
}

/* ---- messages in the background ---- */

struct brp_sender {
    HANDLE pipe;
    HANDLE event;
    OVERLAPPED overlapped;
    void *data; /* the message on its way; NULL: none */
};

/* The end of the message on its way: WAIT_TIMEOUT when it has not come. */
static DWORD collect(brp_sender *sender)
{
    DWORD moved;
    if (sender->data == NULL)
        return ERROR_SUCCESS;
    if (WaitForSingleObject(sender->event, 0) != WAIT_OBJECT_0)
        return WAIT_TIMEOUT;
    DWORD error = GetOverlappedResult(sender->pipe, &sender->overlapped, &moved, TRUE)
                      ? ERROR_SUCCESS
                      : GetLastError();
    bri_free(sender->data);
    sender->data = NULL;
    return error;
}

static brood_status open_sender(brp_sender **sender, brp_channel channel)
{
    if (*sender != NULL)
        return BROOD_OK;
    brp_sender *made = bri_calloc(1, sizeof *made);
    if (made == NULL)
        return BROOD_ENOMEM;
    made->pipe = bri_w32_handle(channel.handle);
    made->event = bri_w32_event_take();
    if (made->event == NULL) {
        bri_free(made);
        return brood_last_error()->status;
    }
    *sender = made;
    return BROOD_OK;
}

brood_status brp_sender_write(brp_sender **sender, brp_channel channel, const void *data,
                              size_t size)
{
    if (size > UINT32_MAX)
        return bri_fail(BROOD_ETOOLONG, "could not write to a pipe: a message of %zu bytes", size);
    BROOD_TRY(open_sender(sender, channel));
    brp_sender *one = *sender;
    DWORD error = collect(one);
    if (error == WAIT_TIMEOUT)
        return BROOD_ETIMEDOUT;
    if (error == ERROR_SUCCESS) {
        one->data = bri_alloc(size);
        if (one->data == NULL)
            return BROOD_ENOMEM;
        if (size != 0)
            memcpy(one->data, data, size);
        ResetEvent(one->event);
        one->overlapped = (OVERLAPPED){.hEvent = one->event};
        if (!WriteFile(one->pipe, one->data, (DWORD)size, NULL, &one->overlapped))
            error = GetLastError();
        if (error == ERROR_IO_PENDING || error == ERROR_SUCCESS)
            error = collect(one);
        if (error != ERROR_SUCCESS && error != WAIT_TIMEOUT) {
            bri_free(one->data);
            one->data = NULL;
        }
    }
    if (error == ERROR_SUCCESS || error == WAIT_TIMEOUT)
        return BROOD_OK;
    return brp_fail((long)error, "could not write to a pipe");
}

void brp_sender_close(brp_sender **sender)
{
    brp_sender *one = *sender;
    DWORD moved;
    if (one == NULL)
        return;
    if (one->data != NULL) {
        CancelIoEx(one->pipe, &one->overlapped);
        GetOverlappedResult(one->pipe, &one->overlapped, &moved, TRUE);
    }
    bri_free(one->data);
    bri_w32_event_give(one->event);
    bri_free(one);
    *sender = NULL;
}
