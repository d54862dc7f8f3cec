/*
 * proc/forkserver.h - what the forkserver and its clients say to each other.
 *
 * The server is a child of its client like any other, started by spawn, and runs the function
 * below. Its bootstrap stream goes on as the private channel for requests: one of them, then its
 * handles (platform/pass.h): the child's bootstrap stream, the stream for the exit code, and those
 * that the start block refers to. The start block itself goes to the child over its own stream.
 */
#ifndef BRI_FORKSERVER_H
#define BRI_FORKSERVER_H

#include "proc/block.h"

#define BRI_FORKSERVER_FUNCTION "brood.forkserver"

typedef struct bri_fork_request {
    uint32_t n_handles;
    unsigned char token[BRI_TOKEN_SIZE];
} bri_fork_request;

/* The server: arguments () or (preload function's reference, its arguments). Single-threaded. */
brood_status bri_forkserver_run(brood_call *call);

#endif /* BRI_FORKSERVER_H */
