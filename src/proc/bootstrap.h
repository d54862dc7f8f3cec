/*
 * proc/bootstrap.h - a child's way from main() to its function and to its exit.
 *
 * brood_init() finds out whether it runs in a child: then the environment has BRI_MARKER, with the
 * handles of the start and a one-time token, "3,4,5;0123...". It is removed at once, so that no
 * other program and no grandchild ever sees it.
 */
#ifndef BRI_BOOTSTRAP_H
#define BRI_BOOTSTRAP_H

#include "core/transfer.h"
#include "proc/block.h"

#define BRI_MARKER "BROOD_CHILD"

/* What a child has in its hands when it begins. */
typedef struct bri_birth {
    brp_handle stream;   /* to the parent */
    brp_handle lifeline; /* not set where none is needed */
    bool forked;         /* it ends without what main()'s program does at exit */
    bool alone;          /* the process that forked it had no other thread of the program */
} bri_birth;

/* The child of a fork, which inherited all: takes over and never returns. `owner` is its number in
 * the process table. */
void bri_bootstrap_forked(const bri_birth *birth, bri_start_block *block, bri_owner owner);

/* The child of a forkserver: reads its start block from the stream, which belongs to the token, and
 * never returns. `transfer` has the handles that came along. */
void bri_bootstrap_served(const bri_birth *birth, const unsigned char token[BRI_TOKEN_SIZE],
                          struct bri_transfer *transfer);

/* Child: its stream to the parent. */
brp_handle bri_bootstrap_stream(void);

/* Tells the parent at the other end of a start's stream the last error. */
void bri_bootstrap_send_refusal(brp_handle stream);

/* What main() had as argv[0], for the children; "" when it had none. */
const char *bri_bootstrap_argv0(void);

#endif /* BRI_BOOTSTRAP_H */
