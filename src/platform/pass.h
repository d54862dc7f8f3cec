/*
 * platform/pass.h - gives handles to another process over a stream.
 *
 * POSIX: SCM_RIGHTS, as Python's reduction.send_handle, beside one byte that tells how many there
 * are. Windows: DuplicateHandle into the process at the other end; the value travels in the stream.
 */
#ifndef BRP_PASS_H
#define BRP_PASS_H

#include "base/deadline.h"
#include "platform/handle.h"

/* At most this many at once. */
enum { BRP_PASS_MAX = 64 };

/* Sends duplicates; the caller keeps its own. `peer` is the pid of the receiver. */
brood_status brp_pass_send(brp_handle stream, int64_t peer, const brp_handle *handles, size_t n,
                           bri_deadline deadline);

/* Receives exactly `n`; each is non-inheritable and owned by the caller. */
brood_status brp_pass_receive(brp_handle stream, brp_handle *handles, size_t n,
                              bri_deadline deadline);

/* Whether handles can only go beside the bytes of a local stream (POSIX), or else as bytes that any
 * message can carry. */
bool brp_pass_is_beside(void);

/* Where they go as bytes: makes a duplicate for the process `peer` and writes what it has to know.
 * A duplicate that is never imported is closed by brp_pass_withdraw, or when that process ends. A
 * socket goes through WSADuplicateSocket, which knows no withdrawing: one that is never imported
 * stays open as long as that process. BROOD_ENOTSUP on POSIX. */
enum { BRP_PASS_BYTES = 1024 };
brood_status brp_pass_export(brp_handle handle, bool is_socket, int64_t peer,
                             unsigned char bytes[BRP_PASS_BYTES], size_t *size);
void brp_pass_withdraw(const void *bytes, size_t size);

/* In that process: the handle, non-inheritable and owned by the caller. BROOD_EFORMAT for bytes
 * that are none of brp_pass_export for this process. */
brood_status brp_pass_import(const void *bytes, size_t size, bool is_socket, brp_handle *handle);

#endif /* BRP_PASS_H */
