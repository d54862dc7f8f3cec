/*
 * platform/pass.h - gives handles to another process over a stream.
 *
 * POSIX: SCM_RIGHTS. Windows: DuplicateHandle into the process at the other end; the value travels
 * in the stream.
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

#endif /* BRP_PASS_H */
