/*
 * win32/pass.c - handles are duplicated into the receiver by its sender; their values travel as 8
 * bytes each.
 *
 * The receiver trusts the values: the other end of the stream is a process of the same tree, or has
 * proved the key.
 */
#include "platform/pass.h"

#include <inttypes.h>

#include "platform/stream.h"
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
