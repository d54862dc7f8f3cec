/* win32/watch.c - see the header. */
#include "win32/watch.h"

void bri_w32_watch_init(bri_w32_watch *watch, brp_handle handle, brp_watch_kind kind)
{
    *watch = (bri_w32_watch){.handle = bri_w32_handle(handle), .kind = kind};
}

static bool is_pipe_ready(HANDLE pipe)
{
    DWORD available = 0;
    return !PeekNamedPipe(pipe, NULL, 0, NULL, &available, NULL) || available != 0;
}

static bool is_socket_ready(SOCKET socket)
{
    WSAPOLLFD one = {.fd = socket, .events = POLLRDNORM};
    return WSAPoll(&one, 1, 0) != 0;
}

static bool is_pipe(const bri_w32_watch *watch)
{
    return watch->kind == BRP_WATCH_STREAM || watch->kind == BRP_WATCH_MESSAGES;
}

bool bri_w32_watch_is_ready(const bri_w32_watch *watch)
{
    if (watch->took || watch->took_empty)
        return true;
    switch (watch->kind) {
    case BRP_WATCH_STREAM:
    case BRP_WATCH_MESSAGES:
        return is_pipe_ready(watch->handle);
    case BRP_WATCH_SOCKET:
        return is_socket_ready((SOCKET)watch->handle);
    default:
        return WaitForSingleObject(watch->handle, 0) != WAIT_TIMEOUT;
    }
}

void bri_w32_watch_note(bri_w32_watch *watch)
{
    watch->took = watch->kind == BRP_WATCH_EVENT;
}

/* A pipe that has ended since the look gives a signal at once. */
static DWORD begin_read(bri_w32_watch *watch)
{
    static char none;
    watch->request.read = (OVERLAPPED){.hEvent = watch->event};
    watch->has_read = true;
    if (ReadFile(watch->handle, &none, 0, NULL, &watch->request.read))
        return ERROR_SUCCESS;
    DWORD error = GetLastError();
    if (error == ERROR_IO_PENDING)
        return ERROR_SUCCESS;
    watch->has_read = false;
    if (error != ERROR_MORE_DATA && brp_status_of((long)error) != BROOD_EEOF)
        return error; /* ERROR_MORE_DATA: a message of a pipe of messages has come since the look */
    SetEvent(watch->event);
    return ERROR_SUCCESS;
}

brood_status bri_w32_watch_arm(bri_w32_watch *watch)
{
    if (!is_pipe(watch) && watch->kind != BRP_WATCH_SOCKET) {
        watch->object = watch->handle;
        watch->armed = true;
        return BROOD_OK;
    }
    watch->event = bri_w32_event_take();
    if (watch->event == NULL)
        return brood_last_error()->status;
    DWORD error = is_pipe(watch) ? begin_read(watch)
                                 : bri_w32_afd_begin(&watch->request.poll, (SOCKET)watch->handle,
                                                     BRI_W32_AFD_READABLE, watch->event);
    if (error != ERROR_SUCCESS) {
        bri_w32_event_give(watch->event);
        watch->event = NULL;
        return brp_fail((long)error, "could not wait for a handle");
    }
    watch->object = watch->event;
    watch->armed = true;
    return BROOD_OK;
}

/* A read of no bytes that succeeded: on a pipe of bytes some have come, on one of messages an empty
 * one, which is gone; the others end such a read with ERROR_MORE_DATA. */
static void end_read(bri_w32_watch *watch)
{
    DWORD moved;
    CancelIoEx(watch->handle, &watch->request.read);
    if (GetOverlappedResult(watch->handle, &watch->request.read, &moved, TRUE) &&
        watch->kind == BRP_WATCH_MESSAGES)
        watch->took_empty = true;
}

void bri_w32_watch_disarm(bri_w32_watch *watch)
{
    if (!watch->armed)
        return;
    watch->armed = false;
    if (is_pipe(watch) && watch->has_read) {
        end_read(watch);
    } else if (watch->kind == BRP_WATCH_SOCKET) {
        bri_w32_afd_end(&watch->request.poll);
    }
    bri_w32_event_give(watch->event);
    watch->event = NULL;
    watch->object = NULL;
}
