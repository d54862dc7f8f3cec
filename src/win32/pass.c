/*
 * win32/pass.c - handles are duplicated into the receiver by its sender; their values travel as 8
 * bytes each.
 *
 * The receiver trusts the values: the other end of the stream is a process of the same tree, or has
 * proved the key.
 */
#include "platform/pass.h"

#include <inttypes.h>
#include <string.h>

#include "platform/stream.h"
#include "win32/socket.h"
#include "win32/win32.h"

static void take_back(HANDLE peer, const uint64_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        DuplicateHandle(peer, (HANDLE)(uintptr_t)values[i], NULL, NULL, 0, FALSE,
                        DUPLICATE_CLOSE_SOURCE);
}

static brood_status give_all(HANDLE peer, const brp_handle *handles, size_t n, uint64_t *values)
{
    for (size_t i = 0; i < n; i++) {
        HANDLE made;
        BOOL done = brp_handle_is_set(handles[i]);
        SetLastError(ERROR_INVALID_HANDLE);
        done = done && DuplicateHandle(GetCurrentProcess(), bri_w32_handle(handles[i]), peer, &made,
                                       0, FALSE, DUPLICATE_SAME_ACCESS);
        if (!done) {
            brood_status status =
                brp_fail(bri_w32_error(), "could not pass handle %" PRIdPTR, handles[i].value);
            take_back(peer, values, i);
            return status;
        }
        values[i] = (uint64_t)(uintptr_t)made;
    }
    return BROOD_OK;
}

brood_status brp_pass_send(brp_handle stream, int64_t peer, const brp_handle *handles, size_t n,
                           bri_deadline deadline)
{
    uint64_t values[BRP_PASS_MAX];
    if (n == 0 || n > BRP_PASS_MAX)
        return bri_fail(BROOD_EINVALID, "could not pass %zu handles: 1 to %d at once", n,
                        BRP_PASS_MAX);
    if (peer <= 0 || peer > UINT32_MAX)
        return bri_fail(BROOD_EINVALID, "could not pass handles to process %" PRId64, peer);
    HANDLE process = OpenProcess(PROCESS_DUP_HANDLE, FALSE, (DWORD)peer);
    if (process == NULL)
        return brp_fail(bri_w32_error(), "could not pass handles to process %" PRId64, peer);
    brood_status status = give_all(process, handles, n, values);
    if (status == BROOD_OK) {
        size_t written;
        brp_bytes part = {values, n * sizeof values[0]};
        status = brp_stream_write_all(stream, &part, 1, &written, deadline);
        if (status != BROOD_OK && written == 0)
            take_back(process, values, n);
    }
    CloseHandle(process);
    return status;
}

brood_status brp_pass_receive(brp_handle stream, brp_handle *handles, size_t n,
                              bri_deadline deadline)
{
    uint64_t values[BRP_PASS_MAX];
    size_t got;
    if (n == 0 || n > BRP_PASS_MAX)
        return bri_fail(BROOD_EINVALID, "could not receive %zu handles: 1 to %d at once", n,
                        BRP_PASS_MAX);
    BROOD_TRY(brp_stream_read_all(stream, values, n * sizeof values[0], &got, deadline));
    for (size_t i = 0; i < n; i++) {
        DWORD flags;
        if (!GetHandleInformation((HANDLE)(uintptr_t)values[i], &flags))
            return bri_fail(BROOD_EFORMAT, "could not receive a handle: %" PRIu64 " is none",
                            values[i]);
    }
    for (size_t i = 0; i < n; i++)
        handles[i].value = (intptr_t)values[i];
    return BROOD_OK;
}

/* ---- as bytes ---- */

/* What travels: whom it is for, which handle it is there, or how a socket is opened there. */
typedef struct passed {
    char mark[8];
    uint64_t pid;
    uint64_t value; /* a handle's */
    uint64_t is_socket;
    WSAPROTOCOL_INFOW socket;
} passed;

static const char MARK[8] = {'#', 'H', 'A', 'N', 'D', 'L', 'E', '#'};

bool brp_pass_is_beside(void)
{
    return false;
}

static brood_status export_socket(brp_handle handle, int64_t peer, passed *out)
{
    BROOD_TRY(bri_w32_sockets_start());
    if (WSADuplicateSocketW((SOCKET)handle.value, (DWORD)peer, &out->socket) != 0)
        return brp_fail(WSAGetLastError(), "could not pass a socket to process %" PRId64, peer);
    return BROOD_OK;
}

static brood_status export_handle(brp_handle handle, int64_t peer, passed *out)
{
    HANDLE process = OpenProcess(PROCESS_DUP_HANDLE, FALSE, (DWORD)peer);
    if (process == NULL)
        return brp_fail(bri_w32_error(), "could not pass a handle to process %" PRId64, peer);
    brood_status status = give_all(process, &handle, 1, &out->value);
    CloseHandle(process);
    return status;
}

brood_status brp_pass_export(brp_handle handle, bool is_socket, int64_t peer,
                             unsigned char bytes[BRP_PASS_BYTES], size_t *size)
{
    passed made = {.pid = (uint64_t)peer, .is_socket = is_socket};
    memcpy(made.mark, MARK, sizeof MARK);
    if (peer <= 0 || peer > UINT32_MAX)
        return bri_fail(BROOD_EINVALID, "could not pass a handle to process %" PRId64, peer);
    BROOD_TRY(is_socket ? export_socket(handle, peer, &made) : export_handle(handle, peer, &made));
    memcpy(bytes, &made, sizeof made);
    *size = sizeof made;
    return BROOD_OK;
}

void brp_pass_withdraw(const void *bytes, size_t size)
{
    passed made;
    if (size != sizeof made)
        return;
    memcpy(&made, bytes, sizeof made);
    HANDLE process =
        made.is_socket ? NULL : OpenProcess(PROCESS_DUP_HANDLE, FALSE, (DWORD)made.pid);
    if (process == NULL)
        return;
    take_back(process, &made.value, 1);
    CloseHandle(process);
}

static brood_status import_socket(passed *made, brp_handle *handle)
{
    BROOD_TRY(bri_w32_sockets_start());
    SOCKET opened = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO,
                               &made->socket, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (opened == INVALID_SOCKET)
        return brp_fail(WSAGetLastError(), "could not receive a socket");
    SetHandleInformation((HANDLE)opened, HANDLE_FLAG_INHERIT, 0);
    handle->value = (intptr_t)opened;
    return BROOD_OK;
}

brood_status brp_pass_import(const void *bytes, size_t size, bool is_socket, brp_handle *handle)
{
    passed made;
    DWORD flags;
    memset(&made, 0, sizeof made);
    memcpy(&made, bytes, size < sizeof made ? size : sizeof made);
    if (size != sizeof made || memcmp(made.mark, MARK, sizeof MARK) != 0 ||
        made.pid != GetCurrentProcessId() || (made.is_socket != 0) != is_socket)
        return bri_fail(BROOD_EFORMAT, "could not receive a %s: what came is none",
                        is_socket ? "socket" : "handle");
    if (is_socket)
        return import_socket(&made, handle);
    if (!GetHandleInformation((HANDLE)(uintptr_t)made.value, &flags))
        return bri_fail(BROOD_EFORMAT, "could not receive a handle: %" PRIu64 " is none",
                        made.value);
    handle->value = (intptr_t)made.value;
    return BROOD_OK;
}
