/*
 * platform/stream.h - byte channels between processes with deadlines.
 *
 * POSIX: socket pairs (MSG_NOSIGNAL: no SIGPIPE, no process-wide handler; one-way pairs are shut
 * down in one direction). Windows: named pipes in byte mode, overlapped, made as first instance
 * with a random name and rejecting remote clients. Pipes for other programs' stdin and stdout are
 * made by brp_pipe_pair: plain blocking anonymous pipes at the program's end.
 */
#ifndef BRP_STREAM_H
#define BRP_STREAM_H

#include "base/deadline.h"
#include "platform/handle.h"

typedef struct brp_bytes {
    const void *data;
    size_t size;
} brp_bytes;

/* Two ends of a duplex channel. */
brood_status brp_stream_pair(brp_handle ends[2]);

/* A one-way channel: only ends[0] reads, only ends[1] writes. */
brood_status brp_stream_pair_one_way(brp_handle ends[2]);

/* A pipe for a foreign program: `ours` is used with the functions below (reading when `we_read`,
 * else writing), `theirs` is what an ordinary blocking program expects. */
brood_status brp_pipe_pair(brp_handle *ours, brp_handle *theirs, bool we_read);

/* Reads what is there, at least one byte and at most `size`. BROOD_EEOF at the end (also when the
 * peer died), BROOD_ETIMEDOUT. */
brood_status brp_stream_read(brp_handle stream, void *data, size_t size, size_t *got,
                             bri_deadline deadline);

/* Reads exactly `size` bytes. On any failure *got tells how many had arrived; BROOD_EEOF with *got
 * == 0 is an orderly end. */
brood_status brp_stream_read_all(brp_handle stream, void *data, size_t size, size_t *got,
                                 bri_deadline deadline);

/* Writes all parts in order, in as few system calls as possible. On failure *written tells how many
 * bytes went out. BROOD_EEOF when nobody can read them any more. */
brood_status brp_stream_write_all(brp_handle stream, const brp_bytes *parts, size_t n_parts,
                                  size_t *written, bri_deadline deadline);

/* BROOD_OK when a read would give bytes or the end at once; else BROOD_ETIMEDOUT. */
brood_status brp_stream_poll(brp_handle stream, bri_deadline deadline);

#endif /* BRP_STREAM_H */
