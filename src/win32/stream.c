/*
 * win32/stream.c - byte channels as overlapped named pipes that nobody else can open.
 *
 * A pipe's name is used once: the first instance is made, its only client connects, and both
 * handles are without a name for everybody else. Each operation has an event of its own, because
 * two threads may read and write one end at once.
 */
#include "platform/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "platform/ident.h"
#include "win32/security.h"
#include "win32/win32.h"

#include <winternl.h>

enum {
    PIPE_BUFFER = 64 * 1024,
    MOST_AT_ONCE = 1024 * 1024, /* the kernel copies a pending write: no giant ones */
    GATHER_SIZE = 16 * 1024
};

/* ---- Making pipes ---- */

typedef struct pipe_kind {
    DWORD server_access; /* PIPE_ACCESS_... of the end made first */
    DWORD client_access;
    DWORD client_flags;
} pipe_kind;

static brood_status make_name(wchar_t name[64])
{
    uint64_t random[2];
    BROOD_TRY(brp_random(random, sizeof random));
    swprintf(name, 64, L"\\\\.\\pipe\\brood-%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    return BROOD_OK;
}

/* The client is there already; this only takes notice. */
static BOOL accept_client(HANDLE server)
{
    OVERLAPPED overlapped = {.hEvent = bri_w32_event_take()};
    DWORD moved;
    if (overlapped.hEvent == NULL)
        return FALSE;
    BOOL done = ConnectNamedPipe(server, &overlapped);
    if (!done && GetLastError() == ERROR_IO_PENDING)
        done = GetOverlappedResult(server, &overlapped, &moved, TRUE);
    done = done || GetLastError() == ERROR_PIPE_CONNECTED;
    DWORD error = GetLastError();
    bri_w32_event_give(overlapped.hEvent);
    SetLastError(error);
    return done;
}

static brood_status make_pipe(const pipe_kind *kind, brp_handle *server, brp_handle *client)
{
    wchar_t name[64];
    SECURITY_ATTRIBUTES *own = bri_w32_own_user_only();
    if (own == NULL)
        return brood_last_error()->status;
    BROOD_TRY(make_name(name));
    HANDLE made = CreateNamedPipeW(
        name, kind->server_access | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
        PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1,
        PIPE_BUFFER, PIPE_BUFFER, 0, own);
    if (made == INVALID_HANDLE_VALUE)
        return brp_fail(bri_w32_error(), "could not create a pipe");
    HANDLE opened =
        CreateFileW(name, kind->client_access, 0, NULL, OPEN_EXISTING, kind->client_flags, NULL);
    if (opened == INVALID_HANDLE_VALUE || !accept_client(made)) {
        brood_status status = brp_fail(bri_w32_error(), "could not connect a pipe");
        bri_w32_close(opened);
        CloseHandle(made);
        return status;
    }
    *server = bri_w32_value(made);
    *client = bri_w32_value(opened);
    return BROOD_OK;
}

/* SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION: the server's end cannot act as the client's
 * user. */
#define CLIENT_FLAGS (SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION)

brood_status brp_stream_pair(brp_handle ends[2])
{
    const pipe_kind kind = {PIPE_ACCESS_DUPLEX, GENERIC_READ | GENERIC_WRITE,
                            CLIENT_FLAGS | FILE_FLAG_OVERLAPPED};
    return make_pipe(&kind, &ends[0], &ends[1]);
}

brood_status brp_stream_pair_one_way(brp_handle ends[2])
{
    const pipe_kind kind = {PIPE_ACCESS_INBOUND, GENERIC_WRITE | FILE_READ_ATTRIBUTES,
                            CLIENT_FLAGS | FILE_FLAG_OVERLAPPED};
    return make_pipe(&kind, &ends[0], &ends[1]);
}

brood_status brp_pipe_pair(brp_handle *ours, brp_handle *theirs, bool we_read)
{
    const pipe_kind reading = {PIPE_ACCESS_INBOUND, GENERIC_WRITE | FILE_READ_ATTRIBUTES,
                               CLIENT_FLAGS};
    /* Not PIPE_ACCESS_OUTBOUND: that may write alone, and room_in could not ask it anything. */
    const pipe_kind writing = {PIPE_ACCESS_DUPLEX, GENERIC_READ | FILE_WRITE_ATTRIBUTES,
                               CLIENT_FLAGS};
    return make_pipe(we_read ? &reading : &writing, ours, theirs);
}

/* ---- One operation ---- */

typedef enum direction { READING, WRITING } direction;

/*
 * Moves up to `size` bytes at once: ERROR_SUCCESS with *moved, WAIT_TIMEOUT, or the system's error.
 * An operation that completes while it is being cancelled counts: its bytes have been moved.
 */
static DWORD move_bytes(HANDLE pipe, direction way, void *data, DWORD size, DWORD *moved,
                        bri_deadline deadline)
{
    OVERLAPPED overlapped = {.hEvent = bri_w32_event_take()};
    if (overlapped.hEvent == NULL)
        return ERROR_NO_SYSTEM_RESOURCES;
    BOOL done = way == READING ? ReadFile(pipe, data, size, NULL, &overlapped)
                               : WriteFile(pipe, data, size, NULL, &overlapped);
    DWORD error = done ? ERROR_SUCCESS : GetLastError();
    bool timed_out = false;
    if (error == ERROR_IO_PENDING) {
        timed_out = bri_w32_wait(overlapped.hEvent, deadline) != WAIT_OBJECT_0;
        if (timed_out)
            CancelIoEx(pipe, &overlapped);
    }
    if (error == ERROR_SUCCESS || error == ERROR_IO_PENDING)
        error =
            GetOverlappedResult(pipe, &overlapped, moved, TRUE) ? ERROR_SUCCESS : GetLastError();
    if (error == ERROR_OPERATION_ABORTED && timed_out)
        error = WAIT_TIMEOUT;
    bri_w32_event_give(overlapped.hEvent);
    return error;
}

static brood_status fail_stream(DWORD error, const char *verb)
{
    if (error == WAIT_TIMEOUT)
        return bri_fail(BROOD_ETIMEDOUT, "could not %s a stream: the time is up", verb);
    return brp_fail((long)error, "could not %s a stream", verb);
}

static DWORD bounded(size_t size)
{
    return size < MOST_AT_ONCE ? (DWORD)size : MOST_AT_ONCE;
}

/* ---- Reading ---- */

brood_status brp_stream_read(brp_handle stream, void *data, size_t size, size_t *got,
                             bri_deadline deadline)
{
    DWORD moved = 0, error;
    /* A foreign program that writes nothing ends a read with nothing; that is not the end. */
    do {
        error = move_bytes(bri_w32_handle(stream), READING, data, bounded(size), &moved, deadline);
    } while (error == ERROR_SUCCESS && moved == 0 && size != 0);
    if (error != ERROR_SUCCESS)
        return fail_stream(error, "read from");
    *got = moved;
    return BROOD_OK;
}

brood_status brp_stream_read_all(brp_handle stream, void *data, size_t size, size_t *got,
                                 bri_deadline deadline)
{
    size_t done = 0;
    brood_status status = BROOD_OK;
    while (done < size && status == BROOD_OK) {
        size_t more = 0;
        status = brp_stream_read(stream, (char *)data + done, size - done, &more, deadline);
        done += more;
    }
    *got = done;
    return status;
}

/* ---- Writing ---- */

/* Microsoft's winternl.h has neither this function nor what FilePipeLocalInformation tells. */
NTSTATUS NTAPI NtQueryInformationFile(HANDLE file, IO_STATUS_BLOCK *block, void *information,
                                      ULONG size, FILE_INFORMATION_CLASS what);

typedef struct pipe_local_information {
    ULONG type, configuration, instances_most, instances, inbound_quota, read_available,
        outbound_quota, write_available, state, end;
} pipe_local_information;

/* How many bytes a write can take without waiting, as far as the system tells; Wine always says 0.
 */
static DWORD room_in(HANDLE pipe)
{
    enum { PIPE_LOCAL_INFORMATION = 24 };
    pipe_local_information information = {0};
    IO_STATUS_BLOCK block;
    NTSTATUS status = NtQueryInformationFile(pipe, &block, &information, sizeof information,
                                             (FILE_INFORMATION_CLASS)PIPE_LOCAL_INFORMATION);
    return status >= 0 ? information.write_available : 0;
}

/*
 * How much to write next. When a pending write is cancelled, the system does not tell how much of
 * it the reader has taken. So a write that may be cancelled is one that fits, or a single byte as
 * long as nothing else is out: then 0 bytes written means 0.
 */
static DWORD next_chunk(HANDLE pipe, size_t left, bool is_first, bri_deadline deadline)
{
    DWORD chunk = bounded(left);
    if (deadline == BRI_NEVER || chunk == 1)
        return chunk;
    DWORD room = room_in(pipe);
    if (room == 0)
        return is_first ? 1 : chunk;
    return room < chunk ? room : chunk;
}

typedef struct writer {
    HANDLE pipe;
    size_t written;
    bri_deadline deadline;
} writer;

static DWORD write_bytes(writer *out, const void *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        DWORD moved = 0,
              chunk = next_chunk(out->pipe, size - done, out->written == 0, out->deadline);
        void *from = (char *)(uintptr_t)data + done;
        DWORD error = move_bytes(out->pipe, WRITING, from, chunk, &moved, out->deadline);
        done += moved;
        out->written += moved;
        if (error != ERROR_SUCCESS)
            return error;
    }
    return ERROR_SUCCESS;
}

/* Pipes have no gathering write: small parts are joined, so that a header and its body are one
 * system call. */
brood_status brp_stream_write_all(brp_handle stream, const brp_bytes *parts, size_t n_parts,
                                  size_t *written, bri_deadline deadline)
{
    char gathered[GATHER_SIZE];
    size_t n_gathered = 0;
    writer out = {bri_w32_handle(stream), 0, deadline};
    DWORD error = ERROR_SUCCESS;
    for (size_t i = 0; i < n_parts && error == ERROR_SUCCESS; i++) {
        const char *data = parts[i].data;
        size_t left = parts[i].size;
        size_t room = sizeof gathered - n_gathered, taken = left < room ? left : room;
        bool is_last = i + 1 == n_parts;
        if (n_gathered == 0 && (is_last || left >= sizeof gathered))
            taken = 0; /* nothing to join it with */
        if (taken != 0)
            memcpy(gathered + n_gathered, data, taken);
        n_gathered += taken;
        left -= taken;
        if (n_gathered == sizeof gathered || left != 0 || is_last) {
            error = write_bytes(&out, gathered, n_gathered);
            n_gathered = 0;
            if (error == ERROR_SUCCESS)
                error = write_bytes(&out, data + taken, left);
        }
    }
    *written = out.written;
    return error == ERROR_SUCCESS ? BROOD_OK : fail_stream(error, "write to");
}

/* ---- Polling ---- */

brood_status brp_stream_poll(brp_handle stream, bri_deadline deadline)
{
    HANDLE pipe = bri_w32_handle(stream);
    for (;;) {
        DWORD available = 0, moved;
        if (!PeekNamedPipe(pipe, NULL, 0, NULL, &available, NULL)) {
            DWORD error = GetLastError();
            return brp_status_of((long)error) == BROOD_EEOF ? BROOD_OK : fail_stream(error, "poll");
        }
        if (available != 0)
            return BROOD_OK;
        /* A read of no bytes ends when there are some, and takes none. */
        char none;
        DWORD error = move_bytes(pipe, READING, &none, 0, &moved, deadline);
        if (error == WAIT_TIMEOUT)
            return BROOD_ETIMEDOUT;
        if (error != ERROR_SUCCESS && brp_status_of((long)error) != BROOD_EEOF)
            return fail_stream(error, "poll");
    }
}
