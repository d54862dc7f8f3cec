/* win32/afd.c - see the header. */
#include "win32/afd.h"

#include <stdatomic.h>

#include <mswsock.h>

enum {
    IOCTL_AFD_POLL = 0x00012024,
    POLL_RECEIVE = 0x0001,
    POLL_RECEIVE_EXPEDITED = 0x0002,
    POLL_SEND = 0x0004,
    POLL_DISCONNECT = 0x0008,
    POLL_ABORT = 0x0010,
    POLL_LOCAL_CLOSE = 0x0020,
    POLL_CONNECT = 0x0040,
    POLL_ACCEPT = 0x0080,
    POLL_CONNECT_FAIL = 0x0100
};

/* Not in winternl.h; documented as the system call under CancelIoEx. */
NTSTATUS NTAPI NtCancelIoFileEx(HANDLE file, IO_STATUS_BLOCK *request, IO_STATUS_BLOCK *block);

static _Atomic(HANDLE) device; /* opened once, for good: requests do not depend on who opened it */

static NTSTATUS open_device(HANDLE *opened)
{
    static wchar_t path[] = L"\\Device\\Afd\\brood";
    UNICODE_STRING name = {
        .Length = sizeof path - sizeof path[0], .MaximumLength = sizeof path, .Buffer = path};
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK block;
    InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
    return NtCreateFile(opened, SYNCHRONIZE, &attributes, &block, NULL, 0,
                        FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, 0, NULL, 0);
}

static DWORD get_device(HANDLE *out)
{
    HANDLE known = atomic_load(&device), made;
    if (known == NULL) {
        NTSTATUS status = open_device(&made);
        if (status < 0)
            return RtlNtStatusToDosError(status);
        if (atomic_compare_exchange_strong(&device, &known, made)) {
            bri_w32_kept(1);
            known = made;
        } else {
            CloseHandle(made);
        }
    }
    *out = known;
    return ERROR_SUCCESS;
}

/* The driver knows sockets without the layers that other programs may have put above them. */
static SOCKET base_socket(SOCKET socket)
{
    /* Some layers keep the first from being asked; what they answer to the second may be another
     * layer's, and is asked again. */
    SOCKET base;
    DWORD size;
    for (int layers = 0; layers < 8; layers++) {
        if (WSAIoctl(socket, SIO_BASE_HANDLE, NULL, 0, &base, sizeof base, &size, NULL, NULL) == 0)
            return base;
        if (WSAIoctl(socket, SIO_BSP_HANDLE_POLL, NULL, 0, &base, sizeof base, &size, NULL, NULL) !=
                0 ||
            base == socket)
            break;
        socket = base;
    }
    return socket;
}

static ULONG bits_of(bri_w32_afd_wanted wanted)
{
    const ULONG ends = POLL_ABORT | POLL_LOCAL_CLOSE;
    switch (wanted) {
    case BRI_W32_AFD_WRITABLE:
        return ends | POLL_SEND;
    case BRI_W32_AFD_CONNECTED:
        return ends | POLL_SEND | POLL_CONNECT | POLL_CONNECT_FAIL;
    default:
        return ends | POLL_RECEIVE | POLL_RECEIVE_EXPEDITED | POLL_DISCONNECT | POLL_ACCEPT;
    }
}

DWORD bri_w32_afd_begin(bri_w32_afd_poll *poll, SOCKET socket, bri_w32_afd_wanted wanted,
                        HANDLE event)
{
    *poll = (bri_w32_afd_poll){.info = {.timeout = {.QuadPart = INT64_MAX}, .n_handles = 1},
                               .event = event};
    DWORD error = get_device(&poll->device);
    if (error != ERROR_SUCCESS)
        return error;
    poll->info.handles[0].handle = (HANDLE)base_socket(socket);
    poll->info.handles[0].events = bits_of(wanted);
    NTSTATUS status =
        NtDeviceIoControlFile(poll->device, event, NULL, NULL, &poll->block, IOCTL_AFD_POLL,
                              &poll->info, sizeof poll->info, &poll->info, sizeof poll->info);
    return status < 0 ? RtlNtStatusToDosError(status) : ERROR_SUCCESS;
}

void bri_w32_afd_end(bri_w32_afd_poll *poll)
{
    IO_STATUS_BLOCK block;
    NtCancelIoFileEx(poll->device, &poll->block, &block);
    WaitForSingleObject(poll->event, INFINITE); /* signalled when it is done or cancelled */
}
